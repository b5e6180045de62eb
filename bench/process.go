package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Process is what a process took.
type Process struct {
	Seconds float64 // wall time from start to end
	CPU     float64 // seconds of all cores
	RSSMiB  float64 // peak of memory
}

// JobProcess is a process that ran one job.
type JobProcess struct {
	Process
	Report job.Report
}

// Busy is the time inside the stages that compute, in seconds summed over workers.
func (c *JobProcess) Busy() float64 {
	sum := 0.0
	for _, s := range c.Report.Stages {
		switch s.Name {
		case "tables", "encrypt", "fold", "finish", "decrypt":
			sum += s.Busy
		}
	}
	return sum
}

// errorLines is how much of a failed process's standard error is passed on.
const errorLines = 20

// interruptPatience is how long an interrupted process gets to remove its temporary files.
const interruptPatience = 10 * time.Second

// RunJob runs a program with the command line of a job and --json among it, and reads its report.
func RunJob(ctx context.Context, program string, args []string) (*JobProcess, error) {
	var c JobProcess
	p, err := RunProcess(ctx, program, args, &c.Report)
	if err != nil {
		return nil, err
	}
	c.Process = *p
	return &c, nil
}

// RunProcess runs a program and decodes the JSON that it prints into report. Its peak of memory is its own: this process
// gives back what it does not need first.
func RunProcess(ctx context.Context, program string, args []string, report any) (*Process, error) {
	shrink()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptPatience
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	start := time.Now()
	err := cmd.Run()
	p := &Process{Seconds: time.Since(start).Seconds()}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, strings.Join(lines[max(0, len(lines)-errorLines):], "\n"))
	}
	if err := json.Unmarshal(out.Bytes(), report); err != nil {
		return nil, fmt.Errorf("%s: report: %w", strings.Join(args, " "), err)
	}
	p.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	p.RSSMiB = peakRSSMiB(cmd.ProcessState)
	return p, nil
}

// shrink returns this process's free memory to the system and lets its peak start anew: Linux counts the memory of the
// process that starts another one into the other one's peak.
func shrink() {
	debug.FreeOSMemory()
	// proc(5): 5 resets the peak. Not everywhere allowed; the peaks reported are then upper bounds.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}
