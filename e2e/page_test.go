package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// page is one tab in a browser context of its own, as another person's browser would be.
type page struct {
	b       *browser
	session string
	mu      sync.Mutex
	faults  []string // what the console said at level error, exceptions, failed loads; guarded by mu
}

// open opens a tab of the given size and colour scheme and waits until url has loaded.
func (b *browser) open(url string, width, height int, scheme string) *page {
	b.t.Helper()
	var context struct{ BrowserContextID string }
	b.must("", "Target.createBrowserContext", nil, &context)
	var target struct{ TargetID string }
	b.must("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context.BrowserContextID}, &target)
	var attached struct{ SessionID string }
	b.must("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &page{b: b, session: attached.SessionID}
	b.mu.Lock()
	b.hear[p.session] = p.note
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.do(domain+".enable", nil)
	}
	p.size(width, height)
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	var went struct{ ErrorText string }
	b.must(p.session, "Page.navigate", map[string]any{"url": url}, &went)
	if went.ErrorText != "" {
		b.t.Fatalf("%s: %s", url, went.ErrorText)
	}
	p.until("the page to load", `document.readyState === "complete"`)
	return p
}

func (p *page) size(width, height int) {
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
}

func (p *page) do(method string, params any) {
	p.b.t.Helper()
	p.b.must(p.session, method, params, nil)
}

// note keeps what a person with the console open would see in red.
func (p *page) note(e event) {
	fault := ""
	switch e.Method {
	case "Runtime.exceptionThrown", "Network.loadingFailed":
		fault = e.Method + " " + string(e.Params)
	case "Runtime.consoleAPICalled":
		var m struct{ Type string }
		if json.Unmarshal(e.Params, &m) == nil && (m.Type == "error" || m.Type == "assert") {
			fault = string(e.Params)
		}
	case "Log.entryAdded":
		var m struct{ Entry struct{ Level string } }
		if json.Unmarshal(e.Params, &m) == nil && m.Entry.Level == "error" {
			fault = string(e.Params)
		}
	}
	if fault == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault)
}

// clean fails the test if the console has seen an error so far.
func (p *page) clean() {
	p.b.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) > 0 {
		p.b.t.Errorf("the console is not clean:\n%s", strings.Join(p.faults, "\n"))
	}
}

// eval runs JavaScript in the page, waits for its promise if it is one, and puts the value into v.
func (p *page) eval(js string, v any) {
	p.b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	p.b.must(p.session, "Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		p.b.t.Fatalf("%s\nthrew %s", js, r.ExceptionDetails)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.Result.Value, v); err != nil {
		p.b.t.Fatalf("%s\ngave %s: %v", js, r.Result.Value, err)
	}
}

// until waits until a JavaScript condition holds, at most 20 s.
func (p *page) until(what, js string) {
	p.b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		var ok bool
		p.eval("!!("+js+")", &ok)
		if ok {
			return
		}
		if time.Now().After(end) {
			p.mu.Lock()
			faults := strings.Join(p.faults, "\n")
			p.mu.Unlock()
			p.b.t.Fatalf("waited 20 s for %s: %s\nconsole: %s", what, js, faults)
		}
	}
}

// click presses the mouse in the middle of the element, as a person does: one that is covered is not clicked.
func (p *page) click(selector string) {
	p.b.t.Helper()
	var at struct{ X, Y float64 }
	p.eval(`(() => { const e = document.querySelector(`+quote(selector)+`); e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()`, &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1})
	}
}

// typeIn replaces what the field holds by text typed into it.
func (p *page) typeIn(selector, text string) {
	p.b.t.Helper()
	p.click(selector)
	p.eval(`document.querySelector(`+quote(selector)+`).select()`, nil)
	p.do("Input.insertText", map[string]any{"text": text})
}

// shoot saves a picture of the whole page when SHOTS names a directory: to look at, not to compare.
func (p *page) shoot(name string) {
	p.b.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	p.b.must(p.session, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.b.t.Fatal(err)
	}
}

func quote(s string) string {
	q, _ := json.Marshal(s)
	return string(q)
}
