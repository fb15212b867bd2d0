"""The workers of a server: a lane each, a thread that takes jobs from the store and has a hand do them.

A hand that dies is replaced, and its job is done again; a job at which hands died more often than ``tries``
allows has failed. A job that is stopped (cancelled, beyond its time, its image deleted) is asked to stop, and
after a grace its hand is ended.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from medsegr.serve import folders as places
from medsegr.serve.bell import Bell
from medsegr.serve.folders import Folders
from medsegr.serve.hands import DEAD, Hand, News, ProcessHand, ThreadHand
from medsegr.serve.partial import FOLDER
from medsegr.serve.refusal import CODES
from medsegr.serve.rows import JobRow
from medsegr.serve.settings import Settings
from medsegr.serve.store import Store
from medsegr.serve.work import Task

LOG = logging.getLogger("medsegr")
LOOK = 0.05  # seconds between two looks at whether a running job is to stop
REST = 2.0  # seconds before a hand that could not begin is tried again; doubled up to a minute
SHUTDOWN = "shutdown"


class Crew:
    """As many lanes as there are hands. It starts with :meth:`start` and ends with :meth:`close`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        folders: Folders,
        bell: Bell,
        hands: Sequence[Hand],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """``after`` ends what the hands share. InputError where another server works in the data folder."""
        self._settings, self._store, self._folders, self._bell = settings, store, folders, bell
        self.hands, self._after = hands, after
        self._give_back = folders.hold()
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._ready = 0
        self._broken: tuple[str, str] | None = None
        self._lanes: list[threading.Thread] = []

    def start(self) -> None:
        """Put back what a killed server left running, and begin."""
        for row in self._store.running():
            self._store.requeue(row.id)
        for number, hand in enumerate(self.hands, 1):
            lane = threading.Thread(
                target=self._lane, args=(hand,), daemon=True, name=f"medsegr-lane-{number}"
            )
            self._lanes.append(lane)
            lane.start()

    @property
    def ready(self) -> bool:
        """Whether a hand has the model loaded."""
        return self._ready > 0

    @property
    def broken(self) -> tuple[str, str] | None:
        """Code and line of why the model could not be loaded; None where it could, or is on its way."""
        return self._broken

    def wake(self) -> None:
        """There is a new job."""
        with self._wake:
            self._wake.notify()

    def close(self) -> None:
        """End: jobs that run go back into the queue and are begun again at the next start."""
        self._closing.set()
        with self._wake:
            self._wake.notify_all()
        for lane in self._lanes:
            lane.join(self._settings.grace + 5)
        for hand in self.hands:
            hand.kill()
        self._after()
        self._give_back()

    def _lane(self, hand: Hand) -> None:
        rest = REST
        at_work: list[str] = []  # the job that a lane which was broken off left running
        while not self._closing.is_set():
            hand.start()
            if self._begun(hand):
                self._count(1)
                self._broken = None
                try:
                    self._work(hand, at_work)
                    rest = REST
                    continue
                except Exception as error:  # the store cannot be written, as on a full disk
                    LOG.error("a lane was broken off: %s; it begins again", type(error).__name__)
                finally:
                    self._count(-1)
            hand.kill()
            self._closing.wait(rest)
            rest = min(60.0, 2 * rest)
        hand.kill()

    def _count(self, change: int) -> None:
        with self._wake:  # lanes begin and end side by side
            self._ready += change

    def _begun(self, hand: Hand) -> bool:
        """Wait until a hand has loaded the model; False where it could not."""
        while not self._closing.is_set():
            for news in hand.news(0.2):
                if news[0] == "ready":
                    return True
                self._broken = (str(news[1]), str(news[2])) if news[0] == "broken" else self._broken
                LOG.error("a worker could not begin: %s", news[2] if news[0] == "broken" else "it died")
                return False
        return False

    def _work(self, hand: Hand, at_work: list[str]) -> None:
        """Do jobs until the hand is gone or the server ends. ``at_work`` holds the job that is being done."""
        while at_work:
            self._store.requeue(at_work[0])
            at_work.clear()
        while not self._closing.is_set():
            row = self._store.claim()
            if row is None:
                with self._wake:
                    self._wake.wait(0.5)
                if DEAD in hand.news(0):
                    LOG.warning("a worker died while it had no job; it is replaced")
                    return
                continue
            at_work.append(row.id)
            self._bell.ring(row.id)
            alive = self.do(hand, row)
            at_work.clear()
            self._bell.ring(row.id)
            if not alive:
                return

    def do(self, hand: Hand, row: JobRow) -> bool:
        """One job; False where the hand is gone after it."""
        if row.tries > self._settings.tries + 1:
            self._end(row, "failed", ("worker_died", CODES["worker_died"][1]))
            return True
        LOG.info("job %s begins", row.id)
        hand.give(Task(row.id, self._folders.job(row.id), self._folders.image(row.image)))
        deadline = time.monotonic() + self._settings.job_seconds
        patience = 0.0
        while True:
            for news in hand.news(LOOK):
                if news == DEAD:
                    self._died(row)
                    return False
                if self._heard(row, news):
                    return True
            why = self._why(row, deadline)
            if why and not patience:
                hand.stop(why)
                patience = time.monotonic() + self._settings.grace
            if why and time.monotonic() > patience:
                LOG.warning("job %s did not stop in time: its worker is ended", row.id)
                hand.kill()
                self._stopped(row, why)
                return False

    def _why(self, row: JobRow, deadline: float) -> str:
        """Why a running job is to stop, "" where it is not. Cancelling and deleting happen in the store."""
        now = self._store.job(row.id)
        if now is None:
            return "deleted"
        if now.state != "running":
            return "cancelled"
        if self._closing.is_set():
            return SHUTDOWN
        return "time_limit" if time.monotonic() > deadline else ""

    def _heard(self, row: JobRow, news: News) -> bool:
        """Note what a hand said; True where the job has ended."""
        if news[0] == "progress":
            self._store.progress(row.id, *news[1:])
        elif news[0] == "finding":
            self._store.found(row.id, news[1])
        elif news[0] == "end" and news[1] == row.id:
            if news[2] == "done":
                self._end(row, "done", None)
            elif news[2] == "stopped":
                self._stopped(row, str(news[3]))
            else:
                self._end(row, "failed", (str(news[3]), str(news[4])))
            return True
        self._bell.ring(row.id)
        return False

    def _stopped(self, row: JobRow, why: str) -> None:
        if why == SHUTDOWN:
            self._store.requeue(row.id, charged=False)
        elif why == "time_limit":
            limit = f"the job took longer than {self._settings.job_seconds:g} s, the limit of this server"
            self._end(row, "failed", ("time_limit", limit))
        else:
            self._end(row, "cancelled", None)

    def _died(self, row: JobRow) -> None:
        why = self._why(row, float("inf"))
        if why:
            self._stopped(row, why)
        elif row.tries > self._settings.tries:
            self._end(row, "failed", ("worker_died", CODES["worker_died"][1]))
        else:
            LOG.warning("job %s: its worker died; it is done again", row.id)
            self._store.requeue(row.id)

    def _end(self, row: JobRow, state: str, error: tuple[str, str] | None) -> None:
        """Note the end; of a job that has no result, or was deleted meanwhile, nothing stays on the disk."""
        self._store.finish(row.id, state, self._settings.keep_seconds, error)
        now = self._store.job(row.id)
        folder = self._folders.job(row.id)
        if now is None:
            places.remove(folder)
        else:
            places.remove(folder / FOLDER)
            if now.state != "done":
                places.remove(folder / "out")
        LOG.info("job %s: %s%s", row.id, now.state if now else "deleted", f" ({error[0]})" if error else "")


def crew_of(settings: Settings, store: Store, folders: Folders, bell: Bell) -> Crew:
    """The crew that the settings ask for: actors of a cluster, processes, or one thread of the server where
    these are none."""
    if settings.cluster is not None:
        from medsegr.serve.ray_hand import Cluster, RayHand

        cluster = Cluster(settings)
        far = [RayHand(settings, cluster) for _ in range(max(1, settings.workers))]
        return Crew(settings, store, folders, bell, far, cluster.close)
    near: list[Hand] = [ProcessHand(settings) for _ in range(settings.workers)]
    return Crew(settings, store, folders, bell, near or [ThreadHand(settings)])
