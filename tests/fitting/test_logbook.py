"""The rows of a run on disk, after it was killed."""

from pathlib import Path

import pytest

from medsegr.fitting.logbook import append, cut, read_rows


def test_rows_after_the_saved_step_are_dropped_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for step in range(1, 6):
        append(path, {"step": step, "loss": step / 10})
    before = path.read_bytes()
    cut(path, 5)
    assert path.read_bytes() == before
    cut(path, 3)
    assert before.startswith(path.read_bytes())
    assert [row["step"] for row in read_rows(path)] == [1, 2, 3]


@pytest.mark.parametrize("left", ["", "st", "step,loss\r\n", "step,loss\r\n1,0.", "step,loss\r\n9,0.5\r\n"])
def test_a_file_without_a_whole_row_to_keep_begins_anew(tmp_path: Path, left: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(left.encode())
    cut(path, 3)
    append(path, {"step": 4, "loss": 0.5})
    assert read_rows(path) == [{"step": 4, "loss": 0.5}]
