/** The state of the page and what can be done to it. Components read signals and call actions; nothing else. */

import { batch, computed, effect, type Signal, signal } from "@preact/signals";
import { ApiError, api, key, type Options } from "./api.ts";
import { download, type Given } from "./files.ts";
import type { Mask } from "./masks.ts";
import { maskOf } from "./nifti.ts";
import type { Mode, Scene, Shape } from "./overlay.ts";
import { afterFrame, type Stage } from "./stage.ts";
import { store } from "./store.ts";
import type { Layout } from "./tiles.ts";
import type {
  Capabilities,
  Finding,
  ImageInfo,
  Job,
  Offer,
  SeriesInfo,
  Session,
  View,
  Words,
} from "./types.ts";
import { remember, sessionOf } from "./unsaved.ts";

export type Tool = "look" | "window" | "add" | "remove" | "box" | "brush" | "erase";
export type Dialog = "help" | "key" | "download" | "phrase" | "pacs" | "series" | "answers" | null;
export const EDITS: readonly Tool[] = ["add", "remove", "box", "brush", "erase"];

export const kept = store("localStorage");
const ALL = 200; // the most cases that the server lists at once

export interface Toast {
  text: string;
  kind: "info" | "error";
}

export interface Progress {
  stage: string | null;
  done: number;
  total: number;
}

/** What a case is begun with, until it is asked: words, options, and what the file does not say. */
export interface Begun {
  report: string;
  options: Options;
  modality: string;
  frame: string;
}

/** Files that hold several series: one is to be chosen. `image` is what the server read of them, if it could decide. */
export interface Several {
  image: ImageInfo | null;
  series: SeriesInfo[];
  given: Given[];
  begun: Begun;
}

/** An image that is on the server already, fetched from another one. */
export interface Fetched {
  image: ImageInfo;
  name: string;
}

/** What was asked for last, so that a failed case can be tried again and a phrase added. */
interface Asked {
  image: string;
  words: Words;
  options: Options;
}

export class App {
  readonly caps = signal<Capabilities | null>(null);
  readonly down = signal<string | null>(null);
  readonly recent = signal<Job[]>([]);
  readonly screen = signal<"loading" | "start" | "case">("loading");
  readonly job = signal<Job | null>(null);
  readonly view = signal<View | null>(null);
  readonly problem = signal<{ code: string; message: string } | null>(null);
  readonly progress = signal<Progress | null>(null);
  readonly session = signal<Session | null>(null);
  readonly busy = signal<string | null>(null);
  readonly toast = signal<Toast | null>(null);
  readonly dialog = signal<Dialog>(null);

  readonly selected = signal<string | null>(null);
  readonly hovered = signal<string | null>(null);
  readonly mode = signal<Mode>("guided");
  readonly heat = signal(false);
  readonly opacity = signal(0.35);
  readonly hidden = signal(false);
  readonly tool = signal<Tool>("look");
  readonly radius = signal(6);
  readonly layout = signal<Layout>("all");
  readonly window = signal<[number, number]>([0, 255]);
  readonly place = signal<string>("");
  readonly flat = signal<string>(""); // why a volume has no 3-D picture
  readonly table = signal(false);
  readonly fresh = signal<string | null>(null); // a phrase that waits to be placed by a click
  readonly letterKeys = signal(kept.get("medsegr-keys") !== "off");
  readonly theme = signal<string>(kept.get("medsegr-theme") ?? "auto");
  readonly offered = signal<{ images: Given[]; report: string }>({ images: [], report: "" });

  readonly several = signal<Several | null>(null);
  readonly fetched = signal<Fetched | null>(null);
  readonly answers = signal<Offer[]>([]);

  readonly layers = signal<ReadonlyMap<string, Mask>>(new Map());
  readonly draft: Signal<Scene["draft"]> = signal(null);
  readonly editable = computed(
    () => !this.view.value?.read_only && !this.view.value?.image.blank && this.job.value?.state === "done",
  );
  readonly finding = computed(
    () => this.view.value?.findings.find(({ id }) => id === this.selected.value) ?? null,
  );
  readonly unsaved = computed(() => (this.session.value?.steps ?? 0) > 0);

