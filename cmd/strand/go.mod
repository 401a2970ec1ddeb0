module github.com/d74363f0/strand/cmd/strand

go 1.26.0

require (
	github.com/d74363f0/strand v0.0.0
	github.com/d74363f0/strand/http2 v0.0.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace (
	github.com/d74363f0/strand => ../..
	github.com/d74363f0/strand/http2 => ../../http2
)
