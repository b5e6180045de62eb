package render

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
)

// ResultsDir is where raw results are kept, and Document what is rendered from them; relative to the module.
const (
	ResultsDir = "bench/results"
	Document   = "BENCHMARKS.md"
)

const introduction = `# Benchmarks

` + "`cipherfold bench render`" + ` makes this document from the raw files in [` + ResultsDir + `](` + ResultsDir + `).
A test fails when the two disagree.

**Method.** All contenders of a table run in one process and take turns in rounds, each on one core.

* A rate is operations per second of that core's time. Minimum, median and maximum are over the rounds.
* A ratio is the median of the ratios of single rounds.
* Before anything counts, every kernel must decrypt what it encrypted, and every peer what we encrypted. Tests compare
  each peer's operations with ours, number by number.
* Peers work as their users do: one ciphertext at a time, without tables of powers unless they are named so, and in
  variable time where that is faster. Our code computes in batches and is written to be constant time in secrets.

[docs/benchmarks-method.md](docs/benchmarks-method.md) has the details and the command lines.

**How to read it.** The machine is shared and its clock is not under our control, so absolute rates drift from run to
run. Both sides of a ratio see the same machine. The distance from minimum to maximum shows how calm a run was.
`

// Markdown writes the document from the result files in a directory, the newest of each series.
func Markdown(results fs.FS) ([]byte, error) {
	names, err := newest(results)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(introduction)
	if len(names) == 0 {
		b.WriteString("\nNothing has been recorded yet.\n")
	}
	for _, name := range names {
		data, err := fs.ReadFile(results, name)
		if err != nil {
			return nil, err
		}
		f, err := bench.ReadFile(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		title := "Kernels: " + classOf(f).title()
		if f.Machine.Off != "" {
			title += ", on a processor that has more"
		}
		switch {
		case len(f.Servers) > 0:
			title = serversTitle
		case len(f.Stores) > 0:
			title = "Object store: a fusion while requests fail"
		case len(f.Timing) > 0:
			title = "Timing: constant or not"
		case len(f.Spill) > 0:
			title = "Group-by with little memory: " + spillTitle(f.Spill[0])
		case len(f.Pipeline) > 0:
			title = fmt.Sprintf("Pipeline: %s, %s", pipelineTitle(f.Pipeline[0]), plural(f.Machine.Cores, "core"))
		}
		_, at, _ := bench.ParseName(name)
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		m := f.Machine
		if m.Off != "" {
			fmt.Fprintf(&b, "This processor stands for a lesser one: CIPHERFOLD_CPU=%s has switched off what that does not have.\n\n", m.Off)
		}
		fmt.Fprintf(&b, "%s, %s used (%s), %s, commit %s, %s-%s-%s.\nRaw: [%s](%s/%s).\n", m.CPU, plural(m.Cores, "core"), strings.Join(m.Features, ", "),
			m.Go, m.Commit, at[:4], at[4:6], at[6:8], name, ResultsDir, name)
		Print(&b, f)
	}
	return b.Bytes(), nil
}

// newest lists the newest file of each series, kernels first.
func newest(results fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(results, ".")
	if err != nil {
		return nil, err
	}
	last := map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		series, _, ok := bench.ParseName(e.Name())
		if !ok {
			return nil, fmt.Errorf("%s: results are called kernels-, pipeline-, timing-, spill-, stores- or servers-...-TIME-COMMIT.json", e.Name())
		}
		last[series] = max(last[series], e.Name()) // the time comes first in what differs
	}
	return slices.Sorted(maps.Values(last)), nil
}

// Print writes the tables of a file.
func Print(w io.Writer, f *bench.File) {
	if len(f.Servers) > 0 {
		printServers(w, f)
		return
	}
	if len(f.Stores) > 0 {
		printStores(w, f)
		return
	}
	if len(f.Timing) > 0 {
		printTiming(w, f)
		return
	}
	if len(f.Spill) > 0 {
		printSpill(w, f)
		return
	}
	if len(f.Pipeline) > 0 {
		printPipeline(w, f)
		return
	}
	if goals := kernelGoals(f); len(goals) > 0 {
		fmt.Fprint(w, "\n### Goals\n\n")
		writeGoals(w, goals)
	}
	for _, bits := range f.KeySizes() {
		printOperations(w, f, bits)
	}
	printResidues(w, f)
	printSquares(w, f)
}

