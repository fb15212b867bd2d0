"""A session: prompts in any mix; steps that can be undone, done again, replayed; a refusal loses nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_discs import Disc
from medsegr.errors import InputError, UsageError
from medsegr.io.read import image_from_array
from medsegr.prompts.session import Session
from medsegr.report.parse import parse
from medsegr.session import Model
from medsegr.types import Finding, Image

REPORT = "Hazy opacity in the left lung. Nodule in the right lung. No pneumothorax."


def picture(seed: int = 0) -> Image:
    values = np.random.default_rng(seed).uniform(0, 255, (48, 64)).astype(np.float32)
    return image_from_array(values, modality="CR", frame="patient")


def volume() -> Image:
    values = np.random.default_rng(1).uniform(0, 255, (12, 40, 48)).astype(np.float32)
    return image_from_array(values, spacing=(3.0, 1.0, 1.0), modality="CT")


def begun(hears: bool = False) -> Session:
    session = Model(Disc(hears)).open(picture())
    session.segment("hazy opacity")
    return session


def mask_of(session: Session, finding: str = "f1") -> np.ndarray:
    assert session.result is not None
    mask = session.result[finding].mask
    assert mask is not None
    return mask


class Colonoscopist(Disc):
    """Knows polyps, in endoscopy."""

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        return finding.name == "polyp" and modality in (None, "ES")


def test_what_was_refused_is_drawn_by_a_click_and_marked_so() -> None:
    session = Model(Colonoscopist()).open(image_from_array(np.zeros((48, 64), np.uint8), modality="ES"))
    first = session.segment(["polyp", "ulcer"])
    assert first["f2"].reason == "unknown_concept"
    session.refine("f1", points=[[30, 20, 1]])
    drawn = session.refine("f2", points=[[30, 20, 1]])
    said = [[one.detail for one in item.checks if one.name == "concept"] for item in drawn.findings]
    assert said == [[], ["the model was not trained for this concept; drawn because a person pointed at it"]]
    nameless = session.draw(points=[[30, 20, 1]]).findings[-1]
    assert nameless.mask is not None
    assert "concept" not in [one.name for one in nameless.checks]


def test_words_come_by_one_way() -> None:
    model = Model(Disc())
    for given in ({"report": "Nodule."}, {"text": "Nodule."}):
        assert model.segment(picture(), **given).findings  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="together"):
            model.segment(picture(), phrases=["mass"], **given)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a report came together with a text"):
        model.segment(picture(), report="Nodule.", text="Mass.")


def test_clicks_act_on_the_kind_of_image_that_the_words_told() -> None:
    model = Colonoscopist()
    values = np.random.default_rng(0).uniform(0, 255, (48, 64)).astype(np.float32)
    session = Model(model).open(image_from_array(values))
    first = session.segment("polyp")
    assert (first.image.modality, first.image.frame) == ("ES", "viewer")
    session.refine(points=[[10, 10, 1]])
    assert [image.modality for image in model.images] == ["ES"] * len(model.images)
    session.undo()
    session.undo()
    assert session.image.modality is None, "the image itself stays as it was given"
    session.segment("left lung")
    assert session.result is not None
    assert session.result.image.modality is None


def test_clicks_gather_and_are_kept() -> None:
    session = begun()
    session.refine(points=[[10, 10, 1]])
    session.refine(points=[[33, 24, 0]])
    session.refine("f1", points=[[50, 40, 1]])
    mask = mask_of(session)
    assert mask[10, 10]
    assert mask[40, 50]
    assert not mask[24, 33]
    assert mask[24, 26], "work elsewhere stays"
    review = session.result["f1"].review  # type: ignore[index]
    assert review is not None
    assert review.revision == 3
    assert review.hints[0].points == ((10, 10, 1), (33, 24, 0), (50, 40, 1))


def test_the_model_gets_the_newest_points_and_the_mask_so_far() -> None:
    session = begun()
    session.refine(points=[[x, 5, 1] for x in range(5, 45, 10)])
    told = session.model.segmenter.prompts[-1]  # type: ignore[attr-defined]
    assert told.points.tolist() == [[[15, 5, 1], [25, 5, 1], [35, 5, 1]]]
    assert told.mask is not None
    assert 0 < told.mask.min() < 0.5 < told.mask.max() < 1


def test_a_box_frames_and_disagreement_is_told() -> None:
    session = begun()
    outcome = session.refine(box=(2, 2, 14, 12))
    assert [code for code, _ in outcome.warnings if code == "words_and_clicks_disagree"]
    mask = mask_of(session)
    assert mask[7, 8]
    assert not mask[24, 32], "the words' mask lies outside the box: the box wins"
    session.refine(box=[[26, 18, 38, 30]])
    assert not [code for code, _ in session.result.warnings if code == "words_and_clicks_disagree"]  # type: ignore[union-attr]
    session.refine(box=[[2, 2, 14, 12], [44, 30, 60, 44]])
    assert mask_of(session)[7, 8]
    assert mask_of(session)[37, 52]


def test_undo_and_redo() -> None:
    session = begun()
    first = session.result
    second = session.refine(points=[[10, 10, 1]])
    assert session.undo() is first
    assert session.redo() is second
    with pytest.raises(UsageError, match="nothing to do again"):
        session.redo()
    session.undo()
    other = session.refine(points=[[50, 10, 1]])
    with pytest.raises(UsageError):
        session.redo()
    assert session.result is other
    for _ in range(5):
        session.undo()
    assert session.result is None


@pytest.mark.parametrize(
    "wrong", [{"points": [[999, 1, 1]]}, {"box": (5, 5, 5, 9)}, {"slice": 3, "points": [[1, 1, 1]]}, {}]
)
def test_a_refusal_changes_nothing(wrong: dict) -> None:  # type: ignore[type-arg]
    session = begun()
    before = session.result
    with pytest.raises(UsageError) as refused:
        session.refine(**wrong)
    assert "\n" not in str(refused.value)
    assert session.result is before
    assert len(session.steps) == 1


def test_a_statement_without_a_place_is_not_drawn_by_a_click() -> None:
    session = Model(Disc()).open(picture())
    before = session.segment(report="Hazy opacity in the left lung. The heart is normal.")
    normal = next(item for item in before.findings if item.finding.name == "normal heart")
    with pytest.raises(UsageError, match="lies in one place"):
        session.refine(normal.finding.id, points=[[30, 20, 1]])
    assert session.result is before


def test_accepting_locks() -> None:
    session = begun()
    session.accept()
    with pytest.raises(UsageError, match="accepted"):
        session.refine(points=[[1, 1, 1]])
    session.undo()
    session.refine(points=[[1, 1, 1]])
    assert mask_of(session)[1, 1]
    with pytest.raises(UsageError, match="no finding 'f9'"):
        session.accept("f9")


def test_a_finding_without_a_word_and_one_with_a_phrase() -> None:
    session = Model(Disc()).open(picture())
    session.draw(points=[[10, 10, 1]])
    session.draw("nodule", box=(30, 20, 40, 30))
    assert session.result is not None
    assert [item.finding.name for item in session.result.findings] == ["", "nodule"]
    assert mask_of(session, "f1")[10, 10]
    assert not (mask_of(session, "f1") & mask_of(session, "f2")).any()
    with pytest.raises(UsageError, match="names 2 findings"):
        session.draw("nodule and effusion", points=[[1, 1, 1]])


def test_several_answers_and_the_choice_among_them() -> None:
    session = begun(hears=True)
    with pytest.raises(UsageError, match="no prompts"):
        session.candidates()
    session.refine(points=[[10, 10, 1]])
    found = session.candidates()
    assert found
    assert all(one.mask[10, 10] for one in found)
    last = len(found) - 1
    session.choose(last)
    assert (mask_of(session) == found[last].mask).all()
    with pytest.raises(UsageError, match=r"0 to|no other answer"):
        session.choose(9)


def test_a_saved_session_gives_the_same_masks(tmp_path: Path) -> None:
    model = Model(Disc())
    session = model.open(picture())
    session.segment(report=REPORT)
    session.refine("f1", points=[[10.25, 10, 1], [33, 24, 0]])
    session.refine("f2", box=(2, 2, 14, 12))
    session.draw("nodule", points=[[20, 20, 1]])
    session.choose(0, "f4")
    session.accept("f1")
    session.undo()
    session.accept("f2")
    path = session.save(tmp_path / "session.json")
    assert "Hazy" not in path.read_text(encoding="utf-8"), "a report is kept by its hash"
    with pytest.raises(InputError, match="by hash only"):
        model.replay(path, picture())
    with pytest.raises(InputError, match="another one"):
        model.replay(path, picture(), report="No nodule.")
    again = model.replay(path, picture(), report=REPORT)
    assert [type(step) for step in again.steps] == [type(step) for step in session.steps]
    assert not [code for code, _ in again.result.warnings if code == "replayed_differently"]  # type: ignore[union-attr]
    for item in session.result.findings:  # type: ignore[union-attr]
        other = again.result[item.finding.id]  # type: ignore[index]
        assert other.review == item.review
        assert (item.mask is None) == (other.mask is None)
        assert item.mask is None or (item.mask == other.mask).all()
    whole = session.save(tmp_path / "whole.json", keep_text=True)
    assert len(model.replay(whole, picture()).steps) == len(session.steps)


@pytest.mark.parametrize("text", ["", REPORT])
def test_a_report_that_was_read_before_is_replayed(tmp_path: Path, text: str) -> None:
    """With its text or, as one made of findings alone, without."""
    session = Model(Disc()).open(picture())
    report = replace(parse(REPORT, modality="CR"), text=text)
    first = session.segment(report=report)
    path = session.save(tmp_path / "session.json")
    again = session.model.replay(path, picture(), report=text or None)
    assert again.result is not None
    assert [item.finding.name for item in again.result.findings] == [f.finding.name for f in first.findings]
    assert not [code for code, _ in again.result.warnings if code == "replayed_differently"]


def test_another_image_or_model_is_refused_by_name(tmp_path: Path) -> None:
    session = begun()
    path = session.save(tmp_path / "s.json")
    with pytest.raises(InputError, match="another one than that of the session"):
        session.model.replay(path, picture(5))
    with pytest.raises(InputError, match="frame"):
        session.model.replay(path, replace(picture(), frame="viewer"))
    other = Disc()
    other.card = {**other.card, "name": "other", "sha256": "cd" * 32}
    with pytest.raises(InputError, match=r"model disc .*this one is other"):
        Model(other).replay(path, picture())
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        session.model.replay(path, picture())
    with pytest.raises(InputError, match="cannot be read"):
        session.model.replay(tmp_path / "none.json", picture())


def test_a_mask_that_comes_out_otherwise_is_told(tmp_path: Path) -> None:
    path = begun().save(tmp_path / "s.json")
    wider = Disc(radius=9)
    again = Model(wider).replay(path, picture())
    assert again.result.warnings[-1][0] == "replayed_differently"  # type: ignore[union-attr]


def test_a_slice_is_carried_through_a_volume() -> None:
    session = Model(Disc()).open(volume())
    session.segment("nodule")
    with pytest.raises(UsageError, match="slice, 0 to 11"):
        session.refine(points=[[5, 5, 1]])
    with pytest.raises(UsageError, match="from 0 to 11"):
        session.refine(points=[[5, 5, 1]], slice=12)
    before = mask_of(session).copy()
    session.refine(points=[[5, 5, 1]], slice=6)
    mask = mask_of(session)
    assert mask.shape == (12, 40, 48)
    assert mask[6, 5, 5]
    assert (mask[:, 20, 24]).all(), "the words' own mask fits its neighbour and is carried on"
    session.refine(points=[[24, 20, 0]], slice=8)
    assert not mask_of(session)[8, 20, 24]
    assert mask_of(session)[6, 5, 5], "a slice drawn by hand stays"
    session.undo()
    session.undo()
    assert (mask_of(session) == before).all(), "each is one step"
