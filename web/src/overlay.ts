/** What is drawn over the image: contours with their numbers, heat, prompts, brush, scale. */

import { loopsOf, type Mask, type Part, type Plane, partOf, planeOf, valueAt } from "./masks.ts";
import { lettersOf, matrixOf, screenOf, type Tile, type Turn } from "./tiles.ts";
import type { Prompts } from "./types.ts";

export type Mode = "guided" | "free" | "difference";

export interface Shape {
  id: string;
  number: number;
  name: string;
  colour: string;
  mask: Mask | null;
  free: Mask | null;
  dashed: boolean;
}

export interface Scene {
  shapes: Shape[];
  /** The finding that is pointed at or chosen: it stands out. */
  active: string | null;
  mode: Mode;
  opacity: number;
  hidden: boolean;
  heat: Mask | null;
  prompts: Prompts[];
  /** Axis along which slices of prompts are counted; 2 for a picture. */
  cut: number;
  /** A picture: x of prompts runs along the grid's first axis; of a volume's slice along the last. */
  picture: boolean;
  /** One plane that is being painted, in place of the mask's own. */
  draft: { id: string; axis: number; index: number; plane: Plane; part: Part } | null;
  box: { x0: number; y0: number; x1: number; y1: number } | null;
  cursor: { x: number; y: number; radius: number } | null;
  /** Millimetres are known: a scale is drawn. */
  measured: boolean;
  /** The image's own overlay shows the masks' insides already (volumes). */
  filled: boolean;
}

type Pen = CanvasRenderingContext2D;

const LOW = 140; // px: a tile of less height has no room for phrases and a scale

// Anchors of the ramp that `segment --explain` uses too: black over purple and orange to pale yellow.
const RAMP = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
] as const;

/** A contour in its plane's own coordinates, and the box of its largest piece: x0, y0, x1, y1. */
interface Outline {
  path: Path2D;
  box: Box;
}

type Box = [number, number, number, number];

const outlines = new WeakMap<Mask, Map<string, Outline | null>>();

/** The outline of a mask in one plane; kept as long as the mask is. */
function outlineOf(mask: Mask, axis: number, index: number): Outline | null {
  let known = outlines.get(mask);
  if (!known) {
    known = new Map();
    outlines.set(mask, known);
  }
  const name = `${axis}:${index}`;
  let outline = known.get(name);
  if (outline === undefined) {
    const plane = planeOf(mask, axis, index);
    const loops = plane ? loopsOf(plane, partOf(mask, axis)) : [];
    const box = largestOf(loops);
    outline = box ? { path: pathOf(loops), box } : null;
    known.set(name, outline);
  }
  return outline;
}

/** The box of the loop that spans most; null where there is none. */
export function largestOf(loops: readonly (readonly [number, number][])[]): Box | null {
  let best: Box | null = null;
  for (const loop of loops) {
    const [xs, ys] = [loop.map(([x]) => x), loop.map(([, y]) => y)];
    const reach = (values: number[]): [number, number] =>
      values.reduce(([lo, hi], n) => [Math.min(lo, n), Math.max(hi, n)], [Infinity, -Infinity]);
    const [[x0, x1], [y0, y1]] = [reach(xs), reach(ys)];
    if (!best || (x1 - x0) * (y1 - y0) > (best[2] - best[0]) * (best[3] - best[1])) best = [x0, y0, x1, y1];
  }
  return best;
}

function pathOf(loops: readonly [number, number][][]): Path2D {
  const path = new Path2D();
  for (const loop of loops) {
    loop.forEach(([x, y], n) => {
      if (n) path.lineTo(x, y);
      else path.moveTo(x, y);
    });
    path.closePath();
  }
  return path;
}

export function drawScene(pen: Pen, tiles: readonly Tile[], scene: Scene): void {
  for (const tile of tiles) {
    pen.save();
    pen.beginPath();
    pen.rect(tile.rect.left, tile.rect.top, tile.rect.width, tile.rect.height);
    pen.clip();
    if (scene.heat) drawHeat(pen, tile, scene.heat);
    if (!scene.hidden) drawShapes(pen, tile, scene);
    if (tile.axis === scene.cut) drawPrompts(pen, tile, scene);
    pen.restore();
    if (scene.measured && tile.rect.height > LOW) drawScale(pen, tile);
  }
  drawHand(pen, scene);
}

