package observe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

// Profile records where the time and the memory of a job go.
type Profile struct {
	dir      string
	cpu      bytes.Buffer
	recorder *trace.FlightRecorder
}

// traceBytes and traceSeconds bound the execution trace. Only its end is kept, because traces of whole jobs would fill
// disks.
const (
	traceBytes   = 64 << 20
	traceSeconds = 30
)

// ProfileFiles are the names of what a Profile writes into its directory.
var ProfileFiles = []string{"trace.out", "cpu.pprof", "heap.pprof"}

// StartProfile begins to record. dir is made if it is not there.
func StartProfile(dir string) (*Profile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p := &Profile{dir: dir, recorder: trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: traceSeconds * time.Second, MaxBytes: traceBytes})}
	if err := pprof.StartCPUProfile(&p.cpu); err != nil {
		return nil, err
	}
	if err := p.recorder.Start(); err != nil {
		pprof.StopCPUProfile()
		return nil, err
	}
	return p, nil
}

// Stop ends the recording and writes cpu.pprof, heap.pprof and trace.out.
func (p *Profile) Stop() error {
	pprof.StopCPUProfile()
	errs := []error{p.write("trace.out", func(w io.Writer) error {
		_, err := p.recorder.WriteTo(w)
		return err
	})}
	p.recorder.Stop()
	errs = append(errs, p.write("cpu.pprof", func(w io.Writer) error {
		_, err := p.cpu.WriteTo(w)
		return err
	}))
	runtime.GC() // the heap profile is as of the last collection
	errs = append(errs, p.write("heap.pprof", func(w io.Writer) error { return pprof.Lookup("heap").WriteTo(w, 0) }))
	return errors.Join(errs...)
}

func (p *Profile) write(name string, f func(w io.Writer) error) error {
	file, err := os.Create(filepath.Join(p.dir, name))
	if err != nil {
		return err
	}
	return errors.Join(f(file), file.Close())
}
