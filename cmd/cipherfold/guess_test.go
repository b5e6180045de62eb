package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cipherfold/cipherfold/internal/thoroughtest"
)

// guessed is an owner's table of a few records: their ids are known, and of each value only that it is 0 or 1. In a quick run the
// attack has fewer tables to try, and tries each in the same ways.
type guessed struct {
	p      *place
	values uint16
}

var guessedRecords = thoroughtest.Pick(9, 16)

func guessedTable(values uint16) string {
	text := "participant,case\n"
	for i := range guessedRecords {
		text += fmt.Sprintf("participant-of-the-study-%02d,%d\n", i, values>>i&1)
	}
	return text
}

// handedOut is the content of the files of a directory that an owner may hand out: all but the tables in the clear, keys, and
// what has "private" in its name. What is in base64 in them is there once more, decoded.
func (g *guessed) handedOut(dir string) map[string][]byte {
	g.p.t.Helper()
	out := map[string][]byte{}
	encoded := regexp.MustCompile(`[A-Za-z0-9+/]{24,}={0,2}`)
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		base := filepath.Base(name)
		if err != nil || d.IsDir() || strings.Contains(base, "private") || strings.HasSuffix(base, ".csv") || strings.HasSuffix(base, ".key") || base == "secret.json" || base == "token.json" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all := slices.Clone(data)
		for _, text := range encoded.FindAll(data, -1) {
			if plain, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
				all = append(append(all, '\n'), plain...)
			}
		}
		out[strings.TrimPrefix(name, dir+"/")] = all
		return nil
	})
	if err != nil {
		g.p.t.Fatal(err)
	}
	return out
}

// digestsOfAll are the usual digests of all tables that the owner can have, in hex.
var digestsOfAll = sync.OnceValue(func() map[string]uint16 {
	all := make(map[string]uint16, 4<<guessedRecords)
	for v := range 1 << guessedRecords {
		text := []byte(guessedTable(uint16(v)))
		a, b, c, d := sha256.Sum256(text), sha512.Sum512(text), sha1.Sum(text), md5.Sum(text)
		for _, digest := range [][]byte{a[:], b[:], c[:], d[:]} {
			all[hex.EncodeToString(digest)] = uint16(v)
		}
	}
	return all
})

// attack tries all tables that the owner can have. It finds the digest of one in a file, in hex or as bytes: the usual ones,
// those under a key or salt that is in one of the files, and the commitments of receipts opened with one. It returns what
// it found out, by file.
func attack(files map[string][]byte) map[string]uint16 {
	digits := regexp.MustCompile(`[0-9a-f]{32,128}`)
	places := map[string]string{} // digests in hex, and where they are
	var salts [][]byte
	for name, data := range files {
		for _, token := range digits.FindAll(data, -1) {
			places[string(token)] = name
			if salt, err := hex.DecodeString(string(token)); err == nil && len(salt) == 32 && len(salts) < 400 {
				salts = append(salts, salt)
			}
		}
	}
	found := map[string]uint16{}
	for digest, v := range digestsOfAll() {
		if name, ok := places[digest]; ok {
			found[name] = v
		}
	}
	// Under salts the right table is enough: any other is tried in the same way.
	for _, salt := range salts {
		for _, v := range []uint16{secretValues} {
			text := []byte(guessedTable(v))
			digest := sha256.Sum256(text)
			opened := binary.LittleEndian.AppendUint64(append([]byte("cipherfold commitment to a file v1\x00"), digest[:]...), uint64(len(text)))
			withRows := binary.LittleEndian.AppendUint64(append(slices.Clone(opened), 1), uint64(guessedRecords))
			for _, message := range [][]byte{text, digest[:], opened, append(slices.Clone(opened), 0), withRows} {
				mac := hmac.New(sha256.New, salt)
				mac.Write(message)
				after := sha256.Sum256(append(slices.Clone(salt), message...))
				before := sha256.Sum256(append(slices.Clone(message), salt...))
				for _, x := range [][]byte{mac.Sum(nil), after[:], before[:]} {
					if name, ok := places[hex.EncodeToString(x)]; ok {
						found[name] = v
					}
				}
			}
		}
	}
	return found
}

