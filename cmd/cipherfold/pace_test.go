package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
)

// simulation is a stage on a simulated clock: what was done, and read, after so many seconds.
type simulation struct {
	seconds float64
	total   int64
	done    func(s float64) float64 // a share
	bytes   int64                   // of the source; 0: the total is known
	ahead   float64                 // what is read before it is done, a share
}

// inSteps is linear work in a number of steps.
func inSteps(seconds float64, n int) func(float64) float64 {
	return func(s float64) float64 { return math.Floor(s/seconds*float64(n)) / float64(n) }
}

// The time left is right within 20% after the first tenth of a stage, be it fast or slow, steady or not.
func TestTimeLeft(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 4))
	uneven := make([]float64, 601) // two speeds by turns, one three times the other
	for i := 1; i < len(uneven); i++ {
		speed := 1.0
		if i/10%2 == 1 {
			speed = 3
		}
		uneven[i] = uneven[i-1] + speed
	}
	random := make([]float64, 901) // steps of random length
	for i := 1; i < len(random); i++ {
		random[i] = random[i-1] + 0.2 + r.Float64()
	}
	by := func(list []float64) func(float64) float64 {
		return func(s float64) float64 { return list[min(int(s), len(list)-1)] / list[len(list)-1] }
	}
	for name, x := range map[string]simulation{
		"fast":                            {seconds: 12, total: 1_000_000, done: inSteps(12, 500)},
		"slow, in 60 steps of 21 seconds": {seconds: 1250, total: 300_000, done: inSteps(1250, 60)},
		"tables of powers come first": {seconds: 70, total: 300_000, done: func(s float64) float64 {
			return max(0, math.Floor((s-8)/62*200)/200)
		}},
		"two speeds":      {seconds: 600, total: 1000, done: by(uneven)},
		"random steps":    {seconds: 900, total: 900_000, done: by(random)},
		"a file, slowly":  {seconds: 1250, total: 300_000, done: inSteps(1250, 90), bytes: 9_000_000, ahead: 0.25},
		"a file, quickly": {seconds: 30, total: 30_000_000, done: inSteps(30, 3000), bytes: 900_000_000, ahead: 0.001},
	} {
		var w watching
		progress := &job.Progress{}
		if x.bytes == 0 {
			progress.Total.Store(x.total)
		}
		w.expected = x.bytes
		start := time.Unix(1_800_000_000, 0)
		p := paceFrom(start, progress, &w)
		for tick := 0; ; tick++ {
			now := float64(tick) * lookEvery.Seconds()
			done := min(1, x.done(now))
			if now > x.seconds || done >= 0.97 {
				break
			}
			progress.Done.Store(int64(done * float64(x.total)))
			if x.bytes > 0 {
				read := min(1, done+x.ahead)
				progress.Read.Store(int64(read * float64(x.total)))
				w.meter.Read.Store(int64(read * float64(x.bytes)))
			}
			s := p.look(start.Add(time.Duration(now * float64(time.Second))))
			truth := x.seconds - now
			if done >= 0.1 && (s.left < 0 || math.Abs(s.left.Seconds()-truth) > 0.2*truth+1) {
				t.Errorf("%s: after %.2f s (%.0f%%): %v left, in truth %.1f s", name, now, 100*done, s.left, truth)
				break
			}
			if math.Abs(s.share-done) > 0.011 && done > 0 {
				t.Errorf("%s: after %.2f s: %.3f, in truth %.3f are done", name, now, s.share, done)
				break
			}
		}
	}
}

// When nothing happens any more, the time left grows, and does not vanish.
func TestTimeLeftOfAStandstill(t *testing.T) {
	t.Parallel()
	var w watching
	progress := &job.Progress{}
	progress.Total.Store(100)
	start := time.Unix(1_800_000_000, 0)
	p := paceFrom(start, progress, &w)
	before := time.Duration(0)
	for s := range 600 {
		progress.Done.Store(min(int64(s), 50))
		left := p.look(start.Add(time.Duration(s) * time.Second)).left
		if s > 200 && left <= before {
			t.Fatalf("after %d s: %v left, %v before", s, left, before)
		}
		before = left
	}
	if before < 4*time.Minute {
		t.Errorf("%v left", before)
	}
}
