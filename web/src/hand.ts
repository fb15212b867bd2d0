/** What a hand does on the image: mouse, pen, fingers, and the keys that stand in for them. */

import type { App, Tool } from "./app.ts";
import { EDITS } from "./app.ts";
import { joined, type Plane, partOf, planeOf, stroke, type Triple, toRuns } from "./masks.ts";
import { lastFirst, shapeAt } from "./overlay.ts";
import type { Stage } from "./stage.ts";
import { pointOf, screenOf, type Tile, tileAt } from "./tiles.ts";

const STILL = 4; // pixels within which a press is a click

interface Press {
  x: number;
  y: number;
  lastX: number;
  lastY: number;
  moved: boolean;
  does: "none" | "pan" | "window" | "cross" | "rotate" | "box" | "paint";
  tile: Tile | null;
  pointer: number;
}

export class Hand {
  private readonly app: App;
  private readonly stage: Stage;
  private press: Press | null = null;
  private touches = new Map<number, { x: number; y: number }>();
  private corner: { x: number; y: number } | null = null; // first corner of a box given by keys

  constructor(app: App, stage: Stage) {
    this.app = app;
    this.stage = stage;
    const sheet = stage.sheet;
    sheet.addEventListener("pointerdown", (event) => this.down(event));
    sheet.addEventListener("pointermove", (event) => this.moved(event));
    sheet.addEventListener("pointerup", (event) => this.up(event));
    sheet.addEventListener("pointercancel", (event) => this.gone(event));
    sheet.addEventListener("pointerleave", () => this.left());
    sheet.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    sheet.addEventListener("contextmenu", (event) => event.preventDefault());
    sheet.addEventListener("dblclick", () => app.tool.value === "look" && stage.reset());
  }

