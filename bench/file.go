package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// FileVersion is the version of the format of result files.
const FileVersion = 1

// File is what one run measured.
type File struct {
	Version  int      `json:"version"`
	Machine  Machine  `json:"machine"`
	Results  []Result `json:"results"`
	Pipeline []Stage  `json:"pipeline"`

	Timing []TimingCheck `json:"timing,omitempty"` // of bench timing alone
	Spill  []SpillRun    `json:"spill,omitempty"`  // of bench spill alone
	Stores []StoresRun   `json:"stores,omitempty"` // of bench/s3fold alone

	Servers []ServersCost `json:"servers,omitempty"` // of bench papers --paper 2 alone
}

// Machine says where and with what a run took place.
type Machine struct {
	CPU      string   `json:"cpu"`
	Cores    int      `json:"cores"`    // that the run was allowed to use
	Features []string `json:"features"` // of the CPU, those that kernels use
	Go       string   `json:"go"`
	Commit   string   `json:"commit"` // that the program was built from; "-dirty" after it when files had been changed
	// Off is what CIPHERFOLD_CPU switched off, so that the processor stands for a lesser one; Features are without it.
	Off string `json:"off,omitempty"`
	// MultiplyLimitPerNs is how many VPMADD52 instructions of 8 lanes one core executes in a nanosecond, measured in the
	// same run; 0 when nothing measures it.
	MultiplyLimitPerNs float64 `json:"multiply_limit_per_ns"`
	// LimbProductsPerNs is how many products of two limbs of 47 bits one core computes in a nanosecond with fused
	// multiply-add instructions on registers only, measured in the same run; 0 when nothing measures it.
	LimbProductsPerNs     float64 `json:"limb_products_per_ns,omitempty"`      // with AVX2 and FMA
	WideLimbProductsPerNs float64 `json:"wide_limb_products_per_ns,omitempty"` // with AVX-512
}

// What a Result is about.
const (
	OpEncrypt     = "encrypt"
	OpDecrypt     = "decrypt"
	OpFold        = "fold"            // ciphertext additions
	OpMul64       = "mul64"           // ciphertexts times 64-bit numbers, one each
	OpWeighted    = "weighted"        // terms of a sum weighted by signed 64-bit numbers
	OpMontMul     = "montmul"         // residues
	OpMontSqr     = "montsqr"         // residues
	OpSquareMul   = "squaremul"       // residues modulo the square of a number: as ciphertexts are multiplied
	OpSquareSqr   = "squaresqr"       // likewise
	OpRerandomize = "rerandomize"     // with full entropy, any ciphertext
	OpOwn         = "rerandomize-own" // likewise, ciphertexts whose randomizers are powers of hs
	OpKeygen      = "keygen"
)

// Cipherfold is the name of our own implementation in results.
const Cipherfold = "cipherfold"

// Result is how fast one implementation does one operation.
type Result struct {
	Impl    string `json:"impl"`   // Cipherfold or the name of a peer
	Kernel  string `json:"kernel"` // of ours; "" for peers and where no kernel is involved
	Op      string `json:"op"`
	Variant string `json:"variant"` // of the key; "" for arithmetic of residues
	Role    string `json:"role"`    // "public" or "owner": which key; "" for arithmetic of residues
	Bits    int    `json:"bits"`    // of N; for arithmetic of residues, of their modulus
	Threads int    `json:"threads"`
	// OpsPerS counts operations per second of a core's time, over the rounds of the run.
	OpsPerS Spread `json:"ops_per_s"`
	// Ratio to each peer, the median of the ratios of single rounds. A peer's name alone stands for the same operation
	// done in the peer's plain way, for encryption the textbook's; the name with " djn" after it, for its DJN encryption. Peers
	// whose names end in " windows" do DJN encryption from tables, and nothing else.
	Ratio map[string]float64 `json:"ratio"`
	// OfLimit is the share of its multiply limit that a kernel of vector instructions reaches; 0 for other kernels.
	OfLimit float64 `json:"of_limit"`
}

// Spread is the range of a quantity over rounds.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// Stages of a pipeline.
const (
	StageEncrypt = "encrypt"
	StageFuse    = "fuse"
	StageDecrypt = "decrypt"
	StageAll     = "all"
)