function outlineFor(shape: Shape, which: "mask" | "free", tile: Tile, scene: Scene): Outline | null {
  const draft = scene.draft;
  if (
    which === "mask" &&
    draft &&
    draft.id === shape.id &&
    draft.axis === tile.axis &&
    draft.index === tile.index
  ) {
    const loops = loopsOf(draft.plane, draft.part);
    const box = largestOf(loops);
    return box ? { path: pathOf(loops), box } : null;
  }
  const mask = shape[which];
  return mask ? outlineOf(mask, tile.axis, tile.index) : null;
}

function placed(path: Path2D, tile: Tile): Path2D {
  const made = new Path2D();
  made.addPath(path, matrixOf(tile));
  return made;
}

function drawShapes(pen: Pen, tile: Tile, scene: Scene): void {
  const order = [...scene.shapes].sort(
    (a, b) => Number(a.id === scene.active) - Number(b.id === scene.active),
  );
  for (const shape of order) {
    const active = shape.id === scene.active;
    const faded = scene.active !== null && !active;
    const free = scene.mode !== "guided" ? outlineFor(shape, "free", tile, scene) : null;
    const guided = scene.mode !== "free" ? outlineFor(shape, "mask", tile, scene) : null;
    const look = { colour: shape.colour, active, faded, dashed: shape.dashed, opacity: scene.opacity };
    if (free)
      drawShape(pen, placed(free.path, tile), { ...look, ghost: scene.mode === "difference" }, !scene.filled);
    const painting = scene.draft?.id === shape.id; // nobody else knows its inside yet
    if (guided)
      drawShape(pen, placed(guided.path, tile), { ...look, ghost: false }, !scene.filled || painting);
    const shown = guided ?? free;
    if (shown) drawNumber(pen, tile, shape, shown.box, { active, faded });
  }
}

/** One mask alone, as on the image. */
export function drawOutline(pen: Pen, tile: Tile, mask: Mask, colour: string): void {
  const outline = outlineOf(mask, tile.axis, tile.index);
  if (!outline) return;
  const look = { colour, active: true, faded: false, dashed: false, opacity: 0.3, ghost: false };
  drawShape(pen, placed(outline.path, tile), look, true);
}

interface Look {
  colour: string;
  active: boolean;
  faded: boolean;
  dashed: boolean;
  opacity: number;
  ghost: boolean;
}

function drawShape(pen: Pen, path: Path2D, look: Look, fill: boolean): void {
  pen.save();
  pen.lineJoin = "round";
  const colour = look.ghost ? "#ffffff" : look.colour;
  if (fill && !look.ghost) {
    pen.globalAlpha = look.opacity * (look.faded ? 0.25 : look.active ? 1 : 0.7);
    pen.fillStyle = colour;
    pen.fill(path, "evenodd");
  }
  pen.globalAlpha = look.faded ? 0.55 : 1;
  pen.strokeStyle = "rgb(0 0 0 / 0.65)";
  pen.lineWidth = look.active ? 5 : 3.5;
  pen.stroke(path);
  pen.strokeStyle = colour;
  pen.lineWidth = look.active ? 2.5 : 1.5;
  if (look.ghost) pen.setLineDash([6, 5]);
  else if (look.dashed) pen.setLineDash([2, 4]);
  pen.stroke(path);
  pen.restore();
}

