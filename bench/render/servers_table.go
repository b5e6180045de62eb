package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/papers/paper2"
)

const serversTitle = "Data servers: TABLE 1 of the second paper"

// printServers writes TABLE 1 and the growth of this program's protocols.
func printServers(w io.Writer, f *bench.File) {
	fmt.Fprintf(w, "\nn = %s pairs of readings. The printed times are estimates. The paper's own protocols are insecure and were measured\nfor this table only. Communication is in lengths of N. All results equal the plain sums.\n\n", grouped(int64(f.Servers[0].Records)))
	t := &table{header: []string{"Row", "form", "each server: computation", "communication", ">time", "user: computation", "communication", ">time"}}
	for _, l := range paper2.Lines(f.Servers) {
		row, form := "", l.Form
		if l.First {
			row = l.Row
		}
		if l.Broken {
			form += " (broken)"
		}
		lengths := strings.NewReplacer("|N|", "N") // a cell has no bars
		t.add(row, form, l.ServerWork, lengths.Replace(l.ServerTraffic), l.ServerTime, l.UserWork, lengths.Replace(l.UserTraffic), l.UserTime)
	}
	t.write(w)
	fmt.Fprint(w, "\n### Growth: a correlation by this program\n\n")
	t = &table{header: []string{">key, bits", ">records", ">cores", ">three servers", ">each server and record", ">bytes for a record"}}
	for _, c := range paper2.Growth(f.Servers) {
		t.add(fmt.Sprint(c.Bits), grouped(int64(c.Records)), fmt.Sprint(c.Threads), paper2.Seconds(c.Server.Seconds),
			paper2.Seconds(c.Server.Seconds/bench.ServersCount/float64(c.Records)), quantity(float64(c.Server.SentBytes)/float64(c.Records)))
	}
	t.write(w)
}
