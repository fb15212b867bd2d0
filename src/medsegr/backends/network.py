"""A torch network as a backend: the one crossing between numpy and torch when a picture is asked about."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from medsegr.backends.backend import Backend, Clicked, Heard, Maps, Said, Size, filled, fitted
from medsegr.model import Output
from medsegr.networks import Network
from medsegr.reasoning.attributes import Words, words_of
from medsegr.reasoning.codes import Coded
from medsegr.sam.host import Clicks


def of_network(network: Network, device: str = "cpu") -> Backend:
    """The network itself, run by torch. Pictures and masks change their size on the processor by numpy, on an
    accelerator there, so that little is carried over."""
    model = network.to(device).eval()
    priors: Callable[[Words], Any] = getattr(model, "priors", lambda words: words)
    here = torch.device(device).type == "cpu"

    @torch.inference_mode()
    def shared(pixels: Tensor) -> Maps:
        return tuple(model.shared(pixels))

    @torch.inference_mode()
    def hear(codes: Coded) -> Heard:
        return priors(words_of(codes, device))

    @torch.inference_mode()
    def decode(maps: Maps, heard: Heard, clicks: Clicked) -> Said:
        return said(model(cast(Any, maps), heard, _clicks(clicks, device)))

    def fit(pictures: np.ndarray, size: Size, mirrored: bool) -> Tensor:
        return torch.from_numpy(fitted(pictures, size, mirrored)) if here else _fit(pictures, size, mirrored)

    @torch.inference_mode()
    def _fit(pictures: np.ndarray, size: Size, mirrored: bool) -> Tensor:
        given = torch.from_numpy(pictures).to(device).float() / 255
        small = F.interpolate(given, size=size, mode="bilinear", align_corners=False, antialias=True)
        small = (small.expand(-1, 3, -1, -1) - 0.5) / 0.25
        return torch.cat([small, small.flip(-1)]) if mirrored else small

    def fill(out: np.ndarray, ways: Sequence[Tensor], logits: bool) -> None:
        if here:
            filled(out, [numbers(one) for one in ways], logits)
        else:
            _fill(out, ways, logits)

    def numbers(one: Tensor) -> np.ndarray:
        return one.float().cpu().numpy()

    return Backend("torch", "fp32", device, shared, hear, decode, fit, fill, numbers)


@torch.inference_mode()
def _fill(out: np.ndarray, ways: Sequence[Tensor], logits: bool) -> None:
    """As :func:`medsegr.backends.backend.filled`, where the maps lie."""
    size = (out.shape[0], out.shape[1])
    mean = torch.zeros(size, device=ways[0].device)
    for way, one in enumerate(ways):
        fine = F.interpolate(one[None, None].float(), size=size, mode="bilinear", align_corners=False)[0, 0]
        fine = fine.sigmoid() if logits else fine
        mean += fine.flip(-1) if way else fine
    mean /= len(ways)
    out[:] = (mean if out.dtype != np.uint8 else (mean * 255).round().to(torch.uint8)).cpu().numpy()


def _clicks(given: Clicked, device: str) -> Clicks:
    parts = (given.points, given.kinds, given.mask, given.has_mask)
    return Clicks(*(None if part is None else torch.from_numpy(part).to(device) for part in parts))


def said(out: Output) -> Said:
    """The answer out of a network's output."""
    presence, quality, codes = (
        None if part is None else part.float().cpu().numpy()
        for part in (out.decoded.presence, out.decoded.quality, out.codes)
    )
    return Said(out.decoded.logits, cast(np.ndarray, presence), cast(np.ndarray, quality), acted(out), codes)


def acted(out: Output) -> Tensor | None:
    """The attention of all sites as one map, at the finest site's size; None without sites."""
    maps = [trace.attention[:, None] for trace in out.traces if trace.attention is not None]
    if not maps:
        return None
    size = maps[0].shape[-2:]
    same = [F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in maps]
    return torch.stack(same).sigmoid().mean(0)[:, 0]


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
