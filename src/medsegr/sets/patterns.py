"""The sentences and words of ``patterns.toml``, read once when first asked, and how a sentence is filled."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from medsegr.errors import ReportError

PARTS = ("absent", "normal", "uncertain", "past", "advice")  # said beside the findings, in no order
_SLOT = re.compile(r"\{(\w+)\}")
_OPTION = re.compile(r"\[([^\[\]]*)\]")
_AGREES = re.compile(r"\{[aAnN]\}(.*)")  # what stands behind the lesion
_BARE = frozenset(("with", "measuring", "of", "margins", "a", "maximum", "size"))  # words that need no verb


@cache
def _table() -> Mapping[str, Any]:
    text = files("medsegr.sets").joinpath("patterns.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def lines(part: str, modality: str | None) -> tuple[str, ...]:
    """All lines of a part ("present", "two", "request", "absent" ...) for a kind of image (DICOM code): those
    of every kind, then its own."""
    table = _table()[part]
    return (*table.get("any", ()), *table.get(modality or "", ()))


def modalities() -> tuple[str, ...]:
    """The kinds of image that have lines of their own."""
    return tuple(key for key in _table()["present"] if key != "any")


def words(kind: str, value: str, modality: str | None = None) -> tuple[str, ...]:
    """What a value ("density", "hypo") is called in a kind of image, the usual word first. A value without an
    entry is its own word."""
    table = _table()["words"][kind]
    found = table.get(modality or "", {}).get(value) or table.get("any", {}).get(value)
    return tuple(found) if found else (value,)


@cache
def slots(pattern: str) -> tuple[frozenset[str], frozenset[str]]:
    """The slots, in lower case, that a pattern must have filled, and those that it may."""
    optional = {s.lower() for piece in _OPTION.findall(pattern) for s in _SLOT.findall(piece)}
    required = {s.lower() for s in _SLOT.findall(_OPTION.sub("", pattern))}
    return frozenset(required), frozenset(optional)


def fits_many(pattern: str) -> bool:
    """Whether a plural can stand in the pattern: nothing behind the lesion has to agree with it."""
    behind = _AGREES.search(_SLOT.sub(lambda m: m[0] if m[1] in "aAnN" else "", _OPTION.sub("", pattern)))
    return behind is not None and set(re.findall(r"[a-z]+", behind[1])) <= _BARE


def fill(pattern: str, values: Mapping[str, str], many: bool = False) -> str:
    """The sentence of a pattern. ``values`` by slot in lower case; what stands in brackets is left out where
    one of its slots is empty. ``many`` makes "there is" of a plural "there are", "the finding is" "the
    findings are".

    Raises:
        ReportError: a slot outside brackets has no value.
    """

    def put(match: re.Match[str]) -> str:
        slot = match[1]
        said = values.get(slot.lower(), "")
        if not said:
            raise ReportError(f"nothing to say for {{{slot}}} of '{pattern}'; the pattern asks for it")
        return said[0].upper() + said[1:] if slot[0].isupper() else said

    def option(match: re.Match[str]) -> str:
        told = all(values.get(slot.lower()) for slot in _SLOT.findall(match[1]))
        return match[1] if told else ""

    if many:
        pattern = re.sub(r"\bfinding (?=(is|was) \{a\})", "findings ", pattern)
        pattern = re.sub(r"\b(is|was) (?=\{a\})", lambda m: {"is": "are ", "was": "were "}[m[1]], pattern)
    return _SLOT.sub(put, _OPTION.sub(option, pattern))
