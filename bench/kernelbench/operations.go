package kernelbench

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/cipherfold/cipherfold/bench"
	"github.com/cipherfold/cipherfold/bench/peers"
	"github.com/cipherfold/cipherfold/bigmod"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Sizes of batches.
const (
	batchMin      = 8    // all lanes of a vector kernel
	batchMax      = 128  // as many as workers compute on at a time
	foldBatch     = 512  // ciphertexts of a call, as in a job
	foldGroups    = 64   // sums that grow
	foldCalls     = 8    // until the sums are read: 64 ciphertexts in each
	weightedTerms = 1024 // of a weighted sum
	peerOpsMax    = 1 << 12
)

// operations are our operations with keys of one size, and the peers', those to be compared beside each other. close
// frees what the peers hold.
func (o *Options) operations(ctx context.Context, bits int, kernels []bigmod.Implementation, libraries []peers.Library) (list []*contender, free func(), err error) {
	keys := map[paillier.Variant]*paillier.SecretKey{}
	var generation []*contender
	for _, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
		generate := func(int) (int, error) {
			_, err := paillier.GenerateKey(ctx, rand.Reader, variant, bits, o.TestKey)
			return 1, err
		}
		if keys[variant], err = paillier.GenerateKey(ctx, rand.Reader, variant, bits, o.TestKey); err != nil {
			return nil, nil, err
		}
		generation = append(generation, &contender{
			Result:  bench.Result{Impl: bench.Cipherfold, Op: bench.OpKeygen, Variant: string(variant), Role: bench.RoleOwner, Bits: bits, Threads: 1},
			rowsMin: 1, rowsMax: 1, run: generate,
		})
	}
	for _, kernel := range kernels {
		list = append(list, squares(bits, kernel)...)
		for _, variant := range []paillier.Variant{paillier.Textbook, paillier.DJN, paillier.MHL} {
			s, err := newSubject(keys[variant], kernel.Name)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, s.contenders()...)
		}
	}
	theirs, free, err := peerContenders(keys[paillier.DJN], libraries, o.Peers)
	if err != nil {
		return nil, nil, err
	}
	list = append(append(list, theirs...), generation...)
	// Operations that are compared run one after the other.
	slices.SortStableFunc(list, func(a, b *contender) int { return operationOrder(a.Op) - operationOrder(b.Op) })
	return list, free, nil
}

func operationOrder(op string) int {
	return slices.Index([]string{bench.OpEncrypt, bench.OpOwn, bench.OpRerandomize, bench.OpFold, bench.OpMul64, bench.OpWeighted, bench.OpDecrypt, bench.OpSquareMul, bench.OpSquareSqr, bench.OpKeygen}, op)
}

// subject is a key with workers of one kernel and a batch for them.
type subject struct {
	sk              *paillier.SecretKey
	pk              *paillier.PublicKey
	kernel          string
	public, owner   *paillier.Encryptor
	decryptor       *paillier.Decryptor
	evaluator       *paillier.Evaluator
	sums            *paillier.Accumulator
	m               []uint64
	ct, out, summed []byte // foldBatch, weightedTerms ciphertexts; foldGroups
	groups          []int32
	scalars         paillier.Scalars
}

// newSubject makes a batch and tests that it decrypts to what was encrypted.
func newSubject(sk *paillier.SecretKey, kernel string) (*subject, error) {
	if err := sk.UseKernel(kernel); err != nil {
		return nil, err
	}
	pk := sk.Public()
	size, limbs := pk.CiphertextSize(), pk.PlaintextLimbs()
	s := &subject{
		sk: sk, pk: pk, kernel: kernel,
		public: pk.NewEncryptor(), owner: sk.NewEncryptor(), decryptor: sk.NewDecryptor(), evaluator: pk.NewEvaluator(),
		sums: pk.NewAccumulator(foldGroups), m: make([]uint64, batchMax*limbs),
		ct: make([]byte, weightedTerms*size), out: make([]byte, batchMax*size), summed: make([]byte, foldGroups*size),
		groups:  make([]int32, foldBatch),
		scalars: paillier.Scalars{Size: 8, Abs: make([]byte, 8*weightedTerms), Neg: make([]bool, weightedTerms)},
	}
	random := paillier.NewRandom()
	be := make([]byte, 8*limbs)
	for i := range batchMax {
		random.Read(be)
		be[0] = 0 // below N, whose top bit is set
		bigmod.WordsFromBytes(s.m[i*limbs:(i+1)*limbs], be)
	}
	for i := range s.groups {
		s.groups[i] = int32(i % foldGroups)
	}
	random.Read(s.scalars.Abs)
	for i := range s.scalars.Neg {
		s.scalars.Neg[i] = i%2 == 1
	}
	first := s.ct[:batchMax*size]
	if err := s.owner.Encrypt(first, s.m); err != nil {
		return nil, err
	}
	for i := len(first); i < len(s.ct); i += len(first) {
		copy(s.ct[i:], first)
	}
	opened := make([]uint64, len(s.m))
	if err := s.decryptor.Decrypt(opened, first); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", kernel, err)
	}
	if !slices.Equal(opened, s.m) {
		return nil, fmt.Errorf("kernel %s, %s: decryption does not give what was encrypted", kernel, pk.Variant())
	}
	return s, nil
}

