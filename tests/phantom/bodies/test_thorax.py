"""Chest CT slices: lungs on their sides, tumours inside them and denser than air in every window."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from medsegr import phantom
from medsegr.phantom.bodies import scanner, thorax


@cache
def cases() -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make("thorax", np.random.default_rng([23, i]), 160) for i in range(48))


def test_sides_are_the_patients_and_hold_their_lesions() -> None:
    told = 0
    for case in cases():
        if {"right lung", "left lung"} <= set(case.organs):
            right, left = (ndimage.center_of_mass(case.organs[f"{s} lung"])[1] for s in ("right", "left"))
            assert right < left
            assert not (case.organs["right lung"] & case.organs["left lung"]).any()
        for lesion in case.lesions:
            side = lesion.attributes["location"]["side"]
            assert (side is None) == (not case.organs)
            if side is not None:
                told += 1
                assert not (lesion.mask & ~case.organs[f"{side} lung"]).any()
    assert told > 30


def test_a_picture_calls_its_lesions_by_one_name() -> None:
    names = [{x.attributes["name"] for x in case.lesions} for case in cases()]
    assert all(len(one) <= 1 for one in names)
    assert {"lung tumour", "nodule"} == set.union(*names)


def test_lesions_are_lighter_than_the_lung_about_them() -> None:
    lighter = total = 0
    for case in cases():
        lungs = np.any(list(case.organs.values()), axis=0) if case.organs else np.zeros((160, 160), bool)
        free = lungs & ~ndimage.binary_dilation(np.any([x.mask for x in case.lesions], axis=0), iterations=3)
        for lesion in case.lesions if free.any() else ():
            total += 1
            lighter += bool(case.image[lesion.mask].mean() > 1.2 * case.image[free].mean())
    assert lighter >= 0.93 * total > 0


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_a_turn_moves_a_plane_and_a_mask_alike(quarters: int, flip: bool) -> None:
    plane = np.arange(36, dtype=np.float32).reshape(6, 6)
    shown = scanner.Scan((-1000, 200), quarters, flip)
    assert np.array_equal(shown.turn(plane > 20), shown.turn(plane) > 20)
    assert shown.turned == (not np.array_equal(shown.turn(plane), plane))


def test_a_chest_is_as_wide_as_a_patient() -> None:
    wide = []
    for i in range(60):
        scene = thorax.scene(np.random.default_rng([24, i]), 96)
        if {"right lung", "left lung"} <= set(scene.organs):
            both = scene.organs["right lung"] | scene.organs["left lung"]
            wide.append(scene.mm * np.ptp(np.flatnonzero(both.any(axis=0))))
    assert len(wide) > 30
    assert 180 < np.median(wide) < 320  # lungs without chest wall, mm


@pytest.mark.parametrize(("low", "told"), [(-1300, True), (-150, False), (-30, False)])
def test_a_veil_is_told_in_windows_that_show_it(low: float, told: bool) -> None:
    rng = np.random.default_rng(0)
    (concept,) = thorax._concepts(rng, scanner.Scan((low, 200)), 0.1)
    assert ("mixed" in concept.density) == told


@pytest.mark.parametrize(("quarters", "flip"), [(1, False), (2, True), (3, False)])
def test_a_turned_slice_has_its_lungs_where_the_picture_shows_them(
    quarters: int, flip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    for one in (scanner.Scan((-1300, 150)), scanner.Scan((-1300, 150), quarters, flip)):
        monkeypatch.setattr(thorax, "scan", lambda _, one=one: one)
        rng = np.random.default_rng(26)
        scene = thorax.scene(rng, 128)
        lungs = np.any([place.body for place in scene.places], axis=0)
        shown.append((one, scene, lungs, scene.render(rng, ()).astype(float)))
    (_, upright, lungs, picture), (turn, turned, there, other) = shown
    assert np.array_equal(there, turn.turn(lungs))
    assert np.corrcoef(turn.turn(picture).ravel(), other.ravel())[0, 1] > 0.9
    assert {place.key for place in upright.places} == {"right", "left"}
    assert [dict(place.location) for place in turned.places] == [{"anatomy": ("lung",)}]
    assert upright.organs
    assert not turned.organs
