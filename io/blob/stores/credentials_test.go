package stores

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/io/blob"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Credentials for S3 are found where Amazon's own tools find them.
func TestS3Credentials(t *testing.T) {
	dir := t.TempDir()
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	var seen *http.Request
	// The server is the store, the token service and the machine's metadata.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := func(id string) {
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"%s","SecretAccessKey":"s","Token":"t","Expiration":"%s","LastUpdated":"2026-01-01T00:00:00Z"}`, id, future)
		}
		switch {
		case r.URL.Path == "/container":
			keys("CONTAINER")
		case r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			io.WriteString(w, "token")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			io.WriteString(w, "role")
		case strings.HasPrefix(r.URL.Path, "/latest/meta-data/iam/security-credentials/"):
			keys("MACHINE")
		case strings.HasPrefix(r.URL.Path, "/latest/"):
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost:
			_ = r.ParseForm()
			action := r.Form.Get("Action")
			if action == "AssumeRoleWithWebIdentity" && r.Form.Get("WebIdentityToken") != "identity" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
				action, strings.ToUpper(r.Form.Get("RoleArn")), future)
		default:
			seen = r.Clone(ctx)
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	writeFile(t, filepath.Join(dir, "credentials"), "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n[other]\naws_access_key_id = OTHER\naws_secret_access_key = s\naws_session_token = t\n")
	writeFile(t, filepath.Join(dir, "config"), "[profile assumes]\nrole_arn = arn:profile\nsource_profile = other\n[profile process]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n")
	writeFile(t, filepath.Join(dir, "token"), "identity")
	files := map[string]string{"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config")}
	for _, tt := range []struct {
		name, query, want string
		environment       map[string]string
		files             bool
	}{
		{"environment", "", "ENVIRONMENT", map[string]string{"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}, true},
		{"file", "", "FILE", nil, true},
		{"AWS_PROFILE", "", "OTHER", map[string]string{"AWS_PROFILE": "other"}, true},
		{"profile of the URL", "&profile=other", "OTHER", nil, true},
		{"role of a profile", "&profile=assumes", "ARN:PROFILE", nil, true},
		{"process", "&profile=process", "PROCESS", nil, true},
		{"role of the URL", "&role=arn:url", "ARN:URL", nil, true},
		{"web identity", "", "ARN:WEB", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": filepath.Join(dir, "token"), "AWS_ROLE_ARN": "arn:web"}, false},
		{"container", "", "CONTAINER", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/container"}, false},
		{"machine", "", "MACHINE", map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
				t.Setenv(name, "")
			}
			t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
			if tt.files {
				for name, value := range files {
					t.Setenv(name, value)
				}
			}
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			seen = nil
			fs := &FS{tune: impatient()}
			defer fs.Close()
			_, err := fs.Open(ctx, "s3://data/x?region=us-east-1&endpoint="+server.URL+tt.query)
			if seen == nil || !strings.Contains(seen.Header.Get("Authorization"), "Credential="+tt.want+"/") {
				t.Fatalf("%v (%v), want the key of %s", seen, err, tt.want)
			}
			if has := seen.Header.Get("X-Amz-Security-Token") != ""; has != (tt.want != "FILE" && tt.want != "PROCESS") {
				t.Errorf("session token: %v", has)
			}
		})
	}
}

// rsaKey is the key of a service account.
func rsaKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// alone is set in a process that runs one test.
const alone = "CIPHERFOLD_TEST_ALONE"

// Credentials for Google's store are found where gcloud leaves them, where a
// cluster mounts them, and on the machine.
func TestGoogleCredentials(t *testing.T) {
	dir := t.TempDir()
	// It gives tokens: as the token service and as the machine's metadata.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		token := r.Form.Get("grant_type")
		if r.Form.Get("subject_token") == "identity" {
			token = "workload"
		}
		if strings.HasPrefix(r.URL.Path, "/computeMetadata/") {
			if r.Header.Get("Metadata-Flavor") != "Google" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Metadata-Flavor", "Google")
			token = "machine"
		}
		writeJSON(w, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})
	}))
	defer server.Close()
	file := func(name string, content map[string]any) string {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), string(text))
		return filepath.Join(dir, name)
	}
	writeFile(t, filepath.Join(dir, "identity"), "identity")
	for _, tt := range []struct{ name, variable, value, want string }{
		{"service account", "GOOGLE_APPLICATION_CREDENTIALS", file("account", map[string]any{"type": "service_account", "client_email": "a@b", "private_key": rsaKey(t), "token_uri": server.URL}),
			"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		{"workload identity", "GOOGLE_APPLICATION_CREDENTIALS", file("workload", map[string]any{"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
			"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": server.URL, "credential_source": map[string]any{"file": filepath.Join(dir, "identity")}}), "workload"},
		{"machine", "GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"), "machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "machine" && os.Getenv(alone) == "" {
				// What is found out about the machine stays for the process.
				run := exec.Command(os.Args[0], "-test.run=^TestGoogleCredentials$/^machine$", "-test.v")
				run.Env = append(os.Environ(), alone+"=1")
				if text, err := run.CombinedOutput(); err != nil || !strings.Contains(string(text), "--- PASS: TestGoogleCredentials/machine") {
					t.Errorf("%v:\n%s", err, text)
				}
				return
			}
			t.Setenv("HOME", dir)
			t.Setenv("CLOUDSDK_CONFIG", dir)
			t.Setenv(tt.variable, tt.value)
			u, _ := blob.ParseURL("gs://data/x")
			b, err := openGS(ctx, u, impatient())
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			c := b.client.(*googleClient)
			var got string
			store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				googleRefusal(w, http.StatusNotFound)
			}))
			defer store.Close()
			c.at = store.URL
			_, err = c.stat(ctx, "x")
			if status(err) != http.StatusNotFound || got != "Bearer "+tt.want {
				t.Errorf("%q, %v; want a token of %s", got, err, tt.want)
			}
		})
	}
	// A refused token is told, and is not asked for again and again.
	refusals := 0
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusals++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error": "invalid_grant"}`)
	}))
	defer refusing.Close()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file("refused", map[string]any{"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r", "token_uri": refusing.URL}))
	fs := &FS{tune: impatient()}
	defer fs.Close()
	_, err := fs.Open(ctx, "gs://data/x")
	checkError(t, err, blob.ErrPermission, "gs://data/x", "no token: Unauthorized invalid_grant")
	if refusals > 2 { // the library tries two ways to send a secret
		t.Errorf("asked %d times", refusals)
	}
}

