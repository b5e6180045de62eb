package column

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/cipherfold/cipherfold/internal/printable"
)

// NullPartition is the value of a partition folder where the column is null.
const NullPartition = "__HIVE_DEFAULT_PARTITION__"

// Partitions are the columns that are in the names of folders, as Hive and most engines write them. For example,
// data/site=A/year=2026/part-0.parquet has the columns site and year beside those of the file.
//
// In keys and values %XX means a byte. A column whose values are all 64-bit integers is a column of integers, any
// other one of text.
type Partitions struct {
	fields []arrow.Field
	rows   map[string][]partitionValue // by file
}

type partitionValue struct {
	text string
	null bool
}

// partitionMark is in the metadata of the fields of partition columns.
const partitionMark = "cipherfold.partition"

// IsPartition reports whether a column is in the names of folders.
func IsPartition(f arrow.Field) bool { return f.Metadata.FindKey(partitionMark) >= 0 }

// FindPartitions finds the partition columns of the files of one table, or nil if there are none. path returns the
// path of a file, with slashes. If not all files are in folders of the same keys in the same order, it returns an
// InputError.
func FindPartitions(files []string, path func(file string) string) (*Partitions, error) {
	p := &Partitions{rows: make(map[string][]partitionValue, len(files))}
	var keys []string
	for i, file := range files {
		got, values, err := folders(file, path(file))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			keys = got
		} else if !slices.Equal(got, keys) {
			return nil, Refuse(file, "its folders have %s, those of %s %s", keyList(got), files[0], keyList(keys)).
				WithHint("Files read as one table must be in folders KEY=VALUE of the same keys, in the same order.")
		}
		p.rows[file] = values
	}
	if len(keys) == 0 {
		return nil, nil
	}
	for k, key := range keys {
		f := arrow.Field{Name: key, Type: arrow.PrimitiveTypes.Int64, Metadata: arrow.NewMetadata([]string{partitionMark}, []string{"true"})}
		some := false
		for _, file := range files {
			switch v := p.rows[file][k]; {
			case v.null:
				f.Nullable = true
			case !isInteger(v.text):
				f.Type = arrow.BinaryTypes.String
			default:
				some = true
			}
		}
		if !some {
			f.Type = arrow.BinaryTypes.String
		}
		p.fields = append(p.fields, f)
	}
	return p, nil
}

func keyList(keys []string) string {
	if len(keys) == 0 {
		return "no keys"
	}
	return "the keys " + strings.Join(keys, ", ")
}

// isInteger reports whether a value is a 64-bit integer, in digits alone.
func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil && !strings.HasPrefix(text, "+")
}

// folders returns the partition folders of a path.
func folders(file, path string) (keys []string, values []partitionValue, err error) {
	elements := strings.Split(path, "/")
	for _, folder := range elements[:len(elements)-1] {
		key, value, ok := strings.Cut(folder, "=")
		if !ok || key == "" {
			continue
		}
		key = unescape(key)
		v := partitionValue{text: unescape(value), null: value == NullPartition}
		for _, text := range []string{key, v.text} {
			if err := printable.Check(text); err != nil {
				return nil, nil, Refuse(file, "the folder %s cannot be shown: %w", Quote(folder), err).WithHint("Rename it.")
			}
		}
		if slices.Contains(keys, key) {
			return nil, nil, Refuse(file, "two of its folders have the key %s", Quote(key)).WithHint("Rename one of them.")
		}
		keys, values = append(keys, key), append(values, v)
	}
	return keys, values, nil
}

// unescape replaces %XX by the byte. Anything else stays, as it does in Hive.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// Fields are the partition columns, from the outermost folder inwards.
func (p *Partitions) Fields() []arrow.Field { return slices.Clone(p.fields) }

