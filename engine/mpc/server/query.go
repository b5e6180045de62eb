package server

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Head is what a server tells the user before the result. All servers tell the same.
type Head struct {
	Columns []Attribute `json:"columns"`
	Groups  []Group     `json:"groups"`
	Times   []Times     `json:"times,omitempty"` // of single values
}

// Group is a group of a result.
type Group struct {
	Label    string `json:"label"` // a patient, or the beginning of an hour or day; "" where there are no groups
	Records  int64  `json:"records"`
	Patients int    `json:"patients"`
}

// Pairs are the pairs of columns whose products a statistic needs.
func Pairs(statistic string, columns int) [][2]int {
	switch statistic {
	case access.Variance:
		var pairs [][2]int
		for i := range columns {
			pairs = append(pairs, [2]int{i, i})
		}
		return pairs
	case access.Covariance, access.Correlation, access.Regression:
		return protocol.AllPairs(columns)
	}
	return nil
}

// Plan is the query of the protocol for what a head says.
func Plan(statistic string, servers int, h *Head) *protocol.Query {
	q := &protocol.Query{Servers: servers, Pairs: Pairs(statistic, len(h.Columns))}
	for _, c := range h.Columns {
		q.Columns = append(q.Columns, protocol.Column{Name: c.Name, Bound: c.Bound()})
	}
	for _, g := range h.Groups {
		q.Groups = append(q.Groups, g.Records)
	}
	return q
}

// open finds what this server has for a query, or refuses it and notes that.
func (s *Server) open(ctx context.Context, peer *x509.Certificate, label [32]byte, text []byte) (*wire.Opened, error) {
	asked, err := s.credentials.Open(text, peer, s.gate.Now())
	if err == nil {
		err = s.gate.Check(asked, label)
	}
	var opened *wire.Opened
	if err == nil {
		opened, err = s.prepare(ctx, asked)
	}
	if err == nil {
		s.metrics.queries.WithLabelValues(access.Admitted).Inc()
		return opened, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	s.metrics.queries.WithLabelValues(access.Refused).Inc()
	s.log.Warn("query refused", "user", asked.Who.String(), "reason", err.Error())
	if noted := s.gate.Refuse(context.WithoutCancel(ctx), asked, err); noted != nil {
		s.log.Error("the audit log cannot be written", "error", noted.Error())
	}
	return nil, err
}

// prepare reads the records of a query and decides on it.
func (s *Server) prepare(ctx context.Context, asked *access.Asked) (*wire.Opened, error) {
	head := &Head{}
	var columns []store.Column
	for _, name := range asked.Attributes {
		a, ok := s.attributes[name]
		if !ok {
			return nil, fmt.Errorf("there is no attribute %q", name)
		}
		head.Columns, columns = append(head.Columns, a), append(columns, a.column())
	}
	retrieve := asked.Statistic == access.Get || asked.Statistic == access.Average
	var user *paillier.PublicKey
	if retrieve {
		key, err := paillier.ParseKey(asked.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("the public key of the query: %w", err)
		}
		pk, ok := key.(*paillier.PublicKey)
		if !ok || pk.Test() && !s.config.InsecureTestKeys {
			return nil, errors.New("the public key of the query is secret, or has fewer than 2048 bits")
		}
		user = pk
	}
	found, err := look(ctx, s.store, selectionOf(&asked.Query, columns), asked.GroupBy, asked.Statistic == access.Get)
	if err != nil {
		return nil, err
	}
	for i, k := range found.keys {
		head.Groups = append(head.Groups, Group{Label: found.label(k), Records: found.counts[i], Patients: found.cohorts[0][i].Patients()})
	}
	head.Times = found.times
	plan, unfit := Plan(asked.Statistic, len(s.config.Servers), head), found.unfit
	if unfit == nil && found.records > 0 {
		unfit = plan.Check()
	}
	if err := s.gate.Admit(ctx, asked, columns, found.cohorts, found.records, unfit); err != nil {
		return nil, err
	}
	opened := &wire.Opened{Query: plan, Key: user}
	free := func() {}
	opened.Release = func() error { return s.gate.Note(context.WithoutCancel(ctx), access.Answered, asked, nil) }
	opened.Close = func(err error) {
		free()
		if err == nil {
			s.metrics.queries.WithLabelValues(access.Answered).Inc()
			s.log.Info("query answered", "user", asked.Who.String(), "statistic", asked.Statistic, "records", found.records)
			return
		}
		s.metrics.queries.WithLabelValues(access.Failed).Inc()
		s.log.Warn("query failed", "user", asked.Who.String(), "error", err.Error())
		if noted := s.gate.Note(context.WithoutCancel(ctx), access.Failed, asked, err); noted != nil {
			s.log.Error("the audit log cannot be written", "error", noted.Error())
		}
	}
	fail := func(err error) (*wire.Opened, error) {
		opened.Close(err)
		return nil, err
	}
	held, err := found.load(ctx, s.store, int64(s.config.MemoryMB)<<20, s.config.Scratch)
	if err != nil {
		return fail(err)
	}
	free, opened.Shares = held.Close, held
	if asked.Statistic == access.Average {
		sums, err := groupSums(ctx, held, plan.Groups)
		if err != nil {
			return fail(err)
		}
		largest := int64(0)
		for _, n := range plan.Groups {
			largest = max(largest, n)
		}
		opened.Shares = protocol.Columns{sums}
		plan.Columns[0].Bound *= uint64(largest) // fits, as Check said
		plan.Groups = []int64{int64(len(plan.Groups))}
	}
	plan.About = s.about(asked, found, head)
	if opened.Head, err = json.Marshal(head); err != nil {
		return fail(err)
	}
	return opened, nil
}

// about is a digest of what all servers must have alike: the query as it was signed, the records, the catalogue, and the keys of
// pairs.
func (s *Server) about(asked *access.Asked, found *survey, head *Head) []byte {
	h := sha256.New()
	h.Write([]byte("cipherfold query and records 1"))
	text := sha256.Sum256(asked.Signed.Query)
	h.Write(text[:])
	h.Write(found.digest[:])
	h.Write(s.keys.digest[:])
	if err := json.NewEncoder(h).Encode(head.Columns); err != nil {
		panic(err) // texts and finite numbers always have a JSON form
	}
	return h.Sum(nil)
}

// groupSums adds up this server's shares of each group.
func groupSums(ctx context.Context, held *columns, groups []int64) ([]uint64, error) {
	sums, words := make([]uint64, len(groups)), make([]uint64, 1<<13)
	first := int64(0)
	for g, n := range groups {
		for ; n > 0; n -= int64(len(words)) {
			part := words[:min(n, int64(len(words)))]
			if err := held.Read(ctx, part, 0, first); err != nil {
				return nil, err
			}
			sums[g] += shares.Sum(part)
			first += int64(len(part))
		}
	}
	return sums, nil
}
