package ringlwe

import (
	"errors"
	"fmt"
	"math/bits"
)

// Key is a member's key of one round: n ternary coefficients. It encrypts one vector. It may be used by several goroutines.
type Key struct {
	set          *Set
	coefficients []int64
	transformed  []factors // for each prime
}

// NewKey draws a key.
func (s *Set) NewKey(random *Stream) *Key {
	c := make([]int64, s.Degree)
	random.ternary(c)
	return s.key(c)
}

func (s *Set) key(coefficients []int64) *Key {
	k := &Key{set: s.ready(), coefficients: coefficients}
	for _, r := range s.rings {
		k.transformed = append(k.transformed, r.transformed(coefficients))
	}
	return k
}

// Erase forgets the key.
func (k *Key) Erase() {
	clear(k.coefficients)
	for _, f := range k.transformed {
		f.erase()
	}
}

// Encryptor encrypts blocks of one vector under a key. It serves one goroutine at a time.
type Encryptor struct {
	key    *Key
	public *Public
	random *Stream
	slots  []int64
	noise  []uint64
	a, m   []uint64
}

// NewEncryptor returns an Encryptor for blocks of the round whose public randomness is given.
func (k *Key) NewEncryptor(public *Public, random *Stream) *Encryptor {
	s := k.set
	if public.set != s {
		panic("ringlwe: a key and public randomness of different sets")
	}
	return &Encryptor{key: k, public: public, random: random, slots: make([]int64, s.BlockValues()),
		noise: make([]uint64, s.Degree), a: make([]uint64, s.Words()), m: make([]uint64, s.Words())}
}

// ErrValue says that a value is larger than the largest that a round allows.
var ErrValue = errors.New("a value is larger than the round allows")

// Encrypt writes a block of a vector as BlockBytes bytes. There are at most Capacity values, each of magnitude
// head.Check·head.Weight at most. Each block of a vector has a number of its own: two encryptions under one number tell the
// difference of their values.
func (e *Encryptor) Encrypt(dst []byte, block uint64, head Head, values []int64) error {
	s := e.key.set
	checkLen("bytes of a block", len(dst), s.BlockBytes())
	if len(values) > s.Capacity() {
		panic(fmt.Sprintf("ringlwe: %d values in a block of %d", len(values), s.Capacity()))
	}
	hi, lo := bits.Mul64(uint64(head.Weight), uint64(head.Check))
	if head.Weight < 1 || head.Check < 1 || hi != 0 || lo > uint64(s.SumMax()) {
		return fmt.Errorf("%w: weight %d and largest value %d", ErrNoRoom, head.Weight, head.Check)
	}
	// Whether any value is too large is told, which one is not.
	largest, over := int64(lo), int64(0)
	for _, x := range values {
		over |= (largest - x) | (largest + x)
	}
	if over < 0 {
		return ErrValue
	}
	e.slots[slotWeight], e.slots[slotCheck] = head.Weight, head.Check
	copy(e.slots[headSlots:], values)
	clear(e.slots[headSlots+len(values):])
	e.encrypt(dst, block)
	return nil
}

// encrypt encrypts e.slots.
func (e *Encryptor) encrypt(dst []byte, block uint64) {
	s := e.key.set
	e.random.words(e.noise)
	s.encode(e.m, e.slots, e.noise)
	e.public.element(e.a, block)
	n, size := s.Degree, s.residueBits()
	for k, r := range s.rings {
		m := e.m[k*n : (k+1)*n]
		r.forward(m)
		r.addProduct(m, e.a[k*n:(k+1)*n], e.key.transformed[k])
		pack(dst[k*n*size/8:(k+1)*n*size/8], m, size)
	}
}

// addProductGeneric adds products of values and constants to m, which are words as forward leaves them. The results are
// between 0 and p-1.
func (r *ring) addProductGeneric(m, a []uint64, f factors) {
	a, w, ratio := a[:len(m)], f.w[:len(m)], f.ratio[:len(m)]
	for j := range m {
		m[j] = r.reduce(m[j] + r.mulLazy(a[j], factor{w[j], ratio[j]}))
	}
}

// Opener opens sums of ciphertexts with the same sum of keys. It serves one goroutine at a time.
type Opener struct {
	set    *Set
	sum    []factors
	public *Public
	a      []uint64
	packed *Sum
}

// NewOpener returns an Opener. keys are the n coefficients of the sum of the members' keys, with the weights of the sum.
func (s *Set) NewOpener(public *Public, keys []int64) *Opener {
	s.ready()
	checkLen("coefficients of a sum of keys", len(keys), s.Degree)
	if public.set != s {
		panic("ringlwe: a sum of keys and public randomness of different sets")
	}
	o := &Opener{set: s, public: public, a: make([]uint64, s.Words()), packed: s.NewSum()}
	for _, r := range s.rings {
		o.sum = append(o.sum, r.transformed(keys))
	}
	return o
}

// ErrCheck says that an opened block does not have the check that it must have.
var ErrCheck = errors.New("the check value of a block is wrong: members, keys or the round do not belong together, or the noise is too large")

// Open reads the sums of a block's values into values, Capacity of them, and returns the sum of the weights D. check is the
// check that it must have: the largest value L times the sum of the weights α of ciphertexts. It returns ErrResidue or
// ErrCheck.
func (o *Opener) Open(values []int64, block uint64, sum []byte, check int64) (weights int64, err error) {
	s := o.set
	slots := make([]int64, s.BlockValues())
	if err := o.open(slots, block, sum); err != nil {
		return 0, err
	}
	if slots[slotCheck] != check {
		return 0, ErrCheck
	}
	checkLen("values of a block", len(values), s.Capacity())
	copy(values, slots[headSlots:])
	return slots[slotWeight], nil
}

// open reads all slots of a block.
func (o *Opener) open(slots []int64, block uint64, sum []byte) error {
	s := o.set
	o.packed.Reset()
	if err := o.packed.Add(sum, 1); err != nil {
		return err
	}
	o.public.element(o.a, block)
	n := s.Degree
	for k, r := range s.rings {
		m := o.packed.words[k*n : (k+1)*n]
		a, f := o.a[k*n:(k+1)*n], o.sum[k]
		for j := range m {
			m[j] += 2*r.p - r.mulLazy(a[j], f.at(j))
			m[j] = r.reduce(m[j])
		}
		r.backward(m)
	}
	s.decode(slots, o.packed.words)
	return nil
}
