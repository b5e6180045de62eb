package round

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Answered is the file in which a helper records what it has answered for: a line of JSON for each round.
type Answered struct {
	File string // on a disk
}

type answeredLine struct {
	Network string `json:"network"`
	Round   uint64 `json:"round"`
	Opening string `json:"opening_sha256"`
	Time    string `json:"time"` // RFC 3339, UTC
}

// Record records that a round is answered for an opening, on disk before it returns. A round that was answered for another
// opening is refused: from two, anybody reads the difference. The same opening again is fine, as the answer is the same.
func (a Answered) Record(ctx context.Context, r *Round, opening Opening) (err error) {
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	lines, whole, err := a.read(ctx)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.Network != r.Network || l.Round != r.Number {
			continue
		}
		if l.Opening != opening.Digest() {
			return column.Refuse(a.File, "round %d of %s was answered before, for other members or weights (%s)", r.Number, column.Quote(r.Network), l.Time).
				WithHint("A round is opened once: two openings tell the vector of the member by which they differ. Begin another round.")
		}
		return nil
	}
	f, err := blob.Local{}.Append(ctx, a.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Size() != whole { // a line that was never finished
		if err := f.Truncate(whole); err != nil {
			return err
		}
	}
	line, err := json.Marshal(answeredLine{r.Network, r.Number, opening.Digest(), time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// lockPatience is how long to wait for another program that uses the same record.
const lockPatience = 10 * time.Second

// lock locks the record, by a file beside it.
func (a Answered) lock(ctx context.Context) (unlock func() error, err error) {
	name := a.File
	if target, err := filepath.EvalSymlinks(a.File); err == nil { // by whatever links, there is one lock
		name = target
	}
	for begin := time.Now(); ; {
		unlock, err := blob.Local{}.Lock(ctx, name+".lock")
		if err == nil || !errors.Is(err, blob.ErrLocked) || time.Since(begin) > lockPatience {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// read returns the lines, and how many bytes of the file are whole lines.
func (a Answered) read(ctx context.Context) (lines []answeredLine, whole int64, err error) {
	data, err := job.ReadFile(ctx, blob.Local{}, a.File, fileMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for n := 1; ; n++ {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return lines, whole, nil
		}
		var l answeredLine
		if err := strictjson.Decode(line, &l); err != nil {
			return nil, 0, column.Refuse(a.File, "line %d is no record of an answer: %w", n, err).
				WithHint("Take the copy that you keep elsewhere. Without it, this member must not answer for rounds of before.")
		}
		lines, data, whole = append(lines, l), rest, whole+int64(len(line))+1
	}
}
