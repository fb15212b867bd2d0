"""From an image and findings to probabilities: fit the image to the network's grid, run it, restore the masks
to the image's grid. No torch here: what runs the network is a value (``backends``), which alone may know it.

Everything that the words cannot change is computed once an image and kept (bounded, by pixel hash).
Findings go through the rest as one batch, each beside its mirror image. Volumes go in chunks of slices, with
their neighbours as channels; each chunk is encoded once and answers all findings.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medsegr import planes, registry, weights
from medsegr.backends.backend import Backend, Clicked, Maps, rows_of, sigmoid
from medsegr.backends.kept import Kept
from medsegr.errors import UsageError, WeightsError
from medsegr.hearing import heard
from medsegr.kinds import doubt, taught
from medsegr.metrics.calibration import temper
from medsegr.reasoning.codes import Code, Vocabulary, coded, mirror, vocabulary
from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse_phrase
from medsegr.resize import resized
from medsegr.seen import Seen, inputs, look, stack_of
from medsegr.types import MODALITIES, Finding, Image, Prompt, Segmentation

if TYPE_CHECKING:
    from medsegr.features import FeatureCache
    from medsegr.networks import Build, Network

CHUNK = 8  # rows (findings and their mirror images, or slices) a pass: bounds memory
FORMAT = "medsegr/1"
PADDING = 4  # the kind of a point that does not count (sam/prompt_encoder.py)
Codes = tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What is filled in, one entry a question: views of the results, turned as the network sees the image."""

    prob: np.ndarray  # [k h w] or [k n h w]
    attention: np.ndarray | None  # [k h w]
    presence: np.ndarray  # [k]
    quality: np.ndarray  # [k]

    def again(self, first: Sequence[int]) -> None:
        """Questions that were asked before get the answer of the first time, ``first`` [k]."""
        for k, own in enumerate(first):
            for values in (self.prob, self.attention, self.presence, self.quality):
                if own != k and values is not None:
                    values[k] = values[own]


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
        self.mirror = bool(card.get("mirror"))  # pictures are seen flipped, too, and both answers averaged
        self.temperature = float(card.get("temperature", 1.0))  # of probabilities; masks do not hang on it
        self.features: FeatureCache | None = None  # on disk, where one is asked for
        self._kept = Kept()

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        """Whether the network was trained for what the finding asks: its concept, or on real images the next
        wider one of its kind (an adenoma is drawn as a polyp, but a plaque not as the whole artery).

        With ``modality`` also whether it was trained for it in such images. Others are refused, not guessed.
        """
        trained: Mapping[str, Any] = self.card["concepts"]
        wider = [
            p
            for p in finding.parents[:1]
            if "real" in trained.get(p, {}).get("trained_on", ()) and _same_kind(p, finding.name)
        ]
        for name in (finding.name, *wider):
            if name in trained:
                seen = trained[name].get("modalities", ())
                return modality is None or not seen or modality in seen
        return False

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """Probabilities on the image's own grid; in the extras ``presence``, ``quality`` and, of pictures and
        where the prompt keeps it, ``attention``.

        ``points`` and ``boxes`` are in pixels of the image; they and ``mask`` are for pictures only
        (UsageError on volumes).
        """
        asked = self._findings(image, prompt)
        exact = "prob" in prompt.keep
        prob = np.zeros((len(asked), *image.grid), np.float32 if exact else np.uint8)
        if not asked:
            none = np.zeros(0, np.float32)
            return Segmentation(prob, (), image.affine, {"presence": none, "quality": none})
        volume = len(image.grid) == 3
        clicked = not (prompt.points is None and prompt.boxes is None and prompt.mask is None)
        if volume and clicked:
            raise UsageError(
                "points, boxes and masks are for pictures; this image is a volume: ask with words only"
            )
        seen = look(image, self.base)
        left, extent = planes.patient_left(image), _extent(image)
        codes = [heard(finding, image.modality, left, extent) for finding in asked]
        first = list(range(len(codes))) if clicked else [codes.index(one) for one in codes]
        own = sorted({*first})
        extras = {name: np.zeros(len(codes), np.float32) for name in ("presence", "quality")}
        if "attention" in prompt.keep and not volume:
            extras["attention"] = np.zeros((len(codes), *image.grid), np.float32)
        turned = {name: planes.to_slices(a, seen.plane) for name, a in extras.items() if a.ndim > 1}
        answers = _Answers(
            planes.to_slices(prob, seen.plane), turned.get("attention"), extras["presence"], extras["quality"]
        )
        maps = functools.partial(self._maps, seen, functools.cache(lambda: stack_of(image, seen)))
        (self._volume if volume else self._picture)(seen, maps, (codes, own, prompt), answers)
        answers.again(first)
        if not (volume or clicked):
            names = [finding.name for finding in asked]
            doubt(extras["presence"], names, lambda: self._chances(maps()), self.card, image.modality)
        temper(prob, self.temperature)
        return Segmentation(prob, prompt.targets, image.affine, extras)

    def encode(self, image: Image) -> Maps:
        """The network before the words, of a picture (row 0) or of a volume's first slices; kept for the next
        question. [n c h w] each, the finest first."""
        seen = look(image, self.base)
        return self._maps(seen, lambda: stack_of(image, seen))

    def propose(self, image: Image) -> tuple[Finding, ...]:
        """Report-free: what the image-only head sees, as findings without words (at most three, likeliest
        first)."""
        shown = look(image, self.base)
        middle = shown.count // 2
        maps = self._maps(shown, lambda: stack_of(image, shown), middle // CHUNK * CHUNK)
        volume = len(image.grid) == 3
        chances = self._chances(tuple(part[[middle % CHUNK]] for part in maps) if volume else maps)
        seen = [
            (p, name) for name, p in chances.items() if p >= 0.3 and taught(self.card, name, image.modality)
        ]
        ranked = sorted(seen, reverse=True)[:3]
        return tuple(Finding(f"f{i + 1}", "", (0, 0), name) for i, (_, name) in enumerate(ranked))

    def shown(self, image: Image) -> dict[str, float]:
        """Chance of every concept in a picture, by the image alone."""
        return self._chances(self.encode(image))

    def _chances(self, maps: Maps) -> dict[str, float]:
        """Chance of every concept by the image-only head, the rows of ``maps`` averaged; none without such a
        head."""
        heard = self.backend.hear(coded([()] * len(maps[0]), self.words))
        logits = self.backend.decode(maps, heard, Clicked()).codes
        if logits is None:
            return {}
        told = zip(self.words.codes, sigmoid(logits).mean(0).tolist(), strict=True)
        return {name: p for code, p in told if (name := code.partition("concept:")[2])}

    def tracker(self, image: Image, finding: Finding) -> Any:
        """A :class:`medsegr.tracking.Tracker` of a finding in a volume; None for hosts without a memory."""
        from medsegr.tracking import tracker_of

        return tracker_of(
            self, image, heard(finding, image.modality, planes.patient_left(image), _extent(image))
        )

    def _findings(self, image: Image, prompt: Prompt) -> Sequence[Finding]:
        if prompt.findings:
            if len(prompt.findings) != len(prompt.targets):
                raise UsageError(
                    f"{len(prompt.findings)} findings for {len(prompt.targets)} targets; expected as many"
                )
            return prompt.findings
        found = []
        for target in prompt.targets:
            parsed = parse_phrase(target, modality=image.modality, frame=image.frame).findings
            found.append(parsed[0] if parsed else Finding("f1", target, (0, len(target)), ""))
        return found

    def _maps(self, seen: Seen, stack: Callable[[], np.ndarray], first: int = 0) -> Maps:
        """The network before the words, for a picture (and its mirror image, where both are asked) or for the
        chunk of slices from ``first``; kept by pixel hash."""
        return self._kept.get((seen.key, first), lambda: self._encode(seen, stack(), first))

    def _encode(self, seen: Seen, stack: np.ndarray, first: int) -> Maps:
        data = inputs(stack, first, min(first + CHUNK, seen.count))
        fitted = self.backend.fit(data, seen.size, stack.ndim == 3 and self.mirror)
        if self.features is None:
            return self.backend.shared(fitted)
        key = f"{seen.key} {first} {len(fitted)}"
        return self.features.through(key, lambda: self.backend.shared(fitted))

    def _picture(
        self,
        seen: Seen,
        maps: Callable[[], Maps],
        asked: tuple[Sequence[Codes], Sequence[int], Prompt],
        answers: _Answers,
    ) -> None:
        """Answer the questions ``own`` of a picture, as many at once as fit a pass, with their mirror
        images."""
        codes, own, prompt = asked
        encoded = maps()
        alone = prompt.points is None and prompt.boxes is None and prompt.mask is None
        ways = 2 if self.mirror and alone else 1
        for at in range(0, len(own), CHUNK // ways):
            _tell(prompt, at, len(own))
            part = own[at : at + CHUNK // ways]
            told = [codes[k] for k in part]
            told += [mirror(one) for one in told] if ways == 2 else []
            shared = tuple(one[[way for way in range(ways) for _ in part]] for one in encoded)
            words = self.backend.hear(coded(told, self.words))
            said = self.backend.decode(
                shared, words, self._clicks(prompt, part, seen, answers.prob.shape[1:])
            )
            for values, logits in ((answers.presence, said.presence), (answers.quality, said.quality)):
                values[part] = sigmoid(logits).reshape(ways, -1).mean(0)
            for row, k in enumerate(part):
                rows = list(range(row, len(told), len(part)))
                self.backend.fill(answers.prob[k], said.logits[rows], True)
                if answers.attention is not None and said.attention is not None:
                    self.backend.fill(answers.attention[k], said.attention[rows], False)

    def _volume(
        self,
        seen: Seen,
        maps: Callable[[int], Maps],
        asked: tuple[Sequence[Codes], Sequence[int], Prompt],
        answers: _Answers,
    ) -> None:
        """Each chunk of slices is encoded once and asked for every finding. A slice that does not show the
        target stays empty."""
        codes, own, prompt = asked
        threshold = float(self.card.get("presence_threshold", 0.5))
        words = self.backend.hear(coded([codes[k] for k in own], self.words))
        presence, quality = (np.zeros((len(own), seen.count), np.float32) for _ in range(2))
        for first in range(0, seen.count, CHUNK):
            shared = maps(first)
            rows = len(shared[0])
            for at, k in enumerate(own):
                _tell(prompt, first, seen.count)
                said = self.backend.decode(shared, rows_of(words, [at] * rows), Clicked())
                there = sigmoid(said.presence)
                presence[at, first : first + rows] = there
                quality[at, first : first + rows] = sigmoid(said.quality)
                for row in np.flatnonzero(there >= threshold):
                    self.backend.fill(answers.prob[k, first + row], said.logits[[row]], True)
        answers.presence[own] = presence.max(1)
        answers.quality[own] = quality[np.arange(len(own)), presence.argmax(1)]

    def _clicks(self, prompt: Prompt, part: Sequence[int], seen: Seen, view: tuple[int, ...]) -> Clicked:
        """Points and boxes from pixels of the image to [0, 1] of the view ``h w``; boxes have their upper
        edge exclusive."""
        plane, extent = seen.plane, np.array(view[::-1], float)
        grid = tuple(view[plane.order.index(axis)] for axis in range(2))
        points, kinds = [], []
        if prompt.points is not None:
            given = np.asarray(prompt.points[list(part)], float)
            points.append((planes.points_to_view(given[..., :2], plane, grid) + 0.5) / extent)
            kinds.append(np.where(given[..., 2] < 0, PADDING, given[..., 2]))
        if prompt.boxes is not None:  # corners as points at pixel edges: half a pixel before the centre
            corners = np.asarray(prompt.boxes[list(part)], float).reshape(-1, 2, 2) - 0.5
            turned = planes.points_to_view(corners, plane, grid) + 0.5
            points.append(np.stack([turned.min(1), turned.max(1)], 1) / extent)
            kinds.append(np.broadcast_to([2.0, 3.0], (len(corners), 2)))
        mask = None
        if prompt.mask is not None:
            turned = planes.to_slices(np.asarray(prompt.mask[list(part)], np.float32), plane)
            prob = turned.clip(1e-4, 1 - 1e-4)
            mask = resized(np.log(prob / (1 - prob)), seen.size)[:, None]
        if not points:
            return Clicked(mask=mask)
        at, kind = (np.concatenate(part, 1).astype(np.float32) for part in (points, kinds))
        return Clicked(at, kind, mask)


def _tell(prompt: Prompt, done: int, total: int) -> None:
    if prompt.tick is not None:
        prompt.tick(done, total)


def _same_kind(one: str, other: str) -> bool:
    known = concepts()
    return one in known and (other not in known or known[one].kind == known[other].kind)


def _run_by_torch(network: "Network", device: str) -> Backend:
    from medsegr.backends.network import of_network

    return of_network(network, device)


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
    from medsegr.devices import pick_device
    from medsegr.saved import noted_host, same_host

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
