package batch

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
)

// Job is a job as its file describes it.
type Job struct {
	Name    string
	File    string // the job file, for hints
	Dir     string // the job directory, on Options.Disk
	Steps   []Step
	Options job.Options // FS, Disk, threads and the rest for all steps

	// Signer returns the signer of the job's receipt; nil makes no receipt.
	Signer func(ctx context.Context) (*receipt.Signer, error)

	// Over puts an observer between the steps and their files; nil puts none.
	Over func(blob.FS) blob.FS

	// PartRows is how many records a part has at most, rounded up to whole blocks; 0 cuts by the size of ciphertexts.
	PartRows int64
}

// Step is one verb's worth of a job.
type Step struct {
	// Request is a pointer to the request of a verb's room, such as *encrypt.Request, without Options and Key.
	Request Request

	// Parameters are what was asked for, by the names of the verb's flags. With other parameters it is another job.
	Parameters map[string]receipt.Values
	Told       map[string]receipt.Values // those that the receipt tells

	// Key reads the key of a step that needs one. It is called when the step needs it.
	Key func(ctx context.Context) (keys.Key, error)

	Overwrite bool // replace outputs that exist
	Line      int  // of the job file, where the step is; 0: unknown
}

// Verb is the step's verb.
func (s Step) Verb() string { return verbOf(s.Request).name }

func (s Step) files() job.StepFiles { return s.Request.Files() }

// Files are the patterns of all inputs that are not made by the job itself, and all outputs.
func (j *Job) Files(ctx context.Context) (in, out []string) {
	var made []blob.Place
	for _, s := range j.Steps {
		name := s.files().Out
		out = append(out, name)
		if p, err := blob.FindPlace(ctx, j.fs(), name); err == nil { // else the job itself says why not
			made = append(made, p)
		}
	}
	for _, s := range j.Steps {
		for _, pattern := range s.files().In {
			at, err := blob.Identify(ctx, j.fs(), pattern)
			if err != nil || !slices.ContainsFunc(made, func(out blob.Place) bool { return out.MeantBy(ctx, at) }) {
				in = append(in, pattern)
			}
		}
	}
	return in, out
}

// OwnFiles are the files and directories that a job keeps in its directory.
func (j *Job) OwnFiles() []string {
	var names []string
	for _, name := range []string{planName, journalName, partsName, receiptName} {
		names = append(names, path.Join(j.Dir, name))
	}
	return names
}

// names gives every step a name: its verb and its number among those of the verb.
func (j *Job) names() []string {
	count := map[string]int{}
	out := make([]string, len(j.Steps))
	for i, s := range j.Steps {
		count[s.Verb()]++
		out[i] = fmt.Sprintf("%s-%d", s.Verb(), count[s.Verb()])
	}
	return out
}

// diskOf is where job directories are.
func diskOf(o job.Options) blob.Disk {
	if o.Disk == nil {
		return blob.Local{}
	}
	return o.Disk
}

func (j *Job) fs() blob.FS { return j.Options.Files() }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
