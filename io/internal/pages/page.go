package pages

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"strings"

	"github.com/cipherfold/cipherfold/io/column"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// ReadBufferBytes is how much is read of a column chunk at a time. So it is also the longest head that a page may
// have.
const ReadBufferBytes = 256 << 10

// chunk is the guard of one column chunk. parquet-go's page cursor reads it page by page through ReadAt. Before that,
// the guard has checked the head of the page, and everything in its contents that parquet-go trusts. It has also
// decompressed the page, as parquet-go sets no limit to that. A page of plain values needs none of this and goes from
// the file to parquet-go's memory as it is.
type chunk struct {
	col    *Column
	file   *File
	meta   *columnMeta
	codec  format.CompressionCodec
	br     *bufio.Reader
	bytes  int64  // of the chunk not yet read
	to     int64  // where it ends in the file; 0 once extended
	values int64  // of the chunk in pages not yet begun
	dict   bool   // there was a dictionary
	raw    []byte // a page as it is in the file
	body   []byte // the same decompressed
	err    error  // what ended the reading

	// The current page.
	parts   [][]byte // what ReadAt delivers of it
	through int      // bytes of the file that it will deliver after these
	left    int      // values (of a list: elements, and lists without any) that the head announces
	have    int      // of these values, those that are there

	// PlainOnly refuses what an encrypted table's ciphertext columns must not have: compression, and encodings other
	// than PLAIN.
	plainOnly bool
}

// chunk opens column c of row group i, from 0.
func (f *File) chunk(i int, c *Column, plainOnly bool) (*chunk, error) {
	cc := &f.meta.RowGroups[i].Columns[c.leaf]
	if err := checkChunk(cc); err != nil {
		return nil, err
	}
	meta := &cc.MetaData.V
	for name, there := range map[string]bool{"metadata": cc.MetaData.Valid, "type": meta.Type.Valid, "compression": meta.Codec.Valid, "number of values": meta.NumValues.Valid,
		"size": meta.TotalCompressedSize.Valid, "offset": meta.DataPageOffset.Valid} {
		if !there {
			return nil, fmt.Errorf("the footer does not say the column's %s", name)
		}
	}
	if meta.Type.V != c.stored {
		return nil, fmt.Errorf("the values are %s, the schema says %s", meta.Type.V, c.stored)
	}
	if plainOnly && meta.Codec.V != format.Uncompressed {
		return nil, fmt.Errorf("the values are compressed (%s)", meta.Codec.V)
	}
	if values := meta.NumValues.V; values < 0 || !c.list && values != f.RowGroupRows(i) {
		return nil, fmt.Errorf("%d values in %d rows", values, f.RowGroupRows(i))
	}
	from := meta.DataPageOffset.V
	if d := meta.DictionaryPageOffset; d > 0 && d < from {
		from = d
	}
	n := meta.TotalCompressedSize.V
	if from < int64(len(magic)) || n < 0 || from > f.end || n > f.end-from {
		return nil, fmt.Errorf("its %d bytes at offset %d lie outside the file's data", n, from)
	}
	return &chunk{
		col:       c,
		file:      f,
		meta:      meta,
		codec:     meta.Codec.V,
		br:        bufio.NewReaderSize(f.r.section(from, n), int(min(ReadBufferBytes, max(n, 16)))),
		bytes:     n,
		to:        from + n,
		values:    meta.NumValues.V,
		plainOnly: plainOnly,
	}, nil
}

// dictionaryHeadBytes is more than the head of a dictionary has.
const dictionaryHeadBytes = 100

// extend lets a chunk with a dictionary go on for a little, once: some writers left the dictionary's head out of the size that
// the footer tells (PARQUET-816).
func (k *chunk) extend() bool {
	if !k.dict || k.to == 0 || k.plainOnly {
		return false
	}
	n := min(dictionaryHeadBytes, k.file.end-k.to)
	k.br = bufio.NewReaderSize(io.MultiReader(k.br, k.file.r.section(k.to, n)), k.br.Size())
	k.bytes += n
	k.to = 0
	return n > 0
}

