"""From a checkpoint to graphs: on request whole or not at all, by itself once and then from the cache."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from medsegr import conversion, predict
from medsegr.backends import folder, names, stages, store
from medsegr.errors import InputError, UsageError, WeightsError
from medsegr.predict import Predictor
from medsegr.types import Finding, Image, Prompt
from small_networks import small_checkpoint, small_predictor, unchecked

pytestmark = pytest.mark.usefixtures("heard")


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    with unchecked():
        yield


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    return small_checkpoint(monkeypatch, tmp_path / "cache")


def asked(predictor: Predictor) -> np.ndarray:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 50, 70)).astype(np.float32))
    return predictor.segment(image, Prompt(("liver",), (Finding("f1", "", (0, 0), "liver"),))).prob


def test_the_first_use_converts_and_the_next_does_not(
    small: Predictor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    with caplog.at_level(logging.WARNING, "medsegr"):
        first = conversion.load("small", "onnx", threads=1)
    assert [r.getMessage()[:40] for r in caplog.records] == ["converting the model for onnx fp32, once"]
    assert "quarter of a minute" in caplog.text
    assert np.allclose(asked(first), asked(small), atol=1e-4)
    caplog.clear()
    monkeypatch.setattr(stages, "traced", None)  # would fail
    again = conversion.load("small", "onnx", threads=1)
    assert caplog.records == []
    assert np.array_equal(asked(first), asked(again))
    (kept,) = (store.place() / "graphs").iterdir()
    (kept / "answer.onnx").write_bytes(b"damaged")
    monkeypatch.undo()


def test_auto_takes_graphs_that_are_there_and_makes_none(
    small: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(conversion, "accelerated", lambda: False)
    assert conversion.load("small", "auto") is small
    assert not store.place().exists()
    kept = conversion.prepare("small", "onnx")
    assert kept.folder.parent == store.place() / "graphs"
    loaded = conversion.load("small", "auto", threads=1)
    assert (loaded.backend.name, loaded.backend.precision) == ("onnx", "fp32")
    assert np.allclose(asked(loaded), asked(small), atol=1e-4)
    assert conversion.quickest("small", "cuda") == "torch"
    monkeypatch.setattr(conversion, "accelerated", lambda: True)
    assert (conversion.quickest("small"), conversion.quickest("small", "cpu")) == ("torch", "onnx")
    monkeypatch.setattr(names, "find_spec", lambda _name: None)
    assert conversion.quickest("small", "cpu") == "torch"


def test_a_full_disk_converts_for_this_run_only(
    small: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(store, "SPARE", 2**60)
    with caplog.at_level(logging.WARNING, "medsegr"):
        predictor = conversion.load("small", "onnx", threads=1)
    assert caplog.records[0].getMessage().startswith("the cache is not used: the disk is full")
    assert np.allclose(asked(predictor), asked(small), atol=1e-4)
    assert not list((tmp_path / "cache").rglob("*.onnx"))


def test_an_exported_folder_is_a_backend(small: Predictor, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    graphs = conversion.export("small", tmp_path / "out", "onnx")
    assert graphs.manifest["model"]["sha256"] == small.card["sha256"]
    loaded = conversion.load("small", str(tmp_path / "out"), threads=1)
    assert (loaded.backend.name, loaded.backend.precision) == ("onnx", "fp32")
    assert np.allclose(asked(loaded), asked(small), atol=1e-4)
    manifest = tmp_path / "out" / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["model"]["sha256"] = "f" * 64
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(WeightsError, match="the model here has 000000000000"):
        conversion.load("small", str(tmp_path / "out"))


def test_an_export_that_fails_writes_nothing(
    small: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write_json", full)
    with pytest.raises(InputError, match="No space left"):
        conversion.export("small", tmp_path / "out", "onnx")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused_before_any_work(
    small: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(predict, "load", None)  # would fail
    with pytest.raises(InputError, match="files of another kind"):
        conversion.export("small", tmp_path, "onnx")


def test_pictures_to_calibrate_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png"):
        Pillow.fromarray(rng.integers(0, 255, (40, 50), np.uint8).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    questions = list(conversion.images_below(tmp_path, small_predictor().card))
    assert [image.grid for image, _ in questions] == [(40, 50)] * 3
    firsts = [findings[0].name for _, findings in questions]
    assert len(set(firsts)) == 3  # the model's concepts in turn
    samples, about = conversion.calibration(small_predictor(), questions)
    assert about == {"images": 3}
    assert len(samples["shared"]) == 3
    rows = [one["priors"].shape[0] for one in samples["answer"]]
    assert rows == [conversion.ASKED] * 6  # the picture, then its mirror image


def test_nothing_to_calibrate_with(small: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image to calibrate with"):
        conversion.export("small", tmp_path / "out", "onnx", "int8", ())


def test_made_images_say_something() -> None:
    questions = list(conversion.made(5))
    assert len(questions) == 5
    assert all(f.polarity == "present" for _, findings in questions for f in findings)
    assert len({image.modality for image, _ in questions}) >= 4


def test_what_does_not_go_together() -> None:
    with pytest.raises(UsageError, match="runs on the processor, not on cuda"):
        conversion.load("medsegr-tiny", "onnx", device="cuda")
