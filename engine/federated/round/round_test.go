package round

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/thoroughtest"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/kernels/ringlwe"
)

// identities are made once: they take a while.
var identities = sync.OnceValue(func() []*Identity {
	var list []*Identity
	for i := range 4 {
		id, err := NewIdentity(fmt.Sprintf("h%d", i+1))
		if err != nil {
			panic(err)
		}
		list = append(list, id)
	}
	return list
})

// valid is a round that is as it should be.
func valid() Round {
	r := Round{Network: "net", Number: 1, SetName: "R-1", Parameters: 100, Clip: 1, Bits: 16}
	for _, id := range identities() {
		r.Members = append(r.Members, Member{Card: id.Card(), WeightMax: 5})
	}
	return r
}

func TestRoundRefusals(t *testing.T) {
	if _, err := New(valid()); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		change func(*Round)
		want   string
	}{
		"no network":         {func(r *Round) { r.Network = "" }, "network's name"},
		"control characters": {func(r *Round) { r.Network = "a\x1b[2J" }, "network's name"},
		"long name":          {func(r *Round) { r.Network = strings.Repeat("x", 101) }, "network's name"},
		"set":                {func(r *Round) { r.SetName = "R-9" }, `there is no ‹set› "R-9"`},
		"no parameters":      {func(r *Round) { r.Parameters = 0 }, "‹parameters› 0"},
		"many parameters":    {func(r *Round) { r.Parameters = 1<<40 + 1 }, "‹parameters›"},
		"two members":        {func(r *Round) { r.Members = r.Members[:2] }, "2 members"},
		"same member":        {func(r *Round) { r.Members[1] = r.Members[0] }, `"h1" comes twice`},
		"norm":               {func(r *Round) { r.NormMax = -1 }, "‹norm_max›"},
		"norm of NaN":        {func(r *Round) { r.NormMax = math.NaN() }, "‹norm_max›"},
		"minimum of two":     {func(r *Round) { r.Minimum = 2 }, "‹minimum› 2 is not 3 to 4"},
		"minimum of five":    {func(r *Round) { r.Minimum = 5 }, "‹minimum› 5"},
		"threshold of two":   {func(r *Round) { r.Threshold = 2 }, "‹threshold› 2 of 4 members: it must be 3 to 3"},
		"threshold of four":  {func(r *Round) { r.Threshold = 4 }, "‹threshold› 4"},
		"alpha":              {func(r *Round) { r.AlphaMax = 8192 / 4 }, "‹alpha_max›"},
		"clip":               {func(r *Round) { r.Clip = 0 }, "clip at 0"},
		"bits":               {func(r *Round) { r.Bits = 31 }, "31 bits"},
		"negative weight":    {func(r *Round) { r.Members[2].WeightMax = -1 }, "‹weight_max› -1"},
		"sums":               {func(r *Round) { r.Bits = 30 }, "no room"}, // 20·(2^29-1) is above 2^31
		"sums by weights":    {func(r *Round) { r.AlphaMax = 2000; r.Members[0].WeightMax = 50 }, "no room"},
		"noise":              {func(r *Round) { r.SetName, r.Bits, r.AlphaMax = "R-Q", 8, 3 }, "half the modulus"},
		"bad key":            {func(r *Round) { r.Members[0].Seal = r.Members[0].Seal[1:] }, "to seal to is damaged"},
		"bad signing key":    {func(r *Round) { r.Members[0].Sign = r.Members[0].Sign[1:] }, "31 bytes"},
	} {
		r := valid()
		test.change(&r)
		_, err := New(r)
		var misuse *job.UsageError
		if !errors.As(err, &misuse) || !strings.Contains(err.Error(), test.want) || misuse.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Sums that fit exactly, and one more.
	r := valid()
	r.SetName, r.Bits = "R-2", 22 // L = 2^21-1, sums up to 2^21-1
	for i := range r.Members {
		r.Members[i].WeightMax = 1
	}
	if _, err := New(r); err == nil {
		t.Error("four values of 22 bits fit a field of 22")
	}
	r.Bits = 20 // 4·(2^19-1) < 2^21
	if _, err := New(r); err != nil {
		t.Error(err)
	}
	r.Members[3].WeightMax = 2
	if _, err := New(r); err == nil {
		t.Error("weights of 5 with values of 20 bits fit a field of 22")
	}
}

// Thresholds are safe for every number of members: any two sets of helpers share one that is not faulty, and so many are left
// when the faulty ones are gone.
func TestThresholds(t *testing.T) {
	for n := 3; n <= ringlwe.MembersMax; n++ {
		f, threshold := Faulty(n), ThresholdFor(n)
		if 2*threshold-n <= f || threshold > n-f {
			t.Errorf("%d members, %d of them faulty: %d answer", n, f, threshold)
		}
	}
	if ThresholdFor(6) != 4 || ThresholdFor(3) != 2 || ThresholdFor(50) != 34 {
		t.Error(ThresholdFor(6), ThresholdFor(3), ThresholdFor(50))
	}
}

