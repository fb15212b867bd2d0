"""Referring sets: real pictures that hold several things of which the words mean one.

A segmenter that does not read its words cannot do well on them, which is what they are for. Each kind is a
function from the images of a set to pages; what is clear in it (that no other thing fits the words) is
checked before a row is written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr.data import Case, Target
from medsegr.errors import InputError, ReportError, UsageError
from medsegr.grid.pixels import to_bytes
from medsegr.portrait import portrait
from medsegr.samples.composite import joined
from medsegr.samples.drawn import finding_of
from medsegr.sets.mosaics import mosaics
from medsegr.sets.narrate import Style, narrate
from medsegr.sets.reports import separate
from medsegr.sets.table import Ask, Page, Source, sources, write_pages
from medsegr.sets.telling import Setting, is_organ
from medsegr.types import Finding, Image, Location, Shape, Texture

MOST = 4  # rows of one image
GAP = 0.35  # of a nucleus' width: nuclei nearer than twice this are one cluster
LEAST = 0.002  # of the image: a smaller cluster is not asked for
SEEN = 96  # pixels at which the place of a cluster is read
RIVAL = 0.2  # of the target: what is larger and fits its words makes them unclear
SETS = {
    "structures": ("cxr_covid_gb",),
    "nuclei": ("micro_dsb2018",),
    "polyps": ("polyp_kvasir_seg",),
    "lesions": ("mri_ms_flair", "mammo_cesm"),
    "mosaics": ("polyp_kvasir_seg", "micro_dsb2018", "us_busi", "derm_isic2017", "mri_lgg", "ct_lung_tumour"),
}
WHOLE = Style(whole=True)
ABOUT = """# Referring set: {kind}

Written by `medsegr sets referring` from {names} ({part}), seed {seed}. {what} The terms and credits of
{names} hold for what is made from them.

- `samples.csv`: one row a thing that the words mean. `text` is the report or sentence that asks for it,
  `phrase` its words (verbatim), `others` the masks of what is not meant.
- `oracle` is 1 where the words were made from the mask; name any number that was reached with them so. 0: the
  words are the set's own label. `notes` says what was made.
- Images that share a patient share a `group`, whatever they were put together from.
"""
WHAT = {
    "structures": "One structure of several is asked for by its name and side.",
    "nuclei": "One cluster of nuclei is asked for by place, number and, where it is needed, size.",
    "polyps": "One of two polyps or more is asked for by its place. *Made*: most pictures had one and got a "
    "second one, from another picture, blended in.",
    "lesions": "One of several separate lesions is asked for by place and, where it is needed, size.",
    "mosaics": "*Made*: two or four pictures side by side; words name one by concept, place or both.",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be built. ``names``: the sets below the data folder, () for those of the kind. ``part`` as
    of :func:`medsegr.sets.table.sources`; ``count``: at most so many images; ``seed`` decides every
    choice."""

    kind: str
    names: tuple[str, ...] = ()
    part: str = "validation"
    count: int | None = None
    seed: int = 0


def write_referring(data: Path, wish: Wish, out: Path) -> int:
    """Build a referring set below ``out`` and return its number of rows.

    Raises:
        UsageError: no such kind or part.
        InputError: a set cannot be read, or nothing in this part can be asked for clearly.
    """
    if wish.kind not in KINDS:
        raise UsageError(f"kind '{wish.kind[:40]}' is not known; expected one of {', '.join(KINDS)}")
    names = wish.names or SETS[wish.kind]
    if not data.is_dir():
        raise InputError("there is no such folder; --data is the one that holds the sets")
    missing = [name for name in names if not (data / name).exists()]
    if missing:
        raise InputError(
            f"it holds no set {missing[0]}; the kind {wish.kind} reads {', '.join(SETS[wish.kind])}: name "
            "others with --sets"
        )
    found = [s for name in names for s in sources(data / name, wish.part)]

    def pages() -> Iterator[Page]:
        made = KINDS[wish.kind](found, np.random.default_rng(wish.seed))
        left = wish.count
        while left is None or left > 0:
            page = next(made, None)
            if page is None:
                return
            if page.asks:
                left = None if left is None else left - 1
                yield page

    told = " and ".join(f"`{name}`" for name in names)
    about = ABOUT.format(
        kind=wish.kind, names=told, part=f"part: {wish.part}", seed=wish.seed, what=WHAT[wish.kind]
    )
    return write_pages(out, pages(), about)


