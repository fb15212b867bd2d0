"""Folders of images and masks in the layouts that people have, each turned into the rows of a sample table.

Known: ``samples.csv``; ``samples.jsonl`` with the same keys; ``images/`` and ``masks/`` with equal stems
(one target), or ``masks/TARGET/`` with equal stems (several); nnU-Net's ``dataset.json`` with ``imagesTr/``
and ``labelsTr/``, versions 1 and 2; DICOM series with the DICOM SEG or RT structure sets that were drawn on
them, in any folders. No pixel is read here.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from medsegr.errors import InputError, UsageError
from medsegr.io.dicom_pairs import pairs
from medsegr.io.masks import MaskInfo
from medsegr.report.parse import parse_phrase
from medsegr.types import MODALITIES, modality_code

Row = dict[str, str]
NEEDED = ("id", "image", "mask", "target")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha")
LARGEST_TABLE = 256 * 2**20  # bytes
OPEN_SPLITS = ("dev", "train", "")
NO_TARGETS = ("background", "ignore")  # of nnU-Net's labels
KNOWN = (
    "samples.csv, samples.jsonl, images/ with masks/ (equal stems), nnU-Net's dataset.json with imagesTr/ "
    "and labelsTr/, or DICOM series with DICOM SEG or RT structure sets"
)


@dataclass(frozen=True, slots=True)
class Hints:
    """What a folder does not say itself: the ``target`` of all its masks, the ``modality`` of its images.

    Both only fill in what is missing; a folder's own words win.
    """

    target: str | None = None
    modality: str | None = None

    def __post_init__(self) -> None:
        """Refuses a modality that nobody knows."""
        if self.modality and modality_code(self.modality) is None:
            raise UsageError(
                f"--modality: '{self.modality[:40]}' is not known; expected one of {', '.join(MODALITIES)} "
                "or a common name of one"
            )


PLAIN = Hints()


def rows_of(folder: Path, hints: Hints = PLAIN) -> dict[str, list[Row]]:
    """Rows by image (path relative to ``folder``), in the order of the table or of the names, as of
    :func:`read_rows`. Those of a held split and second opinions of another reader are left out."""
    return by_image(read_rows(folder, hints))


def read_rows(folder: Path, hints: Hints = PLAIN) -> list[Row]:
    """All rows of a set.

    Keys as the columns of ``samples.csv``, values text; ``ignore`` are the values of the mask file, joined by
    commas, whose pixels nobody judged; ``series`` tells a DICOM series from others in its folder, ``case`` is
    a name for it. An unknown layout is an InputError that lists the known ones; so are a row with other cells
    than columns and an id that comes twice.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder.name}; check the path")
    for marker, reader in READERS.items():
        if (folder / marker).exists():
            return _once(_filled(reader(folder, hints), hints), folder)
    rows = _dicom(folder, hints)
    if rows:
        return _filled(rows, hints)
    raise InputError(f"{folder.name} is no set that is known here: expected {KNOWN}")


def check_below(row: Mapping[str, str], name: str) -> None:
    """Refuses a row whose image or mask lies outside the set's folder by its name alone: with ``..``, from
    the root, or on a drive. A set is one folder, so that it can be copied and judged where it stands, and a
    table from elsewhere names no other file. Links below the folder may lead out of it. ``name``: the row's.
    """
    for key in ("image", "mask"):
        told = row[key] or ""  # a row with fewer cells than columns has None
        posix, windows = PurePosixPath(told), PureWindowsPath(told)
        if ".." in (*posix.parts, *windows.parts) or posix.is_absolute() or windows.drive or windows.root:
            raise InputError(
                f"{name}: '{key}' leaves the folder; a path below it was expected, or a link there"
            )


