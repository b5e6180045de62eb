package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestBadKeys(t *testing.T) {
	one := textOf("a.csv", "id,x", "a,1")
	encrypt := func(key string) string {
		return "encrypt --in @/a.csv --out @/o.cf.parquet --id id --measure x:max=9 --key " + key
	}
	sealed := func(p *place) {
		one(p)
		p.lines("pass", "correct horse")
		p.lines("wrong", "battery staple")
		p.key("k", "djn")
		p.seal("k/secret.json", "k/secret.age", "correct horse")
		p.ok("encrypt --in @/a.csv --out @/a.cf.parquet --id id --measure x:max=9 --key @/k/public.json")
	}
	checkRefusals(t, []refusal{
		{name: "no such key", setup: one, line: encrypt("@/nokey.json"),
			cause: "nokey.json: no such file", hint: hintPath, at: "nokey.json"},
		{name: "empty key file", setup: setups(one, func(p *place) { p.write("k.json", "") }), line: encrypt("@/k.json"),
			cause: "k.json: paillier key: not a valid key file: not JSON: unexpected end of JSON input", hint: hintKeyFile, at: "k.json"},
		{name: "not a key", setup: one, line: encrypt("@/a.csv"),
			cause: "a.csv: paillier key: not a valid key file: not JSON: invalid character 'i' looking for beginning of value", hint: hintKeyFile, at: "a.csv"},
		{name: "key of another version", setup: setups(one, func(p *place) { p.patch("public.json", `"cipherfold.version": 1`, `"cipherfold.version": 7`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: unknown key file version: field "cipherfold.version": version 7, this program knows 1`, hint: "Use the version of the program that wrote the file, or a newer one.", at: "public.json"},
		{name: "key with a changed fingerprint", setup: setups(one, func(p *place) {
			p.patch("public.json", `"fingerprint": "`+fmt.Sprint(jsonField(p, "public.json", "fingerprint")), `"fingerprint": "`+strings.Repeat("0", 64))
		}), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: wrong fingerprint: field "fingerprint": the file says "0000000000000000000000000000000000000000000000000000000000000000", the key has <djn>`, hint: hintDamagedK, at: "public.json"},
		{name: "key with a changed modulus", setup: setups(one, func(p *place) {
			n := fmt.Sprint(jsonField(p, "secret.json", "n"))
			p.patch("secret.json", n, strings.Repeat("e", len(n)))
		}), line: encrypt("@/secret.json"),
			cause: `secret.json: paillier key: bad modulus: field "n": N is even`, hint: hintDamagedK, at: "secret.json"},
		{name: "key with a changed prime", setup: setups(one, func(p *place) {
			q := fmt.Sprint(jsonField(p, "secret.json", "q"))
			p.patch("secret.json", q, q[:len(q)-1]+"0")
		}), line: encrypt("@/secret.json"),
			cause: `secret.json: paillier key: bad prime: field "q": not a prime`, hint: hintDamagedK, at: "secret.json"},
		{name: "key not marked as a test key", setup: setups(one, func(p *place) { p.patch("public.json", `"test_key": true`, `"test_key":false`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: key size not allowed: field "test_key": false does not agree with 1024 bits`, hint: "Keys below 2048 bits are test keys, and only those.", at: "public.json"},
		{name: "key cut off", setup: setups(one, func(p *place) { p.truncate("public.json", 0.5) }), line: encrypt("@/public.json"),
			cause: "public.json: paillier key: not a valid key file: not JSON: unexpected end of JSON input", hint: hintKeyFile, at: "public.json"},
		{name: "key with an unknown field", setup: setups(one, func(p *place) { p.patch("public.json", `"rbits"`, `"rbitz"`) }), line: encrypt("@/public.json"),
			cause: `public.json: paillier key: not a valid key file: field "rbits": missing`, hint: hintBadKey, at: "public.json"},
		{name: "an encrypted table as a key", setup: sealed, line: encrypt("@/a.cf.parquet"),
			cause: "a.cf.parquet: paillier key: not a valid key file: byte 11 is an escape or not ASCII", hint: hintKeyFile, at: "a.cf.parquet"},
		{name: "passphrase missing", setup: sealed, line: encrypt("@/k/secret.age"), code: exitUsage,
			cause: "the secret key is encrypted under a passphrase", hint: "Give --passphrase-file."},
		{name: "passphrase wrong, encrypt", setup: sealed, line: encrypt("@/k/secret.age --passphrase-file @/wrong"),
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase wrong, decrypt", setup: sealed, line: "decrypt --key @/k/secret.age --in @/a.cf.parquet --out @/r.csv --passphrase-file @/wrong",
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase wrong, inspect", setup: sealed, line: "inspect @/k/secret.age --passphrase-file @/wrong",
			cause: "k/secret.age: the passphrase is wrong", hint: hintPass, at: "k/secret.age"},
		{name: "passphrase file missing", setup: sealed, line: encrypt("@/k/secret.age --passphrase-file @/nopass"), code: exitUsage,
			cause: "--passphrase-file nopass: no such file or directory", hint: "Name a file whose first line is the passphrase."},
		{name: "passphrase file empty", setup: setups(sealed, textOf("empty", "", "second line")), line: encrypt("@/k/secret.age --passphrase-file @/empty"), code: exitUsage,
			cause: "the first line of empty is empty", hint: "Give a passphrase, or --plain to write a new secret key unencrypted."},
		{name: "secret key damaged", setup: setups(sealed, func(p *place) {
			data := p.read("k/secret.age")
			data[len(data)-20] ^= 1
			p.write("k/secret.age", string(data))
		}), line: encrypt("@/k/secret.age --passphrase-file @/pass"),
			cause: "k/secret.age: damaged key file: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with", hint: "Copy the key file again from where it is kept.", at: "k/secret.age"},
		{name: "secret key cut off", setup: setups(sealed, func(p *place) { p.truncate("k/secret.age", 0.8) }), line: encrypt("@/k/secret.age --passphrase-file @/pass"),
			cause: "k/secret.age: damaged key file: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with", hint: "Copy the key file again from where it is kept.", at: "k/secret.age"},
	})
}

func jsonField(p *place, file, name string) any {
	p.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(p.read(file), &v); err != nil {
		p.t.Fatal(err)
	}
	return v[name]
}

func TestBadKeygen(t *testing.T) {
	small := " --bits 1024 --insecure-test-key"
	checkRefusals(t, []refusal{
		{name: "keys that exist", line: "keygen --out @/ --plain" + small,
			cause: "public.json: already exists", hint: "Choose another directory, or pass --overwrite to replace the key.", at: "public.json"},
		{name: "secret key that exists", setup: textOf("k/secret.json", "precious"), line: "keygen --out @/k --plain" + small,
			cause: "k/secret.json: already exists", hint: "Choose another directory, or pass --overwrite to replace the key.", at: "k/secret.json"},
		{name: "directory below a file", line: "keygen --out @/public.json/k --plain" + small,
			cause: "public.json/k: cannot create the directory: part of the path is a file", hint: "Name another directory.", at: "public.json/k"},
		{name: "directory is a file", line: "keygen --out @/public.json --plain" + small,
			cause: "public.json: cannot create the directory: part of the path is a file", hint: "Name another directory.", at: "public.json"},
		{name: "no directory", line: "keygen --plain", code: exitUsage,
			cause: "--out is missing", hint: "See: cipherfold keygen --help"},
		{name: "no passphrase", line: "keygen --out @/k" + small, code: exitUsage,
			cause: "no passphrase for the secret key", hint: "Give --passphrase-file, or --plain to write it unencrypted."},
		{name: "plain and passphrase", line: "keygen --out @/k --plain --passphrase-file @/p" + small, code: exitUsage,
			cause: "--plain and --passphrase-file exclude each other", hint: "Give one of them."},
		{name: "passphrase file missing", line: "keygen --out @/k --passphrase-file @/p" + small, code: exitUsage,
			cause: "--passphrase-file p: no such file or directory", hint: "Name a file whose first line is the passphrase."},
		{name: "passphrase file empty", setup: textOf("p", ""), line: "keygen --out @/k --passphrase-file @/p" + small, code: exitUsage,
			cause: "the first line of p is empty", hint: "Give a passphrase, or --plain to write a new secret key unencrypted."},
		{name: "unknown variant", line: "keygen --out @/k --plain --variant rsa", code: exitUsage,
			cause: "--variant rsa is unknown", hint: "Choose djn, mhl or textbook."},
		{name: "small without consent", line: "keygen --out @/k --plain --bits 1024", code: exitUsage,
			cause: "--bits 1024 protects nothing", hint: "Choose 2048, 3072 or 4096; --insecure-test-key allows fewer, for tests without real data."},
		{name: "odd size", line: "keygen --out @/k --plain --bits 2049", code: exitUsage,
			cause: "--bits 2049 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "uncommon size", line: "keygen --out @/k --plain --bits 2176", code: exitUsage,
			cause: "--bits 2176 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "too large", line: "keygen --out @/k --plain --bits 8192", code: exitUsage,
			cause: "--bits 8192 is not a size for keys", hint: "Choose 2048, 3072 or 4096."},
		{name: "import of no key", setup: textOf("a.jwk", "{}"), line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: not a valid key file: field "cipherfold.version": missing`, hint: hintBadKey, at: "a.jwk"},
		{name: "import of a JWK of another kind", setup: textOf("a.jwk", `{"kty":"RSA","n":"AQAB"}`), line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: not a valid key file: field "kty": "RSA", not "DAJ"`, hint: "Only keys of python-paillier can be imported.", at: "a.jwk"},
		{name: "import of a small JWK without consent", setup: func(p *place) { p.ok("inspect @/secret.json --export @/a.jwk") }, line: "keygen --out @/k --plain --import @/a.jwk",
			cause: `a.jwk: paillier key: key size not allowed: field "bits": 1024 bits protect nothing`, hint: "Use 2048 bits or more; --insecure-test-key allows fewer, for tests without real data.", at: "a.jwk"},
		{name: "import of a secret JWK without a passphrase", setup: func(p *place) { p.ok("inspect @/secret.json --export @/a.jwk") }, line: "keygen --out @/k --insecure-test-key --import @/a.jwk", code: exitUsage,
			cause: "no passphrase for the secret key", hint: "Give --passphrase-file, or --plain to write it unencrypted."},
		{name: "import of a damaged JWK", setup: func(p *place) {
			p.ok("inspect @/secret.json --export @/a.jwk")
			q := fmt.Sprint(jsonField(p, "a.jwk", "q"))
			p.patch("a.jwk", q, q[:len(q)-1]+"A") // an even number: other damage of a random prime may be a prime
		}, line: "keygen --out @/k --plain --insecure-test-key --import @/a.jwk",
			cause: `a.jwk: paillier key: bad prime: field "q": not a prime`, hint: hintDamagedK, at: "a.jwk"},
		{name: "import of nothing", line: "keygen --out @/k --plain --import @/a.jwk",
			cause: "a.jwk: no such file", hint: hintPath, at: "a.jwk"},
	})
}
