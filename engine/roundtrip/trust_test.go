package roundtrip_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/decrypt"
	"github.com/cipherfold/cipherfold/engine/encrypt"
	"github.com/cipherfold/cipherfold/engine/fuse"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// study is three owners, an aggregator and a stranger, each with a key that signs, and the trust file of their key holder.
type study struct {
	*bench
	signers map[string]*trust.Signer
	policy  string
}

func newStudy(t *testing.T) *study {
	s := &study{bench: newBench(t, paillier.MHL), signers: map[string]*trust.Signer{}}
	for _, name := range []string{"a", "b", "c", "aggregator", "stranger"} {
		signer, err := trust.NewSigner()
		if err != nil {
			t.Fatal(err)
		}
		s.signers[name] = signer
	}
	s.policy = s.trustFile("trust.txt", "owner a @a", "owner b @b", "owner c @c", "aggregator aggregator @aggregator")
	return s
}

// trustFile writes a trust file, in which @NAME is the fingerprint of a signer, beside the key of the study.
func (s *study) trustFile(name string, lines ...string) string {
	text := "# the study\nkey " + s.key.Public().Fingerprint() + "\n" + strings.Join(lines, "\n") + "\n"
	for name, signer := range s.signers {
		text = strings.ReplaceAll(text, "@"+name+"\n", signer.Fingerprint()+"\n")
		text = strings.ReplaceAll(text, "@"+name+" ", signer.Fingerprint()+" ")
	}
	return s.write(name, text)
}

// as signs by the signer of a name; nobody signs for "".
func (s *study) as(name string) func(context.Context) (*trust.Signer, error) {
	if name == "" {
		return nil
	}
	return func(context.Context) (*trust.Signer, error) { return s.signers[name], nil }
}

// owned encrypts the table of an owner, signed.
func (s *study) owned(name, signer string, rowsPerFile int64) string {
	s.Helper()
	return s.encrypt(s.write(name+".csv", "id,v,w\n1,5,1\n2,6,2\n3,7,3\n4,8,4\n"), encrypt.Request{
		Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(s, "v:max=10", "w:max=10")}, Layout: slots.Records, Source: strings.TrimSuffix(name, "2"), RowsPerFile: rowsPerFile, Sign: s.as(signer)})
}

// sum fuses tables as the aggregator does.
func (s *study) sum(name string, f fuse.Request) string {
	s.Helper()
	f.Sign = s.as("aggregator")
	return s.fuse(name+".cf.parquet", f)
}

// open decrypts a table of which exactly the owners of a trust file are demanded.
func (s *study) trusting(in, policy string) error {
	_, err := decrypt.Run(context.Background(), decrypt.Request{Unfused: true, Options: job.Options{Overwrite: true}, Key: keys.Of(s.key), In: in, Out: s.path("out.csv"), Trust: policy})
	return err
}

// forge copies a table with other ciphertexts and another footer, and keeps its signature and statements.
func (s *study) forge(file, name string, keep bool, change func(t *ctfile.Table), ciphertexts func([]byte)) string {
	s.Helper()
	r, err := ctfile.Open(context.Background(), blob.Local{}, file, column.ReadOptions{})
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	t := *r.Table()
	if change != nil {
		change(&t)
	}
	o := ctfile.Options{}
	if keep {
		o.Sign = func(*ctfile.Table, string) (string, string, error) {
			return r.Table().Signature, r.Table().Statements, nil
		}
	}
	w, err := ctfile.Create(context.Background(), blob.Local{}, s.path(name), t, r.Schema().Fields()[:1], o)
	if err != nil {
		s.Fatal(err)
	}
	defer w.Close()
	err = column.Each(context.Background(), r, func(b column.Batch) error {
		if ciphertexts != nil {
			ciphertexts(column.FixedBytes(b.Column(1)))
		}
		return w.Write(context.Background(), b)
	})
	if err != nil {
		s.Fatal(err)
	}
	if err := w.Commit(context.Background()); err != nil {
		s.Fatal(err)
	}
	return s.path(name)
}

