"""Sessions for clicks: an image or a job's result, worked on step by step, each step kept in a file.

A step is answered when it is written: after a restart the session is replayed from its file. Undone steps are
not in the file, so that what was undone before a restart cannot be done again.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medsegr.errors import MedsegrError
from medsegr.pipeline import read_words
from medsegr.prompts.slices import put, stack_of
from medsegr.results.reopen import findings_of, reopen
from medsegr.results.revise import with_free
from medsegr.serve import folders, images, jobs, words
from medsegr.serve.clicks import Offer, SessionInfo, SessionRequest
from medsegr.serve.desk import Desk, Offered, Shown
from medsegr.serve.ids import checked, new_id
from medsegr.serve.refusal import Refusal, is_full
from medsegr.serve.rows import SessionRow
from medsegr.serve.service import Service
from medsegr.serve.sources import choices_of, source_of
from medsegr.serve.view import layer_of_result, view_of_result
from medsegr.serve.wire import JobInfo, Words, stamp
from medsegr.types import Result

if TYPE_CHECKING:
    from medsegr.prompts.session import Session
    from medsegr.session import Model

FILE = "session.json"
STEPS = 300  # of one session: undo remembers every mask
Do = Callable[["Session"], object]  # what it gives is of use only where it is Offered


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a server: rows in the store, steps in files, the open ones on the desk."""

    service: Service
    desk: Desk

    def row(self, session: str) -> SessionRow:
        """The session of an id; Refusal ``not_found``."""
        found = self.service.store.session(checked("s", session))
        if found is None:
            raise Refusal("not_found", "there is no such session")
        return found

    def alive(self, session: str) -> bool:
        """Whether the store still knows a session."""
        return self.service.store.session(session) is not None

    async def begin(self, asked: SessionRequest, owner: str) -> SessionInfo:
        """A new session; nothing is kept of one that cannot begin."""
        now = time.time()
        if asked.job is not None:
            image = self.service.done(asked.job).image
        else:
            image = self.service.image(asked.image or "").id
        until = now + self.service.settings.keep_seconds
        row = SessionRow(new_id("s"), image, asked.job, owner, now, until)
        place = self.service.folders.session(row.id)
        place.mkdir(mode=0o700)
        try:
            self.service.store.add_session(row)
            return self.info(row, await self._at(row, lambda _: None))
        except BaseException:
            folders.remove(place)
            self.service.store.remove_session(row.id)
            raise

    async def seen(self, row: SessionRow) -> Shown:
        """Where a session stands; it is brought back where it is not open. Nothing is written: to look takes
        no room."""
        return self.desk.seen(row.id) or await self._at(row, lambda _: None, keep=False)

    async def step(self, row: SessionRow, do: Do) -> SessionInfo:
        """One step; refused steps change nothing."""

        def work(session: "Session") -> object:
            if len(session.steps) >= STEPS:
                raise Refusal(
                    "too_many_steps", f"a session has at most {STEPS} steps: save it, begin another"
                )
            return do(session)

        return self.info(row, await self._at(row, work))

    async def turn(self, row: SessionRow, do: Do) -> SessionInfo:
        """Undo, redo or look at other answers: no new step."""
        return self.info(row, await self._at(row, do))

    async def remove(self, row: SessionRow) -> None:
        """Forget a session and its steps."""
        place = self.service.folders.session(row.id)
        folders.forgotten(lambda: self.service.store.remove_session(row.id), place)
        folders.remove(place)
        with suppress(Refusal):  # the thread is busy: it is gone all the same, and tidied up later
            await self.desk.close(row.id)

    def info(self, row: SessionRow, shown: Shown) -> SessionInfo:
        """A session as it is answered; it is kept anew from now, as long as there is room to note that."""
        base = f"/v1/sessions/{row.id}"
        expires = time.time() + self.service.settings.keep_seconds
        try:
            self.service.store.touch_session(row.id, expires)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            expires = row.expires
        return SessionInfo(
            id=row.id,
            image=row.image,
            job=row.job,
            steps=len(shown.steps),
            can_undo=shown.can_undo,
            can_redo=shown.can_redo,
            view=view_of_result(shown.outcome, base, id=row.id),
            candidates=_offers(shown.offered, base),
            expires=stamp(expires) or "",
        )

    def saved(self, row: SessionRow, shown: Shown, owner: str) -> JobInfo:
        """The session's result as a job that is done, with every download."""
        if not shown.outcome.findings:
            raise Refusal("wrong_arguments", "nothing was drawn yet: segment or draw first")
        return jobs.adopt(self.service, row.image, self._words(row, shown), shown.outcome.save, owner)

    def _words(self, row: SessionRow, shown: Shown) -> Words:
        from medsegr.prompts.steps import Words as Said

        last = next((step for step in reversed(shown.steps) if isinstance(step, Said)), None)
        if last is not None:
            return Words(report=last.report, text=None, phrases=list(last.phrases) or None)
        return (
            words.words_of(self.service, row.job) if row.job else Words(report=None, text=None, phrases=None)
        )

    async def _at(self, row: SessionRow, work_on: Do, keep: bool = True) -> Shown:
        place = self.service.folders.session(row.id) / FILE

        def bring(model: "Model") -> "Session":
            begin = None if row.job is None else self._result(row.image, row.job)
            image = images.opened(self.service, row.image) if begin is None else begin.image
            if place.is_file():
                return model.replay(place, image, result=begin)
            return model.open(image) if begin is None else model.resume(begin)

        return await self.desk.at(
            row.id, bring, work_on, lambda session: _keep(session, place) if keep else None
        )

    def _result(self, image: str, job: str) -> Result:
        """What a job drew, on its image, with the report-free masks, the words that the spans refer to, and
        its warnings: what was doubtful before a correction is so after it."""
        self.service.done(job)
        folder, out = self.service.folders.image(image), self.service.folders.out(job)
        asked = (folders.read_json(folder / "image.json") or {}).get("asked", {})
        run = reopen(out, source_of(folder), self.service.settings.limits, choices_of(asked))
        items = tuple(with_free(out, run, item.finding.id) for item in run.result.findings)
        said = words.words_of(self.service, job)
        report = read_words(run.result.image, said.report or said.text, tuple(said.phrases or ()))
        told = tuple((str(one["code"]), str(one["message"])) for one in findings_of(out)["warnings"])
        return replace(run.result, findings=items, report=report, warnings=told)


