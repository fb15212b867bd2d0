"""How long a DICOM SEG takes: 8 segments for a made series of 300 slices of 512 x 512 pixels.

``python -m medsegr.bench.io_write`` prints one row; ``make bench-io`` prints it beside the reading. The
target is 8 s on two cores, and a peak of at most 3 times the volume in float32.
"""

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.segments import Maker, Segment
from medsegr.types import Code, Image, Source

SLICES, SIDE, SEGMENTS = 300, 512, 8
TARGET_SECONDS, TARGET_PEAK = 8.0, 3.0
MAKER = Maker("medsegr", "0", "bench", "0" * 64, "Not a medical device. For research.")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured writing: seconds from masks in memory to a file, its bytes, its peak over the volume."""

    what: str
    seconds: float
    cpu: float  # processor seconds: what it takes where nobody else works
    file_bytes: int
    peak: float  # grown memory / volume in float32; NaN where psutil is not installed

    def line(self) -> str:
        """The row as printed."""
        return (
            f"{self.what:46s} {self.seconds:6.2f} s, processor {self.cpu:5.2f} s "
            f"(target {TARGET_SECONDS:g} s)  "
            f"peak {self.peak:4.2f} x the volume (target {TARGET_PEAK:g})  {self.file_bytes / 2**20:6.1f} MiB"
        )


def time_writing(
    folder: Path, slices: int = SLICES, side: int = SIDE, overlap: bool = False, segments: int = SEGMENTS
) -> Row:
    """Write headers of a made series into ``folder``, then time reading them again, making the SEG and saving
    it.

    Balls lie along the body's axis, each through many slices; with ``overlap`` each reaches into the next.
    """
    image = made_series(folder / "series", slices, side)
    found = balls(image.grid, segments, overlap)
    with Watch() as watch:
        start, work = time.perf_counter(), time.process_time()
        made = make_seg(image, found, sources_of(image), MAKER)
        save_object(made, folder / "seg.dcm")
        seconds, cpu = time.perf_counter() - start, time.process_time() - work
    name = f"SEG, {segments} segments{' that overlap' if overlap else ''}, {slices} x {side} x {side}"
    volume = slices * side * side * 4
    return Row(name, seconds, cpu, (folder / "seg.dcm").stat().st_size, watch.grown / volume)


def made_series(folder: Path, slices: int, side: int) -> Image:
    """The headers of a CT series on disk, and an image on its grid that holds no values (stride 0)."""
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for index in range(slices):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.Modality, ds.PatientID, ds.PatientName = "CT", "bench", "bench"
        ds.Rows = ds.Columns = side
        ds.ImagePositionPatient = [-200.0, -200.0, 1.5 * index]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness, ds.InstanceNumber = [0.8, 0.8], 1.5, index + 1
        ds.save_as(folder / f"{index:04d}.dcm", enforce_file_format=True)
    affine = np.array([[0, 0, -0.8, 200.0], [0, -0.8, 0, 200.0], [1.5, 0, 0, 0], [0, 0, 0, 1]], float)
    data = np.broadcast_to(np.zeros((), np.float32), (1, slices, side, side))
    return Image(data, affine, (1.5, 0.8, 0.8), "CT", "patient", source=Source(folder, kind="dicom"))


def balls(grid: tuple[int, ...], segments: int, overlap: bool) -> list[Segment]:
    """Balls in a row across the rows of the grid."""
    depth, height, width = grid
    reach = width / (2 * segments) * (1.4 if overlap else 0.95)
    z, y, x = np.ogrid[:depth, :height, :width]
    found = []
    for index in range(segments):
        centre = (index + 0.5) * width / segments
        scaled = ((z - depth / 2) / (0.48 * depth)) ** 2 + ((y - height / 2) / (0.4 * height)) ** 2
        mask = np.asarray(scaled + ((x - centre) / reach) ** 2 <= 1)
        code = Code("SCT", "52988006", "Lesion")
        category = Code("SCT", "49755003", "Morphologically Abnormal Structure")
        found.append(
            Segment(
                f"f{index + 1}", generate_uid(), "lesion", category, code, (86, 180, 233), "present", mask
            )
        )
    return found


class Watch:
    """Samples this process's memory; ``grown`` is the peak over the start, in bytes (NaN without psutil)."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self.grown = float("nan")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Watch":
        """Begin to sample."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        try:
            import psutil
        except ImportError:
            return
        process = psutil.Process()
        start = process.memory_info().rss
        self.grown = 0.0
        while not self._stop.wait(0.01):
            self.grown = max(self.grown, float(process.memory_info().rss - start))


def main() -> None:
    """Print the rows."""
    import highdicom  # noqa: F401  (its import is paid once a process, not once a file)

    for overlap in (False, True):
        with tempfile.TemporaryDirectory(prefix="medsegr-") as name:
            print(time_writing(Path(name), overlap=overlap).line())


if __name__ == "__main__":
    main()
