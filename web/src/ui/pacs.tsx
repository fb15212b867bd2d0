/** DICOMweb servers: search, fetch a series, send a result. */

import { useEffect, useState } from "preact/hooks";
import { api } from "../api.ts";
import type { Stored, Study, StudySeries } from "../types.ts";
import { useApp } from "./context.ts";
import { Sheet } from "./sheet.tsx";

const FIELDS: [name: string, title: string, hint: string][] = [
  ["PatientID", "Patient ID", ""],
  ["PatientName", "Patient name", "Doe*"],
  ["AccessionNumber", "Accession number", ""],
  ["ModalitiesInStudy", "Modality", "CT"],
];
const MOST = 50;

/** A range of dates as DICOM writes it; open where one of them is not given. */
export function rangeOf(from: string, to: string): string {
  const plain = (date: string) => date.replaceAll("-", "");
  return from || to ? `${plain(from)}-${plain(to)}` : "";
}

export function dateText(date: string | null): string {
  const found = /^(\d{4})(\d\d)(\d\d)$/.exec(date ?? "");
  return found ? `${found[1]}-${found[2]}-${found[3]}` : (date ?? "");
}

/** Kinds of series that hold no image to draw on. */
const NO_IMAGES = new Set(["SR", "SEG", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC"]);

export function Pacs() {
  const app = useApp();
  const names = app.caps.value?.dicomweb ?? [];
  const [server, setServer] = useState(names[0] ?? "");
  const [asked, setAsked] = useState<Record<string, string>>({});
  const [found, setFound] = useState<Study[] | null>(null);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState("");
  const doing = async (what: string, work: () => Promise<void>) => {
    setBusy(what);
    setProblem("");
    try {
      await work();
    } catch (error) {
      setProblem(app.told(error));
    } finally {
      setBusy("");
    }
  };
  const search = () =>
    doing("Searching", async () => {
      setFound(null);
      const { from = "", to = "", ...rest } = asked;
      setFound(await api.studies(server, { ...rest, StudyDate: rangeOf(from, to), limit: `${MOST}` }));
    });
  const take = (study: Study, series: StudySeries) =>
    doing("Fetching the series", async () => {
      const image = await api.pull(server, study.study ?? "", series.series ?? "");
      const name = [series.modality, series.description ?? study.description].filter(Boolean).join(" · ");
      app.fetched.value = { image, name: `${name || "A series"} from ${server}` };
      app.dialog.value = null;
    });
  const field = (name: string, title: string, hint: string, date = false) => {
    const own = { name, value: asked[name] ?? "" };
    const set = (value: string) => setAsked({ ...asked, [name]: value });
    return (
      // biome-ignore lint/a11y/noLabelWithoutControl: one of the two inputs is in it
      <label class="field" key={name}>
        <span>{title}</span>
        {date ? (
          <input type="date" {...own} onInput={(event) => set(event.currentTarget.value)} />
        ) : (
          <input
            type="text"
            {...own}
            placeholder={hint}
            maxLength={64}
            autocomplete="off"
            onInput={(event) => set(event.currentTarget.value)}
          />
        )}
      </label>
    );
  };
  return (
    <Sheet title="Search a PACS" wide>
      <form
        class="pacs-form"
        onSubmit={(event) => {
          event.preventDefault();
          void search();
        }}
      >
        {names.length > 1 ? (
          <label class="field">
            <span>Server</span>
            <select value={server} onChange={(event) => setServer(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        ) : null}
        {FIELDS.map(([name, title, hint]) => field(name, title, hint))}
        {field("from", "From the day", "", true)}
        {field("to", "To the day", "", true)}
        <button type="submit" class="primary" disabled={busy !== ""}>
          Search {names.length > 1 ? "" : server}
        </button>
      </form>
      <div class="pacs-found" aria-live="polite" aria-busy={busy !== ""}>
        {busy ? (
          <p class="muted">
            <span class="spinner" /> {busy}…
          </p>
        ) : null}
        {problem ? (
          <p class="note bad" role="alert">
            {problem}
          </p>
        ) : null}
        {found?.length === 0 && !busy ? (
          <p class="empty">No study matches. * and ? stand for any characters.</p>
        ) : null}
        {found?.length ? (
          <ul class="studies">
            {found.map((study, n) => (
              <StudyRow key={study.study ?? n} server={server} study={study} busy={busy !== ""} take={take} />
            ))}
          </ul>
        ) : null}
        {found && found.length >= MOST ? (
          <p class="muted">These are the first {MOST}: say more to find others.</p>
        ) : null}
      </div>
    </Sheet>
  );
}

interface RowProps {
  server: string;
  study: Study;
  busy: boolean;
  take: (study: Study, series: StudySeries) => Promise<void>;
}

function StudyRow({ server, study, busy, take }: RowProps) {
  const app = useApp();
  const [open, setOpen] = useState(false);
  const [series, setSeries] = useState<StudySeries[] | null>(null);
  const [problem, setProblem] = useState("");
  const show = async () => {
    setOpen(!open);
    if (series || open || !study.study) return;
    setProblem("");
    try {
      setSeries(await api.seriesOf(server, study.study));
    } catch (error) {
      setProblem(app.told(error));
    }
  };
  const images = series?.filter(({ modality }) => !NO_IMAGES.has(modality ?? "")) ?? [];
  return (
    <li>
      <button
        type="button"
        class="study"
        aria-expanded={open}
        data-study={study.study}
        disabled={!study.study}
        onClick={() => void show()}
      >
        <b>{dateText(study.date) || "No date"}</b>
        <span>{[study.patient_name, study.patient_id].filter(Boolean).join(" · ") || "No name"}</span>
        <span>{study.modalities.join(", ")}</span>
        <span class="muted">
          {[study.description, study.accession && `accession ${study.accession}`].filter(Boolean).join(" · ")}
        </span>
      </button>
      {open ? (
        <div class="study-series">
          {problem ? (
            <p class="note bad" role="alert">
              {problem}
            </p>
          ) : series === null ? (
            <p class="muted">
              <span class="spinner" /> Asking for its series…
            </p>
          ) : images.length ? (
            <ul>
              {images.map((one, n) => (
                <li key={one.series ?? n}>
                  <span>
                    <b>{one.modality ?? "?"}</b> {one.description ?? `Series ${one.number ?? ""}`}
                    <span class="muted">{one.instances === null ? "" : ` · ${one.instances} files`}</span>
                  </span>
                  <button
                    type="button"
                    class="small"
                    data-pull={one.series}
                    disabled={busy || !one.series}
                    onClick={() => void take(study, one)}
                  >
                    Fetch
                  </button>
                </li>
              ))}
            </ul>
          ) : (
            <p class="empty">This study holds no series of images.</p>
          )}
        </div>
      ) : null}
    </li>
  );
}

const SENT: [format: string, name: string][] = [
  ["dicom-seg", "DICOM SEG"],
  ["rtstruct", "RT structure set"],
  ["dicom-sr", "DICOM SR"],
  ["dicom-sc", "DICOM picture"],
];
const OUTCOMES: Record<Stored["outcome"], string> = {
  stored: "stored",
  changed: "stored, the server altered something",
  failed: "not stored",
  nothing: "there is nothing to store",
};

export function SendTo({ job }: { job: string }) {
  const app = useApp();
  const [servers, setServers] = useState<string[] | null>(null);
  const [server, setServer] = useState("");
  const [formats, setFormats] = useState(["dicom-seg", "dicom-sr"]);
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<Stored[]>([]);
  const [problem, setProblem] = useState("");
  const admin = app.caps.value?.role === "admin";
  useEffect(() => {
    if (!admin) return;
    api.servers().then(
      (all) => {
        const takes = all.filter(({ push }) => push).map(({ name }) => name);
        setServers(takes);
        setServer(takes[0] ?? "");
      },
      (error: unknown) => setProblem(app.told(error)),
    );
  }, [app, admin]);
  const send = async () => {
    setBusy(true);
    setProblem("");
    setTold([]);
    try {
      setTold(await api.push(job, server, formats));
    } catch (error) {
      setProblem(app.told(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="send" aria-label="Send to a PACS">
      <h3>Send to a PACS</h3>
      {admin ? null : <p class="muted">Storing in a PACS needs a key with the role admin.</p>}
      {admin && servers?.length === 0 ? (
        <p class="muted">
          No server is set up to be stored in: <code>push = true</code> is missing in its configuration.
        </p>
      ) : null}
      {servers?.length ? (
        <p class="send-row">
          {servers.length > 1 ? (
            <select
              aria-label="Server"
              value={server}
              onChange={(event) => setServer(event.currentTarget.value)}
            >
              {servers.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          ) : null}
          {SENT.map(([format, name]) => (
            <label class="check" key={format}>
              <input
                type="checkbox"
                checked={formats.includes(format)}
                onChange={(event) =>
                  setFormats(
                    event.currentTarget.checked
                      ? [...formats, format]
                      : formats.filter((one) => one !== format),
                  )
                }
              />
              {name}
            </label>
          ))}
          <button
            type="button"
            class="primary"
            data-testid="send"
            disabled={busy || !formats.length || app.unsaved.value}
            onClick={() => void send()}
          >
            {busy ? <span class="spinner" /> : null} Send to {server}
          </button>
        </p>
      ) : null}
      <div aria-live="polite">
        {problem ? (
          <p class="note bad" role="alert">
            {problem}
          </p>
        ) : null}
        {told.length ? (
          <ul class="sent">
            {told.map(({ format, outcome, reason }) => (
              <li key={format} data-sent={format} class={outcome === "failed" ? "bad" : ""}>
                <b>{SENT.find(([one]) => one === format)?.[1] ?? format}</b>: {OUTCOMES[outcome]}
                {reason ? ` (${reason})` : ""}
              </li>
            ))}
          </ul>
        ) : null}
      </div>
    </section>
  );
}
