package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/clustertest"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
)

// Readings that are stored again, all of them, do not hide that a query is about one patient fewer than an answered one.
func TestStoredAgain(t *testing.T) {
	t.Parallel()
	const patients = 12
	c := clustertest.New(t, nil)
	readings := tryout.MakeVitals(7, patients, 360)
	c.Ingest(readings)
	rita := c.Client(c.ResearcherConfig())
	mean := &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}}
	if _, err := rita.Ask(c.Within(), mean); err != nil {
		t.Fatal(err)
	}
	c.Ingest(readings)
	fewer := *mean
	for p := range patients - 1 {
		fewer.Patients = append(fewer.Patients, tryout.PatientName(p))
	}
	if _, err := rita.Ask(c.Within(), &fewer); err == nil || !strings.Contains(err.Error(), "differs from an answered one about HR by fewer than 3 patients") {
		t.Errorf("without one patient: %v", err)
	}
	if _, err := rita.Ask(c.Within(), mean); err != nil {
		t.Errorf("the same patients: %v", err)
	}
}

// many is a store of made-up records: each patient has one an hour.
type many struct {
	store.Store
	patients, hours int
}

func (m many) Scan(_ context.Context, s *store.Selection, emit func(*store.Record) error) error {
	for p := range m.patients {
		for h := range m.hours {
			r := &store.Record{Patient: fmt.Sprintf("%06d", p), Time: int64(h) * 3_600_000, Shares: make([]uint64, len(s.Columns)), Versions: make([]uint64, len(s.Columns))}
			if err := emit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// More groups or values than there can be are found out only after the records were read, so that a refusal because of few patients
// comes first. The memory for cohorts is bounded.
func TestLookLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records           many
		columns           int
		by                string
		retrieve          bool
		groups, smallest  int
		unfit, impossible string
	}{
		{records: many{patients: 3, hours: 5}, columns: 2, by: access.ByHour, groups: 5, smallest: 3},
		{records: many{patients: 1, hours: 4096}, columns: 1, by: access.ByHour, groups: 4096, smallest: 1},
		{records: many{patients: 2, hours: 4097}, columns: 1, by: access.ByHour, groups: 4096, smallest: 2, unfit: "more than 4096 groups"},
		{records: many{patients: 1, hours: 100_000}, columns: 1, retrieve: true, groups: 1, smallest: 1},
		{records: many{patients: 1, hours: 100_001}, columns: 1, retrieve: true, groups: 1, smallest: 1, unfit: "more than 100000 values"},
		{records: many{patients: 1<<15 + 1, hours: 1}, columns: 64, impossible: "more than 2097152 patients, counted in each group and attribute"},
		{records: many{patients: 1<<14 + 1, hours: 1}, columns: 64, by: access.ByDay, impossible: "more than 2097152 patients, counted in each group and attribute"},
	} {
		groups, smallest, unfit, err := server.LookForTest(t.Context(), c.records, &store.Selection{Columns: make([]store.Column, c.columns)}, c.by, c.retrieve)
		said := func(err error, want string) bool {
			return want == "" && err == nil || want != "" && err != nil && strings.Contains(err.Error(), want)
		}
		if groups != c.groups || smallest != c.smallest || !said(unfit, c.unfit) || !said(err, c.impossible) {
			t.Errorf("%d patients, %d hours by %q: %d groups, the smallest of %d, %v", c.records.patients, c.records.hours, c.by, groups, smallest, errors.Join(unfit, err))
		}
	}
}
