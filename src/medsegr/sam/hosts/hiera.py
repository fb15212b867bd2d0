"""SAM 2 on pictures: transformers' ``Sam2Model``, a Hiera encoder with a feature pyramid (MedSAM2's weights
are of the same class). Weights for videos are opened as ``Sam2VideoModel``, the same with a memory
(``memory.py``).

Sites stand at the start of each stage, with that stage's width: before the first block, then right after the
block that halves the map, as in our own encoder. The positions adapt to any size by themselves. The switch to
another mask token when the first is unstable is off: a finding has one mask, and it is the one that is
trained.
"""

from itertools import accumulate
from typing import Any

from jaxtyping import Float
from torch import Tensor

from medsegr.sam.host import Features, Site
from medsegr.sam.hosts.family import Answer, Asked, Family, Stage, between, first, last
from medsegr.sam.hosts.memory import PARTS


def sites(model: Any) -> tuple[Site, ...]:
    """One a stage."""
    config = model.config.vision_config.backbone_config
    stride = config.patch_stride[0]
    return tuple(
        Site(f"stage{i}", width, stride << min(i, config.num_query_pool_stages))
        for i, width in enumerate(config.embed_dim_per_stage)
    )


def embed(model: Any, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c g v"]:
    """Patches and their positions, at stride 4."""
    backbone = model.vision_encoder.backbone
    x = backbone.patch_embed(pixels)
    return first(x + backbone._get_pos_embed(x.shape[1:3]))


def starts(model: Any) -> tuple[int, ...]:
    """Before which block each site stands."""
    counts = model.config.vision_config.backbone_config.blocks_per_stage
    return (0, *(begin + 1 for begin in accumulate(counts[:-1])))


def advance(model: Any, stage: Stage, site: int) -> Stage:
    """The blocks up to the next site; what a stage ends with is kept for the pyramid when the next begins."""
    backbone = model.vision_encoder.backbone
    x, kept = last(stage.x), stage.kept
    for number in between(len(backbone.blocks), starts(model), site):
        if number - 1 in backbone.stage_ends:
            kept = (*kept, first(x))
        x = backbone.blocks[number](x)
    return Stage(first(x), kept)


def finish(model: Any, stage: Stage) -> Features:
    """The pyramid."""
    return pyramid(model, [last(x) for x in (*stage.kept, stage.x)])


def pyramid(model: Any, stages: list[Tensor]) -> Features:
    """Neck, the decoder's two projections and "no memory"; ``stages`` [b h w c], fine to coarse. The fourth
    map is the coarsest without "no memory", for a memory to act on."""
    maps, _ = model.vision_encoder.neck(tuple(stages))
    levels = maps[-model.vision_encoder.num_feature_levels :][::-1]
    fine, middle, coarse = head(model, levels)
    grid = (coarse.shape[-2], coarse.shape[-1])
    return Features((fine, middle, coarse, levels[-1]), grid, coarse.mean((2, 3)))


def head(model: Any, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """What SAM 2's decoder takes, of maps from fine to coarse. "No memory" is added to the last of them, as
    the library does: SAM 3 has a fourth map that nobody uses, and so its third stays as it is."""
    decoder = model.mask_decoder
    *rest, coarse = maps
    fine, middle, third = (*rest, coarse + model.no_memory_embedding.reshape(1, -1, 1, 1))[:3]
    return decoder.conv_s0(fine), decoder.conv_s1(middle), third


def decode(model: Any, features: Features, asked: Asked) -> Answer:
    """SAM 2's mask decoder; it has its own logit of whether the object is there."""
    *fine, coarse = features.maps[:3]
    masks, iou, made, there = model.mask_decoder(
        image_embeddings=coarse,
        image_positional_embeddings=asked.position,
        sparse_prompt_embeddings=asked.sparse,
        dense_prompt_embeddings=asked.dense,
        multimask_output=asked.several,
        high_resolution_features=fine,
        target_embedding=asked.words(),
    )
    return Answer(masks[:, 0], iou[:, 0], there[:, 0, 0], made[:, 0])


def tokens(model: Any) -> int:
    """Object, quality, and the masks."""
    return 2 + int(model.mask_decoder.num_mask_tokens)


def tiny(size: int) -> Any:
    """A random ``Sam2Model`` with widths 8 to 64."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[size, size],
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 2, 4],
        window_size_per_stage=[8, 4, 4, 2],
        global_attention_blocks=[4],
        initializer_range=0.2,
    )
    vision = Sam2VisionConfig(backbone_config=backbone, fpn_hidden_size=32, **pyramid_sizes(size, 64))
    return Sam2Model(Sam2Config(vision_config=vision, **decoder_parts(size)))


def pyramid_sizes(size: int, widest: int) -> dict[str, Any]:
    """The neck's part of a small configuration."""
    return {
        "backbone_channel_list": [widest >> i for i in range(4)],
        "backbone_feature_sizes": [[size // 4 >> i] * 2 for i in range(3)],
    }


def decoder_parts(size: int, patch: int = 16) -> dict[str, Any]:
    """Prompt encoder and mask decoder of a small configuration."""
    prompt = {"hidden_size": 32, "image_size": size, "patch_size": patch, "mask_input_channels": 8}
    mask = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
    return {"prompt_encoder_config": prompt, "mask_decoder_config": mask}


SAM2 = Family(
    "sam2",
    "Sam2Model",
    ("sam2", "sam2_video"),
    sites,
    embed,
    advance,
    finish,
    decode,
    tiny,
    tokens,
    ("attn.qkv",),
    padded=True,
    others={"sam2_video": "Sam2VideoModel"},
    apart=PARTS,
)
