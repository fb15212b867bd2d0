"""One finding -> one sentence in a radiologist's style, and what that sentence says.

A sentence is only handed out when the parser reads it back as the finding that was to be told. What that is,
is asked of :func:`medsegr.report.wording.sentence`, whose plain sentence also steps in where no pattern can
be read.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from medsegr.errors import ReportError
from medsegr.report import lexicon, wording
from medsegr.report.parse import parse, parse_phrase, skip_reason
from medsegr.report.wording import MASS, NUMBERS, differences, sentence
from medsegr.sets import patterns
from medsegr.types import Finding, Frame, Location, Shape, Texture

TRIES = 12
FEW = 3  # more lesions than this have no outline in common
ALWAYS_MANY = ("drusen",)
WHOLE = "{a}[ {where}][, {size}]"  # a lesion as a part of a longer sentence
KEEP = {  # how often a value that is known is told
    "place": 0.85,
    "density": 0.6,
    "uniformity": 0.4,
    "colour": 0.7,
    "form": 0.6,
    "margin": 0.5,
    "size_class": 0.7,
    "size_mm": 0.6,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a reader knows of the image: DICOM code or None, and whose left its words mean."""

    modality: str | None
    frame: Frame


@dataclass(frozen=True, slots=True)
class Told:
    """``finding`` as far as it is told, ``text`` its sentence, ``phrase`` the words in it that ask for it
    (they are read alone to the same finding), ``piece`` the lesion as a part of a sentence ("" for an
    organ)."""

    finding: Finding
    text: str
    phrase: str
    piece: str = ""


def thinned(finding: Finding, rng: np.random.Generator) -> Finding:
    """The finding with each known value kept at a rate of ``KEEP``, as reports leave things out.

    A place that spans the picture is not told, nor the outline and size of one lesion among many; a number
    always is.
    """
    kept = {key: bool(rng.random() < rate) for key, rate in KEEP.items()}
    if (finding.shape.count or 1) > FEW:
        kept |= dict.fromkeys(("form", "margin", "size_class", "size_mm"), False)
    place, look, outline = finding.location, finding.texture, finding.shape
    rows, cols = (() if len(thirds) > 2 else thirds for thirds in (place.rows, place.cols))
    place = replace(place, rows=rows, cols=cols)
    return replace(
        finding,
        location=place if kept["place"] else Location(side_frame=place.side_frame),
        texture=Texture(
            look.density if kept["density"] else None,
            look.uniformity if kept["uniformity"] else None,
            look.colour if kept["colour"] else None,
        ),
        shape=Shape(
            form=outline.form if kept["form"] else None,
            margin=outline.margin if kept["margin"] else None,
            size_class=outline.size_class if kept["size_class"] else None,
            size_mm=outline.size_mm if kept["size_mm"] else None,
            count=outline.count,
        ),
    )


def is_organ(finding: Finding) -> bool:
    """Whether a report would name it as a place only, so that it has to be asked for."""
    concept = lexicon.concepts().get(finding.name)
    return concept is not None and concept.kind == "anatomy"


def as_read(finding: Finding, setting: Setting) -> Finding:
    """The finding as the parser reads its plain sentence: with what its name tells by itself.

    Raises:
        ReportError: it cannot be said so that it is read back.
    """
    bare = Finding("f1", "", (0, 0), finding.name, location=finding.location)
    return _as_read(replace(bare, texture=finding.texture, shape=finding.shape), setting)[1]


@lru_cache(maxsize=4096)
def _as_read(finding: Finding, setting: Setting) -> tuple[str, Finding]:
    said = sentence(finding, modality=setting.modality)
    found = parse(said, modality=setting.modality, frame=setting.frame).findings
    if len(found) != 1:
        raise ReportError(f"'{finding.name}' is not read alone; one finding was expected")
    return said, found[0]


def is_read(text: str, wanted: Finding, setting: Setting) -> bool:
    """Whether a report of this text alone asks for the one finding (as :func:`as_read` gives it), and for
    nothing else."""
    found = parse(text, modality=setting.modality, frame=setting.frame).findings
    return not differences(wanted, found) and skip_reason(found[0]) is None


def tell(finding: Finding, setting: Setting, rng: np.random.Generator) -> Told:
    """A sentence that says what the finding says.

    Raises:
        ReportError: the values do not go together in words.
    """
    if is_organ(finding):
        return _asked(finding, setting, rng)
    wanted = as_read(finding, setting)
    many = (finding.shape.count or 1) > 1
    fitting = [p for p in patterns.lines("present", setting.modality) if fits(p, finding, many)]
    for index in rng.permutation(len(fitting))[:TRIES]:
        told = written(fitting[int(index)], finding, setting, rng)
        if told is None or not is_read(told.text, wanted, setting):
            continue
        for phrase in (told.piece, told.phrase):
            if phrase in told.text and _alone(phrase, wanted, setting):
                return replace(told, phrase=phrase)
    said = sentence(finding, modality=setting.modality)
    return Told(finding, said, said[:-1], "")


def _alone(phrase: str, wanted: Finding, setting: Setting) -> bool:
    found = parse_phrase(phrase, modality=setting.modality, frame=setting.frame).findings
    return not differences(wanted, found[:1])


