package keys

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// powersCache is a file beside a public key file that keeps the key's tables of powers for this user's next encryption.
//
// Anyone who can choose the tables can read what is encrypted with them (powers of 1 hide nothing). To check every
// entry takes as long as to make them. So the file is authenticated, with HMAC-SHA256 under a key that this program
// makes for the user. That key never leaves the user's configuration directory (cacheKey). A file that came along with
// a public key does not pass. The format is in docs/file-format.md.
type powersCache struct {
	file        string
	fingerprint string
	tables      *paillier.PublicTables
}

// newPowersCache returns nil for keys that are not in a file on this machine.
func newPowersCache(k Key, tables *paillier.PublicTables) *powersCache {
	if info, err := os.Stat(k.File); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return &powersCache{file: cacheFile(k.File, k.Public.Kernel()), fingerprint: k.Public.Fingerprint(), tables: tables}
}

func cacheFile(key, kernel string) string { return key + "." + kernel + ".tables" }

// CacheFiles are the files that may keep the tables of powers of a key file, one for each kernel.
func CacheFiles(key string) []string {
	var names []string
	for _, k := range paillier.Kernels() {
		names = append(names, cacheFile(key, k.Name))
	}
	return names
}

// cacheMagic starts the file; the MAC of the header line follows in hexadecimal, and the header line.
const cacheMagic = "cipherfold tables 1 "

// cacheHeaderMax is far above the size of any header.
const cacheHeaderMax = 1 << 20

// cacheHeader is the header line: what is kept. The words of the pieces follow, little-endian.
type cacheHeader struct {
	Fingerprint string       `json:"fingerprint"` // of the public key
	Layout      string       `json:"layout"`      // with the kernel
	Base        string       `json:"base"`        // hexadecimal
	Pieces      []cachePiece `json:"pieces"`
}

