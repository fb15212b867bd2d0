"""The jobs file: JSON lines checked at the door. One bad line refuses the whole file, before any work."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medsegr.errors import InputError

LARGEST_FILE = 512 * 2**20
MOST_JOBS = 1_000_000
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = {"jobs.jsonl", "con", "prn", "aux", "nul"}
Text = Annotated[str, Field(max_length=4 * 2**20)]


class Job(BaseModel):
    """One image of a batch: ``report`` is a path relative to the jobs file, ``text`` the words themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    image: Annotated[str, Field(min_length=1, max_length=4096)]
    report: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    text: Text | None = None
    phrases: tuple[Text, ...] | None = Field(None, strict=False, max_length=200)
    modality: Annotated[str, Field(max_length=64)] | None = None
    frame: Literal["patient", "viewer"] | None = None
    series: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    film_frame: Annotated[int, Field(ge=1)] | None = None

    @field_validator("id")
    @classmethod
    def _safe(cls, value: str) -> str:
        if (
            not SAFE_ID.fullmatch(value)
            or value.endswith(".")
            or value.lower().split(".")[0] in RESERVED
            or value.lower() in RESERVED
        ):
            raise ValueError(
                "it names a folder: up to 100 letters, digits, '.', '_', '-', no point at the ends"
            )
        return value

    @field_validator("image", "report")
    @classmethod
    def _path(cls, value: str | None) -> str | None:
        if value is not None and "\x00" in value:
            raise ValueError("a path cannot hold a NUL character")
        return value

    @model_validator(mode="after")
    def _one_kind_of_words(self) -> "Job":
        if sum((self.report is not None, self.text is not None, bool(self.phrases))) > 1:
            raise ValueError("give one of report, text and phrases")
        return self


class Words(BaseModel):
    """One report to parse: ``report`` or ``text`` is the report itself. Other keys are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str | int
    report: Text | None = None
    text: Text | None = None
    modality: str | None = None
    frame: Literal["patient", "viewer"] | None = None

    @model_validator(mode="after")
    def _one_text(self) -> "Words":
        if (self.report is None) == (self.text is None):
            raise ValueError("give report or text, one of them: the words themselves")
        return self


def jobs_in(path: Path) -> Iterator[Job]:
    """The jobs of a file in order, read line by line as they are asked for; empty lines are skipped.

    InputError names the line and the field, never its content; at the end where there was no job at all.
    """
    seen: dict[str, int] = {}
    for number, text in _lines(path):
        try:
            job = Job.model_validate(_object(text))
        except ValidationError as error:
            raise InputError(f"jobs file, line {number}: {fault_of(error)}") from None
        except (ValueError, RecursionError):
            raise InputError(f"jobs file, line {number}: a JSON object was expected") from None
        key = job.id.lower()
        if key in seen:
            raise InputError(f"jobs file, line {number}: its id stands in line {seen[key]} already")
        seen[key] = number
        yield job
    if not seen:
        raise InputError("the jobs file holds no job; write one JSON object a line")


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError("the jobs file is larger than 512 MB; split it")
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if number > MOST_JOBS:
                    raise InputError(f"the jobs file has more than {MOST_JOBS:,} lines; split it")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise InputError("the jobs file is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"the jobs file cannot be read: {error.strerror}; check the path") from None


def fault_of(error: ValidationError) -> str:
    """Field and fault in one line, without the value that came."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
