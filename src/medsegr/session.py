"""The Python front: ``load()`` once, then ``segment`` many images, or ``open`` one image and refine what was
drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import pipeline, weights
from medsegr.backends.names import check
from medsegr.errors import InputError, UsageError
from medsegr.io.read import image_from_array, read_image
from medsegr.options import Options
from medsegr.registry import cards, create
from medsegr.report.parse import parse
from medsegr.types import Finding, FindingResult, Frame, Image, Prompt, Report, Result, Segmenter
from medsegr.verdicts import model_of, threshold

Input = Image | np.ndarray | Path | str


@dataclass(frozen=True, slots=True)
class Outcome(Result):
    """A Result that knows with which options it was made and can write itself."""

    options: Options = field(default_factory=Options)

    def save(self, out_dir: Path | str, formats: Sequence[str] = ()) -> Path:
        """Write findings.json, masks/, overlay.png and manifest.json into a new, empty or own folder.

        Returns it.
        """
        options = replace(self.options, formats=tuple(formats)) if formats else self.options
        return pipeline.save(_plain(self), out_dir, options)

    def __getitem__(self, finding_id: str) -> FindingResult:
        """The result of one finding by its id; KeyError lists the ids."""
        for item in self.findings:
            if item.finding.id == finding_id:
                return item
        raise KeyError(f"no finding '{finding_id}'; there are {[item.finding.id for item in self.findings]}")


def _plain(result: Result) -> Result:
    return Result(**{f.name: getattr(result, f.name) for f in fields(Result)})


def _outcome(result: Result, options: Options) -> Outcome:
    return Outcome(**{f.name: getattr(result, f.name) for f in fields(Result)}, options=options)


def as_image(image: Input, modality: str | None = None, frame: Frame | None = None) -> Image:
    """A path, an array (``h w``, ``h w 3`` or ``d h w``) or an Image as an Image. An Image stays as it is."""
    if isinstance(image, Image):
        if modality or frame:
            raise UsageError("modality and frame came together with an Image: set them in the Image itself")
        return image
    if isinstance(image, np.ndarray):
        return image_from_array(image, modality=modality, frame=frame)
    return read_image(Path(image), modality=modality, frame=frame)


class Model:
    """A loaded model. One object serves many images; it holds no image."""

    def __init__(self, segmenter: Segmenter, options: Options | None = None) -> None:
        """``segmenter`` is anything with ``segment(image, prompt)``.

        ``options`` are the defaults of every call.
        """
        self.segmenter = segmenter
        self.options = options or Options()

    @property
    def card(self) -> dict[str, Any]:
        """The model's card: name, sha256, licence, concepts; what it does not tell is left out."""
        return {**model_of(self.segmenter), **dict(getattr(self.segmenter, "card", None) or {})}

    @property
    def device(self) -> str:
        """Where the model runs: cpu, cuda, ..."""
        return str(getattr(self.segmenter, "device", "cpu"))

    @property
    def ran_on(self) -> dict[str, str]:
        """Device, and the backend with its precision where the model has one: for the manifest."""
        backend = getattr(self.segmenter, "backend", None)
        told = {} if backend is None else {"backend": backend.name, "precision": backend.precision}
        return {"device": self.device, **told}

    def parse(
        self, report: str, modality: str | None = None, frame: Frame | None = None
    ) -> tuple[Finding, ...]:
        """The findings of a report, as ``segment`` would read it."""
        return parse(report, modality=modality, frame=frame).findings

    def segment(
        self,
        image: Input,
        *,
        report: Report | str | None = None,
        text: str | None = None,
        phrases: Sequence[str] = (),
        options: Options | None = None,
    ) -> Outcome:
        """One mask or one reason for every finding; with no words the model proposes."""
        chosen = options or self.options
        result = pipeline.run(
            as_image(image), self.segmenter, report=report, text=text, phrases=phrases, options=chosen
        )
        return _outcome(result, chosen)

    def open(self, image: Input, modality: str | None = None, frame: Frame | None = None) -> "Session":
        """A session on one image: segment, refine, undo."""
        return Session(self, as_image(image, modality, frame))


