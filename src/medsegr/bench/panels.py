"""Pictures for the page: a method's best, median and worst target, and the one where words changed most.
Each is the image, the image with the answer to all words, and with the answer to the name alone.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr.bench.samples import Sample, read_masks, samples_of
from medsegr.bench.score import dice_of, opened_view, view_index
from medsegr.errors import MedsegrError
from medsegr.grid import planes
from medsegr.results.overlay import window
from medsegr.samples.layouts import PLAIN, Hints

SIDE = 288  # px of the longer side of one tile
TRUTH, DRAWN = (86, 180, 233), (230, 159, 0)  # Okabe and Ito's sky blue and orange
Row = Mapping[str, Any]
Find = Callable[[str], Mapping[str, Sample]]  # set -> its images by id


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture as a data address ("" where it could not be made) with its words."""

    title: str
    caption: str
    address: str


def picked(rows: Sequence[Row]) -> list[tuple[str, Row, Row | None]]:
    """(title, row under all words, row under the name alone or None) of the four targets that are shown."""
    right = sorted((r for r in rows if r["control"] == "right" and r["truth"]), key=dice_of)
    free = {(r["image"], r["target"]): r for r in rows if r["control"] == "free"}

    def with_free(row: Row) -> tuple[Row, Row | None]:
        return row, free.get((row["image"], row["target"]))

    if not right:
        return []
    found = [
        ("best", *with_free(right[-1])),
        ("median", *with_free(right[len(right) // 2])),
        ("worst", *with_free(right[0])),
    ]
    both = [(row, other) for row, other in map(with_free, right) if other is not None]
    if both:
        row, other = max(both, key=lambda pair: abs(dice_of(pair[0]) - dice_of(pair[1])))
        if dice_of(row) != dice_of(other):
            found.append(("largest effect of words", row, other))
    return found


def finder(folders: Mapping[str, Path], hints: Hints = PLAIN) -> Find:
    """The images of the sets that lie in ``folders``, by the set's name; each is looked through once.
    ``hints``: what they do not say themselves."""
    return cache(lambda name: {sample.id: sample for sample in samples_of(folders[name], hints)})


def panels(rows: Sequence[Row], find: Find) -> list[Panel]:
    """The pictures of one method. A set that is not there gives panels without pictures that say so."""
    made = []
    for title, row, free in picked(rows):
        name = row["set"]
        told = f"{row['image']}, {row['label']}; Dice {dice_of(row):.3f}"
        if free is not None:
            told += f" with all words ({row['words']}), {dice_of(free):.3f} by name alone"
        try:
            address = _address(_tiles(find(name)[row["image"]], row, free))
        except (MedsegrError, KeyError, IndexError, ValueError, OSError):
            address, told = "", f"{told} (its picture could not be read)"
        made.append(Panel(title, told, address))
    return made


def _tiles(sample: Sample, row: Row, free: Row | None) -> np.ndarray:
    image, masks = read_masks(sample)
    truth, plane = masks[row["target"]], planes.plane_of(image)
    index = view_index(truth, truth, plane)
    colours = np.moveaxis(window(image), -1, 0)
    seen = planes.to_slices(colours, plane)
    picture = np.moveaxis(seen if index is None else seen[:, index], 0, -1)
    turned = planes.to_slices(truth, plane)
    flat = turned if index is None else turned[index]
    h, w = flat.shape
    scale = SIDE / max(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    base = np.asarray(
        Pil.fromarray(np.ascontiguousarray(picture)).resize(size, Pil.Resampling.BICUBIC)
    ).copy()
    tiles = [base]
    for answer in (row, free):
        if answer is not None and "view" in answer:
            tile = _outlined(base, _fitted(flat, size), TRUTH)
            tiles.append(_outlined(tile, _fitted(opened_view(answer["view"]), size), DRAWN))
    gap = np.full((base.shape[0], 6, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    grey = Pil.fromarray(mask.astype(np.uint8) * 255).resize(size, Pil.Resampling.BILINEAR)
    return np.asarray(grey) > 127


def _outlined(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    edge = mask & ~ndimage.binary_erosion(mask, iterations=2)
    out = picture.copy()
    out[edge] = colour
    return out


def _address(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Pil.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
