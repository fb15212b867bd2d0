/**
 * The image with everything on it: the planes below, our drawing above, and what is looked at. A plain canvas draws the
 * planes at once; NiiVue takes a volume over when it is ready, in the same places.
 */

import { drawnBySoftware } from "./graphics.ts";
import type { Mask, Triple } from "./masks.ts";
import { gridOf, headOf, inflated } from "./nifti.ts";
import { drawLetters, drawOutline, drawScene, type Scene } from "./overlay.ts";
import { Plain } from "./plain.ts";
import type { Solid } from "./solid.ts";
import {
  type Eye,
  fractionOf,
  GAP,
  type Layout,
  pointOf,
  type Rect,
  type Tile,
  type Turn,
  tileAround,
  tileAt,
  tilesOf,
  turnOf,
} from "./tiles.ts";
import type { ViewImage } from "./types.ts";

const MIDDLE: Triple = [0.5, 0.5, 0.5];
/** Voxels from which NiiVue draws only when its 3-D picture changes: without a graphics card that takes seconds. */
const LARGE = 2 ** 21;

/** One image that was read: how it lies, its values, and the file for NiiVue. */
interface Loaded {
  about: ViewImage;
  file: ArrayBuffer;
  turn: Turn;
  plain: Plain;
}

export class Stage {
  readonly sheet: HTMLCanvasElement;
  scene: Scene | null = null;
  tiles: Tile[] = [];
  onDrawn: () => void = () => {};
  /** NiiVue cannot draw this volume: why, in words for people. */
  onFlat: (why: string) => void = () => {};
  private readonly holder: HTMLElement;
  private readonly flat: HTMLCanvasElement;
  private readonly watcher: ResizeObserver;
  private loaded: Loaded | null = null;
  private solid: Promise<Solid> | null = null;
  private deep: Solid | null = null; // what draws now, where it is not the plain canvas
  private canvas3d: HTMLCanvasElement | null = null;
  private rendered: Rect | null = null;
  private pictured = ""; // what the 3-D picture of a large volume was drawn for
  private waiting = 0;
  private closed = false;
  private here: Triple = [0, 0, 0];
  private eye: Eye = { middle: MIDDLE, zoom: 1 };
  private layout: Layout = "axial";
  private shades: [number, number] = [0, 1];
  private seenFrom = { round: 110, up: 10 };

  constructor(holder: HTMLElement) {
    this.holder = holder;
    this.flat = document.createElement("canvas");
    this.sheet = document.createElement("canvas");
    this.flat.className = "image";
    this.sheet.className = "sheet";
    holder.prepend(this.flat, this.sheet);
    this.fit();
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(holder);
  }

  close(): void {
    this.closed = true;
    this.watcher.disconnect();
    cancelAnimationFrame(this.waiting);
    void this.solid?.then((solid) => solid.close()).catch(() => undefined);
    for (const canvas of [this.flat, this.sheet, this.canvas3d]) canvas?.remove();
  }

  get isVolume(): boolean {
    return (this.loaded?.about.grid.length ?? 2) === 3;
  }

  get turn(): Turn | null {
    return this.loaded?.turn ?? null;
  }

  /** The canvas that shows the planes now. */
  get canvas(): HTMLCanvasElement {
    return this.takesOver && this.canvas3d ? this.canvas3d : this.flat;
  }

  /** Whether NiiVue draws the planes, too; of a large volume the plain canvas does, and NiiVue the 3-D picture alone. */
  private get takesOver(): boolean {
    return this.deep !== null && !this.large;
  }

  private get large(): boolean {
    return (this.turn?.dims ?? []).reduce((n, size) => n * size, 1) >= LARGE;
  }

  /** Shows an image, at `focus` where that is given; it is drawn when this returns. */
  async load(about: ViewImage, bytes: ArrayBuffer, focus: Triple | null): Promise<void> {
    const file = await inflated(bytes);
    const head = headOf(file);
    const turn = turnOf(head);
    this.show3d(null);
    this.loaded = { about, file, turn, plain: new Plain(gridOf(file, head)) };
    this.here = focus ?? (turn.dims.map((size) => Math.floor(size / 2)) as Triple);
    this.eye = { middle: MIDDLE, zoom: 1 };
    this.layout = this.isVolume ? "all" : "axial";
    this.shades = about.window;
    this.seenFrom = { round: 110, up: 10 };
    this.redraw();
    if (this.isVolume) afterFrame(() => void this.deepen());
    else afterFrame(() => performance.mark("medsegr-stage"));
  }

