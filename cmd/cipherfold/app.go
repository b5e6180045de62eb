package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/cipherfold/cipherfold/engine/batch"
	"github.com/cipherfold/cipherfold/engine/inspect"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/printable"
	"github.com/cipherfold/cipherfold/io/blob/stores"
)

// Exit codes, part of the contract with schedulers.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitInterrupted = 4
	exitNotNow      = 5
)

// app is one run of the program: its standard streams and the flags that all verbs share.
type app struct {
	out, err  io.Writer
	json      bool
	counts    bool // JSON has what its owner should keep, too
	quiet     bool
	logFormat string
	threads   int
	memory    bytesFlag
	kernel    string
	watching  watching
	evidence  evidence
	jobFile   bool          // a job file is being worked on: messages are in its words
	stepFiles []job.FileUse // of its steps
	warned    []string      // files of secrets that others can read

	files   *stores.FS // where paths and URLs lead
	console *console   // err, for notes
	log     *slog.Logger

	answered bool // the result is printed, with what is wrong in it: the error goes to standard error alone
}

// threadsMax is far more than helps: every worker has its own buffers.
const threadsMax = 1024

// begin sets up what the shared flags ask for.
func (a *app) begin() error {
	if err := inspect.CheckSwitch(); err != nil {
		return err
	}
	if a.threads < 0 {
		return &commandLineError{fmt.Errorf("--threads %d is negative", a.threads), "Leave it out to use all cores."}
	}
	if a.threads > threadsMax {
		return &commandLineError{fmt.Errorf("--threads %d is more than %d", a.threads, threadsMax), "Leave it out to use all cores."}
	}
	if a.memory == 0 {
		a.memory = job.MemoryDefault
	}
	// The collector keeps garbage from piling up beyond the budget, of which the program itself takes a part, and more of it
	// as more of it is used; what is in use is bounded by the job itself.
	const unused = 8 << 20
	debug.SetMemoryLimit(max(int64(a.memory)-mappedBytes()-unused, int64(a.memory)/4))
	level := slog.LevelInfo
	if a.quiet {
		level = slog.LevelError
	}
	options := &slog.HandlerOptions{Level: level}
	a.console = &console{w: a.err}
	switch a.logFormat {
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.console, options))
	case "text":
		a.log = slog.New(&plainHandler{w: a.console, level: level})
	default:
		return &commandLineError{fmt.Errorf("--log-format %s is neither text nor json", a.logFormat), "Leave it out for text."}
	}
	return nil
}

// unwatched are the shared flags as a job wants them that nobody watches.
func (a *app) unwatched(overwrite bool) job.Options {
	return job.Options{FS: a.files, Threads: a.threads, Memory: int64(a.memory), Overwrite: overwrite, Kernel: a.kernel, Log: a.log}
}

// options are the shared flags as a job wants them.
func (a *app) options(overwrite bool) job.Options {
	o := a.unwatched(overwrite)
	o.FS, o.Watch, o.Keyed = a.watching.meter.Over(o.Files()), a.watch, a.keyed
	return o
}

// print writes a result: v as JSON with --json, else what human writes.
func (a *app) print(v any, human func(w io.Writer)) error {
	if !a.json {
		human(printable.NewWriter(a.out))
		return nil
	}
	if !a.counts {
		v = public(v)
	}
	e := json.NewEncoder(printable.NewJSONWriter(a.out))
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// public is a result without what its owner should keep.
func public(v any) any {
	switch x := v.(type) {
	case interface{ Public() any }:
		return x.Public()
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = public(x[i])
		}
		return out
	}
	return v
}

