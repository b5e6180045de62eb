package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
)

// refusal is a command line that must fail and say why.
type refusal struct {
	name  string
	setup func(p *place)
	line  string
	code  int    // input refused unless given
	cause string // the whole first line
	hint  string // the whole second line
	at    string // the place, as "FILE row group 1 row 2 line 3 column x"
}

// check runs a refusal as text and as JSON, and looks at what it says and what it left.
func (r refusal) check(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if r.setup != nil {
		r.setup(p)
	}
	if r.code == 0 {
		r.code = exitRefused
	}
	before := p.files()
	got := p.run("--quiet " + r.line)
	p.unchanged(before)
	if got.code != r.code {
		t.Errorf("exit code %d, want %d", got.code, r.code)
	}
	if want := "cipherfold: " + r.cause + "\n  hint: " + r.hint + "\n"; got.err != want {
		t.Errorf("standard error\n%swant\n%s", got.err, want)
	}
	if got.out != "" {
		t.Errorf("standard output: %s", got.out)
	}

	asJSON := p.run("--json " + r.line)
	p.unchanged(before)
	var v struct {
		Error struct {
			Code     int
			Kind     string
			Message  string
			Hint     string
			File     string
			RowGroup int `json:"row_group"`
			Row      int64
			Line     int64
			Column   string
		}
	}
	d := json.NewDecoder(strings.NewReader(asJSON.out))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("--json prints no single error (%v): %s", err, asJSON.out)
	}
	kind := map[int]string{exitFailed: "failed", exitUsage: "usage", exitRefused: "input refused", exitInterrupted: "interrupted"}[r.code]
	if v.Error.Code != r.code || asJSON.code != r.code || v.Error.Kind != kind || v.Error.Message != r.cause || v.Error.Hint != r.hint {
		t.Errorf("--json gives exit code %d and\n%s", asJSON.code, asJSON.out)
	}
	at := []string{v.Error.File}
	for _, x := range []struct{ name, value string }{
		{"row group", fmt.Sprint(v.Error.RowGroup)}, {"row", fmt.Sprint(v.Error.Row)}, {"line", fmt.Sprint(v.Error.Line)}, {"column", v.Error.Column},
	} {
		if x.value != "0" && x.value != "" {
			at = append(at, x.name, x.value)
		}
	}
	if place := strings.Join(at, " "); place != r.at {
		t.Errorf("--json places it at %q, want %q", place, r.at)
	}
}

func checkRefusals(t *testing.T, list []refusal) {
	t.Parallel()
	for _, r := range list {
		t.Run(strings.ReplaceAll(r.name, " ", "_"), r.check)
	}
}

// encryptX encrypts the column x of a file in all ways that read it: with max, without (a first pass), in blocks, and
// aligned with a universe.
const (
	encryptX        = "encrypt --key @/public.json --out @/o.cf.parquet --id id --measure x:max=100 --in "
	encryptXUnbound = "encrypt --key @/public.json --out @/o.cf.parquet --id id --measure x --in "
	encryptXDecimal = "encrypt --key @/public.json --out @/o.cf.parquet --id id --measure x:decimals=1:max=100 --in "
)

// Hints that many refusals share.
const (
	hintNull     = "If it stands for a missing value, name it with --null (default: empty and NA)."
	hintMakeNull = "If it stands for a missing value, make it a null."
	hintDecimals = "Declare as many as the data have (x:decimals=D), or round the data first."
	hintMax      = "Raise max for every owner alike, or correct the value."
	hintScale    = "Scale the column down first."
	hintRename   = "Rename or drop one of them."
	hintFields   = "Every row needs a value, or an empty one, for every column; a value that contains the separator must be in quotes."
	hintID       = `Every record needs an id. If "NA" or another null token is a real id, set --null.`
	hintExport   = "Check that the export that wrote it ran to its end."
	hintDamaged  = "The file is damaged. Copy or export it again."
	hintTail     = "Copy or export the file again: its end, where Parquet keeps its table of contents, is missing."
	hintCopy     = "Copy the file again, and compare its size or checksum with the original."
	hintPath     = "Check the path."
	hintFormats  = "Formats go by the extension: .arrow, .bcf, .bed, .bed.gz, .csv, .csv.gz, .feather, .parquet, .tsv, .tsv.gz, .vcf, .vcf.bgz, .vcf.gz."
	hintOutputs  = "Formats go by the extension: .arrow, .csv, .csv.gz, .feather, .parquet, .tsv, .tsv.gz."
	hintOnce     = "In the blocks layout every record comes once. Add its rows up first (--duplicates sum), or use --layout records."
	hintBlocks   = "Blocks fuse record by record. Give every owner the same --universe, or encrypt with --layout records."
	hintMeasure  = "Write NAME, NAME:decimals=1 or NAME:decimals=1:max=6520."
	hintExists   = "Choose another name, or pass --overwrite to replace it."
	hintOwnName  = "Give the output a name of its own."
	hintNoDir    = "Create the directory first."
	hintNotDir   = "Part of the path is a file; name a directory that exists."
	hintDoctor   = "See cipherfold doctor."
	hintChanged  = "The file was changed after it was written, or made by other software."
	hintFooter   = "The footer was changed; encrypt again."
	hintForeign  = "The footer was changed, or written by other software."
	hintOneKey   = "Tables fuse only when they are encrypted under one key."
	hintVersion  = "Use the cipherfold that wrote the file, or a newer one; this one reads version 1."
	hintPage     = "The file is damaged. Copy it again."
	hintPlain    = "Encrypt the file first (cipherfold encrypt)."
	hintWeight   = "Write --weight b.cf.parquet=-1, --weight b.cf.parquet=2/3 or --variance b.cf.parquet=0.04."
	hintKeyFile  = "Give a key file as keygen wrote it, or a JWK of python-paillier."
	hintBadKey   = "The key is damaged, or was not made by cipherfold."
	hintDamagedK = "The key is damaged or was not made by a proper key generation."
	hintPass     = "The key file was encrypted under another passphrase."
)

// tableOf is a setup that writes one table.
func tableOf(name, header string, rows ...string) func(*place) {
	return func(p *place) { p.table(name, header, rows...) }
}

// textOf is a setup that writes one text file.
func textOf(name string, lines ...string) func(*place) {
	return func(p *place) { p.lines(name, lines...) }
}

// setups runs several setups.
func setups(list ...func(*place)) func(*place) {
	return func(p *place) {
		for _, f := range list {
			if f != nil {
				f(p)
			}
		}
	}
}

