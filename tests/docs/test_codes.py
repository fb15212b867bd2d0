"""The page of codes lists every code that the source can give, and no other."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from emitted_codes import arguments_in, sources, warnings_in

ROOT = Path(__file__).resolve().parents[2]
# Rooms whose pairs of a word and a text are no warnings of a result; findings.py holds tables of words.
ELSEWHERE = ("bench/", "cli/", "phantom/", "serve/", "findings.py")


def told() -> Any:
    spec = importlib.util.spec_from_file_location("codes_page", ROOT / "docs" / "codes_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_warning_is_listed_and_no_other() -> None:
    given = set().union(*(warnings_in(text) for _, text in sources(*ELSEWHERE)))
    assert {"frame_assumed", "llm_silent", "words_and_clicks_disagree", "no_segments"} < given
    listed = [code for codes in told().WARNINGS.values() for code in codes]
    assert len(listed) == len(set(listed))
    assert set(listed) == given, "docs/codes_page.py lists other codes than the source gives"


def test_every_status_and_reason_is_listed_and_no_other() -> None:
    from typing import get_args

    from medsegr.results.schema import STATUSES
    from medsegr.types import Status

    page = told()
    assert set(page.STATUS) == set(STATUSES) == set(get_args(Status))
    assert set(page.REASONS) == {reason for reasons in STATUSES.values() for reason in reasons if reason}


def test_every_check_and_status_of_a_measurement_is_listed_and_no_other() -> None:
    named = set().union(*(arguments_in(text, "Check", 0, "name") for _, text in sources("bench/", "sam/")))
    assert set(told().CHECKS) == named
    (measure,) = (text for name, text in sources() if name == "measure.py")
    assert set(told().MEASURED) == arguments_in(measure, "Measurement", 2, "status") | {"ok"}


def test_every_field_of_a_review_is_listed_and_no_other() -> None:
    from medsegr.reviews import Hints, Review, review_json

    made = review_json(Review((Hints(),)))
    assert set(told().REVIEW) == {*made, *made["prompts"][0]}


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ('notes.append(("new_code", f"{n} came"))', {"new_code"}),
        ('note = ("new_code", "it came")', {"new_code"}),
        ('said = "it " + "came"\nyield_ = (("new_code", said),)', {"new_code"}),
        ('NEW = "new_code"\nreturn_ = (NEW, f"{n} came")', {"new_code"}),
        ('code = "one" if n else "two"\nnotes.append((code, f"{n} came"))', {"one", "two"}),
        ('notes.append(("new_code", str(error)))', {"new_code"}),
        ('pair = ("left", "right")\nother = ("Title", "of two words")', set()),
    ],
)
def test_a_new_code_would_be_seen(source: str, codes: set[str]) -> None:
    assert warnings_in(source) == codes
