"""The weighted mean of checkpoints of one network that began from each other: where later stages gained on
one thing and lost on another, the mean often keeps both (Wortsman et al. 2022, "Model soups").

``python -m medsegr.training.averaging --of A=0.6 --of B=0.4 --folder OUT`` writes a checkpoint with the card
of the last one; ``medsegr.bench.validate`` then fills in the numbers.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from medsegr import weights
from medsegr.errors import UsageError, WeightsError
from medsegr.fitting.saved import code_tables, whole
from medsegr.model import build_model
from medsegr.process.program import one_line
from medsegr.reasoning.codes import Vocabulary
from medsegr.training.checkpoint import settle

JUDGED = ("validation", "temperature")  # of the parts, not of their mean
UNLIKE = "checkpoints of one network were expected: their tensors differ in name or shape"


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes of a safetensors file."""
    with safe_open(path, framework="pt") as handle:
        return {key: handle.get_tensor(key) for key in handle.keys()}, dict(handle.metadata() or {})  # noqa: SIM118


def store(tensors: dict[str, Tensor], notes: dict[str, str], card: Mapping[str, Any], folder: Path) -> Path:
    """Write a checkpoint made of others into ``folder``, whole or not at all, and its card with the new
    hash. Gives the path of the tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card['name']}.safetensors"
    with whole(path) as temporary:
        save_file(tensors, temporary, metadata=notes)
        settle(temporary)
    path.chmod(0o644)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weights.write_card({**card, "sha256": digest}, path.with_suffix(".json"))
    return path


def mean(parts: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """The mean of equally named and shaped tensors, in the precision of the last part; whole numbers are the
    last part's. WeightsError where names or shapes differ."""
    last = parts[-1]
    for part in parts:
        if {k: v.shape for k, v in part.items()} != {k: v.shape for k, v in last.items()}:
            raise WeightsError(UNLIKE)
    made = {}
    for key, value in last.items():
        made[key] = value
        if value.is_floating_point():
            weighted = [share * part[key].float() for part, share in zip(parts, shares, strict=True)]
            made[key] = torch.stack(weighted).sum(0).to(value.dtype)
    return made


def average(
    shares: Mapping[str, float], folder: Path, warm_start: str = "", keep: Sequence[str] = ()
) -> Path:
    """Write the mean of checkpoints (embedded names or folders, with their shares) into ``folder``.

    Tensors whose names begin with one of ``keep`` stay those of the last. The card is the last one's without
    its numbers, its sets those of all; ``warm_start`` replaces what it says of where the run began. The mean
    knows the codes of the last: of those that others lack it alone has learned something, and what others
    alone know was no part of its training any more. Raises UsageError where shares are not positive or do not
    add up to 1 or nothing is called as in ``keep``, WeightsError where the checkpoints are of different
    networks.
    """
    if len(shares) < 2 or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError("two checkpoints or more were expected, with shares above 0 that add up to 1")
    cards = [weights.verify(name) for name in shares]
    stored = [read(weights.find(name)[0]) for name in shares]
    last, notes = stored[-1]
    if any({**own, "codes": ""} != {**notes, "codes": ""} for _, own in stored):
        raise WeightsError("checkpoints of the same format and host were expected: theirs differ")
    parts = [_known(part, own["codes"], last, notes["codes"]) for part, own in stored]
    card = {key: value for key, value in cards[-1].items() if key not in JUDGED}
    card["averaged"] = [
        {"sha256": part["sha256"], "share": share} for part, share in zip(cards, shares.values(), strict=True)
    ]
    card |= {"warm_start": warm_start} if warm_start else {}
    card["sets"] = sorted({name for one in cards for name in one.get("sets", ())})
    for start in keep:
        if not any(key.startswith(start) for key in last):
            raise UsageError(f"--keep {start[:60]}: no tensor is called so; names begin with {_starts(last)}")
    made = mean(parts, list(shares.values()))
    return store(made | {key: last[key] for key in made if key.startswith(tuple(keep))}, notes, card, folder)


def _starts(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(sorted({".".join(key.split(".")[: 1 + key.startswith("host.")]) for key in tensors}))


def _known(
    part: Mapping[str, Tensor], codes: str, last: Mapping[str, Tensor], wanted: str
) -> Mapping[str, Tensor]:
    """A checkpoint with a row for each code of the last one: rows of codes that it lacks are the last's, and
    those that it alone knows are left out. WeightsError where it is of another network."""
    if codes == wanted:
        return part
    own, all_ = json.loads(codes), json.loads(wanted)
    both = [code for code in all_ if code in own]
    new = torch.tensor([all_.index(code) for code in both], dtype=torch.long)
    old = torch.tensor([own.index(code) for code in both], dtype=torch.long)
    made = dict(part)
    for name in code_tables(build_model(Vocabulary(tuple(all_)))) & set(part):
        if name not in last or part[name].shape != (len(own), *last[name].shape[1:]):
            raise WeightsError(UNLIKE)
        made[name] = last[name].clone()
        made[name][new] = part[name][old].to(made[name].dtype)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.training.averaging", description="Average checkpoints."
    )
    parser.add_argument("--of", action="append", required=True, metavar="FOLDER=SHARE", help="two or more")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--warm-start", default="", help="what went before, in words, for the card")
    parser.add_argument(
        "--keep", action="append", default=[], metavar="NAME", help="tensors that stay those of the last"
    )
    given = parser.parse_args(arguments)
    shares = {}
    for part in given.of:
        name, _, share = part.rpartition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UsageError(f"--of {part[:80]}: FOLDER=SHARE was expected, for example runs/a=0.5") from None
    print(average(shares, given.folder, given.warm_start, given.keep))


if __name__ == "__main__":
    sys.exit(one_line(main))