def fits(pattern: str, finding: Finding, many: bool = False) -> bool:
    """Whether the pattern has a place for every value of the finding, and a value for every slot it needs."""
    required, optional = patterns.slots(pattern)
    place, outline = finding.location, finding.shape
    known = {
        "where": bool(place.side or place.rows or place.cols or place.anatomy),
        "size": bool(outline.size_mm),
        "margin": bool(outline.margin),
    }
    known["spot"] = known["where"]
    slots = required | optional
    if any(slot in known and not known[slot] for slot in required):
        return False
    if (known["where"] and not slots & {"where", "spot"}) or (known["size"] and "size" not in slots):
        return False
    return not many or patterns.fits_many(pattern)


def written(pattern: str, finding: Finding, setting: Setting, rng: np.random.Generator) -> Told | None:
    """The pattern filled with the finding's values in words drawn by ``rng``; None where a slot stays empty
    (a place that is no thing). Nothing is read back here."""
    many = (finding.shape.count or 1) > 1
    required, optional = patterns.slots(pattern)
    values = _values(finding, setting, rng, "margin" not in required | optional)
    if any(not values.get(slot) for slot in required):
        return None
    text = patterns.fill(pattern, values, many)
    inline = values if "margin" not in required else _values(finding, setting, rng, True)
    return Told(finding, text, text.rstrip("."), patterns.fill(WHOLE, inline))


def _values(finding: Finding, setting: Setting, rng: np.random.Generator, margin: bool) -> dict[str, str]:
    look, outline = finding.texture, finding.shape

    def word(kind: str, value: str | None) -> str:
        return _pick(rng, patterns.words(kind, value, setting.modality)) if value else ""

    count = outline.count or 1
    number = "" if count == 1 else NUMBERS[count - 1] if count <= len(NUMBERS) else str(count)
    edge = word("margin", outline.margin)
    front = edge and bool(rng.random() < 0.5)
    noun = word("noun", finding.name)
    parts = (
        number,
        word("size_class", outline.size_class),
        edge if margin and front else "",
        word("form", outline.form),
        word("uniformity", look.uniformity),
        word("density", look.density),
        word("colour", look.colour),
        noun if count == 1 else plural(noun),
        f"with {edge} margins" if margin and edge and not front else "",
    )
    bare = " ".join(part for part in parts if part)
    where = _where(finding.location, setting, rng)
    return {
        "n": bare,
        "a": f"{_article(bare, noun, count)}{bare}",
        "where": where,
        "spot": where.removeprefix("in ")
        if re.fullmatch(r"in the (?!midline)((?! in | on ).)*", where)
        else "",
        "size": _size(outline.size_mm),
        "margin": edge,
    }


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _article(bare: str, noun: str, count: int) -> str:
    if (
        count > 1
        or noun in ALWAYS_MANY
        or (noun.endswith(MASS) and not noun.endswith(("ss", "us", "finding")))
    ):
        return ""
    return "an " if bare[0] in "aeiou" else "a "


def plural(noun: str) -> str:
    """The plural of a noun of the lexicon; of what is only spoken of as many, the noun itself."""
    return noun if noun in ALWAYS_MANY else wording.plural(noun)


def _where(place: Location, setting: Setting, rng: np.random.Generator) -> str:
    """The place in words; a single third each way is told in one ("in the upper left of the image")."""
    named = " and the ".join(place.anatomy)
    rows = [r for r in place.rows if r not in named]
    said = [f"in the {named}"] if named else []
    if place.side and place.side not in named:
        said.append(_pick(rng, patterns.words("side", place.side)))
    if len(rows) == len(place.cols) == 1 and rows[0] != "middle" and place.cols[0] != "centre":
        corner = ("in the {} {} of the image", "in the {} {} part of the image")
        said.append(_pick(rng, corner).format(rows[0], place.cols[0]))
        return " ".join(said)
    if len(rows) == 1:
        said.append(_pick(rng, patterns.words("rows", rows[0])))
    elif rows:
        said.append(f"in the {', '.join(rows[:-1])} and {rows[-1]} thirds")
    if place.cols:
        said.append(" and ".join(_pick(rng, patterns.words("cols", col)) for col in place.cols))
    return " ".join(said)


def _size(size: tuple[float, ...] | None) -> str:
    if not size:
        return ""
    return " x ".join(f"{v:.2f}".rstrip("0").rstrip(".") for v in size) + " mm"


def _asked(finding: Finding, setting: Setting, rng: np.random.Generator) -> Told:
    """An organ is asked for: by its name, its side, and where in the picture if that is told."""
    wanted = as_read(finding, setting)
    side = finding.location.side
    name = finding.name
    if side in ("left", "right"):
        name = f"{side} {name}"
    where = _where(replace(finding.location, side=None), setting, rng)
    phrase = " ".join(part for part in (name, where) if part)
    requests = patterns.lines("request", setting.modality)
    for index in rng.permutation(len(requests))[:TRIES]:
        text = patterns.fill(requests[int(index)], {"o": f"the {phrase}"})
        if is_read(text, wanted, setting) and _alone(phrase, wanted, setting):
            return Told(finding, text, phrase)
    said = sentence(finding, modality=setting.modality)
    return Told(finding, said, said[:-1])
