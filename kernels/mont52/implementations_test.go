package mont52

import "github.com/cipherfold/cipherfold/bigmod"

// implementations are what the tests run: the assembly, where this machine has it, and its Go twin.
func implementations() []bigmod.Implementation {
	list := []bigmod.Implementation{{
		Name:      "twin",
		Available: true,
		New:       func(m *bigmod.Modulus) bigmod.Ring { return newRing(m, false) },
	}}
	if i := Implementation(); i.Available {
		list = append(list, i)
	}
	return list
}
