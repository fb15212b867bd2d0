"""Workers that are processes: they die, are replaced, and no job is lost by it."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsegr.serve import crew, work
from medsegr.serve.hands import DEAD, ProcessHand, ThreadHand
from medsegr.serve.rows import ImageRow, JobRow
from medsegr.serve.settings import Settings
from medsegr.serve.work import Task
from ray_head import swept
from served import PATIENCE, Asked, Serve, Slow, png


def pid_of(server: Asked) -> int:
    assert server.service.crew is not None
    (hand,) = server.service.crew.hands
    assert isinstance(hand, ProcessHand)
    assert hand.pid is not None
    return hand.pid


def ready(server: Asked, seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while server.client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_worker_is_replaced_and_its_job_done_again(serve: Serve) -> None:
    server = serve(workers=1)
    image = server.image()["id"]
    ready(server)
    first = pid_of(server)
    jobs = [server.job(image)["id"] for _ in range(3)]
    os.kill(first, signal.SIGKILL)
    assert [server.ended(job)["state"] for job in jobs] == ["done"] * 3
    assert pid_of(server) != first
    for job in jobs:
        states = [data["state"] for _, kind, data in server.events(job) if kind == "state"]
        assert states in (["queued", "running"], ["queued", "running", "queued", "running"])


def test_a_thread_that_was_replaced_stays_told_to_stop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It looks again only after the next thread has a job of its own."""
    begun, go_on = threading.Event(), threading.Event()
    told: dict[str, str] = {}

    def do(task: Task, model: object, settings: Settings, say: object, stopped: Any) -> tuple[str, ...]:
        if task.job == "slow":
            begun.set()
            go_on.wait(PATIENCE)
        told[task.job] = stopped()
        return ("done",)

    monkeypatch.setattr(work, "do", do)
    monkeypatch.setattr(work, "load", lambda settings: None)
    hand = ThreadHand(Settings(data_dir=tmp_path))
    hand.start()
    hand.give(Task("slow", tmp_path, tmp_path))
    assert begun.wait(PATIENCE)
    hand.stop("time_limit")
    hand.kill()
    hand.start()
    hand.give(Task("next", tmp_path, tmp_path))
    until = time.monotonic() + PATIENCE
    while "next" not in told and time.monotonic() < until:
        time.sleep(0.01)
    go_on.set()
    while "slow" not in told and time.monotonic() < until:
        time.sleep(0.01)
    hand.kill()
    assert told == {"next": "", "slow": "time_limit"}


