#!/usr/bin/env python3
"""Makes the small known-answer files of this folder with the reference implementation of the project:

    python3 generate.py ../../../../../shared/reference/paillier

The seed is fixed, so that the files come out the same. The keys are of 1024 bits, for tests only."""
import json, random, sys
sys.path.insert(0, sys.argv[1])
import ref, proto


def make(variant, key, rng):
    N, N2 = key.N, key.N ** 2
    hexa = lambda x: format(x, 'x')
    rand = lambda: ref.random_unit(N, rng) if variant == 'textbook' else rng.getrandbits(key.rbits)
    dec = lambda c: ref.decode(N, ref.decrypt(key, c))
    k = {'scheme': variant, 'bits': key.k, 'N': hexa(N), 'p': hexa(key.p), 'q': hexa(key.q), 'lam': hexa(key.lam),
         'mu': hexa(key.mu), 'fingerprint': key.fingerprint()}
    if variant != 'textbook': k |= {'h': hexa(key.h), 'hs': hexa(key.hs), 'rbits': key.rbits}
    if variant == 'mhl': k |= {'pa': hexa(key.pa), 'qa': hexa(key.qa), 'alpha': hexa(key.alpha), 'inv2alpha': hexa(key.inv2a)}
    out = {'format': 'paillier-vectors-1', 'set': 'test', 'key': k}

    half = (N - 1) // 2
    plain = [0, 1, -1, 2 ** 31 - 1, -2 ** 63, half, -half]
    rs = [1 if variant == 'textbook' else 0] + [rand() for _ in plain[1:]]
    enc = [ref.encrypt(key, ref.encode(N, v), r) for v, r in zip(plain, rs)]
    out['encrypt'] = [{'v': str(v), 'm': hexa(v % N), 'r': hexa(r), 'c': hexa(c)} for v, r, c in zip(plain, rs, enc)]
    entry = lambda c, **a: a | {'c': hexa(c), 'v': str(dec(c))}
    out['add'] = [entry(ref.add(key, enc[a], enc[b]), a=a, b=b) for a, b in ((0, 1), (3, 4), (5, 2))]
    out['add_plain'] = [entry(ref.add_plain(key, enc[a], m), a=a, k=str(m)) for a, m in ((0, 7), (5, -1))]
    out['mul'] = [entry(ref.mul_plain(key, enc[a], s), a=a, s=str(s)) for a, s in ((0, 5), (3, 0), (4, -3), (1, 2 ** 64 - 1))]
    out['neg'] = [entry(ref.neg(key, enc[a]), a=a) for a in (1, 3)]
    out['rerandomize'] = [entry(ref.rerandomize(key, enc[3], r), a=3, r=hexa(r)) for r in [rand()]]
    out['overflow_refuse'] = [{'a': 5, 'b': b, 'true': str(half + plain[b]), 'wrapped': str(dec(ref.add(key, enc[5], enc[b])))} for b in (1, 5)]
    out['invalid'] = [{'c': hexa(c), 'why': why} for c, why in (
        (0, '0'), (N2, '= N^2'), (N2 + 5, '> N^2'), (N, 'multiple of N'), (key.p * rng.getrandbits(512), 'multiple of p'), (key.q, 'q'))]
    if variant == 'textbook':
        rho = [rng.randrange(1, key.p), rng.randrange(1, key.q)]
        out['owner_fast'] = [{'v': '-5', 'rho_p': hexa(rho[0]), 'rho_q': hexa(rho[1]), 'c': hexa(ref.encrypt_owner_fast(key, N - 5, *rho))}]
        g = (1 + rng.randrange(1, N) * N) * pow(ref.random_unit(N, rng), N, N2) % N2
        mu = pow((pow(g, key.lam, N2) - 1) // N, -1, N)
        m, r = rng.randrange(N), ref.random_unit(N, rng)
        out['general_g'] = [{'g': hexa(g), 'mu': hexa(mu), 'm': hexa(m), 'r': hexa(r), 'c': hexa(pow(g, m, N2) * pow(r, N, N2) % N2)}]
    if variant == 'mhl':
        c = (1 + 42 * N) * pow(ref.random_unit(N, rng), N, N2) % N2
        out['mhl_foreign_randomizer'] = [{'c': hexa(c), 'full_decrypt': '42', 'short_decrypt': 'refuse'}]

    out['packed'] = []
    for value_bits, max_adds, s in ((64, 1 << 20, -3), (200, 2, None), (300, 3, 7)):
        w = ref.slot_bits(value_bits, max_adds)
        n = ref.slots(key.k, w)
        top = (1 << value_bits) - 1
        rows = [[rng.randrange(-top, top + 1) for _ in range(n)] for _ in range(2)]
        r2 = [rand(), rand()]
        cs = [ref.encrypt(key, ref.pack(row, w, N), r) for row, r in zip(rows, r2)]
        scalar = None
        if s is not None:
            v = [s * x for x in rows[0]]
            scalar = {'row': 0, 's': s, 'c': hexa(ref.mul_plain(key, cs[0], s)), 'slots_ok': all(abs(x) < 1 << (w - 1) for x in v), 'v': v}
        out['packed'].append({'value_bits': value_bits, 'max_adds': max_adds, 'w': w, 'slots': n, 'rows': rows,
                              'enc': [{'r': hexa(r), 'c': hexa(c)} for r, c in zip(r2, cs)], 'sum_c': hexa(ref.add(key, *cs)),
                              'sum': [a + b for a, b in zip(*rows)], 'scalar': scalar})

    vs = [rng.randrange(-10 ** 6, 10 ** 6) for _ in range(5)]
    r5 = [rand() for _ in vs]
    cs = [ref.encrypt(key, ref.encode(N, v), r) for v, r in zip(vs, r5)]
    out['multiexp'] = []
    for bits in (1, 3, 64):
        ws = [rng.randrange(0 if bits == 1 else -2 ** (bits - 1), 2 ** bits >> (bits != 1)) for _ in vs]
        c = ref.multiexp(key, cs, ws)
        out['multiexp'].append({'w': [str(x) for x in ws], 'c': hexa(c), 'v': str(dec(c))})
    out['multiexp_inputs'] = [{'v': str(v), 'r': hexa(r), 'c': hexa(c)} for v, r, c in zip(vs, r5, cs)]
    return out


def key_fields(variant, key):
    hexa = lambda x: format(x, 'x')
    k = {'scheme': variant, 'bits': key.k, 'N': hexa(key.N), 'p': hexa(key.p), 'q': hexa(key.q), 'lam': hexa(key.lam),
         'mu': hexa(key.mu), 'fingerprint': key.fingerprint()}
    if variant != 'textbook': k |= {'h': hexa(key.h), 'hs': hexa(key.hs), 'rbits': key.rbits}
    return k


def transcript(bits, n, rng):
    """A run of the product protocol, as proto.inner_products_cyclic makes it, with all that is drawn."""
    hexa, mask = lambda x: format(x, 'x'), proto.MASK
    scheme = ['djn', 'textbook', 'djn']
    keys = [ref.keygen_textbook(bits, rng) if v == 'textbook' else ref.keygen_djn(bits, rng) for v in scheme]
    plain = {'x': [rng.randrange(-4000, 4001) for _ in range(n)]}
    plain['y'] = [-2 * x // 3 + rng.randrange(-500, 500) for x in plain['x']]
    shares = {}
    for c in 'xy':
        each = [proto.ring_share(v & mask, rng) for v in plain[c]]
        shares[c] = [[t[j] for t in each] for j in range(3)]
    pairs = ('xx', 'xy', 'yy')
    w, s = proto.layout(bits, 2 * n)
    outs = {p: [sum(a * b for a, b in zip(shares[p[0]][j], shares[p[1]][j])) & mask for j in range(3)] for p in pairs}
    messages = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        key, cts, responses = keys[a], {}, []
        for c in 'xy':
            cts[c] = []
            for i in range(0, n, s):
                m = proto.packx(shares[c][a][i:i + s], w)
                r = ref.random_unit(key.N, rng) if scheme[a] == 'textbook' else rng.getrandbits(key.rbits)
                cts[c].append((m, r, ref.encrypt(key, m, r)))
        for p in pairs:
            u, v = p
            terms = [(cts[u], [2 * x for x in shares[u][b]])] if u == v else [(cts[u], shares[v][b]), (cts[v], shares[u][b])]
            exponents = [proto.packy(ys[i:i + s], w, s) for _, ys in terms for i in range(0, n, s)]
            z = ref.multiexp(key, [t[2] for ct, _ in terms for t in ct], exponents)
            R = [rng.getrandbits(w - 1) for _ in range(2 * s - 1)]
            r = ref.random_unit(key.N, rng)
            z = ref.add_plain(key, z, proto.packx(R, w)) * pow(r, key.N, key.N2) % key.N2
            V = ref.decrypt(key, z)
            mine, theirs = (V >> (w * (s - 1))) & mask, -R[s - 1] & mask
            outs[p][a], outs[p][b] = (outs[p][a] + mine) & mask, (outs[p][b] + theirs) & mask
            responses.append({'pair': p, 'exponents': [hexa(e) for e in exponents], 'masks': [hexa(x) for x in R], 'rerandomizer': hexa(r),
                              'c': hexa(z), 'decrypted': hexa(V), 'share_peer': str(theirs), 'share_owner': str(mine)})
        messages.append({'owner': a, 'peer': b, 'cts': {c: [{'m': hexa(m), 'r': hexa(r), 'c': hexa(z)} for m, r, z in cts[c]] for c in 'xy'},
                         'responses': responses})
    sums = {p: proto.sgn(sum(outs[p]) & mask) for p in pairs} | {c: sum(plain[c]) for c in 'xy'}
    st = proto.stats(n, sums['x'], sums['y'], sums['xx'], sums['xy'], sums['yy'])
    return {'format': 'paillier-vectors-1', 'set': 'test', 'K': 64, 'sigma': proto.SIGMA, 'n': n, 'x': plain['x'], 'y': plain['y'],
            'shares': {c: [[str(v) for v in t] for t in shares[c]] for c in 'xy'}, 'keys': [key_fields(v, k) for v, k in zip(scheme, keys)],
            'w': w, 's': s, 'messages': messages, 'output_shares': {p: [str(v) for v in outs[p]] for p in pairs},
            'sums': {k: str(v) for k, v in sums.items()}, 'stats_exact': {k: str(v) for k, v in st.items()},
            'stats_float': {k: float(v) for k, v in st.items()}}


rng = random.Random(20261122)
for variant, keygen in (('textbook', ref.keygen_textbook), ('djn', ref.keygen_djn), ('mhl', lambda k, rng: ref.keygen_mhl(k, 320, rng))):
    with open(f'test-{variant}-1024.json', 'w') as f:
        json.dump(make(variant, keygen(1024, rng), rng), f, indent=1)
        f.write('\n')

with open('test-protocol-1024.json', 'w') as f:
    json.dump(transcript(1024, 4, random.Random(20261130)), f, indent=1)
    f.write('\n')
