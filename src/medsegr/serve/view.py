"""What the page draws, as one JSON value, and the layers it names: pure functions of a result.

``view_of`` and ``layer_of`` read a folder that ``medsegr segment`` wrote; ``view_of_result`` and
``layer_of_result`` take a Result in memory (a session, or a job that still runs). The page gets nothing else.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import GeometryError, InputError
from medsegr.explain import scaled
from medsegr.grid.planes import Plane, shows_sides, usual_plane
from medsegr.io.limits import DEFAULT_LIMITS
from medsegr.io.read import read_image
from medsegr.pipeline import read_words
from medsegr.results.export import Written, manifest_of
from medsegr.results.overlay import COLOURS, levels
from medsegr.results.record import image_json, result_json
from medsegr.results.reopen import as_told, findings_of, inside, on_grid, reopen, result_from
from medsegr.results.schema import text_hash
from medsegr.serve.layers import is_placed, pack
from medsegr.serve.wording import said_here
from medsegr.types import Image, Report, Result, Span

Json = dict[str, Any]
# Window presets in HU, lower and upper end: the usual centres and widths of radiology.
CT_PRESETS = (
    ("Soft tissue", (-160.0, 240.0)),
    ("Lung", (-1350.0, 150.0)),
    ("Mediastinum", (-125.0, 225.0)),
    ("Liver", (-45.0, 105.0)),
    ("Bone", (-500.0, 1300.0)),
    ("Brain", (0.0, 80.0)),
)
UPRIGHT = ("CR", "XA")  # pictures of these are seen from the front unless the file says otherwise
ENDS = {"S": ("A", "P", "R", "L"), "A": ("S", "I", "R", "L"), "R": ("S", "I", "A", "P")}
MAP = ("_map.png", "_map.nii.gz")  # what --explain writes beside its picture
CUES = {"absent": "negation", "uncertain": "uncertainty"}


@dataclass(frozen=True, slots=True)
class Shown:
    """Under which address the page finds the layers, and whether it may change anything."""

    base_url: str
    id: str = ""
    read_only: bool = False


def view_of(folder: Path, image: Image | None, text: str | None, base_url: str, **shown: Any) -> Json:
    """The page's JSON of a result folder. ``shown``: ``id`` and ``read_only`` of :class:`Shown`.

    ``image`` is the one that was segmented, or None: then the masks lie on a blank picture. ``text`` is the
    report; without it the folder's own text is taken where it was kept, else there is none and the phrases
    stand alone. Raises InputError for a folder that is not ours, another image or another report.
    """
    place = Shown(base_url, **shown)
    told = findings_of(folder)
    report = told.get("report")
    if text is not None and report is not None and text_hash(text) != report["sha256"]:
        raise InputError(
            "the report is another one than that of the folder (its hash differs); give that one"
        )
    text = text if text is not None else (report or {}).get("text")
    result = result_of(folder, image)
    words = read_words(result.image, text)
    items = [
        {
            **item,
            "mentions": _mentions(item, words),
            "_free": _beside(folder, item),
            "_map": _map(folder, item),
        }
        for item in told["findings"]
    ]
    blank = image is None
    result = replace(result, report=words)
    made = _view(result, items, place, blank=blank)
    made["warnings"] = [{**note, "message": said_here(note["message"])} for note in told["warnings"]]
    made["image"] = {**told["image"], **made["image"]}
    return {**made, "waiting": [], "manifest": manifest_of(folder)}


def view_of_result(result: Result, base_url: str, **shown: Any) -> Json:
    """The page's JSON of a Result in memory. ``shown``: ``id`` and ``read_only`` of :class:`Shown`."""
    items = [
        {
            **result_json(item, Written()),
            "mentions": [list(span) for span in item.finding.mentions],
            "_free": item.free_mask is not None,
            "_map": item.attention is not None,
        }
        for item in result.findings
    ]
    place = Shown(base_url, **shown)
    return {**_view(result, items, place), "waiting": _waiting(result), "manifest": None}


def layer_of(folder: Path, image: Image | None, name: str) -> bytes:
    """A layer of a result folder as ``.nii.gz``: ``image``, ``<finding>``, ``<finding>.free`` or
    ``<finding>.map``. InputError where there is none of that name."""
    if name == "image" and image is not None:
        return pack(image.data, image)
    told = findings_of(folder)
    if name == "image":
        return pack(*_blank(result_of(folder, None).image))
    key, _, kind = name.partition(".")
    item = next((one for one in told["findings"] if one["id"] == key), None)
    if item is None or kind not in ("", "free", "map"):
        raise _no_layer()
    grid = image if image is not None else reopen(folder).result.image
    if kind == "map":
        found = _map(folder, item)
        if found is None:
            raise _no_layer()
        return pack(_values(read_image(found), grid).astype(np.uint8), grid)
    if kind == "free":
        beside = _beside(folder, item)
        if beside is None:
            raise _no_layer()
        return pack(on_grid(read_image(beside), grid, False), grid)
    result = result_of(folder, grid if image is not None else None, only=key)
    mask = result.findings[0].mask
    if mask is None:
        raise _no_layer()
    return pack(mask, grid)


