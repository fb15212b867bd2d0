"""Tables with a column for each side."""

import pytest

from medsegr.report.columns import cells, lines
from medsegr.report.parse import parse

TABLE = (
    "Vessel | Right | Left\nCCA | plaque 3 mm | no plaque\nICA | no stenosis | stenosis 60 %\nComment: none."
)


def read(text: str, modality: str) -> list[tuple[str, str, str | None]]:
    found = parse(text, modality=modality).findings
    return [(f.name, f.polarity, f.location.side) for f in found]


def test_each_cell_is_told_of_its_side_and_row() -> None:
    found = parse(TABLE, modality="US").findings
    assert [(f.name, f.polarity, f.location.anatomy) for f in found] == [
        ("carotid plaque", "present", ("right common carotid artery",)),
        ("carotid plaque", "absent", ("left common carotid artery",)),
        ("carotid stenosis", "absent", ("right internal carotid artery",)),
        ("carotid stenosis", "present", ("left internal carotid artery",)),
    ]
    assert [f.shape.size_mm for f in found][:2] == [(3.0,), None]
    assert all(f.phrase == TABLE[slice(*f.span)] for f in found)


@pytest.mark.parametrize(
    "text",
    [
        "Item | OS | OD\nDrusen | yes | no",
        "| Item | OS | OD |\n|---|---|---|\n| Drusen | yes | no |",
        "     | OS | OD\nMacula | drusen | no drusen",
    ],
)
def test_columns_may_stand_in_any_order_and_frame(text: str) -> None:
    assert read(text, "OP") == [("drusen", "present", "left"), ("drusen", "absent", "right")]


def test_the_text_of_a_cell_is_as_long_as_the_whole() -> None:
    found = cells(TABLE, (0, len(TABLE)))
    assert [len(cell.text) for cell in found] == [len(TABLE)] * 4
    assert [cell.text[slice(*cell.span)].split() for cell in found[:2]] == [
        ["CCA:", "plaque", "3", "mm"],
        ["CCA:", "no", "plaque"],
    ]
    assert [TABLE[slice(*cell.head)] for cell in found] == ["Right", "Left", "Right", "Left"]


def test_other_tables_have_no_such_columns() -> None:
    text = "Finding | Side | Size\nMass | left | 12 mm"
    assert lines(text, (0, len(text))) == cells(text, (0, len(text))) == ()
    assert read(text, "MG") == [("breast mass", "present", "left")]
