"""One training loop: progressive sizes, cosine over elapsed time, moving average of the weights, exact state
to resume from.

``torchrun --nproc-per-node 2 -m medsegr.fit --config configs/medsegr-tiny.toml --data DATA --out runs/tiny``
trains the shipped checkpoint.
"""

import argparse
import csv
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import Tensor

from medsegr import data
from medsegr.config import FitConfig, read_config, schedule
from medsegr.data import Case
from medsegr.devices import pick_device
from medsegr.errors import InputError
from medsegr.feed import Batch, Feed
from medsegr.model import MedSegR, build_model
from medsegr.objectives import total
from medsegr.reasoning.codes import Vocabulary, vocabulary
from medsegr.reasoning.modulators import TextureHead


def load_cases(config: FitConfig, root: Path | None, cache: Path, log: Callable[[str], None]) -> list[Case]:
    """Every case of the configured sets and phantoms. Phantoms are kept under ``cache``."""
    cases: list[Case] = []
    for name in config.sets:
        if root is None or not (root / name).is_dir():
            raise InputError(
                f"set {name} was not found; give its parent folder with --data, or remove it from the config"
            )
        found = data.read_set(root / name)
        log(f"{name}: {len(found)} cases, {sum(c.validation for c in found)} for validation")
        cases += found
    cache.mkdir(parents=True, exist_ok=True)
    for kind in config.phantoms:
        path = cache / f"phantom-{kind}-{config.phantom_seed}-{config.phantom_count}.npz"
        if not path.exists():
            data.pack(data.make_phantoms(kind, config.phantom_seed, config.phantom_count), path)
        cases += map(data.phantom_case, data.unpack(path))
        log(f"phantom {kind}: {config.phantom_count} cases")
    return cases


def vocabulary_of(cases: Sequence[Case]) -> Vocabulary:
    """The codes that the training cases give."""
    texts = {text for case in cases for target in case.targets for text in target.names}
    pick = {
        group: [t.partition(":")[2] for t in texts if t.startswith(f"{group}:")]
        for group in ("concept", "anatomy", "modality")
    }
    return vocabulary(pick["concept"], pick["anatomy"], pick["modality"])


class Average:
    """Exponential moving average of the weights, ramped up; running statistics are copied."""

    def __init__(self, model: MedSegR, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def update(self, model: MedSegR, step: int) -> None:
        """One step."""
        rate = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value.detach(), 1 - rate)
            else:
                self.state[name].copy_(value)


def optimiser_of(model: MedSegR, config: FitConfig) -> torch.optim.AdamW:
    """AdamW; no weight decay on one-dimensional parameters."""
    deep, flat = ([p for p in model.parameters() if (p.ndim >= 2) == many] for many in (True, False))
    groups = [{"params": deep, "weight_decay": config.weight_decay}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.99))


@dataclass(slots=True)
class State:
    """Where a run stands; saved whole, so that a killed run goes on as if nothing had been."""

    step: int = 0
    seconds: float = 0.0
    images: int = 0


