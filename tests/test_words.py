"""Words as given become a report."""

import pytest

from medsegr.words import report_of_text


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
