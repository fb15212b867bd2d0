"""What is particular to the made mammograms."""

from functools import cache

import numpy as np
from scipy import ndimage

from medsegr import phantom
from medsegr.phantom.bodies import mammogram
from medsegr.phantom.bodies.breast import breast

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
