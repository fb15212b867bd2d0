"""Brush and eraser: what is painted is what is kept, and it is a step like any other."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as made

from made_discs import Disc, drawn
from medsegr.errors import InputError, UsageError
from medsegr.io.read import image_from_array
from medsegr.prompts.runs import mask_of, runs_of
from medsegr.prompts.session import Session
from medsegr.results.reopen import reopen
from medsegr.results.schema import findings_schema
from medsegr.reviews import Hints, Review, review_from
from medsegr.session import Model


def begun() -> Session:
    values = np.random.default_rng(0).uniform(0, 255, (48, 64)).astype(np.float32)
    session = Model(Disc()).open(image_from_array(values, modality="CR", frame="patient"))
    session.segment("hazy opacity")
    return session


def on_volume() -> Session:
    values = np.random.default_rng(1).uniform(0, 255, (12, 40, 48)).astype(np.float32)
    session = Model(Disc()).open(image_from_array(values, spacing=(3.0, 1.0, 1.0), modality="CT"))
    session.segment("nodule")
    return session


def noise(*grid: int) -> np.ndarray:
    return np.random.default_rng(7).random(grid) < 0.5


@given(made.arrays(bool, made.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_runs_come_back(mask: np.ndarray) -> None:
    runs = runs_of(mask)
    again = mask_of(runs, (mask.shape[0], mask.shape[1]))
    assert again.dtype == bool
    assert (again == mask).all()
    assert min(runs["counts"][1:], default=1) > 0, "no stretch is cut in two"


def test_runs_are_row_by_row_and_begin_with_zeros() -> None:
    assert runs_of(np.array([[0, 1, 1], [0, 0, 1]])) == {"size": [2, 3], "counts": [1, 2, 2, 1]}
    assert runs_of(np.ones((1, 2))) == {"size": [1, 2], "counts": [0, 2]}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [-4, 8]},
        {"size": [2, 2], "counts": [4.0]},
        {"size": [2, 2], "counts": [True, 3]},
        {"size": [2, 2, 1], "counts": [4]},
        {"size": [0, 2], "counts": []},
        {"size": [2**40, 2**40], "counts": [2**80]},
        {"size": "22", "counts": "4"},
        {"size": None, "counts": [4]},
    ],
)
def test_what_is_no_run_lengths_is_refused(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError, match="run lengths of a plane were expected"):
        mask_of(wrong)
    with pytest.raises(UsageError, match="the same was expected"):
        mask_of({"size": [2, 2], "counts": [4]}, (2, 3))


def test_what_is_painted_is_kept_bit_for_bit() -> None:
    session = begun()
    session.refine(points=[[10, 10, 1], [33, 24, 0]])
    wanted = noise(48, 64)
    outcome = session.paint("f1", wanted)
    assert (drawn(session) == wanted).all(), "also where a click said otherwise before"
    wanted[:] = False
    assert drawn(session).any(), "what was given may be painted on"
    item = outcome["f1"]
    assert item.status == "segmented"
    assert item.score is None, "the model said nothing of this mask"
    assert item.review is not None
    assert item.review.edited
    assert item.review.revision == 2
    assert [(one.points, one.painted) for one in item.review.hints] == [((), True)]


def test_the_folder_tells_what_was_painted(tmp_path: Path) -> None:
    session = begun()
    wanted = noise(48, 64)
    folder = session.paint("f1", wanted).save(tmp_path / "out")
    told = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, findings_schema())
    assert told["findings"][0]["review"]["edited"] is True
    again = reopen(folder).result.findings[0]
    assert again.review == session.result["f1"].review  # type: ignore[index]
    assert again.mask is not None
    assert (again.mask == wanted).all()


def test_reviews_of_older_files_are_read() -> None:
    old = {
        "revision": 1,
        "accepted": False,
        "prompts": [{"slice": 1, "points": [], "boxes": [], "mask": True}],
    }
    assert review_from(old) == Review((Hints(slice=1, mask=True),), 1)
    assert not review_from(old).edited


def test_later_clicks_correct_what_was_painted_and_a_box_draws_over_it() -> None:
    session = begun()
    wanted = np.zeros((48, 64), bool)
    wanted[5:15, 5:15] = True
    session.paint(None, wanted)
    session.refine(points=[[40, 40, 1]])
    assert drawn(session)[40, 40]
    assert drawn(session)[5:15, 5:15].all()
    review = session.result["f1"].review  # type: ignore[index]
    assert review is not None
    assert review.edited
    session.refine(box=(20, 10, 50, 40))
    review = session.result["f1"].review  # type: ignore[index]
    assert review is not None
    assert not review.edited
    session.paint("f1", wanted)
    with pytest.raises(UsageError, match="no prompts"):
        session.candidates("f1")


def test_undo_redo_and_erasing() -> None:
    session = begun()
    before = drawn(session).copy()
    session.paint("f1", np.zeros((48, 64), np.uint8))
    assert session.result is not None
    assert (session.result["f1"].status, session.result["f1"].reason) == ("not_found", "empty")
    session.undo()
    assert (drawn(session) == before).all()
    session.redo()
    assert session.result["f1"].mask is None
    wanted = noise(48, 64)
    session.paint("f1", wanted)
    assert (drawn(session) == wanted).all(), "an erased finding can be painted again"


@pytest.mark.parametrize(
    ("mask", "slice", "told"),
    [
        (np.zeros((48, 63), bool), None, "the same was expected"),
        (np.full((48, 64), 0.5), None, "other values than 0 and 1"),
        (np.full((48, 64), np.nan), None, "other values than 0 and 1"),
        (np.full((48, 64), "1"), None, "other values than 0 and 1"),
        (np.zeros((48, 64), bool), 3, "leave the slice out"),
    ],
)
def test_a_refusal_changes_nothing(mask: np.ndarray, slice: int | None, told: str) -> None:
    session = begun()
    before = session.result
    with pytest.raises(UsageError, match=told):
        session.paint("f1", mask, slice)
    assert session.result is before
    session.accept("f1")
    with pytest.raises(UsageError, match="accepted"):
        session.paint("f1", noise(48, 64))
    with pytest.raises(UsageError, match="no finding 'f7'"):
        session.paint("f7", noise(48, 64))
    session.segment(report="No pneumothorax.")
    with pytest.raises(UsageError, match=r"denies.*by a phrase"):
        session.paint("f1", noise(48, 64))


def test_on_a_volume_one_slice_changes_and_stays() -> None:
    session = on_volume()
    before = drawn(session).copy()
    with pytest.raises(UsageError, match="slice, 0 to 11"):
        session.paint("f1", noise(40, 48))
    wanted = noise(40, 48)
    session.paint("f1", wanted, 4)
    assert (drawn(session)[4] == wanted).all()
    others = np.arange(12) != 4
    assert (drawn(session)[others] == before[others]).all()
    session.refine(points=[[5, 5, 1]], slice=6)
    assert (drawn(session)[4] == wanted).all(), "a correction is not carried over what was painted"


def test_replayed_bit_for_bit(tmp_path: Path) -> None:
    for session, grid, number in ((begun(), (48, 64), None), (on_volume(), (40, 48), 3)):
        session.refine(points=[[9, 9, 1]], slice=number)
        session.paint("f1", noise(*grid), number)
        session.refine(points=[[30, 30, 1]], slice=number)
        path = session.save(tmp_path / "session.json")
        again = session.model.replay(path, session.image)
        assert (drawn(again) == drawn(session)).all()
        assert again.result is not None
        assert session.result is not None
        assert again.result["f1"].review == session.result["f1"].review
        assert not [code for code, _ in again.result.warnings if code == "replayed_differently"]
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"counts": [', '"counts": [7, '), encoding="utf-8")
        with pytest.raises(InputError, match="damaged"):
            session.model.replay(path, session.image)


def test_a_session_that_went_on_from_a_result_is_replayed(tmp_path: Path) -> None:
    first = begun()
    result = first.result
    assert result is not None
    session = first.model.resume(result)
    path = session.save(tmp_path / "untouched.json")
    assert not first.model.replay(path, first.image, result=result).steps
    session.paint("f1", noise(48, 64))
    session.refine("f1", points=[[1, 1, 1]])
    path = session.save(tmp_path / "session.json")
    again = first.model.replay(path, first.image, result=result)
    assert (drawn(again) == drawn(session)).all()
    with pytest.raises(InputError, match="give that with result="):
        first.model.replay(path, first.image)
    with pytest.raises(InputError, match="another one"):
        first.model.replay(path, first.image, result=session.result)
    with pytest.raises(InputError, match="leave result= out"):
        first.model.replay(first.save(tmp_path / "other.json"), first.image, result=result)


@given(st.data())
def test_any_planes_in_any_order_end_as_the_last_of_each(data: st.DataObject) -> None:
    session = on_volume()
    kept = drawn(session).copy()
    rng = np.random.default_rng(0)
    for number in data.draw(st.lists(st.integers(0, 11), max_size=4)):
        kept[number] = rng.random((40, 48)) < 0.3
        session.paint("f1", kept[number], number)
    assert (drawn(session) == kept).all()
