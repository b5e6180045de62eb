package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// report is what encrypt, fuse and decrypt print with --json.
type report struct {
	Out         string
	Records     int64
	Ciphertexts int64
	Values      int64
	Seconds     float64
	Kernel      string
	Measures    []string
	Missing     map[string]int64
	Unlisted    int64
	SmallGroups int64 `json:"small_groups"`
	Stages      []struct {
		Name    string
		Workers int
		Busy    float64 `json:"busy_seconds"`
		Wall    float64 `json:"wall_seconds"`
	}
}

// sums decrypts a table to CSV and returns its rows, the values of the named columns each.
func (p *place) sums(table string, columns ...string) []string {
	p.t.Helper()
	p.ok("decrypt --key @/secret.json --unfused --in @/" + table + " --out @/sums.csv --overwrite")
	o := p.open("sums.csv")
	var out []string
	for i := range o.rows {
		out = append(out, o.line(i, columns...))
	}
	return out
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The same table in every input format, fused, and the sum in every output format.
func TestFormats(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mkdir("e")
	for _, ext := range []string{"csv", "tsv", "csv.gz", "tsv.gz", "parquet", "arrow", "feather"} {
		p.table("in."+ext, "id:text x:int32 y:double", "a 1 0.5", "b ~ -1.5", "c,\"d\" -3 ~")
		p.ok("encrypt --key @/public.json --in @/in." + ext + " --out @/e/" + strings.ReplaceAll(ext, ".", "-") + ".cf.parquet --id id --measure x:max=100 y:decimals=1:max=9.9 --source " + ext)
	}
	p.ok("fuse --in @/e --out @/f.cf.parquet")
	want := []string{"a 7 7 1 3.5 7 0.5", "b 0 0 ~ -10.5 7 -1.5", "c,\"d\" -21 7 -3 0.0 0 ~"}
	for _, ext := range []string{"csv", "tsv", "parquet", "arrow"} {
		p.ok("decrypt --key @/secret.json --in @/f.cf.parquet --out @/r." + ext)
		o := p.open("r." + ext)
		equal(t, ext, o.columns, []string{"id", "x_sum", "x_count", "x_mean", "y_sum", "y_count", "y_mean"})
		var got []string
		for i := range o.rows {
			got = append(got, o.line(i, o.columns...))
		}
		if ext == "parquet" || ext == "arrow" {
			want[2] = "c,\"d\" -21 7 -3 0 0 ~" // how Arrow prints a decimal 0.0
		}
		equal(t, ext, got, want)
		if ext == "parquet" || ext == "arrow" {
			wantTypes := map[string]string{"id": "utf8", "x_sum": "int64", "x_count": "int64", "x_mean": "float64", "y_sum": "decimal(38, 1)", "y_count": "int64", "y_mean": "float64"}
			if !maps.Equal(o.types, wantTypes) {
				t.Errorf("%s: types %v, want %v", ext, o.types, wantTypes)
			}
		}
	}
}

// Ids keep their types and values, in both layouts, alone and fused by some of them.
func TestIDTypes(t *testing.T) {
	t.Parallel()
	header := "text:text bool:bool i8:int8 i16:int16 i32:int32 i64:int64 u8:uint8 u16:uint16 u32:uint32 u64:uint64 date:date time:time"
	rows := []string{
		"one true -128 -32768 -2147483648 -9223372036854775808 0 0 0 0 1582-10-15 1969-12-31T23:59:59.999Z",
		"two false 127 32767 2147483647 9223372036854775807 255 65535 4294967295 18446744073709551615 2999-12-31 2024-02-29T12:30:00.001Z",
		"three true 0 0 0 0 1 1 1 1 1970-01-01 1970-01-01T00:00:00.000Z",
	}
	orders := map[string][]int{"records": {0, 2, 1}, "blocks": {0, 1, 2}} // by id, and as they come
	ids := strings.Fields(strings.NewReplacer(":text", "", ":bool", "", ":date", "", ":time", "").Replace(header))
	for i := range ids {
		ids[i], _, _ = strings.Cut(ids[i], ":")
	}
	for _, ext := range []string{"parquet", "arrow"} {
		for _, layout := range []string{"records", "blocks"} {
			t.Run(ext+" "+layout, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.table("in."+ext, header+" x:int8", rows[0]+" 1", rows[1]+" 2", rows[2]+" 3")
				in := p.open("in." + ext)
				p.ok("encrypt --key @/public.json --in @/in." + ext + " --out @/a.cf.parquet --measure x:max=3 --layout " + layout + " --id " + strings.Join(ids, ","))
				p.ok("fuse --in @/a.cf.parquet --out @/f.cf.parquet --weight @/a.cf.parquet=2")
				for _, out := range []string{"parquet", "arrow"} {
					p.ok("decrypt --key @/secret.json --unfused --in @/f.cf.parquet --out @/r." + out)
					r := p.open("r." + out)
					for i, from := range orders[layout] {
						if got, want := r.line(i, append(ids, "x_sum")...), in.line(from, ids...)+fmt.Sprint(" ", 2*(from+1)); got != want {
							t.Errorf("%s, row %d: %s, want %s", out, i+1, got, want)
						}
					}
					for _, id := range ids {
						if in.types[id] != r.types[id] {
							t.Errorf("%s: id %s of type %s became %s", out, id, in.types[id], r.types[id])
						}
					}
				}
				if layout == "records" {
					p.ok("fuse --in @/a.cf.parquet --out @/g.cf.parquet --by bool,u64")
					p.ok("decrypt --key @/secret.json --unfused --in @/g.cf.parquet --out @/g.arrow")
					g := p.open("g.arrow")
					equal(t, "columns", g.columns, []string{"bool", "u64", "x_sum", "x_count", "x_mean"})
					if len(g.rows) != 3 || g.types["u64"] != "uint64" || g.types["bool"] != "bool" {
						t.Errorf("%d groups of types %v", len(g.rows), g.types)
					}
				}
			})
		}
	}
}

