"""The drawing tools do what their words say."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.phantom import draw
from medsegr.phantom.concepts import CONCEPTS
from medsegr.phantom.looks import AREAS, clear_differences
from medsegr.phantom.plan import look
from medsegr.types import FORMS, MARGINS


def elongation(mask: np.ndarray) -> float:
    low, high = np.linalg.eigvalsh(np.cov(np.stack(np.nonzero(mask))))
    return float(np.sqrt(high / low))


def blob(form: str, margin: str, seed: int, area: float = 900.0) -> draw.Blob:
    rng = np.random.default_rng(seed)
    out = draw.place(rng, draw.outline(rng, form, margin, area), (100.0, 96.0), 200)
    assert out is not None
    return out


@given(st.sampled_from([f for f in FORMS if f != "diffuse"]), st.sampled_from(MARGINS), st.integers(0, 999))
def test_outline_has_about_the_wanted_area_and_centre(form: str, margin: str, seed: int) -> None:
    made = blob(form, margin, seed)
    assert 0.75 * 900 < made.mask.sum() < 1.3 * 900
    assert made.area == made.mask.sum()
    assert made.alpha.min() >= 0
    assert made.alpha.max() <= 1
    assert np.array_equal(made.mask[made.window], made.alpha > 0.5)


@pytest.mark.parametrize("seed", range(8))
def test_forms_differ_as_their_words_do(seed: int) -> None:
    assert elongation(blob("round", "smooth", seed).mask) < 1.2
    assert 1.3 < elongation(blob("oval", "smooth", seed).mask) < 2.4
    assert elongation(blob("linear", "smooth", seed).mask) > 3.5


@pytest.mark.parametrize("seed", range(4))
def test_ill_defined_edges_are_wider_than_smooth_ones(seed: int) -> None:
    def edge(margin: str) -> int:
        alpha = blob("round", margin, seed).alpha
        return int(((alpha > 0.05) & (alpha < 0.95)).sum())

    assert edge("ill-defined") > 3 * edge("smooth")


def test_a_blob_off_the_grid_is_none() -> None:
    rng = np.random.default_rng(0)
    assert draw.place(rng, draw.outline(rng, "round", "smooth", 100), (-80.0, 10.0), 64) is None


@given(st.integers(0, 99), st.integers(1, 40), st.integers(16, 200))
def test_noise_is_finite_and_of_the_grid(seed: int, cells: int, size: int) -> None:
    plane = draw.noise(np.random.default_rng(seed), size, cells)
    assert plane.shape == (size, size)
    assert plane.dtype == np.float32
    assert np.isfinite(plane).all()
    assert np.abs(plane).max() < 12


def test_bump_equals_the_ellipse_near_it() -> None:
    yx = draw.grid(80)
    near = draw.bump(yx, (0.4, 0.6), (0.1, 0.2), 0.7)
    true = 1 - draw.ellipse(yx, (0.4, 0.6), (0.1, 0.2), 0.7)
    inside = true > -0.2
    assert inside.any()
    assert np.allclose(near[inside], true[inside])
    assert near.min() >= np.float32(-0.6)


def test_lay_covers_fully_or_not_at_all() -> None:
    plane = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    cover = np.zeros((4, 4), np.float32)
    cover[0] = 1
    out = draw.lay(plane, cover, 0.25)
    assert np.allclose(out[0], 0.25)
    assert np.array_equal(out[1:], plane[1:])


def test_size_classes_leave_gaps() -> None:
    spans = list(AREAS.values())
    assert all(a[1] * 1.12 < b[0] * 0.88 for a, b in itertools.pairwise(spans))


@given(st.integers(0, 9999), st.sampled_from(sorted(CONCEPTS)))
def test_clear_differences_are_symmetric_and_none_from_itself(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    concept = CONCEPTS[kind][int(rng.integers(len(CONCEPTS[kind])))]
    one, two = look(rng, concept), look(rng, concept)
    assert clear_differences(one, one) == ()
    assert clear_differences(one, two) == clear_differences(two, one)
    assert all(getattr(one, name) != getattr(two, name) for name in clear_differences(one, two))


def test_a_wider_window_ends_at_the_grid_and_holds_the_narrow_one_where_it_was() -> None:
    whole = np.arange(80, dtype=np.float32).reshape(8, 10)[:8, :8]
    window = (slice(1, 4), slice(5, 8))
    wide = draw.widened(window, 2, 8)
    assert wide == (slice(0, 6), slice(3, 8))
    around = draw.spread(whole[window], window, wide)
    only = np.zeros_like(whole)
    only[window] = whole[window]
    assert np.array_equal(around, only[wide])
