package main

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
)

// Whoever submits tables learns of a sum that is out of range that there is one, and nothing else: neither the row, the measure,
// the side nor how far it is beyond changes anything that the key holder's program does but with --locate-refused. Nothing is
// written, and the whole table is read before.
func TestRefusedSumsTellOneBit(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	rows := []string{"id,x,y"}
	for i := range 40 {
		rows = append(rows, fmt.Sprintf("r%02d,%d,%d", i, i, 40-i))
	}
	p.lines("a.csv", rows...)
	p.ok("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=100 y:max=100")
	decrypt := "decrypt --unfused --key @/secret.json --in @/b.cf.parquet --out @/r.csv"
	same := map[string][]string{}
	located := map[string]bool{}
	clock := regexp.MustCompile(`"time":"[^"]*",`)
	const beyond = 1000
	for _, row := range []int{0, 17, 39} {
		for name, value := range map[string]func(c *crafted) *big.Int{
			"x too large": func(c *crafted) *big.Int { return big.NewInt(beyond) },
			"x too small": func(c *crafted) *big.Int { return big.NewInt(-beyond) },
			"y too large": func(c *crafted) *big.Int {
				for _, m := range c.Table.Measures {
					if m.Name == "y" {
						return new(big.Int).Lsh(big.NewInt(beyond), uint(m.Offset))
					}
				}
				panic("no y")
			},
			"no slot":      func(c *crafted) *big.Int { return new(big.Int).Rsh(c.N, 1) },
			"below 0":      func(c *crafted) *big.Int { return new(big.Int).Neg(new(big.Int).Rsh(c.N, 2)) },
			"far from any": func(c *crafted) *big.Int { return new(big.Int).Rsh(c.N, 3) },
		} {
			p.craft("a.cf.parquet", "b.cf.parquet", func(c *crafted) {
				c.set(row, 0, encryption(c, new(big.Int).Mod(value(c), c.N)))
			})
			for _, flags := range []string{"", " --json", " --log-format json", " --threads 1"} {
				r := p.run(decrypt + flags)
				text := clock.ReplaceAllString(fmt.Sprintf("exit code %d\n%s%s", r.code, r.out, r.err), "")
				same[text] = append(same[text], fmt.Sprintf("%s in row %d%s", name, row, flags))
				if r.code != exitRefused {
					t.Errorf("%s in row %d: %s", name, row, text)
				}
			}
			r := p.run(decrypt + " --locate-refused")
			if r.code != exitRefused || !strings.Contains(r.err, fmt.Sprintf("row %d, column", row+1)) {
				t.Errorf("%s in row %d: exit code %d\n%s", name, row, r.code, r.err)
			}
			located[r.err] = true
		}
	}
	if len(same) != 3 { // --threads changes nothing
		t.Errorf("%d different answers: %v", len(same), same)
	}
	if len(located) < 6 {
		t.Errorf("%d located", len(located))
	}
}