// printSquares writes the arithmetic modulo squares, ours and the peers'.
func printSquares(w io.Writer, f *bench.File) {
	var names []string
	for _, r := range f.Results {
		if r.Op == bench.OpSquareMul && r.Impl != bench.Cipherfold {
			names = appendNew(names, r.Impl)
		}
	}
	t := &table{header: []string{">modulus N², bits", "by", ">multiplications /s", ">ns each", ">squarings /s", ">ns each"}}
	for _, p := range names {
		t.header = append(t.header, ">multiplication × "+peerTitle(p), ">squaring × "+peerTitle(p))
	}
	for _, bits := range f.Sizes(bench.OpSquareMul) {
		for _, mul := range f.Results {
			if mul.Op != bench.OpSquareMul || mul.Bits != bits {
				continue
			}
			for _, sqr := range f.Results {
				if sqr.Op != bench.OpSquareSqr || sqr.Bits != bits || sqr.Kernel != mul.Kernel || sqr.Impl != mul.Impl {
					continue
				}
				by := peerTitle(mul.Impl)
				if mul.Impl == bench.Cipherfold {
					by = mul.Kernel
				}
				row := []string{fmt.Sprint(bits), by, quantity(mul.OpsPerS.Median), quantity(1e9 / mul.OpsPerS.Median), quantity(sqr.OpsPerS.Median), quantity(1e9 / sqr.OpsPerS.Median)}
				for _, p := range names {
					row = append(row, factor(mul.Ratio[p]), factor(sqr.Ratio[p]))
				}
				t.add(row...)
			}
		}
	}
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprint(w, "\n### Multiplication modulo N², as ciphertexts are multiplied, one core\n\n")
	t.write(w)
}

// printOperations writes the operations with keys of one size, ours and the peers'.
func printOperations(w io.Writer, f *bench.File, bits int) {
	var peers []string // keys of ratios
	for _, r := range f.Results {
		for name := range r.Ratio {
			if !slices.Contains(peers, name) {
				peers = append(peers, name)
			}
		}
	}
	slices.Sort(peers)
	t := &table{header: []string{"Operation", "by", ">min /s", ">median /s", ">max /s"}}
	for _, p := range peers {
		t.header = append(t.header, ">× "+peerTitle(p))
	}
	for _, r := range f.Results {
		if r.Bits != bits || slices.Contains([]string{bench.OpMontMul, bench.OpMontSqr, bench.OpSquareMul, bench.OpSquareSqr}, r.Op) {
			continue
		}
		by := peerTitle(r.Impl)
		if r.Impl == bench.Cipherfold {
			by = r.Kernel
		}
		row := []string{bench.OpTitle(r.Op, r.Variant, r.Role), by, quantity(r.OpsPerS.Min), quantity(r.OpsPerS.Median), quantity(r.OpsPerS.Max)}
		for _, p := range peers {
			row = append(row, factor(r.Ratio[p]))
		}
		t.add(row...)
	}
	fmt.Fprintf(w, "\n### Keys of %d bits, operations per second and core\n\n", bits)
	t.write(w)
}

// printResidues writes the arithmetic of residues.
func printResidues(w io.Writer, f *bench.File) {
	t := &table{header: []string{">modulus, bits", "kernel", ">multiplications /s", ">ns each", ">of the limit", ">squarings /s", ">ns each", ">of the limit", ">time of a multiplication"}}
	for _, bits := range f.Moduli() {
		for _, mul := range f.Results {
			if mul.Op != bench.OpMontMul || mul.Bits != bits {
				continue
			}
			for _, sqr := range f.Results {
				if sqr.Op == bench.OpMontSqr && sqr.Bits == bits && sqr.Kernel == mul.Kernel {
					t.add(fmt.Sprint(bits), mul.Kernel, quantity(mul.OpsPerS.Median), quantity(1e9/mul.OpsPerS.Median), percent(mul.OfLimit),
						quantity(sqr.OpsPerS.Median), quantity(1e9/sqr.OpsPerS.Median), percent(sqr.OfLimit), twoDecimals(mul.OpsPerS.Median/sqr.OpsPerS.Median))
				}
			}
		}
	}
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprint(w, "\n### Montgomery arithmetic of residues, one core\n\n")
	var limits []string
	if limit := f.Machine.MultiplyLimitPerNs; limit > 0 {
		limits = append(limits, fmt.Sprintf("executes %s VPMADD52 of 8 lanes per nanosecond", quantity(limit)))
	}
	if limit := f.Machine.LimbProductsPerNs; limit > 0 {
		limits = append(limits, fmt.Sprintf("computes %s products of limbs of 47 bits per nanosecond with `fma`", quantity(limit)))
	}
	if limit := f.Machine.WideLimbProductsPerNs; limit > 0 {
		limits = append(limits, fmt.Sprintf("%s with `fma512`", quantity(limit)))
	}
	if len(limits) > 0 {
		fmt.Fprintf(w, "The limit is what the multiplications alone would take. One core %s,\nmeasured in the same run.\n\n", strings.Join(limits, ", and "))
	}
	t.write(w)
}

