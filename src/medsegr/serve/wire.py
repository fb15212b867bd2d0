"""What goes over the wire, as pydantic models: what is asked is checked here, what is answered is described.

The OpenAPI document is made of them. Torch-free, and so is all that serves HTTP.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from medsegr.errors import UsageError
from medsegr.findings import Frame
from medsegr.options import Options
from medsegr.report.document import HEADINGS
from medsegr.serve.ids import PATTERN
from medsegr.serve.refusal import CODES, OURS, Refusal, error_json
from medsegr.serve.rows import JobRow, State
from medsegr.serve.wording import said_here

__all__ = ["CODES", "OURS", "Refusal", "error_json", "owner_of", "stamp"]
MOST_PHRASES = 200
ANYWHERE = (  # what the door and the last net say, of any route
    "bad_request",
    "bad_host",
    "unauthorized",
    "key_expired",
    "forbidden",
    "bad_origin",
    "too_slow",
    "too_large",
    "invalid",
    "too_many_requests",
    "error",
    "out_of_memory",
    "no_room",
    "keys_unreadable",
)
MOST_CHARACTERS = 100_000  # of one request's words: twice the longest real report, some seconds to read
Id = Annotated[str, StringConstraints(pattern=PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Modality = Annotated[str, StringConstraints(max_length=64)]
Stage = Literal["read", "parse", "segment", "checks", "write"]


class Wire(BaseModel):
    """Unknown keys are refused, and no word is taken for a truth value."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Wire):
    """What is asked for: one of the three, or nothing (the model proposes)."""

    report: Text | None = Field(None, description="A whole report.")
    text: Text | None = Field(None, description="One sentence of a report.")
    phrases: list[Phrase] | None = Field(
        None, min_length=1, max_length=MOST_PHRASES, description="Direct phrases."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Words":
        if sum((self.report is not None, self.text is not None, bool(self.phrases))) > 1:
            raise ValueError("give one of report, text and phrases")
        if sum(map(len, self.phrases or ())) > MOST_CHARACTERS:
            raise ValueError(f"the phrases have more than {MOST_CHARACTERS} characters together")
        for words in (self.report, self.text, *(self.phrases or ())):
            if words is not None and not words.strip():
                raise ValueError("the words are empty")
        return self

    @property
    def asked(self) -> str:
        """Which of them it is: report, text, phrases or none."""
        return "report" if self.report else "text" if self.text else "phrases" if self.phrases else "none"

    @property
    def said(self) -> str | None:
        """The text that spans refer to; None where nothing was said."""
        return self.report or self.text or ("\n".join(self.phrases) if self.phrases else None)


class ParseRequest(Words):
    """A report to read, without an image."""

    modality: Modality | None = None
    frame: Frame | None = None


class JobOptions(Wire):
    """What is drawn and checked; as the flags of ``medsegr segment``."""

    polarity: list[Literal["present", "uncertain", "absent"]] = Field(default=["present"], max_length=3)
    side_check: Literal["strict", "warn", "off"] = "warn"
    report_mask: StrictBool = True
    explain: StrictBool = False
    force: StrictBool = False
    sections: list[Annotated[str, StringConstraints(max_length=40)]] = Field(default=[], max_length=40)
    keep_text: StrictBool = False

    def options(self) -> Options:
        """As the pipeline takes them. Refusal ``wrong_arguments`` for what does not exist."""
        for name in self.sections:
            if name not in HEADINGS:
                raise Refusal("wrong_arguments", f"sections: expected names of {', '.join(HEADINGS)}")
        try:
            return Options(
                polarity=tuple(dict.fromkeys(self.polarity)),
                side_check=self.side_check,
                report_mask=self.report_mask,
                explain=self.explain,
                force=self.force,
                keep_text=self.keep_text,
                sections=tuple(self.sections),
            )
        except UsageError as error:
            raise Refusal("wrong_arguments", said_here(str(error))) from error


class JobRequest(Words):
    """A job: an image that was sent, words, options."""

    image: Id
    options: JobOptions = JobOptions()

    @model_validator(mode="after")
    def _sections_of_words(self) -> "JobRequest":
        if self.options.sections and self.report is None and self.text is None:
            raise ValueError("sections name parts of a report: give report or text, or leave them out")
        return self


class Note(BaseModel):
    """A warning, or an error, with a stable code."""

    code: str
    message: str


class SeriesInfo(BaseModel):
    """A DICOM series of what was sent: ``token`` is what the field ``series`` takes."""

    token: str
    title: str = Field(description="The series in numbers, without its description.")
    modality: str
    slices: int
    chosen: bool


class Details(BaseModel):
    """What a program needs to go on after an error."""

    series: list[SeriesInfo] | None = Field(None, description="Of `series_needed`: one of these is meant.")


class Fault(Note):
    """An error; ``details`` only where its code has some."""

    details: Details | None = None


class Problem(BaseModel):
    """The body of every error."""

    error: Fault


class ImageInfo(BaseModel):
    """An image as it was read. ``grid`` and ``spacing_mm`` go along the file's own axes."""

    id: str
    grid: list[int]
    spacing_mm: list[float] | None
    modality: str | None
    frame: Frame
    frame_from: str
    sha256: str
    warnings: list[Note]
    series: list[SeriesInfo] | None
    report: str | None = Field(None, description="The report of an example case.")
    created: str
    expires: str


class JobInfo(BaseModel):
    """A job as it stands. ``done`` of ``total`` in its stage: findings of a picture, slices of a volume."""

    id: str
    image: str
    state: State
    stage: Stage | None
    done: int
    total: int
    created: str
    started: str | None
    finished: str | None
    expires: str | None
    asked: Literal["report", "text", "phrases", "none"]
    error: Note | None


class JobList(BaseModel):
    """The newest jobs."""

    jobs: list[JobInfo]


class Health(BaseModel):
    """That it lives, or is ready."""

    status: Literal["ok", "ready"]


class ModelInfo(BaseModel):
    """The model that answers: its card in short. ``concepts``: name -> modalities it was trained for;
    ``made_only``: those of them that made images alone taught, which are not drawn in others unless they are
    organs, and then not to be relied on."""

    name: str
    sha256: str
    licence: str
    concepts: dict[str, list[str]]
    made_only: list[str]


class Example(BaseModel):
    """A made case to try things on."""

    id: str
    title: str


class Capabilities(BaseModel):
    """What this server does, and within which limits."""

    version: str
    notice: str
    model: ModelInfo
    formats: list[str]
    polarities: list[str]
    modalities: list[str]
    frames: list[str]
    limits: dict[str, float]
    read_only: bool
    role: str
    dicomweb: list[str]
    examples: list[Example]


class ParseInfo(BaseModel):
    """What a report says: as ``medsegr parse --json``."""

    model_config = ConfigDict(populate_by_name=True)

    form: str = Field(alias="schema")
    report: dict[str, Any] | None
    findings: list[dict[str, Any]]
    unread: list[dict[str, Any]]
    warnings: list[Note]


def stamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_info(row: JobRow) -> JobInfo:
    """A job's row as it is answered."""
    stage: Any = row.stage
    asked: Any = row.asked
    return JobInfo(
        id=row.id,
        image=row.image,
        state=row.state,
        stage=stage,
        done=row.done,
        total=row.total,
        created=stamp(row.created) or "",
        started=stamp(row.started),
        finished=stamp(row.finished),
        expires=stamp(row.expires),
        asked=asked,
        error=None if row.code is None else Note(code=row.code, message=row.message or ""),
    )


def owner_of(request: Request) -> str:
    """Name of the key that came with a request; "" on loopback without keys."""
    return str(getattr(request.state, "key", ""))


def role_of(request: Request) -> str:
    """What the key may do: read, write or admin."""
    return str(getattr(request.state, "role", "admin"))


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for the OpenAPI document: its own, and those that any route can end with."""
    said: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*codes, *ANYWHERE)):
        said.setdefault(CODES[code][0], []).append(f"`{code}`: {CODES[code][1]}")
    return {status: {"model": Problem, "description": "; ".join(lines)} for status, lines in said.items()}
