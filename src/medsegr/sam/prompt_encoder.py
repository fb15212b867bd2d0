"""SAM's prompt encoder: points, boxes and a mask to sparse and dense embeddings (arXiv 2304.02643, appendix
A)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.nn.blocks import LayerNorm2d

OUTSIDE, INSIDE, CORNER_A, CORNER_B, PADDING = range(5)


class FourierPosition(nn.Module):
    """Fixed random Fourier features of a position in [0, 1]^2 (Tancik et al. 2020, as SAM uses them)."""

    matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        draw = torch.randn(2, width // 2, generator=torch.Generator().manual_seed(0))
        self.register_buffer("matrix", draw)

    def forward(self, xy: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n c"]:
        """``xy`` in [0, 1]: pixel centres divided by the extent."""
        angle = 2 * math.pi * ((2 * xy - 1) @ self.matrix)
        return torch.cat([angle.sin(), angle.cos()], -1)

    def grid(self, h: int, w: int) -> Float[Tensor, "c h w"]:
        """Encoding of every cell centre of an ``h w`` grid."""
        like = self.matrix
        y = (torch.arange(h, device=like.device, dtype=like.dtype) + 0.5) / h
        x = (torch.arange(w, device=like.device, dtype=like.dtype) + 0.5) / w
        yy, xx = torch.meshgrid(y, x, indexing="ij")
        out: Tensor = self(torch.stack([xx, yy], -1))
        return out.permute(2, 0, 1)


class PromptEncoder(nn.Module):
    """Points (kind 0 outside, 1 inside, 2 and 3 box corners, 4 padding) and a previous mask, at the decoder's
    width."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.position = FourierPosition(width)
        self.kinds = nn.Embedding(5, width)
        self.no_mask = nn.Parameter(torch.zeros(width))
        self.mask = nn.Sequential(
            nn.Conv2d(1, 16, 4, 4),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, 32, 4, 4),
            LayerNorm2d(32),
            nn.GELU(),
            nn.Conv2d(32, width, 1),
        )

    def sparse(self, points: Float[Tensor, "b n 2"], kinds: Float[Tensor, "b n"]) -> Float[Tensor, "b n c"]:
        """``points`` in [0, 1] (x, y); ``kinds`` as in the module. Padding gives a learned token without
        position."""
        here = self.position(points) * (kinds != PADDING)[..., None]
        out: Tensor = here + self.kinds(kinds.long())
        return out

    def dense(
        self, mask: Float[Tensor, "b 1 h w"] | None, size: tuple[int, int, int], has: Tensor | None = None
    ) -> Float[Tensor, "b c g v"]:
        """Previous mask (logits, clipped to +-8, at the input's size) or the learned "no mask", row by row
        where ``has`` [b] says so; ``size`` is (b, g, v)."""
        b, g, v = size
        none = self.no_mask[None, :, None, None].expand(b, -1, g, v)
        if mask is None:
            return none
        seen: Tensor = self.mask(mask.clamp(-8, 8) / 4)
        return seen if has is None else torch.where(has[:, None, None, None], seen, none)