  stage: Stage | null = null;
  private shown = ""; // the image that the stage has
  private coming: { sha256: string; bytes: Promise<ArrayBuffer> } | null = null;
  private asked: Asked | null = null;
  private follow: AbortController | null = null;
  private pending = new Set<string>();
  private turn: Promise<unknown> = Promise.resolve(); // steps by hand go one after the other, none is lost
  private asks = 0; // views that were asked for, and the newest of those that came
  private newest = 0;
  private looking = false;
  private lookAgain = false;
  private toastTimer = 0;

  async boot(): Promise<void> {
    const wanted = /^#\/job\/([\w-]+)$/.exec(location.hash)?.[1];
    const ahead = wanted ? aheadOf(wanted) : null;
    try {
      this.caps.value = await api.capabilities();
      this.down.value = null;
    } catch (error) {
      if (!this.wantsKey(error)) this.down.value = messageOf(error);
      return;
    }
    if (wanted && ahead) return void (await this.open(wanted, ahead));
    await this.refreshRecent();
    if (this.screen.value === "case") return; // the address named a case meanwhile
    const [only] = this.recent.value;
    if (this.caps.value.read_only && only && this.recent.value.length === 1) await this.open(only.id);
    else this.home();
  }

  home(): void {
    this.leave();
    batch(() => {
      this.screen.value = "start";
      history.replaceState(null, "", "#/");
    });
    void this.refreshRecent();
  }

  async refreshRecent(): Promise<void> {
    try {
      this.recent.value = await api.jobs();
    } catch (error) {
      this.wantsKey(error);
    }
  }

  private leave(): void {
    this.follow?.abort();
    this.follow = null;
    this.shown = "";
    this.coming = null;
    this.pending.clear();
    batch(() => {
      this.job.value = null;
      this.view.value = null;
      this.problem.value = null;
      this.progress.value = null;
      this.session.value = null;
      this.answers.value = [];
      this.selected.value = null;
      this.hovered.value = null;
      this.fresh.value = null;
      this.draft.value = null;
      this.mode.value = "guided";
      this.heat.value = false;
      this.hidden.value = false; // a case without masks would look like one in which nothing was found
      this.tool.value = "look";
      this.table.value = false;
      this.layers.value = new Map();
      this.flat.value = "";
    });
  }

  /** Sends and asks; the case is shown at once. Files of several series ask first which one is meant. */
  async start(given: Given[], begun: Begun): Promise<void> {
    const { modality, frame } = begun;
    await this.doing("Sending the image", async () => {
      let image: ImageInfo | null = null;
      let series: SeriesInfo[];
      try {
        image = await api.upload(given, { modality, frame });
        series = image.series ?? [];
      } catch (error) {
        series = error instanceof ApiError && error.code === "series_needed" ? error.series : [];
        if (!series.length) throw error;
      }
      if (image && series.length < 2) return await this.begin(image, begun);
      this.several.value = { image, series, given, begun };
      this.dialog.value = "series";
    });
  }

  /** Goes on with a series of those that were sent; another than the one that was read is sent once more. */
  async takeSeries(token: string): Promise<void> {
    const several = this.several.value;
    if (!several) return;
    const { image, series, given, begun } = several;
    this.several.value = null;
    this.dialog.value = null;
    await this.doing("Reading the series", async () => {
      const read = series.find(({ chosen }) => chosen)?.token;
      if (image && read === token) return await this.begin(image, begun);
      const { modality, frame } = begun;
      const other = await api.upload(given, { modality, frame, series: token });
      if (image) api.removeImage(image.id).catch(() => undefined); // it expires by itself
      await this.begin(other, begun);
    });
  }

  /** Asks about an image that is on the server already. */
  async begin(image: ImageInfo, { report, options }: Begun): Promise<void> {
    await this.ask({ image: image.id, words: report.trim() ? { report } : {}, options });
    this.fetched.value = null;
  }

  async startFetched(begun: Begun): Promise<void> {
    const fetched = this.fetched.value;
    if (fetched) await this.doing("Asking", () => this.begin(fetched.image, begun));
  }

