package batch

import (
	"errors"
	"regexp"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// inStep says of an error of a step where in the job file the step is, if that is at fault, and calls flags by their keys.
func (j *Job) inStep(i int, err error) error {
	var request *job.UsageError
	var input *column.InputError
	var file *blob.Error
	switch {
	case errors.As(err, &request):
		return refuseLine(j.File, j.Steps[i].Line, asKeys(request.Hint), "[[%s]]: %s", j.Steps[i].Verb(), asKeys(err.Error()))
	case errors.As(err, &input):
		input.Hint = asKeys(input.Hint)
	case errors.As(err, &file):
		file.Hint = asKeys(file.Hint)
	}
	return err
}

// flags are those in a text, with the command that they are given to, if it is there.
var flags = regexp.MustCompile(`(cipherfold [a-z]+ )?--([a-z]+(-[a-z]+)*)`)

// asKeys writes the flags in a message as keys of a job file: --max-adds becomes max_adds. Those of commands stay.
func asKeys(message string) string {
	message = strings.ReplaceAll(message, "pass --overwrite to", "write overwrite = true in the step to")
	return flags.ReplaceAllStringFunc(message, func(s string) string {
		if !strings.HasPrefix(s, "--") {
			return s
		}
		return strings.ReplaceAll(s[2:], "-", "_")
	})
}
