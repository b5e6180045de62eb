package engine

import "context"

// Reduction is a source, stages and the tree that combines their results.
type Reduction[In, T any] struct {
	Source Source[In]
	Stage  Stage[In, T]
	Tree   Tree[T]
	Queue  int // most items in flight; 0 means two for each worker
}

// Reduce combines all items of the source into one by the tree, whose shape [Tree] describes; a single item is returned as
// it is, none at all is [ErrEmpty]. The rules are those of the package comment. The caller owns the result.
//
// Mostly the tree holds no more than FanIn-1 values on each of its log(items) levels. In the worst case it holds as many
// for each gap in what has come: an item in flight that others overtook, a node that a worker is still combining. So the
// bound is (1 + Queue + Workers)·(FanIn-1)·log(items) values, whatever the number of items.
func Reduce[In, T any](ctx context.Context, d Reduction[In, T]) (T, Stats, error) {
	mustHave(d.Source.Next != nil, "Source.Next")
	var result T
	r := newRun(ctx, d.Queue, d.Stage.crew()+d.Tree.crew())
	d.Tree.start(r, d.Stage.start(r, d.Source.start(r)), &result)
	stats, err := r.wait()
	if err == nil && r.total == 0 {
		err = ErrEmpty
	}
	return result, stats, err
}
