"""A cache on disk of what no word can change: the maps that a picture becomes before the first site.

One safetensors file a picture, named by the hash of its pixels, of the network's shared part and of the size.
The oldest go when the folder outgrows its limit. A disk that is full costs one warning and the cache, not the
run; a file that is cut short or damaged is never read as whole.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from medsegr.backends import store
from medsegr.fitting.tuning import identity
from medsegr.sam.host import Shared

LOG = logging.getLogger("medsegr")
SUFFIX = ".safetensors"
GB = 1e9


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cache lies and how large it may grow, in gigabytes (1e9 bytes)."""

    folder: Path
    gb: float = 10.0


class FeatureCache:
    """``stands`` names the shared part of a network (:func:`shared_part`), which runs on ``device``."""

    def __init__(self, place: Place, stands: str, device: str = "cpu") -> None:
        self.place = place
        self.stands = stands
        self.device = device
        self.full = False

    def through(self, key: str, make: Callable[[], Shared]) -> Shared:
        """What ``make`` gives for a picture (or chunk of slices), from the disk where it is there. ``key``:
        hash of its pixels and of how they are shown."""
        path = self.place.folder / (hashlib.sha256(f"{key} {self.stands}".encode()).hexdigest() + SUFFIX)
        kept = self._read(path)
        if kept is None:
            kept = make()
            self._write(path, kept)
        return kept

    def _read(self, path: Path) -> Shared | None:
        if not path.is_file():
            return None
        try:
            tensors = load_file(path, device=self.device)
            store.used(path)
        except (OSError, SafetensorError, ValueError):
            path.unlink(missing_ok=True)
            return None
        return tuple(tensors[name] for name in sorted(tensors, key=int))

    def _write(self, path: Path, shared: Shared) -> None:
        if self.full:
            return
        tensors = {str(at): value.detach().cpu().contiguous() for at, value in enumerate(shared)}
        size = sum(value.numel() * value.element_size() for value in tensors.values())
        if size > self.place.gb * GB:
            return
        temporary = path.with_name(f".{path.stem}-{os.getpid()}.part")
        try:
            self.place.folder.mkdir(parents=True, exist_ok=True)
            store.trim(self.place.folder, self.place.gb * GB - size, names=f"[!.]*{SUFFIX}")
            save_file(tensors, temporary)
            os.replace(temporary, path)
        except (OSError, SafetensorError) as error:
            self.full = True
            temporary.unlink(missing_ok=True)
            LOG.warning("the feature cache cannot be written (%s): going on without it", type(error).__name__)


def shared_part(model: Any, sha256: str) -> str:
    """A name of what a network does before its first site: the host's hash where that part is frozen, so that
    all checkpoints on one host share it, else the checkpoint's own ``sha256``."""
    told = identity(model)
    if told is None or model.host.grows:
        return sha256
    host = model.host
    return f"{host.family.name} {told.sha256} {host.setting.used[0]} {host.setting.normal}"
