/** A DICOMweb server searched, a series fetched and drawn, the result sent back; several series in one drop. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { browse, check, faultsOf, settled, walk } from "./lib.mjs";

const { base, part, folder, study, series, key, shots } = JSON.parse(process.argv[2]);
const { browser, page, faults } = await browse({ colorScheme: "light" });
const shot = async (name) => shots && (await page.screenshot({ path: join(shots, `${name}.png`) }));
const accessible = async (what) => {
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    const found = await faultsOf(page);
    check(!found.length, `${what}, ${colorScheme}: ${found.join("\n")}`);
  }
};

async function begin() {
  await page.goto(`${base}/`);
  if (key) {
    await page.waitForSelector("dialog input[type=password]");
    await page.fill("dialog input[type=password]", key);
    await page.click("dialog button[type=submit]");
  }
  await page.waitForSelector("[data-testid=drop]");
}

/** Files of a folder dropped as a hand does. */
async function drop() {
  const files = readdirSync(folder).map((name) => ({
    name,
    bytes: readFileSync(join(folder, name)).toString("base64"),
  }));
  const data = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    for (const { name, bytes } of given)
      transfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
    return transfer;
  }, files);
  await page.dispatchEvent("[data-testid=drop]", "drop", { dataTransfer: data });
  await page.waitForSelector(".chosen-files");
}

const PACS = [
  [
    "search",
    async () => {
      await begin();
      await page.click("button:has-text('Search a PACS')");
      await page.waitForSelector("dialog .pacs-form");
      await page.fill("dialog [name=PatientID]", "nobody");
      await page.keyboard.press("Enter");
      await page.waitForSelector("dialog .empty");
      await page.fill("dialog [name=PatientID]", "PLANTED*");
      await page.fill("dialog [name=from]", "2020-01-01");
      await page.keyboard.press("Enter");
      await page.waitForSelector(`[data-study="${study}"]`);
      const row = await page.textContent(`[data-study="${study}"]`);
      check(row.includes("2020-01-02") && row.includes("DX"), `the study is told as ${row}`);
      await page.focus(`[data-study="${study}"]`);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`[data-pull="${series}"]`);
      check((await page.$$("[data-pull]")).length === 1, "a report is offered as an image");
      await shot("pacs-search");
      await accessible("search");
    },
  ],
  [
    "tablet",
    async () => {
      await page.setViewportSize({ width: 820, height: 1180 });
      const wide = await page.evaluate(() => {
        const box = document.querySelector("dialog");
        return [box.scrollWidth - box.clientWidth, document.documentElement.scrollWidth];
      });
      check(wide[0] <= 0 && wide[1] <= 820, `the sheet is wider than a tablet: ${wide}`);
      await page.setViewportSize({ width: 1280, height: 720 });
    },
  ],
  [
    "fetch and draw",
    async () => {
      await page.click(`[data-pull="${series}"]`);
      await page.waitForSelector("[data-testid=fetched]", { timeout: 240_000 });
      check((await page.$$("dialog")).length === 0, "the sheet stays open");
      await page.fill("textarea", "Nodule in the right upper zone.");
      await shot("pacs-fetched");
      await page.click("button[type=submit]");
      await page.waitForSelector(".card", { timeout: 240_000 });
      await settled(page);
      check((await page.textContent(".about")).includes("192 × 192"), "another image came");
    },
  ],
  [
    "send",
    async () => {
      await page.keyboard.press("d");
      await page.waitForSelector("[data-testid=send]");
      await accessible("send");
      await page.click("[data-testid=send]");
      await page.waitForSelector("[data-sent]", { timeout: 240_000 });
      const told = await page.$$eval("[data-sent]", (rows) => rows.map((row) => row.textContent));
      check(told.length === 2 && told.every((row) => /: stored$/.test(row)), `told: ${told.join("; ")}`);
      await shot("pacs-sent");
    },
  ],
  ["no fault", async () => check(!faults.length, faults.join("\n"))],
];

const WRITE = [
  [
    "a key that may not store",
    async () => {
      await begin();
      await page.click(".recent-open:has(.state.done)");
      await settled(page);
      await page.keyboard.press("d");
      await page.waitForSelector(".send");
      check((await page.textContent(".send")).includes("role admin"), "nobody says which role is missing");
      check((await page.$$("[data-testid=send]")).length === 0, "sending is offered to whoever may not");
    },
  ],
];

const DOWN = [
  [
    "a server that is not there",
    async () => {
      await begin();
      await page.click("button:has-text('Search a PACS')");
      await page.click("dialog .pacs-form button[type=submit]");
      await page.waitForSelector("dialog [role=alert]", { timeout: 240_000 });
      check((await page.textContent("dialog [role=alert]")).length > 20, "the error says nothing");
      check(await page.isEnabled("dialog .pacs-form button[type=submit]"), "the form is dead after an error");
      await shot("pacs-down");
      await accessible("an error");
    },
  ],
];

const SERIES = [
  [
    "several series",
    async () => {
      await begin();
      await drop();
      await page.fill("textarea", "Nodule in the right upper zone.");
      await page.click(".go button[type=submit]");
      await page.waitForSelector("[data-series]", { timeout: 240_000 });
      check((await page.$$("[data-series]")).length === 2, "not every series is offered");
      await shot("series");
      await accessible("series");
      const other = await page.$eval("[data-series]:not(:has(:checked))", (one) => one.dataset.series);
      await page.focus("dialog [data-series] input:checked");
      await page.keyboard.press("ArrowDown"); // there are two, and it goes round
      check(await page.isChecked(`[data-series="${other}"] input`), "keys do not choose a series");
      const title = await page.textContent(`[data-series="${other}"]`);
      await page.keyboard.press("Enter");
      await page.waitForSelector(".card", { timeout: 240_000 });
      await settled(page);
      const size = /(\d+) x (\d+)/.exec(title);
      const about = await page.textContent(".about");
      check(about.includes(`${size[1]} × ${size[2]}`), `${title} was chosen, ${about} came`);
    },
  ],
];

await walk({ pacs: PACS, write: WRITE, down: DOWN, series: SERIES }[part] ?? []);
await browser.close();
