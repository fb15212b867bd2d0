"""What a program that acts for a person (an agent) may do here: plain functions over fenced folders.

Files are read below the roots only and written below the output folder only. A path that leaves them, also
by a link, is refused. Answers are bounded: an agent pays for every character.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsegr.errors import Cancelled, InputError, UsageError
from medsegr.io.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from medsegr.pipeline import Follow
    from medsegr.session import Model
    from medsegr.types import FindingResult, Image, Progress, Result

MOST_FILES, MOST_FINDINGS, MOST_LABELS, MOST_TEXT = 200, 100, 50, 300
MOST_PHRASES, MOST_REPORT = 200, 20_000
LONGEST_SIDE = 1024  # pixels of a picture that is shown


@dataclass(frozen=True, slots=True)
class Fence:
    """Where may be read (``roots``) and written (``output``): existing folders, resolved.

    ``names``, one a root: what a path below it is told with in front, so that equal paths of several roots
    are told apart; empty for the only root.
    """

    roots: tuple[Path, ...]
    output: Path
    names: tuple[str, ...] = ("",)

    def inside(self, told: str, whole: bool = True) -> Path:
        """An existing file or folder by its path as it is told, relative to a root or to the output, or
        absolute.

        ``whole``: all that lies below a folder must lie within the fence too, as where it is read as an
        image.

        Raises InputError for a path that is not there or leaves the fence, with the same words: what lies
        outside is not told. And for a path that lies below several roots, with their names.
        """
        first, _, rest = told.partition("/")
        pairs = zip(self.names, self.roots, strict=True)
        named = [root / rest for name, root in pairs if name == first != ""]
        for ways in (named, [root / told for root in self.roots], [self.output / told]):
            found = {path: None for path in map(_there, ways) if path is not None and self._lets(path, whole)}
            if len(found) > 1:
                those = ", ".join(map(self.shown, found))
                raise InputError(f"several opened folders hold that path; say which is meant: {those}")
            if found:
                return next(iter(found))
        raise InputError(
            "there is no such file or folder below those that were opened with --root; list_files shows "
            "what is there"
        )

    def _lets(self, path: Path, whole: bool) -> bool:
        return self.holds(path) and not (whole and path.is_dir() and self._leads_out(path))

    def holds(self, path: Path) -> bool:
        """Whether a resolved path lies below a root or the output."""
        return any(path.is_relative_to(root) for root in (*self.roots, self.output))

    def _leads_out(self, folder: Path) -> bool:
        """Whether a file below a folder is a link to the outside (links to folders are never followed)."""
        links = (file for file in _files(folder) if file.is_symlink())
        return any(not self.holds(file.resolve()) for file in links)

    def shown(self, path: Path) -> str:
        """A path as it is told and understood: relative to its root, the root's name in front."""
        for name, root in (*zip(self.names, self.roots, strict=True), ("", self.output)):
            if path.is_relative_to(root):
                return (Path(name) / path.relative_to(root)).as_posix()
        raise InputError("the path lies outside of the folders that were opened")


def fence_of(roots: Sequence[Path], output: Path) -> Fence:
    """The fence of some folders. UsageError without one, or for one that is not there."""
    if not roots:
        raise UsageError("--root is missing: give a folder that may be read, for example --root images/")
    for root in roots:
        if not root.is_dir():
            raise UsageError("--root: an existing folder was expected")
    output.mkdir(parents=True, exist_ok=True)
    opened = tuple(dict.fromkeys(root.resolve() for root in roots))
    return Fence(opened, output.resolve(), _names_of(opened))


def _names_of(roots: Sequence[Path]) -> tuple[str, ...]:
    """The folders' own names, numbered where several have the same; nothing for the only one."""
    if len(roots) == 1:
        return ("",)
    names: list[str] = []
    for root in roots:
        own = root.name or "root"
        numbered = (f"{own}-{number}" for number in count(2))
        names.append(next(name for name in chain((own,), numbered) if name not in names))
    return tuple(names)


def _there(path: Path) -> Path | None:
    """The path with its links followed; None where nothing is there, or that is no path."""
    try:
        return path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


