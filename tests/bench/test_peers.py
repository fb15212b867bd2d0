"""Networks trained and judged alike: what is asked, what the table says, going on, a method that fails."""

import csv
import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, cast

import numpy as np
import pytest

from bench_sets import Square, add, picture, write_rows, write_set
from medsegr import phantom, predict, registry
from medsegr.bench import controls, peer_page, peer_scores, peer_table, peers
from medsegr.bench.peer_scores import Row
from medsegr.bench.samples import Wanted
from medsegr.errors import InputError, UsageError, WeightsError
from medsegr.inference import answers
from medsegr.types import Finding
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
    assert {row["what"] for row in rows} <= set(peer_scores.KINDS)
    assert {"right", "free", "none", "wrong", "drop-location"} <= {row["control"] for row in rows}
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)
    assert "failed: " in "\n".join(peer_table.lines(told))
    page = (bench.out / "index.html").read_text(encoding="utf-8")
    assert "subset of the letters LTS" in page
    assert "What the words do" in page
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


def test_what_a_signal_stopped_says_so_and_not_its_last_word(
    bench: peers.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of a process that was killed is how far it had come."""

    def killed(_command: object, stdout: IO[str], **_more: object) -> Namespace:
        stdout.write("phantom cells: 5 cases\n")
        return Namespace(returncode=-9)

    monkeypatch.setattr(peers.subprocess, "run", killed)
    told = peers.compare(bench, lambda _line: None)
    assert told["failed"]["small"] == "signal 9 stopped it: most often a lack of memory"


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


def test_another_checkpoint_of_the_same_name_is_another_setting(
    bench: peers.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = peers.Method("mine", "", {}, "runs/mine/checkpoint")
    told = []
    for digest in ("one", "two", "one"):
        monkeypatch.setattr(peers.weights, "read_card", lambda _name, own=digest: {"sha256": own})
        told.append(peers.settings(bench, method))
    assert told[0] == told[2] != told[1]


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
    square = Square()
    found = list(peer_scores.referring_rows(folder, cast(predict.Predictor, square)))
    scores: dict[str, list[float]] = {}
    for row in found:
        scores.setdefault(row.control, []).append(row.dice)
    assert len({row.case for row in found}) == 12
    assert {row.what for row in found} == {"words"}
    assert {row.words for row in found} == {"oracle"}
    assert scores["right"] == scores["place"] == pytest.approx([1.0] * 12)
    for one in ("free", "none", "drop-location"):  # no place is told: the upper left
        assert sorted(scores[one]) == pytest.approx([0.0] * 6 + [1.0] * 6)
    for one in ("opposite", "shuffled", "flipped", "wrong", "contradictory"):
        assert scores[one] == pytest.approx([0.0] * 12)
    assert not {"drop-texture", "drop-shape"} & set(scores)  # nothing to leave out
    # what says the same is asked once: free, none and drop-location do not, right and place do
    said = [[controls.says(finding) for finding in prompt.findings] for prompt in square.asked]
    assert all(len(set(one)) == len(one) for one in said)


def test_another_concept_is_asked_for_and_the_presence_is_told(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "refer", 6)
    square = Square(presence=0.2)
    found = list(peer_scores.referring_rows(folder, cast(predict.Predictor, square), ("right", "other")))
    assert {row.control for row in found} == {"right", "other"}
    assert not any(row.there for row in found)
    names = {finding.name for prompt in square.asked for finding in prompt.findings}
    assert "polyp" in names
    assert names - {"polyp"} <= {*controls.FOREIGN, "lung"}
    assert len(names) > 2
    known = "liver"
    other = Square(strange=tuple({*controls.FOREIGN, "lung"} - {known}))  # a name never heard is no word
    list(peer_scores.referring_rows(folder, cast(predict.Predictor, other), ("right", "other")))
    assert {finding.name for prompt in other.asked for finding in prompt.findings} == {"polyp", known}


def test_large_images_are_asked_for_a_few_things_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen masks of a volume of chest are more than most memories hold."""
    folder = write_set(tmp_path / "refer", 3)
    rows_: list[list[Row]] = []
    for largest in (10**9, 2 * 60 * 80):
        monkeypatch.setattr(answers, "LARGEST_CALL", largest)
        square = Square()
        rows_.append(list(peer_scores.referring_rows(folder, cast(predict.Predictor, square))))
    assert max(len(prompt.findings) for prompt in square.asked) == 2
    assert rows_[0] == rows_[1]


def test_made_bodies_are_shuffled_with_words_of_the_same_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of texture that are shuffled must stay words of texture, or another thing is corrupted."""
    told: dict[tuple[str, str], list[Finding]] = {}
    real = controls.controlled

    def spied(
        wanted: Wanted, others: Sequence[controls.Other], rng: np.random.Generator
    ) -> dict[str, Finding]:
        asked = real(wanted, others, rng)
        kind = next(k for k in peer_scores.KINDS if peer_scores.only(wanted.finding, k) == wanted.finding)
        for name, finding in asked.items():
            told.setdefault((kind, name), []).append(finding)
        return asked

    monkeypatch.setattr(controls, "controlled", spied)
    square = cast(predict.Predictor, Square())
    rows = [row for row in peer_scores.made_rows("mucosa", square, 10) if row.control == "shuffled"]
    assert rows
    for kind in peer_scores.KINDS:
        for finding in told.get((kind, "shuffled"), []):
            assert controls.says(peer_scores.only(finding, kind)) == controls.says(finding)
    assert told["texture", "shuffled"]


def test_which_controls_are_asked_changes_no_answer_of_the_others(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "refer", 6)
    whole = peer_scores.referring_rows(folder, cast(predict.Predictor, Square()))
    some = peer_scores.referring_rows(folder, cast(predict.Predictor, Square()), ("right", "wrong"))
    assert list(some) == [row for row in whole if row.control in ("right", "wrong")]


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
        Row(
            *(name, "name", "free", "name", f"{name}{i // 2}", f"{name}{i}", "polyp"),
            *(float(np.clip(v + shift, 0, 1)), True),
        )
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


def test_methods_are_compared_under_the_same_words_and_sets_are_kept_apart() -> None:
    """Sets may call their pictures the same, and a mask under other words is another answer."""

    def asked(right: float, free: float) -> list[Row]:
        return [
            Row(name, "words", control, "oracle", f"{name}{i}", f"p{i}", "polyp", dice + lift, True)
            for name, lift in (("a", 0.0), ("b", 0.2))
            for control, dice in (("right", right), ("free", free))
            for i in range(8)
        ]

    lines = peer_table.summary(
        {"ours": asked(0.7, 0.1), "other": asked(0.3, 0.4), "deaf": asked(0.2, 0.2)}, "ours"
    )
    by = {(line["method"], line["set"], line["control"]): line for line in lines}
    told = {c: by["other", peer_table.POOLED, c]["difference"] for c in ("right", "free")}
    assert (told["right"]["mean"], told["free"]["mean"]) == pytest.approx((-0.4, 0.3))
    assert told["right"]["p_holm"] == pytest.approx(
        2 * told["right"]["p"]
    )  # of two methods, not of four lines
    minus = by["ours", peer_table.POOLED, "free"]["right_minus"]
    assert (minus["mean"], minus["n"]) == (pytest.approx(0.6), 16)


def test_one_group_has_no_interval(tmp_path: Path) -> None:
    facts = {"parameters": 10, "steps": 1, "samples": 2, "minutes": 0.1, "checkpoint": False}
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
    facts = {"parameters": 10, "steps": 1, "samples": 2, "minutes": 0.1, "checkpoint": False}
    done = {"other": {"facts": facts, "rows": [asdict(row) for row in rows(0.0)]}}
    peer_table.write(tmp_path, done, {"ours": "it was stopped"}, "ours")
    told = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    assert all("difference" not in line for line in told["summary"])
    assert any("ours" in line and "stopped" in line for line in peer_table.lines(told))


def worded(right: float, **others: float) -> list[Row]:
    """Ten masks of five groups with right words, and with others that cost something."""
    rng = np.random.default_rng(1)
    noise = rng.uniform(-0.05, 0.05, 10)
    told = {"right": right, **others}
    return [
        Row("a", "words", name, "oracle", f"g{i // 2}", f"c{i}", "polyp", value + float(noise[i]), i % 5 > 0)
        for name, value in told.items()
        for i in range(10)
    ]


def test_what_wrong_words_cost_is_paired_with_the_right_ones_of_the_same_method() -> None:
    rows_ = {"ours": worded(0.8, free=0.7, none=0.3), "other": worded(0.6, free=0.6, none=0.55)}
    by = {(line["method"], line["control"]): line for line in peer_table.summary(rows_, "ours")}
    assert "right_minus" not in by["ours", "right"]
    minus = by["ours", "none"]["right_minus"]
    assert (minus["mean"], minus["low"], minus["high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert (minus["n"], minus["groups"]) == (10, 5)
    assert minus["p"] == pytest.approx(2 / 32)
    assert minus["p_holm"] == pytest.approx(4 / 32)  # two controls beside the right words
    assert by["other", "none"]["right_minus"]["mean"] == pytest.approx(0.05)
    assert by["other", "none"]["difference"]["mean"] == pytest.approx(0.25)  # to ours under the same words
    assert by["ours", "right"]["there"] == pytest.approx(0.8)
    assert by["ours", "right"]["gated"] < by["ours", "right"]["dice"] - 0.1
    assert by["ours", "none"]["words"] == {"oracle": 10}


def test_lines_and_page_tell_what_the_words_do(tmp_path: Path) -> None:
    facts = {"parameters": 10, "steps": 1, "samples": 2, "minutes": 0.1, "checkpoint": False}
    done = {
        name: {"facts": facts, "rows": [asdict(row) for row in worded(value, free=0.5, none=0.3)]}
        for name, value in (("ours", 0.8), ("<b>other", 0.6))
    }
    peer_table.write(tmp_path, done, {"late": "it <stopped>"}, "ours")
    told = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    line = next(line for line in peer_table.lines(told) if "none" in line and "ours" in line)
    assert "0.8" in line
    assert "none +0.500" in line
    page = peer_page.page(told)
    assert "&lt;b&gt;other" in page
    assert "it &lt;stopped&gt;" in page
    assert "<b>other" not in page
    assert "+0.500 [+0.500, +0.500]" in page
    assert "oracle 10" in page


def test_a_stopped_judging_goes_on_after_the_last_set(
    bench: peers.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = peers.Method("as it is", "", {}, "medsegr-tiny")
    (bench.out / method.label).mkdir(parents=True)
    config = bench.config.read_text(encoding="utf-8")
    bench.config.write_text(config + "mucosa = 1.0\n", encoding="utf-8")
    seen: list[str] = []

    def rows_of(kind: str, _predictor: object, _made: int, asked: Sequence[str]) -> list[Row]:
        seen.append(kind)
        if kind == "mucosa" and len(seen) == 2:
            raise KeyboardInterrupt
        return [row for row in worded(0.5, free=0.4) if row.control in asked]

    monkeypatch.setattr(peer_scores, "made_rows", rows_of)
    monkeypatch.setattr(predict, "load", lambda _name, device: Namespace(card={"parameters": 1}))
    with pytest.raises(KeyboardInterrupt):
        peers.train(bench, method, lambda _line: None)
    peers.train(bench, method, lambda _line: None)
    assert seen == ["cells", "mucosa", "mucosa"]
    told = json.loads((bench.out / method.label / peers.DONE).read_text(encoding="utf-8"))
    assert len(told["rows"]) == 40
    assert told["facts"]["checkpoint"]
    peers.train(replace(bench, controls="right"), method, lambda _line: None)  # other words: asked again
    assert seen[3:] == ["cells", "mucosa"]


def test_controls_are_chosen_by_name(bench: peers.Bench) -> None:
    assert controls.named("all") == tuple(controls.CONTROLS)
    assert controls.named("none, shuffled") == ("right", "none", "shuffled")
    with pytest.raises(UsageError, match="contradictory"):
        replace(bench, controls="right,rong")
    method = peers.read_methods(bench.methods)[0]
    some = replace(bench, controls="right,free")
    assert peers.settings(bench, method) != peers.settings(some, method)
    assert peers._flags(some)[-2:] == ["--controls", "right,free"]


@pytest.mark.parametrize("which", ["peers", "ablations"])
def test_the_lists_that_ship_are_read_and_exist(which: str) -> None:
    methods = peers.read_methods(which)
    assert methods[0].label == "medsegr-tiny"
    assert len({method.label for method in methods}) == len(methods) >= 7
    for method in methods:
        if method.name == "medsegr-tiny":
            Variant(**method.options)


def test_the_ablations_have_every_subset_of_the_heads_other_sites_and_mechanisms() -> None:
    own = [Variant(**m.options) for m in peers.read_methods("ablations") if m.name == "medsegr-tiny"]
    usual = Variant()
    heads = {"".join(sorted(v.heads)) for v in own if (v.sites, v.mechanism) == (usual.sites, "modulators")}
    assert heads == {"", "L", "T", "S", "LT", "LS", "ST", "LST"}
    assert {v.sites for v in own} >= {(0, 1, 2, 3), (2, 3), (3,)}
    assert {v.mechanism for v in own} >= {"modulators", "film", "none"}
    assert any(m.name == "decoder-only" for m in peers.read_methods("ablations"))


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
        ("[[method]]\ncheckpoint = 'medsegr-tinny'", WeightsError, "medsegr-tiny"),
        ("[[method]]\ncheckpoint = 'medsegr-tiny'\nheads = 'L'", UsageError, "as it is"),
        ("[[method]]\ncheckpoint = 'medsegr-tiny'\nname = 'monai-unet'", UsageError, "as it is"),
    ],
)
def test_a_bad_list_is_refused_in_a_line(tmp_path: Path, text: str, error: type, named: str) -> None:
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=named):
        peers.read_methods(str(tmp_path / "m.toml"))


def test_the_budget_is_minutes_or_steps(tmp_path: Path) -> None:
    for changes in ({"minutes": 1.0, "steps": 5}, {"minutes": 1.0, "jobs": 0}):
        with pytest.raises(UsageError, match="expected"):
            peers.Bench(tmp_path, tmp_path, **changes)
    with pytest.raises(UsageError, match="exactly one budget"):
        peers.compare(peers.Bench(tmp_path, tmp_path))
    assert "--steps" not in peers._flags(peers.Bench(tmp_path, tmp_path, minutes=1.0))


def test_minutes_replace_the_steps_of_the_configuration(bench: peers.Bench) -> None:
    bench.config.write_text(f"steps = 70\n{CONFIG}", encoding="utf-8")
    assert (peers.configured(bench).steps, peers.configured(bench).minutes) == (0, bench.minutes)
    asked = replace(bench, minutes=0.0, steps=5)
    assert peers.configured(asked).steps == 5


def test_only_networks_can_be_asked_for_as_such() -> None:
    with pytest.raises(UsageError, match="medsegr-tiny"):
        registry.network("otsu")
