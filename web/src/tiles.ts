/** Where each voxel lies on the screen: one tile a shown plane. NiiVue draws volumes in the same places. */

import type { Triple } from "./masks.ts";
import type { Head } from "./nifti.ts";

export const GAP = 4; // pixels between two tiles

export type Layout = "all" | "axial" | "coronal" | "sagittal" | "3d";

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

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
  rect: Rect;
  /** CSS pixels a millimetre. */
  scale: number;
  /** 0 axial, 1 coronal, 2 sagittal. */
  kind: number;
}

/** How the grid of a volume lies in RAS order: for each of R, A, S its grid axis and whether it runs backwards. */
export interface Turn {
  axis: Triple;
  flipped: [boolean, boolean, boolean];
  dims: Triple;
  steps: Triple;
}

/** What is looked at: the point in the middle of every plane, as fractions along R, A, S, and how large. */
export interface Eye {
  middle: Triple;
  zoom: number;
}

/** A canvas, in its own pixels: how many of them a pixel of the page has. */
export interface Screen {
  width: number;
  height: number;
  ratio: number;
  /** Between two tiles. */
  gap: number;
}

/** World axes of each kind of plane: along the screen's x, along its y, across it. */
const PLANES: [number, number, number][] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 2, 0],
];
const KINDS: Partial<Record<Layout, number>> = { axial: 0, coronal: 1, sagittal: 2 };

/** The axes as NiiVue takes them, ties included: each column of the affine goes to the row where it is largest. */
export function turnOf(head: Head): Turn {
  const at = (row: number, column: number) => Math.abs((head.rows[row] as Triple)[column] as number);
  let first = 0;
  if (at(1, 0) > at(0, 0)) first = 1;
  if (at(2, 0) > at(0, 0) && at(2, 0) > at(1, 0)) first = 2;
  const [near, far] = [0, 1, 2].filter((row) => row !== first) as [number, number];
  const second = at(near, 1) > at(far, 1) ? near : far;
  const axis: Triple = [2, 2, 2];
  axis[first] = 0;
  axis[second] = 1;
  const flipped = axis.map((column, row) => ((head.rows[row] as Triple)[column] as number) < 0);
  return { axis, flipped: flipped as [boolean, boolean, boolean], dims: head.dims, steps: head.steps };
}

