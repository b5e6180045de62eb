package round

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// Scheme is the name of the encryption in footers.
const Scheme = "ringlwe-psa"

// Round is the description of a round.
type Round struct {
	Cipherfold string   `json:"cipherfold"`
	Network    string   `json:"network"`
	Number     uint64   `json:"round"` // no network uses a number twice
	SetName    string   `json:"set"`
	Parameters int64    `json:"parameters"` // numbers in a vector
	Clip       float64  `json:"clip"`       // numbers are clipped to ±Clip,
	Bits       int      `json:"bits"`       // and become integers of so many bits
	NormMax    float64  `json:"norm_max"`   // vectors are shrunk to this L2 norm; 0 means that they are not
	AlphaMax   uint64   `json:"alpha_max"`  // the largest weight chosen after encryption
	Threshold  int      `json:"threshold"`  // helpers that open a sum
	Minimum    int      `json:"minimum"`    // members in a sum, at least
	Members    []Member `json:"members"`

	digest string
}

// Member is one of a round.
type Member struct {
	Card
	WeightMax int64 `json:"weight_max"` // of its own weight, such as the number of its records
}

const (
	roundKind     = "federated round 1"
	parametersMax = 1 << 40
	minimumLeast  = 3 // in a sum of two, each reads the other's vector
)

// Faulty is how many of n members may be faulty: fewer than a third.
func Faulty(n int) int { return (n - 1) / 3 }

// ThresholdFor is the smallest safe number of helpers for n members: two sets of so many have a member in common that is not
// faulty, and answers once.
func ThresholdFor(n int) int { return (n+Faulty(n))/2 + 1 }

// Set is the set of parameters.
func (r *Round) Set() *ringlwe.Set { return ringlwe.SetByName(r.SetName) }

// Digest is the SHA-256 of the description, 64 hex digits.
func (r *Round) Digest() string { return r.digest }

// Quantizer makes integers of numbers.
func (r *Round) Quantizer() (*ringlwe.Quantizer, error) { return ringlwe.NewQuantizer(r.Clip, r.Bits) }

// Largest is the largest magnitude of a quantised number.
func (r *Round) Largest() int64 { return 1<<(r.Bits-1) - 1 }

// Blocks is the number of blocks of a vector.
func (r *Round) Blocks() int64 { return r.Set().Blocks(r.Parameters) }

// Index is the place of a member in the round, or -1.
func (r *Round) Index(name string) int {
	return slices.IndexFunc(r.Members, func(m Member) bool { return m.Name == name })
}

// check refuses what makes no sense, and sums that could leave their room.
func (r *Round) check() error {
	set := r.Set()
	n := len(r.Members)
	bad := func(hint, format string, args ...any) error { return job.Misuse(hint, format, args...) }
	switch {
	case checkName("network's name", r.Network) != nil:
		return bad("Give a short name.", "%v", checkName("network's name", r.Network))
	case set == nil:
		return bad("See «fl round ‹help›».", "there is no ‹set› %s", column.Quote(r.SetName))
	case r.Parameters < 1 || r.Parameters > parametersMax:
		return bad("It is the number of numbers in a vector.", "‹parameters› %d is not 1 to %d", r.Parameters, int64(parametersMax))
	case n < minimumLeast || n > ringlwe.MembersMax:
		return bad("In a sum of two, each reads the other's numbers.", "%d members, and a round has %d to %d", n, minimumLeast, ringlwe.MembersMax)
	case math.IsNaN(r.NormMax) || r.NormMax < 0 || r.NormMax > 1e30:
		return bad("Leave it out if vectors are not to be shrunk.", "‹norm_max› %g is no length", r.NormMax)
	case r.Minimum < minimumLeast || r.Minimum > n:
		return bad("In a sum of two, each reads the other's numbers.", "‹minimum› %d is not %d to %d", r.Minimum, minimumLeast, n)
	case r.Threshold < ThresholdFor(n) || r.Threshold > n-Faulty(n):
		return bad("Fewer could answer twice; more could be too many when some are missing.", "‹threshold› %d of %d members: it must be %d to %d",
			r.Threshold, n, ThresholdFor(n), n-Faulty(n))
	case r.AlphaMax < 1 || r.AlphaMax > ringlwe.WeightsMax/uint64(n):
		return bad("It is the largest weight that a fusion may give a member.", "‹alpha_max› %d is not 1 to %d", r.AlphaMax, ringlwe.WeightsMax/n)
	}
	if _, err := r.Quantizer(); err != nil {
		return bad("See «fl round ‹help›».", "%v", err)
	}
	var weights uint64
	for i, m := range r.Members {
		if err := m.check(); err != nil {
			return bad("Get the card again.", "%v", err)
		}
		if m.WeightMax < 1 || m.WeightMax > 1<<31 {
			return bad("It is the most that the member's own weight can be.", "member %s: ‹weight_max› %d is not 1 to 2^31", column.Quote(m.Name), m.WeightMax)
		}
		if r.Index(m.Name) != i {
			return bad("Name every card once.", "member %s comes twice", column.Quote(m.Name))
		}
		weights += uint64(m.WeightMax)
	}
	if err := set.CheckSum(uint64(r.Largest()), weights*r.AlphaMax); err != nil {
		return bad("Use fewer ‹bits›, smaller weights, or a set with larger fields.", "set %s: %v", r.SetName, err)
	}
	if _, err := set.CheckNoise(slices.Repeat([]uint64{r.AlphaMax}, n)); err != nil {
		return bad("Use a set with more room, such as R-1.", "set %s: %v", r.SetName, err)
	}
	return nil
}

