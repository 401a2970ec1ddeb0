// Package tls is tests only: openssl, curl, nginx and Go's own client against strand serve -tls-addr.
package tls
