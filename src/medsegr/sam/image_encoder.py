"""EfficientViT-style image encoder with four sites where modulators may stand.

Strides 4, 8, 16, 32. Fused convolutions early, ReLU linear attention late (arXiv 2205.14756). A site lies
right after the downsampling block of its stage, so everything before site 0 is independent of the words and
is computed once an image.
"""

from jaxtyping import Float
from torch import Tensor, nn

from medsegr.nn.blocks import LinearAttention, conv_bn, fused_mbconv, mbconv
from medsegr.sam.host import Modulate


class ImageEncoder(nn.Module):
    """``widths`` are the channels at strides 4, 8, 16 and 32; ``stem`` those at stride 2."""

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 128, 192), stem: int = 16) -> None:
        super().__init__()
        self.widths = widths
        self.stem_width = stem
        self.stem = conv_bn(3, stem, 3, 2)
        a, b, c, d = widths
        self.downs = nn.ModuleList(
            [fused_mbconv(stem, a, 2, 4), fused_mbconv(a, b, 2, 4), mbconv(b, c, 2, 4), mbconv(c, d, 2, 4)]
        )
        self.bodies = nn.ModuleList([fused_mbconv(a, a, 1, 2), fused_mbconv(b, b, 1, 2), _late(c), _late(d)])

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """The part before site 0: maps at stride 2 and stride 4 that no word can change."""
        half = self.stem(pixels)
        return half, self.downs[0](half)

    def forward(self, x: Float[Tensor, "b c h w"], modulate: Modulate) -> list[Tensor]:
        """From the stride-4 map of :meth:`shared` to maps at strides 4, 8, 16, 32, with ``modulate(site,
        map)`` at each site."""
        maps: list[Tensor] = []
        for site, (down, body) in enumerate(zip(self.downs, self.bodies, strict=True)):
            x = modulate(site, down(x) if site else x)
            x = body(x)
            maps.append(x)
        return maps


def _late(width: int) -> nn.Sequential:
    """Two rounds of linear attention and MBConv."""
    return nn.Sequential(
        LinearAttention(width), mbconv(width, width), LinearAttention(width), mbconv(width, width)
    )
