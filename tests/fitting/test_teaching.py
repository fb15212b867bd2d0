"""Learning from pictures in which nobody drew: whose answer counts, and where."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from medsegr import data, fit, objectives
from medsegr.errors import InputError, UsageError
from medsegr.fitting.cases import load_cases, vocabulary_of
from medsegr.fitting.config import FitConfig
from medsegr.fitting.teaching import ramp, taught
from medsegr.model import Output
from medsegr.sam.mask_decoder import Decoded
from medsegr.samples import batches, feed
from medsegr.samples.layouts import Hints

HINTS = Hints("breast tumour", "US")


def write(folder: Path, count: int, seed: int, masks: bool) -> Path:
    """Bright discs on noise; with or without what is drawn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    for name in ("images", "masks")[: 1 + masks]:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        inside = np.hypot(y - rng.uniform(20, 44), x - rng.uniform(20, 44)) < rng.uniform(8, 14)
        grey = np.where(inside, 190, 80) + rng.normal(0, 12, inside.shape)
        Pil.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / "images" / f"{number}.png")
        if masks:
            Pil.fromarray((inside * 255).astype(np.uint8)).save(folder / "masks" / f"{number}.png")
    return folder


def config_of(**more: Any) -> FitConfig:
    told: dict[str, Any] = {
        "sets": {"drawn": 1.0},
        "unlabelled": {"bare": 1.0},
        "batch": 4,
        "sizes": ((1.0, 64),),
        "threads": 1,
        "steps": 2,
        "device": "cpu",
    }
    return FitConfig(**told | more)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("teaching")
    return {"drawn": write(root / "drawn", 10, 0, True), "bare": write(root / "bare", 6, 1, False)}


