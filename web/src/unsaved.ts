/** Corrections that are not saved yet: the session of each case that this tab corrects, so that a reload finds it. */

import { store } from "./store.ts";

const NAME = "medsegr-sessions";
const MOST = 20; // cases: those that were corrected longest ago are forgotten
const tab = store("sessionStorage");

function all(): [job: string, session: string][] {
  try {
    const told: unknown = JSON.parse(tab.get(NAME) ?? "[]");
    return Array.isArray(told) ? (told as [string, string][]) : [];
  } catch {
    return [];
  }
}

export function sessionOf(job: string): string | null {
  return all().find(([own]) => own === job)?.[1] ?? null;
}

/** Remembers the session of a case; null forgets it. */
export function remember(job: string, session: string | null): void {
  const others = all().filter(([own]) => own !== job);
  const now: [string, string][] = session === null ? others : [...others, [job, session]];
  tab.set(NAME, JSON.stringify(now.slice(-MOST)));
}
