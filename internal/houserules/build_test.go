package houserules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the program may consist of. The first build on an empty machine takes as long as these make it.
const (
	packagesMax = 680 // the standard library and ours included
	modulesMax  = 68  // with ours
)

// heavy are modules that would double the build, with what does their work instead.
var heavy = map[string]string{
	"gocloud.dev":                             "io/blob/stores",
	"cloud.google.com/go/storage":             "io/blob/stores/gcs.go, over HTTP",
	"github.com/aws/aws-sdk-go-v2/service/s3": "io/blob/stores/s3.go, over HTTP",
	"google.golang.org/api":                   "io/blob/stores/gcs.go, over HTTP",
	"google.golang.org/grpc":                  "HTTP",
	"github.com/envoyproxy":                   "HTTP",
	"github.com/cncf/xds":                     "HTTP",
	"github.com/spiffe":                       "HTTP",
	"go.opentelemetry.io":                     "engine/observe",
	"gonum.org/v1/plot":                       "bench/papers/chart.go",
	"github.com/apache/beam":                  "a module of its own",
	"github.com/apache/arrow/go/v17/parquet":  "io/internal/pages",
}

// The program stays as light as it is: packages, modules, and none of those that weigh most.
func TestLightBuild(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}`, "./cmd/cipherfold")
	list.Dir = "../.."
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := make(map[string]bool)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		path, module, _ := strings.Cut(line, " ")
		if module == "" {
			continue // of the standard library
		}
		modules[module] = true
		for bad, instead := range heavy {
			if path == bad || strings.HasPrefix(path, bad+"/") {
				t.Errorf("cmd/cipherfold depends on %s; use %s", path, instead)
			}
		}
	}
	t.Logf("%d packages of %d modules", len(lines), len(modules))
	if len(lines) > packagesMax || len(lines) < packagesMax/2 {
		t.Errorf("cmd/cipherfold consists of %d packages, want at most %d", len(lines), packagesMax)
	}
	if len(modules) > modulesMax || len(modules) < modulesMax/2 {
		t.Errorf("cmd/cipherfold consists of %d modules, want at most %d", len(modules), modulesMax)
	}
}

// docs/dependencies.md gives a reason for every module that ours require directly, and names no other.
func TestDependenciesDocumented(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var direct, named []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(read("go.mod"), -1) {
		direct = append(direct, m[1])
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S[^|]*/[^|]*) \|`).FindAllStringSubmatch(read("docs/dependencies.md"), -1) {
		named = append(named, strings.Split(row[1], ", ")...)
	}
	slices.Sort(direct)
	slices.Sort(named)
	if !slices.Equal(direct, named) || len(direct) < 10 {
		t.Errorf("go.mod requires\n%s\nand docs/dependencies.md names\n%s", strings.Join(direct, "\n"), strings.Join(named, "\n"))
	}
}
