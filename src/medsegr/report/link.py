"""One finding for what is stated twice, in the findings and again in the impression."""

import re
from collections.abc import Sequence
from dataclasses import replace

from medsegr.findings import Finding, Location, Shape, Texture
from medsegr.report.lexicon import concepts

ORDERED = frozenset(  # stand for one of several things named before
    ["smaller", "larger", "bigger", "largest", "smallest", "biggest", "first", "second", "third", "former"]
) | {"latter", "other"}
GROWTHS = frozenset(["mass", "tumour", "brain tumour"])  # that "the lesion" points back to
PAIR = 2
NEAREST = 50
BACK = ("the ", "this ", "these ", "that ", "said ", "again", "above", "it ")


def link(found: Sequence[Finding], text: str) -> list[Finding]:
    """Join later mentions into the finding that they repeat; values that the first mention lacks are
    taken from the later one.

    Two findings are the same when concept, polarity and person agree, no side, row or size contradicts, and
    the second stands in another section or points back ("the effusion", or "the lesion" to a naevus); what is
    one of several ("the larger") is another. At most ``NEAREST`` earlier findings are compared, and the words
    of all mentions are put together once, so that the time stays linear in the length of the text.
    """
    out: list[Finding] = []
    again: dict[int, list[Finding]] = {}  # index into ``out`` -> the later mentions of that finding
    kinds: dict[tuple[str, str, str], list[int]] = {}
    for finding in found:
        known = kinds.setdefault((finding.name, finding.polarity, finding.whose), [])
        if known and _is_one_of_them(finding, text):
            _parted(out, known, finding)
            continue
        back = _points_back(finding, text)
        at = next((i for i in known[:NEAREST] if _same(out[i], finding, back)), None)
        at = _named_before(out, finding) if at is None and back else at
        halves = _halves(out, known[:NEAREST], finding, back) if at is None else []
        if at is not None:
            out[at] = _joined(out[at], _one_of(finding, len(known)))
            again.setdefault(at, []).append(finding)
        elif halves:
            for i in halves:
                again.setdefault(i, []).append(finding)
        else:
            known.append(len(out))
            out.append(finding)
    for at, later in again.items():
        out[at] = _with_words(out[at], later)
    return out


def _one_of(later: Finding, told: int) -> Finding:
    """The later mention without its count where that sums up several: "four polyps" of which three findings
    were told."""
    count = later.shape.count or 0
    return replace(later, shape=replace(later.shape, count=None)) if told > 1 and count > 1 else later


def _same(known: Finding, later: Finding, back: bool) -> bool:
    if known.sentence == later.sentence or (known.section == later.section and not back):
        return False
    if "prior" in (known.time, later.time) and known.time != later.time:
        return False
    one, two = known.location, later.location
    organs, others = ({name.split()[-1] for name in place.anatomy} for place in (one, two))
    if known.section == later.section and organs and others and not organs & others:
        return False  # "The left ventricle is dilated. The left atrium is enlarged."
    viewers = [place.side_frame == "viewer" for place in (one, two)]
    if one.side and two.side and (one.side != two.side or viewers[0] != viewers[1]):
        both = one.side == "bilateral" and concepts()[later.name].kind == "device"
        if not (both and back):  # "bilateral implants ... the left implant is intact"
            return False
    if any(a and b and not set(a) & set(b) for a, b in ((one.rows, two.rows), (one.cols, two.cols))):
        return False
    return not (known.shape.size_mm and later.shape.size_mm and known.shape.size_mm != later.shape.size_mm)


def _is_one_of_them(finding: Finding, text: str) -> bool:
    """True for "the larger", "the larger mass" of two masses named before."""
    before = text[max(0, finding.span[0] - 12) : finding.span[0]].lower().split()[-1:]
    return {finding.phrase.partition(" ")[0].strip(",").lower(), *before} & ORDERED != set()


