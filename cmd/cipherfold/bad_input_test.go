package main

import (
	"encoding/json"
	"fmt"
	"os"
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
	hintBeyond   = "An owner encrypted a value beyond the agreed max, or the footer or a ciphertext was changed, or folded by other software. To learn which one, give --locate-refused, and read in the threat model who should not learn it."
	hintLocated  = "An owner encrypted a value beyond the agreed max, or the footer or a ciphertext was changed, or folded by other software. Tell nobody where it is who could have submitted the table to learn that."
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
			cause: `a.csv: row 2 (line 3), column "x": "9223372036854775808" overflows: values go from -9223372036854775807 to 9223372036854775807`, hint: hintScale, at: "a.csv row 2 line 3 column x"},
		{name: "overflow in TSV by an exponent", setup: textOf("a.tsv", "id\tx", "a\t1e400"), line: encryptX + "@/a.tsv",
			cause: `a.tsv: row 1 (line 2), column "x": "1e400" overflows: values go from -9223372036854775807 to 9223372036854775807`, hint: hintScale, at: "a.tsv row 1 line 2 column x"},
		{name: "overflow in Parquet", setup: tableOf("a.parquet", "id:text x:uint64", "a 1", "b 18446744073709551615"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 2, column "x": "18446744073709551615" overflows: values go from -9223372036854775807 to 9223372036854775807`, hint: hintScale, at: "a.parquet row 2 column x"},
		{name: "overflow in Arrow by decimals", setup: tableOf("a.arrow", "id:text x:int64", "a 1", "b 922337203685477581"), line: encryptXDecimal + "@/a.arrow",
			cause: `a.arrow: row 2, column "x": "922337203685477581" overflows: times 10^1 it is beyond 9223372036854775807`, hint: "Declare fewer decimals.", at: "a.arrow row 2 column x"},
		{name: "overflow of the smallest integer", setup: tableOf("a.parquet", "id:text x:int64", "a -9223372036854775808"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 1, column "x": "-9223372036854775808" overflows: values go from -9223372036854775807 to 9223372036854775807`, hint: hintScale, at: "a.parquet row 1 column x"},
		{name: "overflow in a double", setup: tableOf("a.parquet", "id:text x:double", "a 1e30"), line: encryptXUnbound + "@/a.parquet",
			cause: `a.parquet: row 1, column "x": "1e+30" overflows: values go from -9223372036854775807 to 9223372036854775807`, hint: hintScale, at: "a.parquet row 1 column x"},

		// types
		{name: "a measure of dates", setup: tableOf("a.parquet", "id:text x:date", "a 2020-02-29"), line: encryptX + "@/a.parquet",
			cause: `a.parquet: column "x": cannot sum values of type date32`, hint: "A measure is a column of numbers, or of text that spells numbers.", at: "a.parquet column x"},
		{name: "an id of doubles", setup: tableOf("a.arrow", "id:double x:int8", "1.5 1"), line: encryptX + "@/a.arrow",
			cause: `a.arrow: column "id": a column of type float64 cannot be an id`, hint: "Ids are text, integers, dates, times, time stamps or booleans; convert the column first.", at: "a.arrow column id"},
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
			cause: "a.csv.gz: line 1: not gzip data, although its name ends in .gz", hint: "If the file is text, drop .gz from its name; if not, check how it was made.", at: "a.csv.gz line 1"},
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
			cause: "--id is empty", hint: "Give it a value, or leave it out."},
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

const (
	fuseAB      = "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet "
	hintUnfused = "Fuse the tables of several owners first: the key holder must not see one owner's. For a test, or for the owner alone, give --unfused."
	decryptA    = "decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/r.csv "
)

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
			cause: "unknown flag --ouput", hint: "Did you mean --out? See: cipherfold fuse --help"},
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
		{name: "decrypt", setup: owners("records"), line: "decrypt --key @/secret.json --unfused --in @/a.cf.parquet --out @/d/o.parquet"},
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
