package paillier

import "github.com/cipherfold/cipherfold/bigmod"

// product multiplies residues that come in pieces. Each length of piece has its own running product, so that all rows
// of a piece are multiplied at once; result multiplies these together.
type product struct {
	ring bigmod.Ring
	acc  pieceVec
	used [pieceClasses]bool
	n    int64 // factors so far
}

func newProduct(ring bigmod.Ring) *product { return &product{ring: ring, acc: pieceVec{ring: ring}} }

func (p *product) reset() {
	p.used, p.n = [pieceClasses]bool{}, 0
}

func (p *product) add(x *bigmod.Vec, class int) {
	acc := p.acc.get(class)
	if p.used[class] {
		p.ring.Mul(acc, acc, x)
	} else {
		p.ring.CopyAt(acc, iota32[:x.Len], x, iota32[:x.Len])
		p.used[class] = true
	}
	p.n += int64(x.Len)
}

// result returns the Montgomery product of the n factors, x1·...·xn·R^-(n-1), in a vector of one element, and starts
// again; nil when there were no factors.
func (p *product) result() *bigmod.Vec {
	var total *bigmod.Vec
	for class, used := range p.used {
		if !used {
			continue
		}
		x := p.acc.get(class)
		for n := x.Len; n > 1; {
			half := n / 2
			p.ring.MulAt(x, iota32[:half], x, iota32[n-half:n])
			n -= half
		}
		if total == nil {
			total = p.acc.get(0)
			if class > 0 { // class 0 is the vector of one element itself
				p.ring.CopyAt(total, iota32[:1], x, iota32[:1])
			}
		} else {
			p.ring.MulAt(total, iota32[:1], x, iota32[:1])
		}
	}
	p.reset()
	return total
}
