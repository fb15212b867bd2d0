/** Codes of the server in words for people. */

import type { Check, Finding, Measurement, Note } from "./types.ts";

const REASONS: Record<string, string> = {
  absent: "The report says it is not there",
  uncertain: "The report is not sure, so it was not asked for",
  prior: "Only in an earlier study",
  not_this_patient: "Not about this patient",
  no_place: "A statement with no place to draw",
  not_in_image: "Not seen in this kind of image",
  presence_low: "The model does not see it in the image",
  empty: "The model saw it but drew nothing",
  unknown_concept: "The model was not trained for it",
  part_unknown: "The model draws the whole organ only, not this part of it",
  kind_unknown: "The model does not tell this kind from others of it",
  made_only: "The model learned it from made images only",
  geometry: "The geometry of the image does not allow it",
  too_small: "Too small for this image",
  error: "It failed; the other findings are not affected",
};

const STATUS: Record<string, string> = {
  segmented: "Drawn",
  skipped: "Not drawn",
  not_found: "Not found",
  refused: "Refused",
  failed: "Failed",
};

const STAGES: Record<string, string> = {
  read: "Reading the image",
  parse: "Reading the report",
  segment: "Looking for the findings",
  checks: "Checking sides and presence",
  write: "Writing the result",
};

const NUMBERS: Record<string, string> = {
  area_mm2: "Area",
  area_px: "Area",
  volume_mm3: "Volume",
  volume_ml: "Volume",
};

export function reasonOf(finding: Finding): string {
  return finding.reason ? (REASONS[finding.reason] ?? finding.reason.replaceAll("_", " ")) : "";
}

export function statusOf(finding: Finding): string {
  return STATUS[finding.status] ?? finding.status;
}

export function stageOf(stage: string | null): string {
  return stage ? (STAGES[stage] ?? stage) : "Waiting for its turn";
}

export function numberName(name: string): string {
  return NUMBERS[name] ?? sentence(name.replace(/_(mm2|mm3|mm|ml|px|hu)$/i, "").replaceAll("_", " "));
}

export function numberText(number: Measurement): string {
  if (number.value === null) return "–";
  const whole = Number.isInteger(number.value);
  const digits = whole ? 0 : Math.abs(number.value) >= 100 ? 0 : Math.abs(number.value) >= 10 ? 1 : 2;
  const unit = number.unit.replace("mm2", "mm²").replace("mm3", "mm³").replace("px2", "px");
  return `${number.value.toFixed(digits)}${unit && unit !== "1" ? ` ${unit}` : ""}`;
}

export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What stands where a case has no finding: the server says of it what it looked for, where nobody said a word. */
export function emptyOf(warnings: Note[]): string {
  const why = warnings.find(({ code }) => code === "nothing_proposed");
  if (why) return `${sentence(why.message)}.`;
  return "Nothing was recognised in these words. Add a phrase, for example “right lung”.";
}

/** The words' own attributes in a few chips. */
export function traitsOf(finding: Finding): string[] {
  const { location, texture, shape } = finding;
  const side = location.side
    ? `${location.side}${location.side_frame === "viewer" ? " (of the picture)" : ""}`
    : "";
  return [
    side,
    ...location.rows,
    ...location.cols.map((col) => `${col} third`),
    ...location.anatomy,
    texture.density ?? "",
    texture.uniformity ?? "",
    texture.colour ?? "",
    shape.form ?? "",
    shape.margin ?? "",
    shape.size_class ?? "",
    shape.size_mm ? `${shape.size_mm.join(" × ")} mm` : "",
    shape.count ? `${shape.count} of them` : "",
    finding.time !== "current" ? finding.time : "",
  ].filter(Boolean);
}

/** Warnings that doubt the image itself: they stand above the findings, since all of these hang on it. */
export const OF_THE_IMAGE = new Set([
  "looks_mirrored",
  "looks_negative",
  "looks_turned",
  "narrow_window",
  "modality_pixels",
  "modality_report",
]);

/** A note that is of one finding: its id, and the note without it. */
export function noteOf({ message }: Note): { finding: string | null; text: string } {
  const told = /^(f\d+): (.*)$/s.exec(message);
  return { finding: told?.[1] ?? null, text: sentence(told?.[2] ?? message) };
}

const NOTES: Record<string, string> = { phantom_only: "Made images", measured_low: "Often wrong" };

/** Notes of one finding, for its card: a word, and the note. */
export function notesOf(finding: string, warnings: Note[]): { name: string; text: string }[] {
  return warnings
    .filter((note) => noteOf(note).finding === finding)
    .map((note) => ({ name: NOTES[note.code] ?? "Note", text: noteOf(note).text }));
}

const CHECKS: Record<string, string> = {
  side: "Side",
  anatomy: "Usual side",
  presence: "Presence",
  border: "Border",
  place: "Place",
  agreement: "Agreement",
};

export function checkName(check: Check): string {
  return CHECKS[check.name] ?? sentence(check.name.replaceAll("_", " "));
}

/** Checks that a person should look at, the worst first. */
export function worriesOf(finding: Finding): Check[] {
  const rank = { fail: 0, warn: 1, pass: 2 };
  return finding.checks
    .filter((check) => check.outcome !== "pass")
    .sort((a, b) => rank[a.outcome] - rank[b.outcome]);
}
