"""A zip of one image or one DICOM series, unpacked under our own names: no member name reaches the disk."""

import zipfile
from pathlib import Path, PurePosixPath

from medsegr.errors import InputError
from medsegr.io.limits import Limits, check, check_ratio
from medsegr.io.values import guarded

WHAT = "zip file"
CHUNK = 2**20
LINK, KIND = 0o120000, 0o170000  # in the upper half of external_attr
ENCRYPTED = 0x1


def unpack(path: Path, target: Path, limits: Limits) -> dict[Path, str]:
    """Unpack the members of a zip into the empty folder ``target`` as ``000000``, ``000001``...; returns
    their paths, each with its name in the zip.

    Raises InputError for links, absolute names, ``..``, passwords, a wrong checksum, and beyond the limits.
    """
    with guarded(WHAT, "make the zip again"), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and not _junk(info.filename)]
        check("zip_members", len(members), limits, WHAT)
        check_ratio(sum(info.file_size for info in members), path.stat().st_size, limits, WHAT)
        for info in members:
            _refuse(info)
        return {
            _extract(archive, info, target / f"{index:06d}", limits): info.filename
            for index, info in enumerate(members)
        }


def _junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or parts[0] == "__MACOSX" or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _refuse(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or ":" in name:
        raise InputError(
            f"{WHAT}: a member's name leaves the zip ('..', an absolute name or a drive); such a zip is "
            "refused, make it again"
        )
    if (info.external_attr >> 16) & KIND == LINK:
        raise InputError(
            f"{WHAT}: a member is a link; plain files were expected, pack the files that it points to"
        )
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{WHAT}: it is locked with a password; unpack it and give the folder")


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, limits: Limits) -> Path:
    check("file_bytes", info.file_size, limits, WHAT)
    with archive.open(info) as source, to.open("xb") as copy:
        left = info.file_size
        while piece := source.read(min(CHUNK, left + 1)):
            left -= len(piece)
            if left < 0:
                raise InputError(f"{WHAT}: a member is larger than its header tells; make the zip again")
            copy.write(piece)
    return to
