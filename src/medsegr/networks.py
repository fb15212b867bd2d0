"""What every trainable network offers, so that one loop trains it and one predictor asks it; and the
wrapping of networks that know neither words nor clicks.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr import hub
from medsegr.errors import UsageError, WeightsError
from medsegr.model import MedSegR, Output, build_model
from medsegr.nn.blocks import Mlp
from medsegr.reasoning.attributes import AttributeTokens, Words
from medsegr.reasoning.codes import Vocabulary
from medsegr.reasoning.fusion import Fusion
from medsegr.reasoning.modulators import Modulator
from medsegr.sam.host import Clicks, Shared
from medsegr.sam.mask_decoder import Decoded
from medsegr.variants import Variant

EXTRA = 16  # channels beside the mask, from which presence and quality are read


@runtime_checkable
class Network(Protocol):
    """A torch module that is called like :class:`medsegr.model.MedSegR`. One that hears no clicks says so by
    ``hears_clicks = False``: it is given none."""

    def shared(self, pixels: Tensor) -> Shared:
        """The part that no word can change: maps [b . . .] of ``pixels`` [b 3 h w], normalised, h and w
        multiples of 32 and at least 64."""
        ...

    def __call__(self, shared: Shared, words: Words, clicks: Clicks = ...) -> Output:
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


def hosted(
    words: Vocabulary, host: str, sha256: str = "", prior: int = 256, heads: str = "LTS", **more: Any
) -> MedSegR:
    """Our two stages on a foreign host: a name of ``medsegr models list``, a folder of weights, or
    ``tiny:FAMILY`` (small and random).

    ``sha256`` of its weights, where it must be these; ``prior`` width of the words' tokens; ``heads`` a
    subset of ``"LTS"``; ``more``: ``sites``, ``lora``, ``freeze`` as in
    :class:`medsegr.sam.hosts.foreign.Setting`, ``mechanism`` ``modulators`` or ``none`` (no word is heard). A
    modulator's inner width is a quarter of its site's; there is no shape head at stride 4, as in our own
    network. WeightsError for a host that is not here or not the right one.
    """
    from medsegr.sam.hosts import opening
    from medsegr.sam.hosts.foreign import Identity, Setting

    deaf = Variant(heads=heads, mechanism=more.pop("mechanism", "modulators")).mechanism
    if deaf not in ("modulators", "none"):
        raise UsageError(f"mechanism: on a foreign host modulators or none was expected, {deaf} came")
    given = {"used" if key == "sites" else key: value for key, value in more.items()}
    if unknown := set(given) - {"used", "lora", "freeze"}:
        raise UsageError(f"a host has no option {sorted(unknown)[0]}; known are sites, lora, freeze")
    if host.startswith(opening.TINY):
        stands = opening.tiny(host, Setting(**given))
    else:
        found = hub.find(host, sha256)
        identity = Identity(found.name, hub.verify(found))
        stands = opening.opened(found.folder, Setting(**given, normal=hub.normal_of(found)), identity)
    if sha256 and stands.identity.sha256 != sha256:
        raise WeightsError(
            f"the host '{stands.identity.name}' has weights with SHA-256 {stands.identity.sha256[:12]}..., "
            f"but this checkpoint was trained on {sha256[:12]}...: give it the host that it stands on"
        )
    modulators = [
        Modulator(
            site.channels,
            max(4, site.channels // 16 * 4),
            prior,
            stands.places,
            heads.replace("S", "") if site.stride == 4 else heads,
        )
        for site in stands.sites
    ]
    model = MedSegR(
        host=stands,
        tokens=AttributeTokens(words, prior),
        fusion=Fusion(prior, prior, heads=8, inner=4 * prior),
        modulators=nn.ModuleList(modulators),
        attributes=Mlp(stands.summary, 256, len(words.codes)),
    )
    model.deaf = deaf == "none"
    return model


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

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> Shared:
        """All of it, but for the verdicts."""
        maps = self.net(pixels)
        return maps[:, :1], maps[:, 1:]

    def forward(self, shared: Shared, words: Words, clicks: Clicks = Clicks()) -> Output:  # noqa: B008 - frozen
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
