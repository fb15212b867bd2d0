"""Images and patients on both sides of the split are found, unlike ones are not."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from bench_sets import add, disc, picture, write_rows
from medsegr.bench import leaks
from medsegr.bench.samples import samples_of
from medsegr.io.read import image_from_array


def printed(pixels: np.ndarray, name: str = "x") -> leaks.Print:
    return leaks.fingerprint_of(image_from_array(pixels, modality="ES"), name)


def detailed(seed: int) -> np.ndarray:
    base = picture(seed, (200, 240)).astype(float)
    base += np.random.default_rng(seed + 100).normal(0, 6, base.shape)
    return base.clip(0, 255).astype(np.uint8)


def again(pixels: np.ndarray, quality: int, path: Path) -> np.ndarray:
    Pil.fromarray(pixels).save(path, quality=quality)
    return np.asarray(Pil.open(path)).copy()


@pytest.mark.parametrize("change", ["none", "jpeg", "smaller", "darker", "noise"])
def test_a_changed_copy_is_the_same_image(change: str, tmp_path: Path) -> None:
    first = detailed(0)
    copy = {
        "none": first.copy,
        "jpeg": lambda: again(first, 40, tmp_path / "a.jpg"),
        "smaller": lambda: np.asarray(Pil.fromarray(first).resize((120, 100))).copy(),
        "darker": lambda: (first * 0.7 + 10).astype(np.uint8),
        "noise": lambda: np.clip(first + np.random.default_rng(1).normal(0, 8, first.shape), 0, 255).astype(
            np.uint8
        ),
    }[change]()
    (leak,) = leaks.leaks([printed(copy, "copy")], [printed(detailed(1), "b"), printed(first, "a")])
    assert (leak.judged, leak.other, leak.kind) == ("copy", "a", "image")
    assert leak.likeness >= leaks.SAME


def test_a_mirrored_copy_is_found() -> None:
    (leak,) = leaks.leaks([printed(detailed(0)[:, ::-1].copy(), "m")], [printed(detailed(0), "a")])
    assert leak.kind == "mirrored"


def test_a_mirrored_copy_of_any_side_is_found() -> None:
    """Where pixels are no whole part of 64, boxes of pixels must be shared evenly between neighbours."""
    small = np.random.default_rng(0).normal(90, 20, (96, 90)).astype(np.uint8)
    for copy in (small[:, ::-1], small[::-1], small.T):
        (leak,) = leaks.leaks([printed(copy.copy(), "m")], [printed(detailed(0), "a"), printed(small, "b")])
        assert leak.other == "b"
        assert leak.likeness > 0.999


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_copy_is_found(quarters: int, mirrored: bool) -> None:
    copy = np.rot90(detailed(0)[:, :: -1 if mirrored else 1], quarters)
    (leak,) = leaks.leaks([printed(copy.copy(), "t")], [printed(detailed(1), "b"), printed(detailed(0), "a")])
    assert (leak.other, leak.kind) == ("a", "turned")


def test_other_images_are_no_leak() -> None:
    prints = [printed(detailed(seed), str(seed)) for seed in range(12)]
    assert leaks.leaks(prints[:6], prints[6:]) == []


def test_a_flat_image_is_like_nothing() -> None:
    flat = printed(np.full((40, 40, 3), 7, np.uint8), "flat")
    assert leaks.leaks([flat], [flat, printed(detailed(0))]) == []
    assert leaks.leaks([], [flat]) == []
    assert leaks.leaks([flat], []) == []


def test_a_patient_on_both_sides_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [
        add(folder, "a", detailed(0), disc((20, 20), 5, (200, 240)), split="train", group="one"),
        add(folder, "b", detailed(1), disc((20, 20), 5, (200, 240)), split="test", group="one"),
        add(folder, "c", detailed(2), disc((20, 20), 5, (200, 240)), split="test", group="two"),
    ]
    samples = samples_of(write_rows(folder, rows))
    judged, others = [s for s in samples if s.part == "test"], [s for s in samples if s.part != "test"]
    (leak,) = leaks.check(judged, others)
    assert (leak.judged, leak.other, leak.kind) == ("s/images/b.png", "s/images/a.png", "group")
    assert math.isnan(leak.likeness)


def test_an_unreadable_image_is_no_leak(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    samples = samples_of(write_rows(folder, [add(folder, "a", detailed(0), disc((20, 20), 5, (200, 240)))]))
    (folder / "images/a.png").write_bytes(b"no image")
    assert leaks.check(samples, samples[:0]) == []
