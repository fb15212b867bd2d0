"""A batch over a Ray cluster: workers that each hold the model, wherever Ray places them.

All machines see the same files under the same paths. A worker is given two jobs at a time, and no more are
read from the jobs file. One that is lost (killed, out of memory, its machine gone) is replaced; what it had
in hand is done again by others, and a job at which three workers were lost fails. Outputs are renamed into
place when they are whole, so a job that is done twice leaves one folder. Rows and files are those of a batch
on one machine.
"""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import medsegr
from medsegr.cli import batch
from medsegr.cli.batch import DIED, IN_FLIGHT, Finish, Plan, Row, Rows, Task, failure
from medsegr.cli.logs import LOG
from medsegr.errors import ClusterError
from medsegr.machines import cannot_run, check_address, check_hello, connected, imported, python
from medsegr.process import processors

TRIES = 3  # workers that may be lost at one job
SIGN = ".part-cluster-"  # a file in the output folder by which a worker shows that it sees the same folder


@dataclass(frozen=True, slots=True)
class Terms:
    """How a batch deals with a cluster.

    ``do`` does one job. ``patience``: seconds in which a first worker must have begun.
    """

    do: Callable[[Task, Plan], Row] = batch.do
    patience: float = 300.0
    tries: int = TRIES


class Worker:
    """What runs on the cluster: one process, whose first job loads the model for all of its jobs."""

    def __init__(self, do: Callable[[Task, Plan], Row]) -> None:
        self._do = do

    def hello(self, sign: str) -> tuple[str, str, bool]:
        """Versions of medsegr and Python here, and whether the file ``sign`` is seen from here."""
        return medsegr.__version__, python(), Path(sign).is_file()

    def work(self, task: Task, plan: Plan) -> Row:
        """One job to one row."""
        return self._do(task, plan)


@dataclass(eq=False, slots=True)
class Hand:
    """A worker as the batch sees it: whether it has said hello, and what it was given, oldest first."""

    actor: Any
    ready: bool = False
    jobs: dict[Any, Task] = field(default_factory=dict)  # by what Ray will answer


def finish_on(address: str, terms: Terms = Terms()) -> Finish:
    """Who does the jobs of a batch: workers of the cluster at ``address``.

    UsageError for another kind of address, MissingExtra without Ray; ClusterError, once jobs are asked for,
    where the cluster does not answer, does not see our files, or cannot run medsegr.
    """
    check_address(address)
    imported()
    return partial(_finish, address, terms)


def _finish(address: str, terms: Terms, todo: Iterable[Task], plan: Plan, workers: int) -> Rows:
    model, backend = (_found_from_anywhere(name) for name in (plan.model, plan.backend))
    here = batch.threads_each(workers) or processors.usable()
    threads = plan.threads or (here if address == "local" else 1)
    features = (plan.features[0].resolve(), plan.features[1]) if plan.features else None
    plan = replace(
        plan, out=plan.out.resolve(), model=model, backend=backend, threads=threads, features=features
    )
    sign = partial(tempfile.NamedTemporaryFile, dir=plan.out, prefix=SIGN)
    with sign() as signed, connected(address, workers * threads):
        crew = Crew(plan, terms, signed.name)
        try:
            for _ in range(workers):
                crew.hire()
            yield from crew.rows(iter(todo))
        except ConnectionError as error:
            raise ClusterError(
                "the connection to the cluster was lost; run the same command with --resume"
            ) from error
        finally:
            crew.dismiss()


