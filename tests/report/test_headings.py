"""What stands under a heading, and what does not."""

from medsegr.report.parse import parse


def told(text: str, modality: str) -> list[tuple[str, str, str | None]]:
    found = parse(text, modality=modality).findings
    return [(f.name, f.polarity, f.location.side) for f in found]


def test_items_of_a_form_stand_under_a_line_that_is_a_side() -> None:
    text = "RIGHT\nMass: none\nCyst: yes, 6 mm\nLEFT\nMass: yes\nCyst: none\n"
    assert told(text, "US") == [
        ("mass", "absent", "right"),
        ("cyst", "present", "right"),
        ("mass", "present", "left"),
        ("cyst", "absent", "left"),
    ]


def test_a_side_ends_where_a_heading_of_no_place_begins() -> None:
    text = "Tumour: yes\nRight hemisphere: normal\nDiagnosis of the board: low grade glioma"
    assert told(text, "MR")[-1] == ("glioma", "present", None)


def test_an_hour_is_no_heading() -> None:
    text = "LEFT BREAST: dense.\nA cyst at 5:00 measures 5 mm."
    assert told(text, "MG")[-1] == ("breast cyst", "present", "left")
