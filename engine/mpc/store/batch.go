package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a batch.
const (
	NameMax     = 128     // bytes of a patient, attribute, unit or source
	ReadingsMax = 1 << 18 // of a batch
)

// Batch is readings that a gateway sends at once. To each server it sends the same readings and different shares.
type Batch struct {
	Source string
	Number uint64 // from 1
	Made   int64  // when, in milliseconds since 1970: of two readings of one patient, attribute and time, the later one counts
	Held   uint64 // the batches of the source that all servers hold
	Series []Series
}

// Series is readings of an attribute of a patient. Times ascend, each once.
type Series struct {
	Column
	Patient string
	Times   []int64 // milliseconds since 1970
	Shares  []uint64
}

// CheckName refuses what cannot name a patient, attribute, unit or source: nothing, too long, or with control characters.
func CheckName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the %s is empty", what)
	case len(name) > NameMax:
		return fmt.Errorf("the %s has %d bytes: at most %d are possible", what, len(name), NameMax)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the %s %q has characters that are not text", what, name)
	}
	return nil
}

// Check refuses a batch that breaks the rules of its fields.
func (b *Batch) Check() error {
	if err := CheckName("source", b.Source); err != nil {
		return err
	}
	if b.Number == 0 || b.Number > math.MaxInt64 || b.Held > math.MaxInt64 || b.Made < 0 {
		return fmt.Errorf("batch %d of %s, made at %d, with %d held", b.Number, b.Source, b.Made, b.Held)
	}
	n := 0
	for i := range b.Series {
		s := &b.Series[i]
		if err := CheckName("patient", s.Patient); err != nil {
			return err
		}
		if err := CheckName("attribute", s.Attribute); err != nil {
			return err
		}
		if err := CheckName("unit", s.Unit); err != nil {
			return err
		}
		if len(s.Times) == 0 || len(s.Shares) != len(s.Times) {
			return fmt.Errorf("%d shares at %d times of %s", len(s.Shares), len(s.Times), s.Attribute)
		}
		for k := 1; k < len(s.Times); k++ {
			if s.Times[k] <= s.Times[k-1] {
				return fmt.Errorf("the times of %s do not ascend", s.Attribute)
			}
		}
		n += len(s.Times)
	}
	if n == 0 || n > ReadingsMax {
		return fmt.Errorf("a batch of %d readings: it can have 1 to %d", n, ReadingsMax)
	}
	return nil
}

// Readings is the number of readings.
func (b *Batch) Readings() int {
	n := 0
	for i := range b.Series {
		n += len(b.Series[i].Times)
	}
	return n
}

// AppendHead appends all but the shares and Held: what all servers get alike.
//
//	source (length and text), number, time made; the number of series; of each: attribute, unit, patient (lengths and
//	texts), number of readings, the first time, and the differences of the others. Numbers are varints.
func (b *Batch) AppendHead(dst []byte) []byte {
	text := func(s string) { dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...) }
	text(b.Source)
	dst = binary.AppendUvarint(dst, b.Number)
	dst = binary.AppendVarint(dst, b.Made)
	dst = binary.AppendUvarint(dst, uint64(len(b.Series)))
	for i := range b.Series {
		s := &b.Series[i]
		text(s.Attribute)
		text(s.Unit)
		text(s.Patient)
		dst = binary.AppendUvarint(dst, uint64(len(s.Times)))
		dst = appendTimes(dst, s.Times)
	}
	return dst
}

func appendTimes(dst []byte, times []int64) []byte {
	dst = binary.AppendVarint(dst, times[0])
	for k := 1; k < len(times); k++ {
		dst = binary.AppendUvarint(dst, uint64(times[k])-uint64(times[k-1]))
	}
	return dst
}

// AppendShares appends the shares of all series, 8 bytes each, big-endian.
func (b *Batch) AppendShares(dst []byte) []byte {
	for i := range b.Series {
		for _, w := range b.Series[i].Shares {
			dst = binary.BigEndian.AppendUint64(dst, w)
		}
	}
	return dst
}

// ParseBatch reads what AppendHead and AppendShares wrote, and checks it.
func ParseBatch(head, shares []byte) (*Batch, error) {
	p := parser{data: head}
	b := &Batch{Source: p.text(), Number: p.uvarint(), Made: p.varint()}
	series := p.uvarint()
	if series > ReadingsMax {
		return nil, fmt.Errorf("a batch of %d series", series)
	}
	total := len(shares) / 8
	if len(shares)%8 != 0 || total > ReadingsMax {
		return nil, fmt.Errorf("a batch with %d bytes of shares", len(shares))
	}
	times, words := make([]int64, 0, total), make([]uint64, total)
	for i := range words {
		words[i] = binary.BigEndian.Uint64(shares[8*i:])
	}
	for range series {
		s := Series{Column: Column{Attribute: p.text(), Unit: p.text()}, Patient: p.text()}
		n := p.uvarint()
		if p.bad || n > uint64(total-len(times)) {
			return nil, fmt.Errorf("a batch with %d shares for more readings", total)
		}
		first := len(times)
		for k := range n {
			if k == 0 {
				times = append(times, p.varint())
			} else {
				times = append(times, int64(uint64(times[len(times)-1])+p.uvarint()))
			}
		}
		s.Times, s.Shares = times[first:len(times):len(times)], words[first:len(times):len(times)]
		b.Series = append(b.Series, s)
	}
	if p.bad || len(p.data) != 0 {
		return nil, fmt.Errorf("a batch that ends too early or too late")
	}
	if len(times) != total {
		return nil, fmt.Errorf("a batch with %d shares for %d readings", total, len(times))
	}
	return b, b.Check()
}

// parser reads varints and texts. After a mistake it returns zeros.
type parser struct {
	data []byte
	bad  bool
}

func (p *parser) uvarint() uint64 {
	x, n := binary.Uvarint(p.data)
	return p.take(x, n)
}

func (p *parser) varint() int64 {
	x, n := binary.Varint(p.data)
	return int64(p.take(uint64(x), n))
}

func (p *parser) take(x uint64, n int) uint64 {
	if n <= 0 {
		p.bad, p.data = true, nil
		return 0
	}
	p.data = p.data[n:]
	return x
}

func (p *parser) text() string {
	n := p.uvarint()
	if n > uint64(len(p.data)) {
		p.bad, p.data = true, nil
		return ""
	}
	s := string(p.data[:n])
	p.data = p.data[n:]
	return s
}

// digest identifies a batch of one server, shares included.
func (b *Batch) digest() [32]byte {
	return sha256.Sum256(b.AppendShares(b.AppendHead(nil)))
}
