"""What a person settles where a file leaves it open: which series, which frame, which of two geometries."""

from dataclasses import dataclass

from medsegr.errors import UsageError

FORMS = ("sform", "qform")


@dataclass(frozen=True, slots=True)
class Choices:
    """Answers to what a reader would otherwise refuse or decide by its rule.

    ``series``: a number of the list that ``--series list`` prints ("3", or "3.2" for a part of it) or a
    SeriesInstanceUID; empty: the rule of :mod:`medsegr.io.dicom_series`. ``accept_gaps``: go on with slices
    that are missing, doubled or unevenly spaced. ``use``: the geometry of a NIfTI whose two disagree.
    ``film_frame``: the frame of a film (frames without a place in the patient), counted from 1.
    """

    series: str = ""
    accept_gaps: bool = False
    use: str | None = None
    film_frame: int | None = None

    def __post_init__(self) -> None:
        """Refuses values that do not exist."""
        if self.use is not None and self.use not in FORMS:
            raise UsageError(f"--use: '{self.use[:40]}' is not known; expected sform or qform")
        if self.film_frame is not None and self.film_frame < 1:
            raise UsageError(f"--film-frame: {self.film_frame} came; frames are counted from 1")


DEFAULT_CHOICES = Choices()
