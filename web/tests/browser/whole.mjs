/** One person's way through the page: drop, wait, look, correct, download, keys only, errors, cancel. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { browse, check, drawnAt, faultsOf, frame, near, pointAt, settled, walk } from "./lib.mjs";

const { base, image, report, part, hash, workers, shots } = JSON.parse(process.argv[2]);
const { browser, page, faults } = await browse({ colorScheme: "light" });

let kept = ""; // the address of the case that was drawn, for the next visit

async function shot(name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`) });
}

async function start() {
  await page.goto(`${base}/`);
  await page.waitForSelector("[data-testid=drop]");
}

/** Drops files as a hand does: a DataTransfer on the drop zone. */
async function drop(files) {
  const data = await page.evaluateHandle(
    (given) => {
      const transfer = new DataTransfer();
      for (const { name, bytes } of given)
        transfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
      return transfer;
    },
    files.map(({ name, path, text }) => ({
      name,
      bytes: Buffer.from(text ?? readFileSync(path)).toString("base64"),
    })),
  );
  await page.dispatchEvent("[data-testid=drop]", "dragover", { dataTransfer: data });
  await page.dispatchEvent("[data-testid=drop]", "drop", { dataTransfer: data });
}

const findings = () =>
  page.evaluate(() =>
    document.querySelector(".screen").stage.scene.shapes.map(({ id, colour, mask }) => ({
      id,
      colour,
      drawn: mask !== null,
      pixels: mask ? mask.data.reduce((n, v) => n + (v ? 1 : 0), 0) : 0,
    })),
  );

/** A voxel of a finding's mask that is well inside, and whether it lies in no other. */
const inside = (id) =>
  page.evaluate((own) => {
    const { mask } = document.querySelector(".screen").stage.scene.shapes.find((shape) => shape.id === own);
    const [w, h] = mask.size;
    let best = [0, 0, 0];
    let most = -1;
    for (let y = 2; y < h - 2; y++)
      for (let x = 2; x < w - 2; x++) {
        let n = 0;
        for (let b = -2; b <= 2; b++)
          for (let a = -2; a <= 2; a++) n += mask.data[(y + b) * w + x + a] ? 1 : 0;
        if (n > most) {
          most = n;
          best = [mask.lo[0] + x, mask.lo[1] + y, 0];
        }
      }
    return best;
  }, id);

