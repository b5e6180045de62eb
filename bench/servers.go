package bench

import (
	"fmt"
	"slices"
)

// ServersCost is what a row of TABLE 1 of the second paper costs in one form, as `bench papers --paper 2` measures it.
type ServersCost struct {
	Row     string      `json:"row"`
	Form    string      `json:"form"`
	Bits    int         `json:"bits"` // of N
	Records int         `json:"records"`
	Threads int         `json:"threads"`
	Server  ServersSide `json:"server"` // of the three servers together
	User    ServersSide `json:"user"`
}

// ServersSide is what one side does and sends.
type ServersSide struct {
	Full        int64   `json:"full"`        // powers with exponents as long as N: "Exp." of the paper
	Half        int64   `json:"half"`        // half as long: "exp."
	Short       int64   `json:"short"`       // of 64 bits, several in one product
	Encryptions int64   `json:"encryptions"` // by the key's owner, or from a table of powers
	SentBytes   int64   `json:"sent_bytes"`
	Received    int64   `json:"received_bytes"`
	Seconds     float64 `json:"seconds"`
}

// Rows of TABLE 1.
const (
	RowAccess       = "Access Control"
	RowAverage      = "Average Analysis"
	RowCorrelation1 = "Correlation Analysis 1"
	RowVariance1    = "Variance Analysis 1"
	RowRegression1  = "Regression Analysis 1"
	RowCorrelation2 = "Correlation Analysis 2"
	RowVariance2    = "Variance Analysis 2"
	RowRegression2  = "Regression Analysis 2"
)

// Forms of a row: as the paper has it, and as this program does the same, in one form for both algorithms of the paper.
const (
	FormLiteral = "literal"
	FormOurs    = "ours"
)

// ServersRows lists the rows in the order of the table.
var ServersRows = []string{RowAccess, RowAverage, RowCorrelation1, RowVariance1, RowRegression1, RowCorrelation2, RowVariance2, RowRegression2}

// ServersCount is the number of servers of the second paper.
const ServersCount = 3

// OursFor is the row under which this program's cost of a row is.
func OursFor(row string) string {
	if i := slices.Index([]string{RowCorrelation2, RowVariance2, RowRegression2}, row); i >= 0 {
		return []string{RowCorrelation1, RowVariance1, RowRegression1}[i]
	}
	return row
}

func (c ServersCost) check() error {
	if !slices.Contains(ServersRows, c.Row) || c.Form != FormLiteral && c.Form != FormOurs || c.Form == FormOurs && OursFor(c.Row) != c.Row {
		return fmt.Errorf("no row %q in form %q", c.Row, c.Form)
	}
	if c.Bits <= 0 || c.Records <= 0 || c.Threads <= 0 || c.Server.Seconds <= 0 || c.User.Seconds <= 0 || c.Server.SentBytes <= 0 {
		return fmt.Errorf("row %q in form %q: %d bits, %d records, %d threads, %v s and %v s, %d bytes sent", c.Row, c.Form, c.Bits, c.Records, c.Threads,
			c.Server.Seconds, c.User.Seconds, c.Server.SentBytes)
	}
	return nil
}
