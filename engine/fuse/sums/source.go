package sums

import "context"

// Source delivers rows in ascending order of their keys; those of equal keys follow each other. It serves one goroutine at
// a time.
type Source interface {
	// Next returns the next block, which the caller releases, or io.EOF. After an error only Close may be called.
	Next(ctx context.Context) (*Block, error)

	// Close frees what the source holds, once all its blocks are released.
	Close() error
}

// CloseAll closes sources and returns the first error.
func CloseAll(sources []Source) error {
	var first error
	for _, s := range sources {
		if err := s.Close(); first == nil {
			first = err
		}
	}
	return first
}

// ahead reads a source in a goroutine of its own, one block ahead.
type ahead struct {
	blocks chan read
	cancel context.CancelFunc
}

type read struct {
	block *Block
	err   error
}

func readAhead(ctx context.Context, s Source) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{blocks: make(chan read), cancel: cancel}
	go func() {
		defer close(a.blocks)
		for {
			b, err := s.Next(ctx)
			select {
			case a.blocks <- read{b, err}:
			case <-ctx.Done():
				if b != nil {
					b.Release()
				}
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return a
}

// next returns the next block or an error.
func (a *ahead) next(ctx context.Context) (*Block, error) {
	select {
	case r, open := <-a.blocks:
		if !open {
			return nil, context.Cause(ctx)
		}
		return r.block, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stop ends the goroutine.
func (a *ahead) stop() {
	a.cancel()
	for r := range a.blocks {
		if r.block != nil {
			r.block.Release()
		}
	}
}
