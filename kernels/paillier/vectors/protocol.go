package vectors

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/cipherfold/cipherfold/internal/knownanswer"
	"github.com/cipherfold/cipherfold/internal/strictjson"
	"github.com/cipherfold/cipherfold/kernels/moments"
	"github.com/cipherfold/cipherfold/kernels/paillier/innerproduct"
	"github.com/cipherfold/cipherfold/kernels/shares"
)

// A transcript is a run of the product protocol of three servers over two columns, with all randomness: every message is
// computed again.
const (
	transcriptServers = 3
	transcriptColumns = "xy"
	transcriptWord    = 64 // K
)

// transcriptPairs are the sums of products, in the order of the responses.
var transcriptPairs = []string{"xx", "xy", "yy"}

// columnsOf are the two columns of a pair.
func columnsOf(pair string) (u, v int) {
	return strings.IndexByte(transcriptColumns, pair[0]), strings.IndexByte(transcriptColumns, pair[1])
}

// transcript is what was read of a file so far.
type transcript struct {
	*checker
	n, sigma int
	w, s     int
	plain    [2][]*big.Int
	shares   [2][transcriptServers][]uint64
	servers  []*checker                            // each with its key
	output   [][transcriptServers]uint64           // of each pair: local products and what the messages add
	layouts  [transcriptServers]shares.Convolution // of each key
}

// protocol checks a transcript.
func (c *checker) protocol(o *strictjson.Object) error {
	t := &transcript{checker: c}
	head := &entry{file: c.file, section: "layout", index: -1, o: o}
	if k := head.int("K", 1<<16); head.err == nil && k != transcriptWord {
		return head.bad("K", "%d: this program computes with shares modulo 2^%d", k, transcriptWord)
	}
	t.sigma, t.n, t.w, t.s = head.int("sigma", 1<<16), head.int("n", 1<<30), head.int("w", 1<<16), head.int("s", 1<<16)
	if head.err != nil {
		return head.err
	}
	keys, err := o.Array("keys")
	if err != nil {
		return c.syntax(err)
	}
	if len(keys) != transcriptServers {
		return &Error{c.file, "keys", -1, "", fmt.Sprintf("%d keys, not %d", len(keys), transcriptServers)}
	}
	messages, err := o.Array("messages")
	if err != nil {
		return c.syntax(err)
	}
	for _, f := range []func(*entry) error{t.columns, t.sharing} {
		if err := f(head); err != nil {
			return err
		}
	}
	var parts [4]*strictjson.Object
	for i, name := range []string{"output_shares", "sums", "stats_exact", "stats_float"} {
		if parts[i], err = o.Object(name); err != nil {
			return c.syntax(err)
		}
	}
	if err := o.Done(); err != nil {
		return c.syntax(err)
	}
	for i, v := range keys {
		side := *c
		if err := side.key("keys", i, v); err != nil {
			return err
		}
		t.servers = append(t.servers, &side)
		layout, err := shares.NewConvolution(side.sk.Public().Bits(), int64(t.n), t.sigma)
		if err != nil {
			return &Error{c.file, "layout", -1, "", err.Error()}
		}
		if layout.SlotBits != t.w {
			return head.bad("w", "a slot has %d bits", layout.SlotBits)
		}
		if layout.Records != t.s {
			return head.bad("s", "a ciphertext holds %d records", layout.Records)
		}
		t.layouts[i] = layout
	}
	if err := t.messages(messages); err != nil {
		return err
	}
	moments, err := t.sums(parts[0], parts[1])
	if err != nil {
		return err
	}
	if err := t.statistics(parts[2], parts[3], moments); err != nil {
		return err
	}
	c.report.Checked["keys"], c.report.Checked["shares"] = transcriptServers, 2*t.n
	for _, name := range []string{"output_shares", "sums", "stats_exact", "stats_float"} {
		c.report.Checked[name] = len(parts[0].Names())
	}
	c.report.Checked["sums"], c.report.Checked["stats_exact"], c.report.Checked["stats_float"] = len(parts[1].Names()), len(parts[2].Names()), len(parts[3].Names())
	c.report.Checked["messages"] = len(messages)
	return nil
}