// head reads the head of the next page.
func (k *chunk) head() (*pageHead, error) {
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
				return nil, tooLarge("a page has a head of more than %d bytes", want)
			}
			continue
		}
		if scanErr != nil {
			return nil, scanErr
		}
		h, err := decode[pageHead](peeked[:n], "head of a page")
		if err != nil {
			return nil, err
		}
		if !h.Type.Valid || !h.Compressed.Valid || !h.Uncompressed.Valid {
			return nil, errWire
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

// ReadAt delivers the next bytes of the pages in order, whatever the offset. It never delivers bytes of two pages at
// once, so that the page that parquet-go has read last is the current one.
func (k *chunk) ReadAt(p []byte, _ int64) (int, error) {
	for len(k.parts) == 0 && k.through == 0 {
		if err := k.next(); err != nil {
			return 0, err
		}
	}
	if len(k.parts) == 0 {
		n, err := k.br.Read(p[:min(len(p), k.through)])
		k.through -= n
		k.bytes -= int64(n)
		if err == io.EOF {
			err = column.ErrTruncated
		}
		return n, k.fail(err)
	}
	n := copy(p, k.parts[0])
	if k.parts[0] = k.parts[0][n:]; len(k.parts[0]) == 0 {
		k.parts = k.parts[1:]
	}
	return n, nil
}

// fail keeps an error, as parquet-go may wrap it in its own words.
func (k *chunk) fail(err error) error {
	if k.err == nil {
		k.err = err
	}
	return err
}

// next reads and checks the next page.
func (k *chunk) next() (err error) {
	defer func() { k.fail(err) }()
	if k.bytes == 0 && !k.extend() {
		return column.ErrTruncated
	}
	h, err := k.head()
	if err == column.ErrTruncated && k.extend() {
		h, err = k.head()
	}
	if err != nil {
		return err
	}
	if int64(h.Compressed.V) > k.bytes {
		k.extend()
	}
	if h.Compressed.V < 0 || int64(h.Compressed.V) > k.bytes {
		return fmt.Errorf("a page claims %d bytes, %d are left of the column", h.Compressed.V, k.bytes)
	}
	if h.Uncompressed.V < 0 || h.Uncompressed.V > PageBytesMax {
		return tooLarge("a page claims %d bytes when decompressed, the limit is %d", h.Uncompressed.V, PageBytesMax)
	}
	if k.plain(h) {
		k.through = int(h.Compressed.V)
		k.have = k.through / k.col.physicalWidth()
		if err := k.begin(h.Data.V.NumValues, format.Plain); err != nil {
			return err
		}
		if k.have < k.left {
			return errShortPage
		}
		return k.deliver(&format.PageHeader{
			Type: format.DataPage, CRC: h.CRC,
			DataPageHeader: thrift.New(format.DataPageHeader{NumValues: int32(k.left), Encoding: format.Plain}),
		})
	}
	if err := k.load(int(h.Compressed.V), uint32(h.CRC)); err != nil {
		return err
	}
	switch h.Type.V {
	case format.DictionaryPage:
		return k.dictionaryPage(h)
	case format.DataPage:
		return k.dataPage(h)
	case format.DataPageV2:
		return k.dataPageV2(h)
	case format.IndexPage:
		return nil
	}
	return fmt.Errorf("a page of the unknown type %d", int32(h.Type.V))
}

// plain says that there is nothing to be checked in a page's contents.
func (k *chunk) plain(h *pageHead) bool {
	return h.Type.V == format.DataPage && h.Data.Valid && h.Data.V.Encoding.Valid && h.Data.V.Encoding.V == format.Plain &&
		k.codec == format.Uncompressed && h.Compressed.V == h.Uncompressed.V && k.col.maxDef() == 0 &&
		k.col.kind != format.ByteArray && k.col.kind != format.Boolean
}

// deliver gives parquet-go a page with the given contents, under a head that is not the file's.
func (k *chunk) deliver(h *format.PageHeader, parts ...[]byte) error {
	size := k.through
	for _, part := range parts {
		size += len(part)
	}
	h.CompressedPageSize, h.UncompressedPageSize = int32(size), int32(size)
	head, err := thrift.Marshal(new(thrift.CompactProtocol), *h)
	if err != nil {
		return err
	}
	k.parts = append(k.parts[:0], head)
	for _, part := range parts {
		if len(part) > 0 {
			k.parts = append(k.parts, part)
		}
	}
	return nil
}

// load reads the n bytes of a page and checks them against their checksum. A checksum of 0 means that there is none.
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
		return errChecksum
	}
	return nil
}

