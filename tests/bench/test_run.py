"""A run: what it judges, that it goes on after a kill, that one failure stops nothing, and what it
refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from bench_sets import Square, add, disc, picture, ready, write_rows, write_set
from made_sets import pictures
from medsegr.bench import run as bench
from medsegr.bench import samples, store
from medsegr.bench.leaks import LeaksFound
from medsegr.bench.methods import Method, Ready, device_record, method_of, methods_of
from medsegr.bench.results import results, rows_of, write_all
from medsegr.bench.samples import samples_of
from medsegr.errors import InputError, UsageError
from medsegr.samples.layouts import Hints, read_rows

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put made methods in the place of built ones."""

    def put(**made: Ready | Exception) -> None:
        def build(method: Method, *_: Any) -> Ready:
            one = made[method.label]
            if isinstance(one, Exception):
                raise one
            return one

        monkeypatch.setattr(bench, "built", build)

    return put


def plan(folder: Path, *labels: str, **more: Any) -> bench.Plan:
    given = {"split": "all", "leaks": "off", "device": "cpu", **more}
    return bench.Plan((folder,), tuple(Method(label, label) for label in labels), **given)


def test_every_image_target_and_control(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()))
    folder = write_set(tmp_path / "s", 6)
    went = bench.run(plan(folder, "a"), tmp_path / "out")
    assert (went.judged, went.clean) == ({"a": 6}, True)
    rows = rows_of(tmp_path / "out")["a"]
    by = {image: [r["control"] for r in rows if r["image"] == image] for image in {r["image"] for r in rows}}
    assert len(by) == 6
    assert {"right", "free", "place", "opposite", "none", "shuffled", "drop-concept"} <= set(
        by["s/images/p0.png"]
    )
    assert by["s/images/p2.png"] == ["right", "free", "other", "other"]  # nothing is there
    told = results(tmp_path / "out")["methods"]["a"]
    assert told["all"]["absent_drawn"]["mean"] == 1.0
    assert told["all"]["foreign_drawn"]["n"] == 12
    assert told["controls"]["right"]["dice"]["mean"] > told["controls"]["opposite"]["dice"]["mean"] + 0.2
    assert told["all"]["words"] == {"name": 2, "oracle": 4}


def test_a_target_of_which_nobody_knows_whether_it_is_there_is_not_judged(
    tmp_path: Path, install: Install
) -> None:
    install(a=ready(Square()))
    folder = tmp_path / "s"
    rows = [add(folder, f"p{i}", picture(i), disc((20, 20), 6)) for i in range(2)]
    for i in range(2):
        mask = np.where(disc((20, 60), 6), 9, i * disc((20, 20), 6)).astype(np.uint8)
        Pil.fromarray(mask).save(folder / "masks" / f"p{i}.png")
    write_rows(folder, [row | {"ignore": "9"} for row in rows])
    went = bench.run(plan(folder, "a"), tmp_path / "out")
    assert went.clean
    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(tmp_path / "out")["a"]:
        by.setdefault(row["image"], []).append(row)
    assert [r["control"] for r in by["s/images/p0.png"]] == ["other", "other"]
    right = by["s/images/p1.png"][0]
    assert (right["control"], right["words"], right["truth"]) == ("right", "name", disc((20, 20), 6).sum())
    assert results(tmp_path / "out")["methods"]["a"]["all"]["absent_drawn"]["n"] == 0


def test_a_method_that_reads_no_words_is_asked_once(tmp_path: Path, install: Install) -> None:
    square = Square()
    install(a=ready(square, reads=False))
    bench.run(plan(write_set(tmp_path / "s", 2), "a"), tmp_path / "out")
    assert len(square.asked) == 2 * (1 + 2)
    assert results(tmp_path / "out")["methods"]["a"]["controls"] is None


def test_raw_words_reach_the_method(tmp_path: Path, install: Install) -> None:
    square = Square()
    install(a=ready(square))
    bench.run(plan(write_set(tmp_path / "s", 1), "a"), tmp_path / "out")
    assert "upper" in square.asked[0].text
    assert all(prompt.text == prompt.findings[0].phrase for prompt in square.asked)