// The key holder finds out whatever an aggregator leaves out, doubles, replaces, alters or calls otherwise, for each owner.
func TestTrust(t *testing.T) {
	s := newStudy(t)
	in := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		in[name] = s.owned(name, name, map[string]int64{"c": 2}[name])
	}
	all := func(replaced string, by ...string) []string {
		var out []string
		for _, name := range []string{"a", "b", "c"} {
			if name != replaced {
				out = append(out, in[name])
			}
		}
		return append(out, by...)
	}
	if err := s.trusting(s.sum("right", fuse.Request{In: all(""), Trust: s.policy}), s.policy); err != nil {
		t.Fatal(err)
	}
	if err := s.trusting(s.sum("grouped", fuse.Request{In: all(""), By: []string{}}), s.policy); err != nil {
		t.Errorf("a total: %v", err)
	}
	first := s.sum("first", fuse.Request{In: []string{in["a"], in["b"]}})
	if err := s.trusting(s.sum("again", fuse.Request{In: []string{first, in["c"]}, RowsPerFile: 3, Trust: s.policy}), s.policy); err != nil {
		t.Errorf("a sum of a sum, in files: %v", err)
	}
	if err := s.trusting(in["a"], s.trustFile("one.txt", "owner a @a")); err != nil {
		t.Errorf("an owner's table: %v", err)
	}
	doubled := s.trustFile("doubled.txt", "owner a @a weight=2", "owner b @b", "owner c @c", "aggregator x @aggregator")
	if err := s.trusting(s.sum("weighted", fuse.Request{In: all(""), Weights: []fuse.Weight{{File: in["a"], Weight: 2}}}), doubled); err != nil {
		t.Errorf("a weight that is expected: %v", err)
	}
	for _, name := range []string{"a", "b"} { // c is in two files, whose parts are tried below
		other := map[string]string{"a": "b", "b": "a"}[name]
		spoil := func(ct []byte) { copy(ct[len(ct)/2:], ct[:len(ct)/2]) }
		id := s.inspect(in[name]).TableID[:8]
		again := s.owned(name+"2", name, 0)
		unsigned := "table " + id + ` of "` + name + `" is not signed by an owner`
		renewed := func(t *ctfile.Table) { t.TableID = fmt.Sprintf("%.16x", sha256.Sum256([]byte(t.TableID))) }
		for what, c := range map[string]struct {
			sum  string
			want string
		}{
			"dropped":      {s.sum(name+"dropped", fuse.Request{In: all(name)}), "the table of " + name + " is not in it"},
			"doubled":      {s.sum(name+"doubled", fuse.Request{In: all("", s.forge(in[name], name+"copy.cf.parquet", true, nil, nil)), AllowRepeats: true}), "may be in it more than once"},
			"doubled, new": {s.sum(name+"renewed", fuse.Request{In: all("", s.forge(in[name], name+"new.cf.parquet", false, renewed, nil))}), "is not signed by an owner"},
			"two tables":   {s.sum(name+"two", fuse.Request{In: all("", again)}), name + " is in it with 2 tables"},
			"weighted":     {s.sum(name+"weighted", fuse.Request{In: all(""), Weights: []fuse.Weight{{File: in[name], Weight: 3}}}), "the table of " + name + " has the weight 3, not 1"},
			"subtracted":   {s.sum(name+"minus", fuse.Request{In: all(""), Weights: []fuse.Weight{{File: in[name], Weight: -1}}}), "the table of " + name + " has the weight -1, not 1"},
			"replaced":     {s.sum(name+"replaced", fuse.Request{In: all(name, s.owned(name+"stranger", "stranger", 0))}), "whom " + s.policy + " does not list"},
			"unsigned":     {s.sum(name+"unsigned", fuse.Request{In: all(name, s.owned(name+"nobody", "", 0))}), "the table of " + name + " is not in it"},
			"altered":      {s.sum(name+"altered", fuse.Request{In: all(name, s.forge(in[name], name+"altered.in.cf.parquet", false, nil, spoil))}), unsigned},
			"renamed":      {s.sum(name+"renamed", fuse.Request{In: all(name, s.forge(in[name], name+"renamed.in.cf.parquet", false, func(t *ctfile.Table) { t.Source = other }, nil))}), "is not signed by an owner"},
			"no id":        {s.sum(name+"noid", fuse.Request{In: all(name, s.forge(in[name], name+"noid.in.cf.parquet", false, func(t *ctfile.Table) { t.TableID = "" }, nil))}), "tables without an id are in it: 1"},
		} {
			err := s.trusting(c.sum, s.policy)
			refused(t, err, c.want, "not what "+s.policy+" demands")
			if _, err := os.Stat(s.path("out.csv")); what == "dropped" && err == nil {
				if err := os.Remove(s.path("out.csv")); err != nil {
					t.Fatal(err)
				}
			}
		}
		// A signature that is kept beside other data is refused by everyone.
		for what, file := range map[string]string{
			"ciphertexts": s.forge(in[name], name+"k1.cf.parquet", true, nil, spoil),
			"source":      s.forge(in[name], name+"k2.cf.parquet", true, func(t *ctfile.Table) { t.Source = other }, nil),
			"id":          s.forge(in[name], name+"k3.cf.parquet", true, renewed, nil),
			"measures": s.forge(in[name], name+"k4.cf.parquet", true, func(t *ctfile.Table) {
				m := append([]ctfile.Measure{}, t.Measures...)
				for i := range m {
					m[i].Bound = "1"
				}
				t.Measures = m
			}, nil),
		} {
			_, err := s.tryFuse("x.cf.parquet", fuse.Request{In: all(name, file)})
			refused(t, err, "its signature is on another table")
			refused(t, s.trusting(file, s.policy), "its signature is on another table")
			_ = what
		}
	}
	// The parts of a table.
	parts := s.partFiles(in["c"], 2)
	refused(t, s.trusting(s.sum("half", fuse.Request{In: []string{in["a"], in["b"], parts[0]}}), s.policy), "the table of c is not in it with all its files")
	if err := s.trusting(s.sum("parts", fuse.Request{In: []string{in["a"], in["b"], parts[0], parts[1]}}), s.policy); err != nil {
		t.Errorf("all parts, one by one: %v", err)
	}
	// The sum itself.
	right := s.path("right.cf.parquet")
	relabel := func(t *ctfile.Table) {
		m := append([]ctfile.Measure{}, t.Measures...)
		m[0].Name, m[2].Name = m[2].Name, m[0].Name
		t.Measures = m
	}
	refused(t, s.trusting(s.forge(right, "r1.cf.parquet", true, nil, func(ct []byte) { copy(ct[len(ct)/2:], ct[:len(ct)/2]) }), s.policy), "its signature is on another table")
	refused(t, s.trusting(s.forge(right, "r2.cf.parquet", true, relabel, nil), s.policy), "its signature is on another table")
	refused(t, s.trusting(s.forge(right, "r3.cf.parquet", false, nil, nil), s.policy), "the sum is not signed by its aggregator")
	refused(t, s.trusting(s.fuse("r4.cf.parquet", fuse.Request{In: all(""), Sign: s.as("stranger")}), s.policy), "who is no aggregator in it")
	refused(t, s.trusting(s.fuse("r5.cf.parquet", fuse.Request{In: all(""), Sign: s.as("a")}), s.policy), "signed by a, who is no aggregator in it")
	refused(t, s.trusting(right, s.trustFile("two.txt", "owner a @a", "owner b @b", "aggregator x @aggregator")), "who is no owner in it")
	resigned := func(change func(*ctfile.Table)) string {
		t := s.inspect(right)
		carried, err := trust.Carried(right, t)
		if err != nil {
			s.Fatal(err)
		}
		r, err := ctfile.Open(context.Background(), blob.Local{}, right, column.ReadOptions{})
		if err != nil {
			s.Fatal(err)
		}
		defer r.Close()
		table := *t
		change(&table)
		name := s.path(fmt.Sprintf("resigned%d.cf.parquet", len(s.files())))
		w, err := ctfile.Create(context.Background(), blob.Local{}, name, table, r.Schema().Fields()[:1], ctfile.Options{Sign: trust.Seal{Signer: s.signers["aggregator"], Carried: carried}.Footer})
		if err != nil {
			s.Fatal(err)
		}
		defer w.Close()
		if _, err := column.Copy(context.Background(), w, r); err != nil {
			s.Fatal(err)
		}
		if err := w.Commit(context.Background()); err != nil {
			s.Fatal(err)
		}
		return name
	}
	refused(t, s.trusting(resigned(relabel), s.policy), "its measures are not those that its owners signed")
	refused(t, s.trusting(resigned(func(t *ctfile.Table) { t.Originals = t.Originals[1:] }), s.policy), "has a statement on table")
	refused(t, s.trusting(resigned(func(t *ctfile.Table) { t.Originals[0].Source = "x" }), s.policy), `is called that of "x"`)
	// What the aggregator is told.
	for want, files := range map[string][]string{
		"the table is not signed by its owner":    {in["a"], s.owned("nobody", "", 0)},
		"does not list, who is no owner in it":    {in["a"], s.owned("somebody", "stranger", 0)},
		"a is there with two tables":              {in["a"], s.owned("a3", "a", 0)},
		"the sum is not signed by its aggregator": {in["c"], s.path("r3.cf.parquet")},
	} {
		if strings.HasPrefix(want, "the sum") {
			files = []string{s.forge(first, "unsigned.cf.parquet", false, nil, nil), in["c"]}
		}
		_, err := s.tryFuse("x.cf.parquet", fuse.Request{In: files, Trust: s.policy})
		refused(t, err, want)
	}
}

