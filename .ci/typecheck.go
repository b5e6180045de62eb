//go:build ignore

// Typecheck checks the types of all packages of this module, with their tests, for other platforms: what a build and most
// of a vet would find, without compiling hundreds of packages of others.
//
//	go run .ci/typecheck.go windows/amd64 darwin/arm64
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Standard        bool
	DepsErrors      []struct{ Err string }
	Error           *struct{ Err string }
	Module          *struct{ Main bool }
}

func main() {
	failed := false
	for _, platform := range os.Args[1:] {
		packages, faults, err := check(platform)
		if err != nil {
			faults = append(faults, err)
		}
		for _, f := range faults {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", platform, f)
		}
		fmt.Printf("%s: %d packages\n", platform, packages)
	}
	if failed || len(os.Args) == 1 {
		os.Exit(1)
	}
}

// check returns how many packages of ours there are, and what is wrong with them.
func check(platform string) (ours int, faults []error, err error) {
	system, arch, _ := strings.Cut(platform, "/")
	list := exec.Command("go", "list", "-deps", "-test", "-json=ImportPath,Dir,GoFiles,ImportMap,Standard,DepsErrors,Error,Module", "./...")
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := list.Start(); err != nil {
		return 0, nil, err
	}
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	fset := token.NewFileSet()
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return ours, faults, err
		}
		if p.Error != nil {
			return ours, faults, errors.New(p.Error.Err)
		}
		if p.ImportPath == "unsafe" {
			continue
		}
		main := p.Module != nil && p.Module.Main
		var files []*ast.File
		for _, name := range p.GoFiles {
			if !filepath.IsAbs(name) {
				name = filepath.Join(p.Dir, name)
			}
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil && main {
				return ours, faults, err
			}
			files = append(files, f)
		}
		c := types.Config{
			Importer:         importer{done, p.ImportMap},
			IgnoreFuncBodies: !main,
			Sizes:            types.SizesFor("gc", arch),
			Error: func(err error) {
				if main {
					faults = append(faults, err)
				}
			},
		}
		path, _, _ := strings.Cut(p.ImportPath, " ") // "path [path.test]" is a package with its tests
		t, _ := c.Check(path, fset, files, nil)
		done[p.ImportPath] = t
		if main {
			ours++
		}
	}
	return ours, faults, list.Wait()
}

// importer finds packages that were checked before.
type importer struct {
	done map[string]*types.Package
	as   map[string]string
}

func (i importer) Import(path string) (*types.Package, error) {
	if as, ok := i.as[path]; ok {
		path = as
	}
	if p := i.done[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s was not checked", path)
}
