"""Organs that a finding lies in by its name, and whose place it takes then."""

import pytest

from medsegr.report.homes import GUT, home
from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse


@pytest.mark.parametrize(
    ("name", "organs"),
    [
        ("gallstone", {"gallbladder"}),
        ("liver cyst", {"liver"}),
        ("pancreatitis", {"pancreas"}),
        ("diverticulosis", GUT),
        ("cyst", set()),  # anywhere
        ("kidney cyst", set()),  # one of two
        ("pleural effusion", set()),
        ("ureterocele", set()),  # of one ureter
    ],
)
def test_only_organs_that_the_body_has_once_are_homes(name: str, organs: set[str]) -> None:
    assert home(concepts()[name]) == organs


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Left effusion, gallstones.", None),
        ("Left lower lobe consolidation and gallstones.", None),
        ("Left renal cyst with diverticulosis.", None),
        ("Gallstones with hydronephrosis on the right.", "right"),  # of the last, not of the stones
        ("Pancreatic tail cyst and pancreatitis.", "left"),  # of the same organ
        ("Left effusion and atelectasis.", "left"),  # of no organ of its own
    ],
)
def test_the_last_finding_takes_no_side_of_another_organ(text: str, side: str | None) -> None:
    first, last = parse(text, modality="CT").findings
    assert last.location.side == side
    assert "gallstone" not in first.name or first.location.side is None
