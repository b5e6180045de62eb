// Reads cipherfold's files with DuckDB, hyparquet and parquet-wasm, and compares
// every value and the footer's keys with a manifest (see cmd/samples). Prints a
// line for each reader and file, and how many of them passed; exits 1 when one
// failed.
//
//   node check.mjs DIR/manifest.json
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import * as parquetWasm from 'parquet-wasm'

const keys = ['cipherfold.version', 'cipherfold.table', 'cipherfold.table.sha256']

// Each reader returns {metadata: Map, columns: Map name -> values}, with values
// as the library has them, and knows how its values of a type become those of
// the manifest.
const readers = [
  {
    name: 'duckdb',
    async read(path) {
      const db = await (await DuckDBInstance.create(':memory:')).connect()
      const file = `'${path.replaceAll("'", "''")}'`
      const pairs = (await db.runAndReadAll(`SELECT key, value FROM parquet_kv_metadata(${file})`)).getRows()
      const metadata = new Map(pairs.map(([k, v]) => [text(k.bytes), text(v.bytes)]))
      const result = await db.runAndReadAll(`SELECT * FROM read_parquet(${file})`)
      const values = result.getColumns()
      return { metadata, columns: new Map(result.columnNames().map((name, i) => [name, values[i]])) }
    },
    list: v => v.items,
    bytes: v => v.bytes,
    date: v => v.days,
    timestamp: v => v.micros ?? v.millis * 1000n,
    decimal: v => v.value,
  },
  {
    name: 'hyparquet',
    async read(path) {
      const file = await asyncBufferFromFile(path)
      const footer = await parquetMetadataAsync(file)
      const metadata = new Map((footer.key_value_metadata ?? []).map(({ key, value }) => [key, value]))
      const rows = await parquetReadObjects({ file, metadata: footer, compressors, utf8: false })
      const names = footer.schema.length > 0 ? topLevel(footer.schema) : []
      return { metadata, columns: new Map(names.map(name => [name, rows.map(row => row[name])])) }
    },
    list: v => v,
    bytes: v => v,
    date: v => v.getTime() / 86_400_000,
    timestamp: v => BigInt(v.getTime()) * 1000n,
    decimal: (v, scale) => Math.round(v * 10 ** scale),
  },
  {
    name: 'parquet-wasm',
    async read(path) {
      const table = tableFromIPC(parquetWasm.readParquet(readFileSync(path)).intoIPCStream())
      const columns = new Map(table.schema.fields.map(field => [field.name, [...table.getChild(field.name)]]))
      return { metadata: table.schema.metadata, columns }
    },
    list: v => [...v],
    bytes: v => v,
    date: v => v / 86_400_000,
    timestamp: v => BigInt(v) * 1000n, // milliseconds, whatever the unit
    decimal: v => BigInt(v.toString()), // unscaled
  },
]

// topLevel returns the names of the columns in hyparquet's flattened schema.
function topLevel(schema) {
  const names = []
  let at = 1
  const skip = () => {
    const children = schema[at++].num_children ?? 0
    for (let i = 0; i < children; i++) skip()
  }
  for (let i = 0; i < schema[0].num_children; i++) {
    names.push(schema[at].name)
    skip()
  }
  return names
}

function text(bytes) {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

// normal returns a library's value as the manifest has it.
function normal(reader, type, scale, v) {
  if (v === null || v === undefined) return null
  if (type.startsWith('[')) return reader.list(v).map(item => normal(reader, type.slice(1, -1), scale, item))
  switch (type) {
    case 'bool':
    case 'float':
    case 'text':
      return v
    case 'int':
      return String(v)
    case 'bytes':
      return Buffer.from(reader.bytes(v)).toString('hex')
    default:
      return String(reader[type](v, scale))
  }
}

// differences returns what is wrong with one file, as lines.
async function differences(reader, dir, file) {
  const { metadata, columns } = await reader.read(join(dir, file.path))
  const wrong = []
  for (const key of keys) {
    const want = file.metadata[key]
    if (want !== undefined && metadata.get(key) !== want) wrong.push(`footer key ${key}: ${show(metadata.get(key))}, want ${show(want)}`)
  }
  const names = [...columns.keys()]
  const wanted = file.columns.map(c => c.name)
  if (show(names) !== show(wanted)) wrong.push(`columns ${show(names)}, want ${show(wanted)}`)
  for (const { name, type, scale, values } of file.columns) {
    const got = columns.get(name) ?? []
    if (got.length !== values.length) wrong.push(`column ${name}: ${got.length} rows, want ${values.length}`)
    for (let i = 0; i < values.length && wrong.length < 10; i++) {
      const is = show(normal(reader, type, scale, got[i]))
      const want = show(values[i])
      if (is !== want) wrong.push(`column ${name}, row ${i + 1}: ${is}, want ${want}`)
    }
  }
  return wrong
}

function show(v) {
  return JSON.stringify(v, (_, x) => typeof x === 'bigint' ? `${x}n` : x) ?? 'nothing'
}

if (process.argv.length !== 3) {
  console.error('usage: node check.mjs DIR/manifest.json')
  process.exit(2)
}
const manifest = JSON.parse(readFileSync(process.argv[2], 'utf8'))
if (!(manifest.files?.length > 0)) {
  console.error(`${process.argv[2]}: no files`)
  process.exit(2)
}
let passed = 0
let failed = 0
for (const reader of readers) {
  const wrong = []
  let values = 0
  for (const file of manifest.files) {
    try {
      wrong.push(...(await differences(reader, dirname(process.argv[2]), file)).map(line => `${file.path}: ${line}`))
    } catch (error) {
      wrong.push(`${file.path}: ${error.stack ?? error}`)
    }
    for (const column of file.columns) values += column.values.length
  }
  if (wrong.length === 0) {
    passed++
    console.log(`ok   ${reader.name}: ${manifest.files.length} files, ${values} values`)
  } else {
    failed++
    console.log(`FAIL ${reader.name}: ${wrong.length} differences`)
    for (const line of wrong.slice(0, 20)) console.log(`     ${line.slice(0, 300)}`)
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
