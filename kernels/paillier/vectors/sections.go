package vectors

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// randoms reads the fields r as explicit randomness.
func (c *checker) randoms(entries []*entry) []byte {
	pk := c.sk.Public()
	limit := c.n
	if c.variant != paillier.Textbook {
		limit = new(big.Int).Lsh(one, uint(pk.RBits()))
	}
	values := make([]*big.Int, len(entries))
	for i, e := range entries {
		values[i] = e.hexBelow("r", limit)
	}
	return fill(values, knownanswer.RandomSize(pk))
}

// encrypts checks that encryption of v with the randomness gives ct, by the public key and by the owner, and that ct
// decrypts again.
func (c *checker) encrypts(entries []*entry, v []*big.Int, r []byte, ct []*big.Int, field string) error {
	m, got := c.plaintexts(v), c.batch(len(v))
	for _, who := range []struct {
		name      string
		encryptor *paillier.Encryptor
	}{{"encryption by public key", c.public}, {"encryption by the owner", c.owner}} {
		if err := knownanswer.Encrypt(who.encryptor, got, m, r); err != nil {
			return c.refused(entries, err)
		}
		if err := c.compareBatch(entries, got, ct, who.name); err != nil {
			return err
		}
	}
	return c.opens(entries, ct, v, field)
}

func (c *checker) encrypt(entries []*entry) error {
	v, ct := make([]*big.Int, len(entries)), make([]*big.Int, len(entries))
	r := c.randoms(entries)
	for i, e := range entries {
		v[i], ct[i] = e.signed("v", c), e.hexBelow("c", c.n2)
		if m := e.hexBelow("m", c.n); e.err == nil && m.Cmp(new(big.Int).Mod(v[i], c.n)) != 0 {
			return e.bad("m", "not v modulo N")
		}
		c.encrypted = append(c.encrypted, encryption{v[i], ct[i]})
	}
	if err := firstError(entries); err != nil {
		return err
	}
	return c.encrypts(entries, v, r, ct, "v")
}

// signed reads a decimal field in the range -(N-1)/2..(N-1)/2.
func (e *entry) signed(field string, c *checker) *big.Int {
	v := e.decimal(field)
	if v.CmpAbs(c.half) > 0 {
		e.fail(e.bad(field, "magnitude above (N-1)/2"))
		return new(big.Int)
	}
	return v
}

// operand reads an index into "encrypt".
func (c *checker) operand(e *entry, field string) encryption {
	if len(c.encrypted) == 0 {
		e.fail(e.bad(field, "there is no encryption to refer to"))
		return encryption{new(big.Int), new(big.Int)}
	}
	i := e.int(field, len(c.encrypted))
	return c.encrypted[i]
}

// results is the common part of the sections on operations: the operands, and what should come out.
type results struct {
	operands []encryption
	a        []byte // the operands' ciphertexts
	v, ct    []*big.Int
}

// operate reads a, v and c of the entries.
func (c *checker) operate(entries []*entry) results {
	var r results
	var a []*big.Int
	for _, e := range entries {
		x := c.operand(e, "a")
		r.operands, a = append(r.operands, x), append(a, x.c)
		r.v, r.ct = append(r.v, e.signed("v", c)), append(r.ct, e.hexBelow("c", c.n2))
	}
	r.a = c.ciphertexts(a)
	return r
}

// conclude compares the ciphertexts of an operation and what they decrypt to.
func (c *checker) conclude(entries []*entry, r results, got []byte, err error, how string) error {
	if err != nil {
		return c.refused(entries, err)
	}
	if err := c.compareBatch(entries, got, r.ct, how); err != nil {
		return err
	}
	return c.opens(entries, r.ct, r.v, "v")
}

