"""What a step is fed with: which cases, at which size, made by whom, and on which device."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from medsegr import data
from medsegr.errors import InputError
from medsegr.fitting.cases import vocabulary_of
from medsegr.fitting.config import FitConfig
from medsegr.samples import batches, feed

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


def test_mixed_sizes_come_in_turns_whatever_the_clock_says() -> None:
    mixed = replace(TINY, mixed=True, sizes=((0.25, 64), (0.75, 96)))
    made = iter(feed_of(mixed, torch.zeros(())))
    sides = [next(made).pixels.shape[-1] for _ in range(40)]
    assert 3 <= sides.count(64) <= 20
    assert sides != sorted(sides)


def test_mixed_sizes_of_a_run_of_steps_hang_on_the_number_of_the_step() -> None:
    mixed = replace(TINY, mixed=True, steps=20, sizes=((0.25, 64), (0.75, 96)))
    cases = cells()
    one, two = (feed.Numbered(cases, mixed, vocabulary_of(cases)) for _ in range(2))
    assert sorted(one.sizes) == [64] * 5 + [96] * 15
    assert one.sizes == two.sizes != sorted(one.sizes)
    assert one[7].pixels.shape[-1] == one.sizes[7]
    assert torch.equal(one[7].pixels, two[7].pixels)


def test_processes_that_train_together_take_the_same_size_in_a_step() -> None:
    mixed = replace(TINY, mixed=True)
    cases, words = cells(), vocabulary_of(cells())
    numbered = [feed.Numbered(cases, replace(mixed, steps=20, batch=4), words, rank, 2) for rank in range(2)]
    assert numbered[0].sizes == numbered[1].sizes
    assert not torch.equal(numbered[0][0].pixels, numbered[1][0].pixels)
    drawn = [iter(feed.Feed(cases, mixed, words, (0, 0, rank), torch.zeros(()), 2)) for rank in range(2)]
    for one, other in ((next(drawn[0]).pixels, next(drawn[1]).pixels) for _ in range(12)):
        assert one.shape == other.shape
        assert not torch.equal(one, other)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_ahead_and_each_worker_draws_its_own(workers: int) -> None:
    endless = feed_of(TINY, torch.zeros(()).share_memory_())  # type: ignore[no-untyped-call]
    made = feed.ahead(endless, workers, "cpu")
    first, second = next(made), next(made)
    made.close()
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

    made = feed.prefetch(broken())
    next(made)
    with pytest.raises(ValueError, match="went wrong"):
        next(made)


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    made_one = threading.Event()

    def slow() -> Iterator[feed.Batch]:
        batch = next(iter(feed_of(TINY, torch.zeros(()))))
        while True:
            made_one.set()
            yield batch
            time.sleep(0.3)  # in the making while the loop ends

    made = feed.prefetch(slow())
    next(made)
    assert any(thread.name == feed.THREAD for thread in threading.enumerate())
    made_one.wait()
    made.close()
    assert not any(thread.name == feed.THREAD for thread in threading.enumerate())


def test_an_error_behind_a_full_line_does_not_keep_the_thread() -> None:
    def broken() -> Iterator[feed.Batch]:
        yield from [next(iter(feed_of(TINY, torch.zeros(()))))] * 4
        raise ValueError("a sample went wrong")

    made = feed.prefetch(broken())
    next(made)
    time.sleep(0.2)  # three wait in the line, and the error for a place in it
    made.close()
    assert not any(thread.name == feed.THREAD for thread in threading.enumerate())


def test_validation_cases_are_never_drawn() -> None:
    cases = [
        replace(c, validation=i == 0)
        for i, c in enumerate(map(data.phantom_case, data.make_phantoms("cells", 1, 3, 96)))
    ]
    stream = feed.samples_of(cases, TINY, 0)
    assert {next(stream)[0].id for _ in range(60)} == {c.id for c in cases[1:]}


def test_a_batch_has_weights_where_pixels_are_unknown_and_none_where_all_are_known() -> None:
    case = replace(cells(1)[0], made=False)
    unknown = np.zeros(case.grid, bool)
    unknown[:, :40] = True
    half = replace(case, targets=tuple(replace(t, unknown=np.packbits(unknown)) for t in case.targets))
    plan = batches.Plan((0,), case.targets[0].codes, frozenset(), (), seed=0)
    whole, open_ = (batches.render(c, plan, 64) for c in (case, half))
    words = vocabulary_of([case])
    assert feed.collate([whole, whole], words).truth.weight is None
    weight = feed.collate([whole, open_], words).truth.weight
    assert weight is not None
    assert open_.weight is not None
    assert torch.equal(weight, torch.stack([torch.ones(64, 64), open_.weight]))


def test_the_image_only_head_is_taught_only_where_nothing_was_said() -> None:
    case = data.phantom_case(next(data.make_phantoms("cells", 1, 1, 96)))
    words = vocabulary_of([case])
    plan = batches.draw(
        case, batches.by_set([case]), replace(TINY.recipe, no_words=1.0, absent=0.0), np.random.default_rng(0)
    )
    silent = batches.render(case, plan, 64)
    told = replace(silent, codes=case.targets[0].codes)
    known = feed.collate([silent, told], words).truth.codes_known
    assert not known[1].any()


def numbered(config: FitConfig, count: int = 3, rank: int = 0, processes: int = 1) -> feed.Numbered:
    made = cells(count)
    return feed.Numbered(made, config, vocabulary_of(made), rank, processes)


COUNTED = replace(TINY, steps=6, accumulate=2)


def test_a_batch_hangs_on_nothing_but_its_number() -> None:
    one, two = numbered(COUNTED), numbered(COUNTED)
    later, earlier = one[7], one[1]
    assert torch.equal(two[1].pixels, earlier.pixels)
    assert torch.equal(two[7].pixels, later.pixels)
    assert not torch.equal(numbered(replace(COUNTED, seed=1))[1].pixels, earlier.pixels)


def test_sizes_of_numbered_batches_follow_the_step_and_not_the_batch() -> None:
    made = numbered(COUNTED)
    assert len(made) == 12
    assert [made[i].pixels.shape[-1] for i in range(12)] == [64] * 6 + [96] * 6
    assert made[0].pixels.shape == (3, 3, 64, 64)


def samples_in(source: feed.Numbered, step: int) -> list[bytes]:
    """The pixels of every sample of a step, in order."""
    each = source.config.accumulate
    made = [source[step * each + part] for part in range(each)]
    return sorted(row.numpy().tobytes() for batch in made for row in batch.pixels)


@pytest.mark.parametrize(
    ("batch", "accumulate", "processes"),
    [(10, 1, 2), (5, 2, 1), (5, 2, 2), (2, 5, 1), (10, 1, 3)],  # fifteen at 64 px, which no two halve
)
def test_a_step_takes_the_same_samples_however_it_is_shared_out(
    batch: int, accumulate: int, processes: int
) -> None:
    """At once, one batch after the other, or by several processes; every sample weighs the same."""
    asked = replace(TINY, steps=4, batch=10, sizes=((0.5, 64), (0.5, 160)))
    one, shared = numbered(asked, count=6), replace(asked, batch=batch, accumulate=accumulate)
    ranks = [numbered(shared, 6, rank, processes) for rank in range(processes)]
    for step in (0, 1, 3):
        whole = samples_in(one, step)
        assert len(whole) == (15 if step < 2 else 10)
        assert sorted(sample for rank in ranks for sample in samples_in(rank, step)) == whole
        parts = [rank[step * accumulate + part] for rank in ranks for part in range(accumulate)]
        weights = [batch_.share / len(batch_.pixels) / len(parts) for batch_ in parts]
        assert weights == pytest.approx([1 / len(whole)] * len(parts))


def test_each_process_has_two_samples_at_least() -> None:
    large = replace(TINY, steps=4, sizes=((1.0, 160),))
    assert [len(numbered(large, 6, rank, 3)[3].pixels) for rank in range(3)] == [2, 2, 2]
    assert [feed.batch_of(8, count) for count in (1, 4, 5)] == [8, 8, 10]


def test_every_case_comes_once_a_round() -> None:
    made = numbered(replace(TINY, steps=4), count=6)
    seen = [case for i in range(len(made)) for case in made[i].cases]
    assert len(seen) == 12
    assert sorted(seen[:6]) == sorted(seen[6:]) == sorted({*seen})


def test_the_rest_of_a_run_is_fetched_and_then_it_ends() -> None:
    made = numbered(COUNTED)
    rest = list(feed.ahead(made, 0, "cpu", range(10, 12)))
    assert [batch.cases for batch in rest] == [made[10].cases, made[11].cases]


def test_nothing_to_train_on_is_one_line() -> None:
    held = [replace(case, validation=True) for case in cells()]
    with pytest.raises(InputError, match="no case to train on"):
        next(feed.samples_of(held, TINY, 0))


ANOTHER_PROCESS = """
import hashlib
from dataclasses import replace
from medsegr import data
from medsegr.samples import feed
from medsegr.samples.asking import Recipe
from medsegr.fitting.cases import vocabulary_of
from medsegr.fitting.config import FitConfig

made = [data.phantom_case(m) for kind in ("cells", "chest") for m in data.make_phantoms(kind, 1, 2, 96)]
drawn = [replace(c, set="drawn", made=False, targets=c.targets[:1]) for c in made[:2]]  # a chest is foreign
recipe = Recipe(looks=1.0, wrong_looks=1.0, absent=0.4, place=1.0)
config = FitConfig(
    sets={"drawn": 1.0}, phantoms={"cells": 0.3}, batch=4, sizes=((1.0, 64),), steps=4, recipe=recipe
)
words = vocabulary_of([*made, *drawn])
batches = feed.Numbered([*made, *drawn], config, words)
told = hashlib.sha256()
for number in range(4):
    batch = batches[number]
    for part in (batch.pixels, batch.words.index, batch.words.scalar, batch.truth.mask, batch.truth.presence):
        told.update(part.numpy().tobytes())
print(told.hexdigest())
"""


def test_another_process_makes_the_same_batches() -> None:
    """Python orders sets of words otherwise in every process, so no dice may be thrown in their order: else a
    run that was killed would go on with other samples."""
    said = {
        subprocess.run(
            [sys.executable, "-c", ANOTHER_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
