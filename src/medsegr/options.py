"""What a run is told besides image and words: which findings to draw, which checks, what to write."""

import re
from dataclasses import dataclass

from medsegr.errors import UsageError

SIDE_CHECKS = ("strict", "warn", "off")
POLARITIES = ("present", "uncertain", "absent")
MASK_FORMATS = ("png", "nifti", "nrrd")  # one file a finding
DICOM_MASKS = ("dicom-seg", "rtstruct")  # one object for all masks, which refers to the source images
DICOM_FORMATS = (*DICOM_MASKS, "dicom-sr", "dicom-sc")
FORMATS = (*MASK_FORMATS, *DICOM_FORMATS, "fhir", "json")
SEG_TYPES = ("binary", "labelmap", "fractional")
SUBJECT = re.compile(r"|(https?://[^\s?#]{1,200}/)?Patient/[A-Za-z0-9.-]{1,64}|urn:uuid:[0-9a-fA-F-]{36}")


@dataclass(frozen=True, slots=True)
class Options:
    """What is drawn, checked and written. ``formats`` empty: the kind of the input; ``sections`` empty: the
    whole report.

    ``seg_type`` is the kind of DICOM SEG, ``combined`` asks for one label map of all masks
    beside the single ones, ``subject`` is whom a FHIR bundle is about ("Patient/123"; goes nowhere else).

    ``polarity`` always holds ``present``. With ``absent`` the model is asked about denied findings too: their
    presence score and a check tell whether the image contradicts the report, but no mask is drawn for them.
    """

    polarity: tuple[str, ...] = ("present",)
    side_check: str = "warn"
    report_mask: bool = True
    explain: bool = False
    force: bool = False
    keep_text: bool = False
    sections: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    seg_type: str = "binary"
    combined: bool = False
    subject: str = ""

    @property
    def fractional(self) -> bool:
        """Whether probabilities are to be written, so that they must be kept."""
        return self.seg_type == "fractional"

    def __post_init__(self) -> None:
        """Refuses values that do not exist, and one text where several words are taken."""
        for name in ("polarity", "sections", "formats"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise UsageError(f"{name}: a text came where a tuple was expected; write ({value[:40]!r},)")
        for name, values, known in (
            ("--polarity", self.polarity, POLARITIES),
            ("--side-check", (self.side_check,), SIDE_CHECKS),
            ("--format", self.formats, FORMATS),
            ("--seg-type", (self.seg_type,), SEG_TYPES),
        ):
            for value in values:
                if value not in known:
                    raise UsageError(f"{name}: '{value[:40]}' is not known; expected {', '.join(known)}")
        if not SUBJECT.fullmatch(self.subject):
            raise UsageError(
                "--subject: a FHIR reference to a patient was expected, for example Patient/123 or "
                "urn:uuid:..."
            )
        if "present" not in self.polarity:
            raise UsageError(
                "--polarity: 'present' is missing; write for example --polarity present,uncertain"
            )
