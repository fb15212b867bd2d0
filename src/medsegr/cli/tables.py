"""Many reports in one file, row by row: JSON lines, a JSON array, CSV or TSV. No more than one row is held.

A fault names the row and what was expected there, never what the row says.
"""

import csv
import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import TextIOBase
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medsegr.errors import InputError, UsageError

MOST_JOBS = 1_000_000
Text = Annotated[str, Field(max_length=4 * 2**20)]
LONGEST_ROW = 8 * 2**20  # characters of one line, or of one object of an array
LONGEST_ID = 200
CHUNK = 2**16
_BLANKS = re.compile(r"[ \t\r\n]*")
TABLES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
Numbered = Generator[tuple[int, Mapping[str, Any]], None, None]


class _HasId(Protocol):
    @property
    def id(self) -> str | int: ...


Named = TypeVar("Named", bound=_HasId)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the words stand: (column, section) pairs, section "" for a column that is the whole report.

    ``words`` empty: the fields of our own format (``report`` or ``text``, ``modality``, ``frame``).
    """

    words: tuple[tuple[str, str], ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One report. ``parts``: where the words of each column stand in ``text``, for joined columns."""

    id: str | int
    text: str
    modality: str | None = None
    frame: Literal["patient", "viewer"] | None = None
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def columns_of(names: Sequence[str], id_column: str | None = None) -> Columns:
    """``--column`` and ``--id-column`` as a value: ``NAME``, or ``NAME=SECTION`` where the name is no
    heading.

    Raises UsageError for several columns of which one tells no section.
    """
    from medsegr.report.document import HEADINGS

    found = []
    for typed in names:
        name, sign, section = typed.rpartition("=")
        if not (sign and section in HEADINGS):
            words = " ".join(typed.lower().replace("_", " ").split())
            name, section = typed, next((s for s, listed in HEADINGS.items() if words in listed), "")
            if len(names) > 1 and not section:
                raise UsageError(
                    f"--column {typed[:40]}: joined columns are sections, and this is no heading; write for "
                    f"example --column {typed[:40]}=findings (known: {', '.join(HEADINGS)})"
                )
            section = section if len(names) > 1 else ""
        found.append((name, section))
    if len({name for name, _ in found}) < len(found):
        raise UsageError("--column: a name came twice; give each column once")
    return Columns(tuple(found), id_column)


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


def fault_of(error: ValidationError) -> str:
    """Field and fault in one line, without the value that came."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def read_rows(path: Path, columns: Columns) -> Generator[Row, None, None]:
    """The reports of a file in its order.

    Raises InputError, naming the row: unreadable text, broken quoting or JSON, a row beyond the limits, an
    absent column, an id that came before; and for a file without any row.
    """
    with closing(numbered(path)) as found:  # at once where a row is refused, not when memory is tidied up
        rows = enumerate(found, 1)
        yield from told_once(
            (number, _row(values, number, count, columns)) for count, (number, values) in rows
        )


def told_once(rows: Iterable[tuple[int, Named]]) -> Iterator[Named]:
    """Rows without their lines. InputError for an id that came before, and where there was no row."""
    seen: dict[str, int] = {}
    for number, row in rows:
        key = str(row.id).lower()
        if key in seen:
            raise InputError(f"{_at(number)}: its id stands in line {seen[key]} already")
        seen[key] = number
        yield row
    if not seen:
        raise InputError("the jobs file holds no job; give one a row, or one JSON object a line")


def numbered(path: Path) -> Numbered:
    """The rows of a file (JSON lines, ``.json``, ``.csv``, ``.tsv``) with their lines, one at a time.

    Raises InputError, naming the row: unreadable text, broken quoting or JSON, a row beyond the limits.
    """
    suffix = path.suffix.lower()
    try:
        with path.open(encoding="utf-8-sig", newline="" if suffix in TABLES else None) as handle:
            for count, row in enumerate(_source(handle, suffix), 1):
                if count > MOST_JOBS:
                    raise InputError(f"the jobs file has more than {MOST_JOBS:,} rows; split it")
                yield row
    except UnicodeDecodeError:
        raise InputError("the jobs file is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"the jobs file cannot be read: {error.strerror}; check the path") from None


def _at(number: int) -> str:
    return f"jobs file, line {number}"


def _source(handle: TextIOBase, suffix: str) -> Numbered:
    if suffix in TABLES:
        return _table(handle, TABLES[suffix])
    return _array(handle) if suffix == ".json" else _json_lines(handle)


def _lines(handle: TextIOBase) -> Iterator[str]:
    """Lines with their ends, none longer than ``LONGEST_ROW``: a file without line ends is not read whole."""
    number = 0
    while line := handle.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            raise InputError(
                f"{_at(number)}: it has more than {LONGEST_ROW:,} characters, expected one report"
            )
        if "\0" in line:
            raise InputError(f"{_at(number)}: a NUL character came, expected text; export the file again")
        yield line


def _json_lines(handle: TextIOBase) -> Numbered:
    for number, line in enumerate(_lines(handle), 1):
        if line.strip():
            try:
                yield number, _object(json.loads(line), number)
            except (ValueError, RecursionError):
                raise InputError(f"{_at(number)}: a JSON object was expected") from None


def _object(value: object, number: int) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{_at(number)}: a JSON object was expected")
    return value


def _array(handle: TextIOBase) -> Numbered:
    """The objects of a JSON array, read in pieces; "line" in messages is the object's number."""
    decoder, buffer, at, number, sign = json.JSONDecoder(), "", 0, 0, "["
    while True:
        at = _blanks_end(buffer, at)
        if at == len(buffer):
            buffer, at = handle.read(CHUNK), 0
            if not buffer:
                raise InputError(
                    "the jobs file ends too early; a JSON array of objects, [{...}, ...], was expected"
                )
        elif sign in ("[", ","):
            if buffer[at] == "]" and sign == ",":
                return
            if buffer[at] != sign:
                raise InputError(f"{_at(number + 1)}: a JSON array of objects, [{{...}}, ...], was expected")
            at, sign = at + 1, "first" if sign == "[" else "{"
        elif sign == "first" and buffer[at] == "]":
            return
        else:
            number += 1
            value, buffer, at = _next_object(handle, decoder, buffer[at:], number)
            yield number, value
            sign = ","