// All ways to name several files.
func TestManyInputs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("d/1.csv", "id,x", "a,1", "b,2")
	p.lines("d/2.csv", "id,x", "c,3")
	p.lines("d/3.csv", "id,x", "d,4", "a,10")
	p.lines("d/_SUCCESS", "")
	p.lines("d/.hidden.csv", "nothing")
	flags := " --key @/public.json --id id --measure x:max=10 --overwrite --out @/o.cf.parquet"
	for _, in := range []string{
		"encrypt --in @/d/1.csv @/d/2.csv @/d/3.csv" + flags,
		"encrypt --in @/d/1.csv --in @/d/2.csv @/d/3.csv" + flags,
		"encrypt --in=@/d/1.csv @/d/2.csv --threads 1 --in @/d/3.csv" + flags,
		"encrypt --in @/d" + flags,
		"encrypt --in '@/d/*.csv'" + flags,
		"encrypt --in '@/d/[12].csv' @/d/3.csv" + flags,
		"--threads 2 encrypt" + flags + " --in @/d/1.csv @/d/2.csv @/d/3.csv",
	} {
		p.ok(in)
		equal(t, in, p.sums("o.cf.parquet", "id", "x_sum"), []string{"a 1", "b 2", "c 3", "d 4", "a 10"})
	}
	p.mkdir("e")
	for _, owner := range []string{"1", "2", "3"} {
		p.ok("encrypt --key @/public.json --in @/d/" + owner + ".csv --out @/e/" + owner + ".cf.parquet --id id --measure x:max=10")
	}
	for _, in := range []string{"@/e/1.cf.parquet @/e/2.cf.parquet @/e/3.cf.parquet", "@/e", "'@/e/*.cf.parquet'", "@/e/1.cf.parquet --in '@/e/[23]*'"} {
		p.ok("fuse --out @/f.cf.parquet --overwrite --in " + in)
		equal(t, in, p.sums("f.cf.parquet", "id", "x_sum", "x_count"), []string{"a 11 2", "b 2 1", "c 3 1", "d 4 1"})
	}
}