def layer_of_result(result: Result, name: str) -> bytes:
    """As :func:`layer_of`, of a Result in memory."""
    if name == "image":
        return pack(result.image.data, result.image)
    key, _, kind = name.partition(".")
    for item in result.findings:
        if item.finding.id == key:
            found = {"": item.mask, "free": item.free_mask, "map": item.attention}.get(kind)
            if found is not None:
                return pack(scaled(found) if kind == "map" else found, result.image)
    raise _no_layer()


def result_of(folder: Path, image: Image | None, only: str | None = None) -> Result:
    """The folder's result on an image that is already read, or on the grid of its masks without one.

    ``only``: the id of the one finding that is wanted. Raises InputError for another image.
    """
    if image is None:
        result = reopen(folder).result
        kept = tuple(item for item in result.findings if only in (None, item.finding.id))
        return replace(result, findings=kept)
    told = findings_of(folder)
    if image_json(image)["sha256"] != told["image"]["sha256"]:
        raise InputError(
            "the image is another one than that of the folder (its hash differs); give the image that was "
            "segmented, unchanged"
        )
    items = [item for item in told["findings"] if only in (None, item["id"])]
    image = as_told(image, told["image"])
    return Result(
        image, None, tuple(result_from(item, _mask(folder, item, image)) for item in items), told["model"]
    )


def _mask(folder: Path, item: Mapping[str, Any], image: Image) -> np.ndarray | None:
    if not item.get("mask"):
        return None
    path = inside(folder, item["mask"])
    if path.suffix != ".dcm":
        return on_grid(read_image(path), image, True)
    from medsegr.io.dicom_masks import read_masks

    found = read_masks(path, image, DEFAULT_LIMITS)
    return next((found.mask(info.number) for info in found.infos if info.id == item["id"]), None)


def _view(result: Result, items: list[Json], place: Shown, blank: bool = False) -> Json:
    findings = []
    for number, (item, one) in enumerate(zip(items, result.findings, strict=True)):
        version = f"?v={_version(one.mask)}" if one.mask is not None else ""
        stem = f"{place.base_url}/layers/{one.finding.id}"
        red, green, blue = COLOURS[number % len(COLOURS)]
        findings.append(
            {
                **{key: value for key, value in item.items() if not key.startswith("_")},
                "colour": f"#{red:02x}{green:02x}{blue:02x}",
                "layer": f"{stem}.nii.gz{version}" if one.mask is not None else None,
                "free_layer": f"{stem}.free.nii.gz" if item["_free"] else None,
                "map_layer": f"{stem}.map.nii.gz" if item["_map"] else None,
                "focus": focus_of(one.mask, result.image),
                "cues": cues_of(item),
            }
        )
    return {
        "id": place.id,
        "read_only": place.read_only,
        "report": _report(result.report),
        "image": _image(result.image, place, blank),
        "model": dict(result.model),
        "warnings": [{"code": code, "message": said_here(message)} for code, message in result.warnings],
        "findings": findings,
    }


def _version(mask: np.ndarray) -> str:
    """A mask's fingerprint: its layer keeps its address as long as it stays the same, from the first look at
    a running job to the folder of its result, so that no page draws it twice."""
    return hashlib.sha1(np.packbits(mask).tobytes(), usedforsecurity=False).hexdigest()[:10]


def _waiting(result: Result) -> list[Json]:
    """What the report speaks of and nobody has judged yet: a job is at work."""
    judged = {item.finding.id for item in result.findings}
    return [
        {"id": one.id, "phrase": one.phrase, "span": list(one.span)}
        for one in (result.report.findings if result.report else ())
        if one.id not in judged
    ]


def _report(report: Report | None) -> Json:
    if report is None:
        return {"text": None, "sections": [], "unread": []}
    return {
        "text": report.text,
        "sections": [{"name": part.name, "span": list(part.span)} for part in report.sections],
        "unread": [list(span) for span in report.unread],
    }


def _image(image: Image, place: Shown, blank: bool) -> Json:
    flat = len(image.grid) == 2
    plane = usual_plane(image)
    colour = image.data.shape[0] == 3
    low, high = (0.0, 1.0) if blank else (0.0, 255.0) if colour else levels(image)
    return {
        **image_json(image),
        "planes": 1 if flat else int(image.grid[plane.order[0]]),
        "layer": f"{place.base_url}/layers/image.nii.gz",
        "blank": blank,
        "letters": letters_of(image) if flat or not is_placed(image) else None,
        "radiological": True,
        "cut": None if flat else plane.order[0],
        "window": [low, high],
        "presets": [] if blank or colour else presets_of(image),
        "colour": colour,
    }


