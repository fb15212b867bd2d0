/** Measurements as rows and as CSV. */

import type { Finding } from "./types.ts";

/** Every number of every finding, one a row. */
export function rowsOf(findings: readonly Finding[]): string[][] {
  const rows = [["finding", "phrase", "measurement", "value", "unit", "status"]];
  for (const finding of findings)
    for (const [name, number] of Object.entries(finding.measurements ?? {}))
      rows.push([finding.id, finding.phrase, name, `${number.value ?? ""}`, number.unit, number.status]);
  return rows;
}

/** A cell of CSV: quoted, and never a formula for a spreadsheet. */
export function quoted(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell;
  return `"${safe.replaceAll('"', '""')}"`;
}
