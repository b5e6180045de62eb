package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/enginetest"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob/blobtest"
)

var ctx = context.Background()

// somePlan is a plan of three steps.
func somePlan() *PlanFile {
	rows := int64(3)
	return &PlanFile{
		Version: Version, ID: "0123456789abcdef", Name: "n", Created: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Program: receipt.Program{Name: "cipherfold", Version: "1"},
		Steps: []PlannedStep{
			{Name: "encrypt-1", Verb: "encrypt", Parameters: map[string]receipt.Values{"id": {"a", "b"}, "layout": {"records"}}, Level: 1, Inputs: []string{"in.csv"}, Out: "t"},
			{Name: "fuse-1", Verb: "fuse", After: []string{"encrypt-1"}, Level: 2, Inputs: []string{"t"}, Out: "f"},
			{Name: "decrypt-1", Verb: "decrypt", After: []string{"fuse-1"}, Level: 3, Inputs: []string{"f"}, Out: "x.csv"},
		},
		Inputs: []receipt.File{{Path: "in.csv", Bytes: 9, SHA256: strings.Repeat("ab", 32), Rows: &rows}},
	}
}

// vaultOf is the vault of the job in the directory d, which it makes.
func vaultOf(t testing.TB, disk *blobtest.Mem) *receipt.Vault {
	disk.Put(path.Join("d", vaultName), []byte(strings.Repeat("5a", 32)+"\n"))
	v, err := receipt.ReadVault(ctx, disk, path.Join("d", vaultName))
	if err != nil || v == nil {
		t.Fatal(v, err)
	}
	return v
}

// planned is a disk with a plan in the directory d.
func planned(t testing.TB) (*blobtest.Mem, *PlanFile) {
	disk, p := &blobtest.Mem{}, somePlan()
	if err := p.write(ctx, disk, path.Join("d", planName), vaultOf(t, disk)); err != nil {
		t.Fatal(err)
	}
	return disk, p
}

// line is an entry as a line of a journal.
func line(t testing.TB, e entry) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// sealLines puts the right checksum before every line but the last one, if that is not whole.
func sealLines(data []byte) []byte {
	var out []byte
	for text := range bytes.Lines(data) {
		if _, rest, ok := bytes.Cut(text, []byte(" ")); ok && bytes.HasSuffix(rest, []byte("\n")) {
			out = fmt.Appendf(out, "%08x %s", crc32.Checksum(rest[:len(rest)-1], castagnoli), rest)
			continue
		}
		out = append(out, text...)
	}
	return out
}

// someJournal is one in which everything is told.
func someJournal(t testing.TB, plan string) []byte {
	part, at := 0, time.Date(2026, 11, 22, 1, 2, 4, 5, time.UTC)
	file := &receipt.File{Path: "parts/encrypt-1.0.parquet", Bytes: 5, SHA256: strings.Repeat("cd", 32)}
	report := &job.Report{Out: "t", Records: 3, Ciphertexts: 6, Inputs: []job.InputReport{{File: "in.csv", Rows: 3}}}
	var out []byte
	for _, e := range []entry{
		{Event: began, Time: at, Plan: plan}, {Event: keyed, Time: at, Step: "encrypt-1", Key: "k"}, {Event: working, Time: at, Step: "encrypt-1"},
		{Event: made, Time: at, Step: "encrypt-1", Part: &part, Partition: "c", File: file, Report: report}, {Event: writing, Time: at, Step: "encrypt-1", File: file},
		{Event: done, Time: at, Step: "encrypt-1", Outputs: []receipt.File{*file}, Report: report}, {Event: finished, Time: at},
	} {
		out = append(out, line(t, e)...)
	}
	return out
}

// FuzzJournal reads journals, with the checksums that they have or with right ones. What is accepted is the same when it is
// written anew, and never more than what was there before the first line that is not whole.
func FuzzJournal(f *testing.F) {
	_, p := planned(f)
	good := someJournal(f, p.digest)
	for _, data := range [][]byte{good, good[:len(good)-1], good[:len(good)-9], bytes.ToUpper(good), append(bytes.Clone(good), "torn"...), []byte("\n"), []byte("00000000 \n00000000 \n")} {
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Add(bytes.ReplaceAll(good, []byte(`"part":0`), []byte(`"part":-9223372036854775808`)), true)
	f.Add(bytes.ReplaceAll(good, []byte(`"file":{`), []byte(`"file":null,"cut":{`)), true)
	f.Add(bytes.ReplaceAll(good, []byte("encrypt-1"), []byte("encrypt-9")), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = sealLines(data)
		}
		enginetest.Bounded(t, 16<<20+1000*len(data), func() {
			disk, _ := planned(t)
			name := path.Join("d", journalName)
			disk.Put(name, data)
			defer func() {
				if n := disk.Handles(); n != 0 {
					t.Errorf("%d files are left open", n)
				}
			}()
			entries, valid, err := readJournal(ctx, disk, name, vaultOf(t, disk))
			if err != nil {
				enginetest.Refusal(t, err, name)
				return
			}
			if valid > int64(len(data)) || valid > 0 && data[valid-1] != '\n' || bytes.Count(data[:valid], []byte("\n")) != len(entries) {
				t.Fatalf("%d entries in %d of %d bytes", len(entries), valid, len(data))
			}
			var anew []byte
			for _, e := range entries {
				anew = append(anew, line(t, e)...)
			}
			disk.Put("anew", anew)
			again, all, err := readJournal(ctx, disk, "anew", vaultOf(t, disk))
			if err != nil || all != int64(len(anew)) || len(again) != len(entries) {
				t.Fatalf("written anew: %d entries in %d of %d bytes, %v", len(again), all, len(anew), err)
			}
			for i, e := range again {
				if a, b := line(t, entries[i]), line(t, e); !bytes.Equal(a, b) {
					t.Fatalf("%s, written anew %s", a, b)
				}
			}
			s, err := readState(ctx, disk, "d")
			if err != nil {
				enginetest.Refusal(t, err, name)
				return
			}
			if s.valid != valid || s.began != (len(entries) > 0) || s.level() < 0 || s.level() > 3 {
				t.Fatalf("%+v", s)
			}
		})
	})
}