// expand decompresses the bytes of a page to size bytes.
func (k *chunk) expand(src []byte, size int, compressed bool) ([]byte, error) {
	if !compressed || k.codec == format.Uncompressed {
		if len(src) != size {
			return nil, fmt.Errorf("a page has %d bytes, not the %d claimed", len(src), size)
		}
		return src, nil
	}
	out, err := decompress(k.codec, k.body, src, size)
	if err == nil {
		k.body = out
	}
	return out, err
}

func (k *chunk) dictionaryPage(h *pageHead) error {
	d := h.Dictionary
	if !d.Valid || !d.V.NumValues.Valid || !d.V.Encoding.Valid {
		return errWire
	}
	if k.dict {
		return errors.New("a column chunk with two dictionaries")
	}
	if k.plainOnly {
		return errors.New("the values have a dictionary")
	}
	if e := d.V.Encoding.V; e != format.Plain && e != plainDictionary {
		return notRead("a dictionary", e)
	}
	src, err := k.expand(k.raw, int(h.Uncompressed.V), true)
	if err != nil {
		return err
	}
	width, n := k.col.physicalWidth(), int(d.V.NumValues.V)
	switch {
	case k.col.kind == format.Boolean: // a dictionary of booleans does not exist
		return errShortPage
	case k.col.kind == format.ByteArray:
		if width, err = countBytes(src); err == nil && width != n {
			err = errShortPage
		}
	case n < 0 || len(src) != n*width:
		err = errShortPage
	}
	if err != nil {
		return err
	}
	k.dict = true
	return k.deliver(&format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	}, src)
}

// begin takes n values off the chunk.
func (k *chunk) begin(number thrift.Null[int32], encoding format.Encoding) error {
	n := number.V
	if !number.Valid {
		return errWire
	}
	if n < 0 || int64(n) > k.values {
		return fmt.Errorf("a page claims %d values, %d are left of the column", n, k.values)
	}
	if n > PageValuesMax {
		return tooLarge("a page has %d values, the limit is %d", n, PageValuesMax)
	}
	if k.plainOnly && encoding != format.Plain {
		return fmt.Errorf("the values are encoded as %s", encoding)
	}
	k.values -= int64(n)
	k.left = int(n)
	return nil
}

func (k *chunk) dataPage(h *pageHead) error {
	d := &h.Data.V
	if !h.Data.Valid || !d.Encoding.Valid {
		return errWire
	}
	if err := k.begin(d.NumValues, d.Encoding.V); err != nil {
		return err
	}
	src, err := k.expand(k.raw, int(h.Uncompressed.V), true)
	if err != nil {
		return err
	}
	levels := func(encoding format.Encoding, max int) (out []byte, err error) {
		if max == 0 {
			return nil, nil
		}
		if encoding != format.RLE {
			return nil, notRead("levels", encoding)
		}
		out, src, err = prefixed(src)
		return out, err
	}
	rep, err := levels(d.RepetitionLevelEncoding, k.col.maxRep())
	if err != nil {
		return err
	}
	def, err := levels(d.DefinitionLevelEncoding, k.col.maxDef())
	if err != nil {
		return err
	}
	return k.contents(d.Encoding.V, rep, def, src)
}

// prefixed splits bytes that follow their length off src.
func prefixed(src []byte) (part, rest []byte, err error) {
	if len(src) < 4 || uint64(binary.LittleEndian.Uint32(src)) > uint64(len(src)-4) {
		return nil, nil, errShortPage
	}
	n := 4 + binary.LittleEndian.Uint32(src)
	return src[4:n], src[n:], nil
}

