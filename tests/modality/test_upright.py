"""Films that lie on their side or stand on their heads, and negatives, told by their edges."""

import json
from dataclasses import replace

import numpy as np
import pytest

from medsegr import data
from medsegr.io.read import image_from_array
from medsegr.modality import upright
from medsegr.modality.upright import WAYS, Weights, described, order, otherwise_than_usual
from medsegr.types import Image

FILMS = [one.pixels[0] for one in data.make_phantoms("chest", 4711, 6)]


def film(pixels: np.ndarray) -> Image:
    return image_from_array(np.ascontiguousarray(pixels), modality="CR")


def told(pixels: np.ndarray) -> tuple[bool, int] | None:
    return otherwise_than_usual(film(pixels))


@pytest.mark.parametrize("turns", range(4))
def test_turning_a_picture_is_an_order_of_its_description(turns: int) -> None:
    view = np.random.default_rng(turns).random((64, 64)).astype(np.float32)
    turned = np.rot90(view, turns)
    assert np.allclose(described(turned), described(view)[order(turns)], atol=1e-5)
    mirrored = np.rot90(view[:, ::-1], turns)
    assert np.allclose(described(mirrored), described(view)[order(turns, True)], atol=1e-5)
    assert not np.allclose(described(turned), described(view)[order(turns + 1)], atol=1e-2)


@pytest.mark.parametrize("shown", FILMS)
def test_a_film_as_it_should_be_is_not_told(shown: np.ndarray) -> None:
    assert told(shown) is None
    assert told(shown[:, ::-1]) is None, "a mirrored film is upright"
    assert told(np.pad(shown, 40)) is None


@pytest.mark.parametrize("way", [way for way in WAYS if way != (False, 0)])
def test_what_brings_it_back_is_told(way: tuple[bool, int]) -> None:
    negative, turns = way
    for shown in FILMS:
        given = np.rot90(255 - shown if negative else shown, -turns)
        found = told(given)
        assert found == way
        back = np.rot90(255 - given if found[0] else given, found[1])
        assert np.array_equal(back, shown)


def test_sides_of_a_header_are_followed_first() -> None:
    """A film stored on its side, whose header says so, is shown upright."""
    stored = film(np.rot90(FILMS[0], 1))
    assert otherwise_than_usual(stored) == (False, 3)
    assert otherwise_than_usual(replace(stored, axes=("R", "I"))) is None


def test_other_images_are_not_looked_at() -> None:
    turned = np.rot90(FILMS[0], 1)
    for modality in ("CT", "MR", "US", None):
        assert otherwise_than_usual(replace(film(turned), modality=modality)) is None
    assert otherwise_than_usual(replace(film(turned), axes=("I", "P"))) is None, "a lateral view"
    red = np.stack([turned, turned // 2, turned // 4], -1)
    assert otherwise_than_usual(film(red)) is None


@pytest.mark.parametrize("shown", [np.zeros((60, 60)), np.full((9, 200), 7), np.eye(64) * 255])
def test_what_shows_nothing_says_nothing(shown: np.ndarray) -> None:
    assert told(shown.astype(np.uint8)) is None


def test_pictures_of_another_kind_are_not_taken_for_turned_films() -> None:
    for kind in ("ultrasound", "mammogram", "brain"):
        for one in data.make_phantoms(kind, 4711, 4):
            assert [told(np.rot90(one.pixels[0], k)) for k in range(4)] == [None] * 4


def test_nothing_is_told_below_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    known = upright.learned()["CR"]
    turned = film(np.rot90(FILMS[0], 1))
    for margin, expected in ((known.margin, (False, 3)), (1e6, None)):
        changed = Weights(known.upright, known.other, known.bias, margin)
        monkeypatch.setattr(upright, "learned", lambda changed=changed: {"CR": changed})
        assert otherwise_than_usual(turned) == expected


def test_the_weights_say_of_which_pictures_they_are_and_how_they_were_judged() -> None:
    card = json.loads(upright.FILE.read_text(encoding="utf-8"))["CR"]
    assert "cxr_covid_gb" in card["sets"]
    assert "CC BY-NC-SA" in card["licence"]
    for part in card["judged"].values():
        assert part["told"] == part["changed told"] == part["wrong"] == 0
