"""Words that ask for some of what was drawn, which the network does not tell from the rest.

"Small vessels" of a fundus photograph, "large nuclei", "enhancing tumour": the mask is that of the name
alone. In a report such a word describes the thing, and the mask is right; whoever asks by a phrase means a
choice.
"""

import re
from collections.abc import Sequence

import numpy as np

from medsegr.results.verdicts import drawn_name
from medsegr.types import FindingResult, Image, Report, Segmenter

SAME = 0.9  # overlap with the mask of the name alone (IoU) from which the words changed nothing
WORDS = 5  # a line of more is a sentence, which describes
SIZES = (
    r"(?:very )?(?:tiny|small|smaller|smallest|large|larger|largest|big|bigger|biggest|thin|thinner|fine"
    r"|thick|thicker|wide|narrow|bright|dark|round|irregular|elongated)"
)
PARTS = r"(?:(?:contrast |ring )?enhancing|(?:non|contrast|ring)[- ]?enhancing|necrotic|cystic|solid)"
CHOICES = {"retinal vessels": SIZES, "nucleus": SIZES, "glioma": PARTS}


def unfollowed(
    image: Image, words: Report | None, results: Sequence[FindingResult], segmenter: Segmenter
) -> list[tuple[str, str]]:
    """Warnings ``look_not_followed``, one a finding that a short line asked for, whose mask is as good as
    that of its name alone (or there is none to compare with)."""
    notes = []
    for item in results:
        if words is None or item.mask is None:
            continue
        line = _line(words.text, item.finding.span)
        choice = CHOICES.get(drawn_name(segmenter, item.finding, image))
        found = re.search(rf"\b{choice}\b", line.lower()) if choice else None
        if found is None or len(line.split()) > WORDS or not _same(item.mask, item.free_mask):
            continue
        text = f"'{found[0]}' chose nothing: the mask holds what the name alone gives"
        notes.append(("look_not_followed", f"{item.finding.id}: {text}"))
    return notes


def _line(text: str, span: tuple[int, int]) -> str:
    """The line of a text in which a span begins."""
    end = text.find("\n", span[0])
    return text[text.rfind("\n", 0, span[0]) + 1 : len(text) if end < 0 else end]


def _same(mask: np.ndarray, alone: np.ndarray | None) -> bool:
    return alone is None or bool((mask & alone).sum() >= SAME * (mask | alone).sum())
