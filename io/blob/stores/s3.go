package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cipherfold/cipherfold/io/blob"
)

// s3Settings are what the parameters of an s3:// URL say, which the user guide lists.
type s3Settings struct {
	endpoint          string // "" means what the environment and the profile say, or Amazon's
	pathStyle, styled bool   // the bucket is in the path; the URL says where it is
	plain             bool   // http, not https
	accelerate        bool
	anonymous         bool
	encryption        string // "", AES256, aws:kms and so on
	encryptionKey     string
	role              string
	options           []func(*config.LoadOptions) error
}

// parseS3 reads the parameters of a URL. Their names and values are those of
// gocloud.dev/blob/s3blob, which earlier versions used.
func parseS3(q url.Values) (*s3Settings, error) {
	s := &s3Settings{}
	for name, values := range q {
		value, err := values[0], error(nil)
		var yes bool
		flag := func(to *bool) {
			if value != "" {
				*to, err = strconv.ParseBool(value)
			}
		}
		switch name {
		case "endpoint":
			s.endpoint = value
			if u, perr := url.Parse(value); value != "" && (perr != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
				err = errors.New("it begins with http:// or https://")
			}
		case "region":
			s.options = append(s.options, config.WithRegion(value))
		case "profile":
			s.options = append(s.options, config.WithSharedConfigProfile(value))
		case "role":
			if s.role = value; !strings.HasPrefix(value, "arn:") {
				err = errors.New("it is an ARN, such as arn:aws:iam::ACCOUNT:role/NAME")
			}
		case "anonymous":
			flag(&s.anonymous)
		case "use_path_style", "s3ForcePathStyle":
			s.styled = true
			flag(&s.pathStyle)
		case "disable_https":
			flag(&s.plain)
		case "accelerate":
			flag(&s.accelerate)
		case "dualstack":
			if flag(&yes); yes {
				s.options = append(s.options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
			}
		case "fips":
			if flag(&yes); yes {
				s.options = append(s.options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
			}
		case "ssetype":
			if at := slices.IndexFunc(encryptions, func(e string) bool { return strings.EqualFold(e, value) }); at >= 0 {
				s.encryption = encryptions[at]
			} else if value != "" {
				err = errors.New("it is one of " + strings.Join(encryptions, ", "))
			}
		case "kmskeyid":
			s.encryptionKey = value
		case "request_checksum_calculation", "response_checksum_validation":
			// Every upload is checked by its SHA-256, which the signature covers.
			if value = strings.ToLower(value); value != "when_supported" && value != "when_required" {
				err = errors.New("it is when_supported or when_required")
			}
		case "hostname_immutable", "rate_limiter_capacity", "awssdk": // without effect here
		default:
			return nil, fmt.Errorf("unknown query parameter %q", name)
		}
		if err != nil {
			return nil, fmt.Errorf("invalid value %q of %s: %w", value, name, err)
		}
	}
	return s, nil
}

var encryptions = []string{"AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"}

// openS3 opens a bucket by S3's protocol. Credentials, region and endpoint are
// found as Amazon's own tools find them.
//
// A store elsewhere (?endpoint= or AWS_ENDPOINT_URL) is addressed with the
// bucket in the path, which all of them know, unless the URL says otherwise.
func openS3(ctx context.Context, u blob.URL, t *tuning) (*bucket, error) {
	q, err := url.ParseQuery(u.Query)
	if err != nil {
		return nil, badQuery(u, err)
	}
	s, err := parseS3(q)
	if err != nil {
		return nil, badQuery(u, err)
	}
	cfg, err := config.LoadDefaultConfig(ctx, s.options...)
	if err != nil {
		return nil, err
	}
	if s.endpoint == "" {
		s.endpoint = s3Endpoint(ctx, &cfg)
	}
	if s.role != "" {
		if cfg.Region == "" {
			return nil, errNoRegion
		}
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.role))
	}
	region := cfg.Region
	if region == "" && s.endpoint != "" {
		region = "us-east-1" // of no meaning there, but part of a signature
	}
	if region == "" {
		return nil, errNoRegion
	}
	at, err := s3Address(u.Bucket, region, s, s3Uses(ctx, &cfg))
	if err != nil {
		return nil, badQuery(u, err)
	}
	base, ok := cfg.HTTPClient.(*awshttp.BuildableClient) // with the certificates of AWS_CA_BUNDLE
	if !ok {
		base = awshttp.NewBuildableClient()
	}
	transport := keepIdle(base.GetTransport())
	c := &s3Client{at: at, region: region, bucket: u.Bucket, signer: v4.NewSigner(), now: time.Now, do: (&patient{do: transport.RoundTrip, patience: t.patience}).Do,
		encryption: s.encryption, encryptionKey: s.encryptionKey}
	if !s.anonymous {
		c.credentials = cfg.Credentials
	}
	return &bucket{client: c, server: serverName(s.endpoint), atEnd: transport.CloseIdleConnections}, nil
}

