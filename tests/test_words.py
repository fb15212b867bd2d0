"""Words as given become a report."""

from dataclasses import replace

import pytest

from medsegr.types import Report
from medsegr.words import read_again, report_of_phrases, report_of_text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("There is a lump in the breast.", ["breast mass"]),
        ("I see a bump on the wall of the colon", ["lesion"]),
        ("A birthmark.", ["skin lesion"]),
        ("There is no lump.", ["mass"]),  # denied
        ("Indication: palpable lump in the axilla.", []),
        ("The lump is gone. The liver was examined.", []),  # a report, not one sentence
        ("The spot film shows a polyp.", ["polyp"]),  # it names a finding
        ("The liver was examined.", []),
    ],
)
def test_everyday_words_are_read_in_a_sentence_that_names_nothing_else(text: str, names: list[str]) -> None:
    report = report_of_text(text, None, None)
    assert [f.name for f in report.findings] == names
    assert bool(report.warnings) != bool(names)
    assert all(f.polarity == ("absent" if " no " in text else "present") for f in report.findings)


def test_a_section_that_the_words_do_not_have_is_said_with_those_they_have() -> None:
    text = "INDICATION: Cough.\nFINDINGS: A nodule."
    report = report_of_text(text, None, None, ("impression",))
    assert (report.findings, len(report.warnings)) == ((), 1)
    code, message = report.warnings[0]
    assert code == "nothing_read"
    assert "no section impression" in message
    assert "findings" in message
    asked = report_of_text(text, None, None, ("impression", "findings"))
    assert ([f.name for f in asked.findings], asked.warnings) == (["nodule"], ())
    empty = report_of_text("IMPRESSION: Fine weather.", None, None, ("impression",))
    told = "no finding was recognised in these words; ask by a phrase, such as 'right lung'"
    assert dict(empty.warnings)["nothing_read"] == told


def test_everyday_words_of_a_section_that_was_not_asked_for_are_not_read() -> None:
    assert report_of_text("There is a lump in the breast.", None, None, ("impression",)).findings == ()
    assert len(report_of_text("There is a lump in the breast.", None, None, ("findings",)).findings) == 1


@pytest.mark.parametrize(
    ("words", "code", "names"),
    [
        (report_of_phrases(["vessels", "polyp"], None, None), "OP", ["retinal vessels", "polyp"]),
        (report_of_text("There is hyperemia.", None, None), "US", ["hypervascularity"]),
        (
            report_of_text("HISTORY: oedema\nFINDINGS: hyperemia", None, None, ("findings",)),
            "US",
            ["hypervascularity"],
        ),
    ],
)
def test_what_was_read_before_the_kind_was_known_is_read_again(
    words: Report, code: str, names: list[str]
) -> None:
    noted = replace(words, warnings=(("of_the_file", "a note"), *words.warnings))
    again = read_again(noted, code, None, ("findings",) if words.sections else ())
    assert [f.name for f in words.findings] != names
    assert [f.name for f in again.findings] == names
    assert again.warnings[0] == ("of_the_file", "a note")
    assert again.text == words.text


def test_what_somebody_else_read_stays() -> None:
    words = report_of_phrases(["vessels"], None, None)
    other = replace(words, findings=(replace(words.findings[0], name="polyp"),))
    assert read_again(other, "OP", None) is other
    added = replace(words, findings=(*words.findings, words.findings[0]))
    assert read_again(added, "OP", None) is added
    empty = report_of_text("nothing here", "CR", None)
    assert read_again(replace(empty, text="a\n\nb"), "OP", None).findings == ()