func (c *checker) add(entries []*entry) error {
	r := c.operate(entries)
	var b []*big.Int
	for i, e := range entries {
		y := c.operand(e, "b")
		b = append(b, y.c)
		if sum := new(big.Int).Add(r.operands[i].v, y.v); e.err == nil && c.centre(sum).Cmp(r.v[i]) != 0 {
			return e.bad("v", "the sum of the plaintexts is %s", c.centre(sum))
		}
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	err := c.evaluator.Fold(got, r.a, c.ciphertexts(b))
	if err := c.conclude(entries, r, got, err, "Fold"); err != nil {
		return err
	}
	// Once more by groups: group i of the accumulator gets a and b of entry i.
	groups := make([]int32, len(entries))
	for i := range groups {
		groups[i] = int32(i)
	}
	sums := c.sk.Public().NewAccumulator(len(entries))
	for _, operand := range [][]byte{r.a, c.ciphertexts(b)} {
		if err := sums.Add(groups, operand); err != nil {
			return c.refused(entries, err)
		}
	}
	if err := sums.Finish(got); err != nil {
		return c.refused(entries, err)
	}
	return c.compareBatch(entries, got, r.ct, "Accumulator")
}

func (c *checker) addPlain(entries []*entry) error {
	r := c.operate(entries)
	var k []*big.Int
	for i, e := range entries {
		k = append(k, e.signed("k", c))
		if sum := new(big.Int).Add(r.operands[i].v, k[i]); e.err == nil && c.centre(sum).Cmp(r.v[i]) != 0 {
			return e.bad("v", "the sum is %s", c.centre(sum))
		}
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	err := c.evaluator.AddPlain(got, r.a, c.plaintexts(k))
	return c.conclude(entries, r, got, err, "AddPlain")
}

func (c *checker) mul(entries []*entry) error {
	r := c.operate(entries)
	var s []*big.Int
	for i, e := range entries {
		s = append(s, e.decimal("s"))
		if e.err != nil {
			return e.err
		}
		if product := new(big.Int).Mul(r.operands[i].v, s[i]); c.centre(product).Cmp(r.v[i]) != 0 {
			return e.bad("v", "the product is %s", c.centre(product))
		}
		if r.operands[i].c.Cmp(one) == 0 && s[i].String() != scalarOfOne {
			return e.bad("s", "the format multiplies the ciphertext 1 by %s", scalarOfOne)
		}
		if s[i].Sign() == 0 && e.int("a", len(c.encrypted)) != indexOfZero {
			return e.bad("a", "the format multiplies encryption %d by 0", indexOfZero)
		}
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	err := c.evaluator.MulEach(got, r.a, paillier.BigScalars(s))
	if err := c.conclude(entries, r, got, err, "MulEach"); err != nil {
		return err
	}
	size := c.sk.Public().CiphertextSize()
	for i := range entries {
		row := got[i*size : (i+1)*size]
		if err := c.evaluator.MulPlain(row, r.a[i*size:(i+1)*size], s[i]); err != nil {
			return c.refused(entries[i:], err)
		}
	}
	return c.compareBatch(entries, got, r.ct, "MulPlain")
}

func (c *checker) neg(entries []*entry) error {
	r := c.operate(entries)
	for i, e := range entries {
		if minus := new(big.Int).Neg(r.operands[i].v); e.err == nil && minus.Cmp(r.v[i]) != 0 {
			return e.bad("v", "the negative is %s", minus)
		}
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	err := c.evaluator.Negate(got, r.a)
	return c.conclude(entries, r, got, err, "Negate")
}

func (c *checker) rerandomize(entries []*entry) error {
	r := c.operate(entries)
	random := c.randoms(entries)
	for i, e := range entries {
		if e.err == nil && r.operands[i].v.Cmp(r.v[i]) != 0 {
			return e.bad("v", "the plaintext is %s", r.operands[i].v)
		}
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	err := knownanswer.Rerandomize(c.evaluator, got, r.a, random)
	return c.conclude(entries, r, got, err, "RerandomizeWith")
}

// overflow: sums that leave the range -(N-1)/2..(N-1)/2, which the arithmetic cannot see and bounds must refuse.
func (c *checker) overflow(entries []*entry) error {
	var a, b, sums, wrapped []*big.Int
	for _, e := range entries {
		x, y := c.operand(e, "a"), c.operand(e, "b")
		a, b = append(a, x.c), append(b, y.c)
		sum := e.decimal("true")
		if e.err == nil && sum.Cmp(new(big.Int).Add(x.v, y.v)) != 0 {
			return e.bad("true", "the sum of the plaintexts is %s", new(big.Int).Add(x.v, y.v))
		}
		if e.err == nil && sum.CmpAbs(c.half) <= 0 {
			return e.bad("true", "does not overflow")
		}
		sums, wrapped = append(sums, sum), append(wrapped, e.signed("wrapped", c))
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got := c.batch(len(entries))
	if err := c.evaluator.Fold(got, c.ciphertexts(a), c.ciphertexts(b)); err != nil {
		return c.refused(entries, err)
	}
	size := c.sk.Public().CiphertextSize()
	var folded []*big.Int
	for i, e := range entries {
		folded = append(folded, new(big.Int).SetBytes(got[i*size:(i+1)*size]))
		if want := c.centre(sums[i]); want.Cmp(wrapped[i]) != 0 {
			return e.bad("wrapped", "the sum wraps to %s", want)
		}
	}
	return c.opens(entries, folded, wrapped, "wrapped")
}

// invalid: ciphertexts that every operation must refuse. The reasons are checked too.
func (c *checker) invalid(entries []*entry) error {
	size := c.sk.Public().CiphertextSize()
	m := make([]uint64, c.sk.Public().PlaintextLimbs())
	for _, e := range entries {
		ct, why := e.hex("c"), e.text("why")
		if e.err != nil {
			return e.err
		}
		if reason := c.badReason(ct, why); reason != "" {
			return e.bad("why", "%s", reason)
		}
		if ct.BitLen() > 8*size {
			continue // too long to be given to any operation
		}
		batch := c.ciphertexts([]*big.Int{ct})
		var refused *paillier.CiphertextError
		for name, err := range map[string]error{
			"Check":       c.evaluator.Check(batch),
			"Fold":        c.evaluator.Fold(c.batch(1), batch),
			"Sum":         c.evaluator.Sum(c.batch(1), batch),
			"Negate":      c.evaluator.Negate(c.batch(1), batch),
			"Decrypt":     c.decryptor.Decrypt(m, batch),
			"DecryptFull": c.decryptor.DecryptFull(m, batch),
		} {
			if !errors.As(err, &refused) {
				return e.bad("c", "%s takes it: %v", name, err)
			}
		}
	}
	return nil
}

// badReason says what is wrong with the reason why a ciphertext is invalid, or nothing.
func (c *checker) badReason(ct *big.Int, why string) string {
	values := map[string]*big.Int{"0": new(big.Int), "p": c.p, "q": c.q, "N": c.n, "N^2": c.n2}
	relation, name := "", why
	for _, r := range []string{"= ", "> ", "multiple of "} {
		if rest, ok := strings.CutPrefix(why, r); ok {
			relation, name = r, rest
		}
	}
	value := values[name]
	if value == nil {
		return fmt.Sprintf("%.40q is not a reason of this format", why)
	}
	switch relation {
	case "> ":
		// The format's own is N²+5: above N² any number would do.
		if name == "N^2" && ct.Cmp(new(big.Int).Add(value, big.NewInt(5))) == 0 {
			return ""
		}
	case "multiple of ":
		// A multiple of N is N itself: any other one would do as well.
		if name == "N" && ct.Cmp(value) == 0 || name != "N" && value.Sign() > 0 && new(big.Int).Mod(ct, value).Sign() == 0 {
			return ""
		}
	default:
		if ct.Cmp(value) == 0 {
			return ""
		}
	}
	return fmt.Sprintf("the ciphertext is not %.40q", why)
}

func (c *checker) ownerFast(entries []*entry) error {
	if c.variant != paillier.Textbook {
		return &Error{c.file, "owner_fast", -1, "", "only textbook keys have this section"}
	}
	var v, ct, rhoP, rhoQ []*big.Int
	for _, e := range entries {
		v, ct = append(v, e.signed("v", c)), append(ct, e.hexBelow("c", c.n2))
		rhoP, rhoQ = append(rhoP, e.hexBelow("rho_p", c.p)), append(rhoQ, e.hexBelow("rho_q", c.q))
	}
	if err := firstError(entries); err != nil {
		return err
	}
	got, size := c.batch(len(entries)), c.sk.Public().Bits()/16
	if err := knownanswer.EncryptWithRoots(c.owner, got, c.plaintexts(v), fill(rhoP, size), fill(rhoQ, size)); err != nil {
		return c.refused(entries, err)
	}
	if err := c.compareBatch(entries, got, ct, "encryption by the owner"); err != nil {
		return err
	}
	return c.opens(entries, ct, v, "v")
}

// generalG: encryption with another generator than N+1, c = g^m·r^N, which the program reads only. The decryption of
// such a c with g = N+1 is m times that of g.
func (c *checker) generalG(entries []*entry) error {
	if c.variant != paillier.Textbook {
		return &Error{c.file, "general_g", -1, "", "only textbook keys have this section"}
	}
	for _, e := range entries {
		g, mu := e.hexBelow("g", c.n2), e.hexBelow("mu", c.n)
		m, r, ct := e.hexBelow("m", c.n), e.hexBelow("r", c.n), e.hexBelow("c", c.n2)
		if e.err != nil {
			return e.err
		}
		want := new(big.Int).Exp(g, m, c.n2)
		want.Mul(want, new(big.Int).Exp(r, c.n, c.n2)).Mod(want, c.n2)
		if want.Cmp(ct) != 0 {
			return e.bad("c", "computed %.40s...", want.Text(16))
		}
		limbs := c.sk.Public().PlaintextLimbs()
		plain := make([]uint64, 2*limbs)
		if err := c.decryptor.Decrypt(plain, c.ciphertexts([]*big.Int{g, ct})); err != nil {
			return e.bad("c", "%v", err)
		}
		// L(g^λ) = λ·D(g), so mu = (λ·D(g))⁻¹.
		opened := c.residues(plain)
		inverse := new(big.Int).Mul(c.lambda, opened[0])
		if inverse.ModInverse(inverse, c.n) == nil || inverse.Cmp(mu) != 0 {
			return e.bad("mu", "not the inverse of L(g^lam)")
		}
		if product := opened[0].Mul(opened[0], m); product.Mod(product, c.n).Cmp(opened[1]) != 0 {
			return e.bad("m", "does not decrypt to it")
		}
	}
	return nil
}

func (c *checker) foreign(entries []*entry) error {
	if c.variant != paillier.MHL {
		return &Error{c.file, "mhl_foreign_randomizer", -1, "", "only MHL keys have this section"}
	}
	m := make([]uint64, c.sk.Public().PlaintextLimbs())
	for _, e := range entries {
		ct, full, short := e.hexBelow("c", c.n2), e.signed("full_decrypt", c), e.text("short_decrypt")
		if e.err != nil {
			return e.err
		}
		if short != "refuse" {
			return e.bad("short_decrypt", "%.40q, not \"refuse\"", short)
		}
		batch := c.ciphertexts([]*big.Int{ct})
		if err := c.decryptor.DecryptFull(m, batch); err != nil {
			return e.bad("c", "DecryptFull: %v", err)
		}
		if got := c.centre(c.residues(m)[0]); got.Cmp(full) != 0 {
			return e.bad("full_decrypt", "DecryptFull gives %.40s...", got)
		}
		var refused *paillier.CiphertextError
		if err := c.decryptor.Decrypt(m, batch); !errors.As(err, &refused) {
			return e.bad("short_decrypt", "Decrypt takes it: %v", err)
		}
	}
	return nil
}
