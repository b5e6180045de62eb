package wire

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// ServerTLS is for the side that accepts connections: TLS 1.3, and only from who shows a certificate of these roots.
func ServerTLS(own tls.Certificate, roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
}

// ClientTLS is for the side that connects to the server that a certificate of these roots names.
func ClientTLS(own tls.Certificate, roots *x509.CertPool, name string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: roots, ServerName: name}
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
