"""One training loop: progressive sizes, warm-up and cosine, moving average of the weights, exact state to
resume from, a look at the validation cases now and then.

Lightning Fabric brings processes, devices and precision; it is imported when a run begins and not before.
``torchrun --nproc-per-node 2 -m medsegr.fit --config configs/medsegr-tiny.toml --data DATA --out runs/tiny``
trains the shipped checkpoint; ``medsegr train`` is the front door for everybody else.
"""

import argparse
import copy
import json
import math
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from medsegr.data import Case
from medsegr.errors import MedsegrError, MissingExtra
from medsegr.fitting import teaching, tuning
from medsegr.fitting.cases import folders_below, load_cases, vocabulary_of
from medsegr.fitting.config import FitConfig, part_of, read_config, schedule
from medsegr.fitting.logbook import Logbook
from medsegr.fitting.memory import advice
from medsegr.fitting.saved import (
    BEST,
    LAST,
    Average,
    Kept,
    State,
    read,
    resume,
    save,
    stored_vocabulary,
    warm_start,
)
from medsegr.fitting.watch import Watch, watch_of
from medsegr.model import build_model
from medsegr.objectives import Weights, total
from medsegr.process.devices import pick_device
from medsegr.process.program import one_line
from medsegr.reasoning.codes import Vocabulary
from medsegr.reasoning.modulators import TextureHead
from medsegr.samples import feed
from medsegr.samples.feed import Batch, moved

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BETTER = 1e-4  # Dice by which a validation must be better to count
READS_WORDS = ("tokens.", "fusion.")  # codes to prior tokens, in every network that has them


class Parcel:
    """A batch as Fabric passes it on: it would take frozen dataclasses apart, and cannot put them
    together."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class Objective(nn.Module):
    """The network with its losses: the one call of a step, so that processes can share its gradients."""

    def __init__(self, model: nn.Module, weights: Weights) -> None:
        super().__init__()
        self.model = model
        self.weights = weights

    def forward(self, parcel: Parcel) -> dict[str, Tensor]:
        """Terms of the loss, scalars; ``loss`` is their sum."""
        batch = parcel.batch
        net: Any = self.model  # a medsegr.networks.Network
        output = net(net.shared(batch.pixels), batch.words, batch.clicks)
        return total(moved(output, torch.float32), batch.truth, self.weights)


@dataclass(frozen=True, slots=True)
class Run:
    """All of a run that does not change: ``kept`` holds the parts that do. ``part`` [] is the share of the
    run that is over, where the makers of batches see it."""

    fabric: "Fabric"
    objective: Any  # Objective as Fabric wraps it
    optimiser: Any
    kept: Kept
    out: Path
    part: Tensor
    rates: tuple[float, ...]  # largest learning rate of each group of the optimiser
    watch: Watch | None = None
    teacher: Any = None  # a network for the averaged weights, where there are pictures without masks


def processes() -> int:
    """How many processes share the run, as torchrun tells each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def fabric_of(config: FitConfig) -> "Fabric":
    """Fabric on the configured device and precision, over the processes that torchrun started."""
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise MissingExtra("training needs Lightning Fabric: pip install 'medsegr[train]'") from error
    kind, _, number = pick_device(config.device).partition(":")
    precision: Any = "32-true" if config.precision == "auto" else config.precision
    if processes() == 1:
        devices: Any = [int(number)] if number else 1
        return Fabric(accelerator=kind, devices=devices, precision=precision)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(processes())))
    backend = "nccl" if kind == "cuda" else "gloo"
    # a part of a batch may hold no click, so not every weight gets a gradient
    strategy = DDPStrategy(find_unused_parameters=True, process_group_backend=backend)
    return Fabric(
        accelerator=kind,
        devices=here,
        num_nodes=processes() // here,
        precision=precision,
        strategy=strategy,
    )


