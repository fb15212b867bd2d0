"""Images a second and memory of a batch by its workers, on one machine: ``make bench-scale``.

Every row is a whole ``medsegr segment --jobs`` over the same made chest X-rays: processes of this machine,
then a private Ray. The rate is that of the steady part, from the first images to the last; starting
(interpreter, Ray, the model in every worker) is told beside it. Memory is the largest sum, over all processes
of the batch, of what each holds alone plus its share of what several hold. Processor seconds an image, of the
steady part too, are least disturbed by other work on the machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WAYS = (("processes", 1), ("processes", 2), ("Ray", 1), ("Ray", 2))
SENTENCE = "Patchy opacity in the right lower lobe."


@dataclass(frozen=True, slots=True)
class Row:
    """One batch: seconds of all and until the first image; images and processor seconds of the steady part;
    bytes."""

    way: str
    workers: int
    total: float
    first: float
    rate: float
    memory: float
    processor: float


def make_jobs(folder: Path, count: int) -> Path:
    """A jobs file for ``count`` made 512 px chest X-rays, each with one sentence."""
    from PIL import Image

    from medsegr.phantom import make

    lines = []
    for number in range(count):
        picture = make("chest", np.random.default_rng(number), size=512).image
        Image.fromarray(picture).save(folder / f"{number}.png")
        job = {"id": f"c{number}", "image": f"{number}.png", "text": SENTENCE, "modality": "CR"}
        lines.append(json.dumps(job) + "\n")
    path = folder / "jobs.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def measure(jobs: Path, out: Path, way: str, workers: int) -> Row:
    """Run one batch and watch its processes; RuntimeError where it fails."""
    command = [sys.executable, "-m", "medsegr.cli.main", "segment", "--jobs", str(jobs), "-o", str(out), "-q"]
    command += ["--workers", str(workers), *(["--cluster", "local"] if way == "Ray" else [])]
    begun, clock = time.time(), time.perf_counter()
    running = subprocess.Popen(command)
    memory, spent, before = 0.0, dict[int, float](), (0, 0.0)
    while running.poll() is None:
        memory = max(memory, watch(running.pid, spent))
        count = sum(1 for _ in out.glob("*/manifest.json"))
        if before[0] < workers <= count:  # images and processor seconds when all were at work
            before = count, sum(spent.values())
        time.sleep(0.5)
    total = time.perf_counter() - clock
    if running.returncode:
        raise RuntimeError(f"the batch of {workers} workers ({way}) ended with {running.returncode}")
    ended = sorted(path.stat().st_mtime for path in out.glob("*/manifest.json"))
    rate = steady(ended, workers)
    processor = (sum(spent.values()) - before[1]) / max(1, len(ended) - before[0])
    return Row(way, workers, total, ended[0] - begun, rate, memory, processor)


def steady(ended: Sequence[float], workers: int) -> float:
    """Images a second after every worker has ended about one; NaN with too few of them."""
    if len(ended) <= workers or ended[-1] <= ended[workers - 1]:
        return float("nan")
    return (len(ended) - workers) / (ended[-1] - ended[workers - 1])


def watch(root: int, spent: dict[int, float]) -> float:
    """Bytes that a process and all below it hold now; what each has computed so far goes into ``spent``."""
    import psutil

    held = 0.0
    try:
        family = [top := psutil.Process(root), *top.children(recursive=True)]
    except psutil.Error:
        return held
    for one in family:
        try:
            times, told = one.cpu_times(), one.memory_full_info()
        except psutil.Error:  # it has just ended
            continue
        spent[one.pid] = times.user + times.system
        held += getattr(told, "pss", told.uss)
    return held


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| jobs are done by | workers | images a second | processor seconds an image | memory, GB | "
        "seconds to the first image | seconds in all |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.way} | {r.workers} | {r.rate:.2f} | {r.processor:.2f} | {r.memory / 1e9:.2f} | {r.first:.0f} "
        f"| {r.total:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of ``make bench-scale``."""
    parser = argparse.ArgumentParser(prog="python -m medsegr.bench.scale", description="Batches by workers.")
    parser.add_argument("--images", type=int, default=40)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = make_jobs(folder, given.images)
        rows = []
        for way, workers in WAYS:
            rows.append(measure(jobs, folder / f"{way}-{workers}", way, workers))
            print(table(rows[-1:]).splitlines()[-1] if len(rows) > 1 else table(rows), flush=True)


if __name__ == "__main__":
    main()
