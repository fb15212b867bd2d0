"""The training loop: learning something, going on after a stop to the same bits, and how it ends badly."""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsegr import data, fit
from medsegr.errors import MedsegrError, MissingExtra
from medsegr.fitting import logbook, saved, watch
from medsegr.fitting.cases import load_cases, vocabulary_of
from medsegr.fitting.config import FitConfig, part_of, read_config
from medsegr.samples import batches, feed

TINY = FitConfig(
    phantoms={"cells": 1.0},
    phantom_count=4,
    batch=2,
    sizes=((1.0, 64),),
    threads=1,
    minutes=0.02,
    device="cpu",
    log_every=1,
)
TINY_TOML = {
    "batch": 4,
    "sizes": [[1.0, 64]],
    "phantom_count": 4,
    "threads": 1,
    "device": "cpu",
    "log_every": 1,
}
STEPS = replace(TINY, steps=4, save_minutes=0.0, validate_every=2, accumulate=2, batch=1, cooling=0.5)


def quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def cases() -> list[data.Case]:
    """Four phantoms; one is held out."""
    made = [data.phantom_case(m) for m in data.make_phantoms("cells", 1, 4, 96)]
    return [replace(case, validation=i == 3) for i, case in enumerate(made)]


def run_of(cases: Sequence[data.Case], out: Path, config: FitConfig = TINY) -> fit.Run:
    torch.manual_seed(0)
    fabric = fit.fabric_of(config)
    return fit._begin(config, cases, out, (fabric, fit.Beginning(), quiet))


def batch_of(cases: Sequence[data.Case], count: int) -> feed.Batch:
    stream = feed.samples_of(cases, TINY, 0)
    picked = [next(stream) for _ in range(count)]
    made = [
        batches.render(c, batches.draw(c, batches.by_set(cases), TINY.recipe, rng), 64) for c, rng in picked
    ]
    return feed.collate(made, vocabulary_of(cases), [c.id for c, _ in picked])


def same(one: Any, two: Any) -> bool:
    """Equal to the bit, through all mappings and lists."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


def test_minutes_of_the_processor_do_not_count_what_others_take(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = itertools.count()  # ten seconds from each look at the clock to the next
    monkeypatch.setattr(fit.time, "thread_time", lambda: 10.0 * next(spent))
    fit.fit(replace(TINY, minutes=0.5, clock="processor"), cases, tmp_path, quiet)
    assert saved.read(tmp_path / "last.pt")["state"]["step"] == 3


def test_a_run_that_is_over_makes_no_more_batches(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends while its thread is in torch is aborted, with all its weights written."""
    collate = feed.collate

    def slowly(*given: Any) -> feed.Batch:
        time.sleep(0.3)
        return collate(*given)

    monkeypatch.setattr(feed, "collate", slowly)
    fit.fit(replace(TINY, minutes=1e-6), cases, tmp_path, quiet)
    assert feed.THREAD not in {thread.name for thread in threading.enumerate()}


def test_a_run_of_minutes_learns_stops_and_goes_on(tmp_path: Path, cases: list[data.Case]) -> None:
    first = fit.fit(TINY, cases, tmp_path, quiet)
    stored = saved.read(tmp_path / "last.pt")
    steps = stored["state"]["step"]
    assert steps >= 1
    longer = stored["state"]["seconds"] / 60 + 0.01
    again = fit.fit(replace(TINY, minutes=longer), cases, tmp_path, quiet)
    later = saved.read(tmp_path / "last.pt")
    assert later["state"]["step"] > steps
    assert later["codes"] == stored["codes"]
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, cases: list[data.Case]) -> None:
    whole = tmp_path / "whole"
    config = replace(STEPS, words_lr=0.5)
    fit.fit(config, cases, whole, quiet)
    for killed_at in (1,):
        out = tmp_path / f"killed{killed_at}"
        with pytest.raises(KeyboardInterrupt):
            fit.fit(config, cases, out, quiet, progress=killer(killed_at))
        assert saved.read(out / "last.pt")["state"]["step"] < 4
        fit.fit(config, cases, out, quiet)
        one, two = saved.read(whole / "last.pt"), saved.read(out / "last.pt")
        for clock in ("seconds", "judged_after"):
            one["state"].pop(clock)
            two["state"].pop(clock)
        assert same(one, two)
        for name in (logbook.STEPS, logbook.CHECKS):
            rows = [logbook.read_rows(folder / name) for folder in (whole, out)]
            for row in (*rows[0], *rows[1]):
                row.pop("minutes")
            assert rows[0] == rows[1]
        assert [row["step"] for row in rows[0]] == [2, 4]


