/** The image's side of the page: tools above, image in the middle, how it is shown below. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Tool } from "../app.ts";
import { Hand } from "../hand.ts";
import type { Mode } from "../overlay.ts";
import { Stage } from "../stage.ts";
import type { Layout } from "../tiles.ts";
import { stageOf } from "../words.ts";
import { IconButton } from "./button.tsx";
import { useApp } from "./context.ts";
import { Icon, type IconName } from "./icons.tsx";
import { Measurements } from "./table.tsx";

const TOOLS: { tool: Tool; icon: IconName; name: string; keys: string }[] = [
  { tool: "look", icon: "look", name: "Look and choose", keys: "S" },
  { tool: "window", icon: "window", name: "Brightness and contrast", keys: "W" },
  { tool: "add", icon: "add", name: "Add a point: it belongs to the finding", keys: "A" },
  { tool: "remove", icon: "remove", name: "Remove by a point: it does not belong", keys: "X" },
  { tool: "box", icon: "box", name: "Draw a box around the finding", keys: "B" },
  { tool: "brush", icon: "brush", name: "Brush", keys: "P" },
  { tool: "erase", icon: "erase", name: "Eraser", keys: "E" },
];

const MODES: { mode: Mode; name: string; tip: string }[] = [
  { mode: "guided", name: "Guided", tip: "Masks drawn with all words of the report (1)" },
  { mode: "free", name: "Without the report", tip: "The same findings, asked by their name alone (2)" },
  {
    mode: "difference",
    name: "Difference",
    tip: "Both: guided in colour, without the report dashed in white (3)",
  },
];

const LAYOUTS: { layout: Layout; name: string }[] = [
  { layout: "all", name: "Planes, 3D" },
  { layout: "axial", name: "Axial" },
  { layout: "coronal", name: "Coronal" },
  { layout: "sagittal", name: "Sagittal" },
  { layout: "3d", name: "3D" },
];

export function StagePane() {
  const app = useApp();
  return (
    <main class="stage-pane" aria-label="Image">
      <Toolbar />
      <Screen />
      <Bottom />
      {app.table.value ? <Measurements /> : null}
    </main>
  );
}

function Toolbar() {
  const app = useApp();
  const session = app.session.value;
  const drawn = app.view.value?.findings.some(({ layer }) => layer) ?? false;
  const free = app.view.value?.findings.some(({ free_layer }) => free_layer) ?? false;
  const mapped = app.view.value?.findings.some(({ map_layer }) => map_layer) ?? false;
  const edits = app.editable.value;
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools">
      <div class="group">
        {TOOLS.slice(0, edits ? TOOLS.length : 2).map(({ tool, icon, name, keys }) => (
          <IconButton
            key={tool}
            icon={icon}
            name={name}
            keys={keys}
            pressed={app.tool.value === tool}
            disabled={tool === "window" && (app.view.value?.image.colour ?? false)}
            onClick={() => (app.tool.value = tool)}
          />
        ))}
        {app.tool.value === "brush" || app.tool.value === "erase" ? (
          <label class="range" title="Size of the brush ([ and ])">
            <span class="sr">Size of the brush</span>
            <input
              type="range"
              min="1"
              max="60"
              value={app.radius.value}
              onInput={(event) => (app.radius.value = Number(event.currentTarget.value))}
            />
          </label>
        ) : null}
      </div>
      {edits ? (
        <div class="group">
          <IconButton
            icon="undo"
            name="Undo"
            keys="U"
            disabled={!session?.can_undo}
            onClick={() => void app.edit("undo")}
          />
          <IconButton
            icon="redo"
            name="Redo"
            keys="Y"
            disabled={!session?.can_redo}
            onClick={() => void app.edit("redo")}
          />
          <IconButton
            icon="accept"
            name="Accept"
            keys="Shift K"
            label
            disabled={!app.finding.value?.layer || (app.finding.value.review?.accepted ?? false)}
            onClick={() => void app.accept()}
          />
          <IconButton
            icon="save"
            name="Save"
            kind={app.unsaved.value ? "primary" : ""}
            label
            disabled={!app.unsaved.value}
            onClick={() => void app.save()}
          />
        </div>
      ) : null}
      <div class="group push">
        {free ? (
          <fieldset class="segments">
            <legend class="sr">Which masks</legend>
            {MODES.map(({ mode, name, tip }) => (
              <label key={mode} title={tip} class={app.mode.value === mode ? "on" : ""}>
                <input
                  type="radio"
                  name="mode"
                  class="sr"
                  checked={app.mode.value === mode}
                  onChange={() => app.setMode(mode)}
                />
                {name}
              </label>
            ))}
          </fieldset>
        ) : null}
        {mapped ? (
          <IconButton
            icon="map"
            name="Where the words acted"
            keys="M"
            pressed={app.heat.value}
            onClick={() => app.toggleHeat()}
          />
        ) : null}
        {drawn ? (
          <IconButton
            icon={app.hidden.value ? "hide" : "eye"}
            name={app.hidden.value ? "Show the masks" : "Hide the masks"}
            keys="H"
            pressed={app.hidden.value}
            onClick={() => (app.hidden.value = !app.hidden.value)}
          />
        ) : null}
      </div>
    </div>
  );
}

function Screen() {
  const app = useApp();
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!holder.current) return;
    const stage = new Stage(holder.current);
    const hand = new Hand(app, stage);
    holder.current.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && hand.key(event.key, event.shiftKey)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
    stage.onDrawn = () => {
      app.place.value = stage.voxel.join(",");
    };
    stage.onFlat = (why) => {
      app.flat.value = why;
    };
    app.stage = stage;
    Object.assign(holder.current, { stage }); // for whoever looks into the page: our tests
    void app.paint();
    return () => {
      app.stage = null;
      stage.close();
    };
  }, [app]);
  // Whatever the scene is made of is read here, so that a change draws it again.
  useSignalEffect(() => {
    const scene = app.scene();
    const loaded = app.view.value && app.stage;
    if (loaded) app.stage?.show(scene);
  });
  useSignalEffect(() => {
    const [low, high] = app.window.value;
    app.stage?.setWindow(low, high);
  });
  useSignalEffect(() => {
    const layout = app.layout.value;
    if (app.stage?.isVolume) app.stage.setLayout(layout);
  });
  return (
    <section
      class="screen"
      ref={holder}
      tabIndex={0}
      aria-label="The image. Arrow keys move the cross, Space uses the tool, Page Up and Page Down change the slice."
      data-testid="screen"
    >
      <Letters />
      <Cross />
      <Progress />
      <Problem />
      {app.fresh.value !== null ? (
        <div class="banner" role="status">
          Click or draw a box where “{app.fresh.value || "it"}” is.
          <button type="button" class="small" onClick={() => (app.fresh.value = null)}>
            Cancel
          </button>
        </div>
      ) : null}
      {app.view.value?.image.blank ? (
        <div class="banner low" role="note">
          The image is not kept in the folder: the masks stand alone. To see them on it, start with{" "}
          <code>medsegr view OUT -i IMAGE</code>.
        </div>
      ) : null}
      {app.flat.value ? (
        <div class="banner low" role="note">
          {app.flat.value}
        </div>
      ) : null}
      {app.busy.value && app.view.value ? (
        <div class="banner low" role="status">
          <span class="spinner" /> {app.busy.value}…
        </div>
      ) : null}
    </section>
  );
}

/** Letters of a picture's edges; those of a volume are drawn with it. */
function Letters() {
  const app = useApp();
  const image = app.view.value?.image;
  if (!image?.letters) return null;
  const tip = image.frame === "viewer" ? "The viewer's left and right" : "The patient's sides";
  return (
    <>
      {(["left", "right", "top", "bottom"] as const).map((edge) => {
        const letter = image.letters?.[edge];
        return letter ? (
          <span key={edge} class={`letter at-${edge}`} title={tip} data-edge={edge}>
            {letter}
          </span>
        ) : null;
      })}
      {image.planes > 1 ? (
        <span class="unplaced">Nobody said how this volume lies in the patient</span>
      ) : null}
    </>
  );
}

