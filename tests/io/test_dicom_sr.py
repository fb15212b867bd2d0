"""A written DICOM SR holds every finding, drawn or not, with numbers, sites and places that others read."""

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.sr import MeasurementReport
from pydicom.sr.codedict import codes

from dicom_files import MAKER, dciodvfy, segment, write_ct, write_dx
from medsegr.errors import InputError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_sc import make_sc
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.dicom_sr import image_corner, make_sr, patient_mm
from medsegr.io.read import read_image
from medsegr.measure import axes_of
from medsegr.types import Image, Measurement

AFFINE = np.array([[0.3, 0.1, -1.0, 10], [0, -0.8, 0.1, 20], [2.4, 0, 0.1, -30], [0, 0, 0, 1]], float)


def straight() -> np.ndarray:
    """An oblique affine with right angles."""
    turned, _ = np.linalg.qr(AFFINE[:3, :3])
    affine = AFFINE.copy()
    affine[:3, :3] = turned * (2.5, 0.8, 1.1)
    if np.linalg.det(affine[:3, :3]) < 0:
        affine[:3, 0] *= -1
    return affine


@pytest.fixture
def volume(tmp_path: Path) -> tuple[Image, np.ndarray]:
    values = np.zeros((5, 20, 24))
    values[1:4, 4:14, 6:12] = 100
    image = read_image(write_ct(tmp_path / "ct", values, straight()))
    return image, image.data[0] > 50


def write(image: Image, found: list[Any], path: Path) -> Any:
    sources = sources_of(image)
    seg = make_seg(image, found, sources, MAKER) if any(s.mask is not None for s in found) else None
    save_object(make_sr(image, found, sources, MAKER, seg), path)
    return seg, hd.sr.srread(path)


def presence(group: Any) -> list[Any]:
    found = group.get_qualitative_evaluations()
    return [item.value for item in found if item.name == codes.DCM.PresenceOfProperty]


def content(report: Any) -> MeasurementReport:
    return report.content


def test_a_volume_is_measured_beside_its_segment(volume: Any, tmp_path: Path) -> None:
    image, mask = volume
    seg, report = write(image, [segment(1, mask, image)], tmp_path / "sr.dcm")
    assert dciodvfy(tmp_path / "sr.dcm") == []
    (group,) = content(report).get_volumetric_roi_measurement_groups()
    assert (group.tracking_uid, group.tracking_identifier) == ("2.25.4001", "f1")
    reference = group.referenced_segment
    assert reference.referenced_sop_instance_uid == seg.SOPInstanceUID
    assert reference.referenced_segment_numbers == [1]
    assert group.finding_type == codes.SCT.Lesion
    (site,) = group.finding_sites
    assert (site.value.meaning, site.laterality.meaning) == ("Lung", "Left")
    numbers = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements() if not m.derivation}
    assert numbers["Volume"] == (pytest.approx(mask.sum() * 2.2, rel=1e-6), "mm3")
    assert numbers["Long axis"] == (pytest.approx(np.hypot(10 * 0.8, 6 * 1.1), rel=1e-4), "mm")
    derived = {
        m.derivation.meaning: (m.value, m.unit.value) for m in group.get_measurements() if m.derivation
    }
    assert derived["Mean"] == (100, "[hnsf'U]")
    assert presence(group) == [codes.DCM.Present]


def test_findings_without_a_mask_say_so(volume: Any, tmp_path: Path) -> None:
    image, mask = volume
    found = [
        segment(1, mask, image),
        segment(2, None, presence="absent"),
        segment(3, None, presence="uncertain", site=None),
    ]
    _, report = write(image, found, tmp_path / "sr.dcm")
    assert dciodvfy(tmp_path / "sr.dcm") == []
    groups = content(report).get_image_measurement_groups()
    said = {g.tracking_identifier: presence(g) for g in groups}
    assert said["f2"] == [codes.DCM.Absent]
    assert said["f3"] == [codes.DCM.PresenceUndetermined]
    assert not [g for g in groups if g.tracking_identifier == "f2" and g.get_measurements()]


def test_denials_alone_need_no_segmentation(volume: Any, tmp_path: Path) -> None:
    image, _ = volume
    seg, report = write(image, [segment(1, None, presence="absent")], tmp_path / "sr.dcm")
    assert seg is None
    assert len(content(report).get_image_measurement_groups()) == 1
    assert dciodvfy(tmp_path / "sr.dcm") == []
    with pytest.raises(InputError, match="no finding"):
        make_sr(image, [], sources_of(image), MAKER, None)


def lines(report: Any) -> dict[str, np.ndarray]:
    """Ends of the drawn axes, by their name."""
    found = {}
    for group in content(report).get_image_measurement_groups():
        for measurement in group.get_measurements():
            for item in measurement[0].ContentSequence:
                if item.ValueType in ("SCOORD", "SCOORD3D"):
                    width = 2 if item.ValueType == "SCOORD" else 3
                    found[measurement.name.meaning] = np.reshape(item.GraphicData, (-1, width))
    return found


