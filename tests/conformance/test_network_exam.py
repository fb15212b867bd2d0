"""The exam of the door "network": on a toy that learns, and on toys that are wired wrongly."""

from dataclasses import dataclass

import pytest

from medsegr import conformance
from medsegr.registry import Card

torch = pytest.importorskip("torch")

CARD = Card("toy", "nowhere:build", "", family="core", door="network")


@dataclass(frozen=True)
class Batch:
    image: "torch.Tensor"
    mask: "torch.Tensor"


class Net(torch.nn.Module):
    def __init__(self, forgotten: bool = False, dead: bool = False) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 8, 3, padding=1)
        self.last = torch.nn.Conv2d(8, 1, 1)
        self.unused = torch.nn.Conv2d(1, 1, 1) if forgotten else None
        self.dead = dead

    def forward(self, batch: Batch) -> "torch.Tensor":
        logits = self.last(torch.relu(self.first(batch.image)))
        return logits.detach() + 0 * self.last.bias.sum() if self.dead else logits


def pair(**options: bool):
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 12, 12)
    image[..., 3:8, 4:9] = 1
    return Net(**options), Batch(image, image > 0.5)


@pytest.mark.parametrize("check", conformance.checks(CARD), ids=lambda check: check.__name__)
def test_a_learning_network_passes(check: conformance.Check) -> None:
    check(pair(), CARD)


def test_a_parameter_without_use_is_named() -> None:
    with pytest.raises(AssertionError, match=r"unused\.weight"):
        conformance.gradients_reach_every_trainable(pair(forgotten=True), CARD)


def test_a_network_that_does_not_learn_is_caught() -> None:
    with pytest.raises(AssertionError, match="the loss went from"):
        conformance.fits_one_toy_sample(pair(dead=True), CARD)


def test_wrong_shape_is_caught() -> None:
    net, batch = pair()
    with pytest.raises(AssertionError, match="logits"):
        conformance.gives_logits_for_every_target((net, Batch(batch.image, batch.mask[..., :6])), CARD)
