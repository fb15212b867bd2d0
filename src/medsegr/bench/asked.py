"""What a checkpoint draws when it is asked as people ask: direct phrases and whole reports, put before the
validation pictures of sets by the whole way from text to mask.

``python -m medsegr.bench.asked configs/compare/asked.toml --data ROOT`` reads a list of tables ``[[asked]]``
(:class:`Asked`) and prints a line a text: mean Dice over the pictures, how many masks there are, and the
reasons where there is none. No text is made from a mask. Whether wrong places are noticed is asked by
:mod:`medsegr.bench.places`.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import data, pipeline, weights
from medsegr.bench.over_sets import drawn_in, mean_of
from medsegr.errors import InputError
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor, load
from medsegr.process.program import one_line
from medsegr.samples.drawn import Marks
from medsegr.types import Finding, Image, Result

KINDS: Mapping[str, tuple[type, str]] = {
    "set": (str, "a text"),
    "told": (bool, "true or false"),
    "grey": (bool, "true or false"),
}
Case = tuple[str, Image, list[tuple[Finding, Marks]]]  # as data.read_there gives it


@dataclass(frozen=True, slots=True)
class Asked:
    """Texts that all mean ``targets`` (names of the lexicon, "lung left" with a side) of the pictures of a
    ``set``. ``told``: whether the kind of image is said; ``grey``: colours are taken away first."""

    set: str
    targets: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    told: bool = True
    grey: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One text of one picture. ``reason`` is why there is no mask, empty where there is one."""

    text: str
    group: str
    dice: float
    reason: str


def read_list(path: Path) -> tuple[Asked, ...]:
    """The tables of a file. InputError where it cannot be read, holds none, or holds an unknown key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8")).get("asked", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the list {path.name}: {error}") from error
    known = {one.name for one in fields(Asked)}
    if not isinstance(raw, list) or not raw or not all(isinstance(one, dict) for one in raw):
        raise InputError(f"{path.name}: tables [[asked]] were expected, with set, targets and phrases")
    for one in raw:
        if said := _wrong(one, known):
            raise InputError(f"{path.name}: {said}; a table has {', '.join(sorted(known))}")
    return tuple(Asked(**{key: _frozen(value) for key, value in one.items()}) for one in raw)


def _wrong(one: Mapping[str, Any], known: Collection[str]) -> str:
    """What is wrong with a table of the list, empty where nothing is."""
    unknown = sorted(set(one) - set(known))
    if unknown or not {"set", "targets"} <= set(one):
        return f"unknown key {unknown[0]}" if unknown else "set or targets is missing"
    for key, value in one.items():
        kind, told = KINDS.get(key, (list, "a list of texts"))
        texts: list[Any] = value if isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(text, str) for text in texts):
            return f"{key}: {str(value)[:40]!r} came where {told} was expected"
    return ""


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def rows(asked: Asked, cases: Sequence[Case], predictor: Predictor) -> Iterator[Row]:
    """Every text of a table before every picture that shows one of its targets."""
    for group, image, there in cases:
        own = [marks.mask for finding, marks in there if _called(finding) & set(asked.targets)]
        if not own:
            continue
        truth = np.any(own, axis=0)
        shown = replace(image, data=image.data.mean(0, keepdims=True)) if asked.grey else image
        shown = shown if asked.told else replace(shown, modality=None)
        for text in asked.phrases:
            yield _row(text, group, truth, pipeline.run(shown, predictor, phrases=(text,)))
        for text in asked.reports:
            yield _row(text, group, truth, pipeline.run(shown, predictor, report=text))


def _called(finding: Finding) -> set[str]:
    return {finding.name, f"{finding.name} {finding.location.side}"}


def _row(text: str, group: str, truth: np.ndarray, result: Result) -> Row:
    masked = any(one.mask is not None for one in result.findings)
    reasons = [one.reason or one.status for one in result.findings] or ["not read"]
    return Row(text, group, float(dice(drawn_in(result), truth)), "" if masked else reasons[0])


def table(asked: Asked, found: Sequence[Row]) -> list[str]:
    """For a person: a line a text, with 95 % over groups."""
    how = ("" if asked.told else ", kind not told") + (", in grey" if asked.grey else "")
    lines = [f"{asked.set}, {', '.join(asked.targets)}{how}"] if found else []
    for text in dict.fromkeys(row.text for row in found):
        own = [row for row in found if row.text == text]
        mean = mean_of([row.dice for row in own], [row.group for row in own])
        why = Counter(row.reason for row in own if row.reason)
        without = "".join(f"; {count} without a mask: {reason}" for reason, count in why.items())
        lines.append(f"  {mean:22s} of {len(own):3d}  {_short(text)}{without}")
    return lines


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:57]}..."


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsegr.bench.asked", description="As people ask.")
    parser.add_argument("list", type=Path, help="TOML with tables [[asked]]")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--model", default=weights.DEFAULT)
    given = parser.parse_args(arguments)
    asked = read_list(given.list)
    names = list(dict.fromkeys(one.set for one in asked))
    for name in names:
        if not (given.data / name).is_dir():
            raise InputError(f"{given.list.name}: set {name} was not found below --data")
    predictor = load(given.model, device="cpu")
    for name in names:
        cases = list(data.read_there(given.data / name))
        for one in asked:
            if one.set == name:
                lines = table(one, list(rows(one, cases, predictor)))
                nothing = [f"{name}: no validation picture shows {', '.join(one.targets)}"]
                print("\n".join(lines or nothing), flush=True)


if __name__ == "__main__":
    sys.exit(one_line(main))
