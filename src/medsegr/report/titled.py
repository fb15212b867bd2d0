"""The side that the title of a report tells of the one organ it is about: "ULTRASOUND LEFT BREAST".

Breast and eye only: titles of limbs are read in :mod:`medsegr.report.limbs`. A picture of a knee or a hand
shows that one alone, and no half of it is a side of the patient.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from medsegr.report import lexicon
from medsegr.report.clauses import HALVES, IMAGED
from medsegr.report.lexicon import Place
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS, Element, side_of

ORGANS = frozenset(["breast", "eye"])  # also names of the fields of their findings
DEVICES = frozenset(
    [
        "ultrasound",
        "ultrasonography",
        "sonography",
        "sonogram",
        "us",
        "mammogram",
        "mammography",
        "tomosynthesis",
        "mri",
        "mpmri",
        "mr",
        "ct",
        "photograph",
        "photo",
        "photography",
        "fundus",
        "oct",
        "angiogram",
        "angiography",
        "radiograph",
        "scan",
        "duplex",
        "usg",
        "uss",
        "sonomammography",
        "sonomammogram",
        "dermoscopic",
        "dermatoscopic",
    ]
)
BESIDE = frozenset(
    [
        "of",
        "the",
        "a",
        "an",
        "and",
        "with",
        "without",
        "contrast",
        "post",
        "pre",
        "iv",
        "intravenous",
        "gadolinium",
        "exam",
        "examination",
        "study",
        "scan",
        "imaging",
        "image",
        "report",
        "view",
        "single",
        "two",
        "limited",
        "unilateral",
        "symptomatic",
        "spot",
        "compression",
        "magnification",
        "complete",
        "follow",
        "up",
        "diagnostic",
        "screening",
        "digital",
        "targeted",
        "focused",
        "colour",
        "doppler",
        "coherence",
        "optical",
        "real",
        "time",
        "realtime",
        "at",
        "in",
        "site",
        "area",
        "palpable",
        "concern",
        "performed",
        "was",
        "male",
        "female",
        "fluorescein",
        "cc",
        "mlo",
        ",",
        ":",
        "-",
        ".",
        "/",
        "(",
        ")",
    ]
)  # all that a title may say beside a device, a side and an organ
ALONE = frozenset(["only", "tender", "painful", "symptomatic", "lactating"])  # "Right breast only."
TITLED = frozenset(
    [
        "breast",
        "thyroid",
        "prostate",
        "liver",
        "kidney",
        "testis",
        "carotid artery",
        "pancreas",
        "ovary",
    ]
)  # organs of which a report may tell no more than "a 12 mm nodule"
MAMMOGRAMS = frozenset(["mammogram", "mammography", "tomosynthesis"])  # of one organ, named or not
VIEWING = frozenset(["magnification", "projection"])
TELLING = frozenset([",", "demonstrate", "demonstrates", "show", "shows", "reveal", "reveals"])  # "views of"
COMPARING = frozenset(["compared", "comparison", "relative"])
# "core biopsy of both recommended" tells of no two sides
WANTED = frozenset([".", ",", "recommended", "advised", "suggested", "required", "performed"])
LEADING = 3  # first sentences, of which one may begin as a title does
TITLE = 8  # words of a title
BOTH = frozenset(["bilateral", "bilaterally", "both", "ou"])
SCROTUM = frozenset(["testis", "epididymis", "scrotum"])
SCROTAL = frozenset(
    ["hydrocele", "varicocele", "epididymal cyst", "epididymitis", "testicular cyst", "lesion", "cyst"]
)
GENERAL = frozenset(  # that a breast may hold, too
    [
        *("calcification", "haematoma", "scar", "surgical clip", "lymphadenopathy", "debris", "abscess"),
        *(
            "hypervascularity",
            "soft tissue swelling",
            "subcutaneous emphysema",
            "gas locule",
            "fluid collection",
            "necrosis",
        ),
        *("inflammation", "erythema", "foreign body", "pulmonary edema", "air bubble", "seroma"),
    ]
)


def under_title(sentences: Sequence[Sentence], others: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """The sentences that are read, those under no heading of their own under the place of the report's title.

    The title stands before all findings, among ``sentences`` or in ``others`` (of "EXAM: ..."). Nothing is
    changed where a report has no such title, or where any of these sentences says the other side, or both.
    """
    begin = min((s.span[0] for s in sentences if s.candidates), default=0)
    whole = (*sentences, *others)
    titles = [s for s in whole if s.span[0] < begin and _is_title(s)]
    titles = titles or [s for s in map(_begun, sentences[:LEADING]) if _is_title(s)]
    sides = {side for s in whole if not _unseen(s) for side in _sides(s.words.norms)}
    if not titles or len(sides) != 1 or "both" in sides:
        return tuple(sentences)
    title = titles[0]
    organ = min(_organs(title.elements), default="breast")
    own = tuple(e for e in title.elements if e.value != "axilla")  # a mass may lie in the breast alone
    told = own if _organs(title.elements) else _of_breast(title.elements)
    return tuple(
        replace(s, over=told, over_words=title.words, exam=organ)
        if s.candidates and not s.over and _of_organ(s, organ)
        else s
        for s in sentences
    )


def _begun(sentence: Sentence) -> Sentence:
    """What a sentence begins with up to the comma behind an organ, as a sentence of its own: "Fundus
    photograph, left eye, after an occlusion"."""
    norms = sentence.words.norms
    ends = [e.last for e in sentence.elements if e.place and {*norms[e.last : e.last + 1]} & TELLING]
    ends += [i for i in range(1, len(norms)) if norms[i] in TELLING and norms[i - 1] in MAMMOGRAMS]
    end = min(ends, default=0)
    words = replace(sentence.words, norms=norms[:end], tokens=sentence.words.tokens[:end])
    return replace(sentence, words=words, elements=tuple(e for e in sentence.elements if e.last <= end))


