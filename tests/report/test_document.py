import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.report.document import sections, sentences
from medsegr.report.parse import parse
from medsegr.report.tokens import tokens


def named(text):
    return [(s.name, text[slice(*s.span)]) for s in sections(text)]


def split(text):
    return [text[slice(*s)] for s in sentences(text, (0, len(text)))]


def test_headings_on_their_lines():
    text = "INDICATION: Cough.\nCOMPARISON: None.\n\nFINDINGS: Lungs clear.\nIMPRESSION:\n1. Normal."
    assert named(text) == [
        ("indication", "Cough."),
        ("comparison", "None."),
        ("findings", "Lungs clear."),
        ("impression", "1. Normal."),
    ]


@pytest.mark.parametrize(
    "head",
    ["Findings:", "findings:", "FINDINGS :", "**Findings:**", "FINDINGS\n", "Findings and impression:"],
)
def test_spellings_of_a_heading(head):
    text = f"Technique: PA.\n{head} Small effusion."
    assert named(text)[1] == ("findings", "Small effusion.")


def test_no_heading_is_findings():
    assert named("small effusion") == [("findings", "small effusion")]
    assert named("") == [("findings", "")]


def test_text_before_the_first_heading_is_findings():
    assert named("Chest film.\nImpression: effusion.")[0] == ("findings", "Chest film.")


def test_a_colon_inside_a_sentence_is_no_heading():
    assert [n for n, _ in named("The liver: normal. Opinion of the reader is that: no mass.")] == ["findings"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Dr. Smith saw a 2.3 cm mass. No effusion.", ["Dr. Smith saw a 2.3 cm mass.", "No effusion."]),
        ("XXXX sternotomy XXXX. Clear lungs.", ["XXXX sternotomy XXXX.", "Clear lungs."]),
        (
            "A nodule in the right\nupper lobe. Normal heart.",
            ["A nodule in the right\nupper lobe.", "Normal heart."],
        ),
        ("1. Effusion.\n2. Mass", ["Effusion.", "Mass"]),
        ("- Effusion\n- Mass", ["Effusion", "Mass"]),
        ("1. Effusion. 2. Mass.", ["Effusion.", "Mass."]),
        ("Effusion.No mass.", ["Effusion.", "No mass."]),
        ("Small effusion\nNormal heart\n", ["Small effusion", "Normal heart"]),
        ("Small effusion\r\n\r\nMass", ["Small effusion", "Mass"]),
        ("no full stop at all", ["no full stop at all"]),
        ("Nodule (approx. 5 mm) vs. scar.", ["Nodule (approx. 5 mm) vs. scar."]),
        ("...", []),
    ],
)
def test_sentences(text, parts):
    assert split(text) == parts


def test_tokens_divide_at_hyphens_and_underscores():
    assert [t.norm for t in tokens("ground-glass, lung_lower 3-mm T9", (0, 32))] == [
        "ground",
        "glass",
        ",",
        "lung",
        "lower",
        "3",
        "mm",
        "t9",
    ]


@given(st.text(max_size=300))
def test_spans_stay_inside_any_text(text):
    for section in sections(text):
        assert 0 <= section.span[0] <= section.span[1] <= len(text)
        for span in sentences(text, section.span):
            assert section.span[0] <= span[0] < span[1] <= section.span[1]
            assert all(text[t.start : t.end] == t.raw for t in tokens(text, span))


@pytest.mark.parametrize(
    "text",
    [
        "Comparison: None. There is a small left effusion.",
        "PA and lateral chest. Comparison: XXXX.\nSmall left effusion.\nImpression: Effusion.",
        "INDICATION: Cough.\nSmall left effusion.",
        "Clinical history: fall from a height, pain\n\nLeft effusion, small.",
        "Clinical: cough. Chest X-ray: small left effusion.",
        "Indication: nodule in the breast. Ultrasound of the chest: left effusion. Impression: Effusion.",
        "History: right effusion in March. Chest radiograph shows a left effusion.",
    ],
)
def test_findings_without_a_heading_follow_a_short_part(text):
    (finding,) = [f for f in parse(text, modality="CR").findings if f.drawable]
    assert (finding.name, finding.location.side) == ("pleural effusion", "left")


@pytest.mark.parametrize(
    "text",
    [
        "History: lung cancer. Outside CT: left effusion.",
        "Indication: pain. CT 2019: left effusion.",
        "History: cough. Chest X-ray: right effusion.\nFINDINGS: Clear lungs.",
    ],
)
def test_an_earlier_examination_and_one_before_headed_findings_stay_history(text):
    assert not any(f.name == "pleural effusion" for f in parse(text, modality="CR").findings)


def test_a_part_in_front_of_headed_findings_is_kept_whole():
    text = "INDICATION: Cough.\nKnown left effusion.\nFINDINGS: Clear lungs."
    assert [f.name for f in parse(text, modality="CR").findings] == ["clear lungs"]


@pytest.mark.parametrize(
    "text",
    ["ULTRASOUND LEFT BREAST\nFINDINGS: No mass.", "ULTRASOUND LEFT BREAST\nThere is no mass to be seen."],
)
def test_a_title_asks_for_nothing(text):
    assert [f.polarity for f in parse(text, modality="US").findings] == ["absent"]


@pytest.mark.parametrize("line", ["RIGHT", "LEFT BREAST", "Right side:"])
def test_a_line_with_a_side_ends_the_question(line):
    text = f"Indication: lump felt\n{line}\nMass: none\nCyst: yes, 6 mm"
    assert [f.polarity for f in parse(text, modality="US").findings] == ["absent", "present"]


def test_a_label_ends_the_line_before():
    text = "Midline shift: 4 mm to the right\nHydrocephalus: no"
    assert [f.polarity for f in parse(text, modality="MR").findings] == ["present", "absent"]


@pytest.mark.parametrize("line", ["LEFT BREAST\nMass: yes", "L: mass", "[x] mass"])
def test_a_long_line_ends_before_a_heading_a_short_label_or_a_box(line):
    first = "Right breast: no mass, no cyst, no distortion, two coarse calcifications of 8 mm"
    found = parse(f"{first}\n{line}\n", modality="MG").findings
    assert (found[3].name, found[3].location.side) == ("coarse calcification", "right")
    assert (found[4].name, found[4].polarity) == ("breast mass", "present")
    assert found[3].span[1] <= len(first)


@pytest.mark.parametrize(("one", "two"), [("RIGHT", "LEFT"), ("Right eye:", "Left eye:"), ("OD", "OS")])
def test_a_line_of_nothing_but_a_side_is_a_heading_of_its_own(one: str, two: str) -> None:
    text = f"{one}\nMicroaneurysms, none at the\n{two}\nDrusen"
    told = [text[a:b] for a, b in sentences(text, (0, len(text)))]
    assert told == [one, "Microaneurysms, none at the", two, "Drusen"]


@pytest.mark.parametrize("line", ["LEFT BREAST", "Left side:", "OD"])
def test_a_side_ends_what_was_asked(line: str) -> None:
    text = f"Indication: lump\n{line}\nMass at 2 o'clock"
    assert [s.name for s in sections(text)] == ["indication", "findings"]
