package stores

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	azureblobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureClient is Azure's own client, of which requests are not repeated.
type azureClient struct{ c *container.Client }

// azurePartsMax is how many blocks a blob may have.
const azurePartsMax = 50_000

func (c *azureClient) limits() limits { return limits{partsMax: azurePartsMax} }

// azureError makes what the store refuses a *refusal.
func azureError(err error) error {
	if r := (*azcore.ResponseError)(nil); errors.As(err, &r) {
		text := fmt.Sprintf("%d %s: %s", r.StatusCode, http.StatusText(r.StatusCode), r.ErrorCode)
		return &refusal{status: r.StatusCode, code: r.ErrorCode, text: strings.TrimSuffix(text, ": ")}
	}
	if err != nil && strings.Contains(err.Error(), "DefaultAzureCredential") { // several types
		return errors.Join(errNoCredentials, err)
	}
	return err
}

// azureMark reads the metadata that tells whose upload a blob is. Names of
// metadata come back as headers are written.
func azureMark(metadata map[string]*string) string {
	for name, value := range metadata {
		if strings.EqualFold(name, uploadMark) {
			return deref(value)
		}
	}
	return ""
}

// deref is the value that a pointer leads to, or the zero value.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c *azureClient) stat(ctx context.Context, key string) (object, error) {
	r, err := c.c.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return object{}, azureError(err)
	}
	return object{version: version{size: deref(r.ContentLength), modified: deref(r.LastModified), etag: string(deref(r.ETag))}, mark: azureMark(r.Metadata)}, nil
}

func (c *azureClient) read(ctx context.Context, key string, v version, off, n int64) (io.ReadCloser, version, error) {
	o := &azureblobs.DownloadStreamOptions{Range: azureblobs.HTTPRange{Offset: off, Count: n}}
	if v.etag != "" {
		etag := azcore.ETag(v.etag)
		o.AccessConditions = &azureblobs.AccessConditions{ModifiedAccessConditions: &azureblobs.ModifiedAccessConditions{IfMatch: &etag}}
	}
	r, err := c.c.NewBlobClient(key).DownloadStream(ctx, o)
	if err != nil {
		return nil, version{}, azureError(err)
	}
	is := totalOf(deref(r.ContentRange), deref(r.ContentLength))
	is.modified, is.etag = deref(r.LastModified), string(deref(r.ETag))
	return r.Body, is, nil
}

func (c *azureClient) list(ctx context.Context, prefix, token string, n int) (page, error) {
	max := int32(n)
	o := &container.ListBlobsHierarchyOptions{Prefix: &prefix, MaxResults: &max}
	if token != "" {
		o.Marker = &token
	}
	r, err := c.c.NewListBlobsHierarchyPager("/", o).NextPage(ctx)
	if err != nil {
		return page{}, azureError(err)
	}
	p := page{next: deref(r.NextMarker)}
	if r.Segment == nil {
		return p, nil
	}
	for _, o := range r.Segment.BlobItems {
		p.keys = append(p.keys, deref(o.Name))
	}
	for _, o := range r.Segment.BlobPrefixes {
		p.prefixes = append(p.prefixes, deref(o.Name))
	}
	return p, nil
}

// copyPause is between questions how far a copy is. Within an account it is
// mostly done at once.
const copyPause = 500 * time.Millisecond

func (c *azureClient) copy(ctx context.Context, to, from string) error {
	target := c.c.NewBlobClient(to)
	r, err := target.StartCopyFromURL(ctx, c.c.NewBlobClient(from).URL(), nil)
	if err != nil {
		return azureError(err)
	}
	how := deref(r.CopyStatus)
	for how == azureblobs.CopyStatusTypePending {
		select {
		case <-time.After(copyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		p, err := target.GetProperties(ctx, nil)
		if err != nil {
			return azureError(err)
		}
		how = deref(p.CopyStatus)
	}
	if how != azureblobs.CopyStatusTypeSuccess {
		return fmt.Errorf("the store says that the copy is %q", how)
	}
	return nil
}

func (c *azureClient) delete(ctx context.Context, key string) error {
	_, err := c.c.NewBlobClient(key).Delete(ctx, nil)
	return azureError(err)
}

// azureOptions are those of a new blob.
func azureOptions(o writeOptions) (*azureblobs.HTTPHeaders, map[string]*string, *azureblobs.AccessConditions) {
	kind, mark := contentType, o.mark
	var conditions *azureblobs.AccessConditions
	if o.fresh {
		any := azcore.ETagAny
		conditions = &azureblobs.AccessConditions{ModifiedAccessConditions: &azureblobs.ModifiedAccessConditions{IfNoneMatch: &any}}
	}
	return &azureblobs.HTTPHeaders{BlobContentType: &kind}, map[string]*string{uploadMark: &mark}, conditions
}

func (c *azureClient) put(ctx context.Context, key string, data []byte, o writeOptions) error {
	headers, metadata, conditions := azureOptions(o)
	_, err := c.c.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)),
		&blockblob.UploadOptions{HTTPHeaders: headers, Metadata: metadata, AccessConditions: conditions})
	return azureError(err)
}

func (c *azureClient) begin(_ context.Context, key string, o writeOptions) (parts, error) {
	return &azureParts{b: c.c.NewBlockBlobClient(key), o: o}, nil
}

// azureParts is a blob that is sent in blocks.
type azureParts struct {
	b *blockblob.Client
	o writeOptions
	n int // blocks, known with the last
}

// block is the name of a block. Those of one blob have one length, also those
// that a killed upload has left; this is the one of Azure's own client.
func (u *azureParts) block(n int) string {
	var id [64]byte
	copy(id[:], u.o.mark)
	binary.BigEndian.PutUint32(id[60:], uint32(n))
	return base64.StdEncoding.EncodeToString(id[:])
}

func (u *azureParts) send(ctx context.Context, n int, data []byte, last bool) error {
	if last {
		u.n = n
	}
	_, err := u.b.StageBlock(ctx, u.block(n), streaming.NopCloser(bytes.NewReader(data)), nil)
	return azureError(err)
}

func (u *azureParts) complete(ctx context.Context) error {
	var blocks []string
	for n := 1; n <= u.n; n++ {
		blocks = append(blocks, u.block(n))
	}
	headers, metadata, conditions := azureOptions(u.o)
	_, err := u.b.CommitBlockList(ctx, blocks, &blockblob.CommitBlockListOptions{HTTPHeaders: headers, Metadata: metadata, AccessConditions: conditions})
	return azureError(err)
}

// abort has nothing to do: the store forgets blocks that nobody claims within a
// week, and shows them to nobody.
func (u *azureParts) abort(context.Context) error { return nil }
