"""``medsegr bench run`` and ``compare`` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench_sets import add, disc, picture, write_rows, write_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "s", 3)


def judging(folder: Path, out: Path, *more: str) -> tuple[str | Path, ...]:
    """The words of ``bench run`` over all of a set."""
    return ("bench", "run", "-d", folder, "-o", out, "--split", "all", *more)


def test_judge_then_compare(run: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = judging(folder, out, "-m", "place", "-m", "half=otsu,part=dark")
    ran = run(*words)
    assert ran.code == 0, ran.err
    assert "place, all words (oracle): Dice" in ran.out
    assert "half, reads no words: Dice" in ran.out
    assert {p.name for p in out.iterdir()} == {
        "record.json",
        "results.json",
        "scores.csv",
        "index.html",
        "methods",
    }
    assert json.loads((out / "results.json").read_text())["record"]["split"] == "all"
    told = run("bench", "compare", f"{out}:place", f"{out}:half", "--control", "right", "--json").json
    assert (told["a"], told["b"], told["all"]["images"]) == ("place", "half", 2)
    lines = run("bench", "compare", f"{out}:half", f"{out}:place").out
    assert "half minus place, Dice an image, control free (words: name)" in lines
    assert "neither reads words" in run("bench", "compare", f"{out}:half", f"{out}:half").out
    assert "Holm" in lines
    assert "[one group]" not in lines
    run("bench", "compare", out, f"{out}:half").fails(2, "FOLDER:LABEL")
    run(*judging(folder, out, "-m", "half=otsu,part=bright")).fails(2, "'half' was another method")
    run("bench", "compare", f"{out}:half", f"{out}:place", "--control", "other").fails(2, "--control")
    run("bench", "compare", f"{out}:half", f"{out}:place", "--min-images", "9").fails(
        3, "--min-images 9: the largest set that both have judged has 2 images"
    )
    assert "left out" not in lines
    judged = out / "methods/half/images.jsonl"
    judged.write_text("".join(judged.read_text(encoding="utf-8").splitlines(keepends=True)[1:]))
    lines = run("bench", "compare", f"{out}:half", f"{out}:place").out
    assert "left out: an image that only place has judged" in lines


def test_a_folder_of_images_and_masks_is_judged_by_the_words_that_train_takes(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    (folder / "samples.csv").unlink()
    run(*judging(folder, tmp_path / "out", "-m", "constant")).fails(3, "or give --target NAME")
    words = ("--target", "polyp", "--modality", "colonoscopy")
    asked = judging(folder, tmp_path / "out", "--leaks", "off", "-m", "constant")
    assert run(*asked, *words).code == 0
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (told["record"]["target"], told["record"]["modality"]) == ("polyp", "colonoscopy")
    assert list(told["methods"]["constant"]["modalities"]) == ["ES"]
    assert "data:image/" in (tmp_path / "out" / "index.html").read_text()
    run(*asked, "--target", "blork").fails(3, "target 'blork' is not in the lexicon")
    run(*judging(tmp_path / "nowhere", tmp_path / "o", "-m", "constant")).fails(
        3, "there is no folder nowhere"
    )
    run(*asked, "--target", "lesion").fails(2, "asked otherwise (tables, target, modality)")
    run(*asked, "--target", "polyp", "--modality", "crystal").fails(2, "--modality: 'crystal'")


def test_clicks_take_the_same_words(run: Any, folder: Path, tmp_path: Path) -> None:
    (folder / "samples.csv").unlink()
    words = ("bench", "clicks", "-d", folder, "-o", tmp_path / "out", "--split", "all", "--limit", "1")
    run(*words, "--clicks", "1").fails(3, "or give --target NAME")
    ran = run(*words, "--clicks", "1", "--targets", "1", "--target", "polyp", "--modality", "ES")
    assert ran.code == 0, ran.err
    run(*words, "--clicks", "1", "--targets", "1", "--target", "lesion").fails(2, "asked otherwise")


def test_one_patient_gives_no_interval(run: Any, tmp_path: Path) -> None:
    folder, out = write_set(tmp_path / "set", 2, group="one"), tmp_path / "out"
    ran = run(*judging(folder, out, "--leaks", "off", "--threads", "1", "-m", "place", "-m", "otsu"))
    assert ran.code == 0, ran.err
    pair = ("bench", "compare", f"{out}:place", f"{out}:otsu", "--control", "right")
    assert run(*pair).out.count("[one group]") == 2 + len(run(*pair, "--json").json["strata"])
    told = run(*pair, "--json").json["all"]["difference"]
    assert (told["low"], told["high"], told["groups"]) == (None, None, 1)
    assert told["mean"] is not None


def test_a_method_that_fails_ends_with_four(run: Any, folder: Path, tmp_path: Path) -> None:
    words = ("-d", folder, "-o", tmp_path / "out", "--split", "all", "-m", "otsu,sort=3", "-m", "constant")
    ran = run("bench", "run", *words)
    assert ran.code == 4
    assert "otsu: nothing judged; TypeError" in ran.out
    assert "constant, reads no words: Dice" in ran.out


def test_refusals(run: Any, folder: Path, tmp_path: Path) -> None:
    to = ("-o", tmp_path / "out")
    run("bench", "run", "-d", tmp_path, *to, "-m", "otsu").fails(
        3, "no set that is known here: expected samples.csv"
    )
    run("bench", "run", "-d", folder, *to, "-m", "otsy").fails(2, "no model 'otsy'")
    run("bench", "run", "-d", folder, *to, "-m", "otsu", "--leaks", "maybe").fails(2, "--leaks")
    run("bench", "run", "-d", folder, *to, "-m", "otsu", "--split", "held").fails(3, "'held'")
    assert not (tmp_path / "out").exists()


def test_leaks_are_listed(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [
        add(folder, "a", picture(0), disc((20, 20), 5), split="test"),
        add(folder, "b", picture(0), disc((20, 20), 5)),
    ]
    words = (
        "bench",
        "run",
        "-d",
        write_rows(folder, rows),
        "-o",
        tmp_path / "out",
        "-m",
        "otsu",
        "--split",
        "test",
    )
    ran = run(*words)
    ran.fails(3, "--leaks drop")
    assert ran.out.splitlines() == ["s/images/a.png = s/images/b.png (image)"]
    assert run(*words, "--leaks", "note").code == 0


def test_patients_of_one_name_in_what_was_trained_on_are_told(run: Any, tmp_path: Path) -> None:
    judged, trained = tmp_path / "judged", tmp_path / "trained"
    rows = [add(judged, f"p{i}", picture(i), disc((20, 20), 5), group=f"patient {i}") for i in range(3)]
    write_rows(judged, [*rows, add(judged, "p8", picture(18), disc((20, 20), 5), group="")])
    rows = [add(trained, f"p{i}", picture(9 + i), disc((20, 20), 5), group=f"patient {i}") for i in (1, 2)]
    write_rows(trained, [*rows, add(trained, "p9", picture(19), disc((20, 20), 5), group="")])
    out = tmp_path / "out"
    ran = run(*judging(judged, out, "-m", "otsu", "--trained-on", trained, "--trained-on", judged))
    assert ran.code == 0, ran.err
    assert json.loads((out / "record.json").read_text())["like_named"] == ["patient 1", "patient 2"]
    assert "2 groups bear names that also stand in what was trained on, see the page" in ran.out
    assert "what was trained on (patient 1, patient 2)" in (out / "index.html").read_text()


def test_words_that_were_drawn_otherwise_are_told(run: Any, folder: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        words = judging(folder, tmp_path / seed, "-m", "place", "--seed", seed)
        assert run(*words).code == 0
    pair = ("bench", "compare", tmp_path / "1", tmp_path / "2", "--control")
    assert "drew these words with different seeds" in run(*pair, "shuffled").out
    assert "different seeds" not in run(*pair, "right").out
    same = ("bench", "compare", tmp_path / "1", tmp_path / "1", "--control", "shuffled")
    assert "different seeds" not in run(*same).out
