import assert from "node:assert/strict";
import { test } from "node:test";
import { phrasesOf, piecesOf, unitsOf } from "../../src/spans.ts";
import type { Finding, Span } from "../../src/types.ts";

const TEXT = "FINDINGS:\nSmall nodule in the left upper zone. No effusion.";

function finding(id: string, text: string, phrase: string, cues: [string, string][] = []): Finding {
  const at = (words: string): Span => [text.indexOf(words), text.indexOf(words) + words.length];
  return {
    id,
    phrase,
    span: at(phrase),
    mentions: [],
    cues: cues.map(([words, kind]) => ({ span: at(words), kind })),
  } as unknown as Finding;
}

const NODULE = finding("f1", TEXT, "Small nodule in the left upper zone", [
  ["Small", "shape"],
  ["left", "location"],
]);
const EFFUSION = finding("f2", TEXT, "effusion", [["No", "negation"]]);

test("pieces together are the text, whatever overlaps", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const findings = Array.from({ length: random(6) }, (_, n) => {
      const [a, b] = [random(TEXT.length + 1), random(TEXT.length + 1)];
      const span: Span = [Math.min(a, b), Math.max(a, b)];
      const cue: Span = [random(TEXT.length), random(TEXT.length + 20)];
      return {
        id: `f${n}`,
        phrase: TEXT.slice(...span),
        span,
        mentions: [],
        cues: [{ span: cue, kind: "x" }],
      };
    }) as unknown as Finding[];
    const pieces = piecesOf(TEXT, findings, [{ name: "findings", span: [10, TEXT.length] }]);
    assert.equal(pieces.map(({ text }) => text).join(""), TEXT);
    for (const one of findings.filter(({ phrase }) => phrase)) {
      const own = pieces.filter(({ findings: ids }) => ids.includes(one.id)).map(({ text }) => text);
      assert.equal(own.join(""), one.phrase);
    }
  }
});

test("a cue inside a phrase does not break the phrase", () => {
  const groups = phrasesOf(piecesOf(TEXT, [NODULE, EFFUSION]));
  const own = groups.filter((group) => group.finding === "f1");
  assert.equal(own.length, 1);
  assert.equal(own[0]?.pieces.map(({ text }) => text).join(""), NODULE.phrase);
  assert.deepEqual(
    own[0]?.pieces.flatMap(({ cues }) => cues.map(({ kind }) => kind)),
    ["shape", "location"],
  );
});

test("a cue outside of its phrase is marked too", () => {
  const piece = piecesOf(TEXT, [EFFUSION]).find(({ text }) => text === "No");
  assert.deepEqual(piece?.cues, [{ finding: "f2", kind: "negation" }]);
  assert.deepEqual(piece?.findings, []);
});

test("of two phrases the shorter one is in front", () => {
  const inner = finding("f3", TEXT, "left upper zone");
  const piece = piecesOf(TEXT, [NODULE, inner]).find(({ text }) => text.startsWith("left"));
  assert.deepEqual(piece?.findings, ["f3", "f1"]);
});

test("headings are found before their section", () => {
  const start = TEXT.indexOf("Small");
  const pieces = piecesOf(TEXT, [], [{ name: "findings", span: [start, TEXT.length] }]);
  assert.deepEqual(
    pieces.filter(({ heading }) => heading).map(({ text }) => text),
    ["FINDINGS:"],
  );
});

test("offsets are those of Python, also behind letters beyond 16 bits", () => {
  const text = "𝛼-fetoprotein raised. Liver lesion.";
  const unit = unitsOf(text);
  assert.equal(text.slice(unit(22), unit(34)), "Liver lesion");
  assert.equal(unit(1000), text.length);
  const lesion = { id: "f1", phrase: "Liver lesion", span: [22, 34], mentions: [], cues: [] };
  const pieces = piecesOf(text, [lesion as unknown as Finding]);
  assert.equal(pieces.find(({ findings }) => findings.length)?.text, "Liver lesion");
});

test("a finding drawn by hand is nowhere in the report", () => {
  const drawn = { ...NODULE, id: "f9", phrase: "polyp", span: [0, 5] } as Finding;
  assert.ok(piecesOf(TEXT, [drawn]).every(({ findings, cues }) => !findings.length && !cues.length));
});

test("what was not understood is marked, and no finding is", () => {
  const at = TEXT.indexOf("nodule in the left");
  const pieces = piecesOf(TEXT, [EFFUSION], [], [[at, at + "nodule in the left".length]]);
  assert.deepEqual(
    pieces.filter(({ unread }) => unread).map(({ text }) => text),
    ["nodule in the left"],
  );
  assert.ok(pieces.every(({ unread, findings }) => !(unread && findings.length)));
  assert.equal(pieces.map(({ text }) => text).join(""), TEXT);
});
