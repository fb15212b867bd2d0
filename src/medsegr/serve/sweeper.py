"""What is removed when: what has expired, and what a crash left without a row."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from medsegr.serve import folders as places
from medsegr.serve import images, jobs
from medsegr.serve.service import Service

LOG = logging.getLogger("medsegr")
EVERY = 60.0  # seconds
STALE = 3600.0  # seconds after which a folder without a row is nobody's


def sweep(service: Service, now: float | None = None) -> int:
    """Remove what has expired; returns how many images, jobs and sessions these were."""
    old_images, old_jobs, old_sessions = service.store.expired(time.time() if now is None else now)
    for (
        image
    ) in old_images:  # these first: where the disk is full, only what is large makes room for the rest
        images.remove(service, image)
    for job in old_jobs:
        jobs.remove(service, job)
    for session in old_sessions:
        place = service.folders.session(session)
        places.forgotten(partial(service.store.remove_session, session), place)
        places.remove(place)
    count = len(old_images) + len(old_jobs) + len(old_sessions)
    if count:
        LOG.info(
            "%d images, %d jobs, %d sessions had expired", len(old_images), len(old_jobs), len(old_sessions)
        )
    return count


def clear(service: Service, stale: float = STALE) -> None:
    """Remove folders below the data folder that no row knows, once they are old: uploads that broke off, and
    what a worker wrote for a job that was deleted."""
    known: dict[str, Callable[[str], object]] = {
        "images": service.store.image,
        "jobs": service.store.job,
        "sessions": service.store.session,
    }
    for kind, row_of in known.items():
        for folder in (service.folders.root / kind).iterdir():
            if row_of(folder.name) is None and _age(folder) > stale:
                places.remove(folder)


def _age(folder: Path) -> float:
    """Seconds since something of a folder changed: an upload may write one file for hours."""
    try:
        return time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return 0.0


class Sweeper:
    """A thread that sweeps once a minute until it is closed."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="medsegr-sweeper")

    def start(self) -> None:
        """Begin; what expired while no server ran goes at once."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._closing.set()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                sweep(self._service)
                clear(self._service)
            except Exception as error:  # a full disk must not end the sweeping that makes room
                LOG.error("sweeping failed: %s", type(error).__name__)
            if self._closing.wait(EVERY):
                return
