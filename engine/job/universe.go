package job

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/io/column"
)

// openAligned opens the records of the universe in its order, with the source's values where the source has the record
// and missing values elsewhere: nobody who sees the encrypted table learns which records its owner has.
//
// The universe's ids are indexed and the source's values held in memory, 9 bytes for each measure of each record.
func (x *encrypting) openAligned(ctx context.Context) (*records, error) {
	budget := engine.NewBudget(x.Memory)
	if err := budget.Keep(whatTables, x.tables.bytes()); err != nil {
		return nil, err
	}
	u, err := x.openUniverse(ctx, budget)
	if err != nil {
		return nil, err
	}
	defer u.ids.Free()
	n := u.ids.Len()
	x.expected = int64(n)
	if err := budget.Keep("the values of the source", int64(n)*9*int64(len(x.Measures))); err != nil {
		return nil, err
	}
	aligned := make([]scaled, len(x.Measures))
	for i := range aligned {
		aligned[i] = newScaled(n)
	}
	if err := x.align(ctx, u, aligned); err != nil {
		return nil, err
	}
	r, err := u.source.open(ctx, x.IDs)
	if err != nil {
		return nil, err
	}
	return &records{sections: sections{Reader: r}, aligned: aligned}, nil
}

// universe is the reference list, indexed, and which of its records the source has shown so far.
type universe struct {
	e      *Encryption
	source source
	ids    *engine.Groups
	seen   []bool
	key    []byte
}

// openUniverse numbers the ids of the universe, whose columns become those of the table.
func (x *encrypting) openUniverse(ctx context.Context, budget *engine.Budget) (*universe, error) {
	list, err := x.idList(ctx, x.Universe)
	if err != nil {
		return nil, err
	}
	u := &universe{e: &x.Encryption, source: list, ids: engine.NewGroups(budget)}
	if x.idFields, err = x.indexUniverse(ctx, list, u.ids); err != nil {
		u.ids.Free()
		return nil, err
	}
	x.list = digestOf(u.ids)
	u.seen = make([]bool, u.ids.Len())
	return u, nil
}

// idList is a list of ids, which are made of its columns as those of the source are.
func (x *encrypting) idList(ctx context.Context, patterns []string) (source, error) {
	list, err := listSource(ctx, x.Options, patterns, x.Nulls)
	if err != nil {
		return list, err
	}
	list.vcf = x.src.vcf.sites()
	if x.src.prep != nil {
		list.prep = x.src.prep.forIDs()
	}
	return list, nil
}

// place returns the number of the record in row i of a batch of the source, whose first columns are its ids, or -1 when
// it is to be dropped.
func (u *universe) place(b column.Batch, i int) (int32, error) {
	ids := b.Columns()[:len(u.e.IDs)]
	u.key = textKey(u.key[:0], ids, i)
	at, found := u.ids.Lookup(u.key)
	if !found {
		if u.e.DropUnlisted {
			return -1, nil
		}
		return 0, b.Refuse(i, u.e.IDs[0], "id %s is not in the universe", keyText(ids, i)).
			WithHint("Add it to the reference list that all owners use, or give --drop-unlisted to drop and count such records.")
	}
	if u.seen[at] {
		return 0, b.Refuse(i, u.e.IDs[0], "duplicate id %s", keyText(ids, i)).WithHint("A record aligned with a universe comes once. Add its rows up first.")
	}
	u.seen[at] = true
	return at, nil
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
	return fields, column.Each(ctx, r, func(b column.Batch) error {
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

// align reads the source and puts every value in its place.
func (x *encrypting) align(ctx context.Context, u *universe, aligned []scaled) error {
	r, err := x.src.open(ctx, x.columns())
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer x.Watch("align", progress)()
	ids := len(x.IDs)
	values := make([]scaled, len(x.Measures))
	x.unlisted = 0
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := checkIDs(b, ids); err != nil {
			return err
		}
		for m := range values {
			if err := scaleColumn(&values[m], b, ids+m, x.Measures[m]); err != nil {
				return err
			}
		}
		for i := range int(b.NumRows()) {
			at, err := u.place(b, i)
			if err != nil {
				return err
			}
			if at < 0 {
				x.unlisted++
				continue
			}
			for m := range values {
				aligned[m].v[at], aligned[m].ok[at] = values[m].v[i], values[m].ok[i]
			}
		}
		progress.Done.Add(b.NumRows())
		return nil
	})
}

// alignedFeed delivers records of the universe with the values at their places.
type alignedFeed struct {
	reader   column.Reader // of the universe's ids
	measures []scaled      // of all records, in the universe's order
	at       int
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
