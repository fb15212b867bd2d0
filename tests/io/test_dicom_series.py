"""Which slices belong together and which series is read. Results must not hang on names, order or numbers."""

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.io.choices import Choices
from medsegr.io.read import read_image, series_in

Make = Callable[..., Any]
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]


@pytest.fixture
def stack(dicom: Make) -> Callable[..., None]:
    """Write ``count`` slices with values ``100 + slice`` under names that do not tell their order."""
    counter = itertools.count()

    def write(folder: Path, count: int, *, step: float = 2.0, value: int = 100, **more: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            plane = np.full((6, 5), value + index, np.int16)
            plane[0, 0] = -5
            place = {"ImagePositionPatient": [0, 0, index * step], "ImageOrientationPatient": AXIAL}
            ds = dicom(plane, **{**place, "PixelSpacing": [0.5, 0.75], "SeriesNumber": 1, **more})
            ds.save_as(folder / f"f{(next(counter) * 37) % 101:03d}x{generate_uid()[-8:]}")

    return write


def series_note(image: Any) -> str:
    return dict(image.source.warnings).get("series_chosen", "")


def test_the_volume_of_most_slices_is_taken_and_said(tmp_path: Path, stack: Make, secret: str) -> None:
    stack(tmp_path / "a" / "b", 3, value=10, SeriesInstanceUID="1.1", SeriesNumber=2)
    stack(tmp_path / "c", 5, value=50, SeriesInstanceUID="1.2", SeriesNumber=7, SeriesDescription=secret)
    image = read_image(tmp_path)
    assert image.data[0, :, 1, 1].tolist() == [50, 51, 52, 53, 54]
    assert "2 series" in series_note(image)
    assert "number 7) CT, 5 slices of 6 x 5, 2 mm apart" in series_note(image)
    assert secret not in series_note(image)
    assert image.source.meta["series"] == {"number": "7", "of": 2, "slices": 5, "chosen": "rule"}


def test_of_equal_volumes_the_lowest_number_is_taken(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path, 3, value=10, SeriesInstanceUID="1.9", SeriesNumber=3)
    stack(tmp_path, 3, value=50, SeriesInstanceUID="1.2", SeriesNumber=11)
    assert read_image(tmp_path).data[0, 0, 1, 1] == 10


@pytest.mark.parametrize("wanted", ["2", "1.1"])
def test_a_series_is_chosen_by_number_or_uid(tmp_path: Path, stack: Make, wanted: str) -> None:
    stack(tmp_path, 3, value=10, SeriesInstanceUID="1.1", SeriesNumber=2)
    stack(tmp_path, 5, value=50, SeriesInstanceUID="1.2", SeriesNumber=7)
    image = read_image(tmp_path, choices=Choices(series=wanted))
    assert image.grid == (3, 6, 5)
    assert image.source.meta["series"]["chosen"] == "asked"
    assert not series_note(image)


def test_an_unknown_series_is_refused_with_the_list(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path, 3, SeriesInstanceUID="1.2.840.999.1", SeriesNumber=2)
    with pytest.raises(UsageError, match=r"no series 9 among 1: 2\) CT, 3 slices"):
        read_image(tmp_path, choices=Choices(series="9"))
    with pytest.raises(UsageError) as caught:
        read_image(tmp_path, choices=Choices(series="1.2.840.999.2"))
    assert "1.2.840" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "aside"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SOPClassUID": SecondaryCaptureImageStorage}, "secondary"),
    ],
)
def test_localizers_and_captures_stand_apart(
    tmp_path: Path, stack: Make, kind: dict[str, Any], aside: str
) -> None:
    """A localizer inside the series stretched its volume by a sixth in a trusted tool."""
    image_type = ["ORIGINAL", "PRIMARY", "AXIAL"]
    stack(tmp_path, 3, value=10, step=0.7, ImageType=image_type)
    stack(tmp_path, 4, value=70, step=9, ImageOrientationPatient=AXIAL, **kind)
    image = read_image(tmp_path)
    assert image.data[0, :, 1, 1].tolist() == [10, 11, 12]
    assert image.spacing == pytest.approx((0.7, 0.5, 0.75))
    assert any(aside in item.line() for item in series_in(tmp_path).stacks)
    only = read_image(tmp_path, choices=Choices(series="1.2"))
    assert only.grid in ((3, 6, 5), (4, 6, 5))