// FuzzPlan reads plans. One that is accepted is the same job when it is written anew.
func FuzzPlan(f *testing.F) {
	disk, _ := planned(f)
	good, _ := disk.Get(path.Join("d", planName))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(bytes.ToUpper(good))
	f.Add(bytes.ReplaceAll(good, []byte("1"), []byte("-1e9")))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"steps":[{"name":"a","level":-9},{"parameters":{"":[]}}],"inputs":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		enginetest.Bounded(t, 16<<20+1000*len(data), func() {
			disk := &blobtest.Mem{}
			disk.Put("p", data)
			vault := vaultOf(t, disk)
			p, err := readPlan(ctx, disk, "p", vault)
			if err != nil {
				enginetest.Refusal(t, err, "p")
				return
			}
			digest := p.digest
			if err := p.write(ctx, disk, "q", vault); err != nil {
				t.Fatal(err)
			}
			again, err := readPlan(ctx, disk, "q", vault)
			if err != nil || again.digest != p.digest {
				t.Fatalf("written anew: %v", err)
			}
			if err := again.sameJob("q", p.Steps); err != nil {
				t.Fatal(err)
			}
			a, _ := disk.Get("q")
			if err := again.write(ctx, disk, "r", vault); err != nil {
				t.Fatal(err)
			}
			if p.sealed() { // with another nonce each time
				if !reflect.DeepEqual(again.Inputs, p.Inputs) {
					t.Fatalf("%+v, written anew %+v", p.Inputs, again.Inputs)
				}
				return
			}
			if b, _ := disk.Get("r"); !bytes.Equal(a, b) {
				t.Fatalf("%s, written anew %s", a, b)
			}
			if bytes.Equal(a, data) != (digest == p.digest) {
				t.Errorf("digests %s and %s", digest, p.digest)
			}
		})
	})
}

// divided is a partition of a verb without findings.
func divided(rows, align, bytes, partBytes, partsMax, partRows int64, shards int) *partition {
	d := &job.Division{Rows: rows, Align: align, RowsBytes: bytes, PartBytes: partBytes, PartsMax: partsMax}
	return newPartition(verbNamed("fuse"), d, partRows, shards)
}

