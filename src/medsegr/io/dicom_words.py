"""What DICOM headers of strangers say in words: class, labels, codes, as text that fits a line."""

import io
from pathlib import Path
from typing import Any

from pydicom.filereader import read_partial

from medsegr.errors import InputError
from medsegr.io.values import guarded
from medsegr.types import Code

MOST_TEXT = 64  # characters of a label
HEAD = 65536  # bytes in which the class is told, long before what is large
SOP_CLASS = 0x00080016
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"  # class of RT structure sets


def class_of(path: Path) -> str:
    """SOP class of a DICOM file from its first bytes alone; "" where these do not tell it."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    try:
        with guarded("DICOM file"):
            ds = read_partial(io.BytesIO(head), stop_when=lambda tag, *_: tag > SOP_CLASS, force=True)
            return str(ds.get("SOPClassUID") or "")
    except InputError:  # damaged, or deflated: who reads the whole file says it
        return ""


def text_of(value: Any) -> str:
    """The value of an element as one line; "" where there is none."""
    return "".join(c if c.isprintable() else " " for c in str(value or ""))[:MOST_TEXT].strip()


def code_of(items: Any) -> Code | None:
    """The code of the first item of a code sequence; None where there is none."""
    if not items:
        return None
    value = text_of(items[0].get("CodeValue") or items[0].get("LongCodeValue"))
    scheme, meaning = text_of(items[0].get("CodingSchemeDesignator")), text_of(items[0].get("CodeMeaning"))
    return Code(scheme, value, meaning) if value else None
