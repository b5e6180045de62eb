// Command s3fold folds encrypted tables that are in an object store whose requests fail or are slow, and checks all of
// the result:
//
//	go build -buildvcs=true -o cipherfold ./cmd/cipherfold
//	go run -buildvcs=true ./bench/s3fold --program ./cipherfold --gib 10 --fail 0.05 --slow 0.05 --memory 512MiB --json bench/results
//
// The store is an S3 server in this process; what is measured is the process of cipherfold. It is a program of its own so
// that cipherfold does not contain a server.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/render"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "s3fold:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o := options{log: os.Stderr}
	var target, memory string
	var gib float64
	f := flag.NewFlagSet("s3fold", flag.ContinueOnError)
	f.Float64Var(&gib, "gib", 1, "size of the encrypted tables together, in GiB of ciphertexts")
	f.Float64Var(&o.faults.Fail, "fail", 0.05, "share of the requests that fails")
	f.Float64Var(&o.faults.Slow, "slow", 0.05, "share of the requests that is held up")
	f.DurationVar(&o.faults.Delay, "delay", 250*time.Millisecond, "by how much")
	f.Uint64Var(&o.faults.Seed, "seed", 1, "which requests they are")
	f.StringVar(&memory, "memory", "512MiB", "cipherfold's --memory, in MiB or GiB")
	f.IntVar(&o.threads, "threads", 0, "cipherfold's --threads")
	f.IntVar(&o.bits, "bits", 2048, "key size")
	f.StringVar(&o.dir, "dir", "", "directory for the tables; half as much again as --gib is needed there (default: a temporary one)")
	f.StringVar(&o.program, "program", "cipherfold", "the program to measure")
	f.StringVar(&target, "json", "", "file or directory for the result")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.bytes = int64(gib * (1 << 30))
	var err error
	if o.memory, err = parseMemory(memory); err != nil {
		return err
	}
	if target != "" {
		if err := bench.Target(target).Check(); err != nil {
			return err
		}
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "s3fold-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	}
	r, err := fold(ctx, o)
	if err != nil {
		return err
	}
	file := &bench.File{Version: bench.FileVersion, Machine: bench.ThisMachine(), Results: []bench.Result{}, Pipeline: []bench.Stage{}, Stores: []bench.StoresRun{*r}}
	render.Print(os.Stdout, file)
	if target == "" {
		text, err := json.MarshalIndent(r, "", "  ")
		fmt.Println(string(text))
		return err
	}
	name, err := bench.Target(target).Save(ctx, file, time.Now())
	fmt.Println(name)
	return err
}

// parseMemory reads a size such as 512MiB or 2GiB.
func parseMemory(s string) (int64, error) {
	for unit, factor := range map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			return n * factor, err
		}
	}
	return 0, fmt.Errorf("--memory %s: write a number of MiB or GiB, such as 512MiB", s)
}
