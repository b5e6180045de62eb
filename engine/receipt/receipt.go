// Package receipt makes and checks signed receipts: what a job read, what it wrote, with which parameters, under which
// key, when, and by which program.
//
// A receipt is a DSSE envelope around an in-toto statement, signed by Ed25519; docs/file-format.md has every field.
// A Recorder stands between a job and its file system and takes the digests; Verify compares a receipt with the files
// that it names. Nothing secret goes into a receipt: no key, no passphrase, no value of a table.
package receipt

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Version is the version of the receipt's format.
const Version = 1

// Receipt describes what a job that ended well did. All its names of files are as the job's user gave them.
type Receipt struct {
	Job      string // the name of a job of several steps; "" for a single command
	Steps    []Step // in order; at least one
	Inputs   []File // what was read and not made by an earlier step
	Outputs  []File // what was written; at least one
	Started  time.Time
	Ended    time.Time
	ExitCode int // 0: there is no receipt of a job that failed
	Program  Program
	Machine  Machine

	// Signer is whoever signed: set by Sign and Parse.
	Signer PublicKey
}

// Step is one verb.
type Step struct {
	Verb       string
	Parameters map[string]Values // what was asked for, by the names of the flags without their dashes
	Key        *Key              // that the tables are encrypted under; nil for a step without one
	Kernel     string            // arithmetic in use

	Records     int64 // of the source or of the result
	Ciphertexts int64 // made, folded or opened
	Values      int64 // measures times records

	Missing map[string]int64 // missing values of each measure
	Filled  map[string]int64 // of these, for how many another value was put
	Dropped map[string]int64 // what was refused and, on request, dropped instead of failing the job: by reason

	Inputs  []string // names of files of the receipt
	Outputs []string
	Started time.Time
	Ended   time.Time
}

// Values are the values of a parameter. One value is written as a string, none or several as a list.
type Values []string

// Key names a key pair.
type Key struct {
	Fingerprint string `json:"fingerprint"`
	Scheme      string `json:"scheme"`
	Variant     string `json:"variant"`
	Bits        int    `json:"bits"`
	TestKey     bool   `json:"test_key,omitempty"` // protects nothing
}

// File is one input or output.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`          // 64 hex digits
	Rows   *int64 `json:"rows,omitempty"`  // records, not blocks; nil when nobody counted them
	Table  *Table `json:"table,omitempty"` // of an encrypted table
}

// Table is what the footer of an encrypted table says, as far as a receipt repeats it.
type Table struct {
	Key
	Layout       string    `json:"layout"`
	BlockRecords int       `json:"block_records,omitempty"`
	IDs          []string  `json:"ids"`
	Measures     []Measure `json:"measures"` // without counts; the first ones of very many
	MaxAdds      int64     `json:"max_adds"`
	AddsUsed     int64     `json:"adds_used"`
	Source       string    `json:"source,omitempty"`
	JobID        string    `json:"job_id,omitempty"`
	Total        bool      `json:"total,omitempty"`

	TableID      string            `json:"table_id,omitempty"`
	Owners       int64             `json:"owners,omitempty"`       // how many owners' tables are in it
	Originals    []ctfile.Original `json:"originals,omitempty"`    // these; the first ones of very many
	Unidentified int64             `json:"unidentified,omitempty"` // tables in it without an id, or it has none itself
	Repeats      bool              `json:"repeats,omitempty"`      // a table may be in it more than once
}

// Measure is a quantity of an encrypted table: what it is called, and the bound and decimals that it was encrypted with.
type Measure struct {
	Name     string `json:"name"`
	Decimals int    `json:"decimals"`
	Bound    string `json:"bound"`
}

// Program is the program that did the job.
type Program struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`   // of its sources, as far as the build knew it
	Modified bool   `json:"modified,omitempty"` // the sources differed from the commit
	Go       string `json:"go"`
}

// Machine is where it ran.
type Machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	CPU   string `json:"cpu,omitempty"`
	Cores int    `json:"cores"`
}

// Set by builds without the sources' history, such as those of container images: -ldflags "-X
// github.com/cipherfold/cipherfold/engine/receipt.commit=...".
var version, commit string

// ThisProgram describes the running program from what the build noted in it.
func ThisProgram() Program {
	p := Program{Name: "cipherfold", Version: "(devel)", Go: runtime.Version()}
	if version != "" || commit != "" {
		p.Version, p.Commit = cmp.Or(version, p.Version), commit
		return p
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	if info.Main.Version != "" {
		p.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Commit = s.Value
		case "vcs.modified":
			p.Modified = s.Value == "true"
		}
	}
	return p
}

// ThisMachine describes the machine.
func ThisMachine() Machine {
	return Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuid.CPU.BrandName, Cores: runtime.NumCPU()}
}
