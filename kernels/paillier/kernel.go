package paillier

import (
	"fmt"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/fma47"
	"github.com/cipherfold/cipherfold/kernels/mont52"
	"github.com/cipherfold/cipherfold/kernels/mont64"
	"github.com/cipherfold/cipherfold/kernels/umulh"
)

// Kernels lists the implementations of modular arithmetic in order of preference. The first available one is used
// unless UseKernel says otherwise; the choice is made once for each key and never within a batch.
func Kernels() []bigmod.Implementation {
	return []bigmod.Implementation{mont52.Implementation(), fma47.Wide(), fma47.Implementation(), mont64.Implementation(), umulh.Implementation(), bigmod.Generic()}
}

// kernelByName returns the first available implementation for an empty name.
func kernelByName(name string) (bigmod.Implementation, error) {
	var names []string
	for _, impl := range Kernels() {
		if name == "" && impl.Available || name == impl.Name {
			if !impl.Available {
				return impl, &KeyError{ErrKeyKernel, "", fmt.Sprintf("%s: %s", name, impl.Why), ""}
			}
			return impl, nil
		}
		names = append(names, impl.Name)
	}
	return bigmod.Implementation{}, &KeyError{ErrKeyKernel, "", fmt.Sprintf("there is no kernel %.40q", name),
		"the kernels are " + strings.Join(names, ", ")}
}

// kernelChoice holds what a key has precomputed with the kernel it uses. Workers keep what they were made with.
type kernelChoice[T any] struct {
	build func(bigmod.Implementation) *T

	mu   sync.Mutex
	name string // "" is the preferred one
	made *T     // nil until the first worker
}

func (c *kernelChoice[T]) use(name string) error {
	if _, err := kernelByName(name); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name != c.name {
		c.name, c.made = name, nil
	}
	return nil
}

func (c *kernelChoice[T]) get() *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		impl, err := kernelByName(c.name)
		if err != nil {
			panic(err) // use has accepted the name, and bigmod.Generic is always available
		}
		c.made = c.build(impl)
	}
	return c.made
}

// peek returns nil when nothing has been made yet.
func (c *kernelChoice[T]) peek() *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// newRing makes the ring of a modulus that is known to be valid.
func newRing(impl bigmod.Implementation, modulus []byte) bigmod.Ring {
	return impl.New(newModulus(modulus))
}

// newSquareRing makes the ring of the square of a modulus that is known to be valid.
func newSquareRing(impl bigmod.Implementation, root []byte) bigmod.Ring {
	m := newModulus(root)
	if impl.NewSquare != nil {
		return impl.NewSquare(m)
	}
	square, err := m.Square()
	if err != nil {
		panic(fmt.Sprintf("paillier: modulus of a checked key: %v", err))
	}
	return impl.New(square)
}

func newModulus(be []byte) *bigmod.Modulus {
	m, err := bigmod.NewModulus(be)
	if err != nil {
		panic(fmt.Sprintf("paillier: modulus of a checked key: %v", err))
	}
	return m
}

// lazyTable is a table of powers that the first worker to need it makes.
type lazyTable struct {
	mu    sync.Mutex
	build func() bigmod.Table
	table bigmod.Table
}

func (t *lazyTable) get() bigmod.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil {
		t.table = t.build()
	}
	return t.table
}

// install gives the table that build would make, unless it is there.
func (t *lazyTable) install(table bigmod.Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil {
		t.table = table
	}
}

// bytes is the memory held, 0 before the table exists.
func (t *lazyTable) bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil {
		return 0
	}
	return t.table.Bytes()
}