@pytest.mark.parametrize(
    "other",
    [
        {"ImageOrientationPatient": CORONAL},
        {"PixelSpacing": [0.5, 0.8]},
        {"ImageType": ["DERIVED", "PRIMARY", "MPR"]},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"},
    ],
    ids=["orientation", "spacing", "image type", "class"],
)
def test_a_series_is_split_where_its_slices_are_not_alike(
    tmp_path: Path, stack: Make, other: dict[str, Any]
) -> None:
    stack(tmp_path, 4, value=10, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    stack(tmp_path, 2, value=70, **{"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], **other})
    image = read_image(tmp_path)
    assert image.data[0, :, 1, 1].tolist() == [10, 11, 12, 13]
    assert [item.token for item in series_in(tmp_path).stacks] == ["1.1", "1.2"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("AcquisitionNumber", (1, 2)),
        ("EchoTime", (2.5, 5.0)),
        ("TemporalPositionIdentifier", (1, 2)),
        ("TriggerTime", (10, 500)),
    ],
)
def test_acquisitions_at_the_same_places_are_split(
    tmp_path: Path, stack: Make, name: str, values: tuple[Any, ...]
) -> None:
    for at, value in enumerate(values):
        stack(tmp_path, 3, value=10 + 50 * at, **{name: value})
    found = series_in(tmp_path).stacks
    assert [len(item.slices) for item in found] == [3, 3]
    first, second = (read_image(tmp_path, choices=Choices(series=item.token)) for item in found)
    assert sorted([first.data[0, 0, 1, 1], second.data[0, 0, 1, 1]]) == [10, 60]


def test_two_echoes_of_three_time_points_are_six(tmp_path: Path, stack: Make) -> None:
    for echo, time in itertools.product((1.0, 2.0), (1, 2, 3)):
        stack(tmp_path, 3, EchoTime=echo, TemporalPositionIdentifier=time)
    assert [len(item.slices) for item in series_in(tmp_path).stacks] == [3] * 6


def test_one_acquisition_number_a_slice_splits_nothing(tmp_path: Path, stack: Make, dicom: Make) -> None:
    for index in range(4):
        stack(tmp_path, 1, ImagePositionPatient=[0, 0, 2.0 * index], AcquisitionNumber=index)
    assert read_image(tmp_path).grid == (4, 6, 5)


@pytest.mark.parametrize(("angle", "one"), [(0.0008, True), (0.003, False)])
def test_cosines_may_differ_by_a_thousandth(tmp_path: Path, stack: Make, angle: float, one: bool) -> None:
    stack(tmp_path, 4)
    turned = [float(np.cos(angle)), float(np.sin(angle)), 0, float(-np.sin(angle)), float(np.cos(angle)), 0]
    ds_at = {"ImageOrientationPatient": turned, "ImagePositionPatient": [0, 0, 8.0]}
    stack(tmp_path, 1, **ds_at)
    if one:
        assert read_image(tmp_path).grid == (5, 6, 5)
        return
    with pytest.raises(GeometryError, match="1 slices are turned against the other 4"):
        read_image(tmp_path)


def test_slices_a_little_turned_are_refused_with_the_number(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path, 4)
    turned = [float(np.cos(0.1)), float(np.sin(0.1)), 0, float(-np.sin(0.1)), float(np.cos(0.1)), 0]
    stack(tmp_path, 2, ImageOrientationPatient=turned)
    with pytest.raises(GeometryError, match=r"2 slices are turned against the other 4.*0\.0998"):
        read_image(tmp_path)
    assert read_image(tmp_path, choices=Choices(accept_gaps=True)).grid == (4, 6, 5)


def test_patients_are_never_mixed(tmp_path: Path, stack: Make, secret: str) -> None:
    stack(tmp_path, 3, PatientID=secret + "1", SeriesInstanceUID="1.1", SeriesNumber=1)
    stack(tmp_path, 5, PatientID=secret + "2", SeriesInstanceUID="1.2", SeriesNumber=2)
    with pytest.raises(InputError, match="2 patients") as caught:
        read_image(tmp_path)
    assert secret not in str(caught.value)
    assert read_image(tmp_path, choices=Choices(series="2")).grid == (5, 6, 5)


def test_of_several_studies_the_newest_is_taken(tmp_path: Path, stack: Make) -> None:
    old = {"StudyInstanceUID": "9.1", "StudyDate": "20200101", "SeriesInstanceUID": "1.1", "SeriesNumber": 1}
    new = {"StudyInstanceUID": "9.2", "StudyDate": "20210101", "SeriesInstanceUID": "1.2", "SeriesNumber": 2}
    stack(tmp_path, 5, value=10, **old)
    stack(tmp_path, 3, value=50, **new)
    image = read_image(tmp_path)
    assert image.data[0, 0, 1, 1] == 50
    assert "20210101" not in str(image.source)
    stack(tmp_path, 4, **{**new, "StudyInstanceUID": "9.3", "SeriesInstanceUID": "1.3", "SeriesNumber": 3})
    with pytest.raises(InputError, match=r"3 studies.*do not tell the newest"):
        read_image(tmp_path)


def test_several_pictures_are_refused_and_chosen_by_number(tmp_path: Path, dicom: Make) -> None:
    for number, view in enumerate(("CC", "MLO")):
        ds = dicom(
            np.full((6, 5), number, np.uint16),
            Modality="MG",
            ViewPosition=view,
            SeriesInstanceUID=f"1.{number}",
            SeriesNumber=number + 1,
        )
        ds.save_as(tmp_path / view)
    with pytest.raises(InputError, match=r"2 pictures.*1\) MG, one picture of 6 x 5; 2\) MG"):
        read_image(tmp_path)
    assert read_image(tmp_path, choices=Choices(series="2")).data[0, 0, 0] == 1


def test_the_list_names_numbers_sizes_and_descriptions(tmp_path: Path, stack: Make, dicom: Make) -> None:
    stack(tmp_path, 3, SeriesDescription="thin lung", SeriesNumber=4)
    dicom(np.zeros((2, 3), np.uint16), SeriesInstanceUID="2.2").save_as(tmp_path / "none")
    lines = [(item.line(), item.series.description) for item in series_in(tmp_path).stacks]
    assert lines == [
        ("4) CT, 3 slices of 6 x 5, 2 mm apart", "thin lung"),
        ("none) CT, one picture of 2 x 3", ""),
    ]


def test_a_zip_of_several_studies_is_read_like_its_folder(tmp_path: Path, stack: Make) -> None:
    folder = tmp_path / "in"
    stack(folder / "x" / "y", 3, SeriesInstanceUID="1.1", SeriesNumber=1)
    stack(folder, 4, value=50, SeriesInstanceUID="1.2", SeriesNumber=2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    unzipped, zipped = read_image(folder), read_image(tmp_path / "a.zip")
    np.testing.assert_array_equal(unzipped.data, zipped.data)
    assert [i.token for i in series_in(tmp_path / "a.zip").stacks] == ["1", "2"]
    assert read_image(tmp_path / "a.zip", choices=Choices(series="1")).grid == (3, 6, 5)


def test_names_order_and_instance_numbers_do_not_matter(tmp_path: Path, dicom: Make) -> None:
    rng = np.random.default_rng(3)
    for trial in range(3):
        folder = tmp_path / str(trial)
        folder.mkdir()
        names = rng.permutation(7)
        for index in range(7):
            ds = dicom(
                np.full((4, 4), index, np.uint16) + np.eye(4, dtype=np.uint16),
                ImagePositionPatient=[3, 4, 5 - 1.5 * index],
                ImageOrientationPatient=AXIAL,
                PixelSpacing=[1, 1],
                InstanceNumber=int(rng.integers(1, 999)),
                SOPInstanceUID=f"1.2.3.{index}",
            )
            ds.save_as(folder / f"{names[index]}")
    images = [read_image(tmp_path / str(trial)) for trial in range(3)]
    for image in images:
        assert image.data[0, :, 0, 1].tolist() == [6, 5, 4, 3, 2, 1, 0]
        np.testing.assert_array_equal(image.affine, images[0].affine)
        assert image.affine[2, 3] == pytest.approx(-4)


def test_copies_are_left_out(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path / "a", 3)
    (tmp_path / "b").mkdir()
    for file in list((tmp_path / "a").iterdir()):
        (tmp_path / "b" / f"copy-{file.name}").write_bytes(file.read_bytes())
    image = read_image(tmp_path)
    assert image.grid == (3, 6, 5)
    assert dict(image.source.warnings)["copies_left_out"].startswith("3 files")


def cut_header(data: bytes) -> bytes:
    return data[: data.index(b"\x28\x00\x10\x00")]  # before Rows


DAMAGED = [
    (lambda data: b"", "empty"),
    (lambda data: data[:200], "truncated"),
    (cut_header, "truncated"),
    (
        lambda data: data.replace(b"\x28\x00\x10\x00US\x02\x00\x06\x00", b"\x28\x00\x10\x00CS\x02\x001A"),
        "damaged",
    ),
]


@pytest.mark.parametrize(("hurt", "why"), DAMAGED, ids=["empty", "no element", "cut", "nonsense"])
def test_one_damaged_file_leaves_the_others_and_is_said(
    tmp_path: Path, stack: Make, hurt: Callable[[bytes], bytes], why: str
) -> None:
    folder = tmp_path / "in"
    stack(folder, 4, SeriesInstanceUID="1.1")
    last = max(folder.iterdir(), key=lambda path: dcmread(path).ImagePositionPatient[2])
    last.write_bytes(hurt(last.read_bytes()))
    listing = series_in(folder)
    assert [item.line() for item in listing.stacks] == ["1) CT, 3 slices of 6 x 5, 2 mm apart"]
    assert [name for name, _ in listing.damaged] == [last.name]
    assert why in listing.damaged[0][1]
    image = read_image(folder)
    assert image.grid == (3, 6, 5)
    told = dict(image.source.warnings)
    assert told["files_damaged"].startswith("1 file is damaged")
    assert last.name not in told["files_damaged"]
    assert "files_left_out" not in told


def test_a_gap_that_a_damaged_file_leaves_names_it_as_the_cause(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path, 5)
    middle = sorted(tmp_path.iterdir(), key=lambda path: dcmread(path).ImagePositionPatient[2])[2]
    middle.write_bytes(b"")
    with pytest.raises(GeometryError, match=r"1 slices are missing.*1 file is damaged"):
        read_image(tmp_path)
    image = read_image(tmp_path, choices=Choices(accept_gaps=True))
    assert {"gaps_accepted", "files_damaged"} <= set(dict(image.source.warnings))


def test_an_empty_text_is_no_damaged_slice(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path, 3)
    (tmp_path / "notes.txt").write_bytes(b"")
    assert series_in(tmp_path).damaged == ()
    for name in ("a.dcm", "b.IMA", "1.2.840.113"):
        (tmp_path / name).write_bytes(b"")
    assert [name for name, _ in series_in(tmp_path).damaged] == ["1.2.840.113", "a.dcm", "b.IMA"]


def test_where_all_is_damaged_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")
    for read in (read_image, series_in):
        with pytest.raises(InputError, match="empty"):
            read(tmp_path)


def test_what_is_damaged_in_a_zip_is_called_by_its_name_there(tmp_path: Path, stack: Make) -> None:
    stack(tmp_path / "in" / "deep", 3)
    hurt = max((tmp_path / "in" / "deep").iterdir(), key=lambda path: dcmread(path).ImagePositionPatient[2])
    whole = hurt.read_bytes()

    def packed(data: bytes) -> Path:
        hurt.write_bytes(data)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for file in (tmp_path / "in" / "deep").iterdir():
                archive.write(file, file.relative_to(tmp_path / "in"))
        return tmp_path / "a.zip"

    assert [name for name, _ in series_in(packed(b"")).damaged] == [f"deep/{hurt.name}"]
    with pytest.raises(InputError, match="truncated") as refused:
        read_image(packed(whole[:-4]))
    assert refused.value.__notes__ == [f"{tmp_path / 'a.zip'}: deep/{hurt.name}"]


def test_a_dicomdir_is_never_followed(tmp_path: Path, stack: Make, dicom: Make) -> None:
    """It may name any file of the machine."""
    stack(tmp_path / "in", 3)
    stack(tmp_path / "SECRET", 9)
    index = dicom(np.zeros((2, 2), np.uint16), SOPClassUID="1.2.840.10008.1.3.10")
    index.ReferencedFileID = ["SECRET"]
    index.save_as(tmp_path / "in" / "DICOMDIR")
    image = read_image(tmp_path / "in")
    assert image.grid == (3, 6, 5)
    assert "files_left_out" in dict(image.source.warnings)
    assert "files_damaged" not in dict(image.source.warnings)
    with pytest.raises(InputError, match="index of files"):
        read_image(tmp_path / "in" / "DICOMDIR")


def test_the_slices_kept_are_named_by_hash(tmp_path: Path, stack: Make) -> None:
    """A writer finds its source objects by these, also in a zip that was unpacked and is gone."""
    import hashlib

    stack(tmp_path, 4)
    kept = read_image(tmp_path).source.meta["slices"]
    own = {hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()}
    assert {digest for digest, _ in kept} == own
    assert [frame for _, frame in kept] == [0] * 4


def test_choices_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match="sform or qform"):
        Choices(use="both")
    with pytest.raises(UsageError, match="counted from 1"):
        Choices(film_frame=0)


def test_the_first_of_doubled_slices_does_not_hang_on_names(tmp_path: Path, dicom: Make) -> None:
    """With accepted gaps one of two slices at a place is kept: the same one, whatever the names."""
    kept = []
    for trial, names in enumerate(("abcd", "dcba")):
        folder = tmp_path / str(trial)
        folder.mkdir()
        for name, (height, value, echo) in zip(
            names, ((0, 1, 5), (2, 7, 9), (2, 3, 5), (4, 4, 5)), strict=True
        ):
            ds = dicom(
                np.full((4, 4), value, np.uint16) + np.eye(4, dtype=np.uint16),
                ImagePositionPatient=[0, 0, height],
                ImageOrientationPatient=AXIAL,
                PixelSpacing=[1, 1],
                EchoTime=echo,
            )
            ds.save_as(folder / name)
        kept.append(read_image(folder, choices=Choices(accept_gaps=True)).data[0, :, 0, 1].tolist())
    assert kept[0] == kept[1] == [1, 3, 4]
