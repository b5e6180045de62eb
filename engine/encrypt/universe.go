package encrypt

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/slots"
	"github.com/cipherfold/cipherfold/io/column"
)

// openAligned opens the records of the universe in its order. They have the source's values where the source has the
// record, and missing values elsewhere. So the encrypted table does not reveal which records its owner has.
//
// The universe's ids are indexed and the source's values held in memory, 9 bytes for each measure of each record.
func (x *encryption) openAligned(ctx context.Context) (*records, error) {
	budget := engine.NewBudget(x.request.Memory)
	if err := budget.Keep(keys.PowersBudget, x.tables.Bytes()); err != nil {
		return nil, err
	}
	u, err := x.openUniverse(ctx, budget)
	if err != nil {
		return nil, err
	}
	defer u.ids.Free()
	n := u.ids.Len()
	x.request.expected = int64(n)
	if err := budget.Keep("the values of the source", int64(n)*9*int64(len(x.request.Measures))); err != nil {
		return nil, err
	}
	aligned := make([]slots.Scaled, len(x.request.Measures))
	for i := range aligned {
		aligned[i] = slots.NewScaled(n)
	}
	if err := x.align(ctx, u, aligned); err != nil {
		return nil, err
	}
	r, err := u.source.Open(ctx, x.request.IDs)
	if err != nil {
		return nil, err
	}
	return &records{RangeReader: dataset.RangeReader{Reader: r}, aligned: aligned}, nil
}

// universe is the reference list, indexed, and which of its records the source has so far.
type universe struct {
	e      *Request
	source dataset.Source
	ids    *engine.Groups
	seen   []bool
	key    []byte
}

// openUniverse numbers the ids of the universe, whose columns become those of the table.
func (x *encryption) openUniverse(ctx context.Context, budget *engine.Budget) (*universe, error) {
	list, err := x.idList(ctx, x.request.Universe)
	if err != nil {
		return nil, err
	}
	u := &universe{e: &x.request, source: list, ids: engine.NewGroups(budget)}
	if x.idFields, err = x.request.indexUniverse(ctx, list, u.ids); err != nil {
		u.ids.Free()
		return nil, err
	}
	if x.list, err = digestOf(listOfRecords, u.ids, budget); err != nil {
		u.ids.Free()
		return nil, err
	}
	u.seen = make([]bool, u.ids.Len())
	return u, nil
}

// idList is a list of ids, which are made of its columns as those of the source are.
func (x *encryption) idList(ctx context.Context, patterns []string) (dataset.Source, error) {
	list, err := dataset.List(ctx, x.request.Options, patterns, x.request.Nulls)
	if err != nil {
		return list, err
	}
	list.Vcf = x.src.Vcf.Sites()
	if x.src.Prep != nil {
		list.Prep = x.src.Prep.ForIDs()
	}
	return list, nil
}

// place returns the number of the record in row i of a batch of the source, whose first columns are its ids, or -1 when
// it is to be dropped.
func (u *universe) place(b column.Batch, i int) (int32, error) {
	idColumns := b.Columns()[:len(u.e.IDs)]
	u.key = ids.AppendTextKey(u.key[:0], idColumns, i)
	at, found := u.ids.Lookup(u.key)
	if !found {
		if u.e.DropUnlisted {
			return -1, nil
		}
		return 0, b.Refuse(i, u.e.IDs[0], "id %s is not in the universe", ids.Text(idColumns, i)).
			WithHint("Add it to the reference list that all owners use, or give ‹drop_unlisted› to drop and count such records.")
	}
	if u.seen[at] {
		return 0, b.Refuse(i, u.e.IDs[0], "duplicate id %s", ids.Text(idColumns, i)).WithHint("A record aligned with a universe comes once. Add its rows up first.")
	}
	u.seen[at] = true
	return at, nil
}

// indexUniverse numbers the ids of the universe and returns their columns.
func (e *Request) indexUniverse(ctx context.Context, universe dataset.Source, groups *engine.Groups) ([]arrow.Field, error) {
	r, err := universe.Open(ctx, e.IDs)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var fields []arrow.Field
	for _, f := range r.Schema().Fields() {
		if err := ids.CheckType(universe.Files[0], f); err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type})
	}
	var key []byte
	return fields, column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, len(e.IDs)); err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			key = ids.AppendTextKey(key[:0], b.Columns()[:len(e.IDs)], i)
			if _, added, err := groups.Index(key); err != nil {
				return err
			} else if !added {
				return b.Refuse(i, e.IDs[0], "duplicate id %s in the universe", ids.Text(b.Columns(), i)).WithHint("The universe lists every record once.")
			}
		}
		return nil
	})
}

// align reads the source and puts every value in its place.
func (x *encryption) align(ctx context.Context, u *universe, aligned []slots.Scaled) error {
	r, err := x.src.Open(ctx, x.request.Columns())
	if err != nil {
		return err
	}
	defer r.Close()
	progress := &engine.Progress{}
	defer x.request.Watch("align", progress)()
	idColumns := len(x.request.IDs)
	values := make([]slots.Scaled, len(x.request.Measures))
	x.unlisted = 0
	return column.Each(ctx, r, func(b column.Batch) error {
		if err := ids.CheckPresent(b, idColumns); err != nil {
			return err
		}
		for m := range values {
			if err := slots.ScaleColumn(&values[m], b, idColumns+m, x.request.Measures[m]); err != nil {
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
				aligned[m].V[at], aligned[m].Ok[at] = values[m].V[i], values[m].Ok[i]
			}
		}
		progress.Done.Add(b.NumRows())
		return nil
	})
}

// alignedFeed delivers records of the universe with the values at their places.
type alignedFeed struct {
	reader   column.Reader  // of the universe's ids
	measures []slots.Scaled // of all records, in the universe's order
	at       int
}

func (f *alignedFeed) next(ctx context.Context) (chunk, error) {
	b, err := f.reader.Read(ctx)
	if err != nil {
		return chunk{}, err
	}
	n := int(b.NumRows())
	c := chunk{batch: b, measures: make([]slots.Scaled, len(f.measures))}
	for m, s := range f.measures {
		c.measures[m] = slots.Scaled{V: s.V[f.at : f.at+n], Ok: s.Ok[f.at : f.at+n]}
	}
	f.at += n
	return c, nil
}

func (f *alignedFeed) finish() error { return nil }
func (f *alignedFeed) close()        { f.reader.Close() }
