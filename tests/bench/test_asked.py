"""Pictures asked as people ask: a list of texts, what each draws, and why it draws nothing."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench_sets import Brightest, add, disc, picture, write_rows
from medsegr.bench import asked
from medsegr.bench.asked import Asked, Row
from medsegr.data import read_there
from medsegr.errors import InputError
from medsegr.predict import Predictor
from medsegr.types import Image


@pytest.fixture
def lit(tmp_path: Path) -> Path:
    """Two bright discs on dark ground, each a row of its own; twelve patients, of whom some are held out."""
    table = []
    for i in range(12):
        masks = disc((20, 14 + i), 9), disc((40, 60), 7)
        pixels = np.where((masks[0] | masks[1])[..., None], np.uint8(220), picture(i) // 6)
        table += [
            {
                **add(tmp_path / "lit", f"p{i}{at}", pixels, mask),
                "image": f"images/p{i}a.png",
                "group": f"{i}",
            }
            for at, mask in zip("ab", masks, strict=True)
        ]
    return write_rows(tmp_path / "lit", table)


def test_every_text_is_asked_of_every_picture_and_all_that_it_means_is_counted(lit: Path) -> None:
    one = Asked("lit", ("polyp",), ("polyps", "retinal vessels"), ("Findings: Two polyps. No ulcer.",))
    cases = list(read_there(lit))
    found = list(asked.rows(one, cases, cast(Predictor, Brightest())))
    assert len(found) == 3 * len(cases) > 0
    for row in found:
        assert (row.dice, bool(row.reason)) == ((0.0, True) if "vessels" in row.text else (1.0, False)), row


def test_the_kind_and_the_colours_are_taken_away_where_the_list_says_so(
    lit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Image] = []
    through = asked.pipeline.run
    monkeypatch.setattr(
        asked.pipeline, "run", lambda image, *a, **k: seen.append(image) or through(image, *a, **k)
    )
    cases = list(read_there(lit))[:1]
    for told, grey in ((True, False), (False, True)):
        list(
            asked.rows(
                Asked("lit", ("polyp",), ("polyp",), (), told, grey), cases, cast(Predictor, Brightest())
            )
        )
    assert [(image.modality, len(image.data)) for image in seen] == [("ES", 3), (None, 1)]


def test_pictures_without_the_thing_are_not_asked(lit: Path) -> None:
    none = Asked("lit", ("lung left",), ("left lung",))
    assert not list(asked.rows(none, list(read_there(lit)), cast(Predictor, Brightest())))
    assert asked.table(none, []) == []


def test_the_table_gives_the_mean_and_the_reasons() -> None:
    rows = [Row("polyp", f"g{i}", 0.8, "") for i in range(3)] + [Row("polyp", "g3", 0.0, "presence_low")]
    lines = asked.table(Asked("a", ("polyp",), ("polyp",), told=False), rows)
    assert lines[0] == "a, polyp, kind not told"
    assert "0.600" in lines[1]
    assert lines[1].endswith("of   4  polyp; 1 without a mask: presence_low")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tables [[asked]] were expected"),
        ("asked = 3", "tables [[asked]] were expected"),
        ('[[asked]]\nset = "a"\ntargets = ["polyp"]\nphrase = "polyp"', "unknown key phrase"),
        ('[[asked]]\nset = "a"', "set or targets is missing"),
        (
            '[[asked]]\nset = "a"\ntargets = "polyp"',
            "targets: 'polyp' came where a list of texts was expected",
        ),
        ('[[asked]]\nset = "a"\ntargets = [1]', "came where a list of texts was expected"),
        (
            '[[asked]]\nset = "a"\ntargets = []\ntold = "no"',
            "told: 'no' came where true or false was expected",
        ),
        ("[[asked]", "cannot read the list"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"^[^\n]*$") as refused:
        asked.read_list(path)
    assert said in str(refused.value)


def test_the_list_of_the_evidence_page_is_read() -> None:
    found = asked.read_list(Path(__file__).parents[2] / "configs" / "compare" / "asked.toml")
    assert {one.set for one in found} >= {"polyp_kvasir_seg", "cxr_covid_gb", "mri3d_hippocampus"}
    assert all(one.phrases or one.reports for one in found)


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[[asked]]\nset = "nowhere"\ntargets = ["polyp"]\nphrases = ["polyp"]')
    with pytest.raises(InputError, match="set nowhere was not found below --data"):
        asked.main([str(path), "--data", str(tmp_path)])
