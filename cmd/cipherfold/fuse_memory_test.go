package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cipherfold/cipherfold/bench"
)

// The memory that a fusion by group asks for is enough, and it is what it uses, of narrow and of wide tables.
func TestFuseMemory(t *testing.T) {
	t.Setenv(asProgram, "1")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, measures := range []int{1, 3000} {
		p := newPlace(t)
		const rows = 24
		for _, owner := range []string{"a", "b"} {
			var text strings.Builder
			text.WriteString("id,ward")
			for m := range measures {
				fmt.Fprintf(&text, ",v%d", m)
			}
			for r := range rows {
				fmt.Fprintf(&text, "\n%s%d,w%d", owner, r, r%3)
				text.WriteString(strings.Repeat(","+strconv.Itoa(r), measures))
			}
			p.write(owner+".csv", text.String()+"\n")
			p.ok("encrypt --key @/public.json --in @/" + owner + ".csv --out @/" + owner + ".cf.parquet --id id,ward --measure *:max=100 --quiet")
		}
		const fuse = "fuse --in @/a.cf.parquet @/b.cf.parquet --out @/f.cf.parquet --by ward --overwrite --quiet --threads 2 --memory "
		refused := p.run(fuse + "8MiB")
		said := regexp.MustCompile(`needs ([0-9.]+) MiB`).FindStringSubmatch(refused.err)
		if refused.code != exitFailed || said == nil {
			t.Fatalf("exit code %d: %s", refused.code, refused.err)
		}
		need, err := strconv.ParseFloat(said[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		run, err := bench.RunJob(context.Background(), exe, append(p.words(fuse+strconv.Itoa(int(need)+1)+"MiB"), "--json"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d measures: needs %.1f MiB, used %.1f MiB", measures, need, run.RSSMiB)
		if run.RSSMiB > need+1 {
			t.Errorf("%d measures: %.1f MiB used of the %.1f MiB that it asked for", measures, run.RSSMiB, need)
		}
		if need > 1.5*run.RSSMiB {
			t.Errorf("%d measures: it asks for %.1f MiB and uses %.1f MiB", measures, need, run.RSSMiB)
		}
	}
}
