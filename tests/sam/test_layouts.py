"""Files of the authors, written here in their layout by hand, come back as the same network."""

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from medsegr.errors import InputError, MissingExtra, WeightsError

pytest.importorskip("transformers")
from edgetam_host import edgetam_model, stand_in
from foreign_names import FILES, Shapes, sam2
from medsegr.sam.host import Clicks
from medsegr.sam.hosts import edgetam, layouts, memory, opening
from medsegr.sam.hosts.foreign import Foreign, Identity, Setting
from video_host import video

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
    elif name == "sam-hq":
        from transformers import SamHQConfig, SamHQModel

        from medsegr.sam.hosts.vit import sized

        parts = sized(SIZE)
        parts["mask_decoder_config"] |= {"num_attention_heads": 8, "vit_dim": 32}
        model = SamHQModel(SamHQConfig(**parts))
    else:
        from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

        from medsegr.sam.hosts.hiera import pyramid_sizes

        backbone = Sam2HieraDetConfig(
            hidden_size=8,
            blocks_per_stage=[1, 2, 2, 1],
            embed_dim_per_stage=[8, 16, 32, 64],
            num_attention_heads_per_stage=[1, 2, 4, 8],
            window_size_per_stage=[8, 4, 4, 2],
            global_attention_blocks=[],
        )
        vision = Sam2VisionConfig(backbone_config=backbone, fpn_hidden_size=32, **pyramid_sizes(SIZE, 64))
        mask = {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32}
        prompt = {"hidden_size": 32, "mask_input_channels": 8, "image_size": SIZE}
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
    same_answers(model, again, host)


def same_answers(model: Any, again: Any, host: Any) -> None:
    """The folder read by the library, and by us, says what the network said before it was written."""
    pixels = torch.randn(1, 3, SIZE, SIZE)
    dynamic = hasattr(model.mask_decoder, "dynamic_multimask_via_stability")
    if dynamic:
        model.mask_decoder.dynamic_multimask_via_stability = False
    with torch.no_grad():
        one = model(pixel_values=pixels, multimask_output=False)
        two = model_of(model, again)(pixel_values=pixels, multimask_output=False)
        ours = host.decode(host.encode(host.shared(raw(host, pixels))), Clicks()).logits
    assert float(one.pred_masks.std()) > 1e-4
    assert torch.equal(one.pred_masks, two.pred_masks)
    assert torch.equal(one.iou_scores, two.iou_scores)
    assert torch.allclose(ours, one.pred_masks[:, 0, 0], atol=1e-5)


def model_of(model: Any, again: Any) -> Any:
    """``again`` where the library takes pictures of our size; SAM 2's and EdgeTAM's classes take those of
    their configuration only, so their tensors go into a copy of the first model."""
    if not hasattr(model, "backbone_feature_sizes"):
        return again
    copied = copy.deepcopy(model)
    copied.load_state_dict(again.state_dict())
    return copied


