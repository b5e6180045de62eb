package tryout

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/mpc/access"
	"github.com/cipherfold/cipherfold/engine/mpc/server"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Setup says what to set up.
type Setup struct {
	Dir       string
	Addresses []string // of the servers, host and port
	Status    []string // of their health and metrics; none means none
	Variant   paillier.Variant
	Bits      int
	Insecure  bool // allow keys below 2048 bits

	Attributes []server.Attribute
	Patients   []string // those of the physician
	Smallest   int      // cohort of a researcher
	Queries    int      // of a researcher within a day
	Skew       time.Duration
}

// Names of what Setup makes.
const (
	GatewayName    = "gateway-1"
	PhysicianName  = "alice"
	ResearcherName = "rita"
)

// ServerName is the name of server j, from 0.
func ServerName(j int) string { return fmt.Sprintf("server-%d.example", j+1) }

// ServerConfig, GatewayConfig, PhysicianConfig and ResearcherConfig are the configuration files.
func (s *Setup) ServerConfig(j int) string {
	return filepath.Join(s.Dir, fmt.Sprintf("server-%d", j+1), "server.toml")
}
func (s *Setup) GatewayConfig() string    { return filepath.Join(s.Dir, "gateway.toml") }
func (s *Setup) PhysicianConfig() string  { return filepath.Join(s.Dir, "physician.toml") }
func (s *Setup) ResearcherConfig() string { return filepath.Join(s.Dir, "researcher.toml") }

// policy is what a first try permits.
const policy = `// Researchers ask for statistics of anybody. How many patients a sum is about at least is in server.toml.
permit (
  principal in Role::"researcher",
  action in [Action::"mean", Action::"var", Action::"cov", Action::"cor", Action::"regress"],
  resource
);

// Physicians ask for everything about their own patients, whom entities.json lists.
permit (
  principal in Role::"physician",
  action,
  resource
) when { !context.allPatients && principal.patients.containsAll(context.patients) };
`

// Make makes everything.
func (s *Setup) Make(ctx context.Context) error {
	certificates := filepath.Join(s.Dir, "ca")
	ca, err := access.CreateAuthority(ctx, certificates, "Cipherfold demo authority", 365*24*time.Hour)
	if err != nil {
		return err
	}
	issue := func(role access.Role, name string, hosts ...string) error {
		_, err := ca.Issue(ctx, filepath.Join(s.Dir, "certificates"), access.Request{Identity: access.Identity{Role: role, Name: name}, Hosts: hosts, Valid: 30 * 24 * time.Hour})
		return err
	}
	for role, name := range map[access.Role]string{access.Gateway: GatewayName, access.Physician: PhysicianName, access.Researcher: ResearcherName} {
		if err := issue(role, name); err != nil {
			return err
		}
	}
	var servers strings.Builder
	group, inner := errgroup.WithContext(ctx)
	for j, address := range s.Addresses {
		if err := issue(access.Server, ServerName(j), ServerName(j)); err != nil {
			return err
		}
		fmt.Fprintf(&servers, "\n[[server]]\nname = %q\naddress = %q\n", ServerName(j), address)
		group.Go(func() error {
			_, err := server.Keygen(inner, job.Options{}, filepath.Join(filepath.Dir(s.ServerConfig(j)), "keys"), ServerName(j), s.Variant, s.Bits, s.Insecure, nil)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for j := range s.Addresses {
		if err := s.writeServer(j); err != nil {
			return err
		}
	}
	for file, name := range map[string]string{s.GatewayConfig(): GatewayName, s.PhysicianConfig(): PhysicianName, s.ResearcherConfig(): ResearcherName} {
		text := tls("certificates", "ca", name)
		if name == GatewayName {
			text = "spool = \"spool\"\n\n" + text
		} else {
			text += fmt.Sprintf("signing_certificate = \"certificates/%s.sign.crt\"\nsigning_key = \"certificates/%s.sign.key\"\n", name, name)
		}
		if err := os.WriteFile(file, []byte(text+servers.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// tls is the section of certificates.
func tls(certificates, ca, name string) string {
	return fmt.Sprintf("[tls]\nauthority = %q\nrevoked = %q\ncertificate = %q\nkey = %q\n", ca+"/ca.crt", ca+"/revoked.pem", certificates+"/"+name+".crt", certificates+"/"+name+".key")
}

// writeServer writes the files of server j.
func (s *Setup) writeServer(j int) error {
	dir := filepath.Dir(s.ServerConfig(j))
	var text strings.Builder
	fmt.Fprintf(&text, "name = %q\nlisten = %q\n", ServerName(j), s.Addresses[j])
	if len(s.Status) > 0 {
		fmt.Fprintf(&text, "status = %q\n", s.Status[j])
	}
	fmt.Fprintf(&text, "store = \"shares.db\"\nkeys = \"keys\"\npolicy = \"policy.cedar\"\nentities = \"entities.json\"\n")
	if s.Insecure {
		fmt.Fprintln(&text, "insecure_test_keys = true")
	}
	if s.Skew > 0 {
		fmt.Fprintf(&text, "clock_skew = %q\n", s.Skew)
	}
	fmt.Fprintf(&text, "\n%s", tls("../certificates", "../ca", ServerName(j)))
	fmt.Fprintf(&text, "\n[limits.physician]\nsmallest_cohort = 1\nqueries = 1000\nperiod = \"24h\"\n")
	fmt.Fprintf(&text, "\n[limits.researcher]\nsmallest_cohort = %d\nqueries = %d\nperiod = \"24h\"\n", s.Smallest, s.Queries)
	for i, address := range s.Addresses {
		fmt.Fprintf(&text, "\n[[server]]\nname = %q\naddress = %q\npublic = \"../server-%d/keys/%s\"\n", ServerName(i), address, i+1, server.PublicFile)
	}
	for _, a := range s.Attributes {
		fmt.Fprintf(&text, "\n[[attribute]]\nname = %q\nunit = %q\ndecimals = %d\nmax = %v\n", a.Name, a.Unit, a.Decimals, a.Max)
	}
	patients := "[]"
	if len(s.Patients) > 0 {
		patients = `["` + strings.Join(s.Patients, `", "`) + `"]`
	}
	entities := fmt.Sprintf("[\n  {\"uid\": {\"type\": \"User\", \"id\": %q}, \"parents\": [], \"attrs\": {\"patients\": %s}}\n]\n", PhysicianName, patients)
	for name, text := range map[string]string{"server.toml": text.String(), "policy.cedar": policy, "entities.json": entities} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
