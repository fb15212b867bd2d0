"""The entry exam of methods: it ships with the package, and it is the real definition of the doors.

``run(card)`` builds the card's tiny form and gives one :class:`Outcome` a check. In a test of one's own::

    @pytest.mark.parametrize("check", conformance.checks(card), ids=lambda check: check.__name__)
    def test_mine(check):
        check(conformance.built(card), card)

A check raises ``AssertionError`` with what it saw. What does not apply is named in ``Card.skips`` with a
reason, nowhere else. A method whose words act through exits that start at zero must shake them in its tiny
form, or it cannot be heard to listen.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from medsegr.registry import Card
from medsegr.types import Finding, Image, Location, Prompt, Segmentation, Segmenter, Shape, Texture

Check = Callable[[Any, Card], None]
GRIDS = {2: ((64, 64), (61, 47), (40, 90), (33, 33)), 3: ((4, 40, 40), (3, 41, 30))}
INPUTS = ("image", "text", "points", "boxes", "mask")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check said of one card; ``detail`` is the reason of a skip or of a failure."""

    check: str
    outcome: Literal["pass", "skip", "fail"]
    detail: str = ""


def built(card: Card) -> Any:
    """The card's method in its tiny form. Goes past the registry, so that a card can be examined before it is
    registered.
    """
    module, _, function = card.build.partition(":")
    return getattr(importlib.import_module(module), function)(**card.tiny)


def checks(card: Card) -> tuple[Check, ...]:
    """The checks of the card's door; none for doors that have no exam yet."""
    return CHECKS.get(card.door, ())


def run(card: Card) -> tuple[Outcome, ...]:
    """Examine one card. Anything that a check raises is a failure with its message; building it may raise."""
    method = built(card)
    outcomes = []
    for check in checks(card):
        name = check.__name__
        if name in card.skips:
            outcomes.append(Outcome(name, "skip", card.skips[name]))
            continue
        try:
            check(method, card)
        except Exception as error:
            outcomes.append(Outcome(name, "fail", f"{type(error).__name__}: {error}"))
        else:
            outcomes.append(Outcome(name, "pass"))
    return tuple(outcomes)


# Made inputs. Seeded, and asymmetric in every axis, so that a swap or a flip shows.


def sample_image(grid: tuple[int, ...], seed: int = 0, channels: int = 1) -> Image:
    """A bright blob on a sloped, noisy ground: ``channels *grid`` float32 in [0, 255].

    Pictures have pixels of 1 mm, volumes are axial stacks of 1 x 1 mm slices that lie 3 mm apart.
    """
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in grid), indexing="ij")
    centre = rng.uniform(0.25, 0.75, len(grid))
    blob = np.exp(-sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) / 0.02)
    slope = sum((i + 1) * axis for i, axis in enumerate(axes)) / 6
    data = np.clip(60 * slope + 150 * blob + rng.normal(0, 4, (channels, *grid)), 0, 255).astype(np.float32)
    if len(grid) == 2:
        return Image(data, np.diag([1.0, 1.0, 1.0, 1.0]), (1.0, 1.0), "CR")
    return Image(data, _stack((3.0, 1.0, 1.0)), (3.0, 1.0, 1.0), "CT", axes=("S", "P", "L"))


def _stack(spacing: tuple[float, float, float]) -> np.ndarray:
    """Affine of an axial stack: slices run to the head, rows to the back, columns to the patient's left."""
    between, down, across = spacing
    return np.array([[0, 0, -across, 0], [0, -down, 0, 0], [between, 0, 0, 0], [0, 0, 0, 1]], float)


def sample_finding(side: str = "right", row: str = "upper", name: str = "opacity") -> Finding:
    """A present finding with a side, a row, a texture and a shape; its phrase is a plain sentence."""
    look = ("hypo", "round") if side == "right" else ("hyper", "irregular")
    phrase = f"{look[1]} {name} in the {side} {row} zone"
    return Finding(
        id="f1",
        phrase=phrase,
        span=(0, len(phrase)),
        name=name,
        location=Location(side=side, rows=(row,)),
        texture=Texture(density=look[0]),
        shape=Shape(form=look[1]),
    )