def raw(host: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Pictures as we give them to a host, of pictures as the library gives them to its model."""
    return (pixels * host.deviation + host.mean - 0.5) / 0.25


@pytest.mark.parametrize("file", FILES)
def test_every_name_of_a_public_file_is_known_and_has_its_place(file: str) -> None:
    """Names and shapes as published; on torch's meta device, so that the largest costs nothing."""
    family, shapes, millions = FILES[file]
    if millions is not None:  # the names are all that there are, if they add up to what the authors say
        assert 0 <= sum(math.prod(shape) for shape in shapes.values()) / 1e6 - millions + 0.05 < 0.15
    rules, build = layouts.LAYOUTS[family]
    with torch.device("meta"):
        renamed = layouts.rename({name: torch.empty(shape) for name, shape in shapes.items()}, rules)
        model = build(renamed)
    assert {name: tensor.shape for name, tensor in renamed.items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }
    newest = family != "sam2" or file.startswith(("sam2.1", "MedSAM2"))
    assert hasattr(model, "memory_attention") == (family == "sam2")
    assert newest == (getattr(model, "occlusion_spatial_embedding_parameter", 0) is not None)


@pytest.mark.parametrize(
    ("family", "theirs", "ours"),
    [
        ("sam", "prompt_encoder.mask_downscaling.4.bias", "prompt_encoder.mask_embed.layer_norm2.bias"),
        ("sam-hq", "mask_decoder.hf_mlp.layers.1.bias", "mask_decoder.hq_mask_mlp.layers.0.bias"),
        ("sam-hq", "mask_decoder.embedding_encoder.3.bias", "mask_decoder.encoder_conv2.bias"),
        ("sam2", "obj_ptr_proj.layers.2.weight", "object_pointer_proj.proj_out.weight"),
        ("sam2", "memory_attention.norm.bias", "memory_attention.layer_norm.bias"),
        (
            "sam2",
            "memory_encoder.mask_downsampler.encoder.4.weight",
            "memory_encoder.mask_downsampler.layers.1.layer_norm.weight",
        ),
        (
            "sam2",
            "memory_encoder.mask_downsampler.encoder.9.weight",
            "memory_encoder.mask_downsampler.layers.3.conv.weight",
        ),
        ("sam2", "memory_encoder.fuser.layers.1.gamma", "memory_encoder.memory_fuser.layers.1.scale"),
        (
            "sam2",
            "memory_attention.layers.2.cross_attn_image.out_proj.bias",
            "memory_attention.layers.2.cross_attn_image.o_proj.bias",
        ),
        (
            "edgetam",
            "image_encoder.trunk.body.stages_2.blocks.1.token_mixer.conv.c.weight",
            "vision_encoder.backbone.timm_model.stages_2.blocks.1.token_mixer.conv.c.weight",
        ),
        ("edgetam", "image_encoder.neck.convs.3.conv.bias", "vision_encoder.neck.convs.3.bias"),
    ],
)
def test_names_mean_what_the_published_conversions_say(family: str, theirs: str, ours: str) -> None:
    assert list(layouts.rename({theirs: torch.zeros(1)}, layouts.LAYOUTS[family][0])) == [ours]


def as_published(model: Any, family: str, shapes: Shapes) -> dict[str, torch.Tensor]:
    """A small model's tensors by the names that files of the family have."""
    rules, _ = layouts.LAYOUTS[family]
    back = {}
    for name in shapes:
        if "point_embeddings" not in name or family != "sam2":
            back[next(iter(layouts.rename({name: torch.zeros(1)}, rules)))] = name
    state = {n: v for n, v in model.state_dict().items() if not n.startswith("shared_image_embedding")}
    table = state.pop("prompt_encoder.point_embed.weight", None)
    out = {back[name]: value for name, value in state.items()}
    for i in range(4) if table is not None else ():
        out[f"sam_prompt_encoder.point_embeddings.{i}.weight"] = table[i : i + 1]
    return out


def test_sam_hq_comes_back_and_says_the_same(tmp_path: Path) -> None:
    model = theirs("sam-hq")
    torch.save(as_published(model, "sam-hq", FILES["sam_hq_vit_b"][1]), tmp_path / "hq.pth")
    done = layouts.convert(tmp_path / "hq.pth", "sam-hq", tmp_path / "out", 32)
    assert done.extra == ()
    host = opening.opened(tmp_path / "out", opening.Setting(), opening.Identity("x")).eval()
    assert host.family.name == "sam-hq"
    again = type(model).from_pretrained(tmp_path / "out").eval()
    same_answers(model, again, host)


@pytest.mark.parametrize("newer", [True, False])
def test_sam_2_comes_back_with_its_memory(newer: bool, tmp_path: Path) -> None:
    model = video(usual=True)
    tensors = as_published(model, "sam2", sam2(8, (1, 2, 2, 1), 7))
    if not newer:
        older = {name for name in tensors if name.startswith(("no_obj_embed_spatial", "obj_ptr_tpos_proj"))}
        tensors = {name: value for name, value in tensors.items() if name not in older}
        assert len(older) == 3
    torch.save({"model": tensors}, tmp_path / "video.pt")
    assert layouts.convert(tmp_path / "video.pt", "sam2", tmp_path / "out").extra == ()
    host = opening.opened(tmp_path / "out", opening.Setting(), opening.Identity("x")).eval()
    assert memory.remembers(host)
    assert host.model.config.enable_occlusion_spatial_embedding == newer
    again, before = type(model).from_pretrained(tmp_path / "out").state_dict(), model.state_dict()
    assert len(before) - len(again) == (0 if newer else 3)
    assert all(torch.equal(value, before[name]) for name, value in again.items())
    first = Foreign(model, host.family, opening.Setting(), opening.Identity("y")).eval()
    if newer:
        assert torch.allclose(followed(first), followed(host), atol=1e-4)
    del tensors["memory_attention.norm.bias"]
    torch.save({"model": tensors}, tmp_path / "less.pt")
    with pytest.raises(WeightsError, match=r"lacks 1 tensors .* memory_attention\.layer_norm\.bias"):
        layouts.convert(tmp_path / "less.pt", "sam2", tmp_path / "less")


def followed(host: Any) -> torch.Tensor:
    """The second of two slices, by the memory of the first."""
    bank, frames = memory.Bank(2), torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., 10:40, 20:50] = 1
    with torch.no_grad():
        for number, drawn in enumerate((mask, None)):
            turn = memory.Following(host, bank, memory.Turn(number, drawn))
            out = turn.decode(turn.encode(host.shared(frames[[number]])), Clicks()).logits
    assert float(out.std()) > 0.1
    return out