// s3Endpoint is the endpoint that the environment or the profile sets, or "".
func s3Endpoint(ctx context.Context, cfg *aws.Config) string {
	for _, source := range cfg.ConfigSources {
		if p, ok := source.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		}); ok {
			if ignore, found, err := p.GetIgnoreConfiguredEndpoints(ctx); found && err == nil {
				if ignore {
					return ""
				}
				break
			}
		}
	}
	for _, source := range cfg.ConfigSources {
		if p, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok {
			if endpoint, found, err := p.GetServiceBaseEndpoint(ctx, "S3"); found && err == nil {
				return endpoint
			}
		}
	}
	return aws.ToString(cfg.BaseEndpoint)
}

// s3Variant are the variants of Amazon's endpoints.
type s3Variant struct{ dualstack, fips bool }

// s3Uses says which variant the URL, the environment or the profile asks for.
func s3Uses(ctx context.Context, cfg *aws.Config) (v s3Variant) {
	var hasDual, hasFIPS bool
	for _, source := range cfg.ConfigSources {
		if p, ok := source.(interface {
			GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
		}); ok && !hasDual {
			var state aws.DualStackEndpointState
			state, hasDual, _ = p.GetUseDualStackEndpoint(ctx)
			v.dualstack = hasDual && state == aws.DualStackEndpointStateEnabled
		}
		if p, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok && !hasFIPS {
			var state aws.FIPSEndpointState
			state, hasFIPS, _ = p.GetUseFIPSEndpoint(ctx)
			v.fips = hasFIPS && state == aws.FIPSEndpointStateEnabled
		}
	}
	return v
}

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	// hostLabels are several of them, as plain http allows: a certificate is for one.
	hostLabels = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$`)
)

// s3Domains are those of Amazon's partitions, by the beginning of their regions' names.
var s3Domains = []struct{ region, domain, dualstack string }{
	{"cn-", "amazonaws.com.cn", "amazonaws.com.cn"},
	{"us-isob-", "sc2s.sgov.gov", ""},
	{"us-isof-", "csp.hci.ic.gov", ""},
	{"us-iso-", "c2s.ic.gov", ""},
	{"eu-isoe-", "cloud.adc-e.uk", ""},
	{"eusc-", "amazonaws.eu", ""},
	{"", "amazonaws.com", "amazonaws.com"},
}

// s3Address is the URL of a bucket, without a slash at its end.
func s3Address(name, region string, s *s3Settings, v s3Variant) (*url.URL, error) {
	if strings.HasSuffix(name, "--x-s3") && s.endpoint == "" {
		return nil, errors.New("directory buckets of S3 Express are not supported")
	}
	at := &url.URL{Scheme: "https"}
	inPath := s.pathStyle
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the endpoint %q is not a URL", s.endpoint)
		}
		at.Scheme, at.Host, at.Path = u.Scheme, u.Host, strings.TrimSuffix(u.Path, "/")
		inPath = inPath || !s.styled || net.ParseIP(u.Hostname()) != nil
	} else {
		if s.plain {
			at.Scheme = "http"
		}
		i := slices.IndexFunc(s3Domains, func(d struct{ region, domain, dualstack string }) bool { return strings.HasPrefix(region, d.region) })
		domain, host := s3Domains[i].domain, "s3"
		if v.dualstack {
			if domain = s3Domains[i].dualstack; domain == "" {
				return nil, errors.New("there are no dualstack endpoints in region " + region)
			}
		}
		if v.fips {
			host = "s3-fips"
		}
		switch {
		case s.accelerate && (v.fips || inPath || !hostLabel.MatchString(name)):
			return nil, errors.New("accelerate needs a bucket that is addressed by its host, without dots, and no fips")
		case s.accelerate && v.dualstack:
			at.Host = "s3-accelerate.dualstack." + domain
		case s.accelerate:
			at.Host = "s3-accelerate." + domain
		case v.dualstack:
			at.Host = host + ".dualstack." + region + "." + domain
		default:
			at.Host = host + "." + region + "." + domain
		}
	}
	label := hostLabel
	if at.Scheme == "http" {
		label = hostLabels
	}
	if inPath || !label.MatchString(name) {
		at.Path += "/" + name
	} else {
		at.Host = name + "." + at.Host
	}
	return at, nil
}

var errNoRegion = errors.New("no region is set")

func badQuery(u blob.URL, err error) error {
	return &blob.Error{Path: u.String(), Kind: blob.ErrNotFound, Err: err, What: "what follows the ? in the URL is not understood: " + brief(err),
		Hint: "See the user guide's section on object stores for the parameters of " + u.Scheme + "://."}
}
