"""The readers over real files, where these are at hand."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medsegr.io.read import read_image

DATA = Path(__file__).parents[3] / "shared" / "data"
MIX = DATA / "dicom_mix"
MB = 10**6
WORDS = {  # kind of row -> what a refusal must say, in plain words; kinds that are not here are read
    "seg": "a segmentation \\(masks\\) came",
    "sr": "a structured report came",
    "other": "a real world value mapping|an index of files|a waveform|a document|a presentation",
    "broken": "truncated|damaged",
    "slide": "a whole slide",
    "not-an-image": "came where an image was expected",
}
READ = """
import json, resource, sys, time
from medsegr.bench.clock import memory
from medsegr.errors import InputError
from medsegr.io.read import read_image
for path in sys.argv[1:]:
    start, said = time.perf_counter(), ""
    try:
        read_image(path)
    except InputError as error:
        said = str(error)
    print(json.dumps([said, time.perf_counter() - start]), flush=True)
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([memory(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit]))
"""


@pytest.mark.skipif(not MIX.is_dir(), reason="shared/data/dicom_mix is not here")
def test_every_file_of_the_mix_is_read_or_refused_as_expected() -> None:
    """``expect`` is "ok" where there are pixels: images are read, masks and slides are named as such.

    All in one process of its own, which may use a gigabyte at most, as may each child that decodes for it.
    """
    with (MIX / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(MIX / row["file"]) for row in rows)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    *told, peaks = (json.loads(line) for line in done.stdout.splitlines())
    assert len(told) == len(rows)
    wrong = []
    for row, (said, seconds) in zip(rows, told, strict=True):
        kind = "slide" if row["modality"] == "SM" and row["kind"] == "image" else row["kind"]
        kind = "not-an-image" if row["expect"] == "not-an-image" and kind not in WORDS else kind
        fits = re.search(WORDS[kind], said) is not None if kind in WORDS else said == ""
        if not fits or "\n" in said or seconds > 30:
            wrong.append((row["file"], said))
    assert wrong == []
    assert max(peaks) < 1000 * MB


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


@pytest.mark.skipif(not (DATA / "ct3d_totalseg").is_dir(), reason="shared/data/ct3d_totalseg is not here")
def test_organs_of_real_ct_lie_on_their_own_side() -> None:
    """A left-right flipped model shipped once in a trusted tool: the axes as read must name the real sides.

    The liver lies at the patient's right, the spleen at the left, and paired organs as they are called.
    """
    import numpy as np

    with (DATA / "ct3d_totalseg" / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    seen = 0
    for row in rows:
        right = row["target"] == "liver" or row["target"].endswith("_right")
        left = row["target"] == "spleen" or row["target"].endswith("_left")
        if seen >= 12 or not (right or left):
            continue
        labels = read_image(DATA / "ct3d_totalseg" / row["mask"])
        image = read_image(DATA / "ct3d_totalseg" / row["image"], modality="CT")
        where = np.argwhere(labels.data[0] == float(row["label"]))
        body = np.argwhere(image.data[0] > -300)  # the patient, not the table's side of the picture
        assert image.affine is not None
        x = (where @ image.affine[:3, :3].T)[:, 0].mean() - (body @ image.affine[:3, :3].T)[:, 0].mean()
        assert (x > 0) == right, row["id"]  # RAS: x grows to the patient's right, as nibabel has it
        seen += 1
    assert seen > 0
