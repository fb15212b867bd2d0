"""Learning from pictures in which nobody drew: the averaged weights answer, the others learn from it.

A mean teacher (Tarvainen and Valpola 2017, arXiv 1703.01780) whose answer counts where it is sure, as in
FixMatch (Sohn et al. 2020, arXiv 2001.07685): the teacher sees the picture turned and cut, the student also
with its colours, sharpness and noise changed. The teacher's weight rises over the first part of the run, for
at the beginning it knows nothing.
"""

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from medsegr.reasoning.attributes import Words
from medsegr.sam.host import Clicks
from medsegr.samples.feed import Batch

RISE = 0.3  # of the run, in which the teacher's weight goes from nearly 0 to 1


def ramp(part: float) -> float:
    """Weight of the teacher at ``part`` of the run: exp(-5 (1 - t)^2), the published rise."""
    return math.exp(-5 * (1 - min(1.0, part / RISE)) ** 2)


@torch.no_grad()
def taught(batch: Batch, teacher: Any, confidence: float, part: float) -> Batch:
    """``batch`` with the teacher's answer where nobody drew.

    ``teacher`` is a :class:`medsegr.networks.Network` in evaluation mode. Pixels of which it is less sure
    than ``confidence`` weigh nothing, and those of drawn pictures that nobody judged still do not; presence
    that it is not sure of stays unknown; where it is sure that the target is not there the mask is empty. A
    batch that is drawn throughout comes back as it is.
    """
    truth = batch.truth
    if batch.calm is None or truth.drawn is None:
        return batch
    rows = ~truth.drawn
    words = Words(batch.words.index[rows], batch.words.kind[rows], batch.words.scalar[rows])
    said = teacher(teacher.shared(batch.calm[rows]), words, Clicks()).decoded
    prob = _at(said.logits.float().sigmoid(), truth.mask)
    there = said.presence.float().sigmoid()
    gone = there <= 1 - confidence
    mask, presence = truth.mask.clone(), truth.presence.clone()
    mask[rows] = (prob > 0.5).float() * ~gone[:, None, None]
    presence[rows] = torch.where(there >= confidence, 1.0, torch.where(gone, 0.0, -1.0))
    sure = torch.maximum(prob, 1 - prob) >= confidence
    weight = torch.ones_like(truth.mask) if truth.weight is None else truth.weight.clone()
    weight[rows] *= ramp(part) * (sure | gone[:, None, None]).float()
    return replace(batch, truth=replace(truth, mask=mask, presence=presence, weight=weight))


def _at(prob: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    if prob.shape[-2:] == size:
        return prob
    return F.interpolate(prob[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
