// Columns writes Parquet files with odd columns that DuckDB does not write, and reads columns of Parquet files as cipherfold
// does, for interop/odd.mjs.
//
//	go run ./interop/cmd/columns write DIR
//	go run ./interop/cmd/columns read <requests >answers
//
// A request is a file and columns of it. An answer has their values as text, null for a missing one, or says why the file was
// refused. Times and time stamps are microseconds, dates days, bytes hexadecimal.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/parquetio"
)

func main() {
	err := fmt.Errorf("usage: columns write DIR | columns read")
	switch {
	case len(os.Args) == 3 && os.Args[1] == "write":
		err = write(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "read":
		err = answer()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "columns:", err)
		os.Exit(1)
	}
}

type oldRow struct {
	ID   int64             `parquet:"id"`
	X    float64           `parquet:"x"`
	When deprecated.Int96  `parquet:"when"`
	Day  *deprecated.Int96 `parquet:"day,optional"`
}

// write makes a file of INT96 time stamps: before 1970, at midnight, of whole microseconds, and missing ones.
func write(dir string) error {
	const julianUnix = 2_440_588
	stamp := func(t time.Time) deprecated.Int96 {
		days, nanos := t.Unix()/86400, t.Unix()%86400
		if nanos < 0 {
			days, nanos = days-1, nanos+86400
		}
		nanos = nanos*1e9 + int64(t.Nanosecond())
		return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(days + julianUnix)}
	}
	var rows []oldRow
	for i, t := range []time.Time{
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 28, 12, 30, 0, 123_456_000, time.UTC),
		time.Date(1815, 6, 18, 11, 35, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 1000, time.UTC),
	} {
		row := oldRow{ID: int64(i), X: float64(i) / 4, When: stamp(t)}
		if i%2 == 0 {
			row.Day = &row.When
		}
		rows = append(rows, row)
	}
	return parquet.WriteFile(filepath.Join(dir, "int96.parquet"), rows)
}

type request struct {
	File    string   `json:"file"`
	Columns []string `json:"columns"`
}

type reply struct {
	File    string      `json:"file"`
	Values  [][]*string `json:"values,omitempty"` // of each column
	Refused string      `json:"refused,omitempty"`
}

func answer() error {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		return err
	}
	replies := []reply{}
	for _, r := range requests {
		values, err := read(r)
		a := reply{File: r.File, Values: values}
		if err != nil {
			a = reply{File: r.File, Refused: err.Error()}
		}
		replies = append(replies, a)
	}
	return json.NewEncoder(os.Stdout).Encode(replies)
}

func read(r request) ([][]*string, error) {
	ctx := context.Background()
	in, err := parquetio.Open(ctx, blob.Local{}, r.File, column.ReadOptions{Columns: r.Columns})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	batches, err := column.Collect(ctx, in)
	if err != nil {
		return nil, err
	}
	defer column.ReleaseAll(batches)
	out := make([][]*string, len(r.Columns))
	for _, b := range batches {
		for c := range out {
			for i := range int(b.NumRows()) {
				out[c] = append(out[c], text(b.Column(c), i))
			}
		}
	}
	return out, nil
}

func text(arr arrow.Array, i int) *string {
	if arr.IsNull(i) {
		return nil
	}
	s := arr.ValueStr(i)
	whole := func(v int64, unit arrow.TimeUnit) {
		switch unit {
		case arrow.Second:
			v *= 1_000_000
		case arrow.Millisecond:
			v *= 1000
		case arrow.Nanosecond:
			v /= 1000 // whole in all files here
		}
		s = strconv.FormatInt(v, 10)
	}
	switch a := arr.(type) {
	case *array.Timestamp:
		whole(int64(a.Value(i)), a.DataType().(*arrow.TimestampType).Unit)
	case *array.Time32:
		whole(int64(a.Value(i)), a.DataType().(*arrow.Time32Type).Unit)
	case *array.Time64:
		whole(int64(a.Value(i)), a.DataType().(*arrow.Time64Type).Unit)
	case *array.Date32:
		s = strconv.FormatInt(int64(a.Value(i)), 10)
	case *array.Binary:
		s = hex.EncodeToString(a.Value(i))
	case *array.FixedSizeBinary:
		s = hex.EncodeToString(a.Value(i))
	}
	return &s
}
