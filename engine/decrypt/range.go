package decrypt

import (
	"sync"

	"github.com/cipherfold/cipherfold/io/column"
)

// outOfRange takes note of sums that are beyond what the footer allows. The table is refused when all of it was decrypted: who
// submits tables to learn something from refusals learns from neither the message nor the time which sum it was. See
// docs/threat-model.md.
type outOfRange struct {
	mu    sync.Mutex
	first *column.InputError
}

// note takes note of a sum.
func (o *outOfRange) note(at *column.InputError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first == nil || at.Row < o.first.Row {
		o.first = at
	}
}

// refusal is the error of a table with such a sum, or nil.
func (o *outOfRange) refusal(d *Request) error {
	const why = "An owner encrypted a value beyond the agreed max, or the footer or a ciphertext was changed, or folded by other software."
	switch {
	case o.first == nil:
		return nil
	case d.LocateRefused:
		return o.first.WithHint("%s Tell nobody where it is who could have submitted the table to learn that.", why)
	}
	return column.Refuse(d.In, "a sum is beyond what the footer's bounds and additions allow").
		WithHint("%s To learn which one, give ‹locate_refused›, and read in the threat model who should not learn it.", why)
}
