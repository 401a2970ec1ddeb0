module github.com/d74363f0/strand/e2e

go 1.26.0
