"""EdgeTAM on pictures: transformers' ``EdgeTamModel``, timm's RepViT under SAM 2's pyramid and decoder.

Sites stand at the start of each stage, right after the block that halves the map. Being convolutions, it
knows no positions and takes any size; it has no attention for adapters to stand in. It needs timm, and timm
needs a working torchvision.
"""

from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from medsegr.errors import MissingExtra
from medsegr.sam.host import Features, Site
from medsegr.sam.hosts.family import Family, Stage, last
from medsegr.sam.hosts.hiera import decode, decoder_parts, pyramid, pyramid_sizes, tokens


def timm_net(model: Any) -> Any:
    """timm's list of features: ``stem_*`` and ``stages_*``, in order."""
    return model.vision_encoder.backbone.timm_model


def stages(model: Any) -> list[Any]:
    """The four stages."""
    return [part for name, part in timm_net(model).items() if name.startswith("stages")]


def sites(model: Any) -> tuple[Site, ...]:
    """One a stage."""
    widths = model.config.vision_config.backbone_channel_list[::-1]
    return tuple(Site(f"stage{i}", width, 4 << i) for i, width in enumerate(widths))


def embed(model: Any, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c g v"]:
    """The stem, at stride 4."""
    x = pixels
    for name, part in timm_net(model).items():
        if not name.startswith("stages"):
            x = part(x)
    return stages(model)[0].downsample(x)  # type: ignore[no-any-return]


def advance(model: Any, stage: Stage, site: int) -> Stage:
    """The rest of a stage, and the block that leads to the next."""
    parts = stages(model)
    x = parts[site].blocks(stage.x)
    if site + 1 == len(parts):
        return Stage(x, stage.kept)
    return Stage(parts[site + 1].downsample(x), (*stage.kept, x))


def finish(model: Any, stage: Stage) -> Features:
    """The pyramid."""
    return pyramid(model, [last(x) for x in (*stage.kept, stage.x)])


def timm_is_there() -> None:
    """MissingExtra where timm is not: transformers asks for it by name."""
    if find_spec("timm") is None:
        raise MissingExtra("EdgeTAM needs timm and a working torchvision: pip install timm")


def tiny(size: int) -> Any:
    """A random ``EdgeTamModel`` on timm's smallest RepViT, with a narrow decoder."""
    timm_is_there()
    from transformers import EdgeTamConfig, EdgeTamModel, EdgeTamVisionConfig, TimmWrapperConfig

    features = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    backbone = TimmWrapperConfig(architecture="repvit_m0_9", model_args=features)
    vision = EdgeTamVisionConfig(backbone_config=backbone, fpn_hidden_size=32, **pyramid_sizes(size, 384))
    with torch.no_grad():
        return EdgeTamModel(EdgeTamConfig(vision_config=vision, **decoder_parts(size)))


EDGETAM = Family(
    "edgetam",
    "EdgeTamModel",
    ("edgetam", "edgetam_video"),
    sites,
    embed,
    advance,
    finish,
    decode,
    tiny,
    tokens,
    padded=True,
    needs=("timm",),
)
