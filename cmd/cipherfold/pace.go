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

// mark is when it was seen that a stage had done so much.
type mark struct {
	when time.Time
	done float64
}

// paceOver is the time over which the rate for the time left is taken: long enough for stages that go unevenly, short enough
// to follow a machine that becomes busy.
const paceOver = time.Minute

// lookEvery is how often a pace must be looked at, so that it is known when work was done.
const lookEvery = 250 * time.Millisecond

func newPace(p *job.Progress, w *watching) *pace {
	return paceFrom(time.Now(), p, w)
}

// paceFrom is newPace with a clock of one's own.
func paceFrom(start time.Time, p *job.Progress, w *watching) *pace {
	return &pace{progress: p, meter: &w.meter, expected: w.expected, start: start, read: w.meter.Read.Load(), written: w.meter.Written.Load(), marks: []mark{{start, 0}}}
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
	done, all := float64(s.records), float64(s.of)
	if taken := p.progress.Read.Load(); s.of == 0 && p.expected > 0 {
		// The bytes of the records read so far tell how many there will be. A stage that does not count them does what it reads.
		if done, all = float64(read), float64(p.expected); taken > 0 && read > 0 {
			done, all = float64(s.records), float64(taken)*max(1, float64(p.expected)/float64(read))
		}
	}
	if done > p.marks[len(p.marks)-1].done {
		p.marks = append(p.marks, mark{now, done})
	}
	if all > 0 {
		s.share = min(done/all, 1)
		s.left = p.left(now, all-min(done, all))
	}
	return s
}

// left estimates how long it takes to do what is left, from the work that was done in the last minute. A stage works in steps:
// its rate is that up to the last step, and the time since then was spent on the next. When nothing happens for long, the time
// left grows.
func (p *pace) left(now time.Time, rest float64) time.Duration {
	last := p.marks[len(p.marks)-1]
	if rest == 0 {
		return 0
	}
	// What came before the first step, such as tables of powers, is not counted once there are two.
	first := 0
	if len(p.marks) > 2 && p.marks[0].done == 0 {
		first = 1
	}
	for first < len(p.marks)-2 && now.Sub(p.marks[first+1].when) >= paceOver {
		first++
	}
	p.marks = p.marks[first:]
	from := p.marks[0]
	if now.Sub(p.start) <= time.Second || last.done <= from.done {
		return -1
	}
	since := now.Sub(last.when)
	perUnit := float64(last.when.Sub(from.when)) / (last.done - from.done)
	if step := last.when.Sub(from.when) / time.Duration(len(p.marks)-1); since > 2*step {
		return time.Duration(rest * (perUnit + float64(since)/(last.done-from.done)) / 2)
	}
	return max(0, time.Duration(rest*perUnit)-since)
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
