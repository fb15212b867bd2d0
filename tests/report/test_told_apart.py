"""What one word means by what stands around it: sides, levels, distances, organs, denials."""

import pytest

from medsegr.report.parse import parse
from medsegr.types import Finding


def read(text: str, modality: str) -> tuple[Finding, ...]:
    return parse(text, modality=modality).findings


def places(text: str, modality: str = "CR") -> list[tuple[str | None, tuple[str, ...]]]:
    return [(f.location.side, f.location.rows) for f in read(text, modality)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Opacity on the left and at the right base.", [("left", ()), ("right", ("lower",))]),
        ("Infiltrates on the left side and in the right upper lobe.", [("left", ()), ("right", ("upper",))]),
        ("Atelectasis in the left and right lower lobes.", [("bilateral", ("lower",))]),
        (
            "Two left-sided drains, one at the apex and one at the base.",
            [("left", ("upper",)), ("left", ("lower",))],
        ),
        ("A nodule at the left apex and one at the left base.", [("left", ("upper",)), ("left", ("lower",))]),
    ],
)
def test_sides_with_a_preposition_each_have_a_place_each(text, expected):
    assert places(text) == expected


@pytest.mark.parametrize(
    ("text", "name", "side"),
    [
        ("L ECA: >50% stenosis at origin.", "carotid stenosis", "left"),
        ("Right external carotid stenosis.", "carotid stenosis", "right"),
        ("R ICA: occluded.", "carotid occlusion", "right"),
        ("Left level II node, 11 mm.", "cervical lymphadenopathy", "left"),
        ("Enlarged node at right level III.", "cervical lymphadenopathy", "right"),
        ("Left multicystic dysplastic kidney.", "multicystic dysplastic kidney", "left"),
    ],
)
def test_sides_of_neck_and_kidney_are_the_body_s_in_ultrasound(text, name, side):
    (found,) = read(text, "US")
    assert (found.name, found.location.side, found.location.cols) == (name, side, ())


WHOLE = "Liver normal. Spleen normal. A 2 cm mass on the left. No ascites."


def test_a_mere_side_is_the_patient_s_in_a_whole_ultrasound_report_and_the_picture_s_in_a_phrase():
    (mass,) = (f for f in read(WHOLE, "US") if f.name == "mass")
    assert (mass.location.side, mass.location.cols) == ("left", ())
    (mass,) = read("Mass on the left.", "US")
    assert (mass.location.side, mass.location.cols) == (None, ("left",))
    (mass,) = (
        f for f in read(WHOLE.replace("on the left", "at the left of the image"), "US") if f.name == "mass"
    )
    assert (mass.location.side, mass.location.cols) == (None, ("left",))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("T2 hyperintensity of the cord from C3 to C5.", "cord lesion"),
        ("Signal abnormality in the thoracic cord.", "cord lesion"),
        ("FLAIR hyperintensity in the frontal white matter.", "white matter lesion"),
        ("Reduced ADC in the prostate.", "restricted diffusion"),
        ("Marked diffusion restriction in the peripheral zone.", "restricted diffusion"),
        ("Restricted diffusion in the left frontal lobe.", "infarct"),
    ],
)
def test_a_signal_is_that_of_the_part_in_which_it_lies(text, name):
    assert [f.name for f in read(text, "MR")] == [name]


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("Dysplasia is not a feature.", "SM", [("dysplasia", "absent")]),
        ("Granulomas are not a prominent feature.", "SM", [("tissue granuloma", "absent")]),
        ("Non-polypoid lesion in the rectum.", "ES", [("lesion", "present")]),
        (
            "Lesion of the sigmoid colon, 0-IIc, with erosions.",
            "ES",
            [("lesion", "present"), ("erosion", "present")],
        ),
        ("The nodule was not present in 2020.", "CT", [("nodule", "present")]),
        ("This mass was not seen on the CT of March 2021.", "CT", [("mass", "present")]),
        ("The nodule is not present.", "CT", [("nodule", "absent")]),
    ],
)
def test_what_a_denial_reaches(text, modality, expected):
    assert [(f.name, f.polarity) for f in read(text, modality)] == expected


def test_a_distance_from_the_mouth_is_no_size_and_a_nerve_root_no_vertebra():
    (tumour,) = read("At 32 cm an ulcerated tumour extends to 37 cm.", "ES")
    assert tumour.shape.size_mm is None
    (disc,) = read("L4/5: Disc protrusion of 6 mm, compressing the left L5 nerve root.", "MR")
    assert "L5 vertebra" not in disc.location.anatomy


@pytest.mark.parametrize("word", ["os", "internal os"])
def test_the_os_of_the_cervix_is_no_left_eye(word):
    (found,) = read(f"Posterior placenta, low lying, covering the {word}.", "US")
    assert (found.name, found.location.side) == ("placenta praevia", None)


@pytest.mark.parametrize("name", ["melanoma", "melanocytic nevus", "basal cell carcinoma"])
def test_tumours_of_the_skin_are_seen_in_histology(name):
    assert [f.name for f in read(f"{name.capitalize()} in the dermis.", "SM")] == [name]
