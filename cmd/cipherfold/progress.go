package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/cipherfold/cipherfold/engine/job"
)

// watch shows a stage's progress: a bar on a terminal, otherwise a line every ten seconds for the log of a scheduler.
func (a *app) watch(stage string, p *job.Progress) (done func()) {
	if a.quiet {
		return func() {}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	tick, show, end := a.logProgress(stage, p)
	if terminal(a.err) && a.logFormat == "text" {
		tick, show, end = a.barProgress(stage, p)
	}
	go func() {
		defer close(ended)
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-t.C:
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
	}
}

func (a *app) logProgress(stage string, p *job.Progress) (time.Duration, func(), func()) {
	start := time.Now()
	show := func() {
		n := p.Done.Load()
		attrs := []any{"records", n}
		if total := p.Total.Load(); total > 0 {
			attrs = append(attrs, "of", total)
		}
		a.log.Info(stage, append(attrs, "per_second", int64(float64(n)/time.Since(start).Seconds()))...)
	}
	return 10 * time.Second, show, func() {}
}

// barProgress draws a bar where it is known how many records there will be, and else only counts them.
func (a *app) barProgress(stage string, p *job.Progress) (time.Duration, func(), func()) {
	bars := mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(40))
	start := time.Now()
	bar := mpb.BarStyle().Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		if p.Total.Load() == 0 {
			return nil
		}
		return bar.Fill(w, s)
	})
	records := func(decor.Statistics) string {
		text := "  " + thousands(p.Done.Load())
		if total := p.Total.Load(); total > 0 {
			text += " of " + thousands(total)
		}
		return text + " records"
	}
	rate := func(decor.Statistics) string {
		return fmt.Sprintf("%s/s", thousands(int64(float64(p.Done.Load())/max(time.Since(start).Seconds(), 1e-3))))
	}
	line := bars.MustAdd(0, filler,
		mpb.PrependDecorators(decor.Name(stage, decor.WCSyncWidthR), decor.Any(records)), mpb.AppendDecorators(decor.Any(rate)))
	show := func() {
		line.SetTotal(max(p.Total.Load(), p.Done.Load()+1), false) // it is complete when its stage ends, not when it is full
		line.SetCurrent(p.Done.Load())
	}
	end := func() {
		if total := p.Total.Load(); total > 0 && p.Done.Load() < total {
			line.Abort(false)
		} else {
			line.SetCurrent(p.Done.Load())
			line.SetTotal(max(1, p.Done.Load()), true)
		}
		bars.Wait()
	}
	return 100 * time.Millisecond, show, end
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
