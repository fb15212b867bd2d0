"""Files of the authors, written here in their layout by hand, come back as the same network."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from medsegr.errors import InputError, WeightsError

pytest.importorskip("transformers")
from medsegr.sam.hosts import layouts, opening

SIZE = 64


def theirs(name: str) -> Any:
    torch.manual_seed(0)
    if name == "sam":
        from transformers import SamConfig, SamModel

        from medsegr.sam.hosts.vit import sized

        parts = sized(SIZE)
        parts["mask_decoder_config"]["num_attention_heads"] = (
            8  # does not show in a file: the authors' number
        )
        model = SamModel(SamConfig(**parts))
    else:
        from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

        backbone = Sam2HieraDetConfig(
            hidden_size=8,
            blocks_per_stage=[1, 2, 2, 1],
            embed_dim_per_stage=[8, 16, 32, 64],
            num_attention_heads_per_stage=[1, 2, 4, 8],
            window_size_per_stage=[8, 4, 4, 2],
            global_attention_blocks=[],
        )
        vision = Sam2VisionConfig(
            backbone_config=backbone, fpn_hidden_size=32, backbone_channel_list=[64, 32, 16, 8]
        )
        mask = {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32}
        prompt = {"hidden_size": 32, "mask_input_channels": 8}
        model = Sam2Model(
            Sam2Config(vision_config=vision, mask_decoder_config=mask, prompt_encoder_config=prompt)
        )
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    # One and the same in the authors' files.
    place = model.prompt_encoder.shared_embedding.positional_embedding
    model.shared_image_embedding.positional_embedding.data.copy_(place.data)
    return model.eval()


def upscaling(name: str) -> str:
    for ours, number in (("conv1", 0), ("layer_norm", 1), ("conv2", 3)):
        name = name.replace(f"mask_decoder.upscale_{ours}.", f"mask_decoder.output_upscaling.{number}.")
    for ours, number in (("conv1", 0), ("layer_norm1", 1), ("conv2", 3), ("layer_norm2", 4), ("conv3", 6)):
        name = name.replace(f"mask_embed.{ours}.", f"mask_downscaling.{number}.")
    if re.search("iou_prediction_head|hypernetworks|obj_score_head", name):
        name = name.replace("layers.0.", "layers.1.").replace("proj_in.", "layers.0.")
        name = name.replace("proj_out.", "layers.2.")
    return name.replace("layer_norm", "norm")


def as_segment_anything(model: Any) -> dict[str, torch.Tensor]:
    """The names of segment-anything's ``sam_vit_b_01ec64.pth``."""
    out = {}
    for key, value in model.state_dict().items():
        name = key
        if name.startswith("shared_image_embedding"):
            continue
        for ours, number in (("conv1", 0), ("layer_norm1", 1), ("conv2", 2), ("layer_norm2", 3)):
            name = name.replace(f"vision_encoder.neck.{ours}.", f"vision_encoder.neck.{number}.")
        name = name.replace("vision_encoder.layers.", "vision_encoder.blocks.")
        name = name.replace("vision_encoder.", "image_encoder.").replace(
            "patch_embed.projection", "patch_embed.proj"
        )
        name = name.replace(
            "shared_embedding.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"
        )
        out[upscaling(name).replace("point_embed.", "point_embeddings.")] = value
    return out


def as_sam2(model: Any) -> dict[str, torch.Tensor]:
    """The names of ``sam2.1_hiera_tiny.pt`` and MedSAM2's files."""
    out = {}
    for key, value in model.state_dict().items():
        name = key
        if name.startswith("shared_image_embedding"):
            continue
        if name == "prompt_encoder.point_embed.weight":
            out |= {f"sam_prompt_encoder.point_embeddings.{i}.weight": value[i : i + 1] for i in range(4)}
            continue
        name = re.sub(r"neck\.convs\.(\d)\.", r"neck.convs.\1.conv.", name)
        name = re.sub(r"(blocks\.\d+\.mlp)\.proj_in\.", r"\1.layers.0.", name)
        name = re.sub(r"(blocks\.\d+\.mlp)\.proj_out\.", r"\1.layers.1.", name)
        name = re.sub(r"(transformer\.layers\.\d+\.mlp)\.proj_in\.", r"\1.layers.0!", name)
        name = re.sub(r"(transformer\.layers\.\d+\.mlp)\.proj_out\.", r"\1.layers.1!", name)
        name = name.replace("o_proj.", "out_proj.").replace("patch_embed.projection", "patch_embed.proj")
        name = name.replace(
            "shared_embedding.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"
        )
        name = upscaling(name).replace("!", ".")
        name = name.replace("vision_encoder.backbone.", "image_encoder.trunk.")
        name = name.replace("vision_encoder.neck.", "image_encoder.neck.")
        name = re.sub("^(prompt_encoder|mask_decoder)", r"sam_\1", name)
        out["no_mem_embed" if name == "no_memory_embedding" else name] = value
    return out


