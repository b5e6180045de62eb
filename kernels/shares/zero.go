package shares

import (
	"crypto/sha3"
	"encoding/binary"
	"fmt"
)

// PairKey is a secret key of two servers.
type PairKey [32]byte

// zeroShares separates the function of the pair keys from any other use of cSHAKE256.
var zeroShares = []byte("cipherfold zero shares 1")

// AddZeroShares adds a server's shares of zeros to words: with them, the words of all servers have the same sums modulo
// 2^64 as without, and all but these sums is hidden from whoever lacks a key of two servers. That needs no message.
//
// keys[k] is the key of this server and server k, keys[server] is not used, and label names the occasion. All servers use
// the same label and the same number of words. A label is used once: two messages under one label would reveal their
// difference.
//
// The shares are cSHAKE256(key, label): the server with the lower number adds them, the other one subtracts them.
func AddZeroShares(words []uint64, server int, keys []PairKey, label []byte) {
	if server < 0 || server >= len(keys) || len(keys) < 2 {
		panic(fmt.Sprintf("shares: server %d of %d", server, len(keys)))
	}
	var block [136]byte // the rate of the sponge
	for k := range keys {
		if k == server {
			continue
		}
		prf := sha3.NewCSHAKE256(nil, zeroShares)
		prf.Write(keys[k][:])
		prf.Write(label)
		sign := uint64(1)
		if k < server {
			sign = -sign
		}
		for i := range words {
			at := 8 * i % len(block)
			if at == 0 {
				prf.Read(block[:])
			}
			words[i] += sign * binary.LittleEndian.Uint64(block[at:])
		}
	}
}
