/** Nothing is lost unasked: a reload in the middle of correcting, a look elsewhere, a slip at "delete"; small windows. */

import { join } from "node:path";
import { browse, check, faultsOf, frame, pointAt, settled, walk } from "./lib.mjs";

const { base, hash, shots } = JSON.parse(process.argv[2]);
const { browser, page, faults } = await browse({ colorScheme: "light" });
const shot = async (name) => shots && (await page.screenshot({ path: join(shots, `${name}.png`) }));
const edited = () => page.waitForSelector(".badge:has-text('Edited')", { timeout: 240_000 });
const job = hash.split("/").at(-1);
const ask = async (path) => await (await fetch(`${base}${path}`)).json();
const status = async (path) => (await fetch(`${base}${path}`)).status;

async function open() {
  await page.goto(`${base}/${hash}`);
  await settled(page);
}

const KEPT = [
  [
    "reload",
    async () => {
      await open();
      await page.keyboard.press("Shift+K");
      await page.waitForSelector(".toast:has-text('Choose a finding')");
      const accept = await page.getAttribute("button[aria-label=Accept]", "title");
      check(accept.includes("Shift K"), `the tip of Accept names another key: ${accept}`);
      await page.click("[data-card=f1]");
      const tall = () => page.$eval(".screen", (one) => one.clientHeight);
      const before = await tall();
      await page.keyboard.press("a");
      const { x, y } = await pointAt(page, [30, 40, 0]);
      await page.mouse.click(x, y);
      await edited();
      await settled(page);
      check((await tall()) === before, "the image jumps when there is something to save");
      await page.reload();
      await page.waitForSelector(".toast:has-text('not saved yet')", { timeout: 240_000 });
      await edited();
      await settled(page);
      check(await page.isEnabled("button[aria-label=Save]"), "what is back cannot be saved");
      await shot("kept");
    },
  ],
  [
    "a look elsewhere",
    async () => {
      await page.keyboard.press("h");
      await page.waitForSelector("button[aria-label='Show the masks']");
      await page.click(".brand");
      await page.waitForSelector(".recent-open");
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await edited();
      await settled(page);
      check(
        await page.isVisible("button[aria-label='Hide the masks']"),
        "masks of another visit stay hidden",
      );
    },
  ],
  [
    "doubts stay",
    async () => {
      const said = await page.textContent("[data-testid=unread]");
      check(said.includes("A passage") && said.includes("not understood"), `unread is told as ${said}`);
      const name = await page.getAttribute(".report .unread", "aria-label");
      check(name.startsWith("Not understood"), "who hears the report is not told what was not understood");
      const found = await faultsOf(page);
      check(!found.length, found.join("\n"));
    },
  ],
  [
    "saved is no longer unsaved",
    async () => {
      await page.click("button[aria-label=Save]");
      await page.waitForFunction((old) => location.hash !== old && location.hash.length > 5, hash);
      await settled(page);
      await edited();
      await open();
      check((await page.$$(".badge:has-text('Edited')")).length === 0, "the first result was changed");
      check(await page.isDisabled("button[aria-label=Save]"), "what was saved is offered to be saved again");
    },
  ],
  [
    "small windows",
    async () => {
      for (const [width, height] of [
        [390, 844],
        [640, 360], // 1280 x 720 at 200 %
      ]) {
        await page.setViewportSize({ width, height });
        await frame(page);
        const seen = await page.evaluate(() => {
          const box = (name) => document.querySelector(name).getBoundingClientRect();
          const out = [...document.querySelectorAll("button, .segments label, select")].filter((one) => {
            const { width, left, right } = one.getBoundingClientRect();
            return width > 0 && (right > innerWidth + 1 || left < -1);
          });
          const pane = document.querySelector(".case");
          return {
            wide: document.documentElement.scrollWidth,
            out: out.map((one) => one.ariaLabel ?? one.textContent),
            image: box(".screen").height,
            first: box(".stage-pane").top < box(".words").top,
            scrolls: pane.scrollHeight > pane.clientHeight,
          };
        });
        check(seen.wide <= width && !seen.out.length, `${width} px: ${JSON.stringify(seen)}`);
        check(seen.image >= 180, `the image has ${seen.image} px at ${width} x ${height}`);
        check(seen.first && seen.scrolls, `the words cannot be reached at ${width} x ${height}`);
        await shot(`small-${width}`);
      }
      await page.setViewportSize({ width: 1280, height: 720 });
    },
  ],
  [
    "delete asks once more",
    async () => {
      const { image } = await ask(`/v1/jobs/${job}`);
      await page.click(".brand");
      await page.waitForSelector(".recent-open");
      const first = ".recent li:last-child button:last-child"; // the case that was drawn first
      await page.click(first);
      await page.waitForSelector(`${first}.bad`);
      check((await status(`/v1/jobs/${job}`)) === 200, "one click deletes a case");
      await page.focus(".recent-open");
      await page.waitForSelector(`${first}:not(.bad)`);
      await page.click(first);
      await page.click(first);
      await page.waitForFunction(() => document.querySelectorAll(".recent li").length === 1);
      check((await status(`/v1/jobs/${job}`)) === 404, "the case is still there");
      check((await status(`/v1/images/${image}`)) === 200, "the image of another case was deleted");
      await page.click(first);
      await page.click(first);
      await page.waitForSelector(".recent li", { state: "detached" });
      check((await status(`/v1/images/${image}`)) === 404, "the image outlives its last case");
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

await walk(KEPT);
await browser.close();
