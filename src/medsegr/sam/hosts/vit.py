"""SAM's plain vision transformer: transformers' ``SamModel`` (MedSAM's weights are of the same class) and
``SamHQModel``.

Sites stand before blocks 0, a third and two thirds of the way, and after the last block, before the neck
(0, 4, 8, end of ViT-B). At another size than the weights were made for the absolute positions are resized
bilinearly; the relative ones of the global blocks are resized by the library itself.
"""

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsegr.sam.host import Features, Site
from medsegr.sam.hosts.family import Answer, Asked, Family, Stage, between, first, last, thirds


def sites(model: Any) -> tuple[Site, ...]:
    """Four of the encoder's width, one stride."""
    config = model.config.vision_config
    places = thirds(config.num_hidden_layers)
    return tuple(Site(f"block{at}", config.hidden_size, config.patch_size) for at in places)


def embed(model: Any, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c g v"]:
    """Patches and their positions."""
    encoder = model.vision_encoder
    x = encoder.patch_embed.projection(pixels)
    place = encoder.pos_embed
    if place is None:
        return x  # type: ignore[no-any-return]
    if place.shape[1:3] != x.shape[-2:]:
        place = last(F.interpolate(first(place), x.shape[-2:], mode="bilinear", align_corners=False))
    return first(last(x) + place)


def advance(model: Any, stage: Stage, site: int) -> Stage:
    """The blocks up to the next site."""
    layers, x = model.vision_encoder.layers, last(stage.x)
    for number in between(len(layers), thirds(len(layers)), site):
        x = layers[number](x)
    return Stage(first(x), stage.kept)


def advance_hq(model: Any, stage: Stage, site: int) -> Stage:
    """The same; SAM-HQ's decoder also wants what leaves the first global block."""
    layers, x, kept = model.vision_encoder.layers, last(stage.x), stage.kept
    for number in between(len(layers), thirds(len(layers)), site):
        x = layers[number](x)
        if layers[number].window_size == 0 and not kept:
            kept = (first(x),)
    return Stage(first(x), kept)


def finish(model: Any, stage: Stage) -> Features:
    """The neck."""
    x: Tensor = model.vision_encoder.neck(last(stage.x))
    return Features((x, *stage.kept), (x.shape[-2], x.shape[-1]), x.mean((2, 3)))


def decode(model: Any, features: Features, asked: Asked, **more: Any) -> Answer:
    """SAM's mask decoder; one mask is that of its first mask token. ``more`` is what a relative's wants
    besides."""
    masks, iou = model.mask_decoder(
        image_embeddings=features.maps[0],
        image_positional_embeddings=asked.position,
        sparse_prompt_embeddings=asked.sparse,
        dense_prompt_embeddings=asked.dense,
        multimask_output=asked.several,
        target_embedding=asked.words(),
        **more,
    )
    return Answer(masks[:, 0], iou[:, 0])


def decode_hq(model: Any, features: Features, asked: Asked) -> Answer:
    """SAM-HQ's: the sum of SAM's mask and the high-quality token's."""
    kept = [last(one) for one in features.maps[1:]]
    return decode(model, features, asked, hq_token_only=False, intermediate_embeddings=kept)


def tokens(model: Any) -> int:
    """Quality and four masks; SAM-HQ has one more."""
    return 1 + int(model.mask_decoder.num_mask_tokens)


SMALL: dict[str, dict[str, Any]] = {
    "vision_config": {
        "hidden_size": 32,
        "output_channels": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "window_size": 2,
        "global_attn_indexes": [1, 2],
        "num_pos_feats": 16,
        "mlp_dim": 64,
        "initializer_range": 0.05,
    },
    "prompt_encoder_config": {"hidden_size": 32, "mask_input_channels": 8},
    "mask_decoder_config": {
        "hidden_size": 32,
        "mlp_dim": 64,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    },
}


def tiny(size: int) -> Any:
    """A random ``SamModel`` of width 32 with three blocks."""
    from transformers import SamConfig, SamModel

    return SamModel(SamConfig(**sized(size)))


def tiny_hq(size: int) -> Any:
    """A random ``SamHQModel`` of width 32 with three blocks."""
    from transformers import SamHQConfig, SamHQModel

    parts = sized(size)
    parts["mask_decoder_config"]["vit_dim"] = 32
    return SamHQModel(SamHQConfig(**parts))


def sized(size: int) -> dict[str, dict[str, Any]]:
    """The small configuration for pictures of ``size`` pixels."""
    parts = {name: dict(values) for name, values in SMALL.items()}
    for name in ("vision_config", "prompt_encoder_config"):
        parts[name]["image_size"] = size
    return parts


QKV = ("attn.qkv",)
SAM = Family("sam", "SamModel", ("sam",), sites, embed, advance, finish, decode, tiny, tokens, QKV)
HQ: dict[str, Any] = {"advance": advance_hq, "decode": decode_hq, "tiny": tiny_hq}
SAM_HQ = replace(SAM, name="sam-hq", model="SamHQModel", types=("sam_hq",), **HQ)
