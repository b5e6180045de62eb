package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sort"
)

// Cohort is who sums of an attribute are about: for each patient with records in it a hash of the patient and one of the times
// and versions of these readings, 8 bytes each, sorted. The zero value is empty.
type Cohort []byte

const memberBytes = 16

// Patients is the number of patients.
func (c Cohort) Patients() int { return len(c) / memberBytes }

// Digest identifies the cohort.
func (c Cohort) Digest() [32]byte { return sha256.Sum256(c) }

// Different counts the patients who are in one of two cohorts only, or in both with different records.
func (c Cohort) Different(d Cohort) int {
	n := 0
	for len(c) > 0 && len(d) > 0 {
		switch order := bytes.Compare(c[:8], d[:8]); {
		case order < 0:
			n, c = n+1, c[memberBytes:]
		case order > 0:
			n, d = n+1, d[memberBytes:]
		default:
			if !bytes.Equal(c[8:memberBytes], d[8:memberBytes]) {
				n++
			}
			c, d = c[memberBytes:], d[memberBytes:]
		}
	}
	return n + c.Patients() + d.Patients()
}

// CohortBuilder makes a cohort from records in the order of patients.
type CohortBuilder struct {
	members [][memberBytes]byte
	patient string
	open    bool
	times   [32]byte // of the patient so far, chained
}

// Add adds a reading. Those of a patient follow each other, in the order of times.
func (b *CohortBuilder) Add(patient string, time int64, version uint64) {
	if !b.open || patient != b.patient {
		b.finish()
		b.open, b.patient, b.times = true, patient, [32]byte{}
	}
	var block [48]byte
	copy(block[:], b.times[:])
	binary.BigEndian.PutUint64(block[32:], uint64(time))
	binary.BigEndian.PutUint64(block[40:], version)
	b.times = sha256.Sum256(block[:])
}

func (b *CohortBuilder) finish() {
	if !b.open {
		return
	}
	var m [memberBytes]byte
	who := sha256.Sum256([]byte(b.patient))
	copy(m[:], who[:8])
	copy(m[8:], b.times[:])
	b.members, b.open = append(b.members, m), false
}

// Cohort returns the cohort of what was added.
func (b *CohortBuilder) Cohort() Cohort {
	b.finish()
	sort.Slice(b.members, func(i, j int) bool { return bytes.Compare(b.members[i][:], b.members[j][:]) < 0 })
	c := make(Cohort, 0, memberBytes*len(b.members))
	for i := range b.members {
		c = append(c, b.members[i][:]...)
	}
	return c
}