def killer(step: int) -> Any:
    """A listener that ends the run in the middle of the step after ``step``, before that is saved."""
    heard = []

    def listen(_part: float, _left: str) -> None:
        heard.append(1)
        if len(heard) == step + 1:
            raise KeyboardInterrupt

    return listen


def test_workers_do_not_change_the_run(tmp_path: Path, cases: list[data.Case]) -> None:
    config = replace(STEPS, steps=2, validate_every=0)
    for workers in (0, 2):
        fit.fit(replace(config, workers=workers), cases, tmp_path / str(workers), quiet)
    one, two = (saved.read(tmp_path / str(n) / "last.pt") for n in (0, 2))
    assert same(one["model"], two["model"])


def test_a_run_of_another_version_goes_on(tmp_path: Path, cases: list[data.Case]) -> None:
    """What it did not note is as at the beginning; what is noted no more is left out."""
    fit.fit(replace(TINY, steps=1), cases, tmp_path, print)
    stored = saved.read(tmp_path / "last.pt")
    del stored["state"]["judged_after"]
    torch.save({**stored, "state": {**stored["state"], "stopped": False}}, tmp_path / "last.pt")
    fit.fit(replace(TINY, steps=2), cases, tmp_path, print)
    state = saved.read(tmp_path / "last.pt")["state"]
    assert state["step"] == 2
    assert "stopped" not in state


