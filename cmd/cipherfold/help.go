package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageTemplate is cobra's, with verbs in the order in which they are used and flags as flagTable writes them.
const usageTemplate = `Usage:
  {{if .HasParent}}{{.UseLine}}{{else}}cipherfold VERB [flags]{{end}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
Verbs:
{{range .Commands}}{{if .IsAvailableCommand}}  {{rpad .Name .NamePadding}} {{.Short}}
{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}
{{if .HasParent}}{{flagTable .LocalFlags "Flags"}}{{else}}{{flagTable .LocalFlags "Flags of all verbs"}}{{end}}{{end}}{{if .HasAvailableInheritedFlags}}
{{flagTable .InheritedFlags "Flags of all verbs"}}{{end}}{{if .HasAvailableSubCommands}}
"cipherfold VERB --help" says more about a verb.
{{end}}`

func init() {
	cobra.EnableCommandSorting = false
	cobra.AddTemplateFunc("flagTable", flagTable)
}

// helpColumns is how wide help may be.
const helpColumns = 118

// flagTable lists flags and what they do, under headings. A description begins with the name of the flag's value in backquotes.
func flagTable(flags *pflag.FlagSet, title string) string {
	lists := grouped(flags, title)
	width := 0
	for _, l := range lists {
		for _, f := range l.flags {
			name, _ := describe(f)
			width = max(width, len(name))
		}
	}
	var s strings.Builder
	for i, l := range lists {
		if i > 0 {
			s.WriteByte('\n')
		}
		fmt.Fprintf(&s, "%s:\n", l.title)
		for _, f := range l.flags {
			name, text := describe(f)
			writeFlag(&s, width, name, text)
		}
	}
	return s.String()
}

// describe says how a flag is written and what it does.
func describe(f *pflag.Flag) (name, text string) {
	name, text = "--"+f.Name, f.Usage
	if value, rest, ok := strings.Cut(strings.TrimPrefix(f.Usage, "`"), "` "); ok {
		name, text = name+" "+value, rest
	}
	if s := strings.Trim(f.DefValue, "[]"); s != "" && s != "0" && s != "false" {
		text += fmt.Sprintf(" (default %s)", s)
	}
	return name, text
}

// writeFlag writes a flag in lines of helpColumns.
func writeFlag(s *strings.Builder, width int, name, text string) {
	fmt.Fprintf(s, "  %-*s  ", width, name)
	at := width + 4
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > helpColumns:
			fmt.Fprintf(s, "\n%*s", width+4, "")
			at = width + 4
		default:
			s.WriteByte(' ')
			at++
		}
		s.WriteString(word)
		at += len(word)
	}
	s.WriteByte('\n')
}
