"""Validation inside a run: which cases, which questions, which numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medsegr import data
from medsegr.fitting import watch
from medsegr.fitting.cases import vocabulary_of
from medsegr.fitting.config import FitConfig
from medsegr.model import build_model
from medsegr.reasoning.codes import Code

CONFIG = FitConfig(phantoms={"cells": 1.0}, sizes=((1.0, 64),), validate_cases=4)


def case(set_name: str, number: int, *targets: data.Target, validation: bool = True) -> data.Case:
    pixels = np.zeros((1, 40, 40), np.uint8)
    return data.Case(
        f"{set_name}/{number}", set_name, pixels, targets, "ES", True, False, validation, f"{number}"
    )


def target(name: str, rows: slice, *more: str, empty: bool = False) -> data.Target:
    mask = np.zeros((40, 40), bool)
    if not empty:
        mask[rows, 10:30] = True
    codes = tuple(map(Code, (f"concept:{name}", "modality:ES", *more)))
    return data.Target(np.packbits(mask), codes)


POLYP = target("polyp", slice(5, 15), "row:upper")


def test_cases_are_spread_over_the_sets_and_only_held_out_ones_count() -> None:
    cases = [case("large", n, POLYP) for n in range(9)] + [case("small", n, POLYP) for n in range(2)]
    cases += [
        case("small", 7, POLYP, validation=False),
        case("small", 8, target("polyp", slice(0), empty=True)),
    ]
    chosen = watch.spread(cases, 6)
    assert [c.set for c in chosen] == ["large", "small", "large", "small", "large", "large"]
    assert not {"small/7", "small/8"} & {c.id for c in chosen}


def test_a_name_means_all_that_bears_it_and_places_are_not_said() -> None:
    other = target("polyp", slice(25, 35), "row:lower")
    (plan,) = watch.questions(case("s", 0, POLYP, other))
    assert plan.targets == (0, 1)
    assert {code.group for code in plan.codes} == {"concept", "modality"}
    left, right = (target("lung", slice(5, 15), f"side:{side}") for side in ("left", "right"))
    assert [plan.targets for plan in watch.questions(case("s", 0, left, right))] == [(0,), (1,)]
    assert watch.questions(case("s", 0, target("polyp", slice(0), empty=True))) == []


def test_a_network_is_judged_by_set_and_sets_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case("a", n, POLYP) for n in range(3)] + [case("b", 0, POLYP)]
    words = vocabulary_of(cases)
    model = build_model(words)
    made = watch.watch_of(model, cases, words, CONFIG)
    assert made is not None
    monkeypatch.setattr(watch, "_dice", lambda _model, batch: [1.0 if "b" in c else 0.5 for c in batch.cases])
    assert made.judge(model.state_dict()) == {"dice": 0.75, "a": 0.5, "b": 1.0}


def test_dice_is_that_of_the_drawn_mask() -> None:
    cases = [case("a", 0, POLYP)]
    words = vocabulary_of(cases)
    model = build_model(words)
    made = watch.watch_of(model, cases, words, CONFIG)
    assert made is not None
    state = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    assert made.judge(state)["dice"] == 0.0  # logits of 0 draw nothing
    state["host.mask_decoder.bias"] = torch.ones(1)  # everything is drawn
    share = 10 * 20 / 40**2
    assert made.judge(state)["dice"] == pytest.approx(2 * share / (1 + share), abs=0.02)


def test_dice_is_taken_over_what_somebody_judged() -> None:
    unknown = np.zeros((40, 40), bool)
    unknown[15:] = True  # everything but a stripe above and the rest of its rows
    cases = [case("a", 0, replace(POLYP, unknown=np.packbits(unknown)))]
    words = vocabulary_of(cases)
    model = build_model(words)
    made = watch.watch_of(model, cases, words, CONFIG)
    assert made is not None
    state = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    state["host.mask_decoder.bias"] = torch.ones(1)  # everything is drawn
    share = 10 * 20 / (15 * 40)
    assert made.judge(state)["dice"] == pytest.approx(2 * share / (1 + share), abs=0.02)


def test_nothing_held_out_or_nothing_known_is_no_validation() -> None:
    cases = [case("a", 0, POLYP)]
    model = build_model(vocabulary_of(cases))
    assert watch.watch_of(model, [replace(cases[0], validation=False)], vocabulary_of(cases), CONFIG) is None
    assert watch.watch_of(model, cases, vocabulary_of([]), CONFIG) is None
