// Package inspect tells what a file holds, what this machine can do, and whether its arithmetic gives known answers.
package inspect

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/cipherfold/cipherfold/engine/enctable"
	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/keys"
	"github.com/cipherfold/cipherfold/engine/privacy"
	"github.com/cipherfold/cipherfold/engine/trust"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
	"github.com/cipherfold/cipherfold/io/ctfile"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Inspection is what a file says about itself.
type Inspection struct {
	File            string               `json:"file"`
	Kind            string               `json:"kind"` // "public key", "secret key" or "encrypted table"
	Scheme          string               `json:"scheme"`
	Variant         string               `json:"variant"`
	Bits            int                  `json:"bits"`
	Fingerprint     string               `json:"fingerprint"`
	TestKey         bool                 `json:"test_key"`
	CiphertextBytes int                  `json:"ciphertext_bytes"`
	Tables          *keys.PowersReport   `json:"tables,omitempty"` // of powers; of keys that have some
	Table           *ctfile.Table        `json:"table,omitempty"`
	Privacy         *job.PrivacyReport   `json:"privacy,omitempty"`   // of the noise in the table
	Signer          string               `json:"signer,omitempty"`    // fingerprint of whoever signed the table
	Originals       *job.OriginalsReport `json:"originals,omitempty"` // whose tables are in the table
}

// parquetMagic starts a Parquet file.
var parquetMagic = []byte("PAR1")

// File tells what a key file or an encrypted table holds.
func File(ctx context.Context, o job.Options, name string, passphrase func() ([]byte, error)) (*Inspection, error) {
	o = o.WithDefaults()
	f, err := o.FS.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	magic := make([]byte, len(parquetMagic))
	_, err = io.ReadFull(io.NewSectionReader(f, 0, f.Size()), magic)
	f.Close()
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if err != nil {
		return nil, column.Refuse(name, "neither a key file nor an encrypted table: it has %d bytes", f.Size()).WithHint("Name a key file or a .cf.parquet.")
	}
	x := &Inspection{File: name, Scheme: "paillier"}
	var pk *paillier.PublicKey
	if bytes.Equal(magic, parquetMagic) {
		x.Kind = "encrypted table"
		if x.Table, _, err = enctable.ReadFooter(ctx, o, name); err != nil {
			return nil, err
		}
		if pk, err = enctable.PublicKey(enctable.Input{File: name, Table: x.Table}); err != nil {
			return nil, err
		}
		signed, err := trust.Signature(name, x.Table)
		if err != nil {
			return nil, err
		}
		if signed != nil {
			x.Signer = signed.Signer()
		}
		x.Originals = enctable.DescribeOriginals(x.Table)
		if x.Privacy, err = privacy.OfTable(name, x.Table); err != nil {
			return nil, err
		}
	} else {
		key, err := keys.Read(ctx, o.FS, name, true, passphrase)
		if err != nil {
			return nil, err
		}
		if x.Kind = "public key"; key.Secret != nil {
			x.Kind = "secret key"
		}
		if x.Tables, err = key.InspectPowers(o); err != nil {
			return nil, err
		}
		pk = key.Public
	}
	x.Variant, x.Bits, x.Fingerprint, x.TestKey, x.CiphertextBytes = string(pk.Variant()), pk.Bits(), pk.Fingerprint(), pk.Test(), pk.CiphertextSize()
	return x, nil
}

// ExportJWK writes a key in python-paillier's JSON form: the public or the secret key, as the file has it.
func ExportJWK(ctx context.Context, o job.Options, name, out string, passphrase func() ([]byte, error)) error {
	o = o.WithDefaults()
	key, err := keys.Read(ctx, o.FS, name, true, passphrase)
	if err != nil {
		return err
	}
	id := "cipherfold " + key.Public.Fingerprint()
	if v := key.Public.Variant(); v != paillier.Textbook {
		o.Log.Warn(fmt.Sprintf("python-paillier knows textbook keys only: read back, this %s key becomes one, with another fingerprint, and does not open tables made with it", v))
	}
	data := key.Public.MarshalJWK(id)
	if key.Secret != nil {
		data = key.Secret.MarshalJWK(id)
	}
	u, err := o.FS.Create(ctx, out, blob.CreateOptions{Overwrite: o.Overwrite, Private: key.Secret != nil})
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := u.Write(data); err != nil {
		return err
	}
	return u.Commit(ctx)
}
