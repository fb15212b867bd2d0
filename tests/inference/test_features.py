"""The cache on disk of what no word can change."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr import conformance
from medsegr.grid import pixels
from medsegr.inference import features
from medsegr.inference.features import FeatureCache, Place, shared_part
from medsegr.networks import hosted, medsegr
from medsegr.predict import Predictor
from medsegr.predict import build as built
from medsegr.reasoning.codes import vocabulary
from medsegr.types import Image


def maps(value: float, count: int = 2) -> tuple[torch.Tensor, ...]:
    return tuple(torch.full((1, 2, 3, 3), value + row) for row in range(count))


def never(*_given: object) -> tuple[torch.Tensor, ...]:
    raise AssertionError("it was there already")


def same(one: object, two: object) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))  # type: ignore[call-overload]


def test_what_was_made_once_is_read_again(tmp_path: Path) -> None:
    cache = FeatureCache(Place(tmp_path / "cache"), "host")
    first = cache.through("picture", lambda: maps(1.0, 12))
    assert same(first, maps(1.0, 12))
    assert same(FeatureCache(Place(tmp_path / "cache"), "host").through("picture", never), first)
    other = FeatureCache(Place(tmp_path / "cache"), "another host").through("picture", lambda: maps(5.0))
    assert same(other, maps(5.0))
    assert len(list((tmp_path / "cache").iterdir())) == 2


SHAPES = st.lists(st.tuples(*[st.integers(1, 3)] * 4), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None)
@given(SHAPES, st.integers(0, 2**31))
def test_maps_of_any_shape_come_back_bit_for_bit(shapes: list[tuple[int, ...]], seed: int) -> None:
    torch.manual_seed(seed)
    made = tuple(torch.randn(shape) for shape in shapes)
    with TemporaryDirectory() as folder:
        cache = FeatureCache(Place(Path(folder)), "host")
        cache.through("a", lambda: made)
        again = cache.through("a", never)
    assert same(again, made)


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    FeatureCache(Place(tmp_path), "another").through("a", lambda: maps(1.0))
    (one,) = tmp_path.iterdir()
    cache = FeatureCache(Place(tmp_path, gb=3.5 * one.stat().st_size / 1e9), "host")
    one.unlink()
    for age, key in enumerate("abc"):
        cache.through(key, lambda: maps(1.0))
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (1000 + age, 1000 + age))
    cache.through("a", never)  # used now
    cache.through("d", lambda: maps(2.0))
    cache.through("a", never)
    made: list[str] = []
    cache.through("b", lambda: made.append("b") or maps(1.0))  # type: ignore[func-returns-value]
    assert made == ["b"]


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = FeatureCache(Place(tmp_path, gb=1e-9), "host")
    assert same(cache.through("a", lambda: maps(1.0)), maps(1.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"half", b"\xff" * 64])
def test_a_file_cut_short_is_made_anew(tmp_path: Path, content: bytes) -> None:
    cache = FeatureCache(Place(tmp_path), "host")
    cache.through("a", lambda: maps(1.0))
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    assert same(cache.through("a", lambda: maps(2.0)), maps(2.0))
    assert same(cache.through("a", never), maps(2.0))


def test_a_full_disk_costs_one_warning_and_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_tensors: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(features, "save_file", full)
    log = logging.getLogger("medsegr")  # as a command that ran before in this process may have left it
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(log, "handlers", [caplog.handler])
    caplog.set_level(logging.WARNING, "medsegr")
    cache = FeatureCache(Place(tmp_path), "host")
    for key in "abc":
        assert same(cache.through(key, lambda: maps(1.0)), maps(1.0))
    assert [record.getMessage() for record in caplog.records] == [
        "the feature cache cannot be written (OSError): going on without it"
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_answer_from_the_cache_is_the_same_answer(tmp_path: Path) -> None:
    image = conformance.sample_image((40, 90))
    asked = conformance.prompt_of(conformance.sample_finding())
    plain: Predictor = built(untrained=True)
    cached: Predictor = built(untrained=True)
    cached.features = FeatureCache(Place(tmp_path), "x")
    first = plain.segment(image, asked).prob
    assert np.array_equal(cached.segment(image, asked).prob, first)
    again: Predictor = built(untrained=True)
    again.features = FeatureCache(Place(tmp_path), "x")
    again.backend = replace(again.backend, shared=never)
    assert np.array_equal(again.segment(image, asked).prob, first)


def test_pixels_that_are_shown_otherwise_are_not_those_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update: the file is the same, what the network sees of it is not."""
    noise = np.random.default_rng(0).normal(-100, 300, (1, 40, 90)).astype(np.float32)
    image = Image(noise, modality="CT")
    asked = conformance.prompt_of(conformance.sample_finding())
    cached: Predictor = built(untrained=True)
    cached.features = FeatureCache(Place(tmp_path), "x")
    before = cached.segment(image, asked).prob
    monkeypatch.setattr(pixels, "CT_WINDOW", (-1000.0, 0.0))
    plain, again = (built(untrained=True) for _ in range(2))
    again.features = FeatureCache(Place(tmp_path), "x")
    assert not np.array_equal(plain.segment(image, asked).prob, before)
    assert np.array_equal(again.segment(image, asked).prob, plain.segment(image, asked).prob)


def test_a_question_beside_the_job_keeps_nothing(tmp_path: Path) -> None:
    """The negative of a film is looked at, too: its maps are no work that somebody will want again."""
    image = conformance.sample_image((40, 90))
    asked = conformance.prompt_of(conformance.sample_finding())
    cached: Predictor = built(untrained=True)
    cached.features = FeatureCache(Place(tmp_path / "kept"), "x")
    beside = cached.aside().segment(image, asked).prob
    assert not (tmp_path / "kept").exists()
    assert np.array_equal(cached.segment(image, asked).prob, beside)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_frozen_host_shares_its_cache_and_a_trained_one_does_not() -> None:
    words = vocabulary(["polyp"], [], [])
    assert shared_part(medsegr(words, 32), "sha") == "sha"
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    one, late, adapted = (
        hosted(words, "tiny:sam", prior=32, **options) for options in ({}, {"sites": [2, 3]}, {"lora": 2})
    )
    assert shared_part(one, "sha") == shared_part(hosted(words, "tiny:sam", prior=32), "other")
    assert shared_part(one, "sha") != shared_part(late, "sha")
    assert shared_part(adapted, "sha") == "sha"