def test_a_lane_outlives_a_store_that_cannot_be_written(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: the job is done again once there is room, and so are those behind it."""
    monkeypatch.setattr(crew, "REST", 0.05)
    server = serve()
    failing = iter([True, True])
    write = server.service.store.progress

    def progress(*given: Any) -> None:
        if next(failing, False):
            raise sqlite3.OperationalError("database or disk is full")
        write(*given)

    monkeypatch.setattr(server.service.store, "progress", progress)
    image = server.image()["id"]
    jobs = [server.job(image)["id"] for _ in range(3)]
    assert [server.ended(job)["state"] for job in jobs] == ["done"] * 3


class Deadly:
    """A hand that dies at each job, as one does that runs out of memory."""

    def __init__(self) -> None:
        self.given = 0
        self._news: list[tuple[str, ...]] = []

    def start(self) -> None:
        self._news = [("ready",)]

    def give(self, task: Task) -> None:
        self.given += 1
        self._news = [DEAD]

    def stop(self, why: str) -> None:
        """It does not listen."""

    def news(self, seconds: float) -> list[tuple[str, ...]]:
        found, self._news = self._news, []
        return found

    def kill(self) -> None:
        """It is dead."""


class Failing(Deadly):
    """A hand that wrote a result, and then found that the job had failed."""

    def give(self, task: Task) -> None:
        (task.folder / "out").mkdir(parents=True)
        (task.folder / "out" / "findings.json").write_text("{}")
        self._news = [("end", task.job, "failed", "error", "ValueError inside medsegr")]


def alone(serve: Serve, hand: Deadly) -> tuple[Asked, crew.Crew]:
    """A server without workers of its own, and a crew on its folders that was not started."""
    server = serve(read_only=True)
    about = server.service
    return server, crew.Crew(about.settings, about.store, about.folders, about.bell, [hand])


def test_of_a_job_that_failed_no_result_stays(serve: Serve) -> None:
    server, own = alone(serve, Failing())
    store = server.service.store
    store.add_image(ImageRow("i" + "a" * 22, "", 1.0, 1e11))
    store.add_job(JobRow("j" + "a" * 22, "i" + "a" * 22, "", "queued", 1.0), 9)
    row = store.claim()
    assert row is not None
    assert own.do(own.hands[0], row)
    ended = store.job(row.id)
    assert ended is not None
    assert (ended.state, ended.code) == ("failed", "error")
    assert not (server.service.folders.job(row.id) / "out").exists()
    own.close()


def test_a_hand_that_cannot_begin_is_tried_again_every_minute_at_least(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Deadly):
        def start(self) -> None:
            self._news = [("broken", "weights", "the checkpoint is missing")]

    rests: list[float] = []

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout or 0.0)
            if len(rests) == 8:
                self.set()
            return self.is_set()

    _, own = alone(serve, Broken())
    monkeypatch.setattr(own, "_closing", Closing())
    own._lane(own.hands[0])
    assert rests == [2, 4, 8, 16, 32, 60, 60, 60]
    assert own.broken == ("weights", "the checkpoint is missing")
    own.close()


def test_a_job_at_which_workers_die_fails_after_some_tries(serve: Serve, slow: Slow) -> None:
    server = serve(tries=2)
    assert server.service.crew is not None
    job = server.job(server.image()["id"])["id"]
    assert slow.begun.wait(PATIENCE)
    hand = Deadly()
    hand.start()
    crew = server.service.crew
    row = server.service.store.job(job)
    assert row is not None
    crew.do(hand, row)  # as a lane does; the first try was charged by its claim
    for _ in range(2):
        row = server.service.store.claim()
        assert row is not None
        crew.do(hand, row)
    last = server.client.get(f"/v1/jobs/{job}").json()
    assert (hand.given, last["state"], last["error"]["code"]) == (3, "failed", "worker_died")
    slow.go()


def test_a_model_that_cannot_be_loaded_makes_the_server_not_ready(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr.errors import WeightsError

    def load(_settings: Settings) -> None:
        raise WeightsError("its hash differs")

    monkeypatch.setattr(work, "load", load)
    server = serve()
    until = time.monotonic() + PATIENCE
    while "weights" not in server.client.get("/readyz").text:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert server.client.get("/readyz").status_code == 503
    assert server.client.get("/healthz").status_code == 200
    job = server.job(server.image()["id"])["id"]
    assert server.client.get(f"/v1/jobs/{job}").json()["state"] == "queued"


def test_jobs_of_many_clients_keep_their_own_images(serve: Serve) -> None:
    """Each answer names the image that was sent for it."""
    server = serve(workers=2)
    sent = {}
    for seed in range(6):
        image = server.image(png(seed))
        sent[server.job(image["id"], phrases=["nodule"])["id"]] = image["sha256"]
    for job, sha256 in sent.items():
        assert server.ended(job)["state"] == "done"
        told = server.client.get(f"/v1/jobs/{job}/result").json()
        assert told["image"]["sha256"] == sha256
    assert len(set(sent.values())) == 6


def test_when_the_server_ends_running_jobs_wait_for_the_next(serve: Serve, slow: Slow) -> None:
    server = serve()
    job = server.job(server.image()["id"])["id"]
    assert slow.begun.wait(PATIENCE)
    assert server.service.crew is not None
    server.service.crew.close()
    row = server.service.store.job(job)
    assert row is not None
    assert (row.state, row.tries) == ("queued", 0)
    again = serve()
    slow.go()
    assert again.ended(job)["state"] == "done"


@pytest.mark.weights
def test_the_real_model_in_a_process(serve: Serve) -> None:
    server = serve(model="medsegr-tiny", workers=1, device="cpu")
    told = server.client.post("/v1/images/example/mucosa").json()
    job = server.job(told["id"], phrases=["polyp"])["id"]
    assert server.ended(job)["state"] == "done"
    found = server.client.get(f"/v1/jobs/{job}/result").json()
    assert found["model"]["name"] == "medsegr-tiny"
    assert found["findings"][0]["status"] in ("segmented", "not_found")
    assert np.prod(found["image"]["grid"]) == 512 * 512
    assert server.client.get("/v1/capabilities").json()["model"]["sha256"] == found["model"]["sha256"]


@pytest.fixture
def sweeping() -> Iterator[None]:
    """Set up before the server and so torn down after it."""
    with swept():
        yield


@pytest.mark.slow
def test_a_cluster_does_the_jobs(sweeping: None, serve: Serve) -> None:
    """Actors of a private Ray: progress and findings come over the shared folder, a running job is stopped,
    and one that is lost is replaced."""
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    server = serve(cluster="local", workers=1)
    ready(server, 2 * PATIENCE)
    image = server.image()["id"]
    job = server.job(image)["id"]
    assert server.ended(job)["state"] == "done"
    kinds = [kind for _, kind, _ in server.events(job)]
    assert kinds.count("finding") == 3
    assert "progress" in kinds
    assert server.service.crew is not None
    (hand,) = server.service.crew.hands
    large = server.image(png(1, side=700))["id"]
    stopped = server.job(large)["id"]
    while server.client.get(f"/v1/jobs/{stopped}").json()["state"] == "queued":
        time.sleep(0.01)
    server.client.post(f"/v1/jobs/{stopped}/cancel")
    again = server.job(image)["id"]
    assert server.ended(again)["state"] == "done"
    lost = server.job(large)["id"]
    while server.client.get(f"/v1/jobs/{lost}").json()["state"] == "queued":
        time.sleep(0.01)
    ray.kill(hand.actor)  # type: ignore[attr-defined]
    assert server.ended(lost)["state"] == "done"
    assert not (server.service.folders.job(stopped) / "out").exists()
