"""Losses as plain functions of tensors.

    L = L_seg + 0.2 mean_sites L_loc + 0.1 L_attr + 0.001 L_off + 0.3 L_presence + 0.05 L_quality

L_seg is BCE plus soft Dice an image (eps 1). A picture in which the target is not there has no Dice term: BCE
and presence say it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsegr.model import Output


@dataclass(frozen=True, slots=True)
class Truth:
    """``mask`` [b h w] 0/1 at the size of the logits or larger; ``presence`` [b] 1, 0 or -1 (unknown);
    ``codes`` [b v] 0/1 and ``codes_known`` [b v] bool: which attribute groups are known, for rows where the
    words said nothing."""

    mask: Tensor
    presence: Tensor
    codes: Tensor
    codes_known: Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """Factors of the terms."""

    location: float = 0.2
    attributes: float = 0.1
    offsets: float = 0.001
    presence: float = 0.3
    quality: float = 0.05


def soft_dice(
    prob: Float[Tensor, "b h w"], mask: Float[Tensor, "b h w"], eps: float = 1.0
) -> Float[Tensor, " b"]:
    """Soft Dice loss an image; 0 for two empty masks."""
    both = (prob * mask).sum((1, 2))
    return 1 - (2 * both + eps) / (prob.sum((1, 2)) + mask.sum((1, 2)) + eps)


def segmentation(logits: Float[Tensor, "b h w"], mask: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """BCE plus soft Dice, the latter only where there is something to find."""
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none").mean((1, 2))
    there = (mask.sum((1, 2)) > 0).float()
    return (bce + there * soft_dice(logits.sigmoid(), mask)).mean()


def location(attention: Float[Tensor, "b h w"], mask: Float[Tensor, "b g v"]) -> Float[Tensor, ""]:
    """BCE of a site's attention against the max-pooled mask (max keeps small lesions), positive weight at
    most 10."""
    target = F.adaptive_max_pool2d(mask[:, None], attention.shape[-2:])[:, 0]
    positive = target.sum()
    weight = ((target.numel() - positive) / positive.clamp(min=1)).clamp(max=10.0)
    return F.binary_cross_entropy_with_logits(attention, target, pos_weight=weight)


def attributes(logits: Float[Tensor, "b v"], truth: Truth) -> Float[Tensor, ""]:
    """BCE of the image-only head over the groups that are known; zero when nothing is."""
    loss = F.binary_cross_entropy_with_logits(logits, truth.codes, reduction="none")
    known = truth.codes_known.float()
    return (loss * known).sum() / known.sum().clamp(min=1)


def total(output: Output, truth: Truth, weights: Weights = Weights()) -> dict[str, Tensor]:
    """Every term by name and their weighted sum as ``loss``."""
    logits = output.decoded.logits
    size = logits.shape[-2:]
    mask = (
        F.interpolate(truth.mask[:, None], size=size, mode="area")[:, 0]
        if truth.mask.shape[-2:] != size
        else truth.mask
    )
    sure = truth.presence >= 0
    terms = {"segmentation": segmentation(logits, mask)}
    none = logits.new_zeros(())  # of a network without sites, or without the head
    places = [location(t.attention, truth.mask) for t in output.traces if t.attention is not None]
    terms["location"] = torch.stack(places).mean() if places else none
    terms["attributes"] = none if output.codes is None else attributes(output.codes, truth)
    offsets = [t.offsets.pow(2).mean() for t in output.traces if t.offsets is not None]
    terms["offsets"] = torch.stack(offsets).mean() if offsets else none
    presence = F.binary_cross_entropy_with_logits(
        output.decoded.presence, truth.presence.clamp(min=0), reduction="none"
    )
    terms["presence"] = (presence * sure).sum() / sure.sum().clamp(min=1)
    with torch.no_grad():
        guess = logits > 0
        hit, union = (guess & (mask > 0.5)).sum((1, 2)), (guess | (mask > 0.5)).sum((1, 2))
        iou = (hit + 1) / (union + 1)
    terms["quality"] = F.mse_loss(output.decoded.quality.sigmoid(), iou)
    scaled = (getattr(weights, name) * value for name, value in terms.items() if name != "segmentation")
    terms["loss"] = terms["segmentation"] + sum(scaled)
    return terms
