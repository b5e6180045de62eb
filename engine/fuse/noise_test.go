package fuse

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/io/ctfile"
)

// Tables of earlier versions identify the list of their shares by a digest that can be forged. They fuse with each
// other, with a warning, and never with tables of today's digest.
func TestDigestsOfListsOfTwoVersions(t *testing.T) {
	share := func(file, list, digest string) enctable.Input {
		return enctable.Input{File: file, Weight: 1, Table: &ctfile.Table{JobID: file, Noise: &ctfile.Noise{
			Place: privacy.NoiseShare, Mechanism: "discrete-gaussian", Rho: "1/2", Records: 1, Counts: "public", Owners: 2, Honest: 2, List: list, ListDigest: digest,
		}}}
	}
	a, b := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for _, c := range []struct {
		inputs []enctable.Input
		want   string // of the refusal
		warned int
	}{
		{[]enctable.Input{share("1", a, ctfile.ListSorted), share("2", a, ctfile.ListSorted)}, "", 0},
		{[]enctable.Input{share("1", a, ""), share("2", a, "")}, "", 2},
		{[]enctable.Input{share("1", a, ctfile.ListSorted), share("2", a, "")}, "earlier version", 1},
		{[]enctable.Input{share("1", a, ""), share("2", a, ctfile.ListSorted)}, "earlier version", 1},
		{[]enctable.Input{share("1", a, ctfile.ListSorted), share("2", b, ctfile.ListSorted)}, "the list of those that have a share", 0},
	} {
		if _, _, err := fuseNoise(c.inputs); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
		var log bytes.Buffer
		f := fusion{inputs: c.inputs}
		f.request.Log = slog.New(slog.NewTextHandler(&log, nil))
		f.warnOfQuiet()
		if got := strings.Count(log.String(), "can be forged"); got != c.warned {
			t.Errorf("%d warnings, want %d:\n%s", got, c.warned, &log)
		}
	}
}
