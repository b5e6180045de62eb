// Package enctable handles encrypted tables as files: tables in several part files, their footers and keys, and rows
// of ciphertexts that are read and written.
package enctable

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Set is an encrypted table in its place: one file, or the part files of one table.
type Set struct {
	Name  string        // of the file, or of the directory of the parts
	Files []string      // in the order of their rows
	Table *ctfile.Table // as if it were one file
	IDs   []arrow.Field // as in the files: lists in blocks
	parts []ctfile.Footer
}

// Find finds the encrypted tables that a pattern means, in the order of their names. Files in one directory that are
// parts of one table make one table. All of its parts must be there, unless the pattern names one part.
func Find(ctx context.Context, o job.Options, pattern string) ([]Set, error) {
	files, err := o.FS.List(ctx, pattern)
	if err != nil {
		return nil, err
	}
	var sets []Set
	index := map[[2]string]int{} // of the sets of parts, by directory and job
	for _, file := range files {
		f, ids, err := readFooter(ctx, o, file)
		if err != nil {
			return nil, err
		}
		t := f.Table
		s := Set{Name: file, Files: []string{file}, Table: t, IDs: ids, parts: []ctfile.Footer{f}}
		if t.Part == 0 {
			sets = append(sets, s)
			continue
		}
		if file == pattern {
			if t.Part > 1 || !t.LastPart {
				o.Log.Warn("this file is one part of a table", "file", file, "part", t.Part)
			}
			sets = append(sets, s)
			continue
		}
		s.Name = blob.Dir(file)
		key := [2]string{s.Name, t.JobID}
		i, ok := index[key]
		if !ok {
			index[key] = len(sets)
			sets = append(sets, s)
			continue
		}
		sets[i].Files = append(sets[i].Files, file)
		sets[i].parts = append(sets[i].parts, f)
	}
	for i := range sets {
		if sets[i].Name != sets[i].Files[0] {
			if err := sets[i].gather(); err != nil {
				return nil, err
			}
		}
	}
	return sets, nil
}

// Trusted is the set as package trust looks at it.
func (s *Set) Trusted() trust.Input {
	in := trust.Input{Name: s.Name, Table: s.Table}
	for _, f := range s.parts {
		in.Files = append(in.Files, f.Table)
	}
	return in
}

// FindOne finds the one encrypted table that a pattern means.
func FindOne(ctx context.Context, o job.Options, pattern string) (*Set, error) {
	sets, err := Find(ctx, o, pattern)
	if err != nil {
		return nil, err
	}
	if len(sets) > 1 {
		return nil, column.Refuse(pattern, "there are %d tables, among them %s and %s", len(sets), sets[0].Name, sets[1].Name).
			WithHint("Name one of them, or fuse them first.")
	}
	return &sets[0], nil
}

// gather makes one table of the parts.
func (s *Set) gather() error {
	order := make([]int, len(s.parts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.parts[a].Table.Part, s.parts[b].Table.Part) })
	var files []string
	var footers []ctfile.Footer
	var parts []*ctfile.Table
	for _, i := range order {
		files, footers, parts = append(files, s.Files[i]), append(footers, s.parts[i]), append(parts, s.parts[i].Table)
	}
	s.Files, s.parts = files, footers
	const missing = "Copy the whole directory again; all files of a table belong together."
	all := *parts[0]
	all.Part, all.LastPart, all.Rows, all.RowGroups = 0, false, 0, nil
	for i, t := range parts {
		switch {
		case i > 0 && t.Part == parts[i-1].Part:
			return column.Refuse(files[i], "it is part %d of its table, and so is %s", t.Part, files[i-1]).WithHint("Remove one of them.")
		case t.Part != i+1:
			return column.Refuse(s.Name, "part %d of the table is missing", i+1).WithHint(missing)
		case i > 0 && parts[i-1].LastPart:
			return column.Refuse(files[i], "it is part %d of its table, and %s is the last", t.Part, files[i-1]).WithHint(missing)
		case !sameTable(t, parts[0]):
			return column.Refuse(files[i], "its footer says something else than that of %s, a part of the same table", files[0]).WithHint(missing)
		}
		all.Rows += t.Rows
		all.AddsUsed = max(all.AddsUsed, t.AddsUsed)
		all.RowGroups = append(all.RowGroups, t.RowGroups...)
	}
	if last := parts[len(parts)-1]; !last.LastPart {
		return column.Refuse(s.Name, "the last part of the table is missing: there are parts 1 to %d", last.Part).WithHint(missing)
	}
	s.Table = &all
	return nil
}

// sameTable reports whether the footers of two parts agree.
func sameTable(a, b *ctfile.Table) bool {
	text := func(t *ctfile.Table) string {
		c := *t
		c.Part, c.LastPart, c.Rows, c.AddsUsed, c.RowGroups = 0, false, 0, 0, nil
		out, err := json.Marshal(c)
		if err != nil {
			return ""
		}
		return string(out)
	}
	return text(a) == text(b)
}

// Open reads the named columns of the table, or all if none are named, in batches of so many rows, however the table
// is divided into files.
func (s *Set) Open(ctx context.Context, o job.Options, rows int, columns ...string) (column.Reader, error) {
	return s.OpenRows(ctx, o, column.ReadOptions{Columns: columns, Threads: o.Threads, BatchRows: rows}, 0, math.MaxInt64)
}

// OpenRows reads the rows (of the files: records or blocks) from number `from` to number `to` (exclusive), from 0. All
// batches except the last have exactly opts.BatchRows rows.
func (s *Set) OpenRows(ctx context.Context, o job.Options, opts column.ReadOptions, from, to int64) (column.Reader, error) {
	opts = opts.WithDefaults()
	type stretch struct {
		was      ctfile.Footer
		from, to int64 // within the file
	}
	stretches := map[string]stretch{}
	var files []string
	first := int64(0) // row of the file
	for i, f := range s.parts {
		n := f.Table.FileRows()
		lo, hi := max(0, from-first), min(n, to-first)
		if lo < hi || len(s.parts) == 1 {
			files = append(files, s.Files[i])
			stretches[s.Files[i]] = stretch{f, lo, hi}
		}
		first += n
	}
	if len(files) == 0 { // an empty reader has columns, too
		files = s.Files[:1]
		stretches[files[0]] = stretch{s.parts[0], 0, 0}
	}
	r, err := column.OpenParts(ctx, files, func(ctx context.Context, file string) (column.Reader, error) {
		x := stretches[file]
		r, err := ctfile.Reopen(ctx, o.FS, file, x.was, opts, x.from, x.to)
		if err != nil {
			return nil, err
		}
		// What was decided from the footer holds for this table only.
		if t, was := r.Table(), x.was.Table; t.TableID != was.TableID || t.JobID != was.JobID || t.Part != was.Part || t.Fingerprint != was.Fingerprint || t.Rows != was.Rows || t.AddsUsed != was.AddsUsed {
			r.Close()
			return nil, column.Refuse(file, "the file was replaced while it was being read").WithHint("Run the same command again.")
		}
		return r, nil
	})
	if err != nil || len(files) == 1 && from == 0 {
		return r, err
	}
	return column.Rechunk(r, opts.BatchRows), nil
}
