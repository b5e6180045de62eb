package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/io/ctfile"
)

// owners makes two encrypted tables, a.cf.parquet and b.cf.parquet, in the given layout.
func owners(layout string) func(*place) {
	return func(p *place) {
		p.lines("a.csv", "id,x,y", "a,1,2", "b,,-3", "c,5,6")
		p.lines("b.csv", "id,x,y", "a,10,20", "b,30,40", "c,50,")
		for _, owner := range []string{"a", "b"} {
			p.encrypt(owner, "--layout "+layout)
		}
	}
}

// encrypt encrypts x and y of OWNER.csv into OWNER.cf.parquet.
func (p *place) encrypt(owner, flags string) {
	p.t.Helper()
	p.ok(fmt.Sprintf("encrypt --key @/public.json --in @/%s.csv --out @/%[1]s.cf.parquet --id id --measure x:max=100 y:max=100 --overwrite %s", owner, flags))
}

// again encrypts owner b's table in another way.
func again(flags string) func(*place) {
	return func(p *place) { p.encrypt("b", flags) }
}

// rewritten replaces owner b's records.
func rewritten(flags string, lines ...string) func(*place) {
	return func(p *place) {
		p.lines("b.csv", lines...)
		p.encrypt("b", flags)
	}
}

// flipCiphertext changes a byte of the last ciphertext of a table.
func flipCiphertext(name string) func(*place) {
	return func(p *place) {
		var last []byte
		p.craft(name, "scratch.parquet", func(c *crafted) {
			ct := c.cts[len(c.cts)-1]
			last = ct[len(ct)-c.Table.CiphertextBytes():]
		})
		if err := os.Remove(p.path("scratch.parquet")); err != nil {
			p.t.Fatal(err)
		}
		data := p.read(name)
		at := bytes.Index(data, last)
		if at < 0 {
			p.t.Fatal("the ciphertext is not in the file")
		}
		data[at+len(last)/2] ^= 1
		p.write(name, string(data))
	}
}

// planted replaces the ciphertext of row and column 0-based by what f makes of the key.
func planted(name string, row, col int, f func(p *place, c *crafted) *big.Int) func(*place) {
	return func(p *place) {
		p.craft(name, name, func(c *crafted) { c.set(row, col, f(p, c)) })
	}
}

func zero(*place, *crafted) *big.Int        { return new(big.Int) }
func modulus(_ *place, c *crafted) *big.Int { return c.N }
func square(_ *place, c *crafted) *big.Int  { return c.square() }

// encryption is the ciphertext of m without randomness, 1 + mN.
func encryption(c *crafted, m *big.Int) *big.Int {
	x := new(big.Int).Mul(m, c.N)
	return x.Add(x, big.NewInt(1))
}
func factor(p *place, c *crafted) *big.Int {
	x := p.secret("secret.json", "p")
	return x.Mul(x, big.NewInt(12345))
}