const FIRST = [
  [
    "drop",
    async () => {
      await start();
      await shot("start");
      await drop([
        { name: "chest.png", path: image },
        { name: "chest.txt", path: report },
      ]);
      await page.waitForSelector(".chosen-files");
      check(
        (await page.inputValue("textarea")) === readFileSync(report, "utf8"),
        "the dropped report is not in the form",
      );
      await page.click(".more summary");
      await page.selectOption(".more-fields select", "CR");
      await page.click("button[type=submit]");
      await page.waitForSelector(".progress");
      await page.waitForSelector(".card.drawn", { timeout: 240_000 }); // they come while the job runs
      await settled(page);
      const drawn = (await findings()).filter((one) => one.drawn);
      check(drawn.length > 0, "nothing was drawn");
      await shot("case-light");
      kept = await page.evaluate(() => location.hash);
    },
  ],
  [
    "said and unsaid",
    async () => {
      const text = await page.textContent("[data-testid=report]");
      check(text.replace(/\d/g, "").includes("pneumothorax"), "the report is not shown");
      const struck = await page.$eval(".phrase.absent", (one) => getComputedStyle(one).textDecorationLine);
      check(struck.includes("line-through"), "a denied finding is not struck through");
      const dotted = await page.$eval(".phrase.uncertain", (one) => getComputedStyle(one).borderBottomStyle);
      check(dotted === "dotted", "an uncertain finding is not dotted");
      const why = await page.textContent(".card.absent .card-state");
      check(why.includes("not there"), "a denied finding does not say why it is not drawn");
      check((await page.$$(".cue")).length > 0, "no cue is underlined");
      const marked = await page.$eval(".phrase .tag", (tag) => {
        tag.closest(".phrase").classList.add("worry"); // as where a check fails
        const grown = tag.scrollHeight - tag.clientHeight;
        tag.closest(".phrase").classList.remove("worry");
        return grown;
      });
      check(marked <= 0, `the mark of a failed check sticks out of the number's box by ${marked} px`);
      check((await page.textContent(".notice")).includes("Not a medical device"), "the notice is missing");
      check((await page.textContent("[data-edge=left]")) === "R", "R is not at the left");
    },
  ],
  [
    "hover and mask",
    async () => {
      const [first] = (await findings()).filter((one) => one.drawn);
      const voxel = await inside(first.id);
      await page.mouse.move(5, 300);
      const calm = await drawnAt(page, voxel);
      check(
        calm[3] > 20 && near(first.colour, calm),
        `the mask is not drawn in its colour: ${calm} for ${first.colour}`,
      );
      await page.hover(`.phrase[data-finding=${first.id}]`);
      const lit = await drawnAt(page, voxel);
      check(lit[3] > calm[3] + 10, `pointing at the phrase does not bring its mask out: ${calm} then ${lit}`);
      await shot("hover");
    },
  ],
  [
    "mask and phrase",
    async () => {
      const [first] = (await findings()).filter((one) => one.drawn);
      const { x, y } = await pointAt(page, await inside(first.id));
      await page.mouse.move(x, y);
      await page.waitForSelector(`.phrase.active[data-finding=${first.id}]`);
      await page.mouse.click(x, y);
      await page.waitForSelector(`.card.chosen [data-card=${first.id}]`);
      await page.keyboard.press("Escape");
      check((await page.$$(".card.chosen")).length === 0, "Escape does not let go");
    },
  ],
  [
    "modes",
    async () => {
      await page.click("text=Difference");
      await page.waitForFunction(() =>
        document.querySelector(".screen").stage.scene.shapes.some(({ free }) => free),
      );
      await shot("difference");
      await page.click("text=Without the report");
      await frame(page);
      await page.click("text=Guided");
      await page.keyboard.press("m");
      await page.waitForFunction(() => document.querySelector(".screen").stage.scene.heat);
      await shot("map");
      await page.keyboard.press("m");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "window and zoom",
    async () => {
      const before = await page.evaluate(() => document.querySelector(".screen").stage.window);
      await page.keyboard.press("c");
      await frame(page);
      const after = await page.evaluate(() => document.querySelector(".screen").stage.window);
      check(before.join() !== after.join(), "a preset does not change the window");
      const [first] = (await findings()).filter((one) => one.drawn);
      const voxel = await inside(first.id);
      const from = await pointAt(page, voxel);
      await page.mouse.move(from.x, from.y);
      await page.mouse.wheel(0, -400);
      const to = await pointAt(page, voxel);
      check(Math.hypot(to.x - from.x, to.y - from.y) < 3, "zooming does not keep what is under the pointer");
      await page.mouse.down();
      await page.mouse.move(from.x + 60, from.y + 40, { steps: 4 });
      await page.mouse.up();
      const moved = await pointAt(page, voxel);
      check(
        Math.hypot(moved.x - to.x - 60, moved.y - to.y - 40) < 5,
        `dragging moves by ${moved.x - to.x}, ${moved.y - to.y}`,
      );
      await page.keyboard.press("0");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "measurements",
    async () => {
      await page.keyboard.press("t");
      await page.waitForSelector(".drawer table tbody tr");
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.click(".drawer button[aria-label=CSV]"),
      ]);
      const text = readFileSync(await file.path(), "utf8");
      check(text.startsWith('"finding","phrase"') && text.includes('"pixels"'), "the CSV is not one");
      await shot("measurements");
      await page.keyboard.press("t");
    },
  ],
  [
    "download",
    async () => {
      await page.keyboard.press("d");
      await page.waitForSelector("dialog .formats");
      const off = await page.$eval("[data-format=dicom-seg]", (one) => one.disabled);
      check(off, "DICOM is offered for a picture that is no DICOM");
      for (const [format, begins] of [
        ["zip", "PK"],
        ["png", "PK"],
        ["json", "{"],
        ["overlay", "\x89PNG"],
      ]) {
        const [file] = await Promise.all([
          page.waitForEvent("download"),
          page.click(`[data-format=${format}]`),
        ]);
        const head = readFileSync(await file.path())
          .subarray(0, 4)
          .toString("latin1");
        // One mask alone comes as itself.
        check(
          head.startsWith(begins) || (format === "png" && head.startsWith("\x89PNG")),
          `${format} begins with ${head}`,
        );
      }
      await page.keyboard.press("Escape");
    },
  ],
  [
    "accessible, light",
    async () => {
      const found = await faultsOf(page);
      check(!found.length, found.join("\n"));
    },
  ],
  [
    "accessible, dark",
    async () => {
      await page.emulateMedia({ colorScheme: "dark" });
      await page.click(".card.drawn .card-main");
      await frame(page);
      const found = await faultsOf(page);
      check(!found.length, found.join("\n"));
      await shot("case-dark");
      await page.keyboard.press("?");
      await page.waitForSelector("dialog .help");
      const help = await faultsOf(page);
      check(!help.length, help.join("\n"));
      await shot("help-dark");
      await page.keyboard.press("Escape");
      await page.emulateMedia({ colorScheme: "light" });
    },
  ],
  [
    "tablet",
    async () => {
      await page.setViewportSize({ width: 820, height: 1180 });
      await frame(page);
      const [wide, clipped] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        [...document.querySelectorAll("button, .segments label")].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
        }).length,
      ]);
      check(wide <= 820 && clipped === 0, `the page is ${wide} px wide, ${clipped} buttons lie outside`);
      await shot("tablet");
      await page.setViewportSize({ width: 1280, height: 720 });
    },
  ],
  [
    "keys only",
    async () => {
      await page.goto(`${base}/`);
      await page.waitForSelector(".recent-open");
      for (let n = 0; n < 40; n++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement?.matches(".recent-open"))) break;
      }
      await page.keyboard.press("Enter");
      await settled(page);
      await page.keyboard.press("j");
      await page.waitForSelector(".card.chosen");
      const first = await page.getAttribute(".card.chosen [data-card]", "data-card");
      await page.keyboard.press("j");
      await page.waitForFunction(
        (id) => document.querySelector(".card.chosen [data-card]")?.dataset.card !== id,
        first,
      );
      await page.keyboard.press("k");
      await page.keyboard.press("i");
      check(
        await page.evaluate(() => document.activeElement?.matches(".screen")),
        "I does not go to the image",
      );
      const before = await page.evaluate(() => document.querySelector(".screen").stage.voxel);
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Shift+ArrowDown");
      const after = await page.evaluate(() => document.querySelector(".screen").stage.voxel);
      check(
        after[0] - before[0] === 1 && after[1] - before[1] === 10,
        `the cross went from ${before} to ${after}`,
      );
      await page.keyboard.press("r");
      check(
        await page.evaluate(() => document.activeElement?.matches(".phrase")),
        "R does not go to the report",
      );
      await page.keyboard.press("Escape");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".phrase[aria-pressed=true]");
      await page.keyboard.press("3");
      check(await page.isChecked(".segments label:nth-of-type(3) input"), "3 does not show the difference");
      await page.keyboard.press("1");
      await page.keyboard.press("?");
      await page.waitForSelector("dialog[open]");
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog[open]", { state: "detached" });
    },
  ],
  [
    "an error",
    async () => {
      await start();
      await drop([{ name: "no.png", text: "this is no picture" }]);
      await page.waitForSelector(".chosen-files");
      await page.click("button[type=submit]");
      await page.waitForSelector(".toast.error");
      check((await page.textContent(".toast.error")).length > 20, "the error says nothing");
      check(await page.isEnabled("button[type=submit]"), "the form is dead after an error");
      await shot("error");
      await page.goto(`${base}/#/job/jAAAAAAAAAAAAAAAAAAAAAA`);
      await page.reload();
      await page.waitForSelector(".problem");
      await page.click(".problem button:has-text('New case')");
      await page.waitForSelector(".hero");
      const found = await faultsOf(page);
      check(!found.length, found.join("\n"));
    },
  ],
  [
    "cancel",
    async () => {
      const signal = (name) => {
        for (const pid of workers)
          try {
            process.kill(pid, name);
          } catch {
            // the server ended it: it did not stop in time
          }
      };
      await start();
      signal("SIGSTOP"); // however slow this page is, the job does not end before it is stopped
      try {
        await page.click("[data-example=volume]");
        await page.waitForSelector(".progress button");
        await page.click(".progress button");
        await page.waitForSelector(".problem.calm");
      } finally {
        signal("SIGCONT");
      }
      check((await page.textContent(".problem h2")) === "Stopped", "a stopped case does not say so");
      await shot("stopped");
    },
  ],
  [
    "recent cases",
    async () => {
      await start();
      await page.waitForSelector(".recent-open .state.cancelled");
      await page.click(".recent-open:has(.state.done)");
      await page.waitForFunction((hash) => location.hash === hash, kept);
      await settled(page);
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

const AGAIN = [
  [
    "after a restart",
    async () => {
      await page.goto(`${base}/${hash}`);
      await settled(page);
      const drawn = (await findings()).filter((one) => one.drawn);
      check(drawn.length > 0, "the masks have gone");
      const colour = await drawnAt(page, await inside(drawn[0].id));
      check(near(drawn[0].colour, colour), "the mask is not drawn again");
      check((await page.textContent("[data-testid=report]")).length > 50, "the report has gone");
      check(!faults.length, faults.join("\n"));
    },
  ],
];

/** Opens the case of the first visit and chooses its first finding. */
async function choose() {
  await page.goto(`${base}/${hash}`);
  await settled(page);
  const [first] = (await findings()).filter((one) => one.drawn);
  await page.click(`[data-card=${first.id}]`);
  return first;
}

const CLICK = [
  [
    "click",
    async () => {
      const first = await choose();
      await page.keyboard.press("x");
      const { x, y } = await pointAt(page, await inside(first.id));
      await page.mouse.click(x, y);
      await page.waitForSelector(".badge:has-text('Edited')", { timeout: 240_000 });
      await settled(page);
      const [now] = (await findings()).filter((one) => one.id === first.id);
      check(now.pixels !== first.pixels, "a click changed nothing");
      await shot("clicked");
      await page.keyboard.press("u");
      await page.waitForSelector(".badge:has-text('Edited')", { state: "detached" });
      await settled(page);
      const [undone] = (await findings()).filter((one) => one.id === first.id);
      check(undone.pixels === first.pixels, "undo does not bring the mask back");
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

const HAND = [
  [
    "other answers",
    async () => {
      const first = await choose();
      await page.keyboard.press("g"); // without clicks there is nothing to answer otherwise
      await page.waitForSelector(".toast:has-text('point or a box')");
      await page.keyboard.press("a");
      const voxel = await inside(first.id);
      const { x, y } = await pointAt(page, voxel);
      await page.mouse.click(x, y);
      await page.waitForSelector(".badge:has-text('Edited')", { timeout: 240_000 });
      await settled(page);
      const [clicked] = (await findings()).filter((one) => one.id === first.id);
      await page.keyboard.press("g");
      await page.waitForSelector("dialog .answers canvas.ready", { timeout: 240_000 });
      await page.waitForFunction(() => document.querySelectorAll(".answers canvas:not(.ready)").length === 0);
      await frame(page);
      const offers = await page.$$eval(".answers button", (buttons) =>
        buttons.map((one) => Number(/(\d+) pixels/.exec(one.textContent)?.[1] ?? 0)),
      );
      check(offers.length >= 1 && offers.length <= 5, `${offers.length} answers are offered`);
      check(
        new Set([clicked.pixels, ...offers]).size === offers.length + 1,
        `answers do not differ: ${offers} pixels, the mask has ${clicked.pixels}`,
      );
      const names = await page.$$eval(".answers button", (all) => all.map((one) => one.textContent));
      check(new Set(names).size === names.length, `two answers have one name: ${names}`);
      // The mask's colour is in every picture that has a mask, the image's greys are in all of them.
      const seen = await page.$$eval(".answers canvas", (all) =>
        all.map((canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let [coloured, grey] = [0, 0];
          for (let n = 0; n < data.length; n += 4) {
            const apart =
              Math.max(data[n], data[n + 1], data[n + 2]) - Math.min(data[n], data[n + 1], data[n + 2]);
            if (apart > 60) coloured++;
            else if (data[n] > 30) grey++;
          }
          return { coloured, grey };
        }),
      );
      seen.forEach(({ coloured, grey }, n) => {
        check(coloured > 50 === offers[n] > 0, `picture ${n} of ${offers[n]} pixels shows ${coloured}`);
        check(grey > 1000, `picture ${n} does not show the image`);
      });
      await shot("answers");
      const found = await faultsOf(page);
      check(!found.length, found.join("\n"));
      const taken = offers.length - 1;
      await page.keyboard.press(`${taken + 1}`);
      await page.waitForSelector("dialog", { state: "detached" });
      const pixelsAre = (wanted) =>
        page.waitForFunction(
          ([id, pixels]) => {
            const shape = document.querySelector(".screen").stage.scene.shapes.find((one) => one.id === id);
            return shape.mask && shape.mask.data.reduce((n, v) => n + (v ? 1 : 0), 0) === pixels;
          },
          [first.id, wanted],
          { timeout: 240_000 },
        );
      await pixelsAre(offers[taken]);
      await settled(page);
      await page.keyboard.press("u");
      await pixelsAre(clicked.pixels);
      await settled(page);
      await page.keyboard.press("u");
      await page.waitForSelector(".badge:has-text('Edited')", { state: "detached" });
      await pixelsAre(first.pixels);
      await settled(page);
    },
  ],
  [
    "brush",
    async () => {
      const [first] = (await findings()).filter((one) => one.drawn);
      const voxel = await inside(first.id);
      await page.keyboard.press("p");
      const { x, y } = await pointAt(page, [voxel[0] - 60, voxel[1] + 60, 0]);
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x + 30, y, { steps: 5 });
      await page.mouse.up();
      await page.waitForSelector(".badge:has-text('Edited')");
      await settled(page);
      const [painted] = (await findings()).filter((one) => one.id === first.id);
      check(painted.pixels > first.pixels + 50, `the brush painted ${painted.pixels - first.pixels} pixels`);
      await page.keyboard.press("e");
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x + 30, y, { steps: 5 });
      await page.mouse.up();
      await page.waitForFunction(() => !document.querySelector(".banner .spinner"));
      await settled(page);
      const [erased] = (await findings()).filter((one) => one.id === first.id);
      check(
        Math.abs(erased.pixels - first.pixels) < 10,
        `the eraser left ${erased.pixels - first.pixels} pixels`,
      );
    },
  ],
  [
    "accept and save",
    async () => {
      await page.keyboard.press("Shift+K");
      await page.waitForSelector(".badge.good");
      const before = await page.evaluate(() => location.hash);
      await page.click("button[aria-label=Save]");
      await page.waitForFunction((old) => location.hash !== old, before);
      await settled(page);
      check((await page.$$(".badge.good")).length === 1, "the saved case has lost that it was accepted");
      await page.keyboard.press("d");
      const [file] = await Promise.all([page.waitForEvent("download"), page.click("[data-format=json]")]);
      const told = JSON.parse(readFileSync(await file.path(), "utf8"));
      check(
        told.findings.some(({ review }) => review?.accepted),
        "the download does not hold the correction",
      );
      await page.keyboard.press("Escape");
    },
  ],
  [
    "a phrase that is shown",
    async () => {
      await page.waitForSelector("dialog", { state: "detached" });
      await page.keyboard.press("n");
      await page.fill("dialog input", "lung");
      await page.click("dialog button:has-text('Show where it is')");
      await page.waitForSelector(".banner");
      const before = (await findings()).length;
      const { x, y } = await pointAt(page, [150, 330, 0]);
      await page.mouse.click(x, y);
      await page.waitForFunction((n) => document.querySelectorAll(".card").length === n + 1, before, {
        timeout: 240_000,
      });
      await page.waitForSelector(".banner", { state: "detached" });
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

/** Presses and drags in the slices of the cut, from one voxel to another. */
async function stroke(from, to) {
  const [a, b] = [await pointAt(page, from), await pointAt(page, to)];
  await page.mouse.move(a.x, a.y);
  await page.mouse.down();
  await page.mouse.move(b.x, b.y, { steps: 4 });
  await page.mouse.up();
}

const countIs = (id, test, than) =>
  page.waitForFunction(
    ([own, way, before]) => {
      if (document.querySelector(".banner .spinner")) return false;
      const shape = document.querySelector(".screen").stage.scene.shapes.find((one) => one.id === own);
      const now = shape.mask?.data.reduce((n, v) => n + (v ? 1 : 0), 0) ?? 0;
      return way === "more" ? now > before : way === "less" ? now < before : now === before;
    },
    [id, test, than],
    { timeout: 240_000 },
  );

/** How many voxels of a finding's mask each slice has. */
const slicesOf = (id, cut) =>
  page.evaluate(
    ([own, axis]) => {
      const { stage } = document.querySelector(".screen");
      const { mask } = stage.scene.shapes.find((shape) => shape.id === own);
      const counts = new Array(stage.turn.dims[axis]).fill(0);
      const [w, h] = mask.size;
      mask.data.forEach((value, n) => {
        const at = [n % w, Math.floor(n / w) % h, Math.floor(n / (w * h))];
        if (value) counts[at[axis] + mask.lo[axis]]++;
      });
      return counts;
    },
    [id, cut],
  );

const VOLUME = [
  [
    "a volume",
    async () => {
      if (hash) await page.goto(`${base}/${hash}`);
      else {
        await start();
        await page.click("[data-example=volume]");
        await page.waitForSelector(".card.drawn", { timeout: 600_000 });
      }
      await settled(page, 600_000);
      const told = await page.evaluate(() => {
        const { stage } = document.querySelector(".screen");
        return { tiles: stage.tiles.length, deep: stage.deep !== null };
      });
      check(told.tiles === 3 && told.deep, `a volume has ${told.tiles} planes, 3D: ${told.deep}`);
      await shot("volume");
    },
  ],
  [
    "a click in a volume",
    async () => {
      const [first] = (await findings()).filter((one) => one.drawn);
      await page.click(`[data-card=${first.id}]`);
      const { here, cut } = await page.evaluate(() => {
        const { stage } = document.querySelector(".screen");
        return { here: stage.voxel, cut: stage.scene.cut };
      });
      const before = await slicesOf(first.id, cut);
      check(before[here[cut]] > 0, "the finding's slice does not show it");
      await page.keyboard.press("x");
      const { x, y } = await pointAt(page, here);
      await page.mouse.click(x, y);
      await page.waitForSelector(".badge:has-text('Edited')", { timeout: 240_000 });
      await settled(page);
      const after = await slicesOf(first.id, cut);
      const changed = after.flatMap((n, at) => (n === before[at] ? [] : [at]));
      check(changed.includes(here[cut]), `the slice ${here[cut]} is as before; changed: ${changed}`);
      check(
        changed.includes(here[cut] - 1) || changed.includes(here[cut] + 1),
        `the slices beside ${here[cut]} are as before: ${before} then ${after}`,
      );
      await shot("volume-click");
      await page.keyboard.press("u");
      await page.waitForSelector(".badge:has-text('Edited')", { state: "detached", timeout: 240_000 });
      await settled(page);
      const undone = await slicesOf(first.id, cut);
      check(undone.join() === before.join(), `undo left ${undone} of ${before}`);
      await page.keyboard.press("Escape");
    },
  ],
  [
    "brush and eraser",
    async () => {
      const [first] = (await findings()).filter((one) => one.drawn);
      await page.click(`[data-card=${first.id}]`);
      await page.keyboard.press("p");
      const { here, cut, dims } = await page.evaluate(() => {
        const { stage } = document.querySelector(".screen");
        return { here: stage.voxel, cut: stage.scene.cut, dims: stage.turn.dims };
      });
      // Along one of the slice's own axes, in a corner where nothing is drawn.
      const along = [0, 1, 2].find((axis) => axis !== cut);
      const from = dims.map((size, axis) => (axis === cut ? here[axis] : Math.round(size * 0.08)));
      const to = [...from];
      to[along] += Math.round(dims[along] * 0.15);
      const inMask = (voxel) =>
        page.evaluate(
          ([id, at]) => {
            const { mask } = document
              .querySelector(".screen")
              .stage.scene.shapes.find((one) => one.id === id);
            const [x, y, z] = at.map((n, axis) => n - mask.lo[axis]);
            const [w, h, d] = mask.size;
            if (x < 0 || y < 0 || z < 0 || x >= w || y >= h || z >= d) return 0;
            return mask.data[(z * h + y) * w + x];
          },
          [first.id, voxel],
        );
      check(!(await inMask(to)), "the corner is no empty one");
      await stroke(from, to);
      await countIs(first.id, "more", first.pixels);
      await settled(page);
      check((await inMask(from)) && (await inMask(to)), "the brush painted elsewhere");
      const beside = [...to];
      beside[cut] += here[cut] > 0 ? -1 : 1;
      check(!(await inMask(beside)), "the brush painted other slices");
      const [painted] = (await findings()).filter((one) => one.id === first.id);
      await shot("volume-brush");
      await page.keyboard.press("e");
      await stroke(from, to);
      await countIs(first.id, "less", painted.pixels);
      await settled(page);
      check(!(await inMask(from)) && !(await inMask(to)), "the eraser took nothing away");
      // In another plane nothing is painted, and the page says why.
      await page.keyboard.press("p");
      const other = await page.evaluate(() => {
        const { stage } = document.querySelector(".screen");
        const { rect } = stage.tiles.find(({ axis }) => axis !== stage.scene.cut);
        const box = stage.sheet.getBoundingClientRect();
        return { x: box.left + rect.left + rect.width / 2, y: box.top + rect.top + rect.height / 2 };
      });
      await page.mouse.click(other.x, other.y);
      await page.waitForSelector(".toast:has-text('other plane')");
      await page.keyboard.press("u");
      await countIs(first.id, "same", painted.pixels);
      await page.keyboard.press("u");
      await countIs(first.id, "same", first.pixels);
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

const LARGE = [
  [
    "a large volume",
    async () => {
      await page.goto(`${base}/${hash}`);
      await settled(page);
      const told = await page.evaluate(() => {
        const { stage } = document.querySelector(".screen");
        return { tiles: stage.tiles.length, deep: stage.deep !== null, cut: stage.scene.cut };
      });
      check(told.tiles === 3, `a volume has ${told.tiles} planes`);
      check(!told.deep, "3D of a large volume is drawn without a graphics card");
      await page.waitForSelector("text=no graphics card");
      const before = await page.evaluate(() => document.querySelector(".screen").stage.voxel);
      await page.keyboard.press("PageUp");
      const after = await page.evaluate(() => document.querySelector(".screen").stage.voxel);
      check(after[told.cut] !== before[told.cut], "Page Up does not change the slice");
      const [first] = (await findings()).filter((one) => one.drawn);
      const colour = await drawnAt(page, after);
      check(colour[3] > 20 && near(first.colour, colour), `the mask is not drawn in the plane: ${colour}`);
      await shot("volume-large");
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

await walk(
  { first: FIRST, click: CLICK, again: AGAIN, hand: HAND, volume: VOLUME, large: LARGE }[part] ?? [],
);
if (kept) console.log(JSON.stringify({ step: "hash", ok: true, hash: kept }));
await browser.close();