func TestNullTokens(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "1,", "2,NA", "3,5", `4,"NA"`)
	p.lines("b.tsv", "id\tx", "1\t.", "2\t-9", "3\t5", "4\t-")
	p.table("c.parquet", "id:text x:int8", "1 ~", "2 ~", "3 5", "4 ~")
	for _, c := range []string{"a.csv", "b.tsv --null . - -9", "b.tsv --null . --null=- --null -9", "c.parquet"} {
		r := okJSON[report](p, "encrypt --key @/public.json --out @/o.cf.parquet --overwrite --id id --measure x:max=5 --in @/"+c)
		equal(t, c, p.sums("o.cf.parquet", "x_sum", "x_count"), []string{"0 0", "0 0", "5 1", "0 0"})
		if r.Missing["x"] != 3 {
			t.Errorf("%s: missing %v", c, r.Missing)
		}
	}
	// an empty id is an id when nothing but "." is missing
	p.lines("d.csv", "id,x", ",.", "NA,7")
	p.ok("encrypt --key @/public.json --in @/d.csv --out @/o.cf.parquet --overwrite --id id --measure x:max=7 --null .")
	equal(t, "ids", p.sums("o.cf.parquet", "id", "x_sum"), []string{"~ 0", "NA 7"})
}

// moment is one owner's record in the plain computation.
type moment struct {
	ward, id string
	x, y     int64 // hundredths, tenths
	hasX     bool
	hasY     bool
}

// statistics of two owners' records with missing values and negatives, against rational arithmetic.
func TestStatistics(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := rand.New(rand.NewPCG(1, 2))
	wards := map[string][]moment{}
	for _, owner := range []string{"a", "b"} {
		lines := []string{"ward,id,x,y"}
		for i := range 120 {
			m := moment{ward: []string{"north", "south", "west"}[r.IntN(3)], id: fmt.Sprint(owner, i), hasX: r.IntN(5) > 0, hasY: r.IntN(4) > 0}
			m.x = r.Int64N(2_000_001) - 1_000_000
			m.y = -m.x/37 + r.Int64N(2001) - 1000
			wards[m.ward] = append(wards[m.ward], m)
			wards["all"] = append(wards["all"], m)
			x, y := "", "NA"
			if m.hasX {
				x = decimal(m.x, 2)
			}
			if m.hasY {
				y = decimal(m.y, 1)
			}
			lines = append(lines, strings.Join([]string{m.ward, m.id, x, y}, ","))
		}
		p.lines(owner+".csv", lines...)
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --out @/" + owner + ".cf.parquet --id ward,id --measure x:decimals=2:max=10000 y:decimals=1:max=5000 --square x y --product x*y")
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --out @/" + owner + "-blocks.cf.parquet --id ward,id --measure x:decimals=2:max=10000 y:decimals=1:max=5000 --square x y --product x*y --layout blocks")
	}
	p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/wards.cf.parquet --by ward")
	p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/all.cf.parquet --by ''")
	p.ok("fuse --in @/a-blocks.cf.parquet @/b-blocks.cf.parquet --out @/all-blocks.cf.parquet --by ''")
	for _, table := range []string{"wards", "all", "all-blocks"} {
		p.ok("decrypt --key @/secret.json --in @/" + table + ".cf.parquet --out @/" + table + ".csv")
		o := p.open(table + ".csv")
		if want := map[string]int{"wards": 3, "all": 1, "all-blocks": 1}[table]; len(o.rows) != want {
			t.Fatalf("%s: %d rows, want %d", table, len(o.rows), want)
		}
		for _, row := range o.rows {
			ward := row["ward"]
			if table != "wards" {
				ward = "all"
			}
			checkMoments(t, table+" "+ward, row, wards[ward])
		}
	}
}

func decimal(v int64, decimals int) string {
	return new(big.Rat).SetFrac64(v, int64(math.Pow10(decimals))).FloatString(decimals)
}

