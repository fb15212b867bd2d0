"""What is particular to slices of the brain: names of its parts, and how many millimetres a pixel has."""

from functools import cache

import numpy as np

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