// New completes and checks a description: members without a WeightMax have 1, AlphaMax is 1 if it is not given, Threshold
// the smallest that is safe, Minimum 3.
func New(r Round) (*Round, error) {
	r.Cipherfold = roundKind
	r.Members = slices.Clone(r.Members)
	for i := range r.Members {
		if r.Members[i].WeightMax == 0 {
			r.Members[i].WeightMax = 1
		}
	}
	if r.AlphaMax == 0 {
		r.AlphaMax = 1
	}
	if r.Threshold == 0 {
		r.Threshold = ThresholdFor(len(r.Members))
	}
	if r.Minimum == 0 {
		r.Minimum = minimumLeast
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.digest = digest(r.text())
	return &r, nil
}

// text is the description as it is written.
func (r *Round) text() []byte { return document(r) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Write writes the description.
func (r *Round) Write(ctx context.Context, o job.Options, name string) error {
	o = o.WithDefaults()
	return blob.WriteAll(ctx, o.FS, o.Overwrite, blob.Whole{Name: name, Data: r.text()})
}

// Read reads a description.
func Read(ctx context.Context, fs blob.FS, name string) (*Round, error) {
	r := new(Round)
	data, err := readDocument(ctx, fs, name, roundKind, "the description of a round", r, nil)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, column.Refuse(name, "%w", err).WithHint("Ask whoever made it for another one.")
	}
	r.digest = digest(data)
	return r, nil
}

// Opening is which members' updates are in a sum, with which weights: what helpers answer for.
type Opening struct {
	RoundSHA256 string  `json:"round_sha256"`
	Inputs      []Input `json:"inputs"` // in the order of the round
}

// Input is an update in a sum.
type Input struct {
	Member string `json:"member"`
	SHA256 string `json:"sha256"` // of the update's footer
	Weight uint64 `json:"weight"`
}

// Digest names an opening.
func (o Opening) Digest() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return digest(b)
}

// Weights are the weights of an opening, and their sum.
func (o Opening) Weights() (list []uint64, sum uint64) {
	for _, in := range o.Inputs {
		list = append(list, in.Weight)
		sum += in.Weight
	}
	return list, sum
}

// Footer is the footer of a file of the round.
func (r *Round) Footer(kind, column, typ string, members []updatefile.Member) updatefile.Footer {
	s := r.Set()
	return updatefile.Footer{Kind: kind, Scheme: Scheme, Set: r.SetName, Network: r.Network, Round: r.Number, RoundSHA256: r.digest, Parameters: r.Parameters,
		Blocks: r.Blocks(), BlockBytes: s.BlockBytes(), Limbs: len(s.Primes), Largest: r.Largest(), Members: members, Column: column, Type: typ}
}

