package houserules

import (
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// The module obeys the rules.
func TestModule(t *testing.T) {
	root := os.DirFS("../..")
	violations, folders, err := check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
	for _, folder := range []string{"bigmod", "engine", "io/column", "internal/houserules"} {
		if !folders[folder] {
			t.Errorf("no code found in %s: is this the module?", folder)
		}
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
		t.Errorf("go.mod does not begin with module %s", modulePath)
	}
}

// Every kind of violation is seen, and what is allowed is not taken for one. `want` is the whole message
// without the folder, or empty.
func TestChecker(t *testing.T) {
	const ours = `import _ "` + modulePath + "/"
	imports := func(target string) string { return "package p\n" + ours + target + `"` }
	foreign := func(path string) string { return "package p\nimport _ \"" + path + `"` }
	nothing := func(room string) string { return room + " may import nothing of ours" }
	only := func(room, rooms string) string { return room + " may import only " + rooms }
	const (
		noOutside = " must not use os, net, syscall, plugin, io/ioutil"
		base      = "engine, kernels/*, io/*, internal/cpu, internal/strictjson, internal/printable"
		below     = base + ", engine/job, engine/keys, engine/trust, engine/dataset/ids, engine/slots, engine/dataset, engine/stats, engine/privacy"
		protocols = base + ", engine/job, engine/keys, engine/dataset, engine/dataset/ids, engine/slots, engine/privacy, engine/receipt, engine/observe"
		cmd       = "engine/*, engine/*/*, kernels/paillier, io/ctfile, io/blob, io/blob/stores, internal/printable, bench"
		noBig     = "imports math/big: allowed only in the files that bigFiles of rules_test.go lists with a reason, where no rows are"
	)
	tests := []struct{ file, source, want string }{
		// Rooms that import nothing of ours.
		{"bigmod/a.go", imports("engine"), "a.go:2: imports engine: " + nothing("bigmod")},
		{"bigmod/a.go", imports("bigmod/internal/asm"), ""},
		{"bigmod/internal/asm/a.go", imports("kernels/mont52"), "a.go:2: imports kernels/mont52: " + nothing("bigmod")},
		{"io/column/a.go", imports("io/blob"), "a.go:2: imports io/blob: " + only("io/column", "internal/printable")},
		{"io/blob/a.go", imports("io/column"), "a.go:2: imports io/column: " + only("io/blob", "internal/printable")},
		{"io/blob/a.go", imports("io/internal/pages"), "a.go:2: imports io/internal/pages: " + only("io/blob", "internal/printable")},
		{"engine/a.go", imports("bigmod"), "a.go:2: imports bigmod: " + nothing("engine")},
		{"engine/a.go", imports("engine/job"), "a.go:2: imports engine/job: " + nothing("engine")},
		{"engine/internal/x/a.go", imports("io/column"), "a.go:2: imports io/column: " + nothing("engine")},
		{"internal/houserules/a.go", imports("bigmod"), "a.go:2: imports bigmod: " + nothing("internal/houserules")},

		// Kernels.
		{"kernels/mont52/a.go", imports("bigmod"), ""},
		{"kernels/mont52/a.go", imports("kernels/paillier"), "a.go:2: imports kernels/paillier: " + only("kernels/mont52", "bigmod, internal/cpu")},
		{"kernels/codec/a.go", imports("kernels/mont52"), "a.go:2: imports kernels/mont52: " + only("kernels/codec", "bigmod, internal/strictjson")},
		{"kernels/noise/a.go", imports("kernels/codec"), "a.go:2: imports kernels/codec: " + only("kernels/noise", "bigmod, internal/randstream")},
		{"kernels/shares/a.go", imports("engine"), "a.go:2: imports engine: " + only("kernels/shares", "bigmod, internal/randstream")},
		{"kernels/paillier/a.go", imports("kernels/mont52"), ""},
		{"kernels/paillier/vectors/a.go", imports("kernels/paillier"), ""},
		{"kernels/paillier/vectors/a.go", imports("internal/knownanswer"), ""},
		{"kernels/paillier/a.go", imports("kernels/codec"), "a.go:2: imports kernels/codec: " + only("kernels/paillier", "bigmod, kernels/shares, kernels/moments, kernels/fma47, kernels/mont52, kernels/mont64, kernels/umulh, internal/knownanswer, internal/randstream, internal/strictjson")},
		{"kernels/paillier/a.go", imports("io/column"), "a.go:2: imports io/column: " + only("kernels/paillier", "bigmod, kernels/shares, kernels/moments, kernels/fma47, kernels/mont52, kernels/mont64, kernels/umulh, internal/knownanswer, internal/randstream, internal/strictjson")},

		// Formats.
		{"io/csvio/a.go", imports("io/column"), ""},
		{"io/csvio/a.go", imports("io/blob"), ""},
		{"io/parquetio/a.go", imports("io/internal/pages"), ""},
		{"io/ctfile/a.go", imports("io/internal/pages"), ""},
		{"io/csvio/a.go", imports("io/parquetio"), "a.go:2: imports io/parquetio: " + only("io/csvio", "io/column, io/blob, io/internal/*, internal/strictjson, internal/printable")},
		{"io/ctfile/a.go", imports("io/parquetio"), "a.go:2: imports io/parquetio: " + only("io/ctfile", "io/column, io/blob, io/internal/*, internal/strictjson, internal/printable")},
		{"io/ctfile/a.go", imports("kernels/paillier"), "a.go:2: imports kernels/paillier: " + only("io/ctfile", "io/column, io/blob, io/internal/*, internal/strictjson, internal/printable")},
		{"io/csvio/a.go", imports("engine"), "a.go:2: imports engine: " + only("io/csvio", "io/column, io/blob, io/internal/*, internal/strictjson, internal/printable")},
		{"io/internal/pages/a.go", imports("io/column"), ""},
		{"io/internal/pages/a.go", imports("io/blob"), ""},
		{"io/internal/pages/a.go", imports("io/parquetio"), "a.go:2: imports io/parquetio: " + only("io/internal/pages", "io/column, io/blob")},
		{"io/internal/pages/a.go", imports("io/internal/other"), "a.go:2: imports io/internal/other: " + only("io/internal/pages", "io/column, io/blob")},
		{"io/a.go", "package io", "a.go:1: a Go file directly in io: `io` must always mean the standard library"},

		{"io/blob/stores/a.go", imports("io/blob"), ""},
		{"io/blob/stores/a.go", imports("io/column"), "a.go:2: imports io/column: " + only("io/blob/stores", "io/blob")},
		{"io/blob/a.go", imports("io/blob/stores"), "a.go:2: imports io/blob/stores: " + only("io/blob", "internal/printable")},
		{"engine/job/a.go", imports("io/blob/stores"), "a.go:2: imports io/blob/stores: " + only("engine/job", base)},

		// Where they meet.
		{"engine/job/a.go", imports("engine"), ""},
		{"engine/job/a.go", imports("kernels/paillier"), ""},
		{"engine/job/a.go", imports("kernels/codec/vectors"), ""},
		{"engine/job/a.go", imports("io/ctfile"), ""},
		{"engine/job/a.go", imports("io/column"), ""},
		{"engine/job/a.go", imports("bigmod"), "a.go:2: imports bigmod: " + only("engine/job", base)},
		{"engine/job/a.go", imports("io/internal/pages"), "a.go:2: imports io/internal/pages: " + only("engine/job", base)},
		{"engine/job/a.go", imports("internal/knownanswer"), "a.go:2: imports internal/knownanswer: " + only("engine/job", base)},
		{"engine/job/a.go", imports("engine/keys"), "a.go:2: imports engine/keys: " + only("engine/job", base)},
		{"engine/dataset/a.go", imports("engine/dataset/ids"), ""},
		{"engine/dataset/ids/a.go", imports("engine/dataset"), "a.go:2: imports engine/dataset: " + only("engine/dataset/ids", base+", engine/job")},
		{"engine/slots/a.go", imports("engine/privacy"), "a.go:2: imports engine/privacy: " + only("engine/slots", base+", engine/job")},
		{"engine/enctable/a.go", imports("engine/encrypt"), "a.go:2: imports engine/encrypt: " + only("engine/enctable", below)},
		{"engine/encrypt/a.go", imports("engine/enctable"), ""},
		{"engine/encrypt/a.go", imports("engine/fuse"), "a.go:2: imports engine/fuse: " + only("engine/encrypt", below+", engine/enctable")},
		{"engine/fuse/a.go", imports("engine/fuse/sums"), ""},
		{"engine/fuse/sums/a.go", imports("engine/job"), "a.go:2: imports engine/job: " + only("engine/fuse/sums", "engine, kernels/*, io/*, internal/strictjson")},
		{"engine/analyze/a.go", imports("engine/decrypt"), ""},
		{"engine/analyze/a.go", imports("engine/batch"), "a.go:2: imports engine/batch: " + only("engine/analyze", below+", engine/enctable, engine/encrypt, engine/fuse, engine/decrypt")},
		{"engine/batch/a.go", imports("engine/inspect"), ""},
		{"engine/receipt/a.go", imports("engine/keys"), "a.go:2: imports engine/keys: " + only("engine/receipt", base+", engine/job")},
		{"engine/observe/a.go", imports("engine/job"), "a.go:2: imports engine/job: " + only("engine/observe", "engine, io/*")},
		{"engine/job/a.go", imports("bench"), "a.go:2: imports bench: " + only("engine/job", base)},
		{"engine/mpc/store/a.go", imports("engine/mpc"), ""},
		{"engine/mpc/store/a.go", imports("engine/encrypt"), "a.go:2: imports engine/encrypt: " + only("engine/mpc", protocols)},
		{"engine/federated/a.go", imports("cmd/cipherfold"), "a.go:2: imports cmd/cipherfold: " + only("engine/federated", protocols)},
		{"bench/a.go", imports("bigmod"), ""},
		{"bench/a.go", imports("engine/mpc"), ""},
		{"bench/a.go", imports("io/ctfile"), ""},
		{"bench/papers/a.go", imports("bench"), ""},
		{"bench/papers/a.go", imports("cmd/cipherfold"), "a.go:2: imports cmd/cipherfold: " + only("bench", "bigmod, kernels/*, io/*, io/blob/stores, engine, engine/*, engine/*/*, internal/cpu, internal/knownanswer, internal/strictjson")},
		{"bench/a.go", imports("io/internal/pages"), "a.go:2: imports io/internal/pages: " + only("bench", "bigmod, kernels/*, io/*, io/blob/stores, engine, engine/*, engine/*/*, internal/cpu, internal/knownanswer, internal/strictjson")},
		{"cmd/cipherfold/a.go", imports("engine/job"), ""},
		{"cmd/cipherfold/a.go", imports("kernels/paillier"), ""},
		{"cmd/cipherfold/a.go", imports("bench/papers"), ""},
		{"cmd/cipherfold/a.go", imports("engine"), "a.go:2: imports engine: " + only("cmd/cipherfold", cmd)},
		{"cmd/cipherfold/a.go", imports("kernels/codec"), "a.go:2: imports kernels/codec: " + only("cmd/cipherfold", cmd)},
		{"cmd/cipherfold/a.go", imports("io/parquetio"), "a.go:2: imports io/parquetio: " + only("cmd/cipherfold", cmd)},
		{"cmd/cipherfold/a.go", imports("bigmod"), "a.go:2: imports bigmod: " + only("cmd/cipherfold", cmd)},
		{"cmd/cipherfold/a.go", imports("helpers"), "a.go:2: imports helpers: " + only("cmd/cipherfold", cmd)},

		// Folders without a row.
		{"helpers/a.go", "package helpers", "a.go:1: folder helpers has no row in \"Who may import whom\": add it to the architecture and to rules_test.go"},
		{"kernels/a.go", "package kernels", "a.go:1: folder kernels has no row in \"Who may import whom\": add it to the architecture and to rules_test.go"},
		{"a.go", "package cipherfold", "a.go:1: folder . has no row in \"Who may import whom\": add it to the architecture and to rules_test.go"},

		// The world outside.
		{"bigmod/a.go", foreign("os"), "a.go:2: imports os: bigmod" + noOutside},
		{"bigmod/a.go", foreign("osmosis"), ""},
		{"bigmod/a.go", foreign("golang.org/x/sys/cpu"), "a.go:2: imports golang.org/x/sys/cpu: bigmod may use only the standard library"},
		{"kernels/mont52/a.go", foreign("golang.org/x/sys/cpu"), ""},
		{"kernels/codec/a.go", foreign("net/http"), "a.go:2: imports net/http: kernels/codec" + noOutside},
		{"kernels/paillier/internal/x/a.go", foreign("os/exec"), "a.go:2: imports os/exec: kernels/paillier" + noOutside},
		{"kernels/paillier/a.go", foreign("crypto/rand"), ""},
		{"engine/a.go", foreign("crypto/sha256"), "a.go:2: imports crypto/sha256: engine must not use crypto"},
		{"engine/a.go", foreign("hash/maphash"), ""},
		{"engine/a.go", foreign("golang.org/x/sync/errgroup"), ""},
		{"engine/a.go", foreign("golang.org/x/synchrony"), "a.go:2: imports golang.org/x/synchrony: engine may use only the standard library and golang.org/x/sync"},
		{"engine/a.go", foreign("github.com/apache/arrow/go/v17/arrow"), "a.go:2: imports github.com/apache/arrow/go/v17/arrow: engine may use only the standard library and golang.org/x/sync"},
		{"engine/job/a.go", foreign("os"), ""},

		// Goroutines.
		{"bigmod/a.go", "package p\nfunc f() {\n\tgo f()\n}", "a.go:3: go statement: bigmod starts no goroutines, parallelism is the engine's"},
		{"kernels/noise/a.go", "package p\nvar f = func() { go func() {}() }", "a.go:2: go statement: kernels/noise starts no goroutines, parallelism is the engine's"},
		{"kernels/shares/a.go", "package p\nimport \"sync\"\nfunc f() { var g sync.WaitGroup; g.Go(f) }", "a.go:3: call of Go, which starts a goroutine: kernels/shares starts none, parallelism is the engine's"},
		{"kernels/shares/a.go", "package p\nimport \"time\"\nfunc f() { time.AfterFunc(1, f) }", "a.go:3: call of AfterFunc, which starts a goroutine: kernels/shares starts none, parallelism is the engine's"},
		{"engine/a.go", "package p\nfunc f() { go f() }", ""},

		// math/big.
		{"bigmod/a.go", foreign("math/big"), "a.go:2: " + noBig},
		{"kernels/paillier/fold.go", "package p\nimport integers \"math/big\"\nvar _ integers.Int", "fold.go:2: " + noBig},
		{"engine/job/a.go", foreign("math/big"), "a.go:2: " + noBig},
		{"cmd/cipherfold/a.go", foreign("math/big"), "a.go:2: " + noBig},
		{"bench/a.go", foreign("math/big"), ""},
		{"kernels/paillier/scalars.go", "package p\nimport \"math/big\"\nfunc BigScalars(v []*big.Int) {}", ""},
		{"kernels/paillier/scalars.go", "package p\nimport \"math/big\"\nfunc sum(v []*big.Int) {}", "scalars.go:3: uses math/big: in this file only BigScalars may"},
		{"kernels/paillier/scalars.go", "package p\nimport z \"math/big\"\nvar sum z.Int", "scalars.go:3: uses math/big: in this file only BigScalars may"},
		{"bench/papers/a.go", foreign("math/big"), ""},
		{"kernels/codec/vectors/a.go", foreign("math/big"), ""},

		// Not production code of this module.
		{"bigmod/a_test.go", imports("engine"), ""},
		{"kernels/paillier/a_test.go", "package paillier_test\nimport _ \"math/big\"\nfunc f() { go f() }", ""},
		{"bigmod/bigmodtest/a.go", "package bigmodtest\nimport _ \"math/big\"\nfunc f() { go f() }", ""},
		{"bigmod/a.go", imports("bigmod/bigmodtest"), "a.go:2: imports bigmod/bigmodtest: only tests may import test support"},
		{"bench/a.go", imports("io/blob/blobtest"), "a.go:2: imports io/blob/blobtest: only tests may import test support"},
		{"io/parquetio/a.go", imports("io/internal/pagestest"), "a.go:2: imports io/internal/pagestest: only tests may import test support"},
		{"io/internal/pagestest/a.go", imports("io/parquetio"), ""},
		{"io/csvio/a_test.go", imports("io/blob/blobtest"), ""},
		{"engine/job/a.go", imports("engine/job/selftest"), ""},
		{"engine/job/selftest/a.go", imports("bigmod"), "a.go:2: imports bigmod: " + only("engine/job", base)},
		{"kernels/mont52/_asm/a.go", imports("cmd"), ""},
		{"engine/testdata/a.go", imports("cmd"), ""},
		{".cache/a.go", imports("cmd"), ""},
	}
	for _, test := range tests {
		violations, _, err := check(fstest.MapFS{test.file: {Data: []byte(test.source)}})
		if err != nil {
			t.Errorf("%s: %v", test.file, err)
			continue
		}
		violations = withoutStrikes(violations)
		got := strings.Join(violations, "\n")
		want := test.want
		if want != "" {
			want = path.Join(path.Dir(test.file), want)
		}
		if got != want {
			t.Errorf("%s:\n%s\ngot  %q\nwant %q", test.file, test.source, got, want)
		}
	}
}

// withoutStrikes leaves out what is said of bigFiles, most of which a module of one file does not have.
func withoutStrikes(violations []string) []string {
	var rest []string
	for _, v := range violations {
		if !strings.Contains(v, "strike it off bigFiles") {
			rest = append(rest, v)
		}
	}
	return rest
}

// A second module inside the first has its own rules.
func TestCheckerSkipsNestedModules(t *testing.T) {
	violations, folders, err := check(fstest.MapFS{
		"examples/x/go.mod": {Data: []byte("module x\n")},
		"examples/x/a.go":   {Data: []byte("package main\nimport _ \"" + modulePath + `/engine"`)},
	})
	if err != nil || len(violations) != 0 || len(folders) != 0 {
		t.Errorf("%q, %v, %v", violations, folders, err)
	}
}

// An exception that is no longer needed must go.
func TestCheckerReportsIdleExceptions(t *testing.T) {
	const file = "kernels/paillier/generate.go"
	violations, _, err := check(fstest.MapFS{file: {Data: []byte("package paillier")}})
	if err != nil || !strings.Contains(strings.Join(violations, "\n"), file+" imports math/big (key generation) any more: strike it off") {
		t.Errorf("%q, %v", violations, err)
	}
	violations, _, err = check(fstest.MapFS{file: {Data: []byte("package paillier\nimport _ \"math/big\"")}})
	if err != nil || strings.Contains(strings.Join(violations, "\n"), file) {
		t.Errorf("%q, %v", violations, err)
	}
}

// A file that does not parse is an error, not a file without imports.
func TestCheckerRefusesBrokenFiles(t *testing.T) {
	if _, _, err := check(fstest.MapFS{"bigmod/a.go": {Data: []byte("package p\nfunc {")}}); err == nil {
		t.Error("accepted")
	}
}
