"""Find the weights by which a turned picture or a negative is told (:mod:`medsegr.modality.upright`).

Labels cost nothing: pictures of a kind that has an upper end are taken as they should be, and changed by
chance; their turns and negatives are the wrong answers, and so are pictures of all other kinds. The
validation part is left out, and each patient of the training part is judged by weights that never saw it.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from medsegr import data
from medsegr.grid import pixels
from medsegr.modality import upright
from medsegr.modality.upright import LENGTH, SIDE, WAYS, Weights, described, judged, order
from medsegr.process.program import one_line
from medsegr.training.image_head import pictures, read_kinds
from medsegr.types import Image

VIEWS, STEPS, RATE, DECAY = 10, 700, 5e-3, 1e-2
FOLDS, MARGIN = 5, 3.0
SHARES = (0.55, 0.15, 0.3)  # of a batch: real pictures of the kind, made ones, all other kinds


@dataclass(frozen=True, slots=True)
class Shown:
    """``grey`` [h w] in [0, 1]; ``views`` [n 2 LENGTH]: changed ones, as they are and as negatives."""

    group: str
    source: str
    grey: np.ndarray
    views: np.ndarray


def shown_in(source: str, root: Path, held_out: bool, most: int) -> Iterator[Shown]:
    """Pictures of a part of a set, or made ones."""
    rng = np.random.default_rng(7)
    found: Iterator[tuple[str, Image]] = (
        ((f"{source} {n}", row[0]) for n, row in enumerate(pictures(source, root, held_out, most)))
        if source.startswith("phantom ")
        else (row[:2] for row in data.read_drawn(root / source, held_out=held_out))
    )
    for n, (group, image) in enumerate(found):
        if n == most:
            return
        if len(image.grid) == 2:
            grey = upright.shrunk(pixels.to_bytes(image).astype(np.float32).mean(0) / 255)
            seen = [] if held_out else [changed(grey, rng) for _ in range(VIEWS)]
            pairs = [np.stack([described(one), described(1 - one)]) for one in seen]
            yield Shown(group, source, grey, np.array(pairs, np.float32))


def changed(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A view [SIDE SIDE] of an upright picture: other margins or a crop, nodded, mirrored, in other light."""
    h, w = grey.shape
    high = wide = float(np.exp(rng.uniform(-0.22, 0.35)))
    wide *= float(np.exp(rng.uniform(-0.12, 0.12)))
    if rng.random() < 0.5:  # laid into a square instead of stretched to one
        high, wide = high * max(1.0, w / h), wide * max(1.0, h / w)
    angle, side = np.deg2rad(rng.uniform(-12, 12)), rng.choice([-1, 1])
    steps = np.array([[h / SIDE * high], [w / SIDE * wide]])
    turn = np.array([[np.cos(angle), np.sin(angle) * side], [-np.sin(angle), np.cos(angle) * side]]) * steps
    centre = np.array([h / 2, w / 2]) + rng.uniform(-0.06, 0.06, 2) * (h, w) - turn @ [SIDE / 2, SIDE / 2]
    ground = 0.0 if rng.random() < 0.8 else rng.random()
    smooth = ndimage.gaussian_filter(grey, 0.35 * steps.ravel())
    view = ndimage.affine_transform(smooth, turn, centre, (SIDE, SIDE), order=1, cval=ground)
    lit = view.clip(0, 1) ** np.exp(rng.uniform(-0.6, 0.6))
    return np.asarray(lit + 0.06 * rng.random() * rng.normal(size=lit.shape), np.float32)


def fit(own: Sequence[Shown], others: Mapping[str, Sequence[Shown]]) -> Weights:
    """Weights of a kind by its pictures; every other kind counts alike."""
    torch.manual_seed(0)
    real = [one for one in own if not one.source.startswith("phantom ")]
    made = [one for one in own if one.source.startswith("phantom ")]
    parts = [(real, SHARES[0]), (made, SHARES[1])]
    parts += [(list(some), SHARES[2] / len(others)) for some in others.values()]
    seen = torch.from_numpy(np.concatenate([one.views for some, _ in parts for one in some]))
    weight = torch.cat([torch.full((len(some) * VIEWS,), share / len(some)) for some, share in parts if some])
    truth = torch.full((len(seen),), len(WAYS))
    truth[: len(own) * VIEWS] = 0
    turns = torch.from_numpy(np.stack([order(k) for k in range(4)]))
    either = torch.stack([seen[:, n][:, turns[k]] for n in (0, 1) for k in range(4)]).mean(0)
    best, other = (torch.zeros(LENGTH, requires_grad=True) for _ in range(2))
    bias = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([best, other, bias], RATE)
    course = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        taken = torch.multinomial(weight, 256, replacement=True)
        fits = [seen[taken][:, int(negative)][:, turns[k]] @ best for negative, k in WAYS]
        said = torch.stack([*fits, either[taken] @ other + bias], 1)
        loss = F.cross_entropy(said, truth[taken]) + DECAY * (best.square().sum() + other.square().sum())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        course.step()
    mean = [(one + one[torch.from_numpy(order(0, True))]).detach().numpy() / 2 for one in (best, other)]
    return Weights(mean[0], mean[1], float(bias.detach()), MARGIN)


