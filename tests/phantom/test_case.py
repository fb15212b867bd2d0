"""A phantom's image, lesions and places agree with one another, in every kind."""

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from medsegr import phantom
from medsegr.errors import UsageError
from medsegr.phantom.concepts import CONCEPTS
from medsegr.report.parse import parse
from medsegr.types import COLOURS, COLS, DENSITIES, FORMS, MARGINS, ROWS, SIZES, UNIFORMITIES

COLOURED = {"mucosa", "cells", "skin"}
COUNT = 24
SMALLEST = {"thorax": 0.0004, "brain": 0.0007}  # share of the picture; nodules and plaques are small
# Share of pictures with two lesions or more, where it is not most of them.
SEVERAL = {"skin": 0.08, "thorax": 0.2, "mammogram": 0.3, "brain": 0.3}
NORMAL = {"skin", "brain", "thorax", "mammogram"}  # kinds of which some bodies hold no lesion
PATIENT = {"chest", "abdomen", "thorax", "brain"}  # kinds whose words are of the patient


@cache
def cases(kind: str) -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make(kind, np.random.default_rng([7, i]), 128) for i in range(COUNT))


def centre(mask: np.ndarray) -> tuple[float, float]:
    y, x = ndimage.center_of_mass(mask)
    return y + 0.5, x + 0.5


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_image_and_masks_share_one_grid(kind: str) -> None:
    for case in cases(kind):
        assert case.image.dtype == np.uint8
        shapes = {(128, 128, 3)} if kind in COLOURED else {(128, 128)}
        if kind == "brain":  # one contrast in grey or three as colours
            shapes = {(128, 128), (128, 128, 3)}
        assert case.image.shape in shapes
        assert all(x.mask.shape == (128, 128) and x.mask.dtype == bool for x in case.lesions)
        assert all(m.shape == (128, 128) and m.dtype == bool and m.any() for m in case.organs.values())
        assert np.ptp(case.image) > 100


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_one_to_five_lesions_of_honest_size_that_hardly_overlap(kind: str) -> None:
    for case in cases(kind):
        assert (0 if kind in NORMAL else 1) <= len(case.lesions) <= 5
        areas = [x.mask.mean() for x in case.lesions]
        if not areas:
            continue
        assert min(areas) >= SMALLEST.get(kind, 0.0015)
        assert max(areas) <= max(0.08, *(c.areas["large"][1] for c in CONCEPTS[kind]))
        for i, one in enumerate(case.lesions):
            for other in case.lesions[:i]:
                shared = (one.mask & other.mask).sum()
                assert shared <= 0.05 * min(one.mask.sum(), other.mask.sum()) + 0.05 * one.mask.sum()
    assert sum(len(c.lesions) >= 2 for c in cases(kind)) >= SEVERAL.get(kind, 0.7) * COUNT


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_size_words_follow_the_area(kind: str) -> None:
    area = {name: [] for name in SIZES}
    for case in cases(kind):
        for lesion in case.lesions:
            area[lesion.attributes["shape"]["size_class"]].append(lesion.mask.mean())
    found = [values for values in area.values() if values]
    assert len(found) >= 3
    assert all(max(a) < min(b) for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_attributes_are_of_the_vocabulary(kind: str) -> None:
    known = {"density": DENSITIES, "uniformity": UNIFORMITIES, "colour": COLOURS}
    shapes = {"form": FORMS, "margin": MARGINS, "size_class": SIZES}
    for case in cases(kind):
        for lesion in case.lesions:
            a = lesion.attributes
            assert all(a["texture"][k] in (None, *v) for k, v in known.items())
            assert all(a["shape"][k] in v for k, v in shapes.items())
            assert a["location"]["side_frame"] == case.frame


@pytest.mark.parametrize("kind", [k for k in phantom.KINDS if k not in PATIENT])
def test_viewer_words_are_the_ninth_of_the_picture_that_holds_the_centre(kind: str) -> None:
    for case in cases(kind):
        for lesion in case.lesions:
            y, x = centre(lesion.mask)
            where = lesion.attributes["location"]
            assert where["side"] is None
            assert where["rows"] == [ROWS[int(3 * y / 128)]]
            assert where["cols"] == [COLS[int(3 * x / 128)]]


def test_chest_side_is_the_patients_and_row_a_third_of_that_lung() -> None:
    for case in cases("chest"):
        right, left = case.organs["right lung"], case.organs["left lung"]
        assert centre(right)[1] < centre(left)[1]  # the patient's right lies at the picture's left
        assert centre(case.organs["heart"])[1] > (centre(right)[1] + centre(left)[1]) / 2
        for lesion in case.lesions:
            where = lesion.attributes["location"]
            lung = case.organs[f"{where['side']} lung"]
            assert (lesion.mask & ~lung).sum() == 0
            rows = np.flatnonzero(lung.any(axis=1))
            share = (centre(lesion.mask)[0] - rows[0]) / (rows[-1] + 1 - rows[0])
            assert where["rows"] == [ROWS[int(3 * share)]]


def test_abdomen_organs_lie_on_their_sides_and_hold_their_lesions() -> None:
    for case in cases("abdomen"):
        at = {name: centre(mask)[1] for name, mask in case.organs.items()}
        assert at["liver"] < at["spleen"]
        assert at["right kidney"] < 64 < at["left kidney"]
        for lesion in case.lesions:
            where = lesion.attributes["location"]
            organ = where["anatomy"][0]
            name = f"{where['side']} kidney" if organ == "kidney" else organ
            y, x = centre(lesion.mask)
            assert case.organs[name][int(y), int(x)]
            if where["side"] in ("right", "left"):
                assert (x < 64) == (where["side"] == "right")


def test_brain_lesions_lie_in_the_brain_on_the_side_that_is_said_and_are_bright_in_flair() -> None:
    bright = []
    for case in cases("brain"):
        brain = case.organs["brain"]
        assert len({x.attributes["name"] for x in case.lesions}) <= 1
        flair = case.image.reshape(128, 128, -1)[..., case.image.ndim // 3]  # green where in colour
        healthy = brain & ~np.any([x.mask for x in case.lesions], axis=0)
        for lesion in case.lesions:
            assert not (lesion.mask & ~brain).any()
            shift = centre(lesion.mask)[1] - centre(brain)[1]
            assert (shift < 3) if lesion.attributes["location"]["side"] == "right" else (shift > -3)
            bright.append(np.median(flair[lesion.mask]) > np.median(flair[healthy]))
    assert np.mean(bright) > 0.9
    assert {x.attributes["name"] for c in cases("brain") for x in c.lesions} == {
        "glioma",
        "multiple sclerosis lesion",
    }
    assert {c.image.ndim for c in cases("brain")} == {2, 3}


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_lesions_can_be_seen(kind: str) -> None:
    seen = total = 0
    for case in cases(kind):
        picture = case.image.reshape(128, 128, -1).astype(float)
        smooth = ndimage.gaussian_filter(picture, (1, 1, 0))
        whole = np.any([x.mask for x in case.lesions], axis=0)
        for lesion in case.lesions:
            near = ndimage.binary_dilation(lesion.mask, iterations=5) & ~ndimage.binary_dilation(whole)
            if (
                "right lung" in case.organs
            ):  # the heart and the chest wall beside a lung say nothing of the lesion
                near &= case.organs["right lung"] | case.organs.get("left lung", False)
            if near.sum() < 10:
                continue
            gap = np.abs(smooth[lesion.mask].mean(axis=0) - smooth[near].mean(axis=0)).max()
            total += 1
            seen += bool(gap > 0.5 * (smooth[near].std(axis=0).max() + 3))
    assert seen >= (0.8 if kind == "skin" else 0.85) * total > 0  # of faint spots on skin the mask has a halo


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_same_generator_same_case(kind: str) -> None:
    one, two, other = (phantom.make(kind, np.random.default_rng(s), 96) for s in (3, 3, 4))
    assert np.array_equal(one.image, two.image)
    assert one.report == two.report
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(one.lesions, two.lesions, strict=True))
    assert not np.array_equal(one.image, other.image)


@pytest.mark.parametrize(("kind", "size"), [("knee", 128), ("chest", 95), ("chest", 4096)])
def test_what_cannot_be_made_is_refused(kind: str, size: int) -> None:
    with pytest.raises(UsageError, match="phantom"):
        phantom.make(kind, np.random.default_rng(0), size)


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_bodies_without_lesions_deny_them_and_others_are_told(kind: str) -> None:
    made = [phantom.make(kind, np.random.default_rng([8, i]), 96) for i in range(60)]
    normal = [case for case in made if not case.lesions]
    assert bool(normal) == (kind in NORMAL)
    assert len(normal) < 0.45 * len(made)
    for case in normal:
        assert case.absent == tuple(concept.name for concept in CONCEPTS[kind])
        found = parse(case.report, modality=case.modality, frame=case.frame).findings
        assert any(finding.polarity == "absent" for finding in found)
        assert not any(finding.polarity == "present" and finding.drawable for finding in found)
    assert not any(case.absent for case in made if case.lesions)
