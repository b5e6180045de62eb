package main

import (
	"fmt"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/observe"
)

// pace follows how a stage advances.
type pace struct {
	progress *job.Progress
	meter    *observe.Meter
	expected int64 // bytes to be read, where that tells how far the stage is; else 0

	start         time.Time
	read, written int64 // bytes before the stage
	marks         []mark
}

// mark is where a stage was at a time.
type mark struct {
	when           time.Time
	records, bytes int64
}

// paceOver is the time over which the rates for the time left are taken: long enough to be steady, short enough to follow
// a machine that becomes busy.
const paceOver = 20 * time.Second

func newPace(p *job.Progress, w *watching) *pace {
	s := &pace{progress: p, meter: &w.meter, expected: w.expected, start: time.Now(), read: w.meter.Read.Load(), written: w.meter.Written.Load()}
	s.marks = []mark{{s.start, 0, 0}}
	return s
}

// sight is what can be said of a stage at one moment.
type sight struct {
	records, of    int64 // of is 0 where nobody knows
	bytes          int64 // read, or written by a stage that does not read
	elapsed        time.Duration
	perSecond      float64 // records, over the whole stage
	bytesPerSecond float64
	share          float64       // done of the stage, 0 to 1; negative where nobody knows
	left           time.Duration // negative where nobody knows
}

func (p *pace) look(now time.Time) sight {
	s := sight{records: p.progress.Done.Load(), of: p.progress.Total.Load(), elapsed: now.Sub(p.start), share: -1, left: -1}
	read := p.meter.Read.Load() - p.read
	if s.bytes = read; read == 0 {
		s.bytes = p.meter.Written.Load() - p.written
	}
	seconds := max(s.elapsed.Seconds(), 1e-3)
	s.perSecond, s.bytesPerSecond = float64(s.records)/seconds, float64(s.bytes)/seconds
	for len(p.marks) > 1 && now.Sub(p.marks[1].when) >= paceOver {
		p.marks = p.marks[1:]
	}
	m := p.marks[0]
	if now.Sub(p.marks[len(p.marks)-1].when) >= paceOver/20 {
		p.marks = append(p.marks, mark{now, s.records, read})
	}
	done, all, before := s.records, s.of, m.records
	if all == 0 {
		done, all, before = read, p.expected, m.bytes
	}
	if all > 0 {
		s.share = min(float64(done)/float64(all), 1)
		if recent := done - before; recent > 0 && s.elapsed > time.Second {
			s.left = time.Duration(float64(max(all-done, 0)) / float64(recent) * float64(now.Sub(m.when)))
		}
	}
	return s
}

// bytesText writes a number of bytes in three digits.
func bytesText(n float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for n >= 999.5 && i < len(units)-1 {
		n, i = n/1000, i+1
	}
	if n < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", n, units[i])
	}
	return fmt.Sprintf("%.0f %s", n, units[i])
}

// clockText writes a duration as a clock does: 0:07, 12:34, 1:02:03.
func clockText(d time.Duration) string {
	s := int64(d.Seconds() + 0.5)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