class Session:
    """One image and what was drawn on it so far.

    ``result`` is the newest state, ``undo`` goes one step back.
    """

    def __init__(self, model: Model, image: Image) -> None:
        """``image`` is held for as long as the session lives."""
        self.model = model
        self.image = image
        self._states: list[Outcome] = []

    @property
    def result(self) -> Outcome | None:
        """The newest state; None before the first ``segment``."""
        return self._states[-1] if self._states else None

    def segment(
        self,
        words: Sequence[Finding] | Sequence[str] | str | None = None,
        *,
        report: Report | str | None = None,
    ) -> Outcome:
        """Findings, phrases ("right lung"), or ``report=``; nothing at all: the model proposes."""
        if words is not None and report is not None:
            raise UsageError("words and a report came together: give one of them")
        phrases: tuple[str, ...] = (words,) if isinstance(words, str) else ()
        given = tuple(words) if words is not None and not isinstance(words, str) else ()
        if given and all(isinstance(item, Finding) for item in given):
            findings = tuple(item for item in given if isinstance(item, Finding))
            report = Report(text="", findings=findings)
        elif given:
            phrases = tuple(str(item) for item in given)
        outcome = self.model.segment(self.image, report=report, phrases=phrases)
        self._states.append(outcome)
        return outcome

    def refine(
        self,
        finding_id: str | None = None,
        *,
        points: Sequence[Sequence[float | int]] | None = None,
        box: Sequence[float | int] | None = None,
        mask: np.ndarray | None = None,
    ) -> Outcome:
        """Draw one finding again with a person's help; the other findings stay.

        ``points``: rows of ``x y 1`` (inside) or ``x y 0`` (outside), px; ``box``: ``x0 y0 x1 y1``, px, upper
        edge exclusive; ``mask``: ``h w``, what to start from (else the last mask). ``finding_id`` may be left
        out where only one was drawn.
        """
        before = self._states[-1] if self._states else None
        if before is None:
            raise UsageError("there is nothing to refine yet: call segment first")
        if len(self.image.grid) != 2:
            raise UsageError("refine works on pictures; this image is a volume: open one slice of it")
        item = _chosen(before, finding_id)
        prompt = _hints(self.image, item, (points, box, mask))
        said = self.model.segmenter.segment(self.image, prompt)
        drawn = np.asarray(said.prob[0] >= 0.5)
        limit = (threshold(self.model.segmenter), before.options)
        answer = pipeline.answer_of(said, 0, before.options.fractional)
        free = pipeline.Answer(item.free_mask, None, None, None) if item.free_mask is not None else None
        # A person pointed at it: presence is no longer asked, so that the hint is not thrown away.
        redone = pipeline.judge(
            self.image, item.finding, None, (replace(answer, mask=drawn, presence=None), free), limit
        )
        results = tuple(redone if old.finding.id == item.finding.id else old for old in before.findings)
        outcome = replace(before, findings=results)
        self._states.append(outcome)
        return outcome

    def undo(self) -> Outcome | None:
        """Forget the newest state; returns the one before it, or None at the start."""
        if self._states:
            self._states.pop()
        return self.result


def _chosen(outcome: Outcome, finding_id: str | None) -> FindingResult:
    if finding_id is not None:
        item = outcome[finding_id]
        if item.finding.polarity == "absent":
            raise UsageError("the report denies this finding: it is not drawn")
        return item
    drawn = [item for item in outcome.findings if item.status in ("segmented", "not_found")]
    if len(drawn) != 1:
        raise UsageError(f"{len(drawn)} findings could be meant: say which, for example refine('f1', ...)")
    return drawn[0]


def _hints(
    image: Image,
    item: FindingResult,
    hints: tuple[Sequence[Sequence[float | int]] | None, Sequence[float | int] | None, np.ndarray | None],
) -> Prompt:
    """A prompt for one finding out of points, box and mask; InputError for values outside the picture."""
    points, box, mask = hints
    height, width = image.grid
    spots = None if points is None else np.asarray(points, np.float64)
    corners = None if box is None else np.asarray(box, np.float64)
    if spots is not None:
        if spots.ndim != 2 or spots.shape[1] != 3 or not np.isin(spots[:, 2], (0, 1)).all():
            raise InputError("points are rows of x, y and 1 (inside) or 0 (outside)")
        if not ((spots[:, :2] >= -0.5) & (spots[:, :2] <= (width - 0.5, height - 0.5))).all():
            raise InputError(f"a point lies outside the picture of {width} x {height} px")
    if corners is not None and (corners.shape != (4,) or not (corners[:2] < corners[2:]).all()):
        raise InputError("a box is x0 y0 x1 y1 with x0 < x1 and y0 < y1")
    start = mask if mask is not None else item.mask
    if start is not None and start.shape != image.grid:
        raise InputError(f"the mask has grid {start.shape}, expected the image's {image.grid}")
    return Prompt(
        targets=(item.finding.name or item.finding.phrase,),
        findings=(item.finding,),
        boxes=None if corners is None else corners[None],
        points=None if spots is None else spots[None],
        mask=None if start is None else np.asarray(start, np.float32)[None],
    )


def methods() -> set[str]:
    """Names of the registered methods that segment and need no checkpoint of ours."""
    return {card.name for card in cards().values() if card.door == "segmenter" and card.family != "core"}


def check_model(name: str) -> None:
    """UsageError where no model is called so. A damaged checkpoint shows when it is loaded."""
    known = sorted({*weights.names(), weights.DEFAULT, *methods()})
    if name not in known and not Path(name).is_dir():
        raise UsageError(
            f"no model '{name[:80]}': a folder with a checkpoint or one of {', '.join(known)} was expected"
        )


def load(
    name: str = "medsegr-tiny",
    device: str = "auto",
    threads: int | None = None,
    options: Options | None = None,
    backend: str = "torch",
    precision: str = "fp32",
) -> Model:
    """The checkpoint ``name`` (or in the folder ``name``), or the registered method of that name.

    Downloads nothing.

    ``device``: auto, cpu, cuda, cuda:N or mps. ``backend``: torch, openvino, onnx (both on the processor,
    ``precision`` fp32 or int8), or a folder that ``medsegr export`` wrote. Raises WeightsError, UsageError
    (no such model, or what does not go together) or MissingExtra.
    """
    check_model(name)
    check(backend, precision, device)
    if name in methods() and not Path(name).is_dir():
        if backend != "torch":
            raise UsageError(f"--backend is for checkpoints; '{name}' is a method that runs as it is")
        return Model(create(name), options)
    if backend == "torch":
        from medsegr import predict  # torch is imported here and not before

        return Model(predict.load(name, device=device, threads=threads), options)
    from medsegr import conversion

    return Model(conversion.load(name, backend, precision, device, threads), options)
