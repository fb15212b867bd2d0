"""Two-way mask decoder with high-resolution skips (SAM's decoder, arXiv 2304.02643, fig. 14; skips as in
SAM-HQ / SAM 2).

Tokens: quality, presence, mask, then sparse prompts. One mask a target; presence says whether the target is
there at all.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.nn.blocks import Attention, LayerNorm2d, Mlp, conv_bn


@dataclass(frozen=True, slots=True)
class Decoded:
    """``logits`` [b h w] at stride 2 (4 on foreign hosts); ``presence`` and ``quality`` logits [b]."""

    logits: Tensor
    presence: Tensor
    quality: Tensor


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves, tokens to image, MLP, image to tokens (SAM's TwoWayAttentionBlock)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads)
        self.to_image = Attention(width, heads, width // 2)
        self.to_tokens = Attention(width, heads, width // 2)
        self.mlp = Mlp(width, 2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(self, tokens: Tensor, image: Tensor, first: Tensor, pe: Tensor) -> tuple[Tensor, Tensor]:
        """``tokens`` [b n c], ``image`` [b hw c]; ``first`` are the tokens as they came, used as their own
        positions."""
        q = tokens + first
        tokens = self.norms[0](tokens + self.self_attention(q, q, tokens))
        tokens = self.norms[1](tokens + self.to_image(tokens + first, image + pe, image))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        image = self.norms[3](image + self.to_tokens(image + pe, tokens + first, tokens))
        return tokens, image


class MaskDecoder(nn.Module):
    """From maps at strides 2, 4, 8, 16, 32 and prompts to one mask a target, at stride 2."""

    def __init__(self, widths: tuple[int, ...], width: int = 128, heads: int = 8) -> None:
        super().__init__()
        s2, s4, s8, s16, s32 = widths
        self.tokens = nn.Parameter(torch.randn(3, width) * 0.02)  # quality, presence, mask
        self.from16 = nn.Conv2d(s16, width, 1)
        self.from32 = nn.Conv2d(s32, width, 1)
        self.norm = LayerNorm2d(width)
        self.blocks = nn.ModuleList(TwoWayBlock(width, heads) for _ in range(2))
        self.final = Attention(width, heads, width // 2)
        self.final_norm = nn.LayerNorm(width)
        self.up8 = _Up(width, s8, 64)
        self.up4 = _Up(64, s4, 64)
        self.up2 = _Up(64, s2, 32)
        self.hyper = Mlp(width, width, 32)
        self.bias = nn.Parameter(torch.full((1,), -1.5))
        self.presence = Mlp(width, width, 1)
        self.quality = Mlp(width, width, 1)

    def embed(self, maps: tuple[Tensor, ...]) -> Float[Tensor, "b c h w"]:
        """Neck: strides 16 and 32 added at the decoder's width, at stride 16."""
        f16, f32 = maps[-2], maps[-1]
        coarse = F.interpolate(self.from32(f32), size=f16.shape[-2:], mode="bilinear", align_corners=False)
        out: Tensor = self.norm(self.from16(f16) + coarse)
        return out

    def forward(
        self, maps: tuple[Tensor, ...], dense: Tensor, tokens: Tensor, pe: Float[Tensor, "c h w"]
    ) -> Decoded:
        """``maps`` at strides 2 to 32 [b .]; ``dense`` [b c h w] is added to the neck; ``tokens`` [b n c],
        the first three own."""
        image = self.embed(maps) + dense
        b, c, h, w = image.shape
        flat, where = image.flatten(2).transpose(1, 2), pe.flatten(1).t()[None]
        first = tokens
        for block in self.blocks:
            tokens, flat = block(tokens, flat, first, where)
        tokens = self.final_norm(tokens + self.final(tokens + first, flat + where, flat))
        x = flat.transpose(1, 2).reshape(b, c, h, w)
        x = self.up2(self.up4(self.up8(x, maps[2]), maps[1]), maps[0])
        logits = torch.einsum("bc,bchw->bhw", self.hyper(tokens[:, 2]), x) / 8 + self.bias
        return Decoded(logits, self.presence(tokens[:, 1])[:, 0], self.quality(tokens[:, 0])[:, 0])


class _Up(nn.Module):
    """Twice the size, a skip added, one depthwise-separable refinement."""

    def __init__(self, cin: int, skip: int, cout: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(cin, cout, 1)
        self.skip = nn.Conv2d(skip, cout, 1)
        self.refine = nn.Sequential(conv_bn(cout, cout, 3, groups=cout), conv_bn(cout, cout, 1))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``x`` [b c h w] and a finer map of any larger size."""
        up = F.interpolate(self.enter(x), size=skip.shape[-2:], mode="bilinear", align_corners=False)
        y = up + self.skip(skip)
        out: Tensor = y + self.refine(y)
        return out