/** The number of the finding above the largest piece of its contour, with its phrase where it is the chosen one. */
function drawNumber(
  pen: Pen,
  tile: Tile,
  shape: Shape,
  [x0, y0, x1, y1]: Box,
  { active, faded }: { active: boolean; faded: boolean },
): void {
  const onto = matrixOf(tile);
  const { x: xa, y: ya } = onto.transformPoint({ x: x0, y: y0 });
  const { x: xb, y: yb } = onto.transformPoint({ x: x1, y: y1 });
  const { left, top, width, height } = tile.rect;
  pen.save();
  pen.font = "600 13px 'Inter Variable', system-ui, sans-serif";
  pen.textBaseline = "middle";
  const named = active && height > LOW;
  const text = named ? captionOf(shape, width - 22, (one) => pen.measureText(one).width) : `${shape.number}`;
  const wide = pen.measureText(text).width + 14;
  const x = Math.max(left + 4, Math.min((xa + xb) / 2 - wide / 2, left + width - wide - 4));
  let y = Math.min(ya, yb) - 28;
  if (y < top + 4) y = Math.min(Math.max(ya, yb) + 6, top + height - 26);
  pen.globalAlpha = faded ? 0.6 : 1;
  pen.fillStyle = "rgb(10 12 16 / 0.85)";
  pen.strokeStyle = shape.colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(x, y, wide, 22, 6);
  pen.fill();
  pen.stroke();
  pen.fillStyle = "#ffffff";
  pen.fillText(text, x + 7, y + 11.5);
  pen.restore();
}

/** Number and phrase, cut to `room` pixels; the number alone where hardly a word of the phrase would be left. */
export function captionOf(
  { number, name }: { number: number; name: string },
  room: number,
  widthOf: (text: string) => number,
): string {
  for (let most = 44; most >= 8; most -= 2) {
    const text = `${number}  ${shortened(name, most)}`;
    if (widthOf(text) <= room) return text;
  }
  return `${number}`;
}

export function shortened(text: string, most: number): string {
  const plain = text.replace(/\s+/g, " ").trim();
  return plain.length > most ? `${plain.slice(0, most - 1).trimEnd()}…` : plain;
}

function drawHeat(pen: Pen, tile: Tile, heat: Mask): void {
  const plane = planeOf(heat, tile.axis, tile.index);
  if (!plane) return;
  const picture = new ImageData(plane.w, plane.h);
  plane.data.forEach((value, n) => {
    const place = (value / 255) * (RAMP.length - 1);
    const below = Math.min(Math.floor(place), RAMP.length - 2);
    const part = place - below;
    for (let c = 0; c < 3; c++) {
      const [from, to] = [RAMP[below]?.[c] ?? 0, RAMP[below + 1]?.[c] ?? 0];
      picture.data[4 * n + c] = from * (1 - part) + to * part;
    }
    picture.data[4 * n + 3] = 0.75 * value;
  });
  const sheet = new OffscreenCanvas(plane.w, plane.h);
  sheet.getContext("2d")?.putImageData(picture, 0, 0);
  pen.save();
  const m = matrixOf(tile);
  pen.transform(m.a, m.b, m.c, m.d, m.e, m.f);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(sheet, -0.5, -0.5);
  pen.restore();
}

function drawPrompts(pen: Pen, tile: Tile, scene: Scene): void {
  const [first, second] = scene.picture ? [0, 1] : (lastFirst(tile.axis) as [number, number]);
  const on = (x: number, y: number) => {
    const point = [tile.index, tile.index, tile.index];
    point[first] = x;
    point[second] = y;
    return screenOf(tile, point);
  };
  for (const prompt of scene.prompts) {
    if (!scene.picture && prompt.slice !== tile.index) continue;
    for (const [x0, y0, x1, y1] of prompt.boxes) {
      const [ax, ay] = on(x0 - 0.5, y0 - 0.5);
      const [bx, by] = on(x1 - 0.5, y1 - 0.5);
      pen.setLineDash([6, 4]);
      pen.lineWidth = 1.5;
      pen.strokeStyle = "#ffffff";
      pen.strokeRect(Math.min(ax, bx), Math.min(ay, by), Math.abs(bx - ax), Math.abs(by - ay));
      pen.setLineDash([]);
    }
    for (const [x, y, kind] of prompt.points) drawPoint(pen, on(x, y), kind === 1);
  }
}

/** Axes of a volume's slice as the server counts it: x along the last of the other two axes. */
export function lastFirst(cut: number): [number, number] {
  return cut === 0 ? [2, 1] : cut === 1 ? [2, 0] : [1, 0];
}