  private at(event: PointerEvent | WheelEvent): { x: number; y: number } {
    const box = this.stage.sheet.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private get cut(): number {
    return this.app.view.value?.image.cut ?? 2;
  }

  private get picture(): boolean {
    return this.app.view.value?.image.cut == null;
  }

  private down(event: PointerEvent): void {
    const { x, y } = this.at(event);
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, { x, y });
      if (this.touches.size === 2) {
        this.drop();
        return;
      }
    }
    this.stage.sheet.setPointerCapture(event.pointerId);
    const tile = tileAt(this.stage.tiles, x, y);
    const does = this.meant(event, tile, x, y);
    this.press = { x, y, lastX: x, lastY: y, moved: false, does, tile, pointer: event.pointerId };
    if (does === "paint" && tile) this.paint(tile, x, y, x, y);
    if (does === "cross") this.cross(x, y);
  }

  private meant(event: PointerEvent, tile: Tile | null, x: number, y: number): Press["does"] {
    const tool = this.app.tool.value;
    if (this.stage.onRender(x, y)) return "rotate";
    if (!tile) return "none";
    if (event.button === 2 || tool === "window") return "window";
    if (event.button === 1 || event.shiftKey) return "pan";
    if (tool === "box") return "box";
    if (tool === "brush" || tool === "erase") return this.canPaint(tile) ? "paint" : "none";
    if (EDITS.includes(tool)) return "none";
    return this.picture ? "pan" : "cross";
  }

  private moved(event: PointerEvent): void {
    const { x, y } = this.at(event);
    if (this.touches.has(event.pointerId)) {
      this.pinch(event.pointerId, x, y);
      if (this.touches.size === 2) return;
    }
    const press = this.press;
    if (!press || press.pointer !== event.pointerId) {
      this.hover(x, y);
      return;
    }
    const [dx, dy] = [x - press.lastX, y - press.lastY];
    if (Math.hypot(x - press.x, y - press.y) > STILL) press.moved = true;
    if (press.moved || press.does === "paint") this.drag(press, x, y, dx, dy);
    press.lastX = x;
    press.lastY = y;
  }

  private drag(press: Press, x: number, y: number, dx: number, dy: number): void {
    const tile = press.tile && tileAt(this.stage.tiles, press.x, press.y);
    if (press.does === "rotate") this.stage.rotate(dx, dy);
    else if (press.does === "pan" && tile) this.stage.pan(tile, dx, dy, x, y);
    else if (press.does === "window") this.level(dx, dy);
    else if (press.does === "cross") this.cross(x, y);
    else if (press.does === "paint" && press.tile) this.paint(press.tile, press.lastX, press.lastY, x, y);
    else if (press.does === "box") this.band({ x0: press.x, y0: press.y, x1: x, y1: y });
  }

  private up(event: PointerEvent): void {
    const { x, y } = this.at(event);
    this.touches.delete(event.pointerId);
    const press = this.press;
    this.press = null;
    this.band(null);
    if (!press || press.pointer !== event.pointerId) return;
    if (press.does === "paint") void this.painted();
    else if (press.does === "box" && press.moved && press.tile)
      this.boxed(press.tile, press.x, press.y, x, y);
    else if (!press.moved && press.tile) this.click(press.tile, x, y, event.button);
  }

  private gone(event: PointerEvent): void {
    this.touches.delete(event.pointerId);
    this.drop();
  }

  private drop(): void {
    this.press = null;
    this.app.draft.value = null;
    this.band(null);
  }

  private left(): void {
    if (this.press) return;
    this.app.hovered.value = null;
    if (this.stage.scene) this.stage.scene.cursor = null;
    this.stage.drawSheet();
  }

  private pinch(pointer: number, x: number, y: number): void {
    const before = [...this.touches.values()];
    this.touches.set(pointer, { x, y });
    if (this.touches.size !== 2) return;
    const now = [...this.touches.values()];
    const gap = (two: { x: number; y: number }[]) =>
      Math.hypot((two[0]?.x ?? 0) - (two[1]?.x ?? 0), (two[0]?.y ?? 0) - (two[1]?.y ?? 0));
    const middle = {
      x: ((now[0]?.x ?? 0) + (now[1]?.x ?? 0)) / 2,
      y: ((now[0]?.y ?? 0) + (now[1]?.y ?? 0)) / 2,
    };
    if (gap(before) > 0) this.stage.zoomAt(gap(now) / gap(before), middle.x, middle.y);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { x, y } = this.at(event);
    const tile = tileAt(this.stage.tiles, x, y);
    if (this.picture || event.ctrlKey || !tile) this.stage.zoomAt(event.deltaY < 0 ? 1.15 : 1 / 1.15, x, y);
    else this.stage.move(tile.axis, event.deltaY < 0 ? 1 : -1);
  }

  private hover(x: number, y: number): void {
    const tile = tileAt(this.stage.tiles, x, y);
    const tool = this.app.tool.value;
    const scene = this.stage.scene;
    if (!scene) return;
    const brush = tile && (tool === "brush" || tool === "erase");
    const cursor = brush ? { x, y, radius: this.app.radius.value * Math.abs(tile.x.step) } : null;
    scene.cursor = cursor;
    const over = tile && tool === "look" && !scene.hidden ? shapeAt(scene, pointOf(tile, x, y)) : null;
    if (over !== this.app.hovered.value) this.app.hovered.value = over;
    else if (cursor) this.stage.drawSheet();
    this.stage.sheet.style.cursor = brush
      ? "none"
      : over
        ? "pointer"
        : tool === "look"
          ? "default"
          : "crosshair";
  }

  private cross(x: number, y: number): void {
    const tile = tileAt(this.stage.tiles, x, y);
    if (tile) this.stage.goTo(this.inside(pointOf(tile, x, y)));
  }

  private inside(point: Triple): Triple {
    const dims = this.stage.turn?.dims ?? [1, 1, 1];
    return point.map((at, axis) =>
      Math.max(0, Math.min((dims[axis] as number) - 1, Math.round(at))),
    ) as Triple;
  }

  private level(dx: number, dy: number): void {
    const view = this.app.view.value;
    if (!view || view.image.colour) return;
    const [low, high] = this.app.window.value;
    const [first, last] = view.image.window;
    const gain = Math.max(last - first, 1e-6) / 400;
    const wide = Math.max(high - low + dx * gain, (last - first) / 200);
    const middle = (low + high) / 2 + dy * gain;
    this.app.window.value = [middle - wide / 2, middle + wide / 2];
  }

  private band(box: { x0: number; y0: number; x1: number; y1: number } | null): void {
    if (!this.stage.scene) return;
    this.stage.scene.box = box;
    this.stage.drawSheet();
  }

  private click(tile: Tile, x: number, y: number, button: number): void {
    const tool = this.app.tool.value;
    const point = pointOf(tile, x, y);
    if (tool === "add" || tool === "remove") {
      const other = button === 2;
      this.point(tile, point, (tool === "add") !== other);
    } else if (tool === "look" && button === 0) {
      const found = this.stage.scene ? shapeAt(this.stage.scene, this.inside(point)) : null;
      this.app.select(found, false);
    }
  }

  /** Coordinates as the server counts them: of the picture as stored, or of a volume's slice. */
  private stored(point: Triple): { xy: [number, number]; slice: number | undefined } {
    const [first, second] = this.picture ? [0, 1] : lastFirst(this.cut);
    return {
      xy: [point[first as number] as number, point[second as number] as number],
      slice: this.picture ? undefined : Math.round(point[this.cut] as number),
    };
  }

  private allowed(tile: Tile): boolean {
    if (!this.app.editable.value) {
      this.app.say("This case is read only.");
      return false;
    }
    if (tile.axis === this.cut) return true;
    this.app.say("Corrections are made in the slices that the volume was read in: use the other plane.");
    return false;
  }

  private point(tile: Tile, point: Triple, inside: boolean): void {
    if (!this.allowed(tile)) return;
    const { xy, slice } = this.stored(point);
    const points = [[round(xy[0]), round(xy[1]), inside ? 1 : 0]];
    this.ask({ points, ...(slice === undefined ? {} : { slice }) });
  }

  private boxed(tile: Tile, x0: number, y0: number, x1: number, y1: number): void {
    if (!this.allowed(tile)) return;
    const a = this.stored(pointOf(tile, x0, y0));
    const b = this.stored(pointOf(tile, x1, y1));
    const dims = this.stage.turn?.dims ?? [1, 1, 1];
    const [first, second] = this.picture ? [0, 1] : lastFirst(this.cut);
    const edge = (p: number, q: number, axis: number) => {
      const size = dims[axis] as number;
      return [Math.max(0, Math.floor(Math.min(p, q) + 0.5)), Math.min(size, Math.ceil(Math.max(p, q) + 0.5))];
    };
    const [left, right] = edge(a.xy[0], b.xy[0], first as number) as [number, number];
    const [top, bottom] = edge(a.xy[1], b.xy[1], second as number) as [number, number];
    if (right - left < 1 || bottom - top < 1) return;
    this.ask({ box: [left, top, right, bottom], ...(a.slice === undefined ? {} : { slice: a.slice }) });
  }

  /** Sends a prompt for the chosen finding, or for a phrase that waits to be placed. */
  private ask(prompt: Record<string, unknown>): void {
    const { fresh, target } = this.app;
    if (fresh.value !== null) {
      const phrase = fresh.value;
      void this.app.edit("draw", { phrase, ...prompt }).then((done) => {
        if (done) fresh.value = null;
      });
    } else if (target) void this.app.edit("refine", { finding: target.id, ...prompt });
    else this.app.say(this.why());
  }

  private why(): string {
    const finding = this.app.finding.value;
    if (!finding) return "Choose a finding first: click its phrase or its number.";
    if (finding.review?.accepted) return "This finding is accepted, and so locked: undo that to change it.";
    return "The report denies this finding, so it is not drawn.";
  }

  private canPaint(tile: Tile): boolean {
    if (!this.allowed(tile)) return false;
    const target = this.app.target;
    if (!target) {
      this.app.say(this.why());
      return false;
    }
    // A plane is sent whole: without the mask as it is now, all of it but this stroke would be erased.
    const draft = this.app.draft.value;
    const goesOn = draft?.id === target.id && draft.axis === tile.axis && draft.index === tile.index;
    if (goesOn || !target.layer || this.app.layers.value.has(target.layer)) return true;
    this.app.say("The mask is on its way: paint once it is there.");
    return false;
  }

  private paint(tile: Tile, x0: number, y0: number, x1: number, y1: number): void {
    const target = this.app.target;
    if (!target || !this.stage.turn) return;
    const { axis, index } = tile;
    let draft = this.app.draft.value;
    if (draft?.id !== target.id || draft.index !== index || draft.axis !== axis) {
      const mask = target.layer ? this.app.layers.value.get(target.layer) : null;
      const dims = this.stage.turn.dims;
      const [u, v] = axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1];
      const [w, h] = [dims[u as number] as number, dims[v as number] as number];
      const known = mask ? planeOf(mask, axis, index) : null;
      const part = mask && known ? partOf(mask, axis) : { x: 0, y: 0, w: 0, h: 0 };
      draft = { id: target.id, axis, index, plane: known ?? { w, h, data: new Uint8Array(w * h) }, part };
    }
    const low = Math.min(tile.across, tile.down);
    const flat = (x: number, y: number): [number, number] => {
      const point = pointOf(tile, x, y);
      return [point[low] as number, point[tile.across === low ? tile.down : tile.across] as number];
    };
    const value = this.app.tool.value === "brush" ? 1 : 0;
    const part = stroke(draft.plane, flat(x0, y0), flat(x1, y1), this.app.radius.value, value);
    this.app.draft.value = { ...draft, part: joined(draft.part, part) };
    if (this.stage.scene)
      this.stage.scene.cursor = { x: x1, y: y1, radius: this.app.radius.value * Math.abs(tile.x.step) };
  }

  private async painted(): Promise<void> {
    const draft = this.app.draft.value;
    if (!draft) return;
    const plane = this.picture ? draft.plane : turned(draft.plane);
    await this.app.edit("paint", {
      finding: draft.id,
      ...(this.picture ? {} : { slice: draft.index }),
      rle: toRuns(plane),
    });
    await this.app.maskThere(draft.id); // until then the stroke stays to be seen, and may go on
    if (this.app.draft.value === draft) this.app.draft.value = null; // else another stroke was begun meanwhile
    void this.app.paint();
  }

  /** A key in place of a hand: moves the cross, or does at the cross what the tool does. */
  key(name: string, far: boolean): boolean {
    const tile = this.stage.tiles.find((one) => one.axis === this.cut) ?? this.stage.tiles[0];
    if (!tile) return false;
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const way = steps[name];
    const point: Triple = [...this.stage.voxel];
    if (way) {
      const reach = far ? 10 : 1;
      point[tile.across] = (point[tile.across] as number) + way[0] * reach * Math.sign(tile.x.step);
      point[tile.down] = (point[tile.down] as number) + way[1] * reach * Math.sign(tile.y.step);
      this.stage.goTo(this.inside(point));
      return true;
    }
    if (name !== " ") return false;
    this.use(tile, point, this.app.tool.value);
    return true;
  }

  private use(tile: Tile, point: Triple, tool: Tool): void {
    const [x, y] = screenOf(tile, point);
    if (tool === "box") {
      const corner = this.corner;
      this.corner = corner ? null : { x, y };
      if (corner) this.boxed(tile, corner.x, corner.y, x, y);
      else this.app.say("First corner set: go to the other one and press Space again.");
    } else if (tool === "brush" || tool === "erase") {
      if (!this.canPaint(tile)) return;
      this.paint(tile, x, y, x, y);
      void this.painted();
    } else this.click(tile, x, y, 0);
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function turned(plane: Plane): Plane {
  const data = new Uint8Array(plane.data.length);
  for (let y = 0; y < plane.h; y++)
    for (let x = 0; x < plane.w; x++) data[x * plane.h + y] = plane.data[y * plane.w + x] as number;
  return { w: plane.h, h: plane.w, data };
}
