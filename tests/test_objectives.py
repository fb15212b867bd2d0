"""Losses: what is not there, and pixels that count less than others."""

import pytest
import torch

from medsegr.errors import UsageError
from medsegr.model import Output
from medsegr.objectives import Truth, Weights, segmentation, total
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
