/**
 * Planes of an image on a plain canvas, without WebGL: every point of the screen is looked up in the image, between its
 * four neighbours; of what is shown smaller, in a copy that was averaged down. Pictures are always drawn so, volumes
 * until NiiVue is ready (and where it never is).
 */

import { acrossOf, type Triple } from "./masks.ts";
import type { Grid, Values } from "./nifti.ts";
import type { Rect, Tile } from "./tiles.ts";

export const BACK = [10, 11, 14] as const; // as NiiVue's backColor
const MOST = 4e6; // points that are looked up for one drawing: a large screen is drawn at half its density

/** One plane of an image: the lower axis of the grid runs fastest. */
export interface Sheet {
  w: number;
  h: number;
  values: Values;
  channels: 1 | 3;
}

export class Plain {
  private readonly grid: Grid;
  private kept: { name: string; levels: Sheet[] }[] = [];

  constructor(grid: Grid) {
    this.grid = grid;
  }

  /** Draws the tiles on a canvas whose pixels are `ratio` to a pixel of the page. */
  draw(pen: CanvasRenderingContext2D, tiles: readonly Tile[], window: [number, number], ratio: number): void {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = `rgb(${BACK.join(" ")})`;
    pen.fillRect(0, 0, pen.canvas.width, pen.canvas.height);
    for (const tile of tiles) {
      const box = boxOf(tile.rect, ratio, pen.canvas);
      if (box.width < 1 || box.height < 1) continue;
      const coarse = Math.ceil(Math.sqrt((box.width * box.height) / MOST));
      const made = this.look(tile, window, box, ratio, coarse);
      if (coarse === 1) pen.putImageData(made, box.left, box.top);
      else {
        const copy = new OffscreenCanvas(made.width, made.height);
        copy.getContext("2d")?.putImageData(made, 0, 0);
        pen.drawImage(copy, box.left, box.top, made.width * coarse, made.height * coarse);
      }
    }
  }

  /** The plane at a power of two of its size: the smallest that still has a value for every point of the screen. */
  private level(axis: number, index: number, size: number): { sheet: Sheet; shrink: number } {
    const name = `${axis}:${index}`;
    let found = this.kept.find((one) => one.name === name);
    if (!found) {
      found = { name, levels: [sheetOf(this.grid, axis, index)] };
      this.kept = [found, ...this.kept.slice(0, 5)];
    }
    const wanted = Math.max(0, Math.floor(Math.log2(Math.max(1, 1 / size)) + 1e-6));
    const { levels } = found;
    while (levels.length <= wanted) levels.push(halved(levels[levels.length - 1] as Sheet));
    return { sheet: levels[wanted] as Sheet, shrink: 2 ** wanted };
  }

  private look(tile: Tile, window: [number, number], box: Rect, ratio: number, coarse: number): ImageData {
    const size = Math.min(Math.abs(tile.x.step), Math.abs(tile.y.step)) * (ratio / coarse);
    const { sheet, shrink } = this.level(tile.axis, tile.index, size);
    const wide = Math.ceil(box.width / coarse);
    const tall = Math.ceil(box.height / coarse);
    const straight = tile.across < tile.down;
    const dims = this.grid.dims;
    const along = (line: { start: number; step: number }, first: number, count: number, axis: number) => {
      const short = axis === Math.min(tile.across, tile.down) ? sheet.w : sheet.h;
      return placesOf(line, { first, count, coarse, ratio }, dims[axis] as number, short, shrink);
    };
    const columns = along(tile.x, box.left, wide, tile.across);
    const rows = along(tile.y, box.top, tall, tile.down);
    // Steps in the plane's values for a step to the right and one down.
    const right = (straight ? 1 : sheet.w) * sheet.channels;
    const below = (straight ? sheet.w : 1) * sheet.channels;
    const made = new ImageData(wide, tall);
    const out = new Uint32Array(made.data.buffer);
    const [low, high] = window;
    if (sheet.channels === 3) colours(out, sheet.values as Uint8Array, columns, rows, right, below);
    else
      greys(out, sheet.values, columns, rows, { right, below, low, gain: 255 / Math.max(high - low, 1e-6) });
    return made;
  }
}

/** A rectangle in whole pixels of the canvas, cut to it. */
function boxOf(rect: Rect, ratio: number, canvas: { width: number; height: number }): Rect {
  const left = Math.max(0, Math.floor(rect.left * ratio));
  const top = Math.max(0, Math.floor(rect.top * ratio));
  const right = Math.min(canvas.width, Math.floor((rect.left + rect.width) * ratio + 1e-6));
  const bottom = Math.min(canvas.height, Math.floor((rect.top + rect.height) * ratio + 1e-6));
  return { left, top, width: right - left, height: bottom - top };
}

/** For each point of a line of the screen: the two neighbours in the plane and how far it is to the second. */
interface Places {
  near: Int32Array; // -1: outside the image
  far: Int32Array;
  part: Float32Array;
}

