"""Which DICOM SEG or RT structure set belongs to which series, in a folder of both as archives give them, by
headers alone."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from medsegr.errors import InputError
from medsegr.io.dicom_masks import header_of, holds_masks
from medsegr.io.dicom_scan import Member, files_below, scan
from medsegr.io.limits import DEFAULT_LIMITS, Limits
from medsegr.io.masks import MaskInfo


@dataclass(frozen=True, slots=True)
class Pair:
    """A segmentation and the series that it was drawn on. ``image``: the file, or the folder that holds the
    series, which ``series`` (its UID) tells from others there; ``patient`` as in the header."""

    image: Path
    series: str
    masks: Path
    infos: tuple[MaskInfo, ...]
    modality: str
    patient: str


def pairs(folder: Path, limits: Limits = DEFAULT_LIMITS) -> list[Pair]:
    """Every DICOM SEG and RT structure set below ``folder`` with its series, in the order of the paths; []
    where there is none.

    Raises InputError where the series of one is not there.
    """
    drawn = sorted(path for path in files_below(folder, limits) if holds_masks(path, limits))
    if not drawn:
        return []
    scanned = scan(folder, limits)
    if scanned.damaged:  # a slice that is learned from or judged on may be missing
        raise scanned.damaged[0][1]
    members = scanned.members
    found = []
    for number, path in enumerate(drawn, 1):
        ds, infos = header_of(path, limits)
        own = _series(ds, members)
        if not own:
            raise InputError(
                f"segmentation {number} of {len(drawn)}: the series that it names is not in the folder; "
                "add it"
            )
        places = {member.path.parent for member in own}
        image = own[0].path if len(own) == 1 else Path(os.path.commonpath(sorted(map(str, places))))
        one = own[0].series
        found.append(Pair(image, one.uid if len(own) > 1 else "", path, infos, one.modality, one.patient))
    return found


def _series(ds: Dataset, members: Sequence[Member]) -> list[Member]:
    """Files of the series that a segmentation names; of one that names pictures alone, those of their
    series."""
    named = {str(item.get("SeriesInstanceUID") or "") for item in _references(ds)}
    found = [member for member in members if member.series.uid in named]
    if found:
        return found
    pictures = {
        str(item.get("ReferencedSOPInstanceUID") or "") for item in ds.get("SourceImageSequence") or ()
    }
    uids = {member.series.uid for member in members if member.instance in pictures}
    return [member for member in members if member.series.uid in uids]


def _references(ds: Dataset) -> list[Dataset]:
    """What names a series; in a structure set below frame of reference and study."""
    found = list(ds.get("ReferencedSeriesSequence") or ())
    for frame in ds.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            found += study.get("RTReferencedSeriesSequence") or ()
    return found
