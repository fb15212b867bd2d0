"""A backend is three functions and two words about them. Whatever computes them, codes, planes, the average
with the mirror image and the checks stay the same code (``predict.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from medsegr.model import Output
from medsegr.networks import Network
from medsegr.reasoning.attributes import Words
from medsegr.sam.host import Clicks

Maps = tuple[Tensor, ...]
Heard = Tensor | Words  # prior tokens [b 4 d]; the codes themselves for networks without such tokens


@dataclass(frozen=True, slots=True)
class Said:
    """What a network says, one row a question. ``logits`` [b h w] at the network's own resolution;
    ``presence`` and ``quality`` logits [b]; ``attention`` [b g v] in [0, 1], where the words acted, or None;
    ``codes`` [b c] logits of the image-only head, or None."""

    logits: Float[Tensor, "b h w"]
    presence: Float[Tensor, " b"]
    quality: Float[Tensor, " b"]
    attention: Tensor | None = None
    codes: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """``shared``: pixels [b 3 h w], normalised -> maps that no word can change. ``hear``: codes -> what the
    network needs of them, once a finding. ``decode``: maps and what was heard, row by row -> the answer."""

    name: str
    precision: str
    device: torch.device
    shared: Callable[[Tensor], Maps]
    hear: Callable[[Words], Heard]
    decode: Callable[[Maps, Heard, Clicks], Said]


def of_network(network: Network, device: str = "cpu") -> Backend:
    """The network itself, run by torch."""
    model = network.to(device).eval()
    hear: Callable[[Words], Heard] = getattr(model, "priors", lambda words: words)

    def decode(maps: Maps, heard: Heard, clicks: Clicks) -> Said:
        return said(model(cast(Any, maps), cast(Any, heard), clicks))

    return Backend("torch", "fp32", torch.device(device), model.shared, hear, decode)


def said(out: Output) -> Said:
    """The answer out of a network's output: the attention of all sites as one map, at the finest site's
    size."""
    acted = [trace.attention[:, None] for trace in out.traces if trace.attention is not None]
    mean = None
    if acted:
        size = acted[0].shape[-2:]
        maps = [F.interpolate(a, size=size, mode="bilinear", align_corners=False) for a in acted]
        mean = torch.stack(maps).sigmoid().mean(0)[:, 0]
    return Said(out.decoded.logits, out.decoded.presence, out.decoded.quality, mean, out.codes)


def rows_of(heard: Heard, rows: Sequence[int]) -> Heard:
    """These rows, in this order; a row may come several times."""
    if isinstance(heard, Tensor):
        return heard[list(rows)]
    at = list(rows)
    return Words(heard.index[at], heard.kind[at], heard.scalar[at])


def folded(network: nn.Module) -> nn.Module:
    """The same network, changed in place, with every BatchNorm that follows a convolution inside a Sequential
    made part of it: for running only. Equal up to rounding."""
    network.eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for at in range(len(module) - 1):
                first, second = module[at], module[at + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[at] = fuse_conv_bn_eval(first, second)
                    module[at + 1] = nn.Identity()
    return network
