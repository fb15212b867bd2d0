"""What is claimed of one finding, by the scopes that act on its words: see :mod:`medsegr.report.context`."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from medsegr.findings import Span
from medsegr.report.builds import whole
from medsegr.report.context import DENYING_TIMES, PAST, TURNING, Claim, Scope
from medsegr.report.idle import OPEN_ENDS
from medsegr.report.lexicon import Concept
from medsegr.report.match import Words
from medsegr.report.treated import operated, says_after

FADED = re.compile(r"longer enhanc", re.IGNORECASE)  # of an enhancement that has gone, and its lesion not
REGRESSING = frozenset(["neovascularisation", "retinopathy of prematurity"])
WASHED = frozenset(["bleeding", "thrombus"])
PARTLY = frozenset(["partially", "partly", "partial", "incompletely", "somewhat", "almost", "nearly"])
NOW = frozenset(["now", "currently", "today", "presently"])
NEAR = 7  # words from the "now" of a size to its unit


def claim(found: Sequence[Scope], parts: Sequence[tuple[int, int]], concept: Concept, words: Words) -> Claim:
    """The claim of a concept whose words lie at ``parts`` (pairs of first and last word index).

    A finding said in two places ("heart is not enlarged") is under a cue when any of its parts is. A cue
    that is one of the concept's own words ("the liver is normal") does not act on it.
    """
    intact = whole(parts, words.norms) if concept.kind == "finding" else None
    if intact is not None:
        torn = words.norms[intact[0] - 1] in ("not", "non", "incompletely", "partially")
        return Claim("present" if torn else "absent", words.span(*intact))
    bare = next((p for p in parts if p[0] and words.norms[p[0] - 1] == "non"), None)
    if bare is not None and concept.kind == "finding":  # "the LV is non-dilated"
        return Claim("absent", words.span(bare[0] - 1, bare[0]))
    own = [words.span(*part) for part in parts]
    acting = [s for s in found if any(s.first <= a < s.last or s.first < b <= s.last for a, b in parts)]
    acting = [
        s for s in acting if s.cue.value == "own" or not any(_is_own(s.span, span, concept) for span in own)
    ]
    gaps = {id(s): min(_gap(s, part) for part in parts) for s in acting}
    acting.sort(key=lambda s: gaps[id(s)])
    timed = _timed(acting, parts, concept, words)
    if concept.name in REGRESSING and any(_regressed(s, words) for s in timed):
        return _gone(timed, words)  # new vessels, not smaller ones
    return _said(acting, timed, min(span[0] for span in own), words)


def _said(acting: Sequence[Scope], timed: Sequence[Scope], start: int, words: Words) -> Claim:
    """The claim of a finding that begins at ``start`` by the scopes that act on it, nearest first."""
    by_kind: dict[str, Scope] = {}
    for scope in acting:
        by_kind.setdefault(scope.cue.kind, scope)
    time = _time(_since_told(timed, start))
    whose: Literal["patient", "other"] = "other" if "other" in by_kind else "patient"
    if "other" in by_kind and "negation" not in by_kind:
        return Claim("present", by_kind["other"].span, time, whose)
    if "negation" in by_kind and not _left_open(by_kind, words):
        return Claim("absent", by_kind["negation"].span, time, whose)
    if time == "resolved":
        return Claim("absent", next(s.span for s in timed if s.cue.value in DENYING_TIMES), time, whose)
    if "advice" in by_kind:
        return Claim("uncertain", by_kind["advice"].span, time, whose, True)
    if "uncertain" in by_kind:
        return Claim("uncertain", by_kind["uncertain"].span, time, whose)
    before = (s.span for s in timed if s.cue.value in PAST)
    span = next(before, None) if time == "prior" else None
    return Claim("present", span, time, whose)


def _timed(
    acting: Sequence[Scope], parts: Sequence[tuple[int, int]], concept: Concept, words: Words
) -> list[Scope]:
    """The scopes that tell when; what measures so and so much now is not of an earlier study alone."""
    now = _measures_now(max(last for _, last in parts), words.norms)
    return [
        s
        for s in acting
        if s.cue.kind == "time"
        and not (s.cue.value == "prior" and now)
        and not (s.cue.value == "prior" and concept.lasting and s.span[1] - s.span[0] < 9)
        and not (concept.lasting and words.text[slice(*s.span)].lower().endswith("healed"))
        and not (s.cue.value in ("removed", "operated") and _pictured(concept))
        and not (s.cue.value == "prior" and _stays(concept, words.text[slice(*s.span)].lower()))
        and (s.cue.value != "operated" or operated(concept, words.norms) or _was_for(s, parts, words))
        and not (concept.name in WASHED and _washed(s, words))
        and not (FADED.search(words.text[slice(*s.span)]) and "enhanc" not in concept.name)
    ]


def _measures_now(last: int, norms: Sequence[str]) -> bool:
    """True for "the mass measured 3 cm then, now 4.2 cm". ``last``: the index behind the name."""
    ends = next((i for i in range(last, len(norms)) if norms[i] in (".", ";")), len(norms))
    at = next((i for i in range(last, ends) if norms[i] in NOW), ends)
    if at == ends:
        return False
    behind = norms[at : min(ends, at + NEAR)]
    unit = next((i for i, norm in enumerate(behind) if norm in ("mm", "cm")), 0)
    return norms[at - 1] in ("mm", "cm") or (unit > 0 and not {"a", "an"} & {*behind[:unit]})


def _washed(scope: Scope, words: Words) -> bool:
    """True for the blood of "fresh blood and clot in the fundus, cleared": an endoscopy washed it off."""
    said, before = words.text[slice(*scope.span)].lower(), words.text[: scope.span[0]].rstrip()
    return said == "cleared" and before.endswith((",", "and", "then")) and "blood" in words.norms


def _was_for(scope: Scope, parts: Sequence[tuple[int, int]], words: Words) -> bool:
    """True for the detachment of "s/p vitrectomy OS for retinal detachment": what an operation was for."""
    first = next(i for i, token in enumerate(words.tokens) if token.end >= scope.span[1])
    between = words.norms[first + 1 : min(part[0] for part in parts)]
    return "for" in between and not ({"with", "now", "new", ";", "."} & {*between})


def _regressed(scope: Scope, words: Words) -> bool:
    said = words.text[slice(*scope.span)].lower()
    start = next(i for i, token in enumerate(words.tokens) if token.start >= scope.span[0])
    return said.endswith("regressed") and not PARTLY & {*words.norms[max(0, start - 3) : start + 4]}


def _gone(timed: Sequence[Scope], words: Words) -> Claim:
    """New vessels that have regressed: those of an earlier study, else denied."""
    prior = next((s for s in timed if s.cue.value in PAST), None)
    if prior is not None:
        return Claim("present", prior.span, "prior")
    return Claim("absent", next(s.span for s in timed if _regressed(s, words)), "resolved")


def _left_open(acting: Mapping[str, Scope], words: Words) -> bool:
    """True where what is not seen is said to be possible still: "no detachment seen, but it cannot be ruled
    out"."""
    denial, doubt = acting["negation"], acting.get("uncertain")
    if doubt is None or doubt.cue.direction != "post" or doubt.span[0] < denial.span[1]:
        return False
    between = words.text[denial.span[1] : doubt.span[0]].lower().split()
    said = words.text[slice(*doubt.span)].lower()
    return said.split()[-1] in OPEN_ENDS and bool(TURNING & {*between})