def letters_of(image: Image) -> Json:
    """Letters for the four edges of a picture in the usual view, None where nobody knows.

    In the viewer's frame L is the picture's left; of a picture in the patient's frame that names no axes the
    sides are the radiological convention's, and only X-ray pictures are taken as upright. A mammogram has no
    sides.
    """
    sides: dict[str, str | None] = dict.fromkeys(("top", "bottom", "left", "right"))
    if image.frame == "viewer":
        return sides | {"left": "L", "right": "R"} if len(image.grid) == 2 else sides
    if not shows_sides(image):
        return sides
    plane = usual_plane(image)
    if plane.normal in ENDS and len(image.grid) == 2:
        return dict(zip(("top", "bottom", "left", "right"), ENDS[plane.normal], strict=True))
    if len(image.grid) == 3 or image.axes is not None or image.affine is not None:
        return sides
    upright = {"top": "S", "bottom": "I"} if image.modality in UPRIGHT else {}
    return sides | {"left": "R", "right": "L"} | upright


def presets_of(image: Image) -> list[Json]:
    """Windows to choose from: those of CT where the values are HU, else ranges of the image's own values."""
    values = np.asarray(image.data[0], np.float32)
    low, high = float(values.min()), float(values.max())
    if image.modality == "CT" and low < -200:
        named = list(CT_PRESETS)
    else:
        first, last = levels(image)
        wide = last - first
        named = [
            ("Usual", (first, last)),
            ("Dark parts", (first, first + 0.5 * wide)),
            ("Bright parts", (first + 0.5 * wide, last)),
        ]
    named.append(("Full range", (low, high)))
    return [{"name": name, "window": list(window)} for name, window in named]


def focus_of(mask: np.ndarray | None, image: Image) -> list[int] | None:
    """The voxel of a layer at which to look at a mask: in the slice where it is largest, the mask's voxel
    nearest to its middle. None without a mask or of an empty one."""
    if mask is None or not mask.any():
        return None
    if mask.ndim == 2:
        y, x = _middle(mask)
        return [x, y, 0]
    axis = _across(usual_plane(image))
    others = tuple(other for other in range(3) if other != axis)
    best = int(np.count_nonzero(mask, axis=others).argmax())
    inner = _middle(np.take(mask, best, axis=axis))
    where = [best, best, best]
    for other, index in zip(others, inner, strict=True):
        where[other] = index
    return where


def _across(plane: Plane) -> int:
    return plane.order[0]


def _middle(mask: np.ndarray) -> tuple[int, int]:
    spots = np.argwhere(mask)
    nearest = spots[int(((spots - spots.mean(0)) ** 2).sum(1).argmin())]
    return int(nearest[0]), int(nearest[1])


def cues_of(item: Mapping[str, Any]) -> list[Json]:
    """The words that made a finding what it is: negation or uncertainty, place, texture and shape."""
    found: list[Json] = []
    if item["polarity_span"] is not None:
        found.append({"span": item["polarity_span"], "kind": CUES.get(item["polarity"], "presence")})
    for kind in ("location", "texture", "shape"):
        found += [{"span": span, "kind": kind} for span in item[kind]["spans"]]
    return found


def _mentions(item: Mapping[str, Any], words: Report | None) -> list[list[int]]:
    """Other places in the text that state the same finding; findings.json does not keep them."""
    own: Span = (int(item["span"][0]), int(item["span"][1]))
    found = next((f for f in (words.findings if words else ()) if f.span == own), None)
    return [list(span) for span in found.mentions] if found else []


def _beside(folder: Path, item: Mapping[str, Any]) -> Path | None:
    """The file of the report-free mask: it lies beside the mask."""
    if not item.get("mask"):
        return None
    path = inside(folder, item["mask"])
    free = path.with_name(path.name.replace(item["id"], f"{item['id']}_free", 1))
    return free if free != path and free.is_file() else None


def _map(folder: Path, item: Mapping[str, Any]) -> Path | None:
    places = (folder / "explain" / f"{item['id']}{tail}" for tail in MAP)
    return next((path for path in places if path.is_file()), None)


def _values(layer: Image, image: Image) -> np.ndarray:
    values = layer.data[0]
    if values.size != np.prod(image.grid):
        raise GeometryError("a map has another grid than the image; segment again")
    return np.asarray(values.reshape(image.grid))


def _blank(image: Image) -> tuple[np.ndarray, Image]:
    return np.zeros(image.grid, np.uint8), image


def _no_layer() -> InputError:
    return InputError("there is no layer of that name: one that the view names was expected")
