package houserules

import (
	"path"
	"strings"
)

const modulePath = "github.com/cipherfold/cipherfold"

// room is a folder with a row in "Who may import whom". It holds its subfolders too, unless they have rows of their own;
// within a room, packages may import each other.
type room struct {
	folder string // path.Match pattern; the longest match of a folder or one of its parents counts

	// imports are the rooms (path.Match patterns of folders) it may import.
	imports []string

	// foreign are the modules outside the standard library that it may import; nil means any.
	foreign []string
	// noStd are the parts of the standard library, with all below them, that it must not import.
	noStd []string
	// noGoroutines forbids go statements and calls that amount to one.
	noGoroutines bool
}

var outside = []string{"os", "net", "syscall", "plugin", "io/ioutil"}

func kernel(folder string, imports ...string) room {
	return room{folder: folder, imports: imports, noStd: outside, noGoroutines: true}
}

// floor is a room of the engine, and the rooms below it that it may import.
func floor(name string, below ...string) room {
	r := room{folder: "engine/" + name, imports: []string{"engine", "kernels/*", "io/*", "internal/cpu", "internal/strictjson", "internal/printable"}}
	for _, b := range below {
		r.imports = append(r.imports, "engine/"+b)
	}
	return r
}

// lowRooms are the rooms below encrypted tables, verbRooms all up to the verbs.
var (
	lowRooms  = []string{"job", "keys", "trust", "dataset/ids", "slots", "dataset", "stats", "privacy"}
	verbRooms = []string{"job", "keys", "trust", "dataset/ids", "slots", "dataset", "stats", "privacy", "enctable", "encrypt", "fuse", "decrypt"}
)

var rooms = []room{
	{folder: "bigmod", foreign: []string{}, noStd: outside, noGoroutines: true},

	kernel("kernels/mont52", "bigmod", "internal/cpu"),
	kernel("kernels/mont64", "bigmod", "internal/cpu"),
	kernel("kernels/umulh", "bigmod"),
	kernel("kernels/lanes", "bigmod"),
	kernel("kernels/fma47", "bigmod", "kernels/lanes", "internal/cpu"),
	kernel("kernels/codec", "bigmod", "internal/strictjson"),
	kernel("kernels/noise", "bigmod", "internal/randstream"),
	kernel("kernels/shares", "bigmod", "internal/randstream"),
	kernel("kernels/ringlwe", "internal/cpu", "internal/randstream"),
	kernel("kernels/moments"),
	kernel("kernels/paillier", "bigmod", "kernels/shares", "kernels/moments", "kernels/fma47", "kernels/mont52", "kernels/mont64", "kernels/umulh", "internal/knownanswer", "internal/randstream", "internal/strictjson"),

	{folder: "io/column", imports: []string{"internal/printable"}},
	{folder: "io/blob", imports: []string{"internal/printable"}},
	{folder: "io/blob/stores", imports: []string{"io/blob"}}, // apart, so that only the program links the stores' clients
	{folder: "io/internal/*", imports: []string{"io/column", "io/blob"}},
	{folder: "io/*", imports: []string{"io/column", "io/blob", "io/internal/*", "internal/strictjson", "internal/printable"}}, // the formats and ctfile

	{folder: "engine", foreign: []string{"golang.org/x/sync"}, noStd: []string{"crypto"}},

	// The floors of the engine, lowest first.
	floor("job"),
	floor("keys", "job"),
	{folder: "engine/trust", imports: []string{"engine/job", "engine/keys", "io/*", "internal/strictjson", "internal/printable"}},
	floor("dataset/ids", "job"),
	floor("slots", "job"),
	floor("dataset", "job", "dataset/ids", "slots"),
	floor("stats", "job", "slots"),
	floor("privacy", "job", "slots"),
	floor("enctable", lowRooms...),
	floor("encrypt", append(lowRooms, "enctable")...),
	floor("fuse", append(lowRooms, "enctable", "fuse/sums")...),
	{folder: "engine/fuse/sums", imports: []string{"engine", "kernels/*", "io/*", "internal/strictjson"}},
	floor("decrypt", append(lowRooms, "enctable")...),
	floor("analyze", verbRooms...),
	floor("inspect", verbRooms...),
	{folder: "engine/report", imports: []string{"engine/job", "engine/dataset", "io/*", "internal/printable"}},
	floor("receipt", "job"),
	{folder: "engine/observe", imports: []string{"engine", "io/*"}},
	{folder: "engine/batch/jobfile", imports: []string{"engine/job", "engine/receipt", "io/column"}},
	floor("batch", append(verbRooms, "analyze", "inspect", "receipt", "batch/jobfile")...),
	floor("mpc", "job", "keys", "dataset", "dataset/ids", "slots", "privacy", "receipt", "observe"),
	floor("federated", "job", "keys", "dataset", "dataset/ids", "slots", "privacy", "receipt", "observe"),

	{folder: "bench", imports: []string{"bigmod", "kernels/*", "io/*", "io/blob/stores", "engine", "engine/*", "engine/*/*", "internal/cpu", "internal/knownanswer", "internal/strictjson"}},
	{folder: "cmd/*", imports: []string{"engine/*", "engine/*/*", "kernels/paillier", "io/ctfile", "io/blob", "io/blob/stores", "internal/printable", "bench"}},
	{folder: "interop/cmd/*", imports: []string{"io/*"}}, // writes samples for other readers
	{folder: "internal/cpu", foreign: []string{"github.com/klauspost/cpuid/v2"}},
	{folder: "internal/houserules"},
	{folder: "internal/knownanswer", foreign: []string{}, noStd: outside, noGoroutines: true},
	{folder: "internal/strictjson", foreign: []string{}, noStd: outside, noGoroutines: true},
	{folder: "internal/printable"},
	{folder: "internal/randstream"},
}

