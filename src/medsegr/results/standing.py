"""Which warnings of a result still hold once one of its findings was drawn anew, or painted, by a person."""

from collections.abc import Sequence

from medsegr.checks import one_region
from medsegr.types import FindingResult

DISAGREE = "words_and_clicks_disagree"
WHY_NOTHING = ("whole_known", "narrower_known", "known_elsewhere")  # advice where there is no mask
OF_THE_DRAWING = (
    "drawn_as",
    "look_not_followed",
    "measured_low",
    "phantom_only",
)  # what to know of a mask that the model drew
OWN = (DISAGREE, *WHY_NOTHING, *OF_THE_DRAWING)
Warned = tuple[tuple[str, str], ...]


def own(warnings: Sequence[tuple[str, str]], finding: str) -> Warned:
    """Those of the warnings that are about this one finding and change with its mask."""
    return tuple(w for w in warnings if w[0] in OWN and w[1].startswith(f"{finding}:"))


def standing(
    warnings: Sequence[tuple[str, str]], item: FindingResult, results: Sequence[FindingResult]
) -> Warned:
    """The warnings without those that ``item``, the finding's new state, made untrue. ``results``: all
    findings, ``item`` among them; whether two of them are one region is asked again."""
    gone = {DISAGREE}  # of the newest prompts: who gives prompts tells it anew
    if item.mask is not None:
        gone.update(WHY_NOTHING)
        if item.review is not None and any(h.painted and h.slice is None for h in item.review.hints):
            gone.update(OF_THE_DRAWING)
    about = own(warnings, item.finding.id)
    kept = (w for w in warnings if w[0] != "one_region" and not (w in about and w[0] in gone))
    return (*kept, *one_region(results))
