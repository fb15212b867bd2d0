"""Which rows of the network a question takes: the mirror image, twins, what is kept."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.small_networks import small_predictor

from medsegr import predict
from medsegr.backends import kept
from medsegr.backends.backend import Backend, Clicked
from medsegr.inference import passes
from medsegr.inference.passes import asked_of, doubt_of
from medsegr.predict import Predictor
from medsegr.reasoning.codes import Code
from medsegr.types import Finding, Image, Location, Prompt

LIVER, HEART, POLYP = ((Code(f"concept:{name}"),) for name in ("liver", "heart", "polyp"))


class Rows:
    """A backend that notes how many rows each pass had."""

    def __init__(self, backend: Backend, lanes: int) -> None:
        self.decoded: list[int] = []
        self.inside = backend
        narrow = partial(self._decode, clicks=Clicked()) if lanes > 1 else None
        self.backend = replace(
            backend, decode=self._decode, lanes=lanes, rows=2 if narrow else 8, narrow=narrow
        )

    def _decode(self, maps: Any, heard: Any, clicks: Any) -> Any:
        self.decoded.append(len(maps[0]))
        return self.inside.decode(maps, heard, clicks)


def noted(lanes: int = 1, **card: object) -> tuple[Predictor, list[int]]:
    made = small_predictor(**card)
    rows = Rows(made.backend, lanes)
    return Predictor(rows.backend, made.words, made.card), rows.decoded


def picture(modality: str | None = "CR") -> Image:
    return Image(np.random.default_rng(0).uniform(0, 255, (1, 64, 64)).astype(np.float32), modality=modality)


def asked(*names: str, **more: Any) -> Prompt:
    return Prompt(names, tuple(Finding(f"f{i}", n, (0, len(n)), n) for i, n in enumerate(names)), **more)


def test_what_leaves_nothing_open_is_in_no_doubt() -> None:
    sure = np.zeros((4, 4), np.float32)
    sure[1:3, 1:3] = 1
    assert doubt_of(sure) == 0
    assert doubt_of(np.full((4, 4), 0.5, np.float32)) == 0.5
    assert doubt_of(np.full((4, 4), 0.25, np.float32)) == 4  # nothing is drawn: all that is open counts whole


def test_the_mirror_image_is_asked_only_where_it_may_change_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor, rows = noted()
    for faint, sure, expected in ((0.0, 0.0, [1, 1]), (1.1, 0.0, [1]), (0.0, 1e9, [1])):
        monkeypatch.setattr(passes, "FAINT", faint)
        monkeypatch.setattr(passes, "SURE", sure)
        rows.clear()
        predictor.segment(picture(), asked("heart"))
        assert rows == expected


def test_an_answer_without_the_mirror_image_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "SURE", 1e9)
    with_mirror, without = small_predictor(), small_predictor(mirror=False)
    one, other = (p.segment(picture(), asked("heart")) for p in (with_mirror, without))
    assert np.allclose(one.prob, other.prob, atol=1e-6)
    assert np.allclose(one.extras["presence"], other.extras["presence"], atol=1e-6)


@pytest.mark.parametrize(
    ("modality", "name", "expected"),
    [("ES", "polyp", 2), ("CR", "heart", 1), ("CR", "polyp", 1), (None, "polyp", 2), (None, "heart", 1)],
)
def test_a_checkpoint_may_name_the_modalities_of_its_mirror_image(
    modality: str | None, name: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "FAINT", 0.0)
    monkeypatch.setattr(passes, "SURE", 0.0)
    known = {"polyp": {"modalities": ["ES"]}, "heart": {"modalities": ["CR", "CT"]}}
    predictor, rows = noted(mirror=["ES"], concepts=known)
    predictor.segment(picture(modality), asked(name))
    assert sum(rows) == expected


@pytest.mark.parametrize("grid", [(64, 64), (5, 64, 64)])
def test_what_is_only_compared_with_is_asked_where_the_other_is_seen(grid: tuple[int, ...]) -> None:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, *grid)).astype(np.float32), modality="CT")
    prompt = asked("heart", "liver", beside=(None, (0,)))
    seen = small_predictor(mirror=False).segment(image, prompt)
    plain = small_predictor(mirror=False).segment(image, asked("heart", "liver"))
    assert np.allclose(seen.prob, plain.prob, atol=1e-6)
    assert np.allclose(seen.extras["presence"], plain.extras["presence"], atol=1e-6)
    blind, rows = noted(mirror=False, presence_threshold=1.1)
    unseen = blind.segment(image, prompt)
    assert rows == [1 if len(grid) == 2 else 5]
    assert not unseen.prob[1].any()
    assert unseen.extras["presence"][0] > unseen.extras["presence"][1] == 0


def test_a_twin_that_asks_what_was_asked_is_no_further_question() -> None:
    predictor, rows = noted(mirror=False)
    out = predictor.segment(picture(), asked("heart", "heart", beside=(None, (0,))))
    assert rows == [1]
    assert np.array_equal(out.prob[0], out.prob[1])


def test_questions_are_sorted_into_what_counts_and_what_is_compared() -> None:
    codes = [LIVER, HEART, LIVER, POLYP, HEART]
    whom = (None, None, (1,), (0, 1), (0,))
    found, first = asked_of(codes, [True, False, True, True, False], Prompt(tuple("abcde"), beside=whom))
    assert first == [0, 1, 0, 3, 1]
    assert found.own == [0, 1, 3]
    assert found.guided == [0, 1]
    assert found.turned == [0, 3]
    assert found.beside == {3: (0, 1)}
    assert found.compared(np.array([False, True, False, False, False])) == [3]
    assert found.compared(np.zeros(5, bool)) == []


def test_a_twin_of_nobody_is_always_asked() -> None:
    for whom in (((), None), ((), None, (1,)), ((1,), None, ())):
        codes = [LIVER, HEART, LIVER][: len(whom)]
        found, _ = asked_of(codes, [False] * len(whom), Prompt(tuple("abc"[: len(whom)]), beside=whom))
        assert found.compared(np.zeros(3, bool)) == [0]


def test_clicks_make_every_question_stand_for_itself_and_no_mirror_image_is_asked() -> None:
    prompt = Prompt(("a", "b"), points=np.zeros((2, 1, 3)))
    found, first = asked_of([LIVER, LIVER], [True, True], prompt)
    assert (found.own, found.turned, first) == ([0, 1], [], [0, 1])


def test_what_the_image_shows_by_itself_is_asked_once_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"chest": ["heart"], "belly": ["liver"]}
    predictor, rows = noted(mirror=False, kinds=kinds, kinds_below=0.1)
    for name in ("heart", "liver", "heart"):
        predictor.segment(picture(), asked(name))
    assert rows == [1, 1, 1, 1]  # a row a question, and one for the picture by itself
    predictor.propose(picture())
    assert rows == [1, 1, 1, 1]
    predictor.segment(replace(picture(), data=picture().data + 1), asked("heart"))
    assert rows == [1, 1, 1, 1, 1, 1]


def test_many_questions_with_their_mirror_images_go_in_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "FAINT", 0.0)
    monkeypatch.setattr(passes, "SURE", 0.0)
    predictor, rows = noted()
    sides = [Location(rows=(r,), cols=(c,)) for r in ("upper", "middle", "lower") for c in ("left", "right")]
    many = tuple(
        Finding(f"f{i}", n, (0, 1), n, location=s)
        for i, (n, s) in enumerate((n, s) for n in ("heart", "liver") for s in sides)
    )
    together = predictor.segment(picture(), Prompt(tuple(f.name for f in many), many)).prob
    assert rows == [8, 8, 4, 4]
    alone = [predictor.segment(picture(), Prompt((f.name,), (f,))).prob[0] for f in many]
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("whom", [(None, (0,)), (None,) * 5 + ((0, 1, 2),)])
def test_lanes_change_who_computes_a_row_and_not_what_is_said(
    lanes: int, whom: tuple[tuple[int, ...] | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("heart", "liver", "polyp", "lung", "spleen", "cyst")[: len(whom)]
    prompt = asked(*names, beside=whom)
    threshold = float(np.median(small_predictor().segment(picture(), prompt).extras["presence"]))
    for faint, sure in ((0.0, 0.0), (1.1, 0.0), (0.0, 1e9)):
        monkeypatch.setattr(passes, "FAINT", faint)
        monkeypatch.setattr(passes, "SURE", sure)
        for limit in (0.0, threshold):
            one, _ = noted(presence_threshold=limit)
            many, _ = noted(lanes=lanes, presence_threshold=limit)
            plain, dealt = one.segment(picture(), prompt), many.segment(picture(), prompt)
            assert np.allclose(plain.prob, dealt.prob, atol=1e-5)
            assert np.allclose(plain.extras["presence"], dealt.extras["presence"], atol=1e-5)
            assert np.array_equal(plain.extras["presence"] == 0, dealt.extras["presence"] == 0)


@pytest.mark.parametrize(
    ("lanes", "count", "expected"),
    [(1, 5, [5]), (2, 3, [3]), (2, 5, [1, 2, 2]), (4, 5, [1, 2, 2]), (16, 5, [1] * 5), (2, 8, [2] * 4)],
)
def test_several_rows_are_dealt_out_to_the_lanes(lanes: int, count: int, expected: list[int]) -> None:
    names = ("heart", "liver", "polyp", "lung", "spleen", "kidney", "cyst", "ulcer")[:count]
    predictor, rows = noted(lanes=lanes, mirror=False)
    predictor.segment(picture(), asked(*names))
    assert sorted(rows) == expected


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("whom", [((),), ((), ()), ((1,), (0,)), ((0,),)])
def test_twins_among_themselves_are_answered_whatever_the_lanes(
    lanes: int, whom: tuple[tuple[int, ...], ...]
) -> None:
    """Those of a long list come in a call of their own, without what they are compared with."""
    names = ("heart", "liver")[: len(whom)]
    predictor, rows = noted(lanes=lanes)
    twins = predictor.segment(picture(), asked(*names, beside=whom))
    plain = small_predictor().segment(picture(), asked(*names))
    assert rows
    assert np.allclose(twins.prob, plain.prob, atol=1e-5)
    assert np.allclose(twins.extras["presence"], plain.extras["presence"], atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_picture_too_large_to_be_kept_is_encoded_once_a_round(
    lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_size", lambda _maps: kept.MOST + 1)
    made, encoded = small_predictor(mirror=False), []
    backend = Rows(made.backend, lanes).backend

    def shared(pixels: Any) -> Any:
        encoded.append(len(pixels))
        return backend.shared(pixels)

    counted = Predictor(replace(backend, shared=shared), made.words, made.card)
    counted.segment(picture(), asked("heart", "liver", "polyp", "lung", "spleen"))
    assert encoded == [1]


def test_clicks_are_not_dealt_out() -> None:
    predictor, rows = noted(lanes=4)
    points = np.array([[[30.0, 30.0, 1.0]]] * 5)
    predictor.segment(picture(), asked("heart", "liver", "polyp", "lung", "spleen", points=points))
    assert rows == [5]


def test_the_same_question_gives_the_same_bits() -> None:
    prompt = asked("heart", "liver", "polyp", beside=(None, (0,), None))
    one, other = (predict.build(untrained=True).segment(picture(), prompt) for _ in range(2))
    assert np.array_equal(one.prob, other.prob)
    assert all(np.array_equal(one.extras[name], other.extras[name]) for name in one.extras)
