package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/client"
	"github.com/cipherfold/cipherfold/engine/mpc/gateway"
	"github.com/cipherfold/cipherfold/engine/mpc/tryout"
	"github.com/cipherfold/cipherfold/engine/mpc/wire"
)

func (a *app) mpcDemoCommand() *cobra.Command {
	var dir, variant string
	var bits, patients, minutes int
	var insecure bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Three server processes on this machine, a day of made-up vital signs, every result checked",
		Long: `Start three data servers as processes on this machine, with certificates and TLS as in production, store a day of
made-up vital signs, ask for each statistic and for the values of a patient, compare every result with the plain
computation, show a query that is refused, and stop everything that was started.`,
		Example: "  cipherfold mpc demo\n  cipherfold mpc demo --patients 50 --dir demo-files",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := keyKind(variant, bits, insecure); err != nil {
				return err
			}
			if patients < 6 || patients > 999 || minutes < 1 || minutes > 720 {
				return &commandLineError{errors.New("--patients is 6 to 999, and --minutes 1 to 720"), helpOf(cmd)}
			}
			if dir == "" {
				temp, err := os.MkdirTemp("", "cipherfold-mpc-demo-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(temp)
				dir = temp
			} else if err := emptyDirectory(dir); err != nil {
				return err
			}
			d := &mpcDemo{app: a, bits: bits, patients: patients, minutes: minutes}
			d.setup = tryout.Setup{Dir: dir, Bits: bits, Insecure: insecure, Attributes: tryout.Vitals, Smallest: 5, Queries: 100}
			d.setup.Variant, _ = keyKind(variant, bits, insecure)
			defer d.stop()
			if err := d.run(cmd.Context()); err != nil {
				return serverRefusal(err)
			}
			d.stop()
			return a.print(d.report, d.write)
		},
	}
	f := cmd.Flags()
	f.IntVar(&patients, "patients", 12, "`N` made-up patients")
	f.IntVar(&minutes, "minutes", 5, "`N` minutes between two readings of a patient")
	f.StringVar(&dir, "dir", "", "`DIR` new or empty directory to keep all files in (default: a temporary one, removed at the end)")
	f.StringVar(&variant, "variant", "djn", "`NAME` key variant: djn, mhl or textbook")
	f.IntVar(&bits, "bits", 2048, "`N` key size: 2048, 3072 or 4096")
	f.BoolVar(&insecure, "insecure-test-key", false, "allow fewer than 2048 bits, for tests")
	return cmd
}

// mpcDemo is a run of the demo.
type mpcDemo struct {
	app               *app
	setup             tryout.Setup
	bits              int
	patients, minutes int
	processes         []*process
	stopped           sync.Once
	report            mpcDemoReport
}

// process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	said *bytes.Buffer // on standard error
	done chan struct{} // closed when it has ended
}

// mpcDemoReport is what the demo found.
type mpcDemoReport struct {
	Servers  int            `json:"servers"`
	KeyBits  int            `json:"key_bits"`
	Readings int64          `json:"readings"`
	Results  []mpcDemoCheck `json:"results"`
	Refused  string         `json:"refused"` // what a query that is refused is told
	Files    string         `json:"files,omitempty"`
}

// mpcDemoCheck is a number that equals the plain one.
type mpcDemoCheck struct {
	Who     string  `json:"who"`
	Name    string  `json:"name"`
	Value   string  `json:"value"`
	Unit    string  `json:"unit"`
	Seconds float64 `json:"seconds"` // of the query
}

func (d *mpcDemo) run(ctx context.Context) error {
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.setup.Addresses = append(d.setup.Addresses, l.Addr().String())
		l.Close()
	}
	readings := tryout.MakeVitals(7, d.patients, d.minutes)
	d.setup.Patients = []string{tryout.PatientName(0), tryout.PatientName(1)}
	d.app.log.Info("making certificates and keys", "directory", d.setup.Dir)
	if err := d.setup.Make(ctx); err != nil {
		return err
	}
	for j := range d.setup.Addresses {
		if err := d.start(j); err != nil {
			return err
		}
	}
	table := filepath.Join(d.setup.Dir, "vitals.csv")
	if err := tryout.WriteCSV(table, readings); err != nil {
		return err
	}
	d.app.log.Info("storing readings", "table", table)
	if err := d.ingest(ctx, table); err != nil {
		return err
	}
	d.report.Servers, d.report.KeyBits, d.report.Readings = len(d.setup.Addresses), d.bits, int64(3*len(readings))
	return d.ask(ctx, readings)
}

