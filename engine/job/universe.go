package job

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
)

// alignedFeed delivers the records of the universe in its order, with the source's values where the source has the
// record and missing values elsewhere: nobody who sees the encrypted table learns which records its owner has.
//
// The universe's ids are indexed and the source's values held in memory, 9 bytes for each measure of each record.
type alignedFeed struct {
	e        *Encryption
	reader   column.Reader // of the universe's ids
	measures []scaled      // of all records, in the universe's order
	at       int
}

func (x *encrypting) alignedFeed(ctx context.Context) (feed, error) {
	universe, err := listSource(ctx, x.Options, x.Universe, x.Nulls)
	if err != nil {
		return nil, err
	}
	budget := engine.NewBudget(x.Memory)
	groups := engine.NewGroups(budget)
	defer groups.Free()
	if x.idFields, err = x.indexUniverse(ctx, universe, groups); err != nil {
		return nil, err
	}
	n := groups.Len()
	x.expected = int64(n)
	if err := budget.Keep("the values of the source", int64(n)*9*int64(len(x.Measures))); err != nil {
		return nil, err
	}
	f := &alignedFeed{e: &x.Encryption, measures: make([]scaled, len(x.Measures))}
	for i := range f.measures {
		f.measures[i] = newScaled(n)
	}
	if x.unlisted, err = f.fill(ctx, x.src, groups); err != nil {
		return nil, err
	}
	r, err := universe.open(ctx, x.IDs)
	if err != nil {
		return nil, err
	}
	f.reader = column.Rechunk(r, x.chunkRecords())
	return f, nil
}

// indexUniverse numbers the ids of the universe and returns their columns.
func (e *Encryption) indexUniverse(ctx context.Context, universe source, groups *engine.Groups) ([]arrow.Field, error) {
	r, err := universe.open(ctx, e.IDs)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var fields []arrow.Field
	for _, f := range r.Schema().Fields() {
		if err := checkIDType(universe.files[0], f); err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type})
	}
	var key []byte
	return fields, each(ctx, r, func(b column.Batch) error {
		if err := checkIDs(b, len(e.IDs)); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			key = textKey(key[:0], b.Columns()[:len(e.IDs)], i)
			if _, added, err := groups.Index(key); err != nil {
				return err
			} else if !added {
				return b.Refuse(i, e.IDs[0], "duplicate id %s in the universe", keyText(b.Columns(), i)).WithHint("The universe lists every record once.")
			}
		}
		return nil
	})
}

// fill reads the source and puts every value in its place. It returns how many records were not in the universe.
func (f *alignedFeed) fill(ctx context.Context, src source, groups *engine.Groups) (unlisted int64, err error) {
	e := f.e
	r, err := src.open(ctx, e.columns())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer e.Watch("align", progress)()
	ids := len(e.IDs)
	seen := make([]bool, groups.Len())
	values := make([]scaled, len(e.Measures))
	var key []byte
	err = each(ctx, r, func(b column.Batch) error {
		if err := checkIDs(b, ids); err != nil {
			return err
		}
		for m := range values {
			if err := scaleColumn(&values[m], b, ids+m, e.Measures[m]); err != nil {
				return err
			}
		}
		for i := range int(b.NumRows()) {
			key = textKey(key[:0], b.Columns()[:ids], i)
			at, found := groups.Lookup(key)
			if !found {
				if e.DropUnlisted {
					unlisted++
					continue
				}
				return b.Refuse(i, e.IDs[0], "id %s is not in the universe", keyText(b.Columns()[:ids], i)).
					WithHint("Add it to the reference list that all owners use, or give --drop-unlisted to drop and count such records.")
			}
			if seen[at] {
				return b.Refuse(i, e.IDs[0], "duplicate id %s", keyText(b.Columns()[:ids], i)).WithHint("A record aligned with a universe comes once. Add its rows up first.")
			}
			seen[at] = true
			for m := range values {
				f.measures[m].v[at], f.measures[m].ok[at] = values[m].v[i], values[m].ok[i]
			}
		}
		progress.Done.Add(b.NumRows())
		return nil
	})
	return unlisted, err
}

// textKey is the key of a row with every id as text, so that a universe kept as text matches ids kept as numbers.
func textKey(key []byte, ids []arrow.Array, i int) []byte {
	for _, arr := range ids {
		key = appendBytes(key, arr.ValueStr(i))
	}
	return key
}

// each calls f for every batch of r, and releases it.
func each(ctx context.Context, r column.Reader, f func(column.Batch) error) error {
	for {
		b, err := r.Read(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}

func (f *alignedFeed) next(ctx context.Context) (chunk, error) {
	b, err := f.reader.Read(ctx)
	if err != nil {
		return chunk{}, err
	}
	n := int(b.NumRows())
	c := chunk{batch: b, measures: make([]scaled, len(f.measures))}
	for m, s := range f.measures {
		c.measures[m] = scaled{v: s.v[f.at : f.at+n], ok: s.ok[f.at : f.at+n]}
	}
	f.at += n
	return c, nil
}

func (f *alignedFeed) finish() error { return nil }
func (f *alignedFeed) close()        { f.reader.Close() }
