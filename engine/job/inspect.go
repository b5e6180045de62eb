package job

import (
	"github.com/cipherfold/cipherfold/io/blob"
)

// Files returns where paths live.
func (o Options) Files() blob.FS { return o.WithDefaults().FS }
