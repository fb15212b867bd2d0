"""The one crossing between numpy and torch: fit an image to the network's grid, run it, restore the masks to
the image's grid.

Everything that the words cannot change is computed once an image and kept (two images, by pixel hash).
Findings go through the rest as one batch. Volumes go slice by slice with their neighbours as channels.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from medsegr import pixels, planes, registry, weights
from medsegr.devices import pick_device
from medsegr.errors import GeometryError, UsageError, WeightsError
from medsegr.hearing import heard
from medsegr.model import build_model
from medsegr.networks import Build, Network
from medsegr.networks import untrained as random_network
from medsegr.reasoning.attributes import Words, encode_words
from medsegr.reasoning.codes import Code, Vocabulary, mirror, vocabulary
from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse_phrase
from medsegr.sam.prompt_encoder import PADDING
from medsegr.sam.sam import Clicks
from medsegr.types import MODALITIES, Finding, Image, Prompt, Segmentation

CHUNK = 8  # findings or slices a pass: bounds memory
KEPT = 2  # encoded images
FORMAT = "medsegr/1"


@dataclass(frozen=True, slots=True)
class Encoded:
    """What no word can change. One entry a slice (a picture has one): maps at strides 2 and 4, each [1 c h
    w]."""

    shared: tuple[tuple[Tensor, Tensor], ...]
    size: tuple[int, int]  # pixels of the network's input
    plane: planes.Plane  # how the image was turned for the network
    mirrored: tuple[Tensor, Tensor] | None = None  # the same of the picture flipped left to right


class Predictor:
    """A loaded checkpoint. ``card`` is its description as data; ``base`` the side of the usual square input
    in pixels."""

    def __init__(
        self, model: Network, words: Vocabulary, card: Mapping[str, Any], device: str = "cpu"
    ) -> None:
        self.model = model.to(device).eval()
        self.words = words
        self.card = card
        self.device = torch.device(device)
        self.base = int(card.get("base", 256))
        self.mirror = bool(card.get("mirror"))  # pictures are seen flipped, too, and both answers averaged
        self._kept: OrderedDict[str, Encoded] = OrderedDict()

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
        """Probabilities on the image's own grid; ``presence``, ``quality`` and ``attention`` in the extras.

        ``points`` and ``boxes`` are in pixels of the image; they and ``mask`` are for pictures only
        (UsageError on volumes).
        """
        asked = self._findings(image, prompt)
        if not asked:
            empty = np.zeros((0, *image.grid), np.float32)
            return Segmentation(
                empty, (), image.affine, {"presence": empty.reshape(0), "quality": empty.reshape(0)}
            )
        encoded = self.encode(image)
        if len(image.grid) == 3 and (
            prompt.points is not None or prompt.boxes is not None or prompt.mask is not None
        ):
            raise UsageError(
                "points, boxes and masks are for pictures; this image is a volume: ask with words only"
            )
        left, extent = planes.patient_left(image), _extent(image)
        codes = [heard(finding, image.modality, left, extent) for finding in asked]
        with torch.inference_mode():
            if len(image.grid) == 2:
                prob, extras = self._picture(encoded, codes, prompt, image.grid)
            else:
                prob, extras = self._volume(encoded, codes, image)
        return Segmentation(prob, prompt.targets, image.affine, extras)

    def encode(self, image: Image) -> Encoded:
        """The network before the words, for a picture or every slice of a volume; kept by pixel hash."""
        seen = pixels.to_bytes(image)
        key = hashlib.sha256(
            seen.tobytes() + repr((seen.shape, image.affine, image.modality)).encode()
        ).hexdigest()
        if key not in self._kept:
            with torch.inference_mode():
                self._kept[key] = self._encode(image, seen)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def propose(self, image: Image) -> tuple[Finding, ...]:
        """Report-free: what the image-only head sees, as findings without words (at most three, likeliest
        first)."""
        encoded = self.encode(image)
        middle = encoded.shared[len(encoded.shared) // 2]
        with torch.inference_mode():
            logits = self.model(middle, encode_words([()], self.words, self.device)).codes
        if logits is None:  # this network has no such head
            return ()
        chances = dict(zip(self.words.codes, logits[0].sigmoid().tolist(), strict=True))
        trained: Mapping[str, Any] = self.card["concepts"]
        seen = [
            (p, name)
            for code, p in chances.items()
            if (name := code.partition("concept:")[2])
            and p >= 0.3
            and name in trained
            and (
                image.modality is None or image.modality in trained[name].get("modalities", (image.modality,))
            )
        ]
        ranked = sorted(seen, reverse=True)[:3]
        return tuple(Finding(f"f{i + 1}", "", (0, 0), name) for i, (_, name) in enumerate(ranked))

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

    def _encode(self, image: Image, seen: np.ndarray) -> Encoded:
        plane = planes.plane_of(image)
        turned = planes.to_slices(seen, plane)
        slices = (
            [turned]
            if turned.ndim == 3
            else [planes.neighbours(turned[0], z) for z in range(turned.shape[1])]
        )
        spacing = tuple(image.spacing[axis] for axis in plane.order[-2:]) if image.spacing else None
        h, w = slices[0].shape[-2:]
        if min(h, w) < 8:
            raise GeometryError(f"the picture is {h} x {w} pixels; at least 8 x 8 are needed")
        tall, wide = (
            (h * spacing[0], w * spacing[1]) if spacing and min(spacing) > 0 else (float(h), float(w))
        )
        ratio = (tall / wide) / (h / w)  # pixels that are not square
        size = pixels.working_size(
            (max(1, round(h * ratio**0.5)), max(1, round(w / ratio**0.5))), image.modality, self.base
        )
        shared = []
        for data in slices:
            picture = torch.from_numpy(np.ascontiguousarray(data)).to(self.device).float()[None] / 255
            fitted = F.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=True)
            shared.append(self.model.shared((fitted.expand(-1, 3, -1, -1) - 0.5) / 0.25))
        if turned.ndim == 4 or not self.mirror:
            return Encoded(tuple(shared), size, plane)
        flipped = (fitted.flip(-1).expand(-1, 3, -1, -1) - 0.5) / 0.25
        return Encoded(tuple(shared), size, plane, self.model.shared(flipped))

    def _picture(
        self, encoded: Encoded, codes: Sequence[Sequence[Code]], prompt: Prompt, grid: tuple[int, ...]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        plane = encoded.plane
        view = tuple(grid[axis] for axis in plane.order)
        rows: list[tuple[np.ndarray, ...]] = []
        for at in range(0, len(codes), CHUNK):
            part = slice(at, at + CHUNK)
            words = encode_words(codes[part], self.words, self.device)
            shared = _repeat(encoded.shared[0], len(codes[part]))
            clicks = self._clicks(prompt, part, encoded, grid)
            answers = list(self._run(shared, words, clicks, view))
            if encoded.mirrored is not None and clicks.points is None and clicks.mask is None:
                words = encode_words([mirror(one) for one in codes[part]], self.words, self.device)
                other = self._run(_repeat(encoded.mirrored, len(answers)), words, Clicks(), view)
                answers = [_mean(one, two) for one, two in zip(answers, other, strict=True)]
            rows += answers
        prob, attention, presence, quality = (np.stack(column) for column in zip(*rows, strict=True))
        back = (np.ascontiguousarray(planes.from_slices(a, plane)) for a in (prob, attention))
        prob, attention = back
        return prob, {"attention": attention, "presence": presence, "quality": quality}

    def _volume(
        self, encoded: Encoded, codes: Sequence[Sequence[Code]], image: Image
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One target after the other, slices in chunks. A slice that does not show the target stays empty."""
        plane = encoded.plane
        grid = tuple(image.grid[axis] for axis in plane.order[1:])
        threshold = float(self.card.get("presence_threshold", 0.5))
        prob = np.zeros((len(codes), *image.grid), np.float32)
        presence, quality = np.zeros(len(codes), np.float32), np.zeros(len(codes), np.float32)
        for k, one in enumerate(codes):
            rows: list[tuple[np.ndarray, ...]] = []
            for at in range(0, len(encoded.shared), CHUNK):
                chunk = encoded.shared[at : at + CHUNK]
                words = encode_words([one] * len(chunk), self.words, self.device)
                shared = torch.cat([a for a, _ in chunk]), torch.cat([b for _, b in chunk])
                rows += self._run(shared, words, Clicks(), grid)
            there = np.array([row[2] for row in rows])
            stack = np.stack([row[0] * (row[2] >= threshold) for row in rows])
            prob[k] = planes.from_slices(stack, plane)
            presence[k] = there.max()
            quality[k] = rows[int(there.argmax())][3]
        return prob, {"presence": presence, "quality": quality}

    def _run(
        self, shared: tuple[Tensor, Tensor], words: Words, clicks: Clicks, grid: tuple[int, ...]
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """(probability ``h w``, attention ``h w``, presence, quality) for each row of the batch."""
        out = self.model(shared, words, clicks)
        logits = F.interpolate(out.decoded.logits[:, None], size=grid, mode="bilinear", align_corners=False)[
            :, 0
        ]
        acted = [t.attention[:, None] for t in out.traces if t.attention is not None]
        maps = [F.interpolate(a, acted[0].shape[-2:], mode="bilinear") for a in acted]
        mean = torch.stack(maps).sigmoid().mean(0) if maps else torch.zeros_like(out.decoded.logits[:, None])
        attention = F.interpolate(mean, size=grid, mode="bilinear", align_corners=False)[:, 0]
        arrays = (logits.sigmoid(), attention, out.decoded.presence.sigmoid(), out.decoded.quality.sigmoid())
        return zip(*(a.float().cpu().numpy() for a in arrays), strict=True)

    def _clicks(self, prompt: Prompt, part: slice, encoded: Encoded, grid: tuple[int, ...]) -> Clicks:
        """Points and boxes from pixels of the image to [0, 1] of the view; boxes have their upper edge
        exclusive."""
        plane = encoded.plane
        extent = np.array([grid[axis] for axis in plane.order][::-1], float)
        points, kinds = [], []
        if prompt.points is not None:
            given = np.asarray(prompt.points[part], float)
            points.append((planes.points_to_view(given[..., :2], plane, grid) + 0.5) / extent)
            kinds.append(np.where(given[..., 2] < 0, PADDING, given[..., 2]))
        if prompt.boxes is not None:  # corners as points at pixel edges: half a pixel before the centre
            corners = np.asarray(prompt.boxes[part], float).reshape(-1, 2, 2) - 0.5
            turned = planes.points_to_view(corners, plane, grid) + 0.5
            points.append(np.stack([turned.min(1), turned.max(1)], 1) / extent)
            kinds.append(np.broadcast_to([2.0, 3.0], (len(corners), 2)))
        mask = None
        if prompt.mask is not None:
            turned = np.ascontiguousarray(planes.to_slices(np.asarray(prompt.mask[part], np.float32), plane))
            prob = torch.from_numpy(turned)[:, None].clamp(1e-4, 1 - 1e-4)
            mask = F.interpolate(prob.logit(), size=encoded.size, mode="bilinear", align_corners=False).to(
                self.device
            )
        if not points:
            return Clicks(mask=mask)
        at, kind = (
            torch.from_numpy(np.concatenate(part, 1)).float().to(self.device) for part in (points, kinds)
        )
        return Clicks(at, kind, mask)


def _same_kind(one: str, other: str) -> bool:
    known = concepts()
    return one in known and (other not in known or known[one].kind == known[other].kind)


def _mean(one: tuple[Any, ...], flipped: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((a + (b[..., ::-1] if b.ndim == 2 else b)) / 2 for a, b in zip(one, flipped, strict=True))


def _repeat(shared: tuple[Tensor, Tensor], times: int) -> tuple[Tensor, Tensor]:
    half, quarter = shared
    return half.expand(times, -1, -1, -1), quarter.expand(times, -1, -1, -1)


def _extent(image: Image) -> float | None:
    """Long side of the picture in mm, or None: a told size in mm means nothing without it."""
    if image.spacing is None:
        return None
    sides = [n * s for n, s in zip(image.grid, image.spacing, strict=False)]
    if len(image.grid) == 3:
        sides = [sides[axis] for axis in planes.plane_of(image).order[-2:]]
    return max(sides)


def load(name: str | Path = weights.DEFAULT, device: str = "auto", threads: int | None = None) -> Predictor:
    """A checkpoint by embedded name or folder, its hash checked. ``device``: auto, cpu, cuda, cuda:N, mps."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    card = weights.verify(name)
    path, _ = weights.find(name)
    with safe_open(path, framework="pt") as handle:
        meta = handle.metadata() or {}
    if meta.get("format") != FORMAT:
        raise WeightsError(
            f"{path.name} has the format {meta.get('format')!r}, expected {FORMAT!r}: not ours"
        )
    words = Vocabulary(tuple(json.loads(meta["codes"])))
    network = registry.network(card.get("network", weights.DEFAULT), **card.get("options", {}))
    model = network(words)
    stored = {
        key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()
    }
    missing, extra = model.load_state_dict(stored, strict=False)
    if missing or extra:
        raise WeightsError(
            f"{path.name}: {len(missing)} keys are missing, {len(extra)} are unknown; another version's?"
        )
    if threads:
        torch.set_num_threads(threads)
    return Predictor(model, words, card, pick_device(device))


def build(
    untrained: bool = False, seed: int = 0, name: str | Path = weights.DEFAULT, network: Build = build_model
) -> Predictor:
    """For the registry. ``untrained`` gives a random ``network`` that knows every concept, for tests."""
    if not untrained:
        return load(name, device="cpu")
    words = vocabulary(concepts(), (), MODALITIES)
    known = {concept: {"trained_on": ["nothing"], "modalities": []} for concept in concepts()}
    card: dict[str, Any] = {"name": "untrained", "sha256": "", "licence": "Apache-2.0", "concepts": known}
    card |= {"presence_threshold": 0.0, "base": 64}
    return Predictor(random_network(network, words, seed), words, card)
