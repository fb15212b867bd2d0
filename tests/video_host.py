"""A small random SAM 2 with its memory, and the words on it."""

from typing import Any

import pytest
import torch
from torch import nn

from medsegr.model import MedSegR
from medsegr.networks import hosted
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, vocabulary
from medsegr.sam.hosts import opening
from medsegr.sam.hosts.foreign import Foreign, Identity, Setting

WORDS = vocabulary(["polyp"], [], ["ES"])
SAID = encode_words([[Code("concept:polyp"), Code("row:upper")]], WORDS)
SIZE = 64
LOUD = ("memory_attention", "memory_encoder", "object_pointer", "mask_decoder")


def video(several: bool = True, usual: bool = False) -> Any:
    """A small random ``Sam2VideoModel`` with nothing in it silent; ``usual``: what does not show in a file
    (heads, windows) is as in the authors' networks."""
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

    from medsegr.sam.hosts.hiera import pyramid_sizes

    torch.manual_seed(0)
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIZE, SIZE],
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 4, 8] if usual else [1, 2, 2, 4],
        window_size_per_stage=[8, 4, 4, 2],
        global_attention_blocks=[] if usual else [4],
        initializer_range=0.2,
    )
    vision = Sam2VisionConfig(backbone_config=backbone, fpn_hidden_size=128, **pyramid_sizes(SIZE, 64))
    mask = {
        "hidden_size": 128,
        "mlp_dim": 64,
        "num_attention_heads": 8 if usual else 2,
        "iou_head_hidden_dim": 32,
    }
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": SIZE, "mask_input_channels": 8},
        mask_decoder_config={**mask, "dynamic_multimask_via_stability": False},
        image_size=SIZE,
        memory_attention_hidden_size=128,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_num_layers=2,
        memory_attention_rope_feat_sizes=[SIZE // 16, SIZE // 16],
        memory_encoder_hidden_size=128,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=64,
        memory_fuser_layer_scale_init_value=0.5,
        multimask_output_for_tracking=several,
    )
    model = Sam2VideoModel(config).eval()
    for name, parameter in model.named_parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
        if name.startswith(LOUD) and parameter.ndim > 1:  # so that what is remembered is heard in the masks
            nn.init.normal_(parameter, std=0.15)
    nn.init.constant_(model.mask_decoder.pred_obj_score_head.proj_out.bias, 2.0)  # mostly there
    place = model.prompt_encoder.shared_embedding.positional_embedding
    model.shared_image_embedding.positional_embedding.data.copy_(place.data)
    return model


def network(freeze: str = "all", several: bool = True, **more: Any) -> MedSegR:
    """The words on that model."""
    setting = Setting(freeze=freeze, **more)
    host = Foreign(video(several), opening.FAMILIES["sam2"], setting, Identity("video", "0" * 64))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "tiny", lambda _name, _setting: host)
        torch.manual_seed(1)
        return hosted(WORDS, "tiny:one", prior=32).eval()
