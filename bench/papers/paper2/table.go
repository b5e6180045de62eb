package paper2

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/bench"
)

// Line is a line of TABLE 1 in one form, in words.
type Line struct {
	Row, Form                             string
	First                                 bool // of its row
	Broken                                bool // a protocol that protects nothing
	ServerWork, ServerTraffic, ServerTime string
	UserWork, UserTraffic, UserTime       string
	Note                                  string
}

// Lines puts printed estimates and measurements of one core side by side, row by row. The first cost is of the records
// of the table.
func Lines(costs []bench.ServersCost) []Line {
	var out []Line
	for _, p := range printedTable {
		broken := p.row != bench.OursFor(p.row)
		out = append(out, Line{Row: p.row, Form: "printed estimate, 1024 bits", Broken: broken, ServerWork: p.serverWork, ServerTraffic: p.serverTraffic, ServerTime: p.serverTime,
			UserWork: p.userWork, UserTraffic: p.userTraffic, UserTime: p.userTime, Note: p.errata, First: true})
		for _, form := range []string{bench.FormLiteral, bench.FormOurs} {
			row := p.row
			if form == bench.FormOurs {
				row = bench.OursFor(row)
			}
			for _, c := range costs {
				if c.Row == row && c.Form == form && c.Records == costs[0].Records && c.Threads == 1 {
					out = append(out, lineOf(costs, p.row, c))
				}
			}
		}
	}
	return out
}

// lineOf describes a measurement.
func lineOf(costs []bench.ServersCost, row string, c bench.ServersCost) Line {
	l := Line{Row: row, Form: fmt.Sprintf("as in the paper, %d bits", c.Bits)}
	switch {
	case c.Form == bench.FormOurs:
		l.Form = fmt.Sprintf("this program, %d bits", c.Bits)
		if other := find(costs, row, bench.FormLiteral, c.Bits, c.Records); other != nil {
			l.Note = fmt.Sprintf("A server takes %s as long as in the paper's protocol with as many bits.", ratio(c.Server.Seconds, other.Server.Seconds))
		}
	case row != bench.OursFor(row):
		l.Broken, l.Note = true, "BROKEN: for measurement only."
	default:
		l.Note = "Insecure shares."
	}
	l.ServerWork, l.ServerTraffic, l.ServerTime = work(c.Server, bench.ServersCount), traffic(c, c.Server, bench.ServersCount), Seconds(c.Server.Seconds/bench.ServersCount)
	l.UserWork, l.UserTraffic, l.UserTime = work(c.User, 1), traffic(c, c.User, 1), Seconds(c.User.Seconds)
	return l
}

// find returns a measurement on one core, or nil.
func find(costs []bench.ServersCost, row, form string, bits, records int) *bench.ServersCost {
	for i, c := range costs {
		if c.Row == row && c.Form == form && c.Bits == bits && c.Records == records && c.Threads == 1 {
			return &costs[i]
		}
	}
	return nil
}

// work lists operations of one of so many sides.
func work(s bench.ServersSide, sides int) string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{s.Full, "Exp."}, {s.Half, "exp."}, {s.Encryptions, "encryptions"}, {s.Short, "powers of 64 bits"}} {
		if p.n > 0 {
			what := p.what
			if p.n == int64(sides) {
				what = strings.TrimSuffix(what, "s")
			}
			parts = append(parts, number(float64(p.n)/float64(sides))+" "+what)
		}
	}
	if len(parts) == 0 {
		return "additions"
	}
	return strings.Join(parts, " + ")
}

// traffic is what one of so many sides sends and receives: in lengths of N where ciphertexts travel, as the paper has it.
func traffic(c bench.ServersCost, s bench.ServersSide, sides int) string {
	each := func(bytes int64) string {
		if s.SentBytes+s.Received < 2*int64(c.Bits)/8 { // less than one ciphertext
			return number(float64(bytes)/float64(sides)) + " B"
		}
		return number(float64(bytes)*8/float64(c.Bits)/float64(sides)) + " |N|"
	}
	return "sent " + each(s.SentBytes) + ", received " + each(s.Received)
}

// number writes a number with at most one decimal and its thousands apart.
func number(x float64) string {
	s := strconv.FormatFloat(x, 'f', 1, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction == "0" {
		return whole
	}
	return whole + "." + fraction
}

// Seconds writes a time with three digits.
func Seconds(s float64) string {
	unit, name := 1.0, "s"
	switch {
	case s >= 60:
		unit, name = 60, "min"
	case s < 1e-3:
		unit, name = 1e-6, "µs"
	case s < 1:
		unit, name = 1e-3, "ms"
	}
	x, _ := strconv.ParseFloat(strconv.FormatFloat(s/unit, 'g', 3, 64), 64)
	return strconv.FormatFloat(x, 'f', -1, 64) + " " + name
}

// ratio says how many times smaller a is than b, or larger.
func ratio(a, b float64) string {
	if a <= b {
		return "1/" + number(b/a)
	}
	return number(a/b) + " times"
}

// Growth are the correlations of this program, by number of records.
func Growth(costs []bench.ServersCost) []bench.ServersCost {
	var out []bench.ServersCost
	for _, c := range costs {
		if c.Form == bench.FormOurs && c.Row == bench.RowCorrelation1 {
			out = append(out, c)
		}
	}
	return out
}

func costsCSV(costs []bench.ServersCost) [][]string {
	rows := [][]string{{"row", "form", "key_bits", "records", "threads", "side", "exp_full", "exp_half", "powers_64_bits", "encryptions", "sent_bytes", "received_bytes", "seconds"}}
	for _, c := range costs {
		for _, s := range []struct {
			name string
			side bench.ServersSide
		}{{"three servers", c.Server}, {"user", c.User}} {
			row := []string{c.Row, c.Form}
			for _, n := range []int64{int64(c.Bits), int64(c.Records), int64(c.Threads)} {
				row = append(row, strconv.FormatInt(n, 10))
			}
			row = append(row, s.name)
			for _, n := range []int64{s.side.Full, s.side.Half, s.side.Short, s.side.Encryptions, s.side.SentBytes, s.side.Received} {
				row = append(row, strconv.FormatInt(n, 10))
			}
			rows = append(rows, append(row, strconv.FormatFloat(s.side.Seconds, 'g', -1, 64)))
		}
	}
	return rows
}

func attacksCSV(attacks []Attack) [][]string {
	rows := [][]string{{"attack", "attacker_knows", "key_bits", "secrets", "recovered", "seconds", "result"}}
	for _, a := range attacks {
		rows = append(rows, []string{a.Name, a.Knows, strconv.Itoa(a.Bits), strconv.Itoa(a.Tried), strconv.Itoa(a.Found), strconv.FormatFloat(a.Seconds, 'g', -1, 64), a.Detail})
	}
	return rows
}