@pytest.fixture(scope="module")
def cases(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[data.Case]:
    return load_cases(config_of(), folders, tmp_path_factory.mktemp("cache"), lambda _line: None, HINTS)


class Sure:
    """A teacher that answers a given probability everywhere on the left half, and its rest on the right."""

    def __init__(self, prob: float, there: float) -> None:
        self.prob, self.there = prob, there
        self.seen: list[torch.Tensor] = []

    def shared(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.append(pixels)
        return pixels, pixels

    def __call__(self, shared: tuple[torch.Tensor, torch.Tensor], _words: Any, _clicks: Any) -> Any:
        b, _, h, w = shared[0].shape
        prob = torch.full((b, h, w), self.prob)
        prob[:, :, w // 2 :] = 1 - self.prob
        return SimpleNamespace(
            decoded=Decoded(prob.logit(), torch.full((b,), self.there).logit(), torch.zeros(b))
        )


def batch_of(cases: list[data.Case]) -> feed.Batch:
    """Two drawn and two bare pictures."""
    picked = [c for c in cases if c.drawn][:2] + [c for c in cases if not c.drawn][:2]
    rng = np.random.default_rng(0)
    recipe = batches.Recipe(absent=0, no_words=0, clicks=0, soft=1.0, grain=1.0)
    made = [batches.render(c, batches.draw(c, batches.by_set(cases), recipe, rng), 64) for c in picked]
    return feed.collate(made, vocabulary_of(cases), [c.id for c in picked])


def test_bare_pictures_are_asked_for_what_is_drawn_in_their_kind(cases: list[data.Case]) -> None:
    bare = [case for case in cases if not case.drawn]
    assert len(bare) == 6
    assert not any(case.validation for case in bare)
    assert all({c.text for t in case.targets for c in t.codes} >= {"concept:breast tumour"} for case in bare)
    rng = np.random.default_rng(0)
    for _ in range(30):
        sample = batches.render(
            bare[0], batches.draw(bare[0], batches.by_set(cases), batches.Recipe(), rng), 64
        )
        assert sample.presence == -1  # nobody knows, which is not "not there"
        assert sample.calm is not None
        assert "concept:breast tumour" in {c.text for c in sample.codes}


def test_the_teacher_sees_the_calm_picture_of_the_same_cut(cases: list[data.Case]) -> None:
    batch = batch_of(cases)
    teacher = Sure(0.99, 0.99)
    taught(batch, teacher, 0.9, 1.0)
    assert batch.calm is not None
    assert torch.equal(teacher.seen[0], batch.calm[2:])
    assert not torch.equal(batch.calm[2:], batch.pixels[2:])
    sharp = [(p[:, :, 1:] - p[:, :, :-1]).abs().mean() for p in (batch.calm[2:], batch.pixels[2:])]
    assert abs(sharp[0] - sharp[1]) > 1e-3  # the student's is blurred and grained, not moved
    centre = (batch.calm[2:, 0], batch.pixels[2:, 0])
    assert float(torch.corrcoef(torch.stack([c.flatten() for c in centre]))[0, 1]) > 0.7


def test_what_a_person_drew_stays(cases: list[data.Case]) -> None:
    batch = batch_of(cases)
    after = taught(batch, Sure(0.99, 0.99), 0.9, 1.0).truth
    assert after.weight is not None
    assert torch.equal(after.mask[:2], batch.truth.mask[:2])
    assert (after.weight[:2] == 1).all()
    assert torch.equal(after.presence[:2], batch.truth.presence[:2])


@pytest.mark.parametrize(
    ("prob", "there", "weight", "filled", "presence"),
    [
        (0.99, 0.99, 1.0, 0.5, 1),
        (0.7, 0.99, 0.0, 0.5, 1),
        (0.99, 0.5, 1.0, 0.5, -1),
        (0.7, 0.01, 1.0, 0.0, 0),
    ],
)
def test_only_a_sure_answer_counts(
    cases: list[data.Case], prob: float, there: float, weight: float, filled: float, presence: int
) -> None:
    truth = taught(batch_of(cases), Sure(prob, there), 0.9, 1.0).truth
    assert truth.weight is not None
    assert truth.weight[2:].unique().tolist() == [weight]
    assert float(truth.mask[2:].mean()) == filled
    assert truth.presence[2:].tolist() == [presence] * 2


def test_the_teacher_counts_little_at_first() -> None:
    assert ramp(0.0) < 0.01
    assert ramp(0.15) < ramp(0.25) < 1
    assert ramp(0.3) == ramp(1.0) == 1


def test_what_the_teacher_is_unsure_of_changes_no_weight(cases: list[data.Case]) -> None:
    """Gradient of the mask's logits is zero there, and only there."""
    batch = taught(batch_of(cases), Sure(0.7, 0.5), 0.9, 1.0)
    logits = torch.zeros_like(batch.truth.mask, requires_grad=True)
    b = len(logits)
    decoded = Decoded(logits, torch.zeros(b, requires_grad=True), torch.zeros(b))
    terms = objectives.total(Output(decoded), batch.truth)
    terms["loss"].backward()
    assert logits.grad is not None
    assert not logits.grad[2:].any()
    assert logits.grad[:2].abs().sum() > 0


def test_what_nobody_judged_stays_unknown_beside_the_teachers_answer(cases: list[data.Case]) -> None:
    unknown = np.zeros((64, 64), bool)
    unknown[:20] = True
    half = [
        replace(c, targets=(replace(c.targets[0], unknown=np.packbits(unknown & ~c.mask(0))),))
        if c.drawn
        else c
        for c in cases
    ]
    before = batch_of(half)
    assert before.truth.weight is not None
    assert [bool((row == 0).any()) for row in before.truth.weight] == [True, True, False, False]
    batch = taught(before, Sure(0.7, 0.99), 0.9, 0.1)
    sure = taught(before, Sure(0.99, 0.99), 0.9, 0.1).truth.weight
    assert batch.truth.weight is not None
    assert sure is not None
    assert torch.equal(batch.truth.weight[:2], before.truth.weight[:2])
    assert not batch.truth.weight[2:].any()
    assert sure[2:].unique().tolist() == pytest.approx([ramp(0.1)])
    assert (before.truth.weight[2:] == 1).all()  # the batch that came is left alone
    logits = torch.zeros_like(batch.truth.mask, requires_grad=True)
    decoded = Decoded(logits, torch.zeros(4, requires_grad=True), torch.zeros(4))
    objectives.total(Output(decoded), batch.truth)["loss"].backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad == 0, batch.truth.weight == 0)


def test_a_drawn_batch_is_left_as_it_is(cases: list[data.Case]) -> None:
    drawn = [case for case in cases if case.drawn]
    rng = np.random.default_rng(0)
    made = [
        batches.render(c, batches.draw(c, batches.by_set(cases), batches.Recipe(), rng), 64)
        for c in drawn[:2]
    ]
    batch = feed.collate(made, vocabulary_of(cases))
    assert taught(batch, Sure(0.99, 0.99), 0.9, 1.0) is batch


def test_a_killed_run_with_bare_pictures_goes_on_to_the_same_bits(
    cases: list[data.Case], tmp_path: Path
) -> None:
    config = config_of(steps=3, batch=2, save_minutes=0.0, cooling=0.5)

    def kill(part: float, _left: str) -> None:
        if part > 0.5:
            raise KeyboardInterrupt

    whole = fit.fit(config, cases, tmp_path / "whole", lambda _line: None).state_dict()
    with pytest.raises(KeyboardInterrupt):
        fit.fit(config, cases, tmp_path / "cut", lambda _line: None, progress=kill)
    again = fit.fit(config, cases, tmp_path / "cut", lambda _line: None).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_a_picture_that_is_held_out_elsewhere_is_not_learned_from(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    copied = tmp_path / "bare"
    copied.mkdir()
    for path in (folders["drawn"] / "images").iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    lines: list[str] = []
    found = load_cases(config_of(), folders | {"bare": copied}, tmp_path / "cache", lines.append, HINTS)
    held = [case for case in found if case.validation]
    assert held
    assert len([case for case in found if not case.drawn]) == 10 - len(held)
    assert any(f"{len(held)} held out elsewhere" in line for line in lines)


def test_bare_pictures_alone_teach_nothing(
    cases: list[data.Case], folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no case to train on"):
        feed.pools_of([case for case in cases if not case.drawn], config_of())
    strange = Hints("breast tumour", "CT")
    with pytest.raises(InputError, match="nothing can be asked of this picture"):
        load_cases(
            config_of(sets={}, phantoms={"cells": 1.0}, phantom_count=2),
            folders,
            tmp_path / "cache",
            lambda _line: None,
            strange,
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        data.read_pictures(tmp_path / "empty")
    with pytest.raises(UsageError, match="confidence"):
        config_of(confidence=0.3)
