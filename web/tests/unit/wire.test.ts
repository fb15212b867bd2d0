import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { eventOf } from "../../src/api.ts";
import { quoted, rowsOf } from "../../src/csv.ts";
import { sorted } from "../../src/files.ts";
import { valueAt } from "../../src/masks.ts";
import { headOf, labelFile, maskOf } from "../../src/nifti.ts";
import type { Finding } from "../../src/types.ts";
import { emptyOf } from "../../src/words.ts";

function nifti(dims: [number, number, number], datatype: number, bytes: number): ArrayBuffer {
  const buffer = new ArrayBuffer(352 + dims[0] * dims[1] * dims[2] * bytes);
  const view = new DataView(buffer);
  view.setInt32(0, 348, true);
  for (const [at, n] of [3, ...dims].entries()) view.setInt16(40 + 2 * at, n, true);
  view.setInt16(70, datatype, true);
  for (let n = 1; n < 4; n++) view.setFloat32(76 + 4 * n, 1, true);
  view.setFloat32(108, 352, true);
  return buffer;
}

test("a gzipped mask is read, and nothing but bytes is taken for one", async () => {
  const file = nifti([3, 2, 1], 2, 1);
  new Uint8Array(file)[352 + 4] = 1;
  const packed = gzipSync(new Uint8Array(file));
  const mask = await maskOf(
    packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.byteLength) as ArrayBuffer,
  );
  assert.deepEqual(mask.dims, [3, 2, 1]);
  assert.equal(valueAt(mask, [1, 1, 0]), 1);
  await assert.rejects(maskOf(nifti([3, 2, 1], 16, 4)));
  assert.throws(() => headOf(new ArrayBuffer(10)));
});

test("labels lie where the image lies", () => {
  const image = nifti([4, 3, 2], 4, 2);
  new DataView(image).setFloat32(280, -1.5, true); // sform
  const made = labelFile(image);
  const same = headOf(made);
  assert.deepEqual(same, { ...headOf(image), datatype: 2 });
  assert.deepEqual([same.dims, same.offset, same.version], [[4, 3, 2], 352, 1]);
  assert.equal(new DataView(made).getFloat32(280, true), -1.5);
  assert.equal(made.byteLength, 352 + 24);
});

test("events are read, heartbeats are not", () => {
  assert.deepEqual(eventOf('id: 4\nevent: progress\ndata: {"done": 1}'), {
    id: "4",
    event: "progress",
    data: { done: 1 },
  });
  assert.equal(eventOf(": alive"), null);
});

test("text files are the report", () => {
  const given = ["a/1.dcm", "a/report.TXT", "b.png"].map((name) => ({ name, file: {} as File }));
  assert.deepEqual(
    sorted(given).reports.map(({ name }) => name),
    ["a/report.TXT"],
  );
  assert.equal(sorted(given).images.length, 2);
});

test("no cell of a table is a formula", () => {
  assert.equal(quoted("=1+1"), `"'=1+1"`);
  assert.equal(quoted("@x"), `"'@x"`);
  assert.equal(quoted("-3.5"), `"-3.5"`);
  assert.equal(quoted('a "b"'), '"a ""b"""');
  const finding = {
    id: "f1",
    phrase: "nodule",
    measurements: { area: { value: null, unit: "mm2", status: "no_spacing" } },
  };
  assert.deepEqual(rowsOf([finding as unknown as Finding])[1], [
    "f1",
    "nodule",
    "area",
    "",
    "mm2",
    "no_spacing",
  ]);
});

test("a case without a finding says why: no words came, or they hold none", () => {
  const note = { code: "nothing_proposed", message: "no words came, and nothing was seen" };
  const other = { code: "nothing_read", message: "no finding was recognised in these words" };
  assert.equal(emptyOf([note]), "No words came, and nothing was seen.");
  assert.match(emptyOf([other]), /in these words/);
  assert.match(emptyOf([]), /in these words/);
});
