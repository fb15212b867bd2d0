"""What was done in a session, as values and as a file that replays it.

A file holds the hashes of image and model, the options, and every step. Words that a person typed (phrases)
are in it; a whole report only by its hash, unless its text is asked for.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError, UsageError
from medsegr.io.write import atomic_write
from medsegr.options import Options
from medsegr.prompts.runs import mask_of, runs_of
from medsegr.results.schema import text_hash
from medsegr.reviews import Hints, Review, review_from, review_json
from medsegr.types import Code, Finding, FindingResult, Location, Report, Result, Shape, Texture

SCHEMA = "medsegr.session/1"
LARGEST = 64 * 2**20  # bytes of a session file that are read
LARGEST_MASK = 2**28  # pixels of a mask in it


@dataclass(frozen=True, slots=True)
class Words:
    """``segment``: phrases, findings, a report's text, or nothing (the model proposes). ``sha256`` stands for
    a text that a file does not hold."""

    phrases: tuple[str, ...] = ()
    findings: tuple[Finding, ...] | None = None
    report: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """``draw`` (``finding`` None: a new one, of ``phrase``) and ``refine``: prompts of one call, and the mask
    that came with them."""

    finding: str | None
    hints: Hints
    mask: np.ndarray | None = None
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class Painted:
    """``paint``: a plane of the mask, bool ``h w``, exactly as a person left it."""

    finding: str
    mask: np.ndarray
    slice: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """``choose``: the number of a candidate, from 0, and its name, which replays it; files from before
    answers had names hold the number alone."""

    finding: str
    number: int
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """``accept``."""

    finding: str


Step = Words | Drawn | Painted | Chosen | Accepted
NAMES: Mapping[type, str] = {
    Words: "segment",
    Drawn: "refine",
    Painted: "paint",
    Chosen: "choose",
    Accepted: "accept",
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A session as a file has it. ``masks``: finding id -> sha256 of the mask that the last step left;
    ``begin``: the same of the result that it began with, None where it began with nothing."""

    image: Mapping[str, Any]
    model: Mapping[str, Any]
    options: Options
    steps: tuple[Step, ...]
    masks: Mapping[str, str]
    begin: Mapping[str, str] | None = None


def write(saved: Saved, path: Path, keep_text: bool = False) -> Path:
    """Write under a temporary name, then rename. InputError where the place cannot be written."""
    told = {
        "schema": SCHEMA,
        "image": dict(saved.image),
        "model": dict(saved.model),
        "options": asdict(saved.options),
        "steps": [_step_json(step, keep_text) for step in saved.steps],
        "masks": dict(saved.masks),
        "begin": None if saved.begin is None else dict(saved.begin),
    }
    with atomic_write(path) as part:
        part.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Saved:
    """Inverse of :func:`write`. InputError for a file that is not a session of ours, or is damaged."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"the session file is larger than {LARGEST // 2**20} MiB: it is not one of ours")
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise InputError(f"the file is of the form {str(told['schema'])[:40]!r}, expected {SCHEMA}")
        return Saved(
            told["image"],
            told["model"],
            Options(**_tuples(told["options"])),
            tuple(_step_from(step) for step in told["steps"]),
            _hashes(told["masks"]),
            None if told.get("begin") is None else _hashes(told["begin"]),  # older files have none
        )
    except OSError as error:
        raise InputError(
            f"the session file cannot be read ({error.strerror or type(error).__name__}); check the path"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, UsageError, zlib.error) as error:
        raise InputError(
            "the session file is damaged or none of ours: expected what session.save wrote"
        ) from error


def hashes_of(results: Sequence[FindingResult]) -> dict[str, str]:
    """Finding id -> sha256 of its mask, of those that have one."""
    return {item.finding.id: mask_hash(item.mask) for item in results if item.mask is not None}


def _hashes(told: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in told.items()}


def mask_hash(mask: np.ndarray) -> str:
    """sha256 of a mask's shape and bits."""
    shape = ",".join(map(str, mask.shape)).encode()
    return hashlib.sha256(shape + np.packbits(mask.astype(bool)).tobytes()).hexdigest()