// Credentials for Azure: a key, a connection string, a token, an identity that
// the machine or a cluster lends.
func TestAzureCredentials(t *testing.T) {
	dir := t.TempDir()
	var got *http.Request
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/identity"):
			writeJSON(w, map[string]any{"access_token": "machine", "token_type": "Bearer", "expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()), "resource": r.URL.Query().Get("resource")})
		case strings.HasSuffix(r.URL.Path, "/token"):
			_ = r.ParseForm()
			writeJSON(w, map[string]any{"access_token": r.Form.Get("client_assertion"), "token_type": "Bearer", "expires_in": 3600})
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			at := "https://login.microsoftonline.com/tenant"
			writeJSON(w, map[string]any{"token_endpoint": at + "/token", "authorization_endpoint": at, "issuer": at})
		default:
			got = r.Clone(ctx)
			w.WriteHeader(http.StatusForbidden)
		}
	})
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	lender := httptest.NewServer(handler)
	defer lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport := http.DefaultTransport.(*http.Transport)
	config, dial := transport.TLSClientConfig, transport.DialContext
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "example.com"} // which the test server's certificate names
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "login.microsoftonline.com:443" { // it is asked about every authority
			addr = server.Listener.Addr().String()
		}
		return dial(ctx, network, addr)
	}
	defer func() { transport.TLSClientConfig, transport.DialContext = config, dial }()
	host := strings.TrimPrefix(server.URL, "https://")
	writeFile(t, filepath.Join(dir, "token"), "workload")
	key := base64.StdEncoding.EncodeToString([]byte("key"))
	for _, tt := range []struct {
		name, authorization, query string
		environment                map[string]string
	}{
		{"key", "SharedKey account:", "", map[string]string{"AZURE_STORAGE_ACCOUNT": "account", "AZURE_STORAGE_KEY": key}},
		{"connection string", "SharedKey account:", "", map[string]string{
			"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=" + key + ";BlobEndpoint=https://" + host + "/account"}},
		{"token", "", "sig=x", map[string]string{"AZURE_STORAGE_ACCOUNT": "account", "AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=x"}},
		{"machine", "Bearer machine", "", map[string]string{"AZURE_STORAGE_ACCOUNT": "account", "IDENTITY_ENDPOINT": lender.URL + "/identity", "IDENTITY_HEADER": "h"}},
		{"workload identity", "Bearer workload", "", map[string]string{"AZURE_STORAGE_ACCOUNT": "account", "AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant",
			"AZURE_FEDERATED_TOKEN_FILE": filepath.Join(dir, "token")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AZURE_STORAGE_DOMAIN", host)
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			got = nil
			fs := &FS{tune: impatient()}
			defer fs.Close()
			_, err := fs.Open(ctx, "azblob://data/x")
			if got == nil || !strings.HasPrefix(got.Header.Get("Authorization"), tt.authorization) || !strings.Contains(got.URL.RawQuery, tt.query) || got.URL.Path != "/account/data/x" {
				t.Errorf("%v, %v; want %q and %q", got, err, tt.authorization, tt.query)
			}
		})
	}
}
