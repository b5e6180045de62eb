package fuse

import (
	"context"
	"time"

	"github.com/cipherfold/cipherfold/engine"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// fillTables has the tables ready that a fusion needs at its end, to re-randomize or to mask a total. What they take is
// gone from the memory for everything else.
func (f *fusion) fillTables(ctx context.Context) error {
	var plans []*paillier.PublicTables
	if f.refresh {
		plans = append(plans, f.pk.PlanFullTables(f.Memory/keys.PowersShare))
	}
	if f.kind() == oneTotal {
		plans = append(plans, f.pk.PlanTables(f.Memory/keys.PowersShare))
	}
	start := time.Now()
	bytes := int64(0)
	for _, p := range plans {
		if p == nil {
			continue
		}
		bytes += p.Bytes()
		if bytes > f.Memory {
			return &engine.BudgetError{What: keys.PowersBudget, Need: bytes, Have: f.Memory, Limit: f.Memory}
		}
		if _, err := keys.MakePieces(ctx, &p.Tables, f.Threads); err != nil {
			return err
		}
		p.Install()
	}
	if bytes > 0 {
		f.Memory -= bytes
		f.report.Tables = &job.TablesReport{Bytes: bytes, From: job.PowersMade, Seconds: time.Since(start).Seconds()}
	}
	return nil
}
