"""Findings -> a whole report that tells some of them, among much that asks for no mask.

What the report denies, calls normal, doubts, remembers or advises is made up: it is true of the drawn lesions
(a lesion is never denied), and nobody looked whether it is true of the rest of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from medsegr.errors import ReportError
from medsegr.report import lexicon
from medsegr.report.parse import parse, skip_reason
from medsegr.report.wording import differences, sentence
from medsegr.sets import patterns
from medsegr.sets.telling import Setting, Told, as_read, is_organ, tell, thinned
from medsegr.types import Finding, Location, Shape, Texture

TRIES = 8
UNCOMPARED = "COMPARISON: None."
SAID = {"absent": (0, 3), "normal": (0, 3), "uncertain": (0, 1), "past": (0, 1), "advice": (0, 1)}


@dataclass(frozen=True, slots=True)
class Style:
    """``whole``: every value of a finding is told, else some are left out as in real reports. ``talk``: what
    asks for no mask stands around the findings."""

    whole: bool = False
    talk: bool = True


USUAL = Style()


@dataclass(frozen=True, slots=True)
class Story:
    """A report. ``told`` has one entry for each described finding, in their order, ``phrase`` verbatim in
    ``text``; ``clear`` says of each whether its words fit no other finding of the picture."""

    text: str
    told: tuple[Told, ...]
    clear: tuple[bool, ...]


def narrate(
    findings: Sequence[Finding],
    described: Sequence[int],
    setting: Setting,
    rng: np.random.Generator,
    style: Style = USUAL,
    denied: Sequence[Finding] = (),
) -> Story:
    """A report of an image with these findings, of which those at ``described`` are told.

    Args:
        findings: everything that is drawn in the image; values are true of the masks.
        described: indices into ``findings``, at least one, in the order in which they are told.
        setting: how the report will be read.
        rng: the same generator state gives the same report.
        style: how much is told of a finding, and how much beside it.
        denied: looked for and not there: each is denied in a sentence.

    Returns:
        A report from which the parser reads exactly the described findings with the told values as what is to
        be drawn; everything else in it is denied, doubted, past, of somebody else or nothing to draw.

    Raises:
        ReportError: a described finding cannot be put into words that are read back.
    """
    if not described:
        raise ReportError("no finding is to be described; one at least was expected")
    told = tuple(_told(i, findings, setting, rng, style.whole) for i in described)
    noes = [sentence(replace(f, polarity="absent"), modality=setting.modality) for f in denied]
    clear = tuple(
        not any(holds(one.finding, f) for j, f in enumerate(findings) if j != i)
        for i, one in zip(described, told, strict=True)
    )
    wanted = [as_read(one.finding, setting) for one in told]
    for left in range(TRIES - 1, -1, -1):
        body, said = _sentences(told, setting, rng)
        share = left / (TRIES - 1) if style.talk else 0.0
        talk = [line for line in _talk(setting, rng, share) if _true(line, (*findings, *denied), setting)]
        text = _arranged(body, [*noes, *_agreeing(talk, setting)], said, setting, rng)
        if asks_for(text, wanted, setting):
            return Story(text, said, clear)
    raise ReportError(
        f"{len(told)} findings cannot be told in one report so that each is read; describe fewer"
    )


def asks_for(text: str, wanted: Sequence[Finding], setting: Setting) -> bool:
    """Whether a report asks to draw exactly these findings (as the parser reads them), in any order."""
    found = parse(text, modality=setting.modality, frame=setting.frame).findings
    drawn = [f for f in found if skip_reason(f) is None]
    for one in wanted:
        hit = next((f for f in drawn if not differences(one, [f])), None)
        if hit is None:
            return False
        drawn.remove(hit)
    return not drawn


def holds(told: Finding, other: Finding) -> bool:
    """Whether everything that is told of one finding is true of another, too."""
    if told.name != other.name:
        return False
    pairs = [
        (getattr(getattr(told, part), key), getattr(getattr(other, part), key))
        for part, keys in (
            ("location", ("side", "rows", "cols", "anatomy")),
            ("texture", ("density", "uniformity", "colour")),
            ("shape", ("form", "margin", "size_class", "size_mm", "count")),
        )
        for key in keys
    ]
    return all(not said or said == true for said, true in pairs)


def _told(
    index: int, findings: Sequence[Finding], setting: Setting, rng: np.random.Generator, all_of_it: bool
) -> Told:
    """A thinned sentence; everything is told where less would fit another finding, too. What cannot be said
    is left away: outline and texture first, then the place."""
    whole = findings[index]
    others = [f for j, f in enumerate(findings) if j != index]
    if all_of_it:
        thin = whole
    elif is_organ(whole):  # by its label alone
        sided = Location(whole.location.side, whole.location.side_frame)
        thin = replace(whole, location=sided, texture=Texture(), shape=Shape())
    else:
        thin = thinned(whole, rng)
    if not is_organ(whole) and any(holds(thin, other) for other in others):
        thin = whole
    short = replace(thin, texture=Texture(), shape=Shape())
    name = replace(short, location=Location(side_frame=whole.location.side_frame))
    for finding in (thin, short, name):
        try:
            return tell(finding, setting, rng)
        except ReportError:
            continue
    raise ReportError(f"'{whole.name}' cannot be told so that it is read back; add its words to the lexicon")


def _arranged(
    body: list[str], talk: Sequence[str], said: Sequence[Told], setting: Setting, rng: np.random.Generator
) -> str:
    """The report: the findings in their order, the talk among them, in sections or without."""
    for line in talk:
        body.insert(int(rng.integers(len(body) + 1)), line)
    if not talk or rng.random() < 0.4:
        return " ".join(body)
    heads = [
        line
        for part in ("exam", "indication")
        for line in _some(rng, patterns.lines(part, setting.modality), 0, 1)
    ]
    if _compared(" ".join(body), setting):
        heads = [line for line in heads if line != UNCOMPARED]
    rows = [*heads, "FINDINGS: " + " ".join(body)]
    if rng.random() < 0.6:
        closing = _some(rng, patterns.lines("advice", setting.modality), 1, 1)
        pieces = [one.piece for one in said if one.piece]
        if pieces and rng.random() < 0.5:
            again = pieces[int(rng.integers(len(pieces)))]
            closing.insert(0, again[0].upper() + again[1:] + ".")
        rows.append("IMPRESSION: " + " ".join(closing))
    return ("\n", "\n\n")[int(rng.integers(2))].join(rows)


def _compared(text: str, setting: Setting) -> bool:
    """Whether a report tells what was before: it had something to compare with."""
    found = parse(text, modality=setting.modality, frame=setting.frame).findings
    return any(finding.time != "current" for finding in found)


def _sentences(
    told: Sequence[Told], setting: Setting, rng: np.random.Generator
) -> tuple[list[str], tuple[Told, ...]]:
    """The sentences of the findings, now and then two in one, and what is told where."""
    body: list[str] = []
    said: list[Told] = []
    rest = list(told)
    while rest:
        one = rest.pop(0)
        if rest and one.piece and rest[0].piece and rng.random() < 0.3:
            pair = patterns.lines("two", setting.modality)
            pattern = pair[int(rng.integers(len(pair)))]
            two = rest[0]
            text = patterns.fill(pattern, {"first": one.piece, "second": two.piece})
            if asks_for(text, [as_read(x.finding, setting) for x in (one, two)], setting):
                rest.pop(0)
                body.append(text)
                said += [replace(x, text=text, phrase=_verbatim(x.piece, text)) for x in (one, two)]
                continue
        body.append(one.text)
        said.append(one)
    return body, tuple(said)


def _verbatim(piece: str, text: str) -> str:
    return piece if piece in text else piece[0].upper() + piece[1:]


def _some(rng: np.random.Generator, pool: Sequence[str], low: int, high: int) -> list[str]:
    count = min(len(pool), int(rng.integers(low, high + 1)))
    return [pool[int(i)] for i in rng.permutation(len(pool))[:count]]


def _talk(setting: Setting, rng: np.random.Generator, share: float) -> list[str]:
    return [
        line
        for part in patterns.PARTS
        for line in _some(rng, patterns.lines(part, setting.modality), *SAID[part])
        if rng.random() < share
    ]


def _agreeing(talk: Sequence[str], setting: Setting) -> list[str]:
    """The lines without those that doubt what another one denies, or deny what another one doubts."""
    kept: list[str] = []
    told: dict[str, str] = {}
    for line in talk:
        found = parse(line, modality=setting.modality, frame=setting.frame).findings
        now = {f.name: reason for f in found if (reason := skip_reason(f)) in ("absent", "uncertain")}
        if all(told.get(name, reason) == reason for name, reason in now.items()):
            kept.append(line)
            told |= now
    return kept


@lru_cache(maxsize=4096)
def _named(line: str, setting: Setting) -> frozenset[str]:
    """Concepts that a line speaks of, wider ones included."""
    found = parse(line, modality=setting.modality, frame=setting.frame).findings
    return frozenset(name for f in found for name in (f.name, *f.parents))


def _true(line: str, findings: Sequence[Finding], setting: Setting) -> bool:
    """Whether a line says nothing of what is drawn: neither of its concept, a wider or a narrower one, nor of
    its place."""
    named = _named(line, setting)
    said = set(lexicon.split_words(line))
    for finding in findings:
        if named & {finding.name, *finding.parents}:
            return False
        places = {
            word for name in (finding.name, *finding.location.anatomy) for word in lexicon.split_words(name)
        }
        if said & {word for word in places if len(word) > 3}:
            return False
    return True
