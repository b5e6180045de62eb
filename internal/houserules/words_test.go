package houserules

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

// What a document may hold at most.
const (
	lineMax     = 120 // characters of a line, outside tables and code; the target of a link does not count
	sentenceMax = 35  // words of a sentence; what is in `code` is one word
)

// notDocuments are folders whose Markdown is data of tests.
var notDocuments = []string{".git", "node_modules", "bench/render/testdata"}

// Every Markdown document of the module keeps the rules.
func TestDocuments(t *testing.T) {
	violations, read, err := checkDocuments(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
	for _, file := range []string{"README.md", "CONTRIBUTING.md", "docs/user-guide.md", "io/README.md"} {
		if !slices.Contains(read, file) {
			t.Errorf("%s was not found: is this the module?", file)
		}
	}
}

// Each kind of violation is seen, and what is allowed is not taken for one.
func TestDocumentChecker(t *testing.T) {
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("w ", n)) }
	long := "a.md:1: a line of 121 characters: break it at 120"
	tests := []struct{ source, want string }{
		{strings.Repeat("é", 120), ""},
		{strings.Repeat("é", 121), long},
		{"# " + strings.Repeat("x", 119), long},
		{"| " + strings.Repeat("x", 200) + " |", ""},
		{"    " + strings.Repeat("x", 200), ""},
		{"```\n" + strings.Repeat("x", 200) + "\n```", ""},
		{"```\n```\n" + strings.Repeat("x", 121), "a.md:3" + strings.TrimPrefix(long, "a.md:1")},
		{"see [b](" + strings.Repeat("../", 40) + "b.md)", "a.md:1: the link " + strings.Repeat("../", 40) + "b.md leads nowhere"},

		{words(35) + ".", ""},
		{words(36) + ".", "a.md:1: a sentence of 36 words: divide it, 35 are enough (w w w w w w ...)"},
		{words(18) + "\n" + words(18), "a.md:1: a sentence of 36 words: divide it, 35 are enough (w w w w w w ...)"},
		{words(20) + ". Now " + words(20) + ".", ""},
		{words(20) + "! `now` " + words(20) + ".", ""},
		{words(20) + " v1.2 is 0.5 " + words(14) + ".", "a.md:1: a sentence of 37 words: divide it, 35 are enough (w w w w w w ...)"},
		{words(34) + " `a b c d`", ""},
		{words(20) + "\n\n" + words(20), ""},
		{"* " + words(20) + "\n* " + words(20), ""},
		{"1. " + words(20) + "\n2. " + words(20), ""},
		{"1. " + words(20) + "\n   " + words(20), "a.md:1: a sentence of 40 words: divide it, 35 are enough (w w w w w w ...)"},
		{"| " + words(20) + " | " + words(20) + " |", ""},
		{"| a | " + words(36) + " |", "a.md:1: a sentence of 36 words: divide it, 35 are enough (w w w w w w ...)"},

		{"[b](b.md) [c](b.md#one-two-d) [d](#x) [e](https://example.org/#y)\n# X", ""},
		{"[b](b.md#one)", "a.md:1: the link b.md#one leads to no heading of b.md"},
		{"[b](#y)\n# X", "a.md:1: the link #y leads to no heading of a.md"},
		{"`[b](c.md)`", ""},
		{"![b](c.svg)", "a.md:1: the link c.svg leads nowhere"},
		{"[b](sub)", ""},
		{"# X\n# X\n[b](#x-1)", ""},
	}
	for _, test := range tests {
		module := fstest.MapFS{
			"a.md":                          {Data: []byte(test.source)},
			"b.md":                          {Data: []byte("# One, `two`: d!\n")},
			"sub/code.go":                   {Data: []byte("package sub // " + strings.Repeat("x", 200))},
			"bench/render/testdata/gold.md": {Data: []byte("[b](nowhere.md)")},
		}
		violations, _, err := checkDocuments(module)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(violations, "\n"); got != test.want {
			t.Errorf("%q:\ngot  %s\nwant %s", test.source, got, test.want)
		}
	}
}

