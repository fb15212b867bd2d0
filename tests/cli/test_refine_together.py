"""Two who correct one result folder at once: neither writes over what the other did."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsegr.cli.convert import add
from medsegr.errors import InputError
from medsegr.options import Options
from medsegr.results import revise as revising
from medsegr.results.export import Run
from medsegr.results.reopen import reopen
from medsegr.results.revise import revise
from medsegr.reviews import Review
from medsegr.types import FindingResult


@pytest.fixture
def out(run: Any, source: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    words = ("-p", "left lung", "-p", "right lung")
    ran = run("segment", "-i", source, *words, "-o", folder, "--model", "place", "--modality", "CR")
    assert ran.code == 0, ran.err
    return folder


def accepted(run: Run, number: int) -> FindingResult:
    return replace(run.result.findings[number], review=Review(accepted=True))


def reviews(out: Path) -> list[bool]:
    told = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    return [bool(item.get("review") and item["review"]["accepted"]) for item in told["findings"]]


def everything(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_the_second_is_told_and_nothing_of_the_first_is_lost(out: Path, source: Path) -> None:
    mine, yours = reopen(out, source), reopen(out, source)
    revise(out, mine, accepted(mine, 0))
    before = everything(out)
    with pytest.raises(InputError, match="somebody else changed the folder meanwhile: nothing was written"):
        revise(out, yours, accepted(yours, 1))
    assert everything(out) == before
    again = reopen(out, source)
    revise(out, again, accepted(again, 1))
    assert reviews(out) == [True, True]


def test_no_format_is_added_that_tells_an_older_mask(out: Path, source: Path) -> None:
    mine, yours = reopen(out, source), reopen(out, source)
    revise(out, mine, accepted(mine, 0))
    before = everything(out)
    with pytest.raises(InputError, match="somebody else changed"):
        add(yours, out, ("nifti",), Options(formats=("nifti",)))
    assert everything(out) == before
    add(reopen(out, source), out, ("nifti",), Options(formats=("nifti",)))
    assert (out / "masks" / "f1.nii.gz").is_file()


def test_one_writes_after_the_other(out: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl", reason="this system has no fcntl")
    opened = reopen(out, source)
    begun: list[str] = []
    real = revising._revise

    def seen(*given: Any) -> None:
        begun.append("writes")
        real(*given)

    monkeypatch.setattr(revising, "_revise", seen)
    other = threading.Thread(target=revise, args=(out, opened, accepted(opened, 0)))
    with revising._held(out):
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert not begun
    other.join(60)
    assert begun == ["writes"]
    assert reviews(out) == [True, False]