// contenders are the operations of this key. What does not depend on the variant is measured with DJN.
func (s *subject) contenders() []*contender {
	var list []*contender
	add := func(op, role string, rowsMin, rowsMax int, run func(rows int) (int, error)) {
		list = append(list, &contender{
			Result:  bench.Result{Impl: bench.Cipherfold, Kernel: s.kernel, Op: op, Variant: string(s.pk.Variant()), Role: role, Bits: s.pk.Bits(), Threads: 1},
			rowsMin: rowsMin, rowsMax: rowsMax, run: run,
		})
	}
	size, limbs := s.pk.CiphertextSize(), s.pk.PlaintextLimbs()
	opened, positive := make([]uint64, len(s.m)), make([]bool, batchMax)
	add(bench.OpEncrypt, bench.RolePublic, batchMin, batchMax, func(rows int) (int, error) {
		return rows, s.public.Encrypt(s.out[:rows*size], s.m[:rows*limbs])
	})
	add(bench.OpEncrypt, bench.RoleOwner, batchMin, batchMax, func(rows int) (int, error) {
		return rows, s.owner.Encrypt(s.out[:rows*size], s.m[:rows*limbs])
	})
	if s.pk.Variant() == paillier.Textbook {
		return list // the rest is as with DJN
	}
	add(bench.OpDecrypt, bench.RoleOwner, batchMin, batchMax, func(rows int) (int, error) {
		return rows, s.decryptor.Decrypt(opened[:rows*limbs], s.ct[:rows*size])
	})
	add(bench.OpRerandomize, bench.RolePublic, batchMin, batchMax, func(rows int) (int, error) {
		return rows, s.evaluator.Rerandomize(s.out[:rows*size], s.ct[:rows*size])
	})
	if s.pk.Variant() == paillier.DJN { // with MHL keys there is no other way
		add(bench.OpOwn, bench.RolePublic, batchMin, batchMax, func(rows int) (int, error) {
			return rows, s.evaluator.RerandomizeOf(s.out[:rows*size], s.ct[:rows*size], paillier.OwnRandomizers)
		})
	}
	if s.pk.Variant() == paillier.MHL {
		return list
	}
	add(bench.OpFold, bench.RolePublic, 1, 1, func(int) (int, error) {
		for range foldCalls {
			if err := s.sums.Add(s.groups, s.ct[:foldBatch*size]); err != nil {
				return 0, err
			}
		}
		// The first ciphertext of a group is no addition.
		return foldCalls*foldBatch - foldGroups, s.sums.Finish(s.summed)
	})
	add(bench.OpMul64, bench.RolePublic, batchMin, batchMax, func(rows int) (int, error) {
		scalars := paillier.Scalars{Size: 8, Abs: s.scalars.Abs[:8*rows], Neg: positive[:rows]}
		return rows, s.evaluator.MulEach(s.out[:rows*size], s.ct[:rows*size], scalars)
	})
	add(bench.OpWeighted, bench.RolePublic, 1, 1, func(int) (int, error) {
		return weightedTerms, s.evaluator.WeightedSum(s.summed[:size], s.ct, s.scalars)
	})
	return list
}

// peerContenders are the operations of the peers, with a DJN key; those that encrypt from tables only on demand.
func peerContenders(sk *paillier.SecretKey, libraries []peers.Library, tables bool) (list []*contender, free func(), err error) {
	key := peers.KeyOf(sk)
	rows, err := peers.RandomRows(sk)
	if err != nil {
		return nil, nil, err
	}
	var workers []interface{ Close() }
	free = func() {
		for _, w := range workers {
			w.Close()
		}
	}
	for _, library := range libraries {
		w := library.New(key, rows)
		workers = append(workers, w)
		w.Run(peers.Decrypt, len(rows.M))
		for i, m := range rows.M {
			if w.Result(i).Cmp(m) != 0 {
				free()
				return nil, nil, fmt.Errorf("%s does not decrypt what we encrypted", library.Name)
			}
		}
		for _, x := range []struct {
			op            peers.Op
			name, variant string
			role          string
		}{
			{peers.EncryptTextbook, bench.OpEncrypt, string(paillier.Textbook), bench.RolePublic},
			{peers.EncryptDJN, bench.OpEncrypt, string(paillier.DJN), bench.RolePublic},
			{peers.Add, bench.OpFold, string(paillier.DJN), bench.RolePublic},
			{peers.Mul64, bench.OpMul64, string(paillier.DJN), bench.RolePublic},
			{peers.Decrypt, bench.OpDecrypt, string(paillier.DJN), bench.RoleOwner},
			{peers.SquareMul, bench.OpSquareMul, "", ""},
			{peers.SquareSqr, bench.OpSquareSqr, "", ""},
		} {
			list = append(list, &contender{
				Result:  bench.Result{Impl: library.Name, Op: x.name, Variant: x.variant, Role: x.role, Bits: sk.Public().Bits() * modulusFactor(x.name), Threads: 1},
				rowsMin: 1, rowsMax: peerOpsMax,
				run: func(n int) (int, error) {
					w.Run(x.op, n)
					return n, nil
				},
			})
		}
	}
	if !tables {
		return list, free, nil
	}
	for _, peer := range peers.WindowsPeers() {
		w := peer.New(key, rows)
		workers = append(workers, w)
		list = append(list, &contender{
			Result:  bench.Result{Impl: peer.Name, Op: bench.OpEncrypt, Variant: string(paillier.DJN), Role: bench.RolePublic, Bits: sk.Public().Bits(), Threads: 1},
			rowsMin: 1, rowsMax: peerOpsMax,
			run: func(n int) (int, error) {
				w.Encrypt(n)
				return n, nil
			},
		})
	}
	return list, free, nil
}

// modulusFactor is the length of the modulus that results of an operation name, in that of N.
func modulusFactor(op string) int {
	if op == bench.OpSquareMul || op == bench.OpSquareSqr {
		return 2
	}
	return 1
}