def _blanks_end(buffer: str, at: int) -> int:
    found = _BLANKS.match(buffer, at)
    return found.end() if found else at


def _next_object(
    handle: TextIOBase, decoder: json.JSONDecoder, buffer: str, number: int
) -> tuple[Mapping[str, Any], str, int]:
    """The object that ``buffer`` begins with, the buffer with what was read for it, and where it ends
    there."""
    while buffer[:1] == "{":
        try:
            value, end = decoder.raw_decode(buffer)
            return _object(value, number), buffer, end
        except RecursionError:
            break
        except ValueError:
            more = handle.read(
                max(CHUNK, len(buffer))
            )  # doubled, so that a long object is not tried too often
            if not more or len(buffer) > LONGEST_ROW:
                break
            buffer += more
    raise InputError(f"{_at(number)}: a JSON object of at most {LONGEST_ROW:,} characters was expected")


def _table(handle: TextIOBase, delimiter: str) -> Numbered:
    """The rows of CSV or TSV by the names of the first row. ``;`` separates where the first row has no
    comma."""
    lines = _lines(handle)
    first = next(lines, "")
    if delimiter == "," and "," not in first and ";" in first:
        delimiter = ";"
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    try:
        for cells in reader:
            if names is None:
                names = [cell.strip() for cell in cells]
                _check_names(names)
            elif len(names) > 1 and not any(cell.strip() for cell in cells):
                continue  # separators alone, as spreadsheets write empty rows
            elif cells and len(cells) != len(names):
                raise InputError(
                    f"{_at(reader.line_num)}: it has {len(cells)} cells and the first row has {len(names)}; "
                    "a quote or a separator is missing, or one too many"
                )
            elif cells:
                yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        limit = csv.field_size_limit()
        what = f"a cell of more than {limit:,} characters" if "limit" in str(error) else "a broken quote"
        raise InputError(
            f"{_at(reader.line_num)}: {what} came; each quote inside a quoted cell is written twice"
        ) from None


def _check_names(names: list[str]) -> None:
    twice = sum(names.count(name) > 1 for name in set(names[:1000]) if name)
    if twice or len(names) > 1000:
        raise InputError("jobs file, first row: up to 1,000 names of columns, each once, were expected")


def _row(values: Mapping[str, Any], number: int, count: int, columns: Columns) -> Row:
    own_id = values.get(columns.id or "id")
    if columns.id is not None and own_id in (None, ""):
        raise InputError(f"{_at(number)}: {_no_column(columns.id, values, 'id-column')}")
    if not columns.words:
        return _own_row(values, number, count if own_id in (None, "") else own_id)
    own_id = count if own_id in (None, "") else own_id
    if isinstance(own_id, bool) or not isinstance(own_id, str | int) or len(str(own_id)) > LONGEST_ID:
        raise InputError(f"{_at(number)}: the id is no text or number of up to {LONGEST_ID} characters")
    text, parts = "", {}
    for name, section in columns.words:
        if name not in values:
            raise InputError(f"{_at(number)}: {_no_column(name, values, 'column')}")
        said = _said(values[name], number)
        if not section:
            return Row(own_id, said)
        if said.strip():
            text += f"{section.upper()}:\n"
            parts[name] = (len(text), len(text) + len(said))
            text += f"{said}\n\n"
    return Row(own_id, text, parts=parts)


def _no_column(name: str, values: Mapping[str, Any], flag: str) -> str:
    shown, low = name[:40], name.strip().lower()
    near = next((known for known in values if known.strip().lower() == low), None)
    if near == name:
        return f"column '{shown}' is empty, expected a value in every row"
    advice = f"did you mean '{near[:40]}'?" if near else f"give --{flag} as it is written in the file"
    return f"there is no column '{shown}' among {len(values)}; {advice}"


def _said(value: object, number: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(
            f"{_at(number)}: a list, an object or a truth value came where a report was expected"
        )
    return str(value)


def _own_row(values: Mapping[str, Any], number: int, own_id: object) -> Row:
    known: dict[str, Any] = {name: values[name] for name in ("report", "text") if name in values}
    if not known:
        raise InputError(
            f"{_at(number)}: there is no column 'report' or 'text'; name the one that is: --column NAME"
        )
    known |= {name: values[name] for name in ("modality", "frame") if values.get(name)}
    try:
        words = Words.model_validate(known | {"id": own_id})
    except ValidationError as error:
        raise InputError(f"{_at(number)}: {fault_of(error)}") from None
    text = words.report if words.report is not None else words.text or ""
    return Row(words.id, text, words.modality, words.frame)
