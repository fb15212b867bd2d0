"""Words -> entries of the lexicon: longest match over the words of a sentence, typing errors included.

Overlapping names are resolved from left to right: at each word the longest name that begins there is taken,
and the next one begins behind it ("breast mass" is never "mass" too). Where one name means several concepts,
the first that the modality can show is taken, a canonical name before a synonym.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Generic, TypeVar

from rapidfuzz import process
from rapidfuzz.distance import OSA

from medsegr.findings import Span
from medsegr.report import lexicon
from medsegr.report.lettered import HOURS, NO_SPINE, TISSUE, is_drain, means_other, of_modality
from medsegr.report.lexicon import Concept, Cue, Descriptor, Place, Terms
from medsegr.report.numbered import numbered_bone
from medsegr.report.poles import POLED, is_pole, pole_of
from medsegr.report.tokens import Token

T = TypeVar("T")
LEVEL = re.compile(r"^(?:c[1-8]|[td](?:[1-9]|1[0-2])|l[1-6]|s[1-5])$")  # D12 is T12, as many write
YEAR = re.compile(r"^(?:19|20)\d\d$")
MONTHS = frozenset(
    [
        *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
        *("november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct"),
        *("nov", "dec"),
    ]
)
SHORTENED = re.compile(r"(is|are|was|were|do|does|did|has|have|had|could|would|should|ca)n['\u2019]?t")
THRICE = re.compile(r"([a-hj-z])\1\1+")
ENDINGS = ("opathy", "omatous", "plasia", "malacia", "ectasia", "itis", "osis", "emia", "oma", "cele")
BODIES = frozenset(["US", "CT", "MR", "CR", "XA", "PT"])
LONG = 13  # letters of a term that may hold two slips
BONE_WORDS = frozenset(
    ["vertebra", "vertebral", "level", "rib", "thoracic", "lumbar", "cervical", "body", "disc"]
)

EYE_LETTERS = (("od",), ("os",), ("ou",))
ENDS = frozenset(["apex of lung", "base of lung"])
PROSTATE = frozenset(["prostate", "prostatic", "pz", "tz"])
OTHER_ENDS = frozenset(
    [
        *(
            "petrous",
            "orbital",
            "orbit",
            "bladder",
            "tongue",
            "metatarsal",
            "metacarpal",
            "thumb",
            "appendix",
        ),
        *(
            "cecum",
            "caecum",
            "neck",
            "mesentery",
            "mesenteric",
            "patella",
            "phalanx",
            "skull",
            "ulcer",
            "heart",
            "cardiac",
            "ventricle",
            "ventricular",
            "stalk",
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """An entry found at words ``first`` to ``last`` (exclusive) of the sentence."""

    value: T
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence as words: ``norms`` are corrected normal forms; a glued word may stand for two."""

    tokens: tuple[Token, ...]
    norms: tuple[str, ...]
    text: str = ""

    def span(self, first: int, last: int) -> Span:
        """Offsets of the words ``first`` to ``last`` (exclusive)."""
        return self.tokens[first].start, self.tokens[last - 1].end


def longest(norms: tuple[str, ...], table: Terms[T]) -> tuple[Hit[T], ...]:
    """Longest matches from left to right, none overlapping."""
    found: list[Hit[T]] = []
    free = 0
    tree = table.tree
    for at in [i for i, norm in enumerate(norms) if norm in tree]:  # most words begin no phrase
        hit = table.longest(norms, at) if at >= free else None
        if hit is not None:
            free = at + hit[0]
            found.append(Hit(hit[1], at, free))
    return tuple(found)


@cache
def _ending_in_s() -> tuple[str, ...]:
    return tuple(word for word in lexicon.meant_words() if word.endswith("s"))


