package bench

import "strings"

// OpTitle is an operation in words.
func OpTitle(op, variant, role string) string {
	switch op {
	case OpEncrypt:
		if role == RoleOwner {
			return "encrypt as owner, " + VariantTitle(variant)
		}
		return "encrypt, " + VariantTitle(variant)
	case OpDecrypt:
		if variant == "mhl" {
			return "decrypt, MHL"
		}
		return "decrypt, any key"
	case OpFold:
		return "add ciphertexts"
	case OpMul64:
		return "ciphertext × 64-bit number"
	case OpWeighted:
		return "term of a 64-bit weighted sum"
	case OpRerandomize:
		return "re-randomize, " + VariantTitle(variant)
	case OpOwn:
		return "re-randomize own, " + VariantTitle(variant)
	case OpSquareMul:
		return "multiplication modulo N²"
	case OpSquareSqr:
		return "squaring modulo N²"
	case OpKeygen:
		return "make a key, " + VariantTitle(variant)
	}
	return op
}

func VariantTitle(variant string) string {
	if variant == "textbook" {
		return variant
	}
	return strings.ToUpper(variant)
}

// Title is the operation of a check in words.
func (c TimingCheck) Title() string {
	switch c.Op {
	case OpControl:
		return "control: power, no difference"
	case OpControlProduct:
		return "control: power, one product more"
	case OpExp:
		return "power, as in decryption"
	case OpExpVarTime:
		return "power, VarTime"
	case OpInverseVarTime:
		return "inverse, VarTime"
	case OpTableExp:
		return c.Role + " table of powers, " + VariantTitle(c.Variant)
	case OpDecrypt:
		return "decrypt, " + VariantTitle(c.Variant)
	}
	return OpTitle(c.Op, c.Variant, c.Role)
}
