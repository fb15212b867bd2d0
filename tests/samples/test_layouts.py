"""Folders in the layouts that people have become rows, and then cases; what fits none is refused."""

import json
import string
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil

from bench_sets import write_rows
from medsegr import data
from medsegr.bench.samples import samples_of
from medsegr.errors import InputError, UsageError
from medsegr.samples.layouts import Hints, _labels, _stem, left_out, rows_of
from medsegr.sets.table import sources


def picture(path: Path, value: int = 0, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    if value:
        array = np.zeros(size, np.uint8)
        array[5:15, 8:30] = value
    Pil.fromarray(array).save(path)


def jsonl(folder: Path, *rows: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "samples.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def volumes(folder: Path, head: dict[str, Any], count: int = 2) -> Path:
    for sub in ("imagesTr", "labelsTr"):
        (folder / sub).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        image = rng.normal(100, 20, (32, 40, 8)).astype(np.float32)
        label = np.zeros((32, 40, 8), np.uint8)
        label[8:20, 10:25, 2:7] = 1
        label[12:20, 12:20, 3:6] = 2
        affine = np.diag([1.0, 1.0, 5.0, 1.0])
        nib.save(nib.Nifti1Image(image, affine), folder / "imagesTr" / f"case{i}_0000.nii.gz")
        nib.save(nib.Nifti1Image(label, affine), folder / "labelsTr" / f"case{i}.nii.gz")
    (folder / "dataset.json").write_text(json.dumps(head), encoding="utf-8")
    return folder


def test_jsonl_holds_the_keys_of_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    picture(folder / "images/a.png")
    picture(folder / "masks/a.png", 255)
    row = {"id": "a", "image": "images/a.png", "mask": "masks/a.png", "target": "polyp", "modality": "ES"}
    shape = {"concept": "polyp", "shape": {"form": "round"}}
    jsonl(folder, row, "", {**row, "id": "b", "split": "held"}, {**row, "id": "c", "attributes": shape})
    (rows,) = rows_of(folder).values()
    assert [r["id"] for r in rows] == ["a", "c"]
    assert json.loads(rows[1]["attributes"]) == shape
    assert data.read_set(folder)[0].modality == "ES"


def test_a_table_says_which_values_nobody_judged(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    picture(folder / "images/a.png")
    picture(folder / "masks/a.png", 255)
    row = {"id": "a", "image": "images/a.png", "mask": "masks/a.png", "target": "polyp", "modality": "ES"}
    (case,) = data.read_set(jsonl(folder, {**row, "ignore": 7}))
    assert case.targets[0].unknown is None  # no pixel has it
    (case,) = data.read_set(jsonl(folder, {**row, "label": 1, "ignore": 255}))
    assert not case.mask(0).any()
    assert np.asarray(case.marks([0]).unknown).sum() == 10 * 22
    with pytest.raises(InputError, match="row a: ignore 'all' came where a number"):
        data.read_set(jsonl(folder, {**row, "ignore": "all"}))


@pytest.mark.parametrize(
    ("line", "words"),
    [("{", "line 1: not JSON"), ("[1]", "line 1: list came"), ({"id": "a"}, "row a: image is missing")],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        rows_of(jsonl(tmp_path / "s", line))


OUTSIDE = ("../x.png", "a/../../x.png", "/x.png", "C:\\x.png", "x\\..\\..\\y.png", "\\\\host\\x.png")


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("key", ["image", "mask"])
def test_a_path_that_leaves_the_folder_is_refused_by_all_who_read_a_table(
    tmp_path: Path, key: str, path: str
) -> None:
    row = {"id": "a", "image": "a.png", "mask": "b.png", "target": "polyp"} | {key: path}
    with pytest.raises(InputError, match=f"row a: '{key}' leaves the folder; a path below it was expected"):
        rows_of(jsonl(tmp_path / "lines", row))
    folder = write_rows(tmp_path / "table", [row])
    with pytest.raises(InputError, match=f"row a: '{key}' leaves the folder"):
        rows_of(folder)
    with pytest.raises(InputError, match=f"row a: '{key}' leaves the folder"):
        sources(folder)
    with pytest.raises(InputError, match=f"row 2: '{key}' leaves the folder"):
        samples_of(folder)


def test_a_link_below_the_folder_may_lead_out_of_it(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere/a.png")
    picture(tmp_path / "s/b.png", 255)
    (tmp_path / "s/images").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    row = {"id": "a", "image": "images/a.png", "mask": "b.png", "target": "polyp", "modality": "ES"}
    assert len(data.read_set(write_rows(tmp_path / "s", [row]))) == 1
    assert len(samples_of(tmp_path / "s")) == 1


def test_images_and_masks_of_equal_stems(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name in ("a", "b"):
        picture(folder / f"images/{name}.jpg")
        picture(folder / f"masks/{name}.png", 255)
    picture(folder / "images/without.jpg")
    hints = Hints("polyp", "colonoscopy")
    cases = data.read_set(folder, hints=hints)
    assert [c.id for c in cases] == ["mine/a", "mine/b"]
    assert cases[0].modality == "ES"
    assert cases[0].concepts >= {"polyp"}
    assert len(list(data.read_drawn(folder, hints))) == 1
    with pytest.raises(InputError, match="--target NAME"):
        rows_of(folder)
    picture(folder / "masks/stray.png", 255)
    with pytest.raises(InputError, match="mask stray has no image"):
        rows_of(folder, hints)


def test_masks_in_a_folder_a_target(tmp_path: Path) -> None:
    folder = tmp_path / "chest"
    picture(folder / "images/a.png")
    picture(folder / "images/b.png")
    picture(folder / "masks/left lung/a.png", 255)
    picture(folder / "masks/right lung/a.png", 255)
    picture(folder / "masks/right lung/b.png", 255)
    one, two = data.read_set(folder, hints=Hints(modality="chest X-ray"))
    assert [len(one.targets), len(two.targets)] == [2, 1]
    assert {"side:left", "side:right"} <= {n for t in one.targets for n in t.names}


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "liver": 1, "liver lesion": 2},
        {"0": "background", "1": "liver", "2": "liver lesion"},
        {"background": 0, "liver": [1, 2], "liver lesion": 2, "ignore": 3},
    ],
)
def test_nnunet_volumes_become_slices_with_neighbours(tmp_path: Path, labels: dict[str, Any]) -> None:
    folder = volumes(tmp_path / "Dataset001_Liver", {"labels": labels, "channel_names": {"0": "CT"}})
    cases = data.read_set(folder)
    assert 2 < len(cases) <= 2 * data.SLICES_PER_VOLUME
    assert cases[0].pixels.shape[0] == 3
    assert cases[0].modality == "CT"
    assert {c.group for c in cases} == {"Dataset001_Liver/case0", "Dataset001_Liver/case1"}
    assert "liver" in cases[0].concepts
    whole = isinstance(labels.get("liver"), list)
    both = next(case for case in cases if len(case.targets) == 2 and case.mask(1).any())
    assert both.mask(0).sum() == (12 * 15 if whole else 12 * 15 - 8 * 8)


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "liver": 1, "ignore": 2},
        {"0": "background", "1": "liver", "2": "ignore"},
        {"background": 0, "liver": [1], "Ignore": [2]},
    ],
)
def test_what_nnunet_ignores_is_neither_target_nor_background(tmp_path: Path, labels: dict[str, Any]) -> None:
    folder = volumes(tmp_path / "Dataset002_Liver", {"labels": labels, "channel_names": {"0": "CT"}})
    assert {(row["target"], row["label"], row["ignore"]) for r in rows_of(folder).values() for row in r} == {
        ("liver", "1", "2")
    }
    middle = next(case for case in data.read_set(folder) if case.id.endswith("case0_0000.nii@4"))
    marks = middle.marks([0])
    assert marks.mask.sum() == 12 * 15 - 8 * 8
    assert marks.unknown is not None
    assert marks.unknown.sum() == 8 * 8
    for _, _, drawn in data.read_drawn(folder):
        ((_, one),) = drawn
        assert one.unknown is not None
        assert one.unknown.sum() == 8 * 8 * 3


