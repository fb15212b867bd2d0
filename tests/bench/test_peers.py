"""Networks trained and judged alike: what is asked, what the table says, going on, a method that fails."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench_sets import Square, add, picture, write_rows, write_set
from medsegr import phantom, predict, registry
from medsegr.bench import peer_scores, peer_table, peers
from medsegr.bench.peer_scores import Row
from medsegr.errors import InputError, UsageError
from medsegr.variants import Variant

CONFIG = """batch = 2
sizes = [[1.0, 64]]
phantom_count = 5
[phantoms]
cells = 1.0
"""
METHODS = """[[method]]
label = "small"
name = "monai-unet"
channels = [8, 12]
units = 0
[[method]]
label = "broken"
name = "medsegr-tiny"
heads = "X"
"""


@pytest.fixture
def bench(tmp_path: Path) -> peers.Bench:
    (tmp_path / "c.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "m.toml").write_text(METHODS, encoding="utf-8")
    return peers.Bench(
        tmp_path / "c.toml", tmp_path / "out", methods=str(tmp_path / "m.toml"), minutes=0.01, made=4
    )


def test_a_comparison_that_fails_goes_on_and_is_not_made_twice(
    bench: peers.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = peers.compare(bench, lambda _line: None)
    assert set(told["methods"]) == {"small"}
    assert "subset of the letters LTS" in told["failed"]["broken"]
    assert told["methods"]["small"]["steps"] >= 1
    with (bench.out / "peers.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    assert {row["what"].removeprefix("without ") for row in rows} <= set(peer_scores.KINDS)
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)
    assert "failed: " in "\n".join(peer_table.lines(told))
    # a trained peer is a checkpoint like any other
    loaded = predict.load(bench.out / "small" / "checkpoint", device="cpu")
    assert loaded.card["network"] == "monai-unet"
    assert loaded.base == 64
    assert not list(bench.out.rglob("*.part"))

    asked: list[str] = []
    monkeypatch.setattr(peers, "_child", lambda _bench, method, _log: asked.append(method.label))
    again = peers.compare(bench, lambda _line: None)
    assert asked == ["broken"]
    assert again["summary"] == told["summary"]
    with pytest.raises(UsageError, match="other settings"):
        peers.compare(replace(bench, made=5), lambda _line: None)


def test_no_made_bodies_are_none_in_the_process_of_a_method_too(
    bench: peers.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out of the flags of a method's own process would be as usual there: sixty."""
    heard: list[peers.Bench] = []
    monkeypatch.setattr(peers, "train", lambda told, _method: heard.append(told))
    asked = replace(bench, made=0)
    peers.main(["--only", "small", *peers._flags(asked)])
    assert heard == [asked]


@pytest.mark.parametrize("count", [{"made": -1}, {"jobs": 0}, {"limit": 0}])
def test_counts_that_are_none_are_refused(bench: peers.Bench, count: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(count))} .* at least"):
        replace(bench, **count)


def test_other_weights_to_begin_with_are_other_settings(bench: peers.Bench, tmp_path: Path) -> None:
    """Every run calls its weights last.pt."""
    method, starts = peers.read_methods(bench.methods)[0], []
    for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / name).mkdir()
        (start := tmp_path / name / "last.pt").write_bytes(content)
        starts.append(peers.settings(replace(bench, start=start), method))
    assert starts[0] == starts[2] != starts[1]
    assert peers.settings(bench, method) not in starts
    assert peers.settings(replace(bench, part="host."), method) != peers.settings(bench, method)


def test_words_decide_where_the_name_does_not() -> None:
    found = 0
    for i in range(12):
        case = phantom.make("mucosa", np.random.default_rng([peer_scores.SEED, i]), 128)
        for kind, lesion, finding in peer_scores.deciding(case):
            found += 1
            assert finding.name == peer_scores.named_only(finding).name
            assert peer_scores.only(finding, kind) == finding
            assert any(other is not case.lesions[lesion] for other in case.lesions)
    assert found > 5


