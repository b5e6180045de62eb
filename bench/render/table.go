package render

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is a Markdown table with padded cells, which reads as well on a terminal. A column whose header starts with ">" is
// aligned to the right.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	header, right := make([]string, len(t.header)), make([]bool, len(t.header))
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		header[i], right[i] = strings.TrimPrefix(h, ">"), strings.HasPrefix(h, ">")
		widths[i] = max(3, utf8.RuneCountInString(header[i]))
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	line := func(cells []string) {
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				cell = pad + cell
			} else {
				cell += pad
			}
			fmt.Fprintf(w, "| %s ", cell)
		}
		fmt.Fprintln(w, "|")
	}
	line(header)
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
		if right[i] {
			rule[i] = rule[i][1:] + ":"
		}
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
}

// quantity writes a number, 0 or above, with three digits or, from 1000 on, as an integer in groups of three.
func quantity(x float64) string {
	if x == 0 {
		return "0"
	}
	if x >= 999.5 {
		return grouped(int64(math.Round(x)))
	}
	decimals := 2 - int(math.Floor(math.Log10(max(x, 1e-9))))
	return strconv.FormatFloat(x, 'f', max(0, min(decimals, 4)), 64)
}

// grouped writes an integer with blanks between groups of three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// factor writes a ratio, "" for one that was not measured.
func factor(x float64) string {
	switch {
	case x == 0:
		return ""
	case x < 100:
		return strconv.FormatFloat(x, 'f', 1, 64) + "×"
	}
	return grouped(int64(math.Round(x))) + "×"
}

// percent writes a share, "" for one that says nothing.
func percent(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(100*x, 'f', 1, 64) + "%"
}
