package kernelbench

import "github.com/cipherfold/cipherfold/kernels/mont52"

func init() {
	if mont52.Implementation().Available {
		MultiplyBurst = mont52.MultiplyBurst
	}
}
