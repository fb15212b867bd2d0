"""Side, thirds and whose left: what words of place give, in the patient's frame and as a picture shows it."""

from typing import Any

import pytest

from medsegr.report.parse import parse

Told = tuple[str | None, str, tuple[str, ...], tuple[str, ...]]


def places(text: str, modality: str, **how: Any) -> list[Told]:
    """(side, whose it is, rows, cols) of every finding."""
    found = [finding.location for finding in parse(text, modality=modality, **how).findings]
    return [(place.side, place.side_frame, place.rows, place.cols) for place in found]


def body(side: str | None, *rows: str) -> Told:
    return side, "patient", rows, ()


def page(*cols: str, rows: tuple[str, ...] = ()) -> Told:
    return None, "patient", rows, cols


@pytest.mark.parametrize(
    ("modality", "text", "told"),
    [
        # a side is the body's in the patient's frame
        ("CR", "Opacity on the left.", [body("left")]),
        ("CR", "Opacity in the middle left lung.", [body("left", "middle")]),
        ("CR", "Opacity in the middle right zone.", [body("right", "middle")]),
        ("CR", "Opacity in the left lung, left base.", [body("left", "lower")]),
        ("CT", "Nodule in the left lower lobe of the left lung.", [body("left", "lower")]),
        ("CT", "Nodule in the inferior left lung.", [body("left", "lower")]),
        ("CT", "Nodule in the inferior left upper lobe.", [body("left", "upper")]),  # a part of the lobe
        # words for a page speak of the picture in any frame
        ("CR", "Opacity in the lower right corner.", [page("right", rows=("lower",))]),
        ("CR", "Opacity at the left of the image.", [page("left")]),
        ("CR", "Opacity at the top left.", [page("left", rows=("upper",))]),
        ("CR", "Opacity at the middle right.", [page("right", rows=("middle",))]),
        (
            "CR",
            "Opacity in the left lung at the top right of the image.",
            [("left", "patient", ("upper",), ("right",))],
        ),
        # as the viewer sees it, unless a paired organ has the side
        ("ES", "Polyp at the left.", [page("left")]),
        ("ES", "Polyp at the top centre.", [page("centre", rows=("upper",))]),
        ("ES", "Polyp in the centre.", [page("centre", rows=("middle",))]),
        ("US", "Mass at the left.", [page("left")]),
        ("US", "Mass in the left breast.", [body("left")]),
        ("US", "Mass in the left upper breast.", [body("left", "upper")]),
        ("US", "Nodule in the left lobe.", [body("left")]),
        ("US", "Cyst in the right kidney.", [body("right")]),
        ("US", "Cyst in the thyroid, on the left.", [body("left")]),
        ("US", "Cyst in the thyroid and in the left.", [body("left")]),
        # two sides
        ("CR", "Opacity in the left upper lobe and the right upper lobe.", [body("bilateral", "upper")]),
        (
            "CR",
            "Opacity in the left upper lobe and the right lower lobe.",
            [body("left", "upper"), body("right", "lower")],
        ),
        (
            "CR",
            "Nodules at the right base and the left apex.",
            [body("right", "lower"), body("left", "upper")],
        ),
        ("CR", "Opacity in the lung on the left and right.", [body("bilateral")]),
        ("CR", "Opacity in the upper left lung and on the right.", [body("bilateral", "upper")]),
        ("CR", "Opacity in the lungs, left greater than right.", [body("bilateral")]),
        ("CT", "Stones in both kidneys.", [body("bilateral")]),
        ("CR", "Bilateral lower zone and left lower zone opacities.", [body("bilateral", "lower")]),
        (
            "CR",
            "Bilateral opacities in the lower zones and in the left upper zone.",
            [body("bilateral", "lower"), body("left", "upper")],
        ),
        (
            "ES",
            "Polyps at 2 and 7 o'clock.",
            [page("right", rows=("upper",)), page("left", rows=("lower",))],
        ),
        # an organ that lies on one side tells it, several do not, and the finding's own organ need not
        ("CT", "Lesion in the spleen.", [body("left")]),
        ("CT", "Metastases in the liver and spleen.", [body(None)]),
        ("US", "Cyst of the spleen.", [body(None)]),
        ("ES", "Lesion in the spleen.", [body(None)]),
    ],
)
def test_where(modality: str, text: str, told: list[Told]) -> None:
    assert places(text, modality) == told


def test_asked_for_in_words_the_viewer_s_frame_holds_for_organs_too() -> None:
    assert places("Opacity in the left lung.", "CR", frame="viewer") == [("left", "viewer", (), ())]
    assert places("Lesion at the left.", "CR", frame="viewer") == [page("left")]
    assert places("Lesion of the liver.", "CT", frame="viewer") == [page()]


def named(text: str, modality: str = "CT") -> list[tuple[tuple[str, ...], int | None]]:
    return [(f.location.anatomy, f.shape.count) for f in parse(text, modality=modality).findings]


def test_a_number_begins_a_further_place_and_takes_the_organ_along() -> None:
    two = "Two cysts in the upper pole of the right kidney and one in the left."
    assert named(two) == [(("right upper pole of kidney", "right kidney"), 2), (("left kidney",), 1)]
    assert named("Two nodules on the left and three on the right.") == [((), 2), ((), 3)]
    again = "Nodules in the right upper lobe, the second at the left base."
    assert [count for _, count in named(again)] == [None, None], "the second is no further one"


def test_a_side_stands_before_the_name_of_a_paired_organ_once() -> None:
    assert named("Nodule in the left lower lobe of the left lung.") == [
        (("left lower lobe of lung", "left lung"), None)
    ]
    assert named("Breast mass, left.", "US") == [(("left breast",), None)]
    assert named("Left pleural effusion.", "CR") == [(("pleural space",), None)]
