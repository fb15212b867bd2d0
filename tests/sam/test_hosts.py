"""Every foreign host: bit for bit itself before anything is learned, and trained only where it should be."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medsegr.errors import UsageError
from medsegr.model import MedSegR
from medsegr.networks import hosted
from medsegr.nn.blocks import Mlp
from medsegr.objectives import Truth, total
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, vocabulary
from medsegr.reasoning.fusion import Fusion
from medsegr.reasoning.modulators import Modulator
from medsegr.sam.host import Clicks, Host
from medsegr.sam.sam import build_sam

pytest.importorskip("transformers")
pytest.importorskip("peft")
from edgetam_host import edgetam_model
from medsegr.sam.hosts import edgetam, foreign, opening
from medsegr.sam.hosts.foreign import Foreign, Identity, Setting
from medsegr.sam.hosts.lora import adapt

WORDS = vocabulary(["polyp"], [], ["ES"])
SAID = encode_words([[Code("concept:polyp"), Code("row:upper"), Code("form:round")]] * 2, WORDS)
SIZE, PRIOR = 64, 32


def plain(name: str) -> Any:
    """A small random model of the family as the library makes it, with nothing in it silent."""
    torch.manual_seed(0)
    model = (edgetam_model if name == "edgetam" else opening.FAMILIES[name].tiny)(SIZE).eval()
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return model


def network(name: str, **options: Any) -> MedSegR:
    """The words on that model."""
    heads = {key: options.pop(key) for key in ("heads", "mechanism") if key in options}
    host = Foreign(plain(name), opening.FAMILIES[name], Setting(**options), Identity(name, "0" * 64))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "tiny", lambda _name, _setting: host)
        torch.manual_seed(1)
        return hosted(WORDS, "tiny:one", prior=PRIOR, **heads)


NAMES = list(opening.FAMILIES)


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fresh(name: str) -> MedSegR:
    """Nothing learned yet; tests leave it as it is."""
    return network(name).eval()


def pixels(count: int = 2, h: int = SIZE, w: int = SIZE) -> Tensor:
    return torch.randn(count, 3, h, w, generator=torch.Generator().manual_seed(3))


def normalised(host: Foreign, picture: Tensor) -> Tensor:
    """As the library's own processor gives pictures to the model."""
    raw = (picture * 0.25 + 0.5 - host.mean) / host.deviation
    if host.family.name != "sam3":
        return raw
    small = [side * 14 // 16 for side in raw.shape[-2:]]
    return nn.functional.interpolate(raw, small, mode="bilinear", align_corners=False, antialias=True)


PROMPTS: dict[str, tuple[Any, Any]] = {
    "nothing": (None, None),
    "points": ([[[10, 20], [40, 33]], [[5, 6], [50, 1]]], [[1, 0], [1, 1]]),
    "box": ([[[10, 20], [40, 33]], [[5, 6], [50, 31]]], [[2, 3], [2, 3]]),
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_before_anything_is_learned_it_is_the_plain_host_bit_for_bit(
    name: str, fresh: MedSegR, prompt: str
) -> None:
    library, host = plain(name), fresh.host
    assert isinstance(host, Foreign)
    if hasattr(library.mask_decoder, "dynamic_multimask_via_stability"):
        library.mask_decoder.dynamic_multimask_via_stability = False
    side = library.config.prompt_encoder_config.image_size
    at, kinds = PROMPTS[prompt]
    asked, clicks = {}, Clicks()
    if at is not None:
        points = torch.tensor(at).float()
        clicks = Clicks((points + 0.5) / side, torch.tensor(kinds).float())
        asked = {"input_points": points[:, None], "input_labels": torch.tensor(kinds)[:, None]}
        if prompt == "box":
            asked = {"input_boxes": points.reshape(2, 1, 4)}
    with torch.no_grad():
        theirs = library(pixel_values=normalised(host, pixels()), multimask_output=False, **asked)
        ours = fresh(fresh.shared(pixels()), SAID, clicks)
        iou = theirs.iou_scores[:, 0]
        features = host.encode(host.shared(pixels()))
        raw = host.family.decode(host.model, features, host.asked(features, clicks))
    assert float(ours.decoded.logits.std()) > 0
    assert torch.equal(ours.decoded.logits, theirs.pred_masks[:, 0, 0])
    assert torch.equal(ours.decoded.quality, iou[:, 0].clamp(1e-3, 1 - 1e-3).logit())
    assert torch.equal(raw.iou, iou)
    assert len(ours.traces) == 4
    assert not library._forward_hooks
    assert not [m for m in host.model.modules() if m._forward_hooks or m._forward_pre_hooks]


def test_several_masks_and_a_previous_mask_are_the_hosts_own(name: str, fresh: MedSegR) -> None:
    library, host = plain(name), fresh.host
    assert isinstance(host, Foreign)
    before = torch.randn(2, 1, SIZE, SIZE)
    grid = SIZE // 16
    small = nn.functional.interpolate(
        before, (4 * grid, 4 * grid), mode="bilinear", align_corners=False, antialias=True
    )
    with torch.no_grad():
        theirs = library(pixel_values=normalised(host, pixels()), input_masks=small, multimask_output=True)
        features = host.encode(host.shared(pixels()))
        asked = host.asked(features, Clicks(mask=before), several=True)
        ours = host.family.decode(host.model, features, asked)
        half = host.mask_prompt(Clicks(mask=before, has_mask=torch.tensor([True, False])), 2, grid, grid)
    assert ours.masks.shape[1] == 3
    assert torch.equal(ours.masks, theirs.pred_masks[:, 0])
    assert torch.equal(ours.iou, theirs.iou_scores[:, 0])
    assert torch.equal(half[0], asked.dense[0])
    assert torch.equal(half[1], host.mask_prompt(Clicks(), 1, grid, grid)[0])


def test_sites_are_where_and_as_wide_as_they_say(fresh: MedSegR) -> None:
    assert isinstance(fresh.host, Host)
    seen: list[tuple[int, ...]] = []

    def look(_site: int, x: Tensor) -> Tensor:
        seen.append(tuple(x.shape[1:]))
        return x

    for h, w in ((64, 64), (96, 128)):
        seen.clear()
        with torch.no_grad():
            features = fresh.host.encode(fresh.host.shared(pixels(1, h, w)), look)
            out = fresh.host.decode(features, Clicks())
        assert seen == [(s.channels, h // s.stride, w // s.stride) for s in fresh.host.sites]
        assert features.grid == (h // 16, w // 16)
        assert out.logits.shape == (1, h // 4, w // 4)
        assert features.summary.shape == (1, fresh.host.summary)


def test_a_batch_of_two_is_two_batches_of_one(name: str) -> None:
    model = network(name).eval()
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    clicks = Clicks(torch.rand(2, 2, 2), torch.tensor([[1.0, 0.0], [1.0, 4.0]]))
    words = encode_words([[Code("concept:polyp")], [Code("row:lower"), Code("form:oval")]], WORDS)
    with torch.no_grad():
        both = model(model.shared(pixels()), words, clicks).decoded
        for i in range(2):
            row = slice(i, i + 1)
            one = model(
                model.shared(pixels()[row]),
                type(words)(words.index[row], words.kind[row], words.scalar[row]),
                Clicks(clicks.points[row], clicks.kinds[row]),  # type: ignore[index]
            ).decoded
            assert torch.allclose(one.logits, both.logits[row], atol=1e-5)
            assert torch.allclose(one.presence, both.presence[row], atol=1e-5)


def steps(model: MedSegR, count: int) -> Iterator[None]:
    truth = Truth(
        (torch.rand(2, SIZE, SIZE) > 0.7).float(),
        torch.tensor([1.0, 0.0]),
        torch.zeros(2, len(WORDS.codes)),
        torch.ones(2, len(WORDS.codes)) > 0,
    )
    words = encode_words([[Code(code, 0.3) for code in WORDS.codes]] * 2, WORDS)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.1)
    for _ in range(count):
        optimiser.zero_grad()
        total(model(model.shared(pixels()), words), truth)["loss"].backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        yield
        optimiser.step()


def test_gradients_reach_all_that_is_trained_and_nothing_else(name: str) -> None:
    model = network(name, lora=0 if name == "edgetam" else 2).train()
    still = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    reached: set[str] = set()
    for _ in steps(model, 4):
        reached |= {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained - reached == set()
    assert reached - trained == set()
    after = dict(model.named_parameters())
    assert all(torch.equal(value, after[n]) for n, value in still.items())
    assert any("vision_encoder" in n for n in still)
    assert any("mask_decoder" in n for n in trained)
    adapters = {n for n in trained if "vision_encoder" in n}
    assert all(".lora_" in n for n in adapters)
    assert bool(adapters) == (name != "edgetam")


def modulator_size(c: int, r: int, d: int, p: int) -> int:
    """Closed form of one modulator with all three heads, from its widths alone."""
    k, kernels, groups = 64, 8, 4
    location = (d + 1) * 2 * k + (r + 1) * k + (p + 1) * k + 1
    texture = (d + 1) * kernels + kernels * 9 * r + 2 * r + (d + 1) * 2 * r
    lattice = (d + 1) * 3 + (9 * r + r) + 2 * r + (d + 1) * 2 * r
    shape = lattice + (r + 1) * groups * 27 + 9 * r
    return 2 * c + (c + 1) * r + location + texture + shape + (r + 1) * c


@pytest.mark.parametrize(("width", "millions"), [(768, 0.598), (1024, 0.911), (1280, 1.290), (320, 0.208)])
def test_a_modulator_is_as_large_as_documented(width: int, millions: float) -> None:
    counted = sum(p.numel() for p in Modulator(width, width // 4, 256, 256).parameters())
    assert counted == modulator_size(width, width // 4, 256, 256)
    assert math.isclose(counted / 1e6, millions, abs_tol=5e-4)


def test_modulators_and_fusion_of_vit_b_are_as_large_as_documented() -> None:
    assert math.isclose(4 * modulator_size(768, 192, 256, 256) / 1e6, 2.39, abs_tol=5e-3)
    assert math.isclose(sum(p.numel() for p in Fusion(768).parameters()) / 1e6, 2.31, abs_tol=5e-3)
    rank, blocks = 4, 12
    assert math.isclose(blocks * 2 * rank * 2 * 768 / 1e6, 0.147, abs_tol=5e-4)


def test_what_is_trained_has_the_closed_form(name: str, fresh: MedSegR) -> None:
    host = fresh.host
    assert isinstance(host, Foreign)
    w, c = host.width, len(WORDS.codes)
    modulators = 0
    for site in host.sites:
        r = max(4, site.channels // 16 * 4)
        part = modulator_size(site.channels, r, PRIOR, host.places)
        if site.stride == 4:
            silent = sum(
                p.numel() for p in Modulator(site.channels, r, PRIOR, host.places).shape.parameters()
            )  # type: ignore[union-attr]
            part -= silent
        modulators += part
    words = c * PRIOR + 17 * PRIOR + sum(p.numel() for p in Fusion(PRIOR, PRIOR, 8, 4 * PRIOR).parameters())
    heads = (w + 1) * 256 + 257 * c + (PRIOR + 1) * w + 2 * w
    presence = (3 * w + 2) * w + w + 1
    decoder = host.model.mask_decoder
    further = sum(p.numel() for m in decoder.output_hypernetworks_mlps[1:] for p in m.parameters())
    theirs = sum(p.numel() for p in decoder.parameters()) - further
    trained = sum(p.numel() for p in fresh.parameters() if p.requires_grad)
    assert trained == modulators + words + heads + presence + theirs


@pytest.mark.parametrize("rank", [1, 3])
def test_adapters_stand_on_q_and_v_alone(name: str, rank: int) -> None:
    if name == "edgetam":
        with pytest.raises(UsageError, match="no attention"):
            network(name, lora=rank)
        return
    model, without = network(name, lora=rank).eval(), network(name).eval()
    host = model.host
    assert isinstance(host, Foreign)
    adapters = {n: p for n, p in host.named_parameters() if ".lora_" in n}
    family = opening.FAMILIES[name]
    layers = [m for n, m in plain(name).vision_encoder.named_modules() if n.endswith(family.attention)]
    fused = len(family.attention) == 1
    expected = sum(
        rank * (2 * m.in_features + m.out_features // 3 * 2)
        if fused
        else rank * (m.in_features + m.out_features)
        for m in layers
    )
    assert sum(p.numel() for p in adapters.values()) == expected
    with torch.no_grad():
        one, two = (m(m.shared(pixels()), SAID).decoded.logits for m in (model, without))
        assert torch.equal(one, two)
        for n, parameter in adapters.items():
            if ".lora_B." in n:
                nn.init.normal_(parameter, std=0.5)
        moved = model(model.shared(pixels()), SAID).decoded.logits
    assert not torch.allclose(one, moved, atol=1e-6)


def test_adapters_of_a_fused_layer_move_q_and_v_and_never_k() -> None:
    torch.manual_seed(0)
    block = nn.ModuleDict({"attn": nn.ModuleDict({"qkv": nn.Linear(6, 12)})})
    before = copy.deepcopy(block["attn"]["qkv"])  # type: ignore[index]
    adapt(block, ("attn.qkv",), 2)
    layer = block["attn"]["qkv"]  # type: ignore[index]
    x = torch.randn(2, 3, 6)
    assert torch.equal(layer(x), before(x))
    for name, parameter in layer.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter)
    moved = (layer(x) - before(x)).abs().sum((0, 1)) > 0
    assert moved.tolist() == [True] * 4 + [False] * 4 + [True] * 4
    assert copy.deepcopy(layer)(x).equal(layer(x))


def test_the_state_is_what_was_trained_and_comes_back(name: str) -> None:
    options = {} if name == "edgetam" else {"lora": 2}
    model, again = network(name, **options).train(), network(name, **options)
    for _ in steps(model, 3):
        pass
    state = model.state_dict()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {n for n in state if n.startswith("host.model.")} == {
        n for n in trained if n.startswith("host.model.")
    }
    assert trained <= set(state)
    assert not torch.equal(again.state_dict()["to_dense.bias"], state["to_dense.bias"])
    missing, extra = again.load_state_dict(state)
    assert not missing
    assert not extra
    with torch.no_grad():
        one, two = (m.eval()(m.shared(pixels()), SAID).decoded.logits for m in (model, again))
    assert torch.equal(one, two)
    state.pop("host.presence.layers.0.weight")
    missing, _ = again.load_state_dict(state, strict=False)
    assert missing == ["host.presence.layers.0.weight"]


def test_what_lies_before_the_first_site_is_shared(name: str, fresh: MedSegR) -> None:
    late = network(name, used=(2, 3)).eval()
    assert len(late.modulators) == 2
    assert [s.channels for s in late.host.sites] == [s.channels for s in fresh.host.sites[2:]]
    with torch.no_grad():
        early = fresh.host.shared(pixels())
        shared = late.host.shared(pixels())
        assert torch.equal(
            late(shared, SAID).decoded.logits, fresh(fresh.shared(pixels()), SAID).decoded.logits
        )
    assert shared[0].shape[1] == late.host.sites[0].channels
    assert not torch.equal(shared[0], early[0]) or shared[0].shape != early[0].shape
    for parameter in late.modulators.parameters():
        nn.init.normal_(parameter, std=0.3)
    assert late.host.shared(pixels())[0].requires_grad is False


@pytest.mark.parametrize("freeze", ["nothing", "all"])
def test_freezing_nothing_or_all(freeze: str) -> None:
    model = network("sam", freeze=freeze)
    trained = {n for n, p in model.named_parameters() if p.requires_grad and n.startswith("host.model.")}
    assert any("vision_encoder" in n for n in trained) == (freeze == "nothing")
    assert bool(trained) == (freeze == "nothing")
    assert model.host.presence.layers[0].weight.requires_grad  # type: ignore[union-attr]
    twin = network("sam", freeze=freeze)
    assert not twin.load_state_dict(model.state_dict()).missing_keys


def test_a_control_without_words_hears_none() -> None:
    model = network("sam", mechanism="none").eval()
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    other = encode_words([[Code("row:lower")]] * 2, WORDS)
    with torch.no_grad():
        one, two = (model(model.shared(pixels()), words).decoded.logits for words in (SAID, other))
    assert torch.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("size", [64, 96])
def test_positions_are_resized_as_the_library_would_have_them(size: int) -> None:
    """A model of another size with resized positions is the same as ours at that size."""
    here, there = plain("sam"), opening.FAMILIES["sam"].tiny(size).eval()
    state = here.state_dict()
    place = state["vision_encoder.pos_embed"].permute(0, 3, 1, 2)
    grid = size // 16
    resized = nn.functional.interpolate(place, (grid, grid), mode="bilinear", align_corners=False)
    state["vision_encoder.pos_embed"] = resized.permute(0, 2, 3, 1)
    for key in state:
        if ".rel_pos_" in key and state[key].shape != there.state_dict()[key].shape:
            rows = there.state_dict()[key].shape[0]
            state[key] = nn.functional.interpolate(state[key].t()[None], rows, mode="linear")[0].t()
    there.load_state_dict(state)
    host = Foreign(here, opening.FAMILIES["sam"], Setting(), Identity("x")).eval()
    with torch.no_grad():
        theirs = there(pixel_values=normalised(host, pixels(1, size, size)), multimask_output=False)
        ours = host.decode(host.encode(host.shared(pixels(1, size, size))), Clicks()).logits
    assert torch.allclose(ours, theirs.pred_masks[:, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"used": (1, 0)}, "in order"),
        ({"used": ()}, "some of 0, 1, 2, 3"),
        ({"used": (4,)}, "some of 0, 1, 2, 3"),
        ({"freeze": "half"}, "known are encoder, nothing, all"),
        ({"lora": -1}, "rank -1"),
        ({"lora": 4, "freeze": "nothing"}, "adapters need a frozen encoder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Setting(**options)


def test_options_that_a_host_lacks_are_refused() -> None:
    with pytest.raises(UsageError, match="no option depth"):
        hosted(WORDS, "tiny:sam", prior=PRIOR, depth=3)
    with pytest.raises(UsageError, match="modulators or none"):
        hosted(WORDS, "tiny:sam", prior=PRIOR, mechanism="film")
    with pytest.raises(UsageError, match="no family of hosts"):
        hosted(WORDS, "tiny:vim", prior=PRIOR)


def test_our_own_network_is_a_host_too() -> None:
    sam = build_sam()
    assert isinstance(sam, Host)
    assert [site.stride for site in sam.sites] == [4, 8, 16, 32]
    features = sam.eval().encode(sam.shared(pixels()))
    assert features.summary.shape == (2, sam.summary)
    assert sam.position(3, 5).shape == (sam.places, 3, 5)


def test_edgetam_without_timm_says_so() -> None:
    from importlib.util import find_spec

    from medsegr.errors import MissingExtra

    if find_spec("timm") is not None:
        pytest.skip("timm is installed here")
    with pytest.raises(MissingExtra, match="pip install timm"):
        edgetam.tiny(64)


def test_presence_begins_as_the_hosts_own_where_it_has_one() -> None:
    model = network("sam2").eval()
    host = model.host
    assert isinstance(host, Foreign)
    assert isinstance(host.presence, Mlp)
    with torch.no_grad():
        features = host.encode(host.shared(pixels()))
        own = host.family.decode(host.model, features, host.asked(features, Clicks())).presence
        before = host.decode(features, Clicks()).presence
        nn.init.normal_(host.presence.layers[-1].weight)
        after = host.decode(features, Clicks()).presence
    assert own is not None
    assert torch.equal(before, own)
    assert not torch.equal(after, own)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sam", "with a box"),
        ("sam-hq", "with a box"),
        ("sam3", "rotary positions are made for one size"),
        ("edgetam", "timm"),
    ],
)
def test_a_host_that_cannot_be_exported_says_why(name: str, why: str) -> None:
    from medsegr.backends.stages import traced

    with pytest.raises(UsageError, match=f"host '{name}' cannot be exported: .*{why}.*use --backend torch"):
        traced(network(name))


def test_what_is_put_otherwise_for_graphs_is_the_same() -> None:
    for h, w in ((64, 64), (96, 128), (128, 32)):
        mask = torch.randn(2, 1, h, w)
        assert torch.allclose(foreign.fourth(mask), foreign.resized(mask, (h // 4, w // 4)), atol=1e-6)


def test_an_adapter_stays_small() -> None:
    from pathlib import Path

    for module in ("vit", "hiera", "edgetam", "sam3"):
        lines = Path(edgetam.__file__).with_name(f"{module}.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 150, f"{module}.py has {len(lines)} lines: an adapter steps, it does not copy"
