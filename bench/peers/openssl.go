//go:build peers

package peers

/*
#cgo LDFLAGS: -lcrypto
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <stdlib.h>

enum { ENCRYPT_TEXTBOOK, ENCRYPT_DJN, ADD, MUL64, DECRYPT, SQUARE_MUL, SQUARE_SQR };
enum { M, R, E, A, B, S, COLUMNS };
enum { N, N2, HS, P, P2, P_EXP, P_FACTOR, Q, Q2, Q_EXP, Q_FACTOR, P_INVERSE, CONSTANTS };

typedef struct {
	int rows;
	BN_CTX *ctx;
	BN_MONT_CTX *n2, *p2, *q2;
	BIGNUM *k[CONSTANTS], *t, *u, *mp, *mq;
	BIGNUM **in[COLUMNS], **out;
} bn_worker;

static bn_worker *bn_new(int rows) {
	bn_worker *w = calloc(1, sizeof *w);
	w->rows = rows;
	w->ctx = BN_CTX_new();
	w->n2 = BN_MONT_CTX_new();
	w->p2 = BN_MONT_CTX_new();
	w->q2 = BN_MONT_CTX_new();
	for (int i = 0; i < CONSTANTS; i++) w->k[i] = BN_new();
	w->t = BN_new();
	w->u = BN_new();
	w->mp = BN_new();
	w->mq = BN_new();
	w->out = calloc(rows, sizeof *w->out);
	for (int i = 0; i < rows; i++) w->out[i] = BN_new();
	for (int c = 0; c < COLUMNS; c++) {
		w->in[c] = calloc(rows, sizeof **w->in);
		for (int i = 0; i < rows; i++) w->in[c][i] = BN_new();
	}
	return w;
}

static void bn_free(bn_worker *w) {
	for (int c = 0; c < COLUMNS; c++) {
		for (int i = 0; i < w->rows; i++) BN_free(w->in[c][i]);
		free(w->in[c]);
	}
	for (int i = 0; i < w->rows; i++) BN_free(w->out[i]);
	free(w->out);
	BN_free(w->t);
	BN_free(w->u);
	BN_free(w->mp);
	BN_free(w->mq);
	for (int i = 0; i < CONSTANTS; i++) BN_free(w->k[i]);
	BN_MONT_CTX_free(w->n2);
	BN_MONT_CTX_free(w->p2);
	BN_MONT_CTX_free(w->q2);
	BN_CTX_free(w->ctx);
	free(w);
}

static int bn_constant(bn_worker *w, int i, const void *be, int n) {
	if (!BN_bin2bn(be, n, w->k[i])) return 0;
	switch (i) {
	case N2: return BN_MONT_CTX_set(w->n2, w->k[i], w->ctx);
	case P2: return BN_MONT_CTX_set(w->p2, w->k[i], w->ctx);
	case Q2: return BN_MONT_CTX_set(w->q2, w->k[i], w->ctx);
	}
	return 1;
}

static int bn_operand(bn_worker *w, int c, int i, const void *be, int n) { return BN_bin2bn(be, n, w->in[c][i]) != NULL; }

static int bn_result(bn_worker *w, int i, unsigned char *be, int n) { return BN_bn2binpad(w->out[i], be, n) == n; }

// bn_mul multiplies modulo N². Two Montgomery products do this faster than BN_mod_mul divides.
static int bn_mul(bn_worker *w, BIGNUM *z, const BIGNUM *x, const BIGNUM *y) {
	return BN_to_montgomery(w->u, x, w->n2, w->ctx) && BN_mod_mul_montgomery(z, w->u, y, w->n2, w->ctx);
}

// bn_message multiplies the randomizer t by 1+mN.
static int bn_message(bn_worker *w, int i) {
	return BN_mul(w->mp, w->in[M][i], w->k[N], w->ctx) && BN_add_word(w->mp, 1) && bn_mul(w, w->out[i], w->t, w->mp);
}

// bn_half decrypts modulo the prime whose constants start at k.
static int bn_half(bn_worker *w, BIGNUM *m, BIGNUM *c, BIGNUM **k, BN_MONT_CTX *p2) {
	return BN_mod(w->u, c, k[1], w->ctx) && BN_mod_exp_mont(w->t, w->u, k[2], k[1], w->ctx, p2) && BN_sub_word(w->t, 1) &&
		BN_div(w->u, NULL, w->t, k[0], w->ctx) && BN_mod_mul(m, w->u, k[3], k[0], w->ctx);
}

static int bn_one(bn_worker *w, int op, int i) {
	switch (op) {
	case ENCRYPT_TEXTBOOK:
		return BN_mod_exp_mont(w->t, w->in[R][i], w->k[N], w->k[N2], w->ctx, w->n2) && bn_message(w, i);
	case ENCRYPT_DJN:
		return BN_mod_exp_mont(w->t, w->k[HS], w->in[E][i], w->k[N2], w->ctx, w->n2) && bn_message(w, i);
	case ADD:
		return bn_mul(w, w->out[i], w->in[A][i], w->in[B][i]);
	case SQUARE_MUL:
		return BN_mod_mul_montgomery(w->out[i], w->in[A][i], w->in[B][i], w->n2, w->ctx);
	case SQUARE_SQR:
		return BN_mod_mul_montgomery(w->out[i], w->in[A][i], w->in[A][i], w->n2, w->ctx);
	case MUL64:
		return BN_mod_exp_mont(w->out[i], w->in[A][i], w->in[S][i], w->k[N2], w->ctx, w->n2);
	case DECRYPT:
		return bn_half(w, w->mp, w->in[A][i], &w->k[P], w->p2) && bn_half(w, w->mq, w->in[A][i], &w->k[Q], w->q2) &&
			BN_mod_sub(w->t, w->mq, w->mp, w->k[Q], w->ctx) && BN_mod_mul(w->t, w->t, w->k[P_INVERSE], w->k[Q], w->ctx) &&
			BN_mul(w->u, w->t, w->k[P], w->ctx) && BN_add(w->out[i], w->u, w->mp);
	}
	return 0;
}

static int bn_run(bn_worker *w, int op, int n) {
	for (int j = 0, i = 0; j < n; j++, i = i + 1 == w->rows ? 0 : i + 1) {
		if (!bn_one(w, op, i)) return 0;
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
	external = append(external, Library{Name: "openssl", Version: version, New: newBNWorker})
}

// bnWorker computes with OpenSSL's BIGNUM in Montgomery arithmetic; its loop is in C.
type bnWorker struct {
	w    *C.bn_worker
	size int // of a result in bytes
}

func newBNWorker(k Key, rows Rows) Worker {
	c := newConstants(k)
	w := bnWorker{C.bn_new(C.int(len(rows.M))), (c.n2.BitLen() + 7) / 8}
	for i, x := range c.list() {
		be := x.Bytes()
		mustBN(C.bn_constant(w.w, C.int(i), unsafe.Pointer(unsafe.SliceData(be)), C.int(len(be))))
	}
	for column, list := range rows.columns() {
		for i, x := range list {
			be := x.Bytes()
			mustBN(C.bn_operand(w.w, C.int(column), C.int(i), unsafe.Pointer(unsafe.SliceData(be)), C.int(len(be))))
		}
	}
	return w
}

// mustBN panics when OpenSSL refuses valid numbers: it is out of memory, or called wrongly.
func mustBN(ok C.int) {
	if ok != 1 {
		panic("peers: OpenSSL's BIGNUM failed")
	}
}

func (w bnWorker) Run(op Op, n int) { mustBN(C.bn_run(w.w, C.int(op), C.int(n))) }

func (w bnWorker) Result(row int) *big.Int {
	be := make([]byte, w.size)
	mustBN(C.bn_result(w.w, C.int(row), (*C.uchar)(unsafe.SliceData(be)), C.int(len(be))))
	return new(big.Int).SetBytes(be)
}

func (w bnWorker) Close() { C.bn_free(w.w) }
