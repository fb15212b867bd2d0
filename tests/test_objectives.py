"""Losses: what is not there, pixels that count less than others, and those that nobody judged."""

from dataclasses import replace

import pytest
import torch

from medsegr.errors import UsageError
from medsegr.model import Output
from medsegr.objectives import Truth, Weights, location, segmentation, total
from medsegr.reasoning.modulators import Trace
from medsegr.sam.mask_decoder import Decoded

THERE, GONE, UNKNOWN = 1.0, 0.0, -1.0


def asked(
    presence: list[float], weight: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, Truth]:
    """Logits and presence that want a gradient, and the truth: a square where the target is there."""
    rows = len(presence)
    logits = torch.randn(rows, 8, 8, generator=torch.Generator().manual_seed(3)).requires_grad_()
    scores = torch.zeros(rows, requires_grad=True)
    mask = torch.zeros(rows, 16, 16)
    mask[torch.tensor(presence) == THERE, 4:12, 4:12] = 1
    none = torch.zeros(rows, 0)
    return logits, scores, Truth(mask, torch.tensor(presence), none, none.bool(), weight=weight)


def gradients(
    presence: list[float], weights: Weights, weight: torch.Tensor | None = None
) -> tuple[torch.Tensor, ...]:
    logits, scores, truth = asked(presence, weight)
    total(Output(Decoded(logits, scores, torch.zeros(len(presence)))), truth, weights)["loss"].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert scores.grad is not None
    return logits.grad, scores.grad


def test_usually_an_empty_mask_is_taught_where_the_target_is_not_there() -> None:
    mask, presence = gradients([THERE, GONE], Weights())
    assert mask[1].abs().min() > 0
    assert presence[1] > 0


def test_at_0_presence_alone_learns_what_is_not_there() -> None:
    usual, _ = gradients([THERE, GONE, UNKNOWN], Weights())
    mask, presence = gradients([THERE, GONE, UNKNOWN], Weights(absent=0.0))
    assert not mask[1].any(), "the mask learns nothing"
    assert presence[1] > 0, "presence learns that it is not there"
    assert torch.equal(mask[0], usual[0]), "what is there is learned as before"
    assert torch.equal(mask[2], usual[2]), "what a crop cut away is not what is known to be missing"


def test_between_it_counts_so_much() -> None:
    usual, _ = gradients([GONE, THERE], Weights())
    half, _ = gradients([GONE, THERE], Weights(absent=0.5))
    assert torch.allclose(half[0], 0.5 * usual[0])
    assert torch.equal(half[1], usual[1])


def test_it_goes_together_with_pixels_that_do_not_count() -> None:
    known = torch.ones(2, 16, 16)
    known[:, :, :8] = 0
    mask, _ = gradients([THERE, GONE], Weights(absent=0.5), known)
    usual, _ = gradients([THERE, GONE], Weights(), known)
    assert not mask[:, :, :4].any(), "unknown pixels teach nothing"
    assert torch.allclose(mask[1], 0.5 * usual[1])
    assert torch.equal(mask[0], usual[0])


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_factor_below_0_is_refused_by_name(value: float) -> None:
    with pytest.raises(UsageError, match=r"weights\.absent"):
        Weights(absent=value)


def test_an_empty_mask_has_no_dice_term() -> None:
    """BCE of logits 0 is log 2 in every pixel; a soft Dice would add to it."""
    assert segmentation(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)).item() == pytest.approx(
        0.693147, abs=1e-5
    )


def truth_of(mask: torch.Tensor, weight: torch.Tensor | None, presence: float = 1.0) -> Truth:
    b = len(mask)
    return Truth(mask, torch.full((b,), presence), torch.zeros(b, 1), torch.zeros(b, 1).bool(), weight=weight)


def answer(size: int, b: int = 2, seed: int = 0) -> Output:
    """Random logits, scores and one map of attention, all of which want gradients."""
    torch.manual_seed(seed)
    logits, attention = torch.randn(b, size, size), torch.randn(b, 8, 8)
    made = [x.requires_grad_() for x in (logits, torch.randn(b), torch.randn(b), attention)]
    return Output(Decoded(*made[:3]), (Trace(made[3], None),))


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """A square in the first row of a batch with an unknown rim; in the second all below it is unknown."""
    mask, weight = torch.zeros(2, 32, 32), torch.ones(2, 32, 32)
    mask[:, 8:16, 8:16] = 1
    weight[0, 4:20, 4:20] = 0
    weight[1, 16:] = 0
    weight[mask > 0] = 1
    return mask, weight


