"""From a training run to a checkpoint that can be shipped: averaged weights as safetensors, and a card beside
them.

``python -m medsegr.training.checkpoint --run runs/tiny --data ../shared/data --name medsegr-tiny`` writes
both; ``medsegr.bench.validate`` then fills in the numbers.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from medsegr import weights
from medsegr.data import Case
from medsegr.errors import WeightsError
from medsegr.fitting.cases import folders_below, load_cases
from medsegr.fitting.config import read_config
from medsegr.fitting.saved import LAST, merged, read, whole
from medsegr.predict import FORMAT
from medsegr.process.program import one_line

NON_COMMERCIAL = "CC BY-NC-SA 4.0"
FEWEST = 5  # training cases below which a concept is not called known


def concepts_of(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """What each concept was learned from: real images or phantoms, in which modalities (``real_in``: those of
    the real ones), on how many training cases. Cases that only show that it is not there teach nobody how it
    looks, and do not count."""
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        if case.validation or not case.drawn:
            continue
        seen = [target for target in case.targets if target.packed.any()]
        names = {c.text.partition(":")[2] for t in seen for c in t.codes[:1] if c.group == "concept"}
        for name in names:
            nothing: dict[str, Any] = {"trained_on": set(), "modalities": set(), "real_in": set(), "cases": 0}
            entry = found.setdefault(name, nothing)
            entry["trained_on"].add("phantom" if case.made else "real")
            entry["modalities"] |= {case.modality} - {None}
            entry["real_in"] |= set() if case.made else {case.modality} - {None}
            entry["cases"] += 1
    return {
        name: {key: sorted(value) if isinstance(value, set) else value for key, value in entry.items()}
        for name, entry in sorted(found.items())
        if entry["cases"] >= FEWEST
    }


def export(run: Path, cases: Sequence[Case], name: str, folder: Path, about: Mapping[str, Any]) -> Path:
    """Write ``name.safetensors`` and ``name.json`` to ``folder`` from ``run/last.pt`` or from the file that
    ``run`` names; matrices in half precision, adapters added in."""
    source = run if run.is_file() else run / LAST
    if not source.is_file():
        raise WeightsError(f"{run.name} holds no last.pt: train first (medsegr train)")
    stored = read(source)
    tensors = {
        key: (value.half() if value.ndim >= 2 and value.is_floating_point() else value).contiguous()
        for key, value in merged(stored).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    notes = {"format": FORMAT, "codes": json.dumps(stored["codes"])}
    if host := stored.get("host"):
        notes["host"] = json.dumps(host, sort_keys=True)
    with whole(path) as temporary:
        save_file(tensors, temporary, metadata=notes)
        settle(temporary)
    path.chmod(0o644)
    known = {code.partition("concept:")[2] for code in stored["codes"]}
    card = {
        "name": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "parameters": sum(value.numel() for key, value in tensors.items() if "running" not in key),
        "training": {key: stored["state"][key] for key in ("step", "seconds", "images")},
        "concepts": {k: v for k, v in concepts_of(cases).items() if k in known},
        **about,
    }
    weights.write_card(card, path.with_suffix(".json"))
    return path


def settle(path: Path) -> None:
    """Put the notes of a safetensors file in the order of their names. The writer leaves it to chance, and
    equal weights must have equal hashes."""
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:end])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of eight bytes
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[end:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.training.checkpoint", description="Export a training run."
    )
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--name", default=weights.DEFAULT)
    parser.add_argument("--folder", type=Path, default=weights.HERE)
    parser.add_argument("--base", type=int, default=256, help="side of the usual square input in pixels")
    parser.add_argument(
        "--presence", type=float, default=0.5, help="presence below which a target is not found"
    )
    parser.add_argument("--licence", default=NON_COMMERCIAL, help="of the weights, as the data demand")
    parser.add_argument(
        "--warm-start", default="nothing", help="what the run began with, in words, for the card"
    )
    parser.add_argument("--hardware", default="unnamed hardware", help="what the run used, for the card")
    parser.add_argument(
        "--mirror", action="store_true", help="predict pictures flipped, too, and average: twice the time"
    )
    parser.add_argument("--closer", action="store_true", help="look at small lesions once more from close up")
    given = parser.parse_args(arguments)
    config = read_config(given.config)
    cases = load_cases(config, folders_below(config, given.data), given.run / "cache", print)
    about = {
        "warm_start": given.warm_start,
        "hardware": given.hardware,
        "licence": given.licence,
        "base": given.base,
        "mirror": given.mirror,
        "closer": given.closer,
        "presence_threshold": given.presence,
        "sets": sorted(name for name, weight in config.sets.items() if weight),
    }
    print(export(given.run, cases, given.name, given.folder, about))


if __name__ == "__main__":
    sys.exit(one_line(main))
