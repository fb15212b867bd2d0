"""Every name in the files of the authors, with its shape, written down from their published code
(segment-anything, SAM-HQ, SAM 2) and not from what converts them."""

Shapes = dict[str, tuple[int, ...]]


def layer(name: str, *shape: int, bias: int | None = None) -> Shapes:
    """A layer's weight and bias; ``bias`` is its length where it is not the first of the shape."""
    return {f"{name}.weight": shape, f"{name}.bias": (shape[0] if bias is None else bias,)}


def norm(name: str, width: int) -> Shapes:
    return layer(name, width)


def mlp(name: str, before: int, inner: int, after: int, depth: int = 3) -> Shapes:
    sizes = [before, *[inner] * (depth - 1), after]
    out: Shapes = {}
    for i in range(depth):
        out |= layer(f"{name}.layers.{i}", sizes[i + 1], sizes[i])
    return out


def attention(name: str, inner: int, keys: int = 256) -> Shapes:
    return {
        **layer(f"{name}.q_proj", inner, 256),
        **layer(f"{name}.k_proj", inner, keys),
        **layer(f"{name}.v_proj", inner, keys),
        **layer(f"{name}.out_proj", 256, inner),
    }


def prompts(began: str) -> Shapes:
    out: Shapes = {f"{began}.pe_layer.positional_encoding_gaussian_matrix": (2, 128)}
    for i in range(4):
        out[f"{began}.point_embeddings.{i}.weight"] = (1, 256)
    out[f"{began}.not_a_point_embed.weight"] = (1, 256)
    out[f"{began}.no_mask_embed.weight"] = (1, 256)
    down = f"{began}.mask_downscaling"
    out |= {**layer(f"{down}.0", 4, 1, 2, 2), **norm(f"{down}.1", 4), **layer(f"{down}.3", 16, 4, 2, 2)}
    return out | norm(f"{down}.4", 16) | layer(f"{down}.6", 256, 16, 1, 1)


def decoder(began: str, second: bool) -> Shapes:
    """The mask decoder of SAM, or of SAM 2 (``second``)."""
    out: Shapes = {}
    for i in range(2):
        block = f"{began}.transformer.layers.{i}"
        out |= attention(f"{block}.self_attn", 256)
        out |= attention(f"{block}.cross_attn_token_to_image", 128)
        out |= attention(f"{block}.cross_attn_image_to_token", 128)
        for number in range(1, 5):
            out |= norm(f"{block}.norm{number}", 256)
        first, last = ("layers.0", "layers.1") if second else ("lin1", "lin2")
        out |= layer(f"{block}.mlp.{first}", 2048, 256) | layer(f"{block}.mlp.{last}", 256, 2048)
    out |= attention(f"{began}.transformer.final_attn_token_to_image", 128)
    out |= norm(f"{began}.transformer.norm_final_attn", 256)
    out |= {f"{began}.iou_token.weight": (1, 256), f"{began}.mask_tokens.weight": (4, 256)}
    up = f"{began}.output_upscaling"
    out |= layer(f"{up}.0", 256, 64, 2, 2, bias=64) | norm(f"{up}.1", 64)
    out |= layer(f"{up}.3", 64, 32, 2, 2, bias=32)
    for i in range(4):
        out |= mlp(f"{began}.output_hypernetworks_mlps.{i}", 256, 256, 32)
    out |= mlp(f"{began}.iou_prediction_head", 256, 256, 4)
    if second:
        out[f"{began}.obj_score_token.weight"] = (1, 256)
        out |= mlp(f"{began}.pred_obj_score_head", 256, 256, 1)
        out |= layer(f"{began}.conv_s0", 32, 256, 1, 1) | layer(f"{began}.conv_s1", 64, 256, 1, 1)
    return out


