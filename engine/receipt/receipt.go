// Package receipt makes and checks signed receipts: what a job read, what it wrote, with which parameters, under which
// key, when, and by which program.
//
// A receipt is a DSSE envelope around an in-toto statement, signed by Ed25519; docs/file-format.md has every field.
// A Recorder stands between a job and its file system and takes the digests; Verify compares a receipt with the files
// that it names. Nothing secret goes into a receipt: no key, no passphrase, no value of a table. Nor does what values could
// be guessed from: of files that are no encrypted tables, a receipt has salted commitments, and of counts of missing
// values too. What opens them is a file of its own, the private part, which stays with the owner.
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
const Version = 2

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

	old    bool   // it has the form of version 1: all digests and counts in the open
	counts string // commitment to the counts of all steps: set by seal and Parse
	digest string // SHA-256 of what is signed: set by Sign and Parse
}

// Old reports whether a receipt that was read is of version 1, which has digests of all files and all counts in the open.
func (r *Receipt) Old() bool { return r.old }

// Step is one verb.
type Step struct {
	Verb       string
	Parameters map[string]Values // what was asked for, by the names of the flags without their dashes
	Key        *Key              // that the tables are encrypted under; nil for a step without one
	Kernel     string            // arithmetic in use

	Records     int64 // of the source or of the result
	Ciphertexts int64 // made, folded or opened
	Values      int64 // measures times records

	// These three are in the private part; a receipt that was read has them when it is of version 1, or was opened.
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
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // 64 hex digits
	Rows   *int64 `json:"rows,omitempty"`   // records, not blocks; nil when nobody counted them
	Table  *Table `json:"table,omitempty"`  // of an encrypted table

	// Commitment stands in a receipt for Bytes, SHA256 and Rows of a file that is no encrypted table: 64 hex digits.
	Commitment string `json:"commitment,omitempty"`
}

// Public is what may be told of the file: of one that is no encrypted table its name alone. From the size or digest of
// a table in the clear its values can be guessed.
func (f File) Public() File {
	if f.Table != nil {
		return f
	}
	return File{Path: f.Path, Commitment: f.Commitment}
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
