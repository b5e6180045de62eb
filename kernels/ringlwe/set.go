package ringlwe

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

// NoiseBound is the largest absolute value of a coefficient of noise: eta of the centred binomial distribution, whose
// variance is eta/2 = 10.5.
const NoiseBound = 21

// Set is a set of parameters: ring, moduli, and how values lie in coefficients. It is not changed after it is made.
type Set struct {
	Name     string
	Degree   int      // n, a power of two
	Primes   []uint64 // of the ciphertext modulus p, each 1 modulo 2n and below 2^50
	LogT     int      // t = 2^LogT is the plaintext modulus
	Fields   int      // values in a coefficient
	Security string   // of the key, by the tables of 2024

	once  sync.Once
	rings []*ring
	crt   crt
	shift []factor // of two primes: the place of the high fields of a coefficient
}

// The primes of 50 bits are the largest k·2^33+1 below 2^50; that of 40 bits is 1 modulo 2^13.
const (
	prime50a = 1125625028935681
	prime50b = 1125487589982209
	prime40  = 1099511480321
)

// sets are those that can be asked for. R-1w is R-1 with room for weights chosen after upload, of four bits and more.
var sets = []*Set{
	{Name: "R-1", Degree: 2048, Primes: []uint64{prime50a}, LogT: 32, Fields: 1, Security: "128 bits, classical"},
	{Name: "R-1w", Degree: 2048, Primes: []uint64{prime50a}, LogT: 36, Fields: 1, Security: "128 bits, classical"},
	{Name: "R-1p", Degree: 2048, Primes: []uint64{prime50a}, LogT: 40, Fields: 2, Security: "128 bits, classical"},
	{Name: "R-Q", Degree: 2048, Primes: []uint64{prime40}, LogT: 32, Fields: 1, Security: "128 bits, quantum"},
	{Name: "R-2", Degree: 4096, Primes: []uint64{prime50a, prime50b}, LogT: 88, Fields: 4, Security: "128 bits, classical"},
	{Name: "R-2Q", Degree: 4096, Primes: []uint64{prime50a}, LogT: 40, Fields: 2, Security: "128 bits, quantum"},
}

// Sets are all sets, the default first.
func Sets() []*Set { return append([]*Set{}, sets...) }

// SetByName returns the set of that name, or nil.
func SetByName(name string) *Set {
	for _, s := range sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// FieldBits is the size of a value's field in bits. A sum must be below 2^(FieldBits-1) in magnitude.
func (s *Set) FieldBits() int { return s.LogT / s.Fields }

// SumMax is the largest magnitude that a sum of values may have.
func (s *Set) SumMax() int64 { return 1<<(s.FieldBits()-1) - 1 }

// Words is the length of an element of the ring: degree times primes.
func (s *Set) Words() int { return s.Degree * len(s.Primes) }

// BlockValues is how many values a block holds, with those of its head.
func (s *Set) BlockValues() int { return s.Degree * s.Fields }

// residueBits is the size of a packed residue.
func (s *Set) residueBits() int { return bits.Len64(s.Primes[0]) }

// BlockBytes is the size of a packed block.
func (s *Set) BlockBytes() int { return s.Words() * s.residueBits() / 8 }

// KeyBytes is the size of a packed share of a key, and of an answer: n residues of the first prime.
func (s *Set) KeyBytes() int { return s.Degree * s.residueBits() / 8 }

// ErrNoRoom says that sums could leave the room that a set has for them.
var ErrNoRoom = errors.New("no room")

// CheckSum refuses values whose sum does not fit a field: of magnitude `largest` each, with weights whose sum is at most
// `weights`. Sums are exact up to the bound and refused beyond. The error is an ErrNoRoom.
func (s *Set) CheckSum(largest, weights uint64) error {
	if hi, lo := bits.Mul64(largest, weights); hi != 0 || lo > uint64(s.SumMax()) {
		return fmt.Errorf("%w: sums of values up to %d with weights of %d in all do not stay below 2^%d", ErrNoRoom, largest, weights, s.FieldBits()-1)
	}
	return nil
}

// CheckNoise refuses openings whose noise could reach half the modulus. weights are the integers that ciphertexts are
// multiplied with. `certain` is whether no noise whatever can reach it. Otherwise a coefficient is wrong with probability
// 2^-64 at most: noise is a sum of 42·Σα² variables ±1/2, and by Hoeffding's inequality exceeds 9.5 standard deviations
// that rarely. The error is an ErrNoRoom.
func (s *Set) CheckNoise(weights []uint64) (certain bool, err error) {
	const tooLarge = 1 << 24 // a sum of fewer and smaller weights has squares that fit a word
	var sum, squares uint64
	for _, w := range weights {
		if sum += w; w >= tooLarge || sum >= tooLarge {
			return false, fmt.Errorf("%w: weights of more than %d in all", ErrNoRoom, tooLarge)
		}
		squares += w * w
	}
	room := s.noiseRoom()
	if NoiseBound*sum <= room {
		return true, nil
	}
	// 9.5·√(10.5·Σα²) <= room, squared, times 8: 8·90.25·10.5 = 7581.
	hi, lo := bits.Mul64(squares, 7581)
	roomHi, roomLo := bits.Mul64(room, 8*room)
	if hi > roomHi || hi == roomHi && lo > roomLo {
		return false, fmt.Errorf("%w: the noise of %d weights with squares of %d in all does not stay below half the modulus of %s", ErrNoRoom, len(weights), squares, s.Name)
	}
	return false, nil
}

// noiseRoom is the largest sum of noise for which t·(noise+1/2) < p/2 for sure, rounded down to below 2^28, which is more than
// weights can use.
func (s *Set) noiseRoom() uint64 {
	hi, lo := uint64(0), s.Primes[0]
	if len(s.Primes) == 2 {
		hi, lo = bits.Mul64(s.Primes[0], s.Primes[1])
	}
	// floor((p - t) / 2t) = floor((p>>LogT - 1) / 2)
	q := lo >> s.LogT
	if s.LogT >= 64 {
		q = hi >> (s.LogT - 64)
	} else if hi != 0 {
		q |= hi << (64 - s.LogT)
	}
	if q == 0 {
		return 0
	}
	return min((q-1)/2, 1<<28)
}

// ready makes the tables of the rings, once.
func (s *Set) ready() *Set {
	s.once.Do(func() {
		for _, p := range s.Primes {
			s.rings = append(s.rings, newRing(s.Degree, p))
		}
		if len(s.Primes) == 2 {
			s.crt = newCRT(s.rings[0], s.rings[1])
			low, _ := s.split()
			for _, r := range s.rings {
				s.shift = append(s.shift, r.factor(1<<(low*s.FieldBits())))
			}
		}
	})
	return s
}
