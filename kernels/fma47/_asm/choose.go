package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Tables are read at secret indices: all of the table, always in the same order.

// chunks are how many vectors are read at a time, the second where the first does not fit any more.
var chunks = []int{8, 2}

// selectNumber serves vectors of any width: a number is that many of 4 lanes.
func selectNumber() {
	end := text("select", "func(z, table *uint64, d, entries uint64, vectors int)", "select"+v.suffix+" is selectGeneric, for a number of entries and of vectors, which is even.")
	out, table, vectors, entries := RDI, RSI, RCX, RBX
	size, entry, left := R8, R9, R10
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("vectors"), vectors)
	Load(Param("entries"), entries)
	d, row, one, mask, t := v.regs[8], v.regs[9], v.regs[10], v.regs[11], v.regs[12]
	Load(Param("d"), RAX)
	VMOVQ(RAX, d.(Vec).AsX())
	VPBROADCASTQ(d.(Vec).AsX(), d)
	ones(one)
	MOVQ(vectors, size)
	SHLQ(imm(v.shift), size)
	for _, n := range chunks {
		chunk, done, loop := label("chunk"), label("done"), label("entry")
		CMPQ(vectors, imm(n))
		JL(LabelRef(done))
		Label(chunk)
		for i := range n {
			VPXOR(v.regs[i], v.regs[i], v.regs[i])
		}
		VPXOR(row, row, row)
		MOVQ(table, entry)
		MOVQ(entries, left)
		Label(loop)
		VPCMPEQQ(d, row, mask)
		VPADDQ(one, row, row)
		for i := range n {
			VPAND(at(entry, i), mask, t)
			VPOR(t, v.regs[i], v.regs[i])
		}
		ADDQ(size, entry)
		DECQ(left)
		JNZ(LabelRef(loop))
		for i := range n {
			VMOVDQA(v.regs[i], at(out, i))
		}
		ADDQ(imm(n*v.bytes), out)
		ADDQ(imm(n*v.bytes), table)
		SUBQ(imm(n), vectors)
		CMPQ(vectors, imm(n))
		JGE(LabelRef(chunk))
		Label(done)
	}
	end()
}

// ones sets all lanes to the integer 1.
func ones(r VecPhysical) {
	VPCMPEQQ(r, r, r)
	VPSRLQ(imm(63), r, r)
}

// lookup permutes 4 entries at a time by the low 2 bits of the indices, and keeps those whose other bits agree. Indices are
// operands of permutations, comparisons and blends only. Chunks of words of the table, which fit the first-level cache,
// serve all groups before the next ones.
func lookup() {
	end := text("lookup", "func(z, table, d *uint64, entries uint64, k, groups int)", "lookup"+v.suffix+" is lookupGeneric, for a number of entries.")
	out, table, stride, k := RDI, RSI, RCX, R8
	p0, p3, p6, left := RAX, RBX, R10, R11
	group, indices, count, size := R12, R13, R14, R15
	Load(Param("z"), out)
	Load(Param("table"), table)
	Load(Param("entries"), stride)
	Load(Param("k"), k)
	SHLQ(imm(3), stride)
	MOVQ(k, size)
	SHLQ(imm(v.shift), size)
	index, high, row, one, mask, odd, t := v.regs[8], v.regs[9], v.regs[10], v.regs[11], v.regs[12], v.regs[13], v.regs[14]
	ones(one)
	VPSLLQ(imm(32), one, odd)
	for _, n := range chunks {
		chunk, done, some, loop := label("chunk"), label("done"), label("group"), label("entries")
		CMPQ(k, imm(n))
		JL(LabelRef(done))
		Label(chunk)
		MOVQ(out, group)
		Load(Param("d"), indices)
		Load(Param("groups"), count)
		Label(some)
		// index: words 2·(d mod 4) and 2·(d mod 4)+1 of 32 bits.
		VMOVDQU(at(indices, 0), high)
		VPSLLQ(imm(62), high, index)
		VPSRLQ(imm(61), index, index)
		VPSLLQ(imm(32), index, t)
		VPOR(t, index, index)
		VPOR(odd, index, index)
		VPSRLQ(imm(2), high, high)
		for i := range n {
			VPXOR(v.regs[i], v.regs[i], v.regs[i])
		}
		VPXOR(row, row, row)
		MOVQ(table, p0)
		if n > 2 {
			LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, p3)
			LEAQ(Mem{Base: table, Index: p3, Scale: 2}, p6)
			ADDQ(table, p3)
		}
		Load(Param("entries"), left)
		SHRQ(imm(2), left)
		Label(loop)
		VPCMPEQQ(high, row, mask)
		VPADDQ(one, row, row)
		for i := range n {
			VPERMD(wordsAt(p0, p3, p6, stride, i), index, t)
			VBLENDVPD(mask, t, v.regs[i], v.regs[i])
		}
		ADDQ(imm(4*8), p0)
		if n > 2 {
			ADDQ(imm(4*8), p3)
			ADDQ(imm(4*8), p6)
		}
		DECQ(left)
		JNZ(LabelRef(loop))
		for i := range n {
			VMOVDQA(v.regs[i], at(group, i))
		}
		ADDQ(size, group)
		ADDQ(imm(v.bytes), indices)
		DECQ(count)
		JNZ(LabelRef(some))
		LEAQ(Mem{Base: table, Index: stride, Scale: uint8(n)}, table)
		ADDQ(imm(n*v.bytes), out)
		SUBQ(imm(n), k)
		CMPQ(k, imm(n))
		JGE(LabelRef(chunk))
		Label(done)
	}
	end()
}

// wordsAt is the entries of word i: i strides after p0, of which p3 and p6 are 3 and 6 away.
func wordsAt(p0, p3, p6, stride Register, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: p0}
	case 1, 2:
		return Mem{Base: p0, Index: stride, Scale: uint8(i)}
	case 3:
		return Mem{Base: p3}
	case 4:
		return Mem{Base: p0, Index: stride, Scale: 4}
	case 5:
		return Mem{Base: p3, Index: stride, Scale: 2}
	case 6:
		return Mem{Base: p6}
	default:
		return Mem{Base: p3, Index: stride, Scale: 4}
	}
}
