"""Cases for training and judging: any folder in a known layout, and phantoms. Everything is held in
memory as bytes.

A case is one picture (or one slice with its neighbours) with all targets that somebody drew in it. What is
not drawn in a real picture is unknown, not background: a case only says "not there" of concepts that cannot
be in its kind of image, and of targets whose mask is empty on purpose. Of a drawn target single pixels may be
unknown as well, where the set says that nobody judged them.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr import phantom
from medsegr.errors import InputError
from medsegr.grid import pixels, planes
from medsegr.io.read import read_image
from medsegr.meaning.hearing import heard
from medsegr.reasoning.codes import Code
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse_phrase
from medsegr.samples.drawn import Marks, finding_of, read_marks, read_picture
from medsegr.samples.layouts import PLAIN, Hints, files_of, rows_of
from medsegr.types import Finding, Image, modality_code

LONG_SIDE = 352  # pixels kept in memory; fine structures keep more
FINE_SIDE = 704
FINE = ("SM", "GM", "OP")
SLICES_PER_VOLUME = 9
THICK = 2.0  # slices over rows, in mm, above which a volume is not nodded: little would come of it but blur
FEWEST_PIXELS = 12  # of a target in a slice; fewer are neither there nor not there
VALIDATION_SHARE = 10  # one in so many groups


@dataclass(frozen=True, slots=True)
class Target:
    """One drawn thing: ``packed`` is the mask's bits row by row; ``codes`` everything that is known of it,
    sides of the picture. ``unknown``: bits of the pixels beside it that nobody judged, None: all were."""

    packed: np.ndarray
    codes: tuple[Code, ...]
    organ: bool = False  # anatomy on a phantom: may be asked for, is never part of a lesion's union
    unknown: np.ndarray | None = None

    @property
    def names(self) -> frozenset[str]:
        """Code texts, for the question whether words fit this target."""
        return frozenset(code.text for code in self.codes)


@dataclass(frozen=True, slots=True)
class Case:
    """``pixels`` uint8 [c h w]; targets share its grid. ``validation`` cases are never trained on."""

    id: str
    set: str
    pixels: np.ndarray
    targets: tuple[Target, ...]
    modality: str | None
    viewer: bool  # words are places of the picture; else patient's sides in the radiological view
    made: bool  # phantom: every lesion is known, so what is not drawn is not there
    validation: bool
    group: str
    apart: bool = False  # targets of one name lie apart: the place says which is meant
    drawn: bool = True  # somebody drew the targets; else their masks are empty, and nobody knows
    sagittal: bool = False  # a slice along the body: its halves are front and back

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    def mask(self, index: int) -> np.ndarray:
        """Boolean ``h w`` mask of one target."""
        return self._opened(self.targets[index].packed)

    def marks(self, indices: Iterable[int]) -> Marks:
        """What is marked of some targets together, ``h w``. A pixel that is drawn of one of them is known,
        whatever the others say of it; of no target all are."""
        mask = np.zeros(self.grid, bool)
        widest = np.zeros(self.grid, bool)
        for one in (self.targets[index] for index in indices):
            mask |= self._opened(one.packed)
            if one.unknown is not None:
                widest |= self._opened(one.unknown)
        return Marks.of(mask, widest)

    def _opened(self, bits: np.ndarray) -> np.ndarray:
        h, w = self.grid
        return np.unpackbits(bits, count=h * w).reshape(h, w).astype(bool)

    @property
    def concepts(self) -> frozenset[str]:
        """Every concept name (with wider ones) that is drawn here."""
        texts = {text for target in self.targets for text in target.names}
        return frozenset(t.partition(":")[2] for t in texts if t.startswith("concept:"))


def validation_groups(groups: Iterable[str]) -> frozenset[str]:
    """One group in ten of a set, at least one: those whose names have the smallest hashes, the same on every
    machine."""
    ranked = sorted(
        set(groups), key=lambda name: hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    )
    return frozenset(ranked[: -(-len(ranked) // VALIDATION_SHARE)])


def read_set(
    folder: Path, limit: int | None = None, hints: Hints = PLAIN, tilts: Sequence[float] = ()
) -> list[Case]:
    """All cases of a folder in a known layout (:mod:`medsegr.samples.layouts`; unknown columns are ignored).

    A missing or odd file raises InputError with its row's id. ``limit`` keeps the first so many images.
    ``tilts``: degrees by which volumes that are not held out are read nodded as well (:func:`planes.tilted`).
    """
    table = rows_of(folder, hints)
    held = validation_groups(group_of(folder, image, rows) for image, rows in table.items())
    cases: list[Case] = []
    for image, rows in list(table.items())[:limit]:
        turns = () if group_of(folder, image, rows) in held else tilts
        cases.extend(_cases_of(folder, image, rows, held, turns))
    return cases


def read_pictures(folder: Path, hints: Hints = PLAIN) -> list[Case]:
    """Cases without targets from a folder of images (or its ``images/``) in which nobody drew anything.

    None of them is for validation. InputError where there is no image, or one cannot be read.
    """
    inside = folder / "images"
    files = files_of(inside if inside.is_dir() else folder)
    if not files:
        raise InputError(f"{folder.name} holds no image: expected PNG, JPEG, TIFF, BMP, NIfTI, NRRD or MHA")
    cases: list[Case] = []
    for stem, path in files.items():
        image = read_image(path, modality=modality_code(hints.modality))
        name = f"{folder.name}/{stem}"
        nothing = np.zeros((1, 1, 1), np.uint8)
        viewer = image.frame == "viewer"
        shell = Case(name, folder.name, nothing, (), image.modality, viewer, False, False, name, drawn=False)
        if len(image.grid) == 2:
            cases.append(_fill(shell, pixels.to_bytes(image), [], None))
            continue
        stack = planes.to_slices(pixels.to_bytes(image), planes.plane_of(image))[0]
        cases += [
            _fill(replace(shell, id=f"{name}@{z}"), planes.neighbours(stack, z), [], None)
            for z in chosen_slices(np.ones(len(stack)))
        ]
    return cases


def read_drawn(
    folder: Path, hints: Hints = PLAIN, held_out: bool = True
) -> Iterator[tuple[str, Image, list[tuple[Finding, Marks]]]]:
    """(group, image, [(finding, its marks on the image's grid)]) of the validation part of a set, or of the
    training part, at full size: for judging."""
    table = rows_of(folder, hints)
    held = validation_groups(group_of(folder, image, rows) for image, rows in table.items())
    for name, rows in table.items():
        if (group_of(folder, name, rows) in held) != held_out:
            continue
        image = read_picture(folder, rows[0])
        yield (
            group_of(folder, name, rows),
            image,
            list(zip(map(finding_of, rows), read_marks(folder, rows, image), strict=True)),
        )


def read_there(
    folder: Path, hints: Hints = PLAIN, held_out: bool = True
) -> Iterator[tuple[str, Image, list[tuple[Finding, Marks]]]]:
    """As :func:`read_drawn`: the images that show something drawn, with what they show."""
    for group, image, drawn in read_drawn(folder, hints, held_out):
        if there := [pair for pair in drawn if pair[1].mask.any()]:
            yield group, image, there


def read_shown(
    folder: Path, limit: int | None = None, held_out: bool = True
) -> Iterator[tuple[str, Image, list[tuple[Finding, Marks]]]]:
    """As :func:`read_there`: pictures, no volumes, at most ``limit``."""
    pictures = (row for row in read_there(folder, held_out=held_out) if len(row[1].grid) == 2)
    return itertools.islice(pictures, limit)


def group_of(folder: Path, image: str, rows: Sequence[Mapping[str, str]]) -> str:
    """Set and patient (or picture, where no patient is told) that the rows of an image belong to."""
    return f"{folder.resolve().name}/{rows[0].get('group') or Path(image).stem}"


def _cases_of(
    folder: Path,
    image_name: str,
    rows: Sequence[dict[str, str]],
    held: frozenset[str],
    tilts: Sequence[float],
) -> Iterator[Case]:
    image = read_picture(folder, rows[0])
    group = group_of(folder, image_name, rows)
    marks = read_marks(folder, rows, image)
    drawn = list(zip(map(finding_of, rows), marks, strict=True))
    shell = Case(
        id=f"{folder.name}/{Path(image_name).stem}",
        set=folder.name,
        pixels=np.zeros((1, 1, 1), np.uint8),
        targets=(),
        modality=modality_code(rows[0].get("modality")),
        viewer=image.frame == "viewer",
        made=False,
        validation=group in held,
        group=group,
        sagittal=planes.plane_of(image).normal == "R",
    )
    left = planes.patient_left(image)
    if len(image.grid) == 2:
        judged = [(finding, one) for finding, one in drawn if not one.blank]
        if judged:
            yield _fill(shell, pixels.to_bytes(image), judged, left)
        return
    plane = planes.plane_of(image)
    stack = planes.to_slices(pixels.to_bytes(image), plane)[0]
    turned = [(finding, one.taken(lambda mask: planes.to_slices(mask, plane))) for finding, one in drawn]
    yield from _slices_of(shell, stack, turned, left)
    gap, row = [(image.spacing or (1.0, 1.0, 1.0))[axis] for axis in plane.order[:2]]
    for degrees in tilts if gap <= THICK * row else ():

        def nod(mask: np.ndarray, by: float = degrees) -> np.ndarray:
            return planes.tilted(mask, by, gap / row) >= 0.5

        nodded = planes.tilted(stack, degrees, gap / row).round().astype(np.uint8)
        named = replace(shell, id=f"{shell.id}^{degrees:g}")
        yield from _slices_of(named, nodded, [(finding, one.taken(nod)) for finding, one in turned], left)


def _slices_of(
    shell: Case, stack: np.ndarray, drawn: Sequence[tuple[Finding, Marks]], left: str | None
) -> Iterator[Case]:
    """Cases of some slices of ``stack`` [n h w], its marks in the same view. A slice in which nobody judged
    a pixel is left out before any is chosen."""
    judged = [z for z in range(len(stack)) if not all(_slice(marks, z).blank for _, marks in drawn)]
    filled = np.array([sum(int(marks.mask[z].sum()) for _, marks in drawn) for z in judged])
    for z in (judged[at] for at in chosen_slices(filled)):
        flat = [(finding, _slice(marks, z)) for finding, marks in drawn]
        sure = [(f, one) for f, one in flat if not (0 < one.mask.sum() < FEWEST_PIXELS or one.blank)]
        if sure:
            yield _fill(replace(shell, id=f"{shell.id}@{z}"), planes.neighbours(stack, z), sure, left)


def _slice(marks: Marks, z: int) -> Marks:
    return marks.taken(lambda mask: np.asarray(mask[z]))


def chosen_slices(filled: np.ndarray, count: int = SLICES_PER_VOLUME) -> list[int]:
    """Slices of a volume to learn from, ``filled`` [n] being the drawn pixels of each.

    Evenly spread over those that show something, and the ones two beyond both ends: they teach where it
    stops.
    """
    shown = np.flatnonzero(filled)
    if not len(shown):
        return []
    spread = shown[np.linspace(0, len(shown) - 1, min(count, len(shown))).round().astype(int)]
    beyond = [z for z in (shown[0] - 2, shown[-1] + 2) if 0 <= z < len(filled)]
    return sorted({int(z) for z in (*spread, *beyond)})


def _fill(shell: Case, data: np.ndarray, drawn: Sequence[tuple[Finding, Marks]], left: str | None) -> Case:
    long_side = FINE_SIDE if shell.modality in FINE else LONG_SIDE
    h, w = data.shape[1:]
    scale = min(1.0, long_side / max(h, w))
    size = (max(1, round(h * scale)), max(1, round(w * scale)))

    def small(mask: np.ndarray) -> np.ndarray:
        return _shrink(mask.astype(np.uint8) * 255, size, smooth=True) > 127

    def target(finding: Finding, marks: Marks) -> Target:
        unknown = None if marks.unknown is None else np.packbits(marks.unknown)
        return Target(np.packbits(marks.mask), heard(finding, shell.modality, left), unknown=unknown)

    targets = tuple(target(finding, marks.taken(small)) for finding, marks in drawn)
    return replace(shell, pixels=np.stack([_shrink(c, size, smooth=True) for c in data]), targets=targets)


def _shrink(plane: np.ndarray, size: tuple[int, int], smooth: bool) -> np.ndarray:
    if plane.shape == size:
        return plane
    how = Pil.Resampling.BOX if smooth else Pil.Resampling.NEAREST
    return np.asarray(Pil.fromarray(plane).resize((size[1], size[0]), how))


@dataclass(frozen=True, slots=True)
class Made:
    """A phantom as kept on disk: pixels uint8 [c h w] and, for each target, packed mask, attributes, phrase,
    organ or not."""

    id: str
    kind: str
    pixels: np.ndarray
    modality: str
    viewer: bool
    targets: tuple[tuple[np.ndarray, Mapping[str, Any], str, bool], ...]


def make_phantoms(kind: str, seed: int, count: int, size: int = 256) -> Iterator[Made]:
    """Phantoms with all their lesions, described or not, their organs, and, with empty masks, what a body
    without lesions surely does not hold."""
    for i in range(count):
        made = phantom.make(kind, np.random.default_rng([seed, i]), size)
        image = made.image if made.image.ndim == 3 else made.image[..., None]
        lesions = [(np.packbits(x.mask), x.attributes, x.phrase or "", False) for x in made.lesions]
        none: Mapping[str, Any] = {}
        organs = [(np.packbits(mask), none, name, True) for name, mask in made.organs.items()]
        gone = [(np.packbits(np.zeros(made.image.shape[:2], bool)), none, x, False) for x in made.absent]
        yield Made(
            f"{seed}-{i}",
            kind,
            np.moveaxis(image, -1, 0).copy(),
            made.modality,
            made.frame == "viewer",
            (*lesions, *organs, *gone),
        )


def phantom_case(made: Made) -> Case:
    """A phantom as a case: lesions coded from their true attributes, organs and what is not there from their
    names as the parser reads them."""
    modality = modality_code(made.modality)
    left = None if made.viewer else "right"
    targets = []
    for packed, attributes, phrase, organ in made.targets:
        finding = (
            finding_from(dict(attributes), phrase)
            if attributes
            else parse_phrase(phrase, modality=modality).findings[0]
        )
        targets.append(Target(packed, heard(finding, modality, left), organ))
    return Case(
        id=f"phantom-{made.kind}/{made.id}",
        set=f"phantom-{made.kind}",
        pixels=made.pixels,
        targets=tuple(targets),
        modality=modality,
        viewer=made.viewer,
        made=True,
        validation=False,
        group=f"{made.kind}-{made.id}",
    )


def pack(phantoms: Iterable[Made], path: Path) -> None:
    """Keep phantoms in one file, so that they are made once. Read again with :func:`unpack`; no pickles."""
    blobs: list[np.ndarray] = []
    heads: list[dict[str, object]] = []
    for made in phantoms:
        targets = [
            (int(bits.size), attributes, phrase, organ) for bits, attributes, phrase, organ in made.targets
        ]
        heads.append(
            {
                "id": made.id,
                "kind": made.kind,
                "modality": made.modality,
                "viewer": made.viewer,
                "shape": made.pixels.shape,
                "targets": targets,
            }
        )
        blobs += [made.pixels.reshape(-1), *(bits for bits, *_ in made.targets)]
    temporary = path.with_suffix(f".{os.getpid()}.npz")  # processes of one run may write side by side
    np.savez(temporary, heads=np.array(json.dumps(heads)), blob=np.concatenate(blobs))
    temporary.replace(path)


def unpack(path: Path) -> Iterator[Made]:
    """Phantoms of a file that :func:`pack` wrote."""
    with np.load(path, allow_pickle=False) as store:
        heads, blob = json.loads(str(store["heads"])), store["blob"]
    at = 0

    def take(count: int) -> np.ndarray:
        nonlocal at
        at += count
        return np.asarray(blob[at - count : at])

    for head in heads:
        shape, described = tuple(head.pop("shape")), head.pop("targets")
        picture = take(int(np.prod(shape))).reshape(shape)
        targets = tuple(
            (take(size), attributes, phrase, organ) for size, attributes, phrase, organ in described
        )
        yield Made(pixels=picture, targets=targets, **head)
