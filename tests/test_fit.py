"""The training loop: configuration, schedule, learning something, and going on after a stop."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medsegr import batches, data, feed, fit
from medsegr.config import FitConfig, read_config, schedule, size_at
from medsegr.errors import InputError, UsageError
from medsegr.model import MedSegR
from medsegr.reasoning.codes import Vocabulary, vocabulary

ROOT = Path(__file__).resolve().parents[1]
TINY = FitConfig(
    phantoms={"cells": 1.0}, phantom_count=4, batch=2, sizes=((1.0, 64),), threads=1, minutes=0.02
)


def run_of(model: MedSegR, words: Vocabulary, out: Path) -> fit._Run:
    optimiser, average = fit.optimiser_of(model, TINY), fit.Average(model, 0.9)
    return fit._Run(model, optimiser, average, fit.State(), words, out, torch.zeros(()))


def sample(case: data.Case, cases: list[data.Case], rng: np.random.Generator) -> batches.Sample:
    return batches.render(case, batches.draw(case, cases, TINY.recipe, rng), 64)


def test_the_shipped_configuration_is_valid() -> None:
    config = read_config(ROOT / "configs" / "medsegr-tiny.toml")
    assert config.sets
    assert config.phantoms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("minuts = 3", "unknown key minuts"),
        ("[recipe]\nfoo = 1", "unknown key recipe.foo"),
        ("minutes = 3", "nothing to train on"),
        ("sizes = [[0.5, 64]]\n[phantoms]\ncells = 1", "add up to 1"),
        ("[phantoms]\nunicorns = 1", "unknown kind"),
    ],
)
def test_nonsense_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        read_config(tmp_path / "c.toml")


def test_a_missing_configuration_or_set_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(InputError, match="--data"):
        fit.load_cases(FitConfig(sets={"nothing": 1.0}), tmp_path, tmp_path, print)


def test_schedule_warms_up_then_falls() -> None:
    assert schedule(0.0, 0.04) < 0.05
    assert schedule(0.04, 0.04) == pytest.approx(1.0)
    assert schedule(1.0, 0.04) == pytest.approx(0.01)
    assert size_at(0.0, TINY.sizes) == 64
    assert [size_at(p, ((0.5, 128), (0.5, 224))) for p in (0.1, 0.6, 1.0)] == [128, 224, 224]


def test_a_run_learns_stops_and_goes_on(tmp_path: Path) -> None:
    cases = [data.phantom_case(m) for m in data.make_phantoms("cells", 1, 4, 96)]
    first = fit.fit(TINY, cases, tmp_path, lambda _line: None)
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    steps = stored["state"]["step"]
    assert steps >= 1
    again = fit.fit(replace(TINY, minutes=0.04), cases, tmp_path, lambda _line: None)
    later = torch.load(tmp_path / "last.pt", weights_only=True)
    assert later["state"]["step"] > steps
    assert later["codes"] == stored["codes"]
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_an_exported_checkpoint_is_a_start_and_new_codes_stay_fresh(tmp_path: Path) -> None:
    here, there = vocabulary(["polyp"], (), ["ES"]), vocabulary(["nucleus", "polyp"], (), ["ES"])
    trained, model = fit.build_model(here), fit.build_model(there)
    path = tmp_path / "mine.safetensors"
    trained.half().float()  # an export holds half precision
    stored = {k: v.half() if v.is_floating_point() else v for k, v in trained.state_dict().items()}
    save_file(stored, path, metadata={"codes": json.dumps(here.codes)})
    table = next(
        k for k, v in model.state_dict().items() if v.shape[:1] == (len(there.codes),) and v.ndim == 2
    )
    fresh = model.state_dict()[table].clone()
    assert fit.warm_start(path, model, there) == 1
    rows, old = model.state_dict()[table], trained.state_dict()[table]
    for code in here.codes:
        assert torch.equal(rows[there.index()[code]], old[here.index()[code]])
    new = there.index()["concept:nucleus"]
    assert torch.equal(rows[new], fresh[new])
    assert torch.equal(model.state_dict()["host.mask_decoder.tokens"], trained.host.mask_decoder.tokens)


def test_a_step_lowers_the_loss_of_its_batch(tmp_path: Path) -> None:
    cases = [data.phantom_case(m) for m in data.make_phantoms("cells", 1, 4, 96)]
    words = fit.vocabulary_of(cases)
    torch.manual_seed(0)
    model = fit.build_model(words).train()
    run = fit._Run(
        model,
        fit.optimiser_of(model, TINY),
        fit.Average(model, 0.9),
        fit.State(),
        words,
        tmp_path,
        torch.zeros(()),
    )
    stream = feed.samples_of(cases, TINY, 0)
    picked = [next(stream) for _ in range(4)]
    batch = feed.collate(
        [batches.render(c, batches.draw(c, cases, TINY.recipe, rng), 64) for c, rng in picked], words
    )
    losses = [fit.step(run, batch, TINY, 0.3)["loss"] for _ in range(12)]
    assert np.mean(losses[-3:]) < losses[0] - 0.1


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    cases = [data.phantom_case(m) for m in data.make_phantoms("cells", 1, 2, 96)]
    words = fit.vocabulary_of(cases)
    model = fit.build_model(words).train()
    run = fit._Run(
        model,
        fit.optimiser_of(model, TINY),
        fit.Average(model, 0.9),
        fit.State(),
        words,
        tmp_path,
        torch.zeros(()),
    )
    case, rng = next(feed.samples_of(cases, TINY, 0))
    batch = feed.collate([sample(case, cases, rng)] * 2, words)
    with pytest.raises(FloatingPointError, match="last checkpoint is kept"):
        fit.step(run, replace(batch, pixels=batch.pixels * float("nan")), TINY, 0.3)
