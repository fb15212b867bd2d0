"""Small sets with masks, written to disk, and methods that behave badly on purpose: for the tests of the
bench."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr.bench.methods import Method, Ready
from medsegr.types import Finding, Image, Prompt, Segmentation

COLUMNS = (
    *("id", "image", "mask", "text", "phrase", "target", "modality", "split", "group", "notes", "ignore"),
    "attributes",
)


def picture(seed: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """A smooth random colour picture, unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Pil.fromarray(coarse).resize((size[1], size[0]), Pil.Resampling.BICUBIC))


def disc(centre: tuple[int, int], radius: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """A bool disc."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def write_set(folder: Path, count: int = 6, **cells: str) -> Path:
    """``count`` endoscopic pictures, one polyp each at another place; every third one shows none. ``cells``
    go into every row."""
    rows = []
    for i in range(count):
        mask = disc((15 + 5 * (i % 6), 20 + 8 * (i % 5)), 6 + i % 4) & (i % 3 != 2)
        rows.append(add(folder, f"p{i}", picture(i), mask, **cells))
    return write_rows(folder, rows)


def add(folder: Path, name: str, pixels: np.ndarray, mask: np.ndarray, **cells: str) -> dict[str, str]:
    """Write image and mask; the row of both."""
    for kind, array in (("images", pixels), ("masks", mask.astype(np.uint8) * 255)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Pil.fromarray(array).save(folder / kind / f"{name}.png")
    row = {"id": name, "image": f"images/{name}.png", "mask": f"masks/{name}.png", "target": "polyp"}
    return row | {"modality": "colonoscopy", "split": "dev", "group": name} | cells


def write_rows(folder: Path, rows: list[dict[str, str]]) -> Path:
    """The table of a set."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@dataclass
class Square:
    """Draws what its finding's place says (the upper left ninth where it says none), unless it is told to
    fail; keeps what it was asked."""

    fail_on: int = -1
    presence: float | None = 0.9
    asked: list[Prompt] = field(default_factory=list)
    strange: tuple[str, ...] = ()

    def knows(self, finding: Finding) -> bool:
        """Whether it was trained for that."""
        return finding.name not in self.strange

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """One square a target."""
        self.asked.append(prompt)
        if len(self.asked) == self.fail_on:
            raise ValueError("it does not like\nthis image")
        h, w = image.grid
        prob = np.zeros((len(prompt.targets), h, w), np.float32)
        for k, finding in enumerate(prompt.findings):
            row = ("upper", "middle", "lower").index((finding.location.rows or ("upper",))[0])
            col = ("left", "centre", "right").index((finding.location.cols or ("left",))[0])
            prob[k, row * h // 3 : (row + 1) * h // 3, col * w // 3 : (col + 1) * w // 3] = 0.8
        extras = {} if self.presence is None else {"presence": np.full(len(prompt.targets), self.presence)}
        return Segmentation(prob, prompt.targets, image.affine, extras)


def ready(segmenter: Square, label: str = "square", reads: bool = True, threshold: float = 0.5) -> Ready:
    """It as a built method."""
    facts = {"name": label, "sha256": "", "licence": "Apache-2.0", "parameters": None}
    return Ready(Method(label, label), segmenter, reads, threshold, facts)


class Brightest:
    """Draws what is brighter than the middle between darkest and brightest, and knows polyps in endoscopy."""

    device = "cpu"

    def __init__(self) -> None:
        concepts = {"polyp": {"trained_on": ["real"], "modalities": ["ES"]}}
        self.card: dict[str, Any] = {"name": "fake", "sha256": "ab", "licence": "none", "concepts": concepts}

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        return finding.name == "polyp" and modality in (None, "ES")

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        grey = image.data.mean(0)
        drawn = (grey > (grey.min() + grey.max()) / 2).astype(np.float32)
        k = len(prompt.targets)
        sure = {"presence": np.full(k, 0.9), "quality": np.full(k, 0.9)}
        return Segmentation(np.stack([drawn] * k), prompt.targets, image.affine, sure)