def _is_own(cue: Span, own: Span, concept: Concept) -> bool:
    """True for a cue within the concept's words; a normal statement ends with one ("is normal")."""
    if concept.kind == "statement":
        return cue[0] < own[1] == cue[1]
    return own[0] <= cue[0] and cue[1] <= own[1]


def _since_told(timed: Sequence[Scope], start: int) -> list[Scope]:
    """Without what was said before an earlier study is spoken of: "the mass is unchanged, history of
    effusion". ``start``: offset of the finding."""
    prior = [s.span[0] for s in timed if s.cue.value == "prior" and s.span[1] <= start]
    first = max(prior, default=0)
    return [s for s in timed if s.cue.value in ("prior", "resolved") or s.span[1] > first]


def _time(timed: Sequence[Scope]) -> str:
    values = [s.cue.value for s in timed]
    if DENYING_TIMES & {*values}:
        return "resolved"
    if PAST & {*values}:  # a thing seen before that is stable, better or worse is still there
        return next((v for v in values if v in ("stable", "improved", "worse")), "prior")
    return values[0] if values else "current"


def _stays(concept: Concept, said: str) -> bool:
    """Whether what a patient is said to be after is there: a device, an operation, and a fracture of which
    one is "status post"."""
    lasting = concept.lasting and "after" not in said
    stays = lasting or concept.kind in ("device", "statement") or not concept.drawable
    return stays and says_after(said)


def _pictured(concept: Concept) -> bool:
    """Whether what is removed was seen before: the endoscopy that removes a polyp takes its picture first."""
    return concept.kind == "finding" and concept.modalities[:1] == ("ES",)


def _gap(scope: Scope, part: tuple[int, int]) -> int:
    return min(abs(part[0] - scope.first), abs(scope.last - part[1]))
