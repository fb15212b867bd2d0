"""On a task that only the words decide, a host with words learns and the same host without cannot."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsegr.networks import hosted
from medsegr.objectives import Truth, total
from medsegr.reasoning.attributes import Words, encode_words
from medsegr.reasoning.codes import Code, vocabulary

pytest.importorskip("transformers")
pytest.importorskip("peft")
from edgetam_host import edgetam_model, stand_in
from medsegr.sam.hosts import opening

WORDS = vocabulary(["polyp"], [], ["ES"])
SIZE, SQUARE = 64, 24


def twins(count: int, dice: torch.Generator) -> tuple[Tensor, Tensor, Words]:
    """Two equal bright squares, one in each half; the words say which of them is meant."""
    pixels = torch.randn(count, 3, SIZE, SIZE, generator=dice) * 0.3
    masks, said = torch.zeros(count, SIZE, SIZE), []
    for row in range(count):
        meant = int(torch.randint(2, (1,), generator=dice))
        for half in range(2):
            y = int(torch.randint(4, 36, (1,), generator=dice))
            x = int(torch.randint(2, 7, (1,), generator=dice)) + 32 * half
            pixels[row, :, y : y + SQUARE, x : x + SQUARE] += 2
            if half == meant:
                masks[row, y : y + SQUARE, x : x + SQUARE] = 1
        said.append([Code("concept:polyp"), Code("col:right" if meant else "col:left")])
    return pixels, masks, encode_words(said, WORDS)


def learned(host: str, mechanism: str, steps: int) -> float:
    """Mean Dice on pictures not trained on, after so many steps."""
    torch.manual_seed(0)
    net = hosted(WORDS, host, prior=32, mechanism=mechanism).train()
    trained = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-3)
    dice = torch.Generator().manual_seed(0)
    nothing = torch.zeros(4, len(WORDS.codes))
    for _ in range(steps):
        pixels, masks, words = twins(4, dice)
        terms = total(net(net.shared(pixels), words), Truth(masks, torch.ones(4), nothing, nothing > 0))
        optimiser.zero_grad()
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
    net.eval()
    pixels, masks, words = twins(32, torch.Generator().manual_seed(99))
    with torch.no_grad():
        logits = net(net.shared(pixels), words).decoded.logits
    drawn = F.interpolate(logits[:, None], (SIZE, SIZE), mode="bilinear")[:, 0] > 0
    both = (drawn & (masks > 0)).sum((1, 2))
    return float((2 * both / (drawn.sum((1, 2)) + masks.sum((1, 2))).clamp(min=1)).mean())


def test_words_are_learned_in_some_steps() -> None:
    both = 2 / 3  # Dice of drawing both squares exactly: the most that can be had without a word
    assert learned("tiny:sam", "modulators", 60) > both + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sam", "sam-hq", "sam2", "sam3", "edgetam"])
def test_words_are_learned_better_than_nothing_in_200_steps(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {**opening.FAMILIES, "edgetam": replace(opening.FAMILIES["edgetam"], tiny=edgetam_model)}
    monkeypatch.setattr(opening, "FAMILIES", made)
    with stand_in():
        assert learned(f"tiny:{name}", "modulators", 200) > learned(f"tiny:{name}", "none", 200) + 0.15
