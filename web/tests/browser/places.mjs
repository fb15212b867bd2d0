/** Whether the page shows every voxel where it belongs: views and layers come from a folder, there is no server. */

import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { browse, frame, settled } from "./lib.mjs";

const { site, cases, names, shots } = JSON.parse(process.argv[2]);
const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const { browser, page, faults } = await browse({ viewport: { width: 700, height: 480 } });

await page.route("**/*", async (route) => {
  const path = normalize(new URL(route.request().url()).pathname);
  const json = (value) => route.fulfill({ json: value });
  if (path === "/v1/capabilities")
    return json({ read_only: true, examples: [], model: { name: "m" }, version: "0" });
  if (path === "/v1/jobs") {
    await new Promise((done) => setTimeout(done, 500)); // the address names a case before this has come
    return json({ jobs: [] });
  }
  const [, job, rest] = /^\/v1\/jobs\/([\w-]+)(?:\/(.*))?$/.exec(path) ?? [];
  if (job && !rest) return json({ id: job, image: "i", state: "done", asked: "none", error: null });
  const file = job
    ? join(cases, job, rest === "view" ? "view.json" : rest)
    : join(site, path === "/" ? "index.html" : path);
  if (!existsSync(file)) return route.fulfill({ status: 404, body: "" });
  return route.fulfill({
    body: readFileSync(file),
    contentType: KINDS[extname(file)] ?? "application/octet-stream",
  });
});

await page.goto("http://viewer.test/");
for (const name of names) {
  await page.evaluate((one) => {
    performance.clearMarks();
    location.hash = `#/job/${one}`;
  }, name);
  await settled(page);
  await page.waitForFunction(
    (id) => document.querySelector(".screen")?.stage?.scene?.shapes[0]?.mask && location.hash.endsWith(id),
    name,
  );
  await page.keyboard.press("h");
  await frame(page);
  const seen = await page.evaluate(() => {
    const { stage } = document.querySelector(".screen");
    const ratio = stage.canvas.width / stage.canvas.clientWidth;
    stage.deep?.nv.setCrosshairWidth(0);
    stage.refresh();
    const copy = new OffscreenCanvas(stage.canvas.width, stage.canvas.height);
    const pen = copy.getContext("2d");
    pen.drawImage(stage.canvas, 0, 0);
    const grey = (x, y) => pen.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data[1];
    const voxel = stage.voxel;
    return stage.tiles.map((tile) => {
      const ends = [0, stage.turn.dims[tile.across] - 1].map((at) => tile.x.start + tile.x.step * at);
      const sides = [0, stage.turn.dims[tile.down] - 1].map((at) => tile.y.start + tile.y.step * at);
      const [left, right] = [Math.min(...ends), Math.max(...ends)];
      const [top, bottom] = [Math.min(...sides), Math.max(...sides)];
      const x = tile.x.start + tile.x.step * voxel[tile.across];
      const y = tile.y.start + tile.y.step * voxel[tile.down];
      return {
        kind: tile.kind,
        across: (x - left) / (right - left),
        down: (y - top) / (bottom - top),
        here: grey(x, y),
        mirrored: [
          grey(left + right - x, y),
          grey(x, top + bottom - y),
          grey(left + right - x, top + bottom - y),
        ],
        ratio:
          (right - left) /
          (stage.turn.dims[tile.across] - 1) /
          ((bottom - top) / (stage.turn.dims[tile.down] - 1)),
      };
    });
  });
  // What NiiVue draws and what the plain canvas draws: mean difference in the tiles, at once, and moved and enlarged.
  const apart = await page.evaluate(() => {
    const { stage } = document.querySelector(".screen");
    const ratio = stage.canvas.width / stage.canvas.clientWidth;
    const pens = [0, 1].map(() =>
      new OffscreenCanvas(stage.canvas.width, stage.canvas.height).getContext("2d"),
    );
    const difference = () => {
      stage.refresh();
      pens[0].drawImage(stage.canvas, 0, 0);
      stage.loaded.plain.draw(pens[1], stage.tiles, stage.window, ratio);
      return stage.tiles.map(({ rect }) => {
        const box = [rect.left + 1, rect.top + 1, rect.width - 2, rect.height - 2].map((n) =>
          Math.round(n * ratio),
        );
        const [one, other] = pens.map((pen) => pen.getImageData(...box).data);
        return one.reduce((sum, value, n) => sum + Math.abs(value - other[n]), 0) / one.length;
      });
    };
    const before = difference();
    const { rect } = stage.tiles[0];
    stage.zoomAt(2.5, rect.left + rect.width / 3, rect.top + rect.height / 4);
    stage.pan(stage.tiles[0], 7, -5, rect.left + 40, rect.top + 30);
    const after = difference();
    stage.reset();
    return { deep: stage.deep !== null, before, after };
  });
  await page.keyboard.press("h");
  await frame(page);
  const outlined = await page.evaluate(() => {
    const { stage } = document.querySelector(".screen");
    const ratio = stage.sheet.width / stage.sheet.clientWidth;
    const voxel = stage.voxel;
    return stage.tiles.map((tile) => {
      const x = (tile.x.start + tile.x.step * voxel[tile.across]) * ratio;
      const y = (tile.y.start + tile.y.step * voxel[tile.down]) * ratio;
      const reach = Math.ceil(2.2 * Math.max(Math.abs(tile.x.step), Math.abs(tile.y.step)) * ratio);
      const { data } = stage.sheet.getContext("2d").getImageData(x - reach, y - reach, 2 * reach, 2 * reach);
      return data.some((value, n) => n % 4 === 3 && value > 0);
    });
  });
  const letters = await page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("[data-edge]")].map((one) => [one.dataset.edge, one.textContent]),
    ),
  );
  if (shots) await page.screenshot({ path: join(shots, `place-${name}.png`) });
  console.log(JSON.stringify({ name, tiles: seen, outlined, letters, apart, faults: faults.splice(0) }));
}
await browser.close();