  /** Lets NiiVue draw the volume, once it is there. */
  private async deepen(): Promise<void> {
    const loaded = this.loaded;
    if (!loaded || this.closed) return;
    if (this.large && drawnBySoftware()) {
      this.planesOnly("This browser has no graphics card, and 3D of so large a volume would take minutes");
      return;
    }
    let solid: Solid;
    try {
      this.solid ??= this.begin();
      solid = await this.solid;
    } catch {
      this.planesOnly("This browser gives no WebGL 2: there is no 3D picture");
      return;
    }
    if (this.closed || this.loaded !== loaded) return;
    if (!solid.takes(loaded.turn.dims)) {
      this.planesOnly("The volume is too large for this graphics card: there is no 3D picture");
      return;
    }
    try {
      await solid.load(loaded.file, this.shades);
    } catch {
      this.planesOnly("The 3D picture could not be drawn");
      return;
    }
    if (this.closed || this.loaded !== loaded) return;
    this.pictured = "";
    if (this.scene) this.label(solid, this.scene, () => this.again());
    this.show3d(solid);
    this.redraw();
    performance.mark("medsegr-stage");
  }

  /** The plain canvas draws from now on, too. */
  private planesOnly(why: string): void {
    this.onFlat(`${why}. The planes are complete.`);
    performance.mark("medsegr-stage");
  }

  private async begin(): Promise<Solid> {
    const { Solid } = await import("./solid.ts");
    const canvas = document.createElement("canvas");
    canvas.className = "image hidden";
    this.holder.prepend(canvas);
    this.canvas3d = canvas;
    this.fit();
    return await Solid.on(canvas);
  }

  private show3d(solid: Solid | null): void {
    this.deep = solid;
    this.canvas3d?.classList.toggle("hidden", !solid);
    this.flat.classList.toggle("hidden", this.takesOver);
  }

  private again(): void {
    if (this.scene && this.deep) this.label(this.deep, this.scene, () => undefined);
    this.draw();
  }

  /** The masks of the 3-D picture. In a large one none is brought out: its labels would all be sent anew at each hover. */
  private label(solid: Solid, scene: Scene, again: () => void): void {
    solid.label(this.large ? { ...scene, active: null } : scene, again);
  }

  setLayout(layout: Layout): void {
    this.layout = this.isVolume ? layout : "axial";
    this.draw();
  }

  get window(): [number, number] {
    return this.shades;
  }

  setWindow(low: number, high: number): void {
    if (!this.loaded || this.loaded.about.colour) return;
    this.shades = [low, Math.max(high, low + 1e-6)];
    this.draw();
  }

  get voxel(): Triple {
    return [...this.here];
  }

  goTo(voxel: readonly number[]): void {
    const dims = this.turn?.dims;
    if (!dims) return;
    this.here = voxel.map((at, axis) =>
      Math.max(0, Math.min((dims[axis] as number) - 1, Math.round(at))),
    ) as Triple;
    this.draw();
  }

  /** Moves along an axis of the grid; `steps` in the direction of R, A or S. */
  move(axis: number, steps: number): void {
    if (!this.turn) return;
    const way = this.turn.flipped[this.turn.axis.indexOf(axis)] ? -steps : steps;
    const voxel = this.voxel;
    voxel[axis] = (voxel[axis] as number) + way;
    this.goTo(voxel);
  }

  get zoom(): number {
    return this.eye.zoom;
  }

  reset(): void {
    this.eye = { middle: MIDDLE, zoom: 1 };
    this.draw();
  }

  /** Zooms so that what lies under a point of the screen stays there. */
  zoomAt(factor: number, x?: number, y?: number): void {
    const zoom = Math.max(0.5, Math.min(20, this.eye.zoom * factor));
    const box = this.sheet.getBoundingClientRect();
    const [px, py] = [x ?? box.width / 2, y ?? box.height / 2];
    const tile = tileAt(this.tiles, px, py);
    const before = tile && this.fractions(tile, px, py);
    this.eye = { ...this.eye, zoom };
    this.place();
    const now = tile && this.tiles.find((one) => one.kind === tile.kind);
    if (before && now) this.shift(now, this.fractions(now, px, py), before);
    this.draw();
  }

  pan(tile: Tile, dx: number, dy: number, x: number, y: number): void {
    this.shift(tile, this.fractions(tile, x, y), this.fractions(tile, x - dx, y - dy));
    this.draw();
  }

  private fractions(tile: Tile, x: number, y: number): Triple {
    return fractionOf(this.turn as Turn, pointOf(tile, x, y));
  }

  /** Moves what is looked at, so that the fraction `to` comes to where `from` is shown now. */
  private shift(tile: Tile, from: Triple, to: Triple): void {
    const through = this.turn?.axis.indexOf(tile.axis);
    const middle = this.eye.middle.map((at, world) =>
      world === through ? at : at + (to[world] as number) - (from[world] as number),
    ) as Triple;
    this.eye = { ...this.eye, middle };
    this.place();
  }

  /** Whether a point of the screen is on the 3-D picture. */
  onRender(x: number, y: number): boolean {
    const box = this.rendered;
    if (!box || !this.deep) return false;
    return x >= box.left && y >= box.top && x <= box.left + box.width && y <= box.top + box.height;
  }

