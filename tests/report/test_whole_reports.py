"""Whole reports with all that a radiologist reads in them, and how readings of them are scored."""

import tomllib
from pathlib import Path

import pytest

from medsegr.report.parse import parse
from medsegr.types import MODALITIES, modality_code
from whole_reports import OPTIONAL, score, score_file, wanted

HERE = Path(__file__).parent
DEVELOPMENT, HELDOUT = HERE / "reports_development.toml", HERE / "reports_heldout.toml"
SECOND = HERE / "reports_development_second.toml"
HELDOUT_SECOND = HERE / "reports_heldout_second.toml"
THIRD = HERE / "reports_development_third.toml"
HELDOUT_THIRD = HERE / "reports_heldout_third.toml"
HELDOUT_FOURTH = HERE / "reports_heldout_fourth.toml"
FIFTH = HERE / "reports_development_fifth.toml"
HELDOUT_FIFTH = HERE / "reports_heldout_fifth.toml"
SIXTH = HERE / "reports_development_sixth.toml"
HELDOUT_SIXTH = HERE / "reports_heldout_sixth.toml"
SEVENTH = HERE / "reports_development_seventh.toml"
HELDOUT_SEVENTH = HERE / "reports_heldout_seventh.toml"
EIGHTH = HERE / "reports_development_eighth.toml"
HELDOUT_EIGHTH = HERE / "reports_heldout_eighth.toml"
NINTH = HERE / "reports_development_ninth.toml"
HELDOUT_NINTH = HERE / "reports_heldout_ninth.toml"
TENTH = HERE / "reports_development_tenth.toml"
HELDOUT_TENTH = HERE / "reports_heldout_tenth.toml"
ELEVENTH = HERE / "reports_development_eleventh.toml"
HELDOUT_ELEVENTH = HERE / "reports_heldout_eleventh.toml"
TWELFTH = HERE / "reports_development_twelfth.toml"
HELDOUT_TWELFTH = HERE / "reports_heldout_twelfth.toml"
THIRTEENTH = HERE / "reports_development_thirteenth.toml"
HELDOUT_THIRTEENTH = HERE / "reports_heldout_thirteenth.toml"
FOURTEENTH = HERE / "reports_development_fourteenth.toml"
HELDOUT_FOURTEENTH = HERE / "reports_heldout_fourteenth.toml"
TEXT = "Spiculated nodule of 9 mm in the right upper lobe. No effusion. Possible pneumonia."


@pytest.mark.parametrize(
    ("file", "right", "invented", "clean"),
    [
        (DEVELOPMENT, 0.98, 2, 0.85),
        (SECOND, 0.88, 4, 0.0),
        (THIRD, 0.93, 1, 0.5),
        (FIFTH, 0.80, 2, 0.0),
        (SIXTH, 0.97, 1, 0.8),
        (SEVENTH, 0.92, 1, 0.6),
        (EIGHTH, 0.92, 1, 0.6),
        (NINTH, 0.9, 0, 0.55),
        (TENTH, 0.9, 0, 0.45),
        (ELEVENTH, 0.77, 0, 0.25),
        (TWELFTH, 0.8, 1, 0.4),
        (THIRTEENTH, 0.74, 0, 0.16),
        (FOURTEENTH, 0.91, 0, 0.5),
    ],
)
def test_the_reports_that_the_rules_were_mended_on_stay_read(
    file: Path, right: float, invented: int, clean: float
) -> None:
    scores = score_file(file).values()
    lines = sum(len(s.right) + len(s.wrong) + len(s.missed) for s in scores)
    assert sum(len(s.right) for s in scores) >= right * lines
    assert sum(len(s.invented) for s in scores) <= invented
    assert sum(s.clean for s in scores) >= clean * len(scores)


