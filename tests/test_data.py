"""Cases from folders and phantoms: what is drawn, what is unknown, who is held out, what survives the
disk."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pil

from medsegr import data
from medsegr.errors import InputError
from medsegr.samples import drawn

SETS = Path(__file__).resolve().parents[2] / "shared" / "data"


def write_set(folder: Path, rows: list[dict[str, str]], size: tuple[int, int] = (40, 60)) -> Path:
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for row in rows:
        Pil.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(folder / row["image"])
        mask = np.zeros(size, np.uint8)
        if row.pop("empty", "") != "yes":
            mask[5:15, 8:30] = 255
        Pil.fromarray(mask).save(folder / row["mask"])
    with (folder / "samples.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(
            handle, ["id", "image", "mask", "text", "target", "modality", "split", "group", "frame"]
        )
        writer.writeheader()
        writer.writerows(rows)
    return folder


def row(name: str, target: str = "polyp", modality: str = "colonoscopy", **more: str) -> dict[str, str]:
    base = {
        "id": name,
        "image": f"images/{name}.png",
        "mask": f"masks/{name}.png",
        "text": "",
        "target": target,
    }
    return {**base, "modality": modality, "split": "dev", "group": name, **more}


def test_reads_a_folder(tmp_path: Path) -> None:
    (case,) = data.read_set(write_set(tmp_path / "s", [row("a")]))
    assert case.grid == (40, 60)
    assert case.viewer
    assert case.modality == "ES"
    assert case.mask(0).sum() == 10 * 22
    assert {"concept:polyp", "modality:ES"} <= case.targets[0].names


@pytest.mark.parametrize(("frame", "side"), [("", "right"), ("patient", "right"), ("viewer", "left")])
def test_whose_left_a_table_means_is_learned_so(tmp_path: Path, frame: str, side: str) -> None:
    """The patient's left lung lies at the picture's right; a table in the viewer's words means the other."""
    told = row("a", "left lung", "chest X-ray") | ({"frame": frame} if frame else {})
    folder = write_set(tmp_path / "s", [told])
    (case,) = data.read_set(folder)
    assert {n for n in case.targets[0].names if n.startswith("side:")} == {f"side:{side}"}
    ((_, image, _),) = data.read_drawn(folder)
    assert image.frame == (frame or "patient")


def test_a_frame_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", [row("a", frame="radiological")])
    with pytest.raises(InputError, match="row a: frame 'radiological' came, patient or viewer was expected"):
        data.read_set(folder)


def test_one_image_with_two_targets_is_one_case(tmp_path: Path) -> None:
    rows = [row("a", "left lung", "chest X-ray"), row("b", "right lung", "chest X-ray", image="images/a.png")]
    (case,) = data.read_set(write_set(tmp_path / "s", rows))
    sides = [next(t for t in target.names if t.startswith("side:")) for target in case.targets]
    assert sides == ["side:right", "side:left"]  # sides of the picture: the patient's left is on its right