def by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of the splits that may be used, by image; second opinions of another reader are left out. Paths
    that leave the folder are an InputError (:func:`check_below`)."""
    table: dict[str, list[Row]] = {}
    for number, row in enumerate(rows, 1):
        check_below(row, f"row {row.get('id') or number}")
        open_split = row.get("split", "dev") in OPEN_SPLITS
        if open_split and "2. human observer" not in row.get("notes", ""):
            table.setdefault(row.get("case") or row["image"], []).append(row)
    return table


def _filled(rows: Sequence[Row], hints: Hints) -> list[Row]:
    for number, row in enumerate(rows, 1):
        missing = [key for key in NEEDED if not row.get(key) and not (key == "target" and hints.target)]
        if missing:
            told = f"'{missing[0]}' is empty" if missing[0] in row else f"{missing[0]} is missing"
            raise InputError(
                f"row {row.get('id') or number}: {told}; expected {', '.join(NEEDED)}"
                + ("; or give --target NAME to train or bench run" if missing[0] == "target" else "")
            )
    return [filled(row, hints) for row in rows]


def filled(row: Mapping[str, str], hints: Hints) -> Row:
    """The row with what the hints tell where it says nothing."""
    told = {"target": hints.target or "", "modality": hints.modality or ""}
    return {**row} | {key: value for key, value in told.items() if row.get(key, "") == ""}


def place_of(folder: Path, number: int) -> str:
    """How a person finds row ``number``, from 1, of a set: in a table its head is the first line."""
    return f"samples.csv, row {number + 1}" if (folder / "samples.csv").exists() else f"row {number}"


def _once(rows: list[Row], folder: Path) -> list[Row]:
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row["id"] in seen:
            raise InputError(f"{place_of(folder, number)}: the id comes twice, each row needs its own")
        seen.add(row["id"])
    return rows


def _csv(folder: Path, hints: Hints) -> list[Row]:
    path = folder / "samples.csv"
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise InputError(f"samples.csv has {path.stat().st_size} bytes, at most {LARGEST_TABLE} are read")
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, strict=True)
            _check_columns(reader.fieldnames or (), hints)
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("samples.csv is no CSV in UTF-8; write it as such") from error
    except OSError as error:
        raise InputError(f"samples.csv cannot be read ({type(error).__name__}); expected UTF-8") from error
    if not rows:
        raise InputError("samples.csv has no row: one a target was expected")
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise InputError(f"{place_of(folder, number)}: another number of cells than columns")
    return rows


def _check_columns(there: Sequence[str], hints: Hints) -> None:
    missing = [name for name in NEEDED if name not in (*there, *(("target",) if hints.target else ()))]
    if missing:
        told = "; or give --target NAME to train or bench run" if missing == ["target"] else ""
        told = "; commas part the cells, not semicolons" if len(there) == 1 and ";" in there[0] else told
        raise InputError(f"samples.csv lacks {', '.join(missing)}; expected {', '.join(NEEDED)}{told}")


def _jsonl(folder: Path, _hints: Hints) -> list[Row]:
    rows: list[Row] = []
    try:
        lines = (folder / "samples.jsonl").read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"samples.jsonl cannot be read ({type(error).__name__}); expected UTF-8") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise InputError(f"samples.jsonl, line {number}: not JSON; expected one object a line") from error
        if not isinstance(item, dict):
            raise InputError(f"samples.jsonl, line {number}: {type(item).__name__} came, an object expected")
        rows.append({str(key): _text(value) for key, value in item.items()})
    return rows


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _stem(path: Path) -> str:
    """``a`` of ``a.png``, ``a.b`` of ``a.b.nii.gz``."""
    ending = next((end for end in (*VOLUMES, *PICTURES) if path.name.lower().endswith(end)), path.suffix)
    return path.name[: len(path.name) - len(ending)] if ending else path.name


def files_of(folder: Path) -> dict[str, Path]:
    """Image files by stem. Two files of one stem are an InputError."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().endswith((*PICTURES, *VOLUMES)):
            if _stem(path) in found:
                raise InputError(f"{folder.name}: two files are called {_stem(path)}; expected one")
            found[_stem(path)] = path
    return found


def left_out(folder: Path) -> int:
    """How many images of an ``images/`` folder have no mask of their name, and so are no row; 0 in other
    layouts, whose tables say themselves what belongs to the set."""
    marker = next((name for name in READERS if (folder / name).exists()), "")
    if marker != "images":
        return 0
    masks = [path for path in (folder / "masks").rglob("*") if path.is_file()]
    return len(set(files_of(folder / "images")) - {_stem(path) for path in masks})


def _pairs(folder: Path, hints: Hints) -> list[Row]:
    masks = folder / "masks"
    if not masks.is_dir():
        raise InputError(f"{folder.name} has images/ but no masks/: expected a mask of equal stem an image")
    images = files_of(folder / "images")
    kinds = {sub.name: files_of(sub) for sub in sorted(masks.iterdir()) if sub.is_dir()}
    if not kinds:
        if not hints.target:
            raise InputError(
                f"{folder.name}: nothing says what the masks show; sort them into masks/NAME/ or write a "
                "samples.csv, or give --target NAME to train or bench run"
            )
        kinds = {hints.target: files_of(masks)}
    drawn = {stem for files in kinds.values() for stem in files}
    strays = sorted(drawn - set(images))
    if strays or not drawn:
        raise InputError(
            f"{folder.name}: {f'mask {strays[0]} has no image' if strays else 'no mask was found'}; expected "
            "equal stems in images/ and masks/"
        )
    return [
        {
            "id": f"{stem}_{target}" if len(kinds) > 1 else stem,
            "image": images[stem].relative_to(folder).as_posix(),
            "mask": files[stem].relative_to(folder).as_posix(),
            "target": target,
        }
        for stem in sorted(drawn)
        for target, files in kinds.items()
        if stem in files
    ]


