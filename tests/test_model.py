"""The wired model: exact no-op at initialisation, gradients everywhere, company changes nothing, words are
heard.
"""

import pytest
import torch

from medsegr.model import MedSegR, build_model
from medsegr.objectives import Truth, total
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, vocabulary
from medsegr.sam.host import Clicks

WORDS = vocabulary(["lung", "polyp"], ["liver"], ["CR", "ES"])
ASKED = [
    [
        Code("concept:polyp"),
        Code("row:upper"),
        Code("density:hypo"),
        Code("form:round"),
        Code("extent:", 0.2),
    ],
    [],
]


@pytest.fixture(scope="module")
def model() -> MedSegR:
    torch.manual_seed(0)
    return build_model(WORDS)


def test_size_of_the_default_host(model: MedSegR) -> None:
    assert 1e6 < sum(p.numel() for p in model.host.parameters()) < 6e6
    assert sum(p.numel() for p in model.parameters()) < 6e6


def test_at_initialisation_the_model_is_the_plain_host_bit_for_bit(model: MedSegR) -> None:
    model.eval()
    pixels = torch.randn(2, 3, 64, 96)
    guided = model(model.shared(pixels), encode_words(ASKED, WORDS)).decoded
    plain = model.host(pixels)
    assert torch.equal(guided.logits, plain.logits)
    assert torch.equal(guided.presence, plain.presence)


def train(model: MedSegR, steps: int) -> None:
    torch.manual_seed(1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    truth = Truth(
        (torch.rand(2, 64, 64) > 0.7).float(), torch.tensor([1.0, 0.0]), torch.zeros(2, len(WORDS.codes)),
        torch.ones(2, len(WORDS.codes), dtype=torch.bool),
    )  # fmt: skip
    clicks = Clicks(torch.rand(2, 5, 2), torch.tensor([[0.0, 1, 2, 3, 4]] * 2), torch.randn(2, 1, 64, 64))
    for _ in range(steps):
        optimiser.zero_grad()
        every_code = [[Code(code, 0.3) for code in WORDS.codes]] * 2
        total(model(model.shared(torch.randn(2, 3, 64, 64)), encode_words(every_code, WORDS), clicks), truth)[
            "loss"
        ].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def test_gradients_reach_every_weight_by_the_third_step() -> None:
    torch.manual_seed(0)
    model = build_model(WORDS).train()
    train(model, 3)
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == {"host.prompt_encoder.no_mask"}  # a mask was given


def test_words_and_clicks_are_heard_and_company_changes_nothing() -> None:
    torch.manual_seed(0)
    model = build_model(WORDS).train()
    train(model, 3)
    model.eval()
    pixels = torch.randn(1, 3, 64, 64)
    shared = model.shared(pixels)
    both = model(tuple(s.expand(2, -1, -1, -1) for s in shared), encode_words(ASKED, WORDS)).decoded.logits
    one = model(shared, encode_words(ASKED[:1], WORDS)).decoded.logits
    other = model(shared, encode_words(ASKED[1:], WORDS)).decoded.logits
    assert torch.allclose(both, torch.cat([one, other]), atol=1e-4)
    assert (one - other).abs().max() > 1e-4
    clicked = model(
        shared, encode_words(ASKED[:1], WORDS), Clicks(torch.full((1, 1, 2), 0.3), torch.ones(1, 1))
    )
    assert (clicked.decoded.logits - one).abs().max() > 1e-5


@pytest.mark.parametrize("size", [(64, 64), (32, 128), (96, 64)])
def test_any_multiple_of_32(model: MedSegR, size: tuple[int, int]) -> None:
    logits = model.host(torch.randn(1, 3, *size)).logits
    assert logits.shape == (1, size[0] // 2, size[1] // 2)
