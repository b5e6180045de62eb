package main

import (
	"fmt"
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
		a.log.Info(stage, "records", n, "per_second", int64(float64(n)/time.Since(start).Seconds()))
	}
	return 10 * time.Second, show, func() {}
}

func (a *app) barProgress(stage string, p *job.Progress) (time.Duration, func(), func()) {
	bars := mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(40))
	start := time.Now()
	rate := func(decor.Statistics) string {
		return fmt.Sprintf("%s records/s", thousands(int64(float64(p.Done.Load())/max(time.Since(start).Seconds(), 1e-3))))
	}
	bar := bars.AddBar(p.Total.Load(),
		mpb.PrependDecorators(decor.Name(stage, decor.WCSyncWidthR), decor.Any(func(decor.Statistics) string { return "  " + thousands(p.Done.Load()) })),
		mpb.AppendDecorators(decor.Any(rate)))
	show := func() {
		total := p.Total.Load()
		if total == 0 {
			total = p.Done.Load() + 1 // unknown: a bar that never fills
		}
		bar.SetTotal(total, false)
		bar.SetCurrent(p.Done.Load())
	}
	end := func() {
		show()
		if p.Total.Load() > 0 && p.Done.Load() >= p.Total.Load() || p.Total.Load() == 0 {
			bar.SetTotal(max(1, p.Done.Load()), true)
		} else {
			bar.Abort(false)
		}
		bars.Wait()
	}
	return 100 * time.Millisecond, show, end
}

// thousands writes n with spaces between groups of digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
