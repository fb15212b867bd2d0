"""The small commands: info, models, doctor, measure, phantom, demo, and the frame around all."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image as Picture

from dicom_files import write_ct
from medsegr import weights
from medsegr.cli.flags import CachedRunFlags, LogFlags, RunFlags, grouped, listed
from medsegr.errors import WeightsError

COMMANDS = ("segment", "parse", "measure", "convert", "phantom", "info", "models", "doctor", "demo")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Any, name: str) -> None:
    ran = run(name, "--help")
    assert ran.code == 0
    assert name in run("--help").out
    assert "--debug" in ran.out


def test_help_says_what_it_is_not_and_what_the_codes_mean(run: Any) -> None:
    out = run("--help").out
    assert "Not a medical device" in out
    assert "Exit codes" in out
    assert run().code == 2


@pytest.mark.parametrize("words", [("nope",), ("segment", "--nope"), ("info", "extra"), ("phantom",)])
def test_wrong_arguments_end_with_2(run: Any, words: tuple[str, ...]) -> None:
    run(*words).fails(2, "")


def test_version(run: Any) -> None:
    import medsegr

    assert run("--version").out.strip() == f"medsegr {medsegr.__version__}"


def test_files_without_flags_are_told_where_the_flags_stand(run: Any) -> None:
    run("segment", "chest.png", "report.txt").fails(2, "-i IMAGE")
    run("view").fails(2, "'medsegr view --help'")


def test_names_of_any_length_leave_the_columns_even(run: Any) -> None:
    lines = run("info", "--classes").out.splitlines()[2:]
    widest = max(len(item["name"]) for item in run("info", "--classes", "--json").json["classes"])
    assert {line[11 + widest : 13 + widest] for line in lines} <= {" m", " n"}  # medsegr-tiny, no model


def test_info(run: Any) -> None:
    told = run("info", "--json").json
    assert {item["name"] for item in told["models"]} >= {"medsegr-tiny", "otsu"}
    assert {"png", "dicom-seg", "rtstruct", "fhir"} <= set(told["formats"]["writes"])
    assert "classes" not in told
    classes = run("info", "--classes", "--json").json["classes"]
    assert {"nodule", "polyp", "left ventricle"} <= {item["name"] for item in classes}
    drawn = {item["name"]: (item["drawn_as"].get("medsegr-tiny"), item["made_only"]) for item in classes}
    assert drawn["polyp"] == (["polyp"], [])
    assert drawn["nodule"][0] == ["lung tumour", "breast finding", "breast tumour", "skin lesion", "nodule"]
    assert drawn["ulcer"] == (["ulcer"], ["medsegr-tiny", "medsegr-tiny-permissive"])
    assert drawn["juvenile polyp"] == (["polyp"], [])
    assert drawn["lesion"][1] == [], "what else it may mean was learned from real images"
    assert drawn["neovascularisation"] == (None, []), "a finding is not the organ it sits in"
    assert drawn["left ventricle"] == (None, [])
    told = {" ".join(line.split()) for line in run("info", "--classes").out.splitlines()}
    assert {
        f"finding ulcer {both('in made images only')}",
        f"anatomy kidney {both('learned from made images')}",
        f"finding cardiomegaly {both('as heart, learned from made images')}",
        f"finding pneumonia {both('as ground-glass opacity or consolidation')}",
        "anatomy left ventricle no model",
    } <= told
    dice = r"\(Dice 0\.\d\d of \d+\)"
    polyp = rf"finding polyp medsegr-tiny {dice}, medsegr-tiny-permissive {dice}"
    assert any(re.fullmatch(polyp, line) for line in told)


def both(said: str) -> str:
    """The embedded checkpoints, of which ``info --classes`` says the same."""
    return f"medsegr-tiny ({said}), medsegr-tiny-permissive ({said})"


def test_of_a_word_for_many_things_what_made_images_alone_taught_is_told(run: Any) -> None:
    """A "tumour" of the brain is refused by the second checkpoint, which no real glioma taught."""
    classes = {item["name"]: item for item in run("info", "--classes", "--json").json["classes"]}
    assert classes["tumour"]["made_ways"] == {"medsegr-tiny-permissive": ["glioma"]}
    told = run("info", "--classes").out
    (line,) = [line for line in told.splitlines() if re.match(r"finding +tumour +medsegr", line)]
    default, _, second = line.partition("medsegr-tiny-permissive")
    assert "glioma," in default
    assert "glioma in made images," in second


@pytest.mark.parametrize(
    "part", ["nucleolus", "nuclear atypia", "chromosome", "mucosal bridge", "implant rupture", "rolled edge"]
)
def test_what_is_only_a_part_or_a_look_of_a_thing_is_not_drawn_as_all_of_it(run: Any, part: str) -> None:
    (item,) = [item for item in run("info", "--classes", "--json").json["classes"] if item["name"] == part]
    assert item["models"] == []
    assert "Not a medical device" in run("info").out


def test_info_prints_a_valid_schema(run: Any) -> None:
    Draft202012Validator.check_schema(run("info", "--schema").json)


def test_models(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "otsu" in run("models", "list").out
    run("models", "burn").fails(2, "verify")
    with pytest.raises(WeightsError):
        weights.find("nobody")
    run("models", "verify", "nobody").fails(1, "nobody")
    run("models", "verify", "tiny:sam").fails(2, "made of random numbers")
    run("models", "path", "tiny:sam").fails(2, "it has no file")
    (tmp_path / "m.safetensors").write_bytes(b"x" * 10)
    import hashlib

    card = {"name": "mine", "sha256": hashlib.sha256(b"x" * 10).hexdigest(), "concepts": {}, "licence": "CC0"}
    (tmp_path / "m.json").write_text(json.dumps(card), encoding="utf-8")
    assert "mine" in run("models", "verify", tmp_path).out
    assert run("models", "path", tmp_path).out.strip() == str(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes(b"changed")
    run("models", "verify", tmp_path).fails(1, "SHA-256")


def test_doctor_looks_at_every_part(run: Any, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "-o", tmp_path)
    states = {part["part"]: part["state"] for part in ran.json["parts"]}
    assert set(states) == {"python", "torch", "device", "memory", "decoders", "checkpoint", "write"}
    assert states["write"] == "ok"
    (told,) = [part["detail"] for part in ran.json["parts"] if part["part"] == "checkpoint"]
    assert all(f"{name}, SHA-256 " in told for name in ("medsegr-tiny", "medsegr-tiny-permissive"))
    assert ran.code == (0 if ran.json["ok"] else 1)
    broken = run("doctor", "-o", tmp_path / "none")
    assert broken.code == 1
    assert "fail" in broken.out


def test_measure(run: Any, tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:10, 5:15] = 255
    labels[12:14, 20:24] = 7
    Picture.fromarray(labels).save(tmp_path / "mask.png")
    told = run("measure", "-m", tmp_path / "mask.png", "--json").json["labels"]
    assert [(item["label"], item["measurements"]["pixels"]["value"]) for item in told] == [(7, 8), (255, 50)]
    assert told[0]["measurements"]["area"]["status"] == "no_spacing"
    assert "label 7" in run("measure", "-m", tmp_path / "mask.png").out
    Picture.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "other.png")
    run("measure", "-m", tmp_path / "mask.png", "-i", tmp_path / "other.png").fails(3, "grid")
    run("measure", "-m", tmp_path / "mask.png", "--threshold", "0.4").fails(2, "FRACTIONAL")
    assert "empty" in run("measure", "-m", tmp_path / "other.png").out


def test_a_picture_is_no_mask_to_measure_and_soft_edges_are_one_label(run: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Picture.fromarray(rng.integers(0, 256, (60, 80)).astype(np.uint8)).save(tmp_path / "picture.png")
    run("measure", "-m", tmp_path / "picture.png").fails(3, "as in a picture")
    square = np.zeros((60, 80), np.uint8)
    square[10:40, 20:50] = 255
    Picture.fromarray(square).save(tmp_path / "mask.jpg", quality=60)
    ran = run("measure", "-m", tmp_path / "mask.jpg", "--json")
    assert [one["measurements"]["pixels"]["value"] for one in ran.json["labels"]] == [900]
    assert "edges_cut" in ran.err


def test_phantom_writes_the_same_set_for_the_same_seed(run: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        words = ("--kind", "mucosa", "--seed", "3", "--count", "2", "--size", "96")
        assert run("phantom", *words, "-o", tmp_path / name).code == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    one = run("phantom", "--kind", "mucosa", "--size", "96", "-o", tmp_path / "d")
    assert "1 mucosa image, table" in one.out
    run("phantom", "--kind", "mucosa", "-o", tmp_path / "a").fails(3, "not empty")
    run("phantom", "--kind", "moon", "-o", tmp_path / "c").fails(2, "moon")
    run("phantom", "--kind", "mucosa", "--count", "0", "-o", tmp_path / "c").fails(2, "count")


def test_the_demo_runs_the_main_job_twice(run: Any, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    ran = run("demo", "-o", out, "--model", "place")
    assert ran.code == 0, ran.err
    for name in ("retina", "chest"):
        told = json.loads((out / name / "findings.json").read_text(encoding="utf-8"))
        assert told["findings"]
        assert (out / name / "overlay.png").is_file()
        assert str(out / name / "overlay.png") in ran.out
    fundus = json.loads((out / "retina" / "findings.json").read_text(encoding="utf-8"))["findings"]
    assert {f["status"] for f in fundus if f["polarity"] == "absent"} == {"skipped"}
    assert any(f["mask"] for f in fundus)
    with (out / "input" / "chest" / "samples.csv").open(newline="", encoding="utf-8") as handle:
        assert next(csv.DictReader(handle))["text"] == (out / "input" / "chest.txt").read_text(
            encoding="utf-8"
        )
    assert run("demo", "-o", out, "--model", "place", "-q").code == 0  # again, into its own folder
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x", encoding="utf-8")
    run("demo", "-o", tmp_path / "mine", "--model", "place").fails(3, "no demo wrote")


def test_a_closed_pipe_is_no_traceback() -> None:
    code = "import sys; from medsegr.cli.main import main; sys.exit(main(['info', '--classes']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_a_reader_that_has_gone_is_no_fault_of_the_file(tmp_path: Path) -> None:
    rows = "".join(f"{n},No pneumothorax.\n" for n in range(3000))
    (tmp_path / "many.csv").write_text("id,report\n" + rows, encoding="utf-8")
    code = "import sys; from medsegr.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "parse", "--jobs", str(tmp_path / "many.csv")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_grouped_flags_are_flat_for_typer_and_grouped_for_us() -> None:
    def command(logs: LogFlags, run: RunFlags) -> int:
        return int(logs.quiet and run.model == "x")

    flat = grouped(command)
    names = set(flat.__signature__.parameters)  # type: ignore[attr-defined]
    assert {"quiet", "debug", "model", "device"} <= names
    assert "logs" not in names


def test_lists_are_split_at_commas_and_spaces_once() -> None:
    assert listed("a,b  c,a") == ("a", "b", "c")
    assert listed("") == ()


def test_measure_names_labels_and_tells_the_nearest_structure(run: Any, tmp_path: Path) -> None:
    values = np.zeros((20, 30), np.uint8)
    values[2:6, 2:6], values[2:6, 16:20] = 1, 2
    Picture.fromarray(values).save(tmp_path / "mask.png")
    names = tmp_path / "names.json"
    names.write_text('{"1": "nodule", "2": "left lung"}', encoding="utf-8")
    nib.save(nib.Nifti1Image(values.astype(np.uint8)[..., None], np.diag([0.5, 2, 1, 1])), tmp_path / "m.nii")
    told = run("measure", "-m", tmp_path / "m.nii", "--names", names, "--json").json["labels"]
    assert [item["name"] for item in told] == ["nodule", "left lung"]
    assert told[0]["measurements"]["nearest_structure"] == {
        "value": 22.0,  # columns 5 and 16 lie 11 steps of 2 mm apart
        "unit": "mm",
        "status": "ok",
        "of": "left lung",
    }
    assert "nearest_structure" not in told[1]["measurements"]  # a nodule is no structure
    assert "to left lung" in run("measure", "-m", tmp_path / "m.nii", "--names", names).out
    names.write_text("[1]", encoding="utf-8")
    run("measure", "-m", tmp_path / "m.nii", "--names", names).fails(3, "names of the labels")


def test_measure_reads_the_names_above_a_combined_map(run: Any, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Picture.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / "masks" / "combined.png")
    Picture.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / "masks" / "f1.png")
    labels = {"combined": ["combined.png"], "labels": [{"label": 1, "name": "nodule (left)"}]}
    (tmp_path / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    assert "label 1 (nodule (left))" in run("measure", "-m", tmp_path / "masks" / "combined.png").out
    assert "nodule" not in run("measure", "-m", tmp_path / "masks" / "f1.png").out


def test_measure_refuses_a_colour_mask_and_another_place(run: Any, tmp_path: Path) -> None:
    import nibabel as nib

    colour = np.zeros((9, 9, 3), np.uint8)
    colour[2:5, 2:5, 1] = 255
    Picture.fromarray(colour).save(tmp_path / "colour.png")
    run("measure", "-m", tmp_path / "colour.png").fails(3, "colour")
    values = np.zeros((6, 6, 6), np.uint8)
    values[2:4, 2:4, 2:4] = 1
    for name, shift in (("a", 0.0), ("b", 0.01), ("c", 12.0)):
        affine = np.eye(4)
        affine[0, 3] = shift
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"{name}.nii")
    assert run("measure", "-m", tmp_path / "a.nii", "-i", tmp_path / "b.nii").code == 0
    run("measure", "-m", tmp_path / "a.nii", "-i", tmp_path / "c.nii").fails(3, "12 mm apart")
    run("measure", "-m", tmp_path / "a.nii", "-i", tmp_path / "none.nii").fails(3, "none.nii: ")


def test_measure_takes_a_mask_in_another_order_of_axes(run: Any, tmp_path: Path) -> None:
    import nibabel as nib

    values = np.random.default_rng(0).integers(0, 100, (6, 6, 6)).astype(np.int16)
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[1:5, 2:4, 3] = 1
    nib.save(nib.Nifti1Image(values, np.diag([1, 2, 3, 1])), tmp_path / "ct.nii")
    nib.save(nib.Nifti1Image(mask, np.diag([1, 2, 3, 1])), tmp_path / "a.nii")
    turned = np.array([[0, -1.0, 0, 5], [2, 0, 0, 0], [0, 0, -3, 15], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(mask.transpose(1, 0, 2)[:, ::-1, ::-1], turned), tmp_path / "b.nii")
    files = [tmp_path / name for name in ("a.nii", "b.nii")]
    one, two = (run("measure", "-m", file, "-i", tmp_path / "ct.nii") for file in files)
    assert (one.code, two.code) == (0, 0)
    assert one.out == two.out
    assert f"{values[mask > 0].mean():.2f}" in one.out


def test_a_phantom_or_demo_that_cannot_be_written_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        run("phantom", "--kind", "cells", "--size", "96", "-o", place).fails(3, str(place))
    run("demo", "-o", tmp_path / "file", "--model", "place").fails(3, "file: ")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_phantom_leaves_nothing(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr import phantom

    def stop(*given: Any) -> None:
        (given[4] / "images").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(phantom, "write_set", stop)
    assert run("phantom", "--kind", "cells", "-o", tmp_path / "set").code == 130
    assert list(tmp_path.iterdir()) == []


def test_models_list_takes_no_name(run: Any) -> None:
    run("models", "list", "place").fails(2, "no name")


def test_measure_reads_a_dicom_seg(run: Any, tmp_path: Path) -> None:
    import pydicom

    affine = np.array([[0, 0, -1.5, 60], [0, -1.5, 0, 60], [3.0, 0, 0, -30], [0, 0, 0, 1]], float)
    values = np.random.default_rng(0).integers(-900, 300, (6, 30, 34))
    series, out = write_ct(tmp_path / "ct", values, affine), tmp_path / "out"
    text = "Nodule in the left lung. Mass in the right lung."
    assert run("segment", "-i", series, "-t", text, "-o", out, "--model", "place").code == 0
    seg = out / "segmentation.dcm"
    told = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    found = run("measure", "-m", seg, "-i", series, "--json").json["labels"]
    assert [item["id"] for item in found] == [item["id"] for item in told]
    assert [item["label"] for item in found] == [1, 2]
    for item, finding in zip(found, told, strict=True):
        for name in ("pixels", "volume", "long_axis", "centroid_mm_r", "mean_intensity"):
            assert item["measurements"][name] == pytest.approx(finding["measurements"][name]), name
    alone = run("measure", "-m", seg, "--json").json["labels"]
    for item, finding in zip(alone, told, strict=True):
        for name in ("pixels", "volume"):
            assert item["measurements"][name]["value"] == finding["measurements"][name]["value"]
        assert item["measurements"]["mean_intensity"] == {"value": None, "unit": "1", "status": "no_image"}
    assert f"label 1 ({found[0]['name']})" in run("measure", "-m", seg, "-i", series).out
    assert "label 1 (other)" in run("measure", "-m", seg, "--names", _names(tmp_path)).out
    run("measure", "-m", seg, "-i", series, "--threshold", "2").fails(2, "--threshold")
    other = write_ct(tmp_path / "other", values, affine)
    run("measure", "-m", seg, "-i", other).fails(3, "another frame of reference")
    ds = pydicom.dcmread(next(series.iterdir()))
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    ds.save_as(tmp_path / "rt.dcm")
    run("measure", "-m", tmp_path / "rt.dcm", "-i", series).fails(3, "RT structure set: it describes no ROI")
    run("segment", "-i", seg, "-t", text, "-o", tmp_path / "no").fails(
        3, "'medsegr measure -m' reads the masks"
    )


def _names(folder: Path) -> Path:
    (folder / "names.json").write_text('{"1": "other"}', encoding="utf-8")
    return folder / "names.json"


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--feature-cache", "cache"),
        ("parse", "-t", "A mass.", "--series", "1"),
        ("parse", "-t", "A mass.", "--accept-gaps"),
        ("parse", "-t", "A mass.", "--use", "sform"),
        ("parse", "-t", "A mass.", "--film-frame", "1"),
        ("refine", "out", "--modality", "CR"),
        ("refine", "out", "--frame", "patient"),
        ("convert", "out", "--modality", "CR"),
        ("convert", "out", "--frame", "patient"),
    ],
    ids=" ".join,
)
def test_a_flag_that_could_not_act_does_not_exist(run: Any, words: tuple[str, ...]) -> None:
    flag = next(word for word in words if word.startswith("--"))
    run(*words).fails(2, flag)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--model", "place", "--threads", "2"), "--threads is for checkpoints"),
        (("--model", "place", "--device", "cuda"), "runs on the processor"),
        (("--model", "place", "--feature-cache", "cache"), "a method that keeps nothing"),
        (("--model", "place", "--feature-cache-gb", "3"), "--feature-cache-gb is the size"),
        (("--backend", "onnx", "--feature-cache", "cache"), "torch was expected"),
        (("--backend", "openvino", "--feature-cache", "cache"), "torch was expected"),
    ],
)
def test_a_flag_that_the_model_would_not_heed_is_refused(
    run: Any, image: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    out = tmp_path / "out"
    run("segment", "-i", image, "-t", "A nodule.", "-o", out, *words).fails(2, told)
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text('{"id": "a", "image": "image.png", "text": "A nodule."}\n', encoding="utf-8")
    run("segment", "--jobs", jobs, "-o", out, *words).fails(2, told)
    run("serve", "--data-dir", tmp_path / "data", *words).fails(2, told)
    assert not out.exists()
    assert not (tmp_path / "data").exists()


def test_where_features_are_kept_auto_is_torch() -> None:
    assert CachedRunFlags().runtime == "auto"
    assert CachedRunFlags().features is None
    kept = CachedRunFlags(feature_cache=Path("cache"))
    assert (kept.runtime, kept.features) == ("torch", (Path("cache"), 10.0))
    assert CachedRunFlags(feature_cache=Path("cache"), feature_cache_gb=0).features == (Path("cache"), 0)


def test_only_segment_lists_series(run: Any, image: Path, tmp_path: Path) -> None:
    run("measure", "-m", image, "--series", "list").fails(2, "medsegr segment -i FILE --series list")


def test_measure_reads_a_structure_set(run: Any, tmp_path: Path) -> None:
    """The numbers are those of the DICOM SEG; what is not drawn is warned of."""
    import pydicom

    affine = np.array([[0, 0, -1.5, 60], [0, -1.5, 0, 60], [3.0, 0, 0, -30], [0, 0, 0, 1]], float)
    values = np.random.default_rng(0).integers(-900, 300, (6, 30, 34))
    series, out = write_ct(tmp_path / "ct", values, affine), tmp_path / "out"
    asked = (
        "-t",
        "Nodule in the left lung.",
        "-o",
        out,
        "--model",
        "place",
        "--format",
        "dicom-seg,rtstruct",
    )
    assert run("segment", "-i", series, *asked).code == 0
    seg, rt = (
        run("measure", "-m", out / name, "-i", series, "--json").json["labels"]
        for name in ("segmentation.dcm", "structures.dcm")
    )
    assert rt == seg
    (alone,) = run("measure", "-m", out / "structures.dcm", "--json").json["labels"]
    assert alone["measurements"]["volume"]["value"] == pytest.approx(
        seg[0]["measurements"]["volume"]["value"]
    )
    ds = pydicom.dcmread(out / "structures.dcm")
    ds.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    del ds.ROIContourSequence[0].SourcePixelPlanesCharacteristicsSequence
    ds.save_as(tmp_path / "open.dcm")
    ran = run("measure", "-m", tmp_path / "open.dcm", "-i", series)
    assert ran.code == 0
    assert ran.err.count("outlines_open: ROI 1: points and open lines") == 1
    run("measure", "-m", tmp_path / "open.dcm").fails(3, "give the image that they were drawn on (-i)")
    other = write_ct(tmp_path / "other", values, affine)
    run("measure", "-m", out / "structures.dcm", "-i", other).fails(3, "another frame of reference")