// Stage is one step of a pipeline, or all of them.
type Stage struct {
	Layout  string `json:"layout"`
	Variant string `json:"variant"`
	Bits    int    `json:"bits"`
	Rows    int    `json:"rows"` // of each owner
	Owners  int    `json:"owners"`
	// Measures of each row; 0 is one. Tables of several are fused by group.
	Measures int    `json:"measures,omitempty"`
	Stage    string `json:"stage"`
	// Seconds of wall time of the step's processes, start to end; encryption counts the owners one after the other.
	Seconds float64 `json:"seconds"`
	// ValuesPerS counts the values that enter: those of all owners, for decrypt the sums.
	ValuesPerS  float64 `json:"values_per_s"`
	PeakRSSMiB  float64 `json:"peak_rss_mib"` // of the largest process
	KernelShare float64 `json:"kernel_share"` // of the cores' time, spent inside the stage that computes
	// CPUSeconds are those of the processes, KernelSeconds those inside the stage that computes; older files lack them.
	CPUSeconds    float64 `json:"cpu_seconds,omitempty"`
	KernelSeconds float64 `json:"kernel_seconds,omitempty"`

	// Known while the run lasts; the format has no place for them.
	Cores       int     `json:"-"` // that the processes could use
	Utilisation float64 `json:"-"` // of the cores' time, spent by the processes at all
}

// SpillRun is a fusion by group with little memory, and the same one with more than it needs.
type SpillRun struct {
	Rows      int     `json:"rows"` // of each owner
	Owners    int     `json:"owners"`
	Keys      int     `json:"keys"`   // that the rows may have
	Groups    int     `json:"groups"` // of the result, all compared with plain sums
	Bits      int     `json:"bits"`
	Order     string  `json:"order"` // of the rows
	MemoryMiB float64 `json:"memory_mib"`
	Bounded   Fusion  `json:"bounded"` // with that budget
	Free      Fusion  `json:"free"`    // with more than it needs
}

// Orders of rows.
const (
	OrderRandom = "random" // every row has any key
	OrderCyclic = "cyclic" // all keys in ascending order, again and again
	OrderSorted = "sorted" // ascending
	OrderSkewed = "skewed" // every other row has one and the same key, the others any
)

// Orders lists them.
var Orders = []string{OrderRandom, OrderCyclic, OrderSorted, OrderSkewed}

// Fusion is what a process did that fused.
type Fusion struct {
	Seconds    float64 `json:"seconds"` // wall time, start to end
	RowsPerS   float64 `json:"rows_per_s"`
	PeakRSSMiB float64 `json:"peak_rss_mib"`
	SpilledMiB float64 `json:"spilled_mib"` // written to a temporary file
	CPUSeconds float64 `json:"cpu_seconds"` // of all cores
}

// The names that the format knows.
var (
	operations = []string{OpEncrypt, OpDecrypt, OpFold, OpMul64, OpWeighted, OpMontMul, OpMontSqr, OpSquareMul, OpSquareSqr, OpRerandomize, OpOwn, OpKeygen}
	Variants   = []string{string(paillier.Textbook), string(paillier.DJN), string(paillier.MHL)}
	roles      = []string{"", RolePublic, RoleOwner}
	Layouts    = []string{slots.Blocks, slots.Records}
	stages     = []string{StageEncrypt, StageFuse, StageDecrypt, StageAll}
)

// Roles: which key an operation has.
const (
	RolePublic = "public"
	RoleOwner  = "owner"
)

// ReadFile parses a result file. It refuses unknown fields, other versions and names outside the format.
func ReadFile(data []byte) (*File, error) {
	f := new(File)
	if err := strictjson.Decode(data, f); err != nil {
		return nil, err
	}
	return f, f.check()
}

