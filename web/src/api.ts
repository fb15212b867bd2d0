/** The server's routes. The key stays in this tab (sessionStorage) and goes out as a bearer token only. */

import { store } from "./store.ts";
import type {
  Capabilities,
  ImageInfo,
  Job,
  SeriesInfo,
  Session,
  Stored,
  Study,
  StudySeries,
  View,
  Words,
} from "./types.ts";

const KEY = "medsegr-key";
const tab = store("sessionStorage");

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Of `series_needed`: one of these is meant. */
  readonly series: SeriesInfo[];
  constructor(status: number, code: string, message: string, series: SeriesInfo[] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.series = series;
  }
}

export interface Options {
  polarity: string[];
  explain: boolean;
  report_mask: boolean;
  keep_text: boolean;
}

export interface Happened {
  id: string | null;
  event: string;
  data: Record<string, unknown>;
}

export const key = {
  get: () => tab.get(KEY),
  set: (value: string) => tab.set(KEY, value),
};

function headers(json: boolean): HeadersInit {
  const token = key.get();
  return {
    ...(json ? { "Content-Type": "application/json" } : {}),
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
  };
}

async function refused(response: Response): Promise<ApiError> {
  let code = `http_${response.status}`;
  let message = `The server answered ${response.status}.`;
  let series: SeriesInfo[] = [];
  try {
    const told = (await response.json()) as {
      error?: { code?: string; message?: string; details?: { series?: SeriesInfo[] } };
    };
    series = told.error?.details?.series ?? [];
    code = told.error?.code ?? code;
    message = told.error?.message ?? message;
  } catch {
    // no JSON: the status has to do
  }
  const wait = response.headers.get("Retry-After");
  if (response.status === 429 && wait) message += ` Try again in ${wait} s.`;
  return new ApiError(response.status, code, message, series);
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: headers(typeof init.body === "string") });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The server does not answer. Is it still running?");
  }
  if (!response.ok) throw await refused(response);
  return response;
}

async function json<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) init.body = JSON.stringify(body);
  return (await (await send(path, init)).json()) as T;
}

export const api = {
  capabilities: () => json<Capabilities>("/v1/capabilities"),
  jobs: async (limit = 20) => (await json<{ jobs: Job[] }>(`/v1/jobs?limit=${limit}`)).jobs,
  job: (id: string) => json<Job>(`/v1/jobs/${id}`),
  view: (id: string) => json<View>(`/v1/jobs/${id}/view`),
  image: (id: string) => json<ImageInfo>(`/v1/images/${id}`),
  example: (id: string) => json<ImageInfo>(`/v1/images/example/${id}`, "POST"),
  cancel: (id: string) => json<Job>(`/v1/jobs/${id}/cancel`, "POST"),
  remove: async (id: string) => void (await send(`/v1/jobs/${id}`, { method: "DELETE" })),
  removeImage: async (id: string) => void (await send(`/v1/images/${id}`, { method: "DELETE" })),

  servers: async () => (await json<{ servers: { name: string; push: boolean }[] }>("/v1/dicomweb")).servers,
  async studies(server: string, filters: Record<string, string>): Promise<Study[]> {
    const asked = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
    return (await json<{ studies: Study[] }>(`/v1/dicomweb/${encodeURIComponent(server)}/studies?${asked}`))
      .studies;
  },
  seriesOf: async (server: string, study: string) =>
    (
      await json<{ series: StudySeries[] }>(
        `/v1/dicomweb/${encodeURIComponent(server)}/studies/${encodeURIComponent(study)}/series`,
      )
    ).series,
  pull: (server: string, study: string, series: string) =>
    json<ImageInfo>(`/v1/dicomweb/${encodeURIComponent(server)}/pull`, "POST", { study, series }),
  push: async (job: string, server: string, formats: string[]) =>
    (await json<{ stored: Stored[] }>(`/v1/jobs/${job}/push`, "POST", { server, formats })).stored,

  layer: async (url: string) => await (await send(url)).arrayBuffer(),

  /** `told`: modality, frame, series, as far as they are chosen. */
  async upload(files: { name: string; file: File }[], told: Record<string, string>): Promise<ImageInfo> {
    const form = new FormData();
    for (const { name, file } of files) form.append("files", file, name);
    for (const [name, value] of Object.entries(told)) if (value) form.append(name, value);
    return (await (await send("/v1/images", { method: "POST", body: form })).json()) as ImageInfo;
  },

  start: (image: string, words: Words, options: Options) =>
    json<Job>("/v1/jobs", "POST", { image, ...words, options }),

  /** One file or a zip, with the name that the server gives it. */
  async result(id: string, format: string): Promise<{ name: string; blob: Blob }> {
    const response = await send(`/v1/jobs/${id}/result?format=${encodeURIComponent(format)}`);
    const name = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
    return { name: name ?? `medsegr-${format}`, blob: await response.blob() };
  },

  session: (job: string) => json<Session>("/v1/sessions", "POST", { job }),
  sessionNow: (id: string) => json<Session>(`/v1/sessions/${id}`),
  step: (id: string, name: string, body: unknown = {}) =>
    json<Session>(`/v1/sessions/${id}/${name}`, "POST", body),
  save: (id: string) => json<Job>(`/v1/sessions/${id}/save`, "POST", {}),

  /** Server-sent events of a job, read by fetch since an EventSource cannot send a key; resumes where it broke. */
  async *events(id: string, signal: AbortSignal): AsyncGenerator<Happened> {
    let last: string | null = null;
    for (let failures = 0; failures < 30 && !signal.aborted; ) {
      try {
        const response: Response = await fetch(`/v1/jobs/${id}/events`, {
          headers: { ...headers(false), ...(last ? { "Last-Event-ID": last } : {}) },
          signal,
        });
        if (!response.ok) throw await refused(response);
        failures = 0;
        for await (const happened of readEvents(response)) {
          last = happened.id ?? last;
          yield happened;
          if (happened.event === "end") return;
        }
        failures++;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
        failures++;
      }
      await new Promise((done) => setTimeout(done, Math.min(3000, 300 * failures)));
    }
  },
};

async function* readEvents(response: Response): AsyncGenerator<Happened> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value.replaceAll("\r\n", "\n");
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const happened = eventOf(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (happened) yield happened;
    }
  }
}

/** One block of a stream of events; null for a comment (the heartbeat). */
export function eventOf(block: string): Happened | null {
  let id: string | null = null;
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at <= 0) continue;
    const value = line.slice(at + 1).replace(/^ /, "");
    if (line.startsWith("id:")) id = value;
    else if (line.startsWith("event:")) event = value;
    else if (line.startsWith("data:")) data.push(value);
  }
  if (!data.length) return null;
  return { id, event, data: JSON.parse(data.join("\n")) as Record<string, unknown> };
}
