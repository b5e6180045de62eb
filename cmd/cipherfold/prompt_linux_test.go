package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a new pseudo-terminal: what a person types goes into the first.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// On a terminal a new passphrase is asked for twice, an old one once, and Ctrl-C ends the asking. Not parallel: the
// standard input is the process's.
func TestPassphrasePrompt(t *testing.T) {
	person, program := openTerminal(t)
	defer func(old *os.File) { os.Stdin = old }(os.Stdin)
	os.Stdin = program
	p := newPlace(t)
	p.seal("secret.json", "secret.age", "correct horse")
	keygen := "keygen --out @/k --bits 1024 --insecure-test-key --quiet"
	for _, c := range []struct {
		name, line string
		typed      []string // nothing: Ctrl-C
		code       int
		err        string
	}{
		{"two that differ", keygen, []string{"one", "two"}, exitUsage, "Passphrase for the secret key: \nOnce more: \ncipherfold: the two passphrases differ\n  hint: Try again.\n"},
		{"an empty one", keygen, []string{"", ""}, exitUsage, "Passphrase for the secret key: \nOnce more: \ncipherfold: the passphrase is empty\n"},
		{"an old one", "inspect @/secret.age", []string{"correct horse"}, exitDone, "Passphrase: \n"},
		{"a wrong one", "inspect @/secret.age", []string{"battery staple"}, exitRefused, "Passphrase: \ncipherfold: secret.age: the passphrase is wrong\n"},
		{"Ctrl-C", keygen, nil, exitInterrupted, "Passphrase for the secret key: \n" + interruptedText},
	} {
		before := p.files()
		ctx, cancel := context.WithCancel(context.Background())
		var out bytes.Buffer
		prompts := &prompted{ask: make(chan bool, 4)}
		done := make(chan int)
		go func() { done <- run(ctx, p.words(c.line), &out, prompts) }()
		for _, text := range c.typed {
			<-prompts.ask
			fmt.Fprintln(person, text)
		}
		if c.typed == nil {
			<-prompts.ask
			time.Sleep(50 * time.Millisecond) // so that the terminal's echo is off
			cancel()
		}
		code := <-done
		cancel()
		if got := strings.ReplaceAll(prompts.String(), p.dir+"/", ""); code != c.code || !strings.HasPrefix(got, c.err) || c.code == exitDone && got != c.err {
			t.Errorf("%s: exit code %d\n%swant %d\n%s", c.name, code, got, c.code, c.err)
		}
		p.unchanged(before)
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil || state.Lflag&unix.ECHO == 0 {
			t.Errorf("%s: the terminal echoes no more (%v)", c.name, err)
		}
	}
}

// prompted is a standard error that tells when a prompt was written.
type prompted struct {
	bytes.Buffer
	ask chan bool
}

func (p *prompted) Write(b []byte) (int, error) {
	n, err := p.Buffer.Write(b)
	if bytes.HasSuffix(b, []byte(": ")) {
		p.ask <- true
	}
	return n, err
}