def test_a_low_presence_draws_nothing(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square(presence=0.1)))
    bench.run(plan(write_set(tmp_path / "s", 3), "a"), tmp_path / "out")
    told = results(tmp_path / "out")["methods"]["a"]["all"]
    assert (told["dice"]["mean"], told["foreign_drawn"]["mean"], told["absent_drawn"]["mean"]) == (
        0.0,
        0.0,
        0.0,
    )
    assert told["dice_open"]["mean"] > 0.1


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path, install: Install) -> None:
    folder = write_set(tmp_path / "s", 4)
    install(a=ready(Square()))
    bench.run(plan(folder, "a"), tmp_path / "whole")

    def die_after(count: int) -> Callable[[], None]:
        seen = iter(range(count))

        def step() -> None:
            if next(seen, None) is None:
                raise KeyboardInterrupt

        return step

    with pytest.raises(KeyboardInterrupt):
        bench.run(plan(folder, "a"), tmp_path / "out", die_after(1))
    path = tmp_path / "out/methods/a/images.jsonl"
    path.write_bytes(path.read_bytes() + b'{"image":"s/images/p3.png","rows":[{"con')  # cut off in a line
    square = Square()
    install(a=ready(square))
    assert bench.run(plan(folder, "a"), tmp_path / "out").judged == {"a": 4}
    whole, mended = (rows_of(tmp_path / name)["a"] for name in ("whole", "out"))
    for row in (*whole, *mended):
        del row["seconds"]
    assert mended == whole
    assert len({r["image"] for r in whole}) == 4
    again = Square()
    install(a=ready(again))
    bench.run(plan(folder, "a"), tmp_path / "out")
    assert again.asked == []  # nothing was left to do


def test_one_failure_stops_nothing_and_is_tried_again(tmp_path: Path, install: Install) -> None:
    folder = write_set(tmp_path / "s", 4)
    install(a=ready(Square(fail_on=1)), b=TypeError("no such option"), c=ready(Square(), "c"))
    went = bench.run(plan(folder, "a", "b", "c"), tmp_path / "out")
    assert (went.judged, went.failed) == ({"a": 3, "b": 0, "c": 4}, {"a": 1, "b": 0, "c": 0})
    assert went.broken == {"b": "TypeError: no such option"}
    told = write_all(tmp_path / "out", {"s": folder})
    reasons = {(one["method"], one["image"]): one["reason"] for one in told["failures"]}
    assert reasons == {
        ("a", "s/images/p0.png"): "ValueError: it does not like this image",
        ("b", ""): "TypeError: no such option",
    }
    assert "does not like" in (tmp_path / "out/index.html").read_text(encoding="utf-8")
    install(a=ready(Square()), b=ready(Square(), "b"), c=ready(Square(), "c"))
    assert bench.run(plan(folder, "a", "b", "c"), tmp_path / "out").clean
    assert results(tmp_path / "out")["failures"] == []


def test_an_unreadable_image_fails_alone(tmp_path: Path, install: Install) -> None:
    folder = write_set(tmp_path / "s", 2)
    (folder / "images/p0.png").write_bytes(b"no picture")
    install(a=ready(Square()))
    went = bench.run(plan(folder, "a"), tmp_path / "out")
    assert (went.judged, went.failed) == ({"a": 1}, {"a": 1})


def test_a_run_that_was_asked_otherwise_is_not_mixed_up(tmp_path: Path, install: Install) -> None:
    folder = write_set(tmp_path / "s", 2)
    install(a=ready(Square()))
    bench.run(plan(folder, "a"), tmp_path / "out")
    with pytest.raises(UsageError, match=r"asked otherwise \(seed\)"):
        bench.run(plan(folder, "a", seed=1), tmp_path / "out")
    write_rows(folder, [add(folder, "new", picture(9), disc((20, 20), 5))])
    with pytest.raises(UsageError, match="tables"):
        bench.run(plan(folder, "a"), tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thing.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no run"):
        bench.run(plan(folder, "a"), tmp_path / "full")


def leaky_set(folder: Path) -> Path:
    rows = [add(folder, f"p{i}", picture(i), disc((20, 20), 5), split="test") for i in range(2)]
    rows.append(add(folder, "copy", picture(0), disc((20, 20), 5), split="train"))
    return write_rows(folder, rows)


def test_leaks_are_refused_with_the_list(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()))
    folder = leaky_set(tmp_path / "s")
    with pytest.raises(LeaksFound, match="1 images") as caught:
        bench.run(plan(folder, "a", split="test", leaks="refuse"), tmp_path / "out")
    listed = json.loads((tmp_path / "out/leaks.json").read_text())
    assert [(one["judged"], one["other"]) for one in listed] == [("s/images/p0.png", "s/images/copy.png")]
    assert caught.value.found == listed
    went = bench.run(plan(folder, "a", split="test", leaks="drop"), tmp_path / "out")
    assert went.judged == {"a": 1}


