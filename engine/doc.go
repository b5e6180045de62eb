// Package engine is the generic machine under every job. It has an ordered pipeline of parallel stages over bounded
// queues, a loop without order for accumulation, and a reduction tree whose shape depends only on the item numbers.
// Memory budget, group index, progress and statistics keep a run within stated limits. The package knows nothing of
// columns, files or cryptography; the rooms below engine do.
//
// # A run
//
// [Run], [ForEach] and [Reduce] share one set of rules.
//
//   - One goroutine calls Source.Next. Item i is the i-th value it returned, from 0.
//   - At most Queue items are in flight: between the call of Next that produces an item and the moment the sink, the loop
//     body or the tree has taken it. Every queue is bounded by that number, so memory is Queue times the largest item.
//   - A value has one owner. Calling a stage's function, a sink's Put or a tree's combine hands the value over for good,
//     also when the call fails or panics; the function releases it (a deferred release does). Every value that is not
//     handed over because the run fails or is cancelled goes to the Discard of the consumer that would have had it,
//     exactly once.
//   - The first error wins, cancels the context given to every function, and is returned as an [*Error] that names the
//     stage and the item. A panic is such an error too ([*PanicError]). Cancelling the caller's context makes the run
//     return context.Cause of it, unwrapped.
//   - When the call returns, every goroutine it started has ended. A function that ignores its context is waited for.
package engine
