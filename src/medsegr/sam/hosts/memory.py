"""SAM 2's memory on the slices of a volume: what was drawn on slices before is looked at on the next one.

Files of SAM 2 for videos hold a memory encoder (a slice and its mask become a map of 64 channels and a
pointer) and a memory attention (a slice's coarsest map reads them). Nothing of it is copied: the submodules
of transformers' ``Sam2VideoModel`` are called one after the other, at any size of picture. Slices that a
person drew are remembered as such ("conditioning frames") and never forgotten; of those that were followed
the newest six are looked at, and pointers of the newest fifteen.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.sam.host import Clicks, Features, Modulate, Shared
from medsegr.sam.hosts.family import Answer
from medsegr.sam.hosts.foreign import Foreign
from medsegr.sam.mask_decoder import Decoded

# How the names of the parts begin that make a memory: pictures do not use them.
PARTS = (
    "memory_",
    "no_memory_pos",
    "no_object",
    "mask_downsample",
    "object_pointer",
    "temporal_",
    "occlusion",
)
STRIDE = 16  # pixels of a cell of the coarsest map
NOTHING = -1024.0  # logit of a mask where the host says that the object is not on the slice
SURE = 10.0  # logit of a mask that was drawn by hand, and of what it says about presence


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice as it is remembered: ``features`` and ``places`` [g 1 c] of its cells, ``pointer`` [1 w]."""

    features: Tensor
    places: Tensor
    pointer: Tensor


