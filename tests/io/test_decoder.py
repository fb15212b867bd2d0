"""Compressed frames go through a child process: its answers, its limits, its end."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels import compress
from pydicom.uid import JPEG2000Lossless, RLELossless

from dicom_files import write_ct
from medsegr.errors import InputError
from medsegr.io import decoder
from medsegr.io.decoder import Decoder, ahead, decoding, workers_for
from medsegr.io.limits import Limits
from medsegr.io.read import read_image

Make = Callable[..., Any]
OPTIONS = {"transfer_syntax_uid": str(JPEG2000Lossless)}


def stand_in(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch, limits: Limits) -> Decoder:
    """A decoder whose child runs ``code`` instead of ours."""
    (tmp_path / "python").write_text(f"#!/bin/sh\n{code}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(decoder.sys, "executable", str(tmp_path / "python"))
    return Decoder(limits)


def test_a_decoder_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = stand_in(tmp_path, "exec sleep 60", monkeypatch, Limits(decode_seconds=1))
    start = time.monotonic()
    with pytest.raises(InputError, match=r"more than 1 seconds.*--limits decode_seconds=10"):
        hanging.frame(b"x", OPTIONS)
    assert time.monotonic() - start < 20


def test_a_decoder_that_crashes_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = stand_in(tmp_path, "kill -SEGV $$", monkeypatch, Limits())
    with pytest.raises(InputError, match=r"stopped \(exit code .*damaged"):
        crashing.frame(b"x" * 100_000, OPTIONS)


def test_a_decoder_that_the_system_kills_is_told_as_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = stand_in(tmp_path, "kill -KILL $$", monkeypatch, Limits())
    with pytest.raises(InputError, match="lack of memory"):
        killed.frame(b"x" * 100_000, OPTIONS)


def test_rubbish_from_a_decoder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rubbish = stand_in(tmp_path, "echo 'not json'", monkeypatch, Limits())
    with pytest.raises(InputError):
        rubbish.frame(b"x", OPTIONS)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory limits are set on Linux only")
def test_memory_of_the_child_is_limited(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(np.random.default_rng(0).integers(0, 4096, (1200, 1200), dtype=np.uint16))
    compress(ds, JPEG2000Lossless)
    ds.save_as(tmp_path / "a")
    assert read_image(tmp_path / "a").grid == (1200, 1200)
    with pytest.raises(InputError, match=r"memory.*decode_bytes|exit code"):
        read_image(tmp_path / "a", limits=Limits(decode_bytes=4_000_000))


def test_one_child_serves_a_series_and_ends(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    compress(ds, RLELossless)
    ds.save_as(tmp_path / "a")
    from medsegr.io.dicom_pixels import decode, open_dataset, open_pixels

    opened = open_pixels(open_dataset((tmp_path / "a").read_bytes(), Limits()), Limits())
    with decoding(Limits()) as held:
        first = decode(opened, 0, held).values
        (child,) = held._idle
        np.testing.assert_array_equal(decode(opened, 0, held).values, first)
        assert held._idle == [child]
    assert child.poll() is not None
    assert not os.path.exists(f"/proc/{child.pid}/fd/0")


def test_uncompressed_pixels_start_no_child(
    tmp_path: Path, dicom: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Decoder) -> Any:
        raise AssertionError("a child was started")

    monkeypatch.setattr(Decoder, "_start", never)
    dicom(np.eye(5, dtype=np.uint16)).save_as(tmp_path / "a")
    assert read_image(tmp_path / "a").grid == (5, 5)


def test_results_come_in_order_and_no_more_than_asked_is_begun() -> None:
    begun, done = [], []

    def task(n: int) -> Any:
        def work() -> int:
            time.sleep(0.002 * (7 - n % 7))  # later ones end earlier
            return n

        begun.append(n)
        return work

    for result in ahead((task(n) for n in range(30)), 3):
        done.append(result)
        assert len(begun) <= len(done) + 6
    assert done == list(range(30))
    assert list(ahead((task(n) for n in range(3)), 1)) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_where_its_result_would_have_come(workers: int) -> None:
    def task(n: int) -> Any:
        return lambda: 1 // (5 - n)

    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(ahead((task(n) for n in range(99)), workers))
    assert len(seen) == 5


def test_frames_decoded_side_by_side_are_those_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    affine = np.array([[0, 0, -1.0, 0], [0, -1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    folder = write_ct(tmp_path / "ct", rng.integers(-900, 900, (12, 64, 64)), affine)
    plain = read_image(folder)
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        compress(ds, JPEG2000Lossless, generate_instance_uid=False)
        ds.save_as(path)
    started: list[Any] = []
    start = Decoder._start
    monkeypatch.setattr(Decoder, "_start", lambda self: started.append(child := start(self)) or child)
    for workers in (1, 3):
        monkeypatch.setattr("medsegr.io.dicom.workers_for", lambda _, n=workers: n)
        started.clear()
        image = read_image(folder)
        np.testing.assert_array_equal(image.data, plain.data)
        assert 1 <= len(started) <= workers
        assert all(child.poll() is not None for child in started)
    next(iter(folder.iterdir())).write_bytes(b"".join([data[:-60] for data in [path.read_bytes()]]))
    started.clear()
    with pytest.raises(InputError):
        read_image(folder)
    assert all(child.poll() is not None for child in started)


def test_few_frames_start_one_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert [workers_for(n) for n in (0, 1, 15, 16, 31, 32, 3000)] == [1, 1, 1, 2, 3, 4, 4]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers_for(3000) == 1
