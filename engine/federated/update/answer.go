package update

import (
	"context"
	"slices"
	"time"

	"github.com/cipherfold/cipherfold/engine/federated/round"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/updatefile"
)

// AnswerRequest describes what a helper says about a sum.
type AnswerRequest struct {
	job.Options
	Round    string // file of the description
	Identity func(context.Context) (*round.Identity, error)
	In       string   // the sum; only its footer is read
	Shares   []string // files of shares, of all members in the sum
	Record   string   // file of the rounds that this helper has answered for
	Out      string
}

// Answer adds up a helper's shares of the keys of those in a sum, and returns what it answers for. It records the round before
// there is an answer, and refuses a second one for other members or weights.
func Answer(ctx context.Context, a AnswerRequest) (*job.Report, *round.Opening, error) {
	start := time.Now()
	a.Options = a.Options.WithDefaults()
	r, err := round.Read(ctx, a.FS, a.Round)
	if err != nil {
		return nil, nil, err
	}
	id, err := a.Identity(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := memberOf(r, id, a.Round); err != nil {
		return nil, nil, err
	}
	opening, _, err := readSum(ctx, a.FS, r, a.In)
	if err != nil {
		return nil, nil, err
	}
	files, err := inputFiles(ctx, a.Options, a.Shares)
	if err != nil {
		return nil, nil, err
	}
	if err := job.CheckOutput(ctx, a.FS, a.Out, append(slices.Clone(files), a.Round, a.In)); err != nil {
		return nil, nil, err
	}
	own := r.Index(id.Card().Name)
	shares := map[string]*round.Shares{}
	others := map[string]bool{} // members of whom there are shares for other updates
	for _, file := range files {
		s, err := r.ReadShares(ctx, a.FS, file)
		if err != nil {
			return nil, nil, err
		}
		for h := range s.Sealed { // those of other helpers were read for the signature
			if h != own {
				s.Sealed[h] = nil
			}
		}
		for _, in := range opening.Inputs {
			if in.Member == s.Member && in.SHA256 == s.UpdateSHA256 {
				shares[s.Member] = s
			} else if in.Member == s.Member {
				others[s.Member] = true
			}
		}
	}
	for _, in := range opening.Inputs {
		switch {
		case shares[in.Member] != nil:
		case others[in.Member]:
			return nil, nil, column.Refuse(a.In, "the update of %s in the sum is not the one that its shares are for", column.Quote(in.Member)).
				WithHint("Somebody exchanged the update, or the member made two. Get the shares that belong to it, or fuse without it.")
		default:
			return nil, nil, column.Refuse(a.In, "there are no shares of %s, whose update is in the sum", column.Quote(in.Member)).
				WithHint("Get the file of shares from that member, or fuse without its update.")
		}
	}
	answer, err := r.NewAnswer(id, opening, shares)
	if err != nil {
		return nil, nil, column.Refuse(a.In, "%w", err).WithHint("The member's file of shares is wrong. Get it again, or fuse without its update.")
	}
	if err := (round.Answered{File: a.Record}).Record(ctx, r, opening); err != nil {
		return nil, nil, err
	}
	if err := blob.WriteAll(ctx, a.FS, a.Overwrite, blob.Whole{Name: a.Out, Data: answer.Document()}); err != nil {
		return nil, nil, err
	}
	report := &job.Report{Out: a.Out, Records: 1, Key: keyReport(r), Inputs: []job.InputReport{{File: a.In, Rows: r.Parameters}}}
	for _, file := range files {
		report.Inputs = append(report.Inputs, job.InputReport{File: file, Rows: 1})
	}
	report.Seconds = time.Since(start).Seconds()
	return report, &opening, nil
}

// readSum reads the footer of a sum of the round.
func readSum(ctx context.Context, fs blob.FS, r *round.Round, file string) (round.Opening, *updatefile.Footer, error) {
	footer, _, err := updatefile.ReadFooter(ctx, fs, file)
	if err != nil {
		return round.Opening{}, nil, err
	}
	if err := r.CheckFooter(file, footer); err != nil {
		return round.Opening{}, nil, err
	}
	opening, err := r.OpeningOf(file, footer)
	return opening, footer, err
}
