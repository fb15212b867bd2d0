"""A batch: every job ends with a status in OUT/jobs.jsonl, whatever happens to the others.

Who does the jobs is a value, ``Finish``: processes of this machine (``finished``, here) or a Ray cluster
(``cluster.finish_on``). Both call ``do`` for one job. The model is loaded once a process. OUT/jobs.jsonl is
rewritten whole (temporary name, then rename) as jobs end. A job is complete, and skipped by --resume, when
its manifest holds the key of the same image, words, options and model.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medsegr
from medsegr.cli.flags import naming
from medsegr.cli.jobs import Job, jobs_in
from medsegr.cli.logs import LOG, say_error
from medsegr.cli.pool import given, pool_of
from medsegr.errors import InputError, MedsegrError
from medsegr.io.choices import DEFAULT_CHOICES, Choices
from medsegr.io.limits import DEFAULT_LIMITS, Limits
from medsegr.io.write import atomic_write
from medsegr.options import Options
from medsegr.process import processors

if TYPE_CHECKING:
    from medsegr.report.llm import Endpoint
    from medsegr.session import Model

Row = dict[str, Any]
WRITE_EVERY = 1.0  # seconds between two writings of jobs.jsonl, and twenty times what the last one took
IN_FLIGHT = 2  # jobs given to a worker at once: the next one lies ready when one ends
DIED = "the worker process died, most likely for lack of memory; use fewer workers or a smaller image"
CODES = {
    "InputError": "input_refused",
    "GeometryError": "geometry",
    "ReportError": "report_refused",
    "UsageError": "wrong_arguments",
    "WeightsError": "weights",
    "MissingExtra": "missing_extra",
    "MemoryError": "out_of_memory",
}


@dataclass(frozen=True)
class Plan:
    """What all jobs of a batch share; it travels to the workers."""

    out: Path
    options: Options
    model: str
    device: str
    threads: int | None
    resume: bool
    limits: Limits = DEFAULT_LIMITS
    choices: Choices = DEFAULT_CHOICES  # of every job; a job's own series and film frame come on top
    backend: str = "torch"
    precision: str = "fp32"
    features: tuple[Path, float] | None = None  # folder and gigabytes of the cache on disk
    llm: "Endpoint | None" = None  # a language model that reads reports too


Task = tuple[int, Job, str, str]  # number, job, folder of the jobs file, key of the model
Rows = Generator[tuple[int, Row], None, None]  # (number, row) of every job as it ends, in any order
Finish = Callable[[Iterable[Task], Plan, int], Rows]  # (jobs, plan, workers): who does them


def run(jobs_file: Path, plan: Plan, workers: int, show: bool = True, finish: Finish | None = None) -> int:
    """Do all jobs; returns 0, 4 (some failed) or 5 (none failed, but a strict side check did).

    ``finish`` does them; by default processes of this machine.
    """
    from medsegr.backends.names import check
    from medsegr.session import check_model

    # On a cluster the number of threads is also that of the processors a worker takes.
    check_model(plan.model, plan.device, plan.threads if finish is None else None)
    check(plan.backend, plan.precision, plan.device)
    if finish is None:
        plan, finish = replace(plan, threads=plan.threads or threads_each(workers)), finished
    with naming(jobs_file):
        total = sum(1 for _ in jobs_in(jobs_file))  # a bad line refuses the file before any work
    with naming(plan.out):
        prepare(plan.out, jobs_file)
    model, base = model_key(plan.model), str(jobs_file.resolve().parent)
    with progress(total, show) as step, closing(jobs_in(jobs_file)) as jobs:
        todo = ((n, job, base, model) for n, job in enumerate(jobs, 1))
        rows = collect(finish(todo, plan, workers), plan.out, total, step)
    failed = sum(row["status"] == "failed" for row in rows.values())
    turned = sum(bool(row.get("side_failed")) for row in rows.values())
    if show:
        print(f"{len(rows) - failed} of {total} jobs done, {failed} failed; see {plan.out / 'jobs.jsonl'}")
    if failed:
        say_error(f"{failed} of {total} jobs failed; jobs.jsonl says why")
        return 4
    return 5 if turned and plan.options.side_check == "strict" else 0


def collect(done: Rows, out: Path, total: int, step: Callable[[], None]) -> dict[int, Row]:
    """All rows by number; OUT/jobs.jsonl holds those that came, whatever ends the batch."""
    rows: dict[int, Row] = {}
    due = time.monotonic() + WRITE_EVERY
    try:
        with closing(done):  # workers have ended when the rest of a killed one is cleared
            for number, row in done:
                rows[number] = row
                step()
                code = f" ({row['code']})" if row["code"] else ""
                LOG.info("job %d of %d: %s%s", number, total, row["status"], code)
                begun = time.monotonic()
                if begun > due:
                    write_rows(out, rows)
                    took = time.monotonic() - begun
                    due = begun + took + max(WRITE_EVERY, 20 * took)
    finally:
        clear_halves(out)
        write_rows(out, rows)
    return rows


def threads_each(workers: int) -> int | None:
    """Processor threads of each of several workers; None (torch decides) for one. Together they must not be
    more than there are processors: threads that wait for a busy one slow a job down many times.
    """
    return None if workers == 1 else max(1, processors.usable() // workers)


def prepare(out: Path, jobs_file: Path) -> None:
    """Make the output folder; refuse one with foreign files in it.

    What a killed batch left half written is removed.
    """
    if jobs_file.resolve() == (out / "jobs.jsonl").resolve():
        raise InputError("the batch would write its jobs.jsonl over the jobs file; give -o another folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "jobs.jsonl").is_file():
        raise InputError(
            "the output folder holds files that no batch of medsegr wrote; give -o a new or empty folder"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        clear_halves(out)
        write_rows(out, {}) if not (out / "jobs.jsonl").exists() else None
    except OSError as error:
        raise InputError(
            f"the output folder cannot be written: {error.strerror}; give -o another one"
        ) from None


def clear_halves(out: Path) -> None:
    """Remove what a worker that was killed left under a temporary name."""
    for half in out.glob(".part-*"):
        shutil.rmtree(half, ignore_errors=True) if half.is_dir() else half.unlink(missing_ok=True)


def write_rows(out: Path, rows: dict[int, Row]) -> None:
    """OUT/jobs.jsonl as a whole, in the order of the jobs file."""
    text = "".join(json.dumps(rows[number], ensure_ascii=False) + "\n" for number in sorted(rows))
    with atomic_write(out / "jobs.jsonl") as part:
        part.write_text(text, encoding="utf-8")


def finished(todo: Iterable[Task], plan: Plan, workers: int) -> Rows:
    """Do the jobs on this machine: in this process, or in several that each hold the model.

    Where a process dies, the jobs that were in hand are done again one by one, each in a process of its own:
    so the one that kills is known. The others go on in a new pool.
    """
    if workers == 1:
        for task in todo:
            yield task[0], do(task, plan)
        return
    source, left = iter(todo), dict[int, Task]()
    while True:
        try:
            yield from pooled(source, left, plan, workers)
            return
        except BrokenProcessPool:
            LOG.warning("a worker died: the jobs in hand are tried again one by one")
        for number in list(left):
            task = left.pop(number)
            try:
                with pool_of(1) as pool:
                    row = given(pool, do, task, plan).result()
            except BrokenProcessPool:
                row = failure(task[1].id, "out_of_memory", DIED)
            yield number, row


def pooled(source: Iterator[Task], left: dict[int, Task], plan: Plan, workers: int) -> Rows:
    """Do jobs in one pool; ``left`` holds those in hand. BrokenProcessPool where a process dies."""
    pending: dict[Future[Row], int] = {}
    with pool_of(workers) as pool:
        while True:
            for task in islice(source, workers * IN_FLIGHT - len(pending)):
                left[task[0]] = task
                pending[given(pool, do, task, plan)] = task[0]
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                row = future.result()
                number = pending.pop(future)
                del left[number]
                yield number, row


def do(task: Task, plan: Plan) -> Row:
    """One job to one row; an error becomes the row, it is not raised."""
    _, job, base, model = task
    start = time.perf_counter()
    try:
        row = _work(job, Path(base), model, plan)
    except Exception as error:
        code = CODES.get(type(error).__name__, "error")
        message = str(error) if isinstance(error, MedsegrError) else f"{type(error).__name__} inside medsegr"
        LOG.debug("a job failed", exc_info=error)
        row = failure(job.id, code, " ".join(message.split()))
    return row | {"seconds": round(time.perf_counter() - start, 3)}


def failure(job_id: str, code: str, message: str) -> Row:
    """The row of a job that failed."""
    return {"id": job_id, "status": "failed", "code": code, "message": message, "findings": []}


def _work(job: Job, base: Path, model: str, plan: Plan) -> Row:
    from medsegr import pipeline
    from medsegr.cli.segment import check_apart, told
    from medsegr.io.read import read_image
    from medsegr.report.read import read_report
    from medsegr.results.export import formats_of
    from medsegr.results.verdicts import side_failures

    out, image = plan.out / job.id, base / job.image
    text, notes = read_report(base / job.report) if job.report is not None else (job.text, ())
    key = job_key(job, image, text, (plan, model))
    check_apart(image, out)
    if plan.resume and (row := complete(out, key, job.id)):
        return row
    choices = replace(plan.choices, series=job.series or "", film_frame=job.film_frame)
    picture = read_image(image, modality=job.modality, frame=job.frame, limits=plan.limits, choices=choices)
    formats_of(picture, plan.options)
    read = told(pipeline.read_words(picture, text, job.phrases or (), plan.options), notes)
    if read is not None and text is not None and plan.llm is not None:
        from medsegr.cli.second import reader_of

        read = reader_of(plan.llm, plan.out).read(read, picture, plan.options)
    loaded = loaded_model(plan.model, plan.device, plan.threads, plan.backend, plan.precision, plan.features)
    result = pipeline.run(picture, loaded.segmenter, report=read, options=plan.options)
    pipeline.save(result, out, plan.options, {**loaded.ran_on, "job": {"key": key}})
    findings = [{"id": r.finding.id, "status": r.status, "reason": r.reason} for r in result.findings]
    return done(job.id, findings, side_failures(result))


def done(job_id: str, findings: list[Row], side_failed: list[str], resumed: bool = False) -> Row:
    """The row of a job that ended well."""
    row = {
        "id": job_id,
        "status": "done",
        "code": None,
        "message": None,
        "findings": findings,
        "side_failed": side_failed,
    }
    return row | ({"resumed": True} if resumed else {})


def complete(out: Path, key: str, job_id: str) -> Row | None:
    """The row of a job whose result lies in ``out`` with this key and with every file it lists; else None."""
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        told = json.loads((out / "findings.json").read_text(encoding="utf-8"))
        if manifest["job"]["key"] != key or not all(
            (out / item["path"]).is_file() for item in manifest["files"]
        ):
            return None
        findings = [{name: f[name] for name in ("id", "status", "reason")} for f in told["findings"]]
        wrong = [
            f["id"]
            for f in told["findings"]
            if any(c["name"] == "side" and c["outcome"] == "fail" for c in f["checks"])
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return done(job_id, findings, wrong, resumed=True)


def job_key(job: Job, image: Path, text: str | None, shared: tuple[Plan, str]) -> str:
    """sha256 over everything that a result depends on: image bytes, words, options, model, version."""
    plan, model = shared
    parts = {
        "image": path_hash(image),
        "text": text,
        "phrases": job.phrases,
        "modality": job.modality,
        "frame": job.frame,
        "choices": (job.series, job.film_frame, asdict(plan.choices)),
        "options": asdict(plan.options),
        "model": [model, plan.backend, plan.precision],
        "version": medsegr.__version__,
    }
    if plan.llm is not None:
        parts["llm"] = [plan.llm.url, plan.llm.model]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def path_hash(path: Path) -> str:
    """sha256 of a file, or of the names and contents of a folder's files.

    InputError where it cannot be read.
    """
    from medsegr.results.record import file_hash

    try:
        if not path.is_dir():
            return file_hash(path)
        inside = sorted(p for p in path.rglob("*") if p.is_file())
        told = "\n".join(f"{p.relative_to(path).as_posix()} {file_hash(p)}" for p in inside)
        return hashlib.sha256(told.encode()).hexdigest()
    except OSError as error:
        raise InputError(
            f"the image cannot be read: {error.strerror}; check the path in the jobs file"
        ) from None


def model_key(name: str) -> str:
    """What identifies a model without loading it.

    The hash of its checkpoint, or the name of a method without one.
    """
    from medsegr import weights

    if Path(name).is_dir() or name in weights.names():
        return str(weights.read_card(name)["sha256"])
    return name


@cache
def loaded_model(
    name: str,
    device: str,
    threads: int | None,
    backend: str,
    precision: str,
    features: tuple[Path, float] | None = None,
) -> "Model":
    """The model, loaded once a process."""
    from medsegr.session import has_network, keep_features, load

    model = load(name, device, threads if has_network(name) else None, backend=backend, precision=precision)
    return keep_features(model, *features) if features else model


@contextmanager
def progress(total: int, show: bool) -> Iterator[Callable[[], None]]:
    """A bar on stderr where that is a terminal; gives the function that counts one job."""
    if not (show and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task("jobs", total=total)
        yield lambda: bar.advance(task)