def test_axes_lie_in_the_patient_where_the_mask_lies(volume: Any, tmp_path: Path) -> None:
    image, mask = volume
    _, report = write(image, [segment(1, mask, image)], tmp_path / "sr.dcm")
    ends = lines(report)
    assert image.affine is not None
    for name, part in (("Long axis", slice(0, 2)), ("Short axis", slice(2, 4))):
        index = axes_of(image, mask).ends[part]
        ras = index @ image.affine[:3, :3].T + image.affine[:3, 3]
        np.testing.assert_allclose(ends[name] * (-1, -1, 1), ras, atol=1e-3)
        length = np.linalg.norm(ends[name][1] - ends[name][0])
        told = {"Long axis": axes_of(image, mask).long, "Short axis": axes_of(image, mask).short}[name]
        assert length == pytest.approx(told, rel=1e-4)


def test_pixels_are_told_from_the_corner_of_the_picture(tmp_path: Path) -> None:
    """Highdicom 0.14.1: pixel indices and image coordinates differ by half a pixel."""
    image = read_image(write_dx(tmp_path / "dx.dcm", np.arange(40 * 60).reshape(40, 60)))
    mask = np.zeros(image.grid, bool)
    mask[10, 20:30] = True
    seg, report = write(image, [segment(1, mask, image)], tmp_path / "sr.dcm")
    assert dciodvfy(tmp_path / "sr.dcm") == []
    ends = lines(report)["Long axis"]
    # The row of pixels 20 to 29 in row 10 fills the picture from x = 20 to 30 and y = 10 to 11, whole
    # numbers.
    assert sorted(ends[:, 0].tolist()) == [20.0, 30.0]
    assert sorted(ends[:, 1].tolist()) in ([10.0, 11.0], [10.0, 10.0], [11.0, 11.0])
    (group,) = content(report).get_planar_roi_measurement_groups()
    assert group.referenced_segmentation_frame[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 1
    assert group.referenced_segmentation_frame.referenced_sop_instance_uid == seg.SOPInstanceUID
    area = next(m for m in group.get_measurements() if m.name.meaning == "Area")
    assert area.value == pytest.approx(10 * 0.04)


def test_coordinates_of_a_sub_pixel_point() -> None:
    np.testing.assert_array_equal(
        image_corner(np.array([[0.0, 0.0], [1.25, 2.5]])), [[0.5, 0.5], [3.0, 1.75]]
    )
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    np.testing.assert_array_equal(patient_mm(affine, np.array([[1.0, 1.0, 0.5]])), [[-2, -3, 2]])
    np.testing.assert_array_equal(patient_mm(affine, np.array([[1.0, 1.0]])), [[-2, -3, 0]])


def test_a_number_without_a_value_is_left_out_and_a_partial_one_marked(volume: Any, tmp_path: Path) -> None:
    image, mask = volume
    numbers = {
        "volume": Measurement(3.0, "mm3", "cut_by_border"),
        "long_axis": Measurement(None, "mm", "no_spacing"),
    }
    found = [segment(1, mask, measurements=numbers)]
    _, report = write(image, found, tmp_path / "sr.dcm")
    (group,) = content(report).get_volumetric_roi_measurement_groups()
    (number,) = group.get_measurements()
    assert (number.name.meaning, number.qualifier.meaning) == ("Volume", "Value indeterminate")
    assert dciodvfy(tmp_path / "sr.dcm") == []


def test_it_names_the_program_and_that_nobody_verified_it(volume: Any, tmp_path: Path) -> None:
    image, mask = volume
    write(image, [segment(1, mask, image)], tmp_path / "sr.dcm")
    ds = pydicom.dcmread(tmp_path / "sr.dcm")
    assert (ds.VerificationFlag, ds.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    texts = [str(item.TextValue) for item in ds.ContentSequence if item.ValueType == "TEXT"]
    assert "Not a medical device. For research." in texts
    assert "medsegr medsegr-tiny" in texts


def test_the_overlay_as_secondary_capture(volume: Any, tmp_path: Path) -> None:
    image, _ = volume
    picture = np.random.default_rng(0).integers(0, 255, (30, 41, 3), dtype=np.uint8)
    save_object(make_sc(picture, sources_of(image), MAKER), tmp_path / "sc.dcm")
    ds = pydicom.dcmread(tmp_path / "sc.dcm")
    np.testing.assert_array_equal(ds.pixel_array, picture)
    assert (ds.BurnedInAnnotation, ds.DerivationDescription) == ("YES", "Not a medical device. For research.")
    assert dciodvfy(tmp_path / "sc.dcm") == []
    with pytest.raises(InputError, match="h w 3"):
        make_sc(picture[..., 0], sources_of(image), MAKER)
