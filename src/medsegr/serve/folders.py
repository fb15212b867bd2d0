"""Where things lie below ``--data-dir``. Every name in a path is one that we made."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from medsegr.errors import InputError
from medsegr.io.write import write_json
from medsegr.serve.ids import checked
from medsegr.serve.refusal import is_full

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folders:
    """The places below ``root``. Ids are checked before they become a path (Refusal ``not_found``)."""

    root: Path

    def make(self) -> "Folders":
        """Make them, for this user alone. InputError where that cannot be."""
        try:
            for folder in (self.root, self.root / "images", self.root / "jobs", self.root / "sessions"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.name == "posix":
                self.root.chmod(0o700)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise InputError(f"--data-dir cannot be written ({why}); give another folder") from error
        return self

    def hold(self) -> Callable[[], None]:
        """Take the folder for one server; returns what gives it back, as the end of the process does.

        InputError where another server has it. Systems without ``fcntl`` take it at their own risk.
        """
        try:
            import fcntl
        except ImportError:
            return lambda: None
        lock = (self.root / "server.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise InputError(
                "--data-dir: another server works in this folder; end it, or give another folder"
            ) from error
        return lock.close

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "medsegr.sqlite"

    def image(self, image: str) -> Path:
        """Folder of an image: ``files/`` as uploaded under our names, ``image.json``."""
        return self.root / "images" / checked("i", image)

    def job(self, job: str) -> Path:
        """Folder of a job: ``words.json``, ``partial/`` while it runs, ``out/`` once it is done."""
        return self.root / "jobs" / checked("j", job)

    def out(self, job: str) -> Path:
        """The result folder of a job, as ``medsegr segment`` writes it."""
        return self.job(job) / "out"

    def session(self, session: str) -> Path:
        """Folder of a session."""
        return self.root / "sessions" / checked("s", session)


def write_private(obj: Any, path: Path) -> None:
    """JSON that only this user may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(obj, path)
    path.chmod(0o600)


def read_json(path: Path) -> Any:
    """JSON of ours; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remove(folder: Path) -> None:
    """A folder with all in it; nothing where there is none."""
    shutil.rmtree(folder, ignore_errors=True)


def forgotten(forget: Callable[[], T], folder: Path) -> T:
    """What ``forget`` gives, which takes the rows of a folder out of the store; the folder is its caller's to
    remove. On a disk so full that not even that can be noted the folder goes first, to make the room."""
    try:
        return forget()
    except sqlite3.OperationalError as error:
        if not is_full(error):
            raise
    remove(folder)
    return forget()