def _nnunet(folder: Path, _hints: Hints) -> list[Row]:
    try:
        head = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        labels, ignored = _labels(head["labels"]), _ignored(head["labels"])
        channels: Mapping[str, str] = head.get("channel_names") or head.get("modality") or {}
        first = str(channels.get("0", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder.name}/dataset.json cannot be read ({type(error).__name__}); expected labels and "
            "channel_names as nnU-Net writes them"
        ) from error
    for name in ("imagesTr", "labelsTr"):
        if not (folder / name).is_dir():
            raise InputError(f"{folder.name} has a dataset.json but no {name}/: expected nnU-Net's layout")
    images, masks = files_of(folder / "imagesTr"), files_of(folder / "labelsTr")
    rows = []
    for case, mask in masks.items():
        image = images.get(f"{case}_0000") or images.get(
            case
        )  # the first channel; the Decathlon has no number
        if image is None:
            raise InputError(f"{folder.name}: label {case} has no image {case}_0000 in imagesTr/")
        rows += [
            {
                "id": f"{case}_{name}",
                "image": image.relative_to(folder).as_posix(),
                "mask": mask.relative_to(folder).as_posix(),
                "target": name,
                "label": label,
                "ignore": ignored,
                "modality": modality_code(first) or "",
                "group": case,
            }
            for name, label in labels.items()
        ]
    return rows


def _labels(given: Mapping[str, Any]) -> dict[str, str]:
    """Name to label values joined by commas; ``background`` and ``ignore`` are no targets."""
    values = {name: _joined(value) for name, value in _named(given).items() if name.lower() not in NO_TARGETS}
    return {name: value for name, value in values.items() if value != "0"}


def _ignored(given: Mapping[str, Any]) -> str:
    """The values of the label ``ignore``, "" where there is none. InputError where it is the background's."""
    found = ",".join(_joined(value) for name, value in _named(given).items() if name.lower() == "ignore")
    if "0" in found.split(","):
        raise InputError(
            "dataset.json: the label ignore has the value 0, which is the background's; expected a value of "
            "its own: give it the highest one"
        )
    return found


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Name to label. Version 1 says ``{"1": "liver"}``, version 2 ``{"liver": 1}`` or, for regions,
    ``{"whole": [1, 2]}``."""
    old = all(str(k).isdigit() for k in given)
    return {str(v): k for k, v in given.items()} if old else {str(k): v for k, v in given.items()}


def _joined(value: Any) -> str:
    return ",".join(str(int(v)) for v in (value if isinstance(value, list) else [value]))


def _dicom(folder: Path, hints: Hints) -> list[Row]:
    """A row a segment or ROI. Names of people are in no row: the group is a hash of the patient's id."""
    rows: list[Row] = []
    cases: dict[tuple[Path, str], str] = {}
    for pair in pairs(folder):
        case = cases.setdefault((pair.image, pair.series), f"case-{len(cases) + 1:04}")
        number = sum(row["case"] == case for row in rows)
        patient = hashlib.sha256(pair.patient.encode()).hexdigest()[:12]
        rows += [
            {
                "id": f"{case}-{number + at}",
                "case": case,
                "image": pair.image.relative_to(folder).as_posix(),
                "series": pair.series,
                "mask": pair.masks.relative_to(folder).as_posix(),
                "label": str(info.number),
                "target": _target(info, hints),
                "modality": pair.modality,
                "group": patient if pair.patient else case,
            }
            for at, info in enumerate(pair.infos, 1)
        ]
    return rows


def _target(info: MaskInfo, hints: Hints) -> str:
    """The first of a segment's label and coded kind that the lexicon knows, with its side; else what was
    given for all masks, else the label."""
    side = f"{info.side.meaning.lower()} " if info.side else ""
    for words in (info.name, info.kind.meaning if info.kind else "", info.site.meaning if info.site else ""):
        plain = words.replace("_", " ").lower()
        found = parse_phrase(plain).findings if plain else ()
        if found and found[0].name:
            return plain if found[0].location.side or not side else side + plain
    return hints.target or info.name


READERS: Mapping[str, Callable[[Path, Hints], list[Row]]] = {
    "samples.csv": _csv,
    "samples.jsonl": _jsonl,
    "dataset.json": _nnunet,
    "images": _pairs,
}
