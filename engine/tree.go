package engine

import (
	"sync"
	"sync/atomic"
)

// fanInDefault is wide enough that a node's combination amortises its hand-over and narrow enough to keep few items.
const fanInDefault = 16

// Tree combines items in a fixed shape. FanIn consecutive items are combined into one, FanIn consecutive results of that
// into one, and so on; what is left over at the end of a level is combined too, a single one is passed up as it is. So
// the association depends on the number of items and FanIn alone, never on Workers or timing, and order is kept from
// left to right: combine need not be commutative, nor even associative, for the result to be reproducible.
type Tree[T any] struct {
	Name    string // for errors and statistics; "tree" when empty
	FanIn   int    // children of a node, at least 2; 0 means 16
	Workers int    // goroutines; 0 means one for each CPU the program may use

	// New sets up one worker and returns its combining function, as Stage.New does. The function is given 2 to FanIn
	// consecutive parts in order. It owns the parts from the call on, also when it fails, but not the slice.
	New func(worker int) (Work[[]T, T], error)

	// Discard releases an item or partial result that will not be combined because the run failed or was cancelled. Nil
	// when there is nothing to release. Called by several goroutines.
	Discard func(T)
}

// spot is the place of a node: level 1 is above the items, index counts from the left.
type spot struct {
	level int
	index int64
}

// node waits for its parts.
type node[T any] struct {
	parts []T
	came  []bool
	count int
}

// nodes is the part of the tree that waits: nodes of which some parts but not all have come. A worker whose part
// completes a node takes the node away and combines it, so complete nodes never wait.
type nodes[T any] struct {
	fanIn   int
	mu      sync.Mutex
	waiting map[spot]*node[T]
}

// put adds part number `index` of a level (0: the items). If that completes a node, its parts are returned and are the
// caller's.
func (n *nodes[T]) put(level int, index int64, part T) []T {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := spot{level + 1, index / int64(n.fanIn)}
	v := n.waiting[at]
	if v == nil {
		v = &node[T]{parts: make([]T, n.fanIn), came: make([]bool, n.fanIn)}
		n.waiting[at] = v
	}
	i := index % int64(n.fanIn)
	v.parts[i], v.came[i] = part, true
	v.count++
	if v.count < n.fanIn {
		return nil
	}
	delete(n.waiting, at)
	return v.parts
}

// takeRest takes the last node of a level above the items, if it waits, with the parts that came: all items have come, so
// they are its first ones.
func (n *nodes[T]) takeRest(at spot) []T {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := n.waiting[at]
	if v == nil {
		return nil
	}
	delete(n.waiting, at)
	return v.parts[:v.count]
}

// crew is the number of workers asked for. It panics if the tree cannot work.
func (t Tree[T]) crew() int {
	mustHave(t.New != nil, "Tree.New")
	mustHave(t.FanIn == 0 || t.FanIn >= 2, "Tree.FanIn of at least 2")
	return workersOrAll(t.Workers)
}

// start launches the workers. The result is written before the run is done, if there were any items.
func (t Tree[T]) start(r *run, in <-chan slot[T], result *T) {
	if t.FanIn == 0 {
		t.FanIn = fanInDefault
	}
	t.Name = nameOr(t.Name, "tree")
	n := &nodes[T]{fanIn: t.FanIn, waiting: map[spot]*node[T]{}}
	workers := r.atMostPlaces(t.Workers)
	m := r.meter(t.Name, workers)
	var left atomic.Int64
	left.Store(int64(workers))
	for worker := range workers {
		r.group.Go(func() {
			w := &treeWorker[T]{tree: t, run: r, nodes: n, number: worker, shift: newShift()}
			defer m.add(w.shift)
			defer func() {
				if left.Add(-1) > 0 {
					return
				}
				defer w.throwRest(in)
				w.finish(result)
			}()
			w.serve(in)
		})
	}
}

// treeWorker is one worker of a tree.
type treeWorker[T any] struct {
	tree    Tree[T]
	run     *run
	nodes   *nodes[T]
	number  int
	combine Work[[]T, T]
	shift   *shift
}

// serve puts items into the tree and combines every node they complete.
func (w *treeWorker[T]) serve(in <-chan slot[T]) {
	for next := range in {
		w.shift.work()
		if w.run.stopped() {
			throwAway(w.run, w.tree.Name, w.tree.Discard, next)
			continue
		}
		parts := w.nodes.put(0, next.index, next.item)
		<-w.run.places
		index := next.index
		for level, width := 1, int64(w.tree.FanIn); parts != nil; level, width = level+1, width*int64(w.tree.FanIn) {
			index /= int64(w.tree.FanIn)
			part, ok := w.call(index*width, parts)
			if !ok {
				break
			}
			parts = w.nodes.put(level, index, part)
		}
	}
	w.shift.work()
}

// finish combines what is left over on each level, from the items upwards, once all items are in the tree.
func (w *treeWorker[T]) finish(result *T) {
	if !w.run.ended || w.run.stopped() {
		return
	}
	var carry []T // nothing or the result of the level below
	width := int64(1)
	for level, count := 1, w.run.total; count > 0; level++ {
		index := count / int64(w.tree.FanIn)
		width *= int64(w.tree.FanIn)
		parts := append(w.nodes.takeRest(spot{level, index}), carry...)
		carry = parts
		if len(parts) > 1 {
			part, ok := w.call(index*width, parts)
			if !ok {
				return
			}
			carry = []T{part}
		}
		count = index
	}
	if len(carry) > 0 {
		*result = carry[0]
	}
	w.run.done = true
}

// call combines the parts of the node whose first item is `first`.
func (w *treeWorker[T]) call(first int64, parts []T) (T, bool) {
	if !w.ready(parts) {
		var none T
		return none, false
	}
	part, ok := attempt(w.run, w.tree.Name, first, func() (T, error) { return w.combine(w.run.ctx, parts) })
	if !ok {
		w.shift.rest(0)
		return part, false
	}
	w.shift.rest(1)
	return part, true
}

// ready sets up the worker if need be. If the run has stopped or that fails, even by a Goexit, the parts that were waiting
// are thrown away.
func (w *treeWorker[T]) ready(waiting []T) (ok bool) {
	defer func() {
		if !ok {
			w.throw(waiting)
		}
	}()
	if w.run.stopped() {
		return false
	}
	if w.combine == nil {
		w.combine, _ = attempt(w.run, w.tree.Name, NoItem, func() (Work[[]T, T], error) { return mustWork(w.tree.New(w.number)) })
	}
	return w.combine != nil
}

func (w *treeWorker[T]) throw(parts []T) {
	for _, part := range parts {
		throwAway(w.run, w.tree.Name, w.tree.Discard, slot[T]{NoItem, part})
	}
}

// throwRest gives to Discard whatever a run that did not succeed left behind.
func (w *treeWorker[T]) throwRest(in <-chan slot[T]) {
	for slot := range in {
		throwAway(w.run, w.tree.Name, w.tree.Discard, slot)
	}
	for _, v := range w.nodes.waiting {
		for i, part := range v.parts {
			if v.came[i] {
				throwAway(w.run, w.tree.Name, w.tree.Discard, slot[T]{NoItem, part})
			}
		}
	}
}
