"""What a mask looks like, against shapes whose answer is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsegr.checks import place_check, side_check
from medsegr.errors import GeometryError, ReportError
from medsegr.portrait import portrait
from medsegr.report.parse import parse
from medsegr.report.wording import differences, sentence
from medsegr.types import Finding, Image


def disc(radius: float, y: float = 60, x: float = 60, high: float = 1, wide: float = 1) -> np.ndarray:
    rows, cols = np.mgrid[:200, :200]
    return ((rows - y) / high) ** 2 + ((cols - x) / wide) ** 2 <= radius**2


def star(spikes: int) -> np.ndarray:
    rows, cols = np.mgrid[:200, :200] - 100
    apart, angle = np.hypot(rows, cols), np.arctan2(rows, cols) * spikes / (2 * np.pi) % 1
    width = np.abs(angle - 0.5) * 2 * np.pi / spikes * apart
    return (apart <= 25) | ((apart <= 40) & (width < 2))


def image(mask: np.ndarray, inside: float = 0.7, outside: float = 0.3, blur: float = 0, **more: Any) -> Image:
    grey = np.where(mask, inside, outside).astype(np.float32)
    grey = ndimage.gaussian_filter(grey, blur) if blur else grey
    grey[:3], grey[-3:] = 0, 1  # the grey range is that of the whole picture
    settings: dict[str, Any] = {"spacing": (0.5,) * mask.ndim, "modality": "CR"} | more
    return Image(grey[None], **settings)


def seen(mask: np.ndarray, **more: Any) -> Finding:
    return portrait(image(mask, **more), mask, "nodule")


@pytest.mark.parametrize(
    ("mask", "form"),
    [
        *[(disc(radius), "round") for radius in (4, 5, 6, 8, 20, 50)],
        (disc(20, wide=2), "oval"),
        (disc(20, high=1.6), "oval"),
        (disc(6, 100, 100, wide=8), "linear"),
        (disc(20) | disc(20, x=96), "lobulated"),
        (star(10), "irregular"),
        (disc(40, 100, 100) & ~disc(30, 100, 100), "irregular"),
        (disc(2), None),
    ],
)
def test_form(mask: np.ndarray, form: str | None) -> None:
    assert seen(mask).shape.form == form


def test_form_is_that_of_the_body_and_not_of_the_pixels() -> None:
    flat = disc(20, wide=4)  # pixels four times as high as wide: a circle
    assert seen(flat, spacing=(1.0, 0.25)).shape.form == "round"
    assert seen(disc(20), spacing=(1.0, 0.25)).shape.form == "linear"


@pytest.mark.parametrize(
    ("mask", "blur", "margin"),
    [
        (disc(20), 0, "smooth"),
        (disc(20), 3, "ill-defined"),
        (disc(40), 6, "ill-defined"),
        (star(10), 0, "spiculated"),
        (star(6), 0, "spiculated"),
        (disc(2), 0, None),
        (np.ones((200, 200), bool), 0, None),
    ],
)
def test_margin(mask: np.ndarray, blur: float, margin: str | None) -> None:
    assert seen(mask, blur=blur).shape.margin == margin


def test_a_margin_needs_a_contrast() -> None:
    assert seen(disc(20), inside=0.31).shape.margin is None


@pytest.mark.parametrize(
    ("inside", "density"), [(0.7, "hyper"), (0.34, "hyper"), (0.32, "iso"), (0.28, "iso"), (0.1, "hypo")]
)
def test_density(inside: float, density: str) -> None:
    assert seen(disc(20), inside=inside).texture.density == density


def test_uniformity() -> None:
    mask, rng = disc(30), np.random.default_rng(3)
    found = []
    for deviation in (0.01, 0.07, 0.2):
        grey = image(mask).data + rng.normal(0, deviation, (1, 200, 200)).clip(-0.25, 0.25)
        grey[0, 0, 0], grey[0, -1, -1] = 0, 1
        picture = Image(np.clip(grey, 0, 1).astype(np.float32), modality="CR")
        found.append(portrait(picture, mask).texture.uniformity)
    assert found == ["homogeneous", None, "heterogeneous"]


@pytest.mark.parametrize(
    ("mask", "side", "rows"),
    [
        (disc(20), "right", ("upper",)),  # the patient's right is at the picture's left
        (disc(20, 170, 140), "left", ("lower",)),
        (disc(20, 100, 100), "midline", ("middle",)),
        (disc(20, 100, 40) | disc(20, 100, 160), "bilateral", ("middle",)),
        (disc(20, 66, 60), "right", ("upper", "middle")),
    ],
)
def test_place_in_the_patient(mask: np.ndarray, side: str, rows: tuple[str, ...]) -> None:
    place = seen(mask).location
    assert (place.side, place.side_frame, place.rows, place.cols) == (side, "patient", rows, ())


def test_place_in_the_picture() -> None:
    place = seen(disc(20, 170, 30), frame="viewer", modality="ES").location
    assert (place.side, place.side_frame, place.rows, place.cols) == (None, "viewer", ("lower",), ("left",))
    lateral = seen(disc(20, 170, 30), axes=("I", "P")).location
    assert (lateral.side, lateral.cols) == (None, ("left",))


@pytest.mark.parametrize(
    ("mask", "size_class"),
    [(disc(8), "tiny"), (disc(20), "small"), (disc(40, 100, 100), "medium"), (disc(70, 100, 100), "large")],
)
def test_size_class(mask: np.ndarray, size_class: str) -> None:
    assert seen(mask).shape.size_class == size_class


def test_size_in_millimetres() -> None:
    assert seen(disc(20, wide=2)).shape.size_mm == pytest.approx((40, 20), abs=0.6)
    rows, cols = np.mgrid[:200, :200] - 100
    u, v = rows + cols, rows - cols
    slanted = (u / 60) ** 2 + (v / 20) ** 2 <= 1
    want = (60 / np.sqrt(2), 20 / np.sqrt(2))  # diameters at 0.5 mm a pixel
    assert seen(slanted).shape.size_mm == pytest.approx(want, abs=0.6)
    assert seen(disc(20), spacing=None).shape.size_mm is None
    assert seen(disc(20, x=0)).shape.size_mm is None  # cut by the border: no size


def test_count_leaves_specks_out() -> None:
    three = disc(10, 40, 40) | disc(10, 40, 160) | disc(10, 160, 100)
    three[100, 100] = True
    assert seen(three).shape.count == 3
    assert seen(disc(10)).shape.count is None


def sphere(flip: bool = False) -> tuple[Image, np.ndarray]:
    i, j, k = np.mgrid[:64, :60, :26]
    mask = (i - 20) ** 2 + (j - 30) ** 2 + ((k - 20) * 2.5) ** 2 <= 12**2
    affine = np.diag([1.0 if flip else -1.0, 1.0, 2.5, 1.0])
    return image(mask, spacing=(1.0, 1.0, 2.5), modality="CT", affine=affine), mask


def test_a_volume_is_described_in_the_body() -> None:
    found = portrait(*sphere(), "nodule")
    assert (found.location.side, found.location.rows) == ("right", ("upper",))
    assert portrait(*sphere(flip=True)).location.side == "left"
    assert (found.shape.form, found.texture.density) == ("round", "hyper")
    assert found.shape.size_mm == pytest.approx((24, 24, 24), abs=2.6)


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((50, 40), bool),
        np.ones((50, 40), bool),
        np.eye(50, 40, dtype=bool),
        np.ones((1, 1), bool),
        np.ones((1, 60), bool),
        np.ones((5, 6, 1), bool),
        np.zeros((5, 6, 7), bool),
    ],
    ids=lambda mask: f"{mask.shape}-{int(mask.sum())}",
)
def test_the_edges_behave(mask: np.ndarray) -> None:
    for frame in ("patient", "viewer"):
        picture = Image(np.zeros((1, *mask.shape), np.float32), spacing=(1.0,) * mask.ndim, frame=frame)
        found = portrait(picture, mask)
        assert found.polarity == ("present" if mask.any() else "absent")
        back = parse(sentence(found), frame=frame).findings
        assert differences(found, back) == []


def test_an_empty_mask_is_denied() -> None:
    assert sentence(seen(np.zeros((200, 200), bool))) == "No nodule is seen."


def test_one_pixel() -> None:
    mask = np.zeros((200, 200), bool)
    mask[3, 150] = True
    found = seen(mask)
    assert found.shape.size_mm == (0.5, 0.5)
    assert (found.shape.form, found.shape.margin, found.shape.size_class) == (None, None, "tiny")
    assert sentence(found) == "A tiny hyperdense nodule on the left side, in the upper third, 0.5 x 0.5 mm."


def test_colour_and_broken_pixels() -> None:
    mask = disc(20)
    colour = Image(np.zeros((3, 200, 200), np.float32), modality="ES", frame="viewer")
    assert portrait(colour, mask).texture.density is None
    broken = image(mask)
    broken.data[0, :5] = np.nan
    assert portrait(broken, mask).texture.density == "hyper"


def test_another_grid_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(GeometryError, match="grid"):
        portrait(image(disc(20)), np.ones((3, 3), bool))
    with pytest.raises(ReportError, match="gizmo"):
        portrait(image(disc(20)), disc(20), "gizmo")


def test_what_has_no_side_is_given_none() -> None:
    found = portrait(image(disc(20, x=30)), disc(20, x=30), "cardiomegaly")
    assert (found.name, found.location.side, found.location.cols) == ("cardiomegaly", None, ("left",))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["patient", "viewer"]))
def test_any_blob_is_said_and_passes_the_checks(seed: int, frame: Any) -> None:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(48, 64)), float(rng.uniform(0.5, 9)))
    mask = noise > np.quantile(noise, float(rng.uniform(0.5, 0.995)))
    picture = Image(rng.random((1, 48, 64)).astype(np.float32), spacing=(0.7, 0.3), frame=frame)
    found = portrait(picture, mask)
    text = sentence(found)
    assert differences(found, parse(text, frame=frame).findings) == [], text
    for check in (side_check(picture, found, mask), place_check(picture, found, mask)):
        assert check is None or check.outcome == "pass", (text, check)