@pytest.mark.parametrize("size", [32, 16])
def test_logits_of_unknown_pixels_have_no_gradient(size: int) -> None:
    mask, weight = example()
    out = answer(size)
    total(out, truth_of(mask, weight))["loss"].backward()
    grad, step = out.decoded.logits.grad, 32 // size
    assert grad is not None
    whole = weight.reshape(2, size, step, size, step).amax((2, 4)) == 0
    assert whole.any()
    assert not grad[whole].any()
    assert (grad[~whole] != 0).all()
    attention, cells = out.traces[0].attention, weight.reshape(2, 8, 4, 8, 4).amin((2, 4))
    assert attention is not None
    assert attention.grad is not None
    drawn = mask.reshape(2, 8, 4, 8, 4).amax((2, 4)) > 0
    assert not attention.grad[(cells == 0) & ~drawn].any()
    assert (attention.grad[(cells == 1) | drawn] != 0).all()


def test_what_is_guessed_of_unknown_pixels_changes_no_term() -> None:
    mask, weight = example()
    one, other = answer(32), answer(32)
    with torch.no_grad():
        other.decoded.logits[weight == 0] *= -9
    first, second = (total(out, truth_of(mask, weight)) for out in (one, other))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_cell_of_drawn_and_unknown_pixels_is_drawn() -> None:
    """Averaged with the unknown ones as background it would be taught to be half of it."""
    mask, weight = torch.zeros(1, 32, 32), torch.ones(1, 32, 32)
    mask[:, :, :17], weight[:, :, 17:] = 1, 0
    out = answer(16, b=1)
    with torch.no_grad():
        out.decoded.logits[:] = 20  # sure of everything
    total(out, truth_of(mask, weight))["segmentation"].backward()
    assert out.decoded.logits.grad is not None
    assert out.decoded.logits.grad.abs().max() < 1e-6


def test_a_target_that_may_lie_in_unknown_pixels_teaches_neither_presence_nor_quality() -> None:
    weight = torch.ones(2, 32, 32)
    weight[:, :4] = 0
    out = answer(32)
    total(out, truth_of(torch.zeros(2, 32, 32), weight, -1.0))["loss"].backward()
    assert out.decoded.presence.grad is None or not out.decoded.presence.grad.any()
    assert out.decoded.quality.grad is None or not out.decoded.quality.grad.any()
    one = torch.zeros(2, 32, 32)
    one[0, 10:20, 10:20] = 1
    out = answer(32)
    total(out, truth_of(one, weight, -1.0))["loss"].backward()
    assert out.decoded.quality.grad is not None
    assert out.decoded.quality.grad[0] != 0
    assert out.decoded.quality.grad[1] == 0


def test_a_picture_of_which_nothing_is_known_teaches_nothing() -> None:
    out = answer(32)
    nothing = torch.zeros(2, 32, 32)
    terms = total(out, truth_of(nothing, nothing, -1.0))
    assert float(terms["loss"].detach()) == 0.0


@pytest.mark.parametrize("size", [32, 16])
def test_with_every_pixel_known_the_terms_are_those_without_weights(size: int) -> None:
    mask, _ = example()
    plain, weighed = truth_of(mask, None), truth_of(mask, torch.ones_like(mask))
    marked = replace(weighed, drawn=torch.tensor([True, True]))
    first, *others = (total(answer(size), truth) for truth in (plain, weighed, marked))
    for other in others:
        assert all(torch.equal(value, other[name]) for name, value in first.items())


def test_attention_on_a_small_drawn_thing_is_taught_beside_unknown_pixels() -> None:
    mask, weight = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    mask[0, 1, 1] = weight[0, 1, 1] = 1
    weight[0, 4:, 4:] = 1
    attention = torch.zeros(1, 2, 2, requires_grad=True)
    location(attention, mask, weight).backward()
    assert attention.grad is not None
    assert (attention.grad != 0).nonzero().tolist() == [[0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("judged", [None, "drawn"])
def test_attention_is_taught_where_every_known_cell_is_drawn(judged: str | None) -> None:
    """A mask that fills its picture, or beside which nobody judged anything."""
    mask = torch.ones(1, 8, 8)
    if judged:
        mask[0, :, 4:] = 0
    attention = torch.zeros(1, 2, 2, requires_grad=True)
    location(attention, mask, mask.clone() if judged else None).backward()
    assert attention.grad is not None
    assert (attention.grad < 0).tolist() == [[[True, not judged]] * 2]
