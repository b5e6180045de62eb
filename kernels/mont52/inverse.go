package mont52

import (
	"math/big"

	"github.com/cipherfold/cipherfold/bigmod"
)

// InverseVarTime multiplies the elements up, lane by lane, inverts the product of everything, and divides the elements
// out again (Montgomery's trick, Speeding the Pollard and elliptic curve methods of factorization, 1987, section 10.3.1).
func (r *ring) InverseVarTime(z, x *bigmod.Vec) error {
	r.check("InverseVarTime", z.Len, z, x)
	if x.Len == 0 {
		return nil
	}
	s := r.take()
	defer r.give(s)
	n := groups(x.Len)

	// prefix i is x0·...·xi in Montgomery form, for each lane; lanes beyond the end take 1.
	prefix := r.newGroups(n)
	xm := r.newGroups(n)
	for g := range n {
		r.mul(r.group(xm, g), r.group(x.Words, g), r.rr, s, canonical)
	}
	for l := (x.Len-1)%lanes + 1; l < lanes; l++ {
		last := r.group(xm, n-1)
		for j := range r.k {
			last[lanes*j+l] = r.one[lanes*j]
		}
	}
	copy(r.group(prefix, 0), r.group(xm, 0))
	for g := 1; g < n; g++ {
		r.mul(r.group(prefix, g), r.group(prefix, g-1), r.group(xm, g), s, canonical)
	}

	// inv, the inverse of the last prefix, lane by lane: 8 numbers, by the ordinary arithmetic of math/big.
	size := r.modulus.Size()
	be := make([]byte, lanes*size)
	r.fromMont(s.x, r.group(prefix, n-1), s)
	r.toBytes(be, s.x, size)
	m := new(big.Int).SetBytes(r.modulus.Bytes())
	var product [lanes + 1]*big.Int
	var lane [lanes]*big.Int
	product[0] = big.NewInt(1)
	for l := range lanes {
		lane[l] = new(big.Int).SetBytes(be[l*size : (l+1)*size])
		product[l+1] = new(big.Int).Mul(product[l], lane[l])
		product[l+1].Mod(product[l+1], m)
	}
	inverse := new(big.Int).ModInverse(product[lanes], m)
	if inverse == nil {
		return r.notInvertible(x, m)
	}
	for l := lanes - 1; l >= 0; l-- {
		v := new(big.Int).Mul(inverse, product[l])
		v.Mod(v, m).FillBytes(be[l*size : (l+1)*size])
		inverse.Mul(inverse, lane[l]).Mod(inverse, m)
	}
	inv := r.newGroups(1)
	r.fromBytes(inv, be, size)
	r.mul(inv, inv, r.rr, s, canonical)

	for g := n - 1; g >= 0; g-- {
		zg := r.group(z.Words, g)
		if g == 0 {
			r.fromMont(zg, inv, s)
			break
		}
		r.mul(s.x, inv, r.group(prefix, g-1), s, canonical)
		r.mul(inv, inv, r.group(xm, g), s, canonical)
		r.fromMont(zg, s.x, s)
	}
	return nil
}

// notInvertible finds the first element that shares a factor with m, of which there is one.
func (r *ring) notInvertible(x *bigmod.Vec, m *big.Int) error {
	size := r.modulus.Size()
	be := make([]byte, x.Len*size)
	r.Bytes(be, x)
	one := big.NewInt(1)
	for i := range x.Len {
		v := new(big.Int).SetBytes(be[i*size : (i+1)*size])
		if v.GCD(nil, nil, v, m).Cmp(one) != 0 {
			return &bigmod.NotInvertibleError{Index: i}
		}
	}
	panic("mont52: a product of invertible elements has no inverse")
}
