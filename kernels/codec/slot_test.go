package codec

import (
	"errors"
	"testing"
)

func TestPlanRecords(t *testing.T) {
	// 2047 bits hold 27 tuples of 75 bits; the 28th starts a second ciphertext
	tuples := make([]Tuple, 30)
	for i := range tuples {
		tuples[i] = Tuple{53, 22}
	}
	places, columns, err := PlanRecords(2048, tuples)
	if err != nil || columns != 2 {
		t.Fatalf("%d columns, %v", columns, err)
	}
	for i, p := range places {
		want := Place{First: i / 27, Columns: 1, Slots: 1, Stride: 75, Offset: i % 27 * 75}
		if p != want {
			t.Errorf("tuple %d at %+v, want %+v", i, p, want)
		}
	}
	var e *LayoutError
	if _, _, err := PlanRecords(512, []Tuple{{128, 128, 128, 128}}); !errors.As(err, &e) || e.Width != 512 || e.Room != 511 {
		t.Errorf("a tuple of 512 bits in 511: %v", err)
	}
}

func TestPlanBlocks(t *testing.T) {
	places, columns, records, err := PlanBlocks(2048, []Tuple{{43, 12}})
	if err != nil || columns != 1 || records != (2047-MaskBits)/55 || places[0] != (Place{Columns: 1, Slots: 36, Stride: 55}) {
		t.Fatalf("%+v, %d columns, %d records, %v", places, columns, records, err)
	}
	// A wide and a narrow tuple: the block is not cut to the wide one's few slots when that wastes the narrow one's.
	tuples := []Tuple{{43, 12}, {120, 80}}
	places, columns, records, err = PlanBlocks(2048, tuples)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(b int) float64 { return float64((b+35)/36+(b+9)/10) / float64(b) }
	for b := 1; b <= blockRecordsMax; b++ {
		if cost(b) < float64(columns)/float64(records)-1e-12 {
			t.Fatalf("blocks of %d records need %.4f ciphertexts each, fewer than the plan's %.4f", b, cost(b), float64(columns)/float64(records))
		}
	}
	for i, p := range places {
		if p.Slots*p.Columns < records || p.Slots*(p.Columns-1) >= records {
			t.Errorf("tuple %d: %d columns of %d slots for %d records", i, p.Columns, p.Slots, records)
		}
	}
	var e *LayoutError
	if _, _, _, err := PlanBlocks(512, []Tuple{{128, 128, 128, 100}}); !errors.As(err, &e) {
		t.Errorf("a tuple of 484 bits under the mask's reserve: %v", err)
	}
}

func TestBound(t *testing.T) {
	for _, s := range []string{"0", "1", "18446744073709551615", "18446744073709551616", "99999999999999999999999999999999999999"} {
		b, err := ParseBound(s)
		if err != nil || b.String() != s {
			t.Errorf("ParseBound(%s) = %s, %v", s, b, err)
		}
	}
	for _, s := range []string{"", "-1", "+1", "1.0", "0x1", " 1"} {
		if _, err := ParseBound(s); err == nil {
			t.Errorf("ParseBound(%q) accepted", s)
		}
	}
	b, _ := ParseBound("18446744073709551615")
	if got := b.Times(b).String(); got != "340282366920938463426481119284349108225" {
		t.Errorf("(2^64-1)² = %s", got)
	}
	if got := b.Plus(b).Plus(Bound{1, 1}).String(); got != "55340232221128654847" {
		t.Errorf("2·(2^64-1) + 2^64 + 1 = %s", got)
	}
	if BoundOf(0).BitLen() != 0 || b.BitLen() != 64 || PowerOfTen(38).BitLen() != 127 {
		t.Error("BitLen")
	}
	if b.Cmp(BoundOf(1)) != 1 || BoundOf(1).Cmp(b) != -1 || (Bound{1, 0, 0}).Cmp(BoundOf(1)) != 0 {
		t.Error("Cmp")
	}
}
