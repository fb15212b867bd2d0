"""What a step is fed with: which cases, at which size, made by whom, and on which device."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from medsegr import batches, data, feed
from medsegr.config import FitConfig
from medsegr.fit import vocabulary_of

TINY = FitConfig(phantoms={"cells": 1.0}, batch=2, sizes=((0.5, 64), (0.5, 96)), threads=1)


def cells(count: int = 3) -> list[data.Case]:
    return [data.phantom_case(m) for m in data.make_phantoms("cells", 1, count, 96)]


def feed_of(config: FitConfig, part: torch.Tensor) -> feed.Feed:
    cases = cells()
    return feed.Feed(cases, config, vocabulary_of(cases), (0, 0, 0), part, config.batch)


def test_the_size_follows_the_clock_and_small_pictures_make_larger_batches() -> None:
    part = torch.zeros(())
    made = iter(feed_of(TINY, part))
    assert next(made).pixels.shape == (3, 3, 64, 64)
    part.fill_(0.7)
    assert next(made).pixels.shape == (3, 3, 96, 96)
    made = iter(feed_of(replace(TINY, sizes=((1.0, 160),)), part))
    assert next(made).pixels.shape == (2, 3, 160, 160)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_ahead_and_each_worker_draws_its_own(workers: int) -> None:
    stop = threading.Event()
    config = replace(TINY, workers=workers)
    made = feed_of(config, torch.zeros(()).share_memory_()).ahead("cpu", stop)  # type: ignore[no-untyped-call]
    first, second = next(made), next(made)
    stop.set()
    assert first.pixels.shape == second.pixels.shape == (3, 3, 64, 64)
    assert not torch.equal(first.pixels, second.pixels)


def test_the_same_seed_gives_the_same_batch() -> None:
    one, two = (next(iter(feed_of(TINY, torch.zeros(())))) for _ in range(2))
    assert torch.equal(one.pixels, two.pixels)
    assert torch.equal(one.truth.mask, two.truth.mask)


def test_a_batch_moves_whole() -> None:
    batch = next(iter(feed_of(TINY, torch.zeros(()))))
    there = feed.moved(batch, "meta")
    for part in (there.pixels, there.words.index, there.words.scalar, there.truth.mask, there.truth.presence):
        assert part.device.type == "meta"
    assert there.clicks.points is None or there.clicks.points.device.type == "meta"


def test_an_error_in_the_making_reaches_the_loop() -> None:
    def broken() -> Iterator[feed.Batch]:
        yield next(iter(feed_of(TINY, torch.zeros(()))))
        raise ValueError("a sample went wrong")

    made = feed.prefetch(broken(), threading.Event())
    next(made)
    with pytest.raises(ValueError, match="went wrong"):
        next(made)


def test_validation_cases_are_never_drawn() -> None:
    cases = [
        replace(c, validation=i == 0)
        for i, c in enumerate(map(data.phantom_case, data.make_phantoms("cells", 1, 3, 96)))
    ]
    stream = feed.samples_of(cases, TINY, 0)
    assert {next(stream)[0].id for _ in range(60)} == {c.id for c in cases[1:]}


def test_the_image_only_head_is_taught_only_where_nothing_was_said() -> None:
    case = data.phantom_case(next(data.make_phantoms("cells", 1, 1, 96)))
    words = vocabulary_of([case])
    plan = batches.draw(
        case, [case], replace(TINY.recipe, no_words=1.0, absent=0.0), np.random.default_rng(0)
    )
    silent = batches.render(case, plan, 64)
    told = replace(silent, codes=case.targets[0].codes)
    known = feed.collate([silent, told], words).truth.codes_known
    assert not known[1].any()
