"""LanGuideMedSeg-like: an image encoder that hears nothing, and a decoder that attends to the words at three
scales.

After Zhong et al., "Ariadne's Thread" (arXiv 2307.03942; public code at acfd134, read only), own code. At
strides 32, 16 and 8 a guide layer lets the map attend to itself, then to the words, and adds what it read
with a learned scale; then the map grows, joins the encoder's skip and is refined.

Theirs: a pretrained ConvNeXt-tiny and 24 word vectors of a frozen language model, shortened to 24, 12 and 9
by a convolution over the words. Ours: the encoder of our own host, untrained, so that encoders do not
decide, and 24, 12 and 9 learned queries that read the codes, whose number varies.
"""

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
from medsegr.sam.image_encoder import ImageEncoder
from medsegr.sam.mask_decoder import Decoded
from medsegr.sam.prompt_encoder import FourierPosition

QUERIES = (24, 12, 9)  # at strides 32, 16, 8


class Guide(nn.Module):
    """One guide layer on a map of ``channels``: itself, then the words, with a learned scale."""

    def __init__(self, channels: int, text: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, queries, text) * 0.02)
        self.shorten = Attention(text, 8)
        self.project = Mlp(text, channels, channels)
        self.position = FourierPosition(channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.itself = Attention(channels, 8)
        self.words = Attention(channels, 8)
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(
        self, x: Float[Tensor, "b c h w"], keys: Float[Tensor, "b t e"], real: Tensor
    ) -> Float[Tensor, "b c h w"]:
        """``keys`` are the words' vectors, ``real`` [b t] which of them count (at least one)."""
        n = self.queries.shape[1]
        asked = self.queries.expand(len(x), -1, -1)
        text = self.project(asked + self.shorten(asked, keys, keys, real[:, None].expand(-1, n, -1)))
        place = self.position.grid(*x.shape[-2:]).flatten(1).t()[None]
        flat = x.flatten(2).transpose(1, 2)
        q = self.norms[0](flat)
        flat = flat + self.itself(q + place, q + place, q)
        read = self.norms[2](self.words(self.norms[1](flat) + place, text, text))
        out: Tensor = (flat + self.scale * read).transpose(1, 2).reshape(x.shape)
        return out


class LanGuide(nn.Module):
    """``widths`` are the encoder's channels at strides 4, 8, 16 and 32; ``text`` the width of the words."""

    hears_clicks = False

    def __init__(self, words: Vocabulary, widths: tuple[int, int, int, int], text: int) -> None:
        super().__init__()
        self.encoder = ImageEncoder(widths, stem=16)
        self.tokens = AttributeTokens(words, text)
        self.silence = nn.Parameter(torch.randn(1, 1, text) * 0.02)  # what is heard where nothing is said
        down = tuple(reversed(widths))  # strides 32, 16, 8, 4
        self.guides = nn.ModuleList(Guide(c, text, n) for c, n in zip(down, QUERIES, strict=False))
        self.joins = nn.ModuleList(_join(a, b) for a, b in zip(down, (*down[1:], 16), strict=False))
        self.mask = nn.Conv2d(16, 1, 1)
        self.verdicts = Verdicts(widths[-1])

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """The encoder's two finest maps."""
        return self.encoder.shared(pixels)

    def forward(self, shared: tuple[Tensor, Tensor], words: Words, clicks: Clicks = Clicks()) -> Output:  # noqa: B008 - frozen
        """One row a finding; clicks are not heard."""
        maps = [shared[0], *self.encoder(shared[1], lambda _site, x: x)]  # strides 2, 4, 8, 16, 32
        vectors, real = self.tokens(words)
        keys = torch.cat([vectors, self.silence.expand(len(vectors), -1, -1)], 1)
        real = torch.cat([real, torch.ones_like(real[:, :1])], 1)
        x, guided = maps[-1], maps[-1]
        for i, join in enumerate(self.joins):
            x = self.guides[i](x, keys, real) if i < len(self.guides) else x
            guided = x if i == 0 else guided
            skip = maps[-2 - i]
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = join(torch.cat([x, skip], 1))
        return Output(Decoded(self.mask(x)[:, 0], *self.verdicts(guided)))


def _join(coarse: int, skip: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(coarse + skip, skip, 3), conv_bn(skip, skip, 3))


def network(words: Vocabulary, widths: Sequence[int] = (32, 64, 144, 224), text: int = 256) -> LanGuide:
    """``widths`` of the encoder's stages, ``text`` of the words' vectors."""
    a, b, c, d = widths  # a list when it comes from a file
    return LanGuide(words, (a, b, c, d), text)


def build(untrained: bool = False, seed: int = 0, checkpoint: str | Path = "languide-like") -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one for tests."""
    return predict.build(untrained, seed, checkpoint, partial(network, widths=(16, 16, 32, 32), text=32))
