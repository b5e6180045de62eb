package bigmod

import "fmt"

// Vec is a vector of Len residues in the layout of the Ring that made it with NewVec. Only that Ring reads or writes
// Words; two Vecs never overlap in part, they are the same or disjoint.
type Vec struct {
	Len   int
	Words []uint64
}

// Ring is arithmetic modulo one Modulus m on vectors of residues. Every residue is canonical (0 <= x < m) between
// calls. The Montgomery form of x is x·R mod m, where R is a power of two of the implementation's choice.
//
// Operands of one call have equal Len (which may be 0) unless stated otherwise; another length, or a Vec of another
// ring, is a programmer's error and panics. Results may be the same Vec as any operand unless stated otherwise.
// Everything is constant time in the residues unless stated otherwise. A Ring is read-only after construction and
// safe for concurrent use; the Vecs are the caller's to guard. No method allocates in proportion to the number of
// elements in its steady state, except NewVec and NewTable.
type Ring interface {
	// Name is the name of the implementation, such as "generic".
	Name() string
	// Modulus is the modulus m.
	Modulus() *Modulus
	// NewVec makes a vector of n >= 0 zeros.
	NewVec(n int) *Vec

	// SetBytes reads z.Len big-endian values of Modulus().Size() bytes each; value i is be[i*Size():(i+1)*Size()].
	// It returns a *RangeError for the first value that is not below the modulus; z is then unspecified. The
	// position of that value leaks, no other value does. It panics unless len(be) == z.Len*Size().
	SetBytes(z *Vec, be []byte) error
	// Bytes writes x as big-endian values of Modulus().Size() bytes each. It panics unless
	// len(be) == x.Len*Size().
	Bytes(be []byte, x *Vec)
	// SetWords reads z.Len values of Modulus().Limbs() little-endian words each; value i is
	// w[i*Limbs():(i+1)*Limbs()]. Values must be below the modulus; this is not checked. It panics unless
	// len(w) == z.Len*Limbs().
	SetWords(z *Vec, w []uint64)
	// Words writes x as Modulus().Limbs() little-endian words each. It panics unless len(w) == x.Len*Limbs().
	Words(w []uint64, x *Vec)
	// SetWide reads z.Len values of any size, w[i*limbs:(i+1)*limbs] in little-endian words, reduced modulo m. It
	// panics unless 0 <= limbs <= 2*Modulus().Limbs() and len(w) == z.Len*limbs.
	SetWide(z *Vec, w []uint64, limbs int)

	// ToMont sets z = x·R mod m.
	ToMont(z, x *Vec)
	// FromMont sets z = x·R⁻¹ mod m.
	FromMont(z, x *Vec)
	// Mul sets z = x·y·R⁻¹ mod m element by element: the product of two values in Montgomery form, in
	// Montgomery form; or the plain product of a plain value with one in Montgomery form.
	Mul(z, x, y *Vec)
	// Sqr sets z = x·x·R⁻¹ mod m.
	Sqr(z, x *Vec)
	// MulElem sets z = x·c·R⁻¹ mod m for the one element c (c.Len == 1, else it panics). c may be z or x when
	// those have one element too.
	MulElem(z, x, c *Vec)
	// Add sets z = x+y mod m.
	Add(z, x, y *Vec)
	// Sub sets z = x-y mod m.
	Sub(z, x, y *Vec)

	// Exp sets z = x^e in Montgomery form, x being in Montgomery form. e is one exponent for all elements,
	// big-endian, and secret: only len(e) leaks. The exponent 0 (and the empty one) gives 1, also for x = 0.
	Exp(z, x *Vec, e []byte)
	// ExpVarTime is Exp for a public exponent: it leaks e, but nothing about x.
	ExpVarTime(z, x *Vec, e []byte)
	// NewTable precomputes powers of base, a big-endian value below the modulus, for exponents of up to bits >= 1
	// bits. It panics when base or bits is out of range. It is constant time in base.
	NewTable(base []byte, bits int) Table

	// MulAt sets z[zi[j]] = z[zi[j]]·x[xi[j]]·R⁻¹ mod m for every j. The zi must be distinct within one call (not
	// checked), while the xi may repeat; z and x may differ in length and may be the same Vec only when no index
	// occurs in both zi and xi. It panics when len(zi) != len(xi) or an index is out of range. The indices leak.
	MulAt(z *Vec, zi []int32, x *Vec, xi []int32)
	// CopyAt sets z[zi[j]] = x[xi[j]] for every j, under the conditions of MulAt. The indices leak.
	CopyAt(z *Vec, zi []int32, x *Vec, xi []int32)
	// MulRPow sets z[i] = z[i]·R^n[i] mod m. It repairs chains of Mul on values outside Montgomery form: a chain
	// of n Muls over n+1 plain values yields x0·...·xn·R^-n, and MulRPow with n makes that the plain product. It
	// panics unless len(n) == z.Len. The counts n leak. Powers are kept for later calls, in bounded memory.
	MulRPow(z *Vec, n []uint32)
	// InverseVarTime sets z = x⁻¹ mod m, all values outside Montgomery form, at the cost of one extended gcd and
	// about three multiplications per element (Montgomery's trick). When some element shares a factor with m
	// (such as 0), it returns a *NotInvertibleError naming the first such element and leaves z alone. It may leak
	// x and m.
	InverseVarTime(z, x *Vec) error
}

