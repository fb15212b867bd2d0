"""How much of its masks a checkpoint keeps when pictures come otherwise than it learned them: compressed,
blurred, noisy, dark, faint, grey, upside down, as a negative.

``python -m medsegr.bench.changes --data SET SET`` asks every target of the validation pictures by its name,
of the picture as it is and of each change of it, and prints mean Dice a set and the paired difference.
"""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr import data
from medsegr.bench import over_sets
from medsegr.grid.pixels import to_bytes
from medsegr.metrics.intervals import bootstrap_mean, span
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.process.program import one_line
from medsegr.types import Prompt

Pixels = np.ndarray  # uint8 [c h w]


def _same(pixels: np.ndarray) -> np.ndarray:
    return pixels


@dataclass(frozen=True, slots=True)
class Change:
    """``pixels`` makes of a picture uint8 [c h w] the changed one; ``mask`` moves a bool mask [h w] along
    where the grid changes."""

    name: str
    pixels: Callable[[Pixels], Pixels]
    mask: Callable[[np.ndarray], np.ndarray] = _same


def _values(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Pixels], Pixels]:
    """A change of values in float32, cut to bytes."""
    return lambda pixels: np.clip(change(pixels.astype(np.float32)), 0, 255).round().astype(np.uint8)


def _jpeg(pixels: Pixels) -> Pixels:
    picture = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    with io.BytesIO() as kept:
        Pil.fromarray(picture).save(kept, "JPEG", quality=20)
        seen = np.asarray(Pil.open(kept))
    return seen[None] if seen.ndim == 2 else np.ascontiguousarray(np.moveaxis(seen, -1, 0))


def _blurred(values: np.ndarray) -> np.ndarray:
    sigma = values.shape[1] / 128  # two pixels where the network sees 256
    return np.asarray(ndimage.gaussian_filter(values, (0, sigma, sigma)))


def _noisy(values: np.ndarray) -> np.ndarray:
    return values + np.random.default_rng(0).normal(0, 20, values.shape)


def _bordered(one: np.ndarray) -> np.ndarray:
    h, w = one.shape[-2:]
    sides = ((h // 5, h // 5), (w // 5, w // 5))
    return np.pad(one, (*((0, 0),) * (one.ndim - 2), *sides))


def _upside_down(one: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(one[..., ::-1, :])


def _halved(one: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(one[..., ::2, ::2])


CHANGES = (
    Change("as it is", _same),
    Change("JPEG, quality 20", _jpeg),
    Change("blurred", _values(_blurred)),
    Change("noisy, SD 8 %", _values(_noisy)),
    Change("dark, gamma 2", _values(lambda v: 255 * (v / 255) ** 2)),
    Change("bright, gamma 1/2", _values(lambda v: 255 * (v / 255) ** 0.5)),
    Change("contrast x 0.3", _values(lambda v: 100 + 0.3 * (v - 128))),
    Change("black border", _bordered, _bordered),
    Change("half the size", _halved, _halved),
    Change("colours as grey", _values(lambda v: np.repeat(v.mean(0, keepdims=True), len(v), 0))),
    Change("upside down", _upside_down, _upside_down),
    Change("negative", _values(lambda v: 255 - v)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """Dice of one target of one picture in each of :data:`CHANGES`. ``group`` belongs together."""

    set: str
    group: str
    dice: tuple[float, ...]


def rows(folder: Path, predictor: Predictor, limit: int | None = None) -> Iterator[Row]:
    """Every target that is there in the validation pictures of a set (``limit``: at most so many), by its
    name; a presence below the card's threshold counts as nothing drawn. No volumes."""
    threshold = float(predictor.card.get("presence_threshold", 0.5))
    for group, image, there in data.read_shown(folder, limit):
        findings = tuple(finding for finding, _ in there)
        prompt = Prompt(tuple(finding.name for finding in findings), findings)
        scores: list[list[float]] = [[] for _ in there]
        before = to_bytes(image)
        for change in CHANGES:
            shown = replace(image, data=change.pixels(before).astype(np.float32))
            said = predictor.segment(shown, prompt)
            masks = (said.prob >= 0.5) & (said.extras["presence"] >= threshold)[:, None, None]
            for kept, mask, (_, truth) in zip(scores, masks, there, strict=True):
                moved = truth.taken(change.mask)
                kept.append(float(dice(moved.judged(mask), moved.mask)))
        yield from (Row(folder.resolve().name, group, tuple(one)) for one in scores)


def table(found: Sequence[Row]) -> list[str]:
    """For a person: a block a set, a line a change, the difference to the picture as it is with 95 % over
    groups."""
    lines: list[str] = []
    for name in dict.fromkeys(row.set for row in found):
        own = [row for row in found if row.set == name]
        groups = [row.group for row in own]
        scores = np.array([row.dice for row in own])
        lines += ["", f"{name}: mean Dice of {len(own)} targets in {len(set(groups))} groups"]
        for change, values in zip(CHANGES, scores.T, strict=True):
            seen = bootstrap_mean(values - scores[:, 0], np.random.default_rng(0), groups)
            low, high = seen.bounds or (None, None)
            told = f"   {seen.mean:+.3f}  {span(low, high, '+.3f')}" if change.pixels != _same else ""
            lines.append(f"  {change.name:18s} {values.mean():.3f}{told}")
    return lines[1:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    told = over_sets.run("changes", "Masks of pictures that come otherwise.", rows, table, arguments)
    print(told or "no picture in which something is drawn")


if __name__ == "__main__":
    sys.exit(one_line(main))
