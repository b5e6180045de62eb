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

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/cipherfold/cipherfold/io/blob"
)

// googleScope is what tokens are good for.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// openGS opens a bucket of Google Cloud Storage. The URL has one parameter:
// anonymous=true. STORAGE_EMULATOR_HOST leads to a store elsewhere.
func openGS(ctx context.Context, u blob.URL, t *tuning) (*bucket, error) {
	q, err := url.ParseQuery(u.Query)
	if err != nil {
		return nil, badQuery(u, err)
	}
	emulator := os.Getenv("STORAGE_EMULATOR_HOST")
	anonymous := emulator != ""
	for name, values := range q {
		yes, err := strconv.ParseBool(values[0])
		if name != "anonymous" || err != nil {
			return nil, badQuery(u, fmt.Errorf("%s=%s", name, values[0]))
		}
		anonymous = anonymous || yes
	}
	at, err := googleAddress(emulator)
	if err != nil {
		return nil, err
	}
	transport := keepIdle(http.DefaultTransport.(*http.Transport).Clone())
	var base http.RoundTripper = &patient{do: transport.RoundTrip, patience: t.patience}
	if !anonymous {
		// What it returns fetches tokens later on, too.
		credentials, err := google.FindDefaultCredentials(context.WithoutCancel(ctx), googleScope)
		if err != nil {
			if strings.Contains(err.Error(), "could not find default credentials") { // it has no type
				err = errors.Join(errNoCredentials, err)
			}
			return nil, err
		}
		base = &oauth2.Transport{Base: base, Source: credentials.TokenSource}
	}
	return &bucket{client: &googleClient{at: at, bucket: u.Bucket, do: base.RoundTrip}, server: serverName(emulator), atEnd: transport.CloseIdleConnections}, nil
}

// googleAddress is where the store is, without a slash at its end: Google's, in
// the universe of GOOGLE_CLOUD_UNIVERSE_DOMAIN, or an emulator, of which the
// scheme may be missing and the path does not count.
func googleAddress(emulator string) (string, error) {
	if emulator == "" {
		universe := os.Getenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN")
		if universe == "" {
			universe = "googleapis.com"
		}
		return "https://storage." + universe, nil
	}
	if !strings.Contains(emulator, "://") {
		emulator = "http://" + emulator
	}
	u, err := url.Parse(emulator)
	if err != nil {
		return "", fmt.Errorf("STORAGE_EMULATOR_HOST: %w", err)
	}
	return u.Scheme + "://" + u.Host, nil
}