def test_edgetam_comes_back_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = edgetam_model(SIZE, num_attention_heads=8).eval()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    place = model.prompt_encoder.shared_embedding.positional_embedding
    model.shared_image_embedding.positional_embedding.data.copy_(place.data)
    tensors = as_sam2(model)
    began = "image_encoder.trunk.", "image_encoder.trunk.body."
    tensors = {n.replace(began[0] + "timm_model.", began[1]): value for n, value in tensors.items()}
    tensors |= {"spatial_perceiver.latents": torch.zeros(2), "memory_attention.norm.bias": torch.zeros(2)}
    torch.save({"model": tensors}, tmp_path / "edgetam.pt")
    monkeypatch.setattr(edgetam, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="pip install timm"):
        layouts.convert(tmp_path / "edgetam.pt", "edgetam", tmp_path / "out")
    monkeypatch.setattr(edgetam, "find_spec", lambda _name: True)
    with stand_in():
        done = layouts.convert(tmp_path / "edgetam.pt", "edgetam", tmp_path / "out", 8)
        again = type(model).from_pretrained(tmp_path / "out").eval()
        host = opening.opened(tmp_path / "out", opening.Setting(), opening.Identity("x")).eval()
    assert done.extra == (), "what is for videos is left out"
    same_answers(model, again, host)


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


def test_every_tensor_that_is_missing_or_unknown_is_told(tmp_path: Path) -> None:
    tensors = as_segment_anything(theirs("sam"))
    lost = ["mask_decoder.iou_token.weight", "prompt_encoder.no_mask_embed.weight"]
    for name in lost:
        del tensors[name]
    torch.save({**tensors, "head.weight": torch.zeros(2)}, tmp_path / "less.pth")
    said: list[str] = []
    with pytest.raises(WeightsError, match="lacks 2 tensors"):
        layouts.convert(tmp_path / "less.pth", "sam", tmp_path / "out", say=said.append)
    assert said == [*(f"missing: {name}" for name in lost), "unknown: head.weight"]
    torch.save(tensors, tmp_path / "sam.pth")
    with pytest.raises(InputError, match=r"layout of sam2: 'vision_encoder\.backbone\.blocks\.0' was looked"):
        layouts.convert(tmp_path / "sam.pth", "sam2", tmp_path / "out")


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
    with pytest.raises(InputError, match="no layout that is known; known are sam, sam-hq, sam2, edgetam"):
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


def test_converting_and_opening_say_nothing_of_their_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """So that --quiet is quiet."""
    torch.save(as_segment_anything(theirs("sam")), tmp_path / "sam.pth")
    layouts.convert(tmp_path / "sam.pth", "sam", tmp_path / "out")
    opening.opened(tmp_path / "out", Setting(), Identity("out"))
    assert capfd.readouterr() == ("", "")
