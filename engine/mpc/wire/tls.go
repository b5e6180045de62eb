package wire

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// CheckFunc refuses certificates that the roots do not, such as revoked ones. Nil refuses none.
type CheckFunc func(leaf *x509.Certificate) error

// ServerTLS is for the side that accepts connections: TLS 1.3, and only from who shows a certificate of these roots.
func ServerTLS(own tls.Certificate, roots *x509.CertPool, check CheckFunc) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, VerifyConnection: check.verify}
}

// ClientTLS is for the side that connects to the server that a certificate of these roots names.
func ClientTLS(own tls.Certificate, roots *x509.CertPool, name string, check CheckFunc) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: roots, ServerName: name, VerifyConnection: check.verify}
}

func (check CheckFunc) verify(state tls.ConnectionState) error {
	if check == nil || len(state.VerifiedChains) == 0 { // without a verified chain, the handshake fails anyway
		return nil
	}
	return check(state.VerifiedChains[0][0])
}

// CheckName says whether the other side of a connection, after its handshake, has a certificate for a name.
func CheckName(c *tls.Conn, name string) error {
	state := c.ConnectionState()
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 {
		return fmt.Errorf("the connection shows no certificate")
	}
	if leaf := state.VerifiedChains[0][0]; !slices.Contains(leaf.DNSNames, name) {
		return fmt.Errorf("the certificate is for %q, not for %q", leaf.DNSNames, name)
	}
	return nil
}
