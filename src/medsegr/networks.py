"""What every trainable network offers, so that one loop trains it and one predictor asks it; and the
wrapping of networks that know neither words nor clicks.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.model import MedSegR, Output, build_model
from medsegr.nn.blocks import Mlp
from medsegr.reasoning.attributes import Words
from medsegr.reasoning.codes import Vocabulary
from medsegr.sam.mask_decoder import Decoded
from medsegr.sam.sam import Clicks
from medsegr.variants import Variant

EXTRA = 16  # channels beside the mask, from which presence and quality are read


@runtime_checkable
class Network(Protocol):
    """A torch module that is called like :class:`medsegr.model.MedSegR`."""

    def shared(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The part that no word can change: two maps [b . . .] of ``pixels`` [b 3 h w], normalised, h and w
        multiples of 32 and at least 64."""
        ...

    def __call__(self, shared: tuple[Tensor, Tensor], words: Words, clicks: Clicks = ...) -> Output:
        """Masks for one row a finding. ``traces`` may be empty and ``codes`` None."""
        ...

    def to(self, device: str) -> Any:
        """As a torch module's."""
        ...

    def eval(self) -> Any:
        """As a torch module's."""
        ...


Build = Callable[[Vocabulary], Any]


def medsegr(words: Vocabulary, prior: int = 256, **variant: Any) -> MedSegR:
    """Our network, for the registry; ``variant`` are fields of :class:`medsegr.variants.Variant`."""
    return build_model(words, prior, Variant(**variant))


class Verdicts(nn.Module):
    """Presence and quality logits from the mean and the maximum over space of a map of ``channels``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.head = Mlp(2 * channels, 32, 2)

    def forward(self, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor]:
        """Two vectors [b]."""
        both = self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], -1))
        return both[:, 0], both[:, 1]


class Wordless(nn.Module):
    """A network from pictures [b 3 h w] to ``1 + EXTRA`` maps [b . h w], behind the interface of all. Words
    and clicks are not heard."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.verdicts = Verdicts(EXTRA)

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """All of it, but for the verdicts."""
        maps = self.net(pixels)
        return maps[:, :1], maps[:, 1:]

    def forward(self, shared: tuple[Tensor, Tensor], words: Words, clicks: Clicks = Clicks()) -> Output:  # noqa: B008 - frozen
        """The same mask for every row."""
        mask, more = shared
        return Output(Decoded(mask[:, 0], *self.verdicts(more)))


def untrained(network: Build, words: Vocabulary, seed: int = 0) -> Any:
    """A random network with its exits that begin at zero opened, so that it can be heard to listen: for
    tests."""
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        model = network(words)
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.05)
    finally:
        torch.random.set_rng_state(state)
    return model