def prompt_of(*findings: Finding) -> Prompt:
    """A prompt that asks for these findings by name; its text is the first one's phrase, for readers of raw
    words.
    """
    text = findings[0].phrase if findings else ""
    return Prompt(tuple(finding.name for finding in findings), findings, text)


def sample_prompt(grid: tuple[int, ...], reads: tuple[str, ...], corner: bool) -> Prompt:
    """One target with every input that ``reads`` names, about the low-index corner of the grid or about the
    opposite one.

    Points, boxes and masks are given for pictures only.
    """
    prompt = prompt_of(sample_finding("right", "upper") if corner else sample_finding("left", "lower"))
    for kind in INPUTS[2:]:
        if kind in reads:
            prompt = _pointed(prompt, kind, grid, corner)
    return prompt


def _pointed(prompt: Prompt, kind: str, grid: tuple[int, ...], corner: bool) -> Prompt:
    """The prompt with its input ``kind`` pointing at one quarter of a picture; unchanged for volumes."""
    if len(grid) != 2:
        return prompt
    h, w = grid
    if kind == "mask":
        mask = np.zeros(grid, np.float32)
        mask[tuple(slice(0, n // 2) if corner else slice(n // 2, n) for n in grid)] = 1
        return replace(prompt, mask=mask[None])
    if kind == "boxes":
        box = [0, 0, w // 2, h // 2] if corner else [w // 2, h // 2, w, h]
        return replace(prompt, boxes=np.array([box], float))
    point = [w // 4, h // 4, 1] if corner else [3 * w // 4, 3 * h // 4, 1]
    return replace(prompt, points=np.array([[point]], float))


# Checks of the door "segmenter".


def keeps_grid_affine_and_targets(method: Segmenter, card: Card) -> None:
    """The answer lies on the image's own grid, with its affine, one channel a target in the order asked."""
    for image in _images(card):
        prompt = prompt_of(sample_finding("left", name="nodule"), sample_finding("right"))
        _well_formed(method.segment(image, prompt), image, prompt)


def gives_probabilities(method: Segmenter, card: Card) -> None:
    """Finite float32 in [0, 1], also for flat, dark, bright and tiny-valued images."""
    for image in _images(card):
        for data in (
            image.data,
            image.data * 0,
            image.data * 0 + 255,
            image.data * 1e-6,
            image.data * 100 - 1000,
        ):
            answer = method.segment(replace(image, data=data.astype(np.float32)), prompt_of(sample_finding()))
            _well_formed(answer, image, prompt_of(sample_finding()))


def takes_one_and_three_channels(method: Segmenter, card: Card) -> None:
    """Grey (c = 1) and colour (c = 3) images both work."""
    for channels in (1, 3):
        image = sample_image(GRIDS[card.dims[0]][0], channels=channels)
        _well_formed(method.segment(image, prompt_of(sample_finding())), image, prompt_of(sample_finding()))


def takes_odd_and_non_square_sizes(method: Segmenter, card: Card) -> None:
    """No size is special: odd, long, small. The pipeline refuses sides below 8 pixels, so none is smaller."""
    for dim in card.dims:
        extra = ((11, 9),) if dim == 2 else ((1, 9, 12),)
        for grid in (*GRIDS[dim][1:], *extra):
            prompt = sample_prompt(grid, card.reads, corner=True)
            image = sample_image(grid)
            _well_formed(method.segment(image, prompt), image, prompt)


def takes_anisotropic_spacing(method: Segmenter, card: Card) -> None:
    """Voxels of unequal sides, also without an affine, and no geometry at all."""
    for image in _images(card):
        flat = len(image.grid) == 2
        spacing = (0.5, 0.7) if flat else (5.0, 0.5, 0.7)
        affine = np.diag([0.5, 0.7, 1.0, 1.0]) if flat else _stack((5.0, 0.5, 0.7))
        for one in (
            replace(image, spacing=spacing, affine=affine),
            replace(image, spacing=spacing, affine=None),
            replace(image, spacing=None, affine=None),
        ):
            _well_formed(method.segment(one, prompt_of(sample_finding())), one, prompt_of(sample_finding()))


def leaves_its_input_alone(method: Segmenter, card: Card) -> None:
    """No array of the image or of the prompt is written to."""
    for image in _images(card):
        prompt = sample_prompt(image.grid, card.reads, corner=True)
        arrays = _arrays(image) + _arrays(prompt)
        before = [array.copy() for array in arrays]
        method.segment(image, prompt)
        for array, copy in zip(arrays, before, strict=True):
            assert np.array_equal(array, copy), "the method wrote into an array that it was given"


def answers_the_same_twice(method: Segmenter, card: Card) -> None:
    """Equal input gives an equal answer, whatever was asked in between."""
    for image in _images(card):
        prompt = sample_prompt(image.grid, card.reads, corner=True)
        first = method.segment(image, prompt).prob.copy()
        method.segment(sample_image(image.grid, seed=9), sample_prompt(image.grid, card.reads, corner=False))
        second = method.segment(image, prompt).prob
        assert np.array_equal(first, second), f"two equal calls differ by {np.abs(first - second).max():.3g}"


def takes_targets_together_or_alone(method: Segmenter, card: Card) -> None:
    """Two targets asked at once get what each gets alone (1e-4), so that masks do not depend on their
    company.
    """
    for image in _images(card):
        one, two = sample_finding("right", "upper"), sample_finding("left", "lower", "nodule")
        together = method.segment(image, replace(prompt_of(one, two), text="")).prob
        alone = [method.segment(image, replace(prompt_of(f), text="")).prob[0] for f in (one, two)]
        off = float(np.abs(together - np.stack(alone)).max())
        assert off <= 1e-4, f"together and alone differ by {off:.3g}"


def takes_an_empty_prompt(method: Segmenter, card: Card) -> None:
    """No target gives no channel; a bare name without finding, text, point or box gives one."""
    for image in _images(card):
        for prompt in (Prompt(()), Prompt(("opacity",))):
            _well_formed(method.segment(image, prompt), image, prompt)


def hears_what_it_reads(method: Segmenter, card: Card) -> None:
    """Change any input that the card says it reads, and the answer changes; change one that it does not, and
    it stays.
    """
    grid = GRIDS[card.dims[0]][0]
    image, base = sample_image(grid), sample_prompt(grid, card.reads, corner=True)
    first = method.segment(image, base).prob
    for kind in INPUTS:
        if kind == "image":
            second = method.segment(sample_image(grid, seed=5), base).prob
        elif kind == "text":
            words = prompt_of(sample_finding("left", "lower"))
            second = method.segment(image, replace(base, findings=words.findings, text=words.text)).prob
        else:
            second = method.segment(image, _pointed(base, kind, grid, corner=False)).prob
        moved = float(np.abs(first - second).max())
        if kind in card.reads:
            assert moved > 0, f"the card says it reads {kind}, but another {kind} changed nothing"
        else:
            assert moved == 0, (
                f"the card does not say that it reads {kind}, but another {kind} changed the answer"
            )


def does_not_follow_negated_places(method: Segmenter, card: Card) -> None:
    """Where a negated finding is said not to be must not matter: its place words point nowhere.

    Whether it gets a mask at all is the pipeline's decision (``--polarity``); a method must only not aim by
    it.
    """
    for image in _images(card):
        answers = []
        for place in (Location(side="right", rows=("upper",)), Location(side="left", rows=("lower",))):
            finding = replace(sample_finding(), polarity="absent", location=place)
            answers.append(method.segment(image, Prompt((finding.name,), (finding,))).prob)
        off = float(np.abs(answers[0] - answers[1]).max())
        assert off <= 1e-6, f"the place of a negated finding moved the answer by {off:.3g}"


def _images(card: Card) -> tuple[Image, ...]:
    return tuple(sample_image(GRIDS[dim][0]) for dim in card.dims)


def _arrays(value: Image | Prompt) -> list[np.ndarray]:
    held = (getattr(value, field.name) for field in fields(value))
    return [array for array in held if isinstance(array, np.ndarray)]


def _well_formed(answer: Segmentation, image: Image, prompt: Prompt) -> None:
    expected = (len(prompt.targets), *image.grid)
    assert answer.prob.shape == expected, (
        f"prob has shape {answer.prob.shape}, expected {expected} (targets, *grid)"
    )
    assert answer.prob.dtype == np.float32, f"prob is {answer.prob.dtype}, float32 was expected"
    assert answer.targets == prompt.targets, (
        f"targets came back as {answer.targets}, asked were {prompt.targets}"
    )
    same = answer.affine is image.affine or (
        answer.affine is not None and image.affine is not None and np.array_equal(answer.affine, image.affine)
    )
    assert same, "the answer's affine is not the image's"
    assert np.isfinite(answer.prob).all(), "prob holds values that are not finite"
    if answer.prob.size:
        low, high = float(answer.prob.min()), float(answer.prob.max())
        assert low >= 0, f"prob runs from {low:.3g} to {high:.3g}, [0, 1] was expected"
        assert high <= 1, f"prob runs from {low:.3g} to {high:.3g}, [0, 1] was expected"


# Checks of the door "network": build() gives ``(net, batch)``, a torch module and a toy batch with ``mask``
# [b k *grid] that ``net(batch)`` turns into logits of the same shape.


def gives_logits_for_every_target(built_pair: Any, card: Card) -> None:
    """Finite logits, one channel a target, on the grid of the batch's masks."""
    net, batch = built_pair
    logits = net(batch)
    assert logits.shape == batch.mask.shape, f"logits {tuple(logits.shape)}, masks {tuple(batch.mask.shape)}"
    assert bool(logits.isfinite().all()), "logits are not finite"


def gradients_reach_every_trainable(built_pair: Any, card: Card) -> None:
    """In the first three steps every trainable parameter gets a gradient, and no frozen one does.

    Three, because stacked exits that start at zero let the gradient through one step later each.
    """
    net, _ = built_pair
    reached: set[str] = set()
    for _ in _steps(built_pair, 3):
        for name, parameter in net.named_parameters():
            if parameter.grad is not None and bool(parameter.grad.abs().sum() > 0):
                reached.add(name)
    trainable = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert trainable <= reached, f"no gradient reached {sorted(trainable - reached)[:5]}"
    assert reached <= trainable, f"frozen parameters got a gradient: {sorted(reached - trainable)[:5]}"


def fits_one_toy_sample(built_pair: Any, card: Card) -> None:
    """A hundred steps on one batch bring the loss below half of where it began."""
    losses = list(_steps(built_pair, 100))
    assert losses[-1] < 0.5 * losses[0], f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g} only"


def _steps(built_pair: Any, count: int) -> Any:
    """Train a copy of nothing: the pair itself, ``count`` steps; yields the loss after each backward pass."""
    import torch

    net, batch = built_pair
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(count):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(batch), batch.mask.float())
        loss.backward()  # type: ignore[no-untyped-call]
        yield float(loss.detach())
        optimiser.step()


CHECKS: dict[str, tuple[Check, ...]] = {
    "segmenter": (
        keeps_grid_affine_and_targets,
        gives_probabilities,
        takes_one_and_three_channels,
        takes_odd_and_non_square_sizes,
        takes_anisotropic_spacing,
        leaves_its_input_alone,
        answers_the_same_twice,
        takes_targets_together_or_alone,
        takes_an_empty_prompt,
        hears_what_it_reads,
        does_not_follow_negated_places,
    ),
    "network": (gives_logits_for_every_target, gradients_reach_every_trainable, fits_one_toy_sample),
}
