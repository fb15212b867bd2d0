"""Weights of foreign hosts: which there are, under which licence, and where they lie on this machine. Listing
and finding need no torch and no network.

They lie in ``MEDSEGR_HOME`` (else ``$XDG_CACHE_HOME/medsegr``, else ``~/.cache/medsegr``), below ``hosts/``:
one folder a host, as transformers writes it, with ``host.json`` beside (where from, and the SHA-256 of the
weights at the first pull).
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medsegr.errors import UsageError, WeightsError

TABLE = Path(__file__).with_name("hosts.toml")
WEIGHTS, CONFIG, RECORD, PROCESSOR = (
    "model.safetensors",
    "config.json",
    "host.json",
    "preprocessor_config.json",
)
PAGE = "https://huggingface.co/"
Normal = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table; fields as ``hosts.toml`` tells them. ``sha256`` is a pinned hash of the weights, ""
    where none is known."""

    name: str
    family: str
    repo: str
    licence: str
    size: int
    width: int
    seen: str = "not verified"
    gated: bool = False
    file: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    sha256: str = ""

    @property
    def normal(self) -> Normal | None:
        """Means and deviations, where they are not the family's."""
        return (self.mean, self.std) if self.mean else None


@dataclass(frozen=True, slots=True)
class Found:
    """A host's weights on this machine: a folder of transformers. ``sha256`` is what its record says, "" for
    a folder without one."""

    name: str
    folder: Path
    sha256: str = ""

    @property
    def weights(self) -> Path:
        """The file of tensors."""
        return self.folder / WEIGHTS


@cache
def table() -> dict[str, Entry]:
    """All hosts with public weights, by name."""
    raw: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Entry(name, **{k: _plain(v) for k, v in row.items()}) for name, row in raw.items()}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def entry(name: str) -> Entry:
    """One row. UsageError for a name that is not there."""
    known = table()
    if name not in known:
        raise UsageError(f"no host is called '{name[:40]}'; known are {', '.join(known)}")
    return known[name]


def home() -> Path:
    """Where this machine keeps what was pulled."""
    if told := os.environ.get("MEDSEGR_HOME"):
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medsegr"


def place(name: str) -> Path:
    """The folder of a host's weights, there or not."""
    return home() / "hosts" / name


def here() -> Iterator[Found]:
    """All hosts of this machine."""
    for record in sorted((home() / "hosts").glob(f"[!.]*/{RECORD}")):
        told = read_json(record)
        folder = Path(told["folder"]) if told.get("folder") else record.parent
        if not folder.is_dir():  # it was moved since
            continue
        yield Found(str(told.get("name", record.parent.name)), folder, str(told.get("sha256", "")))


def find(given: str, sha256: str = "") -> Found:
    """The host that a name or a folder means, or that has the given hash of weights.

    WeightsError where it is not here, with what brings it.
    """
    folder = Path(given)
    if given and folder.is_dir():
        return Found(folder.resolve().name, folder)
    known = list(here())
    for found in known:
        if (found.sha256 == sha256) if sha256 else (found.name == given):
            return found
    if sha256 and any(found.name == given for found in known):
        raise WeightsError(
            f"the host '{given}' is here with other weights than SHA-256 {sha256[:12]}..., which were asked "
            "for; bring those weights and give their folder"
        )
    if given in table():
        raise WeightsError(f"the weights of '{given}' are not here: medsegr models pull {given}")
    if sha256:
        raise WeightsError(
            f"the host '{given}' (weights with SHA-256 {sha256[:12]}...) is not here: medsegr models add "
            "FOLDER, with the folder that holds it"
        )
    raise WeightsError(
        f"'{given}' is neither a folder nor a host that is known; known are {', '.join(table())}"
    )


def digest(path: Path) -> str:
    """SHA-256 of a file. WeightsError where there is none."""
    if not path.is_file():
        raise WeightsError(
            f"{path.parent.name} holds no {path.name}: a folder as transformers' save_pretrained writes it "
            "was expected, its weights in one file"
        )
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def verify(found: Found) -> str:
    """The hash of the weights, found equal to the one that is recorded."""
    now = digest(found.weights)
    if found.sha256 and now != found.sha256:
        raise WeightsError(
            f"the weights of '{found.name}' have SHA-256 {now[:12]}..., recorded is {found.sha256[:12]}...: "
            "remove the folder ('medsegr models path' names it) and pull them again"
        )
    return now


def remember(found: Found, sha256: str) -> None:
    """Note where a folder of weights lies, so that checkpoints that stand on it find it by its hash."""
    if any(one.sha256 == sha256 for one in here()):
        return
    target = home() / "hosts" / f"{found.name}-{sha256[:12]}"
    target.mkdir(parents=True, exist_ok=True)
    told = {"name": found.name, "sha256": sha256, "folder": str(found.folder.resolve())}
    write_json(told, target / RECORD)


def normal_of(found: Found) -> Normal | None:
    """Means and deviations of the pictures: the table's, else those of the folder's own note, else None."""
    row = table().get(found.name)
    if row is not None:
        return row.normal
    path = found.folder / PROCESSOR
    if not path.is_file():
        return None
    told = read_json(path)
    mean, std = told.get("image_mean"), told.get("image_std")
    return (tuple(mean), tuple(std)) if mean and std else None


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object. WeightsError for something else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.parent.name}/{path.name} cannot be read as JSON: {error}") from error
    if not isinstance(told, dict):
        raise WeightsError(f"{path.parent.name}/{path.name} holds no JSON object")
    return told


def write_json(told: dict[str, Any], path: Path) -> None:
    """To a temporary name, then renamed."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)