func checkMoments(t *testing.T, what string, row map[string]string, records []moment) {
	t.Helper()
	var n, sx, sy, nx, ny, sxx, syy, px, py, pxx, pyy, pxy int64
	for _, m := range records {
		if m.hasX {
			nx, sx, sxx = nx+1, sx+m.x, sxx+m.x*m.x
		}
		if m.hasY {
			ny, sy, syy = ny+1, sy+m.y, syy+m.y*m.y
		}
		if m.hasX && m.hasY {
			n, px, py, pxx, pyy, pxy = n+1, px+m.x, py+m.y, pxx+m.x*m.x, pyy+m.y*m.y, pxy+m.x*m.y
		}
	}
	// deviation is k·b - c·d, exactly
	deviation := func(k, b, c, d int64) *big.Int {
		return new(big.Int).Sub(new(big.Int).Mul(big.NewInt(k), big.NewInt(b)), new(big.Int).Mul(big.NewInt(c), big.NewInt(d)))
	}
	quotient := func(a *big.Int, b ...int64) string {
		d := big.NewInt(1)
		for _, x := range b {
			d.Mul(d, big.NewInt(x))
		}
		f, _ := new(big.Rat).SetFrac(a, d).Float64()
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	want := map[string]string{
		"x_sum": decimal(sx, 2), "x_count": fmt.Sprint(nx), "x_mean": quotient(big.NewInt(sx), nx, 100), "x_var": quotient(deviation(nx, sxx, sx, sx), nx, nx-1, 10000),
		"y_sum": decimal(sy, 1), "y_count": fmt.Sprint(ny), "y_mean": quotient(big.NewInt(sy), ny, 10), "y_var": quotient(deviation(ny, syy, sy, sy), ny, ny-1, 100),
		"x_y_cov": quotient(deviation(n, pxy, px, py), n, n-1, 1000),
	}
	for column, value := range want {
		got := row[column]
		if f, err := strconv.ParseFloat(got, 64); err == nil && !strings.HasSuffix(column, "_sum") {
			got = strconv.FormatFloat(f, 'g', -1, 64)
		}
		if got != value {
			t.Errorf("%s: %s is %s, want %s", what, column, row[column], value)
		}
	}
	a, _ := new(big.Float).SetInt(deviation(n, pxy, px, py)).Float64()
	b, _ := new(big.Float).SetInt(deviation(n, pxx, px, px)).Float64()
	c, _ := new(big.Float).SetInt(deviation(n, pyy, py, py)).Float64()
	if cor, err := strconv.ParseFloat(row["x_y_cor"], 64); err != nil || math.Abs(cor-a/math.Sqrt(b)/math.Sqrt(c)) > 1e-14 {
		t.Errorf("%s: x_y_cor is %s, want %v", what, row["x_y_cor"], a/math.Sqrt(b)/math.Sqrt(c))
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"records", "blocks"} {
		p := newPlace(t)
		owners(layout)(p) // a: (1,2) (-,-3) (5,6), b: (10,20) (30,40) (50,-)
		columns := []string{"id", "x_sum", "x_count", "y_sum", "y_count"}
		p.ok(fuseAB + "--weight @/a.cf.parquet=-2 @/b.cf.parquet=3")
		equal(t, layout, p.sums("f.cf.parquet", columns...), []string{"a 28 1 56 1", "b 90 3 126 1", "c 140 1 -12 -2"})
		p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/d.cf.parquet --weight=@/b.cf.parquet=-1 --rerandomize never")
		equal(t, layout, p.sums("d.cf.parquet", columns...), []string{"a -9 0 -18 0", "b -30 -1 -43 0", "c -45 0 6 1"})
		p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/t.cf.parquet --by '' --weight @/b.cf.parquet=-1")
		equal(t, layout, p.sums("t.cf.parquet", columns[1:]...), []string{"-84 -1 -55 1"})
		p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/s.cf.parquet --by '' --rerandomize always")
		equal(t, layout, p.sums("s.cf.parquet", columns[1:]...), []string{"96 5 65 5"})
	}
}

func TestMinGroup(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "ward,id,x", "n,1,1", "s,2,2", "n,3,", "w,4,4")
	p.lines("b.csv", "ward,id,x", "s,5,8", "n,6,16", "e,7,32")
	for _, owner := range []string{"a", "b"} {
		p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --out @/" + owner + ".cf.parquet --id ward,id --measure x:max=32")
	}
	r := okJSON[report](p, fuseAB+"--by ward --min-group 2")
	if r.SmallGroups != 2 || r.Records != 2 {
		t.Errorf("%d groups dropped, %d kept", r.SmallGroups, r.Records)
	}
	equal(t, "wards", p.sums("f.cf.parquet", "ward", "x_sum", "x_count"), []string{"n 17 2", "s 10 2"})
	if out := p.ok(fuseAB + "--by ward --min-group 3 --overwrite"); !strings.Contains(out, "f.cf.parquet: 1 record, 7 ciphertexts folded") || !strings.Contains(out, "dropped below --min-group: 3 groups\n") {
		t.Error(out)
	}
	if out := p.ok("fuse --in @/a.cf.parquet --out @/g.cf.parquet --by '' --min-group 4"); !strings.Contains(out, "g.cf.parquet: 1 record,") || strings.Contains(out, "dropped") {
		t.Error(out)
	}
}

