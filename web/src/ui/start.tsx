/** Where a case begins: files, the report, examples, what was done before. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Options } from "../api.ts";
import { chosen, filesOf, type Given, sorted } from "../files.ts";
import type { Job } from "../types.ts";
import { useApp } from "./context.ts";
import { Icon } from "./icons.tsx";

const STATES: Record<Job["state"], string> = {
  queued: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Stopped",
};

export function defaults(uncertain: boolean, map: boolean): Options {
  return {
    polarity: uncertain ? ["present", "uncertain"] : ["present"],
    explain: map,
    report_mask: true,
    keep_text: true,
  };
}

export function Start() {
  const app = useApp();
  const caps = app.caps.value;
  const [images, setImages] = useState<Given[]>(app.offered.value.images);
  const [report, setReport] = useState(app.offered.value.report);
  const [modality, setModality] = useState("");
  const [frame, setFrame] = useState("");
  const [uncertain, setUncertain] = useState(true);
  const [map, setMap] = useState(true);
  const offered = app.offered.value;
  const fetched = app.fetched.value;
  useEffect(() => {
    if (offered.images.length) setImages(offered.images);
    if (offered.report) setReport(offered.report);
  }, [offered]);
  const readOnly = caps?.read_only ?? false;
  const busy = app.busy.value;
  const options = defaults(uncertain, map);
  return (
    <main class="start">
      <div class="start-main">
        <header class="hero">
          <h1>See what the report speaks of</h1>
          <p>
            Drop an image and its report. Every finding that the report says is there is drawn where it lies,
            and every one that is not drawn says why.
          </p>
        </header>
        {readOnly ? (
          <p class="empty">This server only shows results: choose one of the cases.</p>
        ) : (
          <form
            class="form"
            onSubmit={(event) => {
              event.preventDefault();
              const begun = { report, options, modality, frame };
              void (fetched ? app.startFetched(begun) : app.start(images, begun));
            }}
          >
            <Drop images={images} setImages={setImages} setReport={setReport} />
            <label class="field">
              <span>Report, sentence or phrase</span>
              <textarea
                rows={6}
                spellcheck={false}
                value={report}
                placeholder={
                  "FINDINGS: Ill-defined opacity in the left lower zone. No pneumothorax.\n\nLeave it empty and the model proposes what it sees."
                }
                onInput={(event) => setReport(event.currentTarget.value)}
              />
            </label>
            <details class="more">
              <summary>What the file does not say</summary>
              <div class="more-fields">
                <label class="field">
                  <span>Kind of image</span>
                  <select value={modality} onChange={(event) => setModality(event.currentTarget.value)}>
                    <option value="">As the file says</option>
                    {(caps?.modalities ?? []).map((code) => (
                      <option key={code} value={code}>
                        {MODALITIES[code] ? `${MODALITIES[code]} (${code})` : code}
                      </option>
                    ))}
                  </select>
                </label>
                <label class="field">
                  <span>Left and right in the report are</span>
                  <select value={frame} onChange={(event) => setFrame(event.currentTarget.value)}>
                    <option value="">As usual for this kind</option>
                    <option value="patient">the patient's</option>
                    <option value="viewer">the viewer's</option>
                  </select>
                </label>
                <label class="check">
                  <input
                    type="checkbox"
                    checked={uncertain}
                    onChange={(event) => setUncertain(event.currentTarget.checked)}
                  />
                  Draw findings that the report is not sure of
                </label>
                <label class="check">
                  <input
                    type="checkbox"
                    checked={map}
                    onChange={(event) => setMap(event.currentTarget.checked)}
                  />
                  Keep maps of where the words acted
                </label>
              </div>
            </details>
            <div class="go">
              <button
                type="submit"
                class="primary large"
                disabled={!(images.length || fetched) || busy !== null}
              >
                {busy ? <span class="spinner" /> : null}
                {busy ?? "Read and draw"}
              </button>
              {images.length || fetched ? null : <span class="muted">An image is missing.</span>}
            </div>
          </form>
        )}
      </div>
      <aside class="start-side">
        {caps?.examples.length && !readOnly ? (
          <section>
            <h2>Try an example</h2>
            <p class="muted">Made images with made reports: no patient is behind them.</p>
            <ul class="examples">
              {caps.examples.map(({ id, title }) => (
                <li key={id}>
                  <button
                    type="button"
                    disabled={busy !== null}
                    data-example={id}
                    onClick={() => void app.example(id, options)}
                  >
                    {title}
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ) : null}
        <Recent />
      </aside>
    </main>
  );
}

const MODALITIES: Record<string, string> = {
  CR: "X-ray",
  CT: "CT",
  MR: "MRI",
  MG: "Mammography",
  US: "Ultrasound",
  ES: "Endoscopy",
  SM: "Histology",
  GM: "Microscopy",
  OP: "Eye",
  DMS: "Skin",
  PT: "PET",
  XA: "Angiography",
};

interface DropProps {
  images: Given[];
  setImages: (images: Given[]) => void;
  setReport: (text: string) => void;
}

function Drop({ images, setImages, setReport }: DropProps) {
  const app = useApp();
  const one = useRef<HTMLInputElement>(null);
  const many = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = async (given: Given[]) => {
    const { images: found, reports } = sorted(given);
    if (found.length) {
      setImages(found);
      app.fetched.value = null;
    }
    if (reports[0]) setReport(await reports[0].file.text());
  };
  const fetched = app.fetched.value;
  const searchable = Boolean(app.caps.value?.dicomweb?.length) && app.caps.value?.role !== "read";
  const size = images.reduce((sum, { file }) => sum + file.size, 0);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a drop zone; its buttons do the same
    <div
      class={`drop ${over ? "over" : ""} ${images.length || fetched ? "full" : ""}`}
      data-testid="drop"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        if (event.dataTransfer) void filesOf(event.dataTransfer).then(take, (error) => app.fail(error));
      }}
    >
      <input
        ref={one}
        type="file"
        multiple
        class="sr"
        tabIndex={-1}
        aria-label="Files"
        data-testid="files"
        onChange={(event) => void take(chosen(event.currentTarget.files as FileList))}
      />
      <input
        ref={(element) => {
          many.current = element;
          element?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        class="sr"
        tabIndex={-1}
        aria-label="A folder"
        onChange={(event) => void take(chosen(event.currentTarget.files as FileList))}
      />
      {fetched ? (
        <p class="chosen-files" data-testid="fetched">
          <Icon name="file" />
          <span>
            <b>{fetched.name}</b>
            <span class="muted"> · {fetched.image.grid.join(" × ")}</span>
          </span>
        </p>
      ) : images.length ? (
        <p class="chosen-files">
          <Icon name="file" />
          <span>
            <b>{images.length === 1 ? images[0]?.name : `${images.length} files`}</b>
            <span class="muted"> · {sizeText(size)}</span>
          </span>
        </p>
      ) : (
        <p class="drop-text">
          <Icon name="download" size={28} />
          <b>Drop an image, a DICOM folder or a zip here</b>
          <span class="muted">
            PNG, JPEG, TIFF, NIfTI, NRRD, MHA, DICOM; a .txt beside it is taken as the report
          </span>
        </p>
      )}
      <p class="drop-actions">
        <button type="button" onClick={() => one.current?.click()}>
          <Icon name="file" size={16} /> {images.length ? "Other files" : "Choose files"}
        </button>
        <button type="button" onClick={() => many.current?.click()}>
          <Icon name="folder" size={16} /> Choose a folder
        </button>
        {searchable ? (
          <button type="button" onClick={() => (app.dialog.value = "pacs")}>
            <Icon name="search" size={16} /> Search a PACS
          </button>
        ) : null}
      </p>
    </div>
  );
}

function sizeText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function Recent() {
  const app = useApp();
  const jobs = app.recent.value;
  const [asked, setAsked] = useState<string | null>(null); // the case that the next click deletes
  return (
    <section>
      <h2>Recent cases</h2>
      {jobs.length ? (
        <ul class="recent">
          {jobs.map((job) => (
            <li key={job.id}>
              <button type="button" class="recent-open" onClick={() => void app.open(job.id)}>
                <span class={`state ${job.state}`}>{STATES[job.state]}</span>
                <span class="recent-what">{askedText(job)}</span>
                <span class="muted">{timeText(job.created)}</span>
              </button>
              {app.caps.value?.read_only ? null : (
                <button
                  type="button"
                  class={asked === job.id ? "small bad" : "quiet"}
                  aria-label={`${asked === job.id ? "Really delete" : "Delete"} the case of ${timeText(job.created)}`}
                  title="Delete the case and its image"
                  onBlur={() => setAsked(null)}
                  onClick={() => {
                    if (asked === job.id) void app.remove(job);
                    setAsked(asked === job.id ? null : job.id);
                  }}
                >
                  {asked === job.id ? "Delete" : <Icon name="close" size={15} />}
                </button>
              )}
            </li>
          ))}
        </ul>
      ) : (
        <p class="muted">None yet. Cases are kept on this server for a while only.</p>
      )}
    </section>
  );
}

function askedText(job: Job): string {
  const asked = { report: "A report", text: "A sentence", phrases: "Phrases", none: "Without a report" };
  return asked[job.asked] ?? "A case";
}

export function timeText(created: string | number): string {
  const date = new Date(typeof created === "number" ? created * 1000 : created);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date().toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}
