/** The little of NIfTI that the page needs to read images, masks and maps of this server. */

import { cropped, type Mask, type Triple } from "./masks.ts";

const UINT8 = 2;
const INT16 = 4;
const FLOAT32 = 16;
const RGB24 = 128;
const LABELS = 1002; // NIfTI's intent code: values are names, not intensities

export interface Head {
  dims: Triple;
  offset: number;
  datatype: number;
  version: 1 | 2;
  /** Millimetres (pixels where no spacing is known) from voxel to voxel, along each axis of the grid. */
  steps: Triple;
  /** Voxel to RAS+, the turning part: rows R, A, S. */
  rows: [Triple, Triple, Triple];
}

export type Values = Uint8Array | Int16Array | Float32Array;

/** An image's values, x fastest; of a coloured one three bytes a voxel. */
export interface Grid {
  dims: Triple;
  values: Values;
  channels: 1 | 3;
}

export async function inflated(bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const head = new Uint8Array(bytes, 0, 2);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).arrayBuffer();
}

export function headOf(bytes: ArrayBuffer): Head {
  const view = new DataView(bytes);
  const size = view.byteLength >= 352 ? view.getInt32(0, true) : 0;
  if (size !== 348 && size !== 540) throw new Error("a layer is no NIfTI file of this server");
  const second = size === 540;
  const dim = (n: number) =>
    second ? Number(view.getBigInt64(16 + 8 * n, true)) : view.getInt16(40 + 2 * n, true);
  const real = (first: number, n: number) =>
    second ? view.getFloat64(first + 8 * n, true) : view.getFloat32(first + 4 * n, true);
  const row = (n: number): Triple => {
    const first = second ? 400 + 32 * n : 280 + 16 * n;
    return [real(first, 0), real(first, 1), real(first, 2)];
  };
  const pixdim = second ? 104 : 76;
  return {
    dims: [dim(1), Math.max(1, dim(2)), Math.max(1, dim(0) >= 3 ? dim(3) : 1)],
    steps: [real(pixdim, 1) || 1, real(pixdim, 2) || 1, real(pixdim, 3) || 1],
    rows: [row(0), row(1), row(2)],
    offset: second ? Number(view.getBigInt64(168, true)) : view.getFloat32(108, true),
    datatype: view.getInt16(second ? 12 : 70, true),
    version: second ? 2 : 1,
  };
}

export function gridOf(plain: ArrayBuffer, head = headOf(plain)): Grid {
  const [x, y, z] = head.dims;
  const count = x * y * z;
  const { dims, offset, datatype } = head;
  if (datatype === UINT8) return { dims, values: new Uint8Array(plain, offset, count), channels: 1 };
  if (datatype === INT16) return { dims, values: new Int16Array(plain, offset, count), channels: 1 };
  if (datatype === FLOAT32) return { dims, values: new Float32Array(plain, offset, count), channels: 1 };
  if (datatype === RGB24) return { dims, values: new Uint8Array(plain, offset, 3 * count), channels: 3 };
  throw new Error("the image is of a kind that the page does not know");
}

export async function maskOf(bytes: ArrayBuffer): Promise<Mask> {
  const plain = await inflated(bytes);
  const head = headOf(plain);
  if (head.datatype !== UINT8) throw new Error("a mask holds no bytes");
  const [x, y, z] = head.dims;
  return cropped(head.dims, new Uint8Array(plain, head.offset, x * y * z));
}

/** A file of labels (bytes) in the place of an image: its header with another type, and empty values. */
export function labelFile(image: ArrayBuffer): ArrayBuffer {
  const head = headOf(image);
  const [x, y, z] = head.dims;
  const made = new ArrayBuffer(head.offset + x * y * z);
  new Uint8Array(made).set(new Uint8Array(image, 0, head.offset));
  const view = new DataView(made);
  if (head.version === 1) {
    view.setInt16(68, LABELS, true);
    view.setInt16(70, UINT8, true);
    view.setInt16(72, 8, true);
    for (const [at, value] of [
      [112, 1],
      [116, 0],
      [124, 0],
      [128, 0],
    ] as const)
      view.setFloat32(at, value, true);
  } else {
    view.setInt32(504, LABELS, true);
    view.setInt16(12, UINT8, true);
    view.setInt16(14, 8, true);
    for (const [at, value] of [
      [176, 1],
      [184, 0],
      [192, 0],
      [200, 0],
    ] as const)
      view.setFloat64(at, value, true);
  }
  return made;
}
