"""A finding -> one plain sentence that the parser reads back, value by value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from medsegr.errors import ReportError
from medsegr.findings import Finding, Frame, Location
from medsegr.report import lexicon
from medsegr.report.parse import parse

NUMBERS = ("single", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PLAIN_DENSITY = {
    "ground-glass": "hazy",  # "ground glass" is a concept, too
    "consolidation": "consolidative",
    "hypo": "hypodense",
    "iso": "isodense",
    "hyper": "hyperdense",
    "fluid": "fluid-filled",
}
DENSITY_WORDS = {  # each kind of image has its own word for dark and bright
    "MR": {"hypo": "hypointense", "iso": "isointense", "hyper": "hyperintense"},
    "US": {"hypo": "hypoechoic", "iso": "isoechoic", "hyper": "hyperechoic", "fluid": "anechoic"},
}
SAID_SIDES = {
    "right": "on the right side",
    "left": "on the left side",
    "bilateral": "on both sides",
    "midline": "in the midline",
}
SAID_COLS = {  # "centre" alone would tell the row, too
    "left": "in the left third of the image",
    "centre": "in the midline of the image",
    "right": "in the right third of the image",
}
MASS = ("s", "ing", "ema", "ia", "fluid", "air", "tissue")  # endings of nouns without "a"


def sentence(finding: Finding, *, modality: str | None = None) -> str:
    """One plain sentence that says what a finding says: "A small round hyperdense nodule with spiculated
    margins in the right upper lobe of lung, 8 x 6 mm."

    What it holds: concept, polarity, side, rows, cols, anatomy, density, uniformity, colour, form, margin,
    size class, size (to 0.01 mm) and count. Time and person are not said. The sentence is read back before it
    is handed out, with the finding's ``side_frame`` as the frame: ``parse(sentence(x))`` is one finding with
    the values of x, and beyond them only what the concept's name tells by itself (a "breast cyst" is in the
    breast). Where the usual order of words would mean something else ("linear opacity" is a concept of its
    own), a stiffer order that is read rightly is taken.

    Args:
        finding: its spans are not looked at; the words need not come from a report.
        modality: DICOM code, which decides what a word with several meanings stands for.

    Raises:
        ReportError: the concept is not in the lexicon, or the values do not go together in words (a side that
        contradicts the place, a size of four axes).
    """
    concept = lexicon.concepts().get(finding.name)
    if concept is None:
        name = finding.name[:60]
        raise ReportError(
            f"'{name}' is no concept of the lexicon, one was expected; see medsegr info --classes"
        )
    frame = _frame(finding)
    alone = parse(f"{finding.name}.", modality=modality, frame=frame).findings
    told = _values(alone[0]) if len(alone) == 1 else {}
    lost: list[str] = []
    for noun, style in product(_nouns(concept, finding), _STYLES):
        said = style(_parts(finding, noun, modality), finding.polarity)
        found = parse(said, modality=modality, frame=frame).findings
        wrong = [key for key in differences(finding, found) if not _by_name(key, finding, found, told)]
        if not wrong:
            return said
        lost = lost or wrong
    raise ReportError(
        f"'{finding.name}' cannot be said so that it is read back ({', '.join(lost)}); "
        "values that agree with each other were expected"
    )


def _frame(finding: Finding) -> Frame:
    """Whose side the words tell: that of a limb is the patient's."""
    return "viewer" if finding.location.side_frame == "viewer" else "patient"


def _by_name(key: str, finding: Finding, found: Sequence[Finding], told: Mapping[str, Any]) -> bool:
    """True where a value was read that nobody said, because the concept's name tells it by itself."""
    if len(found) != 1 or not told.get(key):
        return False
    want, got = _values(finding)[key], _values(found[0])[key]
    if isinstance(got, tuple) and isinstance(want, tuple):
        own = {word for v in told[key] for word in (v, f"left {v}", f"right {v}")}
        return tuple(v for v in got if v in want or v not in own) == want
    return not want and got == told[key]


def differences(finding: Finding, found: Sequence[Finding]) -> list[str]:
    """Names of the values in which what was ``found`` is not the one ``finding``; spans do not count."""
    if len(found) != 1:
        return [f"{len(found)} findings"]
    one, two = _values(finding), _values(found[0])
    return [key for key, value in one.items() if value != two[key]]


