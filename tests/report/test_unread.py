"""What goes unread: statements by no name known here are told in their own words, and nothing else is."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.report.parse import parse
from medsegr.report.unread import MOST_TOLD

HERE = Path(__file__).parent
TOLD = [
    ("There is wrongleworm of the left lung.", "There is wrongleworm of the left lung"),
    ("The right hilum is wrongled and there is a left effusion.", "The right hilum is wrongled"),
    ("Mild tethering of the adjacent pleura.", "Mild tethering of the adjacent pleura"),
    ("No effusion. Widening of the disc space at L4-L5.", "Widening of the disc space at L4-L5"),
    ("The fourth ventricle is compressed.", "The fourth ventricle is compressed"),
    ("A 9 mm wrongleworm is at the hilum.", "A 9 mm wrongleworm is at the hilum"),
    ("Small left effusion, wrongleplasia of the pleura.", "wrongleplasia of the pleura"),
    ("IMPRESSION: There is bihilar prominence.", "There is bihilar prominence"),
]
SILENT = [
    "The heart size is normal. Lungs are clear. The fourth ventricle is unremarkable.",
    "No wrongleworm of the left lung. The pleura shows no tethering.",
    "Possible wrongleworm of the left lung.",
    "The wrongleworm of the left lung has resolved.",
    "INDICATION: wrongleworm of the left lung.\nFINDINGS: Small left effusion.",
    "The patient has had a wrongleworm of the foot for three years.",
    "Axial wrongleworm sequences of the brain were acquired.",
    "Recommend a wrongleworm of the left lung.",
    "WRONGLEWORM OF THE LEFT LUNG",
    "AP diameter 7 mm. BPD 48 mm.",
    "The left lower lobe. Right upper zone.",
    "There is XXXX of the left lung.",
    "Segment the wrongleworm of the left lung.",
    "A nodule in the left lung, measuring 9 mm, adjacent to the hilum.",
]


def told(text: str) -> list[str]:
    return [text[first:last] for first, last in parse(text, modality="CT").unread]


@pytest.mark.parametrize(("text", "passage"), TOLD)
def test_a_statement_by_no_known_name_is_told_in_its_own_words(text: str, passage: str) -> None:
    report = parse(text, modality="CT")
    assert [text[first:last] for first, last in report.unread] == [passage]
    at = text.index(passage)
    message = dict(report.warnings)["passage_unread"]
    assert f"(characters {at}-{at + len(passage)})" in message
    assert passage not in message  # warnings go into logs and manifests, which hold no word of a report


@pytest.mark.parametrize("text", SILENT)
def test_what_asks_for_no_mask_is_not_told(text: str) -> None:
    report = parse(text, modality="CT")
    assert report.unread == ()
    assert "passage_unread" not in dict(report.warnings)


def test_a_warning_of_many_passages_stays_short() -> None:
    text = "There is wrongleworm of the left lung. " * (MOST_TOLD + 2)
    (message,) = [said for code, said in parse(text, modality="CT").warnings if code == "passage_unread"]
    assert message.startswith(f"{MOST_TOLD + 2} passages")
    assert "and 2 more" in message


@pytest.mark.parametrize("path", sorted(HERE.glob("reports_development*.toml")), ids=lambda path: path.stem)
def test_passages_hold_no_finding_and_follow_each_other(path: Path) -> None:
    for one in tomllib.loads(path.read_text("utf-8"))["report"]:
        report = parse(one["text"], modality=one["modality"])
        edges = [edge for span in report.unread for edge in span]
        assert edges == sorted(edges)
        assert all(first < last for first, last in report.unread)
        for first, last in report.unread:
            assert not [f for f in report.findings if first <= f.span[0] and f.span[1] <= last], one["name"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abc .,;:-?\n0XL")) | st.characters(), max_size=120))
def test_any_text_is_looked_through(text: str) -> None:
    if text.strip():
        assert all(0 <= first < last <= len(text) for first, last in parse(text).unread)
