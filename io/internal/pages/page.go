package pages

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// ReadBufferBytes is how much is read of a column chunk at a time, and so also
// the longest head that a page may have.
const ReadBufferBytes = 256 << 10

// chunk reads the pages of one column chunk in order.
type chunk struct {
	col    *Column
	meta   *format.ColumnMetaData
	br     *bufio.Reader
	bytes  int64 // of the chunk not yet read
	values int64 // of the chunk in pages not yet begun
	dict   *dictionary
	raw    []byte // a page as it is in the file
	body   []byte // the same decompressed

	// The current page.
	left     int // values (of a list: elements, and lists without any) not yet read
	rep, def hybrid
	fixed    fixedDecoder
	varying  bytesDecoder

	// PlainOnly refuses what an encrypted table's ciphertext columns must not
	// have: compression, and encodings other than PLAIN.
	plainOnly bool
}

// chunk opens column c of row group i, from 0.
func (f *File) chunk(i int, c *Column, plainOnly bool) (*chunk, error) {
	cc := &f.meta.RowGroups[i].Columns[c.leaf]
	meta := &cc.MetaData
	if cc.FilePath != "" {
		return nil, errors.New("the column is in another file, which cannot be read")
	}
	if cc.CryptoMetadata.Value != nil || len(cc.EncryptedColumnMetadata) > 0 {
		return nil, errors.New("the column is encrypted by Parquet's own encryption, which cannot be read")
	}
	if meta.Type != c.kind {
		return nil, fmt.Errorf("the values are %s, the schema says %s", meta.Type, c.kind)
	}
	if plainOnly && meta.Codec != format.Uncompressed {
		return nil, fmt.Errorf("the values are compressed (%s)", meta.Codec)
	}
	if meta.NumValues < 0 || !c.list && meta.NumValues != f.RowGroupRows(i) {
		return nil, fmt.Errorf("%d values in %d rows", meta.NumValues, f.RowGroupRows(i))
	}
	from := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d > 0 && d < from {
		from = d
	}
	n := meta.TotalCompressedSize
	if from < int64(len(magic)) || n < 0 || from > f.end || n > f.end-from {
		return nil, fmt.Errorf("its %d bytes at offset %d lie outside the file's data", n, from)
	}
	return &chunk{
		col:       c,
		meta:      meta,
		br:        bufio.NewReaderSize(io.NewSectionReader(f.r, from, n), int(min(ReadBufferBytes, max(n, 16)))),
		bytes:     n,
		values:    meta.NumValues,
		plainOnly: plainOnly,
	}, nil
}

// head reads the head of the next page.
func (k *chunk) head() (*format.PageHeader, error) {
	for want := int64(512); ; want *= 8 {
		want = min(want, k.bytes, int64(k.br.Size()))
		peeked, err := k.br.Peek(int(want))
		if err != nil && err != io.EOF {
			return nil, err
		}
		n, _, scanErr := scanThrift(peeked)
		if scanErr == errShort {
			switch {
			case err == io.EOF || want == k.bytes:
				return nil, column.ErrTruncated
			case want == int64(k.br.Size()):
				return nil, fmt.Errorf("a page has a head of more than %d bytes", want)
			}
			continue
		}
		if scanErr != nil {
			return nil, scanErr
		}
		h := new(format.PageHeader)
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), peeked[:n], h); err != nil {
			return nil, fmt.Errorf("malformed head of a page: %w", err)
		}
		k.skip(n)
		return h, nil
	}
}

// skip moves over n bytes that are known to be buffered.
func (k *chunk) skip(n int) {
	k.br.Discard(n) // cannot fail: they were peeked at
	k.bytes -= int64(n)
}

// next begins the next data page that has values.
func (k *chunk) next() error {
	for {
		if k.bytes == 0 {
			return column.ErrTruncated
		}
		h, err := k.head()
		if err != nil {
			return err
		}
		if h.CompressedPageSize < 0 || int64(h.CompressedPageSize) > k.bytes {
			return fmt.Errorf("a page claims %d bytes, %d are left of the column", h.CompressedPageSize, k.bytes)
		}
		if h.UncompressedPageSize < 0 || h.UncompressedPageSize > PageBytesMax {
			return fmt.Errorf("a page claims %d bytes when decompressed, the limit is %d", h.UncompressedPageSize, PageBytesMax)
		}
		if err := k.load(int(h.CompressedPageSize), uint32(h.CRC)); err != nil {
			return err
		}
		switch h.Type {
		case format.DictionaryPage:
			err = k.dictionaryPage(h)
		case format.DataPage:
			err = k.dataPage(h)
		case format.DataPageV2:
			err = k.dataPageV2(h)
		case format.IndexPage:
		default:
			err = fmt.Errorf("a page of the unknown type %d", int32(h.Type))
		}
		if err != nil || k.left > 0 {
			return err
		}
	}
}

