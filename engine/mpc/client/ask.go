package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/protocol"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/moments"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Question is what to ask.
type Question struct {
	Statistic  string
	Attributes []string
	Patients   []string // none means all
	From       *int64   // milliseconds since 1970
	Until      *int64
	GroupBy    string

	// Key is a key of the user's for get and average; nil makes one of KeyBits bits.
	Key     *paillier.SecretKey
	KeyBits int // 0 means 2048; fewer are for tests
}

// Answer is what came back.
type Answer struct {
	Statistic string
	Head      *server.Head
	Moments   []*moments.Moments // of each group, in units of the attributes' last decimals; nil for single values
	Values    []int64            // of get: in the order of Head.Times
	Query     *access.Query      // as it was signed
}

// Ask asks all servers.
func (c *Client) Ask(ctx context.Context, question *Question) (*Answer, error) {
	if role := c.Credentials.Identity.Role; role != access.Physician && role != access.Researcher {
		return nil, job.Misuse("Ask with the certificate of a physician or a researcher.", "a %s asks no queries", role)
	}
	survey, err := c.Survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range question.Attributes {
		if !slices.ContainsFunc(survey.Attributes, func(a server.Attribute) bool { return a.Name == name }) {
			var known []string
			for _, a := range survey.Attributes {
				known = append(known, a.Name)
			}
			return nil, job.Misuse(fmt.Sprintf("There are: %q.", known), "there is no attribute %q", name)
		}
	}
	label := wire.NewLabel()
	q := &access.Query{Servers: c.User.Names, Label: hex.EncodeToString(label[:]), Time: time.Now().UnixMilli(), Statistic: question.Statistic, Attributes: question.Attributes,
		From: question.From, Until: question.Until, GroupBy: question.GroupBy, Batches: survey.Held}
	if len(question.Patients) > 0 {
		q.Patients = slices.Compact(slices.Sorted(slices.Values(question.Patients)))
	}
	sk := question.Key
	if q.Statistic == access.Get || q.Statistic == access.Average {
		if sk == nil {
			bits := question.KeyBits
			if bits == 0 {
				bits = 2048
			}
			if sk, err = paillier.GenerateKey(ctx, rand.Reader, paillier.DJN, bits, bits < 2048); err != nil {
				return nil, err
			}
		}
		q.PublicKey = sk.Public().MarshalPublic()
	}
	text, err := c.Credentials.Sign(q)
	if err != nil {
		return nil, err
	}
	replies, err := c.User.Ask(ctx, label, text)
	if err != nil {
		return nil, err
	}
	for j, r := range replies {
		if !bytes.Equal(r.Head, replies[0].Head) {
			return nil, fmt.Errorf("%s and %s tell different records", c.User.Names[0], c.User.Names[j])
		}
	}
	a := &Answer{Statistic: q.Statistic, Head: new(server.Head), Query: q}
	if err := strictjson.Decode(replies[0].Head, a.Head); err != nil {
		return nil, fmt.Errorf("%s: %w", c.User.Names[0], err)
	}
	if err := checkHead(q, a.Head); err != nil {
		return nil, err
	}
	n := len(c.User.Names)
	if sk != nil && len(q.PublicKey) > 0 {
		err = a.retrieve(sk, n, replies[n-1].Values)
		return a, err
	}
	var words [][]uint64
	for _, r := range replies {
		words = append(words, r.Words)
	}
	a.Moments, err = protocol.Sums(server.Plan(q.Statistic, n, a.Head), words...)
	return a, err
}

// checkHead refuses a head that is not about the query.
func checkHead(q *access.Query, h *server.Head) error {
	if len(h.Columns) != len(q.Attributes) || len(h.Groups) == 0 {
		return fmt.Errorf("the servers tell of %d columns and %d groups", len(h.Columns), len(h.Groups))
	}
	for i, c := range h.Columns {
		if c.Name != q.Attributes[i] {
			return fmt.Errorf("the servers tell of %s, not of %s", c.Name, q.Attributes[i])
		}
	}
	if q.Statistic != access.Get {
		return nil
	}
	n := int64(0)
	for _, t := range h.Times {
		n += int64(len(t.Times))
	}
	if len(h.Groups) != 1 || h.Groups[0].Records != n {
		return fmt.Errorf("the servers tell of %d values at %d times", h.Groups[0].Records, n)
	}
	return nil
}

// retrieve opens values under the user's key.
func (a *Answer) retrieve(sk *paillier.SecretKey, servers int, messages [][]byte) error {
	total := len(a.Head.Groups)
	if a.Statistic == access.Get {
		total = int(a.Head.Groups[0].Records)
	}
	var values []int64
	for _, m := range messages {
		n := min(wire.ValuesInFrame, total-len(values))
		if n <= 0 {
			return fmt.Errorf("the servers sent more than %d values", total)
		}
		v, err := protocol.Retrieve(sk, servers, n, m)
		if err != nil {
			return err
		}
		values = append(values, v...)
	}
	if len(values) != total {
		return fmt.Errorf("the servers sent %d values, not %d", len(values), total)
	}
	if a.Statistic == access.Get {
		a.Values = values
		return nil
	}
	for g, v := range values {
		m := moments.New(1)
		m.Count = a.Head.Groups[g].Records
		m.Sums[0].SetInt64(v)
		a.Moments = append(a.Moments, m)
	}
	return nil
}
