"""From a folder of weights, or from nothing, to a host."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from medsegr.errors import MissingExtra, UsageError, WeightsError
from medsegr.sam.hosts.edgetam import EDGETAM
from medsegr.sam.hosts.foreign import Foreign, Identity, Setting
from medsegr.sam.hosts.hiera import SAM2
from medsegr.sam.hosts.sam3 import SAM3
from medsegr.sam.hosts.vit import SAM, SAM_HQ

FAMILIES = {family.name: family for family in (SAM, SAM_HQ, SAM2, EDGETAM, SAM3)}
TINY = "tiny:"  # before the name of a family: a small random host, for trying things out
TINY_SIZE = 64


def opened(folder: Path, setting: Setting, identity: Identity) -> Foreign:
    """The host whose weights lie in ``folder``, as transformers' ``save_pretrained`` writes them.

    WeightsError for a folder of another kind, or weights that do not fill the network.
    """
    library = _transformers()
    kind = kind_of(folder)
    family = next((family for family in FAMILIES.values() if kind in family.types), None)
    if family is None:
        known = ", ".join(sorted(name for family in FAMILIES.values() for name in family.types))
        raise WeightsError(
            f"{folder.name} holds a network of type {kind[:40]!r}; types that can be hosts are {known}"
        )
    try:
        with hushed():
            model, told = getattr(library, family.others.get(kind, family.model)).from_pretrained(
                folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise WeightsError(f"the host in {folder.name} cannot be opened: {first}") from error
    if told["missing_keys"]:
        raise WeightsError(
            f"the weights in {folder.name} lack {len(told['missing_keys'])} of the network's, the first "
            f"{sorted(told['missing_keys'])[0]}: another version's, or not whole"
        )
    return Foreign(model.eval(), family, setting, identity)


def kind_of(folder: Path) -> str:
    """The ``model_type`` of ``config.json``."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(told["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{folder.name} holds no config.json that says its model_type: a folder as transformers' "
            "save_pretrained writes it was expected"
        ) from error


def tiny(name: str, setting: Setting) -> Foreign:
    """A small random host of a family, the same whenever it is made: for trying out and for tests.

    Its weights are shaken so that no part of it is silent.
    """
    _transformers()
    family = FAMILIES.get(name.removeprefix(TINY))
    if family is None:
        raise UsageError(f"'{name[:40]}' is no family of hosts; known are {', '.join(FAMILIES)}")
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        model = family.tiny(TINY_SIZE).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.05)
    finally:
        torch.random.set_rng_state(state)
    return Foreign(model, family, setting, Identity(f"{TINY}{family.name}", hash_of(model)))


def hash_of(model: Any) -> str:
    """SHA-256 over names and bytes of all weights, for a host that has no file."""
    told = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        told.update(name.encode())
        told.update(value.contiguous().numpy().tobytes())
    return told.hexdigest()


@contextmanager
def hushed() -> Iterator[None]:
    """Without the library's bars and remarks: what matters of them is our own error."""
    told = _transformers().utils.logging
    bars, level = told.is_progress_bar_enabled(), told.get_verbosity()
    told.disable_progress_bar()
    told.set_verbosity_error()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("foreign hosts need transformers: pip install 'medsegr[sam]'") from error
    return transformers
