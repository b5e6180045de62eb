// Package csvio reads and writes delimited text: .csv and .tsv, either also gzip-compressed (.csv.gz, .tsv.gz). It
// also reads expression matrices in the BED form of FastQTL and QTLtools: .bed and .bed.gz. These are tab-separated,
// with a header that begins with #. Their first four columns, whatever the header calls them, are delivered as chrom,
// start, end and id; the others are the samples.
//
// A file is UTF-8 text with a header row of distinct names. Fields may be quoted as in RFC 4180, in TSV as well. A
// field that does not begin with a quote may contain one in TSV, but not in CSV. Lines end in LF or CRLF. A byte order
// mark is skipped. Every row has as many fields as the header. Blank lines are allowed only after the last row, as
// they could otherwise be rows.
//
// All columns are read as strings. The code that needs numbers parses them, and can name the row and line of one that
// is invalid.
package csvio

import (
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// Extensions are the file name extensions of this format, as blob.Ext gives
// them.
var Extensions = []string{".csv", ".tsv", ".csv.gz", ".tsv.gz", ".bed", ".bed.gz"}

// bedNames are the first columns of a BED file.
var bedNames = []string{"chrom", "start", "end", "id"}

// dialect is what differs between the kinds of delimited text.
type dialect struct {
	delim      byte
	bareQuotes bool // a quote within an unquoted field is data
	gzip       bool
	bed        bool // the header begins with #; read only
}

func dialectOf(name string) (dialect, error) {
	switch blob.Ext(name) {
	case ".csv":
		return dialect{delim: ','}, nil
	case ".csv.gz":
		return dialect{delim: ',', gzip: true}, nil
	case ".tsv":
		return dialect{delim: '\t', bareQuotes: true}, nil
	case ".tsv.gz":
		return dialect{delim: '\t', bareQuotes: true, gzip: true}, nil
	case ".bed":
		return dialect{delim: '\t', bareQuotes: true, bed: true}, nil
	case ".bed.gz":
		return dialect{delim: '\t', bareQuotes: true, gzip: true, bed: true}, nil
	}
	return dialect{}, column.Refuse(name, "not a name of a delimited text file").
		WithHint("The extension says what is inside: .csv, .tsv, .csv.gz, .tsv.gz, .bed or .bed.gz.")
}