  async example(id: string, options: Options): Promise<void> {
    await this.doing("Making the example", async () => {
      const image = await api.example(id);
      await this.ask({ image: image.id, words: image.report ? { report: image.report } : {}, options });
    });
  }

  private async ask(asked: Asked): Promise<void> {
    this.asked = asked;
    const job = await api.start(asked.image, asked.words, asked.options);
    await this.open(job.id);
  }

  /** The same image with one more phrase, found by the words alone. */
  async findToo(phrase: string, options: Options): Promise<void> {
    const job = this.job.value;
    const text = this.view.value?.report.text ?? "";
    if (!job) return;
    const phrases = job.asked === "phrases" || !text;
    const words: Words = phrases
      ? { phrases: [...text.split("\n").filter((line) => line.trim()), phrase] }
      : { report: `${text.trimEnd()}\n\nFINDINGS: ${phrase.replace(/\.*$/, ".")}` };
    await this.doing("Asking again", () => this.ask({ image: job.image, words, options }));
  }

  async open(id: string, ahead = aheadOf(id)): Promise<void> {
    this.leave();
    batch(() => {
      this.screen.value = "case";
      history.replaceState(null, "", `#/job/${id}`);
    });
    try {
      this.job.value = await ahead.job;
      await this.look(ahead.view);
      if (this.job.value.state === "done" && this.view.value?.manifest === null) await this.look(); // it ended between
    } catch (error) {
      if (!this.wantsKey(error)) this.problem.value = problemOf(error);
      return;
    }
    const job = this.job.value;
    if (job?.state === "queued" || job?.state === "running") void this.watch(id);
    else if (job?.error) this.problem.value = job.error;
    else if (job?.state === "cancelled")
      this.problem.value = { code: "cancelled", message: "You stopped this case." };
    if (job?.state === "done") await this.goOn(id);
  }

  /** Goes on with corrections of this case that this tab made before a reload, or before it looked at another. */
  private async goOn(id: string): Promise<void> {
    const own = sessionOf(id);
    if (!own || !this.editable.value) return;
    await this.inTurn("Bringing your corrections back", async (job) => {
      let session: Session;
      try {
        session = await api.sessionNow(own);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        remember(id, null);
        this.say(
          "Your corrections of this case were not saved, and the server keeps them no longer.",
          "error",
        );
        return;
      }
      if (this.job.value?.id !== job.id) return;
      this.takeSession(session);
      if (session.steps) this.say("Your corrections are here again. They are not saved yet.");
    });
  }

  /** What a session drew. It knows no maps of where the words acted: those of its case hold on. */
  private takeSession(session: Session): void {
    const maps = new Map(this.view.value?.findings.map(({ id, map_layer }) => [id, map_layer]));
    const findings = session.view.findings.map((one) => ({
      ...one,
      map_layer: one.map_layer ?? maps.get(one.id) ?? null,
    }));
    this.session.value = session;
    this.take({ ...session.view, findings });
  }

