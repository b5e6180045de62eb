package houserules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// check reads every Go file of a module and returns what breaks the rules, one line each: file and line, what, rule. It
// also returns the folders in which it found production code.
func check(module fs.FS) (violations []string, folders map[string]bool, err error) {
	folders = map[string]bool{}
	bigUsed := map[string]bool{}
	err = fs.WalkDir(module, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(module, file)
		}
		// Tests may import what they need: a file in a package's own test binary binds nobody who uses the package.
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || isTestSupport(path.Dir(file)) {
			return nil
		}
		source, err := fs.ReadFile(module, file)
		if err != nil {
			return err
		}
		c := checker{files: token.NewFileSet(), file: file, bigUsed: bigUsed}
		if err := c.check(source); err != nil {
			return err
		}
		folders[path.Dir(file)] = true
		violations = append(violations, c.violations...)
		return nil
	})
	for _, allowed := range bigFiles {
		if strings.Contains(allowed.pattern, "*") {
			continue
		}
		if !bigUsed[allowed.pattern] && folders[path.Dir(allowed.pattern)] {
			violations = append(violations, fmt.Sprintf("rules_test.go: no file %s imports math/big (%s) any more: strike it off bigFiles",
				allowed.pattern, allowed.reason))
		}
	}
	return violations, folders, err
}

// skipFolder leaves out what the go command leaves out, and nested modules.
func skipFolder(module fs.FS, folder string) error {
	base := path.Base(folder)
	if folder == "." {
		return nil
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(module, path.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// checker checks one file.
type checker struct {
	files      *token.FileSet
	file       string
	bigUsed    map[string]bool // patterns of bigFiles that were needed
	violations []string
}

func (c *checker) violate(at token.Pos, format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf("%s:%d: ", c.file, c.files.Position(at).Line)+fmt.Sprintf(format, args...))
}

func (c *checker) check(source []byte) error {
	tree, err := parser.ParseFile(c.files, c.file, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(c.file)
	if folder == "io" {
		c.violate(tree.Package, "a Go file directly in io: `io` must always mean the standard library")
		return nil
	}
	r, head := roomOf(folder)
	if r == nil {
		c.violate(tree.Package, "folder %s has no row in \"Who may import whom\": add it to the architecture and to rules_test.go", folder)
		return nil
	}
	for _, spec := range tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if name == "math/big" {
			c.checkBig(tree, spec)
			continue
		}
		c.checkImport(spec.Pos(), r, head, name)
	}
	if r.noGoroutines {
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				c.violate(n.Pos(), "go statement: %s starts no goroutines, parallelism is the engine's", head)
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Go" || f.Sel.Name == "AfterFunc") {
					c.violate(n.Pos(), "call of %s, which starts a goroutine: %s starts none, parallelism is the engine's", f.Sel.Name, head)
				}
			}
			return true
		})
	}
	return nil
}

func (c *checker) checkImport(at token.Pos, r *room, head, name string) {
	if target, ours := strings.CutPrefix(name, modulePath+"/"); ours {
		if isTestSupport(target) {
			c.violate(at, "imports %s: only tests may import test support", target)
		} else if !r.mayImport(head, target) {
			c.violate(at, "imports %s: %s", target, r.describe(head))
		}
		return
	}
	first, _, _ := strings.Cut(name, "/")
	if strings.Contains(first, ".") {
		if r.foreign != nil && !under(name, r.foreign) {
			allowed := strings.Join(append([]string{"the standard library"}, r.foreign...), " and ")
			c.violate(at, "imports %s: %s may use only %s", name, head, allowed)
		}
		return
	}
	if under(name, r.noStd) {
		c.violate(at, "imports %s: %s must not use %s", name, head, strings.Join(r.noStd, ", "))
	}
}

// checkBig checks an import of math/big.
func (c *checker) checkBig(tree *ast.File, spec *ast.ImportSpec) {
	for _, allowed := range bigFiles {
		if !matches(allowed.pattern, c.file) {
			continue
		}
		c.bigUsed[allowed.pattern] = true
		if allowed.functions != nil {
			c.checkBigUses(tree, spec, allowed.functions)
		}
		return
	}
	c.violate(spec.Pos(), "imports math/big: allowed only in the files that bigFiles of rules_test.go lists with a reason, where no rows are")
}

// checkBigUses refuses math/big outside the given functions.
func (c *checker) checkBigUses(tree *ast.File, spec *ast.ImportSpec, functions []string) {
	local := "big"
	if spec.Name != nil {
		local = spec.Name.Name
	}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && slices.Contains(functions, f.Name.Name) {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if name, ok := selector.X.(*ast.Ident); ok && name.Name == local {
					c.violate(n.Pos(), "uses math/big: in this file only %s may", strings.Join(functions, ", "))
				}
			}
			return true
		})
	}
}
