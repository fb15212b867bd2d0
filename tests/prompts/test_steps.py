"""What a session did comes back from its file as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.options import Options
from medsegr.prompts.steps import Accepted, Chosen, Drawn, Saved, Step, Words, read, write
from medsegr.report.parse import parse
from medsegr.reviews import Hints, Review, review_from, review_json

SENTENCES = ("Spiculated 12 x 9 mm nodule in the right upper lobe.", "No pneumothorax.", "Two small cysts.")
NUMBER = st.floats(0, 500).map(lambda value: round(value, 3))
POINTS = st.lists(st.tuples(NUMBER, NUMBER, st.integers(0, 1)), max_size=4).map(tuple)
BOXES = st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), max_size=2).map(tuple)
# Plain values only: the checker of types draws its own chance, which strategies must not.
HINTS = st.tuples(POINTS, BOXES, st.none() | st.integers(0, 300), st.booleans(), st.booleans())
WORDS = st.tuples(
    st.lists(st.text(max_size=20), max_size=2).map(tuple), st.none() | st.text(min_size=1, max_size=30)
)


def saved(steps: tuple[Step, ...]) -> Saved:
    image = {"sha256": "ab", "modality": "CT", "frame": "patient"}
    return Saved(
        image, {"name": "m", "sha256": "cd"}, Options(polarity=("present", "uncertain")), steps, {"f1": "e"}
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(WORDS, HINTS, st.sampled_from(SENTENCES), st.integers(0, 2))
def test_steps_come_back(
    tmp_path: Path, words: tuple[Any, Any], hints: tuple[Any, ...], sentence: str, number: int
) -> None:
    steps: tuple[Step, ...] = (
        Words(words[0]),
        Words(report=words[1]),
        Words(findings=parse(sentence, modality="CT").findings),
        Drawn(None if number else "f1", Hints(*hints), phrase=sentence),
        Chosen("f2", number),
        Accepted("f1"),
    )
    told = saved(steps)
    again = read(write(told, tmp_path / "s.json", keep_text=True))
    assert [_bare(step) for step in again.steps] == [_bare(step) for step in told.steps]
    assert (again.options, again.masks, dict(again.image)) == (told.options, told.masks, dict(told.image))


def _bare(step: Step) -> object:
    return (step.phrases, step.findings, step.report) if isinstance(step, Words) else step


@given(HINTS, st.integers(0, 9), st.booleans())
def test_reviews_come_back(hints: tuple[Any, ...], revision: int, accepted: bool) -> None:
    review = Review((Hints(*hints),), revision, accepted)
    assert review_from(review_json(review)) == review


def test_a_mask_comes_back_bit_for_bit(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((7, 9)).astype(np.float32)
    path = write(saved((Drawn("f1", Hints(mask=True), mask),)), tmp_path / "s.json")
    step = read(path).steps[0]
    assert isinstance(step, Drawn)
    assert step.mask is not None
    assert (step.mask == mask).all()
    text = path.read_text(encoding="utf-8")
    for old, new in (('"grid"', '"grit"'), ('"f1"', "[]["), ("float32", "float64"), ("refine", "retire")):
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(InputError):
            read(path)


def test_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write(saved(()), tmp_path)
    assert not list(tmp_path.iterdir())
