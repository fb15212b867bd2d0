/** What the browser tests share: a headless Chromium that draws WebGL in software, and questions to the page. */

import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export async function browse(options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 720 },
    acceptDownloads: true,
    ...options,
  });
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`${error.message} ${error.stack ?? ""}`.slice(0, 500)));
  page.on("console", (message) => {
    const text = message.text();
    if (/Content Security Policy|Refused to/.test(text)) faults.push(text.slice(0, 300));
  });
  return { browser, page, faults };
}

export function check(truth, what) {
  if (!truth) throw new Error(what);
}

/** The case is there: its image is drawn by what draws it from then on, every mask has come, nothing runs. */
export async function settled(page, timeout = 240_000) {
  await page.waitForFunction(
    () => {
      const stage = document.querySelector(".screen")?.stage;
      if (document.querySelector(".problem")) return true;
      if (!stage?.scene || !stage.tiles.length || document.querySelector(".progress, .banner .spinner"))
        return false;
      return ["medsegr-image", "medsegr-stage"].every(
        (name) => performance.getEntriesByName(name).length > 0,
      );
    },
    null,
    { timeout },
  );
  await page.waitForFunction(() => {
    const { scene } = document.querySelector(".screen")?.stage ?? {};
    const cards = document.querySelectorAll(".card.drawn").length;
    return !scene || scene.shapes.filter(({ mask }) => mask).length === cards;
  });
  await frame(page);
}

/** Two frames: whatever was asked for is on the screen. */
export async function frame(page) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Our own drawing at a voxel of the layer: `[r, g, b, a]` of the sheet, in the tile of the cut. */
export async function drawnAt(page, voxel) {
  await frame(page);
  return await page.evaluate((at) => {
    const { stage } = document.querySelector(".screen");
    const tile = stage.tiles.find(({ axis }) => axis === (stage.scene.cut ?? 2)) ?? stage.tiles[0];
    const ratio = stage.sheet.width / stage.sheet.clientWidth;
    const x = (tile.x.start + tile.x.step * at[tile.across]) * ratio;
    const y = (tile.y.start + tile.y.step * at[tile.down]) * ratio;
    return [...stage.sheet.getContext("2d").getImageData(Math.round(x), Math.round(y), 1, 1).data];
  }, voxel);
}

/** Where a voxel of the layer is on the page, CSS pixels. */
export async function pointAt(page, voxel) {
  await frame(page);
  return await page.evaluate((at) => {
    const { stage } = document.querySelector(".screen");
    const tile = stage.tiles.find(({ axis }) => axis === (stage.scene.cut ?? 2)) ?? stage.tiles[0];
    const box = stage.sheet.getBoundingClientRect();
    return {
      x: box.left + tile.x.start + tile.x.step * at[tile.across],
      y: box.top + tile.y.start + tile.y.step * at[tile.down],
    };
  }, voxel);
}

export function near(colour, [r, g, b]) {
  const [cr, cg, cb] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return Math.abs(cr - r) + Math.abs(cg - g) + Math.abs(cb - b) < 60;
}

const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** Serious and critical faults that axe finds, as lines. The page's policy forbids foreign scripts: axe comes from here. */
export async function faultsOf(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"], iframes: false }),
  );
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join(" | ")}`,
    );
}

/** Runs steps one after the other and prints how each ended; a step that fails does not keep the next from running. */
export async function walk(steps) {
  for (const [name, step] of steps) {
    const begun = performance.now();
    try {
      await step();
      console.log(JSON.stringify({ step: name, ok: true, ms: Math.round(performance.now() - begun) }));
    } catch (error) {
      const told = `${error?.message ?? error}`.slice(0, 1500);
      console.log(JSON.stringify({ step: name, ok: false, error: told }));
    }
  }
}
