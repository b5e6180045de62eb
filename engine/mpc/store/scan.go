package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// run is consecutive readings of a series within one batch, as both stores keep them:
//
//	number of readings, then for the first time and each difference a varint, then the shares, 8 bytes each
//
// The last time is in front, so that runs before a selection are skipped without being read.
type run struct {
	patient string
	made    int64 // of the batch
	number  uint64
	source  string
	version uint64

	time   int64
	times  []byte // differences still to come
	shares []byte // that of time first
}

// runReadings is how many readings a run has at most.
const runReadings = 4096

// appendRun writes the value of a run.
func appendRun(dst []byte, times []int64, shares []uint64) []byte {
	dst = binary.AppendVarint(dst, times[len(times)-1])
	dst = binary.AppendUvarint(dst, uint64(len(times)))
	dst = appendTimes(dst, times)
	for _, w := range shares {
		dst = binary.BigEndian.AppendUint64(dst, w)
	}
	return dst
}

// lastTime is the last time of a run.
func lastTime(value []byte) (int64, error) {
	t, n := binary.Varint(value)
	if n <= 0 {
		return 0, fmt.Errorf("%w: a run of readings", ErrDamaged)
	}
	return t, nil
}

// open begins to read the value of a run.
func (r *run) open(value []byte) error {
	p := parser{data: value}
	p.varint()
	n := p.uvarint()
	r.time = p.varint()
	if p.bad || n == 0 || n > runReadings || uint64(len(p.data)) < 8*n {
		return fmt.Errorf("%w: a run of readings", ErrDamaged)
	}
	batch := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte(r.source+"\x00"), r.number), uint64(r.made))
	sum := sha256.Sum256(batch)
	r.version = binary.BigEndian.Uint64(sum[:])
	at := len(p.data) - int(8*n)
	r.times, r.shares = p.data[:at], p.data[at:]
	return nil
}

// advance goes to the next reading. It reports whether there is one.
func (r *run) advance() (bool, error) {
	r.shares = r.shares[8:]
	if len(r.shares) == 0 {
		return false, nil
	}
	d, n := binary.Uvarint(r.times)
	if n <= 0 {
		return false, fmt.Errorf("%w: a run of readings", ErrDamaged)
	}
	r.time, r.times = int64(uint64(r.time)+d), r.times[n:]
	return true, nil
}

// later says whether the readings of r replace those of s at the same time.
func (r *run) later(s *run) bool {
	return cmp.Or(cmp.Compare(r.made, s.made), cmp.Compare(r.number, s.number), strings.Compare(r.source, s.source)) > 0
}

// runs delivers the runs of a column that a selection may need, in the order of patients and their first times, or nil at
// the end. The value of a run is valid until the scan ends.
type runs func() (*run, error)

// readings merges the runs of a column into readings in the order of patients and times.
type readings struct {
	next    runs
	ahead   *run // the next run, not yet among open; nil at the end
	started bool
	open    []*run // of the patient, overlapping in time; few
	from    int64
	until   int64

	patient string
	time    int64
	share   uint64
	version uint64
}

// advance goes to the next reading. It reports whether there is one.
func (c *readings) advance() (bool, error) {
	if !c.started {
		c.started = true
		if err := c.look(); err != nil {
			return false, err
		}
	}
	for {
		if len(c.open) == 0 {
			if c.ahead == nil {
				return false, nil
			}
			c.patient = c.ahead.patient
			c.open = append(c.open, c.ahead)
			if err := c.look(); err != nil {
				return false, err
			}
		}
		least := c.open[0].time
		for _, r := range c.open[1:] {
			least = min(least, r.time)
		}
		for c.ahead != nil && c.ahead.patient == c.patient && c.ahead.time <= least {
			least = c.ahead.time
			c.open = append(c.open, c.ahead)
			if err := c.look(); err != nil {
				return false, err
			}
		}
		var best *run
		kept := c.open[:0]
		for _, r := range c.open {
			if r.time != least {
				kept = append(kept, r)
				continue
			}
			if best == nil || r.later(best) {
				best = r
				c.share, c.version = binary.BigEndian.Uint64(r.shares), r.version
			}
			more, err := r.advance()
			if err != nil {
				return false, err
			}
			if more {
				kept = append(kept, r)
			}
		}
		c.open, c.time = kept, least
		if least >= c.from && least < c.until {
			return true, nil
		}
	}
}

func (c *readings) look() (err error) {
	c.ahead, err = c.next()
	return err
}

// before says whether c is at an earlier place than d.
func (c *readings) before(d *readings) bool {
	return cmp.Or(strings.Compare(c.patient, d.patient), cmp.Compare(c.time, d.time)) < 0
}

// join delivers the places that all columns have.
func join(ctx context.Context, columns []*readings, emit func(*Record) error) error {
	record := &Record{Shares: make([]uint64, len(columns)), Versions: make([]uint64, len(columns))}
	for _, c := range columns {
		if more, err := c.advance(); !more || err != nil {
			return err
		}
	}
	for steps := 0; ; steps++ {
		if steps%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		last := columns[0]
		for _, c := range columns[1:] {
			if last.before(c) {
				last = c
			}
		}
		equal := true
		for _, c := range columns {
			for c.before(last) {
				if more, err := c.advance(); !more || err != nil {
					return err
				}
			}
			equal = equal && !last.before(c)
		}
		if !equal {
			continue
		}
		for i, c := range columns {
			record.Shares[i], record.Versions[i] = c.share, c.version
		}
		record.Patient, record.Time = last.patient, last.time
		if err := emit(record); err != nil {
			return err
		}
		if more, err := columns[0].advance(); !more || err != nil {
			return err
		}
	}
}
