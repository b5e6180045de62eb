package peers

import (
	"log/slog"

	"github.com/cipherfold/cipherfold/engine/job"
)

// Chosen are the peers to measure: math/big, and on demand those behind the build tag.
func Chosen(external bool, log *slog.Logger) ([]Library, error) {
	all := Libraries()
	if !external {
		return all[:1], nil // math/big
	}
	if len(all) == 1 {
		return nil, &job.UsageError{Cause: "this program was built without the peers GMP and OpenSSL", Hint: "Build it with `go build -tags peers ./cmd/cipherfold`; that needs cgo, libgmp-dev and libssl-dev."}
	}
	for _, l := range all {
		log.Info("peer", "name", l.Name, "version", l.Version)
	}
	return all, nil
}
