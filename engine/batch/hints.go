package batch

import (
	"errors"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// words is a message in the words of the job file.
func (s Step) words(message string) string {
	if s.Words == nil {
		return message
	}
	return s.Words(message)
}

// inStep says of an error of a step where in the job file the step is, if that is at fault, in the words of the job file.
func (j *Job) inStep(i int, err error) error {
	s := j.Steps[i]
	var request *job.UsageError
	var input *column.InputError
	var file *blob.Error
	switch {
	case errors.As(err, &request):
		return refuseLine(j.File, s.Line, s.words(request.Hint), "[[%s]]: %s", s.Verb(), s.words(err.Error()))
	case errors.As(err, &input):
		input.Hint = s.words(input.Hint)
	case errors.As(err, &file):
		file.Hint = s.words(file.Hint)
	}
	return err
}