@dataclass
class Agent:
    """The functions, with the model that they share: loaded at its first use, asked by one at a time."""

    fence: Fence
    model: str = "medsegr-tiny"
    device: str = "auto"
    threads: int | None = None
    limits: Limits = DEFAULT_LIMITS
    seconds: float = 600.0  # of one segment, without loading the model
    _loaded: "Model | None" = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def list_files(self, folder: str = ".") -> dict[str, Any]:
        """Files below a folder (``.``: below every root), in order; at most ``MOST_FILES``."""
        whole = folder in ("", ".")
        places = self.fence.roots if whole else (self.fence.inside(folder, whole=False),)
        if not places[0].is_dir():
            raise InputError("a folder was expected; a file is its own list")
        names: list[str] = []
        for file in chain.from_iterable(map(_files, places)):
            if file.is_symlink() and not self.fence.holds(file.resolve()):
                continue
            told = self.fence.shown(file)
            if told in names:  # a root that lies in another
                continue
            if len(names) == MOST_FILES:
                return {"files": names, "more": True}
            names.append(told)
        return {"files": names, "more": False}

    def read_report(self, file: str) -> dict[str, Any]:
        """The text of a report file (text, FHIR, DICOM SR); at most ``MOST_REPORT`` characters."""
        from medsegr.report.read import read_report

        text, notes = read_report(str(self.fence.inside(file)))
        return {"text": text[:MOST_REPORT], "more": len(text) > MOST_REPORT, "warnings": _warnings(notes)}

    def parse(self, report: str, modality: str | None = None, frame: str | None = None) -> dict[str, Any]:
        """The findings of a report, as ``medsegr parse`` tells them; at most ``MOST_FINDINGS``."""
        from medsegr.report.parse import skip_reason
        from medsegr.results.schema import finding_json, unread_json
        from medsegr.words import report_of_text

        read = report_of_text(report, modality, _frame(frame))
        told = [finding_json(f) | {"reason": skip_reason(f, ("present",))} for f in read.findings]
        return {
            "findings": told[:MOST_FINDINGS],
            "left_out": max(0, len(told) - MOST_FINDINGS),
            "unread": unread_json(read)[:MOST_FINDINGS],
            "warnings": _warnings(read.warnings),
        }

    def segment(
        self,
        image: str,
        words: str | Sequence[str],
        modality: str | None = None,
        frame: str | None = None,
        series: str = "",
        follow: "Follow | None" = None,
    ) -> dict[str, Any]:
        """Draw what a report (one text) or phrases (several) name; the result folder lies below the output
        under a name of ours.

        Tells status and numbers of each finding, not the masks; ``result`` is what ``overlay`` takes. Raises
        InputError where it takes longer than ``seconds``; nothing is written then.
        """
        from medsegr import pipeline
        from medsegr.io.choices import Choices

        report, phrases = (words, ()) if isinstance(words, str) else (None, tuple(words))
        if not phrases and not (report or "").strip():
            raise UsageError("the words are empty: give a report, a sentence, or a list of phrases")
        if len(phrases) > MOST_PHRASES:
            raise UsageError(f"{len(phrases)} phrases came where at most {MOST_PHRASES} are taken")
        source = self.fence.inside(image)
        picture = self._read(source, modality, frame, Choices(series=series))
        with self._turn:
            model = self._ready()
            tick = _within(self.seconds, follow)
            try:
                result = pipeline.run(picture, model.segmenter, report=report, phrases=phrases, follow=tick)
            except Cancelled as error:
                raise InputError(
                    f"it took longer than {self.seconds:g} seconds: ask for less, or of a smaller image"
                ) from error
        name = f"result-{secrets.token_hex(6)}"
        out = pipeline.save(result, self.fence.output / name, extra=model.ran_on)
        return {"result": name, **_summary(result), "files": self.list_files(str(out))["files"]}

    def measure(self, mask: str, image: str | None = None) -> dict[str, Any]:
        """The numbers of every value above 0 of a mask file, or of every segment of a DICOM SEG or ROI of an
        RT structure set."""
        from medsegr.io.dicom_masks import holds_masks

        path = self.fence.inside(mask)
        picture = None if image is None else self._read(self.fence.inside(image))
        if path.is_file() and holds_masks(path, self.limits):
            return self._segments(path, picture)
        return {"labels": self._labels(path, picture)}

    def overlay(self, result: str) -> bytes:
        """The overlay of a result as PNG, with no side longer than ``LONGEST_SIDE``."""
        import io

        from PIL import Image as Picture

        from medsegr.results.export import manifest_of

        folder = self.fence.inside(result)
        manifest_of(folder)  # InputError where it is none of ours
        try:
            with Picture.open(folder / "overlay.png") as drawn:
                shown = drawn.convert("RGB")
        except (OSError, ValueError) as error:
            raise InputError("the result has no overlay.png that can be read; segment again") from error
        shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        out = io.BytesIO()
        shown.save(out, format="PNG")
        return out.getvalue()

    def list_models(self) -> dict[str, Any]:
        """The model: name, licence, for each concept the modalities that it was trained on, and which of them
        made images alone taught (``made_only``): of these only organs are drawn in others."""
        from medsegr import weights
        from medsegr.modality.kinds import made_only

        if self.model not in weights.names() and not Path(self.model).is_dir():
            return {"model": self.model, "concepts": {}, "made_only": [], "notice": NOTICE}
        card = weights.read_card(self.model)
        return {
            "model": self.model,
            "licence": card["licence"],
            "concepts": {name: list(told["modalities"]) for name, told in card["concepts"].items()},
            "made_only": [name for name in card["concepts"] if made_only(card, name)],
            "notice": NOTICE,
        }

    def _ready(self) -> "Model":
        if self._loaded is None:
            from medsegr.session import load

            self._loaded = load(self.model, self.device, self.threads)
        return self._loaded

    def _read(
        self, path: Path, modality: str | None = None, frame: str | None = None, choices: Any = None
    ) -> "Image":
        from medsegr.io.choices import DEFAULT_CHOICES
        from medsegr.io.read import read_image

        return read_image(
            path,
            modality=modality,
            frame=_frame(frame),
            limits=self.limits,
            choices=choices or DEFAULT_CHOICES,
        )

    def _labels(self, path: Path, picture: "Image | None") -> list[dict[str, Any]]:
        import numpy as np

        from medsegr.io.one_mask import check_labels
        from medsegr.io.same_grid import in_order

        labels = self._read(path)
        image = picture or labels
        if picture is not None:
            labels = in_order(labels, picture)
        if labels.data.shape[0] != 1 or labels.grid != image.grid:
            raise InputError("mask and image were expected on the same grid, the mask in one channel")
        values = [float(v) for v in np.unique(labels.data[0]) if v > 0]
        if len(values) > MOST_LABELS:
            raise InputError(f"the mask holds {len(values)} values where at most {MOST_LABELS} are measured")
        check_labels(labels.data[0])
        return [{"label": v, **_numbers(image, labels.data[0] == v, picture is not None)} for v in values]

    def _segments(self, path: Path, picture: "Image | None") -> dict[str, Any]:
        from medsegr.io.dicom_masks import read_masks

        found = read_masks(path, picture, self.limits)
        if len(found.infos) > MOST_LABELS:
            raise InputError(f"it holds {len(found.infos)} segments where at most {MOST_LABELS} are measured")
        labels = [
            {
                "label": info.number,
                "name": info.name[:MOST_TEXT],
                **_numbers(found.image, found.mask(info.number), picture is not None),
            }
            for info in found.infos
        ]
        warnings = [{"code": code, "message": message} for code, message in found.notes]
        return {"labels": labels, **({"warnings": warnings} if warnings else {})}


