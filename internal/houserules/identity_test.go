package houserules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFileSystemsTellIdentity: a type that stands before a file system says what its names lead to. If it did not, two names of
// one file would be two files to everything behind it.
func TestFileSystemsTellIdentity(t *testing.T) {
	wrappers, lacking, err := fileSystems(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(wrappers) < 3 {
		t.Errorf("only %q found", wrappers)
	}
	for _, name := range lacking {
		t.Errorf("%s embeds a file system and has no method Identify: forward it with blob.Identify", name)
	}
	const without = "package p\ntype T struct {\n\tblob.FS\n}\n"
	for source, want := range map[string]int{without: 1, strings.Replace(without, "FS", "Disk", 1): 1, without + "func (t *T) Identify() {}": 0, without + "func (t T) Identify() {}": 0,
		"package p\ntype T struct{ fs blob.FS }": 0, without + "func (t *U) Identify() {}": 1} {
		if _, lacking, err := fileSystems(fstest.MapFS{"engine/x/a.go": {Data: []byte(source)}}); err != nil || len(lacking) != want {
			t.Errorf("%q, %v of\n%s", lacking, err, source)
		}
	}
}

// fileSystems are the types that embed blob.FS or blob.Disk, and those of them without a method Identify.
func fileSystems(module fs.FS) (wrappers, lacking []string, err error) {
	tells := map[string]bool{}
	err = fs.WalkDir(module, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(module, file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(module, file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil && n.Name.Name == "Identify" {
					of := n.Recv.List[0].Type
					if p, ok := of.(*ast.StarExpr); ok {
						of = p.X
					}
					if name, ok := of.(*ast.Ident); ok {
						tells[path.Dir(file)+"."+name.Name] = true
					}
				}
			case *ast.TypeSpec:
				s, ok := n.Type.(*ast.StructType)
				if !ok {
					return true
				}
				for _, f := range s.Fields.List {
					x, ok := f.Type.(*ast.SelectorExpr)
					if !ok || len(f.Names) > 0 {
						continue
					}
					if from, ok := x.X.(*ast.Ident); ok && from.Name == "blob" && slices.Contains([]string{"FS", "Disk"}, x.Sel.Name) {
						wrappers = append(wrappers, path.Dir(file)+"."+n.Name.Name)
					}
				}
			}
			return true
		})
		return nil
	})
	for _, name := range wrappers {
		if !tells[name] {
			lacking = append(lacking, name)
		}
	}
	return wrappers, lacking, err
}
