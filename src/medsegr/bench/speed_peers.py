"""Peers of the speed table, on the same picture in the same run. All have random weights: their masks mean
nothing, their cost is that of the trained ones.

A MobileSAM-like network is made here, since transformers has no TinyViT and EdgeTAM needs timm: TinyViT-5M's
widths, depths and windows (Wu et al. 2022, arXiv 2207.10666) as MobileSAM uses them (Zhang et al. 2023, arXiv
2306.14289), before the prompt encoder and mask decoder of transformers' SAM.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsegr.bench.clock import Least, least

WIDTHS, DEPTHS, HEADS, WINDOWS = (64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7)
Timed = tuple[str, Least]


def negation(report: str, repeats: int) -> Iterator[Timed]:
    """Blank English with entities by rule and negspacy's negation; nothing where it is not installed."""
    try:
        import spacy
        from negspacy.negation import Negex
    except ImportError:
        return
    pipe = spacy.blank("en")
    pipe.add_pipe("sentencizer")
    ruler = pipe.add_pipe("entity_ruler")
    words = ("opacity", "effusion", "nodule", "pneumothorax", "atelectasis", "catheter", "heart")
    ruler.add_patterns([{"label": "FINDING", "pattern": [{"LOWER": word}]} for word in words])
    pipe.add_pipe("negex", config={"ent_types": ["FINDING"]})
    assert Negex is not None  # importing it is what registers "negex"
    yield "  peer: negspacy, concepts given, negation only", least(lambda: pipe(report), repeats)


def networks(path: Path, repeats: int) -> Iterator[Timed]:
    """Every network that is installed: one picture with one prompt (SAMs: a point)."""
    from PIL import Image as Pillow

    with Pillow.open(path) as opened:
        picture = torch.from_numpy(np.asarray(opened.convert("RGB"), np.float32)).permute(2, 0, 1)[None] / 255
    for name, build, side in (
        ("MONAI UNet 16-256, 2 residual units, 256 px", monai_unet, 256),
        ("MobileSAM-like, 256 px", mobile_sam, 256),
        ("MobileSAM-like, 1024 px", mobile_sam, 1024),
        ("transformers SamModel ViT-B, 1024 px", sam_vit_b, 1024),
    ):
        try:
            network = build(side)
        except ImportError:
            continue
        shown = F.interpolate(picture, size=(side, side), mode="bilinear", antialias=True)
        with torch.inference_mode():
            # The large ones are slow enough for two repeats to tell.
            found = least(partial(network, shown), repeats if side == 256 else min(2, repeats))
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        yield f"  peer: {name} ({millions:.1f} M)", found


def monai_unet(_side: int) -> nn.Module:
    """MONAI's usual small UNet."""
    from monai.networks.nets import UNet

    made: nn.Module = UNet(2, 3, 1, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2)
    return made.eval()


def sam_vit_b(_side: int) -> nn.Module:
    """transformers' SAM in its base size."""
    from transformers import SamConfig, SamModel

    return _Clicked(_ordinary(SamModel(SamConfig()))).eval()


def mobile_sam(side: int) -> nn.Module:
    """TinyViT before transformers' prompt encoder and mask decoder."""
    from transformers import SamConfig, SamModel, SamVisionConfig

    vision = SamVisionConfig(num_hidden_layers=1, image_size=side)
    sam: Any = SamModel(SamConfig(vision_config=vision, prompt_encoder_config={"image_size": side}))
    sam.vision_encoder = nn.Identity()
    return _Clicked(_ordinary(sam), _ordinary(TinyVit())).eval()


def _ordinary(network: nn.Module) -> nn.Module:
    """Weights of ordinary size: the random ones of transformers run into numbers so small that processors are
    slow on them."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    return network


class _Clicked(nn.Module):
    """One picture and one point through a SAM of transformers."""

    def __init__(self, sam: Any, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.sam = sam
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        point = torch.full((1, 1, 1, 2), pixels.shape[-1] / 2)
        if self.encoder is None:
            out = self.sam(pixel_values=pixels, input_points=point, multimask_output=False)
        else:
            out = self.sam(image_embeddings=self.encoder(pixels), input_points=point, multimask_output=False)
        masks: Tensor = out.pred_masks
        return masks


def _conv(cin: int, cout: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)
    )


def _narrow(cin: int, cout: int, middle: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        _conv(cin, middle),
        nn.GELU(),
        _conv(middle, middle, 3, stride, middle),
        nn.GELU(),
        _conv(middle, cout),
    )


class TinyVit(nn.Module):
    """TinyViT-5M to stride 16, as MobileSAM has it: [1 3 s s] -> [1 256 s/16 s/16]."""

    def __init__(self) -> None:
        super().__init__()
        a = WIDTHS[0]
        self.stem = nn.Sequential(_conv(3, a // 2, 3, 2), nn.GELU(), _conv(a // 2, a, 3, 2))
        self.first = nn.ModuleList(_narrow(a, a, 4 * a) for _ in range(DEPTHS[0]))
        # Strides 8, 16, 16: the last merging keeps the size, so that the decoder gets stride 16.
        steps = zip(WIDTHS, WIDTHS[1:], (2, 2, 1), strict=False)
        self.merges = nn.ModuleList(_narrow(c, d, d, stride) for c, d, stride in steps)
        stages = zip(WIDTHS[1:], HEADS[1:], WINDOWS[1:], DEPTHS[1:], strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(width, heads, window) for _ in range(depth)))
            for width, heads, window, depth in stages
        )
        self.neck = nn.Sequential(nn.Conv2d(WIDTHS[-1], 256, 1), nn.Conv2d(256, 256, 3, padding=1))

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 256 g g"]:
        """Encode a picture; sides are multiples of 16."""
        x: Tensor = self.stem(pixels)
        for block in self.first:
            x = F.gelu(x + block(x))
        for merge, stage in zip(self.merges, self.stages, strict=True):
            x = stage(merge(x))
        out: Tensor = self.neck(x)
        return out


class _Block(nn.Module):
    """Attention within windows, a depthwise convolution, an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window, self.heads = window, heads
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.local = _conv(width, width, 3, 1, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        n = self.window
        padded = F.pad(x, (0, -w % n, 0, -h % n))
        rows, cols = padded.shape[2] // n, padded.shape[3] // n
        tokens = padded.view(b, c, rows, n, cols, n).permute(0, 2, 4, 3, 5, 1).reshape(-1, n * n, c)
        q, k, v = (
            self.qkv(self.norm(tokens)).view(-1, n * n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        )
        acted = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, n * n, c)
        acted = self.out(acted).view(b, rows, cols, n, n, c).permute(0, 5, 1, 3, 2, 4)
        x = self.local(x + acted.reshape(b, c, rows * n, cols * n)[..., :h, :w])
        flat = x.flatten(2).transpose(1, 2)
        out: Tensor = (flat + self.mlp(self.norm_mlp(flat))).transpose(1, 2).reshape(b, c, h, w)
        return out
