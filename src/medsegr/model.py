"""MedSegR: a host with its two stages, wired in one plain function with the numbers in sight."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from medsegr.nn.blocks import Mlp
from medsegr.reasoning.attributes import AttributeTokens, Words, silent
from medsegr.reasoning.codes import Vocabulary
from medsegr.reasoning.fusion import Fusion
from medsegr.reasoning.modulators import GLB, Trace, zero_linear
from medsegr.sam.host import Clicks, Host, Shared
from medsegr.sam.mask_decoder import Decoded
from medsegr.sam.sam import build_sam
from medsegr.variants import Variant


@dataclass(frozen=True, slots=True)
class Output:
    """``decoded`` masks and scores, ``traces`` one a site, ``codes`` [b v] logits of the image-only attribute
    head. Other networks (``networks.py``) may have neither sites nor that head."""

    decoded: Decoded
    traces: tuple[Trace, ...] = ()
    codes: Tensor | None = None


class MedSegR(nn.Module):
    """Words act on the image features at every site of any host, on its decoder's tokens, and on its dense
    prompt.

    Every added branch ends in a zero: at initialisation the output is bit for bit the plain host's.
    """

    def __init__(
        self, host: Host, tokens: AttributeTokens, fusion: Fusion, modulators: nn.ModuleList, attributes: Mlp
    ) -> None:
        super().__init__()
        self.host = host
        self.tokens = tokens
        self.fusion = fusion
        self.modulators = modulators
        self.attributes = attributes
        self.to_tokens = zero_linear(fusion.queries.shape[-1], host.width)
        self.to_dense = nn.Conv2d(1, host.width, 1)
        nn.init.zeros_(self.to_dense.weight)
        nn.init.zeros_(self.to_dense.bias)  # type: ignore[arg-type]
        self.deaf = False  # hears no word at all: the control of "do the words help"

    def priors(self, words: Words) -> Float[Tensor, "b 4 d"]:
        """Prior tokens p_loc, p_tex, p_shp, p_glb; text reads text only, so they can be kept for a report."""
        words = silent(words) if self.deaf else words
        vectors, _ = self.tokens(words)
        out: Tensor = self.fusion(vectors, words.kind)
        return out

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> Shared:
        """The part of the host that no word can change; compute once an image. h, w multiples of 32."""
        return self.host.shared(pixels)

    def forward(
        self,
        shared: Shared,
        words: Words | Tensor,
        clicks: Clicks = Clicks(),  # noqa: B008 - frozen, empty
    ) -> Output:
        """One row of the batch a finding; ``shared`` rows repeat for findings of one image. ``words`` may be
        the prior tokens that :meth:`priors` made of them."""
        priors = words if isinstance(words, Tensor) else self.priors(words)
        traces: list[Trace] = []

        def modulate(site: int, x: Tensor) -> Tensor:
            y: Tensor
            y, trace = self.modulators[site](x, priors, self.host.position(*x.shape[-2:]))
            traces.append(trace)
            return y

        features = self.host.encode(shared, modulate)
        hint = None
        if traces and (last := traces[-1].attention) is not None:
            where = nn.functional.interpolate(last.sigmoid()[:, None], features.grid, mode="bilinear")
            hint = self.to_dense(where)
        decoded = self.host.decode(features, clicks, self.to_tokens(priors[:, GLB]), hint)
        return Output(decoded, tuple(traces), self.attributes(features.summary))


def build_model(vocabulary: Vocabulary, prior: int = 256, variant: Variant = Variant()) -> MedSegR:  # noqa: B008 - frozen
    """``medsegr-tiny``: about 5 million parameters, 2.5 of them the host.

    The shape head is left out at stride 4, where it would double the step; location and texture act at all
    four sites. ``variant`` says which of these act (ablations); the default is all.
    """
    host = build_sam(widths=(32, 64, 128, 192), stem=16, decoder_width=128)
    sites = ((32, 32, "LT"), (64, 32, "LTS"), (128, 64, "LTS"), (192, 96, "LTS"))
    model = MedSegR(
        host=host,
        tokens=AttributeTokens(vocabulary, prior),
        fusion=Fusion(prior, prior, heads=8, inner=1024),
        modulators=nn.ModuleList(variant.modulator(i, c, r, prior, h) for i, (c, r, h) in enumerate(sites)),
        attributes=Mlp(128 + 192, 256, len(vocabulary.codes)),
    )
    model.deaf = variant.mechanism == "none"
    return model
