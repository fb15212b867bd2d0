"""Where clicks are worked on: one thread with a model of its own, and the sessions that are open on it.

Every step of every session runs in that one thread, so a session needs no lock and the model is asked one
thing at a time; the event loop only waits. What a step left is a value that any thread may read. A session
that was closed to make room is brought back by replaying its steps. Knows no HTTP and no files: how a session
is brought and kept is told by its caller.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from medsegr.errors import Cancelled
from medsegr.results.verdicts import model_of
from medsegr.serve.refusal import Refusal
from medsegr.types import Finding, Image, Prompt, Result, Segmentation, Segmenter

if TYPE_CHECKING:
    from medsegr.prompts.ask import Candidate
    from medsegr.prompts.session import Session
    from medsegr.prompts.steps import Step
    from medsegr.results.outcome import Outcome
    from medsegr.session import Model

T = TypeVar("T")
WAITING = 32  # steps that may wait for the thread; more are told to come again


class Timed:
    """A segmenter that stops at a point in time: between two slices, or before the next thing it is asked.

    Everything else of it is that of the segmenter it was made of.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.inner = segmenter
        self.until = float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """As the segmenter's own; Cancelled once its time is over."""
        told = prompt.tick

        def tick(done: int, total: int) -> None:
            self.look()
            if told is not None:
                told(done, total)

        self.look()
        return self.inner.segment(image, replace(prompt, tick=tick))

    def tracker(self, image: Image, finding: Finding) -> Any:
        """As the segmenter's own, if it has any; it looks at the time before every slice."""
        make = getattr(self.inner, "tracker", None)
        own = None if make is None else make(image, finding)
        return None if own is None else TimedTracker(own, self.look)

    def look(self) -> None:
        """Cancelled where the time is over."""
        if time.monotonic() > self.until:
            raise Cancelled("the step took longer than this server allows")


@dataclass(frozen=True, slots=True)
class TimedTracker:
    """A tracker (:class:`medsegr.inference.tracking.Tracker`) that calls ``look`` before every slice."""

    inner: Any
    look: "Callable[[], None]"

    def show(self, number: int, mask: np.ndarray) -> None:
        """As the tracker's own."""
        self.look()
        self.inner.show(number, mask)

    def follow(self, number: int, before: int, flat: tuple[int, int]) -> tuple[np.ndarray, float]:
        """As the tracker's own."""
        self.look()
        prob, there = self.inner.follow(number, before, flat)
        return prob, there


@dataclass(frozen=True, slots=True)
class Offered:
    """Other answers to the newest prompts of a finding; ``slice`` is theirs on a volume."""

    finding: str
    slice: int | None
    answers: "tuple[Candidate, ...]"


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a session stands after a step: a value. The outcome of a new session has no findings."""

    outcome: "Outcome"
    steps: "tuple[Step, ...]"
    can_undo: bool
    can_redo: bool
    offered: Offered | None = None


class Desk:
    """The thread, its model (loaded when the first session needs it), and the open sessions: at most
    ``most``, and together at most ``room`` bytes of images and masks beside the one in use."""

    def __init__(
        self, load: "Callable[[], Model]", most: int = 8, room: int = 4 * 2**30, seconds: float = 120.0
    ) -> None:
        """``seconds``: how long one step may take, with its waiting for those before it."""
        self._load = load
        self.most, self.room, self.seconds = most, room, seconds
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._shown: dict[str, Shown] = {}
        self._model: Model | None = None
        self._timed: Timed | None = None
        self._thread = ThreadPoolExecutor(1, "medsegr-desk")
        self._waiting = 0
        self._closed = threading.Event()

    def seen(self, name: str) -> Shown | None:
        """Where an open session stands; None where it is not open. Never waits."""
        return self._shown.get(name)

    async def at(
        self,
        name: str,
        bring: "Callable[[Model], Session]",
        work: "Callable[[Session], object]",
        keep: "Callable[[Session], None]",
    ) -> Shown:
        """Do ``work`` on a session in the thread, then ``keep`` what it left (in a file). Answers that it
        gives as ``Offered`` are shown until the next step.

        ``bring`` makes the session where it is not open. Where keeping fails, or the step ends too late, the
        session is closed, so that it comes back as it was kept last: a step counts for all or for nobody.
        Refusal ``timeout`` after ``seconds`` (the step is given up where it stands), ``queue_full`` where too
        many wait.
        """
        until = time.monotonic() + self.seconds

        def do() -> Shown:
            session = self._brought(name, bring)
            assert self._timed is not None
            self._timed.until = until
            self._timed.look()
            done = work(session)
            try:
                self._timed.look()  # else whoever asked was told that it took too long
                keep(session)
            except BaseException:
                self._forget(name)
                raise
            self._show(name, session, done if isinstance(done, Offered) else None)
            return self._shown[name]

        return await self._run(do)

    async def close(self, name: str) -> None:
        """Forget an open session; nothing where it is not open."""
        await self._run(lambda: self._forget(name))

    async def tidy(self, alive: Callable[[str], bool]) -> None:
        """Forget the open sessions that are no longer ``alive``: what was deleted is not held in memory."""
        gone = [name for name in tuple(self._shown) if not alive(name)]
        for name in gone:
            await self.close(name)

    def stop(self) -> None:
        """End the thread once its present step is over; what waits is given up."""
        self._closed.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, do: Callable[[], T]) -> T:
        if self._closed.is_set():
            raise Refusal("not_ready")
        if self._waiting >= WAITING:
            raise Refusal("queue_full", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            found = asyncio.get_running_loop().run_in_executor(self._thread, do)
            return await asyncio.wait_for(found, self.seconds + 1)
        except (TimeoutError, Cancelled) as error:
            raise Refusal("timeout", "the step took longer than this server allows") from error
        finally:
            self._waiting -= 1

    def _brought(self, name: str, bring: "Callable[[Model], Session]") -> "Session":
        if self._model is None or self._timed is None:
            loaded = self._load()
            self._timed = Timed(loaded.segmenter)
            self._model = type(loaded)(self._timed, loaded.options)
        session = self._open.pop(name, None)
        if session is None:
            self._timed.until = float("inf")  # what was allowed once is done again, however long it takes
            session = bring(self._model)
            self._show(name, session, None)
        self._open[name] = session
        self._make_room()
        return session

    def _show(self, name: str, session: "Session", offered: Offered | None) -> None:
        from medsegr.results.outcome import outcome_of

        nothing = Result(session.image, None, (), model_of(session.model.segmenter))
        outcome = session.result or outcome_of(nothing, session.model.options)
        self._shown[name] = Shown(outcome, session.steps, session.can_undo, session.can_redo, offered)

    def _forget(self, name: str) -> None:
        self._open.pop(name, None)
        self._shown.pop(name, None)

    def _make_room(self) -> None:
        """Close those that were used longest ago; the newest stays."""
        sizes = {name: weight(session) for name, session in self._open.items()}
        while len(self._open) > 1 and (len(self._open) > self.most or sum(sizes.values()) > self.room):
            name = next(iter(self._open))
            self._forget(name)
            del sizes[name]


def weight(session: "Session") -> int:
    """Bytes of a session's image and of all masks that it remembers, each counted once."""
    seen: dict[int, int] = {id(session.image.data): session.image.data.nbytes}
    for outcome in session.history:
        for item in outcome.findings:
            for values in (item.mask, item.free_mask, item.attention, item.prob):
                if isinstance(values, np.ndarray):
                    seen[id(values)] = values.nbytes
    return sum(seen.values())
