package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/cipherfold/cipherfold/engine/job"
)

// watch shows a stage's progress: a bar on a terminal, otherwise a line every ten seconds for the log of a scheduler.
func (a *app) watch(stage string, p *job.Progress) (done func()) {
	counted := func() {}
	if a.watching.metrics != nil {
		counted = a.watching.metrics.Stage(stage, p)
	}
	if a.quiet {
		return counted
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	pace := newPace(p, &a.watching)
	tick, show, end := logEvery, func() { a.logProgress(stage, pace) }, func() {}
	if drawable(a.err) && a.logFormat == "text" {
		tick, show, end = a.barProgress(stage, pace)
	}
	go func() {
		defer close(ended)
		t := time.NewTicker(min(tick, lookEvery))
		defer t.Stop()
		next := time.Now().Add(tick)
		for {
			select {
			case now := <-t.C:
				if tick > lookEvery && now.Before(next) {
					pace.look(now)
					continue
				}
				next = now.Add(tick)
				show()
			case <-stop:
				end()
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
		counted()
	}
}

// logEvery is how often progress is logged.
const logEvery = 10 * time.Second

// drawable reports whether a stream is a terminal that a bar fits on. Some have no size: those of a container without a
// window, say.
func drawable(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return err == nil && columns >= columnsMin
}

// columnsMin is the width of the narrowest terminal that a bar is drawn on.
const columnsMin = 40

func (a *app) logProgress(stage string, p *pace) {
	s := p.look(time.Now())
	if a.logFormat == "text" {
		a.log.Info(stage + ": " + strings.Join(s.words(), ", "))
		return
	}
	attrs := []any{slog.String("stage", stage), slog.Int64("records", s.records)}
	if s.of > 0 {
		attrs = append(attrs, slog.Int64("of", s.of))
	}
	attrs = append(attrs, slog.Int64("per_second", int64(s.perSecond)), slog.Int64("bytes", s.bytes), slog.Int64("bytes_per_second", int64(s.bytesPerSecond)))
	if s.share >= 0 {
		attrs = append(attrs, slog.Int("percent", int(100*s.share)))
	}
	if s.left >= 0 {
		attrs = append(attrs, slog.Int64("seconds_left", int64(s.left.Seconds()+0.5)))
	}
	a.log.Info("progress", attrs...)
}

// words say how far a stage is.
func (s sight) words() []string {
	count := count(s.records, "record")
	if s.of > 0 {
		count = thousands(s.records) + " of " + thousands(s.of) + " records"
	}
	words := []string{count, thousands(int64(s.perSecond)) + "/s"}
	if s.bytes > 0 {
		words = append(words, bytesText(s.bytesPerSecond)+"/s")
	}
	if s.left >= 0 {
		words = append(words, clockText(s.left)+" left")
	}
	return words
}

// barProgress draws a bar where it is known how far a stage is, and else only says what it has done. When the stage ends, what
// it did stays.
func (a *app) barProgress(stage string, p *pace) (time.Duration, func(), func()) {
	bars := mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(30))
	a.console.attach(bars)
	view := &barView{sight: p.look(time.Now())}
	bar := mpb.BarStyle().Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, d decor.Statistics) error {
		if s, over := view.get(); s.share < 0 || over {
			return nil
		}
		return bar.Fill(w, d)
	})
	percent := func(decor.Statistics) string {
		if s, over := view.get(); s.share >= 0 && !over {
			return fmt.Sprintf(" %3d%%", int(100*s.share))
		}
		return ""
	}
	words := func(decor.Statistics) string {
		s, over := view.get()
		end, shorten := "", " records" // what they are is on the line of the finished stage
		if over {
			s.of, s.left = 0, -1
			end, shorten = "  in "+clockText(s.elapsed), ""
		}
		return strings.Replace("  "+strings.Join(s.words(), "  ")+end, shorten, "", 1)
	}
	const whole = 1 << 20
	line := bars.MustAdd(whole, filler, mpb.PrependDecorators(decor.Name(stage, decor.WC{W: 12, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(percent), decor.Any(words)))
	show := func() {
		s := p.look(time.Now())
		view.set(s, false)
		line.SetCurrent(int64(min(max(s.share, 0), 0.9999) * whole)) // it is complete when its stage ends, not when it is full
	}
	end := func() {
		if s := p.look(time.Now()); s.of > 0 && s.records < s.of { // it failed
			view.set(s, false)
			line.Abort(false)
		} else {
			view.set(s, true)
			line.SetCurrent(whole)
		}
		bars.Wait()
		a.console.attach(nil)
	}
	return 100 * time.Millisecond, show, end
}

// barView is what a bar shows, which is drawn in a goroutine of its own.
type barView struct {
	mu    sync.Mutex
	sight sight
	over  bool
}

func (v *barView) get() (s sight, over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sight, v.over
}

func (v *barView) set(s sight, over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sight, v.over = s, over
}

// console is standard error, on which notes appear above a bar.
type console struct {
	w    io.Writer
	mu   sync.Mutex
	bars *mpb.Progress // nil when there is no bar
}

func (c *console) attach(bars *mpb.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bars = bars
}

func (c *console) Write(p []byte) (int, error) {
	if text := written(string(p), asFlag); text != string(p) { // notes come from everywhere
		_, err := c.Write([]byte(text))
		return len(p), err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bars != nil {
		return c.bars.Write(p)
	}
	return c.w.Write(p)
}

// count writes a number of things.
func count(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands(n) + " " + thing
}

// thousands writes n with spaces between groups of digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
