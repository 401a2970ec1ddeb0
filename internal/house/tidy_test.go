package house

import (
	"strings"
	"testing"
)

// rule is one thing that every file of the repository is held to.
type rule struct {
	name  string
	check func(*source) []string
	bad   []sample // each is found
	good  []sample // none is found
}

// sample is a file made up to try a rule on.
type sample struct {
	path, text string
}

// lines makes a function of n lines.
func lines(n int) string {
	return "package p\n\nfunc f() {\n" + strings.Repeat("\tg()\n", n-2) + "}\n"
}

var rules = []rule{
	{
		name: "functions fit a screen", check: checkLength,
		bad: []sample{
			{"conn.go", lines(71)},
			{"cmd/strand/main.go", lines(200)},
		},
		good: []sample{
			{"conn.go", lines(70)},
			{"conn_test.go", lines(71)},
		},
	},
	{
		name: "the race detector sees everything", check: checkNorace,
		bad: []sample{
			{"conn.go", "package p\n\n//go:norace\nfunc f() {}\n"},
			{"conn_test.go", "package p\n\n// f is fast.\n//\n//go:norace\nfunc f() {}\n"},
		},
		good: []sample{{"conn.go", "package p\n\n// We use no go:norace.\nvar s = \"//go:norace\"\n"}},
	},
	{
		name: "one program with and without -race", check: checkRaceTag,
		bad: []sample{
			{"conn.go", "//go:build race\n\npackage p\n"},
			{"conn_test.go", "// A comment.\n\n//go:build linux && !race\n\npackage p\n"},
		},
		good: []sample{
			{"conn.go", "//go:build linux && !strand_std\n\npackage p\n"},
			{"conn.go", "package p\n\n// not a constraint any more:\n//go:build race\n"},
		},
	},
	{
		name: "one pooled type", check: checkPool,
		bad: []sample{
			{"http1/server.go", "package p\n\nimport \"sync\"\n\nvar requests sync.Pool\n"},
			{"websocket/conn.go", "package p\n\nimport s \"sync\"\n\nvar messages = s.Pool{}\n"},
		},
		good: []sample{
			{"internal/buf/pool.go", "package p\n\nimport \"sync\"\n\nvar blocks sync.Pool\n"},
			{"websocket/deflate.go", "package p\n\nimport \"sync\"\n\nvar writers sync.Pool\n"},
			{"http1/server.go", "package p\n\nimport \"sync\"\n\nvar mu sync.Mutex\n"},
		},
	},
	{
		name: "nothing put off", check: checkFinished,
		bad: []sample{
			{"conn.go", "package p\n\n// TO" + "DO: close it.\nvar a int\n"},
			{"conn_test.go", "package p\n\nvar a int // FIX" + "ME\n"},
			{"conn.go", "package p\n\n/* XX" + "X */\nvar a int\n"},
		},
		good: []sample{{"conn.go", "package p\n\n// All todos are done.\nvar a = \"XX" + "X\"\n"}},
	},
	{
		name: "the same code everywhere", check: checkPlatform,
		bad: []sample{
			{"conn.go", "//go:build linux\n\npackage p\n"},
			{"http1/server_linux.go", "package p\n"},
			{"websocket/conn.go", "//go:build !strand_std\n\npackage p\n"},
			{"internal/h1/parse_amd64.go", "package p\n"},
		},
		good: []sample{
			{"transport_std.go", "//go:build strand_std\n\npackage p\n"},
			{"internal/sock/fd_linux.go", "package p\n"},
			{"http1/server_test.go", "//go:build linux\n\npackage p\n"},
			{"http1/server.go", "package p\n"},
		},
	},
	{
		name: "two places touch the kernel", check: checkKernel,
		bad: []sample{
			{"conn.go", "package p\n\nimport \"syscall\"\n\nvar f = syscall.Write\n"},
			{"conn.go", "package p\n\nimport \"golang.org/x/sys/unix\"\n\nvar f = unix.Write\n"},
			{"internal/loop/loop.go", "package p\n\nimport sys \"syscall\"\n\nvar n = sys.EpollWait\n"},
			{"conn.go", "package p\n\nimport \"C\"\n"},
		},
		good: []sample{
			{"internal/sock/fd.go", "package p\n\nimport \"golang.org/x/sys/unix\"\n\nvar f = unix.Write\n"},
			{"internal/poll/epoll.go", "package p\n\nimport \"syscall\"\n\nvar f = syscall.EpollWait\n"},
			{"conn.go", "package p\n\nimport \"syscall\"\n\nvar c syscall.RawConn\nvar e = syscall.EMFILE\n"},
			{"conn_test.go", "package p\n\nimport \"syscall\"\n\nvar f = syscall.Write\n"},
		},
	},
	{
		name: "memory is what its type says", check: checkUnsafe,
		bad: []sample{
			{"http1/server.go", "package p\n\nimport \"unsafe\"\n\nvar p unsafe.Pointer\n"},
			{"internal/ws/mask.go", "package p\n\nimport u \"unsafe\"\n\nvar p u.Pointer\n"},
		},
		good: []sample{
			{"internal/buf/queue.go", "package p\n\nimport \"unsafe\"\n\nvar p unsafe.Pointer\n"},
			{"http1/server.go", "package p\n\nvar unsafe = 1\n"},
		},
	},
	{
		name: "no test leaves itself out", check: checkSkip,
		bad: []sample{
			{"conn_test.go", "package p\n\nfunc TestA(t *testing.T) { t.Skip(\"slow\") }\n"},
			{"conn_test.go", "package p\n\nfunc help(tb testing.TB) { tb.Skipf(\"%d\", 1) }\n"},
			{"conn_test.go", "package p\n\nfunc FuzzA(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) { t.SkipNow() }) }\n"},
		},
		good: []sample{{"conn_test.go", "package p\n\nfunc TestA(t *testing.T) { r.Skip(2) }\n"}},
	},
	{
		name: "what users can name is explained", check: checkDocs,
		bad: []sample{
			{"conn.go", "package p\n\nfunc Dial() {}\n"},
			{"conn.go", "package p\n\n// Conn is one.\ntype Conn struct{}\n\nfunc (c *Conn) Close() {}\n"},
			{"http1/server.go", "package p\n\ntype Server struct{}\n"},
			{"http1/server.go", "package p\n\n// Server serves.\ntype Server struct{ A, B, C, D int }\n"},
			{"http1/server.go", "package p\n\n// Both.\ntype (\n\tA int\n)\n"},
			{"errors.go", "package p\n\nvar ErrClosed = 1\n"},
			{"handler.go", "package p\n\n// H handles.\ntype H interface{ OnOpen() }\n"},
		},
		good: []sample{
			{"conn.go", "package p\n\n// Dial dials.\nfunc Dial() {}\n"},
			{"conn.go", "package p\n\ntype conn struct{ Len int }\n\nfunc (c *conn) Close() {}\n"},
			{"errors.go", "package p\n\n// Errors.\nvar (\n\tErrA = 1\n\tErrB = 2 // two\n)\n"},
			{"http1/server.go", "package p\n\n// Server serves.\ntype Server struct {\n\tAddr string // where\n\tmu int\n}\n"},
			{"http1/server.go", "package p\n\n// Pair is A and B.\ntype Pair struct{ A, B int }\n"},
			{"internal/buf/block.go", "package p\n\nfunc New() {}\n"},
			{"cmd/strand/main.go", "package main\n\nfunc Run() {}\n"},
		},
	},
	{
		name: "nothing exported reaches a Block", check: checkReach,
		bad: []sample{
			{"conn.go", "package p\n\n// W writes.\nfunc (c *Conn) W(b *buf.Block) error { return nil }\n"},
			{"http1/server.go", "package p\n\n// Server serves.\ntype Server struct{ In *buf.Block }\n"},
			{"handler.go", "package p\n\n// H handles.\ntype H interface{ On(b *buf.Block) }\n"},
			{"conn.go", "package p\n\n// Last is one.\nvar Last *buf.Block\n"},
		},
		good: []sample{
			{"conn.go", "package p\n\n// Conn is one.\ntype Conn struct{ out buf.Queue }\n\nfunc (c *Conn) w(b *buf.Block) {}\n"},
			{"internal/buf/send.go", "package p\n\nvar Send func(b *buf.Block)\n"},
		},
	},
	{
		name: "each package says what it is", check: checkOnePackage,
		bad:  []sample{{"internal/buf/block.go", "package p\n"}},
		good: []sample{{"internal/buf/block.go", "// Package p is.\npackage p\n"}, {"a_test.go", "package p\n"}},
	},
}

// checkOnePackage tries the rule about packages on a package of one file.
func checkOnePackage(s *source) []string { return checkPackageDocs([]*source{s}) }

func TestTidy(t *testing.T) {
	all := sources(t)
	for _, r := range rules[:len(rules)-1] {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range all {
				for _, finding := range r.check(s) {
					t.Error(finding)
				}
			}
		})
	}
	for _, finding := range checkPackageDocs(all) {
		t.Error(finding)
	}
}

func TestRulesBite(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, b := range r.bad {
				if len(r.check(parsed(t, b))) == 0 {
					t.Errorf("not found in %s:\n%s", b.path, b.text)
				}
			}
			for _, g := range r.good {
				if findings := r.check(parsed(t, g)); len(findings) > 0 {
					t.Errorf("found %q in %s:\n%s", findings, g.path, g.text)
				}
			}
		})
	}
}

// parsed returns a sample as the rules see files.
func parsed(t *testing.T, s sample) *source {
	t.Helper()
	src, err := parseSource(s.path, s.text)
	if err != nil {
		t.Fatal(err)
	}
	return src
}
