"""The tree of errors. A message says what came, what was expected and what to do, in one line.

MedsegrError                exit code 1
├── InputError              3   a file or value that we refuse
│   ├── GeometryError       3   the geometry contradicts itself or is missing
│   └── SeriesError         3   several DICOM series, of which one has to be chosen
├── ReportError             3   a report that cannot be read as text
├── UsageError              2   wrong arguments
├── WeightsError            1   a checkpoint that is missing, changed or foreign
├── MissingExtra            1   an optional dependency that is not installed
├── ClusterError            1   machines that cannot be reached, or cannot run medsegr
├── Cancelled               1   whoever follows a run stopped it
├── RemoteError             1   a server that cannot be reached, refuses, or answers otherwise
└── CheckFailed             5   a check under --side-check strict
"""


class MedsegrError(Exception):
    """Root of everything that medsegr raises on purpose."""

    exit_code = 1


class InputError(MedsegrError):
    """The input is refused: unreadable, too large, of a wrong kind."""

    exit_code = 3


class GeometryError(InputError):
    """Geometry that is missing, contradictory or not supported."""


class SeriesError(InputError):
    """Several DICOM series came, and no rule tells which is meant: one has to be chosen."""


class ReportError(MedsegrError):
    """The report cannot be read as text, or is beyond the limits."""

    exit_code = 3


class UsageError(MedsegrError):
    """Arguments that do not fit together."""

    exit_code = 2


class WeightsError(MedsegrError):
    """A checkpoint that is missing, changed, or made for another network."""


class MissingExtra(MedsegrError):
    """An optional part is not installed; the message gives the install line."""


class ClusterError(MedsegrError):
    """A cluster that cannot be reached, does not see our files, or cannot run medsegr."""


class Cancelled(MedsegrError):
    """A run was stopped by whoever follows it; raised from ``follow``, and let through everywhere."""


class RemoteError(MedsegrError):
    """Another server that cannot be reached, refuses, or answers otherwise than it should.

    ``code`` says why. Of a DICOMweb server: unreachable, refused, not_found, failed, redirected, incomplete,
    foreign, too_large. Of a medsegr server: unreachable, bad_answer, or the code that it gave.
    """

    def __init__(self, message: str, code: str = "failed") -> None:
        super().__init__(message)
        self.code = code


class CheckFailed(MedsegrError):
    """A check failed under a strict setting."""

    exit_code = 5
