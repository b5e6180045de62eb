package blob

import (
	"context"
	"fmt"
)

// Access is what a job does with a file.
type Access int

const (
	Reads     Access = iota // it reads it: any number of uses may
	ReadsOnce               // it reads it, and what is in it would count twice if another use of this kind were the same file
	Shares                  // it reads and writes it together with other uses of this kind, which alone may be the same file
	Writes                  // it writes it, or adds to it: no other use may be the same file
	Replaces                // it writes a directory, replacing one that is there: no other use may be in it, either
)

func (a Access) writes() bool { return a >= Writes }

// Use is a file that a job uses, and as what.
type Use struct {
	Name   string
	Role   string // as messages call it: "input", "output", "key file"
	Access Access
}

// Uses are the files of a job, none of which may stand in the way of another. The zero value is empty and ready to use. It is
// not safe for concurrent use.
type Uses struct {
	first    map[string]known // by key: the first use of each kind of access that counts
	paths    map[string]known
	within   map[string]known // by key of a directory: the first use that is in it
	replaced map[string]known // directories that are replaced
	objects  map[string][]known
}

type known struct {
	use Use
	id  Identity
}

// Conflict says that two uses of files do not go together.
type Conflict struct {
	Use, Other Use
	Inside     bool // Use is in the directory that Other replaces, or the other way round; else both are one file
}

func (c *Conflict) Error() string {
	a, b := c.Use, c.Other
	switch {
	case c.Inside && a.Access == Replaces:
		return fmt.Sprintf("%s (%s) is in the directory %s (%s), which would be replaced", b.Name, b.Role, a.Name, a.Role)
	case c.Inside:
		return fmt.Sprintf("%s (%s) is in the directory %s (%s), which would be replaced", a.Name, a.Role, b.Name, b.Role)
	case a.Name == b.Name && a.Role == b.Role:
		return fmt.Sprintf("%s is given twice as %s", a.Name, a.Role)
	case a.Name == b.Name:
		return fmt.Sprintf("%s is both %s and %s", a.Name, b.Role, a.Role)
	case a.Role == b.Role:
		return fmt.Sprintf("%s and %s (%s) are the same file", b.Name, a.Name, a.Role)
	}
	return fmt.Sprintf("%s (%s) and %s (%s) are the same file", b.Name, b.Role, a.Name, a.Role)
}

// Add adds a use. It returns a *Conflict when the file, wherever its name leads, is one of an earlier use and
//
//   - one of both writes it, or
//   - one of both shares it with others of its kind, and the other one is of another, or
//   - both are to be read once (ReadsOnce), or
//   - one of both replaces a directory that the other one is in.
//
// Nothing is opened. A use that is refused is not added.
func (u *Uses) Add(ctx context.Context, fs FS, use Use) error {
	id, err := Identify(ctx, fs, use.Name)
	if err != nil {
		return err
	}
	if u.first == nil {
		u.first, u.paths, u.within = make(map[string]known), make(map[string]known), make(map[string]known)
		u.replaced, u.objects = make(map[string]known), make(map[string][]known)
	}
	now := known{use, id}
	if err := u.compare(ctx, now); err != nil {
		return err
	}
	keep := func(m map[string]known, key string) {
		if had, ok := m[key]; !ok || now.use.Access > had.use.Access {
			m[key] = now
		}
	}
	keep(u.first, id.key)
	if id.object == "" {
		keep(u.paths, id.Path)
	} else {
		u.objects[id.object] = append(u.objects[id.object], now)
	}
	for _, dir := range id.above {
		keep(u.within, dir)
	}
	if use.Access == Replaces {
		u.replaced[id.key] = now
	}
	return nil
}

func (u *Uses) compare(ctx context.Context, now known) error {
	same := []known{}
	if had, ok := u.first[now.id.key]; ok {
		same = append(same, had)
	} else if had, ok := u.paths[now.id.Path]; ok && now.id.object == "" {
		same = append(same, had)
	}
	for _, had := range u.objects[now.id.object] {
		if now.id.object == "" || had.id.key == now.id.key || !clash(now.use, had.use) {
			continue
		}
		is, err := now.id.SameObject(ctx, had.id)
		if err != nil {
			return err
		}
		if is {
			same = append(same, had)
		}
	}
	for _, had := range same {
		if clash(now.use, had.use) {
			return &Conflict{Use: now.use, Other: had.use}
		}
	}
	for _, dir := range now.id.above {
		if had, ok := u.replaced[dir]; ok {
			return &Conflict{Use: now.use, Other: had.use, Inside: true}
		}
	}
	if had, ok := u.within[now.id.key]; ok && now.use.Access == Replaces {
		return &Conflict{Use: now.use, Other: had.use, Inside: true}
	}
	return nil
}

// clash reports whether two uses of one file do not go together.
func clash(a, b Use) bool {
	if a.Access.writes() || b.Access.writes() || (a.Access == Shares) != (b.Access == Shares) {
		return true
	}
	return a.Access == ReadsOnce && b.Access == ReadsOnce
}
