package s3server

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// Disk is a backend whose objects are files, for more than fits in memory: gofakes3's own backends hold objects, or the
// parts of uploads, in memory. Its list of objects does not outlive it.
type Disk struct {
	dir     string
	mu      sync.Mutex
	buckets map[string]map[string]*stored
	uploads map[gofakes3.UploadID]*diskUpload
	files   int
}

var (
	_ gofakes3.Backend          = (*Disk)(nil)
	_ gofakes3.MultipartBackend = (*Disk)(nil)
)

// stored is an object: its bytes are those of the files, one after the other.
type stored struct {
	files    []string
	sizes    []int64
	etag     []byte
	meta     map[string]string
	modified time.Time
}

func (s *stored) size() int64 {
	total := int64(0)
	for _, n := range s.sizes {
		total += n
	}
	return total
}

type diskUpload struct {
	bucket, key string
	meta        map[string]string
	parts       map[int]*stored
}

// NewDisk keeps objects in a directory that exists.
func NewDisk(dir string) *Disk {
	return &Disk{dir: dir, buckets: map[string]map[string]*stored{}, uploads: map[gofakes3.UploadID]*diskUpload{}}
}

// Add makes a file an object, without copying it.
func (d *Disk) Add(bucket, key, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	etag := make([]byte, md5.Size)
	_, _ = rand.Read(etag) // never fails
	return d.put(bucket, key, &stored{files: []string{file}, sizes: []int64{info.Size()}, etag: etag, meta: map[string]string{}})
}

func (d *Disk) put(bucket, key string, s *stored) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.buckets[bucket] == nil {
		return gofakes3.BucketNotFound(bucket)
	}
	s.modified = time.Now().UTC()
	if s.meta == nil {
		s.meta = map[string]string{}
	}
	s.meta["Last-Modified"] = s.modified.Format(http.TimeFormat)
	d.buckets[bucket][key] = s
	return nil
}

// keep stores what a reader delivers as one file.
func (d *Disk) keep(input io.Reader) (*stored, error) {
	d.mu.Lock()
	d.files++
	name := filepath.Join(d.dir, fmt.Sprintf("object-%08d", d.files))
	d.mu.Unlock()
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	hash := md5.New()
	n, err := io.Copy(io.MultiWriter(f, hash), input)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return &stored{files: []string{name}, sizes: []int64{n}, etag: hash.Sum(nil)}, nil
}

func (d *Disk) find(bucket, key string) (*stored, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	objects := d.buckets[bucket]
	if objects == nil {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	if objects[key] == nil {
		return nil, gofakes3.KeyNotFound(key)
	}
	return objects[key], nil
}

// GetObject opens an object, or a stretch of it.
func (d *Disk) GetObject(bucket, key string, request *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	s, err := d.find(bucket, key)
	if err != nil {
		return nil, err
	}
	at, err := request.Range(s.size())
	if err != nil {
		return nil, err
	}
	from, n := int64(0), s.size()
	if at != nil {
		from, n = at.Start, at.Length
	}
	contents := &stretch{}
	var parts []io.Reader
	for i, file := range s.files {
		lo, hi := max(0, from), min(s.sizes[i], from+n)
		from -= s.sizes[i]
		if lo >= hi {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, errors.Join(err, contents.Close())
		}
		contents.files = append(contents.files, f)
		parts = append(parts, io.NewSectionReader(f, lo, hi-lo))
	}
	contents.Reader = io.MultiReader(parts...)
	return &gofakes3.Object{Name: key, Metadata: s.meta, Size: s.size(), Contents: contents, Hash: s.etag, Range: at}, nil
}

// stretch reads some files.
type stretch struct {
	io.Reader
	files []*os.File
}

func (s *stretch) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// HeadObject tells of an object.
func (d *Disk) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	s, err := d.find(bucket, key)
	if err != nil {
		return nil, err
	}
	return &gofakes3.Object{Name: key, Metadata: s.meta, Size: s.size(), Contents: http.NoBody, Hash: s.etag}, nil
}

// PutObject stores an object.
func (d *Disk) PutObject(bucket, key string, meta map[string]string, input io.Reader, _ int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	s, err := d.keep(input)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	if conditions != nil {
		had, err := d.find(bucket, key)
		info := gofakes3.ConditionalObjectInfo{Exists: err == nil}
		if had != nil {
			info.Hash = had.etag
		}
		if err := gofakes3.CheckPutConditions(conditions, &info); err != nil {
			return gofakes3.PutObjectResult{}, errors.Join(err, os.Remove(s.files[0]))
		}
	}
	s.meta = meta
	return gofakes3.PutObjectResult{}, d.put(bucket, key, s)
}

// DeleteObject forgets an object.
func (d *Disk) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.buckets[bucket], key)
	return gofakes3.ObjectDeleteResult{}, nil
}

// DeleteMulti forgets objects.
func (d *Disk) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	for _, key := range keys {
		_, _ = d.DeleteObject(bucket, key) // never fails
	}
	return gofakes3.MultiDeleteResult{}, nil
}

