module github.com/d74363f0/strand/bench/defect

go 1.26.0

replace github.com/d74363f0/strand => ../../

require (
	github.com/d74363f0/strand v0.0.0
	github.com/lesismal/nbio v1.2.18
)

require (
	github.com/lesismal/llib v1.1.6 // indirect
	golang.org/x/crypto v0.0.0-20210513122933-cd7d49e622d5 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
