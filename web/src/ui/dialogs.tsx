/** Sheets over the page: help, key, download, a new phrase; which one is open. */

import { useState } from "preact/hooks";
import { kept } from "../app.ts";
import { HELP } from "../keys.ts";
import { Answers } from "./answers.tsx";
import { useApp } from "./context.ts";
import { Pacs, SendTo } from "./pacs.tsx";
import { Series } from "./series.tsx";
import { Sheet } from "./sheet.tsx";
import { defaults } from "./start.tsx";

export function Dialogs() {
  const app = useApp();
  switch (app.dialog.value) {
    case "help":
      return <Help />;
    case "key":
      return <Key />;
    case "download":
      return <Download />;
    case "phrase":
      return <Phrase />;
    case "pacs":
      return <Pacs />;
    case "series":
      return <Series />;
    case "answers":
      return <Answers />;
    default:
      return null;
  }
}

function Help() {
  const app = useApp();
  return (
    <Sheet title="Keys" wide>
      <div class="help">
        {HELP.map(({ title, keys }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([names, does]) => (
                <div key={does}>
                  <dt>
                    {names.map((name) => (
                      <kbd key={name}>{name}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={app.letterKeys.value}
          onChange={(event) => {
            app.letterKeys.value = event.currentTarget.checked;
            kept.set("medsegr-keys", event.currentTarget.checked ? "on" : "off");
          }}
        />
        Single keys are on (switch them off where they disturb speech input)
      </label>
      <p class="muted">
        medsegr {app.caps.value?.version} · {app.caps.value?.model.name} · Not a medical device. For research.
      </p>
    </Sheet>
  );
}

function Key() {
  const app = useApp();
  const [value, setValue] = useState("");
  return (
    <Sheet title="This server asks for a key">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void app.useKey(value);
        }}
      >
        <label class="field">
          <span>Key</span>
          <input
            type="password"
            autocomplete="off"
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <p class="muted">
          Whoever runs the server gives one out. It is kept in this tab until you close it, and goes nowhere
          else.
        </p>
        <button type="submit" class="primary" disabled={!value.trim()}>
          Use it
        </button>
      </form>
    </Sheet>
  );
}

const FORMATS: { format: string; name: string; about: string; needs?: "dicom" | "slices" | "picture" }[] = [
  { format: "zip", name: "Everything", about: "The whole result as one zip" },
  { format: "overlay", name: "Picture", about: "Image, contours and phrases, PNG" },
  { format: "csv", name: "Measurements", about: "One number a row, CSV" },
  { format: "json", name: "Findings", about: "Everything about each finding, JSON" },
  { format: "png", name: "Masks as PNG", about: "One file a finding", needs: "picture" },
  { format: "nifti", name: "Masks as NIfTI", about: "One file a finding" },
  { format: "nrrd", name: "Masks as NRRD", about: "A segmentation for 3D Slicer" },
  { format: "dicom-seg", name: "DICOM SEG", about: "For a PACS", needs: "dicom" },
  { format: "rtstruct", name: "RT structure set", about: "Contours for planning", needs: "slices" },
  { format: "dicom-sr", name: "DICOM SR", about: "Measurements for a PACS", needs: "dicom" },
  { format: "dicom-sc", name: "DICOM picture", about: "The overlay for a PACS", needs: "dicom" },
  { format: "fhir", name: "FHIR", about: "A bundle of observations, JSON" },
  { format: "manifest", name: "Manifest", about: "Versions, model, hashes, JSON" },
];
const MISFITS = {
  dicom: "The image is no DICOM",
  slices: "The image is no DICOM series of slices",
  picture: "The image is a volume",
};

function Download() {
  const app = useApp();
  const view = app.view.value;
  const inputs = view?.manifest?.inputs as { image?: { kind?: string } } | undefined;
  const dicom = !inputs?.image?.kind || inputs.image.kind === "dicom";
  const servers = app.caps.value?.dicomweb ?? [];
  const picture = (view?.image.planes ?? 1) === 1;
  const fits = { dicom, picture, slices: dicom && !picture };
  return (
    <Sheet title="Download" wide>
      {app.unsaved.value ? (
        <p class="note">
          Your corrections are not in these files yet.{" "}
          <button
            type="button"
            class="small primary"
            onClick={() => {
              app.dialog.value = null;
              void app.save();
            }}
          >
            Save them first
          </button>
        </p>
      ) : null}
      <ul class="formats">
        {FORMATS.map(({ format, name, about, needs }) => {
          const off = needs !== undefined && !fits[needs];
          const why = needs === undefined ? "" : MISFITS[needs];
          return (
            <li key={format}>
              <button
                type="button"
                disabled={off}
                data-format={format}
                onClick={() => void app.download(format)}
              >
                <b>{name}</b>
                <span class="muted">{off ? why : about}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {inputs?.image?.kind === "dicom" && servers.length && app.job.value ? (
        <SendTo job={app.job.value.id} />
      ) : null}
    </Sheet>
  );
}

function Phrase() {
  const app = useApp();
  const [value, setValue] = useState("");
  const unsaved = app.unsaved.value;
  return (
    <Sheet title="Add a finding">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          app.dialog.value = null;
          void app.findToo(value.trim(), defaults(true, true));
        }}
      >
        <label class="field">
          <span>Phrase</span>
          <input
            type="text"
            value={value}
            placeholder="small nodule in the right upper zone"
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <p class="muted">
          The words can find it by themselves: the case is asked again with this phrase added. Or you show
          where it is.
        </p>
        {unsaved ? (
          <p class="note">Asking again begins anew. Save your corrections first if you want to keep them.</p>
        ) : null}
        <p class="actions">
          <button type="submit" class="primary" disabled={!value.trim() || unsaved}>
            Find it by the words
          </button>
          <button
            type="button"
            onClick={() => {
              app.dialog.value = null;
              app.fresh.value = value.trim();
              app.tool.value = "add";
            }}
          >
            Show where it is
          </button>
        </p>
      </form>
    </Sheet>
  );
}