def test_a_run_that_stops_getting_better_ends_early_and_keeps_the_best(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = iter([0.3, 0.5, 0.4, 0.45, 0.9])
    monkeypatch.setattr(watch.Watch, "judge", lambda _self, _state: {"dice": next(marks)})
    lines: list[str] = []
    config = replace(TINY, steps=9, validate_every=1, patience=2)
    fit.fit(config, cases, tmp_path, lines.append)
    last, best = (saved.read(tmp_path / name) for name in ("last.pt", "best.pt"))
    assert last["state"]["step"] == 4
    assert (best["state"]["step"], best["state"]["best"]) == (2, 0.5)
    assert any("stopped early: no better" in line for line in lines)

    fit.fit(config, cases, tmp_path, lines.append)
    assert saved.read(tmp_path / "last.pt")["state"]["step"] == 4
    assert "stopped early before" in lines[-1]
    marks = iter([0.9] * 5)
    fit.fit(replace(config, patience=5), cases, tmp_path, lines.append)  # whoever is more patient goes on
    assert saved.read(tmp_path / "last.pt")["state"]["step"] == 9
    assert saved.read(tmp_path / "best.pt")["state"]["step"] == 5
    lines.clear()
    fit.fit(replace(config, patience=1), cases, tmp_path, lines.append)
    assert not any("stopped early before" in line for line in lines), "a run at its end has nothing to go on"


def test_a_longer_run_goes_on_validating_at_its_own_distance(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.Watch, "judge", lambda _self, _state: {"dice": 0.5})
    fit.fit(replace(TINY, steps=4, validate_every=1), cases, tmp_path, quiet)
    fit.fit(replace(TINY, steps=8, validate_every=2), cases, tmp_path, quiet)
    assert [row["step"] for row in logbook.read_rows(tmp_path / "validation.csv")] == [1, 2, 3, 4, 6, 8]


def test_a_validation_is_due_at_multiples_of_its_minutes() -> None:
    config = replace(TINY, steps=0, minutes=3.0, validate_every=0.5)
    state = saved.State(step=7, seconds=29.0)
    assert not fit.due(config, state)
    state.seconds = 31.0
    assert fit.due(config, state)
    state.judged_after = 31.0
    state.seconds = 59.0
    assert not fit.due(config, state)
    state.seconds = 60.5
    assert fit.due(config, state)
    state.seconds = 180.0  # the end has its own
    assert not fit.due(config, state)


def test_without_held_out_cases_a_run_says_that_it_does_not_validate(
    tmp_path: Path, cases: list[data.Case]
) -> None:
    lines: list[str] = []
    fit.fit(replace(TINY, steps=1, validate_every=1), cases[:3], tmp_path, lines.append)
    assert any("no validation" in line for line in lines)
    assert not (tmp_path / "best.pt").exists()


def test_every_row_tells_the_time_left(tmp_path: Path, cases: list[data.Case]) -> None:
    lines: list[str] = []
    fit.fit(replace(TINY, steps=2), cases, tmp_path, lines.append)
    assert all("left=" in line for line in lines if line.startswith("train step="))
    assert logbook.clock(75) == "1:15"
    assert logbook.clock(3700) == "1:01:40"
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_step_lowers_the_loss_of_its_batch(tmp_path: Path, cases: list[data.Case]) -> None:
    run, batch = run_of(cases, tmp_path), batch_of(cases[:3], 4)
    losses = [fit.step(run, [batch], TINY, 0.3)["loss"] for _ in range(8)]
    assert np.mean(losses[-3:]) < losses[0] - 0.1


@pytest.mark.parametrize("words_lr", [1.0, 1e-9])
def test_what_reads_words_learns_at_its_own_rate(
    tmp_path: Path, cases: list[data.Case], words_lr: float
) -> None:
    """The first step opens the exits towards the words, so the second is the first that reaches them."""
    run = run_of(cases, tmp_path, replace(TINY, words_lr=words_lr))
    before = {name: value.clone() for name, value in run.kept.model.state_dict().items()}
    for _ in range(2):
        fit.step(run, [batch_of(cases, 2)], TINY, 0.5)
    moved = {"words": 0.0, "rest": 0.0}
    for name, parameter in run.kept.model.named_parameters():
        part = "words" if name.startswith(("tokens.", "fusion.")) else "rest"
        moved[part] = max(moved[part], float((parameter.detach() - before[name]).abs().max()))
    assert moved["rest"] > 1e-4
    assert (moved["words"] > 1e-4) == (words_lr == 1.0)
    assert moved["words"] > 0


def test_a_batch_weighs_as_much_of_its_step_as_its_samples(tmp_path: Path, cases: list[data.Case]) -> None:
    """A gradient that is the mean over batches would let the samples of a smaller one count for more."""
    batch = batch_of(cases, 2)
    went = []
    for share in (1.0, 1.5):
        run = run_of(cases, tmp_path / str(share))
        fit.step(run, [replace(batch, share=share)], replace(TINY, clip=1e9), 0.1)
        grads = [p.grad.flatten() for p in run.kept.model.parameters() if p.grad is not None]
        went.append(torch.cat(grads))
    assert float(went[0].norm()) > 0
    torch.testing.assert_close(went[1], 1.5 * went[0], rtol=1e-3, atol=1e-5)


def test_half_precision_trains(tmp_path: Path, cases: list[data.Case]) -> None:
    config = replace(TINY, precision="bf16-mixed")
    terms = fit.step(run_of(cases, tmp_path, config), [batch_of(cases[:3], 2)], config, 0.3)
    assert np.isfinite(terms["loss"])


def test_a_loss_that_is_not_finite_names_step_and_pictures(tmp_path: Path, cases: list[data.Case]) -> None:
    run, batch = run_of(cases, tmp_path), batch_of(cases[:3], 2)
    broken = replace(batch, pixels=batch.pixels * float("nan"))
    with pytest.raises(MedsegrError, match=f"at step 1, batch of {batch.cases[0]}.*begin another run"):
        fit.step(run, [batch, broken], TINY, 0.3)


def test_a_run_that_meets_such_a_loss_keeps_what_it_saved(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, steps=3, save_minutes=0.0)
    whole = feed.Numbered.__getitem__

    def second_is_broken(source: feed.Numbered, index: int) -> feed.Batch:
        batch = whole(source, index)
        return replace(batch, pixels=batch.pixels * float("nan")) if index == 1 else batch

    monkeypatch.setattr(feed.Numbered, "__getitem__", second_is_broken)
    with pytest.raises(MedsegrError, match="at step 2"):  # as log.csv counts them
        fit.fit(config, cases, tmp_path, quiet)
    stored = saved.read(tmp_path / "last.pt")
    assert stored["state"]["step"] == 1
    assert all(v.isfinite().all() for v in stored["average"].values())


@pytest.mark.slow
def test_two_processes_share_a_run(tmp_path: Path) -> None:
    told = dict(TINY_TOML, steps=3, accumulate=2, validate_every=2)
    body = "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())
    (tmp_path / "c.toml").write_text(body + "[phantoms]\ncells = 1.0\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "medsegr.fit"]
    command += ["--config", str(tmp_path / "c.toml"), "--out", str(tmp_path / "run")]
    for _ in range(2):  # the second call finds nothing left to do
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        state = saved.read(tmp_path / "run" / "last.pt")["state"]
        assert (state["step"], state["images"]) == (3, 3 * 2 * 2 * 3)


@pytest.mark.slow
def test_two_processes_learn_what_one_does_from_the_same_batches(tmp_path: Path) -> None:
    """Batches of five (seven of small pictures), shared by two processes, or one takes both parts in turn.

    The steps that the weights go agree within a hundredth of their length; with one part of every batch alone
    they would not by far. Running statistics are of the first process and left out.
    """
    told = dict(TINY_TOML, steps=3, batch=5)
    body = "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())
    (tmp_path / "c.toml").write_text(body + "[phantoms]\ncells = 1.0\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "medsegr.fit"]
    command += ["--config", str(tmp_path / "c.toml"), "--out", str(tmp_path / "run")]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    stored = saved.read(tmp_path / "run" / "last.pt")
    assert stored["state"]["images"] == 3 * 7  # of both processes
    shared = stored["model"]
    config = read_config(tmp_path / "c.toml")
    cases = load_cases(config, {}, tmp_path / "cache", quiet)

    def alone(ranks: Sequence[int]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Weights before and after one process has taken the batches of these."""
        torch.manual_seed(config.seed)
        run = fit._begin(
            config, cases, tmp_path / str(ranks), (fit.fabric_of(config), fit.Beginning(), quiet)
        )
        before = {name: p.detach().clone() for name, p in run.kept.model.named_parameters()}
        parts = [feed.Numbered(cases, config, run.kept.words, rank, 2) for rank in ranks]
        for number in range(3):
            fit.step(run, [part[number] for part in parts], config, part_of(config, number, 0.0))
            run.kept.state.step += 1
        return before, {name: p.detach() for name, p in run.kept.model.named_parameters()}

    before, one = alone((0, 1))
    _, half = alone((0,))

    def apart(this: dict[str, torch.Tensor]) -> float:
        gone = sum(float(((shared[n] - before[n]) ** 2).sum()) for n in before)
        return (sum(float(((this[n] - shared[n]) ** 2).sum()) for n in before) / gone) ** 0.5

    assert apart(one) < 0.01
    assert apart(half) > 0.1


def test_too_little_memory_for_samples_or_a_validation_gives_advice(
    tmp_path: Path, cases: list[data.Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(watch.Watch, "judge", full)
        with pytest.raises(MedsegrError, match="in a validation, 8 pictures of 64 px: begin another run"):
            fit.fit(STEPS, cases, tmp_path, quiet)
    stored = (tmp_path / "last.pt").read_bytes()
    monkeypatch.setattr(feed.Numbered, "__getitem__", full)
    with pytest.raises(MedsegrError, match="batches of 1 at 64 px: set precision"):
        fit.fit(STEPS, cases, tmp_path, quiet)
    assert (tmp_path / "last.pt").read_bytes() == stored


def test_without_fabric_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lightning_fabric", None)
    with pytest.raises(MissingExtra, match=r"medsegr\[train\]"):
        fit.fabric_of(TINY)