def test_leaks_may_be_judged_with_a_note(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()))
    folder = leaky_set(tmp_path / "s")
    assert bench.run(plan(folder, "a", split="test", leaks="note"), tmp_path / "out").judged == {"a": 2}
    write_all(tmp_path / "out", {})
    assert "stand on the other side" in (tmp_path / "out/index.html").read_text(encoding="utf-8")


def test_further_training_folders_are_looked_at(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()))
    judged = write_rows(tmp_path / "s", [add(tmp_path / "s", "x", picture(0), disc((20, 20), 5))])
    other = write_rows(tmp_path / "t", [add(tmp_path / "t", "y", picture(0), disc((20, 20), 5))])
    with pytest.raises(LeaksFound):
        bench.run(plan(judged, "a", leaks="refuse", trained_on=(other,)), tmp_path / "out")


def test_two_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    one, two = write_set(tmp_path / "a/s", 1), write_set(tmp_path / "b/s", 1)
    with pytest.raises(InputError, match="one name"):
        bench.planned(bench.Plan((one, two), (), split="all"))


def test_a_damaged_line_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "images.jsonl"
    path.write_text('{"image":"a","rows":[]}\n{"ima\n{"image":"b","rows":[]}\n')
    with pytest.raises(InputError, match="line 2"):
        store.lines_of(path)


def test_a_line_whose_end_was_not_written_is_judged_again(tmp_path: Path, install: Install) -> None:
    """A full disk may cut a line anywhere, also between its last character and its end."""
    install(a=ready(Square()))
    asked, out = plan(write_set(tmp_path / "s", 3), "a"), tmp_path / "out"
    bench.run(asked, out)
    whole, path = rows_of(out), out / "methods/a/images.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:])[:-1])
    assert bench.run(asked, out).judged == {"a": 3}
    assert sorted(r["image"] for r in rows_of(out)["a"]) == sorted(r["image"] for r in whole["a"])


def test_what_a_killed_run_had_half_written_stops_nothing_and_goes(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()))
    asked, out = plan(write_set(tmp_path / "s", 1), "a"), tmp_path / "out"
    out.mkdir()
    (out / ".record.json.123.part").write_text("{")
    bench.run(asked, out)
    for half in (".index.html.7.part", ".scores.csv.7.part", "methods/a/.method.json.7.part", ".mine.part"):
        (out / half).write_text("")
    bench.run(asked, out)
    assert [path.name for path in out.rglob("*.part")] == [".mine.part"]


def test_methods_by_their_words() -> None:
    assert method_of("otsu") == Method("otsu", "otsu")
    assert method_of("x=otsu,part=bright") == Method("x", "otsu", (("part", "bright"),))
    assert method_of("t=medsegr-tiny,untrained=true,seed=3").options == (("untrained", True), ("seed", 3))
    assert method_of("runs/mine/checkpoint").label == "checkpoint"
    assert method_of("sam-vit-b+words").label == "sam-vit-b+words"
    for words, told in (("", "names nothing"), ("otsu,bright", "no option"), ("a b=otsu", "no label")):
        with pytest.raises(UsageError, match=told):
            method_of(words)
    with pytest.raises(UsageError, match="otsu comes twice"):
        methods_of(["otsu", "otsu"])
    with pytest.raises(UsageError, match="no model 'otsy'"):
        methods_of(["otsy"])


