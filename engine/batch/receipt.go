package batch

import (
	"context"
	"path"
	"time"

	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/column"
)

// writeReceipt signs and writes the receipt of a job whose steps are all done. Outputs are read once more, and must be what
// was written.
func (w *work) writeReceipt(ctx context.Context) error {
	if w.signer == nil {
		return nil
	}
	r := receipt.Receipt{
		Job: w.plan.Name, Inputs: w.plan.Inputs, Started: w.plan.Created, Ended: time.Now().UTC(),
		Program: receipt.ThisProgram(), Machine: receipt.ThisMachine(),
	}
	for i, p := range w.plan.Steps {
		s := w.state.steps[p.Name]
		step := receipt.StepOf(p.Verb, w.job.Steps[i].Told, s.report)
		step.Started, step.Ended = s.began, s.ended
		for _, in := range s.report.Inputs {
			receipt.SetRows(r.Inputs, in.File, in.Rows)
		}
		for _, name := range p.Inputs {
			step.Inputs = append(step.Inputs, w.filesOf(name)...)
		}
		for _, was := range s.outputs {
			now, err := receipt.Describe(ctx, w.files, was.Path)
			if err != nil {
				return err
			}
			if now.SHA256 != was.SHA256 { // the receipt vouches for what is on the disk now
				return column.Refuse(was.Path, "the file is not what was written").WithHint("Check the disk. Remove the file and the job directory %s to run the job anew.", w.job.Dir)
			}
			r.Outputs = append(r.Outputs, now)
			step.Outputs = append(step.Outputs, was.Path)
		}
		if len(s.outputs) == 1 {
			receipt.SetRows(r.Outputs, s.outputs[0].Path, s.report.Records)
		}
		r.Steps = append(r.Steps, step)
	}
	file, err := receipt.Create(ctx, w.disk, path.Join(w.job.Dir, receiptName), path.Join(w.job.Dir, receipt.PrivateName(receiptName)), true)
	if err != nil {
		return err
	}
	defer file.Abort()
	return file.Commit(ctx, &r, w.signer)
}

// filesOf are the files of an input: those of a step's output, or a file that was there.
func (w *work) filesOf(input string) []string {
	for _, p := range w.plan.Steps {
		if p.Out != input {
			continue
		}
		var files []string
		for _, f := range w.state.steps[p.Name].outputs {
			files = append(files, f.Path)
		}
		return files
	}
	return []string{input}
}