def test_every_mask_has_a_row_of_its_own_also_where_a_group_has_several_pictures(tmp_path: Path) -> None:
    """Two methods are compared mask by mask: rows that looked alike would be paired with each other's."""
    folder = write_set(tmp_path / "set", 6, group="one patient")
    square = Square()
    found = list(peer_scores.real_rows(folder, cast(predict.Predictor, square)))
    assert len(found) == 4  # every third picture shows none
    assert {row.group for row in found} == {"set/one patient"}
    assert len({(row.case, row.target) for row in found}) == len(found)
    assert len(list(peer_scores.real_rows(folder, cast(predict.Predictor, square), limit=2))) == 2


def test_all_of_a_referring_set_is_asked_by_its_words_and_by_the_name_alone(tmp_path: Path) -> None:
    """Polyps in the upper left and the lower right; Square draws where the words say, else upper left."""
    told = [{"side": None, "rows": ["upper"], "cols": ["left"]}, {"rows": ["lower"], "cols": ["right"]}]
    table = []
    for i in range(12):  # of more than one part of whatever division
        mask = np.zeros((60, 60), bool)
        mask[(slice(0, 20), slice(40, 60))[i % 2], (slice(0, 20), slice(40, 60))[i % 2]] = True
        words = json.dumps({"name": "polyp", "location": told[i % 2]})
        table.append(add(tmp_path / "refer", f"p{i}", picture(i, (60, 60)), mask, attributes=words))
    folder = write_rows(tmp_path / "refer", table)
    found = list(peer_scores.referring_rows(folder, cast(predict.Predictor, Square())))
    scores = {
        what: [row.dice for row in sorted(found, key=lambda row: row.group) if row.what == what]
        for what in ("words", "without words")
    }
    assert len({row.case for row in found}) == 12
    assert scores["words"] == pytest.approx([1.0] * 12)
    assert sorted(scores["without words"]) == pytest.approx([0.0] * 6 + [1.0] * 6)