def test_a_label_keeps_its_method_and_its_checkpoint(tmp_path: Path, install: Install) -> None:
    install(a=ready(Square()), b=ready(Square()))
    checkpoint, out = tmp_path / "checkpoint", tmp_path / "out"
    checkpoint.mkdir()
    (checkpoint / "c.safetensors").touch()
    (checkpoint / "c.json").write_text('{"sha256": "one"}')
    asked = replace(plan(write_set(tmp_path / "s", 2)), methods=(Method("a", str(checkpoint)),))
    install(a=replace(ready(Square()), facts={"parameters": None, "sha256": "one"}))
    bench.run(asked, out)
    bench.run(asked, out)
    moved = checkpoint.rename(tmp_path / "moved")
    bench.run(replace(asked, methods=(Method("a", str(moved)),)), out)  # the same weights elsewhere
    (moved / "c.json").write_text('{"sha256": "two"}')
    for other in (Method("a", str(moved)), Method("a", "otsu"), Method("a", "otsu", (("part", "dark"),))):
        with pytest.raises(UsageError, match="'a' was another method or checkpoint"):
            bench.run(replace(asked, methods=(Method("b", "b"), other)), out)
    assert not (out / "methods" / "b").exists()  # it is told before anything is judged


def test_a_label_that_judged_nothing_so_far_may_be_another_method(tmp_path: Path, install: Install) -> None:
    asked, out = plan(write_set(tmp_path / "s", 2)), tmp_path / "out"

    class Broken(Square):
        def segment(self, *_: Any) -> Any:
            raise ValueError

    install(a=ready(Broken()))
    bench.run(replace(asked, methods=(Method("a", "otsu"),)), out)
    assert (out / "methods" / "a" / "method.json").is_file()
    install(a=ready(Square()))
    assert bench.run(replace(asked, methods=(Method("a", "constant"),)), out).failed == {"a": 0}


def test_the_device_is_told() -> None:
    told = device_record("cpu", 3)
    assert told["device"] == "cpu"
    assert told["threads"] == 3
    assert told["processor"]


def test_a_golden_run_of_two_methods_on_phantoms(tmp_path: Path) -> None:
    """Numbers of the baselines are pinned; of an untrained network only what must hold, since convolutions
    differ in the last bit between machines."""
    from medsegr.phantom import write_set as write_phantoms

    (tmp_path / "made").mkdir()
    write_phantoms("ultrasound", 11, 2, 96, tmp_path / "made", lambda *_: None)
    methods = methods_of(["place", "otsu,part=dark", "tiny=medsegr-tiny,untrained=true,seed=0"])
    asked = bench.Plan((tmp_path / "made",), methods, split="all", device="cpu", threads=1)
    assert bench.run(asked, tmp_path / "out").clean
    told = write_all(tmp_path / "out", {"made": tmp_path / "made"})
    targets = sum(len(s.rows) for s in samples_of(tmp_path / "made"))
    for label in ("place", "otsu", "tiny"):
        part = told["methods"][label]["all"]
        assert part["targets"] == targets
        assert 0 <= part["dice"]["low"] <= part["dice"]["mean"] <= part["dice"]["high"] <= 1
    assert told["methods"]["tiny"]["facts"]["parameters"] > 1_000_000
    assert told["u_scores"]["tiny"]["score"] is not None
    assert told["u_scores"]["otsu"]["score"] is None
    golden = {label: told["methods"][label]["all"]["dice"]["mean"] for label in ("place", "otsu")}
    assert golden == pytest.approx(GOLDEN, abs=1e-4)
    assert np.isfinite([row["p"] for row in told["tests"]["right"]]).all()


GOLDEN = {"place": 0.06954, "otsu": 0.02307}


def test_every_set_is_looked_through_once_a_run_and_once_for_its_page(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of DICOM have no table: each look opens all of their headers."""
    folder = pictures(tmp_path / "s", 3)
    (folder / "masks").rename(folder / "polyp")
    (folder / "masks").mkdir()
    (folder / "polyp").rename(folder / "masks" / "polyp")
    looked: list[Path] = []

    def counted(folder: Path, _hints: Hints) -> list[dict[str, str]]:
        looked.append(folder)
        return read_rows(folder)

    monkeypatch.setattr(samples, "read_rows", counted)
    install(a=ready(Square()), b=ready(Square()))
    plan_ = plan(folder, "a", "b")
    known = bench.planned(plan_)
    bench.run(plan_, tmp_path / "out", known=known)
    assert looked == [folder]
    write_all(tmp_path / "out", {"s": folder})  # two methods with pictures
    assert looked == [folder] * 2
    bench.run(plan_, tmp_path / "out")  # the same table
