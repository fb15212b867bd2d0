"""Every trainable network: shapes, gradients, learning, company, and who hears the words."""

from functools import cache
from typing import Any

import pytest
import torch

from medsegr import registry
from medsegr.objectives import Truth, total
from medsegr.reasoning.attributes import Words, encode_words
from medsegr.reasoning.codes import Code, vocabulary
from medsegr.sam.host import Clicks

WORDS = vocabulary(["polyp", "nucleus"], [], ["ES"])
SMALL: dict[str, dict[str, Any]] = {
    "decoder-only": {"widths": [16, 16, 32, 32], "prior": 32},
    "languide-like": {"widths": [16, 16, 32, 32], "text": 32},
    "lvit-like": {"widths": [8, 16, 16, 16], "width": 32},
    "monai-unet": {"channels": [8, 12, 16], "units": 1},
    "monai-dynunet": {"channels": [8, 12, 16]},
}
HEARING = ("decoder-only", "languide-like", "lvit-like")
UPPER, LOWER = [Code("concept:polyp"), Code("row:upper")], [Code("concept:polyp"), Code("row:lower")]


@cache
def network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    made: torch.nn.Module = registry.network(name, **SMALL[name])(WORDS)
    return made.eval()


def said(*codes: list[Code]) -> Words:
    return encode_words(codes, WORDS)


def scene() -> tuple[torch.Tensor, Words, Truth]:
    """Two blobs, above and below; the words say which one is meant."""
    pixels, mask = torch.zeros(4, 3, 64, 64), torch.zeros(4, 64, 64)
    pixels[..., 10:26, 20:44] = pixels[..., 40:56, 20:44] = 2.0
    mask[:2, 10:26, 20:44] = mask[2:, 40:56, 20:44] = 1
    nothing = torch.zeros(4, len(WORDS.codes))
    return pixels, said(UPPER, UPPER, LOWER, LOWER), Truth(mask, torch.ones(4), nothing, nothing > -1)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_masks_have_the_shape_of_the_picture(name: str, size: tuple[int, int]) -> None:
    out = network(name)(network(name).shared(torch.randn(2, 3, *size)), said(UPPER, []))
    scale = size[0] // out.decoded.logits.shape[-2]
    assert scale in (1, 2)
    assert out.decoded.logits.shape == (2, size[0] // scale, size[1] // scale)
    assert out.decoded.presence.shape == out.decoded.quality.shape == (2,)
    assert out.decoded.logits.isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_two_at_once_are_two_alone(name: str) -> None:
    net, pixels = network(name), torch.randn(2, 3, 64, 64)
    both = net(net.shared(pixels), said(UPPER, [])).decoded
    for i, codes in enumerate((UPPER, [])):
        one = net(net.shared(pixels[i : i + 1]), said(codes)).decoded
        assert torch.allclose(one.logits[0], both.logits[i], atol=1e-4)
        assert torch.allclose(one.presence[0], both.presence[i], atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_and_every_weight_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    net = registry.network(name, **SMALL[name])(WORDS).train()
    pixels, words, truth = scene()
    optimiser, losses, reached = torch.optim.AdamW(net.parameters(), lr=4e-3), [], set()
    clicks = Clicks(torch.full((4, 5, 2), 0.5), torch.arange(5.0).expand(4, 5), torch.randn(4, 1, 64, 64))
    for step in range(14):
        optimiser.zero_grad()
        terms = total(net(net.shared(pixels), words, clicks if step < 3 else Clicks()), truth)
        terms["loss"].backward()
        reached |= {n for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
        optimiser.step()
        losses.append(float(terms["segmentation"].detach()))
    silent = {n for n, _ in net.named_parameters()} - reached
    # a scalar's weights need a size to be told
    assert silent <= {"tokens.scalar.weight", "tokens.scalar.bias"}
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", SMALL)
def test_words_reach_those_that_hear_and_no_others(name: str) -> None:
    net, shared = network(name), network(name).shared(torch.randn(1, 3, 64, 64))
    answers = [net(shared, said(codes)).decoded.logits for codes in (UPPER, LOWER, [])]
    moved = [float((answers[0] - other).detach().abs().max()) for other in answers[1:]]
    assert all(m > 0 for m in moved) if name in HEARING else moved == [0, 0]


@pytest.mark.parametrize("name", SMALL)
def test_the_full_size_is_near_ours(name: str) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in registry.network(name)(WORDS).parameters())
    assert 4.6e6 < count < 5.8e6  # ours has 5.3 million
