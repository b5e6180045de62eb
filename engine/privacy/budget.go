package privacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/noise"
)

// A Budget is a limit of what may ever be told about the same people, and a record of what was told. It is a JSON
// file, which changes only by additions. Every entry carries a digest of itself and of all before it. So a change in
// the middle is noticed; an end that was cut off is not.
type Budget struct {
	Version int         `json:"version"`
	About   string      `json:"about"`   // whose data it is for
	Rho     string      `json:"rho"`     // the limit in zCDP, or "" and
	Epsilon string      `json:"epsilon"` // in (ε, δ); δ "" allows pure guarantees only
	Delta   string      `json:"delta"`
	Created string      `json:"created"` // RFC 3339, UTC
	Spent   []Release   `json:"spent"`
	limit   noise.Limit // parsed
	file    string      //
}

// A Release is an entry of a budget.
type Release struct {
	Time      string `json:"time"`      // RFC 3339, UTC
	Place     string `json:"place"`     // NoiseLocal, NoiseShare or NoiseRelease
	Mechanism string `json:"mechanism"` // "discrete-laplace" or "discrete-gaussian"
	Epsilon   string `json:"epsilon"`   // of a pure guarantee, else ""
	Rho       string `json:"rho"`
	Records   int64  `json:"records"`     // that a person is in, as declared
	Key       string `json:"fingerprint"` // of the key
	Table     string `json:"table"`       // the encrypted table's job id,
	SHA256    string `json:"sha256"`      // and a digest of its footer, with which those of its ciphertexts; "" of one being made
	Out       string `json:"out"`
	Digest    string `json:"digest"` // of all of this and of the entry before
}

// budgetVersion is the version of the format.
const budgetVersion = 1

// budgetMax is far above the size of any budget.
const budgetMax = 64 << 20