def _unseen(sentence: Sentence) -> bool:
    """True for "Right eye not photographed."."""
    return not sentence.candidates and any(
        a == "not" and b in IMAGED for a, b in pairwise(sentence.words.norms)
    )


def _sides(norms: Sequence[str]) -> set[str]:
    """The sides that are told of, not "compared with the right"."""
    told = [i for i, norm in enumerate(norms) if norm in {*HALVES, *BOTH}]
    beside = [i for i in told if not (COMPARING & {*norms[max(0, i - 3) : i]})]
    beside = [i for i in beside if norms[i] != "both" or (*norms[i + 1 : i + 2], ".")[0] not in WANTED]
    return {HALVES.get(norms[i], "both") for i in beside}


def organ_of_title(sentences: Sequence[Sentence], others: Sequence[Sentence]) -> str:
    """The one organ that the title names with how it was imaged ("THYROID ULTRASOUND"); "" for none."""
    begin = min((s.span[0] for s in sentences if s.candidates), default=0)
    for s in (*sentences, *others):
        if s.span[0] < begin and DEVICES & {*s.words.norms} and len(s.words.norms) <= TITLE:
            named = {part for e in s.elements if e.place for part in (e.place.name, e.place.of)} & TITLED
            if len(named) == 1:
                return named.pop()
    return ""


def fits(name: str, places: Sequence[Place], organ: str) -> bool:
    """Whether a finding may lie in the organ of the title: by its places, or by its name where these are none
    of the body's ("at 2 o'clock"). A cyst may lie in the breast, a pleural effusion not."""
    known = lexicon.concepts()
    named = {p.of or p.name for p in places} & known.keys()
    if named:
        return (
            named == {organ}
            or (organ == "testis" and named <= SCROTUM)
            or {known[one].field for one in named} == {organ}
        )
    if organ == "testis" and name in SCROTAL:
        return True
    own = any(name in (rule.base, rule.name) for rule in lexicon.refines() if organ in rule.places)
    own = own or organ in (known[name].field, *known[name].parents)
    return own or (organ == "breast" and name in GENERAL)


def _is_title(sentence: Sentence) -> bool:
    """True for a line of nothing but how was imaged, an organ and a side."""
    covered = {i for e in sentence.elements for i in range(e.first, e.last)}
    rest = [norm for i, norm in enumerate(sentence.words.norms) if i not in covered]
    organs = {e.place.name for e in sentence.elements if e.place is not None}
    count = len(_organs(sentence.elements))
    return (
        bool((DEVICES | ALONE | VIEWING) & {*rest})
        and all(norm in DEVICES | BESIDE | ALONE or norm.isdigit() for norm in rest)
        and (count == 1 or (count == 0 and bool(MAMMOGRAMS & {*rest})))
        and all(name == "axilla" or any(organ in name for organ in ORGANS) for name in organs)
        and any(side_of(e) in SIDE_WORDS for e in sentence.elements)
    )


def _of_breast(found: Sequence[Element]) -> tuple[Element, ...]:
    """The side of "MAMMOGRAM, LEFT" as that of the breast: a mammogram shows no other organ."""
    side = next(e for e in found if side_of(e) in SIDE_WORDS)
    place = Place("breast", side=side.value, of="breast")
    return (replace(side, place=place, field="place", value=place.name),)


def _organs(found: Sequence[Element]) -> set[str]:
    names = {part for e in found if e.place is not None for part in (e.place.of, *e.place.name.split())}
    return names & ORGANS


def _of_organ(sentence: Sentence, organ: str) -> bool:
    """True where a sentence stands under no heading of another organ."""
    known = lexicon.concepts()
    return not sentence.under or organ in (sentence.under, getattr(known.get(sentence.under), "field", ""))