def optimiser_of(model: nn.Module, config: FitConfig) -> torch.optim.AdamW:
    """AdamW over what is trained; no weight decay on one-dimensional parameters.

    What turns codes into prior tokens learns at ``config.words_lr`` of the rate.
    """
    parts: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim >= 2 else 0.0
            rate = config.lr * (config.words_lr if name.startswith(READS_WORDS) else 1.0)
            parts.setdefault((decay, rate), []).append(parameter)
    groups = [{"params": p, "weight_decay": decay, "lr": rate} for (decay, rate), p in parts.items()]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99))


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run begins with: the network, made for a vocabulary, and where its weights come from."""

    weights: Path | None = None  # a .pt or .safetensors file; None: fresh ones
    build: Callable[[Vocabulary], Any] = build_model
    part: str | None = None  # of what both networks have, that whose names begin so; None: all, nothing else


def fit(
    config: FitConfig,
    cases: Sequence[Case],
    out: Path,
    log: Callable[[str], None] = print,
    begin: Beginning = Beginning(),
    progress: Callable[[float, str], None] = lambda _part, _left: None,
) -> Any:
    """Train for ``config.steps`` steps or ``config.minutes`` minutes; returns the averaged weights, those of
    the best validation where there was one.

    Writes ``last.pt``, ``best.pt``, ``log.csv`` and ``validation.csv`` to ``out`` and goes on from there.
    ``progress`` hears the share that is over and the time left. InputError where there is no training case,
    MedsegrError where the loss is not finite or the memory not enough.
    """
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    fabric = fabric_of(config)
    fabric.launch()
    out.mkdir(parents=True, exist_ok=True)
    run = _begin(config, cases, out, (fabric, begin, log))
    book = Logbook(out, config, run.kept.state, log, fabric.is_global_zero)
    if config.validate_every and run.watch is None:
        book.say("no validation inside the run: no case is held out")
    batches = _batches(config, cases, run)
    try:
        _loop(config, run, batches, (book, progress))
    finally:
        batches.close()
        book.close()
    fabric.barrier()  # the first process may still be writing
    return _finished(run)


def _begin(
    config: FitConfig,
    cases: Sequence[Case],
    out: Path,
    how: tuple["Fabric", Beginning, Callable[[str], None]],
) -> Run:
    fabric, begin, log = how
    start = begin.weights
    words = stored_vocabulary(out / LAST) or vocabulary_of(cases)
    model = begin.build(words)
    if start is not None and not (out / LAST).exists():
        log(f"warm start from {start.name}: {warm_start(start, model, words, begin.part)} new codes")
    adapters = tuning.prepare(model, config.tune, config.rank)
    model.to(fabric.device)
    watch = watch_of(copy.deepcopy(model), cases, words, config) if config.validate_every else None
    teacher = copy.deepcopy(model).eval().requires_grad_(False) if config.unlabelled else None
    optimiser = optimiser_of(model, config)
    rates = tuple(group["lr"] for group in optimiser.param_groups)  # what is resumed has those of its step
    kept = Kept(model, optimiser, Average(model, config.ema), State(), words, adapters)
    resume(out / LAST, kept)
    tuning.ready(model, config.tune)
    objective, wrapped = fabric.setup(Objective(model, config.weights), kept.optimiser)
    over = part_of(config, kept.state.step, kept.state.seconds)
    part = torch.tensor(over).share_memory_()  # type: ignore[no-untyped-call]
    return Run(fabric, objective, wrapped, kept, out, part, rates, watch, teacher)


def _batches(config: FitConfig, cases: Sequence[Case], run: Run) -> Generator[Batch, None, None]:
    fabric, step, words = run.fabric, run.kept.state.step, run.kept.words
    if config.steps:
        source = feed.Numbered(cases, config, words, fabric.global_rank, fabric.world_size)
        numbers = range(min(step * config.accumulate, len(source)), len(source))
        return feed.ahead(source, config.workers, fabric.device, numbers)
    seed = (config.seed, step, fabric.global_rank)
    count = feed.batch_of(config.batch, fabric.world_size) // fabric.world_size
    endless = feed.Feed(cases, config, words, seed, run.part, count)
    return feed.ahead(endless, config.workers, fabric.device)


def _loop(
    config: FitConfig,
    run: Run,
    batches: Iterator[Batch],
    told: tuple[Logbook, Callable[[float, str], None]],
) -> None:
    book, progress = told
    state, fabric = run.kept.state, run.fabric
    saved = state.seconds
    now = time.thread_time if config.clock == "processor" else time.monotonic
    if impatient(config, state) and part_of(config, state.step, state.seconds) < 1:
        book.say("stopped early before: with a larger patience, or 0, the same command goes on")
    while not impatient(config, state) and (part := part_of(config, state.step, state.seconds)) < 1:
        began = now()
        run.part.fill_(part)
        with advice(config, part):
            pulled = [next(batches) for _ in range(config.accumulate)]
            terms = step(run, pulled, config, part)
        state.step += 1
        state.images += round(sum(len(batch.pixels) / batch.share for batch in pulled) * fabric.world_size)
        spent = min(now() - began, 30.0)
        if fabric.world_size > 1:  # all must come to the end together
            spent = float(fabric.all_reduce(torch.tensor(spent, device=fabric.device)))  # type: ignore[arg-type]
        state.seconds += spent
        book.step(terms)
        progress(part_of(config, state.step, state.seconds), book.left())
        if due(config, state):
            check(config, run, book)
        if state.seconds - saved > 60 * config.save_minutes:
            _save(run, LAST)
            saved = state.seconds
    if run.watch is not None and state.judged != state.step:
        check(config, run, book)
    _save(run, LAST)


def due(config: FitConfig, state: State) -> bool:
    """Whether the next validation is due: a multiple of their distance was passed since the last one, also
    where a longer run has another distance. Not at the very end, where there is one anyway."""
    every = config.validate_every
    if not every or part_of(config, state.step, state.seconds) >= 1:
        return False
    at, last = (state.step, state.judged) if config.steps else (state.seconds / 60, state.judged_after / 60)
    return at >= (math.floor(max(0.0, last) / every + 1e-9) + 1) * every


def impatient(config: FitConfig, state: State) -> bool:
    """Whether ``patience`` validations have passed without a better one, which ends a run early."""
    return bool(config.patience) and state.since >= config.patience


def check(config: FitConfig, run: Run, book: Logbook) -> None:
    """One validation of the averaged weights. The best so far are kept."""
    state = run.kept.state
    state.judged, state.judged_after = state.step, state.seconds
    if run.watch is None:
        return
    with advice(config):
        scores = run.watch.judge(run.kept.average.state) if run.fabric.is_global_zero else {}
    scores = run.fabric.broadcast(scores)
    better = scores["dice"] > state.best + BETTER
    state.since = 0 if better else state.since + 1
    if better:
        state.best = scores["dice"]
        _save(run, BEST)
    book.check(scores)
    if impatient(config, state):
        book.say(f"stopped early: no better validation in the last {state.since}; the best stays")


def step(run: Run, batches: Sequence[Batch], config: FitConfig, part: float) -> dict[str, float]:
    """One optimiser step over ``batches`` at ``part`` of the run; mean loss terms. Every sample of the step
    weighs the same, however they are shared out.

    A loss or gradient that is not finite is an error. It is raised when all is under way, so that the device
    is waited for once a step: the weights in memory are spoilt then, what was saved is not.
    """
    tau = max(1.0, 30.0 * (1 - part / config.cooling)) if config.cooling else 1.0
    for module in run.kept.model.modules():
        if isinstance(module, TextureHead):
            module.tau.fill_(tau)
    for group, rate in zip(run.optimiser.param_groups, run.rates, strict=True):
        group["lr"] = rate * schedule(part, config.warmup)
    run.optimiser.zero_grad(set_to_none=True)
    told: list[dict[str, Tensor]] = []
    if run.teacher is not None:
        run.teacher.load_state_dict(run.kept.average.state)
        batches = [teaching.taught(batch, run.teacher, config.confidence, part) for batch in batches]
    for number, batch in enumerate(batches, 1):
        with run.fabric.no_backward_sync(run.objective, enabled=number < len(batches)):
            terms = run.objective(Parcel(batch))
            run.fabric.backward(terms["loss"] * batch.share / len(batches))
        told.append({name: value.detach() for name, value in terms.items()})
    norm: Any = run.fabric.clip_gradients(
        run.objective, run.optimiser, max_norm=config.clip, error_if_nonfinite=False
    )
    run.optimiser.step()
    run.kept.average.update(run.kept.model, run.kept.state.step)
    names = list(told[0])
    *flat, length = torch.stack([*(terms[n] for terms in told for n in names), norm.detach()]).tolist()
    for number, batch in enumerate(batches):
        _finite("loss", flat[number * len(names) + names.index("loss")], run, batch)
    _finite("gradient", length, run, batches[-1])
    return {name: sum(flat[i :: len(names)]) / len(batches) for i, name in enumerate(names)}


def _finite(what: str, value: float, run: Run, batch: Batch) -> None:
    if not math.isfinite(value):
        raise MedsegrError(
            f"the {what} is {value} at step {run.kept.state.step + 1}, batch of {', '.join(batch.cases)}; "
            "what was saved is kept: look at these pictures, or begin another run with a smaller lr or clip, "
            "from this one's folder if it had learned something"
        )


def _save(run: Run, name: str) -> None:
    if run.fabric.is_global_zero:
        save(run.kept, run.out / name)


def _finished(run: Run) -> Any:
    """The network with its averaged weights, those of the best validation where there was one."""
    best = run.out / BEST
    kept = run.watch is not None and best.exists()
    run.kept.model.load_state_dict(read(best)["average"] if kept else run.kept.average.state)
    return run.kept.model.eval()


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
    cases = load_cases(config, folders_below(config, given.data), given.out / "cache", say)
    torch.set_flush_denormal(True)  # states of the whole process, so not in fit()
    torch.set_float32_matmul_precision("high")  # TF32 where the device has it
    fit(config, cases, given.out, say, Beginning(given.warm))


if __name__ == "__main__":
    sys.exit(one_line(main))
