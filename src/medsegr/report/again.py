"""Words that stand for a finding named before: "another at the top right", "the left persists"."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medsegr.report import lexicon
from medsegr.report.builds import Candidate
from medsegr.report.clauses import HARD
from medsegr.report.elided import excepted, other_side, told_side
from medsegr.report.lexicon import Concept, word_list
from medsegr.report.link import ORDERED
from medsegr.report.match import Words
from medsegr.report.side import SIDE_WORDS

SIDES = frozenset(SIDE_WORDS)
COUNTED = frozenset(["first", "second", "third", "fourth", "fifth", "further", "additional"])
SIZED = frozenset(["smaller", "larger", "bigger", "similar"])
LOOKS = frozenset(["density", "uniformity", "colour", "form", "margin"])
TURNS = frozenset(  # what is denied, gone or of another time
    [
        "no",
        "not",
        "without",
        "was",
        "were",
        "been",
        "resolved",
        "removed",
        "previously",
        "unclear",
        "if",
        "may",
        "?",
    ]
)
BEHIND_THAT = (("on",), ("in",), ("at",))
LASTING = frozenset(["persist", "remain", "continue"])
TO_BE = frozenset(["is", "are", "was", "were", "has", "have"])
ANGLE = "blunted costophrenic angle"
BLUNT = frozenset(["blunted", "blunt"])
DASHES = frozenset(["-", "\u2013", "\u2014"])
LOOK = 3  # words that may describe: "a second small pedunculated one"


@dataclass(frozen=True, slots=True)
class Told:
    """What was named last, and the side that stood right before it ("left", "right", "" for none). ``organ``:
    only the place was named, not the finding there."""

    concept: Concept
    side: str
    organ: bool = False
    beside: str = ""  # the only side that the clause or sentence tells, wherever it stands
    denied: bool = False  # it never was there, so nothing comes with it


def told_last(named: Sequence[Candidate], norms: Sequence[str], start: int = 0) -> Told | None:
    """The last finding or device of a clause or sentence, or the costophrenic angle of one side; None without
    one. ``start``: the word that the clause begins with."""
    last = named[-1] if named else None
    angle = _angle(norms, 0 if last is None else last.last, len(norms))
    if angle is not None:
        return angle
    if last is None or last.concept.kind not in ("finding", "device"):
        return None
    sides = SIDES & set(norms[max(0, last.first - 2) : last.first])
    side = next(iter(sides)) if len(sides) == 1 else ""
    return Told(last.concept, side, beside=told_side(norms, start, len(norms)))


def again(
    named: Sequence[Candidate],
    words: Words,
    starts: tuple[int, ...],
    placed: frozenset[int],
    before: Told | None,
) -> list[Candidate]:
    """The candidates, with one more for each clause that names none and speaks of the last one anew.

    ``starts``: indices of the words with which clauses begin; ``placed``: indices of words of place, in whose
    clause alone "another" is taken to be a thing; ``before``: what the sentence before spoke of last.
    """
    out = list(named)
    last = before
    for start, end in _stretches(named, words.norms, starts):
        mine = [c for c in named if start <= c.first < end]
        if mine:
            last = told_last(mine, words.norms[:end], start)
            continue
        if last is not None and last is before and not named and _goes_on(words.norms, start, end):
            out.append(Candidate(last.concept, ((start, start + 1),)))
            continue
        item = excepted(words.norms, (start, end), [c for c in named if c.last <= start], placed)
        if item is not None:
            out.append(item)
            continue
        last = _angle(words.norms, start, end) or last
        if last is not None and last.organ:
            at = _side(words.norms, start, end, last)
            out += [] if at is None else [Candidate(last.concept, (at,))]
        elif last is not None:
            at = _other(words.norms, start, end) if placed & {*range(start, end)} else None
            at = at or _side(words.norms, start, end, last)
            if last is not before or not named:  # "no right nodule. Small left, moderate right effusion"
                at = at or other_side(words.norms, start, end, last.beside)
            out += [] if at is None else [Candidate(last.concept, (at,))]
    return sorted(out, key=lambda c: (c.first, c.last))


def _stretches(
    named: Sequence[Candidate], norms: Sequence[str], starts: Sequence[int]
) -> list[tuple[int, int]]:
    """First and last word of each clause with a name, and of clauses without one that follow each other."""
    out: list[tuple[int, int]] = []
    going = False
    for start, end in pairwise([*starts, len(norms)]):
        bare = not any(start <= c.first < end for c in named)
        listed = norms[start - 1] in DASHES and start - out[-1][0] <= LOOK if out else False
        ordered = norms[start : start + 1] == ("the",) and {*norms[start + 1 : start + 2]} & ORDERED
        anew = bool(ordered) or norms[start : start + 1] == ("another",)
        if going and bare and not anew and (norms[start - 1] not in HARD or listed):  # "Left - small"
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
        going = bare
    return out


def _other(norms: Sequence[str], start: int, end: int) -> tuple[int, int] | None:
    """Words of "another", "a second one", "a smaller one", "the other one", where no name follows them."""
    for i in range(start, end):
        led = norms[i - 1] if i > start else ""
        pointing = norms[i] in ("that", "those") or norms[i - 1 : i + 1] == ("the", "one")
        if i <= start + 2 and pointing and norms[i + 1 : i + 2] in BEHIND_THAT:
            return i, i + 1  # "that on the right is new"
        one = next((k for k in range(i + 1, min(i + 2 + LOOK, end)) if norms[k] == "one"), None)
        of_many = norms[i] in COUNTED | SIZED or norms[i] == "other"
        free = norms[i] == "another" or (led in ("a", "an", "the") and of_many)
        if one is not None and (free or led in ("a", "an")):  # "there is a small one"
            return i, one + 1
        if norms[i] == "one" and led in ("is", "now") and norms[i + 1 : i + 2] in BEHIND_THAT:
            return i, i + 1  # "but there is now one on the left"
        if i == start + 1 and led == "the" and norms[i] in ORDERED and _is_told_of(norms, i):
            return i, i + 1  # "the smaller lies in the lower outer quadrant"
        if (
            free
            and norms[i] not in SIZED
            and norms[i + 1 : i + 2]
            and norms[i + 1] in word_list("behind_another")
        ):
            return i, i + 1
    return None


def _goes_on(norms: tuple[str, ...], start: int, end: int) -> bool:
    """True for "it is well circumscribed and measures 3 cm": the look of what the sentence before named."""
    if norms[start : start + 1] != ("it",) or TURNS & {*norms[start:end]}:
        return False
    looks = lexicon.descriptors()
    told = (looks.longest(norms, i) for i in range(start, end))
    look = any(hit is not None and hit[1].field in LOOKS and hit[1].value for hit in told)
    return norms[start + 1 : start + 2] == ("measure",) or (look and norms[start + 1] in TO_BE | {"appear"})


def _is_told_of(norms: Sequence[str], at: int) -> bool:
    """True for a word behind which no name follows, but what is told: "the larger is lobulated"."""
    behind = word_list("behind_another") | word_list("verbs")
    return bool(norms[at + 1 : at + 2]) and norms[at + 1] in behind


def _angle(norms: Sequence[str], start: int, end: int) -> Told | None:
    """The costophrenic angle of one side that the words name: "the left costophrenic angle is sharp"."""
    for i in range(end - 1, start - 1, -1):
        if norms[i] not in ("costophrenic", "cp") or norms[i + 1 : i + 2] == ("blunting",):
            continue
        sides = SIDES & set(norms[max(start, i - 2) : i])
        sides = sides or (SIDES & set(norms[i + 1 : i + 5]) if "on" in norms[i + 1 : i + 4] else sides)
        if len(sides) == 1:
            return Told(lexicon.concepts()[ANGLE], next(iter(sides)), True)
    return None


def _side(norms: Sequence[str], start: int, end: int, told: Told) -> tuple[int, int] | None:
    """The side of "the right effusion has resolved, the left persists": of a finding that stands right behind
    the other side, and whose own state is told. "The left is normal" speaks of an organ; behind the left
    costophrenic angle "the right is blunted" tells a finding."""
    blunt = told.concept.name == ANGLE
    for i in range(start, end):
        if not told.side or norms[i] not in SIDES - {told.side}:
            continue
        after = list(norms[i + 1 : end])
        if after[:1] in (["one"], ["side"]):
            after = after[1:]
        if not after or (blunt and {"not", "no"} & set(after[:4])):
            continue
        if blunt and after[0] in TO_BE and BLUNT & set(after[1:4]):
            return i, i + 1
        if told.organ:
            continue
        if (
            after[0] in LASTING
            or (i <= start + 1 and after[0] in word_list("changed"))
            or (after[0] in TO_BE and word_list("changed") & set(after[1:3]))
        ):
            return i, i + 1
    return None
