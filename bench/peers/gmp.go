//go:build peers

package peers

/*
#cgo LDFLAGS: -lgmp
#include <gmp.h>
#include <stdlib.h>

enum { ENCRYPT_TEXTBOOK, ENCRYPT_DJN, ADD, MUL64, DECRYPT, SQUARE_MUL, SQUARE_SQR };
enum { M, R, E, A, B, S, COLUMNS };
enum { N, N2, HS, P, P2, P_EXP, P_FACTOR, Q, Q2, Q_EXP, Q_FACTOR, P_INVERSE, CONSTANTS };

typedef struct {
	int rows;
	mpz_t k[CONSTANTS], t, u, mp, mq;
	mpz_t *in[COLUMNS], *out;
} gmp_worker;

static gmp_worker *gmp_new(int rows) {
	gmp_worker *w = calloc(1, sizeof *w);
	w->rows = rows;
	for (int i = 0; i < CONSTANTS; i++) mpz_init(w->k[i]);
	mpz_inits(w->t, w->u, w->mp, w->mq, NULL);
	w->out = calloc(rows, sizeof *w->out);
	for (int i = 0; i < rows; i++) mpz_init(w->out[i]);
	for (int c = 0; c < COLUMNS; c++) {
		w->in[c] = calloc(rows, sizeof **w->in);
		for (int i = 0; i < rows; i++) mpz_init(w->in[c][i]);
	}
	return w;
}

static void gmp_free(gmp_worker *w) {
	for (int i = 0; i < CONSTANTS; i++) mpz_clear(w->k[i]);
	mpz_clears(w->t, w->u, w->mp, w->mq, NULL);
	for (int i = 0; i < w->rows; i++) mpz_clear(w->out[i]);
	free(w->out);
	for (int c = 0; c < COLUMNS; c++) {
		for (int i = 0; i < w->rows; i++) mpz_clear(w->in[c][i]);
		free(w->in[c]);
	}
	free(w);
}

static void gmp_constant(gmp_worker *w, int i, const void *be, size_t n) { mpz_import(w->k[i], n, 1, 1, 1, 0, be); }

static void gmp_operand(gmp_worker *w, int c, int i, const void *be, size_t n) { mpz_import(w->in[c][i], n, 1, 1, 1, 0, be); }

// gmp_result writes row i big-endian into n bytes, which are zero before.
static void gmp_result(gmp_worker *w, int i, unsigned char *be, size_t n) {
	size_t used = (mpz_sizeinbase(w->out[i], 2) + 7) / 8;
	if (mpz_sgn(w->out[i])) mpz_export(be + n - used, NULL, 1, 1, 1, 0, w->out[i]);
}

// gmp_message multiplies the randomizer t by 1+mN.
static void gmp_message(gmp_worker *w, int i) {
	mpz_mul(w->u, w->in[M][i], w->k[N]);
	mpz_add_ui(w->u, w->u, 1);
	mpz_mul(w->t, w->t, w->u);
	mpz_tdiv_r(w->out[i], w->t, w->k[N2]);
}

// gmp_half decrypts modulo the prime whose constants start at k.
static void gmp_half(gmp_worker *w, mpz_t m, mpz_t c, mpz_t *k) {
	mpz_tdiv_r(w->t, c, k[1]);
	mpz_powm(w->t, w->t, k[2], k[1]);
	mpz_sub_ui(w->t, w->t, 1);
	mpz_divexact(w->t, w->t, k[0]);
	mpz_mul(w->t, w->t, k[3]);
	mpz_tdiv_r(m, w->t, k[0]);
}

static void gmp_run(gmp_worker *w, int op, int n) {
	for (int j = 0, i = 0; j < n; j++, i = i + 1 == w->rows ? 0 : i + 1) {
		switch (op) {
		case ENCRYPT_TEXTBOOK:
			mpz_powm(w->t, w->in[R][i], w->k[N], w->k[N2]);
			gmp_message(w, i);
			break;
		case ENCRYPT_DJN:
			mpz_powm(w->t, w->k[HS], w->in[E][i], w->k[N2]);
			gmp_message(w, i);
			break;
		case ADD:
		case SQUARE_MUL:
			mpz_mul(w->t, w->in[A][i], w->in[B][i]);
			mpz_tdiv_r(w->out[i], w->t, w->k[N2]);
			break;
		case SQUARE_SQR:
			mpz_mul(w->t, w->in[A][i], w->in[A][i]);
			mpz_tdiv_r(w->out[i], w->t, w->k[N2]);
			break;
		case MUL64:
			mpz_powm(w->out[i], w->in[A][i], w->in[S][i], w->k[N2]);
			break;
		case DECRYPT:
			gmp_half(w, w->mp, w->in[A][i], &w->k[P]);
			gmp_half(w, w->mq, w->in[A][i], &w->k[Q]);
			mpz_sub(w->t, w->mq, w->mp);
			mpz_mul(w->t, w->t, w->k[P_INVERSE]);
			mpz_mod(w->t, w->t, w->k[Q]);
			mpz_mul(w->t, w->t, w->k[P]);
			mpz_add(w->out[i], w->mp, w->t);
			break;
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
	external = append(external, Library{Name: "gmp", Version: C.GoString(C.gmp_version), New: newGMPWorker})
}

// gmpWorker computes with GMP's mpz functions; its loop is in C.
type gmpWorker struct {
	w    *C.gmp_worker
	size int // of a result in bytes
}

func newGMPWorker(k Key, rows Rows) Worker {
	c := newConstants(k)
	w := gmpWorker{C.gmp_new(C.int(len(rows.M))), (c.n2.BitLen() + 7) / 8}
	for i, x := range c.list() {
		be := x.Bytes()
		C.gmp_constant(w.w, C.int(i), unsafe.Pointer(unsafe.SliceData(be)), C.size_t(len(be)))
	}
	for column, list := range rows.columns() {
		for i, x := range list {
			be := x.Bytes()
			C.gmp_operand(w.w, C.int(column), C.int(i), unsafe.Pointer(unsafe.SliceData(be)), C.size_t(len(be)))
		}
	}
	return w
}

func (w gmpWorker) Run(op Op, n int) { C.gmp_run(w.w, C.int(op), C.int(n)) }

func (w gmpWorker) Result(row int) *big.Int {
	be := make([]byte, w.size)
	C.gmp_result(w.w, C.int(row), (*C.uchar)(unsafe.SliceData(be)), C.size_t(len(be)))
	return new(big.Int).SetBytes(be)
}

func (w gmpWorker) Close() { C.gmp_free(w.w) }
