package fma47

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// program is a function of the assembly, to be walked through.
type program struct {
	instructions []instruction
	labels       map[string]int
}

type instruction struct {
	op   string
	args []string
	line int
}

// readPrograms parses the functions of kernels_amd64.s by name.
func readPrograms() (map[string]*program, error) {
	text, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		return nil, err
	}
	programs := map[string]*program{}
	var p *program
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "//")
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "TEXT "):
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "TEXT ·"), "(")
			p = &program{labels: map[string]int{}}
			programs[name] = p
		case p == nil || line == "" || strings.HasPrefix(line, "DATA") || strings.HasPrefix(line, "GLOBL"):
		case strings.HasSuffix(line, ":"):
			p.labels[strings.TrimSuffix(line, ":")] = len(p.instructions)
		default:
			op, rest, _ := strings.Cut(line, " ")
			in := instruction{op: op, line: i + 1}
			for _, arg := range strings.Split(rest, ", ") {
				if arg = strings.TrimSpace(arg); arg != "" {
					in.args = append(in.args, arg)
				}
			}
			p.instructions = append(p.instructions, in)
		}
	}
	return programs, nil
}

// without returns the program with n instructions from at on left out.
func (p *program) without(at, n int) *program {
	q := &program{labels: map[string]int{}}
	q.instructions = append(append(q.instructions, p.instructions[:at]...), p.instructions[at+n:]...)
	for name, i := range p.labels {
		if i >= at+n {
			i -= n
		}
		q.labels[name] = i
	}
	return q
}

// machine runs the integer part of a program, on known numbers: addresses, counts and branches depend on no data. What is
// in vectors and in memory is for vector to know.
type machine struct {
	gp     map[string]int64
	params map[string]int64
	left   int64 // operands of the last comparison, or a result and 0
	right  int64
	vector func(m *machine, in instruction) error
	steps  int
}

var memory = regexp.MustCompile(`^(-?\d*)\((\w+)\)(?:\((\w+)\*(\d)\))?$`)

// operands are the parts of operands that were seen before.
var operands = map[string][]string{}

// address is that of a memory operand.
func (m *machine) address(arg string) (int64, bool) {
	parts, seen := operands[arg]
	if !seen {
		parts = memory.FindStringSubmatch(arg)
		operands[arg] = parts
	}
	if parts == nil || parts[2] == "SP" {
		return 0, false
	}
	a := m.gp[parts[2]]
	if parts[1] != "" {
		d, _ := strconv.ParseInt(parts[1], 10, 64)
		a += d
	}
	if parts[3] != "" {
		s, _ := strconv.ParseInt(parts[4], 10, 64)
		a += m.gp[parts[3]] * s
	}
	return a, true
}

// value is that of an integer operand.
func (m *machine) value(arg string) (int64, error) {
	if s, ok := strings.CutPrefix(arg, "$"); ok {
		v, err := strconv.ParseInt(s, 0, 64)
		return v, err
	}
	if strings.HasSuffix(arg, "(FP)") {
		name, _, _ := strings.Cut(arg, "+")
		v, ok := m.params[name]
		if !ok {
			return 0, fmt.Errorf("no parameter %s", name)
		}
		return v, nil
	}
	v, ok := m.gp[arg]
	if !ok {
		return 0, fmt.Errorf("no register %s", arg)
	}
	return v, nil
}

// run walks through a program.
func (m *machine) run(p *program) error {
	m.gp = map[string]int64{"AX": 0, "R10": 0, "R11": 0}
	for at := 0; at < len(p.instructions); {
		in := p.instructions[at]
		at++
		m.steps++
		jump := false
		switch in.op {
		case "RET":
			return nil
		case "JMP":
			jump = true
		case "JZ", "JE", "JEQ":
			jump = m.left == m.right
		case "JNZ", "JNE":
			jump = m.left != m.right
		case "JS":
			jump = m.left < 0
		case "JL", "JLT":
			jump = m.left < m.right
		default:
			if err := m.step(in); err != nil {
				return fmt.Errorf("line %d: %s %s: %w", in.line, in.op, strings.Join(in.args, ", "), err)
			}
			continue
		}
		if jump {
			to, ok := p.labels[in.args[0]]
			if !ok {
				return fmt.Errorf("line %d: no label %s", in.line, in.args[0])
			}
			at = to
		}
	}
	return fmt.Errorf("the program has no end")
}

func (m *machine) step(in instruction) error {
	if strings.HasPrefix(in.op, "V") {
		return m.vector(m, in)
	}
	var x int64
	var err error
	if in.op == "XORQ" && in.args[0] == in.args[1] {
		m.gp[in.args[0]] = 0
	}
	if in.op != "LEAQ" {
		if x, err = m.value(in.args[0]); err != nil {
			return err
		}
	}
	to := in.args[len(in.args)-1]
	set := func(v int64) {
		m.gp[to] = v
		m.left, m.right = v, 0
	}
	y := m.gp[to]
	switch in.op {
	case "MOVQ":
		m.gp[to] = x
	case "LEAQ":
		a, ok := m.address(in.args[0])
		if !ok {
			return fmt.Errorf("no address")
		}
		m.gp[to] = a
	case "ADDQ":
		set(y + x)
	case "SUBQ":
		set(y - x)
	case "INCQ":
		set(y + 1)
	case "DECQ":
		set(y - 1)
	case "NEGQ":
		set(-y)
	case "XORQ":
		set(y ^ x)
	case "ANDQ":
		set(y & x)
	case "SHLQ":
		set(y << x)
	case "SHRQ":
		set(int64(uint64(y) >> x))
	case "TESTQ":
		m.left, m.right = x&y, 0
	case "CMPQ": // the first operand is the left one
		m.left = x
		m.right, err = m.value(to)
		return err
	case "CMOVQEQ":
		if m.left == m.right {
			m.gp[to] = x
		}
	default:
		return fmt.Errorf("an instruction that the machine does not know")
	}
	return nil
}