def test_pictures_of_nnunet_keep_what_is_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "Dataset003_Polyp"
    picture(folder / "imagesTr/a_0000.png")
    picture(folder / "labelsTr/a.png", 1)
    with Pil.open(folder / "labelsTr/a.png") as opened:
        label = np.asarray(opened).copy()
    label[20:30, 8:30] = 2
    Pil.fromarray(label).save(folder / "labelsTr/a.png")
    head = {"labels": {"background": 0, "polyp": 1, "ignore": 2}, "channel_names": {"0": "endoscopy"}}
    (folder / "dataset.json").write_text(json.dumps(head))
    (case,) = data.read_set(folder)
    marks = case.marks([0])
    assert np.array_equal(marks.mask, label == 1)
    assert np.array_equal(marks.unknown, label == 2)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"background": 0, "liver": 1, "ignore": 0}, "the label ignore has the value 0, .* the highest one"),
        (
            {"background": 0, "liver": 1, "ignore": 1},
            "row case0_liver: the value 1 came in label and in ignore",
        ),
        ({"background": 0, "liver": [1, 2], "ignore": 2}, "the value 2 came in label and in ignore"),
        ({"background": 0, "liver": 1, "ignore": "none"}, "dataset.json cannot be read"),
        ({"background": 0, "liver": 1, "ignore": {"a": 2}}, "dataset.json cannot be read"),
    ],
)
def test_a_label_that_cannot_be_ignored_is_one_line(
    tmp_path: Path, labels: dict[str, Any], words: str
) -> None:
    folder = volumes(tmp_path / "d", {"labels": labels, "channel_names": {"0": "CT"}}, 1)
    with pytest.raises(InputError, match=words) as caught:
        data.read_set(folder)
    assert "\n" not in str(caught.value)