def structures(found: Sequence[Source], rng: np.random.Generator) -> Iterator[Page]:
    """Organs of one picture by name and side, where it has two drawn ones at least."""
    for source in _shuffled(found, rng):
        drawn = [(finding_of(dict(row)), row) for row in source.rows]
        organs = [(f, row) for f, row in drawn if is_organ(f)]
        names = [(f.name, f.location.side) for f, _ in organs]
        if len(organs) < 2 or len(set(names)) < len(names):
            continue
        image = source.image()
        masks = tuple(source.masks(image, [row for _, row in organs]))
        findings = tuple(f for f, _ in organs)
        clear = [i for i, mask in enumerate(masks) if mask.any()]
        yield _page(source, image, masks, findings, clear, rng)


def nuclei(found: Sequence[Source], rng: np.random.Generator) -> Iterator[Page]:
    """Clusters of nuclei, from masks with a number for each nucleus (column ``instances``)."""
    for source in _shuffled([s for s in found if s.rows[0].get("instances")], rng):
        image = source.image()
        with Pil.open(source.folder / source.rows[0]["instances"]) as picture:
            single = np.asarray(picture)
        groups = clusters(single)
        findings = tuple(_nuclei(image, mask, _number(single[mask])) for mask in groups)
        page = _page(source, image, tuple(groups), *_clear(groups, findings), rng)
        yield page if len(groups) > 1 else replace(page, asks=())  # of one the words decide nothing


def lesions(found: Sequence[Source], rng: np.random.Generator) -> Iterator[Page]:
    """Separate lesions of one picture that are drawn as one."""
    for source in _shuffled(found, rng):
        page = _several(source, rng)
        if page is not None:
            yield page


def polyps(found: Sequence[Source], rng: np.random.Generator) -> Iterator[Page]:
    """Pictures with several lesions as they are; the others in pairs, each with the lesion of the other
    pasted in."""
    single: list[Source] = []
    for source in _shuffled(found, rng):
        page = _several(source, rng)
        if page is not None:
            yield page
        else:
            single.append(source)
    for one, two in zip(single[::2], single[1::2], strict=False):
        cases = _case(one), _case(two)
        for source, case, other in ((one, *cases), (two, *cases[::-1])):
            both = joined(case, other, rng)
            if both is None:
                continue
            masks = both.mask(0), both.mask(1)
            image = Image(both.pixels.astype(np.float32), modality=both.modality, frame="viewer")
            name = finding_of(dict(source.rows[0])).name
            findings = tuple(_by_place(image, mask, name) for mask in masks)
            page = _page(source, image, masks, *_clear(masks, findings), rng)
            yield replace(
                page,
                groups=frozenset((one.group, two.group)),
                asks=tuple(
                    replace(ask, notes="made: a lesion of another picture is pasted in") for ask in page.asks
                ),
            )


def _several(source: Source, rng: np.random.Generator) -> Page | None:
    """The page of a picture with two separate lesions at least; None of any other."""
    image = source.image()
    drawn = [
        (finding_of(dict(row)), mask) for row, mask in zip(source.rows, source.masks(image), strict=True)
    ]
    parts = [(f, part) for f, mask in drawn if not is_organ(f) and mask.any() for part in separate(mask)]
    if len(image.grid) != 2 or len(parts) < 2:
        return None
    masks = tuple(part for _, part in parts)
    findings = tuple(_by_place(image, part, f.name) for f, part in parts)
    return _page(source, image, masks, *_clear(masks, findings), rng)


def _case(source: Source) -> Case:
    image = source.image()
    mask = np.any(source.masks(image), axis=0)
    return Case(
        id=source.rows[0]["id"],
        set=source.folder.name,
        pixels=to_bytes(image),
        targets=(Target(np.packbits(mask), ()),),
        modality=image.modality,
        viewer=image.frame == "viewer",
        made=False,
        validation=False,
        group=source.group,
    )


def clusters(single: np.ndarray) -> list[np.ndarray]:
    """Nuclei that lie near each other, as one bool ``h w`` mask a cluster; a lone nucleus is one, too.
    ``single`` has a number above 0 for each nucleus."""
    labels, sizes = np.unique(single[single > 0], return_counts=True)
    if not len(labels):
        return []
    reach = max(1.0, GAP * 2 * float(np.sqrt(np.median(sizes) / np.pi)))
    near = ndimage.distance_transform_edt(single == 0) <= reach
    joint, count = ndimage.label(near)
    owner = np.where(single > 0, joint, 0)
    return [owner == k for k in range(1, count + 1)]


