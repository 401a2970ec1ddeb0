// Package e2e drives the page of strand serve in real headless Chromium. It holds tests only, and speaks the
// DevTools protocol over a pipe, so that it depends on nothing but the standard library and the browser.
package e2e