// CopyObject gives an object's files a second name.
func (d *Disk) CopyObject(fromBucket, from, toBucket, to string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	s, err := d.find(fromBucket, from)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	copied := *s
	copied.meta = maps.Clone(s.meta)
	if err := d.put(toBucket, to, &copied); err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	return gofakes3.CopyObjectResult{ETag: gofakes3.FormatETag(s.etag), LastModified: gofakes3.NewContentTime(copied.modified)}, nil
}

// ListBucket lists all objects that match, in one page.
func (d *Disk) ListBucket(bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	objects := d.buckets[bucket]
	if objects == nil {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	list := gofakes3.NewObjectList()
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		var match gofakes3.PrefixMatch
		switch {
		case page.HasMarker && key <= page.Marker, prefix != nil && !prefix.Match(key, &match):
		case match.CommonPrefix:
			list.AddPrefix(match.MatchedPart)
		default:
			s := objects[key]
			list.Add(&gofakes3.Content{Key: key, LastModified: gofakes3.NewContentTime(s.modified), ETag: gofakes3.FormatETag(s.etag), Size: s.size()})
		}
	}
	return list, nil
}

// CreateBucket makes a bucket.
func (d *Disk) CreateBucket(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.buckets[name] != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	d.buckets[name] = map[string]*stored{}
	return nil
}

// BucketExists reports whether there is a bucket.
func (d *Disk) BucketExists(name string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buckets[name] != nil, nil
}

// ListBuckets lists the buckets.
func (d *Disk) ListBuckets() ([]gofakes3.BucketInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []gofakes3.BucketInfo
	for _, name := range slices.Sorted(maps.Keys(d.buckets)) {
		out = append(out, gofakes3.BucketInfo{Name: name})
	}
	return out, nil
}

// DeleteBucket is refused: buckets last as long as the server.
func (d *Disk) DeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// ForceDeleteBucket is refused.
func (d *Disk) ForceDeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// CreateMultipartUpload begins an upload.
func (d *Disk) CreateMultipartUpload(bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := gofakes3.UploadID(rand.Text())
	d.uploads[id] = &diskUpload{bucket: bucket, key: key, meta: meta, parts: map[int]*stored{}}
	return id, nil
}

func (d *Disk) upload(id gofakes3.UploadID) (*diskUpload, error) {
	if u := d.uploads[id]; u != nil {
		return u, nil
	}
	return nil, gofakes3.ErrNoSuchUpload
}

// UploadPart stores a part; one that came before is replaced.
func (d *Disk) UploadPart(_, _ string, id gofakes3.UploadID, number int, _ int64, input io.Reader) (string, error) {
	s, err := d.keep(input)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.upload(id)
	if err != nil {
		return "", errors.Join(err, os.Remove(s.files[0]))
	}
	if old := u.parts[number]; old != nil {
		_ = os.Remove(old.files[0])
	}
	u.parts[number] = s
	return gofakes3.FormatETag(s.etag), nil
}

// AbortMultipartUpload removes the parts.
func (d *Disk) AbortMultipartUpload(_, _ string, id gofakes3.UploadID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.upload(id)
	if err != nil {
		return err
	}
	delete(d.uploads, id)
	var errs []error
	for _, p := range u.parts {
		errs = append(errs, os.Remove(p.files[0]))
	}
	return errors.Join(errs...)
}

// CompleteMultipartUpload makes the parts an object.
func (d *Disk) CompleteMultipartUpload(_, _ string, id gofakes3.UploadID, input *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	d.mu.Lock()
	u, err := d.upload(id)
	if err != nil {
		d.mu.Unlock()
		return "", "", err
	}
	whole := &stored{meta: u.meta}
	hash := md5.New()
	last := 0
	for _, p := range input.Parts {
		s := u.parts[p.PartNumber]
		if s == nil || strings.Trim(p.ETag, `"`) != hex.EncodeToString(s.etag) || p.PartNumber <= last {
			d.mu.Unlock()
			return "", "", gofakes3.ErrInvalidPart
		}
		last = p.PartNumber
		whole.files, whole.sizes = append(whole.files, s.files[0]), append(whole.sizes, s.sizes[0])
		hash.Write(s.etag)
	}
	delete(d.uploads, id)
	d.mu.Unlock()
	whole.etag = hash.Sum(nil)
	return "", gofakes3.FormatETag(whole.etag), d.put(u.bucket, u.key, whole)
}

// ListMultipartUploads lists the uploads under way.
func (d *Disk) ListMultipartUploads(bucket string, _ *gofakes3.UploadListMarker, _ gofakes3.Prefix, _ int64) (*gofakes3.ListMultipartUploadsResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &gofakes3.ListMultipartUploadsResult{Bucket: bucket}
	for id, u := range d.uploads {
		if u.bucket == bucket {
			out.Uploads = append(out.Uploads, gofakes3.ListMultipartUploadItem{Key: u.key, UploadID: id})
		}
	}
	return out, nil
}

// ListParts is refused: nothing here asks.
func (d *Disk) ListParts(_, _ string, _ gofakes3.UploadID, _ int, _ int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	return nil, gofakes3.ErrNotImplemented
}