@lru_cache(maxsize=8192)
def correct(norm: str) -> tuple[str, ...]:
    """The word, or what it was meant to be: a known slip, two glued words, or the nearest word of the
    lexicon.

    Words of the lexicon and ordinary words stay as they are. One letter may be wrong in words of five and
    six, two in longer ones.
    A word is never corrected into one that means the opposite (``un-``, ``non-``, ``a-`` added or taken
    away).
    """
    known = lexicon.known_words()
    if norm not in known and (base := norm.rstrip("0123456789")) != norm and _whole(base):
        return (base,) if (base,) in lexicon.concept_terms() else (norm,)  # "polyp1"
    if norm in lexicon.typos():
        return (lexicon.typos()[norm],)
    if norm not in known and len(norm) > 4 and (short := THRICE.sub(r"\1\1", norm)) != norm:  # "massses"
        return correct(lexicon.normal(short))
    if norm in known or len(norm) < 4 or len(norm) > 30 or not norm.isalpha() or norm == "xxxx":
        return (norm,)
    for cut in range(3, len(norm) - 2):
        left, right = norm[:cut], lexicon.normal(norm[cut:])
        if len(norm) >= 8 and _whole(left) and _whole(right):
            return left, right
    if len(norm) < 5:
        return (_with_letter(norm),)
    tries = ((norm, lexicon.meant_words(), 1 if len(norm) < 7 else 2), (norm + "s", _ending_in_s(), 1))
    for word, targets, most in tries:  # the second: the normal form of "arthrits" has lost its "s"
        best = process.extractOne(word, targets, scorer=OSA.distance, score_cutoff=most)
        if best is not None and _alike(word, best[0]):
            return (lexicon.normal(best[0]),)
    return (norm,)


def _spoken(norm: str) -> tuple[str, ...]:
    """The two words of "can't" or "isnt"; () for any other."""
    verb = SHORTENED.fullmatch(norm)
    return ("can" if verb[1] == "ca" else lexicon.normal(verb[1]), "not") if verb else ()


def _with_letter(norm: str) -> str:
    """A word of four letters, or the one of five that it is without an inner letter: "livr", "plyp"."""
    longer = (w for w in _five_letters() if w[0] == norm[0] and w[-1] == norm[-1])
    near = [w for w in longer if any(w[:i] + w[i + 1 :] == norm for i in range(1, 4))]
    return lexicon.normal(near[0]) if len(near) == 1 else norm


@cache
def _five_letters() -> tuple[str, ...]:
    return tuple(word for word in lexicon.meant_words() if len(word) == 5)


def _whole(part: str) -> bool:
    return part in lexicon.whole_words()


def _alike(word: str, other: str) -> bool:
    if word[0] != other[0] and (word[1:2] != other[0] or word[0] != other[1:2]):
        return False
    if len(word) < 10 and OSA.distance(word, other) > 1 and word[-1] != other[-1]:
        return False
    if _other_term(word, other):
        return False
    shorter, longer = sorted((word, other), key=len)
    if longer.endswith(shorter) and len(longer) != len(shorter):
        return False  # a prefix came or went: it may turn the meaning
    heads = (
        "un",
        "non",
        "in",
        "im",
        "hyper",
        "hypo",
        "a",
        "de",
        "ab",
        "sub",
        "supra",
        "infra",
        "pre",
        "post",
        "iso",
        "an",
    )
    return next((h for h in heads if word.startswith(h)), "") == next(
        (h for h in heads if other.startswith(h)), ""
    )


def _other_term(word: str, other: str) -> bool:
    """True for two terms of the art: they end alike and differ in two letters of the stem ("arteriopathy" is
    no arthropathy), or end in two ways ("scleritis" is no sclerosis)."""
    ends = [next((end for end in ENDINGS if term.endswith(end)), "") for term in (word, other)]
    if not all(ends):
        return False
    stems = (word.removesuffix(ends[0]), other.removesuffix(ends[1]))
    return ends[0] != ends[1] or (OSA.distance(*stems) > 1 and len(word) < LONG)


def words_of(tokens: tuple[Token, ...], text: str) -> Words:
    """The words of a sentence, corrected; a glued word becomes two tokens that share its letters."""
    out: list[Token] = []
    norms: list[str] = []
    mixed = any(token.raw.islower() for token in tokens)
    for token in tokens:
        short = mixed and len(token.norm) == 4 and token.raw.isupper()  # "PICA" is no slip of "plica"
        parts = _spoken(token.norm) or correct(token.norm) if token.is_word and not short else (token.norm,)
        if len(parts) == 2:
            cut = min(token.start + len(parts[0]), token.end - 1)
            out += [
                Token(parts[0], token.start, cut, token.raw[: len(parts[0])]),
                Token(parts[1], cut, token.end, token.raw[len(parts[0]) :]),
            ]
        else:
            out.append(token)
        norms += parts
    return Words(tuple(out), tuple(norms), text)


