/** The report cut into pieces that are drawn alike: which findings and cues each stretch of it belongs to. */

import type { Finding, Span } from "./types.ts";

export interface Piece {
  text: string;
  /** Ids of the findings whose phrase covers the piece, the shortest phrase first. */
  findings: string[];
  /** `finding id -> kind` of the cues that cover it. */
  cues: { finding: string; kind: string }[];
  heading: boolean;
  /** Something is stated here by a name that is not known: no mask was asked for it. */
  unread: boolean;
}

/** The little of a finding that places it in the text. */
export type Placed = Pick<Finding, "id" | "phrase" | "span" | "mentions" | "cues">;

interface Mark {
  span: Span;
  finding: string;
  kind: string | null;
}

/**
 * Python counts code points, JavaScript UTF-16 units: offsets of the first as offsets of the second.
 * Returns a function, so that a text is walked once.
 */
export function unitsOf(text: string): (offset: number) => number {
  if (!/[\ud800-\udfff]/.test(text)) return (offset) => Math.max(0, Math.min(offset, text.length));
  const starts: number[] = [];
  let at = 0;
  for (const letter of text) {
    starts.push(at);
    at += letter.length;
  }
  starts.push(at);
  return (offset) => starts[Math.max(0, Math.min(offset, starts.length - 1))] ?? text.length;
}

/** A finding that was drawn by hand counts its spans in its own phrase: it is nowhere in this text. */
function stands(text: string, unit: (offset: number) => number, finding: Placed): boolean {
  return text.slice(unit(finding.span[0]), unit(finding.span[1])) === finding.phrase;
}

function marksOf(findings: readonly Placed[]): Mark[] {
  return findings.flatMap((finding) => [
    ...[finding.span, ...finding.mentions].map((span) => ({ span, finding: finding.id, kind: null })),
    ...finding.cues.map((cue) => ({ span: cue.span, finding: finding.id, kind: cue.kind })),
  ]);
}

/**
 * Pieces in the order of the text; together they are the text. Marks may overlap, nest or be empty; what lies
 * outside of the text is left out.
 */
export function piecesOf(
  text: string,
  findings: readonly Placed[],
  sections: readonly { name: string; span: Span }[] = [],
  unread: readonly Span[] = [],
): Piece[] {
  const unit = unitsOf(text);
  const marks = marksOf(findings.filter((finding) => stands(text, unit, finding)))
    .map((mark) => ({ ...mark, start: unit(mark.span[0]), end: unit(mark.span[1]) }))
    .filter((mark) => mark.start < mark.end);
  const headings = sections.map((section) => headingOf(text, unit(section.span[0]), unit(section.span[1])));
  const missed = unread.map(([first, last]) => [unit(first), unit(last)] as const);
  const cuts = new Set([0, text.length]);
  for (const { start, end } of marks) cuts.add(start).add(end);
  for (const [start, end] of [...headings, ...missed]) cuts.add(start).add(end);
  const edges = [...cuts].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  for (let n = 0; n + 1 < edges.length; n++) {
    const start = edges[n] as number;
    const end = edges[n + 1] as number;
    const over = marks.filter((mark) => mark.start <= start && end <= mark.end);
    const phrases = over
      .filter((mark) => mark.kind === null)
      .sort((a, b) => a.end - a.start - (b.end - b.start));
    pieces.push({
      text: text.slice(start, end),
      findings: [...new Set(phrases.map((mark) => mark.finding))],
      cues: over.flatMap((mark) => (mark.kind === null ? [] : [{ finding: mark.finding, kind: mark.kind }])),
      heading: headings.some(([first, last]) => first <= start && end <= last),
      unread: missed.some(([first, last]) => first <= start && end <= last),
    });
  }
  return pieces;
}

/** The heading of a section: the line before it, or its own first line in capitals; empty where there is none. */
function headingOf(text: string, start: number, end: number): Span {
  const before = text.slice(0, start).trimEnd();
  const line = before.lastIndexOf("\n") + 1;
  const title = before.slice(line);
  if (title && title.length <= 60 && (title.endsWith(":") || title === title.toUpperCase()))
    return [line, before.length];
  const own = /^\s*[A-Z][A-Z /&-]{2,60}(?=\n|$)/.exec(text.slice(start, end));
  return [start, start + (own ? own[0].length : 0)];
}

/** Pieces that follow each other and belong to the same phrase, together: one thing to point at. */
export function phrasesOf(pieces: readonly Piece[]): { finding: string | null; pieces: Piece[] }[] {
  const groups: { finding: string | null; pieces: Piece[] }[] = [];
  for (const piece of pieces) {
    const finding = piece.findings[0] ?? null;
    const last = groups.at(-1);
    if (last && last.finding === finding && finding !== null) last.pieces.push(piece);
    else groups.push({ finding, pieces: [piece] });
  }
  return groups;
}