def test_held_rows_are_not_read(tmp_path: Path) -> None:
    rows = [row("a"), row("b", split="held")]
    assert [c.id for c in data.read_set(write_set(tmp_path / "s", rows))] == ["s/a"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "zorgblat"}, "row a: target .* is not in the lexicon"),
        ({"mask": "masks/none.png"}, "row a: masks/none.png: .*there is no such file"),
    ],
)
def test_a_bad_row_is_refused_in_one_line(tmp_path: Path, change: dict[str, str], words: str) -> None:
    folder = write_set(tmp_path / "s", [row("a")])
    table = (folder / "samples.csv").read_text()
    for key, value in change.items():
        table = table.replace(row("a")[key], value)
    (folder / "samples.csv").write_text(table)
    with pytest.raises(InputError, match=words) as caught:
        data.read_set(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("{not json", "row a: attributes: they are no JSON: an object was expected"),
        ("[1, 2]", "row a: attributes: a JSON list came where an object was expected"),
        ('{"location": 3}', "row a: attributes: location, texture and shape were expected to be objects"),
        ('{"location": {"side": "up"}}', "row a: attributes: side is 'up', expected one of"),
        ('{"shape": {"size_mm": 5}}', "row a: attributes: a value has another form"),
    ],
)
def test_attributes_that_are_none_are_refused_with_their_row(attributes: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        drawn.finding_of(row("a", attributes=attributes))


def test_a_label_that_is_no_number_is_refused_with_its_row() -> None:
    with pytest.raises(InputError, match="row a: label 'left' came where a number"):
        drawn.marked(np.arange(4), {"id": "a", "label": "left"})


@pytest.mark.parametrize("moved", [0.0, 0.05, 30.0])
def test_a_mask_that_lies_elsewhere_in_the_patient_is_refused(tmp_path: Path, moved: float) -> None:
    for name, kind, shift in (("images", np.float32, 0.0), ("masks", np.uint8, moved)):
        (tmp_path / name).mkdir()
        affine = np.diag([1.0, 1.0, 3.0, 1.0])
        affine[0, 3] = shift
        values = np.zeros((20, 20, 6), kind)
        values[4:12, 4:12, 2:4] = 1
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / name / "a.nii.gz")
    told = {"id": "a", "image": "images/a.nii.gz", "mask": "masks/a.nii.gz"}
    image = drawn.read_column(tmp_path, told, "image", "MR")
    if moved < 1:
        assert drawn.read_marks(tmp_path, [told], image)[0].mask.sum() == 128
        return
    with pytest.raises(InputError, match="row a: mask and image lie up to 30 mm apart in the patient"):
        drawn.read_marks(tmp_path, [told], image)


@pytest.mark.parametrize(
    ("label", "expected"), [("", [0, 1, 1, 1]), ("2", [0, 0, 1, 0]), ("1,3", [0, 1, 0, 1])]
)
def test_labels_of_a_mask_file_name_the_target(label: str, expected: list[int]) -> None:
    assert drawn.marked(np.arange(4), {"label": label}).mask.tolist() == [bool(v) for v in expected]


def test_a_set_is_called_the_same_however_its_folder_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_set(tmp_path / "s", [row("a")])
    monkeypatch.chdir(folder)
    assert (
        data.group_of(Path("."), "images/a.png", [{}]) == data.group_of(folder, "images/a.png", [{}]) == "s/a"
    )


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", [row("a")])
    Pil.fromarray(np.zeros((10, 10), np.uint8)).save(folder / "masks/a.png")
    with pytest.raises(InputError, match="equal grids"):
        data.read_set(folder)


def test_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"samples\.csv"):
        data.read_set(tmp_path)


def test_one_group_in_ten_is_held_out_and_never_split() -> None:
    groups = [f"g{i}" for i in range(40)]
    held = data.validation_groups(groups)
    assert len(held) == 4
    assert held == data.validation_groups(reversed(groups))
    assert len(data.validation_groups(["only"])) == 1


def test_slices_are_spread_over_what_is_drawn_and_a_little_beyond() -> None:
    filled = np.zeros(40, int)
    filled[10:31] = 50
    chosen = data.chosen_slices(filled, 5)
    assert chosen == [8, 10, 15, 20, 25, 30, 32]
    assert data.chosen_slices(np.ones(3, int)) == [0, 1, 2]
    assert data.chosen_slices(np.zeros(5, int)) == []


def test_a_slice_beyond_a_drawn_organ_says_not_there(tmp_path: Path) -> None:
    volume, mask = np.zeros((24, 24, 12), np.int16), np.zeros((24, 24, 12), np.uint8)
    mask[6:16, 6:16, 4:8] = 1
    mask[2, 2, 5] = 0
    for name, array in (("v.nii.gz", volume + mask), ("m.nii.gz", mask)):
        nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 1.0, 1.0])), tmp_path / name)
    (tmp_path / "samples.csv").write_text("id,image,mask,target,modality\n1,v.nii.gz,m.nii.gz,liver,CT\n")
    shown = {c.id.rpartition("@")[2]: bool(c.mask(0).any()) for c in data.read_set(tmp_path)}
    assert shown == {"2": False, "4": True, "5": True, "6": True, "7": True, "9": False}


def ignoring(folder: Path, mask: np.ndarray) -> Path:
    """A volume of one target, 1 in ``mask``; of what is 2 there nobody knows."""
    for name, array in (("v.nii.gz", np.zeros(mask.shape, np.int16)), ("m.nii.gz", mask)):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / name)
    head = "id,image,mask,target,modality,label,ignore\n1,v.nii.gz,m.nii.gz,liver,CT,1,2\n"
    (folder / "samples.csv").write_text(head)
    return folder