def _values(finding: Finding) -> dict[str, Any]:
    place, look, outline = finding.location, finding.texture, finding.shape
    return {
        "name": finding.name,
        "polarity": finding.polarity,
        "side": place.side,
        "side_frame": _frame(finding) if place.side else None,
        "rows": place.rows,
        "cols": place.cols,
        "anatomy": place.anatomy,
        "density": look.density,
        "uniformity": look.uniformity,
        "colour": look.colour,
        "form": outline.form,
        "margin": outline.margin,
        "size_class": outline.size_class,
        "size_mm": None if outline.size_mm is None else tuple(round(v, 2) for v in outline.size_mm),
        "count": outline.count,
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    """The words of one finding, not yet in order; an empty string says nothing."""

    number: str
    adjectives: tuple[str, ...]
    noun: str
    margin: str
    places: tuple[str, ...]
    size: str


def _nouns(concept: lexicon.Concept, finding: Finding) -> tuple[str, ...]:
    """Words for a concept: the plain name that its place makes narrower ("lesion" in the liver), its own
    name, its synonyms. Of more than one the plural, with the singular to fall back on.
    """
    named = [_place_called(name) for name in finding.location.anatomy]
    near = {known.name for known in named} | {known.of for known in named}
    plain = (rule.base for rule in lexicon.refines() if rule.name == concept.name and rule.places & near)
    words = tuple(dict.fromkeys((*plain, *concept.words)))
    if finding.shape.count in (None, 1):
        return words
    return tuple(form for word in words for form in (plural(word), word))


def plural(words: str) -> str:
    """The plural of a noun of the lexicon ("cell nucleus" -> "cell nuclei")."""
    head, _, last = words.rpartition(" ")
    irregular = next((many for many, one in lexicon.IRREGULAR.items() if one == last and many != one), None)
    if irregular is None:
        stem, end = (last[:-1], "ies") if last.endswith("y") and last[-2:-1] not in "aeiou" else (last, "s")
        irregular = stem + ("es" if last.endswith(("s", "x", "ch", "sh")) else end)
    return f"{head} {irregular}".strip()


def _parts(finding: Finding, noun: str, modality: str | None) -> _Parts:
    look, outline = finding.texture, finding.shape
    densities = PLAIN_DENSITY | DENSITY_WORDS.get(modality or "", {})
    words = (
        outline.size_class,
        outline.form,
        look.uniformity,
        densities.get(look.density or "", look.density),
        look.colour,
    )
    count = outline.count
    return _Parts(
        "" if count is None else NUMBERS[count - 1] if 1 <= count <= len(NUMBERS) else str(count),
        tuple(word for word in words if word),
        noun,
        f"with {outline.margin} margins" if outline.margin else "",
        _place_words(finding.location),
        _size_words(outline.size_mm),
    )


def _size_words(size: tuple[float, ...] | None) -> str:
    if not size:
        return ""
    factor, unit = (10.0, "cm") if max(size) >= 999.5 else (1.0, "mm")
    return " x ".join(f"{v / factor:.2f}".rstrip("0").rstrip(".") for v in size) + f" {unit}"


def _place_words(place: Location) -> tuple[str, ...]:
    """Named places first, then what they do not already tell: side, rows, columns of the picture."""
    named = [_place_called(name) for name in place.anatomy]
    sides = {known.side for known in named if known.side}
    rows = {row for known in named for row in known.rows}
    out = ["in the " + " and the ".join(place.anatomy)] if named else []
    if place.side and place.side not in sides:
        out.append(SAID_SIDES[place.side])
    more = [row for row in place.rows if row not in rows]
    if more:
        listed = ", ".join(more[:-1]) + " and " * (len(more) > 1) + more[-1]
        out.append(f"in the {listed} third{'s' if len(more) > 1 else ''}")
    return (*out, *(SAID_COLS[col] for col in place.cols))


def _place_called(name: str) -> lexicon.Place:
    """The place of a name as :class:`Location` holds it, where a paired organ has its side in front."""
    known = lexicon.places()
    side, _, rest = name.partition(" ")
    key = lexicon.split_words(name)
    if key in known:
        return known[key]
    if side in ("left", "right") and lexicon.split_words(rest) in known:
        return replace(known[lexicon.split_words(rest)], side=side)
    return lexicon.Place(name)


def _usual(parts: _Parts, polarity: str) -> str:
    """Words before the noun, as one speaks."""
    return _ordered(parts, polarity, " ".join((*parts.adjectives, parts.noun)))


def _stiff(parts: _Parts, polarity: str) -> str:
    """Words behind the noun and commas between them, so that none joins the noun to another name."""
    return _ordered(parts, polarity, ", ".join((parts.noun, *parts.adjectives)))


def _request(parts: _Parts, polarity: str) -> str:
    """For organs, which are no findings: a report names them as places, a request asks for them."""
    words = " ".join(w for w in (parts.number, *parts.adjectives, parts.noun) if w)
    return f"Show the {', '.join(w for w in (words, parts.margin, *parts.places, parts.size) if w)}."


_STYLES: tuple[Callable[[_Parts, str], str], ...] = (_usual, _stiff, _request)


def _ordered(parts: _Parts, polarity: str, words: str) -> str:
    many = parts.number not in ("", "single")
    if polarity == "absent":
        lead, seen = "No", "are seen" if many else "is seen"
    elif polarity == "uncertain":
        lead, seen = "Possible", ""
    else:
        without = many or (
            not parts.number and parts.noun.endswith(MASS) and not parts.noun.endswith(("ss", "us"))
        )
        lead, seen = "" if without else "An" if (parts.number or words)[0] in "aeiou" else "A", ""
    lead = " ".join(w for w in (lead, parts.number, words) if w)
    where = " ".join(w for w in (lead, parts.margin, seen, ", ".join(parts.places)) if w)
    told = f"{where}, {parts.size}." if parts.size else f"{where}."
    return told[0].upper() + told[1:]
