"""What a server answers, as the values of the house: findings with their masks, and a folder of them."""

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError, RemoteError
from medsegr.io.archive import unpack
from medsegr.io.limits import DEFAULT_LIMITS
from medsegr.io.write import atomic_folder
from medsegr.results.reopen import result_from
from medsegr.serve.remote import Remote
from medsegr.types import FindingResult

MEMBER = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/){0,2}[A-Za-z0-9_][A-Za-z0-9_.-]*")
HEADER = 2**16  # bytes of a layer beside its voxels


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says of one image: as a Result, without the image's values.

    ``image``: grid, spacing_mm, modality, frame, sha256, as in findings.json; masks are bool on that grid.
    """

    findings: tuple[FindingResult, ...]
    image: Mapping[str, Any]
    model: Mapping[str, Any]
    warnings: tuple[tuple[str, str], ...]
    view: Mapping[str, Any]
    _remote: Remote
    _job: Callable[[], str]

    def __getitem__(self, finding_id: str) -> FindingResult:
        """The result of one finding by its id; KeyError lists the ids."""
        for item in self.findings:
            if item.finding.id == finding_id:
                return item
        raise KeyError(f"no finding '{finding_id}'; there are {[item.finding.id for item in self.findings]}")

    @property
    def job(self) -> str:
        """The id of the job that holds this result; that of a session is saved as one first."""
        return self._job()

    def free_mask(self, finding_id: str) -> np.ndarray | None:
        """The report-free mask of a finding, bool on the image's grid; None where there is none."""
        told = next((item for item in self.view["findings"] if item["id"] == finding_id), None)
        if told is None:
            raise KeyError(f"no finding '{finding_id}'")
        grid = tuple(self.image["grid"])
        return None if told["free_layer"] is None else mask_at(self._remote, told["free_layer"], grid)

    def save(self, out_dir: Path | str) -> Path:
        """Write the folder that ``medsegr segment`` writes, whole or not at all; returns it."""
        with tempfile.TemporaryDirectory() as place:
            packed = self._remote.download(
                f"/v1/jobs/{self.job}/result?format=zip", Path(place) / "result.zip"
            )
            return unpacked(packed, Path(out_dir))


def answer_of(remote: Remote, view: Mapping[str, Any], job: Callable[[], str]) -> Answer:
    """An answer out of a job's or a session's view; its masks are fetched now. ``job``: gives the id of the
    job that can be downloaded."""
    grid = tuple(int(n) for n in view["image"]["grid"])
    findings = tuple(
        result_from(item, None if item["layer"] is None else mask_at(remote, item["layer"], grid))
        for item in view["findings"]
    )
    warnings = tuple((str(one["code"]), str(one["message"])) for one in view["warnings"])
    return Answer(findings, view["image"], view["model"], warnings, view, remote, job)


def mask_at(remote: Remote, path: str, grid: tuple[int, ...]) -> np.ndarray:
    """A layer of the server as a mask, bool on the image's grid. RemoteError where it is none."""
    values = layer_of(remote.layer(path), grid)
    marked: np.ndarray = values > 0
    return marked


def layer_of(packed: bytes, grid: tuple[int, ...]) -> np.ndarray:
    """The values of a gzipped NIfTI layer on ``grid``: ``[x, y, 0]`` of a picture's layer is its pixel
    ``x y``. RemoteError for another grid, and for what inflates beyond it."""
    import nibabel

    most = int(np.prod(grid)) * 8 + HEADER
    try:
        inflate = zlib.decompressobj(31)
        raw = inflate.decompress(packed, most)
        if inflate.unconsumed_tail or not inflate.eof:
            raise ValueError("larger than its grid")
        kind: Any = nibabel.Nifti2Image if raw[:2] in (b"\x1c\x02", b"\x02\x1c") else nibabel.Nifti1Image
        values = np.asarray(kind.from_bytes(raw).dataobj)
    except Exception as error:
        raise RemoteError("the server sent a layer that cannot be read", "bad_answer") from error
    values = values[..., 0].T if len(grid) == 2 and values.ndim == 3 else values
    if values.shape != grid:
        raise RemoteError(f"the server sent a layer of {values.shape} for an image of {grid}", "bad_answer")
    return values


def unpacked(packed: Path, out_dir: Path) -> Path:
    """A result folder out of its archive, whole or not at all. InputError for a member whose name is none of
    ours, a link, or beyond the limits of reading."""
    with zipfile.ZipFile(packed) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if not all(MEMBER.fullmatch(name) for name in names):
        raise InputError("the archive of the server holds a name that is none of ours; it is refused")
    with atomic_folder(out_dir) as part, tempfile.TemporaryDirectory(dir=part.parent) as place:
        for name, path in zip(names, unpack(packed, Path(place), DEFAULT_LIMITS), strict=True):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(part / name)
    return out_dir
