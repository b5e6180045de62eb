package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cipherfold/cipherfold/engine/dataset"
	"github.com/cipherfold/cipherfold/engine/privacy"
)

// countsValue is the flag --counts: which counts of VCF files are read, and whether those of noisy measures are noisy. A verb
// that knows both takes a list, such as info,public.
type countsValue struct {
	vcf, noise *string // nil: not of this verb
}

// countsFlag returns the flag, which it makes when it is not there.
func countsFlag(f *pflag.FlagSet) *countsValue {
	if have := f.Lookup("counts"); have != nil {
		return have.Value.(*countsValue)
	}
	v := &countsValue{}
	f.Var(v, "counts", "`HOW`")
	return v
}

func vcfCountsFlag(f *pflag.FlagSet, v *dataset.VCF) {
	countsFlag(f).vcf = &v.Counts
	f.Lookup("counts").Usage += " VCF: of genotypes (the default), or info: the AC, AN, AC_Het and nhomalt that INFO has;"
}

func noiseCountsFlag(f *pflag.FlagSet, p *privacy.Request) {
	countsFlag(f).noise = &p.Counts
	f.Lookup("counts").Usage += " with --noise: noisy (the default), or public: which values are missing is no secret"
}

func (v *countsValue) Type() string { return "string" }

func (v *countsValue) String() string {
	var out []string
	for _, s := range []*string{v.vcf, v.noise} {
		if s != nil && *s != "" {
			out = append(out, *s)
		}
	}
	return strings.Join(out, ",")
}

func (v *countsValue) Set(text string) error {
	for _, s := range []*string{v.vcf, v.noise} {
		if s != nil {
			*s = ""
		}
	}
	if strings.TrimSpace(text) == "" { // which refuseEmpty tells
		return nil
	}
	for _, one := range strings.Split(text, ",") {
		to := v.noise // which says what is wrong with a word that it does not know
		switch both := v.vcf != nil && v.noise != nil; {
		case both && !slices.Contains([]string{vcfInfo, vcfGenotypes, "noisy", "public"}, one):
			return fmt.Errorf("write genotypes or info for VCF files, and noisy or public with ‹noise›")
		case v.noise == nil || both && (one == vcfInfo || one == vcfGenotypes):
			to = v.vcf
		}
		if *to != "" {
			return fmt.Errorf("%s and %s at once", *to, one)
		}
		*to = one
	}
	return nil
}

// Where the counts of VCF files come from.
const (
	vcfGenotypes = "genotypes"
	vcfInfo      = "info"
)
