package arrowio

import "errors"

// These are the tables of Arrow's IPC metadata, format/File.fbs, Message.fbs and Schema.fbs of the Arrow project. The
// numbers of slots are those of the fields there.

const (
	headerDictionary = 2
	headerRecord     = 3
)

const (
	codecNone = -1
	codecLZ4  = 0 // frame format
	codecZSTD = 1
)

// block is where a message is in the file.
type block struct {
	offset int64
	meta   int64 // bytes of metadata, its prefix and padding included
	body   int64
}

// footer lists the messages of a file.
type footer struct {
	dictionaries []block
	records      []block
}

// parseFooter reads a footer and the schema in it.
func parseFooter(b []byte) (footer, []*field, error) {
	f := &flatbuf{b: b}
	root := f.root()
	blocks := func(slot int) []block {
		v := root.vector(slot, 24)
		out := make([]block, v.n)
		for i := range out {
			p := v.elem(i)
			out[i] = block{offset: f.int64(p), meta: int64(f.int32(p + 8)), body: f.int64(p + 16)}
		}
		return out
	}
	foot := footer{dictionaries: blocks(2), records: blocks(3)}
	fields, err := parseSchema(root.table(1))
	if err == nil && f.bad {
		err = errFlatbuffer
	}
	return foot, fields, err
}

// node says how many values one (possibly nested) array has.
type node struct{ length, nulls int64 }

// span is where a buffer is in the body of its message.
type span struct{ offset, length int64 }

// batch is the header of a record batch, or of the one inside a dictionary
// batch.
type batch struct {
	version int16
	rows    int64
	nodes   []node
	buffers []span
	codec   int
	views   []int64 // variadic buffer counts, one for each array of views

	dictionary int64 // of a dictionary batch: its id
	delta      bool  // and whether it extends what came before
}

// parseBatch parses the metadata of a message that must have the given kind of
// header, and a body of at most the given bytes.
func parseBatch(b []byte, kind uint8, body int64) (batch, error) {
	f := &flatbuf{b: b}
	msg := f.root()
	out := batch{version: msg.int16(0), codec: codecNone}
	header := msg.table(2)
	bad := msg.uint8(1) != kind || !header.present
	if kind == headerDictionary {
		out.dictionary, out.delta = header.int64(0), header.uint8(2) != 0
		header = header.table(1)
		bad = bad || !header.present
	}
	out.rows = header.int64(0)
	nodes := header.vector(1, 16)
	for i := range nodes.n {
		n := node{f.int64(nodes.elem(i)), f.int64(nodes.elem(i) + 8)}
		bad = bad || n.length < 0 || n.nulls < 0 || n.nulls > n.length
		out.nodes = append(out.nodes, n)
	}
	buffers, left := header.vector(2, 16), body
	for i := range buffers.n {
		s := span{f.int64(buffers.elem(i)), f.int64(buffers.elem(i) + 8)}
		if s.length < 0 || s.offset < 0 || s.offset > body || s.length > body-s.offset || s.length > left {
			bad = true
			break
		}
		left -= s.length // buffers do not overlap, so they cannot say more than the body does
		out.buffers = append(out.buffers, s)
	}
	if compression := header.table(3); compression.present {
		out.codec = int(compression.uint8(0))
		bad = bad || out.codec > codecZSTD || compression.uint8(1) != 0
	}
	views := header.vector(4, 8)
	for i := range views.n {
		n := f.int64(views.elem(i))
		bad = bad || n < 0 || n > int64(len(out.buffers))
		out.views = append(out.views, n)
	}
	if bad || f.bad || out.rows < 0 || out.rows > rowsMax {
		return batch{}, errFlatbuffer
	}
	return out, nil
}

// These are bounds of a schema, far above what is in use and far below what would do harm.
const (
	fieldDepthMax   = 32
	schemaTablesMax = 1 << 22
	schemaBytesMax  = 256 << 20
)

// schemaCheck walks the metadata of a schema before it is believed: everything
// is within the bytes, nesting is bounded, and so is the total even if parts are
// shared.
type schemaCheck struct {
	f      *flatbuf
	tables int
	bytes  int
}

// errBigEndian is returned for files of machines that write so.
var errBigEndian = errors.New("values are big-endian")

// parseSchema checks and reads a schema.
func parseSchema(schema table) ([]*field, error) {
	c := &schemaCheck{f: schema.f}
	if schema.int16(0) != 0 && c.ok() {
		return nil, errBigEndian
	}
	fields := schema.vector(1, 4)
	for i := 0; i < fields.n && c.ok(); i++ {
		c.field(fields.table(i), fieldDepthMax)
	}
	c.metadata(schema.vector(2, 4))
	if !schema.present || !c.ok() {
		return nil, errFlatbuffer
	}
	out := make([]*field, fields.n)
	for i := range out {
		out[i] = parseField(fields.table(i))
	}
	if c.f.bad {
		return nil, errFlatbuffer
	}
	return out, nil
}

func (c *schemaCheck) ok() bool {
	return !c.f.bad && c.tables <= schemaTablesMax && c.bytes <= schemaBytesMax
}

// field checks a field and its children.
func (c *schemaCheck) field(t table, depth int) {
	c.tables++
	c.bytes += t.vector(0, 1).n // name
	typ := t.table(3)
	if depth == 0 || !typ.present {
		c.f.bad = true
	}
	switch t.uint8(2) {
	case 10: // Timestamp: time zone
		c.bytes += typ.vector(1, 1).n
	case 14: // Union: type ids
		c.bytes += typ.vector(1, 4).n
	}
	t.table(4).table(1).slot(0) // Dictionary: index type
	c.metadata(t.vector(6, 4))
	children := t.vector(5, 4)
	for i := 0; i < children.n && c.ok(); i++ {
		c.field(children.table(i), depth-1)
	}
}

// metadata checks a vector of key-value pairs.
func (c *schemaCheck) metadata(v vector) {
	for i := 0; i < v.n && c.ok(); i++ {
		kv := v.table(i)
		c.tables++
		c.bytes += kv.vector(0, 1).n + kv.vector(1, 1).n
	}
}