@pytest.mark.parametrize(
    ("path", "count"),
    [
        (HELDOUT, 20),
        (HELDOUT_SECOND, 12),
        (HELDOUT_THIRD, 20),
        (HELDOUT_FOURTH, 10),
        (HELDOUT_FIFTH, 8),
        (HELDOUT_SIXTH, 12),
        (HELDOUT_SEVENTH, 12),
        (HELDOUT_EIGHTH, 12),
        (HELDOUT_NINTH, 16),
        (HELDOUT_TENTH, 20),
        (HELDOUT_ELEVENTH, 40),
        (HELDOUT_TWELFTH, 40),
        (HELDOUT_THIRTEENTH, 30),
        (HELDOUT_FOURTEENTH, 30),
    ],
)
def test_the_held_out_reports_can_be_scored(path: Path, count: int) -> None:
    scores = score_file(path)
    assert len(scores) == count
    assert all(s.right or s.wrong or s.missed for s in scores.values())


@pytest.mark.parametrize(
    "path",
    [
        *(DEVELOPMENT, SECOND, THIRD, FIFTH, SIXTH, SEVENTH, EIGHTH, NINTH, TENTH, ELEVENTH, THIRTEENTH),
        FOURTEENTH,
        *(
            HELDOUT,
            HELDOUT_SECOND,
            HELDOUT_THIRD,
            HELDOUT_FOURTH,
            HELDOUT_FIFTH,
            HELDOUT_SIXTH,
            HELDOUT_SEVENTH,
            HELDOUT_EIGHTH,
            HELDOUT_NINTH,
            HELDOUT_TENTH,
            HELDOUT_ELEVENTH,
            HELDOUT_THIRTEENTH,
            HELDOUT_FOURTEENTH,
        ),
    ],
)
def test_every_report_says_what_must_be_read(path: Path) -> None:
    reports = tomllib.loads(path.read_text("utf-8"))["report"]
    assert len({r["name"] for r in reports}) == len(reports)
    for report in reports:
        lines = wanted(report["reads"])
        assert modality_code(report["modality"]) in MODALITIES
        assert any(line.state in "+-" for line in lines), report["name"]
        assert {line.state for line in lines} <= {"+", "-", "?", "~", OPTIONAL}
        assert {line.side for line in lines} <= {"", "left", "right", "bilateral"}


@pytest.mark.parametrize(
    ("lines", "right", "wrong", "missed", "invented"),
    [
        ("+ nodule; right; upper, 9 mm\n- pleural effusion\n? pneumonia", 3, 0, 0, 0),
        ("+ nodule; right; ; spiculated\n- pleural effusion\n? pneumonia", 3, 0, 0, 0),
        ("+ nodule; right; ; smooth\n- pleural effusion\n? pneumonia", 2, 1, 0, 0),
        ("+ nodule; left\n- pleural effusion\n? pneumonia", 2, 1, 0, 0),
        ("+ nodule; right; 8 mm\n- pleural effusion\n? pneumonia", 2, 1, 0, 0),
        ("+ nodule; right\n+ pleural effusion\n? pneumonia", 2, 1, 0, 0),
        ("+ nodule; right\n+ mass\n= pneumonia", 1, 0, 1, 0),
        ("- pleural effusion", 1, 0, 0, 1),
        ("+ nodule; right; 9 mm; lobulated\n- pleural effusion", 1, 1, 0, 0),
        ("= nodule", 0, 0, 0, 0),
    ],
)
def test_each_kind_of_error_is_counted(
    lines: str, right: int, wrong: int, missed: int, invented: int
) -> None:
    got = score(wanted(lines), parse(TEXT, modality="CT").findings)
    counts = len(got.right), len(got.wrong), len(got.missed), len(got.invented)
    assert counts == (right, wrong, missed, invented)


@pytest.mark.parametrize(
    ("lines", "drawn", "sided"),
    [
        ("+ nodule; right\n- pleural effusion\n? pneumonia", 0, 0),
        ("+ nodule; left\n- pleural effusion\n? pneumonia", 0, 1),
        ("- nodule\n- pleural effusion", 1, 0),
        ("- pleural effusion", 1, 0),
        ("+ nodule; right; lower\n- pleural effusion", 0, 0),
    ],
)
def test_the_two_dangerous_kinds_of_error_are_counted_apart(lines: str, drawn: int, sided: int) -> None:
    got = score(wanted(lines), parse(TEXT, modality="CT").findings)
    assert (len(got.drawn), len(got.sided)) == (drawn, sided)