def test_a_broken_nnunet_head_or_a_missing_image_is_one_line(tmp_path: Path) -> None:
    folder = volumes(tmp_path / "d", {"channel_names": {"0": "CT"}})
    with pytest.raises(InputError, match="expected labels and channel_names"):
        rows_of(folder)
    (folder / "dataset.json").write_text('{"labels": {"background": 0, "liver": 1}}')
    (folder / "imagesTr" / "case1_0000.nii.gz").unlink()
    with pytest.raises(InputError, match="label case1 has no image"):
        rows_of(folder)


def test_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"samples.csv, samples.jsonl, images/ .* nnU-Net"):
        rows_of(tmp_path)


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(UsageError, match="--modality: 'smell' is not known"):
        Hints(modality="smell")


NAMES = st.text(string.ascii_lowercase + ". -", min_size=1, max_size=12).filter(lambda s: s.strip(". "))


@given(NAMES, st.sampled_from([".png", ".JPG", ".nii.gz", ".nii", ".tif"]))
def test_a_stem_and_its_ending_make_the_name(stem: str, ending: str) -> None:
    assert _stem(Path(stem + ending)) == stem


@given(st.dictionaries(NAMES, st.integers(1, 99), min_size=1, max_size=5))
def test_both_versions_of_nnunet_labels_say_the_same(labels: dict[str, int]) -> None:
    labels = {name: number for number, name in enumerate(labels, 1) if name not in ("background", "ignore")}
    old = {"0": "background", **{str(v): k for k, v in labels.items()}}
    assert _labels(old) == _labels({"background": 0, **labels}) == {k: str(v) for k, v in labels.items()}


def test_images_without_a_mask_of_their_name_are_counted(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / "images" / f"{name}.png")
    for kind in ("left lung", "right lung"):
        picture(tmp_path / "masks" / kind / "a.png")
    picture(tmp_path / "masks" / "right lung" / "b.png")
    assert left_out(tmp_path) == 1
    (tmp_path / "samples.csv").write_text("id,image,mask,target\n")
    assert left_out(tmp_path) == 0


HEAD = "id,image,mask,target\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id;image;mask;target\na;b;c;polyp\n", "lacks id, image, mask, target.*; commas part the cells"),
        (HEAD + "a,b,c,polyp,and\n", "samples.csv, row 2: another number of cells than columns"),
        (HEAD + "a,b,c,polyp\na,d,e,polyp\n", "samples.csv, row 3: the id comes twice"),
        (HEAD, "samples.csv has no row"),
    ],
)
def test_a_table_is_refused_for_training_as_it_is_for_judging(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "samples.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        rows_of(tmp_path)
