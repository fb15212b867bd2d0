"""Which parts of the network hear the words: the ablations, as one frozen value.

A head that is left out is replaced by something that costs as many parameters and hears nothing, so that what
is compared is the hearing and not the size. Left out or not, a site ends in zero: every variant starts as the
plain host, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.errors import UsageError
from medsegr.reasoning.modulators import GLB, Modulator, zero_linear

MECHANISMS = ("modulators", "cross", "film", "token", "none")
INSTEAD = {"cross": "C", "film": "F"}  # what acts at a site in place of the heads
SITES = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Variant:
    """``heads``: a subset of ``"LTS"`` (location, texture, shape) that acts; ``sites``: where, of 0 to 3
    (strides 4, 8, 16, 32).

    ``mechanism``: ``modulators`` (ours); ``cross`` (words and image read each other by attention, as the
    adapters of LGA do: Hu et al., MICCAI 2024); ``film`` (a gain and a shift for each channel at the sites,
    from the prior of the whole report; Perez et al. 2018, arXiv 1709.07871); ``token`` (words reach the
    decoder's tokens only); ``none`` (no word is heard at all). The decoder's tokens hear the words in all
    but the last. Parameters are equal within 2 %. UsageError for what does not exist.
    """

    heads: str = "LTS"
    sites: Sequence[int] = SITES
    mechanism: str = "modulators"

    def __post_init__(self) -> None:
        """Refuses values that do not exist; a TOML list of sites becomes a tuple."""
        object.__setattr__(self, "sites", tuple(self.sites))
        if set(self.heads) - set("LTS") or len(set(self.heads)) != len(self.heads):
            raise UsageError(f"heads: {self.heads[:20]!r} came, a subset of the letters LTS was expected")
        if set(self.sites) - set(SITES) or len(set(self.sites)) != len(self.sites):
            raise UsageError(f"sites: {list(self.sites)[:9]} came, some of 0, 1, 2, 3 were expected")
        if self.mechanism not in MECHANISMS:
            known = ", ".join(MECHANISMS)
            raise UsageError(f"mechanism: {str(self.mechanism)[:20]!r} is not known; known are {known}")

    def heard(self, site: int, full: str) -> str:
        """The heads of ``full`` that act at a site; ``"C"`` is cross-attention, ``"F"`` FiLM."""
        if site not in self.sites or self.mechanism == "token":
            return ""
        if self.mechanism in INSTEAD:
            return INSTEAD[self.mechanism]
        return "".join(head for head in full if head in self.heads)

    def modulator(self, site: int, channels: int, inner: int, prior: int, full: str) -> Modulator:
        """The modulator of a site whose complete form has the heads ``full``."""
        heard = self.heard(site, full)
        if heard == full:
            return Modulator(channels, inner, prior, 128, full)
        other = Film(inner, prior) if heard == "F" else Cross(inner, prior, 128) if heard == "C" else None
        made = Modulator(channels, inner, prior, 128, heard if other is None else "")
        missing = size(Modulator(channels, inner, prior, 128, full)) - size(made) - size(other)
        made.rest = Rest(other, Deaf(inner, missing))
        return made


def size(module: nn.Module | None) -> int:
    """Number of parameters."""
    return 0 if module is None else sum(p.numel() for p in module.parameters())


class Deaf(nn.Module):
    """A depthwise 3x3 convolution with a gain for each channel from the map's mean (squeeze and excitation,
    Hu et al. 2018, arXiv 1709.01507), as many ``parameters`` as asked within ``2 inner + 1``. Hears no
    word.

    The excitation holds the parameters because it costs no time: the variants stay equally fast.
    """

    def __init__(self, inner: int, parameters: int) -> None:
        super().__init__()
        self.local = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.norm = nn.GroupNorm(1, inner)
        hidden = max(1, round((parameters - size(self.local) - size(self.norm) - inner) / (2 * inner + 1)))
        self.squeeze = nn.Linear(inner, hidden)
        self.excite = nn.Linear(hidden, inner)

    def forward(self, u: Float[Tensor, "b r h w"]) -> Float[Tensor, "b r h w"]:
        """Filter the map."""
        gain = self.excite(F.gelu(self.squeeze(u.mean((2, 3))))).tanh()
        out: Tensor = u + (1 + gain[..., None, None]) * self.norm(self.local(u))
        return out


class Attention(nn.Module):
    """Attention with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Float[Tensor, "b n r"], read: Float[Tensor, "b m r"]) -> Float[Tensor, "b n r"]:
        """What each of ``x`` reads."""
        seen = F.scaled_dot_product_attention(self.query(x), self.key(read), self.value(read))
        out: Tensor = self.out(seen)
        return out


class Cross(nn.Module):
    """Words and image read each other, in the order of LGA's adapters: the words read the image, the image
    reads the words, then a feed-forward layer of a quarter of the width; gains of channels begin at zero.

    Theirs reads the mean of the report's words and gets positions from the encoder. Here all four priors are
    read, since over one word there is nothing to attend to, and positions are added, as our location head
    has them.
    """

    def __init__(self, inner: int, prior: int, position: int) -> None:
        super().__init__()
        self.enter = nn.Linear(prior, inner)
        self.place = nn.Conv2d(position, inner, 1)
        self.words, self.image = Attention(inner), Attention(inner)
        self.norm = nn.LayerNorm(inner)
        self.feed = nn.Sequential(nn.Linear(inner, inner // 4), nn.GELU(), nn.Linear(inner // 4, inner))
        self.gain = nn.Parameter(torch.zeros(2, inner))

    def forward(
        self, u: Float[Tensor, "b r h w"], priors: Float[Tensor, "b 4 d"], pe: Float[Tensor, "p h w"]
    ) -> Float[Tensor, "b r h w"]:
        """Add what the cells of the map read."""
        cells = u.flatten(2).mT
        placed = cells + self.place(pe[None]).flatten(2).mT
        words = self.enter(priors)
        words = words + self.words(words, placed)
        cells = cells + self.gain[0] * self.image(placed, words)
        cells = cells + self.gain[1] * self.feed(self.norm(cells))
        out: Tensor = cells.mT.reshape(u.shape)
        return out


class Film(nn.Module):
    """A gain and a shift for each channel, from the prior of the whole report; both begin at zero."""

    def __init__(self, inner: int, prior: int) -> None:
        super().__init__()
        self.film = zero_linear(prior, 2 * inner)

    def forward(
        self, u: Float[Tensor, "b r h w"], priors: Float[Tensor, "b 4 d"], pe: Float[Tensor, "p h w"]
    ) -> Float[Tensor, "b r h w"]:
        """Bounded, as the heads are: words can mislead but not erase."""
        gain, shift = self.film(priors[:, GLB]).tanh()[..., None, None].chunk(2, 1)
        out: Tensor = u * (1 + gain) + shift
        return out


class Rest(nn.Module):
    """What stands in place of the heads that were left out."""

    def __init__(self, other: Cross | Film | None, deaf: Deaf) -> None:
        super().__init__()
        self.other = other
        self.deaf = deaf

    def forward(
        self, u: Float[Tensor, "b r h w"], priors: Float[Tensor, "b 4 d"], pe: Float[Tensor, "p h w"]
    ) -> Float[Tensor, "b r h w"]:
        """The other mechanism, if there is one, then the deaf filter."""
        out: Tensor = self.deaf(u if self.other is None else self.other(u, priors, pe))
        return out
