// Makes the .arrow files of this folder with writers that are not ours:
//   npm install apache-arrow@21.2.0 nodejs-polars@0.26.1 nodejs-polars-linux-x64-gnu@0.26.1 && node make.mjs
import { writeFileSync } from "node:fs";
import * as arrow from "apache-arrow";
import pl from "nodejs-polars";

const long = "a string longer than twelve bytes";
const id = ["a", "b", null, long, "ü"];
const df = pl.DataFrame({
  id,
  n: pl.Series("n", [1, 2, 3, null, 5], pl.Int64),
  i: pl.Series("i", [-1, 2, -3, 4, -5], pl.Int32),
  x: [0.5, null, 2.5, -1, 1e300],
  ok: [true, false, null, true, true],
  kind: ["case", "control", "case", "case", null],
});
const typed = df.withColumn(pl.col("kind").cast(pl.Categorical));
for (const compression of ["uncompressed", "lz4", "zstd"]) {
  typed.writeIPC(`polars_${compression}.arrow`, { compression });
}

// Two record batches, and a dictionary shared by both.
const batch = (from, to) =>
  arrow.tableFromArrays({
    n: Int32Array.from({ length: to - from }, (_, i) => from + i),
    x: Float64Array.from({ length: to - from }, (_, i) => (from + i) / 2),
  });
const kinds = arrow.vectorFromArray(["case", "control", "case", null, "control"], new arrow.Dictionary(new arrow.Utf8(), new arrow.Int16()));
const ids = arrow.vectorFromArray(id, new arrow.LargeUtf8());
const days = arrow.vectorFromArray([0, 1, 2, 3, 4].map((d) => new Date(d * 86400000)), new arrow.DateDay());
const one = new arrow.Table({ id: ids, kind: kinds, day: days });
writeFileSync("js_dictionary.arrow", arrow.tableToIPC(one, "file"));
writeFileSync("js_batches.arrow", arrow.tableToIPC(batch(0, 3).concat(batch(3, 7)), "file"));

// A dictionary that grows between record batches (a delta).
const builder = arrow.makeBuilder({ type: new arrow.Dictionary(new arrow.Utf8(), new arrow.Int16(), 7), nullValues: [null] });
const chunk = (...values) => {
  for (const v of values) builder.append(v);
  return builder.flush();
};
const grown = new arrow.Vector([chunk("x", "y", "x"), chunk("z", null, "y")]);
writeFileSync("js_delta.arrow", arrow.tableToIPC(new arrow.Table({ kind: grown }), "file"));
