"""Checkpoints in the layout of their authors (segment-anything's and MedSAM's ``.pth``, SAM 2's and MedSAM2's
``.pt``) to a folder of transformers.

Names are mapped by a short list of rules; the network's measures are read off the shapes of the tensors, so
that a file of any size is understood. Foreign files are read with ``weights_only``: nothing in them is run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medsegr.errors import InputError, WeightsError

Rules = tuple[tuple[str, str], ...]

MLPS = r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+)"
# Of both families: three-layer perceptrons, the prompt encoder, the mask decoder.
COMMON: Rules = (
    (
        r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+)\.layers\.0\.",
        r"\1.proj_in.",
    ),
    (
        r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+)\.layers\.1\.",
        r"\1.layers.0.",
    ),
    (
        r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+)\.layers\.2\.",
        r"\1.proj_out.",
    ),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"\.norm(\d|_final_attn)\.", r".layer_norm\1."),
)
SAM_RULES: Rules = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"^vision_encoder\.blocks\.", "vision_encoder.layers."),
    (r"neck\.0\.", "neck.conv1."),
    (r"neck\.1\.", "neck.layer_norm1."),
    (r"neck\.2\.", "neck.conv2."),
    (r"neck\.3\.", "neck.layer_norm2."),
    (r"point_embeddings\.", "point_embed."),
    *COMMON,
)
SAM2_RULES: Rules = (
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"(backbone\.blocks\.\d+\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"(backbone\.blocks\.\d+\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"(transformer\.layers\.\d+\.mlp)\.(?:lin1|layers\.0)\.", r"\1.proj_in."),
    (r"(transformer\.layers\.\d+\.mlp)\.(?:lin2|layers\.1)\.", r"\1.proj_out."),
    (r"((?:self_attn|cross_attn_\w+|final_attn_token_to_image))\.out_proj\.", r"\1.o_proj."),
    *COMMON,
)
# What SAM 2's files hold for videos, which pictures do not need.
VIDEO = re.compile(r"^(memory_|maskmem_|mask_downsample|obj_ptr|no_obj|no_mem_pos)")
# Hiera's heads, windows and global blocks do not show in its tensors: by width of the first stage and blocks.
HIERA: dict[tuple[int, int], tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    (96, 12): (1, (8, 4, 14, 7), (5, 7, 9)),
    (96, 16): (1, (8, 4, 14, 7), (7, 10, 13)),
    (112, 24): (2, (8, 4, 14, 7), (12, 16, 20)),
    (144, 48): (2, (8, 4, 16, 8), (23, 33, 43)),
}
ANY_HIERA = (1, (8, 4, 4, 2), ())


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did: tensors that were taken over, names that the network has and the file lacks,
    names of the file that the network does not know."""

    taken: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def convert(file: Path, family: str, folder: Path, width: int = 0) -> Converted:
    """Write the network in ``file`` to ``folder`` as transformers has it. ``width``: what its encoder's must
    be, 0 for any.

    InputError for a file that cannot be read or is of another layout, WeightsError, with the first name,
    where tensors are missing; tensors too many are only reported.
    """
    if family not in LAYOUTS:
        raise InputError(f"files of {family} have no layout that is known; known are {', '.join(LAYOUTS)}")
    tensors = read(file)
    rules, build = LAYOUTS[family]
    renamed = {name: value for name, value in rename(tensors, rules).items() if not VIDEO.match(name)}
    try:
        model = build(renamed)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"{file.name} is not in the layout of {family}: {error} was looked for and not found"
        ) from error
    if width and width != (has := width_of(model)):
        raise InputError(f"{file.name} holds a network of width {has}; {width} was expected: another size's?")
    model.eval()
    extra = sorted(set(renamed) - set(model.state_dict()) - {"pixel_mean", "pixel_std"})
    fitting = {name: value for name, value in renamed.items() if name not in extra}
    try:
        missing = sorted(model.load_state_dict(fitting, strict=False).missing_keys)
    except RuntimeError as error:
        raise WeightsError(f"{file.name}: {str(error).splitlines()[-1].strip()}") from error
    if missing:
        raise WeightsError(
            f"{file.name} lacks {len(missing)} tensors of the network, the first {missing[0]}; {len(extra)} "
            "are unknown" + (f", the first {extra[0]}" if extra else "")
        )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    return Converted(len(fitting), (), tuple(extra))


def width_of(model: Any) -> int:
    """Width of the encoder, of its first stage."""
    vision = model.config.vision_config
    return int(getattr(vision, "backbone_config", vision).hidden_size)


def read(file: Path) -> dict[str, Tensor]:
    """Names and tensors of a foreign checkpoint, out of whatever it is wrapped in. InputError."""
    try:
        held: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or dangerous file makes torch say
        raise InputError(
            f"{file.name} cannot be read as a checkpoint of tensors ({type(error).__name__}); other objects "
            "in a file are refused"
        ) from error
    for wrap in ("model", "state_dict"):
        if isinstance(held, Mapping) and isinstance(held.get(wrap), Mapping):
            held = held[wrap]
    if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
        raise InputError(f"{file.name} holds no table of tensors")
    return {str(name).removeprefix("module."): value.float() for name, value in held.items()}