// report tells the user why a run failed and returns the exit code.
func (a *app) report(ctx context.Context, err error) int {
	f := explain(ctx, err)
	f.Message, f.Hint = a.say(f.Message), a.say(f.Hint)
	code := exitCode(f.Kind)
	if a.json && !a.answered {
		e := json.NewEncoder(printable.NewJSONWriter(a.out))
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		_ = e.Encode(map[string]any{"error": struct {
			Code int `json:"code"`
			job.Failure
		}{code, f}})
	}
	if a.logFormat == "json" && a.log != nil {
		a.log.Error(f.Message, "code", code, "kind", f.Kind, "hint", f.Hint)
		return code
	}
	shown := printable.NewWriter(a.err)
	if terminal(a.err) && os.Getenv("NO_COLOR") == "" {
		fmt.Fprint(a.err, "\x1b[31mcipherfold:\x1b[0m ") // red
		fmt.Fprintf(shown, "%s\n", f.Message)
	} else {
		fmt.Fprintf(shown, "cipherfold: %s\n", f.Message)
	}
	if f.Hint != "" {
		fmt.Fprintf(shown, "  hint: %s\n", f.Hint)
	}
	return code
}

func exitCode(kind job.Kind) int {
	return map[job.Kind]int{job.Failed: exitFailed, job.Usage: exitUsage, job.Refused: exitRefused, job.Interrupted: exitInterrupted, job.NotNow: exitNotNow}[kind]
}

func explain(ctx context.Context, err error) job.Failure {
	var stopped *batch.Stopped
	if errors.As(err, &stopped) {
		return stopped.Explain()
	}
	if ctx.Err() != nil && taken(err).Kind != job.Usage {
		err = ctx.Err()
	}
	return taken(err)
}

// taken takes an error apart.
func taken(err error) job.Failure {
	var line *commandLineError
	if errors.As(err, &line) {
		return job.Failure{Kind: job.Usage, Message: line.Error(), Hint: line.hint}
	}
	var output *outputError
	if errors.As(err, &output) {
		return job.Failure{Kind: job.Refused, Message: output.Error(), Hint: output.hint, File: output.name}
	}
	return job.Explain(err)
}

// outputError is a file or directory that cannot be written.
type outputError struct{ name, cause, hint string }

func (e *outputError) Error() string { return e.name + ": " + e.cause }

// makeDirectory makes a directory for output and those above it, as far as they are not there.
func makeDirectory(name string) error {
	err := os.MkdirAll(name, 0o755)
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return &outputError{name, "cannot create the directory: part of the path is a file", "Name another directory."}
	case errors.As(err, &path):
		return &outputError{name, fmt.Sprintf("cannot create the directory: %v", path.Err), "Check who may write there, or name another directory."}
	}
	return err
}

// bytesFlag is a number of bytes written with a binary or decimal unit.
type bytesFlag int64

func (b *bytesFlag) String() string {
	if *b == 0 {
		return "512MiB"
	}
	return strconv.FormatInt(int64(*b)>>20, 10) + "MiB"
}

func (b *bytesFlag) Type() string { return "size" }

func (b *bytesFlag) Set(s string) error {
	number := strings.TrimRight(s, "KMGTiBkb ")
	unit := strings.TrimSpace(s[len(number):])
	factor, ok := map[string]float64{
		"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40,
		"KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || n*factor < 1<<20 || n*factor > 1<<60 {
		return errors.New("write a size of at least 1MiB, such as 512MiB or 2GiB")
	}
	*b = bytesFlag(n * factor)
	return nil
}

// terminal reports whether a stream is a terminal that a person looks at.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// plainHandler writes notes for people: the message, then its attributes.
type plainHandler struct {
	w     io.Writer
	level slog.Level
	attrs []slog.Attr
}

func (h *plainHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	var s strings.Builder
	if r.Level >= slog.LevelWarn {
		s.WriteString("warning: ")
	}
	s.WriteString(printable.Escape(r.Message))
	write := func(a slog.Attr) bool {
		s.WriteString(printable.Escape(fmt.Sprintf(" %s=%v", a.Key, a.Value)))
		return true
	}
	for _, x := range h.attrs {
		write(x)
	}
	r.Attrs(write)
	s.WriteByte('\n')
	_, err := io.WriteString(h.w, s.String())
	return err
}

func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &plainHandler{h.w, h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *plainHandler) WithGroup(string) slog.Handler { return h }
