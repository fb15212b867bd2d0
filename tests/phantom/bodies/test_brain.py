"""What is particular to slices of the brain: names of its parts, and how many millimetres a pixel has."""

from functools import cache

import numpy as np
import pytest

from medsegr import phantom
from medsegr.phantom.bodies import brain
from medsegr.phantom.bodies.head import axial
from medsegr.phantom.scene import Scene

SIZE = 96


@cache
def scenes() -> tuple[Scene, ...]:
    return tuple(brain.scene(np.random.default_rng([31, i]), SIZE) for i in range(150))


def test_a_cerebellum_is_in_no_cerebral_hemisphere() -> None:
    places = [place for scene in scenes() for place in scene.places]
    low = [place for place in places if "cerebellum" in place.key]
    high = [place for place in places if "parietal" in place.key]
    assert low
    assert not any(place.wide or place.wide_key for place in low)
    assert high
    assert all(place.wide_key in place.wide[0] and "cerebral" in place.wide[0] for place in high)


def test_a_slice_at_the_vertex_is_smaller_and_not_nearer() -> None:
    heads = [axial(np.random.default_rng([32, i]), SIZE) for i in range(60)]
    assert min(head.frame.radii[0] for head in heads) < 0.3  # the vertex is among them
    for head in heads:
        width_mm = head.tall_mm / (2 * head.frame.radii[0])  # of the picture
        assert 190 < width_mm < 270


ABOVE = (  # what lies higher in a picture, axial (forehead up) or coronal (crown up)
    *(("frontal", other) for other in ("temporal", "parietal", "occipital")),
    ("temporal", "occipital"),
    ("parietal", "temporal"),
    *((lobe, "cerebellum") for lobe in ("temporal", "parietal", "occipital")),
)


def test_lobes_lie_as_in_a_head() -> None:
    compared = set()
    for scene in scenes():
        at = {}
        for place in scene.places:
            side, _, name = place.key.partition(" ")
            at[name, side] = [float(axis.mean()) for axis in np.nonzero(place.core)]
        for side in ("right", "left"):
            for high, low in ABOVE:
                if (high, side) in at and (low, side) in at:
                    compared.add((high, low))
                    assert at[high, side][0] < at[low, side][0], (high, low)
        for name in {name for name, _ in at}:
            if (name, "right") in at and (name, "left") in at:
                assert at[name, "right"][1] < at[name, "left"][1]  # the patient's right is at the left
    assert compared == set(ABOVE)


def test_plaques_leave_the_ventricles_free() -> None:
    kept = 0
    for i in range(60):
        rng = np.random.default_rng([33, i])
        head = axial(rng, SIZE)
        hollow = head.ventricles > 0
        for place in brain._places(rng, head, True) if hollow.any() else ():
            kept += 1
            assert not (place.body & hollow).any()
    assert kept > 50


def test_plaques_come_in_number_and_gliomas_mostly_alone() -> None:
    made = [phantom.make("brain", np.random.default_rng([34, i]), SIZE) for i in range(90)]
    counts = {"glioma": [], "multiple sclerosis lesion": []}
    for case in made:
        if case.lesions:
            counts[case.lesions[0].attributes["name"]].append(len(case.lesions))
    assert np.mean(counts["glioma"]) < 1.4
    assert np.mean(counts["multiple sclerosis lesion"]) > 2


def test_the_brain_is_what_its_halves_leave_of_it() -> None:
    left = []
    for scene in scenes():
        organ, halves = scene.organs["brain"], np.any([place.body for place in scene.places], axis=0)
        assert not (halves & ~organ).any()
        left.append((organ & ~halves).sum() / organ.sum())  # ventricles, cleft, spared cortex
    assert np.quantile(left, 0.25) < 0.06


@pytest.mark.parametrize(("size", "most"), [(96, 1), (256, 1), (1024, 4)])
def test_contrasts_of_one_slice_lie_a_pixel_apart_at_most(size: int, most: int) -> None:
    plane = np.zeros((size, size), np.float32)
    plane[size // 2, size // 2] = 1
    moved = [
        np.abs(np.argwhere(brain._shifted(np.random.default_rng(i), plane))[0] - size // 2).max()
        for i in range(40)
    ]
    assert max(moved) == most
