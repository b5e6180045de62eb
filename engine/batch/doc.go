// Package batch runs jobs of several steps that survive a crash, kill -9, a loss of power, a full disk, or a scheduler
// that stops them.
//
// # A job directory
//
//	job.json     what the job is: its steps, and, sealed, every input with its size and digest. Written once.
//	journal      what has been done, a line for each: appended, checksummed and forced to disk before anything relies on it
//	journal.*    the same, of shards, each attempt in a file of its own
//	parts/       results of finished parts of steps under way
//	receipt.json the signed receipt, when all is done; receipt.private.json is its private part
//	private.key  the key of what is sealed in the other files: digests, sizes, reports (receipt.Vault)
//
// All of it is for the owner alone (modes 0700 and 0600). But only private.key and receipt.private.json tell anything of
// tables in the clear that values could be guessed from.
//
// A step is divided into parts: ranges of rows, so large that a part takes seconds. A part is written to a file that gets its
// name when it is complete and on disk, and then goes into the journal with its digest. When all parts are there they are
// put together into the step's output, which is noted in the journal before and after it gets its name.
//
// Run with Resume, a Shard and Merge read job.json and all journals, and so know the state of the job. They trust only
// what is in a journal, and check its digest. A part that was lost or damaged is made again. Inputs and the job itself
// must be unchanged, or the job is refused.
package batch
