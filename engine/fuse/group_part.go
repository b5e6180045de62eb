package fuse

import (
	"context"
	"fmt"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/fuse/sums"
	"github.com/cipherfold/cipherfold/engine/job"
)

// describe says what a run of a range is a part of.
func (g *groupFusion) describe(part job.Range) (sums.Description, error) {
	var keys, slots []string
	for _, f := range g.fields {
		keys = append(keys, f.Name+" "+f.Type.String())
	}
	for _, weight := range g.weights {
		for _, name := range g.m.table.Columns {
			slots = append(slots, fmt.Sprintf("%s weighted %d", name, weight))
		}
	}
	return g.fusion.describe(part, keys, slots)
}

// groupPart folds rows into a run of groups.
func (f *fusion) groupPart(ctx context.Context, part job.Range, out string) (engine.Stats, error) {
	g, err := f.newGrouping()
	if err != nil {
		return engine.Stats{}, err
	}
	defer g.close()
	d, err := g.describe(part)
	if err != nil {
		return engine.Stats{}, err
	}
	file, err := sums.CreateFile(ctx, f.request.Disk, out, g.shape, d)
	if err != nil {
		return engine.Stats{}, err
	}
	defer file.Close()
	sources, stats, err := g.collect(ctx, g.fusion.ranges(part))
	if err != nil {
		return stats, err
	}
	progress := &engine.Progress{}
	done := g.fusion.request.Watch("merge", progress)
	more, err := file.Merge(ctx, sums.Merge[sums.Encoded]{
		Sources: sources, Pool: g.pool, Threads: g.fusion.request.Threads, Over: g.over, Refuse: g.refuseMerged, Name: "finish", Progress: progress,
	})
	done()
	stats = joinStats(stats, more)
	if err != nil {
		return stats, g.fusion.findBadCiphertext(ctx, err)
	}
	g.fusion.report.Records, g.fusion.report.Spilled = file.Rows(), g.runs.Bytes()
	return stats, file.Commit(ctx)
}

// groupRuns merges runs of groups into the result.
func (f *fusion) groupRuns(ctx context.Context, runs []string) (engine.Stats, error) {
	g, err := f.newGrouping()
	if err != nil {
		return engine.Stats{}, err
	}
	defer g.close()
	d, err := g.describe(job.Range{})
	if err != nil {
		return engine.Stats{}, err
	}
	files, err := g.fusion.openRuns(ctx, runs, d)
	if err != nil {
		return engine.Stats{}, err
	}
	out, err := g.create(ctx)
	if err != nil {
		closeRuns(files)
		return engine.Stats{}, err
	}
	defer out.Close()
	g.pool.Shrink(g.memory.merge(0))
	var sources []sums.Source
	for i, file := range files {
		s, err := file.Source(g.shape, g.pool)
		if err != nil {
			_ = sums.CloseAll(sources)
			closeRuns(files[i:])
			return engine.Stats{}, err
		}
		sources = append(sources, s)
		g.fusion.ciphertexts.Add(file.Rows() * int64(len(g.m.table.Columns)))
	}
	if sources, err = g.runs.Consolidate(ctx, sources, g.pool, g.fusion.request.Threads); err != nil {
		return engine.Stats{}, err
	}
	return g.write(ctx, out, sources)
}
