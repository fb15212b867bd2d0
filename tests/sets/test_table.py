"""Reading a set by its parts, and groups that no split parts."""

import csv
import json

import numpy as np
import pytest
from PIL import Image as Pil

from medsegr import data
from medsegr.errors import InputError, UsageError
from medsegr.samples import drawn
from medsegr.sets.reports import Writing, write_reports
from medsegr.sets.table import joint, sources

PICTURES = [[("polyp", [(60, 60, 15)])]] * 12


def test_parts_are_those_of_training(make_set):
    folder = make_set("polyps", "colonoscopy", PICTURES, groups=[f"g{i // 2}" for i in range(12)])
    held = {case.group for case in data.read_set(folder) if case.validation}
    parts = {part: sources(folder, part) for part in ("validation", "training", "all")}
    assert {s.group for s in parts["validation"]} == held
    assert not held & {s.group for s in parts["training"]}
    assert len(parts["validation"]) + len(parts["training"]) == len(parts["all"]) == 12


def test_images_with_pixels_that_nobody_judged_are_left_out(make_set):
    folder = make_set("polyps", "colonoscopy", PICTURES, more={"ignore": ""})
    everything = {part: {s.file.name for s in sources(folder, part)} for part in ("validation", "training")}
    table = (folder / "samples.csv").read_text(encoding="utf-8").splitlines()
    table[1], table[2] = (line.rstrip(",") + ",9" for line in table[1:3])
    (folder / "samples.csv").write_text("\n".join(table), encoding="utf-8")
    for part, names in everything.items():  # what is left stays in its part
        assert {s.file.name for s in sources(folder, part)} == names - {"p0.png", "p1.png"}
    table = [table[0], *(line.rstrip(",9") + ",9" for line in table[1:])]
    (folder / "samples.csv").write_text("\n".join(table), encoding="utf-8")
    with pytest.raises(InputError, match="every image of polyps has pixels that nobody judged"):
        sources(folder)


def test_what_is_no_set_is_refused(make_set, tmp_path):
    with pytest.raises(InputError, match=r"expected samples\.csv, samples\.jsonl"):
        sources(tmp_path)
    with pytest.raises(UsageError, match="validation, training, all"):
        sources(tmp_path, "test")
    folder = make_set("polyps", "colonoscopy", PICTURES[:1])
    (folder / "samples.csv").write_text("id,image\n1,a.png\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks mask, target"):
        sources(folder)
    with pytest.raises(InputError, match="a file came where the folder of a set"):
        sources(folder / "samples.csv")
    folder = make_set("more", "colonoscopy", PICTURES[:1])
    (folder / "masks" / "p0_0.png").unlink()
    (source,) = sources(folder)
    with pytest.raises(InputError, match="row p0_0: mask"):
        source.masks(source.image())


def test_a_table_as_a_spreadsheet_writes_it_is_read(make_set):
    table = make_set("polyps", "colonoscopy", PICTURES[:3]) / "samples.csv"
    plain = table.read_text(encoding="utf-8")
    table.write_text(plain, encoding="utf-8-sig")
    assert len(sources(table.parent)) == 3
    table.write_bytes(plain.encode("utf-16"))
    with pytest.raises(InputError, match="no CSV in UTF-8"):
        sources(table.parent)


def test_a_set_in_lines_of_json_is_read_as_for_training(make_set):
    folder = make_set("polyps", "colonoscopy", PICTURES[:3])
    table = sources(folder)
    with (folder / "samples.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    (folder / "samples.csv").unlink()
    lines = "\n".join(map(json.dumps, rows))
    (folder / "samples.jsonl").write_text(lines, encoding="utf-8")
    assert sources(folder) == table
    series = json.dumps({**rows[0], "id": "s", "image": "ct", "series": "1.2"})
    (folder / "samples.jsonl").write_text(f"{series}\n{lines}", encoding="utf-8")
    with pytest.raises(InputError, match="DICOM series came"):
        sources(folder)


def test_two_images_of_one_name_in_folders_of_their_own_are_both_written(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", [[("polyp", [(40, 40, 14)])], [("polyp", [(120, 110, 20)])]])
    table = (folder / "samples.csv").read_text(encoding="utf-8")
    for i, patient in enumerate(("a", "b")):
        (folder / patient).mkdir()
        (folder / f"images/p{i}.png").rename(folder / patient / "p.png")
        table = table.replace(f"images/p{i}.png", f"{patient}/p.png")
    (folder / "samples.csv").write_text(table, encoding="utf-8")
    assert write_reports(folder, tmp_path / "out", Writing())[0] == 2
    found = {s.file.read_bytes(): s.masks(s.image())[0] for s in sources(tmp_path / "out")}
    for name in ("a/p.png", "b/p.png"):
        (mask,) = (s.masks(s.image())[0] for s in sources(folder) if s.file == folder / name)
        assert np.array_equal(found[(folder / name).read_bytes()], mask)


def test_groups_that_share_a_patient_are_one():
    names = joint([frozenset("ab"), frozenset("c"), frozenset("bd"), frozenset("e"), frozenset("ce")])
    assert names[0] == names[2]
    assert names[1] == names[3] == names[4]
    assert names[0] != names[1]


def test_a_label_map_of_several_rows_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    labels = np.zeros((40, 40), np.uint8)
    labels[5:15, 5:15], labels[20:35, 20:35] = 1, 2
    for kind in ("images", "masks"):
        Pil.fromarray(labels).save(tmp_path / kind / "a.png")
    lines = [f"r{value},images/a.png,masks/a.png,polyp,{value},ES" for value in (1, 2)]
    text = "\n".join(["id,image,mask,target,label,modality", *lines])
    (tmp_path / "samples.csv").write_text(text + "\n", encoding="utf-8")
    (source,) = sources(tmp_path)
    opened, real = [], drawn.read_image
    monkeypatch.setattr(drawn, "read_image", lambda path, **more: opened.append(path) or real(path, **more))
    image = source.image()
    assert [int(mask.sum()) for mask in source.masks(image)] == [100, 225]
    assert len(opened) == 2
    assert [int(mask.sum()) for mask in source.masks(image, source.rows[1:])] == [225]
