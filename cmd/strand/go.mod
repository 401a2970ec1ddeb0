module github.com/d74363f0/strand/cmd/strand

go 1.26.0

require github.com/d74363f0/strand v0.0.0

require github.com/gorilla/websocket v1.5.3 // indirect

replace github.com/d74363f0/strand => ../..
