"""``medsegr doctor``: whether this machine can run medsegr, part by part."""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import Json, LogFlags, grouped, option
from medsegr.cli.logs import set_up

Report = tuple[str, str]  # ("ok" | "warn" | "fail", what was found)


@dataclass(frozen=True)
class DoctorFlags:
    """Where to look."""

    output: Annotated[Path, option("--output", "-o", help="Folder whose write access is tried.")] = Path()
    json: Json = False


@grouped
def command(flags: DoctorFlags, logs: LogFlags) -> int:
    """Check Python, torch, device, memory, image decoders, the checkpoint and write access.

    Ends with 1 where a part fails.
    """
    set_up(logs)
    parts: dict[str, Callable[[], Report]] = {
        "python": _python,
        "torch": _torch,
        "device": _device,
        "memory": _memory,
        "decoders": _decoders,
        "checkpoint": _checkpoint,
        "write": lambda: _write(flags.output),
    }
    found = {name: _try(part) for name, part in parts.items()}
    failed = any(state == "fail" for state, _ in found.values())
    if flags.json:
        rows = [{"part": name, "state": state, "detail": detail} for name, (state, detail) in found.items()]
        print(json.dumps({"schema": "medsegr.doctor/1", "ok": not failed, "parts": rows}, indent=1))
    else:
        for name, (state, detail) in found.items():
            print(f"{name:11s} {state:5s} {detail}")
    return 1 if failed else 0


def _try(part: Callable[[], Report]) -> Report:
    try:
        return part()
    except Exception as error:  # a broken part must not hide the others
        return "fail", " ".join(str(error).split())[:200] or type(error).__name__


def _python() -> Report:
    state = "ok" if sys.version_info >= (3, 11) else "fail"
    return (
        state,
        f"{platform.python_version()} on {sys.platform} {platform.machine()}, {os.cpu_count()} processors",
    )


def _torch() -> Report:
    import torch

    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < (2, 10):
        return "fail", f"torch {torch.__version__}; 2.10 or newer is expected: pip install 'torch>=2.10'"
    return "ok", f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def _device() -> Report:
    from medsegr.process.devices import pick_device

    return "ok", f"auto takes {pick_device('auto')}"


def _memory() -> Report:
    if not hasattr(os, "sysconf") or "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return "warn", "this system does not tell its memory"
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(name) / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return (
        "ok" if total >= 2 else "warn"
    ), f"{total:.1f} GB, {free:.1f} GB unused; 1 GB is enough for pictures"


def _decoders() -> Report:
    from importlib.util import find_spec

    parts = {
        "pydicom": "DICOM",
        "pylibjpeg": "compressed DICOM",
        "openjpeg": "JPEG 2000",
        "libjpeg": "JPEG",
        "rle": "RLE",
    }
    parts |= {"nibabel": "NIfTI", "SimpleITK": "NRRD and MHA", "PIL": "pictures"}
    missing = [f"{name} ({what})" for name, what in parts.items() if find_spec(name) is None]
    return ("warn", f"missing: {', '.join(missing)}") if missing else ("ok", ", ".join(parts))


def _checkpoint() -> Report:
    from medsegr import weights

    found = [weights.verify(name) for name in sorted({weights.DEFAULT, *weights.names()})]
    told = [f"{card['name']}, SHA-256 {card['sha256'][:12]} as in its card" for card in found]
    return "ok", "; ".join(told)


def _write(folder: Path) -> Report:
    with tempfile.NamedTemporaryFile(dir=folder):
        return "ok", "the folder can be written"
