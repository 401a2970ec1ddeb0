package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// toolModules lists the modules that are run, not imported: their exported names are for themselves.
var toolModules = []string{"bench", "cmd/strand", "e2e", "examples"}

// exported says whether users import the file's package.
func exported(s *source) bool {
	if slices.Contains(toolModules, s.module) {
		return false
	}
	return !s.test() && s.file.Name.Name != "main" && !strings.Contains("/"+s.dir()+"/", "/internal/")
}

// checkDocs wants a comment at whatever a user can name: declarations, methods, fields.
func checkDocs(s *source) []string {
	if !exported(s) {
		return nil
	}
	var findings []string
	missing := func(at token.Pos, name string) {
		findings = append(findings, s.at(at, "%s has no doc comment: say what it does, with units and errors", name))
	}
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) && d.Doc.Text() == "" {
				missing(d.Pos(), d.Name.Name)
			}
		case *ast.GenDecl:
			checkSpecs(d, missing)
		}
	}
	return findings
}

// checkReach holds R2: no exported identifier reaches a Block.
func checkReach(s *source) []string {
	if !exported(s) {
		return nil
	}
	var findings []string
	look := func(name string, in ast.Node) {
		ast.Inspect(in, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && len(f.Names) > 0 && !f.Names[0].IsExported() {
				if _, isStruct := in.(*ast.StructType); isStruct {
					return false // a field that nobody can name
				}
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "buf" {
					findings = append(findings, s.at(sel.Pos(), "%s reaches buf.%s: no exported identifier does (R2)", name, sel.Sel.Name))
				}
			}
			return true
		})
	}
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				look(d.Name.Name, d.Type)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch x := spec.(type) {
				case *ast.TypeSpec:
					if x.Name.IsExported() {
						look(x.Name.Name, x.Type)
					}
				case *ast.ValueSpec:
					if x.Names[0].IsExported() && x.Type != nil {
						look(x.Names[0].Name, x.Type)
					}
				}
			}
		}
	}
	return findings
}

// exportedReceiver says whether the function is none's method or that of an exported type.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	expr := fn.Recv.List[0].Type
	for {
		switch x := expr.(type) {
		case *ast.StarExpr:
			expr = x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.IndexListExpr:
			expr = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// checkSpecs looks at types, constants and variables. A comment over a group stands for each constant and variable.
func checkSpecs(d *ast.GenDecl, missing func(token.Pos, string)) {
	for _, spec := range d.Specs {
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			if !sp.Name.IsExported() {
				continue
			}
			if sp.Doc.Text() == "" && (d.Doc.Text() == "" || d.Lparen.IsValid()) {
				missing(sp.Pos(), sp.Name.Name)
			}
			checkFields(sp, missing)
		case *ast.ValueSpec:
			for _, name := range sp.Names {
				if name.IsExported() && d.Doc.Text()+sp.Doc.Text()+sp.Comment.Text() == "" {
					missing(name.Pos(), name.Name)
				}
			}
		}
	}
}

// fewFields is how many fields the comment over a struct can explain by itself.
const fewFields = 3

// checkFields looks at an exported struct's fields and an exported interface's methods.
func checkFields(sp *ast.TypeSpec, missing func(token.Pos, string)) {
	var fields *ast.FieldList
	switch t := sp.Type.(type) {
	case *ast.StructType:
		if t.Fields.NumFields() <= fewFields {
			return
		}
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		return
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			if name.IsExported() && field.Doc.Text()+field.Comment.Text() == "" {
				missing(name.Pos(), sp.Name.Name+"."+name.Name)
			}
		}
	}
}

// checkPackageDocs wants one comment over each package, whoever uses it.
func checkPackageDocs(all []*source) []string {
	first := make(map[string]*source)
	documented := make(map[string]bool)
	var order []string
	for _, s := range all {
		if s.test() {
			continue
		}
		if first[s.dir()] == nil {
			first[s.dir()] = s
			order = append(order, s.dir())
		}
		if s.file.Doc.Text() != "" {
			documented[s.dir()] = true
		}
	}
	var findings []string
	for _, dir := range order {
		if !documented[dir] {
			findings = append(findings, first[dir].at(first[dir].file.Package, "package %s has no package comment", dir))
		}
	}
	return findings
}
