package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/engine/mpc/store"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Options of a gateway.
type Options struct {
	Client   *client.Client
	Spool    string        // directory
	SpoolMax int64         // bytes; 0 means SpoolDefault
	Batch    int           // readings of a batch; 0 means BatchDefault
	Patience time.Duration // how long a server may be away without a batch being taken; 0 means PatienceDefault
	Log      *slog.Logger  // nil discards
}

// Defaults of Options.
const (
	SpoolDefault    = 1 << 30
	BatchDefault    = 20_000
	PatienceDefault = 10 * time.Minute
)

// Reading is a value of a patient at a time, in units of the attribute's last decimal.
type Reading struct {
	Patient string
	Time    int64 // milliseconds since 1970
	Value   int64
}

// Gateway takes readings. Its methods are for one goroutine.
type Gateway struct {
	o          Options
	spool      *spool
	attributes []server.Attribute

	batch map[series][]Reading // not yet spooled
	count int
	made  int64 // of the last batch

	acks     *acknowledged
	failed   chan struct{} // closed when sending has failed
	stop     context.CancelFunc
	group    *errgroup.Group
	sendErr  error
	Progress Progress
}

type series struct {
	attribute int
	patient   string
}

// Progress counts what a gateway did.
type Progress struct {
	Readings atomic.Int64 // added
	Spooled  atomic.Int64 // batches, those found in the spool included
	Sent     atomic.Int64 // batches that all servers hold
}

