"""Tilted, gappy and doubled series: where the voxels lie in the patient afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import GeometryError, InputError
from medsegr.io.choices import Choices
from medsegr.io.dicom_geometry import Place
from medsegr.io.limits import Limits
from medsegr.io.read import read_image
from medsegr.io.regrid import arrange, fill

Make = Callable[..., Any]
GAPS = Choices(accept_gaps=True)


def place(position: tuple[float, float, float], spacing: tuple[float, float] = (1.0, 1.0)) -> Place:
    return Place(np.array(position), np.eye(3)[1], np.eye(3)[0], spacing, (8, 10), 1.0)


def write(folder: Path, dicom: Make, planes: list[np.ndarray], positions: list[Any], **more: Any) -> None:
    for index, (plane, position) in enumerate(zip(planes, positions, strict=True)):
        ds = dicom(
            plane.astype(np.int16),
            **{
                "ImagePositionPatient": list(position),
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [1, 1],
                **more,
            },
        )
        ds.save_as(folder / f"{(index * 5) % 17}")


def test_a_tilted_gantry_is_resampled_to_where_the_body_is(tmp_path: Path, dicom: Make) -> None:
    """A rod along the body moves through the slices of a tilted gantry; straightened, it stands still."""
    planes = []
    for index in range(5):
        plane = np.full((12, 12), -1000)
        plane[8 - index : 10 - index, 4:6] = 500
        planes.append(plane)
    write(tmp_path, dicom, planes, [(0, index * 1.0, index * 4.0) for index in range(5)])
    image = read_image(tmp_path)
    note = dict(image.source.warnings)["tilt_resampled"]
    assert "1 mm a step (14 degrees" in note
    assert image.source.meta["resampled"] is True
    assert image.grid == (5, 16, 12)
    rod = image.data[0] > 0
    assert rod.sum() == 5 * 4
    assert (rod == rod[0]).all()
    index = np.append(np.argwhere(rod).mean(axis=0), 1)
    centre = np.diag([-1, -1, 1, 1]) @ np.asarray(image.affine) @ index  # LPS, as the slices were written
    np.testing.assert_allclose(centre[:3], [4.5, 8.5, 8.0], atol=1e-6)
    assert image.data.min() == -1000
    assert image.spacing == pytest.approx((4, 1, 1))


def test_a_tilt_aside_and_back_moves_nothing_in_the_patient(tmp_path: Path, dicom: Make) -> None:
    planes = []
    for index in range(4):
        plane = np.full((12, 14), 100)
        plane[2 + index, 4 + 2 * index] = 900
        planes.append(plane)
    places = [
        (-index * 1.0, -index * 2.0, index * 3.0) for index in range(4)
    ]  # a row of 2 mm, two columns of 0.5
    write(tmp_path, dicom, planes, places, PixelSpacing=[2, 0.5])
    image = read_image(tmp_path)
    assert image.grid == (4, 15, 20)
    rod = np.argwhere(image.data[0] > 500)
    lps = np.diag([-1, -1, 1, 1]) @ np.asarray(image.affine) @ np.c_[rod, np.ones(4)].T
    np.testing.assert_allclose(lps[:3].T, [(2, 4, 3 * index) for index in range(4)], atol=1e-6)
    assert image.data.min() == 100, "what no slice covers has the lowest value of the volume"


def test_half_pixels_of_tilt_are_interpolated(tmp_path: Path, dicom: Make) -> None:
    ramp = np.tile(np.arange(12) * 10, (12, 1)).T
    planes = [ramp - round(10 * 0.5 * index) for index in range(4)]  # the same ramp in the patient, y * 10
    write(tmp_path, dicom, [p + 200 for p in planes], [(0, -0.5 * index, 3.0 * index) for index in range(4)])
    image = read_image(tmp_path)
    assert image.grid == (4, 14, 12), "wide enough for a part of a pixel"
    matrix = np.diag([-1, -1, 1, 1]) @ np.asarray(image.affine)
    row = np.array([2, 6, 5, 1.0])
    told = 10 * (matrix @ row)[1] + 200
    assert image.data[0, 2, 6, 5] == pytest.approx(told, abs=1e-3)


def test_missing_slices_are_refused_and_filled_on_request(tmp_path: Path, dicom: Make) -> None:
    heights = [0, 2, 4, 8, 10]
    write(
        tmp_path, dicom, [np.full((4, 4), 10 * h) + np.eye(4) for h in heights], [(0, 0, h) for h in heights]
    )
    with pytest.raises(GeometryError, match=r"2 to 4 mm.*after slice 3.*about 1 slices are missing"):
        read_image(tmp_path)
    image = read_image(tmp_path, choices=GAPS)
    assert image.data[0, :, 0, 1].tolist() == [0, 20, 40, 60, 80, 100]
    assert image.spacing == (2.0, 1.0, 1.0)
    note = dict(image.source.warnings)["gaps_accepted"]
    assert "2 to 4 mm apart and were put on 6 slices 2 mm apart" in note


def test_uneven_slices_are_put_on_even_places(tmp_path: Path, dicom: Make) -> None:
    heights = [0, 2, 4.5, 6, 8]
    write(
        tmp_path, dicom, [np.full((4, 4), 10 * h) + np.eye(4) for h in heights], [(0, 0, h) for h in heights]
    )
    with pytest.raises(GeometryError, match=r"from 1\.5 to 2\.5 mm"):
        read_image(tmp_path)
    image = read_image(tmp_path, choices=GAPS)
    np.testing.assert_allclose(image.data[0, :, 0, 1], [0, 20, 40, 60, 80], atol=1e-3)


def test_doubled_slices_are_refused_and_left_out_on_request(tmp_path: Path, dicom: Make) -> None:
    heights = [0, 2, 2, 4]
    write(tmp_path, dicom, [np.full((4, 4), i) + np.eye(4) for i in range(4)], [(0, 0, h) for h in heights])
    with pytest.raises(GeometryError, match="2 or more of 4 slices lie at one position"):
        read_image(tmp_path)
    image = read_image(tmp_path, choices=GAPS)
    assert image.grid == (3, 4, 4)
    assert "1 doubled slices were left out" in dict(image.source.warnings)["gaps_accepted"]


def test_one_per_cent_is_the_border(tmp_path: Path, dicom: Make) -> None:
    for name, height, fine in (("a", 4.019, True), ("b", 4.03, False)):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, dicom, [np.eye(4) * 9] * 4, [(0, 0, h) for h in (0, 2, height, 6)])
        if fine:
            assert read_image(folder).grid == (4, 4, 4)
        else:
            with pytest.raises(GeometryError):
                read_image(folder)


def test_slices_off_a_line_are_refused_with_the_number(tmp_path: Path, dicom: Make) -> None:
    write(tmp_path, dicom, [np.eye(4) * 9] * 3, [(0, 0, 0), (3, 0, 2), (0, 0, 4)])
    with pytest.raises(GeometryError, match=r"3 mm off a straight line where 0\.02 mm"):
        read_image(tmp_path)


def test_a_far_slice_cannot_blow_up_the_volume(tmp_path: Path, dicom: Make) -> None:
    write(tmp_path, dicom, [np.eye(4) * 9] * 4, [(0, 0, h) for h in (0, 0.1, 0.2, 1e6)])
    with pytest.raises(InputError, match="frames where at most"):
        read_image(tmp_path, choices=GAPS, limits=Limits(frames=1000))


@given(
    steps=st.lists(st.floats(0.5, 5.0), min_size=2, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_any_heights_give_an_even_grid_whose_values_are_their_height(steps: list[float], order: Any) -> None:
    """Voxels hold their own height above the first slice; linear filling must keep that exactly."""
    heights = np.concatenate([[0.0], np.cumsum(steps)])
    shuffled = list(range(len(heights)))
    order.shuffle(shuffled)
    places = [place((0.0, 0.0, float(heights[i]))) for i in shuffled]
    plan = arrange(places, accept_gaps=True)
    volume = fill(plan, lambda i: np.full((1, 8, 10), heights[shuffled[i]], np.float32))
    matrix = np.diag([-1.0, -1, 1, 1]) @ plan.affine
    assert volume.shape[1:] == plan.grid
    seen = volume[0, :, 0, 0]
    told = [float((matrix @ [z, 0, 0, 1])[2]) for z in range(plan.grid[0])]
    step = float(np.median(np.diff(heights)))
    np.testing.assert_allclose(seen, told, atol=0.02 * step + 1e-4)
    assert plan.grid[1:] == (8, 10)


def test_gaps_of_a_tilted_series_are_filled_too(tmp_path: Path, dicom: Make) -> None:
    heights = [0, 2, 4, 8]
    write(
        tmp_path,
        dicom,
        [np.full((6, 6), 10 * h) for h in heights],
        [(0, 0.5 * h, h) for h in heights],
    )
    image = read_image(tmp_path, choices=GAPS)
    assert image.data[0, :, 5, 2].tolist() == [0, 20, 40, 60, 80]
    assert image.data[0, 3, :, 2].tolist() == [0, 0, 40, 40, 60, 60, 60, 60, 80, 80]  # where one covers alone
    assert set(dict(image.source.warnings)) >= {"tilt_resampled", "gaps_accepted"}