// Sources with different records align with a universe: nobody can tell from the encrypted tables who has which.
func TestUniverse(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"records", "blocks"} {
		p := newPlace(t)
		p.lines("genes.tsv", "name\tgene", "three\t3", "one\t1", "four\t4", "two\t2")
		p.lines("a.csv", "gene,x", "1,10", "2,20")
		p.table("b.parquet", "gene:int64 x:int8", "4 4", "2 ~", "9 99", "3 3")
		a := okJSON[report](p, "encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id gene --measure x:max=99 --universe @/genes.tsv --layout "+layout)
		b := okJSON[report](p, "encrypt --key @/public.json --in @/b.parquet --out @/b.cf.parquet --id gene --measure x:max=99 --universe @/genes.tsv --drop-unlisted --layout "+layout)
		if a.Records != 4 || a.Missing["x"] != 2 || a.Unlisted != 0 || b.Records != 4 || b.Missing["x"] != 2 || b.Unlisted != 1 {
			t.Errorf("%s: %+v, %+v", layout, a, b)
		}
		for _, table := range []string{"a.cf.parquet", "b.cf.parquet"} {
			equal(t, layout+" "+table, p.sums(table, "gene"), []string{"3", "1", "4", "2"})
		}
		p.ok(fuseAB)
		want := map[string][]string{"records": {"1 10 1", "2 20 1", "3 3 1", "4 4 1"}, "blocks": {"3 3 1", "1 10 1", "4 4 1", "2 20 1"}} // by id, and as in the universe
		equal(t, layout, p.sums("f.cf.parquet", "gene", "x_sum", "x_count"), want[layout])
		out := p.ok("encrypt --key @/public.json --in @/b.parquet --out @/b.cf.parquet --overwrite --id gene --measure x:max=99 --universe @/genes.tsv --drop-unlisted --layout " + layout)
		for _, want := range []string{"b.cf.parquet: 4 records, ", "  missing: 2 of 4 values (x 2)\n", "  dropped outside the universe: 1 record\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", layout, want, out)
			}
		}
	}
}

// What encrypt says about missing values stays short however many measures there are.
func TestManyMeasures(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	header, rows := "id", []string{"a", "b", "c"}
	for m := range 130 {
		header += fmt.Sprintf(",v%d", m)
		for i := range rows {
			if m%10 < i {
				rows[i] += ","
			} else {
				rows[i] += fmt.Sprintf(",%d", (m-60)*(i+1)*9)
			}
		}
	}
	p.lines("a.csv", append([]string{header}, rows...)...)
	r := p.run("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure '*'")
	if r.code != exitDone || !strings.HasSuffix(r.out, "\n  missing: 39 of 390 values (v0 2, v10 2, v20 2, v30 2, and 22 more measures)\n") || strings.Count(r.out, "\n") != 2 {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	want := "warning: test key: below 2048 bits, it protects nothing\n" +
		"bound found in the data; other owners must use the same max=65535 measures=v0, v1, v2, v3, v4, v5, v6, v7, and 98 more\n" +
		"bound found in the data; other owners must use the same max=255 measures=v40, v50, v51, v52, v53, v54, v55, v56, and 16 more\n"
	if r.err != want {
		t.Errorf("notes\n%swant\n%s", r.err, want)
	}
	got := p.sums("a.cf.parquet", "v0_sum", "v59_sum", "v61_sum", "v129_sum")
	equal(t, "sums", got, []string{"-540 -9 9 621", "0 -18 18 1242", "0 -27 0 1863"})
}

// The ciphertexts of a fusion do not depend on the number of workers.
func TestThreads(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"records", "blocks"} {
		p := newPlace(t)
		for _, owner := range []string{"a", "b"} {
			lines := []string{"id,ward,x"}
			for i := range 500 {
				lines = append(lines, fmt.Sprintf("%d,w%d,%d", i, i%37, i%10))
			}
			p.lines(owner+".csv", lines...)
			p.ok("encrypt --key @/secret.json --in @/" + owner + ".csv --out @/" + owner + ".cf.parquet --id id,ward --measure x:max=9 --layout " + layout)
		}
		runs := []string{"", "--weight @/b.cf.parquet=-3 --rerandomize never"}
		if layout == "records" {
			runs = append(runs, "--by ward", "--by ''")
		}
		for _, flags := range runs {
			ciphertexts := func(threads int) (all [][]byte) {
				p.ok(fmt.Sprintf("%s %s --threads %d --overwrite", fuseAB, flags, threads))
				p.craft("f.cf.parquet", "g.cf.parquet", func(c *crafted) { all = c.cts })
				return all
			}
			one, four := ciphertexts(1), ciphertexts(4)
			if !slices.EqualFunc(one, four, bytes.Equal) {
				t.Errorf("%s %s: 4 threads give other ciphertexts than 1", layout, flags)
			}
		}
	}
}

