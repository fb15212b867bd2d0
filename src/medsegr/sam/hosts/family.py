"""What a family of foreign hosts must say about itself, and the blocks that all families use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.sam.host import Features, Site

SITES = 4
# Means and standard deviations of red, green and blue in [0, 1]: ImageNet's, which SAM and SAM 2 were trained
# with.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a pass through the encoder stands: the map ``x`` [b c h w] and maps that the end will need."""

    x: Tensor
    kept: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the decoder is asked: sparse prompts [b 1 n c] or None, dense prompt and position [b c h w], prior
    [b c] or None, several masks or one."""

    sparse: Tensor | None
    dense: Tensor
    position: Tensor
    prior: Tensor | None = None
    several: bool = False

    def words(self) -> Tensor | None:
        """The prior as :class:`Primed` takes it."""
        return None if self.prior is None else self.prior[:, None, None]


@dataclass(frozen=True, slots=True)
class Answer:
    """``masks`` [b m h w] logits, ``iou`` [b m] as the host scores them, ``presence`` [b] its own logit of
    presence or None, ``tokens`` [b m c] that the masks were made of or None."""

    masks: Tensor
    iou: Tensor
    presence: Tensor | None = None
    tokens: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Functions of a loaded transformers model.

    ``sites(model)``; ``embed(model, pixels)``: host-normalised pixels to the map of site 0;
    ``advance(model, stage, i)``: the part of the encoder between site i and the next;
    ``finish(model, stage)``: what lies between the last part and the decoder; ``decode(model, features,
    asked)``. ``types`` are the ``model_type`` of ``config.json`` that are read as ``model`` (the name of a
    transformers class), or as that in ``others``.
    """

    name: str
    model: str
    types: tuple[str, ...]
    sites: Callable[[Any], tuple[Site, ...]]
    embed: Callable[[Any, Tensor], Tensor]
    advance: Callable[[Any, Stage, int], Stage]
    finish: Callable[[Any, Stage], Features]
    decode: Callable[[Any, Features, Asked], Answer]
    tiny: Callable[[int], Any]  # a small random model for pictures of so many pixels
    tokens: Callable[[Any], int]  # number of the decoder's own tokens
    attention: tuple[str, ...] = ()  # names of layers that make q, k, v (fused) or q and v
    normal: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    padded: bool = False  # the prompt encoder always wants one point that is none
    needs: tuple[str, ...] = field(default=())
    others: Mapping[str, str] = field(
        default_factory=dict
    )  # model_type -> class with the same parts and more
    apart: tuple[str, ...] = ()  # parts of those classes that pictures do not use: they are never trained


class Primed(nn.Module):
    """Stands in front of a decoder's transformer and adds a prior to the decoder's own tokens.

    The prior comes by the argument that all SAM decoders hand through to their transformer (they use it for
    "target embeddings" of personalised SAM, which we do not): no state, so two threads do not meet.
    """

    def __init__(self, inner: nn.Module, tokens: int) -> None:
        super().__init__()
        self.inner = inner
        self.tokens = tokens

    def forward(
        self, point_embeddings: Tensor, target_embedding: Tensor | None = None, **rest: Any
    ) -> tuple[Tensor, Tensor]:
        """``point_embeddings`` [b p n c], its first tokens the decoder's own; ``target_embedding`` [b 1 1
        c]."""
        if target_embedding is not None:
            own, more = point_embeddings[:, :, : self.tokens], point_embeddings[:, :, self.tokens :]
            point_embeddings = torch.cat([own + target_embedding, more], 2)
        out: tuple[Tensor, Tensor] = self.inner(
            point_embeddings=point_embeddings, target_embedding=None, **rest
        )
        return out


def thirds(blocks: int) -> tuple[int, ...]:
    """Before which block each site stands in a plain transformer: none, a third, two thirds, all done."""
    return tuple(blocks * i // 3 for i in range(SITES))


def between(blocks: int, starts: Sequence[int], site: int) -> range:
    """Numbers of the blocks, of so many, between ``site`` and the next."""
    return range(starts[site], (*starts[1:], blocks)[site])


def last(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w c"]:
    """Channels last, as transformers' encoders have their maps."""
    return x.permute(0, 2, 3, 1)


def first(x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b c h w"]:
    """Channels first, as everybody else has them."""
    return x.permute(0, 3, 1, 2)


def centres(h: int, w: int, like: Tensor) -> Float[Tensor, "h w 2"]:
    """Centres (x, y) in [0, 1] of the cells of a grid."""
    y = (torch.arange(h, device=like.device, dtype=like.dtype) + 0.5) / h
    x = (torch.arange(w, device=like.device, dtype=like.dtype) + 0.5) / w
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([xx, yy], -1)
