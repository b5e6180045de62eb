package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// environmentPrefix begins the names of environment variables that stand for flags: CIPHERFOLD_MAX_ADDS for --max-adds.
const environmentPrefix = "CIPHERFOLD_"

// environmentOf is the variable that a flag reads.
func environmentOf(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment sets the flags of a command that were not given from the environment. A flag that takes a list takes one value
// from each line of the variable. A variable that is set to nothing is refused, but for that of --by, where nothing means one total.
func fromEnvironment(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) { // those of all verbs are among them
		if f.Changed || f.Name == "help" || failed != nil {
			return
		}
		variable := environmentOf(f.Name)
		text, ok := lookup(variable)
		if !ok {
			return
		}
		values := []string{text}
		if _, list := f.Value.(pflag.SliceValue); list {
			values = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		}
		for _, value := range values {
			if value == "" && f.Name != "by" {
				failed = &commandLineError{fmt.Errorf("%s is empty: the environment variable stands for --%s", variable, f.Name), "Unset it, or give it a value."}
				return
			}
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				failed = &commandLineError{fmt.Errorf("%s: %s", variable, flagText(err)), "The environment variable stands for --" + f.Name + "; correct or unset it."}
				return
			}
		}
	})
	return failed
}
