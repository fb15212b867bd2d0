"""The bench of bombs: what it writes are bombs, and what it counts. Never how fast anything is."""

from pathlib import Path

import pytest

from medsegr.bench import io_bombs
from medsegr.errors import InputError
from medsegr.io.read import read_image


def test_each_is_small_and_refused(tmp_path: Path) -> None:
    made = io_bombs.write_bombs(tmp_path, 80)
    assert len(made) == 6
    for what, path in made.items():
        assert path.stat().st_size < 1_000_000, what
        with pytest.raises(InputError):
            read_image(path)


def test_costs_are_counted_and_a_plain_file_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image as Picture

    monkeypatch.setattr(io_bombs, "REPEATS", 1)
    seconds, work, memory = io_bombs.costs(
        io_bombs.write_bombs(tmp_path, 2)["NIfTI (gz) whose header promises 54 GB"]
    )
    assert seconds > 0
    assert 0 <= work < 2
    assert 0 <= memory < 300_000_000
    Picture.new("L", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(RuntimeError, match="read as an image"):
        io_bombs.costs(tmp_path / "a.png")