// CreateBudget writes a budget from which nothing is spent. It has either rho, or epsilon and, except for pure
// guarantees, delta.
func CreateBudget(ctx context.Context, o job.Options, file, about, rho, epsilon, delta string) (*Budget, error) {
	o = o.WithDefaults()
	if err := LocalBudget(file); err != nil {
		return nil, err
	}
	b := &Budget{Version: budgetVersion, About: about, Rho: rho, Epsilon: epsilon, Delta: delta, Created: now(), Spent: []Release{}, file: file}
	if err := b.parse(); err != nil {
		return nil, job.Misuse("Give ‹rho› R, or ‹epsilon› E and ‹delta› D, or ‹epsilon› E alone for pure guarantees.", "%v", err)
	}
	return b, b.write(ctx, o.Overwrite)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// LocalBudget refuses a budget that cannot be locked.
func LocalBudget(file string) error {
	if strings.Contains(file, "://") {
		return job.Misuse("Keep it on a disk that all who release share: it is locked while it is charged.", "the budget %s is not on a disk", file)
	}
	return nil
}

// ReadBudget reads a budget and checks that its entries follow from each other.
func ReadBudget(ctx context.Context, file string) (*Budget, error) {
	if err := LocalBudget(file); err != nil {
		return nil, err
	}
	f, err := blob.Local{}.Open(ctx, file)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, column.Refuse(file, "there is no such budget").WithHint("Make one: «budget %s ‹rho› 1».", file)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if n := blob.HardLinks(file); n > 1 {
		return nil, column.Refuse(file, "the budget has %d names (hard links), each of which would be a budget of its own after a release", n).
			WithHint("Remove the other names, so that there is one budget for these people. Find them by: find DIR -samefile %s", file)
	}
	if f.Size() > budgetMax {
		return nil, column.Refuse(file, "not a budget: it has %d bytes", f.Size())
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return nil, column.Refuse(file, "cannot read the budget: %w", err)
	}
	const damaged = "Take the copy that you keep elsewhere, and enter what was released since."
	b := &Budget{file: file}
	if err := strictjson.Decode(data, b); err != nil {
		return nil, column.Refuse(file, "not a budget: %w", err).WithHint(damaged)
	}
	if b.Version != budgetVersion {
		return nil, column.Refuse(file, "version %d of budgets is not known", b.Version).WithHint("Use the cipherfold that wrote it, or a newer one.")
	}
	if err := b.parse(); err != nil {
		return nil, column.Refuse(file, "%w", err).WithHint(damaged)
	}
	for i := range b.Spent {
		if b.digest(i) != b.Spent[i].Digest {
			return nil, column.Refuse(file, "entry %d was changed, or one before it, or the limit", i+1).WithHint(damaged)
		}
	}
	_, err = b.Composed()
	if err != nil {
		return nil, column.Refuse(file, "%w", err).WithHint(damaged)
	}
	return b, nil
}

// parse reads the limit.
func (b *Budget) parse() error {
	parse := func(what, text string) (x *big.Rat, err error) {
		if x, err = noise.ParseRational(text); err != nil {
			err = fmt.Errorf("the budget's %s is %s: %w", what, column.Quote(text), err)
		}
		return x, err
	}
	var err error
	switch {
	case (b.Rho == "") == (b.Epsilon == ""):
		return errors.New("a budget is a limit on ρ or on ε")
	case b.Rho != "" && b.Delta != "":
		return errors.New("a limit on ρ has no δ")
	case b.Rho != "":
		b.limit.Rho, err = parse("ρ", b.Rho)
		return err
	}
	if b.limit.Epsilon, err = parse("ε", b.Epsilon); err != nil {
		return err
	}
	b.limit.Delta = new(big.Rat)
	if b.Delta == "" {
		return nil
	}
	if b.limit.Delta, err = parse("δ", b.Delta); err == nil && b.limit.Delta.Cmp(big.NewRat(1, 1)) >= 0 {
		err = errors.New("the budget's δ is not below 1")
	}
	return err
}

// digest is what entry i must carry.
func (b *Budget) digest(i int) string {
	before := b.Version
	h := sha256.New()
	if i == 0 {
		fmt.Fprintf(h, "cipherfold budget %d\n%q %q %q %q %q\n", before, b.About, b.Rho, b.Epsilon, b.Delta, b.Created)
	} else {
		fmt.Fprintf(h, "%s\n", b.Spent[i-1].Digest)
	}
	r := b.Spent[i]
	fmt.Fprintf(h, "%q %q %q %q %q %d %q %q %q %q\n", r.Time, r.Place, r.Mechanism, r.Epsilon, r.Rho, r.Records, r.Key, r.Table, r.SHA256, r.Out)
	return hex.EncodeToString(h.Sum(nil))
}

// guarantee is what a release promised.
func (r Release) guarantee() (noise.Guarantee, error) {
	if r.Epsilon != "" {
		epsilon, ok := exact(r.Epsilon)
		if !ok {
			return noise.Guarantee{}, fmt.Errorf("a release of ε = %s", column.Quote(r.Epsilon))
		}
		return noise.Pure(epsilon), nil
	}
	rho, ok := exact(r.Rho)
	if !ok {
		return noise.Guarantee{}, fmt.Errorf("a release of ρ = %s", column.Quote(r.Rho))
	}
	return noise.Concentrated(rho), nil
}

// Promise is what the release promised, for people.
func (r Release) Promise() string {
	g, err := r.guarantee()
	if err != nil {
		return err.Error()
	}
	if r.Epsilon != "" {
		return "ε = " + noise.FormatRational(g.Epsilon)
	}
	rho, _ := g.Rho.Float64()
	return "ρ = " + strconv.FormatFloat(rho, 'g', 6, 64)
}

// Composed is what all releases together promise.
func (b *Budget) Composed() (noise.Guarantee, error) {
	var all []noise.Guarantee
	for _, r := range b.Spent {
		g, err := r.guarantee()
		if err != nil {
			return g, err
		}
		all = append(all, g)
	}
	return noise.Compose(all...), nil
}

// allows refuses a release that would exceed the limit.
func (b *Budget) allows(g noise.Guarantee) error {
	spent, err := b.Composed()
	if err != nil {
		return err
	}
	if b.limit.Allows(noise.Compose(spent, g)) {
		return nil
	}
	return column.Refuse(b.file, "the budget is spent: of %s, %s used in %s, and this one would take %s", b.LimitText(), b.used(spent), job.Count(len(b.Spent), "release"), b.used(g)).
		WithHint("Ask for more noise (a smaller ‹epsilon› or ‹rho›). A new budget for the same people is a new promise to them.")
}

// LimitText is the limit for people.
func (b *Budget) LimitText() string {
	switch {
	case b.Rho != "":
		return "ρ = " + b.Rho
	case b.Delta != "":
		return fmt.Sprintf("ε = %s at δ = %s", b.Epsilon, b.Delta)
	}
	return "ε = " + b.Epsilon
}

// used writes a guarantee in the terms of the limit.
func (b *Budget) used(g noise.Guarantee) string {
	float := func(x *big.Rat) float64 { f, _ := x.Float64(); return f }
	switch {
	case b.Rho != "":
		return "ρ = " + strconv.FormatFloat(float(g.Rho), 'g', 6, 64)
	case b.Delta == "" && g.IsPure():
		return "ε = " + strconv.FormatFloat(float(g.Epsilon), 'g', 6, 64)
	}
	return fmt.Sprintf("ε = %s (ρ = %s)", roundedUp(g.EpsilonAt(float(b.limit.Delta))), strconv.FormatFloat(float(g.Rho), 'g', 6, 64))
}

// write puts the budget in the place of the one before.
func (b *Budget) write(ctx context.Context, overwrite bool) error {
	data, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	u, err := blob.Local{}.Create(ctx, b.file, blob.CreateOptions{Overwrite: overwrite})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.Write(append(data, '\n')); err != nil {
		return err
	}
	return u.Commit(ctx)
}

// lockPatience is how long to wait for another program that charges the same budget.
const lockPatience = 10 * time.Second

// charge enters a release into a budget, or refuses when that would exceed its limit. It is on the disk when charge
// returns. Only then may anything be released. The budget is locked meanwhile, by a file beside it.
func charge(ctx context.Context, file string, r Release) (*Budget, error) {
	if err := LocalBudget(file); err != nil {
		return nil, err
	}
	lock := file + ".lock"
	if target, err := filepath.EvalSymlinks(file); err == nil { // by whatever links, there is one lock
		lock = target + ".lock"
	}
	var unlock func() error
	for begin := time.Now(); ; {
		var err error
		unlock, err = blob.Local{}.Lock(ctx, lock)
		if err == nil {
			break
		}
		if !errors.Is(err, blob.ErrLocked) || time.Since(begin) > lockPatience {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	defer unlock()
	b, err := ReadBudget(ctx, file)
	if err != nil {
		return nil, err
	}
	g, err := r.guarantee()
	if err != nil {
		return nil, err
	}
	if err := b.allows(g); err != nil {
		return nil, err
	}
	r.Time = now()
	b.Spent = append(b.Spent, r)
	b.Spent[len(b.Spent)-1].Digest = b.digest(len(b.Spent) - 1)
	return b, b.write(ctx, true)
}

// State summarises a budget. For a limit on ρ, or on pure ε, it gives the ε at δ = 10^-6.
func (b *Budget) State() (job.BudgetState, error) {
	g, err := b.Composed()
	if err != nil {
		return job.BudgetState{}, err
	}
	float := func(x *big.Rat) float64 { f, _ := x.Float64(); return f }
	rho := float(g.Rho)
	s := job.BudgetState{File: b.file, About: b.About, Limit: b.LimitText(), Releases: len(b.Spent), Rho: noise.FormatRational(g.Rho), Used: b.used(g), Delta: 1e-6}
	if len(b.Spent) > 0 && g.IsPure() {
		s.Epsilon = noise.FormatRational(g.Epsilon)
	}
	if b.Delta != "" {
		s.Delta = float(b.limit.Delta)
	}
	s.EpsilonAt, s.EpsilonClosed = g.EpsilonAt(s.Delta), noise.EpsilonClosed(rho, s.Delta)
	switch {
	case b.Rho != "":
		s.Share = rho / float(b.limit.Rho)
	case b.Delta == "" && g.IsPure():
		s.Share = float(g.Epsilon) / float(b.limit.Epsilon)
	default:
		s.Share = s.EpsilonAt / float(b.limit.Epsilon)
	}
	return s, nil
}
