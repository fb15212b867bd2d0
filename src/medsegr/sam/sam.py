"""The tiny SAM-shaped host, wired in one plain function with its numbers in sight."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.sam.host import Clicks, Features, Modulate, Shared, Site
from medsegr.sam.image_encoder import ImageEncoder
from medsegr.sam.mask_decoder import Decoded, MaskDecoder
from medsegr.sam.prompt_encoder import PromptEncoder

STRIDE = 32  # pixels must come in multiples of this


class Sam(nn.Module):
    """Image encoder, prompt encoder, mask decoder. ``encode`` takes a function that may change the map at
    each site."""

    def __init__(self, encoder: ImageEncoder, prompts: PromptEncoder, decoder: MaskDecoder) -> None:
        super().__init__()
        self.image_encoder = encoder
        self.prompt_encoder = prompts
        self.mask_decoder = decoder
        self.sites = tuple(Site(f"stage{i}", c, 4 << i) for i, c in enumerate(encoder.widths))
        self.width = self.places = decoder.tokens.shape[-1]
        self.summary = sum(encoder.widths[2:])

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> Shared:
        """What no word can change: maps at strides 2 and 4. ``pixels`` normalised; h and w multiples of
        32."""
        out: Shared = self.image_encoder.shared(pixels)
        return out

    def position(self, h: int, w: int) -> Float[Tensor, "c h w"]:
        """Fourier features of the cell centres of an ``h w`` grid."""
        out: Tensor = self.prompt_encoder.position.grid(h, w)
        return out

    def encode(self, shared: Shared, modulate: Modulate | None = None) -> Features:
        """Maps at strides 2, 4, 8, 16, 32, modulated at the four sites when ``modulate`` is given."""
        half, quarter = shared
        maps = (half, *self.image_encoder(quarter, modulate or (lambda _site, x: x)))
        summary = torch.cat([maps[3].mean((2, 3)), maps[4].mean((2, 3))], -1)
        return Features(maps, (maps[3].shape[-2], maps[3].shape[-1]), summary)

    def decode(
        self,
        features: Features,
        clicks: Clicks,
        prior: Tensor | None = None,
        dense: Tensor | None = None,
        more: Tensor | None = None,
    ) -> Decoded:
        """``prior`` [b c] is added to the decoder's own tokens, ``dense`` [b c h w] to the dense prompt;
        ``more`` [b n c] are further sparse prompts. Each may be None."""
        b, (h, w) = features.summary.shape[0], features.grid
        own = self.mask_decoder.tokens[None].expand(b, -1, -1)
        tokens = own if prior is None else own + prior[:, None]
        if clicks.points is not None and clicks.kinds is not None:
            tokens = torch.cat([tokens, self.prompt_encoder.sparse(clicks.points, clicks.kinds)], 1)
        tokens = tokens if more is None else torch.cat([tokens, more], 1)
        hint = self.prompt_encoder.dense(clicks.mask, (b, h, w), clicks.has_mask)
        hint = hint if dense is None else hint + dense
        out: Decoded = self.mask_decoder(features.maps, hint, tokens, self.position(h, w))
        return out

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Decoded:
        """No words, no prompts."""
        return self.decode(self.encode(self.shared(pixels)), Clicks())


def build_sam(
    widths: tuple[int, int, int, int] = (32, 64, 128, 192), stem: int = 16, decoder_width: int = 128
) -> Sam:
    """The default host: about 2.5 million parameters."""
    return Sam(
        encoder=ImageEncoder(widths, stem),
        prompts=PromptEncoder(decoder_width),
        decoder=MaskDecoder((stem, *widths), decoder_width, heads=8),
    )
