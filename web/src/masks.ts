/** Masks as the page holds them: cut to where they are, sliced, outlined, packed into run lengths. */

export type Triple = [number, number, number];

/** Values of a layer inside the box `lo .. lo + size`; everything outside is 0. x runs fastest, as in NIfTI. */
export interface Mask {
  dims: Triple;
  lo: Triple;
  size: Triple;
  data: Uint8Array;
}

/** One plane of a mask: `w x h`, x runs fastest. */
export interface Plane {
  w: number;
  h: number;
  data: Uint8Array;
}

export function cropped(dims: Triple, values: ArrayLike<number>): Mask {
  const [nx, ny, nz] = dims;
  const lo: Triple = [nx, ny, nz];
  const hi: Triple = [-1, -1, -1];
  for (let z = 0, at = 0; z < nz; z++)
    for (let y = 0; y < ny; y++)
      for (let x = 0; x < nx; x++, at++)
        if (values[at]) {
          if (x < lo[0]) lo[0] = x;
          if (x > hi[0]) hi[0] = x;
          if (y < lo[1]) lo[1] = y;
          if (y > hi[1]) hi[1] = y;
          if (z < lo[2]) lo[2] = z;
          if (z > hi[2]) hi[2] = z;
        }
  if (hi[0] < 0) return { dims, lo: [0, 0, 0], size: [0, 0, 0], data: new Uint8Array(0) };
  const size: Triple = [hi[0] - lo[0] + 1, hi[1] - lo[1] + 1, hi[2] - lo[2] + 1];
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  let to = 0;
  for (let z = lo[2]; z <= hi[2]; z++)
    for (let y = lo[1]; y <= hi[1]; y++) {
      const from = (z * ny + y) * nx;
      for (let x = lo[0]; x <= hi[0]; x++) data[to++] = values[from + x] as number;
    }
  return { dims, lo, size, data };
}

export function valueAt(mask: Mask, voxel: readonly number[]): number {
  const at: number[] = [];
  for (let axis = 0; axis < 3; axis++) {
    const offset = Math.round(voxel[axis] as number) - (mask.lo[axis] as number);
    if (offset < 0 || offset >= (mask.size[axis] as number)) return 0;
    at.push(offset);
  }
  const [x, y, z] = at as Triple;
  return mask.data[(z * mask.size[1] + y) * mask.size[0] + x] as number;
}

/** The two axes of a plane across `axis`, the one that runs fastest first. */
export function acrossOf(axis: number): [number, number] {
  return axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1];
}

/** The plane `index` across an axis, on the whole grid; null where the mask does not reach it. */
export function planeOf(mask: Mask, axis: number, index: number): Plane | null {
  const depth = index - (mask.lo[axis] as number);
  if (depth < 0 || depth >= (mask.size[axis] as number)) return null;
  const [u, v] = acrossOf(axis);
  const w = mask.dims[u] as number;
  const h = mask.dims[v] as number;
  const data = new Uint8Array(w * h);
  const strides: Triple = [1, mask.size[0], mask.size[0] * mask.size[1]];
  const lu = mask.lo[u] as number;
  const lv = mask.lo[v] as number;
  let some = false;
  for (let b = 0; b < (mask.size[v] as number); b++)
    for (let a = 0; a < (mask.size[u] as number); a++) {
      const value = mask.data[
        depth * (strides[axis] as number) + a * (strides[u] as number) + b * (strides[v] as number)
      ] as number;
      if (value) {
        data[(b + lv) * w + a + lu] = value;
        some = true;
      }
    }
  return some ? { w, h, data } : null;
}

/** The mask with one plane replaced: a new mask. */
export function withPlane(mask: Mask, axis: number, index: number, plane: Plane): Mask {
  const [nx, ny, nz] = mask.dims;
  const whole = new Uint8Array(nx * ny * nz);
  paintInto(whole, mask, 1);
  const strides: Triple = [1, nx, nx * ny];
  const [u, v] = acrossOf(axis);
  for (let b = 0; b < plane.h; b++)
    for (let a = 0; a < plane.w; a++)
      whole[index * (strides[axis] as number) + a * (strides[u] as number) + b * (strides[v] as number)] =
        plane.data[b * plane.w + a] as number;
  return cropped(mask.dims, whole);
}

/** Writes `label` wherever the mask is set, into values of the whole grid. */
export function paintInto(whole: Uint8Array, mask: Mask, label: number): void {
  const [nx, ny] = mask.dims;
  const [w, h, d] = mask.size;
  let from = 0;
  for (let z = 0; z < d; z++)
    for (let y = 0; y < h; y++) {
      const to = ((z + mask.lo[2]) * ny + y + mask.lo[1]) * nx + mask.lo[0];
      for (let x = 0; x < w; x++, from++) if (mask.data[from]) whole[to + x] = label;
    }
}

