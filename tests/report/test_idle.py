"""Where a cue does not act."""

import pytest

from medsegr.report.parse import parse


@pytest.mark.parametrize(
    ("text", "name", "polarity", "time"),
    [
        ("Skin tags, a healed fissure posteriorly.", "skin tag", "present", "current"),
        (
            "Moderate hydronephrosis, new compared to the scan of last week.",
            "hydronephrosis",
            "present",
            "new",
        ),
        ("The effusion has resolved.", "pleural effusion", "absent", "resolved"),
    ],
)
def test_a_cue_acts_back_only_where_it_speaks_of_what_stands_before(text, name, polarity, time):
    found = [f for f in parse(text, modality="CT").findings if f.name == name]
    assert [(f.polarity, f.time) for f in found] == [(polarity, time)]


def test_a_denial_ends_where_its_meaning_is_told():
    found = parse("The vein does not opacify, suspicious for thrombosis.", modality="CT").findings
    assert [f.polarity for f in found if "thromb" in f.phrase] == ["uncertain"]