// FuzzPartition reads the files that say how a step is divided, as one of every verb. The parts of one that is accepted are
// all rows, once.
func FuzzPartition(f *testing.F) {
	for _, text := range []string{
		`{"rows":10,"part_rows":3,"shards":2,"encrypt":{}}`, `{"rows":0,"part_rows":1,"decrypt":{}}`, `{"rows":9223372036854775807,"part_rows":9223372036854775806}`,
		`{"rows":9223372036854775807,"part_rows":1}`, `{"rows":-1,"part_rows":1}`, `{"rows":1,"part_rows":0}`, `{"rows":1048577,"part_rows":1}`, `{"rows":1e3}`, `{`,
		`{"rows":1,"part_rows":1,"decrypt":{"whole":true,"key":{"fingerprint":"k"}}}`, `{"rows":1,"part_rows":1,"decrypt":null}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range verbs {
			enginetest.Bounded(t, 256<<20+1000*len(data), func() { partitionOf(t, &verbs[i], data) })
		}
	})
}

// partitionOf reads what may be the partition of a step of a verb.
func partitionOf(t *testing.T, v *verb, data []byte) {
	disk := &blobtest.Mem{}
	disk.Put("p", data)
	p, err := readPartition(ctx, disk, v, "p", nil)
	if err != nil {
		enginetest.Refusal(t, err, "p")
		return
	}
	if (p.found != nil) != (v.found != nil) {
		t.Fatalf("%s: %+v", v.name, p)
	}
	at := int64(0)
	ranges := p.ranges()
	for _, r := range ranges {
		if r.From != at || r.To < at || r.To == at && p.Rows > 0 || r.To-at > p.PartRows {
			t.Fatalf("%+v: part %+v after %d", p, r, at)
		}
		at = r.To
	}
	if at != p.Rows || len(ranges) == 0 || len(ranges) > partsMax {
		t.Fatalf("%+v: %d parts with %d rows", p, len(ranges), at)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	disk.Put("q", text)
	again, err := readPartition(ctx, disk, v, "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := json.Marshal(again); err != nil || !bytes.Equal(text, other) || again.key() != p.key() || again.once() != p.once() {
		t.Fatalf("%s, written anew %s, %v", text, other, err)
	}
}

// What the last version wrote beside the parts of jobs that are under way is read, and written by the byte.
func TestPartitionsOfTheLastVersion(t *testing.T) {
	for _, x := range []struct{ verb, text, key string }{
		{"encrypt", `{"rows":400,"part_rows":100,"shards":2,"encrypt":{"key":{"fingerprint":"7f42","scheme":"paillier","variant":"djn","bits":2048},` +
			`"inputs":[{"file":"a.csv","rows":400}],"records":400,"measures":["x","y"],"bounds":[65535,255],"columns":1,"ciphertext_bytes":512,` +
			`"max_adds":1048576,"block_records":1,"preparation":[{"on":"y","step":"unit","value":"kg"},{"on":"y","step":"missing","value":"zero"}]}}`, "7f42"},
		{"fuse", `{"rows":60,"part_rows":10}`, ""},
		{"decrypt", `{"rows":3,"part_rows":1,"shards":3,"decrypt":{"key":{"fingerprint":"b2","scheme":"paillier","variant":"djn","bits":512},"rows":3,` +
			`"records":3,"columns":1,"ciphertext_bytes":128}}`, "b2"},
		{"decrypt", `{"rows":3,"part_rows":3,"shards":3,"decrypt":{"key":{"fingerprint":"b2","scheme":"paillier","variant":"djn","bits":512},"rows":3,` +
			`"records":3,"columns":1,"ciphertext_bytes":128,"whole":true}}`, "b2"},
	} {
		p, err := parsePartition(verbNamed(x.verb), []byte(x.text+"\n"))
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		if text, err := json.Marshal(p); err != nil || string(text) != x.text || p.key() != x.key || p.once() != strings.Contains(x.text, "whole") {
			t.Errorf("%s became %s, key %q, once %v, %v", x.text, text, p.key(), p.once(), err)
		}
	}
}

// However many rows there are and whatever the user wishes, there are not too many parts, and a partition can be read again.
func TestPartitionsHaveBounds(t *testing.T) {
	const most = 1<<63 - 1
	const few = 128 // parts, that are all open at a time
	for _, rows := range []int64{0, 1, 2, partsMax, partsMax + 1, 1 << 40, 1 << 62} {
		for _, partRows := range []int64{0, 1, 7, 1 << 30, most} {
			for _, align := range []int64{1, 48} {
				for _, shards := range []int{0, 1, 100, 1000, ShardsMax} {
					if p := divided(rows, align, 512, 4<<30, few, partRows, shards); len(p.ranges()) > few {
						t.Errorf("%d rows, parts of %d, %d together, %d shards: %d parts of a fusion", rows, partRows, align, shards, len(p.ranges()))
					}
					p := divided(rows, align, 512, 64<<20, partsMax, partRows, shards)
					text, err := json.Marshal(p)
					if err != nil {
						t.Fatal(err)
					}
					disk := &blobtest.Mem{}
					disk.Put("p", text)
					if _, err := readPartition(ctx, disk, p.verb, "p", nil); err != nil || p.PartRows%align != 0 {
						t.Errorf("%d rows, parts of %d, %d together, %d shards: %s, %v", rows, partRows, align, shards, text, err)
					}
				}
			}
		}
	}
}

// Every shard has about as much to do, and no part is larger than it would be without shards.
func TestShardsAreEven(t *testing.T) {
	for _, rows := range []int64{1, 5, 16, 17, 100, 1798, 1_000_003} {
		for _, align := range []int64{1, 36} {
			for _, partRows := range []int64{0, 36, 5000} {
				for _, n := range []int{1, 3, 16, 100} {
					p, alone := divided(rows, align, 512, 64<<20, partsMax, partRows, n), divided(rows, align, 512, 64<<20, partsMax, partRows, 0)
					ranges := p.ranges()
					per, load := len(ranges)/n+1, make([]int64, n)
					for k, r := range ranges {
						load[shardOf(k, len(ranges), n)-1] += r.To - r.From
					}
					if most := slices.Max(load); most > rows/int64(n)+int64(per)*align || p.PartRows > alone.PartRows {
						t.Errorf("%d rows, %d together, parts of %d, %d shards: parts of %d, alone %d; at most %d rows in a shard", rows, align, partRows, n, p.PartRows, alone.PartRows, most)
					}
				}
			}
		}
	}
}

// Every part belongs to one shard, however many there are.
func TestShardOf(t *testing.T) {
	for _, parts := range []int{1, 2, 128, partsMax} {
		for _, n := range []int{1, 3, ShardsMax} {
			for _, part := range []int{0, parts / 2, parts - 1} {
				if i := shardOf(part, parts, n); i < 1 || i > n {
					t.Errorf("part %d of %d is that of shard %d of %d", part, parts, i, n)
				}
			}
		}
	}
}
