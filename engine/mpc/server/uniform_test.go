package server_test

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
)

// What any two of three servers have stored of readings that are all the same is uniform: each share, and the sum of two. The sum of all
// three is the reading.
func TestStoredSharesAreUniform(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, nil)
	readings := tryout.MakeVitals(1, 8, 15)
	for i := range readings {
		readings[i].Values = []int64{60}
	}
	c.Ingest(readings)
	var held [3][]uint64
	for j := range held {
		c.Stop(j)
		s, err := store.OpenBolt(filepath.Join(filepath.Dir(c.ServerConfig(j)), "shares.db"), store.BoltOptions{Any: true, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sources, err := s.Sources(t.Context())
		if err != nil || len(sources) != 1 {
			t.Fatalf("%+v, %v", sources, err)
		}
		sel := &store.Selection{Columns: []store.Column{{Attribute: "HR", Unit: "bpm"}}, From: math.MinInt64, Until: math.MaxInt64, Cut: map[string]uint64{sources[0].Name: sources[0].Held}}
		if err := s.Scan(t.Context(), sel, func(r *store.Record) error { held[j] = append(held[j], r.Shares[0]); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(lists ...[]uint64) []uint64 {
		out := make([]uint64, len(lists[0]))
		for _, l := range lists {
			for i, w := range l {
				out[i] += w
			}
		}
		return out
	}
	for i, w := range sum(held[:]...) {
		if w != 60 {
			t.Fatalf("reading %d is %d", i, w)
		}
	}
	for name, words := range map[string][]uint64{"server 1": held[0], "server 2": held[1], "server 3": held[2], "servers 1 and 2": sum(held[0], held[1]), "servers 2 and 3": sum(held[1], held[2]), "servers 3 and 1": sum(held[2], held[0])} {
		var counts [256]float64
		seen := map[uint64]bool{}
		for _, w := range words {
			for _, b := range binary.BigEndian.AppendUint64(nil, w) {
				counts[b]++
			}
			seen[w] = true
		}
		expected, chi := float64(8*len(words))/256, 0.0
		for _, n := range counts {
			chi += (n - expected) * (n - expected) / expected
		}
		// With 255 degrees of freedom: 8 standard deviations, of the right order even for a few bytes of each value.
		if limit := 255 + 8*math.Sqrt(2*255); chi > limit || len(seen) != len(words) {
			t.Errorf("%s: chi-square %.0f of %d bytes, at most %.0f; %d different words of %d", name, chi, 8*len(words), limit, len(seen), len(words))
		}
	}
}
