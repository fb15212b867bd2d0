"""What is particular to the made mammograms."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from medsegr import phantom
from medsegr.phantom import draw
from medsegr.phantom.bodies import mammogram
from medsegr.phantom.bodies.breast import Breast, breast
from medsegr.phantom.looks import Look
from medsegr.phantom.scene import Spot

SIZE = 96


@cache
def cases() -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make("mammogram", np.random.default_rng([5, i]), SIZE) for i in range(60))


def test_a_breast_hangs_from_either_side_of_the_picture_and_points_away_from_it() -> None:
    shapes = [breast(np.random.default_rng([2, i]), SIZE) for i in range(60)]
    assert 15 <= sum(b.mirrored for b in shapes) <= 45
    assert 15 <= sum(b.oblique for b in shapes) <= 45
    for b in shapes:
        assert 0.08 < b.inside.mean() < 0.9
        columns = np.flatnonzero(b.inside.any(axis=0)) / SIZE
        side = columns.max() if b.mirrored else columns.min()
        assert abs(side - b.tip[1]) > 0.6 * np.ptp(columns)  # the nipple is far from the wall
        assert not b.under[~b.inside].any()


def test_findings_lie_in_the_breast_and_what_is_beside_it_stays_dark() -> None:
    for i in range(20):
        rng = np.random.default_rng([3, i])
        scene = mammogram.scene(rng, SIZE)
        room = scene.places[0].body
        picture = scene.render(rng, ())  # a breast without findings
        away = ~ndimage.binary_dilation(room, iterations=SIZE // 4)
        assert all((p.core <= room).all() for p in scene.places)
        assert picture[room].mean() > 15
        if away.sum() > 50:
            assert np.median(picture[away]) < min(40, picture[room].mean())


def test_only_plain_pictures_speak_of_density() -> None:
    seen = {density: 0 for density in (None, "hyper", "iso")}
    for case in cases():
        here = {x.attributes["texture"]["density"] for x in case.lesions}
        assert here == {None} or None not in here
        for lesion in case.lesions:
            seen[lesion.attributes["texture"]["density"]] += 1
            if None in here:
                assert "dens" not in (lesion.phrase or "")
    assert min(seen.values()) >= 3


def test_findings_are_measured_on_a_detector_of_some_twenty_centimetres() -> None:
    scene = mammogram.scene(np.random.default_rng(1), SIZE)
    assert 180 <= scene.mm * SIZE <= 300


def test_the_nipple_is_on_the_outline() -> None:
    y, x = draw.grid(SIZE)
    for i in range(60):
        b = breast(np.random.default_rng([2, i]), SIZE)
        far = np.hypot(y - b.tip[0], x - b.tip[1])
        assert far[b.inside].min() < 0.05
        assert far[b.inside & (b.under > 0.1)].min(initial=1) > 0.05


def test_findings_lie_below_the_skin(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def recorded(rng: np.random.Generator, size: int) -> Breast:
        made.append(breast(rng, size))
        return made[-1]

    monkeypatch.setattr(mammogram, "breast", recorded)
    for i in range(20):
        places = mammogram.scene(np.random.default_rng([6, i]), SIZE).places
        deep = made[-1].inside & (made[-1].under > 0.0125)
        assert not any((place.body & ~deep).any() for place in places)


def test_spicules_start_in_their_finding() -> None:
    rng = np.random.default_rng(3)
    scene = mammogram.scene(np.random.default_rng(1), SIZE)
    blob = draw.place(rng, draw.outline(rng, "round", "smooth", 120), (70.0, 25.0), SIZE)
    assert blob is not None
    look = Look("hyper", "homogeneous", None, "round", "spiculated", "medium")
    lines = mammogram._spicules(rng, Spot("breast finding", look, scene.places[0], blob), SIZE)
    ends = np.array([points[0] for points, _, _ in lines[::2]]) * SIZE - (25, 70)  # x, y
    assert np.hypot(*ends.T).max() < np.sqrt(120 / np.pi)


def test_uptake_of_a_subtracted_picture_is_called_no_density(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for name in ("plain", "subtracted"):
        draws = getattr(mammogram, name)
        monkeypatch.setattr(mammogram, name, lambda *a, n=name, d=draws: drawn.append(n) or d(*a))
    for i in range(12):
        rng = np.random.default_rng([8, i])
        scene = mammogram.scene(rng, SIZE)
        scene.render(rng, ())
        (concept,) = scene.concepts
        assert (set(concept.density) == {None}) == (drawn[-1] == "subtracted")
    assert set(drawn) == {"plain", "subtracted"}
