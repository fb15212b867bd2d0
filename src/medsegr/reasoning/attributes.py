"""Attribute codes to tokens, the first half of the cognitive stage (``docs/explain/model.md``, "codes to
tokens").

Every code has a learned vector; a scalar (extent, count) adds a linear map of 16 sinusoidal features of its
logarithm.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from medsegr.reasoning.codes import SCALAR_GROUPS, Code, Coded, Vocabulary, coded


@dataclass(frozen=True, slots=True)
class Words:
    """A padded batch of codes. ``index`` [b t] rows of the table, ``kind`` [b t] 0-3 (-1 padding), ``scalar``
    [b t]."""

    index: Int[Tensor, "b t"]
    kind: Int[Tensor, "b t"]
    scalar: Float[Tensor, "b t"]


def words_of(told: Coded, device: str | torch.device = "cpu") -> Words:
    """Numbers of codes as tensors on a device."""
    return Words(*(torch.from_numpy(part).to(device) for part in (told.index, told.kind, told.scalar)))


def encode_words(batch: Sequence[Sequence[Code]], vocabulary: Vocabulary) -> Words:
    """Codes to a padded batch of tensors (:func:`medsegr.reasoning.codes.coded`)."""
    return words_of(coded(batch, vocabulary))


def silent(words: Words) -> Words:
    """The same batch with nothing said."""
    return Words(words.index, torch.full_like(words.kind, -1), words.scalar)


class AttributeTokens(nn.Module):
    """Learned vectors of the codes, width ``width``."""

    is_scalar: Tensor

    def __init__(self, vocabulary: Vocabulary, width: int = 256) -> None:
        super().__init__()
        self.table = nn.Embedding(len(vocabulary.codes), width)
        nn.init.normal_(self.table.weight, std=0.5)
        self.scalar = nn.Linear(16, width)
        numeric = [code.partition(":")[0] in SCALAR_GROUPS for code in vocabulary.codes]
        self.register_buffer("is_scalar", torch.tensor(numeric), persistent=False)

    def forward(self, words: Words) -> tuple[Float[Tensor, "b t d"], Bool[Tensor, "b t"]]:
        """Token vectors and which of them are real (not padding)."""
        phase = words.scalar.clamp(min=1e-4).log()[..., None] * (
            2.0 ** torch.arange(-2, 6, device=words.scalar.device) * math.pi / 8
        )
        features = torch.cat([phase.sin(), phase.cos()], -1)
        numeric = self.is_scalar[words.index][..., None]
        return self.table(words.index) + numeric * self.scalar(features), words.kind >= 0
