"""``medsegr segment`` on one image: outputs, refusals, exit codes, and no names anywhere."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.results.schema import findings_schema
from medsegr.types import Prompt, Segmentation

MODEL = ("--model", "place")


def found(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, findings_schema())
    return told


def test_the_main_job(run: Any, image: Path, report: Path, tmp_path: Path, pixels: Any) -> None:
    out = tmp_path / "out"
    ran = run("segment", "-i", image, "-r", report, "-o", out, "--modality", "CR", *MODEL)
    assert ran.code == 0, ran.err
    told = found(out)
    states = {f["name"]: (f["status"], f["reason"]) for f in told["findings"]}
    assert states == {
        "opacity": ("segmented", None),
        "pneumothorax": ("skipped", "absent"),
        "nodule": ("skipped", "uncertain"),
    }
    assert {p.name for p in out.iterdir()} == {"findings.json", "manifest.json", "masks", "overlay.png"}
    assert pixels(out / told["findings"][0]["mask"]).shape == (40, 60)
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"load", "read", "segment"} <= set(manifest["seconds"])
    assert "skipped (absent): the report denies it" in ran.out
    assert "skipped (uncertain): the report is not sure" in ran.out
    assert told["image"]["frame_from"] == "modality"


@pytest.mark.weights
def test_a_refusal_says_where_what_is_known_is_listed(run: Any, image: Path, tmp_path: Path) -> None:
    ran = run("segment", "-i", image, "-p", "unicorn", "--modality", "CR", "-o", tmp_path / "out")
    assert (ran.code, "refused (unknown_concept)" in ran.out) == (0, True), ran.err
    assert "'medsegr info --classes'" in ran.out


@pytest.mark.parametrize(
    ("words", "names", "said"),
    [
        (("-t", "Nodule in the left lung."), ["nodule"], ["nodule, left"]),
        (("-p", "left lung", "-p", "right lung"), ["lung", "lung"], ["lung, left", "lung, right"]),
    ],
)
def test_text_and_phrases(
    run: Any, image: Path, tmp_path: Path, words: tuple[str, ...], names: list[str], said: list[str]
) -> None:
    ran = run("segment", "-i", image, "-o", tmp_path / "out", "--modality", "CR", *words, *MODEL)
    assert ran.code == 0
    assert [f["name"] for f in found(tmp_path / "out")["findings"]] == names
    assert [line[6:34].strip() for line in ran.out.splitlines()[:-1]] == said


def test_left_and_right_phrases_give_the_patient_s_sides(
    run: Any, image: Path, tmp_path: Path, pixels: Any
) -> None:
    run(
        "segment",
        "-i",
        image,
        "-o",
        tmp_path / "o",
        "--modality",
        "CR",
        "-p",
        "left lung",
        "-p",
        "right lung",
        *MODEL,
    )
    left, right = (pixels(tmp_path / "o" / "masks" / f"f{n}.png") > 0 for n in (1, 2))
    assert left[:, 30:].all()
    assert not left[:, :30].any()
    assert right[:, :30].all()


def test_flags_reach_the_result(run: Any, image: Path, report: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = (
        "--polarity",
        "present,uncertain",
        "--no-report-mask",
        "--keep-text",
        "--format",
        "nifti,png",
        "--explain",
    )
    ran = run("segment", "-i", image, "-r", report, "-o", out, "--frame", "viewer", "-q", *flags, *MODEL)
    assert (ran.code, ran.out) == (0, "")
    told = found(out)
    assert told["image"]["frame_from"] == "flag"
    assert told["report"]["text"] == report.read_text()
    assert [f["status"] for f in told["findings"]] == ["segmented", "skipped", "segmented"]
    names = {p.name for p in (out / "masks").iterdir()}
    assert names == {"f1.nii.gz", "f1.png", "f3.nii.gz", "f3.png"}
    assert told["findings"][0]["mask"] == "masks/f1.nii.gz"


def test_the_report_comes_from_stdin(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    raw = io.BytesIO(b"Opacity in the left lung.")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="utf-8"))
    assert (
        run("segment", "-i", image, "-r", "-", "-o", tmp_path / "out", "--modality", "CR", *MODEL).code == 0
    )
    assert found(tmp_path / "out")["findings"][0]["name"] == "opacity"


class Mirrored:
    """Draws the wrong half."""

    def segment(self, image: Any, prompt: Prompt) -> Segmentation:
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        prob[..., : image.grid[1] // 2] = 1
        return Segmentation(prob, prompt.targets)


@pytest.mark.parametrize(("mode", "code"), [("strict", 5), ("warn", 0), ("off", 0)])
def test_side_check(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, code: int
) -> None:
    from medsegr import session

    monkeypatch.setattr(session, "load", lambda *_, **__: session.Model(Mirrored()))
    out = tmp_path / "out"
    words = ("-t", "Opacity in the left lung.", "--modality", "CR", "--side-check", mode)
    ran = run("segment", "-i", image, "-o", out, *words)
    assert ran.code == code
    checks = {c["name"]: c["outcome"] for c in found(out)["findings"][0]["checks"]}
    assert checks.get("side") == (None if mode == "off" else "fail")
    assert ("side check" in ran.err) == (mode == "strict")


REFUSED = [
    ((), 2, "-o"),
    (("-o", "{out}"), 2, "-i"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "-p", "y"), 2, "one of them"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--polarity", "sometimes"), 2, "polarity"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--format", "bmp"), 2, "format"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--frame", "doctor"), 2, "frame"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--modality", "crystal"), 2, "modality"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--side-check", "no"), 2, "side-check"),
    (("-i", "{image}", "-o", "{out}", "--resume"), 2, "--jobs"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--threads", "0"), 2, "threads"),
    (("-i", "{missing}", "-o", "{out}", "-t", "x"), 3, "input"),
    (("-i", "{image}", "-o", "{out}", "-r", "{missing}"), 3, "report"),
    (("-i", "{empty}", "-o", "{out}", "-t", "x"), 3, "empty"),
    (("-i", "{text}", "-o", "{out}", "-t", "x"), 3, "input"),
    (("-i", "{image}", "-o", "{full}", "-t", "x"), 3, "output folder"),
    (("-i", "{image}", "-o", "{text}", "-t", "x"), 3, "output"),
    (("-i", "{image}", "-o", "{out}"), 2, "propose"),
    (("-i", "{image}", "-o", "{out}", "-t", " "), 2, "-t is empty"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--section", "poem"), 2, "impression"),
    (("-i", "{image}", "-o", "{out}", "-p", "left lung", "--section", "findings"), 2, "--section"),
    (("-i", "{image}", "-o", "{out}", "--section", "findings"), 2, "--section"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--film-frame", "2"), 3, "--film-frame: a png file came"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--series", "2"), 3, "--series: a png file came"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--subject", "Patient/1"), 2, "--subject"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--seg-type", "labelmap"), 2, "--seg-type"),
    (("-i", "{image}", "-i", "{missing}", "-o", "{out}", "-t", "x"), 2, "-i came twice"),
    (("-i", "{image}", "-t", "x", "-o", "{out}", "--output={out}"), 2, "--output came twice"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--limits", "pixels=10"), 3, "--limits pixels=2400"),
    (("-i", "{image}", "-o", "{out}", "-t", "x", "--limits", "patience=1"), 2, "voxels"),
    (("-i", "{missing}", "-o", "{out}", "-t", "x"), 3, "nobody.png"),
    (("-i", "{image}", "-o", "{out}", "-r", "{missing}"), 3, "nobody.png"),
    (("-i", "{image}", "-o", "{text}/below/it", "-t", "nodule"), 3, "text.png/below/it"),
    (("-i", "{full}", "-o", "{full}/out", "-t", "x"), 3, "inside the input folder"),
    (("-i", "{image}" + "x" * 300, "-o", "{out}", "-t", "x"), 3, "too long"),
]


@pytest.mark.parametrize(("words", "code", "word"), REFUSED)
def test_refusals_are_one_line_and_leave_nothing(
    run: Any, image: Path, tmp_path: Path, words: tuple[str, ...], code: int, word: str
) -> None:
    places = {"image": image, "out": tmp_path / "out", "missing": tmp_path / "nobody.png"}
    places |= {"empty": tmp_path / "empty.png", "text": tmp_path / "text.png", "full": tmp_path / "full"}
    places["empty"].write_bytes(b"")
    places["text"].write_text("this is no image at all, only words", encoding="utf-8")
    places["full"].mkdir()
    (places["full"] / "thesis.txt").write_text("mine", encoding="utf-8")
    ran = run("segment", *(w.format(**places) for w in words), *MODEL)
    ran.fails(code, word)
    assert not (tmp_path / "out").exists()
    assert [p.name for p in places["full"].iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write everywhere")
def test_an_unwritable_output_is_refused(run: Any, image: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    run("segment", "-i", image, "-t", "x", "-o", locked / "out", *MODEL).fails(3, "output")


def test_a_bug_of_ours_ends_with_1_and_a_traceback_only_in_debug(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr import pipeline

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("Mustermann")

    monkeypatch.setattr(pipeline, "run", broken)
    words = ("segment", "-i", image, "-t", "nodule", "-o", tmp_path / "out", *MODEL)
    ran = run(*words)
    ran.fails(1, "KeyError")
    assert "Mustermann" not in ran.err
    assert "Traceback" in run(*words, "--debug").err


def test_planted_names_reach_no_log_no_error_and_no_manifest(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "Mustermann_Erika"
    folder.mkdir()
    picture, words = folder / "Mustermann.png", folder / "Mustermann.txt"
    Picture.fromarray(np.arange(1600, dtype=np.uint8).reshape(40, 40)).save(picture)
    words.write_text("Patient Mustermann, Erika. Opacity in the left lung.", encoding="utf-8")
    out = folder / "out"
    ran = run("segment", "-i", picture, "-r", words, "-o", out, "-v", "--log-json", *MODEL)
    assert ran.code == 0, ran.err
    assert "Mustermann" not in ran.err
    for line in ran.err.strip().splitlines():
        assert set(json.loads(line)) == {"time", "level", "message"}
    for name in ("manifest.json", "findings.json"):
        assert "Mustermann" not in (out / name).read_text(encoding="utf-8")
    for words_given in (
        ("-i", folder / "Mustermann2.png"),
        ("-i", words),
        ("-i", picture, "-r", folder / "Muster.txt"),
    ):
        failed = run(
            "segment",
            *words_given,
            "-o",
            tmp_path / "out2",
            *(() if "-r" in words_given else ("-t", "x")),
            *MODEL,
        )
        typed = str(words_given[-1])
        failed.fails(3, typed)  # the person sees what they typed ...
        log = run("segment", *words_given, "-o", tmp_path / "out2", "--log-json", *MODEL)
        assert "Muster" not in log.err  # ... and a log does not


def test_the_log_is_set_up_once_a_command(run: Any, image: Path, tmp_path: Path) -> None:
    for n in range(3):
        run("segment", "-i", image, "-t", "nodule", "-o", tmp_path / str(n), *MODEL)
    assert len(logging.getLogger("medsegr").handlers) == 1


def test_an_interrupt_is_no_traceback(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr import pipeline

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", stop)
    ran = run("segment", "-i", image, "-t", "x", "-o", tmp_path / "out", *MODEL)
    ran.fails(130, "interrupted")
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_a_wrong_argument(run: Any, image: Path, tmp_path: Path) -> None:
    words = ("-i", image, "-t", "x", "-o", tmp_path / "out", "--model")
    run("segment", *words, "nobody").fails(2, "otsu")
    run("segment", *words, tmp_path / "none").fails(2, "folder")
    run("segment", *words, tmp_path).fails(1, "safetensors")  # a folder that holds none


def test_an_error_shows_no_control_characters_of_a_file_name(run: Any, tmp_path: Path) -> None:
    ran = run("segment", "-i", tmp_path / "a\x1b[31m\nb.png", "-t", "x", "-o", tmp_path / "out", *MODEL)
    ran.fails(3, "a?[31m?b.png: ")


def test_with_log_json_every_line_on_stderr_is_json(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run("segment", "-i", tmp_path / "none", "-t", "x", "-o", tmp_path / "out", "--log-json", *MODEL)
    assert [json.loads(line)["level"] for line in ran.err.splitlines()] == ["error"]
    from medsegr import session

    monkeypatch.setattr(session, "load", lambda *_, **__: session.Model(Mirrored()))
    words = ("-t", "Opacity in the left lung.", "--modality", "CR", "--side-check", "strict", "--log-json")
    ran = run("segment", "-i", image, "-o", tmp_path / "out", *words)
    assert (ran.code, json.loads(ran.err)["level"]) == (5, "error")


@pytest.mark.parametrize(("side", "code"), [("left", 0), ("right", 5)])
def test_the_sides_of_a_picture_are_checked_in_the_viewer_s_frame(
    run: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str, code: int
) -> None:
    from medsegr import session

    monkeypatch.setattr(session, "load", lambda *_, **__: session.Model(Mirrored()))
    words = (
        "-t",
        f"Polyp at the {side} of the image.",
        "--modality",
        "colonoscopy",
        "--side-check",
        "strict",
    )
    assert run("segment", "-i", image, "-o", tmp_path / "out", *words).code == code


def test_a_volume_as_png_is_refused_before_the_model_is_loaded(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nibabel as nib

    from medsegr import session

    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9), np.float32), np.eye(4)), tmp_path / "v.nii")
    monkeypatch.setattr(session, "load", lambda *_, **__: pytest.fail("the model was loaded"))
    words = ("-i", tmp_path / "v.nii", "-t", "nodule", "-o", tmp_path / "out", "--format", "png")
    run("segment", *words).fails(2, "volume")


def test_words_without_a_finding_are_said(run: Any, image: Path, tmp_path: Path) -> None:
    ran = run("segment", "-i", image, "-t", "Fine weather.", "-o", tmp_path / "out", *MODEL)
    assert (ran.code, "nothing_read" in ran.err) == (0, True)


def test_a_closed_stdout_is_no_error(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from medsegr.cli.main import main

    monkeypatch.setattr(sys, "stdout", None)
    assert main(["segment", "-i", str(image), "-t", "nodule", "-o", str(tmp_path / "out"), *MODEL]) == 0
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_the_folder_of_a_run_is_no_model_and_its_checkpoint_is_named(
    run: Any, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "checkpoint").mkdir(parents=True)
    words = ("-i", image, "-t", "nodule", "-o", tmp_path / "out", "--model", tmp_path / "mine")
    run("segment", *words).fails(2, f"give the checkpoint in it, {tmp_path / 'mine'}/checkpoint")


def test_a_terminal_of_another_encoding_is_no_error(image: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys; from medsegr.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["segment", "-i", str(image), "-t", "nodule", "-o", str(tmp_path / "Größe \udcff"), *MODEL]
    ran = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert rb"Gr\xf6\xdfe \udcff" in ran.stdout
