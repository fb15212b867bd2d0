"""The table of workers: how it counts. Never how fast anything is."""

import json
import math
import os
from pathlib import Path

import pytest
from PIL import Image

from medsegr.bench import scale
from medsegr.cli.jobs import jobs_in


def test_the_rate_begins_when_every_worker_is_at_work() -> None:
    assert scale.steady([10.0, 11.0, 12.0, 13.0], 1) == pytest.approx(1.0)
    assert scale.steady([10.0, 10.5, 11.0, 11.5], 2) == pytest.approx(2.0)
    assert math.isnan(scale.steady([10.0], 1))
    assert math.isnan(scale.steady([10.0, 10.0], 1))


def test_jobs_are_those_of_a_batch(tmp_path: Path) -> None:
    jobs = list(jobs_in(scale.make_jobs(tmp_path, 2)))
    assert [job.text for job in jobs] == [scale.SENTENCE] * 2
    with Image.open(tmp_path / jobs[1].image) as picture:
        assert picture.size == (512, 512)
    assert json.loads((tmp_path / "jobs.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"] == "c0"


def test_memory_and_time_of_a_process_are_seen() -> None:
    spent: dict[int, float] = {}
    assert scale.watch(os.getpid(), spent) > 1e6
    assert spent[os.getpid()] > 0
    assert scale.watch(2**22 + 1, {}) == 0.0


def test_a_row_is_told() -> None:
    told = scale.table([scale.Row("Ray", 2, 30.4, 12.0, 3.456, 2.5e9, 0.51)])
    assert told.splitlines()[-1] == "| Ray | 2 | 3.46 | 0.51 | 2.50 | 12 | 30 |"
