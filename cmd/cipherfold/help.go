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
{{if .HasParent}}Flags:{{else}}Flags of all verbs:{{end}}
{{flagTable .LocalFlags}}{{end}}{{if .HasAvailableInheritedFlags}}
Flags of all verbs:
{{flagTable .InheritedFlags}}{{end}}{{if .HasAvailableSubCommands}}
"cipherfold VERB --help" says more about a verb.
{{end}}`

func init() {
	cobra.EnableCommandSorting = false
	cobra.AddTemplateFunc("flagTable", flagTable)
}

// helpColumns is how wide help may be.
const helpColumns = 118

// flagTable lists flags and what they do. A description begins with the name of the flag's value in backquotes.
func flagTable(flags *pflag.FlagSet) string {
	type row struct{ flag, text string }
	var rows []row
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		r := row{"--" + f.Name, f.Usage}
		if value, text, ok := strings.Cut(strings.TrimPrefix(f.Usage, "`"), "` "); ok {
			r = row{r.flag + " " + value, text}
		}
		if s := strings.Trim(f.DefValue, "[]"); s != "" && s != "0" && s != "false" {
			r.text += fmt.Sprintf(" (default %s)", s)
		}
		width = max(width, len(r.flag))
		rows = append(rows, r)
	})
	var s strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&s, "  %-*s  ", width, r.flag)
		at := width + 4
		for i, word := range strings.Fields(r.text) {
			switch {
			case i == 0:
			case at+1+len(word) > helpColumns:
				fmt.Fprintf(&s, "\n%*s", width+4, "")
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
	return s.String()
}