// A key of a size that protects something, once through.
func TestRealKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.key("", "djn 2048")
	owners("blocks")(p)
	p.ok(fuseAB)
	equal(t, "sums", p.sums("f.cf.parquet", "id", "x_sum", "x_count", "y_sum", "y_count"), []string{"a 11 2 22 2", "b 30 1 37 2", "c 55 2 6 1"})
	if out := p.ok("inspect @/f.cf.parquet"); strings.Contains(out, "TEST KEY") || !strings.Contains(out, "2048 bits") {
		t.Error(out)
	}
}

// keys returns the names of a JSON object's fields.
func jsonKeys(t *testing.T, v json.RawMessage) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(v, &m); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(m))
}

// The shapes that programs depend on.
func TestJSONShapes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owners("records")(p)
	for _, c := range []struct{ line, fields string }{
		{"encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9", "ciphertexts inputs kernel key measures missing out records seconds stages tables values"},
		{fuseAB, "ciphertexts inputs kernel key originals out records seconds stages values"},
		{decryptA, "ciphertexts inputs kernel key originals out records seconds single_values stages values"},
		{"keygen --out @/k --plain --bits 1024 --insecure-test-key", "bits fingerprint public secret variant"},
		{"inspect @/public.json --export @/o.jwk", "export file"},
		{"selftest", "entries files kernels"},
		{"doctor --quick", "chosen cores cpu features go kernels"},
	} {
		got := jsonKeys(t, okJSON[json.RawMessage](p, c.line))
		if os.Getenv("CIPHERFOLD_CPU") != "" { // then doctor says so
			got = slices.DeleteFunc(got, func(name string) bool { return name == "switch" })
		}
		equal(t, c.line, got, strings.Fields(c.fields))
	}
	list := okJSON[[]json.RawMessage](p, "inspect @/public.json @/secret.json @/a.cf.parquet")
	if len(list) != 3 {
		t.Fatalf("%d inspections", len(list))
	}
	for i, kind := range []string{"public key", "secret key", "encrypted table"} {
		want := strings.Fields("bits ciphertext_bytes file fingerprint kind scheme tables test_key variant")
		if i == 2 {
			want = strings.Fields("bits ciphertext_bytes file fingerprint kind originals scheme table test_key variant")
		}
		equal(t, kind, jsonKeys(t, list[i]), want)
		var x struct{ Kind string }
		if err := json.Unmarshal(list[i], &x); err != nil || x.Kind != kind {
			t.Errorf("kind %q, want %q", x.Kind, kind)
		}
	}
	r := okJSON[report](p, fuseAB+"--by id --overwrite")
	if r.Records != 3 || r.Ciphertexts != 6 || r.Values != 12 || r.Kernel == "" || r.Seconds <= 0 || len(r.Stages) == 0 || r.Stages[0].Workers < 1 {
		t.Errorf("%+v", r)
	}
}

// With --log-format json every line on standard error is an object, notes and errors alike.
func TestLogFormat(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.lines("a.csv", "id,x", "a,1")
	line := "encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x --log-format json"
	for _, r := range []result{p.run(line), p.run(line)} {
		for text := range strings.Lines(r.err) {
			var note struct{ Level, Msg, Hint string }
			if err := json.Unmarshal([]byte(text), &note); err != nil || note.Msg == "" || (note.Level == "ERROR") != (note.Hint != "") {
				t.Errorf("%v: %s", err, text)
			}
		}
	}
}
