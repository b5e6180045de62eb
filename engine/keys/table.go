package keys

import (
	"github.com/cipherfold/cipherfold/engine/job"
)

// WarnOfTestKey says that a table under a key below 2048 bits protects nothing.
func WarnOfTestKey(o job.Options, test bool) {
	if test {
		o.Log.Warn("test key: below 2048 bits, it protects nothing")
	}
}
