/** Every key of the page, and the sheet that lists them. */

import type { App, Tool } from "./app.ts";
import type { Layout } from "./tiles.ts";

const TOOLS: Record<string, Tool> = {
  s: "look",
  w: "window",
  a: "add",
  x: "remove",
  b: "box",
  p: "brush",
  e: "erase",
};
const LAYOUTS: Layout[] = ["all", "axial", "coronal", "sagittal", "3d"];

export const HELP: { title: string; keys: [string[], string][] }[] = [
  {
    title: "Findings",
    keys: [
      [["J", "↓"], "Next finding"],
      [["K", "↑"], "Finding before"],
      [["Enter"], "Choose the phrase that has the focus"],
      [["Esc"], "Let it go; back to looking"],
      [["N"], "Add a finding"],
      [["1", "2", "3"], "Guided, without the report, difference"],
      [["M"], "Where the words acted"],
      [["H"], "Hide the masks"],
    ],
  },
  {
    title: "Image",
    keys: [
      [["Page Up", "Page Down"], "Slice"],
      [["+", "−", "0"], "Zoom in, out, fit"],
      [["C"], "Next window preset"],
      [["O", "Shift O"], "Masks stronger, weaker"],
      [["V"], "Planes and 3D"],
      [["Arrows"], "Move the cross (image focused; Shift: by 10)"],
      [["Wheel"], "Slices of a volume, zoom of a picture"],
      [["Right drag"], "Brightness and contrast"],
      [["Shift drag"], "Move the image"],
    ],
  },
  {
    title: "Correcting",
    keys: [
      [["S"], "Look and choose"],
      [["A", "X"], "Point inside, point outside"],
      [["B"], "Box"],
      [["P", "E"], "Brush, eraser"],
      [["[", "]"], "Smaller, larger brush"],
      [["Space"], "Use the tool at the cross (image focused)"],
      [["U", "Y"], "Undo, redo (also Ctrl Z)"],
      [["G"], "Other answers to the newest clicks"],
      [["Shift K"], "Accept"],
    ],
  },
  {
    title: "Page",
    keys: [
      [["T"], "Measurements"],
      [["D"], "Download"],
      [["I"], "To the image"],
      [["R"], "To the report"],
      [["?"], "This sheet"],
    ],
  },
];

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

export function listen(app: App): void {
  window.addEventListener("keydown", (event) => {
    if (app.dialog.value || app.screen.value !== "case") {
      if (event.key === "?" && !typing(event.target) && !app.dialog.value) app.dialog.value = "help";
      return;
    }
    if (
      event.target instanceof HTMLInputElement &&
      event.target.type !== "range" &&
      event.target.type !== "radio"
    )
      return;
    if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLSelectElement) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "z") {
      event.preventDefault();
      void app.edit(event.shiftKey ? "redo" : "undo");
      return;
    }
    if (control || event.altKey) return;
    if (typing(event.target) && event.key.startsWith("Arrow")) return;
    if (press(app, event.key, event.shiftKey)) event.preventDefault();
  });
}

function press(app: App, key: string, shift: boolean): boolean {
  if (key === "Escape") {
    app.tool.value = "look";
    app.fresh.value = null;
    app.select(null, false);
    return true;
  }
  if (key === "PageUp" || key === "PageDown") {
    const cut = app.view.value?.image.cut;
    if (cut == null) return false; // a picture has no slices: the page may scroll
    app.stage?.move(cut, key === "PageUp" ? 1 : -1);
    return true;
  }
  if (key === "ArrowDown" || key === "ArrowUp") {
    app.step(key === "ArrowDown" ? 1 : -1);
    return true;
  }
  return app.letterKeys.value ? letter(app, key, shift) : false;
}

function letter(app: App, key: string, shift: boolean): boolean {
  const low = key.toLowerCase();
  const tool = TOOLS[low];
  if (tool && !shift) {
    if (tool === "look" || tool === "window" || app.editable.value) app.tool.value = tool;
    return true;
  }
  const acts: Record<string, () => void> = {
    j: () => app.step(1),
    k: () => (shift ? void app.accept() : app.step(-1)),
    n: () => app.editable.value && (app.dialog.value = "phrase"),
    "1": () => app.setMode("guided"),
    "2": () => app.setMode("free"),
    "3": () => app.setMode("difference"),
    m: () => app.toggleHeat(),
    h: () => (app.hidden.value = !app.hidden.value),
    "+": () => app.stage?.zoomAt(1.25),
    "=": () => app.stage?.zoomAt(1.25),
    "-": () => app.stage?.zoomAt(1 / 1.25),
    "0": () => app.stage?.reset(),
    c: () => preset(app),
    o: () => (app.opacity.value = Math.max(0, Math.min(1, app.opacity.value + (shift ? -0.1 : 0.1)))),
    v: () => (app.layout.value = LAYOUTS[(LAYOUTS.indexOf(app.layout.value) + 1) % LAYOUTS.length] as Layout),
    "[": () => (app.radius.value = Math.max(1, app.radius.value - 1)),
    "]": () => (app.radius.value = Math.min(60, app.radius.value + 1)),
    u: () => void app.edit("undo"),
    y: () => void app.edit("redo"),
    g: () => app.editable.value && void app.offer(),
    t: () => (app.table.value = !app.table.value),
    d: () => app.job.value?.state === "done" && (app.dialog.value = "download"),
    i: () => document.querySelector<HTMLElement>(".screen")?.focus(),
    r: () => document.querySelector<HTMLElement>(".phrase, .card-main")?.focus(),
    "?": () => (app.dialog.value = "help"),
  };
  const act = acts[low];
  act?.();
  return act !== undefined;
}

function preset(app: App): void {
  const presets = app.view.value?.image.presets ?? [];
  if (!presets.length) return;
  const at = presets.findIndex(({ window }) => window.join() === app.window.value.join());
  app.window.value = (presets[(at + 1) % presets.length] as { window: [number, number] }).window;
}
