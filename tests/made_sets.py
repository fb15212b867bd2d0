"""Masks made on the spot, and how the tests look at a written set."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image as Picture

Blob = tuple[int, int, int]  # y, x, radius


def disc(size: int, *blobs: Blob) -> np.ndarray:
    """Bool mask of discs in a square picture."""
    yy, xx = np.mgrid[:size, :size]
    mask = np.zeros((size, size), bool)
    for y, x, radius in blobs:
        mask |= (yy - y) ** 2 + (xx - x) ** 2 <= radius**2
    return mask


def blob(y: int, x: int, size: int = 96, radius: int = 8) -> np.ndarray:
    """One disc."""
    return disc(size, (y, x, radius))


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def picture(path: Path) -> np.ndarray:
    """A picture file as an array."""
    with Picture.open(path) as opened:
        return np.asarray(opened).copy()


def pictures(folder: Path, count: int = 7) -> Path:
    """A set in folders: squares on noise in ``images/``, and their ``masks/``."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        mask = np.zeros((64, 64), np.uint8)
        y, x = rng.integers(5, 35, 2)
        mask[y : y + 20, x : x + 20] = 255
        grey = (rng.integers(0, 90, (64, 64)) + mask // 3).astype(np.uint8)
        Picture.fromarray(grey).save(folder / "images" / f"{number}.png")
        Picture.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder
