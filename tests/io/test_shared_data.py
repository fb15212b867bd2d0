"""The readers over real files, where these are at hand."""

import csv
from pathlib import Path

import pytest

from medsegr.errors import InputError
from medsegr.io.read import read_image

DATA = Path(__file__).parents[3] / "shared" / "data"
MIX = DATA / "dicom_mix"
REFUSED = {  # pixels that are no image to segment: masks, and slides of tiles
    "ct16_series/seg_image_ct_binary_overlap.dcm",
    "ct16_series/seg_image_ct_true_fractional.dcm",
    "ct_liver_seg/liver.dcm",
    "ct_liver_seg/liver_1frame.dcm",
    "ct_liver_seg/liver_expb.dcm",
    "ct_liver_seg/liver_j2k.dcm",
    "ct_liver_seg/partial_overlaps.dcm",
    "ct_tiny_series/sparse-labelmap-noppv.dcm",
    "sm/seg_image_sm_control.dcm",
    "sm/seg_image_sm_control_labelmap.dcm",
    "sm/sm_image_control.dcm",
    "sm/sm_image_jpegls.dcm",
    "sr_tid1500/seg.dcm",
}


@pytest.mark.skipif(not MIX.is_dir(), reason="shared/data/dicom_mix is not here")
def test_every_file_of_the_mix_is_read_or_refused_as_expected() -> None:
    with (MIX / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        expected = row["expect"] == "ok" and row["file"].removeprefix("files/") not in REFUSED
        try:
            read_image(MIX / row["file"])
            said = ""
        except InputError as error:
            said = str(error)
        if (said == "") != expected or "\n" in said:
            wrong.append(row["file"])
    assert wrong == []


@pytest.mark.skipif(not MIX.is_dir(), reason="shared/data/dicom_mix is not here")
def test_a_real_series_has_the_size_and_place_of_its_partner() -> None:
    import numpy as np

    series = read_image(MIX / "files" / "ct_series_20" / "series")
    partner = read_image(MIX / "files" / "ct_series_20" / "example_seg_dicom.nii.gz")
    assert series.affine is not None
    assert partner.affine is not None
    assert series.grid == (20, 512, 512)
    assert series.data.min() >= -1100  # Hounsfield units

    def corners(affine: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
        index = np.array(
            [[i, j, k, 1] for i in (0, grid[0] - 1) for j in (0, grid[1] - 1) for k in (0, grid[2] - 1)]
        )
        points = index @ affine.T
        return np.stack([points.min(axis=0), points.max(axis=0)])

    np.testing.assert_allclose(
        corners(series.affine, series.grid), corners(partner.affine, partner.grid), atol=1e-3
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data is not here")
def test_one_image_of_every_other_set_is_read() -> None:
    seen = 0
    for table in sorted(DATA.glob("*/samples.csv")):
        with table.open(newline="") as file:
            row = next(csv.DictReader(file))
        image = read_image(table.parent / row["image"], modality=row["modality"])
        mask = read_image(table.parent / row["mask"])
        assert mask.grid == image.grid, table.parent.name
        assert image.source.frame_from != "assumed", table.parent.name
        seen += 1
    assert seen > 0