  rotate(dx: number, dy: number): void {
    const { round, up } = this.seenFrom;
    this.seenFrom = { round: round - dx * 0.5, up: Math.max(-90, Math.min(90, up + dy * 0.5)) };
    this.draw();
  }

  show(scene: Scene): void {
    this.scene = scene;
    if (this.deep) this.label(this.deep, scene, () => this.again());
    this.draw();
  }

  /** A small picture: the plane of a mask, cut to where the masks beside it are, with its outline. */
  preview(canvas: HTMLCanvasElement, mask: Mask, beside: readonly Mask[], colour: string): void {
    const pen = canvas.getContext("2d");
    const about = this.tiles.find(({ axis }) => axis === (this.scene?.cut ?? 2)) ?? this.tiles[0];
    if (!pen || !about || !this.loaded) return;
    const tile = tileAround(about, beside.length ? beside : [mask], canvas);
    this.loaded.plain.draw(pen, [tile], this.shades, 1);
    drawOutline(pen, tile, mask, colour);
  }

  private get ratio(): number {
    return this.flat.width / Math.max(1, this.holder.clientWidth);
  }

  private fit(): void {
    const ratio = window.devicePixelRatio || 1;
    const box = this.holder.getBoundingClientRect();
    for (const canvas of [this.flat, this.sheet, this.canvas3d]) {
      if (!canvas) continue;
      canvas.width = Math.round(Math.max(1, box.width) * ratio);
      canvas.height = Math.round(Math.max(1, box.height) * ratio);
    }
  }

  private resized(): void {
    this.fit();
    this.deep?.resized();
    if (this.loaded) this.redraw(); // at once: a canvas of a new size is empty
  }

  draw(): void {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => this.redraw());
  }

  private redraw(): void {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.refresh();
    this.drawSheet();
    this.onDrawn();
  }

  /** Where everything lies now. */
  private place(): void {
    if (!this.turn) return;
    const { width, height } = this.flat;
    const screen = { width, height, ratio: this.ratio, gap: GAP * devicePixelRatio };
    const { tiles, solid } = tilesOf(this.turn, this.layout, screen, this.eye, this.here);
    this.tiles = tiles;
    this.rendered = solid;
  }

  private refresh(): void {
    const { loaded } = this;
    if (!loaded) return;
    this.place();
    if (this.takesOver) {
      this.picture(loaded);
      return;
    }
    const pen = this.flat.getContext("2d", { willReadFrequently: true }); // kept in memory: its pixels are ours
    if (!pen) return;
    loaded.plain.draw(pen, this.tiles, this.shades, this.ratio);
    if (this.isVolume) this.drawCross(pen);
    if (this.deep && this.rendered) {
      const { left, top, width, height } = this.rendered;
      pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      pen.clearRect(left, top, width, height); // NiiVue's canvas lies below
      const { layout, seenFrom, shades, flat } = this;
      const asked = [layout, seenFrom.round, seenFrom.up, ...shades, flat.width, flat.height].join();
      if (asked !== this.pictured) this.picture(loaded);
      this.pictured = asked;
    }
  }

  private picture({ turn }: Loaded): void {
    const { layout, eye, here, shades } = this;
    this.deep?.draw({ turn, layout, eye, here, window: shades, ...this.seenFrom });
  }

  /** The planes that cross this one, as NiiVue draws them. */
  private drawCross(pen: CanvasRenderingContext2D): void {
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.strokeStyle = "rgb(89 191 255 / 0.9)";
    pen.lineWidth = 1;
    for (const { rect, x, y, across, down } of this.tiles) {
      const [px, py] = [
        x.start + x.step * (this.here[across] as number),
        y.start + y.step * (this.here[down] as number),
      ];
      pen.beginPath();
      if (px >= rect.left && px <= rect.left + rect.width) {
        pen.moveTo(px, rect.top);
        pen.lineTo(px, rect.top + rect.height);
      }
      if (py >= rect.top && py <= rect.top + rect.height) {
        pen.moveTo(rect.left, py);
        pen.lineTo(rect.left + rect.width, py);
      }
      pen.stroke();
    }
  }

  /** Our own drawing alone, after a hand moved: the image below is as it was. */
  drawSheet(): void {
    const pen = this.sheet.getContext("2d");
    if (!pen) return;
    const ratio = this.ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.sheet.width, this.sheet.height);
    // NiiVue fills the masks of a volume itself.
    if (this.scene) drawScene(pen, this.tiles, { ...this.scene, filled: this.takesOver });
    if (this.turn && this.loaded?.about.letters === null) drawLetters(pen, this.tiles, this.turn);
  }
}

/** After the next frame has been drawn. */
export function afterFrame(then: () => void): void {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => then();
    port2.postMessage(null);
  });
}
