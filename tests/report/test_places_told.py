"""Whose left is meant, words of the picture, the clock face, organs of headings, and requests by name."""

import pytest

from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse, parse_phrase, skip_reason

ULTRASOUND = "breast ultrasound"


def place(text, **options):
    (finding,) = parse(text, **options).findings
    where = finding.location
    return where.side, " ".join(where.rows), " ".join(where.cols)


ON_PICTURE = [
    ("large breast mass at the middle left of the frame", "middle", "left"),
    ("hypoechoic breast mass in the upper left of the image", "upper", "left"),
    ("breast mass at the top right", "upper", "right"),
    ("breast mass at the bottom centre of the image", "lower", "centre"),
    ("breast mass at the lower right corner", "lower", "right"),
    ("breast mass at the middle left", "middle", "left"),
    ("breast mass on the right side of the picture", "", "right"),
]


@pytest.mark.parametrize("options", [{}, {"modality": ULTRASOUND}, {"modality": "US", "frame": "viewer"}])
@pytest.mark.parametrize(("text", "rows", "cols"), ON_PICTURE)
def test_words_of_the_picture_are_thirds_of_the_picture(text, rows, cols, options):
    assert place(text, **options) == (None, rows, cols)


@pytest.mark.parametrize("options", [{}, {"modality": ULTRASOUND}, {"modality": "MG"}])
@pytest.mark.parametrize(
    "text", ["left breast mass", "mass in the left breast", "left-sided breast mass", "mass, left breast"]
)
def test_a_side_beside_a_paired_organ_is_the_patients(text, options):
    assert place(text, **options) == ("left", "", "")


def test_both_may_be_told():
    text = "mass in the left breast at the top right of the image"
    assert place(text, modality=ULTRASOUND) == ("left", "upper", "right")


def test_a_view_is_no_picture_and_no_lobe():
    (finding,) = parse("effusion on the left on the frontal view", modality="CR").findings
    assert (finding.location.side, finding.location.cols) == ("left", ())
    assert "frontal lobe" not in finding.location.anatomy


@pytest.mark.parametrize(
    ("hour", "rows", "cols"),
    [("12", "upper", "centre"), ("3", "middle", "right"), ("8", "lower", "left"), ("10", "upper", "left")],
)
@pytest.mark.parametrize(
    "words", ["ulcer at {} o'clock", "ulcer at {} o’clock", "ulcer in the {}:00 position"]
)
def test_the_clock_face_of_a_picture(words, hour, rows, cols):
    assert place(words.format(hour), modality="ES") == (None, rows, cols)


def test_the_clock_face_of_a_breast_is_no_place_of_the_ultrasound_picture():
    text = "mass in the left breast at 10 o'clock"
    (finding,) = parse(text, modality="US").findings
    assert place(text, modality="US") == ("left", "", "")
    assert place(text, modality="MG") == ("left", "upper", "")
    assert "10 o'clock" in finding.location.anatomy


@pytest.mark.parametrize(
    ("segment", "side"), [("2", "midline"), ("IVb", "midline"), ("6", "right"), ("VIII", "right")]
)
def test_liver_segments(segment, side):
    assert place(f"lesion in segment {segment}", modality="CT")[0] == side


def test_the_same_and_the_other_side():
    same = parse("Right pneumothorax with ipsilateral effusion.", modality="CR").findings
    other = parse("Right pneumothorax with contralateral effusion.", modality="CR").findings
    assert [f.location.side for f in same] == ["right", "right"]
    assert [f.location.side for f in other] == ["right", "left"]
    assert place("ipsilateral effusion", modality="CR")[0] is None


def test_another_one_elsewhere_is_a_finding_of_its_own():
    found = parse("a polyp at the top left and another one at the lower right", modality="ES").findings
    assert [(f.name, f.location.rows, f.location.cols) for f in found] == [
        ("polyp", ("upper",), ("left",)),
        ("polyp", ("lower",), ("right",)),
    ]


def test_the_organ_of_a_heading_holds_for_its_sentences():
    text = "LIVER: Normal size. A cyst is seen.\nKIDNEYS: No stones. Cyst on the left.\nOTHER: Cyst."
    drawn = [f.name for f in parse(text, modality="CT").findings if skip_reason(f) is None]
    assert drawn == ["liver cyst", "kidney cyst", "cyst"]


def test_an_organ_heading_asks_for_nothing():
    assert [f for f in parse("LUNGS:\nClear.\nHEART:\nNormal.").findings if skip_reason(f) is None] == []
    assert all(skip_reason(f) for f in parse("The trachea is midline.", modality="CR").findings)


REQUESTS = [
    "{}",
    "delineate the {}",
    "please measure the {}.",
    "Identify the {}",
    "Chest X-ray PA: {}.",
    "segment the {}",
    "show me the {}",
    "where is the {}?",
    "I want the {}",
    "{} segmentation",
]


@pytest.mark.parametrize("read", [parse, parse_phrase])
@pytest.mark.parametrize("words", REQUESTS)
def test_every_name_asks_for_itself(words, read):
    for name, concept in concepts().items():
        if concept.drawable and concept.kind != "statement":
            found = [f for f in read(words.format(name)).findings if skip_reason(f) is None]
            assert found, words.format(name)
            assert found[0].name == name


@pytest.mark.parametrize(
    "text", ["left lung", "lung, left", "L lung", "lt lung", "Lt. lung", "the left lung", "lung (left)"]
)
@pytest.mark.parametrize("read", [parse, parse_phrase])
def test_a_sided_organ_by_name(text, read):
    (finding,) = read(text).findings
    assert (finding.name, finding.location.side, skip_reason(finding)) == ("lung", "left", None)


