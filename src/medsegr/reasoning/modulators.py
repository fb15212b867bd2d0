"""Perceptual stage: prior tokens act on a host's features through a bottleneck with three heads and a zero
exit.

    U0 = GELU(LN(F) W_down)      U1 = location(U0, p_loc)      U2 = texture(U1, p_tex)      U3 = shape(U2,
    p_shp)
    F' = F + U3 W_up,            W_up = 0 at initialisation: an exact no-op until something was learned

All maps are ``b c h w``. Offsets are in tokens (cells of the map), order y, x. Gains are bounded, so that
words can mislead but never erase what the image shows.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.nn.blocks import LayerNorm2d

LOC, TEX, SHP, GLB = range(4)
POINTS = 9  # 3x3 lattice
CENTRE = 4
REACH = 2.0  # rho: largest image-driven offset, in tokens


def zero_linear(cin: int, cout: int) -> nn.Linear:
    """A linear layer that starts as zero."""
    layer = nn.Linear(cin, cout)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class LocationHead(nn.Module):
    """Spatial attention from a content term and a pure coordinate term: gain 0.5 + A in (0.5, 1.5)."""

    def __init__(self, inner: int, prior: int, position: int, width: int = 64) -> None:
        super().__init__()
        self.keys = nn.Linear(prior, 2 * width)
        self.content = nn.Conv2d(inner, width, 1)
        self.place = nn.Conv2d(position, width, 1)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(
        self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"], pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``pe`` [c h w] dense positions. Returns the map and the attention logits [b h w]."""
        key_content, key_place = self.keys(prior).chunk(2, -1)
        content = torch.einsum("bc,bchw->bhw", key_content, self.content(u))
        place = torch.einsum("bc,chw->bhw", key_place, self.place(pe[None])[0])
        logits = (content + place) / math.sqrt(key_content.shape[-1]) + self.bias
        return u * (0.5 + logits.sigmoid())[:, None], logits


