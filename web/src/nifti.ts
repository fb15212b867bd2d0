/** The little of NIfTI that the page needs to read masks and maps; NiiVue reads the image itself. */

import { cropped, type Mask, type Triple } from "./masks.ts";

const UINT8 = 2;
const LABELS = 1002; // NIfTI's intent code: values are names, not intensities

export interface Head {
  dims: Triple;
  offset: number;
  datatype: number;
  version: 1 | 2;
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
  return {
    dims: [dim(1), Math.max(1, dim(2)), Math.max(1, dim(0) >= 3 ? dim(3) : 1)],
    offset: second ? Number(view.getBigInt64(168, true)) : view.getFloat32(108, true),
    datatype: view.getInt16(second ? 12 : 70, true),
    version: second ? 2 : 1,
  };
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
