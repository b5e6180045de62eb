package server

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// Limits of what a query is about.
const (
	groupsMax  = 4096
	valuesMax  = 100_000 // that are retrieved at once
	membersMax = 1 << 21 // patients in all cohorts: of each group and column, and of all groups together
)

// survey is what a first pass over the records of a query found.
type survey struct {
	selection *store.Selection
	by        string
	keys      []groupKey       // in order
	counts    []int64          // records of each group
	cohorts   [][]store.Cohort // of each column: of each group, and of all groups together
	records   int64
	digest    [32]byte
	times     []Times // of values to be retrieved
	unfit     error   // more groups or values than there can be: what else is here is then about the first ones
}

// groupKey is a patient, or the beginning of an hour or day.
type groupKey struct {
	patient string
	time    int64
}

// Times are the times of a patient's values.
type Times struct {
	Patient string  `json:"patient"`
	Times   []int64 `json:"times"`
}

// selectionOf is what a query reads.
func selectionOf(q *access.Query, columns []store.Column) *store.Selection {
	s := &store.Selection{Columns: columns, Patients: q.Patients, From: math.MinInt64, Until: math.MaxInt64, Cut: q.Batches}
	if q.From != nil {
		s.From = *q.From
	}
	if q.Until != nil {
		s.Until = *q.Until
	}
	return s
}

// key is the group of a record.
func (s *survey) key(patient string, t int64) groupKey {
	floor := func(unit time.Duration) int64 {
		ms := unit.Milliseconds()
		return t - ((t%ms)+ms)%ms
	}
	switch s.by {
	case access.ByPatient:
		return groupKey{patient: patient}
	case access.ByHour:
		return groupKey{time: floor(time.Hour)}
	case access.ByDay:
		return groupKey{time: floor(24 * time.Hour)}
	}
	return groupKey{}
}

// label is how a result names a group.
func (s *survey) label(k groupKey) string {
	switch s.by {
	case access.ByPatient:
		return k.patient
	case access.ByHour, access.ByDay:
		return time.UnixMilli(k.time).UTC().Format(time.RFC3339)
	}
	return ""
}

// look makes the first pass: who and what the groups are about.
func look(ctx context.Context, st store.Store, sel *store.Selection, by string, retrieve bool) (*survey, error) {
	s := &survey{selection: sel, by: by}
	type group struct {
		count   int64
		cohorts []store.CohortBuilder // of each column
	}
	groups := map[groupKey]*group{}
	all := make([]store.CohortBuilder, len(sel.Columns))
	digest, members := newRecordDigest(), 0
	add := func(b *store.CohortBuilder, r *store.Record, column int) error {
		if !b.Add(r.Patient, r.Time, r.Versions[column]) {
			return nil
		}
		if members++; members > membersMax {
			return fmt.Errorf("the query is about more than %d patients, counted in each group and attribute: ask for fewer", membersMax)
		}
		return nil
	}
	err := st.Scan(ctx, sel, func(r *store.Record) error {
		patient, t := r.Patient, r.Time
		k := s.key(patient, t)
		g := groups[k]
		if g == nil {
			if len(groups) == groupsMax {
				s.unfit = fmt.Errorf("the query has more than %d groups", groupsMax)
				return nil
			}
			g = &group{cohorts: make([]store.CohortBuilder, len(sel.Columns))}
			groups[k] = g
		}
		g.count++
		for i := range r.Versions {
			if err := add(&g.cohorts[i], r, i); err != nil {
				return err
			}
			if by == "" {
				continue
			}
			if err := add(&all[i], r, i); err != nil {
				return err
			}
		}
		digest.add(r)
		s.records++
		if retrieve {
			if s.records > valuesMax {
				s.unfit = fmt.Errorf("the query is about more than %d values: ask for a shorter time or fewer patients", valuesMax)
				return nil
			}
			if n := len(s.times); n == 0 || s.times[n-1].Patient != patient {
				s.times = append(s.times, Times{Patient: patient})
			}
			last := &s.times[len(s.times)-1]
			last.Times = append(last.Times, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k := range groups {
		s.keys = append(s.keys, k)
	}
	slices.SortFunc(s.keys, func(a, b groupKey) int {
		switch {
		case a.time != b.time && a.time < b.time:
			return -1
		case a.time != b.time:
			return 1
		case a.patient < b.patient:
			return -1
		case a.patient > b.patient:
			return 1
		}
		return 0
	})
	for _, k := range s.keys {
		s.counts = append(s.counts, groups[k].count)
	}
	for i := range sel.Columns {
		var cohorts []store.Cohort
		for _, k := range s.keys {
			cohorts = append(cohorts, groups[k].cohorts[i].Cohort())
		}
		if by != "" {
			cohorts = append(cohorts, all[i].Cohort())
		}
		s.cohorts = append(s.cohorts, cohorts)
	}
	s.digest = digest.sum()
	return s, nil
}

// errChanged says that two passes found different records, which a store's rules exclude.
var errChanged = errors.New("the records of the query changed while it was read")

// load makes the second pass: this server's shares, group after group.
func (s *survey) load(ctx context.Context, st store.Store, memoryBytes int64, dir string) (*columns, error) {
	c, err := newColumns(s.records, len(s.selection.Columns), memoryBytes, dir)
	if err != nil {
		return nil, err
	}
	next, ends := map[groupKey]int64{}, map[groupKey]int64{}
	first := int64(0)
	for i, k := range s.keys {
		next[k], ends[k] = first, first+s.counts[i]
		first += s.counts[i]
	}
	err = st.Scan(ctx, s.selection, func(r *store.Record) error {
		k := s.key(r.Patient, r.Time)
		at, ok := next[k]
		if !ok || at == ends[k] {
			return errChanged
		}
		next[k] = at + 1
		return c.put(at, r.Shares)
	})
	if err == nil {
		err = c.finish()
	}
	for k, end := range ends {
		if err == nil && next[k] != end {
			err = errChanged
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// recordDigest identifies a list of records.
type recordDigest struct {
	hash    hash.Hash
	patient string
	block   []byte
}

func newRecordDigest() *recordDigest {
	d := &recordDigest{hash: sha256.New()}
	d.hash.Write([]byte("cipherfold records 1"))
	return d
}

func (d *recordDigest) add(r *store.Record) {
	if patient := r.Patient; patient != d.patient {
		d.patient = patient
		d.block = append(append(d.block, 1), binary.BigEndian.AppendUint32(nil, uint32(len(patient)))...)
		d.block = append(d.block, patient...)
	}
	d.block = binary.BigEndian.AppendUint64(append(d.block, 0), uint64(r.Time))
	for _, v := range r.Versions {
		d.block = binary.BigEndian.AppendUint64(d.block, v)
	}
	if len(d.block) > 4<<10 {
		d.hash.Write(d.block)
		d.block = d.block[:0]
	}
}

func (d *recordDigest) sum() [32]byte {
	d.hash.Write(d.block)
	return [32]byte(d.hash.Sum(nil))
}
