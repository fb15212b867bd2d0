"""Which images are judged, and with which words."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pil

from bench_sets import add, disc, picture, write_rows, write_set
from made_sets import pictures
from medsegr import data
from medsegr.bench.samples import chosen, read_sample, read_table, samples_of, table_hash, thinned
from medsegr.errors import InputError
from medsegr.phantom import write_set as write_phantoms
from medsegr.samples import drawn
from medsegr.samples.layouts import Hints
from medsegr.types import Image


def test_the_validation_part_is_that_of_training(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", 30)
    ours = {s.image for s in samples_of(folder) if s.part == "validation"}
    theirs = {f"images/{c.id.split('/')[1]}.png" for c in data.read_set(folder) if c.validation}
    assert ours == theirs
    assert len(ours) == 3


def test_training_images_are_judged_only_when_asked_for(tmp_path: Path) -> None:
    samples = samples_of(write_set(tmp_path / "s", 20))
    assert {s.part for s in chosen(samples, "validation")} == {"validation"}
    assert {s.part for s in chosen(samples, "train")} == {"train"}
    assert len(chosen(samples, "all")) == 20


def test_words_of_the_split_column_are_parts_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [
        add(folder, f"p{i}", picture(i), disc((20, 20), 5), split="held" if i < 2 else "dev")
        for i in range(6)
    ]
    samples = samples_of(write_rows(folder, rows))
    assert [s.image for s in chosen(samples, "held")] == ["images/p0.png", "images/p1.png"]
    assert len(chosen(samples, "all")) == 4
    with pytest.raises(InputError, match="'test'; there is held, train, validation"):
        chosen(samples, "test")


def test_a_second_reader_is_not_the_truth(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [add(folder, "a", picture(0), disc((20, 20), 5)), add(folder, "b", picture(1), disc((20, 20), 5))]
    rows[1]["notes"] = "left eye; 2. human observer"
    assert [s.image for s in samples_of(write_rows(folder, rows))] == ["images/a.png"]


def test_a_limit_keeps_the_same_images_in_any_order(tmp_path: Path) -> None:
    samples = samples_of(write_set(tmp_path / "s", 9))
    few = thinned(samples, 4)
    assert len(few) == 4
    assert {s.id for s in thinned(samples[::-1], 4)} == {s.id for s in few}
    assert thinned(samples, None) == samples


def test_series_of_one_folder_are_images_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {**add(tmp_path, f"p{i}", picture(i), disc((20, 20), 5)), "image": "ct", "case": f"ct {i}"}
        for i in (1, 2)
    ]
    monkeypatch.setattr("medsegr.bench.samples.read_rows", lambda *_: rows)
    assert [(s.image, len(s.rows)) for s in samples_of(tmp_path)] == [("ct 1", 1), ("ct 2", 1)]


def test_words_from_the_mask_are_oracle(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [
        add(folder, "a", picture(0), disc((50, 70), 5)),
        add(folder, "b", picture(1), disc((9, 9), 0) & False),
    ]
    there, absent = (read_sample(s)[1][0] for s in samples_of(write_rows(folder, rows)))
    assert there.source == "oracle"
    assert (there.finding.location.rows, there.finding.location.cols) == (("lower",), ("right",))
    assert (there.name.location.rows, there.name.texture.density) == ((), None)
    assert absent.source == "name"
    assert not absent.mask.any()


def test_a_persons_words_are_written_and_read_by_the_parser(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    row = add(folder, "a", picture(0), disc((20, 20), 5), phrase="a small red polyp at the top left")
    (one,) = read_sample(samples_of(write_rows(folder, [row]))[0])[1]
    assert one.source == "written"
    assert (one.finding.name, one.finding.texture.colour, one.finding.location.cols) == (
        "polyp",
        "red",
        ("left",),
    )


def test_phantoms_are_oracle_text_although_they_have_phrases(tmp_path: Path) -> None:
    write_phantoms("mucosa", 1, 1, 96, tmp_path, lambda *_: None)
    (sample,) = samples_of(tmp_path)
    _, wanted = read_sample(sample)
    assert {one.source for one in wanted if one.mask.any()} == {"oracle"}
    assert len(wanted) == len(sample.rows)


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    row = add(folder, "a", picture(0), disc((20, 20), 5, (50, 50)))
    with pytest.raises(InputError, match="target 1 of the image: row a: the mask is"):
        read_sample(samples_of(write_rows(folder, [row]))[0])


def read_all(folder: Path) -> None:
    for sample in samples_of(folder):
        read_sample(sample)


HEAD = "id,image,mask,target\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "lacks id, image, mask, target"),
        (HEAD, "no row"),
        ("id,image,target\na,b,c\n", "lacks mask"),
        (HEAD + "a,images/a.png,masks/a.png\n", "row 2: another number of cells"),
        (HEAD + "a,images/a.png,masks/a.png,polyp,more\n", "row 2: another number of cells"),
        (HEAD + "a,images/a.png,masks/a.png, \n", "row 2: 'target' is empty"),
        (HEAD + "a,i,m,polyp\na,j,n,polyp\n", "row 3: the id comes twice"),
        (HEAD + "a,../../etc/passwd,m,polyp\n", "row 2: 'image' leaves the folder"),
        (HEAD + "a,/etc/passwd,m,polyp\n", "row 2: 'image' leaves the folder"),
        (HEAD + "a,i,C:\\secret.png,polyp\n", "row 2: 'mask' leaves the folder"),
        (HEAD + "a,i,x\\..\\..\\secret,polyp\n", "row 2: 'mask' leaves the folder"),
        (HEAD + 'a,"i,m,polyp\n', "no CSV in UTF-8"),
        (HEAD + "a,i\0,m,polyp\n", "NUL|no CSV|not valid|no such"),
    ],
)
def test_a_hostile_table_is_refused_in_one_line(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "samples.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=word) as caught:
        read_all(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_table_and_no_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no set that is known here: expected samples\.csv"):
        read_table(tmp_path)
    (tmp_path / "samples.csv").write_bytes(b"id,image\xff\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_table(tmp_path)


def test_a_field_as_long_as_a_book_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text(HEAD + "a,i,m," + "x" * 200_000 + "\n")
    with pytest.raises(InputError, match="no CSV"):
        read_table(tmp_path)


def test_organs_keep_their_side_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    grey = np.asarray(picture(0)[..., 0])
    row = add(folder, "a", grey, disc((30, 60), 9), target="left lung", modality="chest X-ray")
    (one,) = read_sample(samples_of(write_rows(folder, [row]))[0])[1]
    assert (one.label, one.name.location.side, one.finding.location.side) == ("left lung", "left", "left")


def test_masks_that_lie_elsewhere_in_the_patient_are_refused(tmp_path: Path) -> None:
    for name, shift in (("image", 0.0), ("mask", 30.0)):
        affine = np.diag([1.0, 1.0, 3.0, 1.0])
        affine[0, 3] = shift
        values = np.zeros((12, 12, 4), np.uint8)
        values[2:6, 2:6, 1:3] = 1
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    (tmp_path / "samples.csv").write_text(
        "id,image,mask,target,modality\na,image.nii.gz,mask.nii.gz,liver,CT\n", encoding="utf-8"
    )
    (sample,) = samples_of(tmp_path)
    with pytest.raises(InputError, match="target 1 of the image: row a: mask and image lie up to"):
        read_sample(sample)


def test_whatever_training_takes_can_be_judged(tmp_path: Path) -> None:
    """The same parts, targets and masks as training has, of a folder of masks by target."""
    folder = pictures(tmp_path / "s", 12)
    (folder / "masks").rename(folder / "polyp")
    (folder / "masks").mkdir()
    (folder / "polyp").rename(folder / "masks" / "polyp")
    found = samples_of(folder)
    trained = {case.group: case.validation for case in data.read_set(folder)}
    assert {one.group: one.part == "validation" for one in found} == trained
    image, (wanted,) = read_sample(found[0])
    assert (wanted.label, int(wanted.mask.sum()), image.grid) == ("polyp", 400, (64, 64))
    assert table_hash(folder, read_table(folder)) == table_hash(folder, read_table(folder))
    (folder / "masks" / "polyp" / "3.png").unlink()
    assert len(samples_of(folder)) == 11


def test_a_folder_that_does_not_name_its_target_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing says what the masks show; sort them into"):
        samples_of(pictures(tmp_path / "s", 2))


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    row = add(folder, "a", picture(0), disc((20, 20), 5))
    (folder / row["mask"]).unlink()
    with pytest.raises(InputError, match=f"target 1 of the image: row a: {row['mask']}: .*no such file"):
        read_sample(samples_of(write_rows(folder, [row]))[0])


def label_map(folder: Path, *labels: str) -> Path:
    """A picture whose mask file holds three polyps, a row a value of ``labels``."""
    mask = np.zeros((60, 80), np.uint8)
    for value in (1, 2, 3):
        mask[10 * value : 10 * value + 6, 10:30] = value
    row = add(folder, "a", picture(0), mask > 0)
    Pil.fromarray(mask).save(folder / row["mask"])
    rows = [{**row, "id": f"r{i}", "label": label} for i, label in enumerate(labels)]
    (folder / "samples.csv").write_text(
        "\n".join([",".join(rows[0]), *(",".join(one.values()) for one in rows)]) + "\n", encoding="utf-8"
    )
    return folder


def test_a_mask_file_of_several_rows_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sample,) = samples_of(label_map(tmp_path / "s", "1", "2", "3"))
    opened: list[str] = []
    real = drawn.read_image

    def counted(path: Path, **more: Any) -> Image:
        opened.append(path.parent.name)
        return real(path, **more)

    monkeypatch.setattr(drawn, "read_image", counted)
    _, wanted = read_sample(sample)
    assert sorted(opened) == ["images", "masks"]
    assert [int(np.flatnonzero(one.mask.any(axis=1))[0]) for one in wanted] == [10, 20, 30]


def test_the_row_of_a_file_of_several_that_is_wrong_is_named(tmp_path: Path) -> None:
    (sample,) = samples_of(label_map(tmp_path / "s", "1", "two", "3"))
    with pytest.raises(InputError, match=r"^target 2 of the image: row r1: label 'two' came"):
        read_sample(sample)


def test_hints_fill_in_what_a_table_does_not_say_and_nothing_else(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", 2)
    rows = [row | {"target": "", "modality": ""} for row in read_table(folder)[:1]] + read_table(folder)[1:]
    write_rows(folder, rows)
    with pytest.raises(InputError, match="'target' is empty"):
        samples_of(folder)
    told = [sample.rows[0] for sample in samples_of(folder, Hints("cyst", "US"))]
    assert [(row["target"], row["modality"]) for row in told] == [("cyst", "US"), ("polyp", "colonoscopy")]
    table = (folder / "samples.csv").read_text(encoding="utf-8").replace("target", "goal")
    (folder / "samples.csv").write_text(table, encoding="utf-8")
    with pytest.raises(InputError, match=r"lacks target.*--target NAME"):
        samples_of(folder)
    assert samples_of(folder, Hints("cyst"))[0].rows[0]["target"] == "cyst"
