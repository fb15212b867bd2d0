"""The row that the bench prints is of a real object; how fast it is no test says."""

from pathlib import Path

import numpy as np
import pydicom

from medsegr.bench.io_write import balls, time_writing
from medsegr.io.segments import overlaps


def test_a_row_is_of_an_object_with_its_segments(tmp_path: Path) -> None:
    row = time_writing(tmp_path, slices=6, side=32, overlap=True, segments=3)
    ds = pydicom.dcmread(tmp_path / "seg.dcm")
    assert len(ds.SegmentSequence) == 3
    assert row.file_bytes == (tmp_path / "seg.dcm").stat().st_size
    assert row.seconds > 0
    assert "3 segments that overlap, 6 x 32 x 32" in row.line()


def test_balls_overlap_only_where_asked() -> None:
    assert not overlaps(balls((6, 32, 64), 4, False))
    assert len(overlaps(balls((6, 32, 64), 4, True))) == 3
    assert all(np.any(s.mask) for s in balls((6, 32, 64), 4, False))