func TestBadFusions(t *testing.T) {
	records, blocks := owners("records"), owners("blocks")
	fingerprint := func(p *place) {
		p.craft("b.cf.parquet", "b.cf.parquet", func(c *crafted) { c.Table.Fingerprint = strings.Repeat("0", 64) })
	}
	list := []refusal{
		{name: "mixed keys", setup: setups(records, func(p *place) { p.key("", "djn other"); p.encrypt("b", "") }), line: fuseAB,
			cause: "b.cf.parquet: encrypted under key <djn other>, but a.cf.parquet under key <djn>", hint: hintOneKey, at: "b.cf.parquet"},
		{name: "mixed keys in blocks", setup: setups(blocks, func(p *place) { p.key("", "djn other"); p.encrypt("b", "--layout blocks") }), line: fuseAB,
			cause: "b.cf.parquet: encrypted under key <djn other>, but a.cf.parquet under key <djn>", hint: hintOneKey, at: "b.cf.parquet"},
		{name: "mixed keys for a total of blocks", setup: setups(blocks, func(p *place) { p.key("", "mhl"); p.encrypt("b", "--layout blocks") }), line: fuseAB + "--by ''",
			cause: "b.cf.parquet: encrypted under key <mhl>, but a.cf.parquet under key <djn>", hint: hintOneKey, at: "b.cf.parquet"},
		{name: "fingerprint changed in one footer", setup: setups(records, fingerprint), line: fuseAB,
			cause: "b.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "b.cf.parquet"},
		{name: "fingerprint changed in the only footer", setup: setups(records, fingerprint), line: "fuse --in @/b.cf.parquet --out @/f.cf.parquet",
			cause: "b.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "b.cf.parquet"},
		{name: "key replaced in a footer", setup: setups(records, func(p *place) {
			p.key("k", "djn other")
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.PublicKey = p.read("k/public.json") })
		}), line: fuseAB,
			cause: "a.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "a.cf.parquet"},
		{name: "secret key in a footer", setup: setups(records, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.PublicKey = p.read("secret.json") })
		}), line: fuseAB,
			cause: "a.cf.parquet: the footer holds a secret key", hint: "Destroy this file and make a new key.", at: "a.cf.parquet"},
		{name: "no key in a footer", setup: setups(records, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.PublicKey = []byte(`{"n":"17"}`) })
		}), line: fuseAB,
			cause: `a.cf.parquet: paillier key: not a valid key file: field "cipherfold.version": missing`, hint: hintBadKey, at: "a.cf.parquet"},
		{name: "size of the key changed in the first footer", setup: setups(records, bitsChanged("a.cf.parquet")), line: fuseAB,
			cause: "a.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "a.cf.parquet"},
		{name: "size of the key changed in the second footer", setup: setups(records, bitsChanged("b.cf.parquet")), line: fuseAB,
			cause: "b.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "b.cf.parquet"},
		{name: "size of the key changed in the second footer of blocks", setup: setups(blocks, bitsChanged("b.cf.parquet")), line: fuseAB,
			cause: "b.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "b.cf.parquet"},
		{name: "size of the key changed for a total", setup: setups(blocks, bitsChanged("b.cf.parquet")), line: fuseAB + "--by ''",
			cause: "b.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "b.cf.parquet"},
		{name: "mixed layouts", setup: setups(records, again("--layout blocks")), line: fuseAB,
			cause: "b.cf.parquet: layout blocks, but a.cf.parquet has layout records", hint: "All owners must use the same --layout.", at: "b.cf.parquet"},
		{name: "mixed layouts for a total", setup: setups(blocks, again("--layout records")), line: fuseAB + "--by ''",
			cause: "b.cf.parquet: layout records, but a.cf.parquet has layout blocks", hint: "All owners must use the same --layout.", at: "b.cf.parquet"},
		{name: "different max", setup: setups(records, func(p *place) {
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id id --measure x:max=1000 y:max=100 --overwrite")
		}), line: fuseAB,
			cause: `b.cf.parquet: column "x": measure "x" is packed differently than in a.cf.parquet`, hint: "All owners must give the same --measure list in the same order, with the same max, --square, --product and --max-adds.", at: "b.cf.parquet column x"},
		{name: "different decimals, same slots", setup: setups(records, func(p *place) {
			p.lines("b.csv", "id,x,y", "a,1.5,2")
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id id --measure x:decimals=1:max=10 y:max=100 --overwrite")
		}), line: fuseAB,
			cause: `b.cf.parquet: column "x": measure "x" has 1 decimal, in a.cf.parquet it has 0`, hint: "All owners must encrypt a measure with the same decimals.", at: "b.cf.parquet column x"},
		{name: "different decimals in blocks", setup: setups(blocks, func(p *place) {
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id id --measure x:decimals=2:max=100 y:max=100 --layout blocks --overwrite")
		}), line: fuseAB,
			cause: `b.cf.parquet: column "x": measure "x" has 2 decimals, in a.cf.parquet it has 0`, hint: "All owners must encrypt a measure with the same decimals.", at: "b.cf.parquet column x"},
		{name: "different decimals for a total of blocks", setup: setups(blocks, func(p *place) {
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id id --measure x:decimals=2:max=100 y:max=100 --layout blocks --overwrite")
		}), line: fuseAB + "--by ''",
			cause: `b.cf.parquet: column "x": measure "x" has 2 decimals, in a.cf.parquet it has 0`, hint: "All owners must encrypt a measure with the same decimals.", at: "b.cf.parquet column x"},
		{name: "different max for a total of blocks", setup: setups(blocks, func(p *place) {
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id id --measure x:max=1000 y:max=100 --layout blocks --overwrite")
		}), line: fuseAB + "--by ''",
			cause: `b.cf.parquet: column "x": measure "x" is packed differently than in the other tables`, hint: "All owners must give the same max, --square and --max-adds.", at: "b.cf.parquet column x"},
		{name: "blocks of different sizes", setup: setups(blocks, again("--layout blocks --max-adds 1000000")), line: fuseAB,
			cause: "b.cf.parquet: blocks of 19 records, but a.cf.parquet has blocks of 32", hint: "All owners must give the same measures, max, --square, --product and --max-adds, so that blocks are of one size.", at: "b.cf.parquet"},
		{name: "blocks with other ids", setup: setups(blocks, rewritten("--layout blocks", "id,x,y", "a,1,2", "b,3,4", "d,5,6")), line: fuseAB,
			cause: `b.cf.parquet: row 3, column "id": the ids differ from those of a.cf.parquet: record 3 is "d", there it is "c"`, hint: hintBlocks, at: "b.cf.parquet row 3 column id"},
		{name: "blocks with reordered ids", setup: setups(blocks, rewritten("--layout blocks", "id,x,y", "a,1,2", "c,3,4", "b,5,6")), line: fuseAB,
			cause: `b.cf.parquet: row 2, column "id": the ids differ from those of a.cf.parquet: record 2 is "c", there it is "b"`, hint: hintBlocks, at: "b.cf.parquet row 2 column id"},
		{name: "blocks with fewer ids", setup: setups(blocks, rewritten("--layout blocks", "id,x,y", "a,1,2", "b,3,4")), line: fuseAB,
			cause: "b.cf.parquet: 2 records, but a.cf.parquet has 3", hint: hintBlocks, at: "b.cf.parquet"},
		{name: "blocks with reordered ids far down", setup: func(p *place) {
			for _, owner := range []string{"a", "b"} {
				lines := []string{"id,x,y"}
				for i := range 200 {
					if owner == "b" && i >= 150 {
						i = 349 - i
					}
					lines = append(lines, fmt.Sprintf("r%d,1,2", i))
				}
				p.lines(owner+".csv", lines...)
				p.encrypt(owner, "--layout blocks")
			}
		}, line: fuseAB,
			cause: `b.cf.parquet: row 151, column "id": the ids differ from those of a.cf.parquet: record 151 is "r199", there it is "r150"`, hint: hintBlocks, at: "b.cf.parquet row 151 column id"},
		{name: "ids of different types", setup: func(p *place) {
			p.table("a.parquet", "id:int32 x:int8", "1 1")
			p.table("b.parquet", "id:int64 x:int8", "1 1")
			for _, owner := range []string{"a", "b"} {
				p.ok("encrypt --key @/public.json --in @/" + owner + ".parquet --out @/" + owner + ".cf.parquet --id id --measure x:max=9")
			}
		}, line: fuseAB,
			cause: `b.cf.parquet: column "id": ids of type int64, but a.cf.parquet has int32`, hint: "Encrypt with --universe and one common reference list: its ids are used, and match as text.", at: "b.cf.parquet column id"},
		{name: "ids of different names", setup: setups(records, func(p *place) {
			p.lines("b.csv", "gene,x,y", "a,1,2")
			p.ok("encrypt --key @/public.json --in @/b.csv --out @/b.cf.parquet --id gene --measure x:max=100 y:max=100 --overwrite")
		}), line: fuseAB,
			cause: `b.cf.parquet: id columns ["gene"], but a.cf.parquet has ["id"]`, hint: "All owners must name the same id columns in the same order.", at: "b.cf.parquet"},
		{name: "no headroom in blocks", setup: setups(blocks, again("--layout blocks --max-adds 1"), func(p *place) { p.encrypt("a", "--layout blocks --max-adds 1") }), line: fuseAB,
			cause: "a.cf.parquet: no headroom: the fusion takes 2 additions, a weight counting as many, and the slots have room for 1", hint: "Encrypt again with --max-adds 2 or more, for every owner alike.", at: "a.cf.parquet"},
		{name: "no headroom in a group", setup: func(p *place) {
			p.lines("a.csv", "id,x,y", "a,1,1", "b,1,1", "a,1,1")
			p.lines("b.csv", "id,x,y", "a,1,1", "b,1,1", "b,1,1")
			p.encrypt("a", "--max-adds 2")
			p.encrypt("b", "--max-adds 2")
		}, line: fuseAB,
			cause: `b.cf.parquet: row 1, column "id": no headroom: with this row group "a" takes 3 additions or more, a weight counting as many, and the slots have room for 2`,
			hint:  "Encrypt again with a larger --max-adds, for every owner alike: the largest group must fit, and this one has got to 3.", at: "b.cf.parquet row 1 column id"},
		{name: "no headroom for a total", setup: setups(func(p *place) {
			owners("records")(p)
			p.encrypt("a", "--max-adds 5")
			p.encrypt("b", "--max-adds 5")
		}), line: fuseAB + "--by ''",
			cause: "a.cf.parquet: no headroom: a group takes 6 additions, a weight counting as many, and the slots have room for 5", hint: "Encrypt again with --max-adds 6 or more, for every owner alike.", at: "a.cf.parquet"},
		{name: "no headroom for a total of blocks", setup: func(p *place) {
			owners("blocks")(p)
			p.encrypt("a", "--max-adds 5 --layout blocks")
			p.encrypt("b", "--max-adds 5 --layout blocks")
		}, line: fuseAB + "--by ''",
			cause: "a.cf.parquet: no headroom: the total takes 6 additions, a weight counting as many, and the slots have room for 5", hint: "Encrypt again with --max-adds 6 or more, for every owner alike.", at: "a.cf.parquet"},
		{name: "no headroom for a weight", setup: records, line: fuseAB + "--weight @/b.cf.parquet=-1048576",
			cause: `b.cf.parquet: row 1, column "id": no headroom: with this row group "a" takes 1048577 additions or more, a weight counting as many, and the slots have room for 1048576`,
			hint:  "Encrypt again with a larger --max-adds, for every owner alike: the largest group must fit, and this one has got to 1048577.", at: "b.cf.parquet row 1 column id"},
		{name: "no headroom whatever the slots", setup: records, line: fuseAB + "--weight @/b.cf.parquet=-9223372036854775807",
			cause: "a.cf.parquet: no headroom: a group takes 9223372036854775807 additions, a weight counting as many, and the slots have room for 1048576", hint: "Use smaller weights or fewer records: slots can be made for 2^40 additions at most.", at: "a.cf.parquet"},
		{name: "no headroom in the second fusion", setup: func(p *place) {
			owners("blocks")(p)
			p.encrypt("a", "--max-adds 3 --layout blocks")
			p.encrypt("b", "--max-adds 3 --layout blocks")
			p.ok(fuseAB)
			p.encrypt("a", "--max-adds 3 --layout blocks --overwrite")
			p.encrypt("b", "--max-adds 3 --layout blocks --overwrite")
			p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/g.cf.parquet")
		}, line: "fuse --in @/f.cf.parquet @/g.cf.parquet --out @/h.cf.parquet",
			cause: "f.cf.parquet: no headroom: the fusion takes 4 additions, a weight counting as many, and the slots have room for 3", hint: "Encrypt again with --max-adds 4 or more, for every owner alike.", at: "f.cf.parquet"},
		{name: "a table that is in a sum too", setup: setups(records, func(p *place) {
			p.ok(fuseAB)
			for _, name := range []string{"a", "b", "f"} {
				p.craft(name+".cf.parquet", name+".cf.parquet", func(c *crafted) {
					c.Table.TableID = map[string]string{"a": "00112233445566778899aabbccddeeff", "b": "", "f": "0102030405060708090a0b0c0d0e0f00"}[name]
					if c.Table.Source = "hospital-a"; name == "f" {
						c.Table.Originals = []ctfile.Original{{ID: "00112233445566778899aabbccddeeff", Weight: 2, Source: "hospital-a"}}
					}
				})
			}
		}), line: "fuse --in @/b.cf.parquet @/f.cf.parquet @/a.cf.parquet --out @/g.cf.parquet",
			cause: `a.cf.parquet: table 00112233 of "hospital-a" is in it and in f.cf.parquet too: its values would be counted twice`, hint: "Leave one of them out. To count values twice on purpose, give --allow-repeats: then the sum has no guarantee of privacy.", at: "a.cf.parquet"},
		{name: "few owners", setup: setups(records, func(p *place) { p.ok(fuseAB) }), line: "decrypt --key @/secret.json --in @/f.cf.parquet --out @/f.csv --min-owners 3",
			cause: "f.cf.parquet: the tables of 2 owners are in it, fewer than --min-owners 3", hint: "Fuse the tables of more owners before anyone opens the sum.", at: "f.cf.parquet"},
		{name: "a total of slots in another order", setup: setups(blocks, swapped("b.cf.parquet")), line: fuseAB + "--by ''",
			cause: `b.cf.parquet: no total can be made of this layout: the slots of "x" are not where the order of the measures puts them`, hint: hintForeign, at: "b.cf.parquet"},
		{name: "a total of slots with gaps", setup: setups(blocks, func(p *place) {
			p.craft("b.cf.parquet", "b.cf.parquet", func(c *crafted) {
				for i := range c.Table.Measures {
					c.Table.Measures[i].Stride++
					c.Table.Measures[i].Slots--
				}
				c.Table.BlockRecords = c.Table.Measures[0].Slots
			})
		}), line: fuseAB + "--by ''",
			cause: `b.cf.parquet: no total can be made of this layout: the slots of "x" have gaps`, hint: hintForeign, at: "b.cf.parquet"},
		{name: "a total fused again", setup: setups(blocks, func(p *place) { p.ok("fuse --in @/a.cf.parquet --out @/t.cf.parquet --by ''") }), line: "fuse --in @/a.cf.parquet @/t.cf.parquet --out @/f.cf.parquet",
			cause: "t.cf.parquet: this is a total, which cannot be added to", hint: "Fuse the tables that it was made of.", at: "t.cf.parquet"},
		{name: "a total alone fused again", setup: setups(blocks, func(p *place) { p.ok("fuse --in @/a.cf.parquet --out @/t.cf.parquet --by ''") }), line: "fuse --in @/t.cf.parquet --out @/f.cf.parquet",
			cause: "t.cf.parquet: this is a total, which cannot be added to", hint: "Fuse the tables that it was made of.", at: "t.cf.parquet"},
		{name: "groups too small", setup: records, line: fuseAB + "--min-group 3",
			cause: "a.cf.parquet: no group has 3 records or more", hint: "Lower --min-group, or group by fewer columns.", at: "a.cf.parquet"},
		{name: "total too small", setup: blocks, line: fuseAB + "--by '' --min-group 7",
			cause: "a.cf.parquet: the total is of 6 records, fewer than --min-group 7", hint: "Lower --min-group, or add more tables.", at: "a.cf.parquet"},
		{name: "no such column to group by", setup: records, line: fuseAB + "--by ward",
			cause: `a.cf.parquet: no such column: "ward"`, hint: `The file has "id".`, at: "a.cf.parquet"},
		{name: "a sum of all grouped", setup: setups(records, func(p *place) { p.ok("fuse --in @/a.cf.parquet --out @/t.cf.parquet --by ''") }),
			line:  "fuse --in @/t.cf.parquet --out @/f.cf.parquet --by id",
			cause: "t.cf.parquet: there are no ids to group by: the records were added up before", hint: "Group the tables that this one was made of.", at: "t.cf.parquet"},
		{name: "column to group by twice", setup: records, line: fuseAB + "--by id,id", code: exitUsage,
			cause: `column "id" is twice in --by`, hint: "Name every column once."},
		{name: "blocks grouped", setup: blocks, line: fuseAB + "--by id", code: exitUsage,
			cause: "tables in blocks cannot be grouped by id", hint: "Encrypt with --layout records to group, or give --total for one total."},
		{name: "min-group in blocks", setup: blocks, line: fuseAB + "--min-group 2", code: exitUsage,
			cause: "--min-group needs the records layout", hint: "Encrypt with --layout records, where a group is a number of rows."},
		{name: "min-group negative", setup: records, line: fuseAB + "--min-group -2", code: exitUsage,
			cause: "--min-group -2 is negative", hint: "It is a number of records."},
		{name: "weight for no input", setup: records, line: fuseAB + "--weight @/c.cf.parquet=2", code: exitUsage,
			cause: "--weight for c.cf.parquet, which is no input", hint: "Write the file as in --in."},
		{name: "weight zero", setup: records, line: fuseAB + "--weight @/b.cf.parquet=0", code: exitUsage,
			cause: "weight 0 for b.cf.parquet", hint: "Leave the input out."},
		{name: "weight not a number", setup: records, line: fuseAB + "--weight @/b.cf.parquet=half", code: exitUsage,
			cause: "--weight b.cf.parquet=half is not FILE=NUMBER", hint: hintWeight},
		{name: "variance not positive", setup: records, line: fuseAB + "--variance @/b.cf.parquet=0", code: exitUsage,
			cause: "--variance b.cf.parquet=0 is not FILE=POSITIVE NUMBER", hint: hintWeight},
		{name: "fraction for one input only", setup: records, line: fuseAB + "--weight @/b.cf.parquet=0.5", code: exitUsage,
			cause: "a.cf.parquet has no weight", hint: "Weights that are not whole numbers are relative to each other: give every input one."},
		{name: "weight without a file", setup: records, line: fuseAB + "--weight 3", code: exitUsage,
			cause: "--weight 3 is not FILE=NUMBER", hint: hintWeight},
		{name: "weight beyond 64 bits", setup: records, line: fuseAB + "--weight @/b.cf.parquet=9223372036854775808", code: exitUsage,
			cause: "--weight b.cf.parquet=9223372036854775808 is not FILE=NUMBER", hint: hintWeight},
		{name: "two weights for a file", setup: records, line: fuseAB + "--weight @/b.cf.parquet=2 @/b.cf.parquet=3", code: exitUsage,
			cause: "two weights for b.cf.parquet", hint: "Give a file one weight."},
		{name: "file twice", setup: records, line: fuseAB + "--in @/a.cf.parquet", code: exitUsage,
			cause: "a.cf.parquet is given twice", hint: "To count it twice, give --weight FILE=2."},
		{name: "file twice by a glob", setup: records, line: "fuse --in '@/*.cf.parquet' @/a.cf.parquet --out @/f.cf.parquet", code: exitUsage,
			cause: "a.cf.parquet is given twice", hint: "To count it twice, give --weight FILE=2."},
		{name: "output among its inputs", setup: records, line: "fuse --in '@/*.cf.parquet' --out @/b.cf.parquet --overwrite", code: exitUsage,
			cause: "b.cf.parquet is an input and the output: *.cf.parquet stands for it", hint: "Give the output a name that the pattern does not match, or a directory of its own."},
		{name: "output over its input", setup: records, line: "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/./b.cf.parquet --overwrite", code: exitUsage,
			cause: "b.cf.parquet is an input and the output", hint: hintOwnName},
		{name: "unknown rerandomize", setup: records, line: fuseAB + "--rerandomize perhaps", code: exitUsage,
			cause: "unknown --rerandomize perhaps", hint: "Choose auto, always or never."},
		{name: "no input", line: "fuse --out @/f.cf.parquet", code: exitUsage,
			cause: "--in is missing", hint: "See: cipherfold fuse --help"},
		{name: "input empty", line: "fuse --in '' --out @/f.cf.parquet",
			code: exitUsage, cause: "--in is empty", hint: "Give it a value, or leave it out."},
		{name: "output empty", setup: records, line: "fuse --in @/a.cf.parquet --out ''",
			code: exitUsage, cause: "--out is empty", hint: "Give it a value, or leave it out."},
		{name: "no such input", line: fuseAB,
			cause: "a.cf.parquet: no such file or directory", hint: hintPath, at: "a.cf.parquet"},
		{name: "output that exists", setup: setups(records, textOf("f.cf.parquet", "precious")), line: fuseAB,
			cause: "f.cf.parquet: already exists", hint: hintExists, at: "f.cf.parquet"},
		{name: "output that exists, blocks", setup: setups(blocks, textOf("f.cf.parquet", "precious")), line: fuseAB,
			cause: "f.cf.parquet: already exists", hint: hintExists, at: "f.cf.parquet"},
		{name: "output that exists, total of blocks", setup: setups(blocks, textOf("f.cf.parquet", "precious")), line: fuseAB + "--by ''",
			cause: "f.cf.parquet: already exists", hint: hintExists, at: "f.cf.parquet"},
		{name: "output below a file", setup: records, line: "fuse --in @/a.cf.parquet --out @/a.csv/f.cf.parquet",
			cause: "a.csv/f.cf.parquet: cannot create: not a directory", hint: hintNotDir, at: "a.csv/f.cf.parquet"},
		{name: "output in no directory", setup: blocks, line: "fuse --in @/a.cf.parquet --out @/no/f.cf.parquet",
			cause: "no/f.cf.parquet: cannot create: there is no directory no", hint: hintNoDir, at: "no/f.cf.parquet"},
		{name: "plain Parquet", setup: setups(records, tableOf("b.cf.parquet", "id:text x:int8", "a 1")), line: fuseAB,
			cause: `b.cf.parquet: not an encrypted table: the footer has no key "cipherfold.version"`, hint: hintPlain, at: "b.cf.parquet"},
		{name: "CSV", setup: records, line: "fuse --in @/a.csv --out @/f.cf.parquet",
			cause: "a.csv: not a Parquet file", hint: "Check the path, and that the file's extension says what it is.", at: "a.csv"},
		{name: "empty file", setup: setups(records, func(p *place) { p.write("b.cf.parquet", "") }), line: fuseAB,
			cause: "b.cf.parquet: the file is empty", hint: "Check that what wrote it ran to its end.", at: "b.cf.parquet"},
		{name: "truncated", setup: setups(records, func(p *place) { p.truncate("b.cf.parquet", 0.7) }), line: fuseAB,
			cause: "b.cf.parquet: the file ends too early: there is no Parquet footer", hint: hintTail, at: "b.cf.parquet"},
		{name: "unknown version", setup: setups(records, func(p *place) { p.patch("b.cf.parquet", "cipherfold.version\x18\x011", "cipherfold.version\x18\x012") }), line: fuseAB,
			cause: `b.cf.parquet: version "2" of the format is not known`, hint: hintVersion, at: "b.cf.parquet"},
		{name: "footer changed", setup: setups(records, func(p *place) { p.patch("b.cf.parquet", `"bound":"100"`, `"bound":"101"`) }), line: fuseAB,
			cause: "b.cf.parquet: the footer does not match its digest", hint: hintPage, at: "b.cf.parquet"},
		{name: "unknown field", setup: setups(records, func(p *place) { resealed(p, "b.cf.parquet", `"layout":"records"`, `"layouX":"records"`) }), line: fuseAB,
			cause: `b.cf.parquet: the footer has the unknown field "layouX"`, hint: "A newer cipherfold may know it; what it means could matter, so the file is not read.", at: "b.cf.parquet"},
		{name: "bound beyond the slots", setup: setups(records, func(p *place) { resealed(p, "b.cf.parquet", `"max_adds":1048576`, `"max_adds":9048576`) }), line: fuseAB,
			cause: `b.cf.parquet: measure "x": 9048576 additions of values up to "100" and the sign need more than the slot's 28 bits`, hint: "The file is damaged, or was not made by cipherfold.", at: "b.cf.parquet"},
	}
	for _, by := range []struct{ name, layout, flags string }{
		{"records", "records", ""}, {"groups that are dropped", "records", "--min-group 3"}, {"total of records", "records", "--by ''"}, {"weighted records", "records", "--weight @/a.cf.parquet=-2"},
		{"blocks", "blocks", ""}, {"total of blocks", "blocks", "--by ''"}, {"weighted blocks", "blocks", "--weight @/a.cf.parquet=-2"},
	} {
		ab := owners(by.layout)
		row, col := 2, 0 // of three records with a ciphertext each
		if by.layout == "blocks" {
			row, col = 0, 1 // of one row with a ciphertext for each measure
		}
		at := func(file string) string { return fmt.Sprintf("%s.cf.parquet row %d column ct%d", file, row+1, col) }
		cause := func(file, why string) string {
			return fmt.Sprintf("%s.cf.parquet: row %d, column \"ct%d\": invalid ciphertext: %s", file, row+1, col, why)
		}
		list = append(list,
			refusal{name: "flipped byte, " + by.name, setup: setups(ab, flipCiphertext("b.cf.parquet")), line: fuseAB + by.flags,
				cause: fmt.Sprintf(`b.cf.parquet: row group 1, column "ct%d": a page does not match its checksum`, col), hint: hintDamaged,
				at: fmt.Sprintf("b.cf.parquet row group 1 column ct%d", col)},
			refusal{name: "ciphertext 0, " + by.name, setup: setups(ab, planted("b.cf.parquet", row, col, zero)), line: fuseAB + by.flags,
				cause: cause("b", "is 0"), hint: hintChanged, at: at("b")},
			refusal{name: "ciphertext N, " + by.name, setup: setups(ab, planted("a.cf.parquet", row, col, modulus)), line: fuseAB + by.flags,
				cause: cause("a", "shares a factor with N"), hint: hintChanged, at: at("a")},
			refusal{name: "ciphertext N², " + by.name, setup: setups(ab, planted("b.cf.parquet", row, col, square)), line: fuseAB + by.flags,
				cause: cause("b", "is not below N²"), hint: hintChanged, at: at("b")},
			refusal{name: "ciphertext with a factor, " + by.name, setup: setups(ab, planted("b.cf.parquet", row, col, factor)), line: fuseAB + by.flags,
				cause: cause("b", "shares a factor with N"), hint: hintChanged, at: at("b")},
		)
	}
	checkRefusals(t, list)
}

// bitsChanged makes a table claim a larger key, and widens its ciphertexts to suit.
func bitsChanged(name string) func(*place) {
	return func(p *place) {
		p.craft(name, name, func(c *crafted) {
			size := c.Table.CiphertextBytes()
			c.Table.Bits *= 2
			for i, ct := range c.cts {
				wide := make([]byte, 2*len(ct))
				for r := range len(ct) / size {
					copy(wide[(2*r+1)*size:], ct[r*size:(r+1)*size])
				}
				c.cts[i] = wide
			}
		})
	}
}

// swapped changes places of the first measure's slot and its count's.
func swapped(name string) func(*place) {
	return func(p *place) {
		p.craft(name, name, func(c *crafted) {
			x, n := &c.Table.Measures[0], &c.Table.Measures[1]
			x.Offset, n.Offset = n.Width, 0
		})
	}
}

// withoutCount takes the count of the first measure out of a footer.
func withoutCount(name string) func(*place) {
	return func(p *place) {
		p.craft(name, name, func(c *crafted) {
			c.Table.Measures[0].Count = ""
			c.Table.Measures = slices.Delete(c.Table.Measures, 1, 2)
		})
	}
}

// resealed patches the JSON of a footer and its digest.
func resealed(p *place, name, old, new string) {
	p.t.Helper()
	data := p.read(name)
	start := bytes.Index(data, []byte(`{"scheme":"paillier"`))
	end := bytes.Index(data[start:], []byte(`]}`)) // of row_groups, the last field
	if start < 0 || end < 0 {
		p.t.Fatal("no footer")
	}
	text := string(data[start : start+end+2])
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	p.patch(name, digest(text), digest(strings.ReplaceAll(text, old, new)))
	p.patch(name, old, new)
}

func TestBadDecryptions(t *testing.T) {
	records, blocks := owners("records"), owners("blocks")
	total := setups(blocks, func(p *place) {
		p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/total.cf.parquet --by ''")
		if err := os.Rename(p.path("total.cf.parquet"), p.path("a.cf.parquet")); err != nil {
			p.t.Fatal(err)
		}
	})
	foreign := func(p *place) { // under an MHL key, what only a textbook encryptor makes
		p.key("", "mhl")
		records(p)
		p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) {
			c.set(1, 0, new(big.Int).Exp(big.NewInt(123456789), c.N, c.square()))
		})
	}
	list := []refusal{
		{name: "public key", setup: records, line: "decrypt --key @/public.json --in @/a.cf.parquet --out @/r.csv",
			cause: "public.json: this is a public key, and decrypting needs the secret one", hint: "Give the secret.age or secret.json that keygen wrote beside it.", at: "public.json"},
		{name: "not fused", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.csv",
			cause: "a.cf.parquet: not fused: it is the table of one owner", hint: hintUnfused, at: "a.cf.parquet"},
		{name: "a fusion of one", setup: setups(records, func(p *place) { p.ok("fuse --in @/a.cf.parquet --out @/f.cf.parquet --total") }), line: "decrypt --key @/secret.json --in @/f.cf.parquet --out @/r.csv",
			cause: "f.cf.parquet: only one owner's table was fused in it", hint: hintUnfused, at: "f.cf.parquet"},
		{name: "not fused, of an earlier version", setup: setups(records, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.TableID = "" })
		}), line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.csv",
			cause: "a.cf.parquet: nothing was added up in it: it is a table as one owner encrypted it", hint: hintUnfused, at: "a.cf.parquet"},
		{name: "counts of unknown values", setup: setups(records, func(p *place) { p.ok(fuseAB + " --weight @/a.cf.parquet=3") }), line: "decrypt --key @/secret.json --in @/f.cf.parquet --out @/r.csv --min-count 2",
			cause: "f.cf.parquet: --min-count needs counts of values: these are multiplied by weights", hint: "Fuse the owners' tables again without it, or leave out --min-count.", at: "f.cf.parquet"},
		{name: "a least count of no number", setup: records, line: decryptA + "--min-count -1", code: exitUsage,
			cause: "--min-count -1 is negative", hint: "It is a number of values."},
		{name: "a least count with noise", setup: records, line: decryptA + "--min-count 2 --noise release --epsilon 1 --person-records 1 --budget @/b.json", code: exitUsage,
			cause: "--min-count with --noise: what is suppressed would tell exact counts", hint: "Noise protects people in sums of few values, too. Leave out one of the two."},
		{name: "wrong key", setup: setups(records, func(p *place) { p.key("other", "djn other") }), line: "decrypt --key @/other/secret.json --in @/a.cf.parquet --out @/r.csv",
			cause: "a.cf.parquet: wrong key: the table is encrypted under key <djn>, this is key <djn other>", hint: "Find the secret key whose fingerprint is <djn>.", at: "a.cf.parquet"},
		{name: "another variant's key", setup: setups(records, func(p *place) { p.key("other", "mhl") }), line: "decrypt --key @/other/secret.json --in @/a.cf.parquet --out @/r.csv",
			cause: "a.cf.parquet: wrong key: the table is encrypted under key <djn>, this is key <mhl>", hint: "Find the secret key whose fingerprint is <djn>.", at: "a.cf.parquet"},
		{name: "plain Parquet", setup: tableOf("a.cf.parquet", "id:text x:int8", "a 1"), line: decryptA,
			cause: `a.cf.parquet: not an encrypted table: the footer has no key "cipherfold.version"`, hint: hintPlain, at: "a.cf.parquet"},
		{name: "empty file", setup: func(p *place) { p.write("a.cf.parquet", "") }, line: decryptA,
			cause: "a.cf.parquet: the file is empty", hint: "Check that what wrote it ran to its end.", at: "a.cf.parquet"},
		{name: "no such file", line: decryptA,
			cause: "a.cf.parquet: no such file or directory", hint: hintPath, at: "a.cf.parquet"},
		{name: "truncated", setup: setups(records, func(p *place) { p.truncate("a.cf.parquet", 0.7) }), line: decryptA,
			cause: "a.cf.parquet: the file ends too early: there is no Parquet footer", hint: hintTail, at: "a.cf.parquet"},
		{name: "unknown version", setup: setups(records, func(p *place) { p.patch("a.cf.parquet", "cipherfold.version\x18\x011", "cipherfold.version\x18\x012") }), line: decryptA,
			cause: `a.cf.parquet: version "2" of the format is not known`, hint: hintVersion, at: "a.cf.parquet"},
		{name: "footer changed", setup: setups(records, func(p *place) { p.patch("a.cf.parquet", `"decimals":0`, `"decimals":1`) }), line: decryptA,
			cause: "a.cf.parquet: the footer does not match its digest", hint: hintPage, at: "a.cf.parquet"},
		{name: "unknown scheme", setup: setups(records, func(p *place) { resealed(p, "a.cf.parquet", `"scheme":"paillier"`, `"scheme":"okamoto1"`) }), line: decryptA,
			cause: `a.cf.parquet: the scheme "okamoto1" is not known`, hint: `A newer cipherfold may know it; this one knows "paillier".`, at: "a.cf.parquet"},
		{name: "ids changed", setup: setups(owners("records"), func(p *place) {
			p.lines("a.csv", "id,x,y", "patient-one,1,2", "patient-two,3,4")
			p.encrypt("a", "")
			p.patch("a.cf.parquet", "patient-one", "patient-six")
		}), line: decryptA,
			cause: `a.cf.parquet: row group 1, column "id": a page does not match its checksum`, hint: hintDamaged, at: "a.cf.parquet row group 1 column id"},
		{name: "flipped byte", setup: setups(records, flipCiphertext("a.cf.parquet")), line: decryptA,
			cause: `a.cf.parquet: row group 1, column "ct0": a page does not match its checksum`, hint: hintDamaged, at: "a.cf.parquet row group 1 column ct0"},
		{name: "flipped byte in blocks", setup: setups(blocks, flipCiphertext("a.cf.parquet")), line: decryptA,
			cause: `a.cf.parquet: row group 1, column "ct1": a page does not match its checksum`, hint: hintDamaged, at: "a.cf.parquet row group 1 column ct1"},
		{name: "flipped byte in a total", setup: setups(total, flipCiphertext("a.cf.parquet")), line: decryptA,
			cause: `a.cf.parquet: row group 1, column "ct1": a page does not match its checksum`, hint: hintDamaged, at: "a.cf.parquet row group 1 column ct1"},
		{name: "unwanted output format", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.xlsx", code: exitUsage,
			cause: `r.xlsx: unknown format ".xlsx"`, hint: hintOutputs},
		{name: "output format that is only read", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.vcf", code: exitUsage,
			cause: `r.vcf: unknown format ".vcf"`, hint: hintOutputs},
		{name: "output that exists", setup: setups(records, textOf("r.csv", "precious")), line: decryptA,
			cause: "r.csv: already exists", hint: hintExists, at: "r.csv"},
		{name: "output that exists, Parquet", setup: setups(records, textOf("r.parquet", "precious")), line: "decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/r.parquet",
			cause: "r.parquet: already exists", hint: hintExists, at: "r.parquet"},
		{name: "output over its input", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/./a.cf.parquet --overwrite", code: exitUsage,
			cause: "a.cf.parquet is an input and the output", hint: hintOwnName},
		{name: "size of the key changed in the footer", setup: setups(records, bitsChanged("a.cf.parquet")), line: decryptA,
			cause: "a.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "a.cf.parquet"},
		{name: "a measure without its count", setup: setups(records, withoutCount("a.cf.parquet")), line: decryptA,
			cause: `a.cf.parquet: unusable layout: no sum of "n|x"`, hint: hintForeign, at: "a.cf.parquet"},
		{name: "a total of slots in another order", setup: setups(total, swapped("a.cf.parquet")), line: decryptA,
			cause: `a.cf.parquet: unusable layout: the slots of "x" are not where the order of the measures puts them`, hint: hintForeign, at: "a.cf.parquet"},
		{name: "blocks without ids", setup: setups(total, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.Total = false })
		}), line: decryptA,
			cause: "a.cf.parquet: unusable layout: blocks without ids do not tell how many records they have", hint: hintForeign, at: "a.cf.parquet"},
		{name: "a measure given something else", setup: setups(records, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.Measures[1].Given = []string{"z"} })
		}), line: decryptA,
			cause: `a.cf.parquet: unusable layout: no sum of "n|x"`, hint: hintForeign, at: "a.cf.parquet"},
		{name: "output below a file", setup: records, line: "decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/a.csv/r.arrow",
			cause: "a.csv/r.arrow: cannot create: not a directory", hint: hintNotDir, at: "a.csv/r.arrow"},
		{name: "output in no directory", setup: records, line: "decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/no/r.tsv",
			cause: "no/r.tsv: cannot create: there is no directory no", hint: hintNoDir, at: "no/r.tsv"},
		{name: "no output", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet", code: exitUsage,
			cause: "--out is missing", hint: "See: cipherfold decrypt --help"},
		{name: "foreign randomiser under MHL", setup: foreign, line: decryptA,
			cause: `a.cf.parquet: row 2, column "ct0": invalid ciphertext: its randomizer is not in the group of this MHL key: it was made or re-randomized with another variant`, hint: hintChanged, at: "a.cf.parquet row 2 column ct0"},
		{name: "a plaintext beyond its slots", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, new(big.Int).Rsh(c.N, 1)) })), line: decryptA,
			cause: `a.cf.parquet: a sum is beyond what the footer's bounds and additions allow`, hint: hintBeyond, at: "a.cf.parquet"},
		{name: "a plaintext beyond its slots, located", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, new(big.Int).Rsh(c.N, 1)) })), line: decryptA + " --locate-refused",
			cause: `a.cf.parquet: row 2, column "ct0": a sum of this ciphertext is beyond its slot`, hint: hintLocated, at: "a.cf.parquet row 2 column ct0"},
		{name: "a sum beyond its bound", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, big.NewInt(101)) })), line: decryptA,
			cause: `a.cf.parquet: a sum is beyond what the footer's bounds and additions allow`, hint: hintBeyond, at: "a.cf.parquet"},
		{name: "a sum beyond its bound, located", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, big.NewInt(101)) })), line: decryptA + " --locate-refused",
			cause: `a.cf.parquet: row 2, column "ct0": the sum of "x" is beyond what the footer's bound and additions allow`, hint: hintLocated, at: "a.cf.parquet row 2 column ct0"},
	}
	for _, kind := range []struct {
		name  string
		setup func(*place)
		row   int
	}{{"records", records, 2}, {"blocks", blocks, 0}, {"a total", total, 0}} {
		at := fmt.Sprintf("a.cf.parquet row %d column ct0", kind.row+1)
		cause := fmt.Sprintf("a.cf.parquet: row %d, column \"ct0\": invalid ciphertext: ", kind.row+1)
		list = append(list,
			refusal{name: "ciphertext 0 in " + kind.name, setup: setups(kind.setup, planted("a.cf.parquet", kind.row, 0, zero)), line: decryptA,
				cause: cause + "is 0", hint: hintChanged, at: at},
			refusal{name: "ciphertext N in " + kind.name, setup: setups(kind.setup, planted("a.cf.parquet", kind.row, 0, modulus)), line: decryptA,
				cause: cause + "shares a factor with N", hint: hintChanged, at: at},
			refusal{name: "ciphertext N² in " + kind.name, setup: setups(kind.setup, planted("a.cf.parquet", kind.row, 0, square)), line: decryptA,
				cause: cause + "is not below N²", hint: hintChanged, at: at},
			refusal{name: "ciphertext with a factor in " + kind.name, setup: setups(kind.setup, planted("a.cf.parquet", kind.row, 0, factor)), line: decryptA,
				cause: cause + "shares a factor with N", hint: hintChanged, at: at},
		)
	}
	checkRefusals(t, list)
}