/** Where the keys' cross is, while the image has the focus. */
function Cross() {
  const app = useApp();
  const ref = useRef<HTMLSpanElement>(null);
  useSignalEffect(() => {
    void app.place.value;
    const stage = app.stage;
    const tile = stage?.tiles.find(({ axis }) => axis === (app.view.value?.image.cut ?? 2));
    if (!stage || !tile || !ref.current) return;
    const voxel = stage.voxel;
    const x = tile.x.start + tile.x.step * (voxel[tile.across] as number);
    const y = tile.y.start + tile.y.step * (voxel[tile.down] as number);
    ref.current.style.transform = `translate(${x}px, ${y}px)`;
  });
  return <span class="cross" ref={ref} aria-hidden="true" />;
}

function Progress() {
  const app = useApp();
  const progress = app.progress.value;
  const waiting = !app.view.value && !app.problem.value;
  if (!progress && !waiting) return null;
  const part = progress?.total ? progress.done / progress.total : 0;
  const count = progress?.total ? ` · ${progress.done} of ${progress.total}` : "";
  return (
    <div class={`progress ${app.view.value ? "" : "middle"}`} role="status">
      <span class="spinner" />
      <span class="progress-text">
        {progress ? `${stageOf(progress.stage)}${count}` : "Opening the case"}
      </span>
      {progress?.total ? <progress max={1} value={part} aria-label="Progress" /> : null}
      {progress ? (
        <button type="button" class="small" onClick={() => void app.cancel()}>
          <Icon name="stop" size={14} /> Cancel
        </button>
      ) : null}
    </div>
  );
}

