package stores

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"

	"github.com/cipherfold/cipherfold/io/blob"
)

// openAzure opens a container of Azure Blob Storage. Parameters of the URL are
// those of gocloud.dev/blob/azureblob: storage_account, domain, protocol, cdn
// and localemu, for which there are variables of the environment as well.
func openAzure(ctx context.Context, u blob.URL, t *tuning) (*bucket, error) {
	if _, err := url.ParseQuery(u.Query); err != nil {
		return nil, badQuery(u, err)
	}
	token := os.Getenv("AZURE_STORAGE_SAS_TOKEN")
	if token != "" && u.Query != "" {
		return nil, &blob.Error{Path: u.String(), Kind: blob.ErrPermission, What: "a URL with parameters could lead the token of AZURE_STORAGE_SAS_TOKEN to another server",
			Hint: "Set AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_DOMAIN and AZURE_STORAGE_PROTOCOL instead."}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = idleConnsPerHost, 0
	client := &http.Client{Transport: &patient{do: transport.RoundTrip, patience: t.patience}}
	b := &bucket{atEnd: []func() error{func() error { transport.CloseIdleConnections(); return nil }}}
	at := &url.URL{Scheme: u.Scheme, Host: u.Bucket, RawQuery: u.Query}
	opener := func(retries int32) *azureblob.URLOpener {
		o := container.ClientOptions{ClientOptions: policy.ClientOptions{
			Transport: client,
			Retry:     policy.RetryOptions{MaxRetries: retries, RetryDelay: t.retries.first, MaxRetryDelay: t.retries.most},
		}}
		return &azureblob.URLOpener{
			ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions(),
			MakeClient: func(service azureblob.ServiceURL, name azureblob.ContainerName) (*container.Client, error) {
				return azureClient(string(service), string(name), &o)
			},
		}
	}
	var err error
	if b.reads, err = opener(-1).OpenBucketURL(ctx, at); err != nil {
		return nil, azureOpening(u, err)
	}
	if b.writes, err = opener(int32(t.retries.attempts-1)).OpenBucketURL(ctx, at); err != nil {
		return nil, azureOpening(u, err)
	}
	b.only = func(as func(any) bool, v version) error {
		var o *azureblobs.DownloadStreamOptions
		if as(&o) && v.etag != "" {
			etag := azcore.ETag(v.etag)
			o.AccessConditions = &azureblobs.AccessConditions{ModifiedAccessConditions: &azureblobs.ModifiedAccessConditions{IfMatch: &etag}}
		}
		return nil
	}
	return b, nil
}

func azureOpening(u blob.URL, err error) error {
	if u.Query != "" && !noCredentials(err) {
		return badQuery(u, err)
	}
	return err
}

// azureClient is a client with the credentials that gocloud's would have, which
// takes no options.
func azureClient(service, name string, o *container.ClientOptions) (*container.Client, error) {
	at, err := url.JoinPath(service, name)
	if err != nil {
		return nil, err
	}
	account, key := os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY")
	connection := os.Getenv("AZURE_STORAGE_CONNECTION_STRING")
	if connection == "" {
		connection = os.Getenv("AZURE_STORAGEBLOB_CONNECTIONSTRING")
	}
	switch {
	case account != "" && key != "":
		credential, err := azblob.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, errors.Join(errors.New("AZURE_STORAGE_KEY is not a key"), err)
		}
		return container.NewClientWithSharedKeyCredential(at, credential, o)
	case os.Getenv("AZURE_STORAGE_SAS_TOKEN") != "":
		return container.NewClientWithNoCredential(at, o)
	case connection != "":
		return container.NewClientFromConnectionString(connection, name, o)
	}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o.ClientOptions})
	if err != nil {
		return nil, err
	}
	return container.NewClient(at, credential, o)
}
