/** What the server says, as JSON. Spans are half-open character offsets counted in code points (Python's). */

export type Span = [number, number];
export type Polarity = "present" | "absent" | "uncertain";
export type Status = "segmented" | "skipped" | "not_found" | "refused" | "failed";

export interface Measurement {
  value: number | null;
  unit: string;
  status: string;
  of?: string;
}

export interface Check {
  name: string;
  outcome: "pass" | "warn" | "fail";
  detail: string;
}

export interface Cue {
  span: Span;
  kind: string;
}

export interface Finding {
  id: string;
  phrase: string;
  span: Span;
  mentions: Span[];
  section: string | null;
  sentence: Span | null;
  name: string;
  polarity: Polarity;
  time: string;
  location: {
    side: string | null;
    side_frame: "patient" | "viewer" | "limb";
    rows: string[];
    cols: string[];
    anatomy: string[];
  };
  texture: { density: string | null; uniformity: string | null; colour: string | null };
  shape: {
    form: string | null;
    margin: string | null;
    size_class: string | null;
    size_mm: number[] | null;
    count: number | null;
  };
  status: Status;
  reason: string | null;
  score: number | null;
  presence: number | null;
  measurements: Record<string, Measurement> | null;
  checks: Check[];
  review?: { revision: number; accepted: boolean; prompts: Prompts[] } | null;
  colour: string;
  layer: string | null;
  free_layer: string | null;
  map_layer: string | null;
  focus: [number, number, number] | null;
  cues: Cue[];
}

export interface Prompts {
  slice: number | null;
  points: [number, number, number][];
  boxes: [number, number, number, number][];
  mask: boolean;
}

export interface Letters {
  left: string | null;
  right: string | null;
  top: string | null;
  bottom: string | null;
}

export interface ViewImage {
  sha256: string;
  grid: number[];
  spacing_mm: number[] | null;
  modality: string | null;
  frame: "patient" | "viewer";
  frame_from: string;
  planes: number;
  layer: string;
  blank: boolean;
  letters: Letters | null;
  radiological: boolean;
  cut: number | null;
  window: [number, number];
  presets: { name: string; window: [number, number] }[];
  colour: boolean;
}

export interface Note {
  code: string;
  message: string;
}

export interface View {
  id: string;
  read_only: boolean;
  report: { text: string | null; sections: { name: string; span: Span }[]; unread: Span[] };
  image: ViewImage;
  model: { name?: string; sha256?: string; licence?: string };
  warnings: Note[];
  manifest: Record<string, unknown> | null;
  findings: Finding[];
  /** What the report speaks of and the job has not judged yet. */
  waiting: { id: string; phrase: string; span: Span }[];
}

/** A DICOM series of what was sent: numbers only, descriptions may name somebody. */
export interface SeriesInfo {
  token: string;
  title: string;
  modality: string | null;
  slices: number;
  chosen: boolean;
}

export interface ImageInfo {
  id: string;
  series: SeriesInfo[] | null;
  grid: number[];
  spacing_mm: number[] | null;
  modality: string | null;
  frame: string;
  warnings: Note[];
  report: string | null;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  image: string;
  state: JobState;
  stage: string | null;
  done: number;
  total: number;
  created: string | number;
  asked: "report" | "text" | "phrases" | "none";
  error: { code: string; message: string } | null;
}

/** Another answer to a finding's newest clicks. */
export interface Offer {
  finding: string;
  number: number;
  slice: number | null;
  how: string;
  score: number | null;
  followed: number;
  pixels: number;
  layer: string;
}

/** What a DICOMweb server tells of a study and of a series of it; null where it tells nothing. */
export interface Study {
  study: string | null;
  date: string | null;
  time: string | null;
  patient_id: string | null;
  patient_name: string | null;
  accession: string | null;
  modalities: string[];
  description: string | null;
  series: number | null;
  instances: number | null;
}

export interface StudySeries {
  series: string | null;
  modality: string | null;
  number: number | null;
  description: string | null;
  instances: number | null;
}

export interface Stored {
  format: string;
  outcome: "stored" | "changed" | "failed" | "nothing";
  reason: string | null;
}

export interface Session {
  candidates: Offer[];
  id: string;
  image: string;
  job: string | null;
  steps: number;
  can_undo: boolean;
  can_redo: boolean;
  view: View;
}

export interface Capabilities {
  version: string;
  notice: string;
  model: { name: string; concepts?: Record<string, string[]> };
  formats: string[];
  modalities: string[];
  read_only: boolean;
  role: string;
  dicomweb?: string[];
  examples: { id: string; title: string }[];
}

export interface Words {
  report?: string;
  text?: string;
  phrases?: string[];
}
