import assert from "node:assert/strict";
import { test } from "node:test";
import { largestOf } from "../../src/overlay.ts";
import { remember, sessionOf } from "../../src/unsaved.ts";
import { noteOf, notesOf } from "../../src/words.ts";

test("a tab knows the session of each case that it corrects, and forgets what was saved", () => {
  assert.equal(sessionOf("j1"), null);
  remember("j1", "s1");
  remember("j2", "s2");
  remember("j1", "s3");
  assert.deepEqual([sessionOf("j1"), sessionOf("j2")], ["s3", "s2"]);
  remember("j1", null);
  assert.deepEqual([sessionOf("j1"), sessionOf("j2")], [null, "s2"]);
  for (let n = 0; n < 40; n++) remember(`k${n}`, "s");
  assert.equal(sessionOf("j2"), null);
  assert.equal(sessionOf("k39"), "s");
});

test("a note of a finding goes to its card, without the finding's id", () => {
  const made = { code: "phantom_only", message: "f4: learned from made images only" };
  const whole = { code: "modality_supposed", message: "f is no finding: taken as CT" };
  assert.deepEqual(noteOf(made), { finding: "f4", text: "Learned from made images only" });
  assert.equal(noteOf(whole).finding, null);
  assert.deepEqual(notesOf("f4", [whole, made]), [
    { name: "Made images", text: "Learned from made images only" },
  ]);
  assert.deepEqual(notesOf("f40", [made]), []);
});

test("a number stands at the largest piece, not between the pieces", () => {
  const square = (x: number, y: number, wide: number): [number, number][] => [
    [x, y],
    [x + wide, y],
    [x + wide, y + wide],
    [x, y + wide],
  ];
  assert.equal(largestOf([]), null);
  assert.deepEqual(largestOf([square(0, 0, 2), square(50, 60, 10), square(90, 0, 3)]), [50, 60, 60, 70]);
});
