"""What a run is told besides image and words: which findings to draw, which checks, what to write."""

from dataclasses import dataclass

from medsegr.errors import UsageError

SIDE_CHECKS = ("strict", "warn", "off")
POLARITIES = ("present", "uncertain", "absent")
FORMATS = ("png", "nifti", "nrrd", "json")


@dataclass(frozen=True, slots=True)
class Options:
    """What is drawn, checked and written. ``formats`` empty: the kind of the input; ``sections`` empty.

    The whole report.

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

    def __post_init__(self) -> None:
        """Refuses values that do not exist."""
        for name, values, known in (
            ("--polarity", self.polarity, POLARITIES),
            ("--side-check", (self.side_check,), SIDE_CHECKS),
            ("--format", self.formats, FORMATS),
        ):
            for value in values:
                if value not in known:
                    raise UsageError(f"{name}: '{value[:40]}' is not known; expected {', '.join(known)}")
        if "present" not in self.polarity:
            raise UsageError(
                "--polarity: 'present' is missing; write for example --polarity present,uncertain"
            )
