"""Checkpoints: safetensors beside a JSON card with name, hash, licence and what it knows. Listing and
verifying need no torch.

The embedded ones lie in this folder (``medsegr-tiny``, the default, and ``medsegr-tiny-permissive``), each
with its model card (``medsegr-tiny.md``).
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsegr.errors import WeightsError

HERE = Path(__file__).parent
DEFAULT = "medsegr-tiny"


def names() -> tuple[str, ...]:
    """Embedded checkpoints."""
    return tuple(sorted(path.stem for path in HERE.glob("*.safetensors")))


def find(name: str | Path) -> tuple[Path, Path]:
    """Tensor file and card of an embedded name, or of a folder that holds one ``*.safetensors`` with its
    ``.json``."""
    folder = Path(name)
    if folder.is_dir():
        found = sorted(folder.glob("*.safetensors"))
        if len(found) != 1:
            raise WeightsError(
                f"{folder.name} holds {len(found)} safetensors files, expected one with its .json card"
            )
        tensors = found[0]
    else:
        tensors = HERE / f"{name}.safetensors"
    card = tensors.with_suffix(".json")
    for path in (tensors, card):
        if not path.is_file():
            raise WeightsError(
                f"no checkpoint '{name}': {path.name} is missing; embedded: {', '.join(names()) or 'none'}"
            )
    return tensors, card


def read_card(name: str | Path = DEFAULT) -> Mapping[str, Any]:
    """The card as data; a damaged one raises WeightsError."""
    _, path = find(name)
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(
            f"the card {path.name} is not JSON ({error}); fetch the checkpoint again"
        ) from error
    return card


def write_card(card: Mapping[str, Any], path: Path) -> None:
    """A card beside its tensors, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)


def note(name: str | Path, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The card of a checkpoint with what is now known of it, written."""
    card = {**read_card(name), **told}
    write_card(card, find(name)[1])
    return card


def verify(name: str | Path = DEFAULT) -> Mapping[str, Any]:
    """The card, after the tensor file's SHA-256 was found equal to the one written in it."""
    tensors, _ = find(name)
    card = read_card(name)
    digest = hashlib.sha256(tensors.read_bytes()).hexdigest()
    if digest != card.get("sha256"):
        raise WeightsError(
            f"{tensors.name} has SHA-256 {digest[:12]}..., its card says {str(card.get('sha256'))[:12]}...: "
            "fetch it again"
        )
    return card
