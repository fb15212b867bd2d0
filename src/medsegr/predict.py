"""From an image and findings to probabilities: fit the image to the network's grid, run it, restore the masks
to the image's grid. No torch here: what runs the network is a value (``backends``), which alone may know it.

Everything that the words cannot change is computed once an image and kept (bounded, by pixel hash). Which
rows then go through the rest, findings, their mirror images, slices of a volume, is said in ``passes.py`` and
``slices.py``.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medsegr import registry, weights
from medsegr.backends.backend import Backend, Clicked, Maps, sigmoid
from medsegr.backends.kept import Kept
from medsegr.errors import UsageError, WeightsError
from medsegr.grid import planes
from medsegr.grid.pixels import coloured
from medsegr.grid.seen import Seen, inputs, look, stack_of
from medsegr.inference import passes, slices
from medsegr.inference.closer import look_closer
from medsegr.inference.passes import CHUNK
from medsegr.meaning.among import choose
from medsegr.meaning.hearing import elsewhere, heard, renamed, wider
from medsegr.meaning.plainly import with_plain, without_plain
from medsegr.meaning.wholes import joined, taken_apart
from medsegr.metrics.calibration import temper
from medsegr.modality.kinds import called, doubt, firm, from_made, likeliest, loosely, parts_of, taught
from medsegr.modality.synthetic import is_made
from medsegr.reasoning.codes import Code, Vocabulary, coded, vocabulary
from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse_phrase
from medsegr.types import MODALITIES, Finding, Image, Prompt, Segmentation

if TYPE_CHECKING:
    from medsegr.inference.features import FeatureCache
    from medsegr.networks import Build, Network

FORMAT = "medsegr/1"


class Predictor:
    """A loaded checkpoint. ``card`` is its description as data; ``base`` the side of the usual square input
    in pixels."""

    def __init__(
        self, model: "Network | Backend", words: Vocabulary, card: Mapping[str, Any], device: str = "cpu"
    ) -> None:
        self.model = model
        self.backend = model if isinstance(model, Backend) else _run_by_torch(model, device)
        self.words = words
        self.card = card
        self.device = self.backend.device
        self.base = int(card.get("base", 256))
        # Pictures that are seen flipped, too, and both answers averaged: all, none, or of these modalities.
        self.mirror: bool | Sequence[str] = card.get("mirror", False)
        self.closer = bool(card.get("closer", False))  # small lesions of pictures are looked at once more
        self._threshold = float(card.get("presence_threshold", 0.5))
        self.temperature = float(card.get("temperature", 1.0))  # of probabilities; masks do not hang on it
        self.features: FeatureCache | None = None  # on disk, where one is asked for
        self._kept = Kept()

    def aside(self) -> "Predictor":
        """The same network for a question beside the job, of another picture than the one that was given:
        nothing of it is kept, on disk or in memory."""
        other = copy(self)
        other.features, other._kept = None, Kept()
        return other

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        """Whether the network was trained for what the finding asks: its concept, or on real images the next
        wider one of its kind (an adenoma is drawn as a polyp, but a plaque not as the whole artery).

        With ``modality`` also whether it was trained for it in such images. Others are refused, not guessed.
        """
        parts = self._parts(finding)
        if len(parts) > 1:
            return all(self.knows(part, modality) for part in parts)
        finding = self._called(finding, modality)
        name = wider(finding, self.card).name
        return name in self.card["concepts"] and taught(self.card, name, modality)

    def meant(self, finding: Finding, image: Image) -> Finding:
        """The finding by the name that the network learned from real pictures: what it is called there, or
        what a picture surely shows of what a word for many things ("lesion") may mean. In made pictures a
        name means what made ones taught by it."""
        if self._of_made(finding, image):
            return finding
        image = planes.as_picture(image)[0]
        finding = self._called(finding, image.modality)
        if len(image.grid) != 2 or firm(self.card, finding.name, image.modality):
            return finding
        name = loosely(self.card, finding.name, image.modality, lambda: self.chances(image))
        return finding if name == finding.name or elsewhere(finding, name) else renamed(finding, name)

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """Probabilities on the image's own grid; in the extras ``presence``, ``quality`` and, of pictures and
        where the prompt keeps it, ``attention``.

        ``points`` and ``boxes`` are in pixels of the image; they and ``mask`` are for pictures only
        (UsageError on volumes). A volume of one slice is asked as that picture.
        """
        if not getattr(self.model, "hears_clicks", True):
            prompt = replace(prompt, points=None, boxes=None, mask=None)
        flat, missing = planes.as_picture(image)
        if missing is not None and not _clicked(prompt):
            return _standing(self.segment(flat, prompt), missing, image)
        whole = replace(prompt, findings=tuple(self._findings(image, prompt)))
        apart, joins = taken_apart(whole, lambda f: (f,) if self._of_made(f, image) else self._parts(f))
        if len(image.grid) != 2 or _clicked(prompt) or is_made(image.data):
            return joined(self._segment(image, apart), joins)
        asked, twins = with_plain(apart)
        said = without_plain(self._segment(image, asked), twins, self._threshold)
        if self.closer:
            look_closer(said, apart.findings, image, self._threshold, self._segment)
        return joined(said, joins)

    def _segment(self, image: Image, prompt: Prompt) -> Segmentation:
        asked = [wider(self.meant(finding, image), self.card) for finding in prompt.findings]
        exact = "prob" in prompt.keep
        prob = np.zeros((len(asked), *image.grid), np.float32 if exact else np.uint8)
        if not asked:
            none = np.zeros(0, np.float32)
            return Segmentation(prob, (), image.affine, {"presence": none, "quality": none})
        volume = len(image.grid) == 3
        clicked = _clicked(prompt)
        if volume and clicked:
            raise UsageError(
                "points, boxes and masks are for pictures; this image is a volume: ask with words only"
            )
        seen = look(image, self.base)
        codes = _heard(asked, image)
        mirrored = [not volume and self._mirrored(image.modality, finding.name) for finding in asked]
        questions, first = passes.asked_of(codes, mirrored, prompt)
        extras = {name: np.zeros(len(codes), np.float32) for name in ("presence", "quality")}
        if "attention" in prompt.keep and not volume:
            extras["attention"] = np.zeros((len(codes), *image.grid), np.float32)
        answers = passes.answers_in(prob, extras, seen.plane)
        view = self._view(seen, image)
        (slices.volume if volume else passes.picture)(view, questions, answers)
        answers.again(first)
        if not clicked:
            choose(answers.prob, codes)
        if not clicked:
            shown = [functools.partial(self._chances, view, int(best)) for best in answers.best]
            names = [finding.name for finding in asked]
            doubt(extras["presence"], names, shown, self.card, image.modality)
        temper(prob, self.temperature)
        return Segmentation(prob, prompt.targets, image.affine, extras)

    def encode(self, image: Image) -> Maps:
        """The network before the words, of a picture (row 0) or of a volume's first slices; kept for the next
        question. [n c h w] each, the finest first."""
        return self._view(look(image, self.base), image).maps(0)

    def propose(self, image: Image) -> tuple[Finding, ...]:
        """Report-free: what the image-only head sees, as findings without words (at most three, likeliest
        first); in real images nothing that was learned from made ones only."""
        names = likeliest(self.card, self.chances(image), image.modality, is_made(image.data))
        return tuple(Finding(f"f{i}", "", (0, 0), name) for i, name in enumerate(names, 1))

    def shown(self, image: Image, share: float | None = None) -> dict[str, float]:
        """Chance of every concept by the image alone, in a picture (averaged with its mirror image, where
        that is seen) or in the slice at ``share`` of a volume's height (None: a half); none without such a
        head. Asked anew each time."""
        view = self._view(look(image, self.base), image)
        flat = len(image.grid) == 2
        at = min(int(view.seen.count * (0.5 if share is None else share)), view.seen.count - 1)
        rows = range(len(view.maps(0)[0])) if flat else [at]
        return self._named(np.mean([self._codes(view, row) for row in rows], axis=0))

    def chances(self, image: Image) -> dict[str, float]:
        """As :meth:`shown` by the picture as it is, kept for the next question."""
        view = self._view(look(image, self.base), image)
        return self._chances(view, view.seen.count // 2)

    def _chances(self, view: passes.View, at: int) -> dict[str, float]:
        return self._named(*self._kept.get((view.seen.key, "codes", at), lambda: (self._codes(view, at),)))

    def _named(self, told: np.ndarray) -> dict[str, float]:
        pairs = zip(self.words.codes, told.tolist(), strict=False)
        return {name: p for code, p in pairs if (name := code.partition("concept:")[2])}

    def _codes(self, view: passes.View, at: int) -> np.ndarray:
        """Chance of every code by a slice alone (of a picture: 0, and 1 for its mirror image); empty without
        such a head."""
        maps = tuple(part[[at % CHUNK]] for part in view.maps(at // CHUNK * CHUNK))
        logits = self.backend.decode(maps, self.backend.hear(coded([()], self.words)), Clicked()).codes
        return np.zeros(0, np.float32) if logits is None else np.asarray(sigmoid(logits)[0])

    def _mirrored(self, modality: str | None, name: str = "") -> bool:
        """Whether a picture is asked flipped, too; of an unknown modality where ``name`` may stand in such
        pictures."""
        if isinstance(self.mirror, bool):
            return self.mirror
        told = self.card["concepts"].get(name, {}).get("modalities", ())
        seen = (modality,) if modality is not None else told
        return not seen or any(one in self.mirror for one in seen)

    def tracker(self, image: Image, finding: Finding) -> Any:
        """A :class:`~medsegr.inference.tracking.Tracker` of a finding in a volume; None without a memory."""
        from medsegr.inference.tracking import tracker_of

        return tracker_of(self, image, *_heard([finding], image))

    def _parts(self, finding: Finding) -> Sequence[Finding]:
        """The finding, or its parts where the network knows these only."""
        names = parts_of(self.card, finding.name)
        return [renamed(finding, name) for name in names] if len(names) > 1 else (finding,)

    def _of_made(self, finding: Finding, image: Image) -> bool:
        return from_made(self.card, finding.name) and is_made(image.data)

    def _called(self, finding: Finding, modality: str | None) -> Finding:
        """The finding by the name that the network learned from real pictures."""
        name = called(self.card, finding.name, modality)
        return finding if name == finding.name else renamed(finding, name)

    def _findings(self, image: Image, prompt: Prompt) -> Sequence[Finding]:
        if prompt.findings:
            if len(prompt.findings) != len(prompt.targets):
                raise UsageError(
                    f"{len(prompt.findings)} findings for {len(prompt.targets)} targets; expected as many"
                )
            return prompt.findings
        found = []
        for target in prompt.targets:
            parsed = parse_phrase(target, modality=image.modality, frame=image.frame_told).findings
            found.append(parsed[0] if parsed else Finding("f1", target, (0, len(target)), ""))
        return found

    def _view(self, seen: Seen, image: Image) -> passes.View:
        """The image before the network; its maps are kept by pixel hash."""
        stack = functools.cache(lambda: stack_of(image, seen))

        turned = len(image.grid) == 2 and self._mirrored(image.modality)

        def maps(first: int) -> Maps:
            key = (seen.key, first, turned)
            return self._kept.get(key, lambda: self._encode(seen, stack(), first, turned))

        return passes.View(seen, self.backend, self.words, maps, self._threshold)

    def _encode(self, seen: Seen, stack: np.ndarray, first: int, turned: bool) -> Maps:
        data = inputs(stack, first, min(first + CHUNK, seen.count))
        fitted = self.backend.fit(data, seen.size, turned)
        if self.features is None:
            return self.backend.shared(fitted)
        # What is shown and not what was read: another version may show the same pixels otherwise.
        shown = hashlib.sha256(data.data).hexdigest()
        key = f"{shown} {data.shape} {seen.size} {len(fitted)}"
        return self.features.through(key, lambda: self.backend.shared(fitted))


def _run_by_torch(network: "Network", device: str) -> Backend:
    from medsegr.backends.network import of_network

    return of_network(network, device)


def _heard(findings: Sequence[Finding], image: Image) -> list[tuple[Code, ...]]:
    """The codes of each finding in this image."""
    left, extent = planes.patient_left(image), _extent(image)
    if not coloured(image.data):  # "purple nuclei" of a grey picture
        findings = [replace(one, texture=replace(one.texture, colour=None)) for one in findings]
    if not planes.shows_rows(image):
        findings = [replace(one, location=replace(one.location, rows=())) for one in findings]
    return [heard(one, image.modality, left, extent) for one in findings]


def _standing(said: Segmentation, axis: int, image: Image) -> Segmentation:
    """What was said of a picture, on the grid of the volume that it is the only slice of."""
    prob = np.expand_dims(said.prob, axis + 1)
    maps = {k: np.expand_dims(v, axis + 1) if v.ndim > 1 else v for k, v in said.extras.items()}
    return Segmentation(prob, said.targets, image.affine, maps)


def _clicked(prompt: Prompt) -> bool:
    return not (prompt.points is None and prompt.boxes is None and prompt.mask is None)


def _extent(image: Image) -> float | None:
    """Long side of the picture in mm, or None: a told size in mm means nothing without it."""
    if image.spacing is None:
        return None
    sides = [n * s for n, s in zip(image.grid, image.spacing, strict=False)]
    if len(image.grid) == 3:
        sides = [sides[axis] for axis in planes.plane_of(image).order[-2:]]
    return max(sides)


def described(name: str | Path = weights.DEFAULT) -> tuple[Mapping[str, Any], Vocabulary]:
    """The card and the codes of a checkpoint, by embedded name or folder, its hash checked."""
    from safetensors import safe_open

    card = weights.verify(name)
    path, _ = weights.find(name)
    with safe_open(path, framework="np") as handle:
        meta = handle.metadata() or {}
    if meta.get("format") != FORMAT:
        raise WeightsError(
            f"{path.name} has the format {meta.get('format')!r}, expected {FORMAT!r}: not ours"
        )
    return card, Vocabulary(tuple(json.loads(meta["codes"])))


def load(name: str | Path = weights.DEFAULT, device: str = "auto", threads: int | None = None) -> Predictor:
    """A checkpoint by embedded name or folder, run by torch. ``device``: auto, cpu, cuda, cuda:N, mps."""
    import torch
    from safetensors.torch import load_file

    from medsegr.backends.network import folded
    from medsegr.fitting.saved import noted_host, same_host
    from medsegr.process.devices import pick_device

    card, words = described(name)
    path, _ = weights.find(name)
    model = registry.network(card.get("network", weights.DEFAULT), **card.get("options", {}))(words)
    same_host(path, noted_host(path), model)
    missing, extra = model.load_state_dict(load_file(path), strict=False)  # halves become floats on landing
    if missing or extra:
        raise WeightsError(
            f"{path.name}: {len(missing)} keys are missing, {len(extra)} are unknown; another version's?"
        )
    if threads:
        torch.set_num_threads(threads)
    folded(model)
    return Predictor(model, words, card, pick_device(device))


def build(
    untrained: bool = False, seed: int = 0, name: str | Path = weights.DEFAULT, network: "Build | None" = None
) -> Predictor:
    """For the registry. ``untrained`` gives a random ``network`` (ours, where
    none is given) that knows every concept, for tests."""
    if not untrained:
        return load(name, device="cpu")
    from medsegr.networks import medsegr
    from medsegr.networks import untrained as random_network

    words = vocabulary(concepts(), (), MODALITIES)
    known = {concept: {"trained_on": ["nothing"], "modalities": []} for concept in concepts()}
    card: dict[str, Any] = {"name": "untrained", "sha256": "", "licence": "Apache-2.0", "concepts": known}
    card |= {"presence_threshold": 0.0, "base": 64}
    return Predictor(random_network(network or medsegr, words, seed), words, card)
