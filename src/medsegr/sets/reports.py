"""Reports for a set that has masks: what each mask shows is measured, and a report tells some of it.

The words are made from the truth (*oracle*), so a number reached with them says how well words are followed,
not how well an image is read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from medsegr.errors import ReportError
from medsegr.grid.looks import LEAST, PART
from medsegr.portrait import portrait
from medsegr.samples.drawn import finding_of
from medsegr.sets.narrate import Style, narrate
from medsegr.sets.table import Ask, Page, Source, sources, write_pages
from medsegr.sets.telling import Setting, is_organ
from medsegr.types import Finding, Image

UNCLEAR = "the words fit another lesion, too"
MOST = 8  # separate lesions of one mask; more are told as one finding with its count. A report tells as many
ABOUT = """# {name}, with reports

Written by `medsegr sets reports` from the set `{name}` ({part}), seed {seed}. Images and masks are those of
that set, whose terms and credits hold here, too.

- `samples.csv`: one row a lesion that its image's report describes. `text` is the report, `phrase` the words
  of the lesion in it (verbatim), `others` the masks of everything else that is drawn in the image, described
  or not. `attributes` is JSON: what is true of the mask, and under `stated` what the words say.
- **Oracle**: side, place, size, form, margin and texture of a lesion were measured on the mask
  (`medsegr.portrait`) and then put into words. Such a row says so in `notes` and has `oracle` 1; name any
  number that was reached with these words so. Organs are asked for by the set's own label only: `oracle` is
  0.
- What a report denies, calls normal, doubts or remembers is made up. It is not known of these images.
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """``seed`` decides every word. ``part`` of the set, see :func:`medsegr.sets.table.sources`. ``apart``:
    separate lesions of one mask become lesions of their own. ``limit``: the first so many images."""

    seed: int = 0
    part: str = "all"
    apart: bool = True
    limit: int | None = None


def write_reports(
    folder: Path, out: Path, writing: Writing, step: Callable[[], None] = lambda: None
) -> tuple[int, int]:
    """Write the set ``folder`` again with reports, below ``out``. ``step`` is called after each image.

    Returns:
        The number of rows, and of images that no report could be written for (nothing drawn, or no words for
        it).

    Raises:
        InputError: the set cannot be read, or gives no row at all.
    """
    found = sources(folder, writing.part)[: writing.limit]
    skipped = 0

    def pages() -> Iterator[Page]:
        nonlocal skipped
        for number, source in enumerate(found):
            page = page_of(source, np.random.default_rng([writing.seed, number]), writing.apart)
            skipped += page is None
            if page is not None:
                yield page
            step()

    about = ABOUT.format(name=folder.resolve().name, part=f"part: {writing.part}", seed=writing.seed)
    return write_pages(out, pages(), about), skipped


def page_of(source: Source, rng: np.random.Generator, apart: bool) -> Page | None:
    """One image with its report; None where nothing is drawn or nothing can be told."""
    image = source.image()
    drawn = [
        (finding_of(dict(row)), mask) for row, mask in zip(source.rows, source.masks(image), strict=True)
    ]
    denied = [f for f, mask in drawn if not mask.any() and not is_organ(f)]
    masks, findings = [], []
    for finding, mask in drawn:
        for part in separate(mask) if apart and not is_organ(finding) else [mask]:
            if part.any():
                masks.append(part)
                findings.append(finding if is_organ(finding) else shown(image, part, finding))
    setting = Setting(image.modality, image.frame)
    count = int(rng.integers(1, min(MOST, len(findings)) + 1)) if findings else 0
    chosen = [int(i) for i in rng.permutation(len(findings))[:count]]
    while chosen:
        try:
            story = narrate(findings, chosen, setting, rng, Style(), denied)
        except ReportError:
            chosen.pop()
            continue
        asks = tuple(
            Ask(i, told, story.text, not is_organ(told.finding), "" if clear else UNCLEAR)
            for i, told, clear in zip(chosen, story.told, story.clear, strict=True)
        )
        return Page(
            Path(source.rows[0]["image"]).name.partition(".")[0],
            source.file,
            tuple(masks),
            tuple(findings),
            asks,
            source.rows[0].get("modality") or "",
            image.frame,
            frozenset((source.group,)),
            image.affine,
        )
    return None


def shown(image: Image, mask: np.ndarray, finding: Finding) -> Finding:
    """What the mask of a lesion shows; a side that the set itself tells is taken before the measured one."""
    seen = portrait(image, mask, finding.name)
    place = seen.location
    if finding.location.side:
        place = replace(place, side=finding.location.side, cols=())
    return replace(seen, location=place)


def separate(mask: np.ndarray) -> list[np.ndarray]:
    """The lesions of a picture's mask, one mask each, crumbs with the nearest; the whole where it is one, a
    volume, or more than ``MOST``."""
    if mask.ndim != 2:
        return [mask]
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    if count < 2:
        return [mask]
    large = 1 + np.flatnonzero(sizes >= max(LEAST, PART * sizes.max()))
    if not 2 <= len(large) <= MOST:
        return [mask]
    nearest = ndimage.distance_transform_edt(
        ~np.isin(labels, large), return_distances=False, return_indices=True
    )
    owner = np.where(mask, labels[tuple(nearest)], 0)
    return [owner == label for label in large]
