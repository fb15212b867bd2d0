"""The source images are found again, in the order of the grid, whatever their files are called."""

import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UltrasoundMultiFrameImageStorage, XRayAngiographicImageStorage

from dicom_files import MAKER, PLANTED, dciodvfy, segment, write_ct, write_dx
from medsegr.errors import InputError, UsageError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.dicom_sr import make_sr
from medsegr.io.read import image_from_array, read_image
from medsegr.types import Image

AFFINE = np.array([[0, 0, -1.1, 10], [0, -0.8, 0, 20], [2.5, 0, 0, -30], [0, 0, 0, 1]], float)
VOLUME = np.arange(6 * 8 * 7).reshape(6, 8, 7)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return read_image(write_ct(tmp_path / "ct", VOLUME, AFFINE))


def read_from(image: Image, slices: tuple[tuple[str, int], ...]) -> Image:
    """The image as a reader leaves it that kept these (hash of the file, frame), or none."""
    return replace(image, source=replace(image.source, meta={**image.source.meta, "slices": slices}))


def heights(image: Image) -> list[float]:
    return [float(ds.ImagePositionPatient[2]) for ds in sources_of(image).headers]


def test_headers_come_in_the_order_of_the_slices(image: Image) -> None:
    assert image.affine is not None
    expected = [float((image.affine @ (k, 0, 0, 1))[2]) for k in range(6)]
    np.testing.assert_allclose(heights(image), expected)
    found = sources_of(image)
    assert (found.exact, found.placed, found.frames, found.film) == (True, True, None, None)
    assert all("PixelData" not in ds for ds in found.headers)


def test_the_same_from_a_zip(image: Image, tmp_path: Path) -> None:
    assert image.source.path is not None
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in image.source.path.iterdir():
            archive.write(path, f"export/{path.name}")
    np.testing.assert_allclose(heights(read_image(tmp_path / "ct.zip")), heights(image))


def test_other_files_of_the_folder_are_left_out(image: Image, tmp_path: Path) -> None:
    folder = image.source.path
    assert folder is not None
    (folder / "notes.txt").write_text("not an image")
    other = write_ct(tmp_path / "other", VOLUME[:2, :4, :4], AFFINE)
    for number, path in enumerate(other.iterdir()):
        shutil.copy(path, folder / f"scout{number}")
    assert len(sources_of(image).headers) == 6


def test_two_series_at_one_place_are_refused_unless_it_is_known_which_was_read(
    image: Image, tmp_path: Path
) -> None:
    folder = image.source.path
    assert folder is not None
    first = {hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    for path in write_ct(tmp_path / "again", VOLUME + 1, AFFINE).iterdir():
        shutil.copy(path, folder / f"again{path.name}")
    with pytest.raises(InputError, match="several images lie at slice"):
        sources_of(read_from(image, ()))
    assert len(sources_of(read_from(image, tuple((digest, 0) for digest in first))).headers) == 6


def test_a_missing_slice_leaves_a_grid_that_is_not_exact(image: Image) -> None:
    folder = image.source.path
    assert folder is not None
    next(iter(folder.iterdir())).unlink()
    found = sources_of(image)
    assert (found.exact, len(found.headers)) == (False, 5)


def test_without_ids_nothing_can_refer_to_it(image: Image) -> None:
    folder = image.source.path
    assert folder is not None
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        del ds.StudyInstanceUID
        ds.save_as(path)
    with pytest.raises(InputError, match="lacks StudyInstanceUID") as caught:
        sources_of(read_image(folder))
    assert not any(word in str(caught.value) for word in PLANTED)


def test_a_series_that_forgets_its_frame_of_reference_gets_one_for_all(image: Image) -> None:
    folder = image.source.path
    assert folder is not None
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        del ds.FrameOfReferenceUID
        ds.save_as(path)
    assert len({ds.FrameOfReferenceUID for ds in sources_of(read_image(folder)).headers}) == 1


def test_an_image_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="the input is array"):
        sources_of(image_from_array(np.zeros((4, 4)), spacing=(1, 1), modality="CR"))


@pytest.mark.parametrize("kind", [UltrasoundMultiFrameImageStorage, XRayAngiographicImageStorage])
def test_a_frame_of_a_film_is_named(kind: str, tmp_path: Path) -> None:
    told = {"SOPClassUID": kind, "Modality": "US", "NumberOfFrames": 1}
    path = write_dx(tmp_path / "film.dcm", np.arange(48).reshape(8, 6), **told)
    image = read_image(path)
    mask = image.data[0] > 20
    single = make_seg(image, [segment(1, mask)], sources_of(image), MAKER)
    assert "ReferencedFrameNumber" not in str(single)
    ds = pydicom.dcmread(path)
    ds.NumberOfFrames = 3
    ds.PixelData = ds.PixelData * 3
    ds.save_as(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    film = read_from(image, ((digest, 1),))
    assert sources_of(film).film == 2
    seg = make_seg(film, [segment(1, mask)], sources_of(film), MAKER)
    save_object(seg, tmp_path / "seg.dcm")
    (source,) = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
    assert source.ReferencedFrameNumber == 2
    save_object(make_sr(film, [segment(1, mask, film)], sources_of(film), MAKER, seg), tmp_path / "sr.dcm")
    assert dciodvfy(tmp_path / "seg.dcm") == dciodvfy(tmp_path / "sr.dcm") == []
    with pytest.raises(InputError, match="which frame"):
        sources_of(read_from(image, ()))
    with pytest.raises(InputError, match="unchanged"):
        sources_of(read_from(image, (("0" * 64, 1),)))