def _number(single: np.ndarray) -> int | None:
    count = len(np.unique(single))
    return count if 1 < count < 100 else None


def _nuclei(image: Image, mask: np.ndarray, count: int | None) -> Finding:
    """Place and size class of a cluster, seen small (a field has a hundred of them), and how many nuclei it
    has."""
    step = max(1, max(mask.shape) // SEEN)
    h, w = (-(-n // step) * step for n in mask.shape)
    tiles = np.pad(mask, [(0, h - mask.shape[0]), (0, w - mask.shape[1])]).reshape(
        h // step, step, w // step, step
    )
    share = tiles.mean((1, 3))
    small = share >= min(0.5, float(share.max()))
    blank = Image(np.zeros((1, *small.shape), np.float32), modality=image.modality, frame=image.frame)
    seen = portrait(blank, small, "nucleus")
    return replace(seen, texture=Texture(), shape=Shape(size_class=seen.shape.size_class, count=count))


def _by_place(image: Image, mask: np.ndarray, name: str) -> Finding:
    """What the mask shows, but for its count: it is one."""
    seen = portrait(image, mask, name)
    return replace(seen, shape=replace(seen.shape, count=None))


def _clear(masks: Sequence[np.ndarray], findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], list[int]]:
    """The findings as they are told (place and number; size where it is needed), and which of them fit no
    other."""
    told, clear = [], []
    areas = [int(np.count_nonzero(mask)) for mask in masks]
    for i, finding in enumerate(findings):
        rivals = [
            j
            for j, area in enumerate(areas)
            if j != i and findings[j].name == finding.name and area > RIVAL * areas[i]
        ]
        near = [j for j in rivals if _fits_place(findings[j].location, finding.location)]
        same = [j for j in near if findings[j].shape.size_class == finding.shape.size_class]
        size = finding.shape.size_class if near else None
        told.append(
            replace(finding, texture=Texture(), shape=Shape(size_class=size, count=finding.shape.count))
        )
        place = finding.location
        spread = len(place.rows) > 2 or len(place.cols) > 2 or not (place.rows or place.cols or place.side)
        if not same and not spread and areas[i] >= LEAST * masks[i].size:
            clear.append(i)
    return tuple(told), clear


def _fits_place(other: Location, told: Location) -> bool:
    """Whether another thing lies, in part at least, where the words point."""

    def meet(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
        return not one or not two or bool(set(one) & set(two))

    sides = {other.side, told.side} - {None, "bilateral"}
    return len(sides) < 2 and meet(other.rows, told.rows) and meet(other.cols, told.cols)


def _page(
    source: Source,
    image: Image,
    masks: tuple[np.ndarray, ...],
    findings: tuple[Finding, ...],
    clear: Sequence[int],
    rng: np.random.Generator,
) -> Page:
    """A page with a report for each of a few clear findings."""
    setting = Setting(image.modality, image.frame)
    asks = []
    for i in sorted(int(k) for k in rng.permutation(np.array(clear, int))[:MOST]):
        try:
            story = narrate(findings, [i], setting, rng, WHOLE)
        except ReportError:
            continue
        asks.append(Ask(i, story.told[0], story.text, not is_organ(findings[i])))
    picture = np.moveaxis(to_bytes(image), 0, -1)
    stem = Path(source.rows[0]["image"]).name.partition(".")[0]
    return Page(
        f"{source.folder.resolve().name}_{stem}",
        picture[..., 0] if picture.shape[-1] == 1 else picture,
        masks,
        findings,
        tuple(asks),
        source.rows[0].get("modality") or "",
        image.frame,
        frozenset((source.group,)),
    )


def _shuffled(found: Sequence[Source], rng: np.random.Generator) -> list[Source]:
    return [found[int(i)] for i in rng.permutation(len(found))]


KINDS: dict[str, Callable[[Sequence[Source], np.random.Generator], Iterator[Page]]] = {
    "structures": structures,
    "nuclei": nuclei,
    "polyps": polyps,
    "lesions": lesions,
    "mosaics": mosaics,
}