// Open opens the spool, asks a server for the attributes, and begins to send what is in the spool. It waits for a server that is
// down, as long as the options' patience.
func Open(ctx context.Context, o Options) (*Gateway, error) {
	if o.SpoolMax == 0 {
		o.SpoolMax = SpoolDefault
	}
	if o.Batch == 0 {
		o.Batch = BatchDefault
	}
	if o.Patience == 0 {
		o.Patience = PatienceDefault
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Batch < 1 || o.Batch > store.ReadingsMax {
		return nil, job.Misuse(fmt.Sprintf("A batch has 1 to %d readings.", store.ReadingsMax), "a batch of %d readings", o.Batch)
	}
	if who := o.Client.Credentials.Identity; who.Role != access.Gateway {
		return nil, job.Misuse("Ingest with the certificate of a gateway.", "a %s stores no readings", who.Role)
	}
	attributes, err := catalogue(ctx, &o)
	if err != nil {
		return nil, err
	}
	s, err := openSpool(ctx, o.Spool, o.Client.Credentials.Identity.Name, o.SpoolMax)
	if err != nil {
		return nil, err
	}
	g := &Gateway{o: o, spool: s, attributes: attributes, batch: map[series][]Reading{}, failed: make(chan struct{})}
	g.Progress.Spooled.Store(int64(s.next - s.first))
	g.begin(ctx)
	return g, nil
}

// catalogue asks all servers for their attributes, and waits for those that are down.
func catalogue(ctx context.Context, o *Options) ([]server.Attribute, error) {
	deadline := time.Now().Add(o.Patience)
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		survey, err := o.Client.Survey(ctx)
		if err == nil {
			return survey.Attributes, nil
		}
		var refused *wire.RemoteError
		if errors.As(err, &refused) && refused.Text != wire.BusyCalls || ctx.Err() != nil || time.Now().After(deadline) || !temporary(err) {
			return nil, err
		}
		o.Log.Warn("waiting for the servers", "error", err.Error())
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// Attribute finds an attribute by its name.
func (g *Gateway) Attribute(name string) (int, server.Attribute, bool) {
	i := slices.IndexFunc(g.attributes, func(a server.Attribute) bool { return a.Name == name })
	if i < 0 {
		return 0, server.Attribute{}, false
	}
	return i, g.attributes[i], true
}

// Attributes are the names of all attributes.
func (g *Gateway) Attributes() (names []string) {
	for _, a := range g.attributes {
		names = append(names, a.Name)
	}
	return names
}

// Add adds a reading of the attribute with a number that Attribute gave. It spools the batch when it is full, and waits while the
// spool has no room.
func (g *Gateway) Add(ctx context.Context, attribute int, r Reading) error {
	if err := store.CheckName("patient", r.Patient); err != nil {
		return err
	}
	if b := g.attributes[attribute].Bound(); magnitude(r.Value) > b {
		return fmt.Errorf("the value is beyond %v, the largest of %s", g.attributes[attribute].Max, g.attributes[attribute].Name)
	}
	key := series{attribute, r.Patient}
	g.batch[key] = append(g.batch[key], r)
	g.count++
	g.Progress.Readings.Add(1)
	if g.count < g.o.Batch {
		return nil
	}
	return g.Flush(ctx)
}

// magnitude is |v|.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// Flush spools the readings that were added, as a batch. They are on disk when it returns.
func (g *Gateway) Flush(ctx context.Context) error {
	if g.count == 0 {
		return nil
	}
	select {
	case <-g.failed:
		return g.sendErr
	default:
	}
	g.made = max(g.made+1, time.Now().UnixMilli())
	_, next, _ := g.spool.state()
	b := &store.Batch{Source: g.spool.source, Number: next, Made: g.made}
	keys := make([]series, 0, len(g.batch))
	for k := range g.batch {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b series) int {
		if a.attribute != b.attribute {
			return a.attribute - b.attribute
		}
		return strings.Compare(a.patient, b.patient)
	})
	var values []uint64
	for _, k := range keys {
		list := g.batch[k]
		slices.SortStableFunc(list, func(a, b Reading) int {
			switch {
			case a.Time < b.Time:
				return -1
			case a.Time > b.Time:
				return 1
			}
			return 0
		})
		a := g.attributes[k.attribute]
		s := store.Series{Column: store.Column{Attribute: a.Name, Unit: a.Unit}, Patient: k.patient}
		for i, r := range list {
			if i+1 < len(list) && list[i+1].Time == r.Time {
				continue // the later one counts
			}
			s.Times = append(s.Times, r.Time)
			values = append(values, uint64(r.Value))
		}
		b.Series = append(b.Series, s)
	}
	parts := make([][]uint64, len(g.o.Client.User.Names))
	for j := range parts {
		parts[j] = make([]uint64, len(values))
	}
	shares.Split(parts, values, shares.NewStream())
	e := &entry{number: next, head: b.AppendHead(nil)}
	for _, p := range parts {
		at := 0
		for i := range b.Series {
			n := len(b.Series[i].Times)
			b.Series[i].Shares = p[at : at+n]
			at += n
		}
		if err := b.Check(); err != nil {
			return err
		}
		e.shares = append(e.shares, b.AppendShares(nil))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-g.failed:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := g.spool.put(ctx, e, sync.OnceFunc(func() { g.o.Log.Info("the spool is full: waiting for the servers") }))
	if err != nil {
		select {
		case <-g.failed:
			return g.sendErr
		default:
		}
		return err
	}
	clear(g.batch)
	g.count = 0
	g.Progress.Spooled.Add(1)
	return nil
}

// Finish spools what was added and waits until all servers hold everything.
func (g *Gateway) Finish(ctx context.Context) error {
	if err := g.Flush(ctx); err != nil {
		return err
	}
	var enough <-chan time.Time // that servers know what all hold is good, but nothing depends on it
	for {
		first, next, changed := g.spool.state()
		if first == next {
			if g.acks.known() >= next-1 {
				return nil
			}
			if enough == nil {
				enough = time.After(toldTimeout)
			}
		}
		select {
		case <-changed:
		case <-enough:
			return nil
		case <-g.failed:
			return g.sendErr
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the sending. Batches in the spool stay there, for the next time. What was added and not flushed is lost.
func (g *Gateway) Close() error {
	g.stop()
	err := g.group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, g.spool.close())
}

// begin starts to send.
func (g *Gateway) begin(ctx context.Context) {
	ctx, g.stop = context.WithCancel(ctx)
	g.group, ctx = errgroup.WithContext(ctx)
	first, _, _ := g.spool.state()
	acks := &acknowledged{held: make([]uint64, len(g.o.Client.User.Names)), told: make([]uint64, len(g.o.Client.User.Names)), dropped: first - 1}
	g.acks = acks
	for j := range acks.held {
		acks.held[j] = first - 1
	}
	var once sync.Once
	for j := range acks.held {
		g.group.Go(func() error {
			err := g.send(ctx, j, acks)
			if err != nil && ctx.Err() == nil {
				once.Do(func() {
					g.sendErr = err
					close(g.failed)
				})
			}
			return err
		})
	}
}

// acknowledged is what each server holds.
type acknowledged struct {
	mu      sync.Mutex
	held    []uint64
	told    []uint64 // what each server knows that all hold
	dropped uint64
}

// known is what all servers know that all hold.
func (a *acknowledged) known() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Min(a.told)
}

// knows notes that a server knows it.
func (a *acknowledged) knows(g *Gateway, j int, number uint64) {
	a.mu.Lock()
	changed := a.told[j] != number
	a.told[j] = number
	a.mu.Unlock()
	if changed {
		g.spool.wake()
	}
}

// all is the number up to which all servers hold the batches.
func (a *acknowledged) all() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Min(a.held)
}

// took notes that a server holds a batch, and drops what all hold from the spool.
func (a *acknowledged) took(g *Gateway, j int, number uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held[j] = number
	all := slices.Min(a.held)
	if all <= a.dropped {
		return nil
	}
	if err := g.spool.drop(all); err != nil {
		return err
	}
	g.Progress.Sent.Add(int64(all - a.dropped))
	a.dropped = all
	return nil
}

const (
	pauseMin    = 100 * time.Millisecond
	pauseMax    = 10 * time.Second
	refusalsMax = 3               // of one batch by one server
	callTimeout = 2 * time.Minute // for a batch to be held
	toldTimeout = 5 * time.Second
)

// send sends the batches of the spool to a server, one after the other, until ctx ends.
func (g *Gateway) send(ctx context.Context, j int, acks *acknowledged) error {
	name := g.o.Client.User.Names[j]
	var conn *wire.Caller
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	told := uint64(0) // the server knows that all servers hold the batches up to this
	number, _, _ := g.spool.state()
	pause, refusals, since := pauseMin, 0, time.Now()
	for {
		_, next, changed := g.spool.state()
		all := acks.all()
		if number == next && told == all {
			select {
			case <-changed:
				since = time.Now()
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		var err error
		if conn == nil {
			conn, err = g.o.Client.User.Dial(ctx, name, g.o.Client.User.Addresses[j])
		}
		if err == nil {
			call, cancel := context.WithTimeout(ctx, callTimeout)
			if number < next {
				err = g.sendBatch(call, conn, j, number, all)
			} else {
				err = g.sendHeld(call, conn, all)
			}
			cancel()
		}
		if err == nil {
			pause, refusals, since, told = pauseMin, 0, time.Now(), all
			acks.knows(g, j, all)
			if number < next {
				if err := acks.took(g, j, number); err != nil {
					return err
				}
				number++
			}
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var refused *wire.RemoteError
		if errors.As(err, &refused) && refused.Text != wire.BusyCalls {
			refusals++
		} else if conn != nil {
			conn.Close()
			conn = nil
		}
		if errors.Is(err, errSpool) || refusals >= refusalsMax || time.Since(since) > g.o.Patience || conn == nil && !temporary(err) {
			if refused != nil && strings.Contains(refused.Text, missingBatches) {
				return job.Misuse("A server whose store was restored or is new lacks batches. Name another spool, and ingest the tables again.", "%s: %v", name, err)
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		g.o.Log.Warn("a server does not take batches; trying again", "server", name, "error", err.Error())
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, pauseMax)
	}
}

// missingBatches is how a server says that it does not hold what comes before a batch: see store.GapError.
const missingBatches = "those between are missing"

// errSpool is that the spool cannot be read.
var errSpool = errors.New("the spool cannot be read")

func (g *Gateway) sendBatch(ctx context.Context, conn *wire.Caller, j int, number, all uint64) error {
	e, err := g.spool.get(number)
	if err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	if len(e.shares) != len(g.o.Client.User.Names) {
		return fmt.Errorf("%w: batch %d is for %d servers, not for %d", errSpool, number, len(e.shares), len(g.o.Client.User.Names))
	}
	return conn.Call(ctx, server.CallHold, server.EncodeHold(min(all, number), e.head, e.shares[j]), nil)
}

func (g *Gateway) sendHeld(ctx context.Context, conn *wire.Caller, all uint64) error {
	if all > math.MaxInt64 {
		return fmt.Errorf("batch %d", all)
	}
	text, err := json.Marshal(server.Held{Source: g.spool.source, Number: all})
	if err != nil {
		return err
	}
	return conn.Call(ctx, server.CallHeld, text, nil)
}

// temporary says whether a server may be there later. Certificates that do not fit do not get better.
func temporary(err error) bool {
	return !strings.Contains(err.Error(), "tls: ") && !strings.Contains(err.Error(), "x509: ")
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
