package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cipherfold/cipherfold/engine/job"
)

// On a terminal there is a bar, and what a stage did stays when it is over; notes stand above the bar.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	a := &app{out: io.Discard, err: program, logFormat: "text"}
	if err := a.begin(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&seen, person) // ends with an error when the other end is closed
	}()
	progress := &job.Progress{}
	progress.Total.Store(1000)
	done := a.watch("encrypt", progress)
	progress.Done.Store(400)
	a.watching.meter.Read.Store(12345)
	time.Sleep(400 * time.Millisecond)
	a.log.Info("a note")
	time.Sleep(300 * time.Millisecond)
	progress.Done.Store(1000)
	done()
	failed := &job.Progress{}
	failed.Total.Store(1000)
	done = a.watch("write", failed)
	failed.Done.Store(10)
	done()
	a.log.Info("afterwards")
	program.Close()
	<-read
	text := seen.String()
	for _, part := range []string{"encrypt", "40%", "400 of 1 000  ", "a note\r\n", "1 000 records", "  in 0:0", "10 of 1 000  ", "afterwards\r\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
	if end := strings.LastIndex(text, "1 000 records"); strings.Contains(text[end:], "[====") {
		t.Errorf("a bar is left: %q", text)
	}
}
