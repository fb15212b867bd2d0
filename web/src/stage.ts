/** The image with everything on it: NiiVue below, our drawing above, and what a hand does there. */

import { Niivue, NVImage } from "@niivue/niivue";
import { type Mask, paintInto, type Triple } from "./masks.ts";
import { inflated, labelFile } from "./nifti.ts";
import { drawLetters, drawScene, type Scene } from "./overlay.ts";
import { fractionOf, RENDER, type Tile, type Turn, tileAt, tilesOf, turnOf, voxelOf } from "./tiles.ts";
import type { ViewImage } from "./types.ts";

export type Layout = "all" | "axial" | "coronal" | "sagittal" | "3d";

const SLICES: Record<Layout, number> = { axial: 0, coronal: 1, sagittal: 2, all: 3, "3d": 4 };
const GHOST = 255; // label of what only the report-free mask covers

export class Stage {
  readonly canvas: HTMLCanvasElement;
  readonly sheet: HTMLCanvasElement;
  scene: Scene | null = null;
  tiles: Tile[] = [];
  turn: Turn | null = null;
  onDrawn: () => void = () => {};
  private readonly nv: Niivue;
  private readonly watcher: ResizeObserver;
  private image: ViewImage | null = null;
  private plain: ArrayBuffer | null = null;
  private waiting = 0;
  private painted = "";
  private labels: NVImage | null = null;

  private constructor(holder: HTMLElement, canvas: HTMLCanvasElement, sheet: HTMLCanvasElement) {
    this.canvas = canvas;
    this.sheet = sheet;
    this.nv = new Niivue({
      interactive: false,
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      backColor: [0.04, 0.045, 0.055, 1],
      crosshairColor: [0.35, 0.75, 1, 0.9],
      fontColor: [1, 1, 1, 1],
      show3Dcrosshair: false,
      isOrientationTextVisible: false,
      multiplanarLayout: 2,
      multiplanarShowRender: 1,
      multiplanarPadPixels: 4,
      isColorbar: false,
      dragAndDropEnabled: false,
      isResizeCanvas: false,
      loadingText: "",
      logLevel: "error",
    });
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(holder);
  }

  static async on(holder: HTMLElement): Promise<Stage> {
    const canvas = document.createElement("canvas");
    const sheet = document.createElement("canvas");
    canvas.className = "image";
    sheet.className = "sheet";
    holder.prepend(canvas, sheet);
    const stage = new Stage(holder, canvas, sheet);
    stage.fit();
    await stage.nv.attachToCanvas(canvas);
    return stage;
  }

  close(): void {
    this.watcher.disconnect();
    cancelAnimationFrame(this.waiting);
    this.nv.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.canvas.remove();
    this.sheet.remove();
  }

  get isVolume(): boolean {
    return (this.image?.grid.length ?? 2) === 3;
  }

  async load(image: ViewImage, bytes: ArrayBuffer): Promise<void> {
    const plain = await inflated(bytes);
    for (const volume of [...this.nv.volumes]) this.nv.removeVolume(volume);
    this.labels = null;
    this.painted = "";
    this.image = image;
    this.plain = plain;
    const made = await volumeOf(plain, "image.nii", image.window);
    this.nv.addVolume(made);
    this.nv.setCrosshairWidth(this.isVolume ? 0.6 : 0);
    this.turn = turnOf(this.nv);
    this.setLayout(this.isVolume ? "all" : "axial");
    this.setWindow(...image.window);
    this.reset();
  }

  setLayout(layout: Layout): void {
    this.nv.setSliceType(SLICES[layout]);
    this.draw();
  }

  get window(): [number, number] {
    const volume = this.nv.volumes[0];
    return [volume?.cal_min ?? 0, volume?.cal_max ?? 1];
  }

  setWindow(low: number, high: number): void {
    const volume = this.nv.volumes[0];
    if (!volume || this.image?.colour) return;
    volume.cal_min = low;
    volume.cal_max = Math.max(high, low + 1e-6);
    this.nv.updateGLVolume();
    this.draw();
  }

  get voxel(): Triple {
    return this.turn ? voxelOf(this.turn, this.nv.scene.crosshairPos) : [0, 0, 0];
  }