def test_slices_that_nobody_judged_are_not_learned_from(tmp_path: Path) -> None:
    """Every third slice is annotated, as people do it: the others say nothing, least of all "not there"."""
    mask = np.full((24, 24, 30), 2, np.uint8)
    mask[:, :, ::3] = 0
    mask[6:16, 6:16, 9:19:3] = 1
    cases = data.read_set(ignoring(tmp_path, mask))
    shown = {c.id.rpartition("@")[2]: bool(c.mask(0).any()) for c in cases}
    assert shown == {"3": False, "9": True, "12": True, "15": True, "18": True, "24": False}
    assert all(c.targets[0].unknown is None for c in cases)


def test_slices_keep_which_pixels_nobody_judged(tmp_path: Path) -> None:
    mask = np.zeros((24, 24, 12), np.uint8)
    mask[6:16, 6:16, 4:8] = 1
    mask[16:20, 6:16, 3:10] = 2
    cases = {c.id.rpartition("@")[2]: c for c in data.read_set(ignoring(tmp_path, mask))}
    beyond, inside = cases["9"].marks([0]), cases["5"].marks([0])
    assert not beyond.mask.any()
    assert not beyond.absent  # neither there nor not there
    assert beyond.unknown is not None
    assert inside.unknown is not None
    assert beyond.unknown.sum() == inside.unknown.sum() == 4 * 10
    assert cases["2"].marks([0]).absent


def test_a_nodded_volume_is_known_where_it_surely_is(tmp_path: Path) -> None:
    folder = volumes(tmp_path / "s", 3, 1.0)
    table = (folder / "samples.csv").read_text().splitlines()
    (folder / "samples.csv").write_text("\n".join([table[0] + ",ignore", *(r + ",2" for r in table[1:])]))
    for n in range(3):
        held = nibabel.load(folder / f"m{n}.nii.gz")
        mask = np.asarray(held.dataobj).copy()
        mask[:, :, 8:][mask[:, :, 8:] == 0] = 2
        nibabel.save(nibabel.Nifti1Image(mask, held.affine), folder / f"m{n}.nii.gz")
    nodded = [c for c in data.read_set(folder, tilts=(-20.0,)) if "^" in c.id]
    assert nodded
    for case in nodded:
        marks = case.marks([0])
        assert marks.unknown is not None  # every slice cuts the unknown part
        rows = marks.unknown.any(1) | marks.mask.any(1)
        assert 0 < rows.sum() < len(rows)


