"""medsegr export, and --backend and --precision: what they write, and what they refuse in one line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from small_networks import small_checkpoint, unchecked


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    with unchecked():
        yield


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_checkpoint(monkeypatch, tmp_path / "cache")


def picture(folder: Path) -> Path:
    path = folder / "slice.png"
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)).save(path)
    return path


@pytest.mark.usefixtures("small")
def test_export_then_segment_with_the_folder(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    out = tmp_path / "graphs"
    done = run("export", "--to", "onnx", "-o", str(out))
    assert done.code == 0, done.err
    assert f"--backend {out}" in done.out
    words = ("segment", "-i", str(picture(tmp_path)), "-p", "liver", "--modality", "CT", "-o")
    results = []
    for name, more in (("torch", ("--backend", "torch")), ("folder", ("--backend", str(out)))):
        done = run(*words, str(tmp_path / name), *more)
        assert done.code == 0, done.err
        manifest = json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))
        results.append((manifest["backend"], manifest["precision"], manifest["findings"]))
    assert [r[:2] for r in results] == [("torch", "fp32"), ("onnx", "fp32")]
    assert results[0][2] == results[1][2]


@pytest.mark.usefixtures("small")
def test_export_without_a_folder_is_for_later_runs(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("MEDSEGR_CACHE", str(tmp_path / "cache"))
    done = run("export", "--to", "onnx")
    assert done.code == 0, done.err
    assert done.out.strip().endswith("kept for --backend onnx or auto")
    assert len(list((tmp_path / "cache" / "graphs").iterdir())) == 1
    refused = run("export", "--to", "onnx", "--precision", "int8", "--calibrate", str(tmp_path))
    assert refused.code == 2
    assert "--calibrate needs -o" in refused.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--to", "tflite"), "--to: 'tflite' is not known; expected onnx or openvino"),
        (("--to", "onnx", "--calibrate", "x"), "--calibrate belongs to --precision int8"),
        (("--to", "onnx", "--precision", "int4"), "--precision: 'int4' is not known"),
        (("--to", "onnx", "--precision", "int8", "--calibrate", "nowhere"), "--calibrate is no folder"),
        (("--to", "onnx", "--model", "nobody"), "no model 'nobody'"),
        (("--to", "onnx", "--model", "otsu"), "'otsu' is a method that runs as it is"),
    ],
)
def test_refusals(run: Any, tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    done = run("export", *flags, "-o", str(tmp_path / "out"))
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_another_kind_of_folder_is_kept(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = run("export", "--to", "onnx", "-o", str(tmp_path))
    assert done.code == 3
    assert "files of another kind" in done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--backend", "tensorrt"), "--backend: 'tensorrt' is not known"),
        (("--precision", "int8"), "--precision int8 is for --backend openvino or onnx"),
    ],
)
def test_segment_refuses_before_it_reads(run: Any, tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    words = ("segment", "-i", str(tmp_path / "gone.png"), "-p", "liver", "-o", str(tmp_path / "out"))
    done = run(*words, *flags)
    assert done.code == 2
    assert said in done.err


def test_a_folder_that_is_no_export(run: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    words = ("segment", "-i", str(picture(tmp_path)), "-p", "liver", "-o", str(tmp_path / "out"))
    done = run(*words, "--backend", str(tmp_path / "other"))
    assert done.code == 1
    assert "holds no manifest.json of 'medsegr export'" in done.err
