"""A language model as the second reader of a batch: asked for as long as it answers."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medsegr.cli.logs import LOG
from medsegr.cli.parse_many import MOST_SILENT
from medsegr.report.llm import Endpoint, consult, unanswered
from medsegr.types import Image, Report

if TYPE_CHECKING:
    from medsegr.options import Options


class SecondReader:
    """One a process and batch: it counts how many reports in a row got no answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._silent = 0

    def read(self, report: Report, picture: Image, options: "Options") -> Report:
        """The report with what the model adds; as it was where the model said nothing too often."""
        if self._silent >= MOST_SILENT:
            return report
        found = with_model(report, picture, options, self._endpoint)
        self._silent = self._silent + 1 if unanswered(found) else 0
        if self._silent == MOST_SILENT:
            LOG.warning(
                "llm_stopped: %d reports in a row got no answer; this worker reads by rules", MOST_SILENT
            )
        return found


def with_model(report: Report, picture: Image, options: "Options", endpoint: Endpoint) -> Report:
    """The report of a picture with what a language model adds to it."""
    kind, frame = picture.modality, picture.frame_told
    return consult(report, endpoint, modality=kind, frame=frame, sections=options.sections)


@cache
def reader_of(endpoint: Endpoint, out: Path) -> SecondReader:
    """The second reader of the batch that writes into ``out``, in this process."""
    return SecondReader(endpoint)
