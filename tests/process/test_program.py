"""Programs beside the command line end as it does: one line, and the code of the error."""

import subprocess
import sys

import pytest

from medsegr.errors import InputError
from medsegr.process.program import one_line


def test_an_error_of_ours_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise InputError("the set\nis empty")

    assert one_line(refuse) == 3
    assert capsys.readouterr().err == "error: the set is empty\n"
    assert one_line(lambda: None) == 0


def test_an_error_that_nobody_expected_is_raised() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        one_line(fail)


def test_a_program_says_what_it_refuses_without_a_traceback() -> None:
    words = [sys.executable, "-m", "medsegr.bench.changes", "--data", "nowhere", "--model", "nobody"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "Traceback" not in ran.stderr
