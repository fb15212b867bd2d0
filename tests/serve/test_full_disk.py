"""A disk without room: whoever asks is told so, nothing is half there, and room can be made on it."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from medsegr.errors import InputError
from medsegr.io import write
from medsegr.serve.refusal import is_full
from medsegr.serve.sweeper import sweep
from served import Asked


@contextmanager
def no_room(
    server: Asked, patch: pytest.MonkeyPatch, full: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """The store and every file of ours as on a full disk, as long as ``full``."""
    store = server.service.store
    change, replace = store._change, write.os.replace

    @contextmanager
    def changed() -> Iterator[sqlite3.Connection]:
        if full():
            raise sqlite3.OperationalError("database or disk is full")
        with change() as base:
            yield base

    def moved(source: Any, target: Any) -> None:
        if full():
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        replace(source, target)

    with patch.context() as inside:
        inside.setattr(store, "_change", changed)
        inside.setattr(write.os, "replace", moved)
        yield


def refused(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    error = answer.json()["error"]
    assert error["code"] == "no_room"
    assert "disk is full" in error["message"]


def files(server: Asked) -> list[Path]:
    return sorted(path for path in server.service.folders.root.rglob("*/*") if path.is_file())


def test_whoever_asks_is_not_blamed_for_it(server: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    image, job = server.image()["id"], server.done()
    before = files(server)
    with no_room(server, monkeypatch):
        sent = {"files": ("a.png", b"\x89PNG", "image/png")}
        assert server.client.post("/v1/images", files=sent).status_code == 422  # no image: that is to be told
        refused(server.client.post("/v1/images/example/chest"))
        refused(server.client.post("/v1/jobs", json={"image": image, "report": "No mass."}))
        refused(server.client.post("/v1/sessions", json={"image": image}))
        refused(server.client.post("/v1/sessions", json={"job": job}))
        refused(server.client.get(f"/v1/jobs/{job}/result?format=csv"))
    assert files(server) == before
    assert server.client.get(f"/v1/jobs/{job}/result?format=csv").status_code == 200


def test_a_job_that_found_no_room_says_so(server: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def save(*_: Any) -> None:
            with write.atomic_write(server.service.folders.root / "x"):
                raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr("medsegr.pipeline.save", save)
        told = server.ended(server.job(server.image()["id"])["id"])
    assert (told["state"], told["error"]["code"]) == ("failed", "no_room")
    assert not (server.service.folders.job(told["id"]) / "out").exists()


@pytest.mark.parametrize("what", ["images", "jobs", "sessions"])
def test_deleting_makes_the_room_that_it_needs(
    server: Asked, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    job = server.done()
    session = server.client.post("/v1/sessions", json={"job": job}).json()["id"]
    image = server.client.get(f"/v1/jobs/{job}").json()["image"]
    own = {"images": image, "jobs": job, "sessions": session}[what]
    place = server.service.folders.root / what / own
    assert place.is_dir()
    with no_room(server, monkeypatch, place.exists):
        assert server.client.delete(f"/v1/{what}/{own}").status_code == 204
    assert not place.exists()
    assert server.client.get(f"/v1/{what}/{own}").status_code == 404


def test_where_deleting_makes_too_little_room_it_is_told(
    server: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = server.image()["id"]
    with no_room(server, monkeypatch):
        refused(server.client.delete(f"/v1/images/{image}"))
    assert server.client.delete(f"/v1/images/{image}").status_code == 204


def test_what_has_expired_goes_from_a_full_disk_the_largest_first(
    server: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = server.done()
    session = server.client.post("/v1/sessions", json={"job": job}).json()["id"]
    image = server.service.folders.image(server.client.get(f"/v1/jobs/{job}").json()["image"])
    with no_room(server, monkeypatch, image.exists):  # the image alone is large enough
        sweep(server.service, now=1e12)
    assert not files(server)
    assert server.service.store.session(session) is None
    assert server.service.store.images() == []


def test_a_session_can_be_looked_at_and_keeps_its_last_step(
    server: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = server.done()
    told = server.client.post("/v1/sessions", json={"job": job}).json()
    session = f"/v1/sessions/{told['id']}"
    click = {"finding": "f1", "points": [[20, 20, 1]]}
    assert server.client.post(f"{session}/refine", json=click).json()["steps"] == 1
    with no_room(server, monkeypatch):
        refused(server.client.post(f"{session}/refine", json=click))
        seen = server.client.get(session)
        assert seen.status_code == 200, seen.text
        assert seen.json()["steps"] == 1
        assert seen.json()["expires"] >= told["expires"]
        layer = seen.json()["view"]["findings"][0]["layer"]
        assert server.client.get(layer).status_code == 200
        refused(server.client.post(f"{session}/save"))
    assert server.client.post(f"{session}/refine", json=click).json()["steps"] == 2


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EACCES, ""), False),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("database is locked"), False),
        (
            InputError("output: it cannot be written (No space left on device)"),
            False,
        ),  # words alone are no proof
        (None, False),
    ],
)
def test_what_tells_of_a_full_disk(error: BaseException | None, full: bool) -> None:
    assert is_full(error) is full
    wrapped = InputError("output")
    wrapped.__cause__ = error
    assert is_full(wrapped) is full
