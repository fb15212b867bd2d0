/** The list of findings: what became of each, and why. */

import type { Check, Finding } from "../types.ts";
import {
  checkName,
  emptyOf,
  noteOf,
  notesOf,
  OF_THE_IMAGE,
  reasonOf,
  sentence,
  statusOf,
  traitsOf,
  worriesOf,
} from "../words.ts";
import { useApp } from "./context.ts";
import { Icon } from "./icons.tsx";
import { lookOf, tintOf } from "./report.tsx";

export function Findings() {
  const app = useApp();
  const view = app.view.value;
  if (!view) return null;
  const doubts = view.warnings.filter(({ code }) => OF_THE_IMAGE.has(code));
  const known = new Set(view.findings.map(({ id }) => id));
  const unread = view.report.text !== null && view.report.unread.length;
  const notes = view.warnings.filter(
    (note) =>
      !OF_THE_IMAGE.has(note.code) &&
      !known.has(noteOf(note).finding ?? "") &&
      !(unread && note.code === "passage_unread"),
  );
  const drawn = view.findings.filter(({ layer }) => layer).length;
  return (
    <section class="findings" aria-label="Findings">
      <header class="pane-head">
        <h2>Findings</h2>
        <span class="muted">
          {view.findings.length === 0
            ? ""
            : `${drawn} of ${view.findings.length + view.waiting.length} drawn`}
        </span>
        {app.editable.value ? (
          <button type="button" class="small" onClick={() => (app.dialog.value = "phrase")}>
            <Icon name="plus" size={15} /> Add
          </button>
        ) : null}
      </header>
      {doubts.map(({ code, message }) => (
        <p key={code} class="doubt" role="status">
          <Icon name="warn" size={15} /> {sentence(message)}
        </p>
      ))}
      {unread ? (
        <p class="doubt" data-testid="unread">
          <Icon name="warn" size={15} />
          <span>
            {unread === 1 ? "A passage" : `${unread} passages`} of the report {unread === 1 ? "was" : "were"}{" "}
            not understood, so no mask was asked for.{" "}
            <button
              type="button"
              class="small"
              onClick={() => document.querySelector(".report .unread")?.scrollIntoView({ block: "center" })}
            >
              Show
            </button>
          </span>
        </p>
      ) : null}
      {view.findings.length === 0 && app.job.value?.state === "done" ? (
        <p class="empty">{emptyOf(view.warnings)}</p>
      ) : null}
      <ul>
        {view.findings.map((finding, n) => (
          <Card key={finding.id} finding={finding} number={n + 1} />
        ))}
        {app.progress.value
          ? view.waiting.map(({ id, phrase }) => (
              <li key={id} class="card pending">
                <span class="spinner" />
                <span class="card-phrase">{phrase}</span>
              </li>
            ))
          : null}
      </ul>
      {notes.length ? (
        <details class="notes">
          <summary>
            <Icon name="warn" size={15} /> {notes.length} {notes.length === 1 ? "note" : "notes"} on this case
          </summary>
          <ul>
            {notes.map((note) => (
              <li key={`${note.code}${note.message}`}>{noteOf(note).text}</li>
            ))}
          </ul>
        </details>
      ) : null}
    </section>
  );
}

function Card({ finding, number }: { finding: Finding; number: number }) {
  const app = useApp();
  const chosen = app.selected.value === finding.id;
  const active = (app.hovered.value ?? app.selected.value) === finding.id;
  const worries = worriesOf(finding);
  const notes = notesOf(finding.id, app.view.value?.warnings ?? []);
  return (
    <li
      class={`card ${lookOf(finding)} ${active ? "active" : ""} ${chosen ? "chosen" : ""}`}
      style={tintOf(finding)}
      onPointerEnter={() => {
        app.hovered.value = finding.id;
      }}
      onPointerLeave={() => {
        app.hovered.value = null;
      }}
    >
      <button
        type="button"
        class="card-main"
        aria-expanded={chosen}
        data-card={finding.id}
        onClick={() => app.select(chosen ? null : finding.id)}
      >
        <b class="tag">{number}</b>
        <span class="card-text">
          <span class="card-phrase">{finding.phrase || finding.name}</span>
          <span class="card-state">{stateOf(finding)}</span>
        </span>
        <span class="badges">
          {finding.review?.accepted ? <span class="badge good">Accepted</span> : null}
          {finding.review?.revision && !finding.review.accepted ? <span class="badge">Edited</span> : null}
          {worries.slice(0, 2).map((check) => (
            <Badge key={check.name} check={check} />
          ))}
          {notes.slice(0, 1).map(({ name, text }) => (
            <span key={text} class="badge warn" title={text}>
              <Icon name="warn" size={13} />
              {name}
            </span>
          ))}
        </span>
      </button>
      {chosen ? <Detail finding={finding} notes={notes.map(({ text }) => text)} /> : null}
    </li>
  );
}

function stateOf(finding: Finding): string {
  if (finding.layer) {
    const unsure = finding.polarity === "uncertain" ? "Drawn, though the report is not sure" : "Drawn";
    return finding.score === null ? unsure : `${unsure} · score ${finding.score.toFixed(2)}`;
  }
  const why = reasonOf(finding);
  const seen =
    finding.presence !== null ? ` (${Math.round(100 * finding.presence)} % sure that it is there)` : "";
  return why ? `${why}${seen}` : statusOf(finding);
}

function Badge({ check }: { check: Check }) {
  return (
    <span class={`badge ${check.outcome}`} title={sentence(check.detail)}>
      <Icon name="warn" size={13} />
      {checkName(check)}
    </span>
  );
}

function Detail({ finding, notes }: { finding: Finding; notes: string[] }) {
  const app = useApp();
  const traits = traitsOf(finding);
  return (
    <div class="detail">
      {traits.length ? (
        <p class="traits">
          <span class="muted">The words say</span>
          {traits.map((trait) => (
            <span class="trait" key={trait}>
              {trait}
            </span>
          ))}
        </p>
      ) : null}
      {finding.checks.length ? (
        <ul class="checks">
          {finding.checks.map((check) => (
            <li key={check.name} class={check.outcome}>
              <span class="dot" aria-hidden="true" />
              <b>{checkName(check)}</b>
              <span>
                <span class="sr">{check.outcome}: </span>
                {sentence(check.detail)}
              </span>
            </li>
          ))}
        </ul>
      ) : null}
      {notes.map((note) => (
        <p key={note} class="note">
          {note}.
        </p>
      ))}
      {app.canOffer ? (
        <p>
          <button
            type="button"
            class="small"
            disabled={app.busy.value !== null}
            onClick={() => void app.offer()}
          >
            Other answers <kbd>G</kbd>
          </button>
        </p>
      ) : null}
      {!finding.layer && finding.polarity !== "absent" && finding.reason !== "no_place" ? (
        <p class="hint">You can still draw it: choose “Add a point” or the brush, and click in the image.</p>
      ) : null}
    </div>
  );
}
