"""A folder of phantoms in the sample-table form that training and the bench read."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr.errors import UsageError
from medsegr.phantom.case import KINDS, check, make
from medsegr.phantom.draw import Mask
from medsegr.phantom.scene import PhantomCase

COLUMNS = (
    "id",
    "image",
    "mask",
    "text",
    "phrase",
    "target",
    "modality",
    "frame",
    "others",
    "attributes",
    "split",
    "group",
    "notes",
)
SOURCE = """# Made images ({kind})

{count} images of {size} x {size} pixels, drawn by `medsegr phantom` from seed {seed}; no patient, no scan is
behind them. Every mask and every word is exact by construction. Licence: Apache-2.0, as the program's.

- `samples.csv`: one row a lesion that the report describes. `text` is the whole report of the image, `phrase`
  the words of this lesion in it (verbatim), `target` its concept, `others` the masks of all other lesions of
  the image, told or not. `attributes` is JSON: everything that is true of the lesion, and under `stated` only
  what its phrase says (null = unsaid).
  An image without a lesion has a row with an empty mask for each concept that might have lain there, whose
  name is `text` and `phrase`.
- `organs.csv`: the same columns for organs (chest, abdomen, thorax and brain only).
- Frame: chest, abdomen, thorax and brain are in radiological view (the patient's right at the picture's
  left) and their words use the patient's sides; the other kinds use the picture's sides. Some slices of
  thorax are turned or mirrored: they have no side in their words and no organs.
- Image i of a seed does not depend on the number of images.
"""


def case_of(kind: str, seed: int, index: int, size: int = 256) -> PhantomCase:
    """The phantom that ``write_set`` writes as image ``index`` of ``seed``."""
    return make(kind, np.random.default_rng([seed, KINDS.index(kind), index]), size)


def _save(array: np.ndarray, path: Path) -> None:
    Pil.fromarray(array).save(path, compress_level=1)


def _save_mask(mask: Mask, path: Path) -> None:
    Pil.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(path, compress_level=1)


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    half = path.with_name(path.name + ".part")
    with half.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    half.replace(path)


def _lesion_rows(case: PhantomCase, stem: str, common: Mapping[str, str], out: Path) -> list[dict[str, str]]:
    paths = [f"masks/{stem}_{chr(97 + k)}.png" for k in range(len(case.lesions))]
    for lesion, path in zip(case.lesions, paths, strict=True):
        _save_mask(lesion.mask, out / path)
    return [
        {
            **common,
            "id": f"{stem}_{chr(97 + k)}",
            "mask": paths[k],
            "text": case.report,
            "phrase": lesion.phrase,
            "target": str(lesion.attributes["name"]),
            "others": ";".join(p for p in paths if p != paths[k]),
            "attributes": json.dumps({**lesion.attributes, "stated": lesion.stated}),
        }
        for k, lesion in enumerate(case.lesions)
        if lesion.phrase is not None
    ]


def _absent_rows(case: PhantomCase, stem: str, common: Mapping[str, str], out: Path) -> list[dict[str, str]]:
    """What a body without lesions is asked for: an empty mask a name."""
    path = f"masks/{stem}_none.png"
    if case.absent:
        _save_mask(np.zeros(case.image.shape[:2], bool), out / path)
    return [
        {
            **common,
            "id": f"{stem}_no_{name.replace(' ', '_')}",
            "mask": path,
            "text": name,
            "phrase": name,
            "target": name,
            "others": "",
            "attributes": json.dumps(_named_attributes(name, case.frame)),
        }
        for name in case.absent
    ]


def _named_attributes(name: str, frame: str, side: str = "") -> dict[str, Any]:
    """Attributes of what is told by its name, and a side, alone."""
    location: dict[str, Any] = {
        "side": side or None,
        "side_frame": frame,
        "rows": [],
        "cols": [],
        "anatomy": [],
    }
    texture = {"density": None, "uniformity": None, "colour": None}
    shape = {"form": None, "margin": None, "size_class": None, "size_mm": None, "count": None}
    whole = {"name": name, "location": location, "texture": texture, "shape": shape}
    return {**whole, "stated": whole}


def _organ_rows(case: PhantomCase, stem: str, common: Mapping[str, str], out: Path) -> list[dict[str, str]]:
    names = {n: f"masks/{stem}_{n.replace(' ', '_')}.png" for n, mask in case.organs.items() if mask.any()}
    for name, path in names.items():
        _save_mask(case.organs[name], out / path)
    return [
        {
            **common,
            "id": f"{stem}_{name.replace(' ', '_')}",
            "mask": path,
            "text": name,
            "phrase": name,
            "target": organ,
            "others": ";".join(p for n, p in names.items() if n != name),
            "attributes": json.dumps(_named_attributes(organ, case.frame, side)),
        }
        for name, path in names.items()
        for side, _, organ in [name.rpartition(" ")]
    ]


def write_set(
    kind: str,
    seed: int,
    count: int,
    size: int,
    out_dir: str | Path,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``count`` phantoms of one kind below ``out_dir``; returns the path of ``samples.csv``.

    ``images/*.png`` uint8 pictures; ``masks/*.png`` 0 or 255, one a lesion or organ; ``samples.csv``,
    ``organs.csv`` (where the kind has organs), ``SOURCE.md``; ``samples.csv`` comes last.
    The same arguments give the same bytes. ``progress`` gets (done, count) after each image.

    Raises
        UsageError: unknown kind, a count below 1, or a size out of range.
    """
    check(kind, size)
    if count < 1:
        raise UsageError(f"phantom count {count} is too small; ask for 1 or more")
    out = Path(out_dir)
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    lesions: list[dict[str, str]] = []
    organs: list[dict[str, str]] = []
    for index in range(count):
        case = case_of(kind, seed, index, size)
        stem = f"{kind}_{seed}_{index:05d}"
        _save(case.image, out / "images" / f"{stem}.png")
        common = {
            "image": f"images/{stem}.png",
            "modality": case.modality,
            "frame": case.frame,
            "split": "dev",
            "group": stem,
            "notes": str(seed),
        }
        lesions += _lesion_rows(case, stem, common, out) + _absent_rows(case, stem, common, out)
        organs += _organ_rows(case, stem, common, out)
        if progress is not None:
            progress(index + 1, count)
    (out / "SOURCE.md").write_text(
        SOURCE.format(kind=kind, count=count, size=size, seed=seed), encoding="utf-8"
    )
    if organs:
        _table(out / "organs.csv", organs)
    _table(out / "samples.csv", lesions)
    return out / "samples.csv"
