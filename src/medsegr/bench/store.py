"""The folder of a run: ``record.json`` (what was asked), ``methods/<label>/images.jsonl`` (one line an
image, as it is judged) and ``methods/<label>/method.json``. A killed run goes on from the lines that are
whole.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsegr.errors import InputError, UsageError

SCHEMA = "medsegr.bench/1"
RECORD = "record.json"
LEAKS = "leaks.json"
HALF = re.compile(r"\.(?:\w+\.json|scores\.csv|index\.html)\.\d+\.part")  # ours, while it is written
ASKED = (  # must not change
    "sets",
    "split",
    "limit",
    "seed",
    "tolerance",
    "tables",
    "trained_on",
    "leaks",
    "target",
    "modality",
)


def write_json(path: Path, value: object) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def sweep(out: Path) -> None:
    """Remove what a run that was killed had half written, which nobody will read."""
    for path in (*out.glob(".*.part"), *out.glob("methods/*/.*.part")):
        if HALF.fullmatch(path.name):
            path.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """A JSON file; one that is missing or damaged is an InputError that names only the file itself."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name} cannot be read as JSON: a folder that 'medsegr bench run' wrote was expected"
        ) from error


def open_run(out: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a new run, or of the one that the folder holds, if it was asked the same.

    Raises:
        UsageError: the folder holds something else, or a run that was asked otherwise.
    """
    path = out / RECORD
    sweep(out)
    if not path.is_file():
        if out.exists() and (not out.is_dir() or any(p.name != LEAKS for p in out.iterdir())):
            raise UsageError("-o: the folder is not empty and holds no run; give a new or empty one")
        out.mkdir(parents=True, exist_ok=True)
        record = {"schema": SCHEMA, **asked}
        write_json(path, record)
        return record
    known = read_json(path)
    if not isinstance(known, dict) or known.get("schema") != SCHEMA:
        raise UsageError(f"-o: the record there is not of the form {SCHEMA}; give a new or empty folder")
    changed = [key for key in ASKED if known.get(key) != asked.get(key)]
    if changed:
        raise UsageError(
            f"-o: the run there was asked otherwise ({', '.join(changed)}); give a new folder or its flags"
        )
    return known


def lines_of(path: Path) -> dict[str, dict[str, Any]]:
    """Image id -> its newest line. A last line without its end is left out, as :func:`mend` cuts it off; a
    broken one elsewhere is an InputError."""
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = {}
    for number, raw in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        if not raw:
            continue
        try:
            line = json.loads(raw)
            found[line["image"]] = line
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path.name}, line {number} is damaged: remove it and run again") from error
    return found


def mend(path: Path) -> None:
    """Cut off a half-written last line, so that the next one does not stick to it."""
    if path.is_file():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            with path.open("r+b") as handle:
                handle.truncate(data.rfind(b"\n") + 1)


def append(path: Path, line: Mapping[str, Any]) -> None:
    """One image's line, on disk before the next one is begun."""
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")


def method_folders(out: Path) -> list[Path]:
    """The folders of the methods of a run, by label."""
    return sorted(path.parent for path in (out / "methods").glob("*/method.json"))