export function countOf(mask: Mask): number {
  let n = 0;
  for (const value of mask.data) if (value) n++;
  return n;
}

/** Row-major run lengths, the first of them zeros. */
export function toRuns(plane: Plane): { size: [number, number]; counts: number[] } {
  const counts: number[] = [];
  let last = 0;
  let run = 0;
  for (const value of plane.data) {
    const bit = value ? 1 : 0;
    if (bit === last) run++;
    else {
      counts.push(run);
      last = bit;
      run = 1;
    }
  }
  counts.push(run);
  return { size: [plane.h, plane.w], counts };
}

export function fromRuns(runs: { size: [number, number]; counts: number[] }): Plane {
  const [h, w] = runs.size;
  const data = new Uint8Array(w * h);
  let at = 0;
  runs.counts.forEach((run, n) => {
    if (n % 2) data.fill(1, at, at + run);
    at += run;
  });
  return { w, h, data };
}

/** A part of a plane: from `x`, `y`, so wide and high. */
export interface Part {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The part of a plane across `axis` that a mask can reach. */
export function partOf(mask: Mask, axis: number): Part {
  const [u, v] = acrossOf(axis);
  const at = (triple: Triple, n: number) => triple[n] as number;
  return { x: at(mask.lo, u), y: at(mask.lo, v), w: at(mask.size, u), h: at(mask.size, v) };
}

/**
 * Outlines of a plane as closed loops in pixel coordinates, a pixel's centre being a whole number. The line goes
 * through the middles of the pixels' edges, so corners are cut. Holes are loops of their own. `part`: outside it all is 0,
 * so that a small mask of a large picture costs little.
 */
export function loopsOf(
  plane: Plane,
  part: Part = { x: 0, y: 0, w: plane.w, h: plane.h },
): [number, number][][] {
  const { w, h, data } = plane;
  const at = (x: number, y: number) => x >= 0 && y >= 0 && x < w && y < h && data[y * w + x] !== 0;
  // An edge runs between corners of the pixel grid with the mask on its right; corners are numbered by row.
  const next = new Map<number, number[]>();
  const wide = w + 1;
  const add = (x0: number, y0: number, x1: number, y1: number) => {
    const from = y0 * wide + x0;
    const to = y1 * wide + x1;
    const known = next.get(from);
    if (known) known.push(to);
    else next.set(from, [to]);
  };
  for (let y = part.y; y < part.y + part.h; y++)
    for (let x = part.x; x < part.x + part.w; x++) {
      if (!data[y * w + x]) continue;
      if (!at(x, y - 1)) add(x, y, x + 1, y);
      if (!at(x + 1, y)) add(x + 1, y, x + 1, y + 1);
      if (!at(x, y + 1)) add(x + 1, y + 1, x, y + 1);
      if (!at(x - 1, y)) add(x, y + 1, x, y);
    }
  const loops: [number, number][][] = [];
  for (const start of next.keys()) {
    while (next.get(start)?.length) {
      const loop: [number, number][] = [];
      let here = start;
      do {
        const ways = next.get(here);
        const to = ways?.pop();
        if (to === undefined) break;
        const mid = (a: number, b: number) => (a + b) / 2 - 0.5;
        loop.push([mid(here % wide, to % wide), mid(Math.floor(here / wide), Math.floor(to / wide))]);
        here = to;
      } while (here !== start);
      loops.push(loop);
    }
  }
  return loops;
}

/** Both parts and what lies between them. */
export function joined(one: Part, other: Part): Part {
  if (!one.w || !one.h) return other;
  if (!other.w || !other.h) return one;
  const [x, y] = [Math.min(one.x, other.x), Math.min(one.y, other.y)];
  const right = Math.max(one.x + one.w, other.x + other.w);
  const bottom = Math.max(one.y + one.h, other.y + other.h);
  return { x, y, w: right - x, h: bottom - y };
}

/** Sets or clears all pixels within `radius` of the line from one point to another, in place; the part it reached. */
export function stroke(
  plane: Plane,
  from: readonly [number, number],
  to: readonly [number, number],
  radius: number,
  value: 0 | 1,
): Part {
  const [x0, y0] = from;
  const [x1, y1] = to;
  const dx = x1 - x0;
  const dy = y1 - y0;
  const long = dx * dx + dy * dy;
  const reach = Math.max(radius, 0.5);
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const right = Math.min(plane.w - 1, Math.ceil(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const bottom = Math.min(plane.h - 1, Math.ceil(Math.max(y0, y1) + reach));
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const t = long ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / long)) : 0;
      const ex = x - x0 - t * dx;
      const ey = y - y0 - t * dy;
      if (ex * ex + ey * ey <= reach * reach) plane.data[y * plane.w + x] = value;
    }
  return { x: left, y: top, w: Math.max(0, right - left + 1), h: Math.max(0, bottom - top + 1) };
}
