package paillier

import (
	"errors"
	"fmt"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/internal/knownanswer"
)

func init() {
	knownanswer.RandomSize = func(publicKey any) int { return publicKey.(*PublicKey).randomSize() }
	knownanswer.Encrypt = func(encryptor any, dst []byte, m []uint64, r []byte) error {
		return encryptor.(*Encryptor).encryptWith(dst, m, r)
	}
	knownanswer.EncryptWithRoots = func(encryptor any, dst []byte, m []uint64, rhoP, rhoQ []byte) error {
		return encryptor.(*Encryptor).encryptWithRoots(dst, m, rhoP, rhoQ)
	}
	knownanswer.Rerandomize = func(evaluator any, dst, ct, r []byte) error {
		return evaluator.(*Evaluator).rerandomizeWith(dst, ct, r)
	}
	knownanswer.RerandomizeRoots = func(evaluator any, dst, ct, r []byte) error {
		return evaluator.(*Evaluator).rerandomizeRoots(dst, ct, r)
	}
}

// randomSize is knownanswer.RandomSize.
func (pk *PublicKey) randomSize() int {
	if pk.variant == Textbook {
		return pk.bits / 8
	}
	return (pk.rbits + 7) / 8
}

// encryptWith is knownanswer.Encrypt.
func (e *Encryptor) encryptWith(dst []byte, m []uint64, r []byte) error {
	size := e.pk.randomSize()
	checkLen("randomness", len(r), len(m)/e.pk.PlaintextLimbs()*size)
	if err := e.rings.checkRandomness(e.pk, r); err != nil {
		return err
	}
	return e.encrypt(dst, m, randomness{r: r}, size)
}

// encryptWithRoots is knownanswer.EncryptWithRoots.
func (e *Encryptor) encryptWithRoots(dst []byte, m []uint64, rhoP, rhoQ []byte) error {
	if e.owner == nil || e.pk.variant != Textbook {
		return errors.New("paillier: only the owner of a textbook key encrypts with roots modulo p and q")
	}
	size := e.pk.bits / 16
	roots := [2][]byte{rhoP, rhoQ}
	for i, root := range roots {
		checkLen("roots", len(root), len(m)/e.pk.PlaintextLimbs()*size)
		prime := e.owner.rings.sides[i].pWords
		w := make([]uint64, len(prime))
		for k := 0; k < len(root); k += size {
			bigmod.WordsFromBytes(w, root[k:k+size])
			if bigmod.LessWords(w, prime)&^isZero(w) == 0 {
				return &knownanswer.RandomnessError{Index: k / size, Reason: "not in the range 1..p-1, 1..q-1"}
			}
		}
	}
	return e.encrypt(dst, m, randomness{roots: roots}, size)
}

// checkRandomness refuses explicit randomness outside its range. Not constant time.
func (r *publicRings) checkRandomness(pk *PublicKey, list []byte) error {
	size := pk.randomSize()
	if pk.variant != Textbook {
		for i := 0; i < len(list); i += size {
			if spare := 8*size - pk.rbits; list[i]>>(8-spare) != 0 {
				return &knownanswer.RandomnessError{Index: i / size, Reason: fmt.Sprintf("more than %d bits", pk.rbits)}
			}
		}
		return nil
	}
	return r.checkUnits(list, size)
}

// checkUnits refuses what is no unit modulo N. Not constant time.
func (r *publicRings) checkUnits(list []byte, size int) error {
	x := r.n.NewVec(len(list) / size)
	var tooLarge *bigmod.RangeError
	if err := r.n.SetBytes(x, list); errors.As(err, &tooLarge) {
		return &knownanswer.RandomnessError{Index: tooLarge.Index, Reason: "not below N"}
	}
	var noUnit *bigmod.NotInvertibleError
	if err := r.n.InverseVarTime(x, x); errors.As(err, &noUnit) {
		return &knownanswer.RandomnessError{Index: noUnit.Index, Reason: "0 or not a unit modulo N"}
	}
	return nil
}

// rerandomizeWith is knownanswer.Rerandomize.
func (e *Evaluator) rerandomizeWith(dst, ct, r []byte) error {
	checkLen("ciphertexts", len(dst), len(ct))
	size := e.pk.randomSize()
	checkLen("randomness", len(r), e.rows(ct)*size)
	if err := e.rings.checkRandomness(e.pk, r); err != nil {
		return err
	}
	z := e.randomizers()
	return e.transform(dst, ct, func(x *bigmod.Vec, first, class int) {
		from := randomness{r: r}.piece(first, x.Len, size)
		e.rings.square.Mul(x, x, z.randomizers(from, x.Len, class))
	})
}

// rerandomizeRoots is knownanswer.RerandomizeRoots.
func (e *Evaluator) rerandomizeRoots(dst, ct, r []byte) error {
	checkLen("ciphertexts", len(dst), len(ct))
	size := e.pk.bits / 8
	checkLen("randomness", len(r), e.rows(ct)*size)
	if err := e.rings.checkUnits(r, size); err != nil {
		return err
	}
	z := e.randomizers()
	return e.transform(dst, ct, func(x *bigmod.Vec, first, class int) {
		e.rings.square.Mul(x, x, z.powersOfN(r[first*size:(first+x.Len)*size], class))
	})
}
