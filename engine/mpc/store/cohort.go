package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sort"
)

// Cohort is who sums of an attribute are about: for each patient with records in it a hash of the patient, one of the times of
// these readings and one of their versions, 8 bytes each, sorted. The zero value is empty.
type Cohort []byte

const memberBytes = 24

// Patients is the number of patients.
func (c Cohort) Patients() int { return len(c) / memberBytes }

// Digest identifies the cohort.
func (c Cohort) Digest() [32]byte { return sha256.Sum256(c) }

// Different counts the patients who differ between two cohorts. places counts those who are in one only, or in both with
// readings of other times; all counts those with other versions too, such as readings that were stored again. It stops when
// places reaches least: the counts are then not complete, but all is at least places.
func (c Cohort) Different(d Cohort, least int) (places, all int) {
	for len(c) > 0 && len(d) > 0 && places < least {
		switch order := bytes.Compare(c[:8], d[:8]); {
		case order < 0:
			places, all, c = places+1, all+1, c[memberBytes:]
		case order > 0:
			places, all, d = places+1, all+1, d[memberBytes:]
		default:
			if !bytes.Equal(c[8:16], d[8:16]) {
				places, all = places+1, all+1
			} else if !bytes.Equal(c[16:memberBytes], d[16:memberBytes]) {
				all++
			}
			c, d = c[memberBytes:], d[memberBytes:]
		}
	}
	if places < least {
		rest := c.Patients() + d.Patients() // one of them is empty
		places, all = places+rest, all+rest
	}
	return places, all
}

// CohortBuilder makes a cohort from records in the order of patients.
type CohortBuilder struct {
	members  [][memberBytes]byte
	patient  string
	open     bool
	times    [32]byte // of the patient so far, chained
	versions [32]byte
}

// Add adds a reading, and reports whether it is the first one of a patient. Those of a patient follow each other, in the order
// of times.
func (b *CohortBuilder) Add(patient string, time int64, version uint64) (first bool) {
	if first = !b.open || patient != b.patient; first {
		b.finish()
		b.open, b.patient, b.times, b.versions = true, patient, [32]byte{}, [32]byte{}
	}
	b.times, b.versions = chain(b.times, uint64(time)), chain(b.versions, version)
	return first
}

// chain is the hash of a number that follows others.
func chain(before [32]byte, number uint64) [32]byte {
	var block [40]byte
	copy(block[:], before[:])
	binary.BigEndian.PutUint64(block[32:], number)
	return sha256.Sum256(block[:])
}

func (b *CohortBuilder) finish() {
	if !b.open {
		return
	}
	var m [memberBytes]byte
	who := sha256.Sum256([]byte(b.patient))
	copy(m[:], who[:8])
	copy(m[8:16], b.times[:])
	copy(m[16:], b.versions[:])
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
