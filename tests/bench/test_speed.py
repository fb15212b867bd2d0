"""The speed table: how it counts and what it does when something cannot run. Never how fast anything is."""

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from medsegr.bench import clock, speed, speed_peers
from medsegr.bench.speed import Timing


def test_the_least_leaves_the_first_call_out(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = itertools.accumulate(itertools.chain([0.0], *([0.0, seconds] for seconds in (3.0, 1.0, 2.0))))
    next(walls)
    cpus = itertools.accumulate(itertools.chain([0.0], *([0.0, seconds] for seconds in (5.0, 6.0, 4.0))))
    next(cpus)
    # The module's own name, not time's: the test runner reads that clock too.
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: next(walls)))
    monkeypatch.setattr(clock, "processors", lambda: next(cpus))
    calls: list[int] = []
    assert clock.least(lambda: calls.append(1), repeats=3) == clock.Least(1.0, 4.0)
    assert len(calls) == 4


def test_processor_seconds_hold_those_of_ended_processes() -> None:
    before = clock.processors()
    speed.command(["--help"])
    assert clock.processors() > before


def test_what_cannot_run_is_left_out_and_the_rest_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def rows():
        yield Timing("a", 0.1234567, 0.2, "s", "<= 1")
        yield Timing("b", None)
        raise RuntimeError("no\nsuch model")

    assert [row.name for row in speed.show(rows())] == ["a", "b"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "0.1235", "s", "0.2000", "<=", "1"]
    assert lines[1].split() == ["b", "not", "told", "s"]
    assert lines[2].strip() == "left out: RuntimeError: no such model"


def test_a_failing_command_says_why() -> None:
    with pytest.raises(RuntimeError, match="medsegr segment ended with 2"):
        speed.command(["segment", "--no-such-flag"])


@pytest.mark.skipif(sys.platform == "win32", reason="this system does not tell")
def test_memory_of_a_command_is_in_megabytes_and_its_own() -> None:
    ballast = np.ones(500_000_000, np.uint8)  # of the process that starts it
    held = speed.peak(["--help"])
    assert held is not None
    assert 5 < held < 400
    assert ballast[-1]


def test_the_picture_is_512_and_goes_away() -> None:
    with speed.picture() as path, Image.open(path) as image:
        assert image.size == (512, 512)
    assert not Path(path).exists()


def test_the_ct_is_in_hounsfield_units() -> None:
    made = speed.volume(6)
    assert made.shape == (6, 256, 256)
    assert made.min() < -200
    assert np.array_equal(made[0], made[4])
    assert not np.array_equal(made[0], made[1])


def test_the_model_knows_everything_that_is_asked() -> None:
    from medsegr import weights
    from medsegr.report.parse import parse_phrase

    known = weights.read_card()["concepts"]
    for modality, phrases in (("CR", speed.EIGHT), ("CT", speed.ORGANS)):
        names = [parse_phrase(words, modality=modality).findings[0].name for words in phrases]
        assert len(phrases) == 8
        assert all(modality in known[name]["modalities"] for name in names), names


def test_the_plot_is_one_document_with_both_curves() -> None:
    made = speed.plot({"findings": [(1, 0.1), (8, 0.5)], "slices": [(8, 1.0), (64, 8.0)]})
    assert made.startswith("<svg xmlns=")
    assert made.count("<polyline") == 2
    assert "findings of one picture" in made


def test_a_tiny_vit_keeps_its_promises() -> None:
    network = speed_peers.TinyVit().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 96, 96)).shape == (1, 256, 6, 6)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert 5 < millions < 7  # MobileSAM's encoder: about 6
