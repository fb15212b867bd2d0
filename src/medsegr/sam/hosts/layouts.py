"""Checkpoints in the layout of their authors (segment-anything's, MedSAM's and SAM-HQ's ``.pth``, SAM 2's,
MedSAM2's and EdgeTAM's ``.pt``) to a folder of transformers.

Names are mapped by rules (``names.py``); the network's measures are read off the shapes of the tensors, so
that a file of any size is understood. Foreign files are read with ``weights_only``: nothing in them is run.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medsegr.errors import InputError, WeightsError
from medsegr.sam.hosts.edgetam import timm_is_there
from medsegr.sam.hosts.names import EDGETAM_RULES, SAM2_RULES, SAM_HQ_RULES, SAM_RULES, VIDEO, Rules
from medsegr.sam.hosts.opening import hushed

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


def convert(
    file: Path,
    family: str,
    folder: Path,
    width: int = 0,
    say: Callable[[str], None] = lambda _line: None,
) -> Converted:
    """Write the network in ``file`` to ``folder`` as transformers has it. ``width``: what its encoder's must
    be, 0 for any. ``say`` gets a line for each tensor that is missing or unknown.

    InputError for a file that cannot be read or is of another layout, WeightsError, with the first name,
    where tensors are missing; tensors too many are only reported.
    """
    if family not in LAYOUTS:
        raise InputError(f"files of {family} have no layout that is known; known are {', '.join(LAYOUTS)}")
    tensors = read(file)
    rules, build = LAYOUTS[family]
    renamed = rename(tensors, rules)
    if not any(name.startswith("memory_attention.") for name in renamed) or family == "edgetam":
        renamed = {name: value for name, value in renamed.items() if not VIDEO.match(name)}
    try:
        model = build(renamed)
    except (KeyError, IndexError, ValueError, StopIteration) as error:
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
    for line in (*(f"missing: {name}" for name in missing), *(f"unknown: {name}" for name in extra)):
        say(line)
    if missing:
        raise WeightsError(
            f"{file.name} lacks {len(missing)} tensors of the network, the first {missing[0]}; {len(extra)} "
            "are unknown" + (f", the first {extra[0]}" if extra else "")
        )
    folder.mkdir(parents=True, exist_ok=True)
    with hushed():
        model.save_pretrained(folder)
    return Converted(len(fitting), (), tuple(extra))


def width_of(model: Any) -> int:
    """Width of the encoder, of its first stage."""
    vision = model.config.vision_config
    if model.config.model_type == "edgetam":
        return int(vision.backbone_channel_list[-1])
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
        raise KeyError(pattern.partition(r"(\d")[0].replace("\\", "") + "0")
    return max(found) + 1


def decoder(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Measures of the prompt encoder and the mask decoder."""
    tokens = tensors["mask_decoder.mask_tokens.weight"]
    first = "mask_decoder.transformer.layers.0.mlp."
    mlp = next(tensors[first + name] for name in ("lin1.weight", "proj_in.weight") if first + name in tensors)
    inner = tensors["mask_decoder.transformer.final_attn_token_to_image.q_proj.weight"]
    return {
        "prompt_encoder_config": {
            "hidden_size": tokens.shape[1],
            "mask_input_channels": tensors["prompt_encoder.mask_embed.conv2.weight"].shape[0],
        },
        "mask_decoder_config": {
            "hidden_size": tokens.shape[1],
            "num_multimask_outputs": tokens.shape[0] - 1,
            "mlp_dim": mlp.shape[0],
            "attention_downsample_rate": tokens.shape[1] // inner.shape[0],
            "iou_head_hidden_dim": tensors["mask_decoder.iou_prediction_head.proj_in.weight"].shape[0],
        },
    }