@dataclass(frozen=True, slots=True)
class Bank:
    """What is remembered of one object in a volume of ``total`` slices, by number of the slice; what was
    followed by (backward, number), so that neither direction hangs on which was first."""

    total: int
    by_hand: dict[int, Slice] = field(default_factory=dict)
    followed: dict[tuple[bool, int], Slice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done with slice ``number``: ``mask`` [1 1 h w] (0 to 1) was drawn on it by hand, or (None) it
    is followed, ``backward`` from higher numbers or from lower ones."""

    number: int
    mask: Tensor | None = None
    backward: bool = False


class Following:
    """A host for one slice: it encodes as ``host`` does and decodes with the memory of ``bank``, to which the
    slice is added. The quality is that of the mask it gives; the presence is the host's without its memory,
    and ``there``, after a call, the host's own logit of presence with it."""

    def __init__(self, host: Foreign, bank: Bank, turn: Turn) -> None:
        self.host, self.bank, self.turn = host, bank, turn
        self.there = 0.0

    def position(self, h: int, w: int) -> Float[Tensor, "c h w"]:
        """The host's."""
        return self.host.position(h, w)

    def encode(self, shared: Shared, modulate: Modulate | None = None) -> Features:
        """The host's."""
        return self.host.encode(shared, modulate)

    def decode(
        self, features: Features, clicks: Clicks, prior: Tensor | None = None, dense: Tensor | None = None
    ) -> Decoded:
        """One row; clicks are not for followed slices and not looked at."""
        alone = self.host.decode(features, Clicks(), prior, dense)
        bare = without(features)
        if self.turn.mask is not None:
            logits, self.there = self._shown(bare, self.turn.mask)
            return Decoded(logits, alone.presence, alone.quality)
        known = recalled(self.host.model, bare, self.bank, self.turn)
        several = self.host.setting.freeze == "all" and _several(self.host.model.config)
        answer = self.host.family.decode(
            self.host.model, known, self.host.asked(known, Clicks(), prior, dense, several)
        )
        best = best_of(answer)
        there = answer.presence
        assert there is not None
        logits = torch.where(there[:, None, None] > 0, best.masks[:, 0], NOTHING)
        large = _resized(logits[:, None], _full(known), antialias=False)
        pointer = pointed(self.host.model, best, there > 0)
        kept = encoded(self.host.model, bare, (large, there, pointer), by_hand=False)
        self.bank.followed[self.turn.backward, self.turn.number] = kept
        self.there = float(there)
        bounded = best.iou[:, 0].clamp(1e-3, 1 - 1e-3)
        return Decoded(logits, alone.presence, bounded.logit())

    def _shown(self, bare: Features, mask: Tensor) -> tuple[Tensor, float]:
        """A mask drawn by hand is believed; the decoder is asked for the pointer only."""
        model = self.host.model
        large = _resized(mask, _full(bare))
        hint = Clicks(mask=model.mask_downsample(large))
        best = best_of(self.host.family.decode(model, bare, self.host.asked(bare, hint, several=True)))
        assert best.presence is not None
        there = large.flatten(1).any(1)
        pointer = pointed(model, best, best.presence > 0)
        pointer = torch.where(there[:, None], pointer, model.no_object_pointer)
        logits = large * 2 * SURE - SURE
        sure = torch.where(there, SURE, -SURE)
        self.bank.by_hand[self.turn.number] = encoded(model, bare, (logits, sure, pointer), by_hand=True)
        h, w = bare.grid
        return _resized(logits, (4 * h, 4 * w))[:, 0], float(sure)


def remembers(host: Any) -> bool:
    """Whether a host has a memory: SAM 2 opened from weights for videos."""
    return isinstance(host, Foreign) and hasattr(host.model, "memory_attention")


def through(network: Any, bank: Bank, turn: Turn) -> tuple[nn.Module, Following]:
    """The network with its host doing ``turn``: a view, the network itself stays as it is."""
    following = Following(network.host, bank, turn)
    view = copy.copy(network)
    view.__dict__["_modules"] = {name: one for name, one in network._modules.items() if name != "host"}
    view.__dict__["host"] = following
    return view, following


def without(features: Features) -> Features:
    """Features without the "no memory" that a host adds to the coarsest map."""
    fine, middle, _, bare = features.maps
    return Features((fine, middle, bare), features.grid, features.summary)


def best_of(answer: Answer) -> Answer:
    """The mask that the host scores highest, with its token."""
    best = answer.iou.argmax(1, keepdim=True)
    assert answer.tokens is not None
    return Answer(
        answer.masks.take_along_dim(best[..., None, None], 1),
        answer.iou.take_along_dim(best, 1),
        answer.presence,
        answer.tokens.take_along_dim(best[..., None], 1),
    )


def pointed(model: Any, best: Answer, there: Tensor) -> Float[Tensor, "b w"]:
    """The pointer to the object: from the token of its mask, or "no object"."""
    assert best.tokens is not None
    pointer: Tensor = model.object_pointer_proj(best.tokens[:, 0])
    return torch.where(there[:, None], pointer, model.no_object_pointer)


def encoded(model: Any, bare: Features, drawn: tuple[Tensor, Tensor, Tensor], by_hand: bool) -> Slice:
    """A slice to remember. ``drawn``: logits [1 1 h w] at the picture's size, logit of presence [1], pointer.

    Kept in bfloat16, as the library does.
    """
    logits, there, pointer = drawn
    seen = (logits > 0).to(logits.dtype) if by_hand else logits.sigmoid()
    seen = seen * model.config.sigmoid_scale_for_mem_enc + model.config.sigmoid_bias_for_mem_enc
    features, places = model.memory_encoder(bare.maps[-1], seen)
    absent = model.occlusion_spatial_embedding_parameter
    if absent is not None:
        features = features + (there <= 0).to(features.dtype)[:, None, None, None] * absent[..., None, None]
    return Slice(_flat(features.to(torch.bfloat16)), _flat(places.to(logits.dtype)), pointer)


def recalled(model: Any, bare: Features, bank: Bank, turn: Turn) -> Features:
    """Features whose coarsest map has read what is remembered."""
    *fine, coarse = bare.maps
    h, w = bare.grid
    maps, places = zip(*_slices(model, bank, turn), strict=True)
    pointers, when = _pointers(model, bank, turn)
    here = model.vision_encoder.neck.position_encoding(coarse.shape, coarse.device, coarse.dtype)
    read = at_size(model.memory_attention, h, w)(
        current_vision_features=_flat(coarse),
        current_vision_position_embeddings=_flat(here.to(coarse.dtype)),
        memory=torch.cat([*maps, pointers]).to(coarse.dtype),
        memory_posision_embeddings=torch.cat([*places, when]),
        num_object_pointer_tokens=len(pointers),
    )
    read = read.reshape(h, w, -1).permute(2, 0, 1)[None]
    return Features((*fine, read), bare.grid, bare.summary)


def at_size(attention: Any, h: int, w: int) -> Any:
    """The memory attention with rotary positions for a grid of ``h w``: a view, itself stays as it is."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = torch.stack([x.flatten(), y.flatten()], -1).to(attention.position_ids.device)
    view = copy.copy(attention)
    view._buffers = {**attention._buffers, "position_ids": places}
    return view


def _slices(model: Any, bank: Bank, turn: Turn) -> Iterator[tuple[Tensor, Tensor]]:
    """Maps and places of what was drawn by hand, wherever it is, and of the newest that were followed."""
    when = model.memory_temporal_positional_encoding
    for one in bank.by_hand.values():
        yield one.features, one.places + when[-1]
    for back in range(model.num_maskmem - 1, 0, -1):
        number = turn.number + (back if turn.backward else -back)
        if (kept := bank.followed.get((turn.backward, number))) is not None:
            yield kept.features, kept.places + when[back - 1]


def _pointers(model: Any, bank: Bank, turn: Turn) -> tuple[Tensor, Tensor]:
    """Pointers, split to the width of the memory, and how long ago they were made, encoded."""
    sign = -1 if turn.backward else 1
    most = min(bank.total, model.config.max_object_pointers_in_encoder)
    found = [
        ((turn.number - number) * sign, one.pointer)
        for number, one in bank.by_hand.items()
        if (turn.number - number) * sign >= 0
    ]
    for back in range(1, most):
        if (kept := bank.followed.get((turn.backward, turn.number - back * sign))) is not None:
            found.append((back, kept.pointer))
    width, narrow = model.hidden_dim, model.mem_dim
    if not found:
        none = model.no_object_pointer.new_zeros(0, 1, narrow)
        return none, none
    pointers = torch.stack([pointer for _, pointer in found])
    if model.config.enable_temporal_pos_encoding_for_object_pointers:
        ago = torch.tensor([back for back, _ in found], dtype=torch.float32, device=pointers.device)
        waves = _waves(ago / (most - 1), width).to(pointers.dtype)
        when = model.temporal_positional_encoding_projection_layer(waves)[:, None]
    else:
        when = pointers.new_zeros(len(found), 1, narrow)
    if narrow < width:
        parts = width // narrow
        pointers = pointers.reshape(-1, 1, parts, narrow).permute(0, 2, 1, 3).flatten(0, 1)
        when = when.repeat_interleave(parts, dim=0)
    return pointers, when


def _waves(at: Tensor, width: int) -> Tensor:
    """Sines and cosines of a place on a line, as in "Attention is all you need"."""
    steps = torch.arange(width // 2, dtype=torch.float32, device=at.device)
    turned = at[:, None] / 10000 ** (2 * (steps // 2) / (width // 2))
    return torch.cat([turned.sin(), turned.cos()], -1)


def _several(config: Any) -> bool:
    """Whether the library follows with the best of three masks, which only a decoder as it came can."""
    return bool(
        config.multimask_output_in_sam
        and config.multimask_output_for_tracking
        and config.multimask_min_pt_num == 0
    )


def _full(features: Features) -> tuple[int, int]:
    h, w = features.grid
    return STRIDE * h, STRIDE * w


def _resized(maps: Tensor, size: tuple[int, int], antialias: bool = True) -> Tensor:
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False, antialias=antialias)


def _flat(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "g b c"]:
    return maps.flatten(2).permute(2, 0, 1)
