"""Sample tables: the images of a set with their rows, one part of it or all, and the writing of a new set.

A written set has ``images/``, ``masks/`` (0 or 255, of a volume 0 or 1), ``SOURCE.md`` and ``samples.csv``
with the columns of :mod:`medsegr.phantom.write` and one more: ``oracle`` is 1 where the words were made from
the mask, 0 where they are the set's own label.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image as Pil

from medsegr import data
from medsegr.errors import InputError, UsageError
from medsegr.phantom.write import COLUMNS as PHANTOM_COLUMNS
from medsegr.report.describe import attributes_of
from medsegr.samples import drawn
from medsegr.samples.layouts import rows_of
from medsegr.sets.telling import Told
from medsegr.types import Finding, Image, modality_code

COLUMNS = (*PHANTOM_COLUMNS, "oracle")
PARTS = ("validation", "training", "all")
ORACLE = "oracle: the words were made from the mask"


@dataclass(frozen=True, slots=True)
class Source:
    """One image of a set: its rows of the table, and the patient (or picture) that it belongs to."""

    folder: Path
    group: str
    rows: tuple[Mapping[str, str], ...]

    @property
    def modality(self) -> str | None:
        """DICOM code of the table's word; None where it has none."""
        return modality_code(self.rows[0].get("modality"))

    @property
    def file(self) -> Path:
        """The image."""
        return self.folder / self.rows[0]["image"]

    def image(self) -> Image:
        """The image as every command reads it. InputError names the row and its entry."""
        return drawn.read_picture(self.folder, self.rows[0])

    def masks(self, image: Image, rows: Sequence[Mapping[str, str]] | None = None) -> list[np.ndarray]:
        """Bool ``*grid``: the masks of all rows, or of these, each file read once. InputError where one is
        missing or has another grid."""
        wanted = self.rows if rows is None else rows
        return [marks.mask for marks in drawn.read_marks(self.folder, wanted, image)]


def sources(folder: Path, part: str = "all") -> list[Source]:
    """The images of a set, in any layout of files, in the order of its table; of one part, as training
    divides it (:func:`medsegr.data.validation_groups`). Images with pixels that nobody judged (column
    ``ignore``) are left out: words that are made from their masks could be false.

    Raises:
        UsageError: no such part.
        InputError: no set that :func:`medsegr.samples.layouts.read_rows` takes, or one of DICOM series; or
            every image is left out.
    """
    if part not in PARTS:
        raise UsageError(f"part '{part[:40]}' is not known; expected one of {', '.join(PARTS)}")
    if folder.is_file():
        raise InputError("a file came where the folder of a set was expected, the one that holds samples.csv")
    table = rows_of(folder)
    if any("series" in mine[0] for mine in table.values()):
        raise InputError("DICOM series came, image files were expected: 'medsegr convert' makes these")
    found = [Source(folder, data.group_of(folder, image, mine), tuple(mine)) for image, mine in table.items()]
    held = data.validation_groups(source.group for source in found) if found else frozenset()
    known = [s for s in found if not any((row.get("ignore") or "").strip() for row in s.rows)]
    if found and not known:
        raise InputError(
            f"every image of {folder.name} has pixels that nobody judged (column ignore); words can only be "
            "made for others"
        )
    return [s for s in known if part == "all" or (s.group in held) == (part == "validation")]


@dataclass(frozen=True, slots=True)
class Ask:
    """One row: the words that ask for lesion ``index`` of a page, and where they come from."""

    index: int
    told: Told
    report: str
    oracle: bool = True
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One image of a new set. ``picture`` is uint8 ``h w`` or ``h w 3``, or a file that is copied; ``masks``
    are bool on its grid, with ``affine`` for a volume; ``findings`` hold everything that is true of them."""

    stem: str
    picture: np.ndarray | Path
    masks: tuple[np.ndarray, ...]
    findings: tuple[Finding, ...]
    asks: tuple[Ask, ...]
    modality: str
    frame: str
    groups: frozenset[str]
    affine: np.ndarray | None = None


def write_pages(out: Path, pages: Iterable[Page], about: str) -> int:
    """Write a set below ``out`` and return its number of rows; ``samples.csv`` comes last. ``about`` is its
    SOURCE.md. Images that share a patient get one group, so that no split parts them.

    Raises:
        InputError: there is not one row to write.
    """
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    groups: list[frozenset[str]] = []
    stems: set[str] = set()
    for page in pages:
        if page.asks:  # of two images of one name, in folders of their own, both are kept
            stem = page.stem if page.stem not in stems else f"{page.stem}-{len(groups)}"
            stems.add(stem)
            rows += _write(out, replace(page, stem=stem), len(groups))
            groups.append(page.groups)
    if not rows:
        raise InputError("no image of this part gives a sample; choose another part, set or seed")
    names = joint(groups)
    (out / "SOURCE.md").write_text(about, encoding="utf-8")
    half = out / "samples.csv.part"
    with half.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "group": names[row["group"]]} for row in rows)
    half.replace(out / "samples.csv")
    return len(rows)


def _write(out: Path, page: Page, number: int) -> list[dict[str, Any]]:
    if isinstance(page.picture, Path):
        image = f"images/{page.stem}{page.picture.name[len(page.picture.name.partition('.')[0]) :]}"
        shutil.copyfile(page.picture, out / image)
    else:
        image = f"images/{page.stem}.png"
        Pil.fromarray(page.picture).save(out / image, compress_level=1)
    ending = "png" if page.masks[0].ndim == 2 else "nii.gz"
    paths = [f"masks/{page.stem}_{k + 1}.{ending}" for k in range(len(page.masks))]
    for mask, path in zip(page.masks, paths, strict=True):
        if mask.ndim == 2:
            Pil.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(out / path, compress_level=1)
        else:
            drawn: Any = nibabel.Nifti1Image  # nibabel has no types
            nibabel.save(drawn(mask.astype(np.uint8), page.affine), out / path)
    return [
        {
            "id": f"{page.stem}_{ask.index + 1}",
            "image": image,
            "mask": paths[ask.index],
            "text": ask.report,
            "phrase": ask.told.phrase,
            "target": page.findings[ask.index].name,
            "modality": page.modality,
            "frame": page.frame,
            "others": ";".join(p for k, p in enumerate(paths) if k != ask.index),
            "attributes": json.dumps(_attributes(page.findings[ask.index], ask.told.finding)),
            "split": "dev",
            "group": number,
            "notes": "; ".join(note for note in (ORACLE if ask.oracle else "", ask.notes) if note),
            "oracle": int(ask.oracle),
        }
        for ask in page.asks
    ]


def _attributes(true: Finding, stated: Finding) -> dict[str, Any]:
    """Everything that is true, and under ``stated`` what the words say; no spans, which belong to a
    reading."""

    def plain(finding: Finding) -> dict[str, Any]:
        values = attributes_of(finding)
        for part in ("location", "texture", "shape"):
            del values[part]["spans"]
        return values

    return {**plain(true), "stated": plain(stated)}


def joint(groups: Sequence[frozenset[str]]) -> list[str]:
    """A name for each set of groups: those that share a member, directly or through others, get the same
    one."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for members in groups:
        first, *rest = sorted(members)
        for other in rest:
            one, two = sorted((find(first), find(other)))
            root[two] = one
    return [find(min(members)) for members in groups]
