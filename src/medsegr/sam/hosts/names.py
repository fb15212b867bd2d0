"""By which names the authors' files call what transformers calls otherwise: rules, applied one after the
other.

From the published code of segment-anything (dca509f), SAM-HQ, SAM 2 and EdgeTAM; tests write every name of
their files at the real sizes.
"""

import re

Rules = tuple[tuple[str, str], ...]

# Three-layer perceptrons.
MLPS = (
    r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+"
    r"|hq_mask_mlp|object_pointer_proj)"
)
# Of all families: those, the prompt encoder, the mask decoder.
COMMON: Rules = (
    (MLPS + r"\.layers\.0\.", r"\1.proj_in."),
    (MLPS + r"\.layers\.1\.", r"\1.layers.0."),
    (MLPS + r"\.layers\.2\.", r"\1.proj_out."),
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
# SAM-HQ's own token and its features.
SAM_HQ_RULES: Rules = (
    (r"mask_decoder\.hf_token\.", "mask_decoder.hq_token."),
    (r"mask_decoder\.hf_mlp\.", "mask_decoder.hq_mask_mlp."),
    (r"compress_vit_feat\.0\.", "compress_vit_conv1."),
    (r"compress_vit_feat\.1\.", "compress_vit_norm."),
    (r"compress_vit_feat\.3\.", "compress_vit_conv2."),
    (r"embedding_encoder\.0\.", "encoder_conv1."),
    (r"embedding_encoder\.1\.", "encoder_norm."),
    (r"embedding_encoder\.3\.", "encoder_conv2."),
    (r"embedding_maskfeature\.0\.", "mask_conv1."),
    (r"embedding_maskfeature\.1\.", "mask_norm."),
    (r"embedding_maskfeature\.3\.", "mask_conv2."),
    *SAM_RULES,
)
# SAM 2's memory: what goes in, what is kept, what reads it.
MEMORY_RULES: Rules = (
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"(memory_fuser\.layers\.\d+)\.dwconv\.", r"\1.depthwise_conv."),
    (r"(memory_fuser\.layers\.\d+)\.pwconv", r"\1.pointwise_conv"),
    (r"(memory_fuser\.layers\.\d+)\.gamma$", r"\1.scale"),
    (r"(memory_fuser\.layers\.\d+|memory_attention)\.norm\.", r"\1.layer_norm."),
    (r"(mask_downsampler)\.encoder\.0\.", r"\1.layers.0.conv."),
    (r"(mask_downsampler)\.encoder\.1\.", r"\1.layers.0.layer_norm."),
    (r"(mask_downsampler)\.encoder\.3\.", r"\1.layers.1.conv."),
    (r"(mask_downsampler)\.encoder\.4\.", r"\1.layers.1.layer_norm."),
    (r"(mask_downsampler)\.encoder\.6\.", r"\1.layers.2.conv."),
    (r"(mask_downsampler)\.encoder\.7\.", r"\1.layers.2.layer_norm."),
    (r"(mask_downsampler)\.encoder\.9\.", r"\1.layers.3.conv."),
    (r"(mask_downsampler)\.encoder\.10\.", r"\1.layers.3.layer_norm."),
    (r"(mask_downsampler)\.encoder\.12\.", r"\1.final_conv."),
)
SAM2_RULES: Rules = (
    *MEMORY_RULES,
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
# EdgeTAM's encoder is timm's RepViT; all else is SAM 2's.
EDGETAM_RULES: Rules = (
    (r"^image_encoder\.trunk\.body\.", "vision_encoder.backbone.timm_model."),
    *SAM2_RULES,
)
# What EdgeTAM's files hold for videos (its memory has a resampler of its own), which pictures do not need.
VIDEO = re.compile(
    r"^(memory_|mask_downsample|object_pointer|no_object|no_memory_pos|occlusion_|temporal_|spatial_perceiver)"
)
