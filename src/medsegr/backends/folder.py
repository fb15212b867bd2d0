"""A folder of graphs with a manifest: whole or absent, and of one checkpoint only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from medsegr.backends.names import STAGES
from medsegr.errors import InputError, WeightsError
from medsegr.io.write import atomic_folder, check_room, holds_anything, write_json

SCHEMA = "medsegr.graphs/1"
MANIFEST = "manifest.json"
REVISION = "2"  # of what is written for the same checkpoint; counted up by hand
PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "nncf")
ENDINGS = {"onnx": (".onnx",), "openvino": (".xml", ".bin")}


@dataclass(frozen=True, slots=True)
class Graphs:
    """Where a network's graphs lie, for which runtime (``onnx``, ``openvino``), in which precision."""

    folder: Path
    backend: str
    precision: str
    manifest: Mapping[str, Any]

    def file(self, stage: str) -> Path:
        """The graph of a stage (the structure, where weights lie beside it)."""
        return self.folder / (stage + ENDINGS[self.backend][0])


def write(
    files: Mapping[str, bytes], folder: Path, kind: tuple[str, str], about: Mapping[str, Any]
) -> Graphs:
    """All files and the manifest, or nothing. ``kind`` is (backend, precision); ``about`` goes into the
    manifest: the model's name, sha256, licence, and how it was calibrated.

    InputError for a folder with files that are not such graphs, or that cannot be written.
    """
    check_free(folder)
    before = json.loads((folder / MANIFEST).read_text(encoding="utf-8")) if is_graphs(folder) else {}
    backend, precision = kind
    manifest = {
        "schema": SCHEMA,
        "backend": backend,
        "precision": precision,
        **about,
        "versions": {name: _version(name) for name in ("medsegr", *PACKAGES)},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    with atomic_folder(folder) as part:
        for name, data in files.items():
            (part / name).write_bytes(data)
        write_json(manifest, part / MANIFEST)
    for stale in set(before.get("files", ())) - set(files):
        (folder / Path(stale).name).unlink(missing_ok=True)
    return Graphs(folder, backend, precision, manifest)


def check_free(folder: Path) -> None:
    """InputError where something lies that an export may not replace."""
    if folder.exists() and not folder.is_dir():
        raise InputError("the output is a file where a folder was expected; give -o a folder")
    if folder.is_dir() and holds_anything(folder) and not is_graphs(folder):
        raise InputError("the output folder holds files of another kind; give -o a new or empty folder")
    check_room(folder)


def is_graphs(folder: Path) -> bool:
    """Whether a folder has the manifest of an export."""
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("schema") == SCHEMA


def read(folder: Path, model_sha256: str) -> Graphs:
    """The graphs in a folder, after every file's hash was found equal to the manifest's.

    WeightsError where the folder is no whole export, or is one of another checkpoint than ``model_sha256``.
    """
    if not is_graphs(folder):
        raise WeightsError(
            f"{folder.name} holds no manifest.json of 'medsegr export': a whole export was expected; export "
            "again"
        )
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    backend, files = str(told.get("backend")), told.get("files")
    needed = {stage + ending for stage in STAGES for ending in ENDINGS.get(backend, ("?",))}
    if not isinstance(files, dict) or not needed <= set(files):
        raise WeightsError(f"{folder.name}: its manifest does not list all graphs; export again")
    own = str(told.get("model", {}).get("sha256"))
    if own != model_sha256:
        raise WeightsError(
            f"{folder.name} was exported from a checkpoint with SHA-256 {own[:12]}..., the model here has "
            f"{model_sha256[:12]}...: export it from this model, or give --model the other one"
        )
    for name, digest in files.items():
        path = folder / name
        if "/" in name or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise WeightsError(f"{folder.name}: {name[:40]} is missing or damaged; export again")
    return Graphs(folder, backend, str(told.get("precision")), told)


def stamp() -> str:
    """Changes with every version that changes what is exported: part of the name in the cache."""
    told = [SCHEMA, REVISION, *(str(_version(name)) for name in ("medsegr", *PACKAGES))]
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:12]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