  /** Fetches what the page draws; a job that has not read its image yet has nothing to show. */
  private async look(asked?: Promise<View>): Promise<void> {
    const id = this.job.value?.id;
    if (!id) return;
    const own = ++this.asks;
    try {
      const view = await (asked ?? api.view(id));
      if (this.job.value?.id === id && own > this.newest) this.take(view, own);
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 409, 503].includes(error.status)) throw error;
    }
  }

  /** Looks once more while a job runs: once for all that happened during the look before. */
  private async follows(): Promise<void> {
    this.lookAgain = true;
    if (this.looking) return;
    this.looking = true;
    try {
      while (this.lookAgain) {
        this.lookAgain = false;
        await this.look();
      }
    } catch (error) {
      this.wantsKey(error); // what else is wrong is told at the end of the job
    } finally {
      this.looking = false;
    }
  }

  private take(view: View, asked = ++this.asks): void {
    this.newest = asked;
    // Nobody has moved the window: it follows, for the words may tell late that the image is a CT.
    const usual = this.window.value.join() === this.view.value?.image.window.join();
    this.view.value = view;
    this.bytesOf(view).catch(() => undefined); // whoever waits for them tells what failed
    if (usual || this.shown === "") this.window.value = view.image.window;
    void this.paint();
  }

  private async watch(id: string): Promise<void> {
    const follow = new AbortController();
    this.follow = follow;
    const job = this.job.value;
    this.progress.value = { stage: job?.stage ?? null, done: job?.done ?? 0, total: job?.total ?? 0 };
    try {
      for await (const { event, data } of api.events(id, follow.signal)) {
        if (event === "progress") this.progress.value = data as unknown as Progress;
        if (event === "state" && this.job.value)
          this.job.value = { ...this.job.value, state: data.state as Job["state"] };
        if (event === "finding" || (event === "progress" && !this.view.value)) void this.follows();
        if (event === "end") break;
      }
    } catch (error) {
      if (!this.wantsKey(error)) this.problem.value = problemOf(error);
    }
    if (follow.signal.aborted) return;
    await this.ended(id);
    if (!follow.signal.aborted) this.progress.value = null; // not before the last findings are there
  }

  private async ended(id: string): Promise<void> {
    try {
      this.job.value = await api.job(id);
      await this.look();
    } catch (error) {
      this.problem.value = problemOf(error);
      return;
    }
    const { state, error } = this.job.value;
    if (state === "failed") this.problem.value = error ?? { code: "failed", message: "The case failed." };
    if (state === "cancelled") this.problem.value = { code: "cancelled", message: "You stopped this case." };
    void this.refreshRecent();
  }

  async cancel(): Promise<void> {
    const id = this.job.value?.id;
    if (!id) return;
    try {
      this.job.value = await api.cancel(id);
    } catch (error) {
      this.fail(error);
    }
  }

  get canRetry(): boolean {
    return this.asked !== null && this.asked.image === this.job.value?.image;
  }

  async retry(): Promise<void> {
    const asked = this.asked;
    if (asked) await this.doing("Asking again", () => this.ask(asked));
  }

  /** Gives the stage its image, once, and the masks as they come. */
  async paint(): Promise<void> {
    const view = this.view.value;
    if (!view || !this.stage) return;
    if (this.shown !== view.image.sha256) {
      this.shown = view.image.sha256;
      try {
        const bytes = await this.bytesOf(view);
        if (this.view.value?.image.sha256 !== view.image.sha256 || !this.stage) return;
        const first = view.findings.find((one) => one.focus)?.focus;
        await this.stage.load(view.image, bytes, first ?? null);
        batch(() => {
          this.layout.value = this.stage?.isVolume ? "all" : "axial";
          this.window.value = view.image.window;
        });
        afterFrame(() => performance.mark("medsegr-image"));
      } catch (error) {
        this.shown = "";
        this.coming = null;
        this.fail(error);
        return;
      }
    }
    this.fetchLayers(view);
    this.stage.show(this.scene());
  }

  /** The image's bytes, asked for once, before the stage is ready to take them. */
  private bytesOf(view: View): Promise<ArrayBuffer> {
    if (this.coming?.sha256 !== view.image.sha256)
      this.coming = { sha256: view.image.sha256, bytes: api.layer(view.image.layer) };
    return this.coming.bytes;
  }

  /** Layers that the page needs now and has not asked for yet. */
  private fetchLayers(view: View): void {
    for (const finding of view.findings) {
      const wanted = [finding.layer, this.mode.value === "guided" ? null : finding.free_layer];
      if (this.heat.value && finding.id === this.active) wanted.push(finding.map_layer);
      for (const url of wanted) if (url) this.fetchLayer(url);
    }
  }

  /** Fetches a layer once; `name` is what it is kept as. */
  private fetchLayer(url: string, name = url): void {
    if (this.pending.has(name)) return;
    this.pending.add(name);
    api
      .layer(url)
      .then(maskOf)
      .then(
        (mask) => {
          this.layers.value = new Map(this.layers.value).set(name, mask);
        },
        (error: unknown) => {
          this.pending.delete(name);
          this.fail(error);
        },
      );
  }

  /** Once the mask of a finding is there, as the newest view names it. */
  async maskThere(id: string): Promise<void> {
    await new Promise<void>((done) => {
      const stop = effect(() => {
        const layer = this.view.value?.findings.find((one) => one.id === id)?.layer;
        if (layer && !this.layers.value.has(layer)) return;
        queueMicrotask(() => {
          stop();
          done();
        });
      });
    });
  }

  get active(): string | null {
    return this.hovered.value ?? this.selected.value;
  }

  /** All that is drawn over the image, out of the page's state. */
  scene(): Scene {
    const view = this.view.value;
    const layer = (url: string | null | undefined) => (url ? (this.layers.value.get(url) ?? null) : null);
    const active = this.active;
    const shapes: Shape[] = (view?.findings ?? []).map((finding, n) => ({
      id: finding.id,
      number: n + 1,
      name: finding.phrase || finding.name,
      colour: finding.colour,
      mask: layer(finding.layer),
      free: layer(finding.free_layer),
      dashed: finding.polarity === "uncertain",
    }));
    const chosen = view?.findings.find(({ id }) => id === active);
    return {
      shapes,
      active: chosen ? active : null,
      mode: this.mode.value,
      opacity: this.opacity.value,
      hidden: this.hidden.value,
      heat: this.heat.value ? layer(chosen?.map_layer) : null,
      prompts: this.finding.value?.review?.prompts ?? [],
      cut: view?.image.cut ?? 2,
      picture: view?.image.cut == null,
      draft: this.draft.value,
      box: null,
      cursor: null,
      measured: Boolean(view?.image.spacing_mm),
      filled: view?.image.cut != null,
    };
  }

  /** Chooses a finding and goes to where it is; again: lets it go. */
  select(id: string | null, go = true): void {
    this.selected.value = id;
    const finding = this.finding.value;
    if (go && finding?.focus && this.stage) this.stage.goTo(finding.focus);
    void this.paint();
  }

  step(by: 1 | -1): void {
    const ids = this.view.value?.findings.map(({ id }) => id) ?? [];
    if (!ids.length) return;
    const at = ids.indexOf(this.selected.value ?? "");
    this.select(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length] as string);
  }

  setMode(mode: Mode): void {
    this.mode.value = mode;
    void this.paint();
  }

  toggleHeat(): void {
    const on = !this.heat.value;
    if (on && !this.finding.value?.map_layer) {
      const first = this.view.value?.findings.find((one) => one.map_layer);
      if (!first) {
        this.say("This result holds no maps of where the words acted.");
        return;
      }
      this.select(first.id);
    }
    this.heat.value = on;
    void this.paint();
  }

  /** Does something once all steps by hand before it are done; false where the case was left meanwhile. */
  private async inTurn(what: string, work: (job: Job) => Promise<void>): Promise<boolean> {
    const job = this.job.value;
    if (!job) return false;
    const mine = this.turn.then(async () => {
      if (this.job.value?.id !== job.id) return false;
      return await this.doing(what, () => work(job));
    });
    this.turn = mine;
    return await mine;
  }

  /** One step by hand: opens a session on the first. Refused steps are told and change nothing. */
  async edit(name: string, body: Record<string, unknown> = {}): Promise<boolean> {
    if (!this.editable.value) return false;
    return await this.inTurn("Drawing", async (job) => {
      this.session.value ??= await api.session(job.id);
      remember(job.id, this.session.value.id);
      const session = await api.step(this.session.value.id, name, body);
      const before = new Set(this.view.value?.findings.map(({ id }) => id));
      this.takeSession(session);
      const added = session.view.findings.find(({ id }) => !before.has(id));
      if (added) this.select(added.id, false);
      else if (!this.finding.value) this.selected.value = null;
    });
  }

  /** Asks for other answers to the newest clicks at the chosen finding, and shows them. */
  async offer(): Promise<void> {
    await this.inTurn("Asking for other answers", async () => {
      const [session, finding] = [this.session.value, this.finding.value];
      if (!session || !finding || !this.canOffer) {
        this.say("Other answers are given to clicks: put a point or a box at the finding first.");
        return;
      }
      const told = await api.step(session.id, "candidates", { finding: finding.id });
      this.session.value = told;
      this.answers.value = told.candidates;
      if (!told.candidates.length) {
        this.say("There is no other answer here: whatever the model is told, it draws this mask.");
        return;
      }
      for (const { layer } of told.candidates) this.fetchLayer(layer, `${layer}#${told.steps}`);
      this.dialog.value = "answers";
    });
  }

  /** Whether the chosen finding has clicks of this session that could be answered otherwise. */
  get canOffer(): boolean {
    const finding = this.finding.value;
    return Boolean(
      this.session.value && finding && !finding.review?.accepted && finding.review?.prompts.length,
    );
  }

  /** The mask of another answer, as soon as it is there. */
  answerMask(offer: Offer): Mask | null {
    return this.layers.value.get(`${offer.layer}#${this.session.value?.steps}`) ?? null;
  }

  async choose(offer: Offer): Promise<void> {
    this.dialog.value = null;
    await this.edit("choose", { finding: offer.finding, how: offer.how });
  }

  /** Writes the corrected result as a case of its own, which can be downloaded. */
  async save(): Promise<void> {
    if (!this.session.value) return;
    await this.inTurn("Saving", async ({ id }) => {
      const session = this.session.value;
      if (!session) return;
      const job = await api.save(session.id);
      remember(id, null);
      const { selected } = this;
      const kept = selected.value;
      await this.open(job.id);
      this.selected.value = kept;
      this.say("Saved as a result of its own: it can be downloaded now.");
    });
  }

  async download(format: string): Promise<void> {
    const job = this.job.value;
    if (!job) return;
    await this.doing("Preparing the file", async () => {
      const { name, blob } = await api.result(job.id, format);
      download(name, blob);
    });
  }

  /** Locks the chosen finding's mask. */
  async accept(): Promise<void> {
    if (this.selected.value) await this.edit("accept", { finding: this.selected.value });
    else this.say("Choose a finding first: click its phrase or its number.");
  }

  /** Removes a case, and its image where no other case is made of it. */
  async remove({ id, image }: Job): Promise<void> {
    try {
      const all = await api.jobs(ALL);
      await api.remove(id);
      remember(id, null);
      const last = all.length < ALL && all.every((job) => job.id === id || job.image !== image);
      if (last) await api.removeImage(image);
    } catch (error) {
      this.fail(error);
    }
    await this.refreshRecent();
  }

  private async doing(what: string, work: () => Promise<void>): Promise<boolean> {
    this.busy.value = what;
    try {
      await work();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    } finally {
      this.busy.value = null;
    }
  }

  fail(error: unknown): void {
    const told = this.told(error);
    if (told) this.say(told, "error");
  }

  /** An error in words; empty where a key is asked for instead. */
  told(error: unknown): string {
    return this.wantsKey(error) ? "" : messageOf(error);
  }

  say(text: string, kind: Toast["kind"] = "info"): void {
    this.toast.value = { text, kind };
    clearTimeout(this.toastTimer);
    this.toastTimer = window.setTimeout(
      () => {
        this.toast.value = null;
      },
      kind === "error" ? 9000 : 5000,
    );
  }

  private wantsKey(error: unknown): boolean {
    if (!(error instanceof ApiError) || error.status !== 401) return false;
    this.dialog.value = "key";
    return true;
  }

  async useKey(value: string): Promise<void> {
    key.set(value.trim());
    this.dialog.value = null;
    await this.boot();
  }

  setTheme(theme: string): void {
    this.theme.value = theme;
    kept.set("medsegr-theme", theme);
  }

  /** A finding that clicks may change: the chosen one, where it has a place and the report does not deny it. */
  get target(): Finding | null {
    const finding = this.finding.value;
    const there = finding?.polarity !== "absent" && finding?.reason !== "no_place";
    return finding && there && !finding.review?.accepted ? finding : null;
  }
}

/** What a case begins with, asked for at once. */
function aheadOf(id: string): { job: Promise<Job>; view: Promise<View> } {
  const ahead = { job: api.job(id), view: api.view(id) };
  for (const one of [ahead.job, ahead.view]) one.catch(() => undefined); // whoever waits for it tells what failed
  return ahead;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function problemOf(error: unknown): { code: string; message: string } {
  return { code: error instanceof ApiError ? error.code : "error", message: messageOf(error) };
}
