/** Measurements of all findings: the main ones as a table, all of them as CSV. */

import { quoted, rowsOf } from "../csv.ts";
import { download } from "../files.ts";
import type { Finding, Measurement } from "../types.ts";
import { numberText } from "../words.ts";
import { IconButton } from "./button.tsx";
import { useApp } from "./context.ts";
import { tintOf } from "./report.tsx";

const COLUMNS: { title: string; names: string[] }[] = [
  { title: "Size", names: ["volume", "area", "pixels", "voxels"] },
  { title: "Longest", names: ["max_diameter", "long_axis"] },
  { title: "Across it", names: ["short_axis"] },
  { title: "Pieces", names: ["components"] },
  { title: "Mean", names: ["mean_intensity", "mean_hu"] },
  { title: "± SD", names: ["sd_intensity", "sd_hu"] },
];

const WHY: Record<string, string> = {
  no_spacing: "The file does not say how large a pixel is",
};

function pick(finding: Finding, names: string[]): { name: string; number: Measurement } | null {
  const numbers = finding.measurements ?? {};
  const known = names.filter((name) => numbers[name]);
  const name = known.find((one) => numbers[one]?.value !== null) ?? known[0];
  return name ? { name, number: numbers[name] as Measurement } : null;
}

export function Measurements() {
  const app = useApp();
  const view = app.view.value;
  const measured = (view?.findings ?? []).filter((finding) => finding.measurements);
  const number = (finding: Finding) => (view?.findings.indexOf(finding) ?? 0) + 1;
  const columns = COLUMNS.filter(({ names }) =>
    measured.some((finding) => pick(finding, names)?.number.value != null),
  );
  return (
    <section class="drawer" aria-label="Measurements">
      <header class="pane-head">
        <h2>Measurements</h2>
        {view?.image.spacing_mm ? null : (
          <span class="muted">in pixels: the file does not say how large one is</span>
        )}
        <span class="push" />
        <IconButton
          icon="copy"
          name="Copy"
          label
          onClick={() => {
            void navigator.clipboard
              .writeText(
                rowsOf(measured)
                  .map((row) => row.join("\t"))
                  .join("\n"),
              )
              .then(
                () => app.say("Copied."),
                () => app.say("The browser did not allow it.", "error"),
              );
          }}
        />
        <IconButton
          icon="download"
          name="CSV"
          label
          onClick={() => {
            const lines = rowsOf(measured).map((row) => row.map(quoted).join(","));
            download("measurements.csv", new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
          }}
        />
        <IconButton icon="close" name="Close the measurements" onClick={() => (app.table.value = false)} />
      </header>
      {measured.length ? (
        <div class="table-holder">
          <table>
            <thead>
              <tr>
                <th scope="col">Finding</th>
                {columns.map(({ title }) => (
                  <th scope="col" class="number" key={title}>
                    {title}
                  </th>
                ))}
                <th scope="col" class="number">
                  Score
                </th>
              </tr>
            </thead>
            <tbody>
              {measured.map((finding) => (
                <tr
                  key={finding.id}
                  class={app.selected.value === finding.id ? "chosen" : ""}
                  style={tintOf(finding)}
                  onClick={() => app.select(finding.id)}
                >
                  <th scope="row">
                    <b class="tag">{number(finding)}</b> {finding.phrase || finding.name}
                  </th>
                  {columns.map(({ title, names }) => {
                    const found = pick(finding, names);
                    return (
                      <td class="number" key={title} title={found ? WHY[found.number.status] : undefined}>
                        {found ? numberText(found.number) : "–"}
                      </td>
                    );
                  })}
                  <td class="number">{finding.score?.toFixed(2) ?? "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="empty">Nothing was drawn, so there is nothing to measure.</p>
      )}
    </section>
  );
}