// CheckFooter refuses files that are of another round, or not as this one has them. Weights of updates in sums must be as
// the round allows. Its errors are *column.InputError.
func (r *Round) CheckFooter(file string, f *updatefile.Footer) error {
	if f.RoundSHA256 != r.digest {
		if f.Network == r.Network && f.Round == r.Number {
			return column.Refuse(file, "it was made with another description of round %d of %s", r.Number, column.Quote(r.Network)).
				WithHint("All files of a round must be made with the same description, byte for byte.")
		}
		return column.Refuse(file, "it is of round %d of %s, not of round %d of %s", f.Round, column.Quote(f.Network), r.Number, column.Quote(r.Network)).
			WithHint("Fuse updates of one round only.")
	}
	want := r.Footer(f.Kind, f.Column, f.Type, f.Members)
	if f.Scheme != want.Scheme || f.Set != want.Set || f.Network != want.Network || f.Round != want.Round || f.Parameters != want.Parameters ||
		f.Blocks != want.Blocks || f.BlockBytes != want.BlockBytes || f.Limbs != want.Limbs || f.Largest != want.Largest {
		return column.Refuse(file, "the footer contradicts the round's description").WithHint("Get the file again.")
	}
	last := -1
	for _, m := range f.Members {
		i := r.Index(m.Name)
		if i < 0 {
			return column.Refuse(file, "%s is no member of the round", column.Quote(m.Name)).WithHint("Leave the file out.")
		}
		if i <= last {
			return column.Refuse(file, "the members are not in the order of the round").WithHint("Get the file again.")
		}
		last = i
		if m.WeightMax != r.Members[i].WeightMax {
			return column.Refuse(file, "the weight of %s can be %d, not %d as the round allows", column.Quote(m.Name), m.WeightMax, r.Members[i].WeightMax).WithHint("Get the file again.")
		}
		if m.Weight > r.AlphaMax {
			return column.Refuse(file, "%s has the weight %d in it, and the round allows %d", column.Quote(m.Name), m.Weight, r.AlphaMax).WithHint("Fuse the updates again, with smaller weights.")
		}
	}
	return nil
}

// Uneven says why a sum tells too much of one member: the weights that its fusion chose are too far apart. It is "" where they
// are not. No member has more than half of them. And (Σα)²/Σα², which is how many members there are where all weights α are
// the same, is three quarters of the round's minimum or more. The members' own weights are secret, and not looked at.
func (r *Round) Uneven(f *updatefile.Footer) string {
	var sum, squares, largest uint64 // weights are 2^13 at most together
	name := ""
	for _, m := range f.Members {
		sum, squares = sum+m.Weight, squares+m.Weight*m.Weight
		if m.Weight > largest {
			largest, name = m.Weight, m.Name
		}
	}
	switch {
	case 2*largest > sum:
		return fmt.Sprintf("%s has more than half of the weights: the sum is nearly its vector", column.Quote(name))
	case 4*sum*sum < 3*uint64(r.Minimum)*squares:
		return fmt.Sprintf("with these weights, the sum tells as much of a member as one of %.1f members, and the round opens sums of %d at least",
			float64(sum)*float64(sum)/float64(squares), r.Minimum)
	}
	return ""
}

// OpeningOf is the opening of a sum, once its footer is checked.
func (r *Round) OpeningOf(file string, f *updatefile.Footer) (Opening, error) {
	if f.Kind != updatefile.Sum {
		return Opening{}, column.Refuse(file, "it is the update of %s, not a sum", column.Quote(f.Members[0].Name)).WithHint("Fuse updates first («fl fuse»).")
	}
	if len(f.Members) < r.Minimum {
		return Opening{}, column.Refuse(file, "the sum has %d members, and the round opens sums of %d at least", len(f.Members), r.Minimum).
			WithHint("Wait for more updates, and fuse them with these.")
	}
	if uneven := r.Uneven(f); uneven != "" {
		return Opening{}, column.Refuse(file, "%s", uneven).WithHint("Fuse the updates again, with weights nearer to each other.")
	}
	o := Opening{RoundSHA256: r.digest}
	for _, m := range f.Members {
		o.Inputs = append(o.Inputs, Input{m.Name, m.SHA256, m.Weight})
	}
	return o, nil
}