def rename(tensors: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """The tensors by their names in transformers. Positions are kept twice there, as one."""
    renamed = {}
    for name, value in tensors.items():
        for rule, to in rules:
            name = re.sub(rule, to, name)  # noqa: PLW2901 - rule after rule
        renamed[name] = value
    place = renamed.get("prompt_encoder.shared_embedding.positional_embedding")
    if place is not None:
        renamed["shared_image_embedding.positional_embedding"] = place
    points = [name for name in renamed if re.match(r"prompt_encoder\.point_embeddings\.\d", name)]
    if points:  # SAM 2 in transformers keeps them in one table
        renamed["prompt_encoder.point_embed.weight"] = torch.cat([renamed.pop(n) for n in sorted(points)])
    return renamed


def count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the highest number at the group of ``pattern``."""
    found = [int(m[1]) for name in tensors if (m := re.match(pattern, name))]
    if not found:
        raise KeyError(pattern)
    return max(found) + 1


def decoder(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Measures of the prompt encoder and the mask decoder."""
    tokens = tensors["mask_decoder.mask_tokens.weight"]
    first = "mask_decoder.transformer.layers.0.mlp."
    mlp = next(value for name, value in tensors.items() if name.startswith(first) and value.ndim == 2)
    inner = tensors["mask_decoder.transformer.final_attn_token_to_image.q_proj.weight"]
    return {
        "prompt_encoder_config": {
            "hidden_size": tokens.shape[1],
            "mask_input_channels": tensors["prompt_encoder.mask_embed.conv2.weight"].shape[0],
        },
        "mask_decoder_config": {
            "hidden_size": tokens.shape[1],
            "num_multimask_outputs": tokens.shape[0] - 1,
            "mlp_dim": max(mlp.shape),
            "attention_downsample_rate": tokens.shape[1] // inner.shape[0],
            "iou_head_hidden_dim": tensors["mask_decoder.iou_prediction_head.proj_in.weight"].shape[0],
        },
    }


def sam(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``SamModel`` of the file's measures."""
    from transformers import SamConfig, SamModel

    place = tensors["vision_encoder.pos_embed"]
    patch = tensors["vision_encoder.patch_embed.projection.weight"].shape[-1]
    blocks = count(tensors, r"vision_encoder\.layers\.(\d+)\.")
    rows = [tensors[f"vision_encoder.layers.{i}.attn.rel_pos_h"].shape for i in range(blocks)]
    window = min(row[0] for row in rows)
    size = place.shape[1] * patch
    parts = decoder(tensors)
    parts["prompt_encoder_config"] |= {"image_size": size, "patch_size": patch}
    vision = {
        "hidden_size": place.shape[-1],
        "output_channels": tensors["vision_encoder.neck.conv1.weight"].shape[0],
        "num_hidden_layers": blocks,
        "num_attention_heads": place.shape[-1] // rows[0][1],
        "image_size": size,
        "patch_size": patch,
        "window_size": (window + 1) // 2,
        "global_attn_indexes": [i for i, row in enumerate(rows) if row[0] > window],
        "num_pos_feats": tensors["shared_image_embedding.positional_embedding"].shape[1],
        "mlp_dim": tensors["vision_encoder.layers.0.mlp.lin1.weight"].shape[0],
    }
    return SamModel(SamConfig(vision_config=vision, **parts))


def sam2(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``Sam2Model`` of the file's measures."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    trunk = "vision_encoder.backbone."
    blocks = count(tensors, r"vision_encoder\.backbone\.blocks\.(\d+)\.")
    widths = [tensors[f"{trunk}blocks.{i}.attn.proj.weight"].shape[0] for i in range(blocks)]
    stages = sorted(set(widths))
    heads, windows, everywhere = HIERA.get((stages[0], blocks), ANY_HIERA)
    backbone = Sam2HieraDetConfig(
        hidden_size=stages[0],
        blocks_per_stage=[widths.count(width) for width in stages],
        embed_dim_per_stage=stages,
        num_attention_heads=heads,
        num_attention_heads_per_stage=[heads << i for i in range(len(stages))],
        window_size_per_stage=list(windows),
        global_attention_blocks=list(everywhere),
        window_positional_embedding_background_size=list(tensors[f"{trunk}pos_embed"].shape[-2:]),
    )
    neck = tensors["vision_encoder.neck.convs.0.weight"].shape[0]
    vision = Sam2VisionConfig(
        backbone_config=backbone, fpn_hidden_size=neck, backbone_channel_list=stages[::-1]
    )
    return Sam2Model(Sam2Config(vision_config=vision, **decoder(tensors)))


LAYOUTS = {"sam": (SAM_RULES, sam), "sam2": (SAM2_RULES, sam2)}