// columns reads the columns in the clear.
func (t *transcript) columns(head *entry) error {
	for k := range t.plain {
		e := &entry{file: t.file, section: transcriptColumns[k : k+1], index: -1, o: head.o}
		t.plain[k] = e.integers(e.section)
		if e.err != nil {
			return e.err
		}
		if len(t.plain[k]) != t.n {
			return e.bad("", "%d values, not %d", len(t.plain[k]), t.n)
		}
	}
	return nil
}

// sharing reads the shares and compares their sums with the columns.
func (t *transcript) sharing(head *entry) error {
	o, err := head.o.Object("shares")
	if err != nil {
		return t.syntax(err)
	}
	e := &entry{file: t.file, section: "shares", index: -1, o: o}
	if err := e.checkFields(strings.Split(transcriptColumns, "")); err != nil {
		return err
	}
	for k := range t.shares {
		name := transcriptColumns[k : k+1]
		lists := e.list(name)
		if e.err == nil && len(lists) != transcriptServers {
			return e.bad(name, "shares of %d servers, not %d", len(lists), transcriptServers)
		}
		if e.err != nil {
			return e.err
		}
		for j, v := range lists {
			field := fmt.Sprintf("%s[%d]", name, j)
			list, err := v.Array()
			if e.syntax(field, err); e.err != nil {
				return e.err
			}
			for i, v := range list {
				s, err := v.Text()
				e.syntax(field, err)
				t.shares[k][j] = append(t.shares[k][j], e.word(fmt.Sprintf("%s[%d]", field, i), s))
			}
			if e.err != nil {
				return e.err
			}
			if len(list) != t.n {
				return e.bad(field, "%d shares, not %d", len(list), t.n)
			}
		}
		sum := make([]uint64, t.n)
		shares.Combine(sum, t.shares[k][:]...)
		for i, x := range sum {
			if t.plain[k][i].Cmp(big.NewInt(int64(x))) != 0 {
				return e.bad(fmt.Sprintf("%s[][%d]", name, i), "the shares add up to %d", int64(x))
			}
		}
	}
	return nil
}

// word reads a canonical decimal number below 2^64.
func (e *entry) word(field, s string) uint64 {
	x, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(x, 10) != s {
		e.fail(e.bad(field, "%.40q is not a canonical decimal number below 2^64", s))
	}
	return x
}

// messages computes the messages of the three directions.
func (t *transcript) messages(list []strictjson.Value) error {
	t.output = make([][transcriptServers]uint64, len(transcriptPairs))
	for k, pair := range transcriptPairs {
		u, v := columnsOf(pair)
		for j := range transcriptServers {
			t.output[k][j] = shares.Product(t.shares[u][j], t.shares[v][j])
		}
	}
	if len(list) != transcriptServers {
		return &Error{t.file, "messages", -1, "", fmt.Sprintf("%d directions, not %d", len(list), transcriptServers)}
	}
	for i, v := range list {
		e, err := newEntry(t.file, "messages", i, v)
		if err != nil {
			return err
		}
		if err := e.checkFields([]string{"owner", "peer", "cts", "responses"}); err != nil {
			return err
		}
		owner, peer := e.int("owner", transcriptServers), e.int("peer", transcriptServers)
		if e.err == nil && owner != i {
			return e.bad("owner", "direction %d is that of server %d", i, i)
		}
		if e.err == nil && peer != (i+1)%transcriptServers {
			return e.bad("peer", "direction %d leads to server %d", i, (i+1)%transcriptServers)
		}
		cts, err := e.o.Object("cts")
		e.syntax("cts", err)
		responses := e.list("responses")
		if e.err != nil {
			return e.err
		}
		if err := t.direction(i, owner, peer, cts, responses); err != nil {
			return err
		}
	}
	return nil
}

