"""Losses: what nobody judged teaches nothing, and all else what it taught before."""

from dataclasses import replace

import pytest
import torch

from medsegr.model import Output
from medsegr.objectives import Truth, location, total
from medsegr.reasoning.modulators import Trace
from medsegr.sam.mask_decoder import Decoded


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
