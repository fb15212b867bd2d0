"""``medsegr train``: a checkpoint from images and masks of your own, begun from ours or from nothing."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from medsegr.cli.flags import LogFlags, SetFlags, grouped, hints_of, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError
from medsegr.process.processors import usable

if TYPE_CHECKING:
    from medsegr.fitting.config import FitConfig

FRESH = {"minutes": 10.0, "save_minutes": 1.0, "log_every": 10}
# From weights that know something: the learning rate and the settled kernels of the second stage of the
# embedded checkpoint (configs/medsegr-tiny-polish.toml).
BEGUN = {"lr": 7e-4, "cooling": 0.0, "sizes": ((1.0, 224),)}
# On a host: the learning rate that SAM is adapted with, and a size that a processor can bear.
HOSTED = {"lr": 3e-4, "sizes": ((1.0, 256),)}
CHECKS = 10  # validations a run, where nobody says how many


@dataclass(frozen=True)
class DataFlags(SetFlags):
    """What is trained on."""

    data: Annotated[
        list[str],
        option("--data", metavar="FOLDER[:WEIGHT]", help="A set; give --data again for more sets."),
    ] = field(default_factory=list)
    unlabelled: Annotated[
        list[str],
        option(
            "--unlabelled",
            metavar="FOLDER[:WEIGHT]",
            help="Images without masks, to learn from the network's own sure answers.",
        ),
    ] = field(default_factory=list)
    config: Annotated[
        Path | None, option("--config", help="TOML file of a run; other flags change single values.")
    ] = None


@dataclass(frozen=True)
class StartFlags:
    """What the run begins with, and what of it is trained."""

    start: Annotated[
        str | None,
        option(
            "--from",
            help="medsegr-tiny, medsegr-tiny-permissive, a folder (checkpoint or run), or a weights file.",
        ),
    ] = None
    tune: Annotated[
        str | None,
        option(
            "--tune",
            help="all, decoder (all but the image encoder), words (the image network stays as it is), "
            "lora, or presence (the score alone).",
        ),
    ] = None
    rank: Annotated[int | None, option("--rank", min=1, help="Rank of the adapters of lora.")] = None
    licence: Annotated[str, option("--licence", help="Licence of the new weights, as your data demand.")] = ""
    host: Annotated[
        str | None,
        option("--host", help="A SAM to put the words in: a name, a folder of weights, or tiny:FAMILY."),
    ] = None
    lora: Annotated[
        int | None, option("--lora", min=0, help="Rank of adapters on q and v of the host; 0 for none.")
    ] = None
    freeze: Annotated[
        str | None, option("--freeze", help="What of the host stays as it is: encoder, nothing or all.")
    ] = None


@dataclass(frozen=True)
class LengthFlags:
    """How long and how large."""

    minutes: Annotated[
        float | None,
        option("--minutes", min=0.01, help="Minutes of training; 10 where nothing is said."),
    ] = None
    steps: Annotated[
        int | None, option("--steps", min=1, help="Steps instead of minutes; resumes to the same bits.")
    ] = None
    size: Annotated[int | None, option("--size", help="Side of the pictures, a multiple of 32.")] = None
    batch: Annotated[
        int | None, option("--batch", min=1, help="Samples at a time; 2 a process at the least.")
    ] = None
    accumulate: Annotated[
        int | None,
        option("--accumulate", min=1, help="Batches a step, for a larger step than the memory holds."),
    ] = None
    lr: Annotated[float | None, option("--lr", min=0, help="Highest learning rate.")] = None
    patience: Annotated[
        int | None, option("--patience", min=0, help="Validations without a better one; then it ends.")
    ] = None


@dataclass(frozen=True)
class MachineFlags:
    """What it runs on."""

    device: Annotated[str | None, option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = None
    precision: Annotated[str | None, option("--precision", help="auto, 32-true or bf16-mixed.")] = None
    workers: Annotated[int | None, option("--workers", min=0, help="Processes that make the samples.")] = None
    threads: Annotated[int | None, option("--threads", min=1, help="Processor threads.")] = None
    seed: Annotated[int | None, option("--seed", min=0, help="Of all dice.")] = None


@grouped
def command(
    data: DataFlags,
    start: StartFlags,
    length: LengthFlags,
    machine: MachineFlags,
    logs: LogFlags,
    out: Annotated[
        Path, option("--out", "-o", help="Folder of the run; the same command again goes on in it.")
    ],
) -> int:
    """Train a checkpoint on images and masks of your own, begun from ours (--from medsegr-tiny) or from
    nothing. Writes OUT/checkpoint for segment --model, and OUT/report.html.
    """
    set_up(logs)
    if length.minutes and length.steps:
        raise UsageError("--minutes and --steps exclude each other; give one")
    if not data.data and data.config is None:
        raise UsageError("nothing to train on: give --data FOLDER, or --config FILE")
    import torch

    from medsegr.training.run import Asked, train

    network = hosted(start)
    config, folders = _configured(data, start, length, machine)
    torch.set_flush_denormal(True)  # states of the whole process
    torch.set_float32_matmul_precision("high")
    hints = hints_of(data)
    asked = Asked(config, folders, out, start.start or "", hints, start.licence, network)
    with naming(out), telling(logs.quiet) as (say, progress):
        made = train(asked, say, progress)
    if made is not None and not logs.quiet:
        print(f"checkpoint: {made.checkpoint} (medsegr segment --model {made.checkpoint} ...)")
        print(f"report: {made.report}")
    return 0


def _configured(
    data: DataFlags, start: StartFlags, length: LengthFlags, machine: MachineFlags
) -> tuple["FitConfig", dict[str, Path]]:
    from medsegr.fitting.config import FitConfig, read_config
    from medsegr.training.run import changed, located, undrawn

    # a configuration may leave it to --data what is trained on
    read = read_config(data.config, located(data.data, None)[0]) if data.config else None
    sets, folders = located(data.data, read)
    values: dict[str, Any] = {"sets": sets}
    if data.unlabelled:
        values["unlabelled"], more = undrawn(data.unlabelled, sets)
        folders |= more
    if read is None:
        values |= FRESH | {"threads": usable()} | (BEGUN if start.start else {})
        values |= HOSTED if start.host else {}
    base = changed(read, values) if read else FitConfig(**values)
    told = {
        "tune": "built" if start.host else start.tune,
        "rank": None if start.host else start.rank,
        "minutes": length.minutes,
        "steps": 0 if length.minutes else length.steps,
        "sizes": ((1.0, length.size),) if length.size else None,
        "batch": length.batch,
        "accumulate": length.accumulate,
        "lr": length.lr,
        "patience": length.patience,
        "device": machine.device,
        "precision": machine.precision,
        "workers": machine.workers,
        "threads": machine.threads,
        "seed": machine.seed,
    }
    config = changed(base, told)
    if config.tune not in ("all", "built") and not start.start:
        raise UsageError(f"--tune {config.tune} needs weights to begin with: give --from medsegr-tiny")
    if not config.validate_every:
        every = max(1, config.steps // CHECKS) if config.steps else config.minutes / CHECKS
        config = changed(config, {"validate_every": float(every)})
    if config.steps:  # a short run has a curve, too
        config = changed(config, {"log_every": min(config.log_every, max(1, config.steps // 20))})
    return config, folders


def hosted(start: StartFlags) -> tuple[str, dict[str, Any]]:
    """The card of the network and its options: our own, or the words on a host.

    ``--tune`` and ``--rank`` say the same of a host in the words of our own network. UsageError for what does
    not go together, WeightsError for a host that is not here.
    """
    from medsegr import hub, weights

    told = {"--lora": start.lora, "--freeze": start.freeze}
    if start.host is None:
        if lone := [flag for flag, value in told.items() if value is not None]:
            raise UsageError(f"{lone[0]} is about a host: give --host, or --tune and --rank without one")
        return weights.DEFAULT, {}
    tuned = {"lora": "encoder", "words": "all", "all": "nothing", None: "encoder"}
    if start.tune not in tuned:
        raise UsageError(f"--tune {start.tune}: with --host all, words or lora was expected")
    if start.tune is not None and start.freeze is not None:
        raise UsageError("--tune and --freeze say the same of a host; give one")
    rank = start.lora if start.lora is not None else (start.rank or 8) * (start.tune == "lora")
    options: dict[str, Any] = {"lora": rank, "freeze": start.freeze or tuned[start.tune]}
    if start.host.startswith("tiny:"):
        return "host+words", {"host": start.host, **options}
    found = hub.find(start.host)
    options["sha256"] = hub.verify(found)
    hub.remember(found, options["sha256"])
    if found.name in hub.table() and found.sha256:
        return f"{found.name}+words", options
    return "host+words", {"host": found.name, **options}


@contextmanager
def telling(quiet: bool) -> Iterator[tuple[Callable[[str], None], Callable[[float, str], None]]]:
    """How lines and progress are shown: a bar with the time left on a terminal, else lines alone; nothing in
    every process but the first."""
    if quiet or os.environ.get("RANK", "0") != "0":
        yield (lambda _line: None), (lambda _part, _left: None)
        return
    if not sys.stderr.isatty():
        yield (lambda line: print(line, flush=True)), (lambda _part, _left: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]} left"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=1.0, left="?")

        def show(part: float, left: str) -> None:
            bar.update(task, completed=part, left=left)

        yield (lambda line: bar.console.print(line, markup=False, highlight=False)), show
