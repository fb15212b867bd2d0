"""Points, boxes and rough masks that training gives lie where a person's would."""

import numpy as np
import pytest
import torch

from medsegr.samples.drawn import Marks
from medsegr.samples.pointing import clicks, rough


def disc(size: int = 64, radius: int = 14) -> np.ndarray:
    yy, xx = np.mgrid[:size, :size]
    return np.hypot(yy - 30, xx - 26) < radius


def test_points_say_what_is_there() -> None:
    mask = disc()
    for seed in range(40):
        places, kinds = clicks(Marks(mask), "points", None, np.random.default_rng(seed))
        assert kinds[0] == 1  # the first is always inside
        for (x, y), kind in zip(places.numpy(), kinds.tolist(), strict=True):
            assert kind == 4 or mask[int(y * 64), int(x * 64)] == bool(kind)


def test_beside_a_rough_mask_most_points_lie_where_it_is_wrong() -> None:
    mask, hint = disc(), disc(radius=9)
    wrong = total = 0
    for seed in range(80):
        places, kinds = clicks(Marks(mask), "mask", hint, np.random.default_rng(seed))
        for (x, y), kind in zip(places.numpy(), kinds.tolist(), strict=True):
            at = int(y * 64), int(x * 64)
            if kind != 4:
                assert mask[at] == bool(kind)
                wrong, total = wrong + int(mask[at] != hint[at]), total + 1
    assert wrong > 0.7 * total


def test_nobody_points_at_what_is_unknown() -> None:
    mask, hint = disc(), disc(radius=9)
    near = disc(radius=20) & ~mask
    for how, other in (("points", None), ("mask", hint), ("mask", disc(radius=24))):
        for seed in range(40):
            places, kinds = clicks(Marks(mask, near), how, other, np.random.default_rng(seed))
            for (x, y), kind in zip(places.numpy(), kinds.tolist(), strict=True):
                assert kind == 4 or not near[int(y * 64), int(x * 64)]
    _, kinds = clicks(Marks(mask, near), "box", None, np.random.default_rng(0))
    assert kinds.tolist() == [4, 4, 4]
    for seed in range(40):  # everything else is unknown: there is no place outside
        _, kinds = clicks(Marks(mask, ~mask), "points", None, np.random.default_rng(seed))
        assert set(kinds.tolist()) <= {1, 4}


def test_a_box_holds_the_mask_or_nearly() -> None:
    places, kinds = clicks(Marks(disc()), "box", None, np.random.default_rng(0))
    (x0, y0), (x1, y1) = places.numpy()[:2] * 64
    assert kinds.tolist() == [2, 3, 4]
    assert abs(x0 - 13) < 4
    assert abs(y0 - 17) < 4
    assert abs(x1 - 40) < 4
    assert abs(y1 - 44) < 4


@pytest.mark.parametrize("how", ["points", "box", "mask", ""])
def test_nothing_is_pointed_at_in_an_empty_mask(how: str) -> None:
    _, kinds = clicks(Marks(np.zeros((32, 32), bool)), how, None, np.random.default_rng(0))
    assert kinds.tolist() == [4, 4, 4]


def test_a_rough_mask_resembles_the_true_one_and_is_wrong() -> None:
    mask = torch.from_numpy(disc()).float()
    overlaps = []
    for seed in range(60):
        hint = rough(mask, np.random.default_rng(seed))
        assert set(hint.unique().tolist()) <= {-4.0, 4.0}
        drawn, true = hint.numpy() > 0, mask.numpy() > 0
        overlaps.append(2 * (drawn & true).sum() / (drawn.sum() + true.sum()))
    assert 0.5 < np.mean(overlaps) < 0.95
    assert min(overlaps) < 0.6


def test_the_true_mask_is_left_alone() -> None:
    mask = torch.from_numpy(disc()).float()
    before = mask.clone()
    for seed in range(20):
        rough(mask, np.random.default_rng(seed))
    assert torch.equal(mask, before)