def find_concepts(words: Words, modality: str | None) -> tuple[Hit[Concept], ...]:
    """Concepts of a sentence; where words may mean several, one that the modality can show is taken."""
    known = lexicon.concepts()
    found = []
    for hit in longest(words.norms, lexicon.concept_terms()):
        options = [known[name] for name in hit.value]
        said = words.norms[hit.first : hit.last]
        if said == ("icd",):
            options = [known["chest tube" if is_drain(words.norms, hit.first) else "pacemaker"]]
        fitting = [c for c in options if modality and modality in c.modalities]
        written = {token.raw for token in words.tokens[hit.first : hit.last]}
        if not means_other(said, modality, written):
            chosen = fitting or _of_bodies(options, said, modality) or options
            found.append(Hit(chosen[0], hit.first, hit.last))
    return tuple(found)


def _of_bodies(options: list[Concept], said: tuple[str, ...], modality: str | None) -> list[Concept]:
    """The concepts that are none of tissue under the microscope: the infarct of an ultrasound is no tissue
    infarct. () where the first one has that very name."""
    if modality in TISSUE or lexicon.split_words(options[0].name) == said:
        return []
    return [c for c in options if not c.modalities or BODIES & {*c.modalities}]


def find_places(words: Words, modality: str | None = None) -> tuple[Hit[Place], ...]:
    """Places of a sentence: also vertebral levels ("L4", "ninth thoracic"), numbered ribs, hours."""
    found = [_of_eye(hit, modality) for hit in longest(words.norms, lexicon.places())]
    if modality not in (None, "OP"):  # "a placenta covering the os" is at no eye
        found = [h for h in found if words.norms[h.first : h.last] not in EYE_LETTERS]
    taken = {i for hit in found for i in range(hit.first, hit.last)}
    for i, norm in enumerate(words.norms):
        if LEVEL.match(norm) and i not in taken and modality not in NO_SPINE and _is_level(words, i):
            root = words.norms[i + 1 : i + 2] in (("root",), ("nerve",))
            name = norm.upper().replace("D", "T")
            level = Place(f"{name} root") if root else Place(f"{name} vertebra", of="vertebra")
            found.append(Hit(level, i, i + 1))
        key = of_modality(words.tokens, words.norms, i, modality) if i not in taken else ()
        place = lexicon.places().get(key) if key else None
        found += [Hit(place, i, i + 1)] if place else []
        if len(norm) <= 2 and norm.isdecimal() and 1 <= int(norm) <= 12 and words.norms[i + 1 : i + 5]:
            found += _hour(words, i, modality)
        numbered = numbered_bone(words.norms, i)
        found += [Hit(numbered, i, i + 1)] if numbered else []
    return tuple(sorted((_pole(hit, words.norms) for hit in found), key=lambda hit: hit.first))


def _of_eye(hit: Hit[Place], modality: str | None) -> Hit[Place]:
    """The "disc" of a fundus photograph is that of the optic nerve."""
    disc = modality == "OP" and hit.value.name == "intervertebral disc"
    return Hit(Place("optic disc", of="optic disc"), hit.first, hit.last) if disc else hit


def _pole(hit: Hit[Place], norms: tuple[str, ...]) -> Hit[Place]:
    """The pole of the organ that the sentence names: of the kidney unless it is the thyroid, a testis, ..."""
    place = hit.value
    if place.name in ("head", "tail") and {lexicon.normal("pancreas"), "pancreatic"} & {*norms}:
        side = "left" if place.name == "tail" else None
        made = Place(f"{place.name} of pancreas", side=side, of="pancreas", implied=side is not None)
        return Hit(made, hit.first, hit.last)
    if place.name in ENDS:
        return Hit(_end(place, norms, hit.first), hit.first, hit.last)
    if not is_pole(place) or {"kidney", "renal"} & {*norms}:
        return hit
    organ = next((POLED[norm] for norm in norms if norm in POLED), "kidney")
    return hit if organ == "kidney" else Hit(pole_of(place, organ), hit.first, hit.last)


