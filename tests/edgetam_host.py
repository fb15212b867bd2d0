"""EdgeTAM with a stand-in for timm's RepViT, which cannot be installed beside a processor's torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from torch import Tensor, nn


class Stage(nn.Module):
    """A stage as timm's RepViT has it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = nn.Conv2d(before, after, 2, 2)
        self.downsample = nn.Identity() if before == after else half
        self.blocks = nn.Sequential(nn.Conv2d(after, after, 3, padding=1), nn.GELU())


class Backbone(nn.Module):
    """Stands in for transformers' wrapper of timm, which cannot be installed beside a processor's torch."""

    def __init__(self) -> None:
        super().__init__()
        stages = {f"stages_{i}": Stage(8 << max(i - 1, 0), 8 << i) for i in range(4)}
        self.timm_model = nn.ModuleDict({"stem": nn.Conv2d(3, 8, 4, 4), **stages})

    def forward(self, pixels: Tensor, **_more: Any) -> Any:
        x, maps = pixels, []
        for name, part in self.timm_model.items():
            x = part.blocks(part.downsample(x)) if name != "stem" else part(x)
            maps += [x] if name != "stem" else []
        return type("Output", (), {"last_hidden_state": maps, "hidden_states": None})()


@contextmanager
def stand_in() -> Iterator[None]:
    """While it lasts, transformers makes that stand-in where it would ask timm."""
    from transformers import EdgeTamVisionConfig
    from transformers.models.edgetam import modeling_edgetam as library

    class Auto:
        @staticmethod
        def from_config(config: Any) -> Any:
            if isinstance(config, EdgeTamVisionConfig):
                return library.EdgeTamVisionModel(config)
            return Backbone()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(library, "AutoModel", Auto)
        yield


def edgetam_model(size: int, **decoder: Any) -> Any:
    """EdgeTAM with that stand-in in place of RepViT; all else is the library's. ``decoder``: fields of the
    mask decoder's configuration."""
    from transformers import EdgeTamConfig, EdgeTamModel, EdgeTamVisionConfig

    from medsegr.sam.hosts.hiera import decoder_parts, pyramid_sizes

    vision = EdgeTamVisionConfig(fpn_hidden_size=32, **pyramid_sizes(size, 64))
    parts = decoder_parts(size)
    parts["mask_decoder_config"] |= decoder
    with stand_in():
        return EdgeTamModel(EdgeTamConfig(vision_config=vision, **parts))
