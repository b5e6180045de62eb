//go:build peers

package peers

/*
#include <openssl/bn.h>
#include <stdlib.h>

enum { WINDOW = 10, DIGITS = 1 << WINDOW };

typedef struct {
	int rows, windows;
	BN_CTX *ctx;
	BN_MONT_CTX *n2;
	BIGNUM *n, *t, **m, **out, **table; // window by window, digit by digit, in Montgomery form
	unsigned char *e;                   // exponents, little-endian, stride bytes each
	int stride;
} bnw_worker;

static bnw_worker *bnw_new(int rows, int windows) {
	bnw_worker *w = calloc(1, sizeof *w);
	w->rows = rows;
	w->windows = windows;
	w->ctx = BN_CTX_new();
	w->n2 = BN_MONT_CTX_new();
	w->n = BN_new();
	w->t = BN_new();
	w->m = calloc(rows, sizeof *w->m);
	w->out = calloc(rows, sizeof *w->out);
	for (int i = 0; i < rows; i++) {
		w->m[i] = BN_new();
		w->out[i] = BN_new();
	}
	w->table = calloc((size_t)windows * DIGITS, sizeof *w->table);
	w->stride = (windows * WINDOW + 7) / 8 + 3; // three bytes hold any digit
	w->e = calloc(rows, w->stride);
	return w;
}

static void bnw_free(bnw_worker *w) {
	for (int i = 0; i < w->rows; i++) {
		BN_free(w->m[i]);
		BN_free(w->out[i]);
	}
	for (size_t i = 0; i < (size_t)w->windows * DIGITS; i++) BN_free(w->table[i]);
	free(w->m);
	free(w->out);
	free(w->table);
	free(w->e);
	BN_free(w->n);
	BN_free(w->t);
	BN_MONT_CTX_free(w->n2);
	BN_CTX_free(w->ctx);
	free(w);
}

// bnw_table makes the table of the powers of hs.
static int bnw_table(bnw_worker *w, const void *n, int nLen, const void *hs, int hsLen) {
	BIGNUM *h = BN_new(), *square = BN_new();
	int ok = BN_bin2bn(n, nLen, w->n) && BN_sqr(square, w->n, w->ctx) && BN_MONT_CTX_set(w->n2, square, w->ctx) &&
		BN_bin2bn(hs, hsLen, h) && BN_to_montgomery(h, h, w->n2, w->ctx);
	for (int i = 0; ok && i < w->windows; i++) {
		BIGNUM **row = w->table + (size_t)i * DIGITS;
		for (int d = 0; ok && d < DIGITS; d++) {
			row[d] = BN_new();
			ok = d == 0 ? BN_one(row[d]) && BN_to_montgomery(row[d], row[d], w->n2, w->ctx)
				: BN_mod_mul_montgomery(row[d], row[d - 1], h, w->n2, w->ctx);
		}
		ok = ok && BN_mod_mul_montgomery(h, row[DIGITS - 1], h, w->n2, w->ctx);
	}
	BN_free(h);
	BN_free(square);
	return ok;
}

static int bnw_operand(bnw_worker *w, int i, const void *m, int mLen, const void *e, int eLen) {
	for (int k = 0; k < eLen; k++) w->e[i * w->stride + k] = ((const unsigned char *)e)[eLen - 1 - k];
	return BN_bin2bn(m, mLen, w->m[i]) != NULL;
}

static int bnw_result(bnw_worker *w, int i, unsigned char *be, int n) { return BN_bn2binpad(w->out[i], be, n) == n; }

static int bnw_run(bnw_worker *w, int n) {
	for (int j = 0, i = 0; j < n; j++, i = i + 1 == w->rows ? 0 : i + 1) {
		const unsigned char *e = w->e + i * w->stride;
		BIGNUM *z = w->out[i];
		if (!(BN_mul(w->t, w->m[i], w->n, w->ctx) && BN_add_word(w->t, 1) && BN_to_montgomery(z, w->t, w->n2, w->ctx))) return 0;
		for (int k = 0; k < w->windows; k++) {
			int bit = k * WINDOW;
			int d = (e[bit / 8] | e[bit / 8 + 1] << 8 | e[bit / 8 + 2] << 16) >> bit % 8 & (DIGITS - 1);
			if (d && !BN_mod_mul_montgomery(z, z, w->table[(size_t)k * DIGITS + d], w->n2, w->ctx)) return 0;
		}
		if (!BN_from_montgomery(z, z, w->n2, w->ctx)) return 0;
	}
	return 1;
}
*/
import "C"

import (
	"math/big"
	"strings"
	"unsafe"
)

func init() {
	version := strings.TrimPrefix(C.GoString(C.OpenSSL_version(C.OPENSSL_VERSION)), "OpenSSL ")
	windows = append(windows, Windows{Name: "openssl" + WindowsSuffix, Version: version, New: newBNWindows})
}

// bnWindows multiplies with BN_mod_mul_montgomery.
type bnWindows struct {
	w    *C.bnw_worker
	size int // of a result in bytes
}

func newBNWindows(k Key, rows Rows) WindowsWorker {
	c := newConstants(k)
	w := bnWindows{C.bnw_new(C.int(len(rows.M)), C.int(windowsOf(rows.E))), (c.n2.BitLen() + 7) / 8}
	n, hs := c.n.Bytes(), c.hs.Bytes()
	mustBN(C.bnw_table(w.w, unsafe.Pointer(unsafe.SliceData(n)), C.int(len(n)), unsafe.Pointer(unsafe.SliceData(hs)), C.int(len(hs))))
	for i, m := range rows.M {
		m, e := m.Bytes(), rows.E[i].Bytes()
		mustBN(C.bnw_operand(w.w, C.int(i), unsafe.Pointer(unsafe.SliceData(m)), C.int(len(m)), unsafe.Pointer(unsafe.SliceData(e)), C.int(len(e))))
	}
	return w
}

func (w bnWindows) Encrypt(n int) { mustBN(C.bnw_run(w.w, C.int(n))) }

func (w bnWindows) Result(row int) *big.Int {
	be := make([]byte, w.size)
	mustBN(C.bnw_result(w.w, C.int(row), (*C.uchar)(unsafe.SliceData(be)), C.int(len(be))))
	return new(big.Int).SetBytes(be)
}

func (w bnWindows) TableBytes() int64 { return int64(w.w.windows) << windowBits * int64(w.size) }

func (w bnWindows) Close() { C.bnw_free(w.w) }
