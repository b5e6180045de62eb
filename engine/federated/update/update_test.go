package update

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// study is a directory with the members of a network.
type study struct {
	t       testing.TB
	dir     string
	ids     []*round.Identity
	members []round.Member
}

func newStudy(t testing.TB, members int) *study {
	t.Helper()
	s := &study{t: t, dir: t.TempDir()}
	for i := range members {
		id, err := round.NewIdentity(fmt.Sprintf("h%d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		s.ids = append(s.ids, id)
		s.members = append(s.members, round.Member{Card: id.Card(), WeightMax: 10})
	}
	return s
}

func (s *study) path(name string) string { return filepath.Join(s.dir, name) }

func (s *study) paths(format string, numbers ...int) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, s.path(fmt.Sprintf(format, n)))
	}
	return out
}

// round writes the description of a round.
func (s *study) round(name string, change func(*round.Round)) {
	s.t.Helper()
	r := round.Round{Network: "net", Number: 1, SetName: "R-1", Parameters: 5000, Clip: 1, Bits: 16, Members: s.members, AlphaMax: 3}
	if change != nil {
		change(&r)
	}
	made, err := round.New(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := made.Write(context.Background(), job.Options{}, s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

// step is the number that 1 stands for.
const step = 1.0 / 32767

// vectorOf is member i's: whole steps, so that nothing is rounded.
func vectorOf(i, n int) []float64 {
	v := make([]float64, n)
	for j := range v {
		v[j] = float64((j*(i+3)+i*17)%65535-32767) * step
	}
	return v
}

// table writes a vector in the format of the name, with 32 or 64 bits.
func (s *study) table(name string, v []float64, single bool, tensors func(j int) string) {
	s.t.Helper()
	typ := arrow.DataType(arrow.PrimitiveTypes.Float64)
	if single {
		typ = arrow.PrimitiveTypes.Float32
	}
	fields := []arrow.Field{{Name: "g", Type: typ}}
	if tensors != nil {
		fields = append(fields, arrow.Field{Name: "layer", Type: arrow.BinaryTypes.String})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for j, x := range v {
		if single {
			b.Field(0).(*array.Float32Builder).Append(float32(x))
		} else {
			b.Field(0).(*array.Float64Builder).Append(x)
		}
		if tensors != nil {
			b.Field(1).(*array.StringBuilder).Append(tensors(j))
		}
	}
	ctx := context.Background()
	w, err := dataset.CreateClear(ctx, job.Options{Overwrite: true}.WithDefaults(), s.path(name), 0, schema)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	record := b.NewRecord()
	defer record.Release()
	if err := w.Write(ctx, column.Batch{Record: record}); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func (s *study) identity(i int) func(context.Context) (*round.Identity, error) {
	return func(context.Context) (*round.Identity, error) { return s.ids[i], nil }
}

func options() job.Options { return job.Options{Threads: 2, Overwrite: true} }

// encrypt encrypts a table of member i, counted from 1, into u<i> and s<i>.
func (s *study) encrypt(i int, change func(*EncryptRequest)) error {
	e := EncryptRequest{Options: options(), Round: s.path("round.json"), Identity: s.identity(i - 1), In: []string{s.path(fmt.Sprintf("g%d.parquet", i))},
		Weight: int64(i), Out: s.path(fmt.Sprintf("u%d.parquet", i)), Shares: s.path(fmt.Sprintf("s%d.json", i))}
	if change != nil {
		change(&e)
	}
	_, err := Encrypt(context.Background(), e)
	return err
}

func (s *study) fuse(out string, in []string, weights map[string]uint64) error {
	_, err := Fuse(context.Background(), FuseRequest{Options: options(), Round: s.path("round.json"), In: in, Weights: weights, Out: s.path(out)})
	return err
}

// answer is that of helper i, counted from 1, in a<i>.
func (s *study) answer(i int, sum string, shares []string) error {
	_, _, err := Answer(context.Background(), AnswerRequest{Options: options(), Round: s.path("round.json"), Identity: s.identity(i - 1), In: s.path(sum),
		Shares: shares, Record: s.path(fmt.Sprintf("record%d", i)), Out: s.path(fmt.Sprintf("a%d.json", i))})
	return err
}

func (s *study) open(out, sum string, answers []string) (*Opened, error) {
	_, opened, err := Open(context.Background(), OpenRequest{Options: options(), Round: s.path("round.json"), In: s.path(sum), Answers: answers, Out: s.path(out)})
	return opened, err
}

// read reads the numbers of a table, and its tensors.
func (s *study) read(name string) (numbers []float64, tensors []string, typ arrow.Type) {
	s.t.Helper()
	ctx := context.Background()
	source, err := dataset.List(ctx, options().WithDefaults(), []string{s.path(name)}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := source.OpenFiles(ctx, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	err = column.Each(ctx, r, func(b column.Batch) error {
		at := b.ColumnIndex("g")
		typ = b.Column(at).DataType().ID()
		value, _, err := dataset.Floats(b.Column(at))
		if err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			x, err := value(i)
			if err != nil {
				return err
			}
			numbers = append(numbers, x)
			if at > 0 {
				tensors = append(tensors, b.Column(0).ValueStr(i))
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return numbers, tensors, typ
}

func (s *study) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// refuses fails the test unless err is a refusal of input, or of the request, that says `want`.
func (s *study) refuses(what string, err error, want string) {
	s.t.Helper()
	var input *column.InputError
	var request *job.UsageError
	if !errors.As(err, &input) && !errors.As(err, &request) {
		s.t.Errorf("%s: %v", what, err)
		return
	}
	if !strings.Contains(err.Error(), want) {
		s.t.Errorf("%s: %v, which does not say %q", what, err, want)
	}
	if hint := job.Explain(err).Hint; hint == "" {
		s.t.Errorf("%s: %v, without a hint", what, err)
	}
}

// The whole way, for all sets, formats and widths.
func TestWholeWay(t *testing.T) {
	for i, test := range []struct {
		set, in, out string
		single       bool
		parameters   int
		bits         int
	}{
		{"R-1", "parquet", "parquet", true, 5000, 16},
		{"R-1w", "arrow", "csv", false, 2046, 16},
		{"R-1p", "parquet", "arrow", true, 1, 12},
		{"R-Q", "csv", "parquet", false, 2047, 16},
		{"R-2", "parquet", "tsv", true, 40000, 14},
		{"R-2Q", "arrow", "parquet", false, 8191, 12},
	} {
		t.Run(test.set, func(t *testing.T) {
			t.Parallel()
			s := newStudy(t, 4)
			s.round("round.json", func(r *round.Round) {
				r.SetName, r.Parameters, r.Bits, r.Number, r.AlphaMax = test.set, int64(test.parameters), test.bits, uint64(i), 1
			})
			largest := float64(int(1)<<(test.bits-1) - 1)
			want := make([]float64, test.parameters)
			for i := 1; i <= 4; i++ {
				v := vectorOf(i, test.parameters)
				for j := range v {
					v[j] = math.Round(v[j]*largest) / largest
					if i != 3 { // who is missing
						want[j] += float64(i) / 7 * v[j]
					}
				}
				s.table(fmt.Sprintf("g%d.%s", i, test.in), v, test.single, nil)
				s.must(s.encrypt(i, func(e *EncryptRequest) { e.In = []string{s.path(fmt.Sprintf("g%d.%s", i, test.in))} }))
			}
			s.must(s.fuse("sum.parquet", s.paths("u%d.parquet", 4, 1, 2), nil))
			for _, i := range []int{1, 3, 4} { // who is missing in the sum can still help
				s.must(s.answer(i, "sum.parquet", s.paths("s%d.json", 1, 2, 3, 4)))
			}
			opened, err := s.open("mean."+test.out, "sum.parquet", s.paths("a%d.json", 3, 1, 4))
			s.must(err)
			if opened.Weight != 7 || !slices.Equal(opened.Members, []string{"h1", "h2", "h4"}) || !opened.Certain {
				t.Errorf("opened %+v", opened)
			}
			got, _, typ := s.read("mean." + test.out)
			if len(got) != len(want) {
				t.Fatalf("%d numbers, not %d", len(got), len(want))
			}
			for j := range want {
				if d := math.Abs(got[j] - want[j]); d > 1e-9 && !test.single || d > 1/largest {
					t.Fatalf("number %d is %g, not %g", j, got[j], want[j])
				}
			}
			if wantType := arrow.FLOAT64; (test.out == "parquet" || test.out == "arrow") && (typ == wantType) == test.single {
				t.Errorf("the mean is of type %s", typ)
			}
		})
	}
}

// Weights chosen after encryption, sums of sums, and tensors.
func TestWeightsAndSumsOfSums(t *testing.T) {
	s := newStudy(t, 5)
	s.round("round.json", nil)
	tensor := func(j int) string { return []string{"conv.w", "conv.b", "fc"}[min(2, j/2100)] }
	alpha := []float64{1, 3, 1, 2, 1}
	want, total := make([]float64, 5000), 0.0
	for i := 1; i <= 5; i++ {
		v := vectorOf(i, 5000)
		s.table(fmt.Sprintf("g%d.parquet", i), v, false, tensor)
		s.must(s.encrypt(i, func(e *EncryptRequest) { e.Tensor = "layer" }))
		total += alpha[i-1] * float64(i)
		for j := range v {
			want[j] += alpha[i-1] * float64(i) * v[j]
		}
	}
	s.must(s.fuse("sum.parquet", s.paths("u%d.parquet", 1, 2, 3, 4, 5), map[string]uint64{"h2": 3, "h4": 2}))
	s.must(s.fuse("part1.parquet", s.paths("u%d.parquet", 5, 2), map[string]uint64{"h2": 3}))
	s.must(s.fuse("part2.parquet", s.paths("u%d.parquet", 4, 1), map[string]uint64{"h4": 2}))
	s.must(s.fuse("again.parquet", append(s.paths("part%d.parquet", 1, 2), s.path("u3.parquet")), nil))
	one, err := os.ReadFile(s.path("sum.parquet"))
	s.must(err)
	other, err := os.ReadFile(s.path("again.parquet"))
	s.must(err)
	if !slices.Equal(one, other) {
		t.Error("a sum of sums is another one")
	}
	for i := 1; i <= 4; i++ {
		s.must(s.answer(i, "sum.parquet", s.paths("s%d.json", 1, 2, 3, 4, 5)))
	}
	opened, err := s.open("mean.parquet", "again.parquet", s.paths("a%d.json", 1, 2, 3, 4))
	s.must(err)
	if float64(opened.Weight) != total {
		t.Errorf("weight %d, not %g", opened.Weight, total)
	}
	got, tensors, _ := s.read("mean.parquet")
	for j := range want {
		if math.Abs(got[j]-want[j]/total) > 1e-9 {
			t.Fatalf("number %d is %g, not %g", j, got[j], want[j]/total)
		}
		if tensors[j] != tensor(j) {
			t.Fatalf("number %d is in %s, not in %s", j, tensors[j], tensor(j))
		}
	}
	s.refuses("a weight for one in a sum", s.fuse("x.parquet", append(s.paths("part%d.parquet", 1, 2), s.path("u3.parquet")), map[string]uint64{"h2": 2}), "which is a sum already")
	s.refuses("a member of two sums", s.fuse("x.parquet", append(s.paths("part%d.parquet", 1), s.path("u5.parquet")), nil), "it would count twice")
}

// A sum is not answered for whose weights make it nearly one member's vector, or that of fewer members than the round asks for.
func TestUnevenWeights(t *testing.T) {
	s := newStudy(t, 7)
	s.round("round.json", func(r *round.Round) { r.AlphaMax, r.Minimum, r.Parameters, r.SetName = 20, 4, 10, "R-1w" })
	for i := 1; i <= 7; i++ {
		s.table(fmt.Sprintf("g%d.parquet", i), vectorOf(i, 10), true, nil)
		s.must(s.encrypt(i, nil))
	}
	shares := s.paths("s%d.json", 1, 2, 3, 4, 5, 6, 7)
	for _, c := range []struct {
		members []int
		weights map[string]uint64
		want    string // "" where it is answered for
	}{
		{[]int{1, 2, 3, 4, 5, 6, 7}, map[string]uint64{"h3": 7}, `"h3" has more than half of the weights`},
		{[]int{1, 2, 3, 4}, map[string]uint64{"h1": 20}, `"h1" has more than half of the weights`},
		{[]int{1, 2, 3, 4}, map[string]uint64{"h1": 4, "h4": 4}, "as one of 2.9 members, and the round opens sums of 4"},
		{[]int{1, 2, 3, 4, 5, 6, 7}, map[string]uint64{"h1": 20, "h2": 20}, "as one of 2.5 members, and the round opens sums of 4"},
		{[]int{1, 2, 3, 4}, map[string]uint64{"h1": 3}, ""},
		{[]int{1, 2, 3, 4, 5, 6, 7}, map[string]uint64{"h3": 6}, ""},
		{[]int{4, 5, 6, 7}, map[string]uint64{"h4": 20, "h5": 20, "h6": 20, "h7": 20}, ""},
		{[]int{1, 2, 3, 4, 5, 6, 7}, map[string]uint64{"h1": 3, "h2": 4}, ""},
	} {
		what := fmt.Sprint(c.members, c.weights)
		s.must(s.fuse("sum.parquet", s.paths("u%d.parquet", c.members...), c.weights))
		if err := os.Remove(s.path("record1")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		err := s.answer(1, "sum.parquet", shares)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		} else if c.want != "" {
			s.refuses(what, err, c.want)
			_, err = s.open("mean.parquet", "sum.parquet", s.paths("a%d.json", 1))
			s.refuses(what, err, c.want)
		}
	}
}

// L2 norms are shortened before numbers are clipped.
func TestNorm(t *testing.T) {
	s := newStudy(t, 3)
	s.round("round.json", func(r *round.Round) { r.NormMax, r.Parameters, r.Clip = 5, 100, 4 })
	for i := 1; i <= 3; i++ {
		s.table(fmt.Sprintf("g%d.parquet", i), slices.Repeat([]float64{float64(i - 1)}, 100), true, nil) // norms 0, 10, 20
		s.must(s.encrypt(i, func(e *EncryptRequest) { e.Weight = 1 }))
	}
	s.must(s.fuse("sum.parquet", s.paths("u%d.parquet", 1, 2, 3), nil))
	for i := 1; i <= 2; i++ {
		s.must(s.answer(i, "sum.parquet", s.paths("s%d.json", 1, 2, 3)))
	}
	opened, err := s.open("mean.parquet", "sum.parquet", s.paths("a%d.json", 1, 2))
	s.must(err)
	got, _, _ := s.read("mean.parquet")
	for j := range got {
		if math.Abs(got[j]-1.0/3) > opened.Step { // 0, and twice 0.5
			t.Fatalf("number %d is %g, not 1/3", j, got[j])
		}
	}
}

// What is refused, and in which words.
func TestRefusals(t *testing.T) {
	ctx := context.Background()
	s := newStudy(t, 4)
	s.round("round.json", nil)
	for i := 1; i <= 4; i++ {
		s.table(fmt.Sprintf("g%d.parquet", i), vectorOf(i, 5000), true, nil)
		s.must(s.encrypt(i, nil))
	}
	stranger := newStudy(t, 1)
	t.Run("encrypt", func(t *testing.T) {
		s := &study{t: t, dir: s.dir, ids: s.ids, members: s.members}
		into := func(e *EncryptRequest) { e.Out, e.Shares = s.path("x.parquet"), s.path("x.json") }
		refuses := func(what, want string, change func(e *EncryptRequest)) {
			t.Helper()
			s.refuses(what, s.encrypt(1, func(e *EncryptRequest) { into(e); change(e) }), want)
			for _, f := range []string{"x.parquet", "x.json"} {
				if _, err := os.Stat(s.path(f)); err == nil {
					t.Errorf("%s: there is a file %s", what, f)
				}
			}
		}
		in := func(name string, v []float64) func(e *EncryptRequest) {
			s.table(name, v, strings.Contains(name, "32"), nil)
			return func(e *EncryptRequest) { e.In = []string{s.path(name)} }
		}
		refuses("a weight that is too large", "‹weight› 11 is not 1 to the 10", func(e *EncryptRequest) { e.Weight = 11 })
		refuses("a negative weight", "‹weight› -1 is not 1", func(e *EncryptRequest) { e.Weight = -1 })
		refuses("a vector that is too short", "the table has 4999 numbers, and vectors of the round have 5000", in("short.parquet", vectorOf(1, 4999)))
		refuses("a vector that is too long", "more numbers than the 5000 of the round", in("long.parquet", vectorOf(1, 5001)))
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			v := vectorOf(1, 5000)
			v[4321] = bad
			refuses("a number that is none", "row 4322", in("bad.parquet", v))
			refuses("a number that is none, of 32 bits", "row 4322", in("bad32.parquet", v))
			refuses("a text that is no number", "row 4322", in("bad.csv", v))
		}
		s.must(os.WriteFile(s.path("null.csv"), []byte("g\n1\nNA\n"), 0o600))
		refuses("a missing number", "row 2", func(e *EncryptRequest) { e.In = []string{s.path("null.csv")} })
		refuses("a column that is not there", "there is no such column", func(e *EncryptRequest) { e.Column = "h" })
		refuses("a stranger", "has another card in the round", func(e *EncryptRequest) { e.Identity = stranger.identity(0) })
		refuses("an input as output", "is an input and the output", func(e *EncryptRequest) { e.Out = e.In[0] })
		refuses("tensors in two places", `tensor "a" goes on here`, func(e *EncryptRequest) {
			s.table("mixed.parquet", vectorOf(1, 5000), true, func(j int) string { return []string{"a", "b"}[j/100%2] })
			e.In, e.Tensor = []string{s.path("mixed.parquet")}, "layer"
		})
	})
	t.Run("fuse", func(t *testing.T) {
		s := &study{t: t, dir: s.dir, ids: s.ids, members: s.members}
		all := s.paths("u%d.parquet", 1, 2, 3, 4)
		other := func(name string, change func(*round.Round), encrypt func(*EncryptRequest)) string {
			s.round("other.json", change)
			s.must(s.encrypt(4, func(e *EncryptRequest) {
				e.Round, e.Out, e.Shares = s.path("other.json"), s.path(name), s.path("x.json")
				if encrypt != nil {
					encrypt(e)
				}
			}))
			s.must(os.Remove(s.path("other.json")))
			return s.path(name)
		}
		refuses := func(what, want string, in []string, weights map[string]uint64) {
			t.Helper()
			s.refuses(what, s.fuse("x.parquet", in, weights), want)
			if _, err := os.Stat(s.path("x.parquet")); err == nil {
				t.Errorf("%s: there is a sum", what)
			}
		}
		refuses("an update of another round", `it is of round 2 of "net", not of round 1`, append(all[:3:3], other("o1.parquet", func(r *round.Round) { r.Number = 2 }, nil)), nil)
		refuses("an update of another network", `it is of round 1 of "web"`, append(all[:3:3], other("o2.parquet", func(r *round.Round) { r.Network = "web" }, nil)), nil)
		refuses("an update with another clip", "another description of round 1", append(all[:3:3], other("o3.parquet", func(r *round.Round) { r.Clip = 2 }, nil)), nil)
		refuses("an update in another set", "another description of round 1", append(all[:3:3], other("o4.parquet", func(r *round.Round) { r.SetName = "R-1w" }, nil)), nil)
		refuses("numbers of another type", "are of type double", append(all[:3:3], other("o5.parquet", nil, func(e *EncryptRequest) {
			s.table("wide.parquet", vectorOf(4, 5000), false, nil)
			e.In = []string{s.path("wide.parquet")}
		})), nil)
		refuses("other tensors", "the vector has 1 tensors", append(all[:3:3], other("o6.parquet", nil, func(e *EncryptRequest) {
			s.table("named.parquet", vectorOf(4, 5000), true, func(int) string { return "w" })
			e.In, e.Tensor = []string{s.path("named.parquet")}, "layer"
		})), nil)
		refuses("a member twice", `"h4" is in`, append(all[:4:4], other("o7.parquet", nil, nil)), nil)
		refuses("a file twice", "is given twice", append(all[:4:4], all[0]), nil)
		refuses("a weight that is too large", "the round allows 3", all, map[string]uint64{"h1": 4})
		refuses("a weight for nobody", "of whom there is no update", all, map[string]uint64{"h9": 1})
		refuses("a table in the clear", "not an encrypted update", append(all[:3:3], s.path("g4.parquet")), nil)
		for _, bad := range []string{"h1", "=1", "h1=0", "h1=-1", "h1=x", "h1=18446744073709551616"} {
			_, err := ParseWeights([]string{bad})
			s.refuses("weight "+bad, err, "‹weight›")
		}
		_, err := ParseWeights([]string{"h1=1", "h1=2"})
		s.refuses("a weight twice", err, "twice")
		_, err = Fuse(ctx, FuseRequest{Options: job.Options{Threads: 2, Memory: 1 << 20}, Round: s.path("round.json"), In: all, Out: s.path("x.parquet")})
		if f := job.Explain(err); !strings.Contains(f.Message, "needs") || f.Hint != "Raise ‹memory›." {
			t.Errorf("too little memory: %v", err)
		}
	})
	s.must(s.fuse("sum.parquet", s.paths("u%d.parquet", 1, 2, 3, 4), nil))
	s.must(s.fuse("without.parquet", s.paths("u%d.parquet", 2, 3, 4), nil))
	s.must(s.fuse("weighted.parquet", s.paths("u%d.parquet", 1, 2, 3, 4), map[string]uint64{"h1": 2}))
	s.must(s.fuse("two.parquet", s.paths("u%d.parquet", 1, 2), nil))
	t.Run("answer", func(t *testing.T) {
		s := &study{t: t, dir: s.dir, ids: s.ids, members: s.members}
		shares := s.paths("s%d.json", 1, 2, 3, 4)
		s.refuses("a sum of two", s.answer(1, "two.parquet", shares), "the sum has 2 members, and the round opens sums of 3")
		s.refuses("an update", s.answer(1, "u1.parquet", shares), `it is the update of "h1", not a sum`)
		s.refuses("shares that are missing", s.answer(1, "sum.parquet", shares[1:]), `there are no shares of "h1"`)
		s.must(s.encrypt(2, func(e *EncryptRequest) { e.Out, e.Shares = s.path("x.parquet"), s.path("x.json") }))
		s.refuses("shares of another update", s.answer(1, "sum.parquet", []string{shares[0], s.path("x.json"), shares[2], shares[3]}), `the update of "h2" in the sum is not the one that its shares are for`)
		forged, err := os.ReadFile(shares[1])
		s.must(err)
		s.must(os.WriteFile(s.path("forged.json"), []byte(strings.Replace(string(forged), `"member": "h2"`, `"member": "h3"`, 1)), 0o600))
		s.refuses("shares in another's name", s.answer(1, "sum.parquet", []string{shares[0], s.path("forged.json"), shares[3]}), `the signature is not that of "h3"`)
		s.refuses("no shares", s.answer(1, "sum.parquet", s.paths("g%d.parquet", 1)), "not shares of a key")
		if _, err := os.Stat(s.path("record1")); err == nil {
			t.Error("an answer that was refused is recorded")
		}
		for i := 1; i <= 3; i++ {
			s.must(s.answer(i, "sum.parquet", shares))
		}
		before, err := os.ReadFile(s.path("a1.json"))
		s.must(err)
		s.must(s.answer(1, "sum.parquet", shares)) // the same again
		after, err := os.ReadFile(s.path("a1.json"))
		s.must(err)
		if !slices.Equal(before, after) {
			t.Error("the same answer is another one")
		}
		for _, sum := range []string{"without.parquet", "weighted.parquet"} {
			s.refuses("a second opening", s.answer(1, sum, shares), `round 1 of "net" was answered before, for other members or weights`)
		}
		// A line that was never finished is no record; a changed one is damage.
		record, err := os.ReadFile(s.path("record1"))
		s.must(err)
		s.must(os.WriteFile(s.path("record1"), append(slices.Clone(record), record[:20]...), 0o600))
		s.refuses("a second opening after a crash", s.answer(1, "without.parquet", shares), "was answered before")
		s.must(os.WriteFile(s.path("record1"), record[1:], 0o600))
		s.refuses("a damaged record", s.answer(1, "without.parquet", shares), "line 1 is no record of an answer")
		s.must(os.WriteFile(s.path("record1"), record, 0o600))
		s.must(s.answer(4, "without.parquet", shares))
	})
	t.Run("open", func(t *testing.T) {
		s := &study{t: t, dir: s.dir, ids: s.ids, members: s.members}
		open := func(sum string, answers ...string) error {
			_, err := s.open("y.parquet", sum, answers)
			if _, there := os.Stat(s.path("y.parquet")); there == nil {
				t.Error("there is a mean")
			}
			return err
		}
		a := s.paths("a%d.json", 1, 2, 3, 4)
		s.refuses("too few answers", open("sum.parquet", a[0], a[1]), "2 helpers answer, and opening needs 3")
		s.refuses("an answer for another sum", open("sum.parquet", a[0], a[1], a[3]), `"h4" answers for another sum`)
		s.refuses("answers for another sum", open("without.parquet", a[0], a[1], a[2]), `"h1" answers for another sum`)
		same, err := os.ReadFile(a[0])
		s.must(err)
		s.must(os.WriteFile(s.path("again.json"), same, 0o600))
		s.refuses("an answer twice", open("sum.parquet", a[0], a[1], s.path("again.json")), `"h1" answers in`)
		s.must(os.WriteFile(s.path("forged.json"), []byte(strings.Replace(string(same), `"helper": "h1"`, `"helper": "h4"`, 1)), 0o600))
		s.refuses("an answer in another's name", open("sum.parquet", a[1], a[2], s.path("forged.json")), `the signature is not that of "h4"`)
		s.refuses("no answer", open("sum.parquet", a[0], a[1], s.path("s3.json")), "not a helper's answer")
		// A sum whose blocks are not what its footer says, with digests that are right: that of other members.
		damaged, err := os.ReadFile(s.path("sum.parquet"))
		s.must(err)
		damaged[2000] ^= 1
		s.must(os.WriteFile(s.path("damaged.parquet"), damaged, 0o600))
		s.refuses("a damaged sum", open("damaged.parquet", a[0], a[1], a[2]), "does not match its checksum")
		s.refuses("a sum with other ciphertexts", open(forge(t, s), a[0], a[1], a[2]), "the check value of a block is wrong")
		opened, err := s.open("mean.parquet", "sum.parquet", a[:3])
		s.must(err)
		if opened.Weight != 10 {
			t.Errorf("opened %+v", opened)
		}
	})
}

// forge writes a file whose footer says that it is sum.parquet, with the blocks of another sum.
func forge(t *testing.T, s *study) string {
	t.Helper()
	ctx := context.Background()
	footer, _, err := updatefile.ReadFooter(ctx, blob.Local{}, s.path("sum.parquet"))
	s.must(err)
	r, err := updatefile.Open(ctx, blob.Local{}, s.path("without.parquet"), column.ReadOptions{})
	s.must(err)
	defer r.Close()
	w, err := updatefile.Create(ctx, blob.Local{}, s.path("forged.parquet"), *footer, int64(ringlwe.SetByName("R-1").Capacity()), column.WriteOptions{})
	s.must(err)
	defer w.Close()
	b, err := r.Read(ctx)
	s.must(err)
	defer b.Release()
	s.must(w.Write(ctx, b.Bytes))
	s.must(w.Commit(ctx))
	return "forged.parquet"
}

// The result does not depend on how many work on it, nor on how much memory there is.
func TestIndependence(t *testing.T) {
	s := newStudy(t, 3)
	s.round("round.json", func(r *round.Round) { r.Parameters = 150000 })
	for i := 1; i <= 3; i++ {
		s.table(fmt.Sprintf("g%d.parquet", i), vectorOf(i, 150000), true, nil)
		s.must(s.encrypt(i, nil))
	}
	var first []byte
	for _, o := range []job.Options{{Threads: 1}, {Threads: 3}, {Threads: 1, Memory: 9 << 20}} {
		o.Overwrite = true
		_, err := Fuse(context.Background(), FuseRequest{Options: o, Round: s.path("round.json"), In: s.paths("u%d.parquet", 1, 2, 3), Out: s.path("sum.parquet")})
		s.must(err)
		data, err := os.ReadFile(s.path("sum.parquet"))
		s.must(err)
		if first == nil {
			first = data
		}
		if !slices.Equal(data, first) {
			t.Errorf("%+v: another sum", o)
		}
	}
}
