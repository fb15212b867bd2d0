import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app.ts";
import { filesOf, sorted } from "./files.ts";
import mark from "./icon.svg";
import { listen } from "./keys.ts";
import "./style.css";
import { IconButton } from "./ui/button.tsx";
import { Shared, useApp } from "./ui/context.ts";
import { Dialogs } from "./ui/dialogs.tsx";
import { Findings } from "./ui/findings.tsx";
import { Report } from "./ui/report.tsx";
import { StagePane } from "./ui/stagepane.tsx";
import { Start } from "./ui/start.tsx";

const THEMES = ["auto", "light", "dark"] as const;

function Page() {
  const app = useApp();
  const screen = app.screen.value;
  return (
    <>
      <Head />
      {app.down.value ? <Down message={app.down.value} /> : screen === "start" ? <Start /> : null}
      {!app.down.value && screen === "case" ? <Case /> : null}
      {screen === "loading" && !app.down.value ? <main class="loading" aria-busy="true" /> : null}
      <Dialogs />
      <div class="toasts" aria-live="polite">
        {app.toast.value ? <p class={`toast ${app.toast.value.kind}`}>{app.toast.value.text}</p> : null}
      </div>
    </>
  );
}

function Head() {
  const app = useApp();
  const inCase = app.screen.value === "case";
  const image = app.view.value?.image;
  const theme = app.theme.value as (typeof THEMES)[number];
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as string;
  const readOnly = app.caps.value?.read_only ?? false;
  return (
    <header class="head">
      <a
        class="brand"
        href="#/"
        aria-label="medsegr: to the start"
        onClick={(event) => {
          event.preventDefault();
          app.home();
        }}
      >
        <img src={mark} width="26" height="26" alt="" />
        <b>medsegr</b>
      </a>
      {inCase && image ? (
        <p class="about">
          {[
            image.modality ?? "image",
            image.grid.join(" × "),
            image.spacing_mm ? `${image.spacing_mm.map((mm) => Number(mm.toFixed(2))).join(" × ")} mm` : "",
            app.view.value?.model.name ?? "",
          ]
            .filter(Boolean)
            .join(" · ")}
          {app.view.value?.read_only ? <span class="badge">Read only</span> : null}
        </p>
      ) : null}
      <p class="notice">Not a medical device. For research.</p>
      <nav class="group" aria-label="Page">
        {inCase && !readOnly ? (
          <IconButton icon="plus" name="New case" label onClick={() => app.home()} />
        ) : null}
        {inCase ? (
          <IconButton
            icon="download"
            name="Download"
            keys="D"
            label
            disabled={app.job.value?.state !== "done"}
            onClick={() => (app.dialog.value = "download")}
          />
        ) : null}
        <IconButton
          icon={theme}
          name={`Colours: ${theme === "auto" ? "as the system" : theme}`}
          onClick={() => app.setTheme(next)}
        />
        <IconButton icon="help" name="Keys and help" keys="?" onClick={() => (app.dialog.value = "help")} />
      </nav>
    </header>
  );
}

function Case() {
  return (
    <div class="case">
      <aside class="words" aria-label="Report and findings">
        <section class="report-pane" aria-label="Report">
          <header class="pane-head">
            <h2>Report</h2>
          </header>
          <Report />
        </section>
        <Findings />
      </aside>
      <StagePane />
    </div>
  );
}

function Down({ message }: { message: string }) {
  const app = useApp();
  return (
    <main class="start down">
      <div class="problem" role="alert">
        <h2>The server cannot be reached</h2>
        <p>{message}</p>
        <p class="actions">
          <button type="button" class="primary" onClick={() => void app.boot()}>
            Try again
          </button>
        </p>
      </div>
    </main>
  );
}

function offer(app: App, images: { name: string; file: File }[], report: string): void {
  app.offered.value = { images, report };
  if (app.screen.value !== "start") app.home();
}

const app = new App();
const root = document.getElementById("app") as HTMLElement;
root.replaceChildren();
render(
  <Shared.Provider value={app}>
    <Page />
  </Shared.Provider>,
  root,
);
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = () => {
  const theme = app.theme.value;
  document.documentElement.dataset.theme = theme !== "auto" ? theme : dark.matches ? "dark" : "light";
};
effect(colour);
dark.addEventListener("change", colour);
listen(app);
// Files may be dropped anywhere, and a report pasted anywhere on the start page.
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer || app.caps.value?.read_only) return;
  void filesOf(event.dataTransfer).then(async (given) => {
    const { images, reports } = sorted(given);
    offer(app, images, (await reports[0]?.file.text()) ?? "");
  });
});
window.addEventListener("paste", (event) => {
  if (app.screen.value !== "start" || event.target instanceof HTMLTextAreaElement) return;
  if (event.target instanceof HTMLInputElement || !event.clipboardData) return;
  const files = [...event.clipboardData.files].map((file) => ({ name: file.name, file }));
  const { images } = sorted(files);
  offer(app, images, event.clipboardData.getData("text/plain"));
});
window.addEventListener("beforeunload", (event) => {
  if (app.unsaved.value) event.preventDefault(); // the browser asks
});
window.addEventListener("hashchange", () => {
  const wanted = /^#\/job\/([\w-]+)$/.exec(location.hash)?.[1];
  if (wanted && wanted !== app.job.value?.id) void app.open(wanted);
  else if (!wanted && app.screen.value === "case") app.home();
});
void app.boot();
