"""LViT-like: a U-shaped convolutional network beside a transformer over patches, which hears the words once.

After LViT (Li et al., arXiv 2206.14718; public code at a9b0b41), own code:

* text enters at the finest level of the transformer only, and once: every patch gets a mixture of the words
  that depends on its place. LViT mixes ten word vectors of a frozen BERT into 196 patches with one fixed
  matrix; words and picture sizes vary here, so the mixture is an attention from the positions (not from the
  picture) over the learned vectors of our codes;
* down the levels the patches are carried on, at each with the convolutional map pooled to the patches added;
  back up, each level's patches are laid on the skip of the convolutional branch;
* skips pass LViT's pixel-level attention (PLAM): a gain from the mean and the maximum over channels.

Left out: LViT's losses for unlabelled pictures, and its flips that leave the words alone (ours turn the words
with the picture).
"""

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr import predict
from medsegr.model import Output
from medsegr.networks import Verdicts
from medsegr.nn.blocks import Attention, Mlp, conv_bn
from medsegr.predict import Predictor
from medsegr.reasoning.attributes import AttributeTokens, Words
from medsegr.reasoning.codes import Vocabulary
from medsegr.sam.host import Clicks
from medsegr.sam.mask_decoder import Decoded
from medsegr.sam.prompt_encoder import FourierPosition

PATCH = 16  # pixels a patch


class Patches(nn.Module):
    """One level of the transformer: a map's patches join those of the finer level, and attend to each
    other."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = Attention(width, 4)
        self.mlp = Mlp(width, 2 * width, width)

    def forward(
        self, x: Float[Tensor, "b c h w"], before: Float[Tensor, "b d g v"]
    ) -> Float[Tensor, "b d g v"]:
        """Patches of this level."""
        g, v = before.shape[-2:]
        z: Tensor = before + F.adaptive_avg_pool2d(self.enter(x), (g, v))
        flat = z.flatten(2).transpose(1, 2)
        q = self.norms[0](flat)
        flat = flat + self.attention(q, q, q)
        flat = flat + self.mlp(self.norms[1](flat))
        out: Tensor = flat.transpose(1, 2).reshape(z.shape)
        return out


class PixelAttention(nn.Module):
    """A gain in (0, 1) for each pixel from the mean and the maximum over channels (LViT's PLAM)."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Weigh the pixels."""
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        out: Tensor = x * (0.5 + self.gain(both).sigmoid())
        return out


class LViT(nn.Module):
    """``widths`` are the channels at strides 2, 4, 8 and 16; ``width`` that of patches and words."""

    hears_clicks = False

    def __init__(self, words: Vocabulary, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.stem = _pair(3, widths[0], 2)
        self.downs = nn.ModuleList(_pair(a, b, 2) for a, b in itertools.pairwise(widths))
        self.levels = nn.ModuleList(Patches(c, width) for c in widths[:-1])
        self.tokens = AttributeTokens(words, width)
        self.silence = nn.Parameter(torch.randn(1, 1, width) * 0.02)  # what is heard where nothing is said
        self.position = FourierPosition(width)
        self.read = Attention(width, 4)
        self.bottom = nn.Conv2d(width, widths[-1], 1)
        self.leaves = nn.ModuleList(nn.Conv2d(width, c, 1) for c in widths[:-1])
        self.plams = nn.ModuleList(PixelAttention() for _ in widths[:-1])
        ups = [_pair(a + b, a, 1) for a, b in itertools.pairwise(widths)]
        self.ups = nn.ModuleList(reversed(ups))
        self.mask = nn.Conv2d(widths[0], 1, 1)
        self.verdicts = Verdicts(widths[-1])

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """The convolutional branch down to strides 2 and 4: it hears nothing."""
        half = self.stem(pixels)
        return half, self.downs[0](half)

    def words(self, said: Words, h: int, w: int) -> Float[Tensor, "b d h w"]:
        """What every patch hears: positions ask, words answer."""
        vectors, real = self.tokens(said)
        b = len(vectors)
        keys = torch.cat([vectors, self.silence.expand(b, -1, -1)], 1)
        mask = torch.cat([real, torch.ones_like(real[:, :1])], 1)[:, None].expand(-1, h * w, -1)
        asked = self.position.grid(h, w).flatten(1).t()[None].expand(b, -1, -1)
        heard: Tensor = self.read(asked, keys, keys, mask)
        return heard.transpose(1, 2).reshape(b, -1, h, w)

    def forward(self, shared: tuple[Tensor, Tensor], words: Words, clicks: Clicks = Clicks()) -> Output:  # noqa: B008 - frozen
        """One row a finding; clicks are not heard."""
        maps = list(shared)
        for down in self.downs[1:]:
            maps.append(down(maps[-1]))
        h, w = shared[0].shape[-2] * 2 // PATCH, shared[0].shape[-1] * 2 // PATCH
        z, patches = self.words(words, h, w), []
        for x, level in zip(maps, self.levels, strict=False):
            z = level(x, z)
            patches.append(z)
        bottom = maps[-1] + F.interpolate(self.bottom(z), size=maps[-1].shape[-2:], mode="nearest")
        x = bottom
        for i, up in zip(range(len(self.levels) - 1, -1, -1), self.ups, strict=True):
            size = maps[i].shape[-2:]
            laid = F.interpolate(self.leaves[i](patches[i]), size=size, mode="bilinear", align_corners=False)
            skip = self.plams[i](maps[i] + laid)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
            x = up(torch.cat([skip, x], 1))
        return Output(Decoded(self.mask(x)[:, 0], *self.verdicts(bottom)))


def _pair(cin: int, cout: int, stride: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(cin, cout, 3, stride), conv_bn(cout, cout, 3))


def network(words: Vocabulary, widths: Sequence[int] = (32, 64, 128, 256), width: int = 320) -> LViT:
    """``widths`` of the convolutional branch from stride 2 on, ``width`` of the transformer."""
    return LViT(words, tuple(widths), width)


def build(untrained: bool = False, seed: int = 0, checkpoint: str | Path = "lvit-like") -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one for tests."""
    return predict.build(untrained, seed, checkpoint, partial(network, widths=(8, 16, 16, 16), width=32))
