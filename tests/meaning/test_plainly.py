"""A look chooses among several things; where one is drawn without it, it says nothing."""

from dataclasses import replace

import numpy as np
import pytest

from made_sets import blob
from medsegr.meaning.plainly import with_plain, without_plain
from medsegr.predict import build
from medsegr.report.parse import parse_phrase
from medsegr.types import Image, Prompt, Segmentation

ONE = blob(60, 60, radius=20)
PART = blob(60, 60, radius=5)
CELLS = np.any([blob(y, x, radius=5) for y in (15, 40, 65) for x in (15, 40, 65)], axis=0)


def prompt(*phrases: str) -> Prompt:
    return Prompt(phrases, tuple(parse_phrase(one, modality="ES").findings[0] for one in phrases))


def said(plain: np.ndarray, quality: tuple[float, float], presence: float = 1.0) -> Segmentation:
    """A target told with a look, drawn as ``PART``, and behind it the same without."""
    extras = {
        "presence": np.array([1.0, presence], np.float32),
        "quality": np.array(quality, np.float32),
    }
    return Segmentation(np.stack([PART, plain]).astype(np.float32), ("polyp", "polyp"), None, extras)


@pytest.mark.parametrize("look", ["pink", "small", "irregular", "spiculated", "hyperdense", "5 mm"])
def test_only_what_is_told_with_a_look_is_asked_twice(look: str) -> None:
    words = f"two {look} polyps in the upper left"
    whole = replace(prompt("polyp", words, "two polyps in the upper left"), beside=(None, None, (0,)))
    asked, twins = with_plain(whole)
    assert list(twins) == [1]
    assert asked.targets == (*whole.targets, words)
    assert asked.beside == (None, None, (0,), None)
    twin, same = asked.findings[3], asked.findings[2]
    assert (twin.texture, replace(twin.shape, spans=())) == (same.texture, replace(same.shape, spans=()))
    assert (twin.location.rows, twin.location.cols, twin.shape.count) == (("upper",), ("left",), 2)


def test_a_density_that_stands_in_the_name_stays() -> None:
    told = tuple(
        parse_phrase(one, modality="CR").findings[0] for one in ("ground-glass opacity", "hazy consolidation")
    )
    asked, _ = with_plain(Prompt(("", ""), told))
    assert [one.texture.density for one in asked.findings[:1]] == ["ground-glass"]
    assert all(one.texture.density == "consolidation" for one in asked.findings[2:])


def test_what_is_compared_with_a_target_is_with_its_twin() -> None:
    whole = replace(prompt("small pink polyp", "polyp", "ulcer"), beside=(None, (0,), ()))
    assert with_plain(whole)[0].beside == (None, (0, 3), (), None)
    assert with_plain(prompt("pink polyp"))[0].beside == ()


@pytest.mark.parametrize(
    ("plain", "quality", "presence", "taken"),
    [
        (ONE, (0.4, 0.9), 1.0, True),
        (ONE, (0.9, 0.9), 1.0, False),  # the look is trusted as much
        (ONE, (0.4, 0.9), 0.5, True),  # just seen
        (ONE, (0.4, 0.9), 0.2, False),  # not seen without it
        (CELLS, (0.4, 0.9), 1.0, True),  # a field of them
        (ONE | blob(15, 15, radius=9), (0.4, 0.9), 1.0, False),  # two things to choose from
    ],
)
def test_where_one_thing_is_drawn_without_it_the_look_says_nothing(
    plain: np.ndarray, quality: tuple[float, float], presence: float, taken: bool
) -> None:
    out = without_plain(said(plain, quality, presence), [0], 0.5)
    assert out.targets == ("polyp",)
    assert np.array_equal(out.prob[0] >= 0.5, plain if taken else PART)
    assert out.extras["quality"].tolist() == [np.float32(quality[taken])]


def test_bytes_are_read_as_probabilities() -> None:
    told = said(ONE, (0.4, 0.9))
    faint = told.prob * 255 + 100 * (told.prob == 0) * blob(15, 15, radius=9)
    out = without_plain(replace(told, prob=faint.astype(np.uint8)), [0], 0.5)
    assert np.array_equal(out.prob[0] >= 128, ONE)


def test_a_target_has_one_answer_whatever_look_it_is_told_with() -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 40, 48)).astype(np.float32)
    asked = prompt("pink polyp", "polyp")
    out = build(untrained=True).segment(Image(pixels, modality="ES"), asked)
    assert out.prob.shape == (2, 40, 48)
    assert out.targets == asked.targets
    assert {values.shape[0] for values in out.extras.values()} == {2}
