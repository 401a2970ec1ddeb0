package house

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// corePath is the import path of the core module.
const corePath = "github.com/d74363f0/strand"

// repoRoot is where the repository begins, seen from this package's directory, in which go test runs it.
const repoRoot = "../.."

// source is one parsed Go file.
type source struct {
	path   string // from the repository's root, with slashes
	module string // the directory of its module, "." for the core
	fset   *token.FileSet
	file   *ast.File
}

// repository reads every Go file of the repository once for all tests.
var repository = sync.OnceValues(func() ([]*source, error) { return readTree(repoRoot) })

// sources returns every Go file of the repository.
func sources(t *testing.T) []*source {
	t.Helper()
	all, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: is this test run in its own directory?")
	}
	return all
}

// readTree parses every Go file below root that the go command would look at, tests included.
func readTree(root string) ([]*source, error) {
	var all []*source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && skippedDir(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(entry.Name(), ".") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parseSource(filepath.ToSlash(rel), string(src))
		if err != nil {
			return err
		}
		s.module = moduleDir(root, s.dir())
		all = append(all, s)
		return nil
	})
	return all, err
}

// skippedDir says which directories hold no source of ours; the go command leaves out the same, but for out.
func skippedDir(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "vendor" || name == "node_modules" || name == "out"
}

// parseSource parses one file's text. Its module is the core's until the caller knows better.
func parseSource(name, text string) (*source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{path: name, module: ".", fset: fset, file: file}, nil
}

// moduleDir returns the directory at or above dir that has a go.mod.
func moduleDir(root, dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(dir), "go.mod")); err == nil {
			return dir
		}
	}
	return "."
}

// dir is the directory of the file, "." for the repository's root.
func (s *source) dir() string { return path.Dir(s.path) }

// coreDirIn says whether the file belongs to one of these packages of the core.
func (s *source) coreDirIn(dirs []string) bool {
	return s.module == "." && slices.Contains(dirs, s.dir())
}

// test says whether the file is compiled for tests only.
func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports returns the paths that the file imports.
func (s *source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser let it through
		}
		paths = append(paths, p)
	}
	return paths
}

// importName returns the name by which the file calls the package, "" if it does not import it.
func (s *source) importName(importPath string) string {
	for _, spec := range s.file.Imports {
		if spec.Path.Value != strconv.Quote(importPath) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// selectors calls found with each identifier of the imported package that the file uses.
func (s *source) selectors(importPath string, found func(at token.Pos, name string)) {
	local := s.importName(importPath)
	if local == "" {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
			found(sel.Pos(), sel.Sel.Name)
		}
		return true
	})
}

// constraint returns the file's //go:build line, nil if it has none.
func (s *source) constraint() constraint.Expr {
	for _, group := range s.file.Comments {
		if group.Pos() > s.file.Package {
			return nil
		}
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			if expr, err := constraint.Parse(c.Text); err == nil {
				return expr
			}
		}
	}
	return nil
}

// at writes a finding with its place.
func (s *source) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}
