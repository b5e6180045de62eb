package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// spread lets a flag that takes a list be given all its values at once, as a shell's glob does: "--in a b c" becomes
// "--in a --in b --in c". A value ends at the next word that starts with a dash.
func spread(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	var out []string
	list := "" // the flag whose values follow
	take := 0  // values that a flag still needs
	for i, arg := range args {
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case take > 0:
			take--
			out = append(out, arg)
		case strings.HasPrefix(arg, "--"):
			out = append(out, arg)
			name, _, hasValue := strings.Cut(arg[2:], "=")
			f := lookup(cmd, name)
			list = ""
			if f != nil && f.Value.Type() == "stringArray" {
				list = arg[:2+len(name)]
			}
			if f != nil && !hasValue && f.NoOptDefVal == "" {
				take = 1
			}
		case list != "" && !strings.HasPrefix(arg, "-"):
			out = append(out, list, arg)
		default:
			list = ""
			out = append(out, arg)
		}
	}
	return out
}

func lookup(cmd *cobra.Command, name string) *pflag.Flag {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f
	}
	return cmd.InheritedFlags().Lookup(name)
}