function drawPoint(pen: Pen, [x, y]: [number, number], inside: boolean): void {
  pen.beginPath();
  pen.arc(x, y, 7, 0, 2 * Math.PI);
  pen.fillStyle = inside ? "#1a7f37" : "#b3261e";
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = "#ffffff";
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x - 3.5, y);
  pen.lineTo(x + 3.5, y);
  if (inside) {
    pen.moveTo(x, y - 3.5);
    pen.lineTo(x, y + 3.5);
  }
  pen.stroke();
}

/** A bar of a round number of millimetres at the bottom right. */
function drawScale(pen: Pen, tile: Tile): void {
  const most = Math.min(160, tile.rect.width / 3) / tile.scale;
  const power = 10 ** Math.floor(Math.log10(most));
  const long = [5, 2, 1].map((n) => n * power).find((n) => n <= most) ?? power;
  const wide = long * tile.scale;
  const x = tile.rect.left + tile.rect.width - wide - 14;
  const y = tile.rect.top + tile.rect.height - 14;
  const text = long >= 10 && long % 10 === 0 && long >= 100 ? `${long / 10} cm` : `${long} mm`;
  pen.save();
  for (const [colour, width] of [
    ["rgb(0 0 0 / 0.7)", 5],
    ["#ffffff", 2],
  ] as const) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x, y - 5);
    pen.lineTo(x, y);
    pen.lineTo(x + wide, y);
    pen.lineTo(x + wide, y - 5);
    pen.stroke();
  }
  pen.font = "600 12px 'Inter Variable', system-ui, sans-serif";
  pen.textAlign = "center";
  pen.lineWidth = 3;
  pen.strokeStyle = "rgb(0 0 0 / 0.7)";
  pen.strokeText(text, x + wide / 2, y - 9);
  pen.fillStyle = "#ffffff";
  pen.fillText(text, x + wide / 2, y - 9);
  pen.restore();
}

/** R L A P S I at the edges of each plane of a volume. */
export function drawLetters(pen: Pen, tiles: readonly Tile[], turn: Turn): void {
  pen.save();
  pen.font = "700 16px 'Inter Variable', system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineWidth = 4;
  pen.strokeStyle = "rgb(0 0 0 / 0.75)";
  pen.fillStyle = "#ffffff";
  for (const tile of tiles) {
    const { left, top, width, height } = tile.rect;
    const letters = lettersOf(tile, turn);
    for (const [letter, x, y] of [
      [letters.left, left + 13, top + height / 2],
      [letters.right, left + width - 13, top + height / 2],
      [letters.top, left + width / 2, top + 14],
      [letters.bottom, left + width / 2, top + height - 14],
    ] as const) {
      pen.strokeText(letter, x, y);
      pen.fillText(letter, x, y);
    }
  }
  pen.restore();
}

function drawHand(pen: Pen, scene: Scene): void {
  pen.save();
  pen.lineWidth = 1.5;
  pen.strokeStyle = "#ffffff";
  if (scene.box) {
    const { x0, y0, x1, y1 } = scene.box;
    pen.setLineDash([6, 4]);
    pen.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  }
  if (scene.cursor) {
    const { x, y, radius } = scene.cursor;
    pen.setLineDash([]);
    pen.beginPath();
    pen.arc(x, y, Math.max(radius, 3), 0, 2 * Math.PI);
    pen.strokeStyle = "rgb(0 0 0 / 0.7)";
    pen.lineWidth = 3.5;
    pen.stroke();
    pen.strokeStyle = "#ffffff";
    pen.lineWidth = 1.5;
    pen.stroke();
  }
  pen.restore();
}

/** The finding whose mask lies at a voxel, the smallest of several. */
export function shapeAt(scene: Scene, voxel: readonly number[]): string | null {
  const there = scene.shapes
    .map((shape) => ({ id: shape.id, mask: scene.mode === "free" ? shape.free : shape.mask }))
    .filter(({ mask }) => mask !== null && valueAt(mask, voxel) > 0)
    .sort((a, b) => (a.mask as Mask).data.length - (b.mask as Mask).data.length);
  return there[0]?.id ?? null;
}