// direction checks the messages between an owner and its peer.
func (t *transcript) direction(i, owner, peer int, cts *strictjson.Object, responses []strictjson.Value) error {
	c, layout := t.servers[owner], t.layouts[owner]
	limbs := c.sk.Public().PlaintextLimbs()
	blocks := layout.Ciphertexts(t.n)
	columns := &entry{file: t.file, section: fmt.Sprintf("messages[%d].cts", i), index: -1, o: cts}
	if err := columns.checkFields(strings.Split(transcriptColumns, "")); err != nil {
		return err
	}
	var sent [2][]byte
	for k := range sent {
		name := transcriptColumns[k : k+1]
		section := fmt.Sprintf("messages[%d].cts.%s", i, name)
		list := columns.list(name)
		if columns.err != nil {
			return columns.err
		}
		if len(list) != blocks {
			return columns.bad(name, "%d ciphertexts, not %d", len(list), blocks)
		}
		m := make([]uint64, blocks*limbs)
		layout.Pack(m, limbs, t.shares[k][owner])
		var entries []*entry
		for b, v := range list {
			e, err := newEntry(t.file, section, b, v)
			if err != nil {
				return err
			}
			if err := e.checkFields([]string{"m", "r", "c"}); err != nil {
				return err
			}
			e.expect("m", c.residues(m[b*limbs : (b+1)*limbs])[0])
			entries = append(entries, e)
		}
		r, ct := c.randoms(entries), []*big.Int(nil)
		for _, e := range entries {
			ct = append(ct, e.hexBelow("c", c.n2))
		}
		if err := firstError(entries); err != nil {
			return err
		}
		got := c.batch(blocks)
		if err := knownanswer.Encrypt(c.owner, got, m, r); err != nil {
			return c.refused(entries, err)
		}
		if err := c.compareBatch(entries, got, ct, "the owner's encryption"); err != nil {
			return err
		}
		if err := knownanswer.Encrypt(c.public, got, m, r); err != nil {
			return c.refused(entries, err)
		}
		if err := c.compareBatch(entries, got, ct, "encryption"); err != nil {
			return err
		}
		if err := c.opens(entries, ct, c.residues(m), "m"); err != nil {
			return err
		}
		sent[k] = got
	}
	return t.respond(i, owner, peer, sent, responses)
}