def _found_from_anywhere(name: str) -> str:
    """A folder by its whole path, any other name as it is: workers start in folders of their own."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


class Crew:
    """The workers of one batch and what each has in hand. It lives as long as its batch."""

    def __init__(self, plan: Plan, terms: Terms, sign: str) -> None:
        self._ray = imported()
        self._plan, self._terms, self._sign = plan, terms, sign
        self._hands: list[Hand] = []
        self._asked: dict[Any, Hand] = {}  # what Ray will answer -> who is to answer
        self._again: deque[Task] = deque()  # jobs of workers that were lost
        self._lost: dict[int, int] = {}  # number of a job -> workers lost at it
        self._vain = 0  # workers lost before they began, since one began

    def hire(self) -> None:
        """Ask Ray for one more worker; it gets jobs once it has said hello."""
        gpus = 1 if self._plan.device.startswith("cuda") else 0
        kind = self._ray.remote(num_cpus=self._plan.threads, num_gpus=gpus, max_restarts=0)(Worker)
        hand = Hand(kind.remote(self._terms.do))
        self._hands.append(hand)
        self._asked[hand.actor.hello.remote(self._sign)] = hand

    def dismiss(self) -> None:
        """End all workers, at work or not."""
        for hand in self._hands:
            self._end(hand)
        self._hands.clear()

    def rows(self, todo: Iterator[Task]) -> Rows:
        """(number, row) of every job as it ends."""
        since = time.monotonic()
        while self._give(todo):
            at_work = any(hand.jobs for hand in self._hands)
            left = None if at_work else max(0.0, since + self._terms.patience - time.monotonic())
            ready, _ = self._ray.wait(list(self._asked), timeout=left)
            if not ready:
                raise ClusterError(
                    f"no worker began within {self._terms.patience:g} s: the cluster has too few free "
                    f"processors (or GPUs) for one with --threads {self._plan.threads}; lower it or free some"
                )
            for answer in ready:
                yield from self._take(answer)
            since = time.monotonic()

    def _give(self, todo: Iterator[Task]) -> bool:
        """Give jobs to those with less than two, first to those with none; False when all are done."""
        source = chain(_emptied(self._again), todo)
        hands = [hand for hand in self._hands if hand.ready]
        for depth in range(1, IN_FLIGHT + 1):
            for hand in hands:
                if len(hand.jobs) < depth and (task := next(source, None)):
                    answer = hand.actor.work.remote(task, self._plan)
                    hand.jobs[answer] = task
                    self._asked[answer] = hand
        if any(hand.jobs for hand in self._hands):
            return True
        if hands:  # all of them idle: nothing is left
            return False
        first = next(source, None)
        if first is not None:
            self._again.appendleft(first)
        return first is not None

    def _take(self, answer: Any) -> Rows:
        """The row that an answer is; nothing where it is a hello. What a lost worker had goes to others."""
        hand = self._asked.get(answer)
        if hand is None:  # of a worker that was found lost meanwhile
            return
        try:
            value = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            if answer not in hand.jobs:
                raise cannot_run() from error
            value = failure(hand.jobs[answer][1].id, "error", f"{type(error.cause).__name__} inside medsegr")
        except self._ray.exceptions.RayError as error:
            LOG.debug("a worker was lost", exc_info=error)
            yield from self._replace(hand)
            return
        del self._asked[answer]
        if answer in hand.jobs:
            yield hand.jobs.pop(answer)[0], value
        else:
            check_hello(*value)
            hand.ready, self._vain = True, 0

    def _replace(self, hand: Hand) -> Rows:
        """Hire another one for a worker that was lost. The oldest job in hand is the one it was lost at."""
        self._end(hand)
        self._hands.remove(hand)
        self._asked = {answer: one for answer, one in self._asked.items() if one is not hand}
        in_hand = []
        for answer, task in hand.jobs.items():
            try:
                yield task[0], self._ray.get(answer, timeout=1)  # it had ended before
            except self._ray.exceptions.RayError:
                in_hand.append(task)
        LOG.warning("a worker was lost: %d jobs in hand are done again", len(in_hand))
        self._again.extend(in_hand)
        if in_hand:
            number, job = in_hand[0][:2]
            self._lost[number] = self._lost.get(number, 0) + 1
            if self._lost[number] >= self._terms.tries:
                self._again.remove(in_hand[0])
                yield number, failure(job.id, "out_of_memory", DIED)
        self._vain += not hand.ready
        if self._vain <= TRIES * (len(self._hands) + 1):
            self.hire()
        elif not self._hands:
            raise cannot_run()

    def _end(self, hand: Hand) -> None:
        """End a worker for good: one that was only out of reach must not write beside its successor."""
        try:
            self._ray.kill(hand.actor)
        except Exception as error:  # it has ended, or the connection has
            LOG.debug("a worker could not be ended", exc_info=error)


def _emptied(again: deque[Task]) -> Iterator[Task]:
    while again:
        yield again.popleft()
