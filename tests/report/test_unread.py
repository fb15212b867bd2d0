"""What goes unread: statements by no name known here are told, and nothing else is."""

import pytest

from medsegr.report.parse import parse

TOLD = [
    ("There is wrongleworm of the left lung.", "There is wrongleworm of the left lung"),
    ("The right hilum is pulled up and there is a left effusion.", "The right hilum is pulled up"),
    ("Mild tethering of the adjacent pleura.", "Mild tethering of the adjacent pleura"),
    ("No effusion. Widening of the disc space at L4-L5.", "Widening of the disc space at L4-L5"),
]


@pytest.mark.parametrize(("text", "passage"), TOLD)
def test_a_statement_by_no_known_name_is_told_in_its_own_words(text: str, passage: str) -> None:
    report = parse(text, modality="CR")
    assert [text[first:last] for first, last in report.unread] == [passage]
    codes = dict(report.warnings)
    assert f"'{passage}'" in codes["passage_unread"]