func TestFiles(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	id := identities()[0]
	// Making a key from a passphrase takes seconds, by intention; package keys tests that, too.
	for _, passphrase := range thoroughtest.Pick([]string{""}, []string{"", "a passphrase for tests"}) {
		sub := filepath.Join(dir, "keys"+passphrase)
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		var given []byte
		if passphrase != "" {
			given = []byte(passphrase)
		}
		card, secret, err := id.Write(ctx, job.Options{}, sub, given)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", secret, info.Mode(), err)
		}
		read, err := ReadCard(ctx, blob.Local{}, card)
		if err != nil || read.Fingerprint() != id.Card().Fingerprint() {
			t.Errorf("card %v, %v", read, err)
		}
		again, err := ReadIdentity(ctx, blob.Local{}, secret, func() ([]byte, error) { return []byte(passphrase), nil })
		if err != nil {
			t.Fatal(err)
		}
		if again.Card().Fingerprint() != id.Card().Fingerprint() || !id.Card().verify("p", []byte("x"), again.signature("p", []byte("x"))) {
			t.Error("the keys are others when they are read")
		}
		sealed, err := id.Card().sealTo("p", []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := again.open("p", sealed); err != nil || string(b) != "secret" {
			t.Errorf("%q, %v", b, err)
		}
		if _, err := again.open("q", sealed); err == nil {
			t.Error("what is sealed for one purpose is opened for another")
		}
	}
	if id.Card().verify("q", []byte("x"), id.signature("p", []byte("x"))) {
		t.Error("a signature for one purpose is good for another")
	}
	r, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "round.json")
	if err := r.Write(ctx, job.Options{}, name); err != nil {
		t.Fatal(err)
	}
	read, err := Read(ctx, blob.Local{}, name)
	if err != nil || read.Digest() != r.Digest() || len(read.Digest()) != 64 {
		t.Fatal(read, err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.json")
	for what, text := range map[string]string{
		"a table":       "g\n1\n",
		"empty":         "",
		"another field": strings.Replace(string(data), `"round": 1`, `"round": 1, "also": 2`, 1),
		"twice":         strings.Replace(string(data), `"round": 1`, `"round": 1, "round": 2`, 1),
		"a bound":       strings.Replace(string(data), `"bits": 16`, `"bits": 30`, 1),
		"cut off":       string(data[:len(data)/2]),
		"a name":        strings.Replace(string(data), `"name": "h2"`, `"name": "h1"`, 1),
		"a card":        strings.Replace(string(data), `"cipherfold": "federated round 1"`, `"cipherfold": "member card 1"`, 1),
	} {
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var refused *column.InputError
		if _, err := Read(ctx, blob.Local{}, bad); !errors.As(err, &refused) || refused.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
		for _, read := range []func() error{
			func() error { _, err := ReadCard(ctx, blob.Local{}, bad); return err },
			func() error { _, err := ReadIdentity(ctx, blob.Local{}, bad, nil); return err },
			func() error { _, err := r.ReadShares(ctx, blob.Local{}, bad); return err },
			func() error { _, err := r.ReadAnswer(ctx, blob.Local{}, bad); return err },
		} {
			if err := read(); !errors.As(err, &refused) || refused.Hint == "" {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for _, name := range []string{"", "a\nb", strings.Repeat("y", 200)} {
		if _, err := NewIdentity(name); err == nil {
			t.Errorf("a member is called %q", name)
		}
	}
	if got := fileName("../x y/ü"); strings.ContainsAny(got, "/ ") || strings.HasPrefix(got, ".") {
		t.Errorf("a file is called %q", got)
	}
}

// Two programs that answer at the same time, for two sums, do not both succeed.
func TestAnsweredTogether(t *testing.T) {
	r, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	a := Answered{File: filepath.Join(t.TempDir(), "answered")}
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			errs[i] = a.Record(context.Background(), r, Opening{RoundSHA256: r.Digest(), Inputs: []Input{{"h1", "", uint64(1 + i%2)}}})
		})
	}
	all.Wait()
	won := map[int]int{}
	for i, err := range errs {
		if err == nil {
			won[i%2]++
		}
	}
	if len(won) != 1 {
		t.Errorf("answers for two sums: %v", errs)
	}
	lines, _, err := a.read(context.Background())
	if err != nil || len(lines) != 1 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	// Another round is another matter.
	other := valid()
	other.Number = 2
	o, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Record(context.Background(), o, Opening{RoundSHA256: o.Digest()}); err != nil {
		t.Error(err)
	}
}

// FuzzDescription: any bytes are a description or refused.
func FuzzDescription(f *testing.F) {
	r, err := New(valid())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.text())
	f.Add([]byte("{}"))
	name := filepath.Join(f.TempDir(), "round.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(context.Background(), blob.Local{}, name)
		var refused *column.InputError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if err == nil && !slices.ContainsFunc(ringlwe.Sets(), func(s *ringlwe.Set) bool { return s.Name == got.SetName }) {
			t.Fatal(got)
		}
	})
}