def sam(width: int, depth: int, heads: int, everywhere: tuple[int, ...]) -> Shapes:
    """``sam_vit_b_01ec64.pth`` and its relatives; MedSAM's file has the names of ViT-B."""
    out: Shapes = {"image_encoder.pos_embed": (1, 64, 64, width)}
    out |= layer("image_encoder.patch_embed.proj", width, 3, 16, 16)
    for i in range(depth):
        block, rows = f"image_encoder.blocks.{i}", 127 if i in everywhere else 27
        out |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
        out |= {f"{block}.attn.rel_pos_{axis}": (rows, width // heads) for axis in "hw"}
        out |= layer(f"{block}.attn.qkv", 3 * width, width) | layer(f"{block}.attn.proj", width, width)
        out |= layer(f"{block}.mlp.lin1", 4 * width, width) | layer(f"{block}.mlp.lin2", width, 4 * width)
    out |= {
        "image_encoder.neck.0.weight": (256, width, 1, 1),
        "image_encoder.neck.2.weight": (256, 256, 3, 3),
    }
    out |= norm("image_encoder.neck.1", 256) | norm("image_encoder.neck.3", 256)
    return out | prompts("prompt_encoder") | decoder("mask_decoder", second=False)


def sam_hq(width: int, depth: int, heads: int, everywhere: tuple[int, ...]) -> Shapes:
    """``sam_hq_vit_b.pth`` and its relatives: SAM's names and those of the high-quality token."""
    out = sam(width, depth, heads, everywhere)
    out["mask_decoder.hf_token.weight"] = (1, 256)
    out |= mlp("mask_decoder.hf_mlp", 256, 256, 32)
    for name, before, middle, after in (
        ("compress_vit_feat", width, 256, 32),
        ("embedding_encoder", 256, 64, 32),
    ):
        began = f"mask_decoder.{name}"
        out |= layer(f"{began}.0", before, middle, 2, 2, bias=middle) | norm(f"{began}.1", middle)
        out |= layer(f"{began}.3", middle, after, 2, 2, bias=after)
    began = "mask_decoder.embedding_maskfeature"
    out |= layer(f"{began}.0", 64, 32, 3, 3) | norm(f"{began}.1", 64) | layer(f"{began}.3", 32, 64, 3, 3)
    return out


def sam2(width: int, blocks: tuple[int, ...], background: int, newer: bool = True) -> Shapes:
    """``sam2.1_hiera_tiny.pt`` and its relatives, MedSAM2's too; without ``newer`` those of SAM 2.0."""
    trunk = "image_encoder.trunk"
    out: Shapes = {f"{trunk}.pos_embed": (1, width, background, background)}
    out[f"{trunk}.pos_embed_window"] = (1, width, 8, 8)
    out |= layer(f"{trunk}.patch_embed.proj", width, 3, 7, 7)
    number, before = 0, width
    for stage, count in enumerate(blocks):
        for _ in range(count):
            block, after = f"{trunk}.blocks.{number}", width << stage
            out |= norm(f"{block}.norm1", before) | norm(f"{block}.norm2", after)
            out |= layer(f"{block}.attn.qkv", 3 * after, before) | layer(f"{block}.attn.proj", after, after)
            out |= mlp(f"{block}.mlp", after, 4 * after, after, depth=2)
            out |= layer(f"{block}.proj", after, before) if before != after else {}
            number, before = number + 1, after
    for i in range(4):
        out |= layer(f"image_encoder.neck.convs.{i}.conv", 256, width << (3 - i), 1, 1)
    out |= prompts("sam_prompt_encoder") | decoder("sam_mask_decoder", second=True)
    return out | memory(newer)


def memory(newer: bool) -> Shapes:
    out: Shapes = {"maskmem_tpos_enc": (7, 1, 1, 64), "no_obj_ptr": (1, 256)}
    out |= {"no_mem_embed": (1, 1, 256), "no_mem_pos_enc": (1, 1, 256)}
    out |= layer("mask_downsample", 1, 1, 4, 4) | mlp("obj_ptr_proj", 256, 256, 256)
    if newer:
        out |= {"no_obj_embed_spatial": (1, 64)} | layer("obj_ptr_tpos_proj", 64, 256)
    for i in range(4):
        block = f"memory_attention.layers.{i}"
        out |= attention(f"{block}.self_attn", 256) | attention(f"{block}.cross_attn_image", 256, keys=64)
        out |= layer(f"{block}.linear1", 2048, 256) | layer(f"{block}.linear2", 256, 2048)
        out |= norm(f"{block}.norm1", 256) | norm(f"{block}.norm2", 256) | norm(f"{block}.norm3", 256)
    out |= norm("memory_attention.norm", 256)
    down, channels = "memory_encoder.mask_downsampler.encoder", (1, 4, 16, 64, 256)
    for i in range(4):
        out |= layer(f"{down}.{3 * i}", channels[i + 1], channels[i], 3, 3)
        out |= norm(f"{down}.{3 * i + 1}", channels[i + 1])
    out |= layer(f"{down}.12", 256, 256, 1, 1) | layer("memory_encoder.pix_feat_proj", 256, 256, 1, 1)
    for i in range(2):
        block = f"memory_encoder.fuser.layers.{i}"
        out |= layer(f"{block}.dwconv", 256, 1, 7, 7) | norm(f"{block}.norm", 256)
        out |= layer(f"{block}.pwconv1", 1024, 256) | layer(f"{block}.pwconv2", 256, 1024)
        out[f"{block}.gamma"] = (256,)
    return out | layer("memory_encoder.out_proj", 64, 256, 1, 1)


B, L, H = (2, 5, 8, 11), (5, 11, 17, 23), (7, 15, 23, 31)
# File -> family, names and shapes, millions of parameters as its authors publish them (None: they do not).
FILES: dict[str, tuple[str, Shapes, float | None]] = {
    "sam_vit_b_01ec64": ("sam", sam(768, 12, 12, B), 93.7),
    "sam_vit_l_0b3195": ("sam", sam(1024, 24, 16, L), 312.3),
    "sam_vit_h_4b8939": ("sam", sam(1280, 32, 16, H), 641.1),
    "medsam_vit_b": ("sam", sam(768, 12, 12, B), 93.7),
    "sam_hq_vit_b": ("sam-hq", sam_hq(768, 12, 12, B), None),
    "sam_hq_vit_l": ("sam-hq", sam_hq(1024, 24, 16, L), None),
    "sam_hq_vit_h": ("sam-hq", sam_hq(1280, 32, 16, H), None),
    "sam2.1_hiera_tiny": ("sam2", sam2(96, (1, 2, 7, 2), 7), 38.9),
    "sam2.1_hiera_small": ("sam2", sam2(96, (1, 2, 11, 2), 7), 46.0),
    "sam2.1_hiera_base_plus": ("sam2", sam2(112, (2, 3, 16, 3), 14), 80.8),
    "sam2.1_hiera_large": ("sam2", sam2(144, (2, 6, 36, 4), 7), 224.4),
    "sam2_hiera_tiny": ("sam2", sam2(96, (1, 2, 7, 2), 7, newer=False), 38.9),
    "MedSAM2_latest": ("sam2", sam2(96, (1, 2, 7, 2), 7), 38.9),
}
