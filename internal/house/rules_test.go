package house

import (
	"go/ast"
	"go/build/constraint"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxLines is the length of a function that still fits a screen.
const maxLines = 70

// poolFiles lists where sync.Pool may stand: "dir/" for a directory, or one file. R2: one pooled type; and the
// state of deflate, which is reset before use; and a handler of the benchmarks, which are users' code.
var poolFiles = []string{"internal/buf/", "websocket/deflate.go", "bench/app/app.go"}

// kernelDirs lists the packages that make system calls.
var kernelDirs = []string{"internal/poll", "internal/sock"}

// kernelFiles lists single files that make system calls: the debug build takes the memory of released Blocks away,
// so that a touch of it faults.
var kernelFiles = []string{"internal/buf/guard_linux.go"}

// unsafeDirs lists the packages that may see memory as something else: those that hand it to the kernel, and buf,
// whose queue shows a string's bytes to the writer without a copy. Nobody writes through such a view.
var unsafeDirs = []string{"internal/poll", "internal/sock", "internal/buf"}

// syscallNames says what a package that makes no system call may still use of package syscall: the numbers and
// types by which the standard library speaks of errors, signals, limits and borrowed descriptors.
var syscallNames = regexp.MustCompile(`^(E[A-Z0-9]+|SIG[A-Z0-9]+|Errno|Signal|Conn|RawConn|SysProcAttr|` +
	`Rlimit|Getrlimit|Setrlimit|RLIMIT_[A-Z]+|Rusage|Getrusage|RUSAGE_SELF)$`)

// plainDirs lists the packages without any file for one platform only; of the root it is plainFiles.
var (
	plainDirs  = []string{"http1", "websocket", "websocket/hub", "internal/h1", "internal/ws"}
	plainFiles = []string{"conn.go"}
)

// platforms are the endings by which a file's name is a build constraint.
var platforms = regexp.MustCompile(`_(linux|darwin|windows|freebsd|netbsd|openbsd|dragonfly|solaris|illumos|aix|` +
	`android|ios|js|wasip1|plan9|amd64|arm64|arm|386|riscv64|ppc64le|ppc64|s390x|loong64|mips64|wasm)(_test)?\.go$`)

// unfinished is what a comment says of work that was put off.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// checkLength holds functions to a screen. A function literal counts with the function around it.
func checkLength(s *source) []string {
	if s.test() {
		return nil
	}
	var findings []string
	for _, decl := range s.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
		if lines > maxLines {
			findings = append(findings, s.at(fn.Pos(), "%s has %d lines; a function has at most %d", fn.Name.Name, lines, maxLines))
		}
	}
	return findings
}

// checkNorace forbids hiding code from the race detector.
func checkNorace(s *source) []string {
	var findings []string
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:norace") {
				findings = append(findings, s.at(c.Pos(), "go:norace: the race detector sees all of our code"))
			}
		}
	}
	return findings
}

// checkRaceTag forbids other code under the race detector than without it.
func checkRaceTag(s *source) []string {
	expr := s.constraint()
	if expr == nil || !slices.Contains(tagsOf(expr), "race") {
		return nil
	}
	return []string{s.at(s.file.Package, "a race build tag: what runs under -race is what ships")}
}

// tagsOf returns the tags that a constraint names.
func tagsOf(expr constraint.Expr) []string {
	switch x := expr.(type) {
	case *constraint.TagExpr:
		return []string{x.Tag}
	case *constraint.NotExpr:
		return tagsOf(x.X)
	case *constraint.AndExpr:
		return append(tagsOf(x.X), tagsOf(x.Y)...)
	case *constraint.OrExpr:
		return append(tagsOf(x.X), tagsOf(x.Y)...)
	}
	return nil
}

// checkPool keeps pooled memory in its places.
func checkPool(s *source) []string {
	for _, allowed := range poolFiles {
		if s.path == allowed || s.dir()+"/" == allowed {
			return nil
		}
	}
	var findings []string
	s.selectors("sync", func(at token.Pos, name string) {
		if name == "Pool" {
			findings = append(findings, s.at(at, "sync.Pool: the only pooled memory is buf.Block (poolFiles in internal/house)"))
		}
	})
	return findings
}

// checkFinished forbids notes about work put off: it belongs to an issue, or is done now.
func checkFinished(s *source) []string {
	var findings []string
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if word := unfinished.FindString(c.Text); word != "" {
				findings = append(findings, s.at(c.Pos(), "%s: finish it or open an issue", word))
			}
		}
	}
	return findings
}

// checkPlatform keeps platforms out of the files that are the same everywhere.
func checkPlatform(s *source) []string {
	plain := slices.Contains(plainDirs, s.dir()) || slices.Contains(plainFiles, s.path)
	if !plain || s.test() {
		return nil
	}
	if s.constraint() != nil || platforms.MatchString(path.Base(s.path)) {
		return []string{s.at(s.file.Package, "a build constraint: this code is the same everywhere; the platform goes "+
			"into a transport, internal/sock or internal/poll")}
	}
	return nil
}

// checkKernel keeps system calls in the packages made for them. A module beside the core, such as a load
// generator, makes its own.
func checkKernel(s *source) []string {
	if s.test() || s.module != "." || s.coreDirIn(kernelDirs) || s.coreDirIn(testOnly) || slices.Contains(kernelFiles, s.path) {
		return nil
	}
	var findings []string
	for i, imported := range s.imports() {
		if imported == "C" || within(imported, "golang.org/x/sys") {
			findings = append(findings, s.at(s.file.Imports[i].Pos(), "imports %s: only %s touch the kernel (kernelDirs "+
				"in internal/house)", imported, strings.Join(kernelDirs, " and ")))
		}
	}
	s.selectors("syscall", func(at token.Pos, name string) {
		if !syscallNames.MatchString(name) {
			findings = append(findings, s.at(at, "syscall.%s: system calls are made in %s (syscallNames in internal/house)",
				name, strings.Join(kernelDirs, " and ")))
		}
	})
	return findings
}

// checkUnsafe keeps package unsafe where its use is read with that in mind.
func checkUnsafe(s *source) []string {
	if s.test() || s.module != "." || s.coreDirIn(unsafeDirs) || s.importName("unsafe") == "" {
		return nil
	}
	return []string{s.at(s.file.Package, "imports unsafe, as only %s may (unsafeDirs in internal/house)",
		strings.Join(unsafeDirs, ", "))}
}

// checkSkip forbids a test that leaves itself out: it would pass without having looked.
func checkSkip(s *source) []string {
	testers := make(map[string]bool)
	ast.Inspect(s.file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if ok && isTester(field.Type) {
			for _, name := range field.Names {
				testers[name.Name] = true
			}
		}
		return true
	})
	var findings []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && testers[x.Name] {
			findings = append(findings, s.at(sel.Pos(), "%s.%s: make what the test needs, or keep it from being built "+
				"where it cannot run", x.Name, sel.Sel.Name))
		}
		return true
	})
	return findings
}

// isTester says whether the type is testing.TB or a pointer to testing.T, B or F.
func isTester(expr ast.Expr) bool {
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	sel, ok := expr.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"T", "B", "F", "TB"}, sel.Sel.Name) {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "testing"
}
