"""An exported folder is whole, unchanged and of its checkpoint, or it is refused."""

import json
from pathlib import Path

import pytest

from medsegr.backends import folder
from medsegr.backends.folder import STAGES, Graphs
from medsegr.errors import InputError, WeightsError

SHA = "ab" * 32
FILES = {f"{stage}.onnx": stage.encode() for stage in STAGES}


def exported(place: Path, sha256: str = SHA) -> Graphs:
    return folder.write(FILES, place, ("onnx", "fp32"), {"model": {"name": "m", "sha256": sha256}})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = exported(tmp_path / "out")
    again = folder.read(tmp_path / "out", SHA)
    assert (again.backend, again.precision, again.manifest) == ("onnx", "fp32", written.manifest)
    assert again.file("words").read_bytes() == b"words"
    told = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert told["schema"] == folder.SCHEMA
    assert set(told["versions"]) >= {"medsegr", "torch", "onnxruntime", "openvino"}
    assert set(told["files"]) == set(FILES)


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    exported(tmp_path)
    with pytest.raises(WeightsError, match=r"SHA-256 abababababab\.\.\., the model here"):
        folder.read(tmp_path, "cd" * 32)


@pytest.mark.parametrize("how", ["changed", "missing", "no manifest", "half a manifest", "foreign manifest"])
def test_damage_is_refused(tmp_path: Path, how: str) -> None:
    exported(tmp_path)
    manifest = tmp_path / "manifest.json"
    if how == "changed":
        (tmp_path / "answer.onnx").write_bytes(b"other")
    elif how == "missing":
        (tmp_path / "answer.onnx").unlink()
    elif how == "no manifest":
        manifest.unlink()
    elif how == "half a manifest":
        manifest.write_text(manifest.read_text(encoding="utf-8")[:40], encoding="utf-8")
    else:
        manifest.write_text('{"schema": "medsegr.manifest/1"}', encoding="utf-8")
    with pytest.raises(WeightsError, match="export again"):
        folder.read(tmp_path, SHA)


def test_a_manifest_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    exported(tmp_path / "out")
    manifest = tmp_path / "out" / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["files"]["../outside"] = "00"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(WeightsError):
        folder.read(tmp_path / "out", SHA)


def test_an_interrupted_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        exported(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        exported(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_an_export_and_nothing_else(tmp_path: Path) -> None:
    exported(tmp_path / "out")
    more = {**{f"{stage}{end}": b"1" for stage in STAGES for end in (".xml", ".bin")}}
    folder.write(more, tmp_path / "out", ("openvino", "int8"), {"model": {"sha256": SHA}})
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([*more, "manifest.json"])
    assert folder.read(tmp_path / "out", SHA).precision == "int8"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="files of another kind"):
        exported(tmp_path / "own")
    with pytest.raises(InputError, match="is a file"):
        exported(tmp_path / "own" / "notes.txt")