func (k *chunk) dataPageV2(h *pageHead) error {
	d := &h.DataV2.V
	if !h.DataV2.Valid || !d.Encoding.Valid {
		return errWire
	}
	if err := k.begin(d.NumValues, d.Encoding.V); err != nil {
		return err
	}
	rep, def := d.RepetitionLevelsByteLength, d.DefinitionLevelsByteLength
	if rep < 0 || def < 0 || int64(rep)+int64(def) > int64(min(len(k.raw), int(h.Uncompressed.V))) {
		return errShortPage
	}
	levels := int(rep + def)
	compressed := !d.IsCompressed.Valid || d.IsCompressed.V
	src, err := k.expand(k.raw[levels:], int(h.Uncompressed.V)-levels, compressed)
	if err != nil {
		return err
	}
	return k.contents(d.Encoding.V, k.raw[:rep], k.raw[rep:levels], src)
}

// contents checks what is in a data page against what parquet-go allocates for it, and counts the values that are
// present. It delivers the page in version 1: pages of version 2 may not begin within a row in parquet-go, and those
// of some writers do.
func (k *chunk) contents(encoding format.Encoding, rep, def, src []byte) error {
	var parts [][]byte
	for _, levels := range []struct {
		src []byte
		max int
	}{{rep, k.col.maxRep()}, {def, k.col.maxDef()}} {
		if levels.max == 0 {
			continue
		}
		n, lacking, err := countRuns(levels.src, levelBits(levels.max), k.left)
		if err != nil || lacking > 0 || n < k.left {
			return errRuns
		}
		parts = append(parts, binary.LittleEndian.AppendUint32(nil, uint32(len(levels.src))), levels.src)
	}
	src, spare, encoding, err := k.stored(encoding, src)
	if err != nil {
		return err
	}
	return k.deliver(&format.PageHeader{
		Type: format.DataPage,
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(k.left), Encoding: encoding,
			RepetitionLevelEncoding: format.RLE, DefinitionLevelEncoding: format.RLE,
		}),
	}, append(parts, src, spare)...)
}

// plainDictionary is PLAIN_DICTIONARY, which is deprecated but still written.
const plainDictionary format.Encoding = 2

// stored checks and counts the values of a data page. It returns what
// parquet-go is given for them, and in which encoding.
func (k *chunk) stored(encoding format.Encoding, src []byte) (out, spare []byte, as format.Encoding, err error) {
	width := k.col.physicalWidth()
	out, as = src, encoding
	switch kind := k.col.kind; encoding {
	case plainDictionary, format.RLEDictionary:
		if !k.dict {
			return nil, nil, 0, errNoDict
		}
		if k.have = 0; len(src) == 0 { // a page of nulls may have nothing
			return []byte{0}, nil, as, nil
		}
		lacking := 0
		k.have, lacking, err = countRuns(src[1:], uint(src[0]), k.left)
		spare = make([]byte, lacking)
	case format.Plain:
		switch kind {
		case format.ByteArray:
			k.have, err = countBytes(src)
		case format.Boolean:
			k.have = len(src) * 8
		default:
			k.have = len(src) / width
			out = src[:k.have*width]
		}
	case format.RLE:
		as = format.Plain
		if out, k.have, err = plainBooleans(src, k.left); kind != format.Boolean {
			err = notRead(kind.String()+" values", encoding)
		}
	case format.ByteStreamSplit:
		if k.have = len(src) / max(width, 1); len(src) != k.have*max(width, 1) {
			err = errShortPage
		}
	case format.DeltaBinaryPacked:
		k.have, _, err = countDelta(src, 64, k.left)
		if err == nil && kind == format.Int32 {
			as = format.Plain
			out, err = plainInts(src)
		}
	case format.DeltaLengthByteArray:
		k.have, _, err = countDelta(src, 32, k.left)
	case format.DeltaByteArray:
		k.have, err = countDeltaBytes(src, k.left, width)
	default:
		err = notRead(kind.String()+" values", encoding)
	}
	return out, spare, as, err
}

// maxRep is the repetition level of a list's second element.
func (c *Column) maxRep() int {
	if c.list {
		return 1
	}
	return 0
}

// levelBits is the width of levels up to max.
func levelBits(max int) uint { return uint(bits.Len(uint(max))) }

// notRead refuses an encoding.
func notRead(what string, e format.Encoding) error {
	name := e.String()
	if strings.HasSuffix(name, "(?)") {
		name = fmt.Sprintf("the unknown encoding %d", int32(e))
	}
	return &unsupported{fmt.Sprintf("%s encoded as %s cannot be read", what, name), hintRewrite}
}