func (f *File) check() error {
	if f.Version != FileVersion {
		return fmt.Errorf("version %d of result files, not %d", f.Version, FileVersion)
	}
	for i, r := range f.Results {
		if !slices.Contains(operations, r.Op) || !slices.Contains(Variants, r.Variant) && r.Variant != "" || !slices.Contains(roles, r.Role) {
			return fmt.Errorf("result %d: no operation %q of variant %q and role %q", i, r.Op, r.Variant, r.Role)
		}
		if s := r.OpsPerS; r.Impl == "" || r.Bits <= 0 || r.Threads <= 0 || s.Min <= 0 || s.Min > s.Median || s.Median > s.Max {
			return fmt.Errorf("result %d: %q with %d bits and %d threads reaches %v", i, r.Impl, r.Bits, r.Threads, s)
		}
	}
	for i, s := range f.Spill {
		if !slices.Contains(Orders, s.Order) || s.Rows <= 0 || s.Owners <= 0 || s.Groups <= 0 || s.Bits <= 0 || s.MemoryMiB <= 0 || s.Bounded.Seconds <= 0 || s.Free.Seconds <= 0 {
			return fmt.Errorf("spill entry %d: %d rows of %d owners in order %q, %d groups, %d bits, %v MiB, %v s and %v s",
				i, s.Rows, s.Owners, s.Order, s.Groups, s.Bits, s.MemoryMiB, s.Bounded.Seconds, s.Free.Seconds)
		}
	}
	for i, s := range f.Pipeline {
		if !slices.Contains(Layouts, s.Layout) || !slices.Contains(Variants, s.Variant) || !slices.Contains(stages, s.Stage) {
			return fmt.Errorf("pipeline entry %d: no stage %q in layout %q of variant %q", i, s.Stage, s.Layout, s.Variant)
		}
		if s.Bits <= 0 || s.Rows <= 0 || s.Owners <= 0 || s.Seconds <= 0 {
			return fmt.Errorf("pipeline entry %d: %d bits, %d rows, %d owners, %v s", i, s.Bits, s.Rows, s.Owners, s.Seconds)
		}
	}
	for i, r := range f.Stores {
		if err := r.check(); err != nil {
			return fmt.Errorf("fusion on an object store %d: %w", i, err)
		}
	}
	for i, c := range f.Servers {
		if err := c.check(); err != nil {
			return fmt.Errorf("cost %d of data servers: %w", i, err)
		}
	}
	for i, c := range f.Timing {
		if !slices.Contains(timingOperations, c.Op) || !slices.Contains(Variants, c.Variant) && c.Variant != "" || !slices.Contains(roles, c.Role) {
			return fmt.Errorf("timing check %d: no operation %q of variant %q and role %q", i, c.Op, c.Variant, c.Role)
		}
		if c.Expect != ExpectSame && c.Expect != ExpectDiffer || c.Kernel == "" || c.Bits <= 0 || c.Rows <= 0 || c.Measurements <= 0 || c.MedianNs < 0 {
			return fmt.Errorf("timing check %d: %d measurements of %d rows with kernel %q and %d bits, expected to be %q", i, c.Measurements, c.Rows, c.Kernel, c.Bits, c.Expect)
		}
	}
	return nil
}

// Marshal writes the file as JSON, one result a line so that differences between runs can be read. Every field is
// present, except timing, stores and servers if nothing was measured of them.
func (f *File) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString("{\"version\": ")
	writeJSON(&b, f.Version)
	b.WriteString(",\n \"machine\": ")
	writeJSON(&b, f.Machine)
	writeList(&b, "results", f.Results)
	writeList(&b, "pipeline", f.Pipeline)
	if len(f.Timing) > 0 {
		writeList(&b, "timing", f.Timing)
	}
	if len(f.Spill) > 0 {
		writeList(&b, "spill", f.Spill)
	}
	if len(f.Stores) > 0 {
		writeList(&b, "stores", f.Stores)
	}
	if len(f.Servers) > 0 {
		writeList(&b, "servers", f.Servers)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func writeList[T any](b *bytes.Buffer, name string, list []T) {
	fmt.Fprintf(b, ",\n %q: [", name)
	for i, x := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		writeJSON(b, x)
	}
	b.WriteByte(']')
}

func writeJSON(b *bytes.Buffer, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bench: marshalling a struct of strings and numbers: %v", err))
	}
	b.Write(data)
}

// KeySizes lists the sizes of keys in order.
func (f *File) KeySizes() []int { return f.Sizes(OpEncrypt) }

// Moduli lists the lengths of the moduli of residues in order.
func (f *File) Moduli() []int { return f.Sizes(OpMontMul) }

// Sizes lists the lengths in the results of an operation of ours, in order.
func (f *File) Sizes(op string) []int {
	var out []int
	for _, r := range f.Results {
		if r.Impl == Cipherfold && r.Op == op && !slices.Contains(out, r.Bits) {
			out = append(out, r.Bits)
		}
	}
	slices.Sort(out)
	return out
}
