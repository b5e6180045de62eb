package vectors

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
)

// FuzzCheck checks what may be a file of encoding vectors. It ends with as many entries as there are, or an error that says
// something, takes no more memory than the file's size justifies, and says the same again.
func FuzzCheck(f *testing.F) {
	data, err := os.ReadFile(local)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("-1")))
	f.Add(bytes.ReplaceAll(data, []byte(`"`), []byte(`"9`)))
	f.Add([]byte(`{"format":"paillier-vectors-1","set":"x","N":"0f"}`))
	f.Add([]byte(`{"format":"paillier-vectors-1","set":"x","N":"00","signed":[{}],"fixed":[{}],"slots":[{}],"pack":[{}],"bounds":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		counts, err := Check(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20+1000*uint64(len(data)) {
			t.Fatalf("%d bytes made it allocate %d", len(data), n)
		}
		if err != nil && (err.Error() == "" || counts != nil) {
			t.Fatalf("%v with %v", err, counts)
		}
		entries := 0
		for _, n := range counts {
			entries += n
		}
		if most := 1 + bytes.Count(data, []byte(",")); entries > most {
			t.Fatalf("%d entries of at most %d", entries, most)
		}
		if _, again := Check(data); (again == nil) != (err == nil) || err != nil && !strings.EqualFold(again.Error(), err.Error()) {
			t.Fatalf("%v, then %v", err, again)
		}
	})
}
