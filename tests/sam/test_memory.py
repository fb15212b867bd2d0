"""SAM 2's memory: slices are followed as transformers' own video model follows the frames of a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from medsegr.model import MedSegR

pytest.importorskip("transformers")
pytest.importorskip("peft")
from medsegr.sam.hosts import memory, opening
from medsegr.sam.hosts.foreign import Foreign, Setting
from video_host import SAID, SIZE, network, video

FRAMES = 9


def pixels(count: int = FRAMES, h: int = SIZE, w: int = SIZE) -> Tensor:
    slow = torch.randn(1, 3, h, w, generator=torch.Generator().manual_seed(3))
    return slow + 0.3 * torch.randn(count, 3, h, w, generator=torch.Generator().manual_seed(4))


def disc(x: float, y: float, h: int = SIZE, w: int = SIZE) -> Tensor:
    rows, cols = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return ((rows - y) ** 2 + (cols - x) ** 2 < 14**2).float()[None, None]


def theirs(model: Any, frames: Tensor, drawn: dict[int, Tensor]) -> dict[int, Tensor]:
    """What the library's own video model says of every frame, asked with masks on some of them."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    first, out = min(drawn), {}
    for reverse in (False, True):
        session = Sam2VideoInferenceSession(frames, SIZE, SIZE, dtype=frames.dtype)
        session.obj_id_to_idx(1)
        for number, mask in drawn.items():
            session.add_mask_inputs(0, number, mask)
            session.obj_with_new_inputs.append(1)
            model(session, frame_idx=number)
        said = model.propagate_in_video_iterator(session, first, reverse=reverse)
        out |= {one.frame_idx: one.pred_masks for one in said}
    return out


def ours(model: MedSegR, frames: Tensor, drawn: dict[int, Tensor]) -> dict[int, Tensor]:
    bank, out, first = memory.Bank(len(frames)), {}, min(drawn)
    turns = [memory.Turn(number, mask) for number, mask in drawn.items()]
    turns += [memory.Turn(n) for n in range(first + 1, len(frames)) if n not in drawn]
    turns += [memory.Turn(n, backward=True) for n in range(first - 1, -1, -1)]
    with torch.no_grad():
        for turn in turns:
            view, _ = memory.through(model, bank, turn)
            out[turn.number] = view(model.shared(frames[[turn.number]]), SAID).decoded.logits
    return out


@pytest.fixture
def double() -> Iterator[None]:
    """Numbers of double length. What is remembered is kept in bfloat16: between two of its steps the last bit
    of a single one would decide, which is another on each processor."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    "drawn",
    [{0: (20, 30)}, {FRAMES - 1: (40, 30)}, {3: (30, 30)}, {2: (20, 30), 6: (44, 20)}],
    ids=["first", "last", "middle", "two"],
)
def test_slices_are_followed_as_the_library_follows_frames(
    drawn: dict[int, tuple[int, int]], several: bool
) -> None:
    model = network("all", several).double()
    host = model.host
    assert isinstance(host, Foreign)
    masks = {number: disc(*at).double() for number, at in drawn.items()}
    raw = (pixels() * 0.25 + 0.5 - host.mean) / host.deviation
    expected, found = theirs(video(several).double(), raw, masks), ours(model, pixels(), masks)
    assert sorted(found) == sorted(expected) == list(range(FRAMES))
    shown = {n: t for n, t in expected.items() if n not in drawn and float(t.max()) > -1000}
    assert len(shown) >= 3
    assert all(float(t.std()) > 1 for t in shown.values()), "a memory that nobody hears would prove nothing"
    for number, logits in expected.items():
        # Rounding grows from slice to slice; another memory would be off by more than one.
        assert torch.allclose(found[number], logits[:, 0], atol=5e-3), number


def test_weights_for_videos_are_opened_with_their_memory_and_nothing_of_it_is_trained(tmp_path: Path) -> None:
    model = video()
    model.save_pretrained(tmp_path)
    for freeze in ("encoder", "nothing", "all"):
        host = opening.opened(tmp_path, Setting(freeze=freeze), opening.Identity("x")).eval()
        assert memory.remembers(host)
        parts = [p for n, p in host.model.named_parameters() if n.startswith(host.family.apart)]
        assert len(parts) > 20
        assert not any(p.requires_grad for p in parts)
        began = tuple(f"model.{name}" for name in host.family.apart)
        assert not [n for n in host.state_dict() if n.startswith(began)]
    state = model.state_dict()
    assert all(torch.equal(v, state[n]) for n, v in host.model.state_dict().items() if n in state)
    plain = opening.tiny("tiny:sam2", Setting())
    assert not memory.remembers(plain)


def test_following_leaves_the_network_as_it_is_and_takes_pictures_of_any_size() -> None:
    model = network()
    frames = pixels(3, 96, 64)
    with torch.no_grad():
        before = model(model.shared(frames[:1]), SAID).decoded.logits
    found = ours(model, frames, {1: disc(20, 50, 96, 64)})
    assert all(logits.shape == (1, 24, 16) for logits in found.values())
    with torch.no_grad():
        assert torch.equal(model(model.shared(frames[:1]), SAID).decoded.logits, before)
    assert isinstance(model.host, Foreign)
    assert "host" not in model.__dict__
    assert model.host.model.memory_attention.position_ids.shape[0] == (SIZE // 16) ** 2


def test_what_is_remembered_changes_what_is_drawn() -> None:
    model = network()
    one, two = (ours(model, pixels(3), {0: disc(*at)}) for at in ((16, 16), (48, 48)))
    assert not torch.allclose(one[2], two[2], atol=1e-3)


def test_an_empty_slice_is_remembered_as_empty() -> None:
    model = network()
    bank = memory.Bank(3)
    with torch.no_grad():
        view, following = memory.through(model, bank, memory.Turn(0, torch.zeros(1, 1, SIZE, SIZE)))
        logits = view(model.shared(pixels(1)), SAID).decoded.logits
    assert (logits < 0).all()
    assert following.there < 0
    assert isinstance(model.host, Foreign)
    assert torch.equal(bank.by_hand[0].pointer, model.host.model.no_object_pointer)
    assert not bank.followed