def test_a_picture_of_which_nobody_judged_a_pixel_is_no_case(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", [row("a"), row("b"), row("c", image="images/b.png")])
    table = (folder / "samples.csv").read_text().splitlines()
    (folder / "samples.csv").write_text("\n".join([table[0] + ",ignore", *(r + ",7" for r in table[1:])]))
    for name in "ab":
        Pil.fromarray(np.full((40, 60), 7, np.uint8)).save(folder / f"masks/{name}.png")
    (case,) = data.read_set(folder)
    assert case.id == "s/b"
    assert len(case.targets) == 1  # the other row of the picture says something


def test_targets_of_one_picture_have_unknown_pixels_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [row("a", "left lung", "chest X-ray"), row("b", "right lung", "chest X-ray", image="images/a.png")]
    write_set(folder, rows)
    for name, shift in (("a", 0), ("b", 10)):
        mask = np.zeros((40, 60), np.uint8)
        mask[5:15, 5 + shift : 15 + shift] = 1
        mask[5:15, 15 + shift : 25 + shift] = 3
        Pil.fromarray(mask).save(folder / f"masks/{name}.png")
    table = (folder / "samples.csv").read_text().splitlines()
    (folder / "samples.csv").write_text("\n".join([table[0] + ",ignore", *(r + ",3" for r in table[1:])]))
    (case,) = data.read_set(folder)
    one, other, both = case.marks([0]), case.marks([1]), case.marks([0, 1])
    assert [int(np.asarray(m.unknown).sum()) for m in (one, other, both)] == [100, 100, 100]
    assert not (both.mask & np.asarray(both.unknown)).any()
    assert np.array_equal(both.mask, one.mask | other.mask)
    assert np.array_equal(both.unknown, np.asarray(other.unknown))  # the first one's lie in the second's mask


def test_large_pictures_shrink_with_what_is_unknown(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", [row("a")], size=(528, 704))
    mask = np.zeros((528, 704), np.uint8)
    mask[100:200, 100:200] = 1
    mask[100:200, 200:300] = 9
    Pil.fromarray(mask).save(folder / "masks/a.png")
    table = (folder / "samples.csv").read_text().splitlines()
    (folder / "samples.csv").write_text("\n".join([table[0] + ",ignore", table[1] + ",9"]))
    (case,) = data.read_set(folder)
    assert case.grid == (264, 352)
    marks = case.marks([0])
    assert np.array_equal(marks.mask, mask[::2, ::2] == 1)
    assert np.array_equal(marks.unknown, mask[::2, ::2] == 9)


def volumes(folder: Path, count: int, spacing: float) -> Path:
    """Volumes with a beam that rises from front to back, in a table."""
    folder.mkdir()
    lines = ["id,image,mask,target,modality,group"]
    for n in range(count):
        volume, mask = np.zeros((24, 24, 16), np.int16), np.zeros((24, 24, 16), np.uint8)
        for y in range(3, 21):
            mask[8:16, y, 3 + y // 3 : 6 + y // 3] = 1
        volume[:] = 100 * mask + n
        for name, array in ((f"v{n}.nii.gz", volume), (f"m{n}.nii.gz", mask)):
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.0, spacing, 1.0])), folder / name)
        lines.append(f"{n},v{n}.nii.gz,m{n}.nii.gz,liver,CT,p{n}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_volumes_to_train_on_are_learned_nodded_too(tmp_path: Path) -> None:
    cases = data.read_set(volumes(tmp_path / "s", 3, 1.0), tilts=(-20.0, 18.5))
    straight = [c for c in cases if "^" not in c.id]
    nodded = [c for c in cases if "^" in c.id]
    assert [c.id for c in straight] == [c.id for c in data.read_set(tmp_path / "s")]
    assert {c.id.partition("^")[2].partition("@")[0] for c in nodded} == {"-20", "18.5"}
    assert any(c.validation for c in straight)
    assert not any(c.validation for c in nodded)  # what is held out is judged as it is
    assert {c.group for c in nodded} == {c.group for c in straight if not c.validation}
    level = [c for c in nodded if "^-20" in c.id]
    rising = [c for c in straight if not c.validation]
    most = [max(int(c.mask(0).sum()) for c in part) for part in (level, rising)]
    assert most[0] > 1.5 * most[1]  # the beam lies along the slices now
    one = max(level, key=lambda c: int(c.mask(0).sum()))
    grey = one.pixels[1].astype(int)
    assert grey[one.mask(0)].min() > grey[~one.mask(0)].mean()  # the picture went where its mask did


def test_slices_along_the_body_are_known_as_such(tmp_path: Path) -> None:
    """Their halves are front and back, so that no side can be read of them."""
    assert not any(case.sagittal for case in data.read_set(volumes(tmp_path / "axial", 1, 2.5)))
    along = volumes(tmp_path / "along", 1, 1.0)
    for name in ("v0.nii.gz", "m0.nii.gz"):
        held = nibabel.load(along / name)
        nibabel.save(
            nibabel.Nifti1Image(np.asarray(held.dataobj), np.diag([3.0, 1.0, 1.0, 1.0])), along / name
        )
    assert not any(case.sagittal for case in data.read_set(along))  # CT is cut axially (decision 0057)
    table = along / "samples.csv"
    table.write_text(table.read_text().replace(",CT,", ",MR,"))
    assert all(case.sagittal for case in data.read_set(along))


def test_thick_slices_are_not_nodded(tmp_path: Path) -> None:
    cases = data.read_set(volumes(tmp_path / "s", 2, 2.5), tilts=(20.0,))
    assert cases
    assert not any("^" in c.id for c in cases)


def test_what_a_made_body_surely_does_not_hold_is_asked_with_an_empty_mask() -> None:
    made = list(data.make_phantoms("thorax", seed=3, count=14, size=96))
    cases = [data.phantom_case(one) for one in made]
    empty = [[case.marks([i]).absent for i in range(len(case.targets))] for case in cases]
    normal = [case for case, gone in zip(cases, empty, strict=True) if any(gone)]
    assert 0 < len(normal) < 14
    for case in normal:
        asked = [t.names for i, t in enumerate(case.targets) if case.marks([i]).absent]
        assert len(asked) == 2
        assert {"concept:nodule", "modality:CT"} in asked
        assert any({"concept:lung tumour", "modality:CT"} <= told for told in asked)


def test_phantoms_survive_the_disk(tmp_path: Path) -> None:
    made = list(data.make_phantoms("chest", seed=3, count=2, size=96))
    data.pack(made, tmp_path / "p.npz")
    back = list(data.unpack(tmp_path / "p.npz"))
    for one, other in zip(made, back, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        for before, after in zip(
            data.phantom_case(one).targets, data.phantom_case(other).targets, strict=True
        ):
            assert np.array_equal(before.packed, after.packed)
            assert before.codes == after.codes
            assert before.organ == after.organ


@pytest.mark.skipif(not SETS.is_dir(), reason="needs ../shared/data, which is not here")
def test_sides_of_real_chest_films_are_the_patients() -> None:
    """The left lung's mask lies in the picture's right half: masks, words and view agree on whose left is
    meant."""
    cases = data.read_set(SETS / "cxr_covid_gb", limit=8)
    shares = []
    for case in cases:
        for i, target in enumerate(case.targets):
            if {"concept:lung", "side:right"} <= target.names:
                mask = case.mask(i)
                shares.append(mask[:, mask.shape[1] // 2 :].sum() / mask.sum())
    assert len(shares) >= 5
    assert min(shares) > 0.8


def test_what_is_judged_is_what_is_not_trained_on(tmp_path: Path) -> None:
    """And only pictures that show something are shown, however few."""
    names = [f"n{number}" for number in range(12)]
    rows = [row(name, empty="yes" if number % 3 else "no") for number, name in enumerate(names)]
    folder = write_set(tmp_path / "s", rows)
    held = {case.group for case in data.read_set(folder) if case.validation}
    assert len(held) == 2
    told = {part: {group for group, _, _ in data.read_drawn(folder, held_out=part)} for part in (True, False)}
    assert told == {True: held, False: {f"s/{name}" for name in names} - held}
    showing = {f"s/{name}" for name in names[::3]}
    for part in (True, False):
        there = [group for group, _, _ in data.read_there(folder, held_out=part)]
        assert set(there) == told[part] & showing
        assert len(list(data.read_shown(folder, 1, part))) == min(1, len(there))


def test_a_target_of_which_nobody_judged_a_slice_is_not_asked_there(tmp_path: Path) -> None:
    """The other target of the slice is."""
    mask = np.zeros((24, 24, 12), np.uint8)
    mask[6:16, 6:16, 4:8] = 1
    blank = np.full(mask.shape, 2, np.uint8)
    blank[:, :, 5] = 0
    files = {"v.nii.gz": np.zeros(mask.shape, np.int16), "m.nii.gz": mask, "n.nii.gz": blank}
    for name, array in files.items():
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / name)
    head = "id,image,mask,target,modality,label,ignore"
    lines = (head, "1,v.nii.gz,m.nii.gz,liver,CT,1,2", "2,v.nii.gz,n.nii.gz,spleen,CT,1,2")
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    cases = {case.id.rpartition("@")[2]: len(case.targets) for case in data.read_set(tmp_path)}
    assert cases == {"2": 1, "4": 1, "5": 2, "6": 1, "7": 1, "9": 1}


def test_a_pixel_of_a_shrunk_mask_belongs_to_it_by_half(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", [row("a")], size=(528, 704))
    mask = np.zeros((528, 704), np.uint8)
    mask[100, 100:102] = mask[200, 200] = 255  # two and one of four pixels that become one
    Pil.fromarray(mask).save(folder / "masks/a.png")
    (case,) = data.read_set(folder)
    assert np.argwhere(case.mask(0)).tolist() == [[50, 50]]
