"""What is judged on: rows of ``samples.csv`` tables or of other layouts (:mod:`medsegr.samples.layouts`),
which part of them, and the words that ask for each target.

Parts. ``validation`` is the tenth of the groups that training never sees (:func:`medsegr.data.
validation_groups`), ``train`` the other nine, ``all`` both. Any other word is looked for in the table's
``split`` column ("held", "test"). Rows of other splits than ``dev`` and ``train`` belong to neither of the
first three.

Words. A row with a ``phrase`` is asked with it, read by the parser; a row with ``attributes`` with those
that are stated; any other with its target's name and what the mask shows (:mod:`medsegr.portrait`), or with
its name alone where the set says that pixels were not judged. Words that come from a mask are called
*oracle*, all others *written*. A column ``oracle`` (1 or 0) decides where the table has one.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from medsegr import data
from medsegr.errors import InputError, ReportError
from medsegr.inference.answers import name_only
from medsegr.portrait import portrait
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse_phrase
from medsegr.samples import drawn
from medsegr.samples.drawn import Marks
from medsegr.samples.layouts import NEEDED, PLAIN, Hints, Row, check_below, place_of, read_rows
from medsegr.types import Finding, Image, Location, Shape, Texture

Words = tuple[Finding, str]  # all words of a target, and where they come from
OWN_SPLITS = ("dev", "train", "")
PARTS = ("validation", "train", "all")
SECOND_READER = "2. human observer"  # judged against the first one


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with the rows that belong to it; nothing is read yet. ``part``: validation, train, or the
    table's own word."""

    set: str
    folder: Path
    image: str  # as the table names it, relative to the folder; a name for a DICOM series
    group: str
    part: str
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        """``set/path of the image``, unique in a run."""
        return f"{self.set}/{self.image}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One target of an image: the words that ask for it and where it really is (bool ``*grid``, empty: it is
    not there, or nobody knows)."""

    label: str
    name: Finding  # the name alone, as the table gives it
    finding: Finding  # with all words
    marks: Marks
    source: str  # oracle, written or name

    @property
    def mask(self) -> np.ndarray:
        """What is drawn of it."""
        return self.marks.mask


def samples_of(folder: Path, hints: Hints = PLAIN) -> list[Sample]:
    """All images of a set, in the order of its table or of its names, each with its part. ``hints``: what
    the set does not say itself.

    Raises:
        InputError: no known layout, no UTF-8 CSV, a column or a cell is missing, a path that leaves the
            folder, or a row id that comes twice.
    """
    return samples_in(folder, read_table(folder, hints))


def samples_in(folder: Path, table: Sequence[Row]) -> list[Sample]:
    """As :func:`samples_of`, of a set's rows that were read before."""
    by_image: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        if SECOND_READER not in (row.get("notes") or ""):
            key = (row.get("case") or row["image"], (row.get("split") or "").strip())
            by_image.setdefault(key, []).append(row)
    named = [
        (image, split, f"{folder.name}/{rows[0].get('group') or Path(image).stem}", rows)
        for (image, split), rows in by_image.items()
    ]
    held = data.validation_groups(group for _, split, group, _ in named if split in OWN_SPLITS)
    return [
        Sample(folder.name, folder, image, group, _part(split, group in held), tuple(rows))
        for image, split, group, rows in named
    ]


def _part(split: str, held: bool) -> str:
    if split not in OWN_SPLITS:
        return split
    return "validation" if held else "train"


