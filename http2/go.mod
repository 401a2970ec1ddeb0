module github.com/d74363f0/strand/http2

go 1.26.0

require (
	github.com/d74363f0/strand v0.0.0
	golang.org/x/crypto v0.58.0
	golang.org/x/net v0.62.0
)

require (
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/d74363f0/strand => ../
