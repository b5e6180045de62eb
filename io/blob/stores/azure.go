package stores

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/cipherfold/cipherfold/io/blob"
)

// azureSettings say where an account is. They come from the environment, and
// parameters of the URL go before it. Names and meaning are those of
// gocloud.dev/blob/azureblob, which earlier versions used.
type azureSettings struct {
	account, domain, protocol string
	cdn, emulator             bool
	connection                string // a connection string, or ""
}

// azureEnvironment reads what the environment says.
func azureEnvironment() *azureSettings {
	s := &azureSettings{account: os.Getenv("AZURE_STORAGE_ACCOUNT"), domain: os.Getenv("AZURE_STORAGE_DOMAIN"), protocol: os.Getenv("AZURE_STORAGE_PROTOCOL")}
	s.cdn, _ = strconv.ParseBool(os.Getenv("AZURE_STORAGE_IS_CDN"))
	s.emulator, _ = strconv.ParseBool(os.Getenv("AZURE_STORAGE_IS_LOCAL_EMULATOR"))
	for _, name := range []string{"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGEBLOB_CONNECTIONSTRING"} {
		if s.connection == "" {
			s.connection = os.Getenv(name)
		}
	}
	for field := range strings.SplitSeq(s.connection, ";") {
		switch name, value, _ := strings.Cut(field, "="); {
		case name == "AccountName" && s.account == "":
			s.account = value
		case name == "DefaultEndpointsProtocol" && s.protocol == "":
			s.protocol = value
		}
	}
	return s
}

// parse reads the parameters of a URL.
func (s *azureSettings) parse(q url.Values) (err error) {
	for name, values := range q {
		value := values[0]
		switch {
		case len(values) > 1:
			return fmt.Errorf("%s is given twice", name)
		case name == "storage_account":
			s.account = value
		case name == "domain":
			s.domain = value
		case name == "protocol":
			s.protocol = value
		case name == "cdn":
			s.cdn, err = strconv.ParseBool(value)
		case name == "localemu":
			s.emulator, err = strconv.ParseBool(value)
		default:
			return fmt.Errorf("unknown query parameter %q", name)
		}
		if err != nil {
			return fmt.Errorf("invalid value %q of %s: %w", value, name, err)
		}
	}
	return nil
}

// service is the URL of the account.
func (s *azureSettings) service() (string, error) {
	domain, protocol := s.domain, s.protocol
	if domain == "" {
		domain = "blob.core.windows.net"
	}
	if protocol == "" {
		protocol = "https"
	}
	switch {
	case s.account == "":
		return "", errors.Join(errNoCredentials, errors.New("no storage account is named"))
	case protocol != "http" && protocol != "https":
		return "", fmt.Errorf("invalid protocol %q", protocol)
	case s.emulator, strings.HasPrefix(domain, "127.0.0.1"), strings.HasPrefix(domain, "localhost"):
		return protocol + "://" + domain + "/" + s.account, nil
	case s.cdn:
		return protocol + "://" + domain, nil
	}
	return protocol + "://" + s.account + "." + domain, nil
}

// openAzure opens a container of Azure Blob Storage.
func openAzure(_ context.Context, u blob.URL, t *tuning) (*bucket, error) {
	q, err := url.ParseQuery(u.Query)
	if err != nil {
		return nil, badQuery(u, err)
	}
	token := os.Getenv("AZURE_STORAGE_SAS_TOKEN")
	if token != "" && u.Query != "" {
		return nil, &blob.Error{Path: u.String(), Kind: blob.ErrPermission, What: "a URL with parameters could lead the token of AZURE_STORAGE_SAS_TOKEN to another server",
			Hint: "Set AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_DOMAIN and AZURE_STORAGE_PROTOCOL instead."}
	}
	s := azureEnvironment()
	if err := s.parse(q); err != nil {
		return nil, badQuery(u, err)
	}
	service, err := s.service()
	if err != nil {
		if u.Query != "" && !errors.Is(err, errNoCredentials) {
			return nil, badQuery(u, err)
		}
		return nil, err
	}
	transport := keepIdle(http.DefaultTransport.(*http.Transport).Clone())
	o := container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: &http.Client{Transport: &patient{do: transport.RoundTrip, patience: t.patience}},
		Retry:     policy.RetryOptions{MaxRetries: -1}, // requests are made again by bucket.try alone
		Telemetry: policy.TelemetryOptions{ApplicationID: userAgent},
	}}
	c, err := s.client(service, u.Bucket, token, &o)
	if err != nil {
		return nil, err
	}
	return &bucket{client: &azureClient{c: c}, server: serverName(strings.TrimSuffix(c.URL(), "/"+u.Bucket)), atEnd: transport.CloseIdleConnections}, nil
}

// client is one with the credentials that the environment has.
func (s *azureSettings) client(service, name, token string, o *container.ClientOptions) (*container.Client, error) {
	at, err := url.JoinPath(service, name)
	if err != nil {
		return nil, err
	}
	// A key is that of the account in the environment, whatever the URL names.
	account, key := os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY")
	switch {
	case account != "" && key != "":
		credential, err := azblob.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, errors.Join(errors.New("AZURE_STORAGE_KEY is not a key"), err)
		}
		return container.NewClientWithSharedKeyCredential(at, credential, o)
	case token != "":
		return container.NewClientWithNoCredential(at+"?"+strings.TrimPrefix(token, "?"), o)
	case s.connection != "":
		return container.NewClientFromConnectionString(s.connection, name, o)
	}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o.ClientOptions})
	if err != nil {
		return nil, errors.Join(errNoCredentials, err)
	}
	return container.NewClient(at, credential, o)
}
