"""What whoever asks for a reading gave, checked at the door."""

from medsegr.errors import UsageError
from medsegr.report.document import HEADINGS


def check(text: str, frame: str | None, sections: tuple[str, ...] | None) -> None:
    """UsageError where a report is no text, or a frame or section does not exist."""
    if not isinstance(text, str):
        raise UsageError(f"a report is a text; {type(text).__name__} came: read_report reads a file")
    if frame not in (None, "patient", "viewer"):
        raise UsageError(f"frame '{str(frame)[:40]}' is not known: patient or viewer was expected")
    for name in sections or ():
        if name not in HEADINGS:
            raise UsageError(f"section '{name[:40]}' is not known; expected a tuple of {', '.join(HEADINGS)}")
