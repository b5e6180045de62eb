package ringlwe

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// reference are known answers of a program in Python that computes with integers of any size. Public randomness in them is
// expanded by an AES of its own.
type reference struct {
	Transforms []struct {
		N             int
		P             uint64
		A, B, Forward []uint64
		Product       []uint64
		SHA256        string
	}
	PSA []struct {
		N           int
		P           uint64
		LogT        int
		Weights     []uint64
		A           []uint64
		Keys, Noise [][]int64
		Values      [][]int64
		Ciphertexts [][]uint64
		Sum         []uint64
		Opened      []int64
	}
	Shares struct {
		P                  uint64
		Key                []int64
		Polynomials        [][]uint64
		Members, Threshold int
		Shares             [][]uint64
		Helpers            []int
		Lagrange           []uint64
	}
	Quantiser []struct {
		Clip      float64
		Bits      int
		Numbers   []float64
		U         []uint64
		Quantised []int64
	}
	Fields []struct {
		Residues []uint64
		Fields   []int64
	}
	Public []struct {
		Set, Network string
		Round, Block uint64
		First        []uint64
		SHA256       string
	}
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func digest(words []uint64) string {
	var b []byte
	for _, x := range words {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// forwardReduced is the transform with values below p.
func forwardReduced(r *ring, a []uint64) []uint64 {
	a = slices.Clone(a)
	r.forward(a)
	for i := range a {
		a[i] = r.reduce(a[i])
	}
	return a
}

func TestReferenceTransforms(t *testing.T) {
	for _, v := range readReference(t).Transforms {
		r := newRing(v.N, v.P)
		if v.A == nil {
			a := make([]uint64, v.N)
			for i := range a {
				i := uint64(i)
				a[i] = (r.mulVarTime(i*i%v.P, 12345678901%v.P) + i*987654321 + 7) % v.P
			}
			if got := digest(forwardReduced(r, a)); got != v.SHA256 {
				t.Errorf("degree %d modulo %d: the transform is another one", v.N, v.P)
			}
			continue
		}
		if got := forwardReduced(r, v.A); !slices.Equal(got, v.Forward) {
			t.Errorf("degree %d modulo %d: transform %d, not %d", v.N, v.P, got, v.Forward)
		}
		if got := multiply(r, v.A, v.B); !slices.Equal(got, v.Product) {
			t.Errorf("degree %d modulo %d: product %d, not %d", v.N, v.P, got, v.Product)
		}
	}
}

// multiply is the product of two elements, by transforms.
func multiply(r *ring, a, b []uint64) []uint64 {
	f := r.factors(forwardReduced(r, b))
	x := forwardReduced(r, a)
	for j := range x {
		x[j] = r.mulLazy(x[j], f.at(j))
	}
	r.backward(x)
	return x
}

func TestReferencePublic(t *testing.T) {
	for _, v := range readReference(t).Public {
		s := SetByName(v.Set)
		e := s.NewPublic(v.Network, v.Round)
		got := make([]uint64, s.Words())
		e.element(got, v.Block)
		if !slices.Equal(got[:len(v.First)], v.First) || digest(got) != v.SHA256 {
			t.Errorf("%s, network %q, round %d, block %d: begins %d, not %d", v.Set, v.Network, v.Round, v.Block, got[:len(v.First)], v.First)
		}
	}
}

// noiseWord is a word of random bits whose noise is e.
func noiseWord(e int64) uint64 {
	if e < 0 {
		return (1<<-e - 1) << NoiseBound
	}
	return 1<<e - 1
}

func TestReferencePSA(t *testing.T) {
	for _, v := range readReference(t).PSA {
		t.Run(fmt.Sprintf("degree %d", v.N), func(t *testing.T) {
			s := (&Set{Name: "test", Degree: v.N, Primes: []uint64{v.P}, LogT: v.LogT, Fields: 1}).ready()
			r := s.rings[0]
			sum, keys := s.NewSum(), make([]int64, v.N)
			for i, want := range v.Ciphertexts {
				noise := make([]uint64, v.N)
				for j, e := range v.Noise[i] {
					noise[j] = noiseWord(e)
				}
				c := make([]uint64, v.N)
				s.encode(c, v.Values[i], noise)
				r.forward(c)
				r.addProduct(c, v.A, r.transformed(v.Keys[i]))
				if !slices.Equal(c, want) {
					t.Fatalf("member %d: ciphertext %d, not %d", i, c, want)
				}
				b := make([]byte, s.BlockBytes())
				pack(b, c, s.residueBits())
				if err := sum.Add(b, v.Weights[i]); err != nil {
					t.Fatal(err)
				}
				for j, x := range v.Keys[i] {
					keys[j] += x * int64(v.Weights[i])
				}
			}
			b := make([]byte, s.BlockBytes())
			sum.Bytes(b)
			if !slices.Equal(sum.words, v.Sum) {
				t.Fatalf("sum %d, not %d", sum.words, v.Sum)
			}
			f := r.transformed(keys)
			for j := range sum.words {
				sum.words[j] = r.reduce(sum.words[j] + 2*r.p - r.mulLazy(v.A[j], f.at(j)))
			}
			r.backward(sum.words)
			got := make([]int64, v.N)
			s.decode(got, sum.words)
			if !slices.Equal(got, v.Opened) {
				t.Fatalf("opened %d, not %d", got, v.Opened)
			}
		})
	}
}

func TestReferenceShares(t *testing.T) {
	v := readReference(t).Shares
	s := (&Set{Name: "test", Degree: len(v.Key), Primes: []uint64{v.P}, LogT: 32, Fields: 1}).ready()
	coefficients := make([]uint64, 0, s.Degree*(v.Threshold-1))
	for d := 1; d < v.Threshold; d++ {
		for _, p := range v.Polynomials {
			coefficients = append(coefficients, p[d])
		}
	}
	shares, err := s.key(v.Key).Share(v.Members, v.Threshold, &Stream{source: &replay{words: coefficients}})
	if err != nil {
		t.Fatal(err)
	}
	var answers []Answer
	for h, want := range v.Shares {
		got := make([]uint64, s.Degree)
		if !addPacked(got, shares[h], s.residueBits(), v.P, 1) || !slices.Equal(got, want) {
			t.Errorf("share %d: %d, not %d", h+1, got, want)
		}
		if slices.Contains(v.Helpers, h+1) {
			answers = append(answers, Answer{h + 1, shares[h]})
		}
	}
	if got, err := s.KeySum(answers, 1); err != nil || !slices.Equal(got, v.Key) {
		t.Errorf("key %d, %v, not %d", got, err, v.Key)
	}
}

// replay is a source of given words.
type replay struct{ words []uint64 }

func (r *replay) Uint64() uint64 {
	x := r.words[0]
	r.words = r.words[1:]
	return x
}

func TestReferenceQuantiser(t *testing.T) {
	for _, v := range readReference(t).Quantiser {
		q, err := NewQuantizer(v.Clip, v.Bits)
		if err != nil {
			t.Fatal(err)
		}
		// The reference rounds up when u is below the fraction, this when the fraction and 2^32-1-u carry.
		var words []uint64
		for i := 0; i < len(v.U); i += 2 {
			w := ^v.U[i] & (1<<32 - 1)
			if i+1 < len(v.U) {
				w |= ^v.U[i+1] << 32
			} else {
				w <<= 32
			}
			words = append(words, w)
		}
		got := make([]int64, len(v.Numbers))
		q.Float64(got, v.Numbers, &Stream{source: &replay{words}})
		if !slices.Equal(got, v.Quantised) {
			t.Errorf("clip %g, %d bits: %d, not %d", v.Clip, v.Bits, got, v.Quantised)
		}
	}
}

func TestReferenceFields(t *testing.T) {
	s := SetByName("R-2").ready()
	residues, slots := make([]uint64, s.Words()), make([]int64, s.BlockValues())
	all := readReference(t).Fields
	for j, v := range all {
		residues[j], residues[s.Degree+j] = v.Residues[0], v.Residues[1]
	}
	s.decode(slots, residues)
	for j, v := range all {
		for i, want := range v.Fields {
			if got := slots[i*s.Degree+j]; got != want {
				t.Errorf("coefficient %d, field %d: %d, not %d", j, i, got, want)
			}
		}
	}
}
