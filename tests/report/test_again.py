"""Words that stand for a finding named before."""

import pytest

from medsegr.report.parse import parse


def told(text: str, modality: str = "ES") -> list[tuple[object, ...]]:
    found = parse(text, modality=modality).findings
    return [(f.name, f.polarity, f.location.side, f.location.rows, f.location.cols) for f in found]


TOP_RIGHT = ("polyp", "present", None, ("upper",), ("right",))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("There is a polyp in the lower half of the image. Another is seen at the top right.", TOP_RIGHT),
        ("A polyp at the bottom; a second pedunculated one, 5 mm, lies in the upper right.", TOP_RIGHT),
        ("A polyp is at the bottom; a smaller one sits beside it at the top right.", TOP_RIGHT),
        ("Two polyps. The first is at the bottom left; the other is at the top right.", TOP_RIGHT),
        ("Two polyps: one, 4 mm, at the bottom, and a larger one at the top right.", TOP_RIGHT),
    ],
)
def test_another_is_a_finding_of_its_own(text: str, last: tuple[object, ...]) -> None:
    found = told(text)
    assert len(found) == 2
    assert found[-1] == last
    assert found[0] != last


def test_what_another_is_described_as_is_its_own() -> None:
    text = "A 12 mm sessile polyp at the bottom; a second pedunculated one, 5 mm, lies in the upper right."
    first, second = parse(text, modality="ES").findings
    assert (first.shape.size_mm, second.shape.size_mm) == ((12.0,), (5.0,))
    assert second.phrase.startswith("second pedunculated one")


@pytest.mark.parametrize(
    "text",
    [
        "A polyp in the upper left. Another possibility is a fold on the right.",
        "A polyp in the upper left. Another frame of the left colon follows.",
        "A polyp in the upper left. Another examination is planned.",
        "A polyp in the upper left. The other side is not shown.",
        "Another is seen at the top right.",
    ],
)
def test_another_thing_is_no_finding(text: str) -> None:
    assert len(told(text)) == text.count("polyp")


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("The right pleural effusion has resolved while the left persists.", "present", "absent"),
        ("The right effusion has resolved, the left persists.", "present", "absent"),
        ("The right effusion has resolved and the left one is unchanged.", "present", "absent"),
        ("The left effusion is larger, the right has resolved.", "present", "absent"),
        ("The left effusion has cleared; the right side has increased.", "absent", "present"),
    ],
)
def test_the_other_side_of_a_finding_has_a_state_of_its_own(text: str, left: str, right: str) -> None:
    found = {side: polarity for _, polarity, side, _, _ in told(text, "CR")}
    assert found == {"left": left, "right": right}


@pytest.mark.parametrize(
    "text",
    [
        "Right lung nodule, the left is clear.",
        "The right kidney has a cyst; the left is normal.",
        "The right kidney has a cyst; the left is unchanged.",
        "Nodule in the right lung; the left is unremarkable.",
    ],
)
def test_the_other_side_of_an_organ_is_no_finding(text: str) -> None:
    assert [side for _, _, side, _, _ in told(text, "CT")] == ["right"]
