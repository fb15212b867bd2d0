"""A place below the user's cache folder for what can be made again: converted models, compiled models.

Bounded: what was used longest ago goes first. Nothing that fails here stops a run; it costs time again.
"""

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

LOG = logging.getLogger("medsegr")
MOST = 2**30  # bytes
SPARE = 64 * 2**20  # bytes that stay free on the disk
VARIABLE = "MEDSEGR_CACHE"


def place(environment: Mapping[str, str] | None = None) -> Path:
    """``$MEDSEGR_CACHE``, else ``medsegr`` below the user's cache folder on this system. Not made here."""
    known = os.environ if environment is None else environment
    if known.get(VARIABLE):
        return Path(known[VARIABLE])
    if sys.platform == "win32" and known.get("LOCALAPPDATA"):
        return Path(known["LOCALAPPDATA"]) / "medsegr" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "medsegr"
    return Path(known.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medsegr"


def room(folder: Path, need: int) -> Path | None:
    """``folder``, made and fit for ``need`` more bytes; None and one warning where it cannot be written or
    the disk is full."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        short = shutil.disk_usage(folder).free < need + SPARE
        reason = (
            "the disk is full" if short else "" if os.access(folder, os.W_OK) else "it may not be written"
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason:
        LOG.warning("the cache is not used: %s; models are prepared again in every run", reason)
        return None
    return folder


def used(path: Path) -> None:
    """Note that something in the cache was used now."""
    try:
        os.utime(path)
    except OSError:  # read only, or gone: then it is just older
        return


def trim(folder: Path, most: float = MOST, spare: Path | None = None, names: str = "*") -> None:
    """Remove what was used longest ago until the folder's entries that match ``names`` hold at most ``most``
    bytes together; ``spare`` stays."""
    found = []
    for entry in folder.glob(names):
        try:
            found.append((entry.stat().st_mtime, entry, size_of(entry)))
        except OSError:  # another process is trimming
            continue
    held = sum(size for _, _, size in found)
    for _, entry, size in sorted(found):
        if held <= most:
            return
        if entry == spare:
            continue
        held -= size
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