// respond checks the peer's responses and what both sides take from them.
func (t *transcript) respond(i, owner, peer int, sent [2][]byte, list []strictjson.Value) error {
	c, layout := t.servers[owner], t.layouts[owner]
	pk := c.sk.Public()
	section := fmt.Sprintf("messages[%d].responses", i)
	if len(list) != len(transcriptPairs) {
		return &Error{t.file, section, -1, "", fmt.Sprintf("%d responses, not %d", len(list), len(transcriptPairs))}
	}
	words, size := layout.MaskWords(), pk.Bits()/8
	doubled, masks := make([]bool, len(list)), make([]uint64, len(list)*layout.Masks()*words)
	var random []byte
	var entries []*entry
	var ct []*big.Int
	for k, v := range list {
		e, err := newEntry(t.file, section, k, v)
		if err != nil {
			return err
		}
		if err := e.checkFields([]string{"pair", "exponents", "masks", "rerandomizer", "c", "decrypted", "share_peer", "share_owner"}); err != nil {
			return err
		}
		if pair := e.text("pair"); e.err == nil && pair != transcriptPairs[k] {
			return e.bad("pair", "%.40q, not %q", pair, transcriptPairs[k])
		}
		entries = append(entries, e)
		u, w := columnsOf(transcriptPairs[k])
		doubled[k] = u == w
		exponents := t.exponents(layout, t.shares[w][peer], doubled[k])
		if !doubled[k] {
			exponents = append(exponents, t.exponents(layout, t.shares[u][peer], false)...)
		}
		e.expectList("exponents", exponents)
		for m, x := range e.hexList("masks", layout.Masks()) {
			if x.BitLen() > layout.SlotBits-1 {
				return e.bad(fmt.Sprintf("masks[%d]", m), "more than %d bits", layout.SlotBits-1)
			}
			for b := range x.BitLen() {
				masks[(k*layout.Masks()+m)*words+b/64] |= uint64(x.Bit(b)) << (b % 64)
			}
		}
		random = append(random, e.hexBelow("rerandomizer", c.n).FillBytes(make([]byte, size))...)
		ct = append(ct, e.hexBelow("c", c.n2))
	}
	if err := firstError(entries); err != nil {
		return err
	}
	p := innerproduct.NewPeer(pk, layout, doubled)
	for k, pair := range transcriptPairs {
		u, v := columnsOf(pair)
		terms := []innerproduct.Term{{Ciphertexts: sent[u], Shares: t.shares[v][peer]}}
		if u != v {
			terms = append(terms, innerproduct.Term{Ciphertexts: sent[v], Shares: t.shares[u][peer]})
		}
		if err := p.AddVarTime(k, terms...); err != nil {
			return c.refused(entries, err)
		}
	}
	got, of := c.batch(len(list)), make([]uint64, len(list))
	if err := knownanswer.Respond(p, got, of, masks, random); err != nil {
		var bad *knownanswer.RandomnessError
		if errors.As(err, &bad) {
			return entries[bad.Index].bad("rerandomizer", "%v", err)
		}
		return c.refused(entries, err)
	}
	if err := c.compareBatch(entries, got, ct, "the peer's response"); err != nil {
		return err
	}
	m := make([]uint64, len(list)*pk.PlaintextLimbs())
	if err := c.decryptor.DecryptFull(m, got); err != nil {
		return c.refused(entries, err)
	}
	for k, e := range entries {
		row := m[k*pk.PlaintextLimbs() : (k+1)*pk.PlaintextLimbs()]
		e.expect("decrypted", c.residues(row)[0])
		own := layout.Middle(row)
		e.expectWord("share_peer", of[k])
		e.expectWord("share_owner", own)
		t.output[k][owner] += own
		t.output[k][peer] += of[k]
	}
	return firstError(entries)
}

// exponents are those of the ciphertexts of a column: a server's shares in falling order.
func (t *transcript) exponents(layout shares.Convolution, s []uint64, doubled bool) []*big.Int {
	out := make([]*big.Int, layout.Ciphertexts(t.n))
	digits := make([]uint64, len(out))
	for i := range layout.Records {
		layout.Digits(digits, s, i)
		for b, d := range digits {
			if out[b] == nil {
				out[b] = new(big.Int)
			}
			out[b].Lsh(out[b], uint(layout.SlotBits)).Add(out[b], new(big.Int).SetUint64(d))
		}
	}
	for _, x := range out {
		if doubled {
			x.Lsh(x, 1)
		}
	}
	return out
}

// hexList reads an array of n canonical hexadecimal strings.
func (e *entry) hexList(field string, n int) []*big.Int {
	list := e.list(field)
	if e.err == nil && len(list) != n {
		e.fail(e.bad(field, "%d numbers, not %d", len(list), n))
	}
	if e.err != nil {
		return nil
	}
	out := make([]*big.Int, n)
	for i, v := range list {
		name := fmt.Sprintf("%s[%d]", field, i)
		s, err := v.Text()
		e.syntax(name, err)
		x, ok := new(big.Int).SetString(s, 16)
		if !ok || x.Sign() < 0 || x.Text(16) != s {
			e.fail(e.bad(name, "not a canonical hexadecimal number"))
			x = new(big.Int)
		}
		out[i] = x
	}
	return out
}

// expectList compares an array of hexadecimal numbers with what they have to be.
func (e *entry) expectList(field string, want []*big.Int) {
	for i, got := range e.hexList(field, len(want)) {
		if e.err == nil && got.Cmp(want[i]) != 0 {
			e.fail(e.bad(fmt.Sprintf("%s[%d]", field, i), "computed %.40s...", want[i].Text(16)))
		}
	}
}