def layer(shown: Shown, name: str) -> bytes:
    """A layer of a session as ``.nii.gz``; Refusal ``not_found``."""
    finding, _, number = name.partition(".candidate-")
    if not number:
        try:
            return layer_of_result(shown.outcome, name)
        except MedsegrError as error:
            raise Refusal("not_found", "there is no such layer") from error
    offered = shown.offered
    if offered is None or offered.finding != finding or int(number) >= len(offered.answers):
        raise Refusal("not_found", "there is no such layer: candidates are those of the newest step")
    mask = offered.answers[int(number)].mask
    image = shown.outcome.image
    if offered.slice is not None:
        stack = stack_of(image)
        mask = put(np.zeros(image.grid, bool), stack, {offered.slice: mask})
    item = replace(shown.outcome[finding], mask=mask)
    return layer_of_result(replace(shown.outcome, findings=(item,)), finding)


def offered(session: "Session", finding: str | None) -> Offered:
    """Other answers to a finding's newest prompts."""
    answers = session.candidates(finding)
    asked = session.asked
    assert asked is not None
    return Offered(asked.finding.id, asked.hints.slice, answers)


def _offers(offered: Offered | None, base: str) -> list[Offer]:
    if offered is None:
        return []
    return [
        Offer(
            finding=offered.finding,
            number=number,
            slice=offered.slice,
            how=one.how,
            score=one.score,
            followed=one.followed,
            pixels=int(one.mask.sum()),
            layer=f"{base}/layers/{offered.finding}.candidate-{number}.nii.gz",
        )
        for number, one in enumerate(offered.answers)
    ]


def _keep(session: "Session", place: Path) -> None:
    """Write the steps, for this user alone; their words are needed to replay them."""
    if session.result is None:
        place.unlink(missing_ok=True)
        return
    session.save(place, keep_text=True)
    place.chmod(0o600)


def steps_of(place: Path) -> dict[str, Any]:
    """The kept steps as :meth:`medsegr.session.Model.replay` reads them, reports by their hash only.
    Refusal ``not_done`` where none was done."""
    told = folders.read_json(place)
    if told is None:
        raise Refusal("not_done", "no step was done yet")
    for step in told["steps"]:
        if step.get("report"):
            step["report"].pop("text", None)
    return dict(told)