  goTo(voxel: readonly number[]): void {
    if (!this.turn) return;
    this.nv.scene.crosshairPos = fractionOf(this.turn, voxel) as unknown as typeof this.nv.scene.crosshairPos;
    this.draw();
  }

  /** Moves along an axis of the grid; `steps` in the direction of R, A or S. */
  move(axis: number, steps: number): void {
    if (!this.turn) return;
    const voxel = this.voxel;
    const world = this.turn.axis.indexOf(axis);
    const way = this.turn.flipped[world] ? -steps : steps;
    const size = this.turn.dims[axis] as number;
    voxel[axis] = Math.max(0, Math.min(size - 1, (voxel[axis] as number) + way));
    this.goTo(voxel);
  }

  get zoom(): number {
    return this.nv.scene.pan2Dxyzmm[3] as number;
  }

  reset(): void {
    this.nv.setPan2Dxyzmm([0, 0, 0, 1]);
    this.draw();
  }

  /** Zooms so that what lies under a point of the screen stays there. */
  zoomAt(factor: number, x?: number, y?: number): void {
    const pan = [...this.nv.scene.pan2Dxyzmm] as [number, number, number, number];
    const zoom = Math.max(0.5, Math.min(20, pan[3] * factor));
    const middle = this.sheet.getBoundingClientRect();
    const [px, py] = [x ?? middle.width / 2, y ?? middle.height / 2];
    const tile = tileAt(this.tiles, px, py);
    const before = tile && this.fractions(tile, px, py);
    this.nv.setPan2Dxyzmm([pan[0], pan[1], pan[2], zoom]);
    this.refresh();
    const now = tile && this.tiles.find((one) => one.kind === tile.kind);
    if (before && now) this.shift(now, before, this.fractions(now, px, py));
    this.draw();
  }

  pan(tile: Tile, dx: number, dy: number, x: number, y: number): void {
    this.shift(tile, this.fractions(tile, x - dx, y - dy), this.fractions(tile, x, y));
    this.draw();
  }

  private fractions(tile: Tile, x: number, y: number): Triple {
    const voxel: Triple = [tile.index, tile.index, tile.index];
    voxel[tile.across] = (x - tile.x.start) / tile.x.step;
    voxel[tile.down] = (y - tile.y.start) / tile.y.step;
    return fractionOf(this.turn as Turn, voxel);
  }

  /** Pans so that the point `from` comes to where `to` is shown now. */
  private shift(tile: Tile, from: Triple, to: Triple): void {
    const volume = this.nv.volumes[0];
    const turn = this.turn as Turn;
    const pan = [...this.nv.scene.pan2Dxyzmm] as [number, number, number, number];
    for (let world = 0; world < 3; world++) {
      if (turn.axis[world] === tile.axis) continue;
      const size = (volume?.dimsRAS?.[world + 1] ?? 1) * (volume?.pixDimsRAS?.[world + 1] ?? 1);
      pan[world] = (pan[world] as number) + pan[3] * size * ((to[world] as number) - (from[world] as number));
    }
    this.nv.setPan2Dxyzmm(pan);
  }

  /** Whether a point of the screen is on the 3-D picture. */
  onRender(x: number, y: number): boolean {
    const ratio = this.ratio;
    return this.nv.screenSlices.some((slice) => {
      if (slice.axCorSag !== RENDER) return false;
      const [l, t, w, h] = slice.leftTopWidthHeight as [number, number, number, number];
      return x * ratio >= l && y * ratio >= t && x * ratio <= l + w && y * ratio <= t + h;
    });
  }

  rotate(dx: number, dy: number): void {
    const { renderAzimuth, renderElevation } = this.nv.scene;
    this.nv.setRenderAzimuthElevation(
      renderAzimuth - dx * 0.5,
      Math.max(-90, Math.min(90, renderElevation + dy * 0.5)),
    );
    this.draw();
  }

  show(scene: Scene): void {
    this.scene = scene;
    if (this.isVolume) this.label(scene);
    this.draw();
  }