// load reads the n bytes of a page and checks them against their checksum,
// unless that is 0, which is how its absence is told.
func (k *chunk) load(n int, sum uint32) error {
	if cap(k.raw) < n {
		k.raw = make([]byte, n)
	}
	k.raw = k.raw[:n]
	if _, err := io.ReadFull(k.br, k.raw); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return column.ErrTruncated
		}
		return err
	}
	k.bytes -= int64(n)
	if sum != 0 && crc32.ChecksumIEEE(k.raw) != sum {
		return errors.New("a page does not match its checksum")
	}
	return nil
}

// expand decompresses the bytes of a page to size bytes.
func (k *chunk) expand(src []byte, size int, compressed bool) ([]byte, error) {
	if !compressed || k.meta.Codec == format.Uncompressed {
		if len(src) != size {
			return nil, fmt.Errorf("a page has %d bytes, not the %d claimed", len(src), size)
		}
		return src, nil
	}
	out, err := decompress(k.meta.Codec, k.body, src, size)
	if err == nil {
		k.body = out
	}
	return out, err
}

func (k *chunk) dictionaryPage(h *format.PageHeader) error {
	d := h.DictionaryPageHeader
	if !d.Valid {
		return errWire
	}
	if k.dict != nil {
		return errors.New("a column chunk with two dictionaries")
	}
	if k.plainOnly {
		return errors.New("the values have a dictionary")
	}
	if d.V.Encoding != format.Plain && d.V.Encoding != plainDictionary {
		return fmt.Errorf("a dictionary encoded as %s cannot be read", d.V.Encoding)
	}
	src, err := k.expand(k.raw, int(h.UncompressedPageSize), true)
	if err != nil {
		return err
	}
	if d.V.NumValues < 0 {
		return errWire
	}
	k.dict, err = newDictionary(k.col.kind, k.col.physicalWidth(), src, int(d.V.NumValues))
	return err
}

// begin takes n values off the chunk.
func (k *chunk) begin(n int32, encoding format.Encoding) error {
	if n < 0 || int64(n) > k.values {
		return fmt.Errorf("a page claims %d values, %d are left of the column", n, k.values)
	}
	if k.plainOnly && encoding != format.Plain {
		return fmt.Errorf("the values are encoded as %s", encoding)
	}
	k.values -= int64(n)
	k.left = int(n)
	return nil
}

func (k *chunk) dataPage(h *format.PageHeader) error {
	if !h.DataPageHeader.Valid {
		return errWire
	}
	d := &h.DataPageHeader.V
	if err := k.begin(d.NumValues, d.Encoding); err != nil {
		return err
	}
	src, err := k.expand(k.raw, int(h.UncompressedPageSize), true)
	if err != nil {
		return err
	}
	levels := func(encoding format.Encoding, max int) (hybrid, error) {
		if max == 0 {
			return hybrid{}, nil
		}
		if encoding != format.RLE {
			return hybrid{}, fmt.Errorf("levels encoded as %s cannot be read", encoding)
		}
		if len(src) < 4 || uint64(binary.LittleEndian.Uint32(src)) > uint64(len(src)-4) {
			return hybrid{}, errShortPage
		}
		n := 4 + binary.LittleEndian.Uint32(src)
		runs := newHybrid(src[4:n], levelBits(max))
		src = src[n:]
		return runs, nil
	}
	if k.rep, err = levels(d.RepetitionLevelEncoding, k.col.maxRep()); err != nil {
		return err
	}
	if k.def, err = levels(d.DefinitionLevelEncoding, k.col.maxDef()); err != nil {
		return err
	}
	return k.decoder(d.Encoding, src)
}

func (k *chunk) dataPageV2(h *format.PageHeader) error {
	if !h.DataPageHeaderV2.Valid {
		return errWire
	}
	d := &h.DataPageHeaderV2.V
	if err := k.begin(d.NumValues, d.Encoding); err != nil {
		return err
	}
	rep, def := d.RepetitionLevelsByteLength, d.DefinitionLevelsByteLength
	if rep < 0 || def < 0 || int64(rep)+int64(def) > int64(min(len(k.raw), int(h.UncompressedPageSize))) {
		return errShortPage
	}
	levels := int(rep + def)
	k.rep = newHybrid(k.raw[:rep], levelBits(k.col.maxRep()))
	k.def = newHybrid(k.raw[rep:levels], levelBits(k.col.maxDef()))
	compressed := !d.IsCompressed.Valid || d.IsCompressed.V
	src, err := k.expand(k.raw[levels:], int(h.UncompressedPageSize)-levels, compressed)
	if err != nil {
		return err
	}
	return k.decoder(d.Encoding, src)
}

func (k *chunk) decoder(encoding format.Encoding, src []byte) (err error) {
	k.fixed, k.varying, err = values(k.col.kind, k.col.physicalWidth(), encoding, src, k.dict)
	return err
}

// maxRep is the repetition level of a list's second element.
func (c *Column) maxRep() int {
	if c.list {
		return 1
	}
	return 0
}

// levelBits is the width of levels up to max, which is 3 at most.
func levelBits(max int) uint {
	switch {
	case max == 0:
		return 0
	case max == 1:
		return 1
	}
	return 2
}
