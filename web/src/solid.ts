/** NiiVue: the planes of a volume on the graphics card, and its 3-D picture with the masks in it. Loaded when needed. */

import { Niivue, NVImage } from "@niivue/niivue";
import { type Mask, paintInto, type Triple } from "./masks.ts";
import { labelFile } from "./nifti.ts";
import type { Scene, Shape } from "./overlay.ts";
import { BACK } from "./plain.ts";
import { type Eye, fractionOf, GAP, type Layout, type Turn } from "./tiles.ts";

const SLICES: Record<Layout, number> = { axial: 0, coronal: 1, sagittal: 2, all: 3, "3d": 4 };
const GHOST = 255; // label of what only the report-free mask covers

/** How the page looks at a volume: what `tilesOf` has placed, NiiVue draws there. */
export interface Gaze {
  turn: Turn;
  layout: Layout;
  eye: Eye;
  here: Triple;
  window: [number, number];
  /** Where the 3-D picture is seen from, degrees. */
  round: number;
  up: number;
}

export class Solid {
  readonly nv: Niivue;
  private readonly canvas: HTMLCanvasElement;
  private plain: ArrayBuffer | null = null;
  private labels: NVImage | null = null;
  private painted = "";
  private labelled = "";
  private layout: Layout | null = null;
  private shown: [number, number] | null = null;

  private constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.nv = new Niivue({
      interactive: false,
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      backColor: [...BACK.map((part) => part / 255), 1] as [number, number, number, number],
      crosshairColor: [0.35, 0.75, 1, 0.9],
      fontColor: [1, 1, 1, 1],
      show3Dcrosshair: false,
      isOrientationTextVisible: false,
      multiplanarLayout: 2,
      multiplanarShowRender: 1,
      multiplanarPadPixels: GAP,
      isColorbar: false,
      dragAndDropEnabled: false,
      isResizeCanvas: false,
      loadingText: "",
      logLevel: "error",
    });
  }

  /** Throws where the browser gives no WebGL 2. */
  static async on(canvas: HTMLCanvasElement): Promise<Solid> {
    const made = new Solid(canvas);
    await made.nv.attachToCanvas(canvas);
    return made;
  }

  close(): void {
    this.nv.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Whether a volume fits the graphics card: what does not would be drawn wrongly. */
  takes(dims: Triple): boolean {
    return Math.max(...dims) <= (this.nv.gl.getParameter(this.nv.gl.MAX_3D_TEXTURE_SIZE) as number);
  }

  async load(plain: ArrayBuffer, window: [number, number]): Promise<void> {
    for (const volume of [...this.nv.volumes]) this.nv.removeVolume(volume);
    this.labels = null;
    this.painted = "";
    this.labelled = "";
    this.shown = window;
    this.plain = plain;
    const made = await volumeOf(plain, "image.nii", window);
    if (this.plain !== plain) return;
    this.nv.addVolume(made);
    this.nv.setCrosshairWidth(0.6);
  }

  draw(gaze: Gaze): void {
    const volume = this.nv.volumes[0];
    if (!volume?.extentsMinOrtho || !volume.extentsMaxOrtho) return;
    const { scene } = this.nv;
    const { middle, zoom } = gaze.eye;
    scene.crosshairPos = fractionOf(gaze.turn, gaze.here) as unknown as typeof scene.crosshairPos;
    // NiiVue zooms about its origin of millimetres and pans after that.
    const pan = middle.map((at, world) => {
      const [low, high] = [
        volume.extentsMinOrtho?.[world] as number,
        volume.extentsMaxOrtho?.[world] as number,
      ];
      return (low + high) / 2 - zoom * (low + at * (high - low));
    });
    scene.pan2Dxyzmm = [...pan, zoom] as unknown as typeof scene.pan2Dxyzmm;
    scene.renderAzimuth = gaze.round;
    scene.renderElevation = gaze.up;
    if (this.shown?.join() !== gaze.window.join()) {
      this.shown = gaze.window;
      [volume.cal_min, volume.cal_max] = gaze.window;
      this.nv.updateGLVolume();
    }
    if (this.layout !== gaze.layout) {
      this.layout = gaze.layout;
      this.nv.setSliceType(SLICES[gaze.layout]); // draws
    } else this.nv.drawScene();
  }

  resized(): void {
    this.nv.gl?.viewport(0, 0, this.canvas.width, this.canvas.height);
  }

  /** The masks' insides are a volume of labels of their own, so that the 3-D picture has them. `again`: they came. */
  label(scene: Scene, again: () => void): void {
    const shapes = scene.shapes.filter((shape) => shape.mask?.data.length || shape.free?.data.length);
    const plain = this.plain;
    if (!plain || (!shapes.length && !this.labels)) return;
    if (!this.labels) {
      void volumeOf(labelFile(plain), "masks.nii").then((made) => {
        if (this.labels || this.plain !== plain) return;
        this.labels = made;
        this.nv.addVolume(made);
        again();
      });
      return;
    }
    const known = shapes.map((one) => `${one.id}:${one.colour}:${idOf(one.mask)}:${idOf(one.free)}`);
    const asked = `${scene.mode}|${scene.active}|${known}`;
    const shown = `${asked}|${scene.hidden ? 0 : scene.opacity}`;
    if (shown === this.labelled) return; // a whole volume goes to the graphics card: not at every move of a hand
    this.labelled = shown;
    if (asked !== this.painted) this.fill(scene, shapes, this.labels.img as Uint8Array);
    this.painted = asked;
    this.labels.setColormapLabel(lutOf(scene));
    this.labels.opacity = scene.hidden ? 0 : scene.opacity;
    this.nv.updateGLVolume();
  }

  private fill(scene: Scene, shapes: Shape[], whole: Uint8Array): void {
    whole.fill(0);
    const order = [...shapes].sort((a, b) => Number(a.id === scene.active) - Number(b.id === scene.active));
    for (const shape of order) {
      if (scene.mode === "difference" && shape.free) paintInto(whole, shape.free, GHOST);
      const mask = scene.mode === "free" ? shape.free : shape.mask;
      if (mask) paintInto(whole, mask, Math.min(shape.number, GHOST - 1));
    }
  }
}

/** NiiVue asks for twenty arguments of which its own code leaves most to their defaults. */
function volumeOf(bytes: ArrayBuffer, name: string, window?: [number, number]): Promise<NVImage> {
  const make = NVImage.new.bind(NVImage) as unknown as (...given: unknown[]) => Promise<NVImage>;
  return make(bytes, name, "gray", 1, null, ...(window ?? []));
}

const marks = new WeakMap<Mask, number>();
let counted = 0;

/** A number of its own for every mask. */
function idOf(mask: Mask | null): number {
  if (!mask) return 0;
  const known = marks.get(mask) ?? ++counted;
  marks.set(mask, known);
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
