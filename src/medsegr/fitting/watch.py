"""Validation inside a run: whole pictures that are not trained on, asked for by the name (and side) alone, at
the run's last size. Light and cruder than judging the finished checkpoint, but the same from step to step.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from medsegr.data import Case
from medsegr.fitting.config import FitConfig
from medsegr.reasoning.codes import NAMED, Code, Vocabulary
from medsegr.samples.batches import Plan, render
from medsegr.samples.feed import Batch, collate, moved

TOGETHER = 8  # pictures a call


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """At most ``most`` of the validation cases, the same number from every set as far as they reach."""
    by_set: dict[str, list[Case]] = {}
    for case in cases:
        if case.validation and any(case.mask(i).any() for i in range(len(case.targets))):
            by_set.setdefault(case.set, []).append(case)
    turns = itertools.zip_longest(*by_set.values())
    return [case for turn in turns for case in turn if case is not None][:most]


def questions(case: Case) -> list[Plan]:
    """One plan for each name in the picture: all that bears the name is meant."""
    plans: dict[tuple[Code, ...], Plan] = {}
    for target in case.targets:
        codes = tuple(code for code in target.codes if code.group in NAMED)
        said = {code.text for code in codes}
        meant = tuple(i for i, t in enumerate(case.targets) if t.organ == target.organ and said <= t.names)
        if any(case.mask(i).any() for i in meant):
            plans[codes] = Plan(meant, codes, frozenset(), (), seed=0)
    return list(plans.values())


@dataclass(frozen=True, slots=True)
class Watch:
    """``batches`` with the set of each of their rows; ``model`` is a copy that takes the averaged weights."""

    model: Any
    batches: tuple[Batch, ...]
    sets: tuple[tuple[str, ...], ...]

    def judge(self, state: dict[str, Tensor]) -> dict[str, float]:
        """Mean Dice of each set with these weights, and ``dice``: the mean over the sets."""
        self.model.load_state_dict(state)
        device = next(self.model.parameters()).device
        scores: dict[str, list[float]] = {}
        with torch.inference_mode():
            for batch, names in zip(self.batches, self.sets, strict=True):
                for name, score in zip(names, _dice(self.model, moved(batch, device)), strict=True):
                    scores.setdefault(name, []).append(score)
        means = {name: round(sum(s) / len(s), 4) for name, s in sorted(scores.items())}
        return {"dice": round(sum(means.values()) / len(means), 4), **means}


def watch_of(model: Any, cases: Sequence[Case], words: Vocabulary, config: FitConfig) -> Watch | None:
    """The validation of a run, or None where no case is held out. ``model`` is taken over: give a copy."""
    size, table = config.sizes[-1][1], words.index()
    asked = [
        (case, plan)
        for case in spread(cases, config.validate_cases)
        for plan in questions(case)
        if all(code.text in table for code in plan.codes if code.group == "concept")
    ]
    if not asked:
        return None
    rows = [(render(case, plan, size), case) for case, plan in asked]
    parts = [rows[at : at + TOGETHER] for at in range(0, len(rows), TOGETHER)]
    return Watch(
        model.eval(),
        tuple(collate([sample for sample, _ in part], words, [c.id for _, c in part]) for part in parts),
        tuple(tuple(case.set for _, case in part) for part in parts),
    )


def _dice(model: Any, batch: Batch) -> list[float]:
    output = model(model.shared(batch.pixels), batch.words, batch.clicks)
    size = batch.truth.mask.shape[-2:]
    logits = F.interpolate(output.decoded.logits[:, None], size=size, mode="bilinear", align_corners=False)
    drawn, truth = logits[:, 0] > 0, batch.truth.mask > 0.5
    if batch.truth.weight is not None:  # what nobody judged is no error; nothing of it is in the truth
        drawn = drawn & (batch.truth.weight > 0)
    both, total = (drawn & truth).sum((1, 2)), drawn.sum((1, 2)) + truth.sum((1, 2))
    scores: list[float] = (2 * both / total.clamp(min=1)).tolist()
    return scores
