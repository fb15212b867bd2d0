"""The desk: one thread, few open sessions, steps that count for all or for nobody, and an end to waiting."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from made_discs import Disc
from medsegr.errors import Cancelled, UsageError
from medsegr.io.read import image_from_array
from medsegr.prompts.session import Session
from medsegr.serve.desk import WAITING, Desk, Shown, Timed, weight
from medsegr.serve.refusal import Refusal
from medsegr.session import Model
from medsegr.types import Image, Prompt, Segmentation

T = TypeVar("T")


def picture(seed: int = 0) -> Image:
    values = np.random.default_rng(seed).uniform(0, 255, (24, 32)).astype(np.float32)
    return image_from_array(values, modality="CR", frame="patient")


class Kept:
    """Sessions kept in files of a folder, and how often each was brought back."""

    def __init__(self, folder: Path, desk: Desk) -> None:
        self.folder, self.desk = folder, desk
        self.brought: list[str] = []

    async def at(self, name: str, work: Callable[[Session], object], full: bool = False) -> Shown:
        path = self.folder / name

        def bring(model: Model) -> Session:
            self.brought.append(name)
            return model.replay(path, picture()) if path.exists() else model.open(picture())

        def keep(session: Session) -> None:
            if full:
                raise OSError(28, "no space left")
            if session.result is not None:
                session.save(path)

        return await self.desk.at(name, bring, work, keep)


def on(desk: Desk, play: Callable[[], Awaitable[T]]) -> T:
    try:
        return asyncio.run(play())  # type: ignore[arg-type]
    finally:
        desk.stop()


def nodule(session: Session) -> object:
    return session.segment("nodule")


def test_sessions_that_were_closed_to_make_room_come_back_as_they_were(tmp_path: Path) -> None:
    desk = Desk(lambda: Model(Disc()), most=2)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        first = await kept.at("a", nodule)
        first = await kept.at("a", lambda it: it.refine(points=[[3, 3, 1]]))
        for name in "bcd":
            await kept.at(name, nodule)
        assert desk.seen("a") is None
        assert desk.seen("d") is not None
        again = await kept.at("a", lambda it: None)
        assert again.steps == first.steps
        assert (again.outcome["f1"].mask == first.outcome["f1"].mask).all()
        assert not again.can_redo
        assert kept.brought == list("abcda")
        assert len(desk._open) == 2

    on(desk, play)


def test_a_session_comes_back_however_long_ago_its_steps_were_allowed(tmp_path: Path) -> None:
    desk = Desk(lambda: Model(Disc()), most=1)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        await kept.at("a", nodule)
        await kept.at("b", nodule)  # a is closed
        assert desk._timed is not None
        desk._timed.until = 0.0  # as after a step that ran out of time
        assert len((await kept.at("a", lambda it: None)).steps) == 1

    on(desk, play)


def test_room_is_counted_in_bytes_too(tmp_path: Path) -> None:
    desk = Desk(lambda: Model(Disc()), room=1)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        await kept.at("a", nodule)
        await kept.at("b", nodule)
        assert list(desk._open) == ["b"], "the one in use stays however large it is"
        await kept.at("b", lambda it: it.refine(points=[[3, 3, 1]]))
        session = desk._open["b"]
        assert weight(session) >= picture().data.nbytes + 2 * 24 * 32

    on(desk, play)


def test_a_step_that_cannot_be_kept_has_not_happened(tmp_path: Path) -> None:
    desk = Desk(lambda: Model(Disc()))
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        await kept.at("a", nodule)
        with pytest.raises(OSError, match="no space"):
            await kept.at("a", lambda it: it.refine(points=[[3, 3, 1]]), full=True)
        assert len((await kept.at("a", lambda it: None)).steps) == 1
        with pytest.raises(UsageError):
            await kept.at("a", lambda it: it.refine(points=[[99, 3, 1]]))
        assert len((await kept.at("a", lambda it: None)).steps) == 1

    on(desk, play)


class Slow(Disc):
    """A disc that takes its time, slice after slice."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        for n in range(100):
            self.slices = n + 1
            time.sleep(0.02)
            if prompt.tick is not None:
                prompt.tick(n, 100)
        return super().segment(image, prompt)


def test_a_step_that_takes_too_long_is_given_up_and_changes_nothing(tmp_path: Path) -> None:
    slow = Slow()
    desk = Desk(lambda: Model(slow), seconds=0.2)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        with pytest.raises(Refusal) as refused:
            await kept.at("a", nodule)
        assert refused.value.code == "timeout"
        assert slow.slices < 100
        assert not (await kept.at("a", lambda it: None)).steps

    on(desk, play)


def test_a_model_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    gate = threading.Event()
    desk = Desk(lambda: Model(Disc()), seconds=0.1)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        with pytest.raises(Refusal) as refused:
            await kept.at("a", lambda it: gate.wait(60))
        assert refused.value.code == "timeout"
        with pytest.raises(Refusal) as refused:
            await kept.at("b", nodule)
        assert refused.value.code == "timeout", "what waited behind it too long is not begun"
        desk.seconds = 120.0
        gate.set()
        await kept.at("c", nodule)
        assert kept.brought == ["a", "c"]
        await kept.at("b", nodule)

    on(desk, play)


def test_a_step_that_ends_after_its_time_has_not_happened(tmp_path: Path) -> None:
    """Whoever asked was told so; a model's last pass is not broken off."""
    gate = threading.Event()
    desk = Desk(lambda: Model(Disc()), seconds=0.3)
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        with pytest.raises(Refusal) as refused:
            await kept.at("a", lambda it: (nodule(it), gate.wait(60)))
        assert refused.value.code == "timeout"
        gate.set()
        desk.seconds = 120.0
        assert not (await kept.at("a", lambda it: None)).steps

    on(desk, play)


def test_only_so_many_wait(tmp_path: Path) -> None:
    gate = threading.Event()
    desk = Desk(lambda: Model(Disc()))
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        waiting = [asyncio.create_task(kept.at(f"s{n}", lambda it: gate.wait(60))) for n in range(WAITING)]
        await asyncio.sleep(0)  # they begin in turn, and wait
        with pytest.raises(Refusal) as refused:
            await kept.at("late", nodule)
        assert refused.value.code == "queue_full"
        assert refused.value.headers["Retry-After"]
        gate.set()
        await asyncio.gather(*waiting)
        await kept.at("late", nodule)

    on(desk, play)


def test_what_was_deleted_is_not_held_in_memory(tmp_path: Path) -> None:
    desk = Desk(lambda: Model(Disc()))
    kept = Kept(tmp_path, desk)

    async def play() -> None:
        await kept.at("a", nodule)
        await kept.at("b", nodule)
        await desk.tidy(lambda name: name == "b")
        assert (desk.seen("a"), list(desk._open)) == (None, ["b"])
        desk.stop()
        with pytest.raises(Refusal):
            await kept.at("b", nodule)

    on(desk, play)


def test_a_timed_segmenter_is_the_one_it_was_made_of() -> None:
    disc = Disc()
    timed = Timed(disc)
    assert timed.card is disc.card
    ticks: list[tuple[int, int]] = []
    prompt: Any = Prompt(targets=("nodule",), tick=lambda done, total: ticks.append((done, total)))
    timed.segment(picture(), prompt)
    told = disc.prompts[-1].tick
    assert told is not None
    told(1, 2)
    assert ticks == [(1, 2)]
    timed.until = time.monotonic() - 1
    with pytest.raises(Cancelled):
        told(2, 2)
    with pytest.raises(Cancelled):
        timed.segment(picture(), prompt)
