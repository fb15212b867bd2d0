"""Which size is whose: that of an organ that is measured is no size of what lies in it."""

import pytest

from medsegr.report.parse import parse


def sizes(text: str, modality: str = "US") -> list[tuple[str, tuple[float, ...] | None]]:
    return [(f.name, f.shape.size_mm) for f in parse(text, modality=modality).findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Spleen: 11 cm, 15 mm splenunculus at the hilum.", [("accessory spleen", (15.0,))]),
        ("Left kidney: 11.2 cm, 10 mm cyst mid pole.", [("kidney cyst", (10.0,))]),
        ("Liver 15 cm, cyst 2 cm.", [("liver cyst", (20.0,))]),
        ("Uterus 8 x 4 x 5 cm, fibroid 3 cm.", [("fibroid", (30.0,))]),
        ("Right ovary: 3.1 cm, contains a cyst of 19 mm.", [("ovarian cyst", (19.0,))]),
        ("The right ovary measures 3 x 2 x 2 cm, cyst of 12 mm.", [("ovarian cyst", (12.0,))]),
        (
            "Spleen: 14 cm, enlarged, with a 2 cm cyst.",
            [("splenomegaly", (140.0,)), ("splenic cyst", (20.0,))],
        ),
        ("Ascending aorta 4.1 cm, aneurysmal.", [("aortic aneurysm", (41.0,))]),  # its own and only one
        ("Liver: 3 cm, hypoechoic lesion.", [("liver lesion", (30.0,))]),
    ],
)
def test_the_size_of_the_organ_is_not_the_findings(text: str, expected: list) -> None:  # type: ignore[type-arg]
    assert sizes(text) == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Tumour in the upper rectum, from 11 to 15 cm from the anal margin.", None),
        ("Tumour grown from 11 to 15 mm.", (15.0,)),
        ("A 3 cm deep laceration of the spleen.", (30.0,)),
        ("Laceration in segment VI, 3.5 cm deep, grade III.", (35.0,)),
        ("Mass 3 cm deep to the nipple.", None),
        ("Mass 2 cm deep, 12 mm.", (12.0,)),
    ],
)
def test_a_distance_is_no_size_and_a_depth_is(text: str, size: tuple[float, ...] | None) -> None:
    assert [size_mm for _, size_mm in sizes(text, "CT")] == [size]


def test_another_has_the_size_told_behind_it() -> None:
    text = (
        "Four liver lesions; the largest, in segment 6, measures 3.8 cm, and another in the left lobe 1.9 cm."
    )
    assert [size for _, size in sizes(text, "CT")][-2:] == [(38.0,), (19.0,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A mass with microcalcifications, 12 x 8 mm.", [(12.0, 8.0), None]),
        ("A cyst with calcification 4 x 3 mm.", [None, (4.0, 3.0)]),
        ("A nodule, cystic with comet tail artefact, 22 mm.", [(22.0,), None]),
        ("Grouped microcalcifications, 12 x 8 mm.", [(12.0, 8.0)]),
    ],
)
def test_the_size_behind_bright_foci_is_that_of_what_holds_them(text: str, expected: list) -> None:  # type: ignore[type-arg]
    assert [size for _, size in sizes(text)] == expected