function placesOf(
  line: { start: number; step: number },
  seen: { first: number; count: number; coarse: number; ratio: number },
  size: number,
  short: number,
  shrink: number,
): Places {
  const { first, count, coarse, ratio } = seen;
  const near = new Int32Array(count);
  const far = new Int32Array(count);
  const part = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    const voxel = ((first + (n + 0.5) * coarse) / ratio - line.start) / line.step;
    if (voxel < -0.5 || voxel >= size - 0.5) {
      near[n] = -1;
      continue;
    }
    const at = Math.max(0, Math.min(short - 1, (voxel + 0.5) / shrink - 0.5));
    const begin = Math.floor(at);
    near[n] = begin;
    far[n] = Math.min(short - 1, begin + 1);
    part[n] = at - begin;
  }
  return { near, far, part };
}

const DARK = (255 << 24) | (BACK[2] << 16) | (BACK[1] << 8) | BACK[0];

interface Look {
  right: number;
  below: number;
  low: number;
  gain: number;
}

function greys(out: Uint32Array, values: Values, columns: Places, rows: Places, look: Look): void {
  const { right, below, low, gain } = look;
  const wide = columns.near.length;
  for (let y = 0, to = 0; y < rows.near.length; y++) {
    const row = rows.near[y] as number;
    if (row < 0) {
      out.fill(DARK, to, to + wide);
      to += wide;
      continue;
    }
    const [upper, lower, down] = [row * below, (rows.far[y] as number) * below, rows.part[y] as number];
    for (let x = 0; x < wide; x++, to++) {
      const column = columns.near[x] as number;
      if (column < 0) {
        out[to] = DARK;
        continue;
      }
      const [a, b] = [column * right, (columns.far[x] as number) * right];
      const part = columns.part[x] as number;
      const above = (values[upper + a] as number) * (1 - part) + (values[upper + b] as number) * part;
      const under = (values[lower + a] as number) * (1 - part) + (values[lower + b] as number) * part;
      const grey = Math.max(0, Math.min(255, (above * (1 - down) + under * down - low) * gain + 0.5)) | 0;
      out[to] = (255 << 24) | (grey * 0x010101);
    }
  }
}

function colours(
  out: Uint32Array,
  values: Uint8Array,
  columns: Places,
  rows: Places,
  right: number,
  below: number,
): void {
  const wide = columns.near.length;
  for (let y = 0, to = 0; y < rows.near.length; y++) {
    const row = rows.near[y] as number;
    for (let x = 0; x < wide; x++, to++) {
      const column = columns.near[x] as number;
      out[to] = DARK;
      if (row < 0 || column < 0) continue;
      const [upper, lower, down] = [row * below, (rows.far[y] as number) * below, rows.part[y] as number];
      const [a, b, part] = [column * right, (columns.far[x] as number) * right, columns.part[x] as number];
      let colour = 255 << 24;
      for (let c = 0; c < 3; c++) {
        const above =
          (values[upper + a + c] as number) * (1 - part) + (values[upper + b + c] as number) * part;
        const under =
          (values[lower + a + c] as number) * (1 - part) + (values[lower + b + c] as number) * part;
        colour |= Math.round(above * (1 - down) + under * down) << (8 * c);
      }
      out[to] = colour;
    }
  }
}

/** The plane `index` across an axis; a picture's own plane is not copied. */
export function sheetOf(grid: Grid, axis: number, index: number): Sheet {
  const { dims, values, channels } = grid;
  const [u, v] = acrossOf(axis);
  const [w, h] = [dims[u] as number, dims[v] as number];
  if (axis === 2) {
    const first = index * w * h * channels;
    return { w, h, channels, values: values.subarray(first, first + w * h * channels) as Values };
  }
  const strides: Triple = [1, dims[0], dims[0] * dims[1]];
  const made = new (values.constructor as new (count: number) => Values)(w * h * channels);
  const [su, sv] = [strides[u] as number, strides[v] as number];
  const first = index * (strides[axis] as number);
  for (let b = 0, to = 0; b < h; b++)
    for (let a = 0; a < w; a++)
      for (let c = 0; c < channels; c++, to++)
        made[to] = values[(first + a * su + b * sv) * channels + c] as number;
  return { w, h, channels, values: made };
}

/** Half the size, each value the mean of four; a last odd row or column is averaged with itself. */
export function halved(sheet: Sheet): Sheet {
  const { channels, values } = sheet;
  const [w, h] = [Math.ceil(sheet.w / 2), Math.ceil(sheet.h / 2)];
  const made = new (values.constructor as new (count: number) => Values)(w * h * channels);
  const whole = !(values instanceof Float32Array);
  for (let y = 0, to = 0; y < h; y++) {
    const upper = 2 * y * sheet.w;
    const lower = Math.min(2 * y + 1, sheet.h - 1) * sheet.w;
    for (let x = 0; x < w; x++) {
      const a = 2 * x;
      const b = Math.min(a + 1, sheet.w - 1);
      for (let c = 0; c < channels; c++, to++) {
        const mean =
          ((values[(upper + a) * channels + c] as number) +
            (values[(upper + b) * channels + c] as number) +
            (values[(lower + a) * channels + c] as number) +
            (values[(lower + b) * channels + c] as number)) /
          4;
        made[to] = whole ? Math.round(mean) : mean;
      }
    }
  }
  return { w, h, channels, values: made };
}
