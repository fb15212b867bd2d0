"""What must outlive the server: images, jobs, events and sessions as rows of one SQLite file.

The server's process alone writes it (WAL: readers never wait). A change is one transaction, so that after
``kill -9`` a job is either accepted or was never answered. No report text and no name is in it.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from medsegr.errors import InputError
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import ENDED, EventRow, ImageRow, JobRow, SessionRow

VERSION = 1
TABLES = """
CREATE TABLE images (id TEXT PRIMARY KEY, owner TEXT, created REAL, expires REAL) WITHOUT ROWID;
CREATE TABLE jobs (id TEXT PRIMARY KEY, image TEXT, owner TEXT, state TEXT, created REAL, asked TEXT,
  stage TEXT, done INTEGER, total INTEGER, started REAL, finished REAL, expires REAL, code TEXT,
  message TEXT, tries INTEGER, stop TEXT, number INTEGER) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_image ON jobs (image);
CREATE TABLE events (job TEXT, number INTEGER, event TEXT, data TEXT, PRIMARY KEY (job, number))
  WITHOUT ROWID;
CREATE TABLE sessions (id TEXT PRIMARY KEY, image TEXT, job TEXT, owner TEXT, created REAL, expires REAL)
  WITHOUT ROWID;
"""
JOB = ", ".join(f.name for f in fields(JobRow))
IMAGE = ", ".join(f.name for f in fields(ImageRow))
SESSION = ", ".join(f.name for f in fields(SessionRow))


class Store:
    """One connection behind a lock: a transaction takes less than a millisecond, and threads wait in turn."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. InputError where it is another version's, or no SQLite."""
        self._lock = threading.RLock()
        try:
            self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            with self._change():
                found = int(self._base.execute("PRAGMA user_version").fetchone()[0])
                if found == 0:
                    for statement in TABLES.split(";"):
                        self._base.execute(statement)
                    self._base.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.Error as error:
            raise InputError(
                "--data-dir: its medsegr.sqlite cannot be opened: damaged, or not ours; give another folder"
            ) from error
        if found not in (0, VERSION):
            self._base.close()
            raise InputError(
                f"--data-dir was written by another version of medsegr (form {found}, expected {VERSION}); "
                "give another folder"
            )

    def close(self) -> None:
        """End the connection; what was committed is safe without it, too."""
        with self._lock:
            self._base.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # SQLite takes back itself what finds no room
                    self._base.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._base.execute(sql, values).fetchall()

    # images

    def add_image(self, row: ImageRow) -> None:
        """Note an image; its files lie in place already."""
        with self._change() as base:
            base.execute(f"INSERT INTO images ({IMAGE}) VALUES (?, ?, ?, ?)", _values(row))

    def image(self, image: str) -> ImageRow | None:
        """The image, or None."""
        found = self._rows(f"SELECT {IMAGE} FROM images WHERE id = ?", image)
        return ImageRow(*found[0]) if found else None

    def images(self) -> list[ImageRow]:
        """All images, oldest first."""
        return [ImageRow(*row) for row in self._rows(f"SELECT {IMAGE} FROM images ORDER BY created")]

    def remove_image(self, image: str) -> tuple[list[str], list[str]]:
        """Forget an image with its jobs and sessions; returns the ids of these."""
        with self._change() as base:
            jobs = [row[0] for row in base.execute("SELECT id FROM jobs WHERE image = ?", (image,))]
            sessions = [row[0] for row in base.execute("SELECT id FROM sessions WHERE image = ?", (image,))]
            for job in jobs:
                base.execute("DELETE FROM events WHERE job = ?", (job,))
            for table in ("jobs", "sessions"):
                base.execute(f"DELETE FROM {table} WHERE image = ?", (image,))
            base.execute("DELETE FROM images WHERE id = ?", (image,))
        return jobs, sessions

    def keep_image(self, image: str, until: float) -> None:
        """Keep an image at least so long: something that is made of it is kept so long, too."""
        with self._change() as base:
            base.execute("UPDATE images SET expires = max(expires, ?) WHERE id = ?", (until, image))

    # jobs

    def add_job(self, row: JobRow, most: int) -> None:
        """Put a job at the end of the queue, or note one that has ended. Refusal ``queue_full`` where so many
        (``most``) wait already, ``not_found`` where its image went meanwhile."""
        with self._change() as base:
            if not base.execute("SELECT 1 FROM images WHERE id = ?", (row.image,)).fetchone():
                raise Refusal("not_found", "there is no such image")
            if row.state == "queued" and self.waiting() >= most:
                raise Refusal("queue_full", headers={"Retry-After": "5"})
            number = base.execute("SELECT coalesce(max(number), 0) + 1 FROM jobs").fetchone()[0]
            marks = ", ".join("?" * (len(_values(row)) + 1))
            base.execute(f"INSERT INTO jobs ({JOB}, number) VALUES ({marks})", (*_values(row), number))
            _tell(base, row.id, "state", {"state": row.state})
            if row.state in ENDED:
                _tell(base, row.id, "end", {"state": row.state, "error": None})

    def job(self, job: str) -> JobRow | None:
        """The job, or None."""
        found = self._rows(f"SELECT {JOB} FROM jobs WHERE id = ?", job)
        return JobRow(*found[0]) if found else None

    def jobs(self, most: int = 20) -> list[JobRow]:
        """The newest jobs, newest first."""
        return [
            JobRow(*row) for row in self._rows(f"SELECT {JOB} FROM jobs ORDER BY number DESC LIMIT ?", most)
        ]

    def waiting(self) -> int:
        """How many jobs wait in the queue."""
        return int(self._rows("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0])

    def seconds(self) -> float | None:
        """What the last twenty jobs took on average; None where none has ended."""
        sql = (
            "SELECT avg(took) FROM (SELECT finished - started AS took FROM jobs WHERE started IS NOT NULL "
            "AND finished IS NOT NULL ORDER BY number DESC LIMIT 20)"
        )
        found = self._rows(sql)[0][0]
        return None if found is None else float(found)

    def claim(self) -> JobRow | None:
        """The next job of the queue, now running; None where none waits."""
        with self._change() as base:
            found = base.execute(
                f"SELECT {JOB} FROM jobs WHERE state = 'queued' ORDER BY number LIMIT 1"
            ).fetchone()
            if found is None:
                return None
            job, now = found[0], time.time()
            base.execute(
                "UPDATE jobs SET state = 'running', started = ?, tries = tries + 1, stage = 'read', "
                "done = 0, total = 0 WHERE id = ?",
                (now, job),
            )
            _tell(base, job, "state", {"state": "running"})
        return self.job(job)

    def progress(self, job: str, stage: str, done: int, total: int) -> None:
        """How far a running job is. A job that runs again does not go back on its stream: numbers grow."""
        with self._change() as base:
            sql = "UPDATE jobs SET stage = ?, done = ?, total = ? WHERE id = ? AND state = 'running'"
            if base.execute(sql, (stage, done, total, job)).rowcount:
                _tell(base, job, "progress", {"stage": stage, "done": done, "total": total})

    def found(self, job: str, finding: str) -> None:
        """A finding is judged; what became of it lies in the job's folder."""
        with self._change() as base:
            if base.execute("SELECT 1 FROM jobs WHERE id = ? AND state = 'running'", (job,)).fetchone():
                _tell(base, job, "finding", {"finding": finding})

    def finish(self, job: str, state: str, keep: float, error: tuple[str, str] | None = None) -> bool:
        """The end of a job that has none yet; it is kept ``keep`` seconds. False where it had one."""
        now = time.time()
        code, message = error or (None, None)
        with self._change() as base:
            changed = base.execute(
                "UPDATE jobs SET state = ?, finished = ?, expires = ?, code = ?, message = ?, stage = NULL "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (state, now, now + keep, code, message, job),
            ).rowcount
            if changed:
                base.execute(
                    "UPDATE images SET expires = max(expires, ?) "
                    "WHERE id = (SELECT image FROM jobs WHERE id = ?)",
                    (now + keep, job),
                )
                told = None if error is None else {"code": code, "message": message}
                _tell(base, job, "end", {"state": state, "error": told})
        return bool(changed)

    def stop(self, job: str, why: str) -> None:
        """Note that a running job is to stop, and why."""
        with self._change() as base:
            base.execute("UPDATE jobs SET stop = ? WHERE id = ? AND state = 'running'", (why, job))

    def requeue(self, job: str, charged: bool = True) -> None:
        """A running job goes back to its place in the queue; ``charged``: that try counts."""
        with self._change() as base:
            changed = base.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, stage = NULL, done = 0, total = 0, "
                "tries = tries - ? WHERE id = ? AND state = 'running'",
                (0 if charged else 1, job),
            ).rowcount
            if changed:
                _tell(base, job, "state", {"state": "queued"})

    def running(self) -> list[JobRow]:
        """Jobs that are noted as running; at a start these are those that a killed server left."""
        return [JobRow(*row) for row in self._rows(f"SELECT {JOB} FROM jobs WHERE state = 'running'")]

    def remove_job(self, job: str) -> None:
        """Forget a job and its events."""
        with self._change() as base:
            base.execute("DELETE FROM events WHERE job = ?", (job,))
            base.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def events(self, job: str, after: int = 0, most: int = 200) -> list[EventRow]:
        """Events of a job with numbers above ``after``, in order."""
        sql = "SELECT number, event, data FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?"
        return [EventRow(n, event, json.loads(data)) for n, event, data in self._rows(sql, job, after, most)]

    def expired(self, now: float) -> tuple[list[str], list[str], list[str]]:
        """Ids of images, jobs and sessions whose time is over. An image stays while a job of it has not
        ended."""
        jobs = self._rows("SELECT id FROM jobs WHERE expires IS NOT NULL AND expires < ?", now)
        images = self._rows(
            "SELECT id FROM images WHERE expires < ? AND NOT EXISTS (SELECT 1 FROM jobs "
            "WHERE image = images.id AND state IN ('queued', 'running'))",
            now,
        )
        sessions = self._rows("SELECT id FROM sessions WHERE expires < ?", now)
        return [r[0] for r in images], [r[0] for r in jobs], [r[0] for r in sessions]

    # sessions

    def add_session(self, row: SessionRow) -> None:
        """Note a session; its image is kept as long. Refusal ``not_found`` where that went meanwhile."""
        with self._change() as base:
            sql = "UPDATE images SET expires = max(expires, ?) WHERE id = ?"
            if not base.execute(sql, (row.expires, row.image)).rowcount:
                raise Refusal("not_found", "there is no such image")
            base.execute(f"INSERT INTO sessions ({SESSION}) VALUES (?, ?, ?, ?, ?, ?)", _values(row))

    def session(self, session: str) -> SessionRow | None:
        """The session, or None."""
        found = self._rows(f"SELECT {SESSION} FROM sessions WHERE id = ?", session)
        return SessionRow(*found[0]) if found else None

    def touch_session(self, session: str, expires: float) -> None:
        """Keep a session, and with it its image, until then."""
        with self._change() as base:
            base.execute("UPDATE sessions SET expires = ? WHERE id = ?", (expires, session))
            base.execute(
                "UPDATE images SET expires = max(expires, ?) "
                "WHERE id = (SELECT image FROM sessions WHERE id = ?)",
                (expires, session),
            )

    def remove_session(self, session: str) -> None:
        """Forget a session."""
        with self._change() as base:
            base.execute("DELETE FROM sessions WHERE id = ?", (session,))


def _tell(base: sqlite3.Connection, job: str, event: str, data: dict[str, Any]) -> None:
    sql = "SELECT coalesce(max(number), 0) + 1 FROM events WHERE job = ?"
    number = base.execute(sql, (job,)).fetchone()[0]
    base.execute(
        "INSERT INTO events (job, number, event, data) VALUES (?, ?, ?, ?)",
        (job, number, event, json.dumps(data)),
    )


def _values(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, f.name) for f in fields(row))
