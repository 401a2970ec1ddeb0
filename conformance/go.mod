module github.com/d74363f0/strand/conformance

go 1.26.0

replace github.com/d74363f0/strand => ../

require (
	github.com/coder/websocket v1.8.15
	github.com/d74363f0/strand v0.0.0-00010101000000-000000000000
	github.com/gorilla/websocket v1.5.3
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
