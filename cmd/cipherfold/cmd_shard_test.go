package main

import "testing"

// Shards are counted from 1, or as some schedulers do from 0.
func TestParseShard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		fromZero bool
		i, n     int // 0: refused
	}{
		{"1/1", false, 1, 1}, {"3/16", false, 3, 16}, {"16/16", false, 16, 16}, {"0/16", false, 0, 0}, {"17/16", false, 0, 0}, {"0/1", true, 1, 1}, {"15/16", true, 16, 16},
		{"16/16", true, 0, 0}, {"-1/16", true, 0, 0}, {"", false, 0, 0}, {"3", false, 0, 0}, {"3/", false, 0, 0}, {"/3", true, 0, 0}, {"a/b", false, 0, 0}, {"1/2/3", false, 0, 0},
		{"1/0", false, 0, 0}, {"1/-1", true, 0, 0},
	} {
		i, n, err := parseShard(c.text, c.fromZero)
		if (err != nil) != (c.n == 0) || i != c.i || n != c.n {
			t.Errorf("%q, from zero %v: %d/%d, %v", c.text, c.fromZero, i, n, err)
		}
	}
}