function Problem() {
  const app = useApp();
  const problem = app.problem.value;
  if (!problem) return null;
  const stopped = problem.code === "cancelled";
  return (
    <div class={`problem ${stopped ? "calm" : ""}`} role="alert">
      <h2>{stopped ? "Stopped" : "This did not work"}</h2>
      <p>{problem.message}</p>
      <p class="actions">
        {app.canRetry ? (
          <button type="button" class="primary" onClick={() => void app.retry()}>
            Try again
          </button>
        ) : null}
        <button type="button" onClick={() => app.home()}>
          New case
        </button>
      </p>
    </div>
  );
}

function Bottom() {
  const app = useApp();
  const view = app.view.value;
  if (!view) return <div class="bottom" />;
  const { image } = view;
  const [low, high] = app.window.value;
  const preset = image.presets.findIndex(
    ({ window }) => Math.abs(window[0] - low) + Math.abs(window[1] - high) < 1e-3 * Math.max(1, high - low),
  );
  return (
    <div class="bottom">
      <label class="range" title="How strongly the masks cover the image (O, Shift+O)">
        <span>Masks</span>
        <input
          type="range"
          min="0"
          max="100"
          value={Math.round(app.opacity.value * 100)}
          onInput={(event) => (app.opacity.value = Number(event.currentTarget.value) / 100)}
        />
      </label>
      {image.presets.length ? (
        <label class="choice">
          <span>Window</span>
          <select
            aria-label="Window"
            value={preset}
            onChange={(event) => {
              const chosen = image.presets[Number(event.currentTarget.value)];
              if (chosen) app.window.value = chosen.window;
            }}
          >
            {preset < 0 ? <option value={-1}>{`${Math.round(low)} to ${Math.round(high)}`}</option> : null}
            {image.presets.map(({ name }, n) => (
              <option key={name} value={n}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {image.planes > 1 ? <Slices /> : null}
      <div class="group push">
        <IconButton icon="zoomOut" name="Zoom out" keys="-" onClick={() => app.stage?.zoomAt(1 / 1.25)} />
        <IconButton icon="fit" name="Fit the image" keys="0" onClick={() => app.stage?.reset()} />
        <IconButton icon="zoomIn" name="Zoom in" keys="+" onClick={() => app.stage?.zoomAt(1.25)} />
        <IconButton
          icon="table"
          name="Measurements"
          keys="T"
          label
          pressed={app.table.value}
          onClick={() => (app.table.value = !app.table.value)}
        />
      </div>
    </div>
  );
}

function Slices() {
  const app = useApp();
  const image = app.view.value?.image;
  const cut = image?.cut ?? 2;
  const voxel = app.place.value.split(",").map(Number);
  const at = voxel[cut] ?? 0;
  return (
    <>
      <label class="choice">
        <span>Planes</span>
        <select
          aria-label="Planes"
          value={app.layout.value}
          onChange={(event) => (app.layout.value = event.currentTarget.value as Layout)}
        >
          {LAYOUTS.map(({ layout, name }) => (
            <option key={layout} value={layout}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="range slices" title="Slice (Page Up, Page Down)">
        <span class="number">
          {at + 1} / {image?.planes}
        </span>
        <input
          type="range"
          aria-label="Slice"
          min="0"
          max={(image?.planes ?? 1) - 1}
          value={at}
          onInput={(event) => {
            const next = [...voxel];
            next[cut] = Number(event.currentTarget.value);
            app.stage?.goTo(next);
          }}
        />
      </label>
    </>
  );
}
