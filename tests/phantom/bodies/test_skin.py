"""What is particular to dermoscopy photographs: where lesions lie, and how their outlines meet the skin."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from medsegr import phantom
from medsegr.phantom import draw
from medsegr.phantom.bodies import skin
from medsegr.phantom.bodies.dermoscope import mottle
from medsegr.phantom.looks import Look
from medsegr.phantom.scene import Spot

SIZE = 128


@cache
def cases() -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make("skin", np.random.default_rng([17, i]), SIZE) for i in range(80))


def alone() -> list[phantom.PhantomCase]:
    return [c for c in cases() if len(c.lesions) == 1]


def test_most_pictures_have_one_lesion_and_mostly_in_the_centre() -> None:
    assert 0.6 < len(alone()) / len(cases()) < 0.85
    at = [c.lesions[0].attributes["location"] for c in alone()]
    assert np.mean([p["rows"] == ["middle"] and p["cols"] == ["centre"] for p in at]) > 0.6


def best_threshold(grey: np.ndarray, mask: np.ndarray) -> float:
    """Dice of the darkest part of a picture with a mask, at the level that fits that mask best."""
    return max(
        2 * float((dark & mask).sum()) / float(dark.sum() + mask.sum())
        for dark in (grey <= level for level in range(8, 248, 8))
    )


def test_no_level_of_brightness_finds_the_lesions() -> None:
    """Hairs, ink, dark corners and uneven light must be told from lesions by more than their darkness."""
    dice = [
        best_threshold(ndimage.gaussian_filter(c.image.mean(axis=2), 1), c.lesions[0].mask) for c in alone()
    ]
    assert np.mean(dice) < 0.75
    assert np.quantile(dice, 0.9) > 0.8  # and yet the dark ones are dark


def test_pigment_fades_towards_an_outline_that_lies_outside_most_of_it() -> None:
    inner_first = little_outside = 0
    large = [c for c in alone() if c.lesions[0].mask.mean() > 0.03]
    for case in large:
        mask = case.lesions[0].mask
        depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
        depth = depth / np.sqrt(mask.sum() / np.pi)
        skin = np.median(case.image[(depth < -0.3) & (depth > -0.8)], axis=0)
        gap = np.abs(case.image - skin).max(axis=2)
        far, rim, middle = (
            np.median(gap[(depth > low) & (depth < high)])
            for low, high in ((-0.35, -0.1), (0.01, 0.15), (0.3, 9))
        )
        inner_first += bool(rim < middle)
        little_outside += bool(far < middle)
    assert inner_first > 0.8 * len(large)
    assert little_outside > 0.9 * len(large)


def test_skin_is_of_many_tones() -> None:
    levels = [np.median(c.image, axis=(0, 1)).mean() for c in cases()]
    assert np.quantile(levels, 0.95) - np.quantile(levels, 0.05) > 60


@pytest.mark.parametrize("grain", [0.5, 2.0, 9.0, 40.0])
def test_mottle_fills_any_window_with_noise_of_deviation_one(grain: float) -> None:
    rng = np.random.default_rng(1)
    planes = [mottle(rng, (70, 120), grain) for _ in range(40)]
    assert planes[0].shape == (70, 120)
    assert planes[0].dtype == np.float32
    assert abs(np.mean(planes)) < 0.1
    assert 0.85 < np.std(planes) < 1.15


def test_lesions_lie_in_the_round_field_where_there_is_one() -> None:
    cut = 0
    for i in range(30):
        rng = np.random.default_rng([18, i])
        scene = skin.scene(rng, SIZE)
        field = scene.places[0].body
        if field.mean() > 0.9:
            continue
        cut += 1
        bare = scene.render(rng, ()).mean(axis=2)
        corners = ~ndimage.binary_dilation(field, iterations=6)
        assert np.median(bare[corners]) < 0.6 * np.median(bare[field])
    assert cut >= 3


def test_skin_is_so_pale_that_the_colours_of_its_lesions_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    most: list[float] = []
    drawn = skin._bare

    def bare(rng: np.random.Generator, size: int, darkest: float, calm: float) -> skin._Layers:
        most.append(darkest)
        return drawn(rng, size, darkest, calm)

    monkeypatch.setattr(skin, "_bare", bare)
    several = 0
    for i in range(60):
        case = phantom.make("skin", np.random.default_rng([19, i]), 96)
        colours = {x.attributes["texture"]["colour"] for x in case.lesions}
        several += len(colours) > 1
        assert all(most[-1] <= skin.PALE.get(colour, 2.0) for colour in colours)
    assert several >= 5


def test_side_spots_are_smaller_than_every_lesion(monkeypatch: pytest.MonkeyPatch) -> None:
    areas: list[float] = []

    def recorded(rng: np.random.Generator, form: str, margin: str, area: float) -> draw.Outline:
        areas.append(area)
        return draw.outline(rng, form, margin, area)

    monkeypatch.setattr(skin, "outline", recorded)
    for i in range(12):
        rng = np.random.default_rng([20, i])
        layers = skin._bare(rng, 96, 2.0, 1.0)
        skin._side_spots(rng, layers, 60, 0.8)
    assert len(areas) > 10
    assert max(areas) <= 0.3 * 60


def test_no_neighbour_is_laid_over_a_lesion_that_is_told() -> None:
    places = skin.scene(np.random.default_rng(0), SIZE).places
    look = Look(None, "homogeneous", "brown", "oval", "smooth", "large")
    full = np.ones((SIZE, SIZE), bool)
    everywhere = draw.Blob((slice(0, SIZE), slice(0, SIZE)), full.astype(np.float32), full * 1.0, full)
    middle = np.zeros_like(full)
    middle[SIZE // 2 - 2 : SIZE // 2 + 2, SIZE // 2 - 2 : SIZE // 2 + 2] = True
    small = draw.Blob(everywhere.window, middle.astype(np.float32), middle * 1.0, middle)
    laid = {"full": 0, "small": 0}
    for i in range(12):
        for name, blob in (("full", everywhere), ("small", small)):
            rng = np.random.default_rng([21, i])
            layers = skin._bare(rng, SIZE, 2.0, 1.0)
            before = layers.colour()
            skin._neighbour(rng, layers, [Spot("skin lesion", look, places[0], blob)])
            laid[name] += not np.array_equal(before, layers.colour())
    assert laid["full"] == 0 < laid["small"]
