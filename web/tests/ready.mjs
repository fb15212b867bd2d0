/** Prints how long a case takes to open: `node web/tests/ready.mjs http://127.0.0.1:1527/#/job/ID [times]`. */

import { browse } from "./browser/lib.mjs";

const [url, times = "3"] = process.argv.slice(2);
if (!url) {
  console.error("give the address of a case that is done, as the browser shows it");
  process.exit(2);
}
for (let n = 0; n < Number(times); n++) {
  const { browser, page } = await browse();
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("medsegr-image").length > 0);
  const told = await page.evaluate(() => {
    const [page] = performance.getEntriesByType("navigation");
    const image = performance.getEntriesByName("medsegr-image")[0].startTime;
    return { loaded: Math.round(page.domContentLoadedEventEnd), image: Math.round(image) };
  });
  console.log(
    JSON.stringify({ loaded_ms: told.loaded, image_ms: told.image, ready_ms: told.image - told.loaded }),
  );
  await browser.close();
}
