"""Lines of a form that tell of one thing."""

import pytest

from medsegr.report.blocks import joined
from medsegr.report.document import sentences
from medsegr.report.layout import laid_out
from medsegr.report.parse import parse

FIRST = "NODULE 1\nLocation: right mid\nSize: 1.9 x 1.4 x 1.6 cm\n"
FORM = FIRST + "\nNODULE 2\nLocation: left inferior\nSize: 8 mm\n"


def test_a_numbered_name_takes_the_lines_that_tell_of_it():
    spans = joined(FORM, sentences(FORM, (0, len(FORM))))
    assert [FORM[a : a + 8] for a, _ in spans] == ["NODULE 1", "NODULE 2"]


def test_place_and_size_of_a_form_are_those_of_its_nodule():
    rest = "\nNo lymphadenopathy.\nNo parathyroid adenoma.\n"
    found = parse("EXAM: US THYROID\n\nFINDINGS:\n" + FORM + rest, modality="US").findings[:2]
    assert [f.location.side for f in found] == ["right", "left"]
    assert [f.shape.size_mm for f in found] == [(19.0, 14.0, 16.0), (8.0,)]


def test_other_lines_stay_apart():
    text = "Nodule in the left lobe.\nSize: 8 mm\nNo other nodule 2\n\nLocation: right"
    spans = sentences(text, (0, len(text)))
    assert joined(text, spans) == spans


def test_a_name_that_is_answered_takes_the_lines_that_tell_of_it():
    text = "Mass: yes\nLocation: left frontal lobe\nSize: 41 x 33 mm\nNecrosis: none\n"
    mass, necrosis = parse(text, modality="MR").findings
    assert (mass.location.side, mass.shape.size_mm) == ("left", (41.0, 33.0))
    assert (necrosis.name, necrosis.polarity) == ("necrosis", "absent")


PAIRS = (("Mass", "yes"), ("Side", "left"), ("Size", "12 mm"))


@pytest.mark.parametrize("mark", [": ", " | ", "\t", "   "])
def test_keys_and_values_of_a_table_tell_of_one_thing(mark: str):
    (mass,) = parse("\n".join(mark.join(pair) for pair in PAIRS), modality="MG").findings
    assert (mass.name, mass.location.side, mass.shape.size_mm) == ("breast mass", "left", (12.0,))


@pytest.mark.parametrize(
    "text",
    [
        "Finding | nodule\nSide | right\nSize | 8 mm",
        "Finding    nodule\nSide    right\nSize    8 mm",
        "| Nodule | yes |\n|---|---|\n| Side | right |\n| Size | 8 mm |",
        "Effusion | no\nSide | -\nNodule | yes\nSide | right\nSize | 8 mm",
        "Lesion | Side | Size\nNodule | right | 8 mm",
        "FINDINGS\nThe lungs are clear.\n\nNodule\nSide: right\nSize: 8 mm",
    ],
)
def test_a_bare_name_takes_the_lines_that_tell_of_it(text: str):
    found = [f for f in parse(text, modality="CT").findings if f.polarity == "present" and f.drawable]
    assert [(f.name, f.location.side, f.shape.size_mm) for f in found] == [("nodule", "right", (8.0,))]


def test_rows_of_a_table_keep_what_is_theirs():
    text = "Effusion      left\nPneumothorax  none"
    found = parse(text, modality="CR").findings
    assert [(f.polarity, f.location.side) for f in found] == [("present", "left"), ("absent", None)]
    text = "Nodule | 8 mm | right upper lobe\nNodule | 5 mm | left lower lobe"
    found = parse(text, modality="CT").findings
    assert [(f.location.side, f.shape.size_mm) for f in found] == [("right", (8.0,)), ("left", (5.0,))]


def test_no_table_is_made_of_wide_blanks():
    text = "The mass  is seen.\nSide  effects of treatment"
    assert laid_out(text) == text
    text = "No mass.\nSide: left breast imaged."
    assert [(f.polarity, f.location.side) for f in parse(text, modality="MG").findings] == [("absent", None)]