def _parted(out: list[Finding], known: list[int], one: Finding) -> None:
    """Put in one of several things: the first told of two stands for both until the second is told of."""
    at = known[-1]
    both, begun = out[at], known[-2:-1] == [at]
    if begun:
        out[at] = replace(both, shape=replace(both.shape, count=None))
    elif both.shape.count == PAIR and not (both.location.rows or both.location.cols):
        where = replace(_beside(both, one).location, anatomy=(*both.location.anatomy, *one.location.anatomy))
        first = _joined(replace(both, location=Location()), replace(one, location=where))
        out[at] = _with_words(first, [one])
        known.append(at)
        return
    known.append(len(out))
    out.append(_beside(both, one))


def _beside(all_of_them: Finding, one: Finding) -> Finding:
    """One of several things with the side that was told of all of them, where it tells none."""
    where, own = all_of_them.location, one.location
    if own.side or own.cols or where.side not in ("left", "right"):
        return one
    spans = tuple(sorted({*own.spans, *where.spans}))
    return replace(one, location=replace(own, side=where.side, side_frame=where.side_frame, spans=spans))


def _named_before(out: Sequence[Finding], later: Finding) -> int | None:
    """The last finding that a wider name points back to: the naevus that "the lesion" is; None for none."""
    last = range(len(out) - 1, max(-1, len(out) - 1 - NEAREST), -1)
    grown = GROWTHS if later.name == "lesion" else frozenset()
    fitting = (i for i in last if later.name in out[i].parents or grown & {out[i].name, *out[i].parents})
    at = next(fitting, None)
    if at is None or (out[at].polarity, out[at].whose) != (later.polarity, later.whose):
        return None
    return at if later.polarity == "present" and _same(out[at], later, True) else None


def _halves(out: Sequence[Finding], known: Sequence[int], later: Finding, back: bool) -> list[int]:
    """The findings of the left and of the right that "bilateral infiltrates" repeats; none unless there are
    both."""
    if later.location.side != "bilateral":
        return []
    found = []
    for side in ("left", "right"):
        half = replace(later, location=replace(later.location, side=side))
        found += [i for i in known if out[i].location.side == side and _same(out[i], half, back)][:1]
    return found if len(found) == 2 else []


def _points_back(later: Finding, text: str) -> bool:
    start = later.sentence[0] if later.sentence else later.span[0]
    device = later.name in concepts() and concepts()[later.name].kind == "device"
    if device and re.search(rf"\bthe (?:left |right )?{re.escape(later.name)}$", later.phrase.lower()):
        return True
    if later.name == "lesion" and re.search(
        r"\b(?:within|in|of|around) the $", text[start : later.span[0]].lower()
    ):
        return True
    return text[max(start, later.span[0] - 12) : later.span[0]].lower().lstrip().startswith(
        BACK
    ) or later.phrase.lower().startswith(BACK)


def _joined(known: Finding, later: Finding) -> Finding:
    """The known finding with what it lacks; the words of look and the mentions come with ``_with_words``."""
    a, b = known.location, later.location
    place = Location(
        a.side or b.side,
        a.side_frame if a.side else b.side_frame,
        a.rows or b.rows,
        a.cols or b.cols,
        a.anatomy or b.anatomy,
        a.spans if a.anatomy or a.rows or (a.side and not (b.rows or b.anatomy)) else (*a.spans, *b.spans),
    )
    c, d = known.texture, later.texture
    look = Texture(c.density or d.density, c.uniformity or d.uniformity, c.colour or d.colour, c.spans)
    e, f = known.shape, later.shape
    outline = Shape(
        e.form or f.form,
        e.margin or f.margin,
        e.size_class or f.size_class,
        e.size_mm or f.size_mm,
        e.count or f.count,
        e.spans,
    )
    time = later.time if known.time == "current" else known.time
    return replace(known, location=place, texture=look, shape=outline, time=time)


def _with_words(known: Finding, later: Sequence[Finding]) -> Finding:
    look = replace(known.texture, spans=(*known.texture.spans, *(s for f in later for s in f.texture.spans)))
    outline = replace(known.shape, spans=(*known.shape.spans, *(s for f in later for s in f.shape.spans)))
    mentions = (*known.mentions, *(f.span for f in later))
    return replace(known, texture=look, shape=outline, mentions=mentions)
