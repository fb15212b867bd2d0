"""The cache: where it lies, that it is bounded, and that a full or locked disk costs time alone."""

import logging
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from medsegr.backends import store

Usage = namedtuple("Usage", "total used free")


pytestmark = pytest.mark.usefixtures("heard")


def test_where_it_lies(tmp_path: Path) -> None:
    assert store.place({store.VARIABLE: str(tmp_path)}) == tmp_path
    if sys.platform == "linux":
        assert store.place({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "medsegr"
    assert "medsegr" in str(store.place({}))


def test_a_place_with_room_is_made(tmp_path: Path) -> None:
    assert store.room(tmp_path / "a" / "b", 1) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_full_disk_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10, 10, store.SPARE))
    with caplog.at_level(logging.WARNING, "medsegr"):
        assert store.room(tmp_path, 1) is None
    assert [r.getMessage() for r in caplog.records] == [
        "the cache is not used: the disk is full; models are prepared again in every run"
    ]


def test_a_place_that_cannot_be_made_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("here", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "medsegr"):
        assert store.room(tmp_path / "file" / "cache", 1) is None
    assert len(caplog.records) == 1
    assert str(tmp_path) not in caplog.text


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("old", "middle", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model").write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    store.used(tmp_path / "old")
    store.trim(tmp_path, most=250)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "old"]
    store.trim(tmp_path, most=0, spare=tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
    store.trim(tmp_path / "gone", most=0)
    store.used(tmp_path / "gone")
