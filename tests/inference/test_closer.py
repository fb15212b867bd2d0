"""Small lesions are looked at once more from close up; what is not surely the same does not count."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from medsegr.grid.planes import plane_of
from medsegr.inference.closer import FEWEST, MOST, SURE, WIDER, look_closer, part_around
from medsegr.io.read import image_from_array
from medsegr.types import Finding, Image, Location, Prompt, Segmentation

GRID = (120, 160)
SPOT = (slice(40, 60), slice(70, 100))


def mask_of(*spots: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros(GRID, bool)
    for spot in spots:
        mask[spot] = True
    return mask


def finding(name: str = "polyp", **told: object) -> Finding:
    return replace(Finding("f1", name, (0, len(name)), name), **told)  # type: ignore[arg-type]


def said_of(*masks: np.ndarray, presence: float = 0.9, exact: bool = True) -> Segmentation:
    prob = np.stack(masks) * np.float32(0.8)
    extras = {name: np.full(len(masks), presence, np.float32) for name in ("presence", "quality")}
    made = prob if exact else (prob * 255).astype(np.uint8)
    return Segmentation(made, tuple("polyp" for _ in masks), None, extras)


class Asked:
    """Answers with ``mask``, cut as the part was; notes what was asked."""

    def __init__(self, mask: np.ndarray, presence: float = 0.95, sure: float = 1.0) -> None:
        self.mask, self.presence, self.sure = mask, presence, sure
        self.prompts: list[Prompt] = []
        self.images: list[Image] = []

    def __call__(self, image: Image, prompt: Prompt) -> Segmentation:
        self.prompts.append(prompt)
        self.images.append(image)
        part = part_around(mask_of(SPOT))
        assert part is not None
        prob = self.mask[part][None] * np.float32(self.sure)
        if "prob" not in prompt.keep:
            prob = (prob * 255).astype(np.uint8)
        extras = {name: np.array([self.presence], np.float32) for name in ("presence", "quality")}
        return Segmentation(prob, prompt.targets, None, extras)


def picture() -> Image:
    rng = np.random.default_rng(0)
    return image_from_array(rng.integers(0, 255, (*GRID, 3)).astype(np.uint8), modality="ES")


def looked(said: Segmentation, ask: Asked, findings: Sequence[Finding] = (finding(),)) -> np.ndarray:
    look_closer(said, findings, picture(), 0.5, ask)
    return said.prob


def test_the_part_is_a_square_around_the_mask_and_inside_the_picture() -> None:
    rows, cols = part_around(mask_of(SPOT)) or (slice(0), slice(0))
    assert (rows.stop - rows.start, cols.stop - cols.start) == (round(30 * WIDER),) * 2
    assert ((rows.start + rows.stop) / 2, (cols.start + cols.stop) / 2) == (50, 85)
    rows, cols = part_around(mask_of((slice(0, 20), slice(130, 160)))) or (slice(0), slice(0))
    assert (rows.start, cols.stop) == (0, GRID[1])
    small = part_around(mask_of((slice(60, 62), slice(80, 82)))) or (slice(0), slice(0))
    assert all(one.stop - one.start == FEWEST for one in small)


@pytest.mark.parametrize(
    "mask",
    [
        mask_of(),
        mask_of(SPOT, (slice(90, 110), slice(20, 50))),
        mask_of((slice(5, 115), slice(40, 40 + round(MOST / WIDER * GRID[1]) + 2))),
        np.ones((30, 30), bool),
    ],
    ids=["nothing", "two things", "a large one", "a picture of few pixels"],
)
def test_nothing_is_looked_at_again(mask: np.ndarray) -> None:
    assert part_around(mask) is None


def test_of_the_mirrored_picture_it_is_the_mirrored_part() -> None:
    for spot in ((slice(31, 62), slice(17, 40)), (slice(3, 21), slice(120, 151))):
        rows, cols = part_around(mask_of(spot)) or (slice(0), slice(0))
        turned = part_around(mask_of(spot)[:, ::-1])
        assert turned == (rows, slice(GRID[1] - cols.stop, GRID[1] - cols.start))


def test_a_speck_beside_it_does_not_hide_a_thing() -> None:
    speck = mask_of(SPOT, (slice(10, 12), slice(10, 12)))
    assert part_around(speck) == part_around(mask_of(SPOT))


@pytest.mark.parametrize("exact", [True, False])
def test_both_answers_are_averaged_in_the_part_alone(exact: bool) -> None:
    first, second = mask_of(SPOT), mask_of((slice(44, 60), slice(70, 100)))
    far = first.copy()
    far[0, 0] = True  # a speck outside the part stays as it was
    prob = looked(said_of(far, exact=exact), Asked(second))[0]
    scale = 1 if exact else 255
    assert prob[50, 80] == pytest.approx(0.9 * scale, abs=0.01 * scale)
    assert prob[41, 80] == pytest.approx(0.4 * scale, abs=0.01 * scale)
    assert prob[0, 0] == pytest.approx(0.8 * scale, abs=0.01 * scale)
    assert ((prob >= (0.5 if exact else 128)) == (second | (far & ~first))).all()


@pytest.mark.parametrize("exact", [True, False])
def test_what_one_of_them_draws_alone_is_not_drawn(exact: bool) -> None:
    more = mask_of((slice(36, 60), slice(70, 100)))
    prob = looked(said_of(mask_of(SPOT), exact=exact), Asked(more, sure=0.999 if exact else 1.0))[0]
    assert ((prob >= (0.5 if exact else 128)) == mask_of(SPOT)).all()


@pytest.mark.parametrize(
    "ask",
    [Asked(mask_of(SPOT), SURE - 0.01), Asked(mask_of((slice(28, 39), slice(70, 100)))), Asked(mask_of())],
    ids=["it is not known from close up", "something else", "nothing"],
)
def test_what_is_not_surely_the_same_thing_is_not_heard(ask: Asked) -> None:
    before = said_of(mask_of(SPOT)).prob
    after = looked(said_of(mask_of(SPOT)), ask)
    assert len(ask.prompts) == 1
    np.testing.assert_array_equal(after, before)


def test_organs_and_what_is_not_there_are_not_asked_again() -> None:
    ask = Asked(mask_of(SPOT))
    looked(said_of(mask_of(SPOT)), ask, [finding("spleen")])
    looked(said_of(mask_of(SPOT), presence=0.49), ask)
    assert not ask.prompts


def test_the_part_is_turned_as_the_picture_is() -> None:
    """A slice whose file stores columns first, as NIfTI does, and says so by its affine alone."""
    stored = np.diag([-1.0, -1.0, 1.0, 1.0])
    image = replace(picture(), affine=stored, frame="patient", modality="CT", axes=None)
    ask = Asked(mask_of(SPOT))
    look_closer(said_of(mask_of(SPOT)), [finding()], image, 0.5, ask)
    assert plane_of(image) != plane_of(replace(image, affine=None))
    assert [plane_of(one) for one in ask.images] == [plane_of(image)]


def test_it_is_asked_once_by_the_name_without_a_place() -> None:
    ask = Asked(mask_of(SPOT))
    placed = finding(location=Location(rows=("upper",), cols=("left",)))
    looked(said_of(mask_of(SPOT), mask_of(SPOT)), ask, [placed, finding()])
    assert [one.findings[0].location for one in ask.prompts] == [Location()]
    rows, cols = part_around(mask_of(SPOT)) or (slice(0), slice(0))
    np.testing.assert_array_equal(ask.images[0].data, picture().data[:, rows, cols])
