package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/io/blob"
)

// spool is batches on disk that some server may not hold yet.
type spool struct {
	dir    string
	source string // name of the gateway and of the spool
	max    int64  // bytes
	unlock func() error

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something changes
	sizes   map[uint64]int64
	bytes   int64
	first   uint64 // the oldest batch
	next    uint64 // number of the next batch
}

const (
	spoolID     = "spool.id"
	batchSuffix = ".batch"
)

// openSpool opens or makes a spool. A gateway uses it alone.
func openSpool(ctx context.Context, dir, gateway string, maxBytes int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := blob.Local{}.Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	s := &spool{dir: dir, max: maxBytes, unlock: unlock, sizes: map[uint64]int64{}, changed: make(chan struct{})}
	if err := s.load(gateway); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return s, nil
}

func (s *spool) load(gateway string) error {
	id, err := os.ReadFile(filepath.Join(s.dir, spoolID))
	if errors.Is(err, fs.ErrNotExist) {
		var random [8]byte
		rand.Read(random[:]) // never fails
		id = []byte(gateway + "/" + hex.EncodeToString(random[:]) + " 0\n")
		err = s.write(spoolID, id)
	}
	if err != nil {
		return err
	}
	source, sent, ok := strings.Cut(strings.TrimSuffix(string(id), "\n"), " ")
	last, err := strconv.ParseUint(sent, 10, 63)
	if !ok || err != nil {
		return job.Misuse("Name another directory, and ingest the tables again.", "%s: the spool is damaged", s.dir)
	}
	if !strings.HasPrefix(source, gateway+"/") {
		return job.Misuse("Each gateway has a spool of its own.", "%s: the spool is that of another gateway (%s)", s.dir, source)
	}
	s.source = source
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var numbers []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), batchSuffix)
		if !ok {
			if strings.HasSuffix(e.Name(), ".new") { // half written
				if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
					return err
				}
			}
			continue
		}
		n, err := strconv.ParseUint(name, 10, 63)
		info, err2 := e.Info()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		numbers, s.sizes[n] = append(numbers, n), info.Size()
		s.bytes += info.Size()
	}
	slices.Sort(numbers)
	s.first, s.next = last+1, last+1
	for i, n := range numbers {
		if i == 0 {
			s.first = n
		}
		if n != s.first+uint64(i) || n > last+uint64(len(numbers)) {
			return job.Misuse("Name another directory, and ingest the tables again.", "%s: a batch is missing from the spool", s.dir)
		}
		s.next = n + 1
	}
	return nil
}

// write makes or replaces a file, which is on disk when it returns.
func (s *spool) write(name string, data []byte) error {
	to := filepath.Join(s.dir, name)
	f, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to+".new"))
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// notify wakes whoever waits. s.mu is held.
func (s *spool) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wake is notify for others.
func (s *spool) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify()
}

// entry is a batch as the spool has it.
type entry struct {
	number uint64
	head   []byte
	shares [][]byte // of each server
}

// put adds a batch when there is room, which it waits for. full is called when it begins to wait.
func (s *spool) put(ctx context.Context, e *entry, full func()) error {
	data := binary.BigEndian.AppendUint32(nil, uint32(len(e.head)))
	data = binary.BigEndian.AppendUint32(data, uint32(len(e.shares)))
	data = append(data, e.head...)
	for _, x := range e.shares {
		data = append(data, x...)
	}
	sum := sha256.Sum256(data)
	data = append(data, sum[:]...)
	for {
		s.mu.Lock()
		room := s.bytes == 0 || s.bytes+int64(len(data)) <= s.max
		changed := s.changed
		s.mu.Unlock()
		if room {
			break
		}
		full()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := s.write(fmt.Sprintf("%016d%s", e.number, batchSuffix), data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes[e.number] = int64(len(data))
	s.bytes += int64(len(data))
	s.next = e.number + 1
	s.notify()
	return nil
}

// get reads a batch.
func (s *spool) get(number uint64) (*entry, error) {
	name := filepath.Join(s.dir, fmt.Sprintf("%016d%s", number, batchSuffix))
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	damaged := fmt.Errorf("%s: the file is damaged", name)
	if len(data) < 8+sha256.Size {
		return nil, damaged
	}
	body := data[:len(data)-sha256.Size]
	if sha256.Sum256(body) != [32]byte(data[len(body):]) {
		return nil, damaged
	}
	head, servers := int(binary.BigEndian.Uint32(body)), int(binary.BigEndian.Uint32(body[4:]))
	body = body[8:]
	if head > len(body) || servers < 2 || (len(body)-head)%servers != 0 {
		return nil, damaged
	}
	e := &entry{number: number, head: body[:head]}
	size := (len(body) - head) / servers
	for j := range servers {
		e.shares = append(e.shares, body[head+j*size:head+(j+1)*size])
	}
	return e, nil
}

// drop forgets the batches up to a number, which all servers hold.
func (s *spool) drop(last uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last < s.first {
		return nil
	}
	// The number is on disk before the batches go: a spool never begins again with a number that servers hold.
	if err := s.write(spoolID, fmt.Appendf(nil, "%s %d\n", s.source, last)); err != nil {
		return err
	}
	for ; s.first <= last; s.first++ {
		if err := os.Remove(filepath.Join(s.dir, fmt.Sprintf("%016d%s", s.first, batchSuffix))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.bytes -= s.sizes[s.first]
		delete(s.sizes, s.first)
	}
	s.notify()
	return nil
}

// state tells the oldest batch, the number of the next one, and a channel that is closed when that changes.
func (s *spool) state() (first, next uint64, changed chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.next, s.changed
}

func (s *spool) close() error { return s.unlock() }