var secretValues = uint16(0b1010_0111_0001_1011 & (1<<guessedRecords - 1))

// Nothing that an owner hands out lets anyone find its values by trying all, as the receipts and job files of version 1 did.
func TestGuessingAttack(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	g := &guessed{p: p, values: secretValues}
	table := guessedTable(g.values)
	p.write("a.csv", table)

	digest := sha256.Sum256([]byte(table))
	payload := fmt.Sprintf(`{"predicate":{"version":1,"inputs":[{"name":"a.csv","digest":{"sha256":"%x"},"annotations":{"bytes":%d,"rows":%d}}]}}`, digest, len(table), guessedRecords)
	old := map[string]string{
		"receipt of version 1":  `{"payload":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `"}`,
		"job.json of version 1": fmt.Sprintf(`{"version":1,"inputs":[{"path":"a.csv","bytes":%d,"sha256":"%x"}]}`, len(table), digest),
	}
	for name, text := range old {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if found := attack(g.handedOut(dir)); found["file.json"] != g.values {
			t.Fatalf("the attack does not find the values in a %s: it found %v", name, found)
		}
	}

	p.ok("keygen --token-key @/token.json")
	p.mkdir("out")
	observed := signed + "out/%[1]s.receipt.json --metrics-file @/out/%[1]s.prom --lineage @/out/%[1]s.jsonl --json --log-format json"
	options := "encrypt --key @/public.json --in @/a.csv --out @/out/%[1]s.cf.parquet --id participant --measure case:max=1 "
	for name, more := range map[string]string{
		"plain": "", "found": "", "blocks": "--layout blocks", "tokens": "--tokenize participant --token-key @/token.json", "noise": "--noise local --epsilon 1 --person-records 1",
	} {
		line := options
		if name == "found" {
			line = strings.Replace(options, ":max=1", "", 1)
		}
		r := p.run(fmt.Sprintf(line+more+observed, name))
		if r.code != exitDone {
			t.Fatalf("%s: exit code %d\n%s", name, r.code, r.err)
		}
		p.write("out/"+name+".stdout", r.out)
		p.write("out/"+name+".stderr", r.err)
		p.write("out/"+name+".verified", p.ok("verify --base @/ --json @/out/"+name+".receipt.json"))
	}
	p.ok("decrypt --key @/secret.json --unfused --in @/out/plain.cf.parquet --out @/r.csv" + fmt.Sprintf(observed, "decrypted"))
	p.ok("summarize --in @/a.csv --out @/s.csv --id participant --measure case" + fmt.Sprintf(observed, "summary"))
	p.write("job.toml", fmt.Sprintf(`version = 1
[job]
name = "guess"
dir = "%[1]s/out/job"
part_rows = 3
[[encrypt]]
key = "%[1]s/public.json"
in = ["%[1]s/a.csv"]
id = ["participant"]
measure = ["case"]
out = "%[1]s/out/job.cf.parquet"
[[decrypt]]
unfused = true
key = "%[1]s/secret.json"
in = "%[1]s/out/job.cf.parquet"
out = "%[1]s/r2.csv"
`, p.dir))
	check := func(when string) {
		t.Helper()
		files := g.handedOut(p.path("out"))
		if found := attack(files); len(found) > 0 {
			t.Errorf("%s: the attack finds the values in %v", when, found)
		}
		size := regexp.MustCompile(fmt.Sprintf(`\b%d\b`, len(table)))
		for name, data := range files {
			if strings.HasSuffix(name, ".parquet") {
				continue
			}
			if size.Match(data) {
				t.Errorf("%s: the size of the table is in %s:\n%s", when, name, data)
			}
		}
	}
	p.write("out/plan.stdout", p.ok("plan @/job.toml --shards 2 --json"))
	check("planned")
	for shard := 1; shard <= 2; shard++ {
		p.write(fmt.Sprintf("out/shard%d.stdout", shard), p.ok(fmt.Sprintf("shard @/job.toml %d/2 --json --metrics-file @/out/shard.prom --lineage @/out/shard.jsonl", shard)))
	}
	p.write("out/inspected.stdout", p.ok("inspect @/out/job @/out/plain.cf.parquet --json"))
	check("in shards")
	p.write("out/merged.stdout", p.ok("merge @/job.toml --json --receipt-key @/receipt.key"))
	p.write("out/run.stdout", p.ok("run @/job.toml --resume --json --receipt-key @/receipt.key --metrics-file @/out/run.prom --lineage @/out/run.jsonl"))
	p.write("out/inspected.stdout", p.ok("inspect @/out/job --json"))
	check("done")
	for _, name := range []string{"job.json", "journal", "receipt.json"} {
		if len(p.read("out/job/"+name)) == 0 {
			t.Errorf("%s was not looked at", name)
		}
	}
}