// start starts a server as a process.
func (d *mpcDemo) start(j int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p := &process{cmd: exec.Command(program, "mpc", "server", "--config", d.setup.ServerConfig(j)), said: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd.Stderr = p.said
	if err := p.cmd.Start(); err != nil {
		return err
	}
	d.processes = append(d.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in what it said
		close(p.done)
	}()
	return nil
}

// stop stops all servers, and waits for them.
func (d *mpcDemo) stop() {
	d.stopped.Do(func() {
		for _, p := range d.processes {
			if p.cmd.Process.Signal(os.Interrupt) != nil { // where there are no signals
				_ = p.cmd.Process.Kill()
			}
		}
		for _, p := range d.processes {
			select {
			case <-p.done:
			case <-time.After(10 * time.Second):
				_ = p.cmd.Process.Kill()
				<-p.done
			}
		}
	})
}

// ended is an error when a server has ended by itself.
func (d *mpcDemo) ended() error {
	for j, p := range d.processes {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", tryout.ServerName(j), bytes.TrimSpace(p.said.Bytes()))
		default:
		}
	}
	return nil
}

func (d *mpcDemo) client(config string) (*client.Client, error) {
	c, err := client.ReadConfig(config)
	if err != nil {
		return nil, err
	}
	return client.New(c)
}

func (d *mpcDemo) ingest(ctx context.Context, table string) error {
	cl, err := d.client(d.setup.GatewayConfig())
	if err != nil {
		return err
	}
	for { // until all servers serve
		_, err := cl.Survey(ctx)
		if err == nil {
			break
		}
		if err := d.ended(); err != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g, err := gateway.Open(ctx, gateway.Options{Client: cl, Spool: filepath.Join(d.setup.Dir, "spool"), Log: d.app.log})
	if err != nil {
		return err
	}
	_, _, err = g.IngestFile(ctx, d.app.unwatched(false), &gateway.Table{Patient: "patient", Time: "time", TimeUnit: "ms"}, table, nil)
	if err == nil {
		err = g.Finish(ctx)
	}
	return errors.Join(err, g.Close())
}

// ask asks each statistic and compares it with the plain one.
func (d *mpcDemo) ask(ctx context.Context, readings []tryout.Reading) error {
	rita, err := d.client(d.setup.ResearcherConfig())
	if err != nil {
		return err
	}
	alice, err := d.client(d.setup.PhysicianConfig())
	if err != nil {
		return err
	}
	names := []string{"SysABP", "HR", "Temp"}
	for _, statistic := range []string{access.Mean, access.Variance, access.Covariance, access.Correlation, access.Regression} {
		started := time.Now()
		d.app.log.Info("asking", "statistic", statistic)
		answer, err := rita.Ask(ctx, &client.Question{Statistic: statistic, Attributes: names})
		if err != nil {
			return err
		}
		seconds := time.Since(started).Seconds()
		got, err := answer.Quantities()
		if err != nil {
			return err
		}
		want, err := tryout.Plain(answer, readings, []int{1, 0, 2})
		if err != nil {
			return err
		}
		for i, q := range got {
			if q.Value == nil || want[i].Value == nil || *q.Value != *want[i].Value || q.Name != want[i].Name {
				return fmt.Errorf("%s is not what the plain readings give", q.Name)
			}
			d.report.Results = append(d.report.Results, mpcDemoCheck{"researcher", q.Name, strconv.FormatFloat(*q.Value, 'g', 9, 64), q.Unit, seconds})
		}
	}
	started := time.Now()
	patient := tryout.PatientName(0)
	d.app.log.Info("asking", "statistic", access.Get, "patient", patient)
	answer, err := alice.Ask(ctx, &client.Question{Statistic: access.Get, Attributes: []string{"HR"}, Patients: []string{patient}, KeyBits: d.bits})
	if err != nil {
		return err
	}
	at := 0
	for _, r := range readings {
		if r.Patient != patient {
			continue
		}
		if at >= len(answer.Values) || answer.Values[at] != r.Values[0] {
			return fmt.Errorf("a value of %s is not what was stored", patient)
		}
		at++
	}
	if at != len(answer.Values) {
		return fmt.Errorf("%d values of %s, not %d", len(answer.Values), patient, at)
	}
	d.report.Results = append(d.report.Results, mpcDemoCheck{"physician", "values of HR of " + patient, strconv.Itoa(at), "", time.Since(started).Seconds()})
	_, err = rita.Ask(ctx, &client.Question{Statistic: access.Mean, Attributes: []string{"HR"}, Patients: d.setup.Patients})
	var refused *wire.RemoteError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a query about two patients is not refused: %v", err)
	}
	d.report.Refused = err.Error()
	return nil
}

func (d *mpcDemo) write(w io.Writer) {
	fmt.Fprintf(w, "%d servers, keys of %d bits, %d readings of %s\n\n", d.report.Servers, d.report.KeyBits, d.report.Readings, count(int64(d.patients), "patient"))
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "who\tasks for\tresult\tunit\tseconds")
	for _, r := range d.report.Results {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%.2f\n", r.Who, r.Name, r.Value, r.Unit, r.Seconds)
	}
	tab.Flush()
	fmt.Fprintf(w, "\nEvery result equals the plain computation. Each server saw shares, which look like noise, and ciphertexts.\n")
	fmt.Fprintf(w, "A query about two patients is refused: %s\n", d.report.Refused)
}
