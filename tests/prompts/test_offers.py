"""Other answers: each differs from the mask and from the others, keeps to the clicks, and has its name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_discs import drawn
from medsegr.errors import UsageError
from medsegr.io.read import image_from_array
from medsegr.prompts.ask import Asked, answer, candidates
from medsegr.prompts.offers import ALIKE, MOST, alike, offers
from medsegr.prompts.session import Session
from medsegr.reviews import Hints
from medsegr.session import Model
from medsegr.types import Finding, Image, Prompt, Segmentation

SIDE = 64


class Slope:
    """A segmenter that says the same whatever it is told: hills that fall off slowly, of two heights."""

    def __init__(self, hills: tuple[tuple[int, int, float], ...] = ((24, 24, 16.0), (50, 52, 6.0))) -> None:
        self.hills = hills

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        h, w = image.grid[-2:]
        rows, cols = np.mgrid[:h, :w]
        away = [np.hypot(rows - y, cols - x) / (2 * size) for y, x, size in self.hills]
        prob = np.clip(1 - np.min(away, 0), 0, 1).astype(np.float32)
        if len(image.grid) == 3:
            prob = np.repeat(prob[None], image.grid[0], 0)
        return Segmentation(np.repeat(prob[None], len(prompt.targets), 0), prompt.targets, image.affine)


class Wide(Slope):
    """One that draws more where it hears no words."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        said = super().segment(image, prompt)
        if prompt.findings and prompt.findings[0].name:
            return said
        return Segmentation(np.sqrt(said.prob), said.targets, said.affine)


def picture() -> Image:
    values = np.random.default_rng(0).uniform(0, 255, (SIDE, SIDE)).astype(np.float32)
    return image_from_array(values, modality="CR", frame="patient")


def clicked(model: Slope, phrase: str = "nodule") -> Session:
    session = Model(model).open(picture())
    session.draw(phrase, points=[[24, 24, 1]])
    return session


