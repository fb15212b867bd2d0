"""Of many of a kind the words choose; of one, or of a tree of vessels, they do not."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from made_sets import blob
from medsegr.checks import agreement_check
from medsegr.io.read import image_from_array
from medsegr.meaning import among
from medsegr.meaning.among import choose, like_one, lone, meant, parts_of, place_told, scattered
from medsegr.portrait import portrait
from medsegr.reasoning.codes import Code, mirror
from medsegr.session import load
from medsegr.types import COLS, ROWS


def cells() -> np.ndarray:
    """Four in each of the nine thirds."""
    return np.any([blob(y, x, radius=4) for y in range(8, 96, 16) for x in range(8, 96, 16)], axis=0)


def tree() -> np.ndarray:
    mask = np.zeros((96, 96), bool)
    mask[4:92:8] = True  # many long pieces, as of vessels
    return mask


def test_one_thing_may_have_specks_beside_it() -> None:
    large = blob(50, 50, radius=20)
    assert lone(large)
    assert lone(large | blob(5, 5, radius=2))
    assert not lone(large | blob(5, 90, radius=9))
    assert not lone(np.zeros((96, 96), bool))


def test_cells_are_scattered_and_a_tree_or_a_pair_is_not() -> None:
    assert scattered(cells())
    assert not scattered(tree())
    assert not scattered(blob(20, 20) | blob(70, 70))
    assert not scattered(np.zeros((96, 96), bool))


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("col", range(3))
def test_a_third_keeps_its_own_cells_whole(row: int, col: int) -> None:
    window = np.zeros((96, 96), bool)
    window[32 * row : 32 * row + 32, 32 * col : 32 * col + 32] = True
    kept = meant(cells(), {"row": {ROWS[row]}, "col": {COLS[col]}})
    assert np.array_equal(kept, cells() & window)


def test_two_thirds_and_halves_add_up() -> None:
    many = cells()
    lower = meant(many, {"row": {"middle", "lower"}})
    assert np.array_equal(lower | meant(many, {"row": {"upper"}}), many)
    assert not (lower & meant(many, {"row": {"upper"}})).any()
    left = meant(many, {"side": {"left"}})
    assert np.array_equal(left[:, :48], many[:, :48])
    assert not left[:, 48:].any()


@pytest.mark.parametrize("mask", [blob(20, 20), np.zeros((96, 96), bool), np.ones((96, 96), bool)])
def test_what_is_one_stays_whole(mask: np.ndarray) -> None:
    """One tumour told in the wrong third must not vanish without a word."""
    assert np.array_equal(meant(mask, {"row": {"lower"}, "col": {"left"}}), mask)


def test_of_two_lesions_the_one_in_the_place_is_meant_and_specks_are_none() -> None:
    one, two, speck = blob(20, 20), blob(76, 70), blob(80, 10, radius=2)
    assert np.array_equal(meant(one | two, {"row": {"upper"}}), one)
    assert np.array_equal(meant(one | two, {"col": {"right"}}), two)
    assert np.array_equal(meant(one | speck, {"row": {"lower"}}), one | speck)
    beside = blob(34, 60)  # its middle lies just below the upper third
    assert np.array_equal(meant(one | two | beside, {"row": {"upper"}}), one | beside)


def test_an_organ_in_two_pieces_is_one() -> None:
    pieces = blob(20, 20) | blob(76, 70)
    prob = np.stack([pieces, pieces]).astype(np.float32)
    choose(prob, [(Code("concept:lung"), Code("row:upper")), (Code("concept:polyp"), Code("row:upper"))])
    assert np.array_equal(prob[0] > 0, pieces)
    assert np.array_equal(prob[1] > 0, blob(20, 20))
    assert np.array_equal(meant(tree(), {"row": {"upper"}}, few=False), tree())


def test_in_a_volume_the_side_alone_chooses_and_only_between_lesions() -> None:
    """Parts are those of the volume: what is two discs in one slice may be one thing around the spine."""
    volume = np.zeros((12, 96, 96), bool)
    volume[2:5] |= blob(20, 20)
    volume[6:9] |= blob(70, 76)
    sides = [(Code(f"concept:{name}"), Code("row:upper"), Code("side:right")) for name in ("cyst", "kidney")]
    for kind in (np.float32, np.uint8):
        prob = np.stack([volume, volume]).astype(kind) * kind(255 if kind is np.uint8 else 1)
        choose(prob, sides)
        assert np.array_equal(prob[0] > 0, volume & (np.arange(12) >= 6)[:, None, None])
        assert np.array_equal(prob[1] > 0, volume)
    around = volume.copy()
    around[3:8, 40:50, 20:78] = True
    around[3:8] |= blob(20, 20) | blob(70, 76)
    around[3:8, 20:70, 20:24] = around[3:8, 40:76, 74:78] = True
    one = around[None].astype(np.float32)
    choose(one, sides[:1])
    assert np.array_equal(one[0] > 0, around)
    assert parts_of(volume & (np.arange(12) < 5)[:, None, None], volume) == (1, 2)


def test_many_are_six() -> None:
    spots = [(10, 10), (10, 50), (10, 86), (50, 10), (50, 50), (86, 86)]
    assert scattered(np.any([blob(y, x, radius=4) for y, x in spots], axis=0))
    assert not scattered(np.any([blob(y, x, radius=4) for y, x in spots[1:]], axis=0))


def test_what_is_asked_is_the_first_concept_and_not_a_wider_one() -> None:
    """A cyst of the kidney is a lesion, though "kidney" stands behind it."""
    pieces = blob(20, 20) | blob(76, 70)
    prob = pieces[None].astype(np.float32)
    choose(prob, [(Code("concept:cyst"), Code("concept:kidney"), Code("row:upper"))])
    assert np.array_equal(prob[0] > 0, blob(20, 20))


def test_half_a_probability_is_a_part_of_the_mask_in_bytes_as_in_floats() -> None:
    one, two = blob(20, 20), blob(76, 70)
    for below, half in ((127, 128), (np.nextafter(np.float32(0.5), np.float32(0)), np.float32(0.5))):
        prob = np.where(one, half, np.where(two, below, 0))[None]
        prob = prob.astype(np.uint8) if half == 128 else prob.astype(np.float32)
        before = prob.copy()
        choose(prob, [(Code("concept:cyst"), Code("row:lower"))])
        assert np.array_equal(prob, before), "one part alone is drawn: nothing to choose from"


def test_a_place_where_nothing_lies_decides_nothing() -> None:
    above = cells()
    above[48:] = False
    assert np.array_equal(meant(above, {"row": {"lower"}}), above)


def test_the_place_is_the_pictures_unless_an_organ_is_told() -> None:
    told = [Code("concept:opacity"), Code("row:upper"), Code("col:left"), Code("side:right")]
    assert place_told(told) == {"row": {"upper"}, "col": {"left"}, "side": {"right"}}
    assert place_told([*told, Code("anatomy:lung")]) == {"side": {"right"}}
    assert place_told([Code("concept:nucleus"), Code("side:bilateral")]) == {}


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_only_the_question_with_a_place_is_changed(kind: type) -> None:
    full = 255 if kind is np.uint8 else 1
    prob = np.stack([cells(), cells()]).astype(kind) * kind(full)
    choose(prob, [(Code("concept:nucleus"),), (Code("concept:nucleus"), Code("row:upper"))])
    assert np.array_equal(prob[0] > 0, cells())
    assert np.array_equal(prob[1] > 0, meant(cells(), {"row": {"upper"}}))


@settings(max_examples=80, deadline=None)
@given(arrays(bool, (31, 40)), st.sampled_from(ROWS), st.sampled_from(COLS))
def test_a_choice_holds_whole_parts_and_turns_with_the_picture(mask: np.ndarray, row: str, col: str) -> None:
    codes = (Code(f"row:{row}"), Code(f"col:{col}"))
    kept = meant(mask, place_told(codes))
    labels, _ = ndimage.label(mask)
    assert np.array_equal(kept, np.isin(labels, np.unique(labels[kept])) & mask)
    assert kept.any() == mask.any()
    flipped = meant(mask[:, ::-1], place_told(mirror(codes)))
    edge = ndimage.center_of_mass(mask, labels, range(1, labels.max() + 1)) if mask.any() else [(0, 0)]
    if not any(abs((x + 0.5) * 3 / 40 - line) < 1e-9 for _, x in edge for line in (1, 2)):
        assert np.array_equal(flipped[:, ::-1], kept)


def test_a_part_for_training_holds_whole_things_and_one_at_least() -> None:
    labels, _ = ndimage.label(cells())
    for seed in range(10):
        part = like_one(cells(), frozenset({"row", "col"}), np.random.default_rng(seed))
        kept = set(np.unique(labels[part]))
        assert kept
        assert np.array_equal(part, np.isin(labels, sorted(kept)))


def test_thousands_of_specks_take_little_memory() -> None:
    specks = np.zeros((256, 256), bool)
    specks[::2, ::2] = True
    meant(specks, {"side": {"left"}})  # imports what it needs
    tracemalloc.start()
    kept = meant(specks, {"side": {"left"}})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(kept, specks & (np.arange(256) < 128))
    assert peak < 200 * specks.size


@pytest.mark.parametrize("shape", [(9, 14), (5, 9, 14)])
def test_middles_do_not_hang_on_how_many_are_counted_at_once(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.random.default_rng(3).random(shape) > 0.7
    labels, count = ndimage.label(mask)
    for piece in (7, 2**20):
        monkeypatch.setattr(among, "PIECE", piece)
        for axis in (-2, -1):
            centres = np.array(ndimage.center_of_mass(mask, labels, range(1, count + 1)))[:, axis]
            assert np.allclose(
                among._middles(labels, among._sizes(labels, count), axis), (centres + 0.5) / shape[axis]
            )


def test_the_check_says_how_many_parts_are_meant() -> None:
    kept = meant(cells(), {"row": {"upper"}, "col": {"left"}})
    assert parts_of(kept, cells()) == (4, 36)
    assert parts_of(cells(), cells()) is None
    check = agreement_check(kept, cells())
    assert check is not None
    assert check.outcome == "pass"
    assert "4 of its 36 parts" in check.detail


def test_many_things_have_no_place_of_their_own() -> None:
    """Else a report written from a mask would ask for a part of it."""
    image = image_from_array(np.zeros((96, 96), np.uint8), modality="GM", frame="viewer")
    many, one = (
        portrait(image, cells(), "nucleus").location,
        portrait(image, blob(20, 20), "nucleus").location,
    )
    assert (many.rows, many.cols) == ((), ())
    assert (one.rows, one.cols) == (("upper",), ("left",))


@pytest.mark.weights
def test_nuclei_in_a_corner_are_those_of_the_corner() -> None:
    yy, xx = np.mgrid[:256, :256]
    rng = np.random.default_rng(3)
    field = rng.normal(12, 3, (256, 256))
    for y in range(20, 256, 36):
        for x in range(20, 256, 36):
            field += 150 * (((yy - y) / 9) ** 2 + ((xx - x) / 8) ** 2 <= 1)
    image = image_from_array(
        ndimage.gaussian_filter(field, 1.0).clip(0, 255).astype(np.uint8), modality="GM", frame="viewer"
    )
    result = load().segment(image, phrases=("nuclei", "nuclei in the upper left of the image"))
    every, some = (item.mask for item in result.findings)
    assert every is not None
    assert some is not None
    assert ndimage.label(every)[1] > 30
    assert 0 < ndimage.label(some)[1] <= 9
    assert np.argwhere(some).max() < 110
    assert any("of its" in check.detail for check in result.findings[1].checks)