// expectWord compares a decimal number below 2^64 with what it has to be.
func (e *entry) expectWord(field string, want uint64) {
	if got := e.word(field, e.text(field)); e.err == nil && got != want {
		e.fail(e.bad(field, "computed %d", want))
	}
}

// sums checks the shares of the results and the results, and returns them.
func (t *transcript) sums(outputs, sums *strictjson.Object) (*moments.Moments, error) {
	out := &entry{file: t.file, section: "output_shares", index: -1, o: outputs}
	sum := &entry{file: t.file, section: "sums", index: -1, o: sums}
	if err := out.checkFields(transcriptPairs); err != nil {
		return nil, err
	}
	if err := sum.checkFields(append(strings.Split(transcriptColumns, ""), transcriptPairs...)); err != nil {
		return nil, err
	}
	m := moments.New(len(transcriptColumns))
	m.Count = int64(t.n)
	expect := func(field string, want *big.Int) {
		if got := sum.decimal(field); sum.err == nil && got.Cmp(want) != 0 {
			sum.fail(sum.bad(field, "computed %s", want))
		}
	}
	for k := range t.shares {
		var total uint64
		for j := range transcriptServers {
			total += shares.Sum(t.shares[k][j])
		}
		m.Sums[k].SetInt64(int64(total))
		expect(transcriptColumns[k:k+1], m.Sums[k])
	}
	for k, pair := range transcriptPairs {
		list := out.decimals(pair)
		if out.err == nil && len(list) != transcriptServers {
			return nil, out.bad(pair, "%d shares, not %d", len(list), transcriptServers)
		}
		if out.err != nil {
			return nil, out.err
		}
		var total uint64
		for j, got := range list {
			if want := new(big.Int).SetUint64(t.output[k][j]); got.Cmp(want) != 0 {
				return nil, out.bad(fmt.Sprintf("%s[%d]", pair, j), "computed %s", want)
			}
			total += t.output[k][j]
		}
		u, v := columnsOf(pair)
		m.Products[v][u] = big.NewInt(int64(total))
		expect(pair, m.Products[v][u])
	}
	return m, sum.err
}

// statistics checks what follows from the sums.
func (t *transcript) statistics(exact, rounded *strictjson.Object, m *moments.Moments) error {
	e := &entry{file: t.file, section: "stats_exact", index: -1, o: exact}
	f := &entry{file: t.file, section: "stats_float", index: -1, o: rounded}
	meanX, err1 := m.Mean(0)
	meanY, err2 := m.Mean(1)
	varX, err3 := m.Covariance(0, 0)
	varY, err4 := m.Covariance(1, 1)
	cov, err5 := m.Covariance(0, 1)
	sign, r2, err6 := m.Correlation(0, 1)
	line, err7 := m.Regress(1, []int{0})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return e.bad("", "%v", err)
	}
	want := map[string]*big.Rat{
		"mean_x": meanX, "mean_y": meanY, "var_x": varX, "var_y": varY, "cov": cov, "r2": r2, "r": big.NewRat(int64(sign), 1),
		"slope": line.Coefficients[1], "intercept": line.Coefficients[0],
	}
	names := []string{"mean_x", "mean_y", "var_x", "var_y", "cov", "r2", "r", "slope", "intercept"}
	for _, e := range []*entry{e, f} {
		if err := e.checkFields(names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if s := e.text(name); e.err == nil && s != want[name].RatString() {
			return e.bad(name, "computed %s", want[name].RatString())
		}
		x, _ := want[name].Float64()
		v, err := f.o.Take(name)
		f.syntax(name, err)
		if err == nil {
			s, err := v.Number()
			f.syntax(name, err)
			if err == nil && s != floatText(x) {
				f.fail(f.bad(name, "computed %s", floatText(x)))
			}
		}
	}
	if e.err != nil {
		return e.err
	}
	return f.err
}

// floatText writes a float64 as the files have it, which is Python's way: the shortest digits, with an exponent below 1e-4
// and from 1e16 on.
func floatText(x float64) string {
	if abs := max(x, -x); x != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
