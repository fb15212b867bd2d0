"""Keys of the people and programs that may ask the server: a file with a line a key, and only its hash.

    # NAME ROLE SHA256HEX [LAST-DAY]
    ward-7 write 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 2027-01-31

NAME is 1 to 64 letters, digits, dots, dashes or underscores, and stands for the key in the store and the
logs. ROLE is ``read`` (look), ``write`` (also upload, ask, refine, delete what is its own) or ``admin`` (also
delete what is others', and send to a PACS). LAST-DAY is the last day, UTC, on which the key is good. Empty
lines and lines that begin with ``#`` are left alone.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from medsegr.errors import InputError, UsageError
from medsegr.io.write import atomic_write

ROLES = ("read", "write", "admin")  # each may do what those before it may
PREFIX = "medsegr_"  # so that scanners for lost secrets can know a key of ours
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
LARGEST = 2**20  # bytes of a key file
LONGEST = 512  # characters of a key that are looked at
SHAPE = "NAME ROLE SHA256HEX or NAME ROLE SHA256HEX YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the file. ``sha256`` is that of the key's UTF-8 bytes, in lower case."""

    name: str
    role: str
    sha256: str
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key's name ("" on loopback without keys) and its role."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether the caller's role reaches ``role``."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("", "admin")  # whoever sits at this machine, where no keys are asked for


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file. InputError where it cannot be read, has no key, others may write it, or a line is
    none; the message names the line's number and never what stands on it."""
    try:
        mode = path.stat()
        if not stat.S_ISREG(mode.st_mode) or mode.st_size > LARGEST:
            raise InputError(f"the key file is no plain file of at most {LARGEST // 2**20} MiB; give another")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"the key file cannot be read ({said}); make one with medsegr serve --new-key"
        ) from error
    if os.name == "posix" and mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError("the key file may be written by others, who could let themselves in: chmod go-w it")
    keys = tuple(
        _key(line, number)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    )
    if not keys:
        raise InputError("the key file holds no key; add one with medsegr serve --new-key NAME ROLE FILE")
    names = [key.name for key in keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the key file has the name {twice[0]} twice: give each key a name of its own")
    return keys


def _key(line: str, number: int) -> Key:
    parts = line.split()
    told = f"line {number} of the key file is not {SHAPE}"
    if len(parts) not in (3, 4) or not NAME.fullmatch(parts[0]) or not SHA256.fullmatch(parts[2]):
        raise InputError(told)
    if parts[1] not in ROLES:
        raise InputError(f"{told}: the role must be one of {', '.join(ROLES)}")
    try:
        last = date.fromisoformat(parts[3]) if len(parts) == 4 else None
    except ValueError as error:
        raise InputError(f"{told}: the fourth field must be a day") from error
    return Key(parts[0], parts[1], parts[2].lower(), last)


def find(keys: tuple[Key, ...], given: str) -> Key | None:
    """The key that ``given`` is, or None. Every line is compared, each in constant time, so that the time
    taken tells nothing about the keys."""
    digest = hashlib.sha256(given[:LONGEST].encode("utf-8", "surrogatepass")).hexdigest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found if len(given) <= LONGEST else None


def new_key(name: str, role: str, path: Path, last: date | None = None) -> str:
    """Add a key to the file (made where there is none, readable by its owner only) and return it.

    The key is in no file: whoever loses it makes another. The file is replaced whole, its other lines as they
    were. UsageError for a name or role that cannot be, or a name that is taken; InputError as in
    :func:`read_keys`.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            "a key's name is 1 to 64 letters, digits, dots, dashes or underscores, and begins with a letter "
            f"or digit: {name[:40]!r} came"
        )
    if role not in ROLES:
        raise UsageError(f"the role {role[:40]!r} came: one of {', '.join(ROLES)} was expected")
    before = ""
    if path.exists():
        if path.stat().st_size and any(key.name == name for key in read_keys(path)):
            raise UsageError(
                f"the key file has a key {name} already: choose another name, or remove its line"
            )
        before = path.read_text(encoding="utf-8")
        before += "\n" if before and not before.endswith("\n") else ""
    key = PREFIX + secrets.token_urlsafe(32)
    line = f"{name} {role} {hashlib.sha256(key.encode()).hexdigest()}"
    line += f" {last.isoformat()}" if last else ""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    with atomic_write(path) as part:
        part.touch(mode=0o600)
        part.write_text(f"{before}{line}\n", encoding="utf-8")
        part.chmod(mode)
    return key


class Keyring:
    """The keys of a file, read again whenever it changes, so that a key is added or taken away without a
    restart. Threads may share one.

    Where the file becomes unreadable nobody is let in until it is whole again.
    """

    def __init__(self, path: Path, today: Callable[[], date] | None = None) -> None:
        """Reads the file at once. InputError as in :func:`read_keys`. ``today`` gives the day, UTC."""
        self.path = path
        self._today = today or (lambda: datetime.now(UTC).date())
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._keys: tuple[Key, ...] | None = read_keys(path)

    def caller(self, given: str) -> Caller | str:
        """Who gave this key; else why nobody: the code "unauthorized", "key_expired" or "keys_unreadable"."""
        keys = self._fresh()
        if keys is None:
            return "keys_unreadable"
        key = find(keys, given)
        if key is None:
            return "unauthorized"
        if key.last is not None and self._today() > key.last:
            return "key_expired"
        return Caller(key.name, key.role)

    def _fresh(self) -> tuple[Key, ...] | None:
        with self._lock:
            stamp = self._look()
            if stamp is None or stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keys = read_keys(self.path)
                except InputError:
                    self._keys = None
            return self._keys

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