// Table holds precomputed powers of one base. It is read-only after construction and safe for concurrent use.
type Table interface {
	// Exp sets z[i] = base^e_i in Montgomery form, where e_i is the big-endian value
	// e[i*k:(i+1)*k], k = ceil(Bits()/8), which must be below 2^Bits() (not checked; z is unspecified otherwise).
	// It panics unless len(e) == k*z.Len. It is constant time in e and in the base: all rows of a window are
	// read for each exponent.
	Exp(z *Vec, e []byte)
	// Bits is the length of the exponents in bits.
	Bits() int
	// Bytes is the memory held, in bytes.
	Bytes() int64
}

// TablePlanner is a Ring that can make a table in pieces: by several goroutines, or from what an earlier table held.
type TablePlanner interface {
	Ring
	// PlanTable plans a table for exponents of up to bits >= 1 bits: the one of NewTable if it takes at most limit bytes
	// of memory, else the fastest one that does, else the smallest one. It panics when bits < 1.
	PlanTable(bits int, limit int64) TablePlan
}

// TablePlan is a table in the making. Its pieces are filled one by one, by Make or by the caller, in any order and several
// at a time, each by one goroutine.
type TablePlan interface {
	// Pieces is the number of pieces, of about equal work.
	Pieces() int
	// Bytes is the memory that the table will hold.
	Bytes() int64
	// Layout names all that the contents of Words depend on beside the modulus and the base: tables of one implementation
	// with equal layouts can be copied.
	Layout() string
	// SetBase says whose powers the table holds: a big-endian value below the modulus, else it panics. Make needs it.
	SetBase(base []byte)
	// Make computes a piece. It is constant time in the base.
	Make(piece int)
	// Words is the memory of a piece, which the table will use and which nobody may write once Table has been called.
	// Contents that Make did not write give a table of arbitrary numbers, which may not be residues: whoever loads pieces
	// checks them before. Reading such a table does no other harm.
	Words(piece int) []uint64
	// Table returns the table, all of whose pieces must have been filled.
	Table() Table
}

// Implementation is a way to compute in rings. All implementations give identical results through Bytes and Words.
type Implementation struct {
	// Name identifies the implementation, such as "generic".
	Name string
	// Available says whether this machine can run it; New must not be called otherwise.
	Available bool
	// Why is one line for people: what the implementation needs or why it is not available.
	Why string
	// New makes the ring of a modulus.
	New func(*Modulus) Ring
	// NewSquare makes the ring of root², of at most MaxBits bits, faster than that of New; nil when there is none.
	NewSquare func(root *Modulus) Ring
}

// RangeError says that a value given as a residue is not below the modulus.
type RangeError struct {
	Index int // of the first such value in the vector, from 0
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("bigmod: value %d is not below the modulus", e.Index)
}

// NotInvertibleError says that a residue shares a factor with the modulus.
type NotInvertibleError struct {
	Index int // of the first such element in the vector, from 0
}

func (e *NotInvertibleError) Error() string {
	return fmt.Sprintf("bigmod: element %d has no inverse modulo the modulus", e.Index)
}
