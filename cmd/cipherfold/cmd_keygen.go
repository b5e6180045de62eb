package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cipherfold/cipherfold/engine/dataset/ids"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

func init() {
	registerCommand(10, (*app).keygenCommand)
}

func (a *app) keygenCommand() *cobra.Command {
	var (
		out, variant, passphraseFile, importFile string
		tokenKey                                 string
		bits                                     int
		plain, insecure, overwrite, signer, weak bool
	)
	cmd := &cobra.Command{
		Use:   "keygen --out DIR",
		Short: "Make a key pair",
		Long: `Make a key pair: DIR/public.json for owners and the aggregator, and the secret key, encrypted under a
passphrase, as DIR/secret.age (or, with --plain, as DIR/secret.json, readable by you only).

Variants: djn (default) rests on the decisional composite residuosity assumption and half-length exponents;
mhl is several times faster and needs a further, newer assumption; textbook is Paillier's original,
slow to encrypt. See docs/threat-model.md.

With --signer it makes a key that signs instead: DIR/signer.pub for those who check, and the secret part as
DIR/signer.age or, with --plain, DIR/signer.key. Owners sign tables by it (encrypt --sign), aggregators sums (fuse
--sign).

With --token-key FILE it makes a key of tokens instead: 256 random bits, which owners share among themselves, and with
nobody else, to replace ids by tokens (encrypt --tokenize).`,
		Example: `  cipherfold keygen --out keys --passphrase-file pass.txt
  cipherfold keygen --out keys --variant mhl --bits 3072 --plain
  cipherfold keygen --out keys --import phe-private.jwk --plain
  cipherfold keygen --out hospital-a --signer
  cipherfold keygen --token-key token.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if tokenKey != "" {
				return a.makeTokenKey(cmd, tokenKey, overwrite)
			}
			if err := required(cmd.Flags(), helpOf(cmd), "out"); err != nil {
				return err
			}
			if strings.Contains(out, "://") {
				return &commandLineError{fmt.Errorf("--out %s: keys are made on this machine", out), "Name a directory; copy public.json to where the owners can read it."}
			}
			if plain && passphraseFile != "" {
				return &commandLineError{errors.New("--plain and --passphrase-file exclude each other"), "Give one of them."}
			}
			if signer {
				return a.makeSigner(cmd, out, passphraseFile, plain, weak, overwrite)
			}
			v, err := keyKind(variant, bits, insecure)
			if err != nil {
				return err
			}
			if err := a.checkKeyFiles(cmd, out); err != nil {
				return err
			}
			var key paillier.Key
			if importFile != "" {
				k, err := keys.Read(cmd.Context(), a.options(false).Files(), importFile, insecure, a.passphrase(cmd.Context(), passphraseFile))
				if err != nil {
					return err
				}
				if key = k.Public; k.Secret != nil {
					a.warnOfReaders(cmd.Context(), "the secret key", importFile)
					key = k.Secret
				}
			}
			secretFile := "secret.age"
			if _, public := key.(*paillier.PublicKey); public {
				secretFile = ""
			} else if plain {
				secretFile = "secret.json"
			}
			if !overwrite {
				if err := notThere(filepath.Join(out, "public.json"), filepath.Join(out, secretFile)); err != nil {
					return err
				}
			}
			var passphrase []byte
			if secretFile == "secret.age" {
				if passphrase, err = a.newPassphrase(cmd.Context(), passphraseFile, weak); err != nil {
					return err
				}
			}
			if key == nil {
				if key, err = paillier.GenerateKey(cmd.Context(), rand.Reader, v, bits, insecure); err != nil {
					return err
				}
			}
			if err := makeDirectory(out); err != nil {
				return err
			}
			public, secret, err := keys.Write(cmd.Context(), a.options(overwrite), out, key, passphrase)
			if err != nil {
				return err
			}
			for _, other := range []string{"secret.age", "secret.json"} {
				if other != secretFile && notThere(filepath.Join(out, other)) != nil {
					a.log.Warn(filepath.Join(out, other) + " was there before and is left as it was")
				}
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
	f.StringVar(&out, "out", "", "`DIR` directory for the two files")
	f.StringVar(&variant, "variant", "djn", "`NAME` variant: djn, mhl or textbook")
	f.IntVar(&bits, "bits", 3072, "`N` size of the modulus: 2048, 3072 or 4096")
	f.StringVar(&passphraseFile, "passphrase-file", "", "`FILE` its first line is the passphrase (default: ask on the terminal)")
	f.BoolVar(&plain, "plain", false, "write the secret key unencrypted")
	f.StringVar(&importFile, "import", "", "`FILE` take the key from a JWK of python-paillier, or a key file, instead of making one")
	f.StringVar(&tokenKey, "token-key", "", "`FILE` make a key of tokens there, and nothing else")
	f.BoolVar(&signer, "signer", false, "make a key that signs tables, and nothing else")
	f.BoolVar(&weak, "insecure-passphrase", false, "allow a passphrase of fewer than 8 characters, for tests")
	f.BoolVar(&insecure, "insecure-test-key", false, "allow fewer than 2048 bits, for tests")
	f.BoolVar(&overwrite, "overwrite", false, "replace keys that exist")
	return cmd
}

// checkKeyFiles refuses to replace, by the key files of a directory, a file that the key is made from.
func (a *app) checkKeyFiles(cmd *cobra.Command, out string) error {
	var files []job.FileUse
	for _, name := range []string{"public.json", "secret.age", "secret.json"} {
		files = append(files, job.FileUse{Option: "‹out›", Name: filepath.Join(out, name), Access: job.Writes})
	}
	return a.checkFiles(cmd.Context(), cmd.Flags(), files...)
}

// makeSigner writes a new key that signs.
func (a *app) makeSigner(cmd *cobra.Command, out, passphraseFile string, plain, weak, overwrite bool) error {
	for _, other := range []string{"variant", "bits", "import", "insecure-test-key"} {
		if cmd.Flags().Changed(other) {
			return &commandLineError{fmt.Errorf("--signer and --%s exclude each other", other), "Make the two keys one after the other."}
		}
	}
	if !overwrite {
		if err := notThere(filepath.Join(out, trust.PublicFile), filepath.Join(out, trust.SecretFile), filepath.Join(out, trust.SecretPlain)); err != nil {
			return err
		}
	}
	var passphrase []byte
	if !plain {
		var err error
		if passphrase, err = a.newPassphrase(cmd.Context(), passphraseFile, weak); err != nil {
			return err
		}
	}
	s, err := trust.NewSigner()
	if err != nil {
		return err
	}
	if err := makeDirectory(out); err != nil {
		return err
	}
	public, secret, err := trust.WriteSigner(cmd.Context(), a.options(overwrite), out, s, passphrase)
	if err != nil {
		return err
	}
	return a.print(map[string]any{"public": public, "secret": secret, "fingerprint": s.Fingerprint()}, func(w io.Writer) {
		fmt.Fprintf(w, "public key   %s\nsecret key   %s\nfingerprint  %s\n", public, secret, s.Fingerprint())
	})
}

// makeTokenKey writes a new key of tokens.
func (a *app) makeTokenKey(cmd *cobra.Command, name string, overwrite bool) error {
	for _, other := range []string{"out", "variant", "bits", "passphrase-file", "plain", "import", "insecure-passphrase", "insecure-test-key"} {
		if cmd.Flags().Changed(other) {
			return &commandLineError{fmt.Errorf("--token-key and --%s exclude each other", other), "Make the two keys one after the other."}
		}
	}
	check, err := ids.CreateTokenKey(cmd.Context(), a.unwatched(overwrite), name)
	if err != nil {
		return err
	}
	return a.print(map[string]any{"token_key": name, "check": check}, func(w io.Writer) {
		fmt.Fprintf(w, "token key    %s\ncheck value  %s\n", name, check)
	})
}

// notThere refuses to make a key when one of its files exists, before anyone has typed a passphrase for it.
func notThere(names ...string) error {
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && !info.IsDir() {
			return &outputError{name, "already exists", "Choose another directory, or pass --overwrite to replace the key."}
		}
	}
	return nil
}

// keyKind checks what kind of key is asked for.
func keyKind(variant string, bits int, insecure bool) (paillier.Variant, error) {
	v, err := paillier.ParseVariant(variant)
	switch {
	case err != nil:
		return "", &commandLineError{fmt.Errorf("--variant %s is unknown", variant), "Choose djn, mhl or textbook."}
	case bits < 2048 && insecure && bits >= 512 && bits%128 == 0:
		return v, nil
	case bits < 2048 && insecure:
		return "", &commandLineError{fmt.Errorf("--bits %d: a test key has a multiple of 128 bits from 512 on", bits), "Choose 1024."}
	case bits < 2048:
		return "", &commandLineError{fmt.Errorf("--bits %d protects nothing", bits),
			"Choose 2048, 3072 or 4096; --insecure-test-key allows fewer, for tests without real data."}
	case bits != 2048 && bits != 3072 && bits != 4096:
		return "", &commandLineError{fmt.Errorf("--bits %d is not a size for keys", bits), "Choose 2048, 3072 or 4096."}
	}
	return v, nil
}

// passphrase returns how to get the passphrase of an existing secret key.
func (a *app) passphrase(ctx context.Context, file string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if file != "" {
			return a.readPassphrase(ctx, file)
		}
		if !terminal(os.Stdin) {
			return nil, &commandLineError{errors.New("the secret key is encrypted under a passphrase"), "Give --passphrase-file."}
		}
		return a.ask(ctx, "Passphrase: ")
	}
}

// newPassphrase gets the passphrase for a new secret key; on a terminal it is asked for twice.
func (a *app) newPassphrase(ctx context.Context, file string, weak bool) ([]byte, error) {
	if file != "" {
		passphrase, err := a.readPassphrase(ctx, file)
		if err != nil {
			return nil, err
		}
		return strong(passphrase, weak)
	}
	if !terminal(os.Stdin) {
		return nil, &commandLineError{errors.New("no passphrase for the secret key"), "Give --passphrase-file, or --plain to write it unencrypted."}
	}
	first, err := a.ask(ctx, "Passphrase for the secret key: ")
	if err != nil {
		return nil, err
	}
	again, err := a.ask(ctx, "Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, &commandLineError{errors.New("the two passphrases differ"), "Try again."}
	}
	if first, err = notEmpty(first, "the passphrase"); err != nil {
		return nil, err
	}
	return strong(first, weak)
}

// passphraseMin is how many characters a new passphrase has at least: fewer are found by trying, in spite of scrypt.
const passphraseMin = 8

// strong refuses a new passphrase that is too short, unless that is wanted.
func strong(passphrase []byte, weak bool) ([]byte, error) {
	if n := utf8.RuneCount(passphrase); n < passphraseMin && !weak {
		return nil, &commandLineError{fmt.Errorf("the passphrase has %s, and fewer than %d are found by trying", count(int64(n), "character"), passphraseMin),
			"Choose several words. --insecure-passphrase allows fewer characters, for tests."}
	}
	return passphrase, nil
}

// ask reads a passphrase from the terminal, which shows nothing of it, until Enter or Ctrl-C.
func (a *app) ask(ctx context.Context, prompt string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	terminal := int(os.Stdin.Fd())
	state, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(a.err, prompt)
	defer fmt.Fprintln(a.err)
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- answer{text, err}
	}()
	select {
	case x := <-read:
		return x.text, x.err
	case <-ctx.Done(): // the process ends soon, and with it the reading
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, state))
	}
}

func (a *app) readPassphrase(ctx context.Context, file string) ([]byte, error) {
	a.warnOfReaders(ctx, "the passphrase", file)
	data, err := os.ReadFile(file)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, &commandLineError{fmt.Errorf("--passphrase-file %s: %w", file, err), "Name a file whose first line is the passphrase."}
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return notEmpty(bytes.TrimSuffix(line, []byte("\r")), "the first line of "+file)
}

func notEmpty(passphrase []byte, what string) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, &commandLineError{fmt.Errorf("%s is empty", what), "Give a passphrase, or --plain to write a new secret key unencrypted."}
	}
	return passphrase, nil
}
