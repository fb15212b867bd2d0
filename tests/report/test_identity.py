"""One thing named twice in a statement: its place is told with one name, its look with the other."""

import pytest

from medsegr.report.parse import parse
from medsegr.types import Finding


def read(text: str, modality: str = "DMS") -> list[Finding]:
    return list(parse(text, modality=modality).findings)


@pytest.mark.parametrize(
    ("text", "colour", "form", "rows", "cols"),
    [
        ("The lesion in the upper half is a round pink papule.", "pink", "round", ("upper",), ()),
        ("Lesion 2 (lower left): oval black nodule.", "black", "oval", ("lower",), ("left",)),
        ("The photographed lesion is a bright red, round papule.", "red", "round", (), ()),
        (
            "The lesion at the right is an irregular, brown and scaly mass.",
            "brown",
            "irregular",
            (),
            ("right",),
        ),
    ],
)
def test_the_look_told_behind_is_that_of_the_thing(
    text: str, colour: str, form: str, rows: tuple[str, ...], cols: tuple[str, ...]
) -> None:
    (one,) = read(text)
    assert (one.name, one.texture.colour, one.shape.form) == ("skin lesion", colour, form)
    assert (one.location.rows, one.location.cols) == (rows, cols)


@pytest.mark.parametrize(
    "text",
    [
        "The lesion is not a papule.",
        "The lesion is probably a papule.",
        "The lesion at the left and there is a papule at the right.",
        "A lesion with a papule.",
    ],
)
def test_what_is_denied_doubted_or_beside_it_stays_another(text: str) -> None:
    assert len(read(text)) == 2


def test_the_parts_of_an_item_of_a_form_tell_of_one_mass() -> None:
    form = "Mass: shape oval; margin circumscribed; density equal; size 9 mm; location 2 o'clock"
    text = f"Right breast:\n1. {form}"
    (mass,) = read(text, "MG")
    assert (mass.name, mass.location.side, mass.location.rows) == ("breast mass", "right", ("upper",))
    assert (mass.shape.form, mass.shape.margin, mass.texture.density) == ("oval", "smooth", "iso")
    assert mass.shape.size_mm == (9.0,)


def test_a_depth_of_the_breast_is_no_row() -> None:
    (mass,) = read("Oval mass in the upper outer quadrant of the left breast, middle depth.", "MG")
    assert mass.location.rows == ("upper",)


def test_the_larger_of_two_keeps_its_own_look_and_the_side_of_both() -> None:
    larger, smaller = read(
        "Two masses in the left breast. The larger is lobulated and measures 24 mm at 2 o'clock. "
        "The smaller is round and lies in the lower outer quadrant.",
        "MG",
    )
    assert [(one.location.side, one.shape.count) for one in (larger, smaller)] == [("left", None)] * 2
    assert (larger.shape.form, larger.shape.size_mm) == ("lobulated", (24.0,))
    assert (smaller.shape.form, smaller.shape.size_mm) == ("round", None)


def test_one_of_two_stands_for_both_until_the_other_is_told_of() -> None:
    (both,) = read("Two brown naevi. The larger lies at the left.")
    assert (both.shape.count, both.location.cols) == (2, ("left",))


def test_what_explains_a_sign_looks_like_it() -> None:
    lesion, carcinoma = read("Pink oval papule of 7 mm, consistent with basal cell carcinoma.")
    assert carcinoma.name == "basal cell carcinoma"
    assert (
        (carcinoma.texture.colour, carcinoma.shape.form)
        == (lesion.texture.colour, "oval")
        == ("pink", "oval")
    )
    assert carcinoma.shape.size_mm == (7.0,)


def test_a_look_behind_an_article_is_that_of_the_second_thing() -> None:
    nodule, naevus = read("A lobulated nodule arises in a brown congenital naevus.")
    assert (nodule.texture.colour, naevus.texture.colour) == (None, "brown")


@pytest.mark.parametrize("said", ["It is well circumscribed and measures 3.2 cm.", "It measures 32 mm."])
def test_it_stands_for_what_was_named_last(said: str) -> None:
    (mass,) = read(f"A lobulated mass is noted in the right breast. {said}", "MG")
    assert (mass.shape.form, mass.shape.size_mm, mass.location.side) == ("lobulated", (32.0,), "right")
    assert mass.shape.margin == ("smooth" if "circumscribed" in said else None)


def test_what_it_is_not_is_no_look() -> None:
    (nodule,) = read("Nodule in the left lung. It is not calcified.", "CR")
    assert nodule.texture.density is None
