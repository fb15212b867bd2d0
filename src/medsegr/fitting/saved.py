"""What a run keeps on disk: the whole state to go on from, and weights of another run to begin with. Our own
files, read with ``weights_only``.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from medsegr import weights
from medsegr.errors import InputError, WeightsError
from medsegr.fitting.tuning import identity, plain
from medsegr.nn.blocks import Mlp
from medsegr.reasoning.attributes import AttributeTokens
from medsegr.reasoning.codes import Vocabulary

LAST, BEST = "last.pt", "best.pt"


@dataclass(slots=True)
class State:
    """Where a run stands; saved whole, so that a killed run goes on as if nothing had been.

    ``recent`` are the loss terms since the last row of the log; ``best`` the best validation so far,
    ``since`` how many came after it, the last at step ``judged``, ``judged_after`` seconds.
    """

    step: int = 0
    seconds: float = 0.0
    images: int = 0
    recent: list[dict[str, float]] = field(default_factory=list)
    best: float = -1.0
    since: int = 0
    judged: int = -1
    judged_after: float = 0.0


class Average:
    """Exponential moving average of the weights, ramped up; running statistics are copied."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """One step."""
        rate = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value.detach(), 1 - rate)
            else:
                self.state[name].copy_(value)


@dataclass(frozen=True, slots=True)
class Kept:
    """The parts of a run that change, and the codes of its table. ``adapters``: their rank, 0 without."""

    model: Any
    optimiser: torch.optim.Optimizer
    average: Average
    state: State
    words: Vocabulary
    adapters: int = 0


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes ``path`` when all is written. InputError where it cannot
    be: nothing is left of it then, and what ``path`` held before is kept."""
    temporary = path.with_suffix(".part")
    try:
        yield temporary
        os.replace(temporary, path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors hide the system's word
        temporary.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else None
        free = shutil.disk_usage(path.parent).free // 2**20
        raise InputError(
            f"{path.name} cannot be written ({reason or type(error).__name__}; {free:,} MiB are free there): "
            "make room and give the same command again; what was saved before is kept"
        ) from error


def save(kept: Kept, path: Path) -> None:
    """Write the whole state, to a temporary name, then renamed. InputError where there is no room."""
    stored = {
        "host": host_of(kept.model),
        "model": kept.model.state_dict(),
        "average": kept.average.state,
        "optimiser": kept.optimiser.state_dict(),
        "state": asdict(kept.state),
        "codes": list(kept.words.codes),
        "adapters": kept.adapters,
        "rng": torch.get_rng_state(),
    }
    with whole(path) as temporary:
        torch.save(stored, temporary)


def host_of(model: Any) -> dict[str, str]:
    """Name and hash of the foreign host that a network stands on; empty for our own."""
    told = identity(model)
    return {} if told is None else {"name": told.name, "sha256": told.sha256}


def noted_host(path: Path) -> dict[str, str]:
    """Name and hash of the foreign host that an exported checkpoint notes; empty for our own."""
    with safe_open(path, framework="pt") as handle:
        told: dict[str, str] = json.loads((handle.metadata() or {}).get("host", "{}"))
    return told


def same_host(path: Path, told: Mapping[str, str], model: Any) -> None:
    """WeightsError, by name, where what ``path`` holds was trained on another host than the network's."""
    own = host_of(model)
    if told.get("sha256", "") != own.get("sha256", ""):
        names = [
            f"'{one['name']}' (SHA-256 {one['sha256'][:12]}...)" if one else "our own" for one in (told, own)
        ]
        raise WeightsError(
            f"{path.name} was trained on the host {names[0]}, this network stands on {names[1]}"
        )


def read(path: Path) -> dict[str, Any]:
    """What :func:`save` wrote. A file of another kind, or one cut short, is a WeightsError."""
    try:
        stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if {"average", "codes", "state"} <= set(stored):
            return stored
    except Exception as error:  # whatever a damaged file makes torch say
        raise WeightsError(
            f"{path.name} cannot be read ({type(error).__name__}): expected what a training run wrote; "
            "remove it to begin anew"
        ) from error
    raise WeightsError(f"{path.name} holds no training run; expected the last.pt or best.pt of one")


def resume(path: Path, kept: Kept) -> None:
    """Go on from ``path`` if it exists."""
    if not path.exists():
        return
    stored = read(path)
    if int(stored.get("adapters", 0)) != kept.adapters:
        raise WeightsError(f"{path.name} is of a run with another tune or rank; give another folder")
    same_host(path, stored.get("host", {}), kept.model)
    kept.model.load_state_dict(stored["model"])
    kept.optimiser.load_state_dict(stored["optimiser"])
    average = kept.average
    average.state = {name: value.to(average.state[name].device) for name, value in stored["average"].items()}
    for one in fields(kept.state):
        setattr(kept.state, one.name, stored["state"].get(one.name, getattr(kept.state, one.name)))
    if "rng" in stored:
        torch.set_rng_state(stored["rng"])


def stored_vocabulary(path: Path) -> Vocabulary | None:
    """The codes of a run to go on with: its embedding table keeps its order even when the data now give other
    codes."""
    return Vocabulary(tuple(read(path)["codes"])) if path.exists() else None


def averaged(path: Path) -> tuple[dict[str, Tensor], list[str], dict[str, str]]:
    """Averaged weights without adapters, codes and host of a run's ``.pt`` or an exported
    ``*.safetensors``."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
            return tensors, json.loads((handle.metadata() or {})["codes"]), noted_host(path)
    stored = read(path)
    return merged(stored), stored["codes"], stored.get("host", {})


def merged(stored: Mapping[str, Any]) -> dict[str, Tensor]:
    """The averaged weights of a stored run as those of a plain network: adapters are added in."""
    return plain(stored["average"], Vocabulary(tuple(stored["codes"])), int(stored.get("adapters", 0)))


def warm_start(path: Path, model: Any, words: Vocabulary, part: str | None = None) -> int:
    """Averaged weights of another run or checkpoint, rows of the code table and of the attribute head matched
    by code.

    With ``part`` it may be another network's: of what both have, that whose names begin so. Returns how many
    codes of ``words`` keep their fresh vectors: those not known there, and all where the table is not taken.
    WeightsError where nothing fits.
    """
    tensors, codes, host = averaged(path)
    target = model.state_dict()
    tables = Tables(*_tables(model), len(words.codes), len(codes))
    if part is not None:
        tensors = {
            name: value
            for name, value in tensors.items()
            if name.startswith(part) and name in target and tables.fit(name, target[name].shape, value.shape)
        }
    if not tensors:
        what = f"weights '{part}...'" if part else "weights"
        raise WeightsError(f"{path.name} shares no {what} with this network: begin with others")
    same_host(path, host, model)
    for name, value in sorted(tensors.items()):
        if name not in target:
            raise WeightsError(f"{path.name} is of another network: it holds {name}, which this one lacks")
        if not tables.fit(name, target[name].shape, value.shape):
            raise WeightsError(
                f"{path.name} is of another network: {name} is {tuple(value.shape)} there, "
                f"{tuple(target[name].shape)} here"
            )
    before = {code: row for row, code in enumerate(codes)}
    rows = [(row, before[code]) for row, code in enumerate(words.codes) if code in before]
    new, old = torch.tensor(rows, dtype=torch.long).reshape(-1, 2).T
    for name, value in tensors.items():
        if name in tables.names:
            target[name][new] = value[old].to(target[name].dtype)  # exported in half precision
        else:
            target[name].copy_(value)
    taken = tables.vectors is None or tables.vectors in tensors
    return len(words.codes) - (len(rows) if taken else 0)


@dataclass(frozen=True, slots=True)
class Tables:
    """``names`` of the tensors of a network with a row a code, ``vectors`` that of the codes' own vectors
    (None: it hears none); so many rows ``here``, and ``there`` in what is read."""

    names: frozenset[str]
    vectors: str | None
    here: int
    there: int

    def fit(self, name: str, here: torch.Size, there: torch.Size) -> bool:
        """Whether a tensor of shape ``there`` can be taken for that of the same name, of shape ``here``."""
        if name not in self.names:
            return here == there
        return (here[0], there[0]) == (self.here, self.there) and here[1:] == there[1:]


def code_tables(model: Any) -> frozenset[str]:
    """Names of the tensors of a network that hold a row a code."""
    return _tables(model)[0]


def _tables(model: Any) -> tuple[frozenset[str], str | None]:
    """Names of the tensors that hold a row a code: vectors of the codes, and the last layer of the head that
    tells them from a picture; of the vectors alone. None where the network has none."""
    owners = [name for name, one in model.named_modules() if isinstance(one, AttributeTokens)]
    vectors = f"{owners[0]}.table.weight" if owners else None
    head = getattr(model, "attributes", None)
    last = f"attributes.layers.{len(head.layers) - 1}" if isinstance(head, Mlp) else None
    names = (vectors, last and f"{last}.weight", last and f"{last}.bias")
    return frozenset(name for name in names if name), vectors


def start_of(given: str) -> Path:
    """The file that ``--from`` means: a ``.pt`` or ``.safetensors`` file, a folder that holds a run or a
    checkpoint, or the name of an embedded model."""
    path = Path(given)
    if path.is_file():
        if path.suffix not in (".pt", ".safetensors"):
            raise WeightsError(f"{path.name} is no weights file; expected last.pt, best.pt or *.safetensors")
        return path
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return path / name
    return weights.find(given)[0]