// Open opens one of the files with the partition columns, which follow those of the file unless opts.Columns has
// another order. If all columns are read, a partition column that is also in the file is refused.
func (p *Partitions) Open(ctx context.Context, file string, opts ReadOptions, open func(context.Context, ReadOptions) (Reader, error)) (Reader, error) {
	wanted := opts.Columns
	opts.Columns = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return p.index(name) >= 0 })
	if len(wanted) > 0 && len(opts.Columns) == 0 {
		// Any column has the number of rows of the file.
		first, err := firstColumn(ctx, opts, open)
		if err != nil {
			return nil, err
		}
		opts.Columns = []string{first}
	}
	r, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	inner := r.Schema()
	if len(wanted) == 0 {
		wanted = Names(inner)
		for _, f := range p.fields {
			if inner.HasField(f.Name) {
				r.Close()
				return nil, Refuse(file, "the column is in the file, and a folder has that key, too").InColumn(f.Name).
					WithHint("Rename the folders or the column.")
			}
			wanted = append(wanted, f.Name)
		}
	}
	out := &partitioned{Reader: r, file: file, mem: opts.WithDefaults().Mem}
	fields := make([]arrow.Field, len(wanted))
	for i, name := range wanted {
		if k := p.index(name); k >= 0 {
			fields[i] = p.fields[k]
			out.at = append(out.at, -1)
			out.constants = append(out.constants, p.rows[file][k])
			continue
		}
		at := inner.FieldIndices(name)[0] // the file was asked for it
		fields[i] = inner.Field(at)
		out.at = append(out.at, at)
		out.constants = append(out.constants, partitionValue{})
	}
	meta := inner.Metadata()
	out.schema = arrow.NewSchema(fields, &meta)
	return out, nil
}

func firstColumn(ctx context.Context, opts ReadOptions, open func(context.Context, ReadOptions) (Reader, error)) (string, error) {
	r, err := open(ctx, opts)
	if err != nil {
		return "", err
	}
	name := r.Schema().Field(0).Name
	for _, f := range r.Schema().Fields() {
		if CheckReadable(FileOf(r), f) == nil {
			name = f.Name
			break
		}
	}
	return name, r.Close()
}

func (p *Partitions) index(name string) int {
	return slices.IndexFunc(p.fields, func(f arrow.Field) bool { return f.Name == name })
}

// partitioned is a reader of a file with columns of one value each.
type partitioned struct {
	Reader
	file      string
	mem       memory.Allocator
	schema    *arrow.Schema
	at        []int // of each column among those of the file, or -1
	constants []partitionValue
}

func (p *partitioned) File() string          { return p.file }
func (p *partitioned) Schema() *arrow.Schema { return p.schema }

func (p *partitioned) Read(ctx context.Context) (Batch, error) {
	b, err := p.Reader.Read(ctx)
	if err != nil {
		return Batch{}, err
	}
	cols := make([]arrow.Array, len(p.at))
	for i, at := range p.at {
		if at >= 0 {
			cols[i] = b.Column(at)
			continue
		}
		cols[i] = p.constant(p.schema.Field(i).Type, p.constants[i], int(b.NumRows()))
		defer cols[i].Release()
	}
	out := b
	out.Record = array.NewRecord(p.schema, cols, b.NumRows())
	b.Release()
	return out, nil
}

// constant is n times a value.
func (p *partitioned) constant(t arrow.DataType, v partitionValue, n int) arrow.Array {
	builder := array.NewBuilder(p.mem, t)
	defer builder.Release()
	builder.Reserve(n)
	switch b := builder.(type) {
	case *array.Int64Builder:
		x, _ := strconv.ParseInt(v.text, 10, 64)
		for range n {
			if v.null {
				b.UnsafeAppendBoolToBitmap(false)
			} else {
				b.UnsafeAppend(x)
			}
		}
	case *array.StringBuilder:
		for range n {
			if v.null {
				b.AppendNull()
			} else {
				b.Append(v.text)
			}
		}
	default:
		panic(fmt.Sprintf("column: a partition column of type %s", t))
	}
	return builder.NewArray()
}
