"""Flags read without typer's machinery, which takes longer to load than a report takes to read.

Only the plain case is read here: known flags of words, paths and switches, each well formed. Whatever is not
plain (help, a number, a mistake, a value that looks like a flag) is typer's, which then reads the line whole.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, get_args, get_origin

from medsegr.errors import UsageError

WORDS: Mapping[Any, Callable[[str], Any]] = MappingProxyType({str: str, Path: Path})
COMMANDS = (
    *("segment", "refine", "parse", "measure", "convert", "phantom", "train", "export"),
    *("info", "models", "doctor", "demo", "serve", "view", "mcp"),
)


def read(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments with which typer would call a command for these words; None where typer must see them."""
    parameters = inspect.signature(command).parameters
    flags = {flag: name for name, item in parameters.items() for flag in _flags(item.annotation)}
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        flag, sign, value = rest.pop(0).partition("=")
        name = flags.get(flag)
        if name is None or (sign and not flag.startswith("--")):
            return None
        kind, many = _kind(parameters[name].annotation)
        if (name in given and not many) or (kind is bool and sign):
            return None
        if kind is bool:
            given[name] = True
            continue
        if not sign:
            value = rest.pop(0) if rest else "-?"
        if kind not in WORDS or (value.startswith("-") and value != "-"):
            return None
        made = WORDS[kind](value)
        given[name] = [*given.get(name, ()), made] if many else made
    asked = {name: given.get(name, item.default) for name, item in parameters.items()}
    return None if inspect.Parameter.empty in asked.values() else asked


def refuse_twice(command: Callable[..., Any], words: Sequence[str]) -> None:
    """UsageError where a flag that takes one value came twice: the first would be lost without a word."""
    parameters = inspect.signature(command).parameters
    flags = {
        flag: (name, *_kind(item.annotation))
        for name, item in parameters.items()
        for flag in item.annotation.__metadata__[0].names
    }
    seen: set[str] = set()
    rest = list(words)
    while rest:
        flag, sign, _ = rest.pop(0).partition("=")
        name, kind, many = flags.get(flag, ("", bool, False))
        if kind is bool:
            continue
        if name in seen and not many:
            raise UsageError(f"{flag} came twice, and takes one value: give it once")
        seen.add(name)
        if not sign:
            del rest[:1]


def _flags(annotation: Any) -> tuple[str, ...]:
    """Names of an option of which only help tells more; nothing for any other parameter."""
    flag = annotation.__metadata__[0]
    return flag.names if set(flag.about) <= {"help", "metavar"} else ()


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Type of one value, and whether the flag may come again: ``Path | None`` is (Path, False)."""
    kind = get_args(annotation)[0]
    kinds = [part for part in get_args(kind) if part is not NoneType] if get_origin(kind) else [kind]
    return (kinds[0] if len(kinds) == 1 else None), get_origin(kind) is list
