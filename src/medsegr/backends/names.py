"""Which runtimes and precisions there are, and which go together. No torch here: refusals come before it."""

import sys
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

from medsegr.errors import MissingExtra, UsageError

AUTO = "auto"  # graphs for ONNX Runtime where they were made and nothing faster is there, else torch
NAMES = ("torch", "openvino", "onnx")
PRECISIONS = ("fp32", "int8")
STAGES = ("shared", "words", "answer", "clicked")  # of an exported network; see stages.py
ANSWER = ("logits", "presence", "quality", "attention", "codes")
WORDS = ("index", "kind", "scalar")
PACKAGE = {"openvino": "openvino", "onnx": "onnxruntime"}


def check(backend: str, precision: str = "fp32", device: str = "auto") -> None:
    """UsageError for a backend (a name, or a folder of ``medsegr export``) or a precision that does not exist
    or that do not go together; MissingExtra where the runtime is not installed."""
    if precision not in PRECISIONS:
        raise UsageError(f"--precision: '{precision[:20]}' is not known; expected {' or '.join(PRECISIONS)}")
    folder = backend != AUTO and Path(backend).is_dir()
    if not folder and backend not in (AUTO, *NAMES):
        raise UsageError(
            f"--backend: '{backend[:60]}' is not known; expected {AUTO}, {', '.join(NAMES)} or a folder that "
            "'medsegr export' wrote"
        )
    if backend in (AUTO, "torch") and precision == "int8" and not folder:
        raise UsageError("--precision int8 is for --backend openvino or onnx; torch runs in fp32")
    if folder and precision != "fp32":
        raise UsageError("--precision came together with a folder of 'medsegr export', which has its own")
    if (folder or backend not in (AUTO, "torch")) and device not in ("auto", "cpu"):
        raise UsageError(f"--backend {backend[:60]} runs on the processor, not on {device[:20]}")
    package = None if folder else PACKAGE.get(backend)
    if package is not None and find_spec(package) is None:
        raise MissingExtra(needs(f"--backend {backend}"))


def installed(backend: str) -> bool:
    """Whether what runs the graphs of a backend is installed."""
    return find_spec(PACKAGE[backend]) is not None


def accelerated() -> bool:
    """Whether this machine may have an accelerator that torch would take, told without torch: a wrong yes
    costs the second and a half in which torch is imported."""
    if sys.platform == "darwin":
        return True  # Apple's own processors have one
    if sys.platform == "win32":
        return find_library("nvcuda") is not None
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists() or Path("/dev/dxg").exists()


def needs(what: str) -> str:
    """The line that says which extra is missing."""
    return f"{what} needs the 'openvino' extra: pip install 'medsegr[openvino]'"
