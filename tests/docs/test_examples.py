"""The examples run as they stand, and say something."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medsegr.fitting.config import FitConfig, read_config
from medsegr.samples.asking import Recipe
from medsegr.samples.layouts import Hints

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


FEW = {"fine_tune": ("4",)}  # arguments with which an example does the same in less time


@pytest.mark.weights
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "medsegr.load()" in path.read_text(encoding="utf-8"):
        from medsegr import weights

        if not weights.names():
            pytest.skip("the embedded checkpoint is not here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), *FEW.get(path.stem, ())])
    monkeypatch.syspath_prepend(str(path.parent))
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_what_a_search_found_is_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    path = next(one for one in EXAMPLES if one.stem == "search")
    monkeypatch.syspath_prepend(str(path.parent))
    search = runpy.run_path(str(path))
    found = FitConfig(lr=3e-4, tune="lora", cooling=0.0, recipe=Recipe(absent=0.1), phantoms={"cells": 1.0})
    (tmp_path / "best.toml").write_text(search["toml"](found))
    read = read_config(tmp_path / "best.toml", {"mine": 1.0})
    assert (read.lr, read.tune, read.cooling, read.recipe.absent) == (3e-4, "lora", 0.0, 0.1)
    assert read.sizes == found.sizes


def test_trials_that_cannot_be_compared_are_studies_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    path = next(one for one in EXAMPLES if one.stem == "search")
    monkeypatch.syspath_prepend(str(path.parent))
    study_of = runpy.run_path(str(path))["study_of"]
    config, hints = FitConfig(phantoms={"cells": 1.0}, steps=100), Hints("polyp", "ES")
    names = [
        study_of(tmp_path, hints, config),
        study_of(tmp_path, hints, replace(config, steps=200)),
        study_of(tmp_path, hints, replace(config, sizes=((1.0, 96),))),
        study_of(tmp_path, Hints("ulcer", "ES"), config),
        study_of(tmp_path / "other", hints, config),
    ]
    assert len({*names}) == len(names)
    assert study_of(tmp_path, hints, replace(config, lr=1e-5)) == names[0]  # what is searched parts nothing


def test_all_are_listed() -> None:
    page = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    assert all(f"`{path.name}`" in page for path in EXAMPLES)
