"""What kind of image this is: what its header (or the flag) says, what the report says, what the pixels look
like. A contradiction is a warning, never a refusal: headers are wrong, reports speak of other studies.
"""

import re
from dataclasses import replace

import numpy as np

from medsegr.grid.pixels import coloured, to_bytes
from medsegr.types import Image, Report

# Words by which the title or the technique of a report names its kind of image.
NAMED = {
    "CT": r"\bCTA?\b|\bCTPA\b|\bHRCT\b|(?i:computed tomograph|\bcat scan)",
    "MR": r"\bMRI?\b|\bMRA\b|\bMRCP\b|(?i:magnetic resonance)",
    "CR": r"\bCXR\b|\bKUB\b|(?i:radiograph|\bx-? ?rays?\b)",
    "US": r"\bUS\b|(?i:ultraso(?:und|nograph)|\bsonogra|\bdoppler|\bechocardiogra)",
    "MG": r"(?i:mammogra|tomosynthesis)",
    "PT": r"\bPET\b|(?i:positron emission)",
    "XA": r"\bDSA\b|(?i:fluoroscop|catheter angiogra)",
    "ES": r"(?i:colonoscop|endoscop|gastroscop|bronchoscop|cystoscop)",
    "SM": r"(?i:histolog|histopatholog|h&e\b)",
    "OP": r"(?i:\bfundus|retinal photograph)",
    "DMS": r"(?i:dermoscop|dermatoscop)",
}
OTHER_STUDY = re.compile(r"(?i)\b(compar|prior|previous|correlat|recommend|follow-?up)")
TITLE = re.compile(  # a first line, what stands before the first colon, or a first sentence without a verb
    r"\s*(?:[^\n.:]{1,120}(?=[\n:])|(?:(?!\b(?i:seen|found|on|by|from|known|is|are|was|were)\b)[^\n.:]){1,60}(?=\.))"
)
GREY = ("CT", "MR", "CR", "MG", "PT", "XA")  # never in colour
COLOURED = ("ES", "SM", "DMS")  # never in grey
RADIOGRAPHS = ("CR", "MG", None)  # may come as negatives: where bone is dark; None: nobody said what it is
PICTURES = ("CR", "MG", "ES", "SM", "OP", "DMS")  # never volumes
ON_BLACK = ("CT", "MR", "MG")  # what is around the body is black, but in a negative
WHITE_EDGE, WHITE, BLACK = 0.65, 0.2, 0.07  # shares of a negative's edge and of all of it
MEASURED = ("dicom", "nifti", "nrrd", "mha")  # kinds of file that hold the scanner's own values


def mismatches(image: Image, report: Report | None) -> tuple[tuple[str, str], ...]:
    """Warnings (code, message) where header, report and pixels disagree about the kind of image."""
    told = image.modality
    found = []
    named = report_modalities(report) if report is not None else frozenset()
    if told is not None and named and told not in named:
        words = " and ".join(sorted(named))
        found.append(
            (
                "modality_report",
                f"the image is {told}, the report speaks of {words}: do they belong together?",
            )
        )
    look = looks_unlike(image) if told is not None else None
    if look is not None:
        found.append(
            ("modality_pixels", f"the image is taken as {told}, but {look}: check it, or say --modality")
        )
    return tuple(found)


def report_modalities(report: Report) -> frozenset[str]:
    """Modalities that the report's title and its technique section name; sentences about other studies do not
    count.
    """
    spans = [section.span for section in report.sections if section.name == "technique"]
    title = TITLE.match(report.text)
    said = "\n".join([title[0] if title else "", *(report.text[start:end] for start, end in spans)])
    parts = [part for part in re.split(r"[.\n;]", said) if not OTHER_STUDY.search(part)]
    return frozenset(code for code, words in NAMED.items() if any(re.search(words, part) for part in parts))


def looks_unlike(image: Image) -> str | None:
    """In words, what about the pixels does not fit the image's modality; None where nothing speaks against
    it.
    """
    told, data = image.modality, image.data
    if told in PICTURES and len(image.grid) == 3:
        return f"it is a volume of {' x '.join(map(str, image.grid))}"
    if told in GREY and coloured(data):
        return "its pixels are coloured"
    if told in COLOURED and len(data) == 1:
        return "its pixels are grey"
    if told == "CT" and image.source.kind in MEASURED:
        low, high = float(data.min()), float(data.max())
        if 0 <= low < high <= 255:
            return f"its values run from {low:g} to {high:g}, which are no Hounsfield units"
    return None


def in_hounsfield(image: Image) -> bool:
    """Whether the values of an image are Hounsfield units: those of a CT, but not of a picture file (PNG,
    JPEG, ...), which holds grey values of some window where none is below 0. Of an array nobody says
    otherwise."""
    measured = image.source.kind in (*MEASURED, "array")
    return image.modality == "CT" and (measured or float(image.data.min()) < 0)


def negative(image: Image) -> Image | None:
    """The picture with dark and bright exchanged, where it may be a radiograph that was given as its negative
    (MONOCHROME1 without its header): grey, no volume, of no other kind. Else None."""
    if len(image.grid) != 2 or image.modality not in RADIOGRAPHS or coloured(image.data):
        return None
    return replace(image, data=image.data.min() + image.data.max() - image.data)


def white_ground(image: Image) -> bool:
    """Whether a grey picture of a kind that shows the body on black shows it on white: most of its edge and
    much of all is white, and hardly anything is black. White margins around it alone are no such ground. A
    slice in a lung window, whose body is white, is not known from one."""
    if len(image.grid) != 2 or image.modality not in ON_BLACK or coloured(image.data):
        return False
    shown = to_bytes(image)[0]
    low, high = (int(v) for v in (shown.min(), shown.max()))
    white, black = (shown >= high - 0.1 * (high - low)), (shown <= low + 0.1 * (high - low))
    edge = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    return bool(low < high and edge.mean() >= WHITE_EDGE and white.mean() >= WHITE and black.mean() < BLACK)
