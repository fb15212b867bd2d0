"""Losses as plain functions of tensors.

    L = L_seg + 0.2 mean_sites L_loc + 0.1 L_attr + 0.001 L_off + 0.3 L_presence + 0.05 L_quality

L_seg is BCE plus soft Dice an image (eps 1). A picture in which the target is not there has no Dice term: BCE
and presence say it, or presence alone where :attr:`Weights.absent` is 0.
"""

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsegr.errors import UsageError
from medsegr.model import Output


@dataclass(frozen=True, slots=True)
class Truth:
    """``mask`` [b h w] 0/1 at the size of the logits or larger; ``presence`` [b] 1, 0 or -1 (unknown);
    ``codes`` [b v] 0/1 and ``codes_known`` [b v] bool: which attribute groups are known, for rows where the
    words said nothing.

    ``drawn`` [b] bool: rows whose mask a person drew (None: all); the others' is an answer of earlier weights
    and teaches neither attention nor quality. ``weight`` [b h w] from 0 to 1: how far each pixel counts; in
    drawn rows 0 where nobody judged the pixel, which is 0 in the mask as well, and 1 elsewhere.
    """

    mask: Tensor
    presence: Tensor
    codes: Tensor
    codes_known: Tensor
    drawn: Tensor | None = None
    weight: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Factors of the terms; ``absent`` of L_seg in pictures in which the target is known not to be there."""

    location: float = 0.2
    attributes: float = 0.1
    offsets: float = 0.001
    presence: float = 0.3
    quality: float = 0.05
    absent: float = 1.0

    def __post_init__(self) -> None:
        """Refuse factors below 0."""
        for one in fields(self):
            if not 0 <= getattr(self, one.name) < math.inf:
                raise UsageError(
                    f"weights.{one.name}: {getattr(self, one.name)} came where 0 or more was expected"
                )


def soft_dice(prob: Float[Tensor, "b h w"], mask: Float[Tensor, "b h w"]) -> Float[Tensor, " b"]:
    """Soft Dice loss an image; 0 for two empty masks."""
    both = (prob * mask).sum((1, 2))
    return 1 - (2 * both + 1) / (prob.sum((1, 2)) + mask.sum((1, 2)) + 1)


def segmentation(
    logits: Float[Tensor, "b h w"], mask: Float[Tensor, "b h w"], weight: Tensor | None = None
) -> Float[Tensor, ""]:
    """BCE plus soft Dice, the latter only where there is something to find. Pixels of ``weight`` 0 are in
    neither."""
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    there = (mask.sum((1, 2)) > 0).float()
    prob = logits.sigmoid()
    if weight is not None:
        seen = (weight > 0).float()
        bce, prob, mask, there = bce * weight, prob * seen, mask * seen, there * weight.amax((1, 2))
    return (bce.mean((1, 2)) + there * soft_dice(prob, mask)).mean()


def location(
    attention: Float[Tensor, "b h w"], mask: Float[Tensor, "b g v"], weight: Tensor | None = None
) -> Float[Tensor, ""]:
    """BCE of a site's attention against the max-pooled mask (max keeps small lesions), positive weight from a
    tenth to 10: with nothing beside it that is known, what is drawn is learned still. A cell without a drawn
    pixel counts as far as its pixel of the smallest ``weight`` [b g v]."""
    size = attention.shape[-2:]
    target = F.adaptive_max_pool2d(mask[:, None], size)[:, 0]
    positive, share = target.sum(), None
    many: Tensor | int = target.numel()
    if weight is not None:
        share = torch.maximum(target, -F.adaptive_max_pool2d(-weight[:, None], size)[:, 0])
        many = share.sum()
    factor = ((many - positive) / positive.clamp(min=1)).clamp(0.1, 10.0)
    return F.binary_cross_entropy_with_logits(attention, target, share, pos_weight=factor)


def attributes(logits: Float[Tensor, "b v"], truth: Truth) -> Float[Tensor, ""]:
    """BCE of the image-only head over the groups that are known; zero when nothing is."""
    loss = F.binary_cross_entropy_with_logits(logits, truth.codes, reduction="none")
    known = truth.codes_known.float()
    return (loss * known).sum() / known.sum().clamp(min=1)


def total(output: Output, truth: Truth, weights: Weights = Weights()) -> dict[str, Tensor]:
    """Every term by name and their weighted sum as ``loss``."""
    logits = output.decoded.logits
    mask, weight = _at_logits(truth, logits)
    drawn = slice(None) if truth.drawn is None else truth.drawn
    some = truth.drawn is None or bool(truth.drawn.any())
    terms = {"segmentation": segmentation(logits, mask, _pixels(truth, mask, weight, weights.absent))}
    none = logits.new_zeros(())  # of a network without sites or without the head; where nobody drew
    seen = [t.attention for t in output.traces if t.attention is not None] if some else []
    counted = None if truth.weight is None else truth.weight[drawn]
    places = [location(attention[drawn], truth.mask[drawn], counted) for attention in seen]
    terms["location"] = torch.stack(places).mean() if places else none
    terms["attributes"] = none if output.codes is None else attributes(output.codes, truth)
    offsets = [t.offsets.pow(2).mean() for t in output.traces if t.offsets is not None]
    terms["offsets"] = torch.stack(offsets).mean() if offsets else none
    presence = F.binary_cross_entropy_with_logits(
        output.decoded.presence, truth.presence.clamp(min=0), reduction="none"
    )
    sure = (truth.presence >= 0).float()
    share = sure if truth.weight is None else sure * truth.weight.amax((1, 2))
    terms["presence"] = (presence * share).sum() / sure.sum().clamp(min=1)
    terms["quality"] = _quality(output, truth, (mask, weight)) if some else none
    scaled = (getattr(weights, name) * value for name, value in terms.items() if name != "segmentation")
    terms["loss"] = terms["segmentation"] + sum(scaled)
    return terms


def _quality(output: Output, truth: Truth, fitted: tuple[Tensor, Tensor | None]) -> Float[Tensor, ""]:
    """Squared error of the quality score against IoU over what counts, of drawn rows. Those that show nothing
    of the target where anybody judged have no IoU, and are left out; zero where that leaves none."""
    logits, (mask, weight) = output.decoded.logits, fitted
    rows = slice(None) if truth.drawn is None else truth.drawn
    with torch.no_grad():
        guess = logits > 0 if weight is None else (logits > 0) & (weight > 0)
        hit, union = (guess & (mask > 0.5)).sum((1, 2)), (guess | (mask > 0.5)).sum((1, 2))
        iou = (hit + 1) / (union + 1)
    error = output.decoded.quality.sigmoid()
    if weight is not None:
        open_ = (weight.amin((1, 2)) < 1) & ~(mask > 0).any(2).any(1)
        rows = ~open_ if truth.drawn is None else truth.drawn & ~open_
        if not rows.any():
            return logits.new_zeros(())
    return F.mse_loss(error[rows], iou[rows])


def _at_logits(truth: Truth, logits: Float[Tensor, "b h w"]) -> tuple[Tensor, Tensor | None]:
    """Mask and weight at the size of the logits. A drawn mask is averaged over the pixels that somebody
    judged: the others are 0 in it, which would be learned as background where a cell holds both."""
    mask = _fitted(truth.mask, logits)
    if truth.weight is None:
        return mask, None
    weight = _fitted(truth.weight, logits)
    known = _fitted(truth.mask * truth.weight, logits) / torch.where(
        weight > 0, weight, torch.ones_like(weight)
    )
    return (known if truth.drawn is None else torch.where(truth.drawn[:, None, None], known, mask)), weight


def _pixels(
    truth: Truth, mask: Tensor, weight: Tensor | None, absent: float
) -> Float[Tensor, "b h w"] | None:
    """How far each pixel of a mask [b h w] counts, by its own weight and its picture's; None: all alike."""
    if absent == 1:
        return weight
    rows = torch.where(truth.presence == 0, absent, 1.0)[:, None, None].expand_as(mask)
    return rows if weight is None else rows * weight


def _fitted(map_: Float[Tensor, "b g v"], logits: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """At the size of the logits, by averaging."""
    size = logits.shape[-2:]
    return map_ if map_.shape[-2:] == size else F.interpolate(map_[:, None], size=size, mode="area")[:, 0]
