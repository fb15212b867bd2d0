"""What every DICOM object of ours shares: codes, ids, who made it, and how a failure of the library is
told.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode

from medsegr.errors import InputError
from medsegr.io.segments import Maker
from medsegr.io.write import atomic_write
from medsegr.process.quiet import silent
from medsegr.types import Code

LABEL, TEXT = 16, 64  # characters of the DICOM types CS and LO
SERIES = {"SEG": 900, "SR": 901, "SC": 902, "RTSTRUCT": 903}  # beyond the numbers that scanners give
RESEARCH = "RESEARCH"  # Content Qualification: neither PRODUCT nor SERVICE


@contextmanager
def composing(what: str) -> Iterator[None]:
    """Turn whatever highdicom or pydicom raises into one InputError without its text, which may quote the
    header.
    """
    try:
        with silent():
            yield
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise InputError(
            f"{what}: it cannot be made for these images ({type(error).__name__}): their headers lack "
            "or contradict what it must repeat; ask for nifti, nrrd or fhir instead"
        ) from error


def coded(code: Code) -> DicomCode:
    """A code of ours as pydicom's."""
    return DicomCode(code.value, code.scheme, code.meaning[:TEXT])


def new_uid() -> str:
    """A UID of its own for every object written.

    Two files with one UID would replace each other in an archive.
    """
    return f"2.25.{uuid.uuid4().int}"


def identity(kind: str, maker: Maker) -> dict[str, Any]:
    """Arguments that say which object this is and who made it, for a constructor of highdicom."""
    return {
        "series_instance_uid": new_uid(),
        "series_number": SERIES[kind],
        "sop_instance_uid": new_uid(),
        "instance_number": 1,
        "manufacturer": maker.program,
        "manufacturer_model_name": ascii_text(maker.model),
        "software_versions": ascii_text(maker.version),
        "device_serial_number": maker.model_sha256[:16] or "none",
        "series_description": ascii_text(f"{maker.program} {kind}. {maker.notice}"),
        "content_qualification": RESEARCH,
        "specific_character_set": "ISO_IR 192",  # UTF-8 holds the names of any source
    }


def ascii_text(text: str) -> str:
    """Text that fits a DICOM element of any character set."""
    plain = text.encode("ascii", "replace").decode().replace("\\", "/")
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:TEXT].strip() or "none"


def algorithm(maker: Maker) -> Any:
    """Algorithm Identification Sequence of the model."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    version = maker.version + (f" {maker.model_sha256[:12]}" if maker.model_sha256 else "")
    return hd.AlgorithmIdentificationSequence(
        name=ascii_text(maker.model),
        family=codes.DCM.ArtificialIntelligence,
        version=ascii_text(version),
        source=maker.program,
    )


def save_object(ds: Dataset, path: Path) -> None:
    """Write a DICOM object whole or not at all."""
    with atomic_write(path) as part, composing("DICOM object"):
        ds.save_as(part, enforce_file_format=True)