NOTICE = "Not a medical device. For research."


def _within(seconds: float, follow: "Follow | None") -> "Follow":
    """Tell ``follow`` how far it is, and stop the run after so many seconds."""
    until = time.monotonic() + seconds

    def tick(progress: "Progress") -> None:
        if time.monotonic() > until:
            raise Cancelled("out of time")
        if follow is not None:
            follow(progress)

    return tick


def _frame(told: str | None) -> Any:
    if told not in (None, "patient", "viewer"):
        raise UsageError("frame: patient or viewer was expected")
    return told


def _numbers(image: "Image", mask: Any, lit: bool) -> dict[str, Any]:
    """The measurements; without an image the values of the mask are no intensities."""
    from medsegr.measure import measure
    from medsegr.results.record import measurements_json

    told = measurements_json(measure(image, mask))
    return {"measurements": {k: v for k, v in told.items() if lit or "intensity" not in k}}


def _summary(result: "Result") -> dict[str, Any]:
    kept = result.findings[:MOST_FINDINGS]
    return {
        "findings": [_told(item) for item in kept],
        "left_out": len(result.findings) - len(kept),
        "warnings": _warnings(result.warnings),
        "model": {key: result.model.get(key) for key in ("name", "sha256", "licence")},
        "notice": NOTICE,
    }


def _told(item: "FindingResult") -> dict[str, Any]:
    from medsegr.results.record import measurements_json

    numbers: Mapping[str, Any] = {} if item.measurements is None else measurements_json(item.measurements)
    return {
        "id": item.finding.id,
        "phrase": item.finding.phrase[:MOST_TEXT],
        "name": item.finding.name,
        "polarity": item.finding.polarity,
        "side": item.finding.location.side,
        "status": item.status,
        "reason": item.reason,
        "presence": None if item.presence is None else round(item.presence, 3),
        "measurements": {name: value for name, value in numbers.items() if value["value"] is not None},
        "checks": [
            {"name": c.name, "outcome": c.outcome, "detail": c.detail[:MOST_TEXT]}
            for c in item.checks
            if c.outcome != "pass"
        ],
    }


def _warnings(told: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"code": code, "message": message[:MOST_TEXT]} for code, message in told[:20]]