// bigFile is a file that may import math/big, with the reason why no row of a batch meets it there.
type bigFile struct {
	pattern   string // path.Match
	reason    string
	functions []string // the only functions that may use it; nil means all
}

var bigFiles = []bigFile{
	{"kernels/paillier/generate.go", "key generation", nil},
	{"kernels/paillier/primes.go", "key generation", nil},
	{"kernels/paillier/keyfile.go", "key files", nil},
	{"kernels/paillier/jwk.go", "key files of python-paillier", nil},
	{"kernels/paillier/public_key.go", "checks of a key, once when it is read", nil},
	{"kernels/paillier/secret_key.go", "checks of a key, once when it is read", nil},
	{"kernels/paillier/rings.go", "constants of a key, once when it is first used", nil},
	{"kernels/paillier/evaluator.go", "one scalar for a whole batch", []string{"MulPlain"}},
	{"kernels/paillier/scalars.go", "scalars as callers may have them, on the way to flat words", []string{"BigScalars"}},
	{"kernels/paillier/innerproduct/peer.go", "one scalar for a whole query", []string{"finish"}},
	{"kernels/moments/*.go", "sums over all records, once for each query", nil},
	{"engine/mpc/protocol/sums.go", "sums over all records, once for each query", []string{"Sums"}},
	{"engine/mpc/access/authority.go", "serial numbers of certificates", []string{"serial", "writeRevoked"}},
	{"engine/mpc/client/statistics.go", "statistics of sums over all records, once for each query", nil},
	{"engine/mpc/tryout/plain.go", "the peer to compare a demo with", nil},
	{"kernels/noise/rational.go", "exact parameters of a distribution, once for each", nil},
	{"kernels/noise/laplace.go", "parameters, once for each distribution", []string{"NewLaplace", "Scale", "Tail"}},
	{"kernels/noise/gaussian.go", "parameters, once for each distribution", []string{"NewGaussian", "Parameter", "Tail"}},
	{"kernels/noise/shares.go", "parameters, once for each distribution", nil},
	{"kernels/noise/guarantee.go", "the account of releases, once for each", nil},
	{"kernels/noise/zcdp.go", "the account of releases, once for each", []string{"RhoFor"}},
	{"io/ctfile/noise.go", "numbers of a footer, once for each file", []string{"checkNoise"}},
	{"engine/privacy/request.go", "parameters of noise, once for each job", nil},
	{"engine/privacy/noise.go", "parameters of noise, once for each table", nil},
	{"engine/privacy/report.go", "parameters of noise, once for each table", []string{"summary", "OfTable"}},
	{"engine/privacy/budget.go", "the account of releases, once for each", nil},
	{"io/ctfile/validate.go", "bounds of a footer, once for each measure of a file", []string{"checkBound"}},
	{"kernels/*/vectors/*.go", "known-answer files", nil},
	{"bench/*.go", "the peer to measure against", nil},
	{"bench/*/*.go", "the peer to measure against", nil},
	{"bench/papers/*/*.go", "protocols of a paper as printed, and attacks on them", nil},
}

// roomOf returns the room that a folder of the module belongs to and the folder at its head, or nil.
func roomOf(folder string) (*room, string) {
	for head := folder; head != "." && head != "/"; head = path.Dir(head) {
		var best *room
		for i := range rooms {
			if matches(rooms[i].folder, head) && (best == nil || !strings.Contains(rooms[i].folder, "*")) {
				best = &rooms[i]
			}
		}
		if best != nil {
			return best, head
		}
	}
	return nil, ""
}

// isTestSupport reports whether a folder holds code for the tests of others, which by convention has a name that ends in
// test: bigmod/bigmodtest, io/blob/blobtest. It is as free as a test is, and only tests may import it. A self-test is part of
// the program.
func isTestSupport(folder string) bool {
	base := path.Base(folder)
	return strings.HasSuffix(base, "test") && base != "selftest"
}

// mayImport reports whether a package in `folder` may import the module's package in `target`.
func (r *room) mayImport(head, target string) bool {
	_, targetHead := roomOf(target)
	if targetHead == head {
		return true
	}
	for _, pattern := range r.imports {
		if targetHead != "" && matches(pattern, targetHead) {
			return true
		}
	}
	return false
}

// describe is the row of the table, for the message.
func (r *room) describe(head string) string {
	if len(r.imports) == 0 {
		return head + " may import nothing of ours"
	}
	return head + " may import only " + strings.Join(r.imports, ", ")
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	if err != nil {
		panic(err)
	}
	return ok
}

// under reports whether an import path is one of the prefixes or below it.
func under(importPath string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if importPath == prefix || strings.HasPrefix(importPath, prefix+"/") {
			return true
		}
	}
	return false
}

// filesMax is how many files a package may have, tests apart: one topic, one room.
const filesMax = 15

// largeRooms may have more, where one file is one thing of a kind.
var largeRooms = map[string]string{
	"kernels/paillier": "one file for each operation",
	"cmd/cipherfold":   "one file for each verb",
}
