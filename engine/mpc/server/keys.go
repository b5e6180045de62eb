package server

import (
	"context"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/paillier"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// Files of a server's keys, in one directory.
const (
	pairKeyFile = "pair.key"
	PublicFile  = "server.json" // for the other servers
)

// public is what a server gives the others.
type public struct {
	Version  int             `json:"version"`
	Name     string          `json:"name"`
	Paillier json.RawMessage `json:"paillier"`
	X25519   []byte          `json:"x25519"`
}

const publicVersion = 1

// Keygen makes the keys of a server in a directory: a Paillier key as for anybody (public.json, and secret.json or
// secret.age), an X25519 key for the secrets that it has with each other server (pair.key), and both public keys in
// server.json, for the other servers.
func Keygen(ctx context.Context, o job.Options, dir, name string, variant paillier.Variant, bits int, insecure bool, passphrase []byte) (fingerprint string, err error) {
	for _, f := range []string{"public.json", "secret.json", "secret.age", pairKeyFile, PublicFile} {
		if _, err := os.Lstat(filepath.Join(dir, f)); err == nil {
			return "", job.Misuse("Name another directory, or move the files away.", "%s: there is a key already (%s)", dir, f)
		}
	}
	sk, err := paillier.GenerateKey(ctx, rand.Reader, variant, bits, insecure)
	if err != nil {
		return "", err
	}
	pair, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if _, _, err := keys.Write(ctx, o, dir, sk, passphrase); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, pairKeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(public{Version: publicVersion, Name: name, Paillier: sk.Public().MarshalPublic(), X25519: pair.PublicKey().Bytes()}, "", "  ")
	if err != nil {
		return "", err
	}
	return sk.Public().Fingerprint(), os.WriteFile(filepath.Join(dir, PublicFile), append(text, '\n'), 0o644)
}

// keyring is all keys of a server.
type keyring struct {
	secret *paillier.SecretKey
	public []*paillier.PublicKey // of all servers
	pairs  []shares.PairKey
	digest [32]byte // of the public keys of pairs
}

// readKeys reads a server's own keys and the public ones of all.
func readKeys(ctx context.Context, c *Config) (*keyring, error) {
	var passphrase func() ([]byte, error)
	secret := filepath.Join(c.Keys, "secret.json")
	if c.PassphraseFile != "" {
		secret = filepath.Join(c.Keys, "secret.age")
		passphrase = func() ([]byte, error) {
			data, err := os.ReadFile(c.PassphraseFile)
			line, _, _ := strings.Cut(string(data), "\n")
			return []byte(strings.TrimSuffix(line, "\r")), err
		}
	}
	o := job.Options{}.WithDefaults()
	own, err := keys.Read(ctx, o.FS, secret, c.InsecureTestKeys, passphrase)
	if err != nil {
		return nil, err
	}
	if own.Secret == nil {
		return nil, job.Misuse("Name the directory that «mpc keygen» made.", "%s: the file has no secret key", secret)
	}
	pair, err := readPairKey(filepath.Join(c.Keys, pairKeyFile))
	if err != nil {
		return nil, err
	}
	k := &keyring{secret: own.Secret}
	var points [][]byte
	for _, s := range c.Servers {
		p, pk, err := readPublic(s, c.InsecureTestKeys)
		if err != nil {
			return nil, err
		}
		k.public, points = append(k.public, pk), append(points, p.X25519)
	}
	me := c.number()
	if k.public[me].Fingerprint() != own.Public.Fingerprint() || string(points[me]) != string(pair.PublicKey().Bytes()) {
		return nil, job.Misuse("Give the others the file "+PublicFile+" from the directory of keys, and name it here too.",
			"%s: the public keys of this server are not those of %s", c.Servers[me].Public, c.Keys)
	}
	hash := sha256.New()
	for j, point := range points {
		hash.Write(point)
		if slices.ContainsFunc(points[:j], func(p []byte) bool { return string(p) == string(point) }) {
			return nil, job.Misuse("Each server makes its own keys.", "%s: another server has the same key", c.Servers[j].Public)
		}
		key, err := pairKey(pair, c.Servers[me].Name, c.Servers[j].Name, point)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Servers[j].Public, err)
		}
		k.pairs = append(k.pairs, key)
	}
	k.digest = [32]byte(hash.Sum(nil))
	return k, nil
}

// pairKey agrees on the secret of two servers: HKDF-SHA-256 of their X25519 secret, about both names and public keys.
func pairKey(own *ecdh.PrivateKey, ownName, peerName string, peer []byte) (key shares.PairKey, err error) {
	point, err := ecdh.X25519().NewPublicKey(peer)
	if err != nil {
		return key, err
	}
	secret, err := own.ECDH(point)
	if err != nil {
		return key, err
	}
	sides := []string{fmt.Sprintf("%q %x", ownName, own.PublicKey().Bytes()), fmt.Sprintf("%q %x", peerName, peer)}
	slices.Sort(sides)
	out, err := hkdf.Key(sha256.New, secret, nil, "cipherfold key of a pair of servers 1 "+strings.Join(sides, " "), len(key))
	copy(key[:], out)
	return key, err
}

func readPairKey(name string) (*ecdh.PrivateKey, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, job.Misuse("Copy the file again from where it is kept.", "%s: no private key in the file", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	pair, ok := key.(*ecdh.PrivateKey)
	if err != nil || !ok {
		return nil, job.Misuse("Copy the file again from where it is kept.", "%s: no X25519 key in the file", name)
	}
	return pair, nil
}

func readPublic(s Peer, insecure bool) (*public, *paillier.PublicKey, error) {
	data, err := os.ReadFile(s.Public)
	if err != nil {
		return nil, nil, err
	}
	refuse := func(format string, args ...any) error {
		return job.Misuse("Get "+PublicFile+" of that server again, from the one who runs it.", s.Public+": "+format, args...)
	}
	p := new(public)
	if err := strictjson.Decode(data, p); err != nil {
		return nil, nil, refuse("no public keys of a server: %v", err)
	}
	if p.Version != publicVersion {
		return nil, nil, refuse("version %d, not %d", p.Version, publicVersion)
	}
	if p.Name != s.Name {
		return nil, nil, refuse("the keys are those of %q, not of %q", p.Name, s.Name)
	}
	key, err := paillier.ParseKey(p.Paillier)
	if err != nil {
		return nil, nil, refuse("%v", err)
	}
	pk, ok := key.(*paillier.PublicKey)
	if !ok {
		return nil, nil, refuse("a secret key is in the file, which others have: make new keys")
	}
	if pk.Test() && !insecure {
		return nil, nil, refuse("a key of %d bits is for tests only", pk.Bits())
	}
	return p, pk, nil
}