func TestBadNumbers(t *testing.T) {
	checkRefusals(t, []refusal{
		// not a number
		{name: "not a number in CSV", setup: textOf("a.csv", "id,x", "a,1", "b,abc", "c,3"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "abc" is not a number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "not a number in TSV", setup: textOf("a.tsv", "id\tx", "a\t1", "b\t1,5", "c\t3"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: row 2 (line 3), column "x": "1,5" is not a number`, hint: hintNull, at: "a.tsv row 2 line 3 column x"},
		{name: "not a number in gzip", setup: tableOf("a.csv.gz", "id:text x:text", "a 1", "b 0x10", "c 3"), line: encryptX + "@/a.csv.gz",
			cause: `a.csv.gz: row 2 (line 3), column "x": "0x10" is not a number`, hint: hintNull, at: "a.csv.gz row 2 line 3 column x"},
		{name: "not a number in Parquet text", setup: tableOf("a.parquet", "id:text x:text", "a 1", "b abc", "c 3"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "abc" is not a number`, hint: hintMakeNull, at: "a.parquet row 2 column x"},
		{name: "not a number in Arrow text", setup: tableOf("a.arrow", "id:text x:text", "a 1", "b abc", "c 3"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: row 2, column "x": "abc" is not a number`, hint: hintMakeNull, at: "a.arrow row 2 column x"},
		{name: "not a number in the first pass", setup: textOf("a.csv", "id,x", "a,1", "b,abc", "c,3"), line: encryptXUnbound + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "abc" is not a number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "not a number in blocks", setup: textOf("a.csv", "id,x", "a,1", "b,2", "c,3-"), line: encryptX + "@/a.csv --layout blocks",
			cause: `a.csv: row 3 (line 4), column "x": "3-" is not a number`, hint: hintNull, at: "a.csv row 3 line 4 column x"},
		{name: "not a number with a universe", setup: setups(textOf("a.csv", "id,x", "a,1", "b,--2", "c,3"), textOf("u.csv", "id", "a", "b", "c")),
			line:  encryptX + "@/a.csv --layout blocks --universe @/u.csv",
			cause: `a.csv: row 2 (line 3), column "x": "--2" is not a number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "not a number in the second part file", setup: setups(textOf("d/1.csv", "id,x", "a,1", "b,2"), textOf("d/2.csv", "id,x", "c,3", "d,four")), line: encryptX + "@/d",
			cause: `d/2.csv: row 2 (line 3), column "x": "four" is not a number`, hint: hintNull, at: "d/2.csv row 2 line 3 column x"},
		{name: "not a number after a quoted line break", setup: textOf("a.csv", "id,x", "\"a", "a\",1", "b,abc"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 4), column "x": "abc" is not a number`, hint: hintNull, at: "a.csv row 2 line 4 column x"},
		{name: "a long value is cut", setup: textOf("a.csv", "id,x", "a,"+strings.Repeat("long", 100)), line: encryptX + "@/a.csv",
			cause: `a.csv: row 1 (line 2), column "x": "longlonglonglonglonglonglonglonglonglonglonglonglonglonglong"... is not a number`, hint: hintNull, at: "a.csv row 1 line 2 column x"},
		{name: "control characters are escaped", setup: textOf("a.csv", "id,x", "a,\x1b[31mred"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 1 (line 2), column "x": "\x1b[31mred" is not a number`, hint: hintNull, at: "a.csv row 1 line 2 column x"},
		{name: "a null token that is not asked for", setup: textOf("a.csv", "id,x", "a,1", "b,."), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "." is not a number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "NA when other null tokens are given", setup: textOf("a.csv", "id,x", "a,.", "b,NA"), line: encryptX + "@/a.csv --null .",
			cause: `a.csv: row 2 (line 3), column "x": "NA" is not a number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},

		// NaN and infinity
		{name: "NaN in CSV", setup: textOf("a.csv", "id,x", "a,1", "b,NaN", "c,3"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "NaN" is not a finite number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "NaN in TSV", setup: textOf("a.tsv", "id\tx", "a\tnan"), line: encryptXUnbound + "@/a.tsv",
			cause: `a.tsv: row 1 (line 2), column "x": "nan" is not a finite number`, hint: hintNull, at: "a.tsv row 1 line 2 column x"},
		{name: "NaN in Parquet", setup: tableOf("a.parquet", "id:text x:double", "a 1", "b NaN", "c 3"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "NaN" is not a finite number`, hint: hintMakeNull, at: "a.parquet row 2 column x"},
		{name: "NaN in Arrow", setup: tableOf("a.arrow", "id:text x:float", "a 1", "b 2", "c NaN"), line: encryptXUnbound + "@/a.arrow",
			cause: `a.arrow: row 3, column "x": "NaN" is not a finite number`, hint: hintMakeNull, at: "a.arrow row 3 column x"},
		{name: "infinity in CSV", setup: textOf("a.csv", "id,x", "a,1", "b,Inf", "c,3"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "Inf" is not a finite number`, hint: hintNull, at: "a.csv row 2 line 3 column x"},
		{name: "infinity in TSV", setup: textOf("a.tsv", "id\tx", "a\t-infinity"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: row 1 (line 2), column "x": "-infinity" is not a finite number`, hint: hintNull, at: "a.tsv row 1 line 2 column x"},
		{name: "infinity in Parquet", setup: tableOf("a.parquet", "id:text x:double", "a 1", "b -Inf", "c 3"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "-Inf" is not a finite number`, hint: hintMakeNull, at: "a.parquet row 2 column x"},
		{name: "infinity in Arrow", setup: tableOf("a.arrow", "id:text x:float", "a +Inf"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: row 1, column "x": "+Inf" is not a finite number`, hint: hintMakeNull, at: "a.arrow row 1 column x"},

		// more decimals than declared
		{name: "decimals in CSV", setup: textOf("a.csv", "id,x", "a,1", "b,2.5", "c,3"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "2.5" has more than the declared 0 decimals`, hint: hintDecimals, at: "a.csv row 2 line 3 column x"},
		{name: "decimals in TSV", setup: textOf("a.tsv", "id\tx", "a\t1.50", "b\t1.25"), line: encryptXDecimal + "@/a.tsv",
			cause: `a.tsv: row 2 (line 3), column "x": "1.25" has more than the declared 1 decimal`, hint: hintDecimals, at: "a.tsv row 2 line 3 column x"},
		{name: "decimals in Parquet double", setup: tableOf("a.parquet", "id:text x:double", "a 1.5", "b 2.25"), line: encryptXDecimal + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "2.25" has more than the declared 1 decimal`, hint: hintDecimals, at: "a.parquet row 2 column x"},
		{name: "decimals in Parquet decimal", setup: tableOf("a.parquet", "id:text x:decimal", "a 1.500", "b 2.250"), line: encryptXDecimal + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "2.25" has more than the declared 1 decimal`, hint: hintDecimals, at: "a.parquet row 2 column x"},
		{name: "decimals in Arrow float", setup: tableOf("a.arrow", "id:text x:float", "a 0.1", "b 0.25"), line: encryptXDecimal + "@/a.arrow",
			cause: `a.arrow: row 2, column "x": "0.25" has more than the declared 1 decimal`, hint: hintDecimals, at: "a.arrow row 2 column x"},
		{name: "decimals in an exponent", setup: textOf("a.csv", "id,x", "a,1e1", "b,1e-2"), line: encryptXDecimal + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "1e-2" has more than the declared 1 decimal`, hint: hintDecimals, at: "a.csv row 2 line 3 column x"},

		// beyond max
		{name: "beyond max in CSV", setup: textOf("a.csv", "id,x", "a,100", "b,101"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "101" is beyond max=100`, hint: hintMax, at: "a.csv row 2 line 3 column x"},
		{name: "beyond max in TSV, negative", setup: textOf("a.tsv", "id\tx", "a\t-100", "b\t-100.1"), line: encryptXDecimal + "@/a.tsv",
			cause: `a.tsv: row 2 (line 3), column "x": "-100.1" is beyond max=100.0`, hint: hintMax, at: "a.tsv row 2 line 3 column x"},
		{name: "beyond max in Parquet", setup: tableOf("a.parquet", "id:int32 x:int64", "1 -100", "2 -101"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "-101" is beyond max=100`, hint: hintMax, at: "a.parquet row 2 column x"},
		{name: "beyond max in Arrow", setup: tableOf("a.arrow", "id:int32 x:uint8", "1 100", "2 255"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: row 2, column "x": "255" is beyond max=100`, hint: hintMax, at: "a.arrow row 2 column x"},
		{name: "beyond max with a universe", setup: setups(textOf("a.csv", "id,x", "a,100", "b,1e3"), textOf("u.csv", "id", "b", "a")), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: `a.csv: row 2 (line 3), column "x": "1e3" is beyond max=100`, hint: hintMax, at: "a.csv row 2 line 3 column x"},

		// integer overflow
		{name: "overflow in CSV", setup: textOf("a.csv", "id,x", "a,1", "b,9223372036854775808"), line: encryptXUnbound + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "x": "9223372036854775808" overflows: it does not fit in 64 bits`, hint: hintScale, at: "a.csv row 2 line 3 column x"},
		{name: "overflow in TSV by an exponent", setup: textOf("a.tsv", "id\tx", "a\t1e400"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: row 1 (line 2), column "x": "1e400" overflows: it does not fit in 64 bits`, hint: hintScale, at: "a.tsv row 1 line 2 column x"},
		{name: "overflow in Parquet", setup: tableOf("a.parquet", "id:text x:uint64", "a 1", "b 18446744073709551615"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "18446744073709551615" overflows: it does not fit in 64 bits`, hint: hintScale, at: "a.parquet row 2 column x"},
		{name: "overflow in Arrow by decimals", setup: tableOf("a.arrow", "id:text x:int64", "a 1", "b 922337203685477581"), line: encryptXDecimal + "@/a.arrow",
			cause: `a.arrow: row 2, column "x": "922337203685477581" overflows: times 10^1 it does not fit in 64 bits`, hint: "Declare fewer decimals.", at: "a.arrow row 2 column x"},
		{name: "overflow of the smallest integer", setup: tableOf("a.parquet", "id:text x:int64", "a -9223372036854775808"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 1, column "x": "-9223372036854775808" overflows: it does not fit in 64 bits`, hint: hintScale, at: "a.parquet row 1 column x"},
		{name: "overflow in a double", setup: tableOf("a.parquet", "id:text x:double", "a 1e30"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 1, column "x": "1e+30" overflows: it does not fit in 64 bits`, hint: hintScale, at: "a.parquet row 1 column x"},

		// types
		{name: "a measure of dates", setup: tableOf("a.parquet", "id:text x:date", "a 2020-02-29"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: column "x": cannot sum values of type date32`, hint: "A measure is a column of numbers, or of text that spells numbers.", at: "a.parquet column x"},
		{name: "an id of doubles", setup: tableOf("a.arrow", "id:double x:int8", "1.5 1"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: column "id": a column of type float64 cannot be an id`, hint: "Ids are text, integers, dates, time stamps or booleans; convert the column first.", at: "a.arrow column id"},
		{name: "an id in seconds", setup: tableOf("a.arrow", "id:seconds x:int8", "2020-02-29T12:00:00 1"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: column "id": a column of type timestamp[s] cannot be an id: Parquet has no seconds`, hint: "Convert the column to milliseconds.", at: "a.arrow column id"},
	})
}

func TestBadColumns(t *testing.T) {
	duplicate := func(name string) func(*place) {
		return func(p *place) {
			p.table(name, "id:text xx1:text xx2:text", "a 1 2")
			p.patch(name, "xx2", "xx1")
		}
	}
	checkRefusals(t, []refusal{
		{name: "missing measure in CSV", setup: textOf("a.csv", "id,X", "a,1"), line: encryptX + "@/a.csv",
			cause: `a.csv: no such column: "x"`, hint: `Did you mean "X"?`, at: "a.csv"},
		{name: "missing id in TSV", setup: textOf("a.tsv", "gene\tx", "a\t1"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: no such column: "id"`, hint: `The file has "gene", "x".`, at: "a.tsv"},
		{name: "missing measure in Parquet", setup: tableOf("a.parquet", "id:text tpm:int8 n:int8", "a 1 2"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: no such column: "x"`, hint: `The file has "id", "tpm", "n".`, at: "a.parquet"},
		{name: "missing id in Arrow", setup: tableOf("a.arrow", "ident:text x:int8", "a 1"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: no such column: "id"`, hint: `The file has "ident", "x".`, at: "a.arrow"},
		{name: "missing column in a universe", setup: setups(textOf("a.csv", "id,x", "a,1"), textOf("u.csv", "gene", "a")), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: `u.csv: line 1: no such column: "id"`, hint: `The file has "gene".`, at: "u.csv line 1"},
		{name: "missing column in a part file", setup: setups(textOf("d/1.csv", "id,x", "a,1"), textOf("d/2.csv", "id,z", "a,1")), line: encryptX + "@/d",
			cause: `d/2.csv: line 1: no such column: "x"`, hint: `The file has "id", "z".`, at: "d/2.csv line 1"},
		{name: "duplicate column in CSV", setup: textOf("a.csv", "id,x,x", "a,1,2"), line: encryptX + "@/a.csv",
			cause: `a.csv: line 1, column "x": duplicate column name: columns 2 and 3 are both called "x"`, hint: hintRename, at: "a.csv line 1 column x"},
		{name: "duplicate column in TSV, not asked for", setup: textOf("a.tsv", "id\tx\ty\ty", "a\t1\t2\t3"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: line 1, column "y": duplicate column name: columns 3 and 4 are both called "y"`, hint: hintRename, at: "a.tsv line 1 column y"},
		{name: "duplicate column in Parquet", setup: duplicate("a.parquet"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: column "xx1": duplicate column name: columns 2 and 3 are both called "xx1"`, hint: hintRename, at: "a.parquet column xx1"},
		{name: "duplicate column in Arrow", setup: duplicate("a.arrow"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: column "xx1": duplicate column name: columns 2 and 3 are both called "xx1"`, hint: hintRename, at: "a.arrow column xx1"},
		{name: "too few fields", setup: textOf("a.csv", "id,x,y", "a,1,2", "b,1"), line: encryptX + "@/a.csv",
			cause: "a.csv: row 2 (line 3): 2 fields, but the header has 3", hint: hintFields, at: "a.csv row 2 line 3"},
		{name: "too many fields", setup: textOf("a.tsv", "id\tx", "a\t1\t2"), line: encryptX + "@/a.tsv",
			cause: "a.tsv: row 1 (line 2): 3 fields, but the header has 2", hint: hintFields, at: "a.tsv row 1 line 2"},
		{name: "a quote not closed", setup: textOf("a.csv", "id,x", "a,\"1", "b,2"), line: encryptX + "@/a.csv",
			cause: "a.csv: row 1 (line 2): the file ends too early: a quote that is opened here is never closed", hint: "The file may be cut off; a quote within a quoted value is written twice.", at: "a.csv row 1 line 2"},
		{name: "not UTF-8", setup: textOf("a.csv", "id,x", "\xff,1"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 1 (line 2), column "id": not valid UTF-8 (byte 0xff)`, hint: "Convert the file to UTF-8, for example with iconv.", at: "a.csv row 1 line 2 column id"},
		{name: "missing id in a row of CSV", setup: textOf("a.csv", "id,x", "a,1", ",2"), line: encryptX + "@/a.csv",
			cause: `a.csv: row 2 (line 3), column "id": the id is missing`, hint: hintID, at: "a.csv row 2 line 3 column id"},
		{name: "missing id in a row of Parquet", setup: tableOf("a.parquet", "id:text x:int8", "a 1", "~ 2"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: row 2, column "id": the id is missing`, hint: hintID, at: "a.parquet row 2 column id"},
		{name: "missing id in blocks of Arrow", setup: tableOf("a.arrow", "k:int8 id:date x:int8", "1 2020-02-29 1", "1 ~ 2"), line: encryptX + "@/a.arrow --layout blocks",
			cause: `a.arrow: row 2, column "id": the id is missing`, hint: hintID, at: "a.arrow row 2 column id"},
		{name: "missing id in a universe", setup: setups(textOf("a.csv", "id,x", "a,1"), textOf("u.tsv", "id\tname", "a\tA", "NA\tB")), line: encryptX + "@/a.csv --universe @/u.tsv",
			cause: `u.tsv: row 2 (line 3), column "id": the id is missing`, hint: hintID, at: "u.tsv row 2 line 3 column id"},
	})
}

func TestBadFiles(t *testing.T) {
	cut := func(name string, part float64) func(*place) {
		return func(p *place) {
			var rows []string
			for i := range 3000 {
				rows = append(rows, fmt.Sprintf("id%d %d", i, i*i%97))
			}
			p.table(name, "id:text x:int64", rows...)
			p.truncate(name, part)
		}
	}
	checkRefusals(t, []refusal{
		{name: "empty CSV", setup: func(p *place) { p.write("a.csv", "") }, line: encryptX + "@/a.csv",
			cause: "a.csv: the file is empty", hint: hintExport, at: "a.csv"},
		{name: "empty TSV", setup: func(p *place) { p.write("a.tsv", "") }, line: encryptX + "@/a.tsv",
			cause: "a.tsv: the file is empty", hint: hintExport, at: "a.tsv"},
		{name: "empty gzip", setup: func(p *place) { p.write("a.csv.gz", "") }, line: encryptX + "@/a.csv.gz",
			cause: "a.csv.gz: the file is empty", hint: hintExport, at: "a.csv.gz"},
		{name: "empty Parquet", setup: func(p *place) { p.write("a.parquet", "") }, line: encryptX + "@/a.parquet",
			cause: "a.parquet: the file is empty", hint: "Check that what wrote it ran to its end.", at: "a.parquet"},
		{name: "empty Arrow", setup: func(p *place) { p.write("a.arrow", "") }, line: encryptX + "@/a.arrow",
			cause: "a.arrow: the file is empty", hint: hintExport, at: "a.arrow"},
		{name: "empty universe", setup: setups(textOf("a.csv", "id,x", "a,1"), func(p *place) { p.write("u.csv", "") }), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: "u.csv: the file is empty", hint: hintExport, at: "u.csv"},
		{name: "header only CSV", setup: textOf("a.csv", "id,x"), line: encryptX + "@/a.csv",
			cause: "a.csv: no rows: the file has columns but not one row", hint: hintExport, at: "a.csv"},
		{name: "header only CSV, first pass", setup: textOf("a.csv", "id,x"), line: encryptXUnbound + "@/a.csv",
			cause: "a.csv: no rows: the file has columns but not one row", hint: hintExport, at: "a.csv"},
		{name: "header only TSV in blocks", setup: textOf("a.tsv", "id\tx"), line: encryptX + "@/a.tsv --layout blocks",
			cause: "a.tsv: no rows: the file has columns but not one row", hint: hintExport, at: "a.tsv"},
		{name: "Parquet without a row", setup: tableOf("a.parquet", "id:text x:int8"), line: encryptX + "@/a.parquet",
			cause: "a.parquet: no rows: the file has columns but not one row", hint: hintExport, at: "a.parquet"},
		{name: "Arrow without a row", setup: tableOf("a.arrow", "id:text x:int8"), line: encryptX + "@/a.arrow",
			cause: "a.arrow: no rows: the file has columns but not one row", hint: hintExport, at: "a.arrow"},
		{name: "universe without a row", setup: setups(textOf("a.csv", "id,x", "a,1"), textOf("u.csv", "id")), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: "u.csv: no rows: the file has columns but not one row", hint: hintExport, at: "u.csv"},
		{name: "source without a row, with a universe", setup: setups(textOf("a.csv", "id,x"), textOf("u.csv", "id", "a")), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: "a.csv: no rows: the file has columns but not one row", hint: hintExport, at: "a.csv"},
		{name: "truncated Parquet", setup: cut("a.parquet", 0.9), line: encryptX + "@/a.parquet",
			cause: "a.parquet: the file ends too early: there is no Parquet footer", hint: hintTail, at: "a.parquet"},
		{name: "truncated Arrow", setup: cut("a.arrow", 0.9), line: encryptX + "@/a.arrow",
			cause: "a.arrow: the file ends too early: its footer is missing", hint: hintCopy, at: "a.arrow"},
		{name: "truncated gzip", setup: cut("a.csv.gz", 0.9), line: encryptX + "@/a.csv.gz",
			cause: "a.csv.gz: row 2710 (line 2711): the file ends too early: the compressed data breaks off", hint: hintCopy, at: "a.csv.gz row 2710 line 2711"},
		{name: "Parquet of four bytes", setup: func(p *place) { p.write("a.parquet", "PAR1") }, line: encryptX + "@/a.parquet",
			cause: "a.parquet: the file ends too early", hint: hintTail, at: "a.parquet"},
		{name: "text called Parquet", setup: textOf("a.parquet", "id,x", "a,1"), line: encryptX + "@/a.parquet",
			cause: "a.parquet: not a Parquet file", hint: "Check the path, and that the file's extension says what it is.", at: "a.parquet"},
		{name: "text called Arrow", setup: textOf("a.arrow", "id,x", "a,1"), line: encryptX + "@/a.arrow",
			cause: "a.arrow: not an Arrow file", hint: "Check that the extension says what is inside.", at: "a.arrow"},
		{name: "Parquet called CSV", setup: func(p *place) {
			p.table("a.parquet", "id:text x:int8", "a 1")
			p.write("a.csv", string(p.read("a.parquet")))
		}, line: encryptX + "@/a.csv",
			cause: "a.csv: not delimited text: it is a Parquet file", hint: "Name it .parquet.", at: "a.csv"},
		{name: "text called gzip", setup: textOf("a.csv.gz", "id,x", "a,1", "b,2", "c,3", "d,4"), line: encryptX + "@/a.csv.gz",
			cause: "a.csv.gz: line 1: not gzip data", hint: "If the file is not compressed, drop .gz from its name.", at: "a.csv.gz line 1"},
		{name: "a damaged page of Parquet", setup: func(p *place) {
			p.table("a.parquet", "id:text x:text", "somewhat 1", "other 2")
			data := p.read("a.parquet")
			data[8] ^= 0xff // the header of the first page
			p.write("a.parquet", string(data))
		}, line: encryptX + "@/a.parquet",
			cause: `a.parquet: row group 1, column "id": the metadata is malformed`, hint: hintDamaged, at: "a.parquet row group 1 column id"},
		{name: "no such file", line: encryptX + "@/a.csv",
			cause: "a.csv: no such file or directory", hint: hintPath, at: "a.csv"},
		{name: "no match of a glob", line: encryptX + "'@/*.tsv'",
			cause: "*.tsv: no file matches", hint: "Check the pattern; quote it if the shell should leave it alone.", at: "*.tsv"},
		{name: "no such universe", setup: textOf("a.csv", "id,x", "a,1"), line: encryptX + "@/a.csv --universe @/u.csv",
			cause: "u.csv: no such file or directory", hint: hintPath, at: "u.csv"},
		{name: "unknown extension", setup: textOf("a.xlsx", "id,x", "a,1"), line: encryptX + "@/a.xlsx",
			code: exitUsage, cause: `a.xlsx: unknown format ".xlsx"`, hint: hintFormats},
		{name: "no extension", setup: textOf("table", "id,x", "a,1"), line: encryptX + "@/table",
			code: exitUsage, cause: `table: unknown format ""`, hint: hintFormats},
		{name: "a directory without part files", setup: textOf("d/_SUCCESS", ""), line: encryptX + "@/d",
			cause: "d: the directory has no part files", hint: "Names that begin with . or _ do not count as part files.", at: "d"},
		{name: "a directory of two types", setup: setups(textOf("d/1.csv", "id,x", "a,1"), textOf("d/2.tsv", "id\tx", "a\t1")), line: encryptX + "@/d",
			cause: "d: the directory of part files mixes types: 1.csv and 2.tsv", hint: "Name the files meant by a glob, such as 'd/*.csv'.", at: "d"},
		{name: "part files of two types", setup: setups(tableOf("a.parquet", "id:text x:int8", "a 1"), tableOf("b.parquet", "id:text x:int16", "b 1")), line: encryptX + "@/a.parquet @/b.parquet",
			cause: `b.parquet: column "x": part files differ: type int8 in a.parquet, int16 in b.parquet`, hint: "Files read as one table need the same columns, in the same order and of the same types.", at: "b.parquet column x"},
		{name: "an encrypted table as a source", setup: func(p *place) {
			p.lines("a.csv", "id,x", "a,1")
			p.ok("encrypt --key @/public.json --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9")
		}, line: encryptX + "@/a.cf.parquet",
			cause: `a.cf.parquet: no such column: "x"`, hint: `The file has "id", "ct0".`, at: "a.cf.parquet"},
	})
}

func TestBadRecordsOfBlocks(t *testing.T) {
	universe := textOf("u.csv", "id", "a", "b", "c")
	many := func(p *place) { // enough to need a temporary file for the ids
		var rows []string
		for i := range 60000 {
			rows = append(rows, fmt.Sprintf("%d,1", i))
		}
		p.lines("a.csv", append(append([]string{"id,x"}, rows...), "77,1")...)
	}
	checkRefusals(t, []refusal{
		{name: "duplicate id", setup: textOf("a.csv", "id,x", "a,1", "b,2", "a,3"), line: encryptX + "@/a.csv --layout blocks",
			cause: `a.csv: row 3 (line 4), column "id": duplicate id: the record was already in a.csv, row 1`, hint: hintOnce, at: "a.csv row 3 line 4 column id"},
		{name: "duplicate id of two columns", setup: tableOf("a.parquet", "k:int32 id:text x:int8", "1 a 1", "2 a 1", "1 a 2"),
			line:  "encrypt --key @/public.json --in @/a.parquet --out @/o.cf.parquet --id k,id --measure x:max=9 --layout blocks",
			cause: `a.parquet: row 3, column "k": duplicate id: the record was already in a.parquet, row 1`, hint: hintOnce, at: "a.parquet row 3 column k"},
		{name: "duplicate id in two files", setup: setups(textOf("d/1.tsv", "id\tx", "a\t1", "b\t2"), textOf("d/2.tsv", "id\tx", "c\t1", "b\t2")), line: encryptX + "@/d --layout blocks",
			cause: `d/2.tsv: row 2 (line 3), column "id": duplicate id: the record was already in d/1.tsv, row 2`, hint: hintOnce, at: "d/2.tsv row 2 line 3 column id"},
		{name: "duplicate id among many", setup: many, line: encryptX + "@/a.csv --layout blocks --memory 1MiB",
			cause: `a.csv: row 60001 (line 60002), column "id": duplicate id: the record was already in a.csv, row 78`, hint: hintOnce, at: "a.csv row 60001 line 60002 column id"},
		{name: "duplicate id with a universe", setup: setups(textOf("a.csv", "id,x", "a,1", "b,2", "a,3"), universe), line: encryptX + "@/a.csv --layout blocks --universe @/u.csv",
			cause: `a.csv: row 3 (line 4), column "id": duplicate id "a"`, hint: "A record aligned with a universe comes once. Add its rows up first.", at: "a.csv row 3 line 4 column id"},
		{name: "duplicate id in the universe", setup: setups(textOf("a.csv", "id,x", "a,1"), textOf("u.csv", "id", "a", "b", "a")), line: encryptX + "@/a.csv --layout blocks --universe @/u.csv",
			cause: `u.csv: row 3 (line 4), column "id": duplicate id "a" in the universe`, hint: "The universe lists every record once.", at: "u.csv row 3 line 4 column id"},
		{name: "id outside the universe", setup: setups(textOf("a.csv", "id,x", "a,1", "d,2"), universe), line: encryptX + "@/a.csv --layout blocks --universe @/u.csv",
			cause: `a.csv: row 2 (line 3), column "id": id "d" is not in the universe`, hint: "Add it to the reference list that all owners use, or give --drop-unlisted to drop and count such records.", at: "a.csv row 2 line 3 column id"},
		{name: "id outside the universe, records", setup: setups(tableOf("a.arrow", "id:text x:int8", "b 1", "A 2"), universe), line: encryptX + "@/a.arrow --universe @/u.csv",
			cause: `a.arrow: row 2, column "id": id "A" is not in the universe`, hint: "Add it to the reference list that all owners use, or give --drop-unlisted to drop and count such records.", at: "a.arrow row 2 column id"},
	})
}

func TestBadRequestsToEncrypt(t *testing.T) {
	one := textOf("a.csv", "id,x,y", "a,1,2")
	encrypt := func(flags string) string {
		return "encrypt --key @/public.json --in @/a.csv --out @/o.cf.parquet " + flags
	}
	checkRefusals(t, []refusal{
		{name: "no headroom for a square", setup: one, line: encrypt("--id id --measure x:max=9000000000000000000 --square x --max-adds 1000000"),
			cause: `no headroom: a sum of 1000000 values of "x*x", each up to 81000000000000000000000000000000000000, can exceed 38 digits`, hint: "Lower max, decimals or --max-adds."},
		{name: "no headroom in the key", setup: func(p *place) {
			one(p)
			p.ok("keygen --out @/small --bits 512 --insecure-test-key --plain")
		}, line: "encrypt --key @/small/public.json --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=3000000000000000000 y:max=3000000000000000000 --product x*y --max-adds 8",
			cause: "no headroom: one record needs 518 bits and a plaintext has room for 511", hint: "Use a larger key, or lower max, decimals or --max-adds."},
		{name: "max=0", setup: one, line: encrypt("--id id --measure x:max=0"), code: exitUsage,
			cause: `measure "x:max=0": max=0 with 0 decimals: must be positive`, hint: hintMeasure},
		{name: "max negative", setup: one, line: encrypt("--id id --measure x:max=-5"), code: exitUsage,
			cause: `measure "x:max=-5": max=-5 with 0 decimals: must be positive`, hint: hintMeasure},
		{name: "max not a number", setup: one, line: encrypt("--id id --measure x:max=ten"), code: exitUsage,
			cause: `measure "x:max=ten": max=ten with 0 decimals: not a number`, hint: hintMeasure},
		{name: "max empty", setup: one, line: encrypt("--id id --measure x:max="), code: exitUsage,
			cause: `measure "x:max=": max is empty`, hint: hintMeasure},
		{name: "max with more decimals", setup: one, line: encrypt("--id id --measure x:decimals=1:max=1.25"), code: exitUsage,
			cause: `measure "x:decimals=1:max=1.25": max=1.25 with 1 decimals: more decimals than declared`, hint: hintMeasure},
		{name: "max too large", setup: one, line: encrypt("--id id --measure x:decimals=1:max=922337203685477581"), code: exitUsage,
			cause: `measure "x:decimals=1:max=922337203685477581": max=922337203685477581 with 1 decimals: integer overflow: value·10^decimals does not fit in 64 bits`, hint: hintMeasure},
		{name: "decimals negative", setup: one, line: encrypt("--id id --measure x:decimals=-1"), code: exitUsage,
			cause: `measure "x:decimals=-1": decimals=-1 is not a number from 0 to 18`, hint: hintMeasure},
		{name: "decimals too many", setup: one, line: encrypt("--id id --measure x:decimals=19"), code: exitUsage,
			cause: `measure "x:decimals=19": decimals=19 is not a number from 0 to 18`, hint: hintMeasure},
		{name: "setting misspelt", setup: one, line: encrypt("--id id --measure x:decimal=1"), code: exitUsage,
			cause: `measure "x:decimal=1": unknown setting "decimal"; did you mean "decimals"?`, hint: hintMeasure},
		{name: "measure without a name", setup: one, line: encrypt("--id id --measure :max=3"), code: exitUsage,
			cause: `measure ":max=3" has no name`, hint: hintMeasure},
		{name: "measure twice", setup: one, line: encrypt("--id id --measure x y x"), code: exitUsage,
			cause: `measure "x" is given twice`, hint: "Give every measure once."},
		{name: "measure that is an id", setup: one, line: encrypt("--id id,x --measure x"), code: exitUsage,
			cause: `column "x" is both an id and a measure`, hint: "An id is kept in the clear, a measure is encrypted."},
		{name: "id twice", setup: one, line: encrypt("--id id,id --measure x"), code: exitUsage,
			cause: `id column "id" is given twice`, hint: "Name every id column once."},
		{name: "id empty", setup: one, line: encrypt("--id '' --measure x"), code: exitUsage,
			cause: "--id is empty", hint: "See: cipherfold encrypt --help"},
		{name: "square of no measure", setup: one, line: encrypt("--id id --measure x --square y"), code: exitUsage,
			cause: `square of "y", which is no measure`, hint: "Give it as --measure too."},
		{name: "product of no measure", setup: one, line: encrypt("--id id --measure x --product x*y"), code: exitUsage,
			cause: `product "x*y" is not of two measures`, hint: "Write A*B with two names given as --measure."},
		{name: "product with itself", setup: one, line: encrypt("--id id --measure x --product x*x"), code: exitUsage,
			cause: `product "x*x" is of a measure with itself`, hint: "Use --square x."},
		{name: "product twice", setup: one, line: encrypt("--id id --measure x y --product x*y y*x"), code: exitUsage,
			cause: `product "y*x" is given twice`, hint: "Give every product once."},
		{name: "names that clash in the result", setup: textOf("a.csv", "x_sum,x", "a,1"), line: encrypt("--id x_sum --measure x"), code: exitUsage,
			cause: `two columns of the result would both be called "x_sum"`, hint: "Rename one of the columns."},
		{name: "unknown layout", setup: one, line: encrypt("--id id --measure x --layout columns"), code: exitUsage,
			cause: `unknown layout "columns"`, hint: "Layouts are records and blocks."},
		{name: "max-adds negative", setup: one, line: encrypt("--id id --measure x --max-adds -1"), code: exitUsage,
			cause: "--max-adds -1 is not between 1 and 2^40", hint: "It is the number of records that may ever be added up in one sum."},
		{name: "max-adds zero", setup: one, line: encrypt("--id id --measure x --max-adds 0"), code: exitUsage,
			cause: "--max-adds 0 leaves no room for a single record", hint: "Leave it out for the default."},
		{name: "max-adds too large", setup: one, line: encrypt("--id id --measure x --max-adds 1099511627777"), code: exitUsage,
			cause: "--max-adds 1099511627777 is not between 1 and 2^40", hint: "It is the number of records that may ever be added up in one sum."},
		{name: "max-adds no number", setup: one, line: encrypt("--id id --measure x --max-adds many"), code: exitUsage,
			cause: "--max-adds many is not a whole number", hint: "See: cipherfold encrypt --help"},
		{name: "no id", setup: one, line: encrypt("--measure x"), code: exitUsage,
			cause: "--id is missing", hint: "See: cipherfold encrypt --help"},
		{name: "no key, no output", setup: one, line: "encrypt --in @/a.csv --id id --measure x", code: exitUsage,
			cause: "--key and --out are missing", hint: "See: cipherfold encrypt --help"},
		{name: "drop-unlisted without a universe", setup: one, line: encrypt("--id id --measure x --drop-unlisted"), code: exitUsage,
			cause: "--drop-unlisted without --universe", hint: "Give the reference list with --universe."},
		{name: "output that exists", setup: setups(one, textOf("o.cf.parquet", "precious")), line: encrypt("--id id --measure x:max=9"),
			cause: "o.cf.parquet: already exists", hint: hintExists, at: "o.cf.parquet"},
		{name: "output that is a directory", setup: setups(one, textOf("o.cf.parquet/file", "")), line: encrypt("--id id --measure x:max=9 --overwrite"),
			cause: "o.cf.parquet: is a directory, not a file", hint: "Give the output the name of a file.", at: "o.cf.parquet"},
		{name: "output in no directory", setup: one, line: "encrypt --key @/public.json --in @/a.csv --out @/no/o.cf.parquet --id id --measure x:max=9",
			cause: "no/o.cf.parquet: cannot create: there is no directory no", hint: hintNoDir, at: "no/o.cf.parquet"},
		{name: "output below a file", setup: one, line: "encrypt --key @/public.json --in @/a.csv --out @/a.csv/o.cf.parquet --id id --measure x:max=9",
			cause: "a.csv/o.cf.parquet: cannot create: not a directory", hint: hintNotDir, at: "a.csv/o.cf.parquet"},
		{name: "output over its input", setup: one, line: "encrypt --key @/public.json --in @/a.csv --out @/a.csv --id id --measure x:max=9 --overwrite", code: exitUsage,
			cause: "a.csv is an input and the output", hint: hintOwnName},
		{name: "kernel unknown", setup: one, line: encrypt("--id id --measure x:max=9 --kernel warp"), code: exitUsage,
			cause: `paillier key: arithmetic kernel not available: there is no kernel "warp"`, hint: hintDoctor},
		{name: "nothing but ids", setup: textOf("a.csv", "id,ward", "a,1"), line: encrypt("--id id,ward --measure '*:max=9'"),
			cause: "a.csv: no column is left to encrypt: all are ids", hint: "Name fewer columns in --id.", at: "a.csv"},
		{name: "memory too small for the universe", setup: func(p *place) {
			p.key("", "textbook") // without tables, whose size depends on the kernel
			p.lines("a.csv", "id,x", "1,1")
			ids := []string{"id"}
			for i := range 60000 {
				ids = append(ids, fmt.Sprint(i))
			}
			p.lines("u.csv", ids...)
		}, line: encrypt("--id id --measure x:max=9 --universe @/u.csv --memory 1MiB"), code: exitFailed,
			cause: "group index: needs 512.0 KiB of memory; 320.1 KiB of the limit of 1.0 MiB can be had", hint: "Raise --memory."},
	})
}

func TestBadKeys(t *testing.T) {
	one := textOf("a.csv", "id,x", "a,1")
	encrypt := func(key string) string {
		return "encrypt --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9 --key " + key
	}
	sealed := func(p *place) {
		one(p)
		p.lines("pass", "correct horse")
		p.lines("wrong", "battery staple")
		p.key("k", "djn")
		p.seal("k/secret.json", "k/secret.age", "correct horse")
		p.ok("encrypt --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9 --key @/k/public.json")
	}
	checkRefusals(t, []refusal{
		{name: "no such key", setup: one, line: encrypt("@/nokey.json"),
			cause: "nokey.json: no such file", hint: hintPath, at: "nokey.json"},
		{name: "empty key file", setup: setups(one, func(p *place) { p.write("k.json", "") }), line: encrypt("@/k.json"),
			cause: "k.json: paillier key: not a valid key file: not JSON: unexpected end of JSON input", hint: hintKeyFile, at: "k.json"},
		{name: "not a key", setup: one, line: encrypt("@/a.csv"),
			cause: "a.csv: paillier key: not a valid key file: not JSON: invalid character 'i' looking for beginning of value", hint: hintKeyFile, at: "a.csv"},
		{name: "key of another version", setup: setups(one, func(p *place) { p.patch("public.json", `"cipherfold.version": 1`, `"cipherfold.version": 7`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: unknown key file version: field "cipherfold.version": version 7, this program knows 1`, hint: "Use the version of the program that wrote the file, or a newer one.", at: "public.json"},
		{name: "key with a changed fingerprint", setup: setups(one, func(p *place) {
			p.patch("public.json", `"fingerprint": "`+fmt.Sprint(jsonField(p, "public.json", "fingerprint")), `"fingerprint": "`+strings.Repeat("0", 64))
		}), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: wrong fingerprint: field "fingerprint": the file says "0000000000000000000000000000000000000000000000000000000000000000", the key has <djn>`, hint: hintDamagedK, at: "public.json"},
		{name: "key with a changed modulus", setup: setups(one, func(p *place) {
			n := fmt.Sprint(jsonField(p, "secret.json", "n"))
			p.patch("secret.json", n, strings.Repeat("e", len(n)))
		}), line: encrypt("@/secret.json"),
			cause: `secret.json: paillier key: bad modulus: field "n": N is even`, hint: hintDamagedK, at: "secret.json"},
		{name: "key with a changed prime", setup: setups(one, func(p *place) {
			q := fmt.Sprint(jsonField(p, "secret.json", "q"))
			p.patch("secret.json", q, q[:len(q)-1]+"0")
		}), line: encrypt("@/secret.json"),
			cause: `secret.json: paillier key: bad prime: field "q": not a prime`, hint: hintDamagedK, at: "secret.json"},
		{name: "key not marked as a test key", setup: setups(one, func(p *place) { p.patch("public.json", `"test_key": true`, `"test_key":false`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: key size not allowed: field "test_key": false does not agree with 1024 bits`, hint: "Keys below 2048 bits are test keys, and only those.", at: "public.json"},
		{name: "key cut off", setup: setups(one, func(p *place) { p.truncate("public.json", 0.5) }), line: encrypt("@/public.json"),
			cause: "public.json: paillier key: not a valid key file: not JSON: unexpected end of JSON input", hint: hintKeyFile, at: "public.json"},
		{name: "key with an unknown field", setup: setups(one, func(p *place) { p.patch("public.json", `"rbits"`, `"rbitz"`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: not a valid key file: field "rbits": missing`, hint: hintBadKey, at: "public.json"},
		{name: "an encrypted table as a key", setup: sealed, line: encrypt("@/a.cf.parquet"),
			cause: "a.cf.parquet: paillier key: not a valid key file: byte 11 is an escape or not ASCII", hint: hintKeyFile, at: "a.cf.parquet"},
		{name: "passphrase missing", setup: sealed, line: encrypt("@/k/secret.age"), code: exitUsage,
			cause: "the secret key is encrypted under a passphrase", hint: "Give --passphrase-file."},
		{name: "passphrase wrong, encrypt", setup: sealed, line: encrypt("@/k/secret.age --passphrase-file @/wrong"),
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase wrong, decrypt", setup: sealed, line: "decrypt --key @/k/secret.age --in @/a.cf.parquet --out @/r.csv --passphrase-file @/wrong",
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase wrong, inspect", setup: sealed, line: "inspect @/k/secret.age --passphrase-file @/wrong",
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase file missing", setup: sealed, line: encrypt("@/k/secret.age --passphrase-file @/nopass"), code: exitUsage,
			cause: "--passphrase-file nopass: no such file or directory", hint: "Name a file whose first line is the passphrase."},
		{name: "passphrase file empty", setup: setups(sealed, textOf("empty", "", "second line")), line: encrypt("@/k/secret.age --passphrase-file @/empty"), code: exitUsage,
			cause: "the first line of empty is empty", hint: "Give a passphrase, or --plain to write a new secret key unencrypted."},
		{name: "secret key damaged", setup: setups(sealed, func(p *place) {
			data := p.read("k/secret.age")
			data[len(data)-20] ^= 1
			p.write("k/secret.age", string(data))
		}), line: encrypt("@/k/secret.age --passphrase-file @/pass"),
			cause: "k/secret.age: damaged key file: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with", hint: "Copy the key file again from where it is kept.", at: "k/secret.age"},
		{name: "secret key cut off", setup: setups(sealed, func(p *place) { p.truncate("k/secret.age", 0.8) }), line: encrypt("@/k/secret.age --passphrase-file @/pass"),
			cause: "k/secret.age: damaged key file: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with", hint: "Copy the key file again from where it is kept.", at: "k/secret.age"},
	})
}

func jsonField(p *place, file, name string) any {
	p.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(p.read(file), &v); err != nil {
		p.t.Fatal(err)
	}
	return v[name]
}

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

const (
	fuseAB   = "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet "
	decryptA = "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.csv "
)

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
			p.ok("fuse --in @/a.cf.parquet @/b.cf.parquet --out @/g.cf.parquet")
		}, line: "fuse --in @/f.cf.parquet @/g.cf.parquet --out @/h.cf.parquet",
			cause: "f.cf.parquet: no headroom: the fusion takes 4 additions, a weight counting as many, and the slots have room for 3", hint: "Encrypt again with --max-adds 4 or more, for every owner alike.", at: "f.cf.parquet"},
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
			cause: "tables in blocks cannot be grouped by id", hint: "Encrypt with --layout records to group, or give --by '' for one total."},
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
			code: exitUsage, cause: "--in is empty", hint: "See: cipherfold fuse --help"},
		{name: "output empty", setup: records, line: "fuse --in @/a.cf.parquet --out ''",
			code: exitUsage, cause: "--out is empty", hint: "See: cipherfold fuse --help"},
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
			cause: `b.cf.parquet: measure "x": 9048576 additions of values up to "100" need more than the slot's 28 bits`, hint: "The file is damaged, or was not made by cipherfold.", at: "b.cf.parquet"},
	}
	for _, by := range []struct{ name, layout, flags string }{
		{"records", "records", ""}, {"total of records", "records", "--by ''"}, {"weighted records", "records", "--weight @/a.cf.parquet=-2"},
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
		{name: "output that exists, Parquet", setup: setups(records, textOf("r.parquet", "precious")), line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/r.parquet",
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
		{name: "output below a file", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/a.csv/r.arrow",
			cause: "a.csv/r.arrow: cannot create: not a directory", hint: hintNotDir, at: "a.csv/r.arrow"},
		{name: "output in no directory", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/no/r.tsv",
			cause: "no/r.tsv: cannot create: there is no directory no", hint: hintNoDir, at: "no/r.tsv"},
		{name: "no output", setup: records, line: "decrypt --key @/secret.json --in @/a.cf.parquet", code: exitUsage,
			cause: "--out is missing", hint: "See: cipherfold decrypt --help"},
		{name: "foreign randomiser under MHL", setup: foreign, line: decryptA,
			cause: `a.cf.parquet: row 2, column "ct0": invalid ciphertext: its randomizer is not in the group of this MHL key: it was made or re-randomized with another variant`, hint: hintChanged, at: "a.cf.parquet row 2 column ct0"},
		{name: "a plaintext beyond its slots", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, new(big.Int).Rsh(c.N, 1)) })), line: decryptA,
			cause: `a.cf.parquet: row 2, column "ct0": residue above the last slot: a sum left its slot or the layout is another one`, hint: "The ciphertext was not made by this layout: it may have been tampered with or folded by other software beyond its headroom.", at: "a.cf.parquet row 2 column ct0"},
		{name: "a sum beyond its bound", setup: setups(records, planted("a.cf.parquet", 1, 0, func(_ *place, c *crafted) *big.Int { return encryption(c, big.NewInt(101)) })), line: decryptA,
			cause: `a.cf.parquet: row 2, column "ct0": the sum of "x" is beyond what the footer's bound and additions allow`, hint: "An owner encrypted a value beyond the agreed max, or the footer or a ciphertext was changed.", at: "a.cf.parquet row 2 column ct0"},
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

func TestBadKeygen(t *testing.T) {
	small := " --bits 1024 --insecure-test-key"
	checkRefusals(t, []refusal{
		{name: "keys that exist", line: "keygen --out @/ --plain" + small,
			cause: "public.json: already exists", hint: "Choose another directory, or pass --overwrite to replace the key.", at: "public.json"},
		{name: "secret key that exists", setup: textOf("k/secret.json", "precious"), line: "keygen --out @/k --plain" + small,
			cause: "k/secret.json: already exists", hint: "Choose another directory, or pass --overwrite to replace the key.", at: "k/secret.json"},
		{name: "directory below a file", line: "keygen --out @/public.json/k --plain" + small,
			cause: "public.json/k: cannot create the directory: part of the path is a file", hint: "Name another directory.", at: "public.json/k"},
		{name: "directory is a file", line: "keygen --out @/public.json --plain" + small,
			cause: "public.json: cannot create the directory: part of the path is a file", hint: "Name another directory.", at: "public.json"},
		{name: "no directory", line: "keygen --plain", code: exitUsage,
			cause: "--out is missing", hint: "See: cipherfold keygen --help"},
		{name: "no passphrase", line: "keygen --out @/k" + small, code: exitUsage,
			cause: "no passphrase for the secret key", hint: "Give --passphrase-file, or --plain to write it unencrypted."},
		{name: "plain and passphrase", line: "keygen --out @/k --plain --passphrase-file @/p" + small, code: exitUsage,
			cause: "--plain and --passphrase-file exclude each other", hint: "Give one of them."},
		{name: "passphrase file missing", line: "keygen --out @/k --passphrase-file @/p" + small, code: exitUsage,
			cause: "--passphrase-file p: no such file or directory", hint: "Name a file whose first line is the passphrase."},
		{name: "passphrase file empty", setup: textOf("p", ""), line: "keygen --out @/k --passphrase-file @/p" + small, code: exitUsage,
			cause: "the first line of p is empty", hint: "Give a passphrase, or --plain to write a new secret key unencrypted."},
		{name: "unknown variant", line: "keygen --out @/k --plain --variant rsa", code: exitUsage,
			cause: "--variant rsa is unknown", hint: "Choose djn, mhl or textbook."},
		{name: "small without consent", line: "keygen --out @/k --plain --bits 1024", code: exitUsage,
			cause: "--bits 1024 protects nothing", hint: "Choose 2048, 3072 or 4096; --insecure-test-key allows fewer, for tests without real data."},
		{name: "odd size", line: "keygen --out @/k --plain --bits 2049", code: exitUsage,
			cause: "--bits 2049 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "uncommon size", line: "keygen --out @/k --plain --bits 2176", code: exitUsage,
			cause: "--bits 2176 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "too large", line: "keygen --out @/k --plain --bits 8192", code: exitUsage,
			cause: "--bits 8192 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "import of no key", setup: textOf("a.jwk", "{}"), line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: not a valid key file: field "cipherfold.version": missing`, hint: hintBadKey, at: "a.jwk"},
		{name: "import of a JWK of another kind", setup: textOf("a.jwk", `{"kty":"RSA","n":"AQAB"}`), line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: not a valid key file: field "kty": "RSA", not "DAJ"`, hint: "Only keys of python-paillier can be imported.", at: "a.jwk"},
		{name: "import of a small JWK without consent", setup: func(p *place) { p.ok("inspect @/secret.json --export @/a.jwk") }, line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: key size not allowed: field "bits": 1024 bits protect nothing`, hint: "Use 2048 bits or more; --insecure-test-key allows fewer, for tests without real data.", at: "a.jwk"},
		{name: "import of a secret JWK without a passphrase", setup: func(p *place) { p.ok("inspect @/secret.json --export @/a.jwk") }, line: "keygen --out @/k --insecure-test-key --import @/a.jwk", code: exitUsage,
			cause: "no passphrase for the secret key", hint: "Give --passphrase-file, or --plain to write it unencrypted."},
		{name: "import of a damaged JWK", setup: func(p *place) {
			p.ok("inspect @/secret.json --export @/a.jwk")
			q := fmt.Sprint(jsonField(p, "a.jwk", "q"))
			p.patch("a.jwk", q, q[:len(q)-1]+"A") // an even number: other damage of a random prime may be a prime
		}, line: "keygen --out @/k --plain --insecure-test-key --import @/a.jwk",
			cause: `a.jwk: paillier key: bad prime: field "q": not a prime`, hint: hintDamagedK, at: "a.jwk"},
		{name: "import of nothing", line: "keygen --out @/k --plain --import @/a.jwk",
			cause: "a.jwk: no such file", hint: hintPath, at: "a.jwk"},
	})
}

func TestBadInspections(t *testing.T) {
	records := owners("records")
	checkRefusals(t, []refusal{
		{name: "nothing", line: "inspect", code: exitUsage,
			cause: "no file to inspect", hint: "See: cipherfold inspect --help"},
		{name: "no such file", line: "inspect @/a.json",
			cause: "a.json: no such file", hint: hintPath, at: "a.json"},
		{name: "a directory", setup: textOf("d/a", ""), line: "inspect @/d",
			cause: "d: is a directory, not a file", hint: "Name a file.", at: "d"},
		{name: "empty", setup: func(p *place) { p.write("a.json", "") }, line: "inspect @/a.json",
			cause: "a.json: neither a key file nor an encrypted table: it has 0 bytes", hint: "Name a key file or a .cf.parquet.", at: "a.json"},
		{name: "plain text", setup: textOf("a.csv", "id,x", "a,1"), line: "inspect @/a.csv",
			cause: "a.csv: paillier key: not a valid key file: not JSON: invalid character 'i' looking for beginning of value", hint: hintKeyFile, at: "a.csv"},
		{name: "plain Parquet", setup: tableOf("a.parquet", "id:text x:int8", "a 1"), line: "inspect @/a.parquet",
			cause: `a.parquet: not an encrypted table: the footer has no key "cipherfold.version"`, hint: hintPlain, at: "a.parquet"},
		{name: "truncated table", setup: setups(records, func(p *place) { p.truncate("a.cf.parquet", 0.7) }), line: "inspect @/a.cf.parquet",
			cause: "a.cf.parquet: the file ends too early: there is no Parquet footer", hint: hintTail, at: "a.cf.parquet"},
		{name: "unknown version", setup: setups(records, func(p *place) { p.patch("a.cf.parquet", "cipherfold.version\x18\x011", "cipherfold.version\x18\x012") }), line: "inspect @/a.cf.parquet",
			cause: `a.cf.parquet: version "2" of the format is not known`, hint: hintVersion, at: "a.cf.parquet"},
		{name: "footer changed", setup: setups(records, func(p *place) { p.patch("a.cf.parquet", `"rows":3`, `"rows":4`) }), line: "inspect @/a.cf.parquet",
			cause: "a.cf.parquet: the footer does not match its digest", hint: hintPage, at: "a.cf.parquet"},
		{name: "key of a footer changed", setup: setups(records, func(p *place) {
			p.craft("a.cf.parquet", "a.cf.parquet", func(c *crafted) { c.Table.Fingerprint = strings.Repeat("f", 64) })
		}), line: "inspect @/a.cf.parquet",
			cause: "a.cf.parquet: the footer's key is not the one it names", hint: hintFooter, at: "a.cf.parquet"},
		{name: "the second of two files", setup: textOf("a.csv", "id,x", "a,1"), line: "inspect @/public.json @/a.csv",
			cause: "a.csv: paillier key: not a valid key file: not JSON: invalid character 'i' looking for beginning of value", hint: hintKeyFile, at: "a.csv"},
		{name: "export of two files", line: "inspect @/public.json @/secret.json --export @/o.jwk", code: exitUsage,
			cause: "--export takes one key file", hint: "Export one key at a time."},
		{name: "export of a table", setup: records, line: "inspect @/a.cf.parquet --export @/o.jwk",
			cause: "a.cf.parquet: paillier key: not a valid key file: byte 11 is an escape or not ASCII", hint: hintKeyFile, at: "a.cf.parquet"},
		{name: "export that exists", setup: textOf("o.jwk", "precious"), line: "inspect @/public.json --export @/o.jwk",
			cause: "o.jwk: already exists", hint: hintExists, at: "o.jwk"},
		{name: "export below a file", line: "inspect @/secret.json --export @/public.json/o.jwk",
			cause: "public.json/o.jwk: cannot create: not a directory", hint: hintNotDir, at: "public.json/o.jwk"},
	})
}

func TestBadCommandLines(t *testing.T) {
	checkRefusals(t, []refusal{
		{name: "unknown verb", line: "encrpyt", code: exitUsage,
			cause: `"encrpyt" is no verb`, hint: "Did you mean encrypt? See: cipherfold --help"},
		{name: "unknown flag", line: "fuse --ouput @/f.cf.parquet", code: exitUsage,
			cause: "unknown flag --ouput", hint: "See: cipherfold fuse --help"},
		{name: "unknown short flag", line: "fuse -o @/f.cf.parquet", code: exitUsage,
			cause: "unknown flag -o", hint: "See: cipherfold fuse --help"},
		{name: "flag without its value", line: "fuse --out @/f.cf.parquet --in", code: exitUsage,
			cause: "--in needs a value", hint: "See: cipherfold fuse --help"},
		{name: "word of no flag", line: "fuse a.cf.parquet --out @/f.cf.parquet --in @/b.cf.parquet", code: exitUsage,
			cause: `"a.cf.parquet" belongs to no flag`, hint: "See: cipherfold fuse --help"},
		{name: "two values where one goes", line: "decrypt --in @/a.cf.parquet @/b.cf.parquet", code: exitUsage,
			cause: `"b.cf.parquet" belongs to no flag`, hint: "See: cipherfold decrypt --help"},
		{name: "threads negative", line: "doctor --threads -1", code: exitUsage,
			cause: "--threads -1 is negative", hint: "Leave it out to use all cores."},
		{name: "threads beyond reason", line: "doctor --quick --threads 100000", code: exitUsage,
			cause: "--threads 100000 is more than 1024", hint: "Leave it out to use all cores."},
		{name: "threads no number", line: "doctor --threads two", code: exitUsage,
			cause: "--threads two is not a whole number", hint: "See: cipherfold doctor --help"},
		{name: "memory without a unit that is known", line: "doctor --memory 12XB", code: exitUsage,
			cause: "--memory 12XB: write a size of at least 1MiB, such as 512MiB or 2GiB", hint: "See: cipherfold doctor --help"},
		{name: "memory too small", line: "doctor --memory 100KiB", code: exitUsage,
			cause: "--memory 100KiB: write a size of at least 1MiB, such as 512MiB or 2GiB", hint: "See: cipherfold doctor --help"},
		{name: "log format unknown", line: "doctor --log-format xml", code: exitUsage,
			cause: "--log-format xml is neither text nor json", hint: "Leave it out for text."},
		{name: "demo too small", line: "demo --rows 3", code: exitUsage,
			cause: "--rows 3 is fewer than 10", hint: "Give 10 or more."},
		{name: "demo of an unknown variant", line: "demo --variant rsa", code: exitUsage,
			cause: "--variant rsa is unknown", hint: "Choose djn, mhl or textbook."},
		{name: "demo of an odd size", line: "demo --bits 1000", code: exitUsage,
			cause: "--bits 1000 protects nothing", hint: "Choose 2048, 3072 or 4096; --insecure-test-key allows fewer, for tests without real data."},
		{name: "demo in a file", line: "demo --bits 2048 --rows 10 --dir @/public.json/d",
			cause: "public.json/d: cannot create the directory: part of the path is a file", hint: "Name another directory.", at: "public.json/d"},
		{name: "doctor with an unknown kernel", line: "doctor --quick --kernel warp", code: exitUsage,
			cause: "kernel warp is not available", hint: hintDoctor},
		{name: "selftest with an unknown kernel", line: "selftest --kernel warp", code: exitUsage,
			cause: "kernel warp is not available", hint: hintDoctor},
		{name: "selftest of no file", line: "selftest --vectors @/v.json",
			cause: "v.json: no such file or directory", hint: hintPath, at: "v.json"},
		{name: "selftest of no vectors", line: "selftest --vectors @/public.json",
			cause: "public.json: not a file of known answers, field format: missing", hint: "Give files of the format paillier-vectors-1.", at: "public.json"},
		{name: "selftest of no JSON", setup: textOf("v.json", "no"), line: "selftest --vectors @/v.json",
			cause: "v.json: not a file of known answers: not JSON: invalid character 'o' in literal null (expecting 'u')", hint: "Give files of the format paillier-vectors-1.", at: "v.json"},
	})
}

// An output in a directory that may not be written. The superuser may write everywhere, save in what is no directory.
func TestUnwritableDirectory(t *testing.T) {
	list := []refusal{
		{name: "encrypt", setup: textOf("a.csv", "id,x", "a,1"), line: "encrypt --key @/public.json --in @/a.csv --id id --measure x:max=9 --out @/d/o.cf.parquet"},
		{name: "fuse records", setup: owners("records"), line: "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/d/o.cf.parquet"},
		{name: "fuse blocks", setup: owners("blocks"), line: "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/d/o.cf.parquet"},
		{name: "total of blocks", setup: owners("blocks"), line: "fuse --in @/a.cf.parquet @/b.cf.parquet --by '' --out @/d/o.cf.parquet"},
		{name: "decrypt", setup: owners("records"), line: "decrypt --key @/secret.json --in @/a.cf.parquet --out @/d/o.parquet"},
		{name: "keygen", line: "keygen --plain --bits 1024 --insecure-test-key --out @/d"},
		{name: "keygen below", line: "keygen --plain --bits 1024 --insecure-test-key --out @/d/k"},
		{name: "inspect", line: "inspect @/public.json --export @/d/o.jwk"},
	}
	for i, r := range list {
		file := r.line[strings.LastIndex(r.line, "@/")+2:]
		list[i].at = file
		if r.name == "keygen" {
			file += "/public.json"
		}
		if os.Geteuid() == 0 {
			list[i].setup = setups(func(p *place) { p.write("d", "a file") }, r.setup)
			list[i].cause, list[i].hint = file+": cannot create: not a directory", hintNotDir
			if strings.HasPrefix(r.name, "keygen") {
				list[i].cause, list[i].hint = list[i].at+": cannot create the directory: part of the path is a file", "Name another directory."
			}
			continue
		}
		list[i].setup = setups(r.setup, func(p *place) {
			if err := os.Mkdir(p.path("d"), 0o555); err != nil {
				p.t.Fatal(err)
			}
		})
		list[i].at = file
		list[i].cause, list[i].hint = file+": cannot create: permission denied", "Check who may write to the directory d."
		if r.name == "keygen below" {
			list[i].cause, list[i].hint = file+": cannot create the directory: permission denied", "Check who may write there, or name another directory."
		}
	}
	checkRefusals(t, list)
}