/** Millimetres that the grid covers along R, A, S. */
export function extentOf(turn: Turn): Triple {
  return turn.axis.map((axis) => (turn.dims[axis] as number) * (turn.steps[axis] as number)) as Triple;
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

/** Where the planes of a layout lie and where its 3-D picture does; pixels of the canvas. */
function rectsOf(
  turn: Turn,
  layout: Layout,
  screen: Screen,
): { planes: [number, Rect][]; solid: Rect | null } {
  const whole = { left: 0, top: 0, width: screen.width, height: screen.height };
  if (layout === "3d") return { planes: [], solid: whole };
  const kind = KINDS[layout];
  if (kind !== undefined) return { planes: [[kind, whole]], solid: null };
  const [r, a, s] = extentOf(turn);
  const { gap } = screen;
  const scale = Math.min((screen.width - gap) / (r + a), (screen.height - gap) / (a + s));
  const [x, y, z] = [r * scale, a * scale, s * scale];
  const left = (screen.width - gap - x - y) / 2;
  const top = (screen.height - gap - y - z) / 2;
  // WebGL cuts a viewport's numbers to whole ones, counted from below: so are the tiles.
  const cut = (rect: Rect): Rect => {
    const tall = Math.floor(rect.height);
    const below = Math.floor(screen.height - rect.top - rect.height);
    return {
      left: Math.floor(rect.left),
      top: screen.height - below - tall,
      width: Math.floor(rect.width),
      height: tall,
    };
  };
  return {
    planes: [
      [0, cut({ left, top: top + z + gap, width: x, height: y })],
      [1, cut({ left, top, width: x, height: z })],
      [2, cut({ left: left + x + gap, top, width: y, height: z })],
    ],
    solid: { left: left + x + gap, top: top + z + gap, width: y, height: y },
  };
}

/** All tiles that show a plane through the voxel `here`. Right, front and head lie left, left (or up) and up. */
export function tilesOf(
  turn: Turn,
  layout: Layout,
  screen: Screen,
  eye: Eye,
  here: Triple,
): { tiles: Tile[]; solid: Rect | null } {
  const { planes, solid } = rectsOf(turn, layout, screen);
  const extent = extentOf(turn);
  const onPage = (rect: Rect): Rect => ({
    left: rect.left / screen.ratio,
    top: rect.top / screen.ratio,
    width: rect.width / screen.ratio,
    height: rect.height / screen.ratio,
  });
  const tiles = planes.map(([kind, place]) => {
    const [first, second, through] = PLANES[kind] as [number, number, number];
    const rect = onPage(place);
    const fit = [rect.width / (extent[first] as number), rect.height / (extent[second] as number)] as const;
    const least = Math.min(...fit);
    // One plane alone has the whole screen and keeps its shape; a tile of several is as large as its plane.
    const [wide, tall] = layout === "all" ? fit : [least, least];
    const line = (world: number, middle: number, scale: number) => {
      const axis = turn.axis[world] as number;
      const step = scale * eye.zoom * (turn.steps[axis] as number);
      const [size, at] = [turn.dims[axis] as number, eye.middle[world] as number];
      // Of a point at fraction f: middle - (f - at) * size * step, and f = (voxel + 0.5) / size or from the end.
      return turn.flipped[world]
        ? { start: middle - (size - 0.5 - at * size) * step, step }
        : { start: middle - (0.5 - at * size) * step, step: -step };
    };
    const axis = turn.axis[through] as number;
    return {
      axis,
      index: here[axis] as number,
      across: turn.axis[first] as number,
      down: turn.axis[second] as number,
      x: line(first, rect.left + rect.width / 2, wide),
      y: line(second, rect.top + rect.height / 2, tall),
      rect,
      scale: wide * eye.zoom,
      kind,
    };
  });
  return { tiles, solid: solid && onPage(solid) };
}

interface Box {
  lo: Triple;
  size: Triple;
}

/** The same plane on a canvas of its own, close to where some masks are: with as much again around them. */
export function tileAround(
  about: Tile,
  boxes: readonly Box[],
  canvas: { width: number; height: number },
): Tile {
  const some = boxes.filter(({ size }) => size[0] > 0);
  const ends = (axis: number): [number, number] => [
    Math.min(...some.map(({ lo }) => lo[axis] as number)),
    Math.max(...some.map(({ lo, size }) => (lo[axis] as number) + (size[axis] as number) - 1)),
  ];
  if (!some.length) return { ...about, rect: { left: 0, top: 0, ...sizeOf(canvas) } };
  const [x, y] = [ends(about.across), ends(about.down)];
  const [wide, tall] = [Math.abs(about.x.step), Math.abs(about.y.step)];
  const need = [2 * (x[1] - x[0] + 1) * wide, 2 * (y[1] - y[0] + 1) * tall] as const;
  const grow = Math.min(canvas.width / need[0], canvas.height / need[1]);
  const line = (step: number, [low, high]: [number, number], long: number) => ({
    step: step * grow,
    start: long / 2 - ((low + high) / 2) * step * grow,
  });
  const inside = some[0] as Box;
  return {
    ...about,
    index: (inside.lo[about.axis] as number) + Math.floor((inside.size[about.axis] as number) / 2),
    x: line(about.x.step, x, canvas.width),
    y: line(about.y.step, y, canvas.height),
    rect: { left: 0, top: 0, ...sizeOf(canvas) },
    scale: about.scale * grow,
  };
}

function sizeOf({ width, height }: { width: number; height: number }): { width: number; height: number } {
  return { width, height };
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