// checkDocuments reads every Markdown file and returns what breaks the rules, one line each, and the files that it read.
func checkDocuments(module fs.FS) (violations, read []string, err error) {
	documents := map[string]*document{}
	err = fs.WalkDir(module, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains(notDocuments, file) || slices.Contains(notDocuments, path.Base(file))):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(file) != ".md":
			return nil
		}
		text, err := fs.ReadFile(module, file)
		if err != nil {
			return err
		}
		documents[file] = parseDocument(string(text))
		read = append(read, file)
		return nil
	})
	for _, file := range read {
		d := documents[file]
		say := func(line int, format string, args ...any) {
			violations = append(violations, fmt.Sprintf("%s:%d: ", file, line)+fmt.Sprintf(format, args...))
		}
		for _, line := range d.long {
			say(line.number, "a line of %d characters: break it at %d", line.length, lineMax)
		}
		for _, block := range d.blocks {
			for _, sentence := range sentences(block.text) {
				if len(sentence) > sentenceMax {
					say(block.number, "a sentence of %d words: divide it, %d are enough (%s ...)", len(sentence), sentenceMax, strings.Join(sentence[:6], " "))
				}
			}
		}
		for _, l := range d.links {
			target, anchor, _ := strings.Cut(l.target, "#")
			if strings.Contains(target, ":") {
				continue // a URL
			}
			name := file
			if target != "" {
				name = path.Join(path.Dir(file), target)
			}
			if _, err := fs.Stat(module, name); err != nil {
				say(l.number, "the link %s leads nowhere", l.target)
			} else if anchor != "" && (documents[name] == nil || !slices.Contains(documents[name].anchors, anchor)) {
				say(l.number, "the link %s leads to no heading of %s", l.target, name)
			}
		}
	}
	return violations, read, err
}

// document is what the rules are about.
type document struct {
	long    []longLine
	blocks  []block // paragraphs, items of lists, cells of tables
	links   []link
	anchors []string // of headings, as GitHub makes them
}

type (
	longLine struct{ number, length int }
	block    struct {
		number int // of its first line
		text   string
	}
	link struct {
		number int
		target string
	}
)

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	linkParts  = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	listItem   = regexp.MustCompile(`^\s*([*-]|\d+\.)\s+`)
	heading    = regexp.MustCompile(`^#{1,6}\s+`)
	cellBorder = regexp.MustCompile(`(?:^|[^\\])\|`)
	sentEnd    = regexp.MustCompile(`[.!?][)"*_]*\s+`)
)

func parseDocument(text string) *document {
	d := &document{}
	open := false                    // the last line is of a block that can go on
	fenced, indented := false, false // in code
	blank := true                    // the last line was blank
	for i, line := range strings.Split(text, "\n") {
		number := i + 1
		bare := strings.TrimSpace(line)
		if strings.HasPrefix(bare, "```") {
			fenced, open, blank = !fenced, false, false
			continue
		}
		indented = strings.HasPrefix(line, "    ") && (indented || blank)
		blank = bare == ""
		if fenced || indented || blank {
			open = false
			continue
		}
		prose := inlineCode.ReplaceAllString(line, "Code")
		for _, m := range linkParts.FindAllStringSubmatch(prose, -1) {
			d.links = append(d.links, link{number, m[2]})
		}
		short := []rune(linkParts.ReplaceAllString(line, "[$1]"))
		prose = linkParts.ReplaceAllString(prose, "$1")
		switch {
		case strings.HasPrefix(bare, "|"):
			for _, cell := range cellBorder.Split(prose, -1) {
				d.blocks = append(d.blocks, block{number, cell})
			}
			open = false
			continue
		case heading.MatchString(bare):
			d.addAnchor(heading.ReplaceAllString(bare, ""))
			open = false
		case open && !listItem.MatchString(line):
			d.blocks[len(d.blocks)-1].text += " " + strings.TrimSpace(prose)
		default:
			d.blocks = append(d.blocks, block{number, listItem.ReplaceAllString(prose, "")})
			open = true
		}
		if len(short) > lineMax {
			d.long = append(d.long, longLine{number, len(short)})
		}
	}
	return d
}

// addAnchor notes the anchor of a heading: lower case, without punctuation, blanks as dashes, numbered when it is repeated.
func (d *document) addAnchor(title string) {
	title = linkParts.ReplaceAllString(title, "$1")
	anchor := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
	name := anchor
	for n := 1; slices.Contains(d.anchors, name); n++ {
		name = fmt.Sprintf("%s-%d", anchor, n)
	}
	d.anchors = append(d.anchors, name)
}

// sentences divides a text into the words of its sentences. A full stop ends one when what follows does not begin in lower case.
func sentences(text string) [][]string {
	var all [][]string
	add := func(s string) {
		words := strings.FieldsFunc(s, unicode.IsSpace)
		words = slices.DeleteFunc(words, func(w string) bool {
			return !strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		})
		all = append(all, words)
	}
	start := 0
	for _, end := range sentEnd.FindAllStringIndex(text, -1) {
		if next := []rune(text[end[1]:]); len(next) == 0 || unicode.IsLower(next[0]) {
			continue
		}
		add(text[start:end[1]])
		start = end[1]
	}
	add(text[start:])
	return all
}
