package access

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/cipherfold/cipherfold/engine/mpc/store"
)

// Role is what somebody does in the system.
type Role string

// Roles.
const (
	Server     Role = "server"
	Gateway    Role = "gateway"
	Physician  Role = "physician"
	Researcher Role = "researcher"
)

// Roles lists all of them.
var Roles = []Role{Server, Gateway, Physician, Researcher}

// Identity is who a certificate is for.
type Identity struct {
	Role Role
	Name string
}

func (i Identity) String() string { return string(i.Role) + " " + i.Name }

const uriPrefix = "urn:cipherfold:"

// uri is how a certificate names an identity.
func (i Identity) uri() string { return uriPrefix + string(i.Role) + ":" + i.Name }

// check refuses names that a certificate cannot have.
func (i Identity) check() error {
	known := false
	for _, r := range Roles {
		known = known || r == i.Role
	}
	if !known {
		return fmt.Errorf("%q is no role: there are server, gateway, physician and researcher", i.Role)
	}
	if err := store.CheckName("name", i.Name); err != nil {
		return err
	}
	if len(i.Name) > 64 || strings.Trim(i.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@") != "" {
		return fmt.Errorf("the name %q: use up to 64 letters, digits and . - _ @", i.Name)
	}
	return nil
}

// IdentityOf reads the identity of a certificate.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	var found []Identity
	for _, u := range cert.URIs {
		if rest, ok := strings.CutPrefix(u.String(), uriPrefix); ok {
			role, name, _ := strings.Cut(rest, ":")
			found = append(found, Identity{Role(role), name})
		}
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("the certificate of %q names %d roles, not one: it needs one URI such as %sresearcher:NAME", cert.Subject.CommonName, len(found), uriPrefix)
	}
	if err := found[0].check(); err != nil {
		return Identity{}, fmt.Errorf("the certificate of %q: %w", cert.Subject.CommonName, err)
	}
	return found[0], nil
}
