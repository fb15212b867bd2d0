"""Which methods are judged, as the command line names them, and what one costs.

``NAME``, ``FOLDER`` (of a checkpoint), ``LABEL=NAME``, and options after commas: ``otsu,part=bright``,
``ours=runs/mine/checkpoint``.
"""

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import weights
from medsegr.errors import UsageError, WeightsError
from medsegr.registry import cards, create
from medsegr.results.verdicts import model_of, threshold
from medsegr.session import check_model, has_network, load
from medsegr.types import Image, Prompt, Segmenter

BATCH = 8
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")


@dataclass(frozen=True, slots=True)
class Method:
    """A method as asked for: its label in the tables, a registered name or a checkpoint's folder, and
    options of its ``build``."""

    label: str
    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A method that was built: ``reads_text`` decides whether the text controls mean anything;
    ``threshold`` is that of its presence score; ``batch`` findings are asked for in one call. Raw words are
    one text a call, so only our own networks, which hear findings, are asked for several at once."""

    method: Method
    segmenter: Segmenter
    reads_text: bool
    threshold: float
    facts: Mapping[str, Any]  # name, sha256, licence, parameters
    batch: int = 1


def method_of(text: str) -> Method:
    """A method out of the words of the command line. UsageError where they have no sense."""
    head, *rest = text.split(",")
    label, given, name = head.partition("=")
    name = name if given else label
    options = []
    for part in rest:
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--method: '{part[:40]}' is no option; key=value was expected")
        options.append((key, _value(value)))
    if not name:
        raise UsageError(
            f"--method: '{text[:60]}' names nothing; a method or a checkpoint's folder was expected"
        )
    label = label if given else (Path(name).name or name)
    if not LABEL.fullmatch(label):
        raise UsageError(
            f"--method: '{label[:40]}' is no label: letters, digits, '.', '_', '+' and '-' were expected; "
            "write LABEL=NAME"
        )
    return Method(label, name, tuple(options))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def methods_of(texts: list[str]) -> tuple[Method, ...]:
    """Several methods; no label twice, and each must exist (UsageError), which is told before any work."""
    found = tuple(method_of(text) for text in texts)
    labels = [method.label for method in found]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"--method: {twice[0]} comes twice; give each its own label with LABEL=NAME")
    for method in found:
        if method.name not in cards():
            check_model(method.name)
    return found


def told_apart(method: Method) -> dict[str, Any]:
    """What a run must find again under a label to go on with it: name, options and, of a checkpoint, the hash
    on its card ("" where it cannot be read: then it fails when it is built)."""
    try:
        sha = str(weights.read_card(method.name).get("sha256", "")) if has_network(method.name) else ""
    except WeightsError:
        sha = ""
    return {"asked": method.name, "options": dict(method.options), "sha256": sha}


def built(method: Method, device: str, threads: int | None) -> Ready:
    """Build a method. Whatever its builder raises comes out; the run catches it and goes on with the
    others."""
    card = cards().get(method.name)
    if card is not None and card.door != "segmenter":
        raise UsageError(f"'{method.name}' is a {card.door} and draws no mask; a segmenter was expected")
    if method.options or not has_network(method.name):  # a run may have methods of both kinds
        segmenter: Segmenter = create(method.name, **dict(method.options))
    else:
        segmenter = load(method.name, device=device, threads=threads).segmenter
    reads = card is None or "text" in card.reads
    facts = {**model_of(segmenter), "parameters": _parameters(segmenter)}
    if facts["name"] == type(segmenter).__name__.lower():
        facts["name"] = method.name if card is not None else Path(method.name).name
    if facts["licence"] == "unknown" and card is not None:
        facts["licence"] = card.licence
    ours = card is None or card.family == "core"
    return Ready(method, segmenter, reads, threshold(segmenter), facts, BATCH if ours else 1)


def _parameters(segmenter: Segmenter) -> int | None:
    network = getattr(segmenter, "model", None)
    if network is None or not hasattr(network, "parameters"):
        return None
    return sum(int(p.numel()) for p in network.parameters())


def operations(ready: Ready, image: Image, prompt: Prompt) -> int | None:
    """Floating-point operations of one call, as torch counts them; None for a method without a torch network.

    The image is mirrored first, so that nothing which was kept of it is left out, and nothing is kept of it.
    """
    if ready.facts.get("parameters") is None:
        return None
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    total = 0

    class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """torch's own FlopCounterMode follows modules by their gradients and fails where none are kept."""

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal total
            given = kwargs or {}
            counted = flop_registry.get(func._overloadpacket)
            if counted is None:
                with self:
                    parts = func.decompose(*args, **given)
                if parts is not NotImplemented:
                    return parts
            out = func(*args, **given)
            if counted is not None:
                total += int(counted(*args, **given, out_val=out))
            return out

    fresh = replace(image, data=np.ascontiguousarray(image.data[..., ::-1]))
    with Counter():  # type: ignore[no-untyped-call]
        ready.segmenter.segment(fresh, prompt)
    return total or None


@cache
def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        name = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
        return name.group(1).strip() if name else platform.processor() or platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


def device_record(device: str, threads: int | None = None) -> dict[str, Any]:
    """What seconds depend on: processor, threads (None: as many as torch takes), accelerator, versions. Times
    of different records are not comparable."""
    import torch

    from medsegr.process.devices import pick_device

    picked = pick_device(device)
    return {
        "device": picked,
        "accelerator": torch.cuda.get_device_name(picked) if picked.startswith("cuda") else None,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads or torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
