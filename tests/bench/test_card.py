"""The tables of the model card, and the intervals that validation writes into it."""

from medsegr.bench.card import sets_table
from medsegr.bench.validate import interval


def test_one_group_has_no_interval_in_the_table() -> None:
    row = {"targets": 9, "name": 0.888, "place": 0.9, "opposite": 0.8, "foreign drawn": 0.0}
    sets = {"alone": row | {"interval": None}, "many": row | {"interval": [0.85, 0.91]}}
    lines = sets_table({"validation": {"sets": sets}}).splitlines()
    assert "| 0.888 [one group] |" in lines[2]
    assert "| 0.888 [0.850, 0.910] |" in lines[3]


def test_validation_finds_an_interval_from_two_groups_on() -> None:
    assert interval([0.2, 0.4], ["a", "a"]) is None
    assert interval([0.4, 0.2], ["b", "a"]) == [0.2, 0.4]
    assert interval([0.2, 0.4], ["a", "b"]) == interval([0.4, 0.2], ["b", "a"])
