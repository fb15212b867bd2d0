/** Where each voxel lies on the screen: one tile a shown plane, read from what NiiVue has drawn. */

import type { Niivue } from "@niivue/niivue";
import type { Triple } from "./masks.ts";

export interface Tile {
  /** Axis of the layer's grid that the tile cuts across, and the index of the plane shown. */
  axis: number;
  index: number;
  /** Axis of the grid that runs along the screen's x, and along its y. */
  across: number;
  down: number;
  /** `screen = start + step * voxel`, CSS pixels, for x and for y. */
  x: { start: number; step: number };
  y: { start: number; step: number };
  rect: { left: number; top: number; width: number; height: number };
  /** CSS pixels a millimetre along x. */
  scale: number;
  kind: number;
}

/** How the grid of a volume lies in RAS order: for each of R, A, S its grid axis and whether it runs backwards. */
export interface Turn {
  axis: Triple;
  flipped: [boolean, boolean, boolean];
  dims: Triple;
}

const PLANES: Record<number, [number, number, number]> = { 0: [0, 1, 2], 1: [0, 2, 1], 2: [1, 2, 0] };
export const RENDER = 4;

export function turnOf(nv: Niivue): Turn | null {
  const volume = nv.volumes[0];
  if (!volume?.permRAS || !volume.hdr) return null;
  const perm = volume.permRAS;
  const at = (n: number) => perm[n] as number;
  return {
    axis: [Math.abs(at(0)) - 1, Math.abs(at(1)) - 1, Math.abs(at(2)) - 1],
    flipped: [at(0) < 0, at(1) < 0, at(2) < 0],
    dims: [1, 2, 3].map((n) => volume.hdr?.dims[n] as number) as Triple,
  };
}

export function fractionOf(turn: Turn, voxel: readonly number[]): Triple {
  return [0, 1, 2].map((world) => {
    const axis = turn.axis[world] as number;
    const size = turn.dims[axis] as number;
    const at = voxel[axis] as number;
    return ((turn.flipped[world] ? size - 1 - at : at) + 0.5) / size;
  }) as Triple;
}

export function voxelOf(turn: Turn, fraction: ArrayLike<number>): Triple {
  const voxel: Triple = [0, 0, 0];
  for (let world = 0; world < 3; world++) {
    const axis = turn.axis[world] as number;
    const size = turn.dims[axis] as number;
    const at = Math.min(size - 1, Math.max(0, Math.floor((fraction[world] as number) * size)));
    voxel[axis] = turn.flipped[world] ? size - 1 - at : at;
  }
  return voxel;
}

/** All tiles that show a plane; `ratio` is canvas pixels a CSS pixel. */
export function tilesOf(nv: Niivue, turn: Turn, ratio: number): Tile[] {
  const here = voxelOf(turn, nv.scene.crosshairPos);
  const tiles: Tile[] = [];
  nv.screenSlices.forEach((slice, number) => {
    const worlds = PLANES[slice.axCorSag];
    if (!worlds || slice.AxyzMxy.length < 4) return;
    const [l, t, w, h] = slice.leftTopWidthHeight as [number, number, number, number];
    const [left, top, width, height] = [Math.min(l, l + w), Math.min(t, t + h), Math.abs(w), Math.abs(h)];
    const at = (a: number, b: number) =>
      nv.screenXY2TextureFrac(left + a * width, top + b * height, number, false);
    const [first, right, low] = [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75)];
    const line = (
      world: number,
      from: ArrayLike<number>,
      to: ArrayLike<number>,
      begin: number,
      long: number,
    ) => {
      const axis = turn.axis[world] as number;
      const size = turn.dims[axis] as number;
      const voxel = (f: number) => (turn.flipped[world] ? size - 1 - (f * size - 0.5) : f * size - 0.5);
      const v0 = voxel(from[world] as number);
      const v1 = voxel(to[world] as number);
      const step = (long * 0.5) / (v1 - v0) / ratio;
      return { start: (begin + 0.25 * long) / ratio - v0 * step, step };
    };
    const axis = turn.axis[worlds[2]] as number;
    tiles.push({
      axis,
      index: here[axis] as number,
      across: turn.axis[worlds[0]] as number,
      down: turn.axis[worlds[1]] as number,
      x: line(worlds[0], first, right, left, width),
      y: line(worlds[1], first, low, top, height),
      rect: { left: left / ratio, top: top / ratio, width: width / ratio, height: height / ratio },
      scale: width / Math.abs(slice.fovMM[0] as number) / ratio,
      kind: slice.axCorSag,
    });
  });
  return tiles;
}

export function tileAt(tiles: readonly Tile[], x: number, y: number): Tile | null {
  return (
    tiles.find(({ rect }) => {
      const dx = x - rect.left;
      const dy = y - rect.top;
      return dx >= 0 && dy >= 0 && dx <= rect.width && dy <= rect.height;
    }) ?? null
  );
}

/** The point of the grid under a point of the screen, not rounded; along the tile's own axis its plane. */
export function pointOf(tile: Tile, x: number, y: number): Triple {
  const point: Triple = [tile.index, tile.index, tile.index];
  point[tile.across] = (x - tile.x.start) / tile.x.step;
  point[tile.down] = (y - tile.y.start) / tile.y.step;
  return point;
}

export function screenOf(tile: Tile, point: readonly number[]): [number, number] {
  return [
    tile.x.start + tile.x.step * (point[tile.across] as number),
    tile.y.start + tile.y.step * (point[tile.down] as number),
  ];
}

/** From a plane's own coordinates (its faster axis first) to the screen. */
export function matrixOf(tile: Tile): DOMMatrix {
  const straight = tile.across < tile.down;
  return new DOMMatrix(
    straight
      ? [tile.x.step, 0, 0, tile.y.step, tile.x.start, tile.y.start]
      : [0, tile.y.step, tile.x.step, 0, tile.x.start, tile.y.start],
  );
}

/** Letters of a tile's edges, read from how the grid lies in the patient and on the screen. */
export function lettersOf(
  tile: Tile,
  turn: Turn,
): { left: string; right: string; top: string; bottom: string } {
  const ends = (axis: number, step: number): [string, string] => {
    const world = turn.axis.indexOf(axis);
    const names: [string, string] = [["L", "P", "I"][world] ?? "?", ["R", "A", "S"][world] ?? "?"];
    return step > 0 === !turn.flipped[world] ? names : [names[1], names[0]];
  };
  const [left, right] = ends(tile.across, tile.x.step);
  const [top, bottom] = ends(tile.down, tile.y.step);
  return { left, right, top, bottom };
}
