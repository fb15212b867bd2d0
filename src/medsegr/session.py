"""The Python front: ``load()`` once, then ``segment`` many images, or ``open`` one image and refine what was
drawn.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import pipeline, weights
from medsegr.backends.names import AUTO, check
from medsegr.errors import UsageError
from medsegr.io.read import image_from_array, read_image
from medsegr.options import Options
from medsegr.prompts.session import Session
from medsegr.prompts.steps import check_begin, check_same, read
from medsegr.registry import cards, create
from medsegr.results.outcome import Outcome, outcome_of
from medsegr.results.record import image_json
from medsegr.results.verdicts import model_of
from medsegr.types import Finding, Frame, Image, Report, Result, Segmenter
from medsegr.words import report_of_text

__all__ = [
    "Input",
    "Model",
    "Outcome",
    "Session",
    "as_image",
    "check_model",
    "has_network",
    "load",
    "methods",
]
Input = Image | np.ndarray | Path | str


def as_image(image: Input, modality: str | None = None, frame: Frame | None = None) -> Image:
    """A path, an array (``h w``, ``h w 3`` or ``d h w``) or an Image as an Image. An Image stays as it is.
    UsageError for anything else."""
    if isinstance(image, Image):
        if modality or frame:
            raise UsageError("modality and frame came together with an Image: set them in the Image itself")
        return image
    if isinstance(image, np.ndarray):
        return image_from_array(image, modality=modality, frame=frame)
    if not isinstance(image, str | os.PathLike):
        raise UsageError(
            f"image: {type(image).__name__} came where a path, a NumPy array or a medsegr.Image was "
            "expected; np.asarray makes an array of most pictures"
        )
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
        return report_of_text(report, modality, frame).findings

    def segment(
        self,
        image: Input,
        *,
        report: Report | str | None = None,
        text: str | None = None,
        phrases: Sequence[str] = (),
        options: Options | None = None,
        follow: pipeline.Follow | None = None,
    ) -> Outcome:
        """One mask or one reason for every finding; with no words the model proposes. ``report`` is a whole
        report, ``text`` one sentence, ``phrases`` direct phrases: one of the three. ``follow`` as in
        :func:`medsegr.pipeline.run`.

        What kind of image it is, whose left is meant and how large a pixel is are said with the image:
        :func:`medsegr.io.read.read_image` and :func:`medsegr.io.read.image_from_array` take ``modality``,
        ``frame`` and, for arrays, ``spacing`` or ``affine``.
        """
        chosen = _chosen(options or self.options)
        words, asked = _said(report, text, phrases)
        result = pipeline.run(
            as_image(image), self.segmenter, report=words, phrases=asked, options=chosen, follow=follow
        )
        return outcome_of(result, chosen)

    def open(self, image: Input, modality: str | None = None, frame: Frame | None = None) -> Session:
        """A session on one image: segment, refine, undo."""
        return Session(self, as_image(image, modality, frame))

    def resume(self, result: Result) -> Session:
        """A session that goes on from an earlier result (:func:`medsegr.results.reopen.reopen` reads one)."""
        return Session(self, result.image, result)

    def replay(
        self,
        path: Path | str,
        image: Input,
        *,
        report: Report | str | None = None,
        result: Result | None = None,
    ) -> Session:
        """The session that ``Session.save`` wrote, done again: the same masks, bit for bit.

        ``report``: the text, where the file holds it by its hash only. ``result``: what the session began
        with, where it went on from one (:meth:`resume`). A mask that comes out otherwise (another processor
        or version of torch) gives a warning ``replayed_differently``.

        Raises:
            InputError: a damaged file, another image, another model, another report, or another result.
        """
        saved = read(Path(path))
        told = saved.image
        if not isinstance(image, Image):
            flagged = told.get("frame_from") == "flag"
            image = as_image(image, told.get("modality"), told.get("frame") if flagged else None)
        check_same(saved, image_json(image), model_of(self.segmenter))
        check_begin(saved, result)
        session = Session(Model(self.segmenter, saved.options), image, result)
        for step in saved.steps:
            session.do(step, report)
        return session.compared(saved.masks)


def _said(report: Any, text: Any, phrases: Sequence[str] | None) -> tuple[Report | str | None, Sequence[str]]:
    """The words of one call: a report or text, or phrases. UsageError for two of them, or another type."""
    if report is not None and text is not None:
        raise UsageError("a report came together with a text: give one of them")
    words = text if report is None else report
    if words is not None and not isinstance(words, str | Report):
        raise UsageError(
            f"report: {type(words).__name__} came where its text or a medsegr.Report was expected; "
            "medsegr.report.read.read_report reads a file"
        )
    return words, (phrases,) if isinstance(phrases, str) else phrases or ()


def _chosen(options: Any) -> Options:
    if not isinstance(options, Options):
        raise UsageError(
            f"options: {type(options).__name__} came where medsegr.Options was expected, for example "
            "Options(explain=True)"
        )
    return options


def methods() -> set[str]:
    """Names of the registered methods that segment and need no checkpoint of ours."""
    return {card.name for card in cards().values() if card.door == "segmenter" and card.family != "core"}


def has_network(name: str) -> bool:
    """Whether the model is a checkpoint; a method without one runs on the processor, as it is."""
    return Path(name).is_dir() or name not in methods()


def check_model(name: str, device: str = "auto", threads: int | None = None) -> None:
    """UsageError where no model is called so, for a number of threads that is none, and where one without a
    network was given a device or threads, neither of which could act. A damaged checkpoint shows when it is
    loaded."""
    known = sorted({*weights.names(), weights.DEFAULT, *methods()})
    if name not in known and not Path(name).is_dir():
        raise UsageError(
            f"no model '{name[:80]}': a folder with a checkpoint or one of {', '.join(known)} was expected"
        )
    run = Path(name)
    if name not in known and not any(run.glob("*.safetensors")) and (run / "checkpoint").is_dir():
        raise UsageError(
            f"{run.name} is the folder of a training run: give the checkpoint in it, {name}/checkpoint"
        )
    if threads is not None and threads < 1:
        raise UsageError(f"--threads: {threads} came where a whole number from 1 was expected")
    if has_network(name):
        return
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device {device[:20]} is for checkpoints; '{name}' runs on the processor")
    if threads:
        raise UsageError(f"--threads is for checkpoints; '{name}' is a method that runs as it is")


def keep_features(model: Model, folder: Path, gb: float) -> Model:
    """The model with a cache on disk, of at most so many gigabytes, of what no word can change. Methods
    without a checkpoint, and other runtimes than torch, have none."""
    predictor: Any = model.segmenter
    if getattr(getattr(predictor, "backend", None), "name", "") == "torch":
        from medsegr.inference.features import FeatureCache, Place, shared_part

        stands = shared_part(predictor.model, str(predictor.card["sha256"]))
        predictor.features = FeatureCache(Place(folder, gb), stands, predictor.device)
    return model


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

    ``device``: auto, cpu, cuda, cuda:N or mps. ``threads``: of the processor, for the network; a method
    without one takes neither. ``backend``: torch, openvino, onnx (both on the processor, ``precision`` fp32
    or int8), a folder that ``medsegr export`` wrote, or auto: onnx on the processor where the model was
    converted before (``medsegr export --to onnx``), else torch.

    Raises WeightsError, UsageError (no such model, or what does not go together) or MissingExtra.
    """
    check_model(name, device, threads)
    check(backend, precision, device)
    if not has_network(name):
        if backend not in (AUTO, "torch"):
            raise UsageError(f"--backend is for checkpoints; '{name}' is a method that runs as it is")
        return Model(create(name), options)
    if backend == AUTO:
        from medsegr import conversion

        backend = conversion.quickest(name, device)
    if backend == "torch":
        from medsegr import predict  # torch is imported here and not before

        return Model(predict.load(name, device=device, threads=threads), options)
    from medsegr import conversion

    return Model(conversion.load(name, backend, precision, device, threads), options)
