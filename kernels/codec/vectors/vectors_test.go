package vectors

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// shared is the encoding file of the shared vectors, beside the repository.
const shared = "../../../../shared/vectors/public-encoding.json"

// local is a small file of the same format that is always there.
const local = "testdata/public-encoding-small.json"

func TestCheckEveryEntry(t *testing.T) {
	for name, want := range map[string]int{local: 21, shared: 69} {
		data, err := os.ReadFile(name)
		if err != nil && name == shared {
			t.Logf("NOT CHECKED: %v (the shared vectors are not beside this checkout)", err)
			continue
		}
		counts, err := Check(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		if total != want {
			t.Errorf("%s: %d entries checked, want %d: %v", name, total, want, counts)
		}
	}
}

// Any single changed byte makes the check fail, unless the file is then as true as before. That is so for white space,
// a number that rounds to the same result, a key length with room for just as many slots, and the sign of a refused
// edge.
func TestAnyChangedByteFails(t *testing.T) {
	data, err := os.ReadFile(local)
	if err != nil {
		t.Fatal(err)
	}
	stillTrue := map[string]bool{`"x": "2.5"`: true, `"bits": 1024`: true, `"bits": 2048`: true, `"max_adds": 1048576`: true, `-524288`: true}
	inString := false
	caught := 0
	for i, b := range data {
		if b == '"' {
			inString = !inString
		}
		if !inString && (b == ' ' || b == '\n') {
			continue
		}
		line := string(data[bytes.LastIndexByte(data[:i], '\n')+1 : i+bytes.IndexByte(data[i:], '\n')])
		for _, change := range []byte{b ^ 1, b ^ 2, b ^ 0x10, b ^ 0x20} {
			changed := append([]byte(nil), data...)
			changed[i] = change
			if _, err := Check(changed); err != nil {
				caught++
			} else if !stillTrue[strings.Trim(line, " ,")] {
				t.Errorf("byte %d changed from %q to %q goes unnoticed in %s", i, b, change, line)
			}
		}
	}
	if caught < 4*1500 {
		t.Errorf("only %d changes were caught", caught)
	}
}
