// Package jobfile reads job files, which say in TOML which verbs are the steps of a job.
package jobfile

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/column"
)

// BytesMax is far above the size of any job file.
const BytesMax = 4 << 20

// nestingMax is well above the nesting of any job file, by brackets or by dots. The TOML library takes memory for the
// square of it, and stack.
const nestingMax = 16

// StepsMax is well above the steps of any job: each is compared with all others, and with the texts that name files.
const StepsMax = 1000

// comparisonsMax bounds the texts in lists times the steps.
const comparisonsMax = 1 << 24

// File is a job file: TOML with version = 1, a table [job], and for every step a table such as [[encrypt]], named as its
// verb. What the keys mean is not decided here, but by the flags of the verbs, which have the same names.
type File struct {
	Name  string
	Job   Table
	Steps []Table // all of the first verb, then all of the next one
}

// Table is a table of a job file.
type Table struct {
	File string
	Name string // job, or a verb
	Line int    // 0: unknown
	Keys map[string]Value
}

// Value is the value of a key.
type Value struct {
	Line   int // 0: unknown
	Values receipt.Values
}

// Kind is what values a key takes.
type Kind int

const (
	Text   Kind = iota // a text
	List               // texts, or one text
	Number             // a whole number
	Bool               // true or false
)

func (k Kind) String() string {
	return [...]string{"text in quotes", "text in quotes, or a list of texts", "a whole number", "true or false"}[k]
}

// Schema are the keys that a table may have.
type Schema map[string]Kind

// Parse reads a job file whose steps are of the verbs given. Keys that the schema of their table lacks, and values of
// another kind, are refused with their line. ${NAME} in a text stands for the environment variable NAME, which must be set. Errors are *job.UsageError.
func Parse(name string, text []byte, verbs []string, schemas map[string]Schema, lookupEnv func(string) (string, bool)) (*File, error) {
	p := &parser{name: name, text: string(text), schemas: schemas, lookupEnv: lookupEnv}
	if len(text) > BytesMax {
		return nil, p.refuse(0, "Check the name of the file.", "%d bytes are too many for a job file", len(text))
	}
	if line := tooDeep(p.text); line > 0 {
		return nil, p.refuse(line, "Job files are TOML; docs/operations.md has examples.", "brackets or keys are nested more than %d deep", nestingMax)
	}
	var doc map[string]any
	if _, err := toml.Decode(p.text, &doc); err != nil {
		const hint = "Job files are TOML; docs/operations.md has examples."
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, p.refuse(syntax.Position.Line, hint, "%s", syntax.Message)
		}
		return nil, p.refuse(0, hint, "not TOML: %v", err)
	}
	known := append([]string{"version", "job"}, verbs...)
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if !slices.Contains(known, key) {
			return nil, p.unknown(p.line("", 0, key), key, known)
		}
	}
	if version, ok := doc["version"].(int64); !ok || version != 1 {
		return nil, p.refuse(p.line("", 0, "version"), "Write: version = 1", "the version of the job file is not 1")
	}
	f := &File{Name: name}
	head, ok := doc["job"].(map[string]any)
	if !ok {
		return nil, p.refuse(p.line("", 0, "job"), "Write [job], and below it name and dir.", "there is no table [job]")
	}
	if err := p.checkSize(doc, verbs); err != nil {
		return nil, err
	}
	var err error
	if f.Job, err = p.table("job", 1, head); err != nil {
		return nil, err
	}
	for _, verb := range verbs {
		if doc[verb] == nil {
			continue
		}
		steps, ok := doc[verb].([]map[string]any)
		if !ok {
			return nil, p.refuse(p.line("", 0, verb), "Write [["+verb+"]].", "%s is no list of steps", verb)
		}
		for i, keys := range steps {
			t, err := p.table(verb, i+1, keys)
			if err != nil {
				return nil, err
			}
			f.Steps = append(f.Steps, t)
		}
	}
	if len(f.Steps) == 0 {
		return nil, p.refuse(0, StepsHint(verbs), "the job has no steps")
	}
	return f, nil
}

// checkSize refuses a job of more steps, or of more texts for its steps, than can be compared soon.
func (p *parser) checkSize(doc map[string]any, verbs []string) error {
	const hint = "Divide it into several job files, or give directories and globs in place of lists of files."
	steps, texts := 0, 0
	for _, verb := range verbs {
		tables, _ := doc[verb].([]map[string]any)
		steps += len(tables)
		for _, t := range tables {
			for _, v := range t {
				if list, ok := v.([]any); ok {
					texts += len(list)
				} else {
					texts++
				}
			}
		}
	}
	switch {
	case steps > StepsMax:
		return p.refuse(0, hint, "the job has %d steps, more than %d", steps, StepsMax)
	case texts*steps > comparisonsMax:
		return p.refuse(0, hint, "the job has %d values in %d steps: too many to compare each with each", texts, steps)
	}
	return nil
}

// StepsHint says how to write a step of one of the verbs.
func StepsHint(verbs []string) string {
	tables := make([]string, len(verbs))
	for i, verb := range verbs {
		tables[i] = "[[" + verb + "]]"
	}
	text := strings.Join(tables, ", ")
	if at := strings.LastIndex(text, ", "); at >= 0 {
		text = text[:at] + " or " + text[at+2:]
	}
	return "Write " + text + "."
}

