"""Ablations as a value: equal in size, exact no-ops at first, and deaf exactly where they say so."""

import pytest
import torch

from medsegr.errors import UsageError
from medsegr.model import MedSegR, build_model
from medsegr.objectives import Truth, total
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, vocabulary
from medsegr.reasoning.modulators import GLB, LOC, TEX
from medsegr.variants import Variant, size

WORDS = vocabulary(["polyp"], [], ["ES"])
ASKED = encode_words([[Code("concept:polyp"), Code("row:upper"), Code("form:round")]], WORDS)
VARIANTS = [
    *(Variant(heads) for heads in ("", "L", "T", "S", "LT", "LS", "TS")),
    Variant(sites=(3,)),
    Variant(sites=()),
    Variant(mechanism="cross"),
    Variant(mechanism="film"),
    Variant(mechanism="token"),
    Variant(mechanism="none"),
]


def built(variant: Variant) -> MedSegR:
    torch.manual_seed(0)
    return build_model(WORDS, 64, variant).eval()


def test_the_default_is_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    plain = build_model(WORDS, 64).eval()
    same = built(Variant())
    assert list(plain.state_dict()) == list(same.state_dict())
    assert not [name for name in same.state_dict() if "rest" in name]
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), same.parameters(), strict=True))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_equal_size_and_the_plain_host_at_first(variant: Variant) -> None:
    model = built(variant)
    assert size(model) == pytest.approx(size(built(Variant())), rel=0.02)
    pixels = torch.randn(1, 3, 64, 64)
    guided, plain = model(model.shared(pixels), ASKED).decoded, model.host(pixels)
    assert torch.equal(guided.logits, plain.logits)
    assert torch.equal(guided.presence, plain.presence)


@pytest.mark.parametrize(
    "variant",
    [Variant(""), Variant(mechanism="cross"), Variant(mechanism="film"), Variant("S", (1, 3))],
    ids=str,
)
def test_losses_and_gradients_without_some_heads(variant: Variant) -> None:
    model = built(variant).train()
    nothing = torch.zeros(2, len(WORDS.codes))
    truth = Truth((torch.rand(2, 64, 64) > 0.7).float(), torch.ones(2), nothing, nothing > -1)
    words = encode_words([[Code(code, 0.3) for code in WORDS.codes]] * 2, WORDS)
    optimiser, reached = torch.optim.SGD(model.parameters(), lr=0.1), set()
    for _ in range(3):
        optimiser.zero_grad()
        terms = total(model(model.shared(torch.randn(2, 3, 64, 64)), words), truth)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        reached |= {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert float(terms["location"]) == 0
    silent = {n for n, _ in model.named_parameters() if "prompt_encoder" not in n} - reached
    assert silent <= {"to_dense.weight", "to_dense.bias"}  # fed by the location head of the last site


def acting(variant: Variant) -> MedSegR:
    """With every exit open, as after training."""
    model = built(variant)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.mark.parametrize(
    ("variant", "priors"),
    [
        (Variant(), {LOC, TEX, 2}),
        (Variant("L"), {LOC}),
        (Variant("T", (0, 2)), {TEX}),
        (Variant("S"), {2}),
        (Variant(""), set()),
        (Variant(sites=()), set()),
        (Variant(mechanism="token"), set()),
        (Variant(mechanism="cross"), {LOC, TEX, 2, GLB}),
        (Variant(mechanism="film"), {GLB}),
    ],
    ids=str,
)
def test_sites_hear_what_the_variant_says(variant: Variant, priors: set[int]) -> None:
    model, heard = acting(variant), set()
    x = torch.randn(1, 128, 4, 4)
    base = torch.randn(1, 4, 64)
    pe = torch.randn(128, 4, 4)
    first, _ = model.modulators[2](x, base, pe)
    for which in range(4):
        other = base.clone()
        other[:, which] += 1
        if not torch.equal(model.modulators[2](x, other, pe)[0], first):
            heard.add(which)
    assert heard == priors


def test_attention_to_words_knows_places() -> None:
    """Two cells that look alike may read other words, and a word may read another part of the image."""
    model = acting(Variant(mechanism="cross"))
    x, priors = torch.ones(1, 128, 4, 4), torch.randn(1, 4, 64)
    flat, _ = model.modulators[2](x, priors, torch.zeros(128, 4, 4))
    placed, _ = model.modulators[2](x, priors, torch.randn(128, 4, 4))
    middle = flat[0, :, 1:3, 1:3].flatten(1)  # the deaf filter sees the edge of the map
    torch.testing.assert_close(middle, middle[:, :1].expand_as(middle))
    assert (placed[0, :, 1, 1] - placed[0, :, 2, 2]).abs().max() > 1e-3


def test_without_text_no_word_changes_anything() -> None:
    model = acting(Variant(mechanism="none"))
    shared = model.shared(torch.randn(1, 3, 64, 64))
    silence = model(shared, encode_words([[]], WORDS)).decoded.logits
    # Not to the last bit: with several threads a sum may be taken in another order.
    torch.testing.assert_close(model(shared, ASKED).decoded.logits, silence)
    token = acting(Variant(mechanism="token"))
    shared = token.shared(torch.randn(1, 3, 64, 64))
    apart = token(shared, ASKED).decoded.logits - token(shared, encode_words([[]], WORDS)).decoded.logits
    assert apart.abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"heads": "LX"}, "LTS"),
        ({"heads": "LL"}, "LTS"),
        ({"sites": [4]}, "0, 1, 2, 3"),
        ({"sites": [1, 1]}, "0, 1, 2, 3"),
        ({"mechanism": "magic"}, "film"),
    ],
)
def test_what_does_not_exist_is_refused(options: dict, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Variant(**options)
