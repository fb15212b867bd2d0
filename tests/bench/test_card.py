"""The tables of the model card, and the intervals that validation writes into it."""

from pathlib import Path

import pytest

from medsegr import weights
from medsegr.bench.card import END, LICENCES, MARKER, bands, model_card, readme_part, sets_table
from medsegr.bench.validate import interval


def test_one_group_has_no_interval_in_the_table() -> None:
    row = {"targets": 9, "name": 0.888, "place": 0.9, "opposite": 0.8, "foreign drawn": 0.0}
    sets = {"alone": row | {"interval": None}, "many": row | {"interval": [0.85, 0.91]}}
    lines = sets_table({"validation": {"sets": sets}}).splitlines()
    assert "| 0.888 [one group] |" in lines[2]
    assert "| 0.888 [0.850, 0.910] |" in lines[3]


def test_what_is_drawn_beside_a_target_has_a_column_and_its_number() -> None:
    row = {"targets": 9, "name": 0.888, "place": 0.9, "opposite": 0.8, "foreign drawn": 0.0, "interval": None}
    sets = {"none": row | {"beside": 0}, "some": row | {"drawn beside": 0.253, "beside": 92}, "before": row}
    lines = sets_table({"validation": {"sets": sets}}).splitlines()
    assert lines[0].endswith("| drawn in a part without it |")
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["", "25% of 92", ""]


def test_validation_finds_an_interval_from_two_groups_on() -> None:
    assert interval([0.2, 0.4], ["a", "a"]) is None
    assert interval([0.4, 0.2], ["b", "a"]) == [0.2, 0.4]
    assert interval([0.2, 0.4], ["a", "b"]) == interval([0.4, 0.2], ["b", "a"])


def test_what_is_bad_is_named_whatever_its_set() -> None:
    row = {"interval": None, "name": 0.7, "place": 0.7, "opposite": 0.7, "foreign drawn": 0.0}
    large = row | {"targets": 9, "by target": {"left lung": (0.95, 8), "tube": (0.031, 1)}}
    small = row | {"targets": 3, "by target": {"polyp": (0.8, 1), "lesion": (0.5, 2)}}
    card = {"validation": {"sets": {"cxr_a": large, "polyp_b": small}}}
    assert bands(card).splitlines() == [
        "- 0.8 and more: polyp in endoscopy 0.800 (1).",
        "- 0.5 to 0.8: lesion in endoscopy 0.500 (2).",
        "- **Below 0.5, so bad**: tube in chest films 0.031 (1).",
    ]
    (line,) = sets_table(card, whole=False).splitlines()[2:]
    assert line.startswith("| left lung, tube in chest films (`cxr_a`) | 9 |")


@pytest.mark.weights
def test_what_may_be_done_with_weights_hangs_on_all_sets_that_they_learned_from() -> None:
    for name in weights.names():
        card = weights.read_card(name)
        restricted = [one for one in card["sets"] if "NC" in LICENCES[one]]
        assert bool(restricted) == ("NC" in card["licence"]), (name, restricted)
        assert set(card["sets"]) >= set(card["validation"]["sets"])


@pytest.mark.weights
def test_the_readme_and_the_card_tell_the_numbers_of_the_checkpoint() -> None:
    if not weights.names():
        pytest.skip("the embedded checkpoint is not here")
    for name in weights.names():
        told = model_card(weights.read_card(name))
        assert weights.find(name)[1].with_suffix(".md").read_text(encoding="utf-8") == told, name
    card = weights.read_card(weights.DEFAULT)
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    part = MARKER + page.partition(MARKER)[2].partition(END)[0] + END
    assert part == readme_part(card), "run python -m medsegr.bench.card"
