// Reads Parquet files that have odd columns beside good ones with DuckDB and with cipherfold's reader, and compares every value
// of what is asked for. DuckDB writes most of the files here, and cmd/columns those of types that it only reads. An odd column
// that is not asked for must not matter. One that is asked for is read with equal values, or refused where the table says so.
//
//   node odd.mjs DIR [FILE.parquet COLUMN,COLUMN]...
//
// Further files, such as those of apache/parquet-testing, can be named: of each all given columns are compared.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const dir = process.argv[2]
if (!dir || process.argv.length % 2 === 0) {
  console.error('usage: node odd.mjs DIR [FILE.parquet COLUMN,COLUMN]...')
  process.exit(2)
}
const columns = (args, input) => execFileSync('go', ['run', './cmd/columns', ...args], { input, maxBuffer: 1 << 30 })
const quote = s => `'${s.replaceAll("'", "''")}'`
const db = await (await DuckDBInstance.create(':memory:')).connect()

// Each has an SQL expression of the row number i, and what is asked for beside id and x: a path, and how DuckDB tells its values.
const odd = {
  struct: { sql: `{'a': i, 'b': {'c': i * 0.5, 'd': 't' || i}}`, ask: { 'odd.a': 'odd.a', 'odd.b.c': 'odd.b.c', 'odd.b.d': 'odd.b.d' } },
  'missing structs': { sql: `CASE WHEN i % 3 = 0 THEN NULL ELSE {'a': CASE WHEN i % 2 = 0 THEN i END} END`, ask: { 'odd.a': 'odd.a' } },
  map: { sql: `MAP {'k' || i: i}` },
  list: { sql: `[i, i + 1]` },
  'list of structs': { sql: `[{'a': i}]` },
  'struct of a map': { sql: `{'a': i, 'm': MAP {'k': i}}`, ask: { 'odd.a': 'odd.a' } },
  'struct of a list': { sql: `{'l': [i, NULL], 'a': 'x' || i}`, ask: { 'odd.a': 'odd.a' } },
  time: { sql: `TIME '01:02:03.000004' + INTERVAL (i) MINUTE`, ask: { odd: 'epoch_us(odd)' } },
  'time with a zone': { sql: `('01:02:03+00'::TIMETZ)` },
  interval: { sql: `INTERVAL (i) MONTH` },
  uuid: { sql: `('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, '0'))::UUID`, ask: { odd: 'odd::VARCHAR' } },
  blob: { sql: `('b' || i)::BLOB`, ask: { odd: 'lower(hex(odd))' } },
  json: { sql: `('{"a": ' || i || '}')::JSON`, ask: { odd: 'odd::VARCHAR' } },
  hugeint: { sql: `i::HUGEINT`, ask: { odd: 'odd' } },
  'all missing': { sql: `NULL::INTEGER`, ask: { odd: 'odd' } },
  nanoseconds: { sql: `('2026-01-01 00:00:00'::TIMESTAMP + INTERVAL (i) SECOND)::TIMESTAMP_NS`, ask: { odd: 'epoch_us(odd)' } },
  milliseconds: { sql: `('1960-01-01 00:00:00'::TIMESTAMP + INTERVAL (i) HOUR)::TIMESTAMP_MS`, ask: { odd: 'epoch_us(odd)' } },
  'small decimals': { sql: `(i * 1.25)::DECIMAL(9, 2)`, ask: { odd: 'odd' } },
  'large decimals': { sql: `(i * 1.25)::DECIMAL(38, 10)`, ask: { odd: 'odd' } },
  enum: { sql: `(CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END)::ENUM('even', 'odd')`, ask: { odd: 'odd::VARCHAR' } },
  date: { sql: `DATE '1969-12-25' + i::INTEGER`, ask: { odd: "odd - DATE '1970-01-01'" } },
  unsigned: { sql: `(18446744073709551615 - i::UBIGINT)::UBIGINT`, ask: { odd: 'odd' } },
  bits: { sql: `i::INTEGER::BIT` },
}
const ways = ['', ', COMPRESSION zstd', ', COMPRESSION gzip', ', COMPRESSION brotli', ', COMPRESSION lz4_raw', ', COMPRESSION uncompressed', ', PARQUET_VERSION V2', ', ROW_GROUP_SIZE 2048']

const wanted = []
let way = 0
for (const [name, { sql, ask }] of Object.entries(odd)) {
  const file = join(dir, `${name.replaceAll(' ', '-')}.parquet`)
  await db.run(`COPY (SELECT i AS id, CASE WHEN i % 7 = 0 THEN NULL ELSE i / 8 END AS x, ${sql} AS odd FROM range(5000) t(i)) TO ${quote(file)} (FORMAT parquet${ways[way++ % ways.length]})`)
  wanted.push({ file, ask: { id: 'id', x: 'x' } })
  if (ask) wanted.push({ file, ask: { x: 'x', ...ask, id: 'id' } })
}
columns(['write', dir])
wanted.push({ file: join(dir, 'int96.parquet'), ask: { id: 'id', x: 'x', when: 'epoch_us("when")', day: 'epoch_us(day)' } })
for (let i = 3; i < process.argv.length; i += 2) {
  wanted.push({ file: process.argv[i], ask: Object.fromEntries(process.argv[i + 1].split(',').map(c => [c, c.split('.').map(p => `"${p}"`).join('.')])) })
}

const same = (a, b) => a === b || a !== null && b !== null && /[.eE]/.test(a + b) && Number(a) === Number(b) // doubles in other words
const replies = JSON.parse(columns(['read'], JSON.stringify(wanted.map(w => ({ file: w.file, columns: Object.keys(w.ask) })))))
let values = 0
let failed = 0
for (const [i, { file, ask }] of wanted.entries()) {
  const reply = replies[i]
  const wrong = reply.refused ? [`refused: ${reply.refused}`] : []
  const list = Object.values(ask).map((e, n) => `(${e})::VARCHAR AS c${n}`).join(', ')
  const got = (await db.runAndReadAll(`SELECT ${list} FROM read_parquet(${quote(file)})`)).getColumns()
  Object.keys(ask).forEach((name, c) => {
    const ours = reply.values?.[c] ?? []
    if (!reply.refused && ours.length !== got[c].length) wrong.push(`column ${name}: ${ours.length} rows, want ${got[c].length}`)
    for (let r = 0; r < ours.length && wrong.length < 5; r++, values++) {
      if (!same(ours[r], got[c][r] ?? null)) wrong.push(`column ${name}, row ${r + 1}: ${ours[r]}, want ${got[c][r]}`)
    }
  })
  if (wrong.length > 0) {
    failed++
    console.log(`FAIL ${file}: ${Object.keys(ask)}`)
    for (const line of wrong) console.log(`     ${line.slice(0, 300)}`)
  }
}
console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} odd columns: ${wanted.length} readings, ${values} values, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
