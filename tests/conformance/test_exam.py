"""The exam itself: a right method passes it, and each kind of wrong one fails exactly the check that is meant
for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from medsegr import conformance
from medsegr.registry import Card
from medsegr.types import Image, Prompt, Segmentation

Answer = Callable[[Image, Prompt], Segmentation]


def honest(image: Image, prompt: Prompt) -> Segmentation:
    """Threshold of the image, tilted by every input of the prompt."""
    high = float(image.data.max())
    grey = image.data.mean(axis=0) / max(1.0, high) if high > 0 else np.zeros(image.grid, np.float32)
    prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
    for i, _ in enumerate(prompt.targets):
        words = 0.0
        if prompt.findings and prompt.findings[i].polarity != "absent":
            words = 0.1 if prompt.findings[i].location.side == "left" else 0.2
        held = (prompt.points, prompt.boxes, prompt.mask)
        seen = [0.0 if value is None else 0.5 + float(np.ravel(value)[0]) / 100 for value in held]
        prob[i] = np.clip(0.3 * grey + words + 0.05 * np.tanh(seen).sum(), 0, 1)
    return Segmentation(prob, prompt.targets, image.affine)


@dataclass(frozen=True)
class Toy:
    answer: Answer = honest

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        return self.answer(image, prompt)


def build(answer: Answer = honest) -> Toy:
    return Toy(answer)


def card(answer: Answer = honest, **changes) -> Card:
    base = Card(
        "toy",
        f"{__name__}:build",
        "a toy",
        family="core",
        dims=(2, 3),
        reads=conformance.INPUTS,
        tiny={"answer": answer},
    )
    return replace(base, **changes)


def failures(answer: Answer, **changes) -> set[str]:
    method, mine = Toy(answer), card(answer, **changes)
    failed = set()
    for check in conformance.checks(mine):
        try:
            check(method, mine)
        except Exception:
            failed.add(check.__name__)
    return failed


def test_an_honest_method_passes() -> None:
    assert failures(honest) == set()


def swapped_axes(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    return replace(right, prob=np.swapaxes(right.prob, -1, -2).copy())


def reordered(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    return replace(right, targets=right.targets[::-1])


def lost_affine(image: Image, prompt: Prompt) -> Segmentation:
    return replace(honest(image, prompt), affine=None)


def logits(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    return replace(right, prob=right.prob * 8 - 4)


def nan_for_flat(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    flat = image.data.min() == image.data.max()
    return replace(right, prob=right.prob * np.float32("nan")) if flat else right


def grey_only(image: Image, prompt: Prompt) -> Segmentation:
    if image.data.shape[0] != 1:
        raise ValueError("one channel please")
    return honest(image, prompt)


def even_only(image: Image, prompt: Prompt) -> Segmentation:
    if any(n % 2 for n in image.grid):
        raise ValueError("even sizes please")
    return honest(image, prompt)


def wants_spacing(image: Image, prompt: Prompt) -> Segmentation:
    if image.spacing is None:
        raise ValueError("spacing please")
    return honest(image, prompt)


def writes_into_the_image(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    image.data[..., 0] += 1
    return right


def mixes_company(image: Image, prompt: Prompt) -> Segmentation:
    right = honest(image, prompt)
    return replace(right, prob=right.prob / np.float32(max(1, len(prompt.targets))))


def needs_a_target(image: Image, prompt: Prompt) -> Segmentation:
    if not prompt.targets:
        raise ValueError("a target please")
    return honest(image, prompt)


def deaf(image: Image, prompt: Prompt) -> Segmentation:
    return honest(image, Prompt(prompt.targets))


def deaf_to_boxes(image: Image, prompt: Prompt) -> Segmentation:
    return honest(image, replace(prompt, boxes=None))


def blind(image: Image, prompt: Prompt) -> Segmentation:
    return honest(replace(image, data=np.zeros_like(image.data)), prompt)


def follows_denials(image: Image, prompt: Prompt) -> Segmentation:
    return honest(
        image, replace(prompt, findings=tuple(replace(f, polarity="present") for f in prompt.findings))
    )


@pytest.mark.parametrize(
    ("answer", "caught_by"),
    [
        (reordered, "keeps_grid_affine_and_targets"),
        (lost_affine, "keeps_grid_affine_and_targets"),
        (logits, "gives_probabilities"),
        (nan_for_flat, "gives_probabilities"),
        (grey_only, "takes_one_and_three_channels"),
        (even_only, "takes_odd_and_non_square_sizes"),
        (swapped_axes, "takes_odd_and_non_square_sizes"),
        (wants_spacing, "takes_anisotropic_spacing"),
        (writes_into_the_image, "leaves_its_input_alone"),
        (mixes_company, "takes_targets_together_or_alone"),
        (needs_a_target, "takes_an_empty_prompt"),
        (deaf, "hears_what_it_reads"),
        (deaf_to_boxes, "hears_what_it_reads"),
        (blind, "hears_what_it_reads"),
        (follows_denials, "does_not_follow_negated_places"),
    ],
)
def test_a_wrong_method_is_caught(answer: Answer, caught_by: str) -> None:
    assert caught_by in failures(answer)


def test_a_method_that_changes_its_mind_is_caught() -> None:
    rng = np.random.default_rng(0)

    def moody(image: Image, prompt: Prompt) -> Segmentation:
        right = honest(image, prompt)
        return replace(right, prob=right.prob * np.float32(rng.uniform(0.5, 1)))

    assert "answers_the_same_twice" in failures(moody)


def test_a_card_that_hides_an_input_is_caught() -> None:
    assert failures(honest, reads=("image", "text", "points", "boxes")) == {"hears_what_it_reads"}


def test_run_tells_pass_skip_and_fail() -> None:
    # `run` builds by the card's own address, as it does for packages from outside.
    mine = Card(
        "otsu",
        "medsegr.methods.baselines.otsu:build",
        "",
        family="x",
        reads=("image", "text"),
        skips={"takes_an_empty_prompt": "a made-up reason"},
    )
    by_name = {outcome.check: outcome for outcome in conformance.run(mine)}
    assert by_name["gives_probabilities"].outcome == "pass"
    assert by_name["takes_an_empty_prompt"].outcome == "skip"
    assert by_name["takes_an_empty_prompt"].detail == "a made-up reason"
    assert by_name["hears_what_it_reads"].outcome == "fail"
    assert "reads text" in by_name["hears_what_it_reads"].detail


def test_doors_without_an_exam_have_no_checks() -> None:
    assert conformance.checks(card(door="sampler")) == ()