def others_than_usual(grey: np.ndarray) -> Iterator[np.ndarray]:
    """An upright picture [h w] as it may come, and still upright: cropped, lit otherwise, noisy, blurred, in
    dark and bright margins, nodded."""
    h, w = grey.shape
    noise = np.random.default_rng(1).normal(0, 0.08, grey.shape)
    yield grey[h // 12 : h - h // 20, w // 20 : w - w // 12]
    yield from (grey**0.5, grey**2, (grey + noise).clip(0, 1), ndimage.gaussian_filter(grey, w / 100))
    for sides, value in (((5, 5, 5, 5), 0), ((8, 8, 8, 8), 1), ((0, 3, 0, 0), 0), ((0, 0, 3, 0), 0)):
        up, down, left, right = (
            n // part if part else 0 for n, part in zip((h, h, w, w), sides, strict=True)
        )
        yield np.pad(grey, ((up, down), (left, right)), constant_values=value)
    yield ndimage.rotate(grey, 8, reshape=False, order=1)


def counted(some: Sequence[Shown], weights: Weights) -> dict[str, int]:
    """Pictures as they are and how many of them are told; changed ones; turned ones and negatives and how
    many are told rightly."""
    found = dict.fromkeys(("upright", "told", "changed", "changed told", "other", "told right", "wrong"), 0)
    for one in some:
        for way, (negative, turns) in enumerate(WAYS):
            picture = np.rot90(1 - one.grey if negative else one.grey, -turns)
            best, margin = judged(picture, weights)
            told = bool(best) and margin >= weights.margin
            found["other" if way else "upright"] += 1
            found["told right"] += bool(way) and told and best == way
            found["wrong"] += bool(way) and told and best != way
            found["told"] += not way and told
        for picture in others_than_usual(one.grey):
            best, margin = judged(picture.astype(np.float32), weights)
            found["changed"] += 1
            found["changed told"] += bool(best) and margin >= weights.margin
    return found


def teach(kind: str, kinds_file: Path, root: Path, most: int) -> tuple[Weights, dict[str, Any]]:
    """Weights of a kind, and what they make of pictures that they were not found by."""
    kinds = read_kinds(kinds_file)
    taken = {
        name: [one for source in sources for one in shown_in(source, root, False, most)]
        for name, sources in kinds.items()
    }
    others = {name: some for name, some in taken.items() if name != kind and some}
    own = taken[kind]
    weights = fit(own, others)
    kept = [one for source in kinds[kind] for one in shown_in(source, root, True, most)]
    numbers = {"real": [], "made": []}  # type: dict[str, list[Shown]]
    for one in kept:
        numbers["made" if one.source.startswith("phantom ") else "real"].append(one)
    said: dict[str, Any] = {f"validation, {name}": counted(some, weights) for name, some in numbers.items()}
    groups = sorted({one.group for one in own if not one.source.startswith("phantom ")})
    folds: dict[str, int] = {}
    for n in range(FOLDS):
        away = set(groups[n::FOLDS])
        without = fit([one for one in own if one.group not in away], others)
        for key, count in counted([one for one in own if one.group in away], without).items():
            folds[key] = folds.get(key, 0) + count
    said[f"{FOLDS} folds by patient"] = folds
    return weights, said


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.training.upright", description="Find the weights that tell turned pictures."
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", type=Path, required=True, help="TOML with a table [kinds]")
    parser.add_argument("--kind", default="chest radiograph", help="one of them that has an upper end")
    parser.add_argument("--modality", default="CR")
    parser.add_argument("--out", type=Path, default=upright.FILE)
    parser.add_argument("--most", type=int, default=60, help="pictures of each set")
    given = parser.parse_args(arguments)
    weights, said = teach(given.kind, given.kinds, given.data, given.most)
    told = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    told[given.modality] = {
        "kind": given.kind,
        "sets": read_kinds(given.kinds)[given.kind],
        "licence": "CC BY-NC-SA 4.0, as that of the pictures",
        "judged": said,
        "margin": weights.margin,
        "bias": round(weights.bias, 4),
        "upright": [round(float(v), 4) for v in weights.upright],
        "other": [round(float(v), 4) for v in weights.other],
    }
    lines = (f' "{code}": {json.dumps(one)}' for code, one in sorted(told.items()))
    given.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    sys.exit(one_line(main))
