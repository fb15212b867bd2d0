"""The configuration of a run: what is refused by name, and the schedule."""

from pathlib import Path

import pytest

from medsegr.bench.peers import read_methods
from medsegr.errors import InputError, UsageError
from medsegr.fitting.config import FitConfig, part_of, read_config, schedule, size_at

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_are_valid(path: Path) -> None:
    config = read_config(path)
    assert config.sets
    assert config.phantoms
    assert not config.steps


def test_the_comparisons_of_the_evidence_can_be_made_again() -> None:
    folder = ROOT / "configs" / "compare"
    assert read_config(folder / "peers.toml").sets
    assert read_config(folder / "peers-steps.toml").steps
    assert read_config(folder / "heads.toml").phantoms
    assert {method.name for method in read_methods(str(folder / "heads-methods.toml"))} == {
        "medsegr-tiny",
        "decoder-only",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("minuts = 3", "unknown key minuts"),
        ("[recipe]\nfoo = 1", "unknown key recipe.foo"),
        ("minutes = 3", "nothing to train on"),
        ("sizes = [[0.5, 64]]\n[phantoms]\ncells = 1", "add up to 1"),
        ("sizes = [[2.0, 64], [-1.0, 96]]\n[phantoms]\ncells = 1", "0 or more, must add up to 1"),
        ("sizes = [[nan, 64]]\n[phantoms]\ncells = 1", "0 or more, must add up to 1"),
        ("minutes = nan\n[phantoms]\ncells = 1", "minutes: nan came where 0 or more was expected"),
        ("seed = -1\n[phantoms]\ncells = 1", "seed: -1 came where at least 0 was expected"),
        ("phantom_seed = -1\n[phantoms]\ncells = 1", "phantom_seed: -1 came where at least 0"),
        ("phantom_count = 0\n[phantoms]\ncells = 1", "phantom_count: 0 came where at least 1"),
        ("validate_cases = 0\n[phantoms]\ncells = 1", "validate_cases: 0 came where at least 1"),
        ("sizes = [[1.0, 50]]\n[phantoms]\ncells = 1", "multiples of 32"),
        ("[phantoms]\nunicorns = 1", "unknown kind"),
        ('precision = "fp8"\n[phantoms]\ncells = 1', "precision: 'fp8' is not known; known are auto"),
        (
            'tune = "some"\n[phantoms]\ncells = 1',
            "tune: 'some' is not known; known are all, decoder, words, lora, presence",
        ),
        ('clock = "sun"\n[phantoms]\ncells = 1', "clock: 'sun' is not known; known are wall, processor"),
        ("accumulate = 0\n[phantoms]\ncells = 1", "accumulate: 0 came where at least 1"),
        ("tilts = [10, 60]\n[phantoms]\ncells = 1", "tilts: -45 to 45 degrees, but not 0, were"),
        ("tilts = [0]\n[phantoms]\ncells = 1", "tilts: -45"),
        ('batch = "8"\n[phantoms]\ncells = 1', "batch: '8' came where a whole number was expected"),
        ("steps = 1.5\n[phantoms]\ncells = 1", "steps: 1.5 came where a whole number was expected"),
        ("sizes = [64]\n[phantoms]\ncells = 1", "sizes are pairs of a share and pixels"),
        ('sets = ["a"]', r"sets: \['a'\] came where a table of names and weights was expected"),
        ('[phantoms]\ncells = "a"', "phantoms.cells: the weight 'a' came where 0 or more"),
        ("[sets]\na = -1", "sets.a: the weight -1 came where 0 or more was expected"),
        ("recipe = 3\n[phantoms]\ncells = 1", "recipe: 3 came where a table of keys was expected"),
        ("[recipe]\nabsent = 7\n[phantoms]\ncells = 1", "recipe.absent: 7 came where 0 to 1 was expected"),
        ("[weights]\npresence = -1\n[phantoms]\ncells = 1", "weights.presence: -1 came where 0 or more"),
        ("lr = -1.0\n[phantoms]\ncells = 1", "lr: -1.0 came where a number above 0 was expected"),
        ("ema = 3.0\n[phantoms]\ncells = 1", "ema: 3.0 came where 0 to 1 was expected"),
        ("cooling = -3\n[phantoms]\ncells = 1", "cooling: -3 came where 0 to 1 was expected"),
        ('mixed = "false"\n[phantoms]\ncells = 1', "mixed: 'false' is not known; known are false, true"),
    ],
)
def test_nonsense_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        read_config(tmp_path / "c.toml")


def test_sets_are_those_of_the_file_or_else_those_that_are_given(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("lr = 0.01")
    assert read_config(path, {"mine": 2.0}).sets == {"mine": 2.0}
    path.write_text("[sets]\na = 1")
    assert read_config(path, {"mine": 2.0}).sets == {"a": 1}


def test_a_missing_configuration_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_config(tmp_path / "none.toml")


def test_schedule_warms_up_then_falls() -> None:
    assert schedule(0.0, 0.04) < 0.05
    assert schedule(0.04, 0.04) == pytest.approx(1.0)
    assert schedule(1.0, 0.04) == pytest.approx(0.01)
    assert [size_at(p, ((0.5, 128), (0.5, 224))) for p in (0.1, 0.6, 1.0)] == [128, 224, 224]


def test_a_run_is_over_by_its_clock_or_by_its_steps() -> None:
    clocked = FitConfig(phantoms={"cells": 1.0}, minutes=2.0)
    assert [part_of(clocked, 999, s) for s in (0.0, 60.0, 120.0, 500.0)] == [0.0, 0.5, 1.0, 1.0]
    counted = FitConfig(phantoms={"cells": 1.0}, minutes=2.0, steps=4)
    assert [part_of(counted, n, 9999.0) for n in (0, 2, 4, 5)] == [0.0, 0.5, 1.0, 1.0]
