"""What all routes share: settings, store, folders, the bell and the crew of workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from medsegr.serve.archives import Archive
from medsegr.serve.bell import Bell
from medsegr.serve.crew import Crew
from medsegr.serve.folders import Folders
from medsegr.serve.ids import checked
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import ImageRow, JobRow
from medsegr.serve.settings import Settings
from medsegr.serve.store import Store


@dataclass(slots=True)
class Leaving:
    """Whether the server is about to end; long answers look at it and end, too."""

    asked: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Service:
    """One server. ``crew`` is None where nothing is computed (read only)."""

    settings: Settings
    store: Store
    folders: Folders
    bell: Bell
    crew: Crew | None
    leaving: Leaving = field(default_factory=Leaving)
    archives: Mapping[str, Archive] = field(default_factory=dict)  # DICOMweb servers that may be asked

    def image(self, image: str) -> ImageRow:
        """The image of an id; Refusal ``not_found``."""
        row = self.store.image(checked("i", image))
        if row is None:
            raise Refusal("not_found", "there is no such image")
        return row

    def job(self, job: str) -> JobRow:
        """The job of an id; Refusal ``not_found``."""
        row = self.store.job(checked("j", job))
        if row is None:
            raise Refusal("not_found", "there is no such job")
        return row

    def done(self, job: str) -> JobRow:
        """A job that has a result; Refusal ``not_found`` or ``not_done``."""
        row = self.job(job)
        if row.state != "done":
            raise Refusal("not_done", f"the job is {row.state}: only a job that is done has a result")
        return row