type cachePiece struct {
	Words  int    `json:"words"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// unusable says that a cache cannot be used.
type unusable struct {
	why     string // "" when there is nothing to tell
	replace bool   // a file of the user's own is there and should be replaced
	leave   bool   // what is there is not the user's to replace
}

// read fills the tables from the file. When it returns a reason not to, their contents are arbitrary.
func (c *powersCache) read(ctx context.Context, threads int) *unusable {
	f, h, at, bad := c.open()
	if bad != nil {
		return bad
	}
	defer f.Close()
	if err := c.readPieces(ctx, f, at, h, threads); err != nil {
		return &unusable{why: err.Error(), replace: true}
	}
	base, err := hex.DecodeString(h.Base)
	if err != nil || !c.tables.Verify(base) {
		return &unusable{why: "its numbers are not powers of the key's base", replace: true}
	}
	return nil
}

// open opens the file and reads its header. It returns where the pieces begin.
func (c *powersCache) open() (*os.File, *cacheHeader, int64, *unusable) {
	f, err := openOwn(c.file, othersWrite)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, 0, &unusable{}
	case errors.Is(err, errOpenToOthers):
		return nil, nil, 0, &unusable{why: err.Error(), replace: true}
	case err != nil:
		return nil, nil, 0, &unusable{why: err.Error(), leave: true}
	}
	h, at, bad := c.readHeader(f)
	if bad == nil {
		bad = c.checkSize(f, at)
	}
	if bad != nil {
		f.Close()
		return nil, nil, 0, bad
	}
	return f, h, at, nil
}

// readHeader reads and authenticates the header before it uses any of it. It returns where the pieces begin.
func (c *powersCache) readHeader(f *os.File) (*cacheHeader, int64, *unusable) {
	damaged := &unusable{why: "it is damaged or ends early", replace: true}
	head := make([]byte, cacheHeaderMax)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, 0, &unusable{why: err.Error(), replace: true}
	}
	head = head[:n]
	const macEnd = len(cacheMagic) + 2*sha256.Size
	if !bytes.HasPrefix(head, []byte(cacheMagic)) {
		return nil, 0, &unusable{why: "it is not such a file, or one of another version", replace: true}
	}
	if len(head) <= macEnd || head[macEnd] != '\n' {
		return nil, 0, damaged
	}
	line, _, found := bytes.Cut(head[macEnd+1:], []byte("\n"))
	if !found {
		return nil, 0, damaged
	}
	key, err := cacheKey(false)
	if err != nil {
		return nil, 0, &unusable{why: fmt.Sprintf("nothing here tells who made it: %v", err), replace: true}
	}
	if mac, err := hex.DecodeString(string(head[len(cacheMagic):macEnd])); err != nil || !hmac.Equal(mac, cacheMAC(key, line)) {
		return nil, 0, &unusable{why: "it is damaged, or was not made by you on this machine", replace: true}
	}
	h := new(cacheHeader)
	if err := json.Unmarshal(line, h); err != nil {
		return nil, 0, damaged
	}
	if h.Fingerprint != c.fingerprint {
		return nil, 0, &unusable{why: "it is of another key", replace: true}
	}
	if h.Layout != c.tables.Layout() || len(h.Pieces) != c.tables.Pieces() {
		return nil, 0, &unusable{replace: true} // made within another limit of memory, or by another version of the kernel
	}
	return h, int64(macEnd + 1 + len(line) + 1), nil
}

// checkSize compares the size of the file, whose pieces begin at an offset, with what it should hold.
func (c *powersCache) checkSize(f *os.File, at int64) *unusable {
	info, err := f.Stat()
	if err != nil {
		return &unusable{why: err.Error(), leave: true}
	}
	if want := at + c.tables.Bytes(); info.Size() != want {
		return &unusable{why: fmt.Sprintf("it has %d bytes, not %d", info.Size(), want), replace: true}
	}
	return nil
}

// readPieces reads what begins at an offset into the tables, and compares digests of what it read.
func (c *powersCache) readPieces(ctx context.Context, f *os.File, at int64, h *cacheHeader, threads int) error {
	offsets := make([]int64, len(h.Pieces))
	for i, p := range h.Pieces {
		offsets[i] = at
		at += 8 * int64(p.Words)
	}
	_, err := eachPiece(ctx, len(h.Pieces), threads, func() func(int) error {
		var buf []byte
		return func(i int) error {
			words := c.tables.Words(i)
			if h.Pieces[i].Words != len(words) {
				return fmt.Errorf("piece %d has %d words, not %d", i, h.Pieces[i].Words, len(words))
			}
			if len(buf) < 8*len(words) {
				buf = make([]byte, 8*len(words))
			}
			b := buf[:8*len(words)]
			if _, err := f.ReadAt(b, offsets[i]); err != nil {
				return err
			}
			if digest := sha256.Sum256(b); hex.EncodeToString(digest[:]) != h.Pieces[i].SHA256 {
				return errors.New("it is damaged: a part does not match its SHA-256")
			}
			for k := range words {
				words[k] = binary.LittleEndian.Uint64(b[8*k:])
			}
			return nil
		}
	})
	return job.UnwrapStage(err)
}

// write keeps the tables, replacing the file as a whole.
func (c *powersCache) write(ctx context.Context) error {
	key, err := cacheKey(true)
	if err != nil {
		return err
	}
	h := cacheHeader{Fingerprint: c.fingerprint, Layout: c.tables.Layout(), Base: hex.EncodeToString(c.tables.Base())}
	var buf []byte
	for i := range c.tables.Pieces() {
		buf = appendWords(buf[:0], c.tables.Words(i))
		digest := sha256.Sum256(buf)
		h.Pieces = append(h.Pieces, cachePiece{len(c.tables.Words(i)), hex.EncodeToString(digest[:])})
	}
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	u, err := blob.Local{}.Create(ctx, c.file, blob.CreateOptions{Overwrite: true, Private: true})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := fmt.Fprintf(u, "%s%x\n%s\n", cacheMagic, cacheMAC(key, line), line); err != nil {
		return err
	}
	for i := range c.tables.Pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf = appendWords(buf[:0], c.tables.Words(i))
		if _, err := u.Write(buf); err != nil {
			return err
		}
	}
	return u.Commit(ctx)
}

func appendWords(b []byte, words []uint64) []byte {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// cacheMAC authenticates a header line, and by the digests in it all that follows.
func cacheMAC(key, line []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(cacheMagic))
	m.Write(line)
	return m.Sum(nil)
}
