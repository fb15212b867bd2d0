"""``medsegr train``: from folders to a checkpoint that ``segment`` takes; going on; refusals."""

import json
from pathlib import Path

import pytest

from made_sets import pictures
from medsegr import weights
from medsegr.cli.main import main

TINY = ["--steps", "1", "--size", "64", "--batch", "1", "--device", "cpu", "--threads", "1"]
TOLD = ["--target", "breast tumour", "--modality", "US"]


@pytest.mark.weights
def test_a_fine_tuned_checkpoint_segments_and_the_same_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not weights.names():
        pytest.skip("the embedded checkpoint is not here")
    data, out = pictures(tmp_path / "mine"), tmp_path / "run"
    command = ["train", "--data", f"{data}:2", *TOLD, "--from", "medsegr-tiny", "--tune", "words", *TINY]
    command += ["--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "7 cases, 1 for validation" in said
    assert "warm start" in said
    card = json.loads((out / "checkpoint" / "run.json").read_text())
    assert card["concepts"]["breast tumour"]["cases"] == 6
    assert card["training"]["step"] == 1
    assert card["tune"] == "words"
    assert "CC BY-NC-SA" in card["licence"]
    assert (out / "report.html").read_text().count("data:image/png") == 1

    image, result = data / "images" / "0.png", tmp_path / "result"
    asked = ["segment", "-i", str(image), "-p", "breast tumour", "--modality", "US", "--quiet"]
    assert main([*asked, "--model", str(out / "checkpoint"), "-o", str(result)]) == 0
    found = json.loads((result / "findings.json").read_text())
    assert found["model"]["sha256"] == card["sha256"]
    assert found["findings"][0]["reason"] != "unknown_concept"

    assert main(command) == 0  # nothing is left to do
    assert json.loads((out / "checkpoint" / "run.json").read_text())["sha256"] == card["sha256"]
    assert main([*command, "--lr", "0.5"]) == 2
    assert "other settings (lr)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ([], 2, "nothing to train on"),
        (["--data", "{0}", "--minutes", "1", "--steps", "1"], 2, "exclude each other"),
        (["--data", "{0}/none"], 3, "there is no folder none"),
        (["--data", "{0}", "--steps", "1"], 3, "--target NAME"),
        (["--data", "{0}", "--target", "zorgblat"], 3, "'zorgblat' is not in the lexicon"),
        (["--data", "{0}/images", "--target", "polyp"], 3, "expected samples.csv, samples.jsonl"),
        (["--data", "{0}", "--target", "polyp", "--tune", "words"], 2, "--from medsegr-tiny"),
        (["--data", "{0}", "--target", "polyp", "--tune", "most"], 2, "'most' is not known"),
        (["--data", "{0}", "--target", "polyp", "--size", "50"], 2, "multiples of 32"),
        (["--data", "{0}", "--target", "polyp", "--from", "nobody"], 2, "'nobody' is neither a file"),
        (["--data", "{0}", "--target", "polyp", "--modality", "smell"], 2, "'smell' is not known"),
        (["--data", "{0}", "--target", "polyp", "--device", "tpu"], 2, "device 'tpu' is not available"),
        (["--config", "{0}/none.toml"], 3, "cannot read the configuration"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, words: str
) -> None:
    data = pictures(tmp_path / "mine", 6)
    given = [flag.format(data) for flag in flags]
    assert main(["train", *given, "--out", str(tmp_path / "run")]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_configuration_may_leave_the_sets_to_the_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, config = pictures(tmp_path / "mine", 4), tmp_path / "c.toml"
    config.write_text("lr = 0.01\n")
    given = ["train", "--config", str(config), "--data", f"{data}:2", *TOLD, *TINY]
    assert main([*given, "--out", str(tmp_path / "run")]) == 3
    assert "mine: 4 cases" in capsys.readouterr().out  # they were read, and are too few


def test_a_refusal_names_the_set_and_not_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, broken = pictures(tmp_path / "fine", 6), pictures(tmp_path / "broken", 6)
    (broken / "masks" / "3.png").write_bytes(b"")
    given = ["train", "--data", str(fine), "--data", str(broken), *TOLD, *TINY]
    assert main([*given, "--out", str(tmp_path / "run")]) == 3
    assert capsys.readouterr().err.startswith(f"error: {broken}: row 3: masks/3.png: ")


@pytest.mark.parametrize(("count", "words"), [(1, "one group only"), (4, "too few images of every target")])
def test_too_few_images_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, words: str
) -> None:
    data = pictures(tmp_path / "mine", count)
    assert main(["train", "--data", str(data), *TOLD, *TINY, "--out", str(tmp_path / "run")]) == 3
    told = capsys.readouterr().err
    assert words in told
    if count == 1:
        assert told.startswith(f"error: {data}: ")  # what is wrong with a set names the set, not the output


def test_an_unknown_modality_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = pictures(tmp_path / "mine", 4)
    assert (
        main(["train", "--data", str(data), "--target", "polyp", *TINY, "--out", str(tmp_path / "run")]) == 3
    )
    assert "mine: no known modality in 4 cases" in capsys.readouterr().out


def test_a_set_without_an_open_row_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = pictures(tmp_path / "mine", 1)
    (data / "samples.csv").write_text("id,image,mask,target,split\na,images/0.png,masks/0.png,polyp,held\n")
    assert main(["train", "--data", str(data), *TINY, "--out", str(tmp_path / "run")]) == 3
    assert "holds no case to train on" in capsys.readouterr().err