// Who has the inputs finds out whether a sum is the right product, bit by bit.
func TestRecompute(t *testing.T) {
	s := newStudy(t)
	for _, layout := range []string{slots.Records, slots.Blocks} {
		a, b := s.owner("a"+layout, layout, 0), s.owner("b"+layout, layout, 0)
		again := func(sum string, in ...string) error {
			x, err := inspect.Recompute(context.Background(), job.Options{}, sum, in, 0, s.path("again.cf.parquet"))
			if err == nil && (x.Rows < 1 || x.Ciphertexts < 2 || len(x.Inputs) != len(in)) {
				t.Errorf("%+v", x)
			}
			return err
		}
		sum := s.sum(layout+"sum", fuse.Request{In: []string{a, b}})
		weighted := s.sum(layout+"weighted", fuse.Request{In: []string{a, b}, Weights: []fuse.Weight{{File: b, Weight: -3}}, Rerandomize: "never"})
		good := map[string][]string{sum: {b, a}, weighted: {a, b}}
		if layout == slots.Records {
			good[s.sum("total", fuse.Request{In: []string{a, b}, By: []string{}})] = []string{a, b}
			good[s.sum("in files", fuse.Request{In: []string{a, b}, RowsPerFile: 3})] = []string{a, b}
			good[s.sum("of sums", fuse.Request{In: []string{weighted, s.owner("c", layout, 0)}})] = []string{weighted, s.path("c.cf.parquet")}
		} else {
			refused(t, again(s.sum("blocks total", fuse.Request{In: []string{a, b}, By: []string{}}), a, b), "masked at random")
		}
		for file, in := range good {
			if err := again(file, in...); err != nil {
				t.Errorf("%s, %s: %v", layout, file, err)
			}
		}
		refused(t, again(sum, a), "its footer says something else")
		refused(t, again(sum, a, s.owner("d"+layout, layout, 0)), "is not in it")
		refused(t, again(s.sum(layout+"fresh", fuse.Request{In: []string{a, b}, Rerandomize: "always"}), a, b), "another ciphertext")
		refused(t, again(s.copyOf(sum, layout+"bound.cf.parquet", func(t *ctfile.Table) { t.AddsUsed = 3 }), a, b), "something else: adds_used")
		if layout == slots.Records { // the aggregator puts a's values in the place of the sum's, and signs
			r, err := ctfile.Open(context.Background(), blob.Local{}, a, column.ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			batch, err := r.Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			wrong := column.FixedBytes(batch.Column(1))
			refused(t, again(s.forge(sum, "wrong.cf.parquet", false, nil, func(ct []byte) { copy(ct, wrong) }), a, b), "another ciphertext")
			batch.Release()
			r.Close()
		}
	}
}

// Whoever expects a key refuses every other.
func TestPinnedKey(t *testing.T) {
	b := newBench(t, paillier.MHL)
	e := encrypt.Request{Spec: dataset.Spec{IDs: []string{"id"}, Measures: measures(t, "v:max=10")}, Fingerprint: b.key.Public().Fingerprint()}
	in := b.write("a.csv", "id,v\n1,2\n")
	b.encrypt(in, e)
	e.Fingerprint = strings.Repeat("0", 64)
	_, _, err := b.tryEncrypt(in, e)
	refused(t, err, "‹fingerprint› demands 0000")
	e.Fingerprint = "12ab"
	if _, _, err := b.tryEncrypt(in, e); err == nil || !strings.Contains(err.Error(), "is no fingerprint") {
		t.Errorf("%v", err)
	}
}
