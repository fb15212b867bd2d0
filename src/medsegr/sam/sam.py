"""The tiny SAM-shaped host, wired in one plain function with its numbers in sight."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.sam.image_encoder import ImageEncoder, Modulate
from medsegr.sam.mask_decoder import Decoded, MaskDecoder
from medsegr.sam.prompt_encoder import PromptEncoder

STRIDE = 32  # pixels must come in multiples of this


@dataclass(frozen=True, slots=True)
class Clicks:
    """Prompts of a batch. ``points`` [b n 2] in [0, 1] (x, y), ``kinds`` [b n] as in the prompt encoder,
    ``mask`` [b 1 h w] logits of a previous mask, ``has_mask`` [b] bool for which rows it counts (None: for
    all)."""

    points: Tensor | None = None
    kinds: Tensor | None = None
    mask: Tensor | None = None
    has_mask: Tensor | None = None


class Sam(nn.Module):
    """Image encoder, prompt encoder, mask decoder. ``encode`` takes a function that may change the map at
    each site."""

    def __init__(self, encoder: ImageEncoder, prompts: PromptEncoder, decoder: MaskDecoder) -> None:
        super().__init__()
        self.image_encoder = encoder
        self.prompt_encoder = prompts
        self.mask_decoder = decoder

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """What no word can change: maps at strides 2 and 4. ``pixels`` normalised; h and w multiples of
        32."""
        out: tuple[Tensor, Tensor] = self.image_encoder.shared(pixels)
        return out

    def encode(self, shared: tuple[Tensor, Tensor], modulate: Modulate | None = None) -> list[Tensor]:
        """Maps at strides 2, 4, 8, 16, 32, modulated at the four sites when ``modulate`` is given."""
        half, quarter = shared
        return [half, *self.image_encoder(quarter, modulate or (lambda _site, x: x))]

    def decode(
        self,
        maps: list[Tensor],
        clicks: Clicks,
        prior: Tensor | None = None,
        dense: Tensor | None = None,
        more: Tensor | None = None,
    ) -> Decoded:
        """``prior`` [b c] is added to the decoder's own tokens, ``dense`` [b c h w] to the dense prompt;
        ``more`` [b n c] are further sparse prompts. Each may be None."""
        b, _, h, w = maps[3].shape
        own = self.mask_decoder.tokens[None].expand(b, -1, -1)
        tokens = own if prior is None else own + prior[:, None]
        if clicks.points is not None and clicks.kinds is not None:
            tokens = torch.cat([tokens, self.prompt_encoder.sparse(clicks.points, clicks.kinds)], 1)
        tokens = tokens if more is None else torch.cat([tokens, more], 1)
        hint = self.prompt_encoder.dense(clicks.mask, (b, h, w), clicks.has_mask)
        hint = hint if dense is None else hint + dense
        out: Decoded = self.mask_decoder(maps, hint, tokens, self.prompt_encoder.position.grid(h, w))
        return out

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Decoded:
        """No words, no prompts."""
        return self.decode(self.encode(self.shared(pixels)), Clicks())


def build_sam(
    widths: tuple[int, int, int, int] = (32, 64, 128, 192), stem: int = 16, decoder_width: int = 128
) -> Sam:
    """The default host: about 3 million parameters."""
    return Sam(
        encoder=ImageEncoder(widths, stem),
        prompts=PromptEncoder(decoder_width),
        decoder=MaskDecoder((stem, *widths), decoder_width, heads=8),
    )
