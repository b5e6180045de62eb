package fma47

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// number is what is known of a double in a register or in memory: its range, and that it is a multiple of 2^grid. What
// it was computed from tells more: see the fields.
type number struct {
	low, high *big.Float
	grid      int

	// An accumulator: before + a·b, rounded to the grid.
	before, a, b *number
	// A product a·b, rounded to the grid, with the other sign.
	rounded bool
	// A sum of a number and a large constant, rounded to the grid; or that without the constant.
	sumOf, large, roundedOf *number
}

const precision = 300 // of all ranges, in bits: enough to be exact

func exactly(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

// powers are those of 2 that were asked for before. Nobody changes a number.
var powers = map[int]*big.Float{}

func power(e int) *big.Float {
	if powers[e] == nil {
		powers[e] = new(big.Float).SetPrec(precision).SetMantExp(big.NewFloat(1), e)
	}
	return powers[e]
}

func between(low, high *big.Float, grid int) *number {
	return &number{low: low, high: high, grid: grid}
}

// within is a number of at most most in either direction.
func within(most *big.Float) *number { return between(new(big.Float).Neg(most), most, 0) }

func constant(x float64) *number {
	v := exactly(x)
	if x == 0 {
		return between(v, v, 1000)
	}
	// The last one bit of the mantissa.
	m, grid := new(big.Float), v.MantExp(nil)-53
	for m.SetMantExp(v, -grid); ; grid++ {
		half := new(big.Float).SetMantExp(v, -grid-1)
		if !half.IsInt() {
			break
		}
	}
	return between(v, v, grid)
}

func (n *number) most() *big.Float {
	low, high := new(big.Float).Abs(n.low), new(big.Float).Abs(n.high)
	if low.Cmp(high) > 0 {
		return low
	}
	return high
}

func add(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Add(x, y) }
func sub(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Sub(x, y) }
func mul(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(precision).Mul(x, y) }

// knownProducts are the ranges of products of ranges that were met before: nearly all factors are digits.
var knownProducts = map[[4]*big.Float][2]*big.Float{}

func product(a, b *number) *number {
	ends := [4]*big.Float{a.low, a.high, b.low, b.high}
	if p, ok := knownProducts[ends]; ok {
		return between(p[0], p[1], a.grid+b.grid)
	}
	low, high := mul(a.low, b.low), mul(a.low, b.low)
	for _, v := range []*big.Float{mul(a.low, b.high), mul(a.high, b.low), mul(a.high, b.high)} {
		if v.Cmp(low) < 0 {
			low = v
		}
		if v.Cmp(high) > 0 {
			high = v
		}
	}
	knownProducts[ends] = [2]*big.Float{low, high}
	return between(low, high, a.grid+b.grid)
}

// fits says that every value in the range is a double.
func (n *number) fits() bool { return n.most().Cmp(power(53+n.grid)) <= 0 }

// round rounds the ends of a range to multiples of 2^grid, outwards.
func (n *number) round(grid int) *number {
	half := power(grid - 1)
	return between(sub(n.low, half), add(n.high, half), grid)
}

var (
	errRange     = errors.New("a sum may leave the range in which it is rounded as it should")
	errInexact   = errors.New("a result may need more than 53 bits")
	errUndefined = errors.New("undefined memory")
)

// binade is the grid of doubles in a range that does not reach 2^(e+1), for the e of its lower end.
func (n *number) binade() (int, error) {
	if n.low.Sign() <= 0 {
		return 0, errRange
	}
	e := n.low.MantExp(nil) - 1
	if n.high.Cmp(power(e+1)) >= 0 {
		return 0, errRange
	}
	return e - 52, nil
}

// ranges walks through a program with ranges in the place of vectors, and fails when a result could be other than intended:
// every sum and product is exact, or it is rounded where it is meant to be.
type ranges struct {
	regs   map[string]*number
	memory map[int64]*number
	scale  *number // 2^-w
	w      int
	// cleared counts the columns that have to be multiples of 2^w for a result to be exact, which ranges cannot tell: those
	// that a multiple of the modulus clears.
	cleared int
}

func (r *ranges) operand(m *machine, arg string) (*number, error) {
	if a, ok := m.address(arg); ok {
		if n := r.memory[a]; n != nil {
			return n, nil
		}
		return nil, errUndefined
	}
	if n := r.regs[arg]; n != nil {
		return n, nil
	}
	return nil, errUndefined
}

func (r *ranges) step(m *machine, in instruction) error {
	to := in.args
	var x, y *number
	var err error
	result := func(n *number, err error) error {
		if err == nil {
			r.regs[to[len(to)-1]] = n
		}
		return err
	}
	switch in.op {
	case "VZEROUPPER", "VSTMXCSR", "VLDMXCSR":
		return nil
	case "VXORPD":
		return result(constant(0), nil)
	case "VMOVAPD", "VBROADCASTSD":
		if x, err = r.operand(m, in.args[0]); err != nil {
			return err
		}
		if a, ok := m.address(in.args[1]); ok {
			r.memory[a] = x
			return nil
		}
		return result(x, nil)
	case "VFMADD231PD", "VSUBPD", "VADDPD", "VMULPD":
	default:
		return errors.New("an instruction that the checker does not know")
	}
	if x, err = r.operand(m, in.args[0]); err != nil {
		return err
	}
	if y, err = r.operand(m, in.args[1]); err != nil {
		return err
	}
	switch in.op {
	case "VFMADD231PD":
		return result(r.fused(y, x, r.regs[in.args[2]]))
	case "VSUBPD":
		return result(difference(y, x))
	case "VADDPD":
		return result(r.sum(y, x))
	default:
		p := product(x, y)
		if !p.fits() {
			return errInexact
		}
		return result(p, nil)
	}
}

// fused is a·b + c.
func (r *ranges) fused(a, b, c *number) (*number, error) {
	if c == nil {
		return nil, errUndefined
	}
	p := product(a, b)
	zero := p.low.Sign() == 0 && p.high.Sign() == 0 // limbs beyond the top of a number
	if c.rounded && c.a == a && c.b == b {
		if zero {
			return constant(0), nil
		}
		return between(new(big.Float).Neg(power(c.grid-1)), power(c.grid-1), a.grid+b.grid), nil
	}
	if zero {
		n := between(c.low, c.high, c.grid)
		n.before, n.a, n.b = c, a, b
		return n, nil
	}
	n := between(add(p.low, c.low), add(p.high, c.high), min(p.grid, c.grid))
	if n.fits() {
		return n, nil
	}
	if a == r.scale || b == r.scale {
		r.cleared++
		n.grid = 0
		if !n.fits() {
			return nil, errInexact
		}
		return n, nil
	}
	grid, err := n.binade()
	if err != nil {
		return nil, err
	}
	if c.grid < grid {
		return nil, errRange
	}
	n = n.round(grid)
	if _, err := n.binade(); err != nil {
		return nil, err
	}
	n.before, n.a, n.b = c, a, b
	return n, nil
}

// sum is x + y.
func (r *ranges) sum(x, y *number) (*number, error) {
	n := between(add(x.low, y.low), add(x.high, y.high), min(x.grid, y.grid))
	if n.fits() {
		return n, nil
	}
	if x.low.Cmp(x.high) == 0 {
		x, y = y, x
	}
	if y.low.Cmp(y.high) != 0 {
		n.grid = r.w
		if max(x.grid, y.grid) < r.w || !n.fits() {
			return nil, errInexact
		}
		r.cleared++
		return n, nil
	}
	grid, err := n.binade()
	if err != nil {
		return nil, err
	}
	n = n.round(grid)
	n.sumOf, n.large = x, y
	return n, nil
}

// difference is x - y.
func difference(x, y *number) (*number, error) {
	switch {
	case y.before != nil && y.before == x:
		p := product(y.a, y.b)
		n := between(new(big.Float).Neg(p.high), new(big.Float).Neg(p.low), y.grid)
		if p.low.Sign() != 0 || p.high.Sign() != 0 {
			n = n.round(y.grid)
		}
		n.rounded, n.a, n.b = true, y.a, y.b
		if !n.fits() {
			return nil, errInexact
		}
		return n, nil
	case x.sumOf != nil && x.large.low.Cmp(y.low) == 0 && y.low.Cmp(y.high) == 0:
		n := x.sumOf.round(x.grid)
		n.roundedOf = x.sumOf
		if !n.fits() {
			return nil, errInexact
		}
		return n, nil
	case y.roundedOf != nil && y.roundedOf == x:
		return between(new(big.Float).Neg(power(y.grid-1)), power(y.grid-1), x.grid), nil
	}
	n := between(sub(x.low, y.high), sub(x.high, y.low), min(x.grid, y.grid))
	if !n.fits() {
		return nil, errInexact
	}
	return n, nil
}

// checker proves that a function of the assembly computes what it should on numbers of n digits of w bits.
type checker struct {
	programs map[string]*program
	w, n     int
	vector   int64 // bytes
	suffix   string
	only     string // one function, or ""
}

func (c *checker) digit() *big.Float { return add(power(c.w-1), exactly(digitSlack)) }

// top bounds the last limb of a number below R/32.
func (c *checker) top() *big.Float { return add(power(c.w-spareBits), exactly(2)) }

// Places in memory.
const (
	placeX = (1 + iota) << 32
	placeY
	placeU
	placeW
	placeT
	placeQ
	placeQuotient
	placeMultiple
	placeM
	placeConsts
	placeZ
)

// walk runs a function and returns the ranges that it leaves. columns bounds those of t.
func (c *checker) walk(name string, columns *big.Float, scale float64) (*ranges, error) {
	r := &ranges{regs: map[string]*number{}, memory: map[int64]*number{}, w: c.w}
	clear(knownProducts)
	digit, top := within(c.digit()), within(c.top())
	numberAt := func(place, step int64) {
		for j := range int64(c.n) {
			limb := *digit
			if j == int64(c.n)-1 {
				limb = *top
			}
			r.memory[place+step*j] = &limb
		}
	}
	for _, place := range []int64{placeX, placeY, placeU, placeW} {
		numberAt(place, c.vector)
	}
	numberAt(placeMultiple, 8)
	numberAt(placeM, 8)
	for j := c.n; j < (c.n+2)/4*4+4; j++ {
		r.memory[placeM+8*int64(j)] = constant(0)
	}
	off := int64(c.n & 2)
	for j := -off; j < int64(2*c.n); j++ {
		if r.memory[placeT+c.vector*j] = within(columns); j < 0 {
			r.memory[placeT+c.vector*j] = constant(0)
		}
	}
	for j := range int64(c.n) + off {
		if r.memory[placeQuotient+c.vector*j] = within(c.digit()); j < off {
			r.memory[placeQuotient+c.vector*j] = constant(0)
		}
	}
	consts := map[int]float64{constC: 0x1.8p100, constD: 0x1.8p52 * float64(uint64(1)<<c.w), constS: 1 / float64(uint64(1)<<c.w), constScale: scale, constUnit: -1}
	for i := range int64(constCount) {
		v := constant(consts[int(i)])
		if i >= constK && i < constUnit {
			v = within(power(c.w - 1))
		}
		r.memory[placeConsts+8*i] = v
		if i == constS {
			r.scale = v
		}
	}
	m := &machine{vector: r.step, params: map[string]int64{
		"t": placeT, "x": placeX, "y": placeY, "u": placeU, "w": placeW, "twice": placeU, "q": placeQ, "quotient": placeQuotient,
		"multiple": placeMultiple, "m": placeM, "constants": placeConsts, "z": placeZ, "n": int64(c.n),
	}}
	return r, m.run(c.programs[name+c.suffix])
}

// digits checks the limbs from a place on, but the last one.
func (c *checker) digits(r *ranges, what string, place int64, count int) error {
	for j := range int64(count) - 1 {
		n := r.memory[place+c.vector*j]
		if n == nil || n.grid < 0 || n.most().Cmp(c.digit()) > 0 {
			return fmt.Errorf("%s: limb %d may be no digit: %v", what, j, n)
		}
	}
	if n := r.memory[place+c.vector*int64(count-1)]; n == nil || n.grid < 0 {
		return fmt.Errorf("%s: the top limb: %v", what, n)
	}
	return nil
}

// check proves all functions that a ring of this size uses.
func (c *checker) check() error {
	for _, f := range []struct {
		name    string
		columns *big.Float
		scale   float64
		cleared int
	}{
		{"product", exactly(0), 1, 0},
		{"productAdd", power(c.w + 1), 1, 0},
		{"product2", exactly(0), 1, 0},
		{"square", exactly(0), 1, 0},
		{"reduce", power(c.w + 1), 1, lastLimbs},
		{"reducePair", power(c.w + 1), 1, lastLimbs},
		{"reducePair", c.digit(), 2, lastLimbs},
	} {
		if f.name == "product2" && c.n > fusedLimbs || c.only != "" && f.name != c.only {
			continue
		}
		r, err := c.walk(f.name, f.columns, f.scale)
		if err == nil && r.cleared != f.cleared {
			err = fmt.Errorf("%d columns have to be cleared, want %d", r.cleared, f.cleared)
		}
		if err == nil && strings.HasPrefix(f.name, "reduce") {
			off := c.n & 2
			if err = c.digits(r, "result", placeZ, c.n); err == nil {
				err = c.digits(r, "multiplier", placeQ, c.n+off)
			}
		} else if err == nil {
			err = c.digits(r, "columns", placeT, 2*c.n)
		}
		if err != nil {
			return fmt.Errorf("%s of %d digits of %d bits: %w", f.name, c.n, c.w, err)
		}
	}
	return nil
}

// width is that of vectors.
type width struct {
	suffix    string // of functions
	bytes     int64
	registers string
}

var widths = []width{{"FMA", 32, "Y"}, {"FMA512", 64, "Z"}}

// sizes are the numbers of limbs of all rings, by radix.
func sizes() map[int][]int {
	s := map[int][]int{}
	for n := limbsMin; n <= narrowLimbs; n += 2 {
		s[47] = append(s[47], n)
	}
	first := limbsOf(47*narrowLimbs-spareBits+1, 46)
	for n := first; n <= limbsOf(8192, 46); n += 2 {
		s[46] = append(s[46], n)
	}
	return s
}

// TestBounds walks through the assembly of products and reductions with ranges of digits, for every size (an exhaustive run takes all sizes for both widths). It proves that
// no accumulator leaves its range, that every sum is exact where it has to be, and that the digits of results are
// as small as those that went in.
func TestBounds(t *testing.T) {
	programs, err := readPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for w, list := range sizes() {
		for i, n := range list {
			if !thoroughtest.AtLeast(thoroughtest.Thorough) && n > 24 && i%16 != 0 && i != len(list)-1 {
				continue
			}
			for k, v := range widths {
				if k > 0 && i%4 != 0 && i != len(list)-1 && !thoroughtest.AtLeast(thoroughtest.Exhaustive) {
					continue // the schedule is that of the first
				}
				c := &checker{programs, w, n, v.bytes, v.suffix, ""}
				if err := c.check(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestBoundsFails holds the checker to what it is for: without a flush, or with a radix that is one bit longer,
// it finds the sums that leave their range.
func TestBoundsFails(t *testing.T) {
	programs, err := readPrograms()
	if err != nil {
		t.Fatal(err)
	}
	most := map[int]int{47: narrowLimbs, 46: limbsOf(8192, 46)}
	for w, n := range most {
		for _, v := range widths {
			c := &checker{programs, w + 1, n, v.bytes, v.suffix, ""}
			if err := c.check(); err == nil {
				t.Errorf("%d digits of %d bits pass", n, w+1)
			} else {
				t.Log(err)
			}
		}
	}
	for _, v := range widths {
		if v == widths[0] || thoroughtest.AtLeast(thoroughtest.Thorough) {
			missingFlushes(t, programs, most, v)
		}
	}
}

// missingFlushes leaves out each flush of the functions of one width.
func missingFlushes(t *testing.T, programs map[string]*program, most map[int]int, v width) {
	flushes := 0
	for name, p := range programs {
		only, ok := strings.CutSuffix(name, v.suffix)
		if !ok {
			continue
		}
		missed := func(mutant *program) error {
			for _, w := range []int{47, 46} {
				n := most[w]
				if only == "product2" {
					n = fusedLimbs
				}
				for _, n := range []int{n, n - 2} {
					if err := (&checker{map[string]*program{name: mutant}, w, n, v.bytes, v.suffix, only}).check(); err != nil {
						return err
					}
				}
			}
			return errors.New("not missed")
		}
		var all []int
		for at, in := range p.instructions {
			// A flush: the constant to be added to lo, and 4 instructions for each column.
			if in.op == "VBROADCASTSD" && strings.Join(p.instructions[at+1].args, ",") == strings.ReplaceAll("r12,r4,r13", "r", v.registers) {
				all = append(all, at)
			}
		}
		flushes += len(all)
		const length = 1 + 4*4
		if only == "product2" { // it has one more than it needs at its longest
			mutant := p
			for i := len(all) - 1; i >= 0; i-- {
				mutant = mutant.without(all[i], length)
			}
			if err := missed(mutant); !errors.Is(err, errRange) && !errors.Is(err, errInexact) {
				t.Errorf("%s without flushes: %v", name, err)
			}
			continue
		}
		for _, at := range all {
			if err := missed(p.without(at, length)); !errors.Is(err, errRange) && !errors.Is(err, errInexact) {
				t.Errorf("%s without the flush at line %d: %v", name, p.instructions[at].line, err)
			}
		}
	}
	if flushes < 12 {
		t.Errorf("%d flushes found in the functions ...%s", flushes, v.suffix)
	}
}
