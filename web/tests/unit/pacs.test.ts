import assert from "node:assert/strict";
import { test } from "node:test";
import { dateText, rangeOf } from "../../src/ui/pacs.tsx";

test("a range of days is DICOM's, open where one is not given", () => {
  assert.equal(rangeOf("", ""), "");
  assert.equal(rangeOf("2026-01-05", ""), "20260105-");
  assert.equal(rangeOf("", "2026-02-01"), "-20260201");
  assert.equal(rangeOf("2026-01-05", "2026-01-05"), "20260105-20260105");
});

test("a day of DICOM is written for people, anything else as it came", () => {
  assert.equal(dateText("20260105"), "2026-01-05");
  assert.equal(dateText("1.2.2026"), "1.2.2026");
  assert.equal(dateText(null), "");
});
