"""The reading bench: what it makes and how it counts. Never how fast anything is."""

from pathlib import Path

import numpy as np
import pytest

from medsegr.bench import io as bench
from medsegr.io.read import read_image


def test_the_made_series_is_read_whole_and_in_order(tmp_path: Path) -> None:
    bench.write_series(tmp_path, 5, 32)
    image = read_image(tmp_path)
    assert image.grid == (5, 32, 32)
    assert image.spacing == pytest.approx((1.25, 0.7, 0.7))
    assert image.source.warnings == ()
    assert image.data.min() < -1000


def test_compressed_and_plain_hold_the_same(tmp_path: Path) -> None:
    for name, compressed in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        bench.write_series(tmp_path / name, 3, 32, compressed)
    plain, packed = read_image(tmp_path / "a"), read_image(tmp_path / "b")
    np.testing.assert_array_equal(plain.data, packed.data)


def test_the_rows_name_ours_and_the_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "REPEATS", 1)
    with bench.series(4, 32) as folder:
        rows = list(bench.reading(folder, "uncompressed", 6.0))
        assert folder.is_dir()
    assert not folder.exists()
    assert rows[0][0] == "read and sort 4 slices, uncompressed"
    assert rows[0][2] == "<= 6"
    assert any("SimpleITK" in row[0] for row in rows)
    assert all(value is not None and value > 0 for _, value, _ in rows)
