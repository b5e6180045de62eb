package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func (a *app) keygenCommand() *cobra.Command {
	var (
		out, variant, passphraseFile, importFile string
		bits                                     int
		plain, insecure, overwrite               bool
	)
	cmd := &cobra.Command{
		Use:   "keygen --out DIR",
		Short: "Make a key pair",
		Long: `Make a key pair: DIR/public.json for owners and the aggregator, and the secret key, encrypted under a
passphrase, as DIR/secret.age (or, with --plain, as DIR/secret.json, readable by you only).

Variants: djn (default) rests on the decisional composite residuosity assumption and half-length exponents;
mhl is several times faster and needs a further, newer assumption; textbook is Paillier's original,
slow to encrypt. See docs/threat-model.md.`,
		Example: `  cipherfold keygen --out keys --passphrase-file pass.txt
  cipherfold keygen --out keys --variant mhl --bits 3072 --plain
  cipherfold keygen --out keys --import phe-private.jwk --plain`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "out"); err != nil {
				return err
			}
			if plain && passphraseFile != "" {
				return &commandLineError{errors.New("--plain and --passphrase-file exclude each other"), ""}
			}
			var key paillier.Key
			var err error
			if importFile != "" {
				k, err := job.ReadKey(cmd.Context(), a.options(false).Files(), importFile, insecure, a.passphrase(passphraseFile))
				if err != nil {
					return err
				}
				if key = k.Public; k.Secret != nil {
					key = k.Secret
				}
			}
			var passphrase []byte
			if _, public := key.(*paillier.PublicKey); !plain && !public {
				if passphrase, err = a.newPassphrase(passphraseFile); err != nil {
					return err
				}
			}
			if key == nil {
				v, err := paillier.ParseVariant(variant)
				if err != nil {
					return err
				}
				if key, err = paillier.GenerateKey(cmd.Context(), rand.Reader, v, bits, insecure); err != nil {
					return err
				}
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			public, secret, err := job.WriteKey(cmd.Context(), a.options(overwrite), out, key, passphrase)
			if err != nil {
				return err
			}
			pk := key.Public()
			if pk.Test() {
				a.log.Warn("this key is below 2048 bits: for tests only, it protects nothing")
			} else if pk.Bits() < 3072 {
				a.log.Info("2048 bits give 112 bits of security; 3072 bits give 128")
			}
			return a.print(map[string]any{"public": public, "secret": secret, "fingerprint": pk.Fingerprint(), "variant": pk.Variant(), "bits": pk.Bits()}, func(w io.Writer) {
				fmt.Fprintf(w, "public key   %s\n", public)
				if secret != "" {
					fmt.Fprintf(w, "secret key   %s\n", secret)
				}
				fmt.Fprintf(w, "variant      %s, %d bits\nfingerprint  %s\n", pk.Variant(), pk.Bits(), pk.Fingerprint())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "directory for the two files")
	f.StringVar(&variant, "variant", "djn", "djn, mhl or textbook")
	f.IntVar(&bits, "bits", 3072, "size of the modulus: 2048, 3072 or 4096")
	f.StringVar(&passphraseFile, "passphrase-file", "", "file whose first line is the passphrase (default: ask on the terminal)")
	f.BoolVar(&plain, "plain", false, "write the secret key unencrypted")
	f.StringVar(&importFile, "import", "", "take the key from a JWK of python-paillier, or a key file, instead of making one")
	f.BoolVar(&insecure, "insecure-test-key", false, "allow fewer than 2048 bits, for tests")
	f.BoolVar(&overwrite, "overwrite", false, "replace keys that exist")
	return cmd
}

// passphrase returns how to get the passphrase of an existing secret key.
func (a *app) passphrase(file string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if file != "" {
			return readPassphrase(file)
		}
		if !terminal(os.Stdin) {
			return nil, &commandLineError{errors.New("the key is encrypted under a passphrase"), "Give --passphrase-file."}
		}
		return a.ask("Passphrase: ")
	}
}

// newPassphrase gets the passphrase for a new secret key; on a terminal it is asked for twice.
func (a *app) newPassphrase(file string) ([]byte, error) {
	if file != "" {
		return readPassphrase(file)
	}
	if !terminal(os.Stdin) {
		return nil, &commandLineError{errors.New("no passphrase for the secret key"), "Give --passphrase-file, or --plain to write it unencrypted."}
	}
	first, err := a.ask("Passphrase for the secret key: ")
	if err != nil {
		return nil, err
	}
	again, err := a.ask("Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, &commandLineError{errors.New("the two passphrases differ"), ""}
	}
	return notEmpty(first, "the passphrase")
}

func (a *app) ask(prompt string) ([]byte, error) {
	fmt.Fprint(a.err, prompt)
	defer fmt.Fprintln(a.err)
	return term.ReadPassword(int(os.Stdin.Fd()))
}

func readPassphrase(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &commandLineError{fmt.Errorf("--passphrase-file: %w", err), ""}
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return notEmpty(bytes.TrimSuffix(line, []byte("\r")), "the first line of "+file)
}

func notEmpty(passphrase []byte, what string) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, &commandLineError{fmt.Errorf("%s is empty", what), ""}
	}
	return passphrase, nil
}