class TextureHead(nn.Module):
    """Mixture of depthwise 3x3 kernels chosen by the prior, then bounded FiLM.

    ``tau`` cools from 30 to 1 over the first tenth of training so that all kernels learn before some are
    chosen.
    """

    tau: Tensor

    def __init__(self, inner: int, prior: int, kernels: int = 8) -> None:
        super().__init__()
        self.mix = nn.Linear(prior, kernels)
        self.kernels = nn.Parameter(torch.randn(kernels, inner, 3, 3) * 0.05)
        self.norm = nn.GroupNorm(1, inner)
        self.film = zero_linear(prior, 2 * inner)
        self.register_buffer("tau", torch.ones(()), persistent=False)

    def forward(self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"]) -> Float[Tensor, "b r h w"]:
        """Filter the map with the kernel that the words chose."""
        b, r, h, w = u.shape
        chosen = torch.einsum("bk,krij->brij", (self.mix(prior) / self.tau).softmax(-1), self.kernels)
        filtered = F.conv2d(
            u.reshape(1, b * r, h, w), chosen.reshape(b * r, 1, 3, 3), padding=1, groups=b * r
        )
        gain, shift = self.film(prior).tanh()[..., None, None].chunk(2, 1)
        out: Tensor = u + (1 + gain) * self.norm(filtered.reshape(b, r, h, w)) + shift
        return out


class ShapeHead(nn.Module):
    """Deformable sampling: the words set the lattice (scale, aspect, turn), the image the local residual."""

    lattice: Tensor

    def __init__(self, inner: int, prior: int, groups: int = 4) -> None:
        super().__init__()
        self.groups = groups
        self.to_lattice = zero_linear(prior, 3)
        self.local = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.norm = nn.GroupNorm(1, inner)
        self.film = zero_linear(prior, 2 * inner)
        self.offsets = nn.Conv2d(inner, groups * POINTS * 3, 1)
        self.weight = nn.Parameter(torch.ones(POINTS, inner))
        # Weight 0.71 on the centre: the first steps must not blur small lesions.
        bias = torch.zeros(groups, POINTS, 3)
        bias[:, CENTRE, 2] = 3.0
        nn.init.zeros_(self.offsets.weight)
        self.offsets.bias = nn.Parameter(bias.flatten())
        steps = torch.tensor([[y, x] for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)])
        self.register_buffer("lattice", steps, persistent=False)

    def deform(self, prior: Float[Tensor, "b d"]) -> Float[Tensor, "b 9 2"]:
        """The lattice points (y, x) in tokens: R(theta) diag(exp a_y, exp a_x) kappa."""
        a_y, a_x, turn = self.to_lattice(prior).unbind(-1)
        return lattice_points(self.lattice, 0.7 * a_y.tanh(), 0.7 * a_x.tanh(), math.pi / 2 * turn.tanh())

    def forward(self, u: Float[Tensor, "b r h w"], prior: Float[Tensor, "b d"]) -> tuple[Tensor, Tensor]:
        """Returns the map and the image-driven offsets [b g 9 2 h w] in tokens (for their penalty)."""
        b, r, h, w = u.shape
        g = self.groups
        gain, shift = self.film(prior).tanh()[..., None, None].chunk(2, 1)
        v = F.gelu(self.norm(self.local(u)) * (1 + gain) + shift)
        raw = self.offsets(v).view(b, g, POINTS, 3, h, w)
        residual = REACH * raw[:, :, :, :2].tanh()
        share = raw[:, :, :, 2].softmax(2)
        points = self.deform(prior)[:, None, :, :, None, None] + residual
        sampled = sample_at(u.reshape(b * g, r // g, h, w), points.reshape(b * g, POINTS, 2, h, w))
        sampled = sampled.view(b, g, r // g, POINTS, h, w)
        weight = self.weight.t().reshape(1, g, r // g, POINTS, 1, 1)
        out = (sampled * share[:, :, None] * weight).sum(3)
        return out.reshape(b, r, h, w), residual


def lattice_points(lattice: Tensor, a_y: Tensor, a_x: Tensor, theta: Tensor) -> Float[Tensor, "b 9 2"]:
    """``lattice`` [9 2] (y, x) stretched by exp(a_y), exp(a_x) [b], then turned by ``theta`` [b] radians."""
    y, x = lattice[None, :, 0] * a_y.exp()[:, None], lattice[None, :, 1] * a_x.exp()[:, None]
    cos, sin = theta.cos()[:, None], theta.sin()[:, None]
    return torch.stack([cos * y - sin * x, sin * y + cos * x], -1)


def sample_at(u: Float[Tensor, "b c h w"], offsets: Float[Tensor, "b p 2 h w"]) -> Float[Tensor, "b c p h w"]:
    """Bilinear samples of ``u`` at every cell plus ``offsets`` (y, x) in cells; zero outside."""
    b, c, h, w = u.shape
    p = offsets.shape[1]
    y = torch.arange(h, device=u.device, dtype=u.dtype)[:, None] + offsets[:, :, 0]
    x = torch.arange(w, device=u.device, dtype=u.dtype)[None, :] + offsets[:, :, 1]
    grid = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], -1)  # align_corners=False, x first
    sampled = F.grid_sample(
        u, grid.view(b, p * h, w, 2), mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled.view(b, c, p, h, w)


@dataclass(frozen=True, slots=True)
class Trace:
    """What one modulator did: attention logits [b h w] and image-driven offsets [b g 9 2 h w]; None without
    the head."""

    attention: Tensor | None
    offsets: Tensor | None


class Modulator(nn.Module):
    """One site. ``heads`` is a subset of ``"LTS"``; the order of action is always L, T, S."""

    def __init__(
        self, channels: int, inner: int, prior: int = 256, position: int = 256, heads: str = "LTS"
    ) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.down = nn.Conv2d(channels, inner, 1)
        self.location = LocationHead(inner, prior, position) if "L" in heads else None
        self.texture = TextureHead(inner, prior) if "T" in heads else None
        self.shape = ShapeHead(inner, prior) if "S" in heads else None
        self.rest: nn.Module | None = None  # acts last, in place of heads that are left out (variants.py)
        self.up = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)  # type: ignore[arg-type]

    def forward(
        self, x: Float[Tensor, "b c h w"], priors: Float[Tensor, "b 4 d"], pe: Tensor
    ) -> tuple[Tensor, Trace]:
        """``pe`` [p h w]: dense positions of this map's size."""
        u = F.gelu(self.down(self.norm(x)))
        logits, offsets = None, None
        if self.location is not None:
            u, logits = self.location(u, priors[:, LOC], pe)
        if self.texture is not None:
            u = self.texture(u, priors[:, TEX])
        if self.shape is not None:
            u, offsets = self.shape(u, priors[:, SHP])
        u = u if self.rest is None else self.rest(u, priors, pe)
        return x + self.up(u), Trace(logits, offsets)
