"""Words at the decoder alone: what a prompt encoder for text does, and most text-prompted SAMs with it.

The host is ours. The words become four prior tokens as in ours, pass a two-layer perceptron to the decoder's
width and are appended to its sparse prompts (the sparse-prompt head of TextSAM-EUS, arXiv 2507.18082, which
appends one token made by a language model). Image features never hear a word. 4.8 million parameters.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from medsegr import predict
from medsegr.model import Output
from medsegr.nn.blocks import Mlp
from medsegr.predict import Predictor
from medsegr.reasoning.attributes import AttributeTokens, Words
from medsegr.reasoning.codes import Vocabulary
from medsegr.reasoning.fusion import Fusion
from medsegr.sam.host import Clicks, Shared
from medsegr.sam.sam import Sam, build_sam


class DecoderOnly(nn.Module):
    """``host`` with the words appended to its prompts."""

    def __init__(self, host: Sam, words: Vocabulary, prior: int) -> None:
        super().__init__()
        self.host = host
        self.tokens = AttributeTokens(words, prior)
        self.fusion = Fusion(prior, prior, heads=8, inner=4 * prior)
        self.to_prompts = Mlp(prior, prior, host.width)
        self.attributes = Mlp(host.summary, 256, len(words.codes))

    def shared(self, pixels: Float[Tensor, "b 3 h w"]) -> Shared:
        """The host's two finest maps."""
        return self.host.shared(pixels)

    def forward(self, shared: Shared, words: Words, clicks: Clicks = Clicks()) -> Output:  # noqa: B008 - frozen
        """One row a finding."""
        features = self.host.encode(shared)
        prompts = self.to_prompts(self.fusion(self.tokens(words)[0], words.kind))
        decoded = self.host.decode(features, clicks, more=prompts)
        return Output(decoded, codes=self.attributes(features.summary))


def network(words: Vocabulary, widths: Sequence[int] = (32, 64, 128, 192), prior: int = 256) -> DecoderOnly:
    """``widths`` of the encoder's stages as in ours, ``prior`` of the words' tokens."""
    a, b, c, d = widths  # a list when it comes from a file
    return DecoderOnly(build_sam((a, b, c, d), stem=16, decoder_width=128), words, prior)


def build(untrained: bool = False, seed: int = 0, checkpoint: str | Path = "decoder-only") -> Predictor:
    """A trained one from the folder ``checkpoint``, or a random one for tests."""
    small = partial(network, widths=(16, 16, 32, 32), prior=32)
    return predict.build(untrained, seed, checkpoint, small)
