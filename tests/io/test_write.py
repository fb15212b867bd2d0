import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.io.read import image_from_array, read_image
from medsegr.io.write import (
    atomic_folder,
    atomic_write,
    check_room,
    holds_anything,
    write_json,
    write_labels,
    write_mask,
    write_mask_nifti,
    write_mask_png,
)

MASK = np.random.default_rng(0).random((9, 6)) > 0.5


def test_png_mask_is_0_and_255_on_the_same_grid(tmp_path: Path) -> None:
    write_mask_png(MASK, tmp_path / "m.png")
    with Pillow.open(tmp_path / "m.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), MASK * 255)


def test_write_mask_gives_the_path_and_refuses_another_grid_or_kind(tmp_path: Path) -> None:
    image = image_from_array(np.arange(54.0).reshape(9, 6), spacing=(1, 2), modality="CR")
    paths = [
        write_mask(MASK, image, tmp_path / "f1.v2", kind, "opacity") for kind in ("png", "nifti", "nrrd")
    ]
    assert [path.name for path in paths] == ["f1.v2.png", "f1.v2.nii.gz", "f1.v2.nrrd"]
    for path in paths:
        np.testing.assert_array_equal(read_image(path).data[0] > 0, MASK)
    with pytest.raises(GeometryError, match="grid"):
        write_mask(MASK.T, image, tmp_path / "x", "nifti", "opacity")
    with pytest.raises(InputError, match="float64"):
        write_mask(MASK.astype(float), image, tmp_path / "x", "png", "opacity")
    with pytest.raises(UsageError, match="gif"):
        write_mask(MASK, image, tmp_path / "x", "gif", "opacity")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_a_png_of_a_volume_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose nifti"):
        write_mask_png(np.zeros((2, 2, 2), bool), tmp_path / "m.png")


def test_nifti_mask_carries_its_label_and_is_the_same_twice(tmp_path: Path) -> None:
    image = image_from_array(
        np.arange(54.0).reshape(9, 6, 1), affine=np.diag([2.0, 3.0, 4.0, 1.0]), modality="CT"
    )
    for name in ("a.nii.gz", "b.nii.gz", "c.nii"):
        write_mask_nifti(MASK[..., None], image, tmp_path / name, "rippe é")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    for name in ("a.nii.gz", "c.nii"):
        file = nib.load(tmp_path / name)
        text = file.header.extensions[0].get_content()
        found = json.loads(text if isinstance(text, str) else bytes(text).rstrip(b"\0"))
        assert found == {"medsegr": {"labels": {"1": "rippe é"}}}
        assert file.get_data_dtype() == np.uint8
        assert file.get_sform(coded=True)[1] == file.get_qform(coded=True)[1] == 1
        np.testing.assert_allclose(file.get_qform(), image.affine)


def test_json_is_numpy_safe_sorted_and_utf8(tmp_path: Path) -> None:
    value = {
        "b": np.float32(0.5),
        "a": np.arange(3),
        "é": {np.int64(2)},
        "n": float("nan"),
        "p": Path("x"),
        "\ud800": True,
    }
    write_json(value, tmp_path / "a.json")
    write_json(dict(reversed(value.items())), tmp_path / "b.json")
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": [0, 1, 2], "b": 0.5, "é": [2], "n": None, "p": "x", "\ud800": True}
    assert "é" in text
    assert text.endswith("\n")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_json_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    write_json({"old": 1}, tmp_path / "a.json")
    with pytest.raises(TypeError):
        write_json({"new": object()}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}


def test_atomic_write_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(RuntimeError), atomic_write(path) as part:  # noqa: PT012
        part.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    with atomic_write(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_atomic_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError), atomic_folder(out) as part:  # noqa: PT012
        (part / "a").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(out) as part:
        (part / "masks").mkdir()
        (part / "masks" / "f1.png").write_text("1")
        assert not out.exists()
    assert (out / "masks" / "f1.png").read_text() == "1"


def test_atomic_folder_keeps_the_files_of_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "masks").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    (out / "masks" / "f1.png").write_text("old")
    with atomic_folder(out) as part:
        (part / "masks").mkdir()
        (part / "masks" / "f1.png").write_text("new")
        (part / "manifest.json").write_text("{}")
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "masks" / "f1.png").read_text() == "new"
    assert (out / "manifest.json").exists()
    assert [found.name for found in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_is_there_is_filled_from_inside(tmp_path: Path) -> None:
    """It may be a disk of its own, onto which nothing can be moved from beside it."""
    out, link = tmp_path / "out", tmp_path / "link"
    out.mkdir()
    link.symlink_to(out)
    for place in (out, link):
        with atomic_folder(place) as part:
            assert part.parent == out
            (part / "manifest.json").write_text(place.name)
        assert (out / "manifest.json").read_text() == place.name
        assert [found.name for found in out.iterdir()] == ["manifest.json"]
    with pytest.raises(RuntimeError), atomic_folder(out):
        raise RuntimeError
    assert [found.name for found in out.iterdir()] == ["manifest.json"]


def test_room_is_looked_for_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file lies"):
        check_room(tmp_path / "file" / "out")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="may not be written"):
        check_room(tmp_path / "new")


def test_leavings_of_a_killed_run_are_nothing(tmp_path: Path) -> None:
    (tmp_path / ".part-0a1b").mkdir()
    assert not holds_anything(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert holds_anything(tmp_path)


def test_output_that_cannot_be_written_is_one_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    below = tmp_path / "file" / "out"
    attempts = [
        lambda: atomic_folder(below).__enter__(),
        lambda: atomic_folder(tmp_path / "file").__enter__(),
        lambda: write_json({}, below / "a.json"),
        lambda: write_json({}, tmp_path / "folder"),
        lambda: write_mask_png(MASK, below / "a.png"),
        lambda: write_json({}, tmp_path / ("x" * 300)),
    ]
    for attempt in attempts:
        with pytest.raises(InputError, match="output: ") as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_errors_about_other_files_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "out"):
        Path("/no/such/input").read_text()


@pytest.mark.parametrize("kind", ["png", "nifti", "nrrd"])
def test_a_label_map_keeps_its_labels(kind: str, tmp_path: Path) -> None:
    image = image_from_array(np.arange(54.0).reshape(9, 6), spacing=(1, 2), modality="CR")
    labels = np.arange(54).reshape(9, 6).astype(np.uint8)
    path = write_labels(labels, image, tmp_path / "combined", kind, {1: "lung", 2: "é"})
    np.testing.assert_array_equal(read_image(path).data[0], labels)
    if kind == "nifti":
        text = nib.load(path).header.extensions[0].get_content()
        found = json.loads(text if isinstance(text, str) else bytes(text).rstrip(b"\0"))
        assert found == {"medsegr": {"labels": {"1": "lung", "2": "é"}}}  # names in the order of the labels
    with pytest.raises(GeometryError, match="grid"):
        write_labels(labels.T, image, tmp_path / "x", kind, {})


def test_many_labels_need_a_format_that_holds_them(tmp_path: Path) -> None:
    image = image_from_array(np.arange(400.0).reshape(20, 20), spacing=(1, 2), modality="CR")
    labels = np.arange(400).reshape(20, 20).astype(np.uint16)
    for kind in ("nifti", "png"):
        path = write_labels(labels, image, tmp_path / "many", kind, {})
        np.testing.assert_array_equal(read_image(path).data[0], labels)
    with pytest.raises(UsageError, match="255"):
        write_labels(labels, image, tmp_path / "many", "nrrd", {})