  /** Of a volume the masks' insides are a volume of labels of their own, so that the 3-D picture has them. */
  private label(scene: Scene): void {
    const shapes = scene.shapes.filter((shape) => shape.mask?.data.length || shape.free?.data.length);
    if (!this.plain || (!shapes.length && !this.labels)) return;
    const ids = new Map<Mask, number>();
    const painted = `${scene.mode}|${scene.active}|${shapes.map((one) => `${one.id}:${idOf(one.mask, ids)}:${idOf(one.free, ids)}`)}`;
    if (!this.labels) {
      void volumeOf(labelFile(this.plain), "masks.nii").then((made) => {
        if (this.labels) return;
        this.labels = made;
        this.nv.addVolume(made);
        if (this.scene) this.show(this.scene);
      });
      return;
    }
    if (painted !== this.painted || shapes.some((shape) => shape.mask && !marks.has(shape.mask))) {
      const whole = this.labels.img as Uint8Array;
      whole.fill(0);
      const last = shapes.find((shape) => shape.id === scene.active);
      const order = [...shapes].sort((a, b) => Number(a === last) - Number(b === last));
      for (const shape of order) {
        if (scene.mode === "difference" && shape.free) paintInto(whole, shape.free, GHOST);
        const mask = scene.mode === "free" ? shape.free : shape.mask;
        if (mask) paintInto(whole, mask, Math.min(shape.number, GHOST - 1));
      }
      this.painted = painted;
    }
    this.labels.setColormapLabel(lutOf(scene));
    this.labels.opacity = scene.hidden ? 0 : scene.opacity;
    this.nv.updateGLVolume();
  }

  private get ratio(): number {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  private fit(): void {
    const ratio = window.devicePixelRatio || 1;
    const box = this.canvas.parentElement?.getBoundingClientRect();
    const [wide, tall] = [Math.max(1, box?.width ?? 1), Math.max(1, box?.height ?? 1)];
    for (const canvas of [this.canvas, this.sheet]) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(tall * ratio);
    }
  }

  private resized(): void {
    this.fit();
    if (this.nv.gl) {
      this.nv.gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      this.draw();
    }
  }

  draw(): void {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.refresh();
      this.drawSheet();
      this.onDrawn();
    });
  }

  private refresh(): void {
    if (!this.nv.volumes.length) return;
    this.nv.drawScene();
    if (this.turn) this.tiles = tilesOf(this.nv, this.turn, this.ratio);
  }

  /** Our own drawing alone, after a hand moved: the image below is as it was. */
  drawSheet(): void {
    const pen = this.sheet.getContext("2d");
    if (!pen) return;
    const ratio = this.ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.sheet.width, this.sheet.height);
    if (this.scene) drawScene(pen, this.tiles, this.scene);
    if (this.turn && this.image?.letters === null) drawLetters(pen, this.tiles, this.turn);
  }
}

/** NiiVue asks for twenty arguments of which its own code leaves most to their defaults. */
function volumeOf(bytes: ArrayBuffer, name: string, window?: [number, number]): Promise<NVImage> {
  const make = NVImage.new.bind(NVImage) as unknown as (...given: unknown[]) => Promise<NVImage>;
  return make(bytes, name, "gray", 1, null, ...(window ?? []));
}

const marks = new WeakMap<Mask, number>();
let counted = 0;

function idOf(mask: Mask | null, ids: Map<Mask, number>): number {
  if (!mask) return 0;
  const known = marks.get(mask) ?? ++counted;
  marks.set(mask, known);
  ids.set(mask, known);
  return known;
}

type Lut = { R: number[]; G: number[]; B: number[]; A: number[]; I: number[]; labels: string[] };

/** Colours of the labels; the chosen finding keeps its own, the others turn grey beside it. */
function lutOf(scene: Scene): Lut {
  const lut: Lut = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
  const add = (index: number, colour: string, faded: boolean) => {
    const part = (at: number) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16);
      return faded ? Math.round(0.45 * value + 0.55 * 110) : value;
    };
    lut.R.push(part(1));
    lut.G.push(part(3));
    lut.B.push(part(5));
    lut.A.push(255);
    lut.I.push(index);
    lut.labels.push("");
  };
  for (const shape of scene.shapes) {
    const faded = scene.active !== null && scene.active !== shape.id;
    add(Math.min(shape.number, GHOST - 1), shape.colour, faded);
  }
  add(GHOST, "#ffffff", false);
  return lut;
}
