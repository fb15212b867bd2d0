import assert from "node:assert/strict";
import { test } from "node:test";
import {
  acrossOf,
  countOf,
  cropped,
  fromRuns,
  joined,
  loopsOf,
  type Plane,
  paintInto,
  partOf,
  planeOf,
  stroke,
  type Triple,
  toRuns,
  valueAt,
  withPlane,
} from "../../src/masks.ts";

let seed = 3;
function random(): number {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
}

function speckled(n: number, share: number): Uint8Array {
  return Uint8Array.from({ length: n }, () => (random() < share ? 1 : 0));
}

const DIMS: Triple = [7, 5, 4];
const at = (x: number, y: number, z: number) => (z * DIMS[1] + y) * DIMS[0] + x;

test("a cropped mask holds what the whole one held", () => {
  for (const share of [0, 0.02, 0.3, 1]) {
    const whole = speckled(7 * 5 * 4, share);
    const mask = cropped(DIMS, whole);
    const again = new Uint8Array(whole.length);
    paintInto(again, mask, 1);
    assert.deepEqual(again, whole);
    assert.equal(
      countOf(mask),
      whole.reduce((sum, value) => sum + value, 0),
    );
    assert.equal(valueAt(mask, [3, 2, 1]), whole[at(3, 2, 1)]);
    assert.equal(valueAt(mask, [-1, 0, 0]), 0);
    assert.equal(valueAt(mask, [0, 0, 9]), 0);
  }
});

test("planes across each axis are those of the whole", () => {
  const whole = speckled(7 * 5 * 4, 0.2);
  const mask = cropped(DIMS, whole);
  for (const axis of [0, 1, 2]) {
    const [u, v] = acrossOf(axis);
    for (let index = 0; index < (DIMS[axis] as number); index++) {
      const plane = planeOf(mask, axis, index);
      for (let b = 0; b < (DIMS[v] as number); b++)
        for (let a = 0; a < (DIMS[u] as number); a++) {
          const voxel: Triple = [index, index, index];
          voxel[u] = a;
          voxel[v] = b;
          assert.equal(plane?.data[b * plane.w + a] ?? 0, whole[at(...voxel)]);
        }
    }
  }
});

test("one plane is replaced and the others stay", () => {
  const whole = speckled(7 * 5 * 4, 0.3);
  const mask = cropped(DIMS, whole);
  const plane: Plane = { w: 7, h: 4, data: speckled(28, 0.5) };
  const made = withPlane(mask, 1, 2, plane);
  for (let z = 0; z < 4; z++)
    for (let y = 0; y < 5; y++)
      for (let x = 0; x < 7; x++)
        assert.equal(valueAt(made, [x, y, z]), y === 2 ? plane.data[z * 7 + x] : whole[at(x, y, z)]);
});

test("run lengths come back as the plane, and begin with zeros", () => {
  for (const share of [0, 0.1, 0.5, 1]) {
    const plane: Plane = { w: 9, h: 6, data: speckled(54, share) };
    const runs = toRuns(plane);
    assert.deepEqual(runs.size, [6, 9]);
    assert.equal(
      runs.counts.reduce((sum, run) => sum + run, 0),
      54,
    );
    assert.deepEqual(fromRuns(runs), plane);
  }
  assert.deepEqual(toRuns({ w: 2, h: 1, data: Uint8Array.of(1, 0) }).counts, [0, 1, 1]);
});

function area(loop: readonly [number, number][]): number {
  return (
    loop.reduce((sum, [x, y], n) => {
      const [nx, ny] = loop[(n + 1) % loop.length] as [number, number];
      return sum + x * ny - nx * y;
    }, 0) / 2
  );
}

test("an outline goes around its pixels, holes the other way", () => {
  const plane: Plane = { w: 6, h: 6, data: new Uint8Array(36) };
  for (let y = 1; y < 5; y++) for (let x = 1; x < 5; x++) plane.data[y * 6 + x] = 1;
  plane.data[2 * 6 + 2] = 0;
  const loops = loopsOf(plane);
  assert.equal(loops.length, 2);
  const areas = loops.map(area).sort((a, b) => a - b);
  // Four corners of 1/8 pixel are cut; a hole of one pixel is a diamond of half a pixel.
  assert.deepEqual(areas, [-0.5, 15.5]);
  const xs = loops.flat().map(([x]) => x);
  assert.equal(Math.min(...xs), 0.5);
  assert.equal(Math.max(...xs), 4.5);
});

test("every edge of every pixel is on one outline, whatever the shape", () => {
  for (let round = 0; round < 20; round++) {
    const plane: Plane = { w: 8, h: 8, data: speckled(64, 0.5) };
    const on = (x: number, y: number) => x >= 0 && y >= 0 && x < 8 && y < 8 && plane.data[y * 8 + x];
    let edges = 0;
    for (let y = 0; y < 8; y++)
      for (let x = 0; x < 8; x++)
        if (on(x, y))
          edges += [on(x + 1, y), on(x - 1, y), on(x, y + 1), on(x, y - 1)].filter((n) => !n).length;
    assert.equal(
      loopsOf(plane).reduce((sum, loop) => sum + loop.length, 0),
      edges,
    );
  }
});

test("a stroke is as wide as the brush, and takes away what it gave", () => {
  const plane: Plane = { w: 21, h: 21, data: new Uint8Array(441) };
  stroke(plane, [10, 10], [10, 10], 3, 1);
  const n = plane.data.reduce((sum, value) => sum + value, 0);
  assert.equal(n, 29); // pixels whose centre lies within 3 of the middle
  stroke(plane, [0, 10], [20, 10], 4, 0);
  assert.ok(plane.data.every((value) => value === 0));
});

test("outlines of a part are those of the whole where nothing lies outside", () => {
  const plane = { w: 40, h: 30, data: new Uint8Array(1200) };
  const first = stroke(plane, [12, 10], [20, 14], 4, 1);
  const part = joined(first, stroke(plane, [18, 20], [18, 20], 2, 1));
  assert.deepEqual(loopsOf(plane, part), loopsOf(plane));
  assert.ok(part.w < 20 && part.h < 20);
  const mask = cropped([40, 30, 1], plane.data);
  assert.deepEqual(loopsOf(plane, partOf(mask, 2)), loopsOf(plane));
  assert.deepEqual(joined({ x: 0, y: 0, w: 0, h: 0 }, part), part);
});
