"""A second look at a small lesion, from close up: the part of the picture around its mask is asked for it by
its name, and both answers are averaged there (zooming in: Xia et al. 2016, arXiv 1511.06881).

A picture of 600 pixels is shown to the network with 256, so a small lesion has few of them. What lies around
an organ tells what it is, and a part without that means little: organs are not looked at again, nor are many
of a kind, and what the part shows counts only where the network surely knows the lesion by it. Numpy only.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from medsegr.inference.answers import alone_of, name_only
from medsegr.meaning.among import piece
from medsegr.report.lexicon import concepts
from medsegr.types import Finding, Image, Prompt, Segmentation

WIDER = 1.6  # side of the part, in longer sides of the box around the mask
LEAST, MOST = 0.2, 0.8  # of the picture's longer side: a part is no smaller, and none that is larger is shown
FEWEST = 32  # pixels of its side
SURE = 0.8  # presence in the part from which it counts

Part = tuple[slice, slice]


def part_around(mask: np.ndarray) -> Part | None:
    """Rows and columns of the part of a picture to be seen from close up; None where ``mask`` [h w] bool is
    empty, more than one thing, or so large that the whole picture shows it as well."""
    box = piece(mask)
    if box is None:
        return None
    longest = max(mask.shape)
    side = max(WIDER * max(one.stop - one.start for one in box), LEAST * longest, FEWEST)
    if side > MOST * longest:
        return None
    # as much on both sides: of the mirrored picture it is the mirrored part
    beside = (max(0, math.ceil((side - (one.stop - one.start)) / 2)) for one in box)
    rows, cols = (
        slice(max(0, one.start - more), min(n, one.stop + more))
        for one, more, n in zip(box, beside, mask.shape, strict=True)
    )
    return rows, cols


def look_closer(
    said: Segmentation,
    findings: Sequence[Finding],
    image: Image,
    threshold: float,
    ask: Callable[[Image, Prompt], Segmentation],
) -> None:
    """Put into ``said`` [k h w], in place, what a second look at the ``findings`` [k] of a picture tells.
    ``ask`` answers a prompt without a second look; ``threshold`` is that of presence."""
    known: dict[object, Segmentation] = {}
    half, keep = (128, ()) if said.prob.dtype == np.uint8 else (0.5, ("prob",))
    for k, finding in enumerate(findings):
        if said.extras["presence"][k] < threshold or not _is_lesion(finding):
            continue
        part = part_around(said.prob[k] >= half)
        if part is None:
            continue
        key = (*alone_of(finding), *((one.start, one.stop) for one in part))
        if key not in known:
            near = replace(image, data=np.ascontiguousarray(image.data[:, *part]))  # turned as the whole is
            known[key] = ask(near, Prompt((said.targets[k],), (name_only(finding),), keep=keep))
        seen = known[key]
        if seen.extras["presence"][0] >= SURE and _alike(said.prob[k][part] >= half, seen.prob[0] >= half):
            _average(said.prob[k][part], seen.prob[0])


def _is_lesion(finding: Finding) -> bool:
    """Whether it is known by itself, and not by what lies around it; so is what the lexicon does not know."""
    concept = concepts().get(finding.name)
    return concept is None or concept.kind == "finding"


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two masks are of one thing: half of the smaller lies in the other."""
    smaller = min(int(one.sum()), int(other.sum()))
    return smaller > 0 and 2 * int((one & other).sum()) >= smaller


def _average(one: np.ndarray, other: np.ndarray) -> None:
    """The mean of two maps in the place of the first. Bytes are rounded down: where but one of them draws,
    however surely, nothing is drawn."""
    if one.dtype == np.uint8:
        one[...] = (one.astype(np.uint16) + other) // 2
    else:
        one[...] = (one + other) / 2