def share(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("phrase", ["nodule", ""])
def test_where_the_model_always_says_the_same_the_mask_itself_is_varied(phrase: str) -> None:
    session = clicked(Slope(), phrase)
    found = {one.how: one for one in session.candidates()}
    assert set(found) >= {"tighter", "looser"}
    now = drawn(session)
    assert not (found["tighter"].mask & ~now).any()
    assert not (now & ~found["looser"].mask).any()
    assert all(one.score is None for how, one in found.items() if how in ("tighter", "looser"))


class Cliff(Slope):
    """One that is sure of a core and hardly of the wide rest, beyond which it falls to next to nothing."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        rows, cols = np.mgrid[:SIDE, :SIDE]
        away = np.hypot(rows - 24, cols - 24)
        prob = np.select([away <= self.hills[0][2], away <= 8], [0.99, 0.55], 0.45).astype(np.float32)
        return Segmentation(np.repeat(prob[None], len(prompt.targets), 0), prompt.targets, image.affine)


class Frame(Slope):
    """One that draws the thin frame of each box, and hears nothing."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        boxes = [(0, 0, SIDE, SIDE)] if prompt.boxes is None else prompt.boxes
        prob = np.zeros((len(prompt.targets), SIDE, SIDE), np.float32)
        for mask, (x0, y0, x1, y1) in zip(prob, np.asarray(boxes, int), strict=True):
            mask[y0:y1, x0:x1] = 1
            mask[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = 0
        return Segmentation(prob, prompt.targets, image.affine)


@pytest.mark.parametrize(("name", "filled"), [("retinal vessels", False), ("", True)])
def test_a_thing_that_has_a_name_may_be_thin_whatever_the_model_is_told(name: str, filled: bool) -> None:
    hints = Hints(points=((30, 30, 1),), boxes=((10.0, 10.0, 50.0, 50.0),))  # the click is not followed
    asked = Asked(picture(), Finding("f1", name, (0, len(name)), name), hints, anew=True)
    found = {one.how: one.mask for one in candidates(Frame(), asked)}
    assert bool(found["prompts alone"][20, 40]) == filled, "far from the click, inside the box"
    assert bool(answer(Frame(), asked).mask[20, 40]) == filled


@pytest.mark.parametrize(("core", "there"), [(3.0, False), (5.0, True)])
def test_what_has_less_than_a_quarter_of_the_mask_or_four_times_it_is_another_thing(
    core: float, there: bool
) -> None:
    names = {one.how for one in clicked(Cliff(((24, 24, core),))).candidates()}
    assert ("tighter" in names) == there
    assert "looser" not in names, "the whole picture"


def test_the_largest_part_is_the_one_that_was_clicked() -> None:
    session = clicked(Slope(((24, 24, 12.0), (50, 52, 9.0))))
    found = {one.how: one.mask for one in session.candidates()}
    assert found["largest part"][24, 24]
    assert not found["largest part"][50, 52]
    assert drawn(session)[50, 52]


def test_what_the_model_draws_otherwise_comes_first() -> None:
    session = clicked(Wide())
    first, *rest = session.candidates()
    assert first.how == "prompts alone"
    assert "words and prompts" not in {one.how for one in rest}, "that is the mask as it is"
    session.choose("prompts alone")
    assert (drawn(session) == first.mask).all()
    assert "words and prompts" in {one.how for one in session.candidates()}, "now that one is another"


def test_nothing_is_offered_where_nothing_differs() -> None:
    class Sharp(Slope):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            said = super().segment(image, prompt)
            whole = said.prob * (np.arange(SIDE) < 40)
            return Segmentation((whole >= 0.5).astype(np.float32), said.targets, said.affine)

    session = clicked(Sharp())
    assert session.candidates() == ()
    with pytest.raises(UsageError, match="no other answer"):
        session.choose(0)
    with pytest.raises(UsageError, match="no other answer"):
        session.choose("tighter")


def test_an_answer_is_named_or_numbered() -> None:
    session = clicked(Slope())
    names = [one.how for one in session.candidates()]
    with pytest.raises(UsageError, match="one of tighter"):
        session.choose("wider")
    session.choose(names.index("looser"))
    by_number = drawn(session)
    session.undo()
    session.choose("looser")
    assert (drawn(session) == by_number).all()
    assert len(session.steps) == 2


def test_choices_are_replayed_by_their_names(tmp_path: Path) -> None:
    model = Model(Slope())
    session = model.open(picture())
    session.draw("nodule", points=[[24, 24, 1]])
    session.choose("looser")
    session.choose("tighter")
    path = session.save(tmp_path / "session.json")
    assert '"how": "looser"' in path.read_text(encoding="utf-8")
    again = model.replay(path, picture())
    assert (drawn(again) == drawn(session)).all()
    assert not again.result.warnings  # type: ignore[union-attr]


def test_a_file_from_before_answers_had_names_is_replayed(tmp_path: Path) -> None:
    model = Model(Wide())
    session = model.open(picture())
    session.draw("nodule", points=[[24, 24, 1]])
    session.choose("prompts alone")
    path = session.save(tmp_path / "session.json")
    told = path.read_text(encoding="utf-8")
    path.write_text(told.replace('"how": "prompts alone"', '"how": null'), encoding="utf-8")
    assert len(model.replay(path, picture()).steps) == 2


def test_on_a_volume_they_are_of_the_slice() -> None:
    values = np.random.default_rng(1).uniform(0, 255, (5, SIDE, SIDE)).astype(np.float32)
    session = Model(Slope()).open(image_from_array(values, spacing=(3.0, 1.0, 1.0), modality="CT"))
    session.segment("nodule")
    session.refine("f1", points=[[24, 24, 1]], slice=2)
    before = drawn(session)
    found = {one.how: one.mask for one in session.candidates()}
    assert found["tighter"].shape == (SIDE, SIDE)
    assert not alike(found["tighter"], before[2])
    session.choose("tighter")
    assert (drawn(session)[2] == found["tighter"]).all()


@given(
    hills=st.lists(
        st.tuples(st.integers(4, 60), st.integers(4, 60), st.floats(2, 20)), min_size=1, max_size=4
    ),
    points=st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63), st.sampled_from([0, 1])), max_size=3),
    limit=st.floats(0.2, 0.8),
)
def test_all_differ_and_keep_to_the_clicks(
    hills: list[tuple[int, int, float]], points: list[tuple[int, int, int]], limit: float
) -> None:
    model, image = Slope(tuple(hills)), picture()
    prob = model.segment(image, Prompt(("nodule",), (Finding("f1", "", (0, 0), "nodule"),))).prob[0]
    now = prob >= limit
    found = offers(model, Asked(image, Finding("f1", "", (0, 0), "nodule"), Hints(points=tuple(points))), now)
    assert len(found) <= MOST
    assert len({one.how for one in found}) == len(found)
    wanted = {(y, x): inside for x, y, inside in points}
    for n, one in enumerate(found):
        assert one.mask.any()
        assert share(one.mask, now) < ALIKE
        assert all(share(one.mask, other.mask) < ALIKE for other in found[:n])
        assert all(bool(one.mask[at]) == bool(inside) for at, inside in wanted.items())