def test_a_question_whether_something_is_there_states_nothing():
    assert all(skip_reason(f) for f in parse("Is there a polyp?", modality="ES").findings)


def test_describing_words_are_not_findings():
    (cyst,) = parse("fluid-density cyst in the left kidney", modality="CT").findings
    assert (cyst.name, cyst.texture.density) == ("kidney cyst", "fluid")
    (cluster,) = parse("small cell cluster at the centre of the image", modality="GM").findings
    assert (cluster.name, cluster.shape.size_class) == ("cell cluster", "small")
    text = "left mid lung zone small well-defined lobulated pulmonary nodule"
    (nodule,) = parse(text, modality="CR").findings
    assert (nodule.location.side, nodule.location.rows) == ("left", ("middle",))


@pytest.mark.parametrize(
    ("text", "side", "rows"),
    [
        ("Consolidations in both lungs, except for the left upper zone.", "bilateral", ()),
        ("Consolidations in bilateral lungs, except for left upper lung zone.", "bilateral", ()),
        ("Consolidations bilaterally, apart from the left upper lobe.", "bilateral", ()),
        ("Patchy opacities except in the left upper lobe.", None, ()),
        ("The lungs are clear except for an opacity in the left upper lobe.", "left", ("upper",)),
        ("No opacity except in the left upper lobe.", "left", ("upper",)),
        ("Normal except for left upper lobe opacity.", "left", ("upper",)),
    ],
)
def test_an_excepted_place_is_not_where_a_finding_lies(
    text: str, side: str | None, rows: tuple[str, ...]
) -> None:
    found = [f for f in parse(text, modality="CR").findings if f.drawable and f.polarity == "present"]
    assert [(f.location.side, f.location.rows) for f in found] == [(side, rows)]


def test_the_largest_of_several_has_the_size_told_behind_its_place():
    text = (
        "Three lesions. The largest, in the right cerebellum, measures 2.4 cm and has a ring of enhancement."
    )
    found = parse(text, modality="MR").findings
    assert [f.shape.size_mm for f in found if f.name == "lesion"] == [None, (24.0,)]
    organ = "The left kidney measures 11 cm and contains a cyst."
    assert [f.shape.size_mm for f in parse(organ, modality="CT").findings] == [None]


@pytest.mark.parametrize(("size", "name"), [("", "white matter lesion"), (" 15 mm", "white matter lesion")])
def test_a_small_bright_signal_is_a_spot_in_the_white_matter(size, name):
    (found,) = parse(f"FLAIR hyperintensity in the right frontal lobe{size}.", modality="MR").findings
    assert found.name == name


def test_a_large_bright_signal_is_no_spot_as_which_plaques_are_drawn():
    (found,) = parse("FLAIR hyperintensity of 33 mm in the right frontal lobe.", modality="MR").findings
    assert (found.name, found.shape.size_mm) == ("signal abnormality", (33.0,))


def test_what_a_nodule_of_a_form_is_made_of_is_its_look():
    text = "Nodule 1: location LUL, size 5 mm, composition: ground glass, change stable"
    (found,) = parse(text, modality="CT").findings
    assert (found.name, found.texture.density, found.location.side) == ("nodule", "ground-glass", "left")


def test_what_a_mass_only_reaches_does_not_name_it():
    read = {
        "Mass in the right upper lobe, abutting the mediastinal pleura.": "lung tumour",
        "Mass in the liver, extending into the right kidney.": "liver lesion",
        "Mass of the mediastinum extending into the left upper lobe.": "mediastinal mass",
    }
    assert {text: parse(text, modality="CT").findings[0].name for text in read} == read


@pytest.mark.parametrize(
    ("text", "modality", "other"),
    [
        (
            "The largest nodule in the right lower lobe measures 9 mm with surrounding ground-glass opacity.",
            "CT",
            "ground-glass opacity",
        ),
        (
            "Lung nodules. The largest in the right lower lobe measures 9 mm with ground-glass opacity.",
            "CT",
            "ground-glass opacity",
        ),
        (
            "Three lesions. The largest, in the right cerebellum, measures 9 mm with surrounding oedema.",
            "MR",
            "brain oedema",
        ),
    ],
)
def test_the_size_of_the_largest_is_not_that_of_what_surrounds_it(
    text: str, modality: str, other: str
) -> None:
    found = parse(text, modality=modality).findings
    assert [f.shape.size_mm for f in found if f.name == other] == [None]


@pytest.mark.parametrize(
    ("text", "name", "side"),
    [
        ("The left lung is clear except for a small nodule.", "nodule", "left"),
        ("The right lung is normal but for a small effusion.", "pleural effusion", "right"),
        ("The left lung is clear with the exception of a 4 mm nodule.", "nodule", "left"),
        ("The right lung is clear apart from an effusion on the left.", "pleural effusion", "left"),
        ("The right lung is clear aside from a nodule, left effusion.", "pleural effusion", "left"),
        ("Left kidney: normal except for a stone, right kidney normal.", "kidney stone", "left"),
        ("The lungs are clear except for a nodule.", "nodule", None),
        ("Clear on the right, but on the left, where there is a nodule.", "nodule", "left"),
        ("No change on the left where there is a stable effusion.", "pleural effusion", "left"),
        (
            "Effusion on the right and, on the left, where there is a drain, emphysema.",
            "pleural effusion",
            "right",
        ),
    ],
)
def test_what_spoils_a_healthy_side_lies_there_and_a_side_goes_on_behind_where(text, name, side):
    found = [f for f in parse(text, modality="CR").findings if f.name == name]
    assert [f.location.side for f in found] == [side]
