/** The report, in which every finding is a phrase to point at. */

import { type Piece, phrasesOf, piecesOf } from "../spans.ts";
import type { Finding } from "../types.ts";
import { reasonOf, worriesOf } from "../words.ts";
import { useApp } from "./context.ts";

export function Report() {
  const app = useApp();
  const view = app.view.value;
  const text = view?.report.text;
  if (!view) return null;
  if (!text)
    return (
      <p class="empty">
        {view.findings.length
          ? "The text of the report is not kept with this result. Its phrases are listed below."
          : "No report was given."}
      </p>
    );
  const running = app.progress.value !== null;
  const waiting = running ? view.waiting.map((one) => ({ ...one, mentions: [], cues: [] })) : [];
  const numbers = new Map(view.findings.map((finding, n) => [finding.id, n + 1]));
  const known = new Map(view.findings.map((finding) => [finding.id, finding]));
  const seen = new Set<string>();
  return (
    <div class="report" data-testid="report">
      {phrasesOf(
        piecesOf(text, [...view.findings, ...waiting], view.report.sections, view.report.unread),
      ).map((group, n) => {
        const finding = group.finding ? known.get(group.finding) : undefined;
        const first = finding !== undefined && !seen.has(finding.id);
        const inner = group.pieces.map((piece, m) =>
          first && m === 0 ? (
            <Opening key={m} piece={piece} own={finding.id} number={numbers.get(finding.id) ?? 0} />
          ) : (
            <Stretch key={m} piece={piece} own={finding?.id ?? null} />
          ),
        );
        if (!finding)
          return (
            <span key={n} class={group.finding ? "waiting" : ""}>
              {inner}
            </span>
          );
        seen.add(finding.id);
        return (
          <Phrase key={n} finding={finding}>
            {inner}
          </Phrase>
        );
      })}
    </div>
  );
}

/** The finding's colour, and black or white to write on it. */
export function tintOf(finding: Finding): { "--c": string; "--ink": string } {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(finding.colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return { "--c": finding.colour, "--ink": light > 0.18 ? "#0b0e13" : "#ffffff" };
}

export function lookOf(finding: Finding): string {
  const drawn = finding.layer ? "drawn" : "undrawn";
  const said = finding.polarity === "absent" ? "absent" : finding.polarity === "uncertain" ? "uncertain" : "";
  const worry = worriesOf(finding).some((check) => check.outcome === "fail") ? "worry" : "";
  return [drawn, said, worry].filter(Boolean).join(" ");
}

export function tellOf(finding: Finding): string {
  const worries = worriesOf(finding).map((check) => check.detail);
  const told = finding.layer ? "Drawn" : reasonOf(finding) || "Not drawn";
  const unsure = finding.polarity === "uncertain" ? "The report is not sure." : "";
  return [`${told}.`, unsure, ...worries].filter(Boolean).join(" ");
}

function Phrase({ finding, children }: { finding: Finding; children: preact.ComponentChildren }) {
  const app = useApp();
  const active = (app.hovered.value ?? app.selected.value) === finding.id;
  const chosen = app.selected.value === finding.id;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button cannot be broken over lines as words are
    <span
      class={`phrase ${lookOf(finding)} ${active ? "active" : ""}`}
      style={tintOf(finding)}
      role="button"
      tabIndex={0}
      aria-pressed={chosen}
      data-finding={finding.id}
      title={tellOf(finding)}
      onPointerEnter={() => {
        app.hovered.value = finding.id;
      }}
      onPointerLeave={() => {
        app.hovered.value = null;
      }}
      onClick={() => app.select(chosen ? null : finding.id)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        app.select(chosen ? null : finding.id);
      }}
    >
      {children}
    </span>
  );
}

/** The first words of a phrase with its number, which is not left alone at the end of a line. */
function Opening({ piece, own, number }: { piece: Piece; own: string; number: number }) {
  const word = /^\s*\S+/.exec(piece.text)?.[0] ?? "";
  return (
    <>
      <span class="opening">
        <b class="tag">{number}</b>
        <Stretch piece={{ ...piece, text: word }} own={own} />
      </span>
      <Stretch piece={{ ...piece, text: piece.text.slice(word.length) }} own={own} />
    </>
  );
}

function Stretch({ piece, own }: { piece: Piece; own: string | null }) {
  const app = useApp();
  const active = app.hovered.value ?? app.selected.value;
  if (piece.heading) return <strong class="heading">{piece.text}</strong>;
  const cue = piece.cues.find(({ finding }) => finding === active) ?? piece.cues[0];
  if (piece.unread && !own)
    return (
      <span
        class="unread"
        role="note"
        aria-label={`Not understood: ${piece.text}`}
        title="Not understood: nothing known is named here, so no mask was asked for it."
      >
        {piece.text}
      </span>
    );
  if (!cue) return <>{piece.text}</>;
  const lit = cue.finding === active && active !== null;
  return (
    <span
      class={`cue ${cue.kind} ${lit ? "lit" : ""} ${own ? "" : "outside"}`}
      title={CUES[cue.kind] ?? cue.kind}
    >
      {piece.text}
    </span>
  );
}

const CUES: Record<string, string> = {
  negation: "These words deny a finding",
  uncertainty: "These words make a finding uncertain",
  location: "Says where",
  texture: "Says how it looks",
  shape: "Says what shape or size",
};