def sam(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``SamModel`` of the file's measures."""
    from transformers import SamConfig, SamModel

    return SamModel(SamConfig(**plain(tensors)))


def sam_hq(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``SamHQModel`` of the file's measures."""
    from transformers import SamHQConfig, SamHQModel

    parts = plain(tensors)
    parts["mask_decoder_config"]["vit_dim"] = tensors["mask_decoder.compress_vit_conv1.weight"].shape[0]
    return SamHQModel(SamHQConfig(**parts))


def plain(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Measures of SAM's plain transformer, and of what stands behind it."""
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
    return {"vision_config": vision, **parts}


def sam2(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``Sam2Model`` of the file's measures; ``Sam2VideoModel`` where the file has a memory."""
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2Model,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VisionConfig,
    )

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
    if any(name.startswith("memory_attention.") for name in tensors):
        return Sam2VideoModel(Sam2VideoConfig(vision_config=vision, **decoder(tensors), **memory(tensors)))
    return Sam2Model(Sam2Config(vision_config=vision, **decoder(tensors)))


def memory(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Measures of SAM 2's memory. Version 2.0 has neither an embedding of "not there" nor places for its
    pointers."""
    layer, fuser, down = (
        f"memory_{part}"
        for part in (
            "attention.layers.0.",
            "encoder.memory_fuser.layers.0.",
            "encoder.mask_downsampler.",
        )
    )
    width, inner = tensors[layer + "self_attn.q_proj.weight"].shape
    halvings = count(tensors, r"memory_encoder\.mask_downsampler\.layers\.(\d+)\.")
    depthwise = tensors[fuser + "depthwise_conv.weight"].shape
    return {
        "num_maskmem": tensors["memory_temporal_positional_encoding"].shape[0],
        "enable_occlusion_spatial_embedding": "occlusion_spatial_embedding_parameter" in tensors,
        "enable_temporal_pos_encoding_for_object_pointers": (
            "temporal_positional_encoding_projection_layer.weight" in tensors
        ),
        "memory_attention_hidden_size": inner,
        "memory_attention_downsample_rate": inner // width,
        "memory_attention_num_layers": count(tensors, r"memory_attention\.layers\.(\d+)\."),
        "memory_attention_feed_forward_hidden_size": tensors[layer + "linear1.weight"].shape[0],
        "memory_encoder_hidden_size": tensors["memory_encoder.feature_projection.weight"].shape[0],
        "memory_encoder_output_channels": tensors["memory_encoder.projection.weight"].shape[0],
        "mask_downsampler_embed_dim": tensors[down + "final_conv.weight"].shape[0],
        "mask_downsampler_total_stride": 2**halvings,
        "memory_fuser_num_layers": count(tensors, r"memory_encoder\.memory_fuser\.layers\.(\d+)\."),
        "memory_fuser_embed_dim": depthwise[0],
        "memory_fuser_kernel_size": depthwise[-1],
        "memory_fuser_padding": depthwise[-1] // 2,
        "memory_fuser_intermediate_dim": tensors[fuser + "pointwise_conv1.weight"].shape[0],
    }


def edgetam(tensors: Mapping[str, Tensor]) -> Any:
    """An empty ``EdgeTamModel`` on timm's RepViT M1, as its authors built it. MissingExtra without timm."""
    from transformers import EdgeTamConfig, EdgeTamModel, EdgeTamVisionConfig, TimmWrapperConfig

    timm_is_there()
    features = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    necks = [tensors[f"vision_encoder.neck.convs.{i}.weight"].shape[:2] for i in range(4)]
    vision = EdgeTamVisionConfig(
        backbone_config=TimmWrapperConfig(architecture="repvit_m1", model_args=features),
        backbone_channel_list=[width for _, width in necks],
        fpn_hidden_size=necks[0][0],
    )
    return EdgeTamModel(EdgeTamConfig(vision_config=vision, **decoder(tensors)))


LAYOUTS = {
    "sam": (SAM_RULES, sam),
    "sam-hq": (SAM_HQ_RULES, sam_hq),
    "sam2": (SAM2_RULES, sam2),
    "edgetam": (EDGETAM_RULES, edgetam),
}
