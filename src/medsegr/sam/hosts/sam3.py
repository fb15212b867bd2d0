"""SAM 3's tracker on pictures: transformers' ``Sam3TrackerModel``, a plain transformer with rotary positions
and a pyramid made of its last map, under SAM 2's decoder.

SAM 3's own text prompt (``Sam3Model``'s detector) is not used: a report's words act by our stages, as on
every host. Sites as in ``vit.py``. Its patches have 14 pixels, ours are multiples of 32: a picture is resized
by 14/16, so that its grid is that of the other hosts (1152 becomes the 1008 that the weights were made for).
"""

import copy
from types import SimpleNamespace
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsegr.sam.host import Features, Site
from medsegr.sam.hosts.family import Family, Stage, between, first, last, thirds
from medsegr.sam.hosts.hiera import decode, decoder_parts, head, pyramid_sizes, tokens

CELL = 16  # pixels of ours that one patch covers


def sites(model: Any) -> tuple[Site, ...]:
    """Four of the encoder's width, one stride."""
    config = model.config.vision_config.backbone_config
    names = [f"block{at}" for at in thirds(config.num_hidden_layers)]
    return tuple(Site(name, config.hidden_size, CELL) for name in names)


def embed(model: Any, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c g v"]:
    """Patches, tiled positions and the norm before the first block."""
    backbone = model.vision_encoder.backbone
    patch = backbone.config.patch_size
    h, w = (side // CELL for side in pixels.shape[-2:])
    if patch != CELL:
        size = (h * patch, w * patch)
        pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    x = backbone.embeddings(pixels)
    return first(backbone.layer_norm(x.view(len(x), h, w, -1)))


def at_size(layer: Any, h: int, w: int) -> Any:
    """The layer with rotary positions for a grid of ``h w``: a view, the layer itself stays as it is."""
    if layer.window_size or (layer.position_ids.shape[0] == h * w and h == w):
        return layer
    patch = layer.config.patch_size
    there = SimpleNamespace(
        image_size=(w * patch, h * patch), patch_size=patch, window_size=layer.config.window_size
    )
    view = copy.copy(layer)
    places = layer.precompute_positions(there, 0).to(layer.position_ids.device)
    view._buffers = {**layer._buffers, "position_ids": places}
    return view


def advance(model: Any, stage: Stage, site: int) -> Stage:
    """The blocks up to the next site."""
    layers, x = model.vision_encoder.backbone.layers, last(stage.x)
    for number in between(len(layers), thirds(len(layers)), site):
        x = at_size(layers[number], *x.shape[1:3])(x)
    return Stage(first(x))


def finish(model: Any, stage: Stage) -> Features:
    """The pyramid's three finest maps."""
    maps, _ = model.vision_encoder.neck(stage.x)
    fine, middle, coarse = head(model, maps)
    return Features((fine, middle, coarse), (coarse.shape[-2], coarse.shape[-1]), coarse.mean((2, 3)))


def tiny(size: int) -> Any:
    """A random ``Sam3TrackerModel`` of width 32 with three blocks, for pictures of ``size`` of our pixels."""
    from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3VisionConfig, Sam3ViTConfig

    side = size * 14 // CELL
    backbone = Sam3ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=side,
        pretrain_image_size=side,
        window_size=2,
        global_attn_indexes=[1],
        initializer_range=0.2,
    )
    sizes = pyramid_sizes(size, 64)["backbone_feature_sizes"]
    vision = Sam3VisionConfig(backbone_config=backbone, fpn_hidden_size=32, backbone_feature_sizes=sizes)
    return Sam3TrackerModel(Sam3TrackerConfig(vision_config=vision, **decoder_parts(side, 14)))


SAM3 = Family(
    "sam3",
    "Sam3TrackerModel",
    ("sam3_tracker", "sam3_tracker_video", "sam3_video", "sam3"),
    sites,
    embed,
    advance,
    finish,
    decode,
    tiny,
    tokens,
    ("attention.q_proj", "attention.v_proj"),
    normal=((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    padded=True,
)