// printPipeline writes the steps of whole jobs.
func printPipeline(w io.Writer, f *bench.File) {
	if goals := pipelineFileGoals(f); len(goals) > 0 {
		fmt.Fprint(w, "\n### Goals\n\n")
		writeGoals(w, goals)
	}
	fmt.Fprint(w, "\n### Steps, each a process of its own\n\n")
	t := &table{header: []string{"Layout", "variant", ">key, bits", "step", ">seconds", ">values /s", ">peak memory, MiB", ">in kernel stages"}}
	live := f.Pipeline[0].Cores > 0
	if live {
		t.header = append(t.header, ">cores", ">cores busy")
	}
	timed := f.Pipeline[0].CPUSeconds > 0
	if timed {
		t.header = append(t.header, ">CPU seconds", ">kernel seconds")
	}
	wide := slices.ContainsFunc(f.Pipeline, func(s bench.Stage) bool { return s.Measures > 0 })
	if wide {
		t.header = append([]string{">measures"}, t.header...)
	}
	for _, r := range f.Results {
		t.header = appendNew(t.header, ">× "+peerTitle(r.Impl))
	}
	for _, s := range f.Pipeline {
		row := []string{s.Layout, bench.VariantTitle(s.Variant), fmt.Sprint(s.Bits), s.Stage, quantity(s.Seconds), quantity(s.ValuesPerS), quantity(s.PeakRSSMiB), percent(s.KernelShare)}
		if live {
			row = append(row, fmt.Sprint(s.Cores), percent(s.Utilisation))
		}
		if timed {
			row = append(row, quantity(s.CPUSeconds), quantity(s.KernelSeconds))
		}
		if wide {
			row = append([]string{grouped(int64(max(1, s.Measures)))}, row...)
		}
		var done []string
		for _, r := range f.Results {
			if slices.Contains(done, r.Impl) {
				continue
			}
			done = append(done, r.Impl)
			times := ""
			if s.Stage == bench.StageAll {
				times = factor(timesPeer(f, s, r.Impl))
			}
			row = append(row, times)
		}
		t.add(row...)
	}
	t.write(w)
	fmt.Fprint(w, "\nKernel stages are the parts of a process that pack and encrypt, fold, or decrypt and unpack.\nThe share is of the time of all cores used.\n")
	if len(f.Results) == 0 {
		return
	}
	fmt.Fprint(w, "\nTextbook encryptions per second in the same run:\n\n")
	t = &table{header: []string{"by", ">key, bits", ">cores", ">min /s", ">median /s", ">max /s"}}
	for _, r := range f.Results {
		t.add(peerTitle(r.Impl), fmt.Sprint(r.Bits), fmt.Sprint(r.Threads), quantity(r.OpsPerS.Min), quantity(r.OpsPerS.Median), quantity(r.OpsPerS.Max))
	}
	t.write(w)
}

func spillTitle(s bench.SpillRun) string {
	return fmt.Sprintf("%s, keys of %d bits, rows in %s order", plural(s.Owners, "owner"), s.Bits, s.Order)
}

// printSpill writes fusions by group with little memory and with ample memory.
func printSpill(w io.Writer, f *bench.File) {
	fmt.Fprint(w, "\nThe same fusion runs twice: with the budget, and with ample memory, more than it needs. Both give the same bytes, and\nevery group's decrypted sums and counts equal the plain ones.\n\n")
	t := &table{header: []string{">rows of each owner", ">groups", ">--memory, MiB", ">seconds", ">rows /s", ">peak memory, MiB", ">in a temporary file, MiB", ">seconds with ample memory", ">its peak, MiB", ">relative speed"}}
	for _, s := range f.Spill {
		t.add(grouped(int64(s.Rows)), grouped(int64(s.Groups)), quantity(s.MemoryMiB), quantity(s.Bounded.Seconds), quantity(s.Bounded.RowsPerS), quantity(s.Bounded.PeakRSSMiB),
			quantity(s.Bounded.SpilledMiB), quantity(s.Free.Seconds), quantity(s.Free.PeakRSSMiB), percent(s.Free.Seconds/s.Bounded.Seconds))
	}
	t.write(w)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func pipelineTitle(s bench.Stage) string {
	return fmt.Sprintf("%s rows of each of %s", grouped(int64(s.Rows)), plural(s.Owners, "owner"))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// peerTitle names a peer, or a key of ratios, in words.
func peerTitle(name string) string {
	title := strings.NewReplacer("gmp", "GMP", "openssl", "OpenSSL").Replace(name)
	title = strings.Replace(title, peers.WindowsSuffix, "'s DJN from a table", 1)
	return strings.Replace(title, " djn", "'s DJN", 1)
}
