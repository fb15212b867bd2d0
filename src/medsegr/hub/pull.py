"""Fetching a host's weights, on request only: into a folder beside, checked, then renamed. A pull that was
cut short leaves nothing that could be taken for whole; what a killed one left goes with the next.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medsegr.errors import MissingExtra, WeightsError
from medsegr.hub import (
    CONFIG,
    PAGE,
    PROCESSOR,
    RECORD,
    WEIGHTS,
    Entry,
    Found,
    digest,
    entry,
    find,
    place,
    verify,
    write_json,
)

Fetch = Callable[[Entry, Path], str]
Convert = Callable[[Path, Entry, Path], object]
LOCK = ".lock"  # in a folder that is being filled, held by the process that fills it
TRIES = 10


def pull(name: str, convert: Convert, fetch: "Fetch | None" = None) -> Found:
    """The host's weights, fetched if they are not here.

    ``fetch(entry, folder)`` puts the files there and says their revision; ``convert(file, entry, folder)``
    makes a folder of transformers of a file in the layout of its authors. WeightsError, in one line, for a
    gate without login, no network, or weights that are not the known ones.
    """
    row, target = entry(name), place(name)
    sweep(target)
    if (target / RECORD).is_file():
        found = find(name)
        verify(found)
        return found
    with settled(target) as folder:
        revision = (fetch or from_hub)(row, folder)
        if row.file:
            convert(folder / row.file, row, folder)
            (folder / row.file).unlink()
        sha256 = digest(folder / WEIGHTS)
        if row.sha256 and sha256 != row.sha256:
            raise WeightsError(
                f"the weights of '{name}' came with SHA-256 {sha256[:12]}..., known is {row.sha256[:12]}...: "
                "nothing was kept"
            )
        told = {"name": name, "sha256": sha256, "repo": row.repo, "revision": revision}
        write_json({**told, "licence": row.licence}, folder / RECORD)
    return find(name)


@contextmanager
def settled(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` that becomes it when all went well, and vanishes when not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder, lock = _own_folder(target)
    try:
        yield folder
        if target.exists():
            raise WeightsError(f"the folder {target.name} is there already; remove it first")
        os.replace(folder, target)
        (target / LOCK).unlink(missing_ok=True)  # not before: whoever sweeps would find it without a holder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def sweep(target: Path) -> None:
    """Remove the folders that killed processes left beside ``target``, and none that is being filled now.

    A process that ends, however it ends, lets go of its lock: ages and process numbers, which containers
    share, are not asked. Where there are no locks, or the folder is another user's, it stays.
    """
    for folder in target.parent.glob(".part-*") if target.parent.is_dir() else ():
        if folder.name.startswith(f".part-{target.name}-"):
            try:
                lock = _held(folder)
            except OSError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _own_folder(target: Path) -> tuple[Path, int | None]:
    """A new folder with its lock (None where there are no locks). One that somebody swept between the two is
    given up for another."""
    for _ in range(TRIES):
        folder = target.parent / f".part-{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            return folder, _held(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:
            return folder, None
    raise WeightsError(f"a folder beside {target.name} was removed {TRIES} times; try again")


def _held(folder: Path) -> int:
    """The descriptor of a folder's lock, which is held until it is closed or the process ends.

    BlockingIOError where another process has it, FileNotFoundError where the folder went meanwhile, OSError
    on systems and disks without such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise OSError("no locks on this system") from None
    path = folder / LOCK
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino != os.fstat(lock).st_ino:
            raise FileNotFoundError(path.name)
    except OSError:
        os.close(lock)
        raise
    return lock


def from_hub(row: Entry, folder: Path) -> str:
    """Fetch from the Hugging Face hub; the commit it came from."""
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub import errors as told
    except ImportError as error:
        raise MissingExtra("pulling weights needs the 'sam' extra: pip install 'medsegr[sam]'") from error
    wanted = [row.file] if row.file else [CONFIG, WEIGHTS, PROCESSOR]
    try:
        revision = str(HfApi().model_info(row.repo).sha)
        snapshot_download(row.repo, revision=revision, allow_patterns=wanted, local_dir=folder)
    except told.GatedRepoError as error:
        raise WeightsError(
            f"the weights of '{row.name}' are gated: log in (hf auth login), accept the licence at "
            f"{PAGE}{row.repo}, then pull again"
        ) from error
    except told.RepositoryNotFoundError as error:
        raise WeightsError(
            f"the hub has no {row.repo}, or shows it after a login only: see {PAGE}{row.repo}"
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise _unreachable(row, error) from error
        raise WeightsError(
            f"the disk is full: '{row.name}' was not kept; make room, or set MEDSEGR_HOME to a folder on a "
            "larger disk"
        ) from error
    except Exception as error:  # the hub's own, and those of the HTTP library below it, which changes
        raise _unreachable(row, error) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's own notes
    return revision


def _unreachable(row: Entry, error: Exception) -> WeightsError:
    return WeightsError(
        f"'{row.name}' could not be fetched from {PAGE}{row.repo} ({type(error).__name__}): a network "
        "and HF_HUB_OFFLINE unset are needed for this once"
    )