def chosen(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The images of one part (see above). None of that part: InputError that lists the parts there are."""
    kept = [s for s in samples if s.part == split or (split == "all" and s.part in PARTS)]
    if not kept:
        there = ", ".join(sorted({s.part[:40] for s in samples})) or "nothing"
        raise InputError(
            f"no image belongs to the part '{split[:40]}'; there is {there}: choose with --split"
        )
    return kept


def thinned(samples: Sequence[Sample], most: int | None) -> list[Sample]:
    """At most so many images of each set, those whose ids have the smallest hashes: the same everywhere."""
    if most is None:
        return list(samples)
    kept: set[str] = set()
    for name in dict.fromkeys(s.set for s in samples):
        ids = [s.id for s in samples if s.set == name]
        kept.update(sorted(ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())[:most])
    return [s for s in samples if s.id in kept]


def read_table(folder: Path, hints: Hints = PLAIN) -> list[Row]:
    """The checked rows of a set; errors as of :func:`samples_of`."""
    if hints.target:  # else every image would fail for it, one by one
        try:
            drawn.finding_of({"id": "--target", **asdict(hints)})
        except InputError as error:
            raise InputError(str(error).removeprefix("row --target: ")) from error
    rows = read_rows(folder, hints)
    for number, row in enumerate(rows, 1):
        _check_row(row, place_of(folder, number))
    return rows


def table_hash(folder: Path, table: Sequence[Row]) -> str:
    """SHA-256 of a set's ``samples.csv``, or of the rows that its layout gave."""
    path = folder / "samples.csv"
    told = path.read_bytes() if path.is_file() else json.dumps(table, sort_keys=True).encode()
    return hashlib.sha256(told).hexdigest()


def _check_row(row: Row, name: str) -> None:
    for key in NEEDED:
        if not row[key].strip():
            raise InputError(f"{name}: '{key}' is empty, a value was expected")
    check_below(row, name)


def read_sample(
    sample: Sample, known: Mapping[str, Sequence[Words]] | None = None
) -> tuple[Image, list[Wanted]]:
    """The image and its targets. A file that cannot be read, or a target that the lexicon does not know:
    InputError in one line that begins with the row's number of this image.

    ``known`` has the words of images that were read before, by id: to make them out of masks takes the time.
    """
    image = drawn.read_picture(sample.folder, sample.rows[0])
    return image, list(_wanted(sample, image, (known or {}).get(sample.id, ())))


def _wanted(sample: Sample, image: Image, known: Sequence[Words]) -> Iterator[Wanted]:
    drawn_ = _marks(sample, image)
    for number, (row, marks) in enumerate(zip(sample.rows, drawn_, strict=True), 1):
        try:
            name = _plain(drawn.finding_of(dict(row)))
            finding, source = known[number - 1] if known else words_of(row, image, marks, name)
        except (InputError, ReportError, ValueError) as error:
            raise _about(number, error) from error
        label = f"{name.location.side or ''} {name.name}".strip()
        yield Wanted(label, name, finding, marks, source)


def _marks(sample: Sample, image: Image) -> list[Marks]:
    """What the image's rows mark, each mask file read once, one of them held at a time."""
    try:
        return drawn.read_marks(sample.folder, sample.rows, image)
    except InputError as error:
        for number, row in enumerate(sample.rows, 1):
            if str(error).startswith(f"row {row['id']}:"):
                raise _about(number, error) from error
        raise


def _about(number: int, error: Exception) -> InputError:
    return InputError(f"target {number} of the image: {' '.join(str(error).split())}")


def read_masks(sample: Sample) -> tuple[Image, list[np.ndarray]]:
    """The image and the masks of its targets without their words; errors as of :func:`read_sample`."""
    image = drawn.read_picture(sample.folder, sample.rows[0])
    return image, [marks.mask for marks in drawn.read_marks(sample.folder, sample.rows, image)]


def words_of(row: Row, image: Image, marks: Marks, name: Finding) -> Words:
    """The finding with all words of a row, and where they come from: ``oracle``, ``written`` or ``name``. No
    word is made from a mask beside which pixels are unknown: these may change it."""
    marked = (row.get("oracle") or "").strip().lower()
    made = marked in ("yes", "true", "1", "oracle") if marked else bool(row.get("attributes"))
    source = "oracle" if made else "written"
    if row.get("phrase"):
        found = parse_phrase(row["phrase"], modality=image.modality, frame=image.frame).findings
        if found and found[0].name:
            return replace(found[0], polarity="present"), source
    if row.get("attributes"):
        told = drawn.attributes_in(row)
        return finding_from(told.get("stated") or told, row.get("phrase") or ""), source
    if not marks.mask.any() or marks.unknown is not None:
        return name, "name"
    seen = portrait(image, marks.mask, name.name)
    return _joined(name, seen), "oracle"


def _plain(finding: Finding) -> Finding:
    """The name alone. An organ keeps its side, which is part of its name ("left lung")."""
    return replace(name_only(finding), id=finding.id, polarity="present")


def _joined(name: Finding, seen: Finding) -> Finding:
    """What the name tells, and beyond it what the mask shows."""
    side = name.location.side
    where = seen.location if side is None else replace(seen.location, side=side, cols=())
    return replace(name, location=where, texture=seen.texture, shape=seen.shape)


def told(finding: Finding) -> tuple[Location, Texture, Shape]:
    """All values of a finding without the places of its words, for the question whether two say the same."""
    return (
        replace(finding.location, spans=()),
        replace(finding.texture, spans=()),
        replace(finding.shape, spans=()),
    )