def _step_json(step: Step, keep_text: bool) -> dict[str, Any]:
    name = {"do": NAMES[type(step)]}
    if isinstance(step, Words):
        report = None
        if step.report is not None:
            report = {"sha256": text_hash(step.report)} | ({"text": step.report} if keep_text else {})
        elif step.sha256 is not None:
            report = {"sha256": step.sha256}
        findings = None if step.findings is None else [asdict(one) for one in step.findings]
        return name | {"phrases": list(step.phrases), "findings": findings, "report": report}
    if isinstance(step, Drawn):
        prompts = review_json(Review((step.hints,)))["prompts"][0]
        mask = None if step.mask is None else _packed(step.mask)
        return name | {"finding": step.finding, "phrase": step.phrase, "prompts": prompts, "mask": mask}
    if isinstance(step, Painted):
        return name | {"finding": step.finding, "slice": step.slice, "rle": runs_of(step.mask)}
    if isinstance(step, Chosen):
        return name | {"finding": step.finding, "number": step.number, "how": step.how}
    return name | {"finding": step.finding}


def _step_from(told: Mapping[str, Any]) -> Step:
    match told["do"]:
        case "segment":
            report = told["report"] or {}
            findings = told["findings"]
            return Words(
                tuple(map(str, told["phrases"])),
                None if findings is None else tuple(_finding(one) for one in findings),
                report.get("text"),
                report.get("sha256"),
            )
        case "refine":
            review = review_from({"prompts": [told["prompts"]], "revision": 0, "accepted": False})
            mask = None if told["mask"] is None else _unpacked(told["mask"])
            return Drawn(told["finding"], review.hints[0], mask, str(told["phrase"]))
        case "paint":
            number = None if told["slice"] is None else int(told["slice"])
            return Painted(str(told["finding"]), mask_of(told["rle"]), number)
        case "choose":
            how = told.get("how")
            return Chosen(str(told["finding"]), int(told["number"]), None if how is None else str(how))
        case "accept":
            return Accepted(str(told["finding"]))
    raise ValueError("unknown step")


def _finding(told: Mapping[str, Any]) -> Finding:
    values = _tuples(told)
    parts = {"location": Location, "texture": Texture, "shape": Shape}
    made: dict[str, Any] = {key: kind(**_tuples(told[key])) for key, kind in parts.items()}
    code = told["code"]
    made["code"] = None if code is None else Code(**code)
    return Finding(**{f.name: made.get(f.name, values[f.name]) for f in fields(Finding)})


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in told.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _packed(mask: np.ndarray) -> dict[str, Any]:
    raw = np.ascontiguousarray(mask, "<f4")
    return {
        "grid": list(raw.shape),
        "float32": base64.b64encode(zlib.compress(raw.tobytes(), 6)).decode("ascii"),
    }


def _unpacked(told: Mapping[str, Any]) -> np.ndarray:
    shape: Sequence[int] = [int(n) for n in told["grid"]]
    count = int(np.prod(shape))
    if len(shape) != 2 or min(shape) < 1 or count > LARGEST_MASK:
        raise ValueError("no picture")
    try:
        packed = base64.b64decode(told["float32"], validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    raw = zlib.decompressobj().decompress(packed, 4 * count + 1)  # a bomb is cut short
    return np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)


def same_report(words: Words, report: Report | str | None) -> str | None:
    """The text that a step needs: its own, or the one that is given again. InputError where it is another."""
    if words.sha256 is None or words.report is not None:
        return words.report
    if report is None:
        raise InputError(
            "the session file holds its report by hash only: give the report's text again with report="
        )
    text = report if isinstance(report, str) else report.text
    if text_hash(text) != words.sha256:
        raise InputError("the report is another one than that of the session (its hash differs)")
    return text


def check_same(saved: Saved, image: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """InputError where image or model are not those of the session; the line names both."""
    if saved.image.get("sha256") != image["sha256"]:
        raise InputError(
            f"the image is another one than that of the session: its hash is {image['sha256'][:12]}, "
            f"expected {str(saved.image.get('sha256'))[:12]}; give the image unchanged"
        )
    for key in ("modality", "frame"):
        if saved.image.get(key) != image[key]:
            raise InputError(
                f"the image's {key} is {image[key]}, that of the session {saved.image.get(key)}: "
                "give it as it was read then"
            )
    then, now = ((m.get("name"), m.get("sha256")) for m in (saved.model, model))
    if then != now:
        raise InputError(
            f"the session was made with the model {then[0]} ({str(then[1])[:12]}), this one is {now[0]} "
            f"({str(now[1])[:12]}): load that one"
        )


def check_begin(saved: Saved, result: Result | None) -> None:
    """InputError where the session began with another result than this one, or with none, or needs one."""
    if (saved.begin is None) != (result is None):
        raise InputError(
            "the session went on from a result: give that with result="
            if result is None
            else "the session began with nothing: leave result= out"
        )
    if result is not None and dict(saved.begin or {}) != hashes_of(result.findings):
        raise InputError("the result is another one than that which the session began with (hashes differ)")