FOREIGN = {"sam": as_segment_anything, "sam2": as_sam2}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_foreign_file_is_the_same_network_afterwards(name: str, wrapped: bool, tmp_path: Path) -> None:
    model = theirs(name)
    tensors = FOREIGN[name](model)
    assert not set(tensors) & {n for n in model.state_dict() if "mlp" in n and "proj_in" in n}
    if name == "sam":
        assert "mask_decoder.output_hypernetworks_mlps.2.layers.2.weight" in tensors
        assert "image_encoder.blocks.0.attn.qkv.weight" in tensors
        assert "mask_decoder.transformer.norm_final_attn.weight" in tensors
    else:
        assert "sam_mask_decoder.transformer.layers.0.mlp.layers.0.weight" in tensors
        tensors |= {"maskmem_tpos_enc": torch.zeros(7), "memory_encoder.out_proj.weight": torch.zeros(2, 2)}
    torch.save({"model": tensors} if wrapped else tensors, tmp_path / "their.pth")
    done = layouts.convert(tmp_path / "their.pth", name, tmp_path / "out")
    assert done.missing == done.extra == ()
    host = opening.opened(tmp_path / "out", opening.Setting(), opening.Identity("x")).eval()
    again = type(model).from_pretrained(tmp_path / "out").eval()
    assert host.family.name == name
    assert type(again) is type(model)
    state = model.state_dict()
    assert all(torch.equal(value, state[n]) for n, value in again.state_dict().items())
    if name == "sam":
        pixels = torch.randn(1, 3, SIZE, SIZE)
        with torch.no_grad():
            one, two = model(pixel_values=pixels), again(pixel_values=pixels)
        assert torch.equal(one.pred_masks, two.pred_masks)
        assert torch.equal(one.iou_scores, two.iou_scores)


def test_tensors_too_few_are_an_error_and_too_many_a_report(tmp_path: Path) -> None:
    tensors = as_segment_anything(theirs("sam"))
    tensors["head.weight"] = torch.zeros(2)
    torch.save(tensors, tmp_path / "more.pth")
    assert layouts.convert(tmp_path / "more.pth", "sam", tmp_path / "out").extra == ("head.weight",)
    del tensors["mask_decoder.iou_token.weight"]
    torch.save(tensors, tmp_path / "less.pth")
    with pytest.raises(
        WeightsError, match=r"lacks 1 tensors of the network, the first mask_decoder.iou_token"
    ):
        layouts.convert(tmp_path / "less.pth", "sam", tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_files_of_another_kind_are_refused_in_one_line(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    torch.save([1, 2], tmp_path / "b.pth")
    (tmp_path / "c.pth").write_bytes(b"nothing")
    torch.save({"model": Path("x")}, tmp_path / "d.pth")
    for file, said in (
        ("a", "not in the layout of sam"),
        ("b", "holds no table of tensors"),
        ("c", "cannot be read as a checkpoint"),
        ("d", "cannot be read as a checkpoint"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            layouts.convert(tmp_path / f"{file}.pth", "sam", tmp_path / "out")
        assert "\n" not in str(caught.value)
    torch.save(as_segment_anything(theirs("sam")), tmp_path / "e.pth")
    with pytest.raises(InputError, match="width 32; 768 was expected"):
        layouts.convert(tmp_path / "e.pth", "sam", tmp_path / "out", 768)
    with pytest.raises(InputError, match="no layout that is known; known are sam, sam2"):
        layouts.convert(tmp_path / "e.pth", "sam3", tmp_path / "out")


def test_folders_that_are_no_host_are_refused(tmp_path: Path) -> None:
    setting, identity = opening.Setting(), opening.Identity("x")
    with pytest.raises(WeightsError, match=r"holds no config\.json that says its model_type"):
        opening.opened(tmp_path, setting, identity)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="network of type 'bert'; types that can be hosts are edgetam"):
        opening.opened(tmp_path, setting, identity)
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(WeightsError, match="cannot be opened") as caught:
        opening.opened(tmp_path, setting, identity)
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fill_the_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    theirs("sam").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("mask_decoder.iou_token.weight")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lack 1 of the network's, the first mask_decoder\.iou_token"):
        opening.opened(tmp_path, opening.Setting(), opening.Identity("x"))