def test_a_referring_set_is_looked_at_before_anybody_trains(bench: peers.Bench, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    asked = replace(bench, referring=(tmp_path / "nothing",))
    with pytest.raises(InputError, match="nothing"):
        peers.compare(asked, lambda _line: None)
    assert not bench.out.exists()
    assert peers._flags(asked)[-2:] == ["--referring", str(tmp_path / "nothing")]


def test_another_referring_set_is_another_setting_also_under_the_same_name(
    bench: peers.Bench, tmp_path: Path
) -> None:
    one, two = (write_set(tmp_path / name / "refer", count) for name, count in (("a", 3), ("b", 4)))
    method = peers.read_methods(bench.methods)[0]
    told = [peers.settings(replace(bench, referring=given), method) for given in ((), (one,), (two,), (one,))]
    assert told[1] == told[3]
    assert told[0] != told[1] != told[2] != told[0]
    with pytest.raises(UsageError, match="refer, refer"):
        replace(bench, referring=(one, two))


def rows(shift: float, sets: tuple[str, ...] = ("a", "b")) -> list[Row]:
    rng = np.random.default_rng(0)
    return [
        Row(name, "name", f"{name}{i // 2}", f"{name}{i}", "polyp", float(np.clip(v + shift, 0, 1)))
        for name in sets
        for i, v in enumerate(rng.uniform(0.3, 0.6, 12))
    ]


def test_differences_are_paired_and_ours_has_none() -> None:
    lines = peer_table.summary({"ours": rows(0.0), "other": rows(-0.2), "half": rows(0.1, ("a",))}, "ours")
    by = {(line["method"], line["set"]): line for line in lines}
    assert "difference" not in by["ours", "a"]
    other = by["other", peer_table.POOLED]["difference"]
    assert other["mean"] == pytest.approx(-0.2)
    assert (other["low"], other["high"]) == pytest.approx((-0.2, -0.2))
    assert other["n"] == 24
    assert other["p"] < 0.01
    pair = [by[name, "a"]["difference"] for name in ("other", "half")]
    assert [d["p"] for d in pair] == pytest.approx([2 / 64] * 2)  # six groups: the smallest p there is
    assert [d["p_holm"] for d in pair] == pytest.approx([4 / 64] * 2)
    assert other["p_holm"] == other["p"]  # alone in its question
    assert by["other", "a"]["groups"] == 6
    assert ("half", peer_table.POOLED) not in by  # one set is no pool
    assert by["half", "a"]["difference"]["mean"] == pytest.approx(0.1)


def test_one_group_has_no_interval(tmp_path: Path) -> None:
    facts = {"parameters": 10, "steps": 1, "samples": 2, "minutes": 0.1}
    done = {
        name: {"facts": facts, "rows": [asdict(replace(row, group="one")) for row in rows(shift, ("a",))]}
        for name, shift in (("ours", 0.0), ("other", -0.2))
    }
    peer_table.write(tmp_path, done, {}, "ours")
    told = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    other = told["summary"][1]
    assert (other["low"], other["high"], other["difference"]["low"]) == (None, None, None)
    line = next(line for line in peer_table.lines(told) if line.startswith("  other"))
    assert line.count("[one group]") == 2
    assert f"{other['difference']['mean']:+.3f}" in line


def test_without_ours_there_is_no_difference(tmp_path: Path) -> None:
    facts = {"parameters": 10, "steps": 1, "samples": 2, "minutes": 0.1}
    done = {"other": {"facts": facts, "rows": [asdict(row) for row in rows(0.0)]}}
    peer_table.write(tmp_path, done, {"ours": "it was stopped"}, "ours")
    told = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    assert all("difference" not in line for line in told["summary"])
    assert any("ours" in line and "stopped" in line for line in peer_table.lines(told))


@pytest.mark.parametrize("which", ["peers", "ablations"])
def test_the_lists_that_ship_are_read_and_exist(which: str) -> None:
    methods = peers.read_methods(which)
    assert methods[0].label == "medsegr-tiny"
    assert len({method.label for method in methods}) == len(methods) >= 7
    for method in methods:
        if method.name == "medsegr-tiny":
            Variant(**method.options)


@pytest.mark.parametrize(
    ("text", "error", "named"),
    [
        ("", InputError, "method"),
        ("method = 3", InputError, "method"),
        ("[[method]]\nlabel = 'x'", InputError, "name"),
        ("[[method]]\nname = 'otsu'", UsageError, "can be trained"),
        ("[[method]]\nname = 'monai-unett'", UsageError, "did you mean"),
        ("[[method]]\nname = 'lvit-like'\n[[method]]\nname = 'lvit-like'", UsageError, "twice"),
        ("[[method]]\nname = 'lvit-like'\nlabel = '../x'", UsageError, "folder"),
        ("[[", InputError, "cannot read"),
    ],
)
def test_a_bad_list_is_refused_in_a_line(tmp_path: Path, text: str, error: type, named: str) -> None:
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=named):
        peers.read_methods(str(tmp_path / "m.toml"))


def test_the_budget_is_minutes_or_steps(tmp_path: Path) -> None:
    for changes in ({}, {"minutes": 1.0, "steps": 5}, {"minutes": 1.0, "jobs": 0}):
        with pytest.raises(UsageError, match="expected"):
            peers.Bench(tmp_path, tmp_path, **changes)
    assert "--steps" not in peers._flags(peers.Bench(tmp_path, tmp_path, minutes=1.0))


def test_minutes_replace_the_steps_of_the_configuration(bench: peers.Bench) -> None:
    bench.config.write_text(f"steps = 70\n{CONFIG}", encoding="utf-8")
    assert (peers.configured(bench).steps, peers.configured(bench).minutes) == (0, bench.minutes)
    asked = replace(bench, minutes=0.0, steps=5)
    assert peers.configured(asked).steps == 5


def test_only_networks_can_be_asked_for_as_such() -> None:
    with pytest.raises(UsageError, match="medsegr-tiny"):
        registry.network("otsu")
