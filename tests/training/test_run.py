"""From folders to a checkpoint: what is found where, what is refused, what is told about the weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsegr.data import Case, make_phantoms, phantom_case
from medsegr.errors import InputError, UsageError
from medsegr.fitting.config import FitConfig
from medsegr.fitting.logbook import CHECKS, STEPS, append
from medsegr.fitting.saved import LAST
from medsegr.samples.layouts import Hints
from medsegr.training import run
from medsegr.training.checkpoint import concepts_of
from medsegr.training.judged import Judged, numbers
from medsegr.training.report import write_report

CONFIG = FitConfig(sets={"a": 1.0})


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)


def test_a_folder_is_a_set_with_a_weight_or_holds_sets_of_the_configuration(tmp_path: Path) -> None:
    folders(tmp_path, "a", "b", "c:d")
    sets, found = run.located([f"{tmp_path}/a", f"{tmp_path}/b:0.5", f"{tmp_path}/c:d"], None)
    assert sets == {"a": 1.0, "b": 0.5, "c:d": 1.0}
    assert found["b"] == tmp_path / "b"
    config = FitConfig(sets={"a": 0.2, "b": 0.8})
    sets, found = run.located([str(tmp_path)], config)
    assert sets == {"a": 0.2, "b": 0.8}
    assert found == {"a": tmp_path / "a", "b": tmp_path / "b"}
    assert run.located([str(tmp_path), f"{tmp_path}/a:3"], config)[0] == {"a": 3.0, "b": 0.8}


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    asked = run.Asked(replace(CONFIG, device="tpu"), {"a": tmp_path / "a"}, tmp_path / "out")
    with pytest.raises(UsageError, match="device 'tpu' is not available"):
        run.train(asked, pytest.fail)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_located_is_one_line(tmp_path: Path) -> None:
    folders(tmp_path, "a", "x/a")
    with pytest.raises(InputError, match="no folder nothing"):
        run.located([f"{tmp_path}/nothing"], None)
    with pytest.raises(InputError, match="set b was not found"):
        run.located([f"{tmp_path}/a"], FitConfig(sets={"b": 1.0}))
    with pytest.raises(UsageError, match="two folders are called a"):
        run.located([f"{tmp_path}/a", f"{tmp_path}/x/a"], None)
    with pytest.raises(UsageError, match="weight -1"):
        run.located([f"{tmp_path}/a:-1"], None)


def test_folders_without_masks_weigh_half_of_the_others_together(tmp_path: Path) -> None:
    folders(tmp_path, "a", "b")
    weights, found = run.undrawn([f"{tmp_path}/a", f"{tmp_path}/b:0.2"], {"c": 2.0})
    assert weights == {"a": 0.5, "b": 0.2}
    assert found == {"a": tmp_path / "a", "b": tmp_path / "b"}
    with pytest.raises(UsageError, match="two folders are called a"):
        run.undrawn([f"{tmp_path}/a"], {"a": 1.0})
    with pytest.raises(InputError, match="no folder nothing"):
        run.undrawn([f"{tmp_path}/nothing"], {})


def test_a_folder_goes_on_with_the_same_run_only(tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = run.Asked(CONFIG, {}, out)
    run.prepare(asked)
    run.prepare(run.Asked(run.changed(CONFIG, {"lr": 0.5}), {}, out))  # nothing was learned
    run.prepare(asked)
    append(out / STEPS, {"step": 1, "loss": 0.5})
    run.prepare(run.Asked(run.changed(CONFIG, {"minutes": 99.0, "workers": 3}), {}, out))
    with pytest.raises(UsageError, match=r"other settings \(lr\)"):
        run.prepare(run.Asked(run.changed(CONFIG, {"lr": 1.0}), {}, out))
    with pytest.raises(UsageError, match=r"other settings \(from\)"):
        run.prepare(run.Asked(CONFIG, {}, out, start="medsegr-tiny"))
    with pytest.raises(UsageError, match=r"other settings \(target\)"):
        run.prepare(run.Asked(CONFIG, {}, out, hints=Hints("polyp")))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(InputError, match="no training run"):
        run.prepare(run.Asked(CONFIG, {}, tmp_path / "photos"))
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_the_first_process_may_come_after_another_one_has_begun(tmp_path: Path) -> None:
    """The others read their cases meanwhile, into the cache."""
    run.prepare(run.Asked(CONFIG, {}, tmp_path / "run"), write=False)
    (tmp_path / "run" / run.CACHE).mkdir(parents=True)
    run.prepare(run.Asked(CONFIG, {}, tmp_path / "run"))
    assert (tmp_path / "run" / run.RUN).is_file()


def test_a_step_may_be_taken_in_other_parts_when_a_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run.prepare(run.Asked(CONFIG, {}, out))
    append(out / STEPS, {"step": 1, "loss": 0.5})
    run.prepare(run.Asked(run.changed(CONFIG, {"batch": CONFIG.batch // 2, "accumulate": 2}), {}, out))
    with pytest.raises(UsageError, match=r"other settings \(accumulate\)"):
        run.prepare(run.Asked(run.changed(CONFIG, {"batch": CONFIG.batch // 2}), {}, out))


def test_what_is_the_same_step_hangs_on_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes two samples at the least: for two processes a batch of two is one of four."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    four = run.changed(CONFIG, {"batch": 4})
    run.prepare(run.Asked(four, {}, tmp_path))
    append(tmp_path / STEPS, {"step": 1, "loss": 0.5})
    with pytest.raises(UsageError, match=r"other settings \(batch, accumulate\)"):
        run.prepare(run.Asked(run.changed(four, {"batch": 2, "accumulate": 2}), {}, tmp_path))


def test_a_batch_of_one_is_no_half_of_two(tmp_path: Path) -> None:
    """Two samples are taken at the least: the step would be twice as large."""
    two = run.changed(CONFIG, {"batch": 2})
    run.prepare(run.Asked(two, {}, tmp_path))
    append(tmp_path / STEPS, {"step": 1, "loss": 0.5})
    with pytest.raises(UsageError, match=r"other settings \(batch, accumulate\)"):
        run.prepare(run.Asked(run.changed(two, {"batch": 1, "accumulate": 2}), {}, tmp_path))


def test_a_run_that_was_refused_before_its_first_step_can_be_asked_otherwise(tmp_path: Path) -> None:
    run.prepare(run.Asked(CONFIG, {}, tmp_path / "run"))
    run.prepare(run.Asked(run.changed(CONFIG, {"lr": 1.0}), {}, tmp_path / "run"))
    assert json.loads((tmp_path / "run" / run.RUN).read_text())["config"]["lr"] == 1.0


def test_a_run_that_is_older_than_a_key_goes_on_as_that_was(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run.prepare(run.Asked(CONFIG, {}, out))
    append(out / STEPS, {"step": 1, "loss": 0.5})
    noted = json.loads((out / run.RUN).read_text())
    del noted["config"]["tilts"], noted["config"]["recipe"]["grain"], noted["target"], noted["modality"]
    (out / run.RUN).write_text(json.dumps(noted))
    run.prepare(run.Asked(CONFIG, {}, out))
    (out / run.RUN).write_text('{"config": {')
    with pytest.raises(InputError, match=r"run\.json in the output folder cannot be read"):
        run.prepare(run.Asked(CONFIG, {}, out))


def test_other_data_than_a_run_began_with_are_told(tmp_path: Path) -> None:
    made = [phantom_case(m) for m in make_phantoms("cells", 1, 3, 96)]
    assert run.other_data(tmp_path, made[:2]) == []
    assert run.other_data(tmp_path, made) == []  # nothing was learned yet
    (tmp_path / LAST).touch()
    assert run.other_data(tmp_path, made) == []
    for other in (made[:2], [replace(made[0], validation=True), *made[1:]]):
        for _ in range(2):  # it stays so
            (line,) = run.other_data(tmp_path, other)
            assert "may have been trained on" in line


@pytest.mark.parametrize(
    ("start", "side", "said"),
    [("medsegr-tiny", 128, 1), ("medsegr-tiny", 160, 0), ("", 64, 0), ("nobody", 64, 0)],
)
def test_pictures_that_are_shown_far_smaller_than_the_first_weights_know_them_are_told(
    tmp_path: Path, start: str, side: int, said: int
) -> None:
    small = run.changed(CONFIG, {"sizes": ((0.5, 64), (0.5, side))})
    told = run.seen_small(run.Asked(small, {}, tmp_path, start=start))
    assert len(told) == said
    assert not said or told[0].startswith("pictures are shown at 128 px, and medsegr-tiny has learned at 256")


def test_few_images_are_told_and_too_few_refused() -> None:
    made = [phantom_case(m) for m in make_phantoms("cells", 1, 6, 96)]
    assert run.weak_points(made) == []
    rare = [phantom_case(m) for m in make_phantoms("ultrasound", 1, 1, 96)]
    assert run.weak_points([*made, *rare]) == [
        "too few images to be called known, and refused when asked for: breast mass (3), cyst (2); at "
        "least 5 training images in which it is drawn are needed"
    ]
    with pytest.raises(InputError, match=r"too few images of every target \(.*at least 5"):
        run.weak_points(made[:2])


def mirrored(case: Case) -> Case:
    """The same body from behind, as a set that a patient gave."""
    turned = tuple(
        replace(target, packed=np.packbits(case.mask(index)[:, ::-1]))
        for index, target in enumerate(case.targets)
    )
    pixels = case.pixels[..., ::-1].copy()
    return replace(case, pixels=pixels, targets=turned, made=False, set="hospital")


def test_a_set_that_is_mirrored_is_told() -> None:
    made = [phantom_case(m) for m in make_phantoms("abdomen", 1, 4, 96)]
    back = [mirrored(case) for case in made]
    upright = [mirrored(case) for case in back]
    told = run.mirrored_sets([*back, *(replace(case, set="clinic") for case in upright)])
    assert sorted(line.split(":")[0] for line in told) == [
        "liver lies on the left in 4 of 4 pictures of hospital, where it does in hardly anybody",
        "spleen lies on the right in 4 of 4 pictures of hospital, where it does in hardly anybody",
    ]


def test_where_sides_say_nothing_no_set_is_called_mirrored() -> None:
    back = [mirrored(phantom_case(m)) for m in make_phantoms("abdomen", 1, 4, 96)]
    assert run.mirrored_sets(back[:2]) == []  # too few
    assert run.mirrored_sets([replace(case, viewer=True) for case in back]) == []
    assert run.mirrored_sets([replace(case, sagittal=True) for case in back]) == []
    assert run.mirrored_sets([replace(case, made=True) for case in back]) == []
    assert run.mirrored_sets([replace(case, modality="US") for case in back]) == []
    half = [*back[:2], *(mirrored(case) for case in back[2:])]
    assert run.mirrored_sets(half) == []
    bare = [
        replace(case, targets=tuple(replace(t, packed=t.packed * 0) for t in case.targets)) for case in back
    ]
    assert run.mirrored_sets(bare) == []


def test_train_tells_of_a_mirrored_set_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [mirrored(phantom_case(m)) for m in make_phantoms("abdomen", 1, 6, 96)]
    monkeypatch.setattr(run, "load_cases", lambda *_: made)
    monkeypatch.setattr(run, "fit", lambda *_: None)
    monkeypatch.setattr(run, "_finish", lambda *_: None)
    told: list[str] = []
    asked = run.Asked(FitConfig(sets={"hospital": 1.0}), {"hospital": tmp_path}, tmp_path / "out")
    run.train(asked, told.append)
    assert any("liver lies on the left in 6 of 6 pictures of hospital" in line for line in told)


def test_a_concept_tells_in_which_modalities_real_pictures_taught_it() -> None:
    made = [phantom_case(m) for m in make_phantoms("cells", 1, 6, 96)]
    modalities = {case.modality for case in made}
    real = [replace(case, made=False, modality="ES") for case in made]
    unknown = [replace(case, made=False, modality=None) for case in made]
    told = concepts_of([*made, *real])["cell cluster"]
    assert told["trained_on"] == ["phantom", "real"]
    assert told["modalities"] == sorted(modalities | {"ES"})
    assert told["real_in"] == ["ES"]
    assert concepts_of(made)["cell cluster"]["real_in"] == []
    assert concepts_of([*made, *unknown])["cell cluster"]["real_in"] == []


def test_empty_masks_alone_make_no_concept_known() -> None:
    made = [phantom_case(m) for m in make_phantoms("cells", 1, 6, 96)]
    bare = [
        replace(case, targets=tuple(replace(t, packed=t.packed * 0) for t in case.targets)) for case in made
    ]
    with pytest.raises(InputError, match=r"too few images of every target \(.*\(0\)"):
        run.weak_points(bare)
    assert concepts_of(bare) == {}
    assert {name: row["cases"] for name, row in concepts_of([*made, *bare]).items()} == {
        name: row["cases"] for name, row in concepts_of(made).items()
    }


def test_a_start_that_is_nowhere_is_a_wrong_argument() -> None:
    with pytest.raises(UsageError, match="'nomodel' is neither a file nor a folder nor one of"):
        run.beginning_of("nomodel")
    assert run.beginning_of("medsegr-tiny").name == "medsegr-tiny.safetensors"


def test_weights_inherit_the_licence_that_they_began_with(tmp_path: Path) -> None:
    assert run.licence_of(run.Asked(CONFIG, {}, tmp_path)) == run.UNSAID
    assert run.licence_of(run.Asked(CONFIG, {}, tmp_path, licence="CC0")) == "CC0"
    (tmp_path / "mine.safetensors").touch()
    (tmp_path / "mine.json").write_text(json.dumps({"licence": "CC BY-NC-SA 4.0"}))
    begun = run.Asked(CONFIG, {}, tmp_path, start=str(tmp_path / "mine.safetensors"), licence="CC0")
    assert run.licence_of(begun) == "CC0; begun from weights under CC BY-NC-SA 4.0"
    hosted = run.Asked(CONFIG, {}, tmp_path, licence="CC0", network=("sam-vit-b+words", {}))
    assert run.licence_of(hosted) == "CC0; on the host sam-vit-b under Apache-2.0"


def judged(group: str, dice: float) -> Judged:
    mask = np.zeros((20, 30), bool)
    mask[5:15, 5:15] = True
    return Judged("a", group, "polyp <1>", dice, dice > 0.5, np.zeros((20, 30, 3), np.uint8), mask, ~mask)


def test_the_page_shows_curves_numbers_and_the_worst_first(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        head = {"step": step, "minutes": 0.1, "images": step}
        append(tmp_path / STEPS, {**head, "loss": 2.0 - step / 30, "segmentation": 1.0})
        append(tmp_path / CHECKS, {**head, "dice": step / 40})
    rows = [judged(f"a/{n}", n / 10) for n in range(10)]
    told = numbers(rows)
    assert told["sets"]["a"]["name"] == pytest.approx(0.45)
    assert told["sets"]["a"]["presence"] == pytest.approx(0.4)
    card = {"name": "run", "training": {"step": 30, "images": 30, "seconds": 75.0}, "licence": "CC0"}
    card |= {"sha256": "0" * 64, "validation": told}
    given = {"card": card, "config": {"lr": 1e-3}, "data": [{"set": "a", "weight": 1.0}]}
    write_report(tmp_path / "report.html", tmp_path, given, rows)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<polyline") == 3
    assert page.count("data:image/png;base64,") == 8
    assert page.index("Dice 0.000, not found") < page.index("Dice 0.900")
    assert "polyp &lt;1&gt;" in page
    assert "1:15" in page
    assert "<td>30</td>" in page
    assert "Not a medical device" in page
    assert "http" not in page


def test_the_page_says_which_step_was_kept_and_gives_one_group_no_interval(tmp_path: Path) -> None:
    append(tmp_path / STEPS, {"step": 50, "minutes": 0.1, "images": 50, "loss": 1.0})
    card = {"name": "run", "training": {"step": 30, "images": 30, "seconds": 75.0}, "licence": "CC0"}
    rows = [judged("a/one", 0.4), judged("a/one", 0.9)]
    card |= {"sha256": "0" * 64, "validation": numbers(rows)}
    write_report(tmp_path / "report.html", tmp_path, {"card": card, "config": {}, "data": []}, rows)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "30 (the best validation; the run went on to 50)" in page
    assert "none: one group" in page
    assert "0.650 to 0.650" not in page


def test_a_page_without_logs_and_held_out_images_says_so(tmp_path: Path) -> None:
    card = {"name": "run", "training": {"step": 0, "images": 0, "seconds": 0.0}, "licence": "CC0"}
    card |= {"sha256": "", "validation": numbers([])}
    write_report(tmp_path / "report.html", tmp_path, {"card": card, "config": {}, "data": []}, [])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not measured" in page
    assert "No image was held out" in page
