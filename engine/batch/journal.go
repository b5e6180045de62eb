package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/engine/receipt"
	"github.com/cipherfold/cipherfold/io/blob"
	"github.com/cipherfold/cipherfold/io/column"
)

// An entry is a line of a journal: a CRC-32C of the rest of the line in 8 hex digits, a blank, and the entry in JSON.
type entry struct {
	Event     event         `json:"event"`
	Time      time.Time     `json:"time"`
	Plan      string        `json:"plan,omitempty"` // of began: digest of the job.json that the journal belongs to
	Step      string        `json:"step,omitempty"`
	Key       string        `json:"key,omitempty"`  // fingerprint
	Part      *int          `json:"part,omitempty"` // from 0
	Partition string        `json:"cut,omitempty"`  // digest of the partition that the part is of
	File      *receipt.File `json:"file,omitempty"`
	// Of done, the outputs; of part and done, what was done for it.
	Outputs []receipt.File `json:"outputs,omitempty"`
	Report  *job.Report    `json:"report,omitempty"`

	// Sealed has the three above in the file of a job that seals: see receipt.Vault.
	Sealed string `json:"sealed,omitempty"`
}

// told is what is sealed of an entry.
type told struct {
	File    *receipt.File  `json:"file,omitempty"`
	Outputs []receipt.File `json:"outputs,omitempty"`
	Report  *job.Report    `json:"report,omitempty"`
}

// seal hides what an entry says of tables in the clear.
func (e *entry) seal(vault *receipt.Vault) error {
	t := told{e.File, e.Outputs, e.Report}
	if t.File == nil && t.Outputs == nil && t.Report == nil {
		return nil
	}
	text, err := json.Marshal(t)
	e.Sealed, e.File, e.Outputs, e.Report = vault.Seal(journalName, text), nil, nil, nil
	return err
}

// unseal is the inverse of seal.
func (e *entry) unseal(vault *receipt.Vault) error {
	if e.Sealed == "" {
		return nil
	}
	text, err := vault.Open(journalName, e.Sealed)
	if err != nil {
		return err
	}
	var t told
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	e.Sealed, e.File, e.Outputs, e.Report = "", t.File, t.Outputs, t.Report
	return nil
}

// event is what an entry tells.
type event string

const (
	began    event = "began"    // the first line of every journal, and of every attempt to go on
	keyed    event = "keyed"    // which key the step uses
	working  event = "working"  // the step is being worked on
	made     event = "part"     // a part is complete
	writing  event = "writing"  // an output is complete and about to get its name
	done     event = "done"     // all outputs of the step have their names
	finished event = "finished" // the whole job is done
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journal is a journal open for appending.
type journal struct {
	file  blob.Appender
	vault *receipt.Vault // nil: nothing is sealed
}

// openJournal opens a journal of which the first `valid` bytes are good. It cuts off what a crash left after them.
func openJournal(ctx context.Context, disk blob.Disk, name string, valid int64, vault *receipt.Vault) (*journal, error) {
	file, err := disk.Append(ctx, name)
	if err != nil {
		return nil, err
	}
	if file.Size() > valid {
		err = file.Truncate(valid)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &journal{file, vault}, nil
}

// note appends an entry, which is durable when note returns. After an error the journal must not be used any more: an
// unknown part of the entry is in the file.
func (j *journal) note(e entry) error {
	e.Time = time.Now().UTC()
	if j.vault != nil {
		if err := e.seal(j.vault); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := j.file.Write(fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *journal) close() error { return j.file.Close() }

// journalBytesMax bounds what is read of a journal: a job of a million parts has less.
const journalBytesMax = 4 << 30

// readJournal returns the entries of a journal and the length of the part of the file that holds them. A last line
// that is not whole was being written when the program ended, and does not count. A missing file has no entries.
func readJournal(ctx context.Context, disk blob.Disk, name string, vault *receipt.Vault) (entries []entry, valid int64, err error) {
	data, err := job.ReadFile(ctx, disk, name, journalBytesMax)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for line := 1; len(data) > 0; line++ {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		e, err := parseEntry(text)
		if err == nil {
			err = e.unseal(vault)
		}
		if err != nil && len(rest) > 0 {
			return nil, 0, column.Refuse(name, "the journal is damaged: %w", err).AtLine(int64(line)).WithHint(hintAnew)
		}
		if err != nil || !whole {
			break
		}
		entries = append(entries, e)
		valid += int64(len(text)) + 1
		data = rest
	}
	return entries, valid, nil
}

const hintAnew = "Remove the job directory, and run the job anew."

func parseEntry(line []byte) (entry, error) {
	sum, text, _ := bytes.Cut(line, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || len(sum) != 8 || uint32(want) != crc32.Checksum(text, castagnoli) {
		return entry{}, errors.New("its checksum is wrong")
	}
	var e entry
	return e, json.Unmarshal(text, &e)
}
