package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob/blobtest/s3server"
	"github.com/cipherfold/cipherfold/io/blob/stores"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

type options struct {
	bytes   int64 // of ciphertexts, of both tables
	bits    int
	testKey bool
	memory  int64
	threads int
	faults  s3server.Faults
	dir     string
	program string
	log     io.Writer

	// fuse does what is measured; nil runs the program.
	fuse func(ctx context.Context, in []string, out string) (*bench.Process, error)
}

const bucketName = "tables"

// fold is one run.
func fold(ctx context.Context, o options) (*bench.StoresRun, error) {
	if o.fuse == nil {
		o.fuse = o.runProgram
	}
	key, err := paillier.GenerateKey(ctx, nil, paillier.DJN, o.bits, o.testKey)
	if err != nil {
		return nil, err
	}
	disk := s3server.NewDisk(o.dir)
	server, err := s3server.Start(disk)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	prefix, query, err := server.Bucket(bucketName)
	if err != nil {
		return nil, err
	}
	url := func(name string) string { return prefix + name + query + "&anonymous=true" }

	fmt.Fprintln(o.log, "making tables")
	p, err := newPattern(ctx, o, key)
	if err != nil {
		return nil, err
	}
	run := &bench.StoresRun{Bits: o.bits, Records: p.rows * int64(p.block), Blocks: p.rows, MemoryMiB: float64(o.memory) / (1 << 20)}
	var in []string
	for owner := range p.pools {
		name := fmt.Sprintf("owner%d.cf.parquet", owner)
		n, err := p.write(ctx, owner, filepath.Join(o.dir, name))
		if err != nil {
			return nil, err
		}
		run.InputBytes += n
		if err := disk.Add(bucketName, name, filepath.Join(o.dir, name)); err != nil {
			return nil, err
		}
		in = append(in, url(name))
	}

	fmt.Fprintln(o.log, "fusing")
	before := server.Counts()
	server.Inject(o.faults)
	process, err := o.fuse(ctx, in, url("fused.cf.parquet"))
	server.Inject(s3server.Faults{})
	if err != nil {
		return nil, err
	}
	after := server.Counts()
	run.Requests, run.Failed, run.Slow = after.Requests-before.Requests, after.Failed-before.Failed, after.Slow-before.Slow
	run.DelayMs = float64(o.faults.Delay.Milliseconds())
	run.Seconds, run.PeakRSSMiB = process.Seconds, process.RSSMiB

	fmt.Fprintln(o.log, "checking")
	fs := new(stores.FS)
	defer fs.Close()
	if run.Checked, run.Decrypted, err = p.check(ctx, fs, url("fused.cf.parquet")); err != nil {
		return nil, err
	}
	if left, err := disk.ListMultipartUploads(bucketName, nil, noPrefix, 0); err != nil || len(left.Uploads) > 0 {
		return nil, fmt.Errorf("the store holds unfinished uploads %v (%v)", left.Uploads, err)
	}
	return run, nil
}

// runProgram runs cipherfold.
func (o options) runProgram(ctx context.Context, in []string, out string) (*bench.Process, error) {
	args := []string{"fuse", "--out", out, "--memory", strconv.FormatInt(o.memory>>20, 10) + "MiB", "--quiet", "--json"}
	if o.threads > 0 {
		args = append(args, "--threads", strconv.Itoa(o.threads))
	}
	for _, name := range in {
		args = append(args, "--in", name)
	}
	var report job.Report
	return bench.RunProcess(ctx, o.program, args, &report)
}
