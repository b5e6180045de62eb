//go:build peers

package peers

/*
#include <gmp.h>
#include <stdlib.h>

enum { WINDOW = 10, DIGITS = 1 << WINDOW };

typedef struct {
	int rows, windows;
	mpz_t n, n2, t, *m, *out, *table; // window by window, digit by digit
	unsigned char *e;                 // exponents, little-endian, stride bytes each
	int stride;
} gmpw_worker;

static mpz_t *gmpw_list(size_t n) {
	mpz_t *list = calloc(n, sizeof *list);
	for (size_t i = 0; i < n; i++) mpz_init(list[i]);
	return list;
}

static void gmpw_drop(mpz_t *list, size_t n) {
	for (size_t i = 0; i < n; i++) mpz_clear(list[i]);
	free(list);
}

static gmpw_worker *gmpw_new(int rows, int windows) {
	gmpw_worker *w = calloc(1, sizeof *w);
	w->rows = rows;
	w->windows = windows;
	mpz_inits(w->n, w->n2, w->t, NULL);
	w->m = gmpw_list(rows);
	w->out = gmpw_list(rows);
	w->table = gmpw_list((size_t)windows * DIGITS);
	w->stride = (windows * WINDOW + 7) / 8 + 3; // three bytes hold any digit
	w->e = calloc(rows, w->stride);
	return w;
}

static void gmpw_free(gmpw_worker *w) {
	gmpw_drop(w->m, w->rows);
	gmpw_drop(w->out, w->rows);
	gmpw_drop(w->table, (size_t)w->windows * DIGITS);
	free(w->e);
	mpz_clears(w->n, w->n2, w->t, NULL);
	free(w);
}

static void gmpw_product(gmpw_worker *w, mpz_t z, mpz_t x, mpz_t y) {
	mpz_mul(w->t, x, y);
	mpz_tdiv_r(z, w->t, w->n2);
}

// gmpw_table makes the table of the powers of hs.
static void gmpw_table(gmpw_worker *w, const void *n, size_t nLen, const void *hs, size_t hsLen) {
	mpz_t h;
	mpz_init(h);
	mpz_import(w->n, nLen, 1, 1, 1, 0, n);
	mpz_mul(w->n2, w->n, w->n);
	mpz_import(h, hsLen, 1, 1, 1, 0, hs);
	for (int i = 0; i < w->windows; i++) {
		mpz_t *row = w->table + (size_t)i * DIGITS;
		mpz_set_ui(row[0], 1);
		for (int d = 1; d < DIGITS; d++) gmpw_product(w, row[d], row[d - 1], h);
		gmpw_product(w, h, row[DIGITS - 1], h);
	}
	mpz_clear(h);
}

static void gmpw_operand(gmpw_worker *w, int i, const void *m, size_t mLen, const void *e, size_t eLen) {
	for (size_t k = 0; k < eLen; k++) w->e[i * w->stride + k] = ((const unsigned char *)e)[eLen - 1 - k];
	mpz_import(w->m[i], mLen, 1, 1, 1, 0, m);
}

static void gmpw_result(gmpw_worker *w, int i, unsigned char *be, size_t n) {
	size_t used = (mpz_sizeinbase(w->out[i], 2) + 7) / 8;
	if (mpz_sgn(w->out[i])) mpz_export(be + n - used, NULL, 1, 1, 1, 0, w->out[i]);
}

static void gmpw_run(gmpw_worker *w, int n) {
	for (int j = 0, i = 0; j < n; j++, i = i + 1 == w->rows ? 0 : i + 1) {
		const unsigned char *e = w->e + i * w->stride;
		mpz_mul(w->out[i], w->m[i], w->n);
		mpz_add_ui(w->out[i], w->out[i], 1);
		for (int k = 0; k < w->windows; k++) {
			int bit = k * WINDOW;
			int d = (e[bit / 8] | e[bit / 8 + 1] << 8 | e[bit / 8 + 2] << 16) >> bit % 8 & (DIGITS - 1);
			if (d) gmpw_product(w, w->out[i], w->out[i], w->table[(size_t)k * DIGITS + d]);
		}
	}
}
*/
import "C"

import (
	"math/big"
	"unsafe"
)

func init() {
	windows = append(windows, Windows{Name: "gmp" + WindowsSuffix, Version: C.GoString(C.gmp_version), New: newGMPWindows})
}

// gmpWindows multiplies with mpz_mul and mpz_tdiv_r: GMP has no Montgomery product for its users.
type gmpWindows struct {
	w    *C.gmpw_worker
	size int // of a result in bytes
}

func newGMPWindows(k Key, rows Rows) WindowsWorker {
	c := newConstants(k)
	w := gmpWindows{C.gmpw_new(C.int(len(rows.M)), C.int(windowsOf(rows.E))), (c.n2.BitLen() + 7) / 8}
	n, hs := c.n.Bytes(), c.hs.Bytes()
	C.gmpw_table(w.w, unsafe.Pointer(unsafe.SliceData(n)), C.size_t(len(n)), unsafe.Pointer(unsafe.SliceData(hs)), C.size_t(len(hs)))
	for i, m := range rows.M {
		m, e := m.Bytes(), rows.E[i].Bytes()
		C.gmpw_operand(w.w, C.int(i), unsafe.Pointer(unsafe.SliceData(m)), C.size_t(len(m)), unsafe.Pointer(unsafe.SliceData(e)), C.size_t(len(e)))
	}
	return w
}

func (w gmpWindows) Encrypt(n int) { C.gmpw_run(w.w, C.int(n)) }

func (w gmpWindows) Result(row int) *big.Int {
	be := make([]byte, w.size)
	C.gmpw_result(w.w, C.int(row), (*C.uchar)(unsafe.SliceData(be)), C.size_t(len(be)))
	return new(big.Int).SetBytes(be)
}

func (w gmpWindows) TableBytes() int64 { return int64(w.w.windows) << windowBits * int64(w.size) }

func (w gmpWindows) Close() { C.gmpw_free(w.w) }