def fit(
    config: FitConfig,
    cases: Sequence[Case],
    out: Path,
    log: Callable[[str], None] = print,
    start: Path | None = None,
    build: Callable[[Vocabulary], Any] = build_model,
) -> Any:
    """Train what ``build`` makes until ``config.minutes`` have been used; writes ``last.pt`` and ``log.csv``
    to ``out`` and goes on from there."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    out.mkdir(parents=True, exist_ok=True)
    words = stored_vocabulary(out / "last.pt") or vocabulary_of(cases)
    model = build(words).train()
    if start is not None and not (out / "last.pt").exists():
        log(f"warm start from {start.name}: {warm_start(start, model, words)} new codes")
    model.to(device)
    optimiser, average, state = optimiser_of(model, config), Average(model, config.ema), State()
    resume(out / "last.pt", model, optimiser, average, state)
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    part = torch.tensor(state.seconds / (60 * config.minutes)).share_memory_()  # type: ignore[no-untyped-call]
    seed = (config.seed, state.step, rank)
    feed = Feed(cases, config, words, seed, part, max(2, config.batch // processes))
    stop = threading.Event()
    try:
        run = _Run(model, optimiser, average, state, words, out, part, rank)
        _loop(config, run, feed.ahead(device, stop), log)
    finally:
        stop.set()
    model.load_state_dict(average.state)
    return model.eval()


@dataclass(frozen=True, slots=True)
class _Run:
    model: MedSegR
    optimiser: torch.optim.AdamW
    average: Average
    state: State
    words: Vocabulary
    out: Path
    part: Tensor  # [] share of the time that is used, where the makers of batches see it
    rank: int = 0


def _loop(config: FitConfig, run: _Run, batches: Iterator[Batch], log: Callable[[str], None]) -> None:
    state, recent = run.state, []
    saved = state.seconds
    while state.seconds < 60 * config.minutes:
        began = time.monotonic()
        run.part.fill_(state.seconds / (60 * config.minutes))
        batch = next(batches)
        terms = step(run, batch, config, float(run.part))
        state.step += 1
        state.images += len(batch.pixels) * (dist.get_world_size() if dist.is_initialized() else 1)
        state.seconds += min(time.monotonic() - began, 30.0)
        recent.append(terms)
        if state.step % 50 == 0 and run.rank == 0:
            row = {"step": state.step, "minutes": round(state.seconds / 60, 2), "images": state.images}
            row |= {k: round(float(np.mean([r[k] for r in recent])), 4) for k in recent[0]}
            _append(run.out / "log.csv", row)
            log(" ".join(f"{k}={v}" for k, v in row.items()))
            recent.clear()
        if state.seconds - saved > 60 * config.save_minutes:
            save(run)
            saved = state.seconds
    save(run)


def share(run: _Run) -> None:
    """Mean over processes of the gradients, the running statistics and the clock, so that all stay equal."""
    if not dist.is_initialized():
        return
    for parameter in run.model.parameters():
        if parameter.grad is None:  # no click in this part of the batch
            parameter.grad = torch.zeros_like(parameter)
    grads = [p.grad for p in run.model.parameters() if p.grad is not None]
    seconds = torch.tensor([run.state.seconds], device=grads[0].device)
    parts = [*grads, *(b for b in run.model.buffers() if b.dtype.is_floating_point), seconds]
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for part, mean in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
        part.copy_(mean.view_as(part))
    run.state.seconds = float(seconds)


def step(run: _Run, batch: Batch, config: FitConfig, part: float) -> dict[str, float]:
    """One optimiser step at ``part`` of the time. A loss that is not finite is an error and not a step."""
    tau = max(1.0, 30.0 * (1 - part / config.cooling)) if config.cooling else 1.0
    for module in run.model.modules():
        if isinstance(module, TextureHead):
            module.tau.fill_(tau)
    for group in run.optimiser.param_groups:
        group["lr"] = config.lr * schedule(part, config.warmup)
    output = run.model(run.model.shared(batch.pixels), batch.words, batch.clicks)
    terms = total(output, batch.truth, config.weights)
    values = dict(
        zip(terms, torch.stack(list(terms.values())).tolist(), strict=True)
    )  # one wait for the device
    if not math.isfinite(values["loss"]):
        raise FloatingPointError(
            f"the loss is {values['loss']} at step {run.state.step}; the last checkpoint is kept"
        )
    run.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(terms["loss"])
    share(run)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), config.clip)
    run.optimiser.step()
    run.average.update(run.model, run.state.step)
    return values


def save(run: _Run) -> None:
    """Write the whole state to ``last.pt``: to a temporary name, then renamed. The first process only."""
    if run.rank:
        return
    temporary = run.out / "last.part"
    torch.save(
        {
            "model": run.model.state_dict(),
            "average": run.average.state,
            "optimiser": run.optimiser.state_dict(),
            "state": asdict(run.state),
            "codes": list(run.words.codes),
        },
        temporary,
    )
    os.replace(temporary, run.out / "last.pt")


def stored_vocabulary(path: Path) -> Vocabulary | None:
    """The codes of a run to go on with: its embedding table keeps its order even when the data now give other
    codes."""
    return (
        Vocabulary(tuple(torch.load(path, map_location="cpu", weights_only=True)["codes"]))
        if path.exists()
        else None
    )


def warm_start(path: Path, model: MedSegR, words: Vocabulary) -> int:
    """Averaged weights of another run (``last.pt``) or of an exported checkpoint (``*.safetensors``), rows of
    the code table and of the attribute head matched by code.

    Returns how many codes of ``words`` were not known there (they keep their fresh weights).
    """
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
            stored = {"codes": json.loads((handle.metadata() or {})["codes"]), "average": tensors}
    else:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    before = {code: row for row, code in enumerate(stored["codes"])}
    rows = [(row, before[code]) for row, code in enumerate(words.codes) if code in before]
    new, old = (torch.tensor(column) for column in zip(*rows, strict=True))
    target = model.state_dict()
    for name, value in stored["average"].items():
        if target[name].shape == value.shape and value.shape[:1] != (len(before),):
            target[name].copy_(value)
        else:
            target[name][new] = value[old].to(target[name].dtype)  # exported in half precision
    return len(words.codes) - len(rows)


def resume(path: Path, model: MedSegR, optimiser: torch.optim.AdamW, average: Average, state: State) -> None:
    """Go on from ``path`` if it exists; our own file, read with ``weights_only``."""
    if not path.exists():
        return
    stored = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(stored["model"])
    optimiser.load_state_dict(stored["optimiser"])
    average.state = {name: value.to(average.state[name].device) for name, value in stored["average"].items()}
    for name, value in stored["state"].items():
        setattr(state, name, value)


def _append(path: Path, row: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of ``make train-default``."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.fit", description="Train a checkpoint. Resumes by itself."
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder that holds the sets named in the configuration")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--warm", type=Path, help="last.pt or *.safetensors whose weights to begin with")
    parser.add_argument("--minutes", type=float, help="instead of the configuration's")
    given = parser.parse_args(arguments)
    config = read_config(given.config)
    config = replace(config, minutes=given.minutes or config.minutes)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "config.json").write_text(json.dumps(asdict(config), indent=1), encoding="utf-8")
    say = (lambda _line: None) if int(os.environ.get("RANK", "0")) else (lambda line: print(line, flush=True))
    cases = load_cases(config, given.data, given.out / "cache", say)
    torch.set_flush_denormal(True)  # states of the whole process, so not in fit()
    torch.set_float32_matmul_precision("high")  # TF32 where the device has it
    if "WORLD_SIZE" in os.environ:  # torchrun
        dist.init_process_group("gloo")
    fit(config, cases, given.out, say, given.warm)


if __name__ == "__main__":
    main()
