"""Small sets made on the spot: pictures with blobs, their masks and a table."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from made_sets import Blob, disc

Make = Callable[..., Path]


@pytest.fixture
def make_set(tmp_path: Path) -> Make:
    """``make(name, modality, pictures, colour=...)``: a picture is a list of (target, blobs)."""

    def make(
        name: str,
        modality: str,
        pictures: Sequence[Sequence[tuple[str, Sequence[Blob]]]],
        *,
        colour: bool = True,
        groups: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
    ) -> Path:
        folder = tmp_path / "data" / name
        for part in ("images", "masks", "masks_instances"):
            (folder / part).mkdir(parents=True)
        rows = []
        for i, drawn in enumerate(pictures):
            masks = [disc(160, *blobs) for _, blobs in drawn]
            rng = np.random.default_rng(i)
            grey = rng.integers(80, 100, (160, 160)) + 90 * np.any(masks, axis=0)
            picture = np.stack([grey, grey - 20, grey - 40], -1) if colour else grey
            Picture.fromarray(picture.astype(np.uint8)).save(folder / f"images/p{i}.png")
            for k, (target, blobs) in enumerate(drawn):
                Picture.fromarray(masks[k].astype(np.uint8) * 255).save(folder / f"masks/p{i}_{k}.png")
                single = sum(n * disc(160, blob).astype(np.uint16) for n, blob in enumerate(blobs, 1))
                number = np.asarray(single, np.uint16) if blobs else np.zeros((160, 160), np.uint16)
                Picture.fromarray(number).save(folder / f"masks_instances/p{i}_{k}.png")
                rows.append(
                    {
                        "id": f"p{i}_{k}",
                        "image": f"images/p{i}.png",
                        "mask": f"masks/p{i}_{k}.png",
                        "target": target,
                        "modality": modality,
                        "split": "dev",
                        "group": groups[i] if groups else f"g{i}",
                        "instances": f"masks_instances/p{i}_{k}.png",
                        **(more or {}),
                    }
                )
        with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return folder

    return make