// How many values are missing is told in the private parts alone. The records of the universe that the owner lacks are such values.
func TestCountsOfMissingValuesAreNotHandedOut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	g := &guessed{p: p}
	const records, there, missing = 20011, 13567, 4153 // of those there; no memory, in MiB, comes near
	rows, universe := []string{"id,x"}, []string{"id"}
	for i := range records {
		id := fmt.Sprintf("p%05d", i)
		universe = append(universe, id)
		switch {
		case i < missing:
			rows = append(rows, id+",")
		case i < there:
			rows = append(rows, id+",1")
		}
	}
	p.lines("a.csv", rows...)
	p.lines("universe.csv", universe...)
	p.mkdir("out")
	line := "encrypt --key @/public.json --in @/a.csv --id id --universe @/universe.csv --measure x:max=1 --layout blocks "
	r := p.run(line + "--out @/out/a.cf.parquet" + signed + "out/a.json --metrics-file @/out/a.prom --lineage @/out/a.jsonl --json --log-format json")
	p.write("out/stdout", r.out)
	p.write("out/stderr", r.err)
	p.write("job.toml", fmt.Sprintf(`version = 1
[job]
dir = "%[1]s/out/job"
part_rows = 4000
[[encrypt]]
key = "%[1]s/public.json"
in = ["%[1]s/a.csv"]
id = ["id"]
universe = ["%[1]s/universe.csv"]
layout = "blocks"
measure = ["x:max=1"]
out = "%[1]s/out/b.cf.parquet"
`, p.dir))
	p.write("out/run.stdout", p.ok("run @/job.toml --json --receipt-key @/receipt.key --metrics-file @/out/run.prom --lineage @/out/run.jsonl"))
	told := regexp.MustCompile(fmt.Sprintf(`[:= ,\[](%d|%d|%d|%d|%d)[,}\]\s]`, there, missing, there-missing, records-there, records-there+missing))
	for name, data := range g.handedOut(p.path("out")) {
		if found := told.Find(data); found != nil && !strings.HasSuffix(name, ".parquet") {
			t.Errorf("%s has %q:\n%s", name, found, data)
		}
	}
	if text := string(p.read("out/a.private.json")); !strings.Contains(text, fmt.Sprintf(`"missing":{"x":%d}`, records-there+missing)) {
		t.Errorf("the private part has no counts:\n%s", text)
	}
	// The pattern finds what was told before.
	if !told.MatchString(fmt.Sprintf(`{"missing":{"x":%d}}`, records-there+missing)) || !told.MatchString(fmt.Sprintf("cipherfold_records_total{stage=\"align\"} %d\n", there)) {
		t.Error("the pattern finds nothing")
	}
}
