package inspect

import (
	"context"
	"crypto/rand"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/cipherfold/cipherfold/engine/job"
	"github.com/cipherfold/cipherfold/internal/cpu"
	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// Diagnosis is what this machine can do.
type Diagnosis struct {
	CPU       string       `json:"cpu"`
	Cores     int          `json:"cores"`
	Features  []string     `json:"features"`         // those that kernels may use
	Switch    string       `json:"switch,omitempty"` // the environment variable that switches features off, with its value
	Go        string       `json:"go"`
	Kernels   []KernelInfo `json:"kernels"` // in order of preference
	Chosen    string       `json:"chosen"`
	Estimates []Estimate   `json:"estimates,omitempty"`
}

// KernelInfo is one implementation of the arithmetic.
type KernelInfo struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Why       string `json:"why"`
}

// Estimate is the speed of one core with a kind of key, in ciphertexts per second.
type Estimate struct {
	Variant      string  `json:"variant"`
	Bits         int     `json:"bits"`
	Encrypt      float64 `json:"encrypt"`
	EncryptOwner float64 `json:"encrypt_owner"`
	Fold         float64 `json:"fold"`
	Decrypt      float64 `json:"decrypt"`
	TableBytes   int64   `json:"table_bytes"`       // of memory, for encrypting with the public key
	OwnerBytes   int64   `json:"owner_table_bytes"` // and with the secret key
}

// CheckSwitch returns a *UsageError when the environment variable that switches features of the processor off has an
// unknown word.
func CheckSwitch() error {
	if err := cpu.Err(); err != nil {
		return &job.UsageError{Cause: err.Error(), Hint: "Leave the variable out to use all that the processor has."}
	}
	return nil
}

// Diagnose lists the machine's features and kernels and, unless quick, measures what one core does.
func Diagnose(ctx context.Context, o job.Options, quick bool) (*Diagnosis, error) {
	d := &Diagnosis{Features: []string{}, CPU: cpuid.CPU.BrandName, Cores: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	for _, f := range []cpuid.FeatureID{cpuid.BMI2, cpuid.ADX, cpuid.AVX2, cpuid.AVX512F, cpuid.AVX512IFMA} {
		if cpuid.CPU.Has(f) {
			d.Features = append(d.Features, f.String())
		}
	}
	if s := cpu.Setting(); s != "" {
		d.Switch = cpu.Switch + "=" + s
	}
	for _, k := range paillier.Kernels() {
		d.Kernels = append(d.Kernels, KernelInfo{k.Name, k.Available, k.Why})
		if k.Available && d.Chosen == "" && (o.Kernel == "" || o.Kernel == k.Name) {
			d.Chosen = k.Name
		}
	}
	if d.Chosen == "" {
		return nil, job.NoKernel(o.Kernel)
	}
	if quick {
		return d, nil
	}
	for _, bits := range []int{2048, 3072} {
		for _, variant := range []paillier.Variant{paillier.DJN, paillier.MHL} {
			e, err := estimate(ctx, o.Kernel, variant, bits)
			if err != nil {
				return nil, err
			}
			d.Estimates = append(d.Estimates, *e)
		}
	}
	return d, nil
}

// estimateRows is a batch as workers see it.
const estimateRows = 64

func estimate(ctx context.Context, kernel string, variant paillier.Variant, bits int) (*Estimate, error) {
	key, err := paillier.GenerateKey(ctx, rand.Reader, variant, bits, bits < 2048)
	if err != nil {
		return nil, err
	}
	if err := key.UseKernel(kernel); err != nil {
		return nil, err
	}
	pk := key.Public()
	m := make([]uint64, estimateRows*pk.PlaintextLimbs())
	for i := range estimateRows {
		m[i*pk.PlaintextLimbs()] = uint64(i)
	}
	ct, sum := make([]byte, estimateRows*pk.CiphertextSize()), make([]byte, estimateRows*pk.CiphertextSize())
	public, owner, evaluator, decryptor := pk.NewEncryptor(), key.NewEncryptor(), pk.NewEvaluator(), key.NewDecryptor()
	e := &Estimate{Variant: string(variant), Bits: bits, TableBytes: pk.TableBytes(), OwnerBytes: key.TableBytes() - pk.TableBytes()}
	for _, x := range []struct {
		rate *float64
		run  func() error
	}{
		{&e.Encrypt, func() error { return public.Encrypt(ct, m) }},
		{&e.EncryptOwner, func() error { return owner.Encrypt(ct, m) }},
		{&e.Fold, func() error { return evaluator.Fold(sum, ct, ct) }},
		{&e.Decrypt, func() error { return decryptor.Decrypt(m, ct) }},
	} {
		if err := x.run(); err != nil { // builds tables and scratch
			return nil, err
		}
		start, n := time.Now(), 0
		for time.Since(start) < 300*time.Millisecond && ctx.Err() == nil {
			if err := x.run(); err != nil {
				return nil, err
			}
			n += estimateRows
		}
		*x.rate = float64(n) / time.Since(start).Seconds()
	}
	e.Fold *= 2 // two ciphertexts in each product
	return e, ctx.Err()
}

// EstimateKey measures what one core of this machine does with keys of a variant and size, in about two seconds.
func EstimateKey(ctx context.Context, kernel, variant string, bits int) (*Estimate, error) {
	return estimate(ctx, kernel, paillier.Variant(variant), bits)
}