def _end(place: Place, norms: tuple[str, ...], at: int) -> Place:
    """The apex or base of what is spoken of: of the prostate, whose apex is its lower end, or of a thing that
    has no part in the lung ("petrous apex", "base of the bladder")."""
    if PROSTATE & {*norms}:
        return prostate_end(place.name)
    name = "apex" if place.name.startswith("apex") else "base"
    near = {*norms[max(0, at - 1) : at], *norms[at + 1 : at + 6]}
    return Place(name) if OTHER_ENDS & near else place


def prostate_end(name: str) -> Place:
    """The apex or base of the prostate, whose apex is its lower end; ``name``: that of a lung's."""
    apex = name.startswith("apex")
    row = "lower" if apex else "upper"
    return Place(f"{'apex' if apex else 'base'} of prostate", rows=(row,), of="prostate")


def _hour(words: Words, at: int, modality: str | None) -> list[Hit[Place]]:
    """ "3 o'clock", "3:00": thirds of the picture where the face of the clock is the picture, rows of the
    breast in a mammogram."""
    norms = words.norms
    joint, other = (*norms[at + 1 : at + 3], "", "")[:2]
    listed = joint in ("and", "&", "or", ",") and other.isdecimal()  # "2 and 7 o'clock"
    for tail in HOURS:
        if norms[at + 1 : at + 1 + len(tail)] == tail or (
            listed and norms[at + 3 : at + 3 + len(tail)] == tail
        ):
            hour = int(norms[at])
            row = "upper" if hour in (10, 11, 12, 1, 2) else "middle" if hour in (3, 9) else "lower"
            col = "centre" if hour in (12, 6) else "right" if hour < 6 else "left"
            on_picture = modality in ("OP", "DMS", "ES")  # of tissue it is where it was taken
            rows = (row,) if on_picture or modality == "MG" else ()
            made = Place(f"{hour} o'clock", rows=rows, cols=(col,) if on_picture else ())
            return [Hit(made, at, at + 1 if listed else at + 1 + len(tail))]
    return []


def _is_level(words: Words, at: int) -> bool:
    norm = words.norms[at]
    near = words.norms[max(0, at - 3) : at] + words.norms[at + 1 : at + 4]
    if norm[0] == "d":  # elsewhere a part of the duodenum, a vitamin or a day
        return bool(BONE_WORDS & {*near}) or any(LEVEL.match(n) and n[0] == "l" for n in near)
    if norm not in ("t1", "t2"):
        return True
    return bool(BONE_WORDS & set(near))


def find_descriptors(words: Words) -> tuple[Hit[Descriptor], ...]:
    """Describing words of a sentence."""
    return longest(words.norms, lexicon.descriptors())


def find_cues(words: Words) -> tuple[Hit[Cue], ...]:
    """Cues of a sentence; a longer cue protects the words inside it. A year or date reads as "#"."""
    norms, at = _dated(words.norms)
    return tuple(
        Hit(cue, at[hit.first], at[hit.last]) for hit in longest(norms, lexicon.cues()) for cue in hit.value
    )


def _dated(norms: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The words with each year and date as one "#", and where each of them begins in ``norms``."""
    if not any(norm[0].isdecimal() for norm in norms):
        return norms, tuple(range(len(norms) + 1))
    out: list[str] = []
    at: list[int] = []
    i = 0
    while i < len(norms):
        size = _date(norms, i)
        out.append("#" if size else norms[i])
        at.append(i)
        i += size or 1
    return tuple(out), (*at, len(norms))


def _date(norms: tuple[str, ...], at: int) -> int:
    """The number of words of a date that begins there ("2019", "12 May", "May 12, 2019", "3/5"), or 0."""
    norm = norms[at]
    if YEAR.match(norm):
        return 1
    if norm in MONTHS and norms[at + 1 : at + 2] and norms[at + 1].isdecimal():
        size = 2
    elif not norm.isdecimal() or len(norm) > 2:
        return 0
    elif norms[at + 1 : at + 2] and norms[at + 1] in MONTHS:
        size = 2
    elif norms[at + 1 : at + 2] == ("/",) and norms[at + 2 : at + 3] and norms[at + 2].isdecimal():
        size = 3
    else:
        return 0
    for mark in ((), (",",), ("/",)):
        behind = at + size + len(mark)
        if norms[at + size : behind] == mark and norms[behind : behind + 1] and YEAR.match(norms[behind]):
            return behind + 1 - at
    return size