// tooDeep returns the line in which brackets, or keys of keys, go deeper than nestingMax; 0 when none does. It need not know
// where what is no TOML ends: nobody reads on from there.
func tooDeep(text string) int {
	line, brackets, dots := 1, 0, 0
	for text != "" {
		skip := 1
		switch c := text[0]; c {
		case '\n':
			line, dots = line+1, 0
		case '#':
			if skip = strings.IndexByte(text, '\n'); skip < 0 {
				return 0
			}
		case '"', '\'':
			skip = stringLen(text)
			line += strings.Count(text[:skip], "\n")
		case '[', '{':
			brackets, dots = brackets+1, 0
		case ']', '}':
			brackets = max(0, brackets-1)
		case ',', '=':
			dots = 0
		case '.':
			dots++
		}
		if max(brackets, dots) > nestingMax {
			return line
		}
		text = text[skip:]
	}
	return 0
}

// stringLen is the length of the string of TOML that a text begins with, up to the end of the text when it is not closed.
func stringLen(text string) int {
	quote, long := text[:1], strings.HasPrefix(text, strings.Repeat(text[:1], 3))
	end := quote
	if long {
		end = strings.Repeat(quote, 3)
	}
	for i := len(end); i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == `"`:
			i++
		case strings.HasPrefix(text[i:], end):
			i += len(end)
			for n := 0; long && n < 2 && strings.HasPrefix(text[i:], quote); n++ { // which belong to the string
				i++
			}
			return i
		case text[i] == '\n' && !long:
			return i
		}
	}
	return len(text)
}

// Refuse is an error about a key of the table, or with "" about the table.
func (t *Table) Refuse(key, hint, format string, args ...any) error {
	line := t.Line
	if v, ok := t.Keys[key]; ok {
		line = v.Line
	}
	return Refuse(t.File, line, hint, format, args...)
}

// Refuse is an error about a line of a job file; 0 stands for no line.
func Refuse(file string, line int, hint, format string, args ...any) error {
	e := column.Refuse(file, format, args...).AtLine(int64(line))
	return &job.UsageError{Cause: e.Error(), Hint: hint}
}

type parser struct {
	name, text string
	schemas    map[string]Schema
	lookupEnv  func(string) (string, bool)
	lines      map[place]int // nil: not needed yet
}

func (p *parser) refuse(line int, hint, format string, args ...any) error {
	return Refuse(p.name, line, hint, format, args...)
}

func (p *parser) unknown(line int, key string, known []string) error {
	hint := fmt.Sprintf("There are: %s.", strings.Join(known, ", "))
	if near, ok := column.Nearest(key, known); ok {
		hint = fmt.Sprintf("Did you mean %s?", near)
	}
	return p.refuse(line, hint, "unknown key %s", column.Quote(key))
}

// table reads the n-th table of a name.
func (p *parser) table(name string, n int, keys map[string]any) (Table, error) {
	t := Table{File: p.name, Name: name, Line: p.line(name, n, ""), Keys: map[string]Value{}}
	schema := p.schemas[name]
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		line := p.line(name, n, key)
		kind, ok := schema[key]
		if !ok {
			return t, p.unknown(line, key, slices.Sorted(maps.Keys(schema)))
		}
		values, err := p.values(line, key, kind, keys[key])
		if err != nil {
			return t, err
		}
		t.Keys[key] = Value{line, values}
	}
	return t, nil
}

func (p *parser) values(line int, key string, kind Kind, value any) (receipt.Values, error) {
	switch v := value.(type) {
	case bool:
		if kind == Bool {
			return receipt.Values{strconv.FormatBool(v)}, nil
		}
	case int64:
		if kind == Number {
			return receipt.Values{strconv.FormatInt(v, 10)}, nil
		}
	case string:
		if kind == Text || kind == List {
			s, err := p.expand(line, key, v)
			return receipt.Values{s}, err
		}
	case []any:
		if kind != List {
			break
		}
		values := receipt.Values{}
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, p.refuse(line, `Write a list such as ["a", "b"].`, "%s holds something that is no text", key)
			}
			s, err := p.expand(line, key, s)
			if err != nil {
				return nil, err
			}
			values = append(values, s)
		}
		return values, nil
	}
	return nil, p.refuse(line, "", "%s must be %s", key, kind)
}

var variable = regexp.MustCompile(`\$\{[^}]*\}?`)

// expand puts in environment variables.
func (p *parser) expand(line int, key, text string) (string, error) {
	var err error
	out := variable.ReplaceAllStringFunc(text, func(s string) string {
		name, closed := strings.CutSuffix(s[2:], "}")
		v, set := p.lookupEnv(name)
		if (!closed || !set) && err == nil {
			err = p.refuse(line, "Set the environment variable, as in: export DATE=2026-11-22", "%s: the environment has no %s", key, column.Quote(s))
		}
		return v
	})
	return out, err
}

// place is a key in the n-th table of a name, or with "" the table's head. Keys outside of tables have the name "".
type place struct {
	table string
	n     int
	key   string
}

// line finds the line of a place. It returns 0 if the key is not on a line of its own below its head.
func (p *parser) line(table string, n int, key string) int {
	if p.lines == nil {
		p.lines = findLines(p.text)
	}
	return p.lines[place{table, n, key}]
}

// findLines finds the first line of every place.
func findLines(text string) map[place]int {
	lines := map[place]int{}
	first := func(at place, line int) {
		if _, ok := lines[at]; !ok {
			lines[at] = line
		}
	}
	seen := map[string]int{}
	in := place{}
	line := 0
	for text := range strings.SplitSeq(text, "\n") {
		line++
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "[") {
			head, _, _ := strings.Cut(strings.TrimLeft(text, "[ \t"), "]")
			head = strings.Trim(head, " \t\"'")
			first(place{key: head}, line)
			seen[head]++
			in = place{table: head, n: seen[head]}
			first(in, line)
			continue
		}
		if key, _, ok := strings.Cut(text, "="); ok {
			in.key = strings.Trim(strings.TrimSpace(key), `"'`)
			first(in, line)
		}
	}
	return lines
}
