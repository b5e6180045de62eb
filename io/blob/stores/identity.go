package stores

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/cipherfold/cipherfold/io/blob"
)

// Identify returns the identity of what a name leads to. Of an object it is the store, bucket and key, whatever other parameters
// the URL has. No store is asked for that; blob.Uses asks for the versions of two objects of one bucket and key on servers of
// different names.
func (s *FS) Identify(ctx context.Context, name string) (blob.Identity, error) {
	local, u, b, err := s.route(ctx, name)
	if err != nil {
		return blob.Identity{}, err
	}
	if b == nil {
		id, err := s.disk.Identify(ctx, local)
		id.Name = name
		return id, err
	}
	return blob.Object(name, u, b.server, func(ctx context.Context) (string, error) {
		o, err := b.stat(ctx, u.Key)
		switch {
		case err == nil:
			return versionText(o.version), nil
		case absent(err):
			return "", nil
		}
		return "", b.error(name, "look at", err)
	}), nil
}

var _ blob.Identifier = (*FS)(nil)

// serverName is the host of an endpoint and what follows it, written in one way: without the scheme and its port, in lower case,
// this machine by one name; "" for none. All endpoints of Amazon lead to the same buckets.
func serverName(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return strings.ToLower(endpoint)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "amazonaws.com" || strings.HasSuffix(host, ".amazonaws.com") {
		return ""
	}
	if ip := net.ParseIP(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	} else if ip != nil {
		host = ip.String()
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return host + strings.TrimRight(u.Path, "/")
}
