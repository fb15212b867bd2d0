"""The speed table: how it counts and what it does when something cannot run. Never how fast anything is."""

import itertools
from pathlib import Path

import pytest
from PIL import Image

from medsegr.bench import speed


def test_the_median_leaves_the_first_call_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.accumulate(itertools.chain([0.0], *([0.0, seconds] for seconds in (3.0, 1.0, 2.0))))
    next(clock)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    calls: list[int] = []
    assert speed.timed(lambda: calls.append(1), repeats=3) == 2.0
    assert len(calls) == 4


def test_what_cannot_run_is_left_out_and_the_rest_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def rows():
        yield "a", 0.1234567, "<= 1"
        yield "b", None, ""
        raise RuntimeError("no\nsuch model")

    speed.show(rows())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "0.1235", "<=", "1"]
    assert lines[1].split() == ["b", "not", "told"]
    assert lines[2].strip() == "left out: RuntimeError: no such model"


def test_a_failing_command_says_why() -> None:
    with pytest.raises(RuntimeError, match="medsegr segment ended with 2"):
        speed.command(["segment", "--no-such-flag"])


def test_memory_of_a_command_is_in_megabytes() -> None:
    held = speed.peak(["--help"])
    assert held is None or 5 < held < 1000


def test_the_picture_is_512_and_goes_away() -> None:
    with speed.picture() as path, Image.open(path) as image:
        assert image.size == (512, 512)
    assert not Path(path).exists()
