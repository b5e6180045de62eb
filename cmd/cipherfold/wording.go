package main

import (
	"strings"
)

// Messages from below name no flag and no command line: they write a field as ‹max_adds›, one that is to be set as ‹overwrite=true›,
// and a command as «run job.toml ‹resume›». Here these become what a person writes: flags on a command line, keys in a job file,
// and lines to type.

// written writes fields and commands. Within a command every field is a flag.
func written(text string, field func(name string) string) string {
	if !strings.ContainsAny(text, "‹«") {
		return text
	}
	var s strings.Builder
	for command := false; text != ""; {
		i := strings.IndexAny(text, "‹«»")
		if i < 0 {
			s.WriteString(text)
			break
		}
		s.WriteString(text[:i])
		text = text[i:]
		switch {
		case strings.HasPrefix(text, "«"):
			command = true
			s.WriteString("cipherfold ")
			text = text[len("«"):]
		case strings.HasPrefix(text, "»"):
			if !command { // not ours
				s.WriteString("»")
			}
			command = false
			text = text[len("»"):]
		default:
			name, rest, closed := strings.Cut(text[len("‹"):], "›")
			switch {
			case !closed || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_=") != "": // not ours
				s.WriteString("‹")
				text = text[len("‹"):]
				continue
			case command:
				s.WriteString(asFlag(name))
			default:
				s.WriteString(field(name))
			}
			text = rest
		}
	}
	return s.String()
}

// asFlag writes a field as the flag that sets it.
func asFlag(field string) string {
	name, value, _ := strings.Cut(field, "=")
	flag := "--" + strings.ReplaceAll(name, "_", "-")
	if value != "" && value != "true" {
		flag += " " + value
	}
	return flag
}

// asKey writes a field as the key of a job file that sets it.
func asKey(field string) string { return strings.Replace(field, "=", " = ", 1) }

// fieldOf is the field that a flag sets, as messages write it.
func fieldOf(flag string) string { return "‹" + strings.ReplaceAll(flag, "-", "_") + "›" }

// say writes a message in the words of the command line, or in those of the job file that is being worked on.
func (a *app) say(text string) string {
	if a.jobFile {
		return written(text, asKey)
	}
	return written(text, asFlag)
}
