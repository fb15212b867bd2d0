"""Every line of the patterns is read as what it says; filling leaves nothing open."""

import numpy as np
import pytest

from medsegr.errors import ReportError
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse, skip_reason
from medsegr.sets import patterns
from medsegr.sets.narrate import asks_for
from medsegr.sets.telling import Setting, as_read, fits, is_read, written
from medsegr.types import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    MODALITIES,
    ROWS,
    SIDES,
    SIZES,
    UNIFORMITIES,
)

NOUNS = {
    "CR": "nodule",
    "CT": "lesion",
    "MR": "lesion",
    "US": "breast tumour",
    "ES": "polyp",
    "SM": "nucleus",
    "GM": "nucleus",
    "OP": "drusen",
    "DMS": "skin lesion",
    "MG": "breast finding",
}
KINDS = patterns.modalities()
LOOK = {"texture": {"density": "hypo"}, "shape": {"form": "oval", "margin": "ill-defined"}}
SIZE = {"size_class": "small", "size_mm": [8, 6]}


def setting_of(modality):
    return Setting(modality, MODALITIES[modality][0])


def test_there_are_more_than_two_hundred_sentences_and_none_twice():
    every = {modality: patterns.lines("present", modality) for modality in KINDS}
    assert all(len(set(lines)) == len(lines) for lines in every.values())
    assert len({line for lines in every.values() for line in lines}) >= 200
    assert set(NOUNS) == set(KINDS)
    assert all(len(every[modality]) - len(patterns.lines("present", None)) >= 15 for modality in KINDS)


def cases_of(modality):
    """A finding with everything, without looks, without a place, with a place that is a thing, and bare."""
    setting = setting_of(modality)
    place = {"side": "left", "rows": ["upper"]} if setting.frame == "patient" else {"cols": ["left"]}
    frame = {"side_frame": setting.frame}
    thing = {"rows": ["lower"], **frame}
    shape = LOOK["shape"] | SIZE
    name = {"name": NOUNS[modality]}
    yield finding_from(name | LOOK | {"location": place | frame, "shape": shape})
    yield finding_from(name | {"location": place | frame, "shape": {"margin": "ill-defined"}})
    yield finding_from(name | LOOK | {"location": frame, "shape": shape})
    yield finding_from(name | {"location": thing, "shape": SIZE | {"margin": "smooth"}})
    yield finding_from(name | {"location": frame})


@pytest.mark.parametrize("modality", KINDS)
def test_every_sentence_is_read_back(modality):
    setting, common = setting_of(modality), patterns.lines("present", None)
    lines = patterns.lines("present", modality)
    lines = lines if modality == "CR" else lines[len(common) :]
    unused = set(lines)
    cases = list(cases_of(modality))
    for pattern in lines:
        fitting = [finding for finding in cases if fits(pattern, finding)]
        for finding in {id(f): f for f in (fitting[0], fitting[-1])}.values():
            told = written(pattern, finding, setting, np.random.default_rng(0))
            if told is None:
                continue
            assert is_read(told.text, as_read(finding, setting), setting), told.text
            assert not set("[]{}") & set(told.text)
            assert told.text[0].isupper()
            assert told.text[-1] in ".?"
            unused.discard(pattern)
    assert not unused


def test_two_lesions_in_one_sentence_are_two():
    setting = setting_of("CR")
    pair = [
        finding_from({"name": "nodule", "location": {"side": "left"}}),
        finding_from({"name": "consolidation", "location": {"side": "right"}, "shape": {"form": "round"}}),
    ]
    wanted = [as_read(f, setting) for f in pair]
    values = {"first": "a nodule on the left side", "second": "a round consolidation on the right side"}
    for pattern in patterns.lines("two", "CR"):
        text = patterns.fill(pattern, values)
        assert asks_for(text, wanted, setting), text


@pytest.mark.parametrize("name", ["lung", "retinal vessels", "fetal head"])
def test_every_request_asks_for_the_organ(name):
    for side in ("left", None) if name == "lung" else (None,):
        finding = finding_from({"name": name, "location": {"side": side}})
        setting = Setting(None, "patient")
        for pattern in patterns.lines("request", None):
            text = patterns.fill(pattern, {"o": f"the {side or ''} {name}".replace("  ", " ")})
            assert is_read(text, as_read(finding, setting), setting), text


@pytest.mark.parametrize("modality", KINDS)
def test_nothing_else_asks_for_a_mask(modality):
    for part in patterns.PARTS:
        lines = patterns.lines(part, modality)
        for line in lines if modality == "CR" else lines[len(patterns.lines(part, None)) :]:
            found = parse(line, modality=modality).findings
            drawn = [f.name for f in found if skip_reason(f) is None]
            assert not drawn, (line, drawn)
            assert part != "uncertain" or any(f.polarity == "uncertain" for f in found), line
    for part in ("exam", "indication"):
        for line in patterns.lines(part, modality):
            found = parse(f"{line}\nFINDINGS: Unremarkable.", modality=modality).findings
            assert not [f for f in found if skip_reason(f) is None], line


VALUES = {
    "density": ("texture", [v for v in DENSITIES]),
    "uniformity": ("texture", UNIFORMITIES),
    "colour": ("texture", COLOURS),
    "form": ("shape", FORMS),
    "margin": ("shape", MARGINS),
    "size_class": ("shape", SIZES),
    "side": ("location", SIDES),
    "rows": ("location", ROWS),
    "cols": ("location", COLS),
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_word_means_its_value(kind):
    part, values = VALUES[kind]
    for modality in (*KINDS, None) if kind == "density" else (None,):
        for value in values:
            for word in patterns.words(kind, value, modality):
                place = kind in ("side", "rows", "cols")
                text = f"A lesion {word}." if place else f"A {word} lesion."
                (found,) = parse(text, modality=modality).findings
                read = getattr(getattr(found, part), kind)
                assert read == ((value,) if kind in ("rows", "cols") else value), text


def test_filling():
    pattern = "{A} is seen[ {where}][, {size}]."
    assert patterns.slots(pattern) == ({"a"}, {"where", "size"})
    assert patterns.fill(pattern, {"a": "a cyst", "where": "on the left"}) == "A cyst is seen on the left."
    assert patterns.fill(pattern, {"a": "a cyst", "size": "3 mm"}) == "A cyst is seen, 3 mm."
    assert patterns.fill("There is {a}.", {"a": "two cysts"}, many=True) == "There are two cysts."
    told = patterns.fill("The main finding is {a}.", {"a": "two cysts"}, many=True)
    assert told == "The main findings are two cysts."
    with pytest.raises(ReportError, match="where"):
        patterns.fill("{A} lies {where}.", {"a": "a cyst", "where": ""})


def test_a_plural_stands_where_no_verb_has_to_agree():
    assert patterns.fits_many("There is {a}[ {where}].")
    assert patterns.fits_many("{A}[ {where}], with {margin} margins.")
    assert patterns.fits_many("There is {a} measuring {size}.")
    assert not patterns.fits_many("{A} is seen[ {where}].")
    assert not patterns.fits_many("{Where}, {a} is seen.")
    assert not patterns.fits_many("{A} with {margin} margins is seen.")
    assert not patterns.fits_many("{First} and {second} are seen.")
