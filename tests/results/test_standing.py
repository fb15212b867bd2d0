"""Which warnings hold once a finding was drawn anew."""

import numpy as np

from medsegr.results.standing import standing
from medsegr.reviews import Hints, Review
from medsegr.types import Finding, FindingResult


def item(name: str, column: int | None, *hints: Hints) -> FindingResult:
    """A finding drawn in one column of a small picture, or not drawn."""
    finding = Finding(name, "nodule", (0, 6), "nodule")
    if column is None:
        return FindingResult(finding, "not_found", "empty", review=Review(hints, 1))
    mask = np.zeros((4, 4), bool)
    mask[:, column] = True
    return FindingResult(finding, "segmented", mask=mask, review=Review(hints, 1) if hints else None)


WARNED = (
    ("whole_known", "f1: the whole is known"),
    ("drawn_as", "f1: drawn as polyp"),
    ("whole_known", "f11: of another"),
    ("looks_mirrored", "the image"),
    ("one_region", "f1, f2: drawn as one region"),
)


def codes(one: FindingResult, *others: FindingResult) -> list[str]:
    return [f"{code} {text.split(':')[0]}" for code, text in standing(WARNED, one, (one, *others))]


def test_advice_where_nothing_was_drawn_goes_with_the_mask_that_comes() -> None:
    kept = ["drawn_as f1", "whole_known f11", "looks_mirrored the image"]
    assert codes(item("f1", 0, Hints(points=((0.0, 0.0, 1),))), item("f2", 3)) == kept
    assert codes(item("f1", None), item("f2", 3)) == ["whole_known f1", *kept]


def test_a_painted_picture_is_not_the_model_s_and_a_painted_slice_leaves_the_others() -> None:
    painted = item("f1", 0, Hints(mask=True, painted=True))
    assert "drawn_as f1" not in codes(painted)
    assert "drawn_as f1" in codes(item("f1", 0, Hints(slice=2, mask=True, painted=True)))


def test_whether_two_are_one_region_is_asked_again() -> None:
    assert codes(item("f1", 3), item("f2", 3))[-1] == "one_region f1, f2"
