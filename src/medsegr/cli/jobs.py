"""The jobs file: JSON lines or a table, checked at the door. One bad line refuses the whole file, before any
work."""

import re
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medsegr.cli.tables import TABLES, Text, fault_of, numbered, told_once
from medsegr.errors import InputError

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = {"jobs.jsonl", "con", "prn", "aux", "nul"}


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

    @field_validator("phrases", mode="before")
    @classmethod
    def _one_phrase(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

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


def jobs_in(path: Path) -> Generator[Job, None, None]:
    """The jobs of a file in order, read row by row as they are asked for: JSON lines, a JSON array
    (``.json``), or a table (``.csv``, ``.tsv``) whose first row names the fields.

    InputError names the line and the field, never its content; at the end where there was no job at all.
    """
    table = path.suffix.lower() in TABLES
    with closing(numbered(path)) as found:
        yield from told_once(
            (number, _job(_cells(values, count) if table else values, number))
            for count, (number, values) in enumerate(found, 1)
        )


def _job(values: Mapping[str, Any], number: int) -> Job:
    try:
        return Job.model_validate(values)
    except ValidationError as error:
        raise InputError(f"jobs file, line {number}: {_fault(error)}") from None


def _cells(values: Mapping[str, str], count: int) -> dict[str, Any]:
    """A row of a table as a job: empty cells say nothing, several phrases stand between semicolons, rows
    without an id are numbered."""
    told: dict[str, Any] = {_field(name): cell.strip() for name, cell in values.items() if cell.strip()}
    told.setdefault("id", str(count))
    if "phrases" in told:
        told["phrases"] = [phrase.strip() for phrase in told["phrases"].split(";") if phrase.strip()]
    if told.get("film_frame", "").isdecimal():
        told["film_frame"] = int(told["film_frame"])
    return told


def _field(column: str) -> str:
    """The field that a column means: "Image" and "Film frame" are written by people who use spreadsheets."""
    plain = "_".join(column.lower().split())
    return plain if plain in Job.model_fields else column


def _fault(error: ValidationError) -> str:
    kind = error.errors(include_input=False, include_url=False)[0]["type"]
    said = {"extra_forbidden": "a job has no such field; it has", "missing": "it is missing; a job has"}
    if kind not in said:
        return fault_of(error)
    return f"{fault_of(error).split(':')[0]}: {said[kind]} {', '.join(Job.model_fields)}"
