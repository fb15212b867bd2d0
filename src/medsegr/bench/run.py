"""Judge methods on sample tables: every image, every target, every text control, one line an image.

Methods go one after the other, images in the tables' order. Nothing hangs on that order or on where a killed
run stopped: every draw is seeded by the run's seed and the image. What fails is written with its reason and
tried again when the run is repeated; the rest goes on.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.bench import controls, leaks, store
from medsegr.bench.controls import Other
from medsegr.bench.methods import Method, Ready, built, device_record, operations, told_apart
from medsegr.bench.samples import (
    Sample,
    Wanted,
    Words,
    chosen,
    read_sample,
    read_table,
    samples_in,
    samples_of,
    table_hash,
    thinned,
)
from medsegr.bench.score import PICTURED, Answer, answer_of, kept_view, score, view_index
from medsegr.errors import InputError, MedsegrError, UsageError
from medsegr.grid import planes
from medsegr.inference.answers import at_once
from medsegr.results.verdicts import one_line
from medsegr.samples.layouts import PLAIN, Hints
from medsegr.types import Finding, Image, Prompt

LOG = logging.getLogger("medsegr")
LONGEST_REASON = 300  # characters of a foreign error
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is judged and how. ``tolerance`` of surfaces in mm (pixels where there is no spacing); ``limit``:
    images a set; ``trained_on``: further folders whose images were trained on; ``leaks``:
    refuse, drop, note or off; ``hints``: what the sets do not say themselves."""

    sets: tuple[Path, ...]
    methods: tuple[Method, ...]
    split: str = "validation"
    limit: int | None = None
    seed: int = 0
    tolerance: float = 2.0
    trained_on: tuple[Path, ...] = ()
    leaks: str = "refuse"
    device: str = "auto"
    threads: int | None = None
    hints: Hints = PLAIN


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan comes to: the images to be ``judged``, leaks included, all ``samples`` of its sets, and the
    hash of each set's table by name."""

    judged: list[Sample]
    samples: list[Sample]
    tables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: images judged, images that failed and methods that could not be built, by label."""

    judged: Mapping[str, int]
    failed: Mapping[str, int]
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not self.broken and not any(self.failed.values())


@dataclass(frozen=True, slots=True)
class Pool:
    """What all targets of a run say: ``words`` by image, and ``others``, from which "shuffled" draws."""

    words: Mapping[str, Sequence[Words]]
    others: Sequence[Other]


def run(plan: Plan, out: Path, step: Step = lambda: None, known: Planned | None = None) -> Outcome:
    """Judge, or go on judging, into the folder ``out``; ``step`` is called after each image of each method;
    ``known``: the plan's :func:`planned`, where somebody has made it before.

    Raises:
        InputError: a table that cannot be read, nothing to judge, or (LeaksFound) leaks under
            ``leaks="refuse"``: then ``leaks.json`` in ``out`` lists them and nothing else is written.
        UsageError: the folder holds another run, or another method under a label of this one.
    """
    known = known or planned(plan)
    judged, samples = known.judged, known.samples
    record = store.open_run(out, _asked(plan, known.tables))
    for method in plan.methods:
        _same(method, out / "methods" / method.label)
    if "found_leaks" not in record:
        record |= {"found_leaks": [], "like_named": []}
        if plan.leaks != "off":
            record |= _leaks(plan, judged, samples)
    leaky = {leak["judged"] for leak in record["found_leaks"]}
    if leaky and plan.leaks == "refuse":
        store.write_json(out / store.LEAKS, record["found_leaks"])
        (out / store.RECORD).unlink()
        raise leaks.LeaksFound(record["found_leaks"])
    if plan.leaks == "drop":
        judged = [sample for sample in judged if sample.id not in leaky]
        if not judged:
            (out / store.RECORD).unlink()
            raise InputError("every image to be judged leaks; choose other sets or another part")
    labels = [*record.get("labels", ()), *(m.label for m in plan.methods)]
    record |= {
        "images": len(judged),
        "device": device_record(plan.device, plan.threads),
        "labels": sorted(set(labels)),
    }
    store.write_json(out / store.RECORD, record)
    return _judge_all(plan, judged, out, step)


def planned(plan: Plan) -> Planned:
    """What a plan comes to; every set is looked through once. Errors as of :func:`run`."""
    rows = {folder: read_table(folder, plan.hints) for folder in plan.sets}
    samples = [sample for folder, table in rows.items() for sample in samples_in(folder, table)]
    judged = thinned(chosen(samples, plan.split), plan.limit)
    ids = [sample.id for sample in judged]
    if len({folder.name for folder in plan.sets}) < len(plan.sets) or len(set(ids)) < len(ids):
        raise InputError("two sets have one name, or an image stands twice in a part: names must differ")
    tables = {folder.name: table_hash(folder, table) for folder, table in rows.items()}
    return Planned(judged, samples, tables)


def _asked(plan: Plan, tables: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sets": [folder.name for folder in plan.sets],
        "split": plan.split,
        "limit": plan.limit,
        "seed": plan.seed,
        "tolerance": plan.tolerance,
        "trained_on": [folder.name for folder in plan.trained_on],
        "tables": dict(tables),
        "leaks": plan.leaks,
        **asdict(plan.hints),
    }


def _leaks(plan: Plan, judged: Sequence[Sample], samples: Sequence[Sample]) -> dict[str, Any]:
    """What the record tells of them."""
    ours = {sample.id for sample in chosen(samples, plan.split)}
    elsewhere = [s for folder in plan.trained_on for s in samples_of(folder, plan.hints)]
    others = [s for s in (*samples, *elsewhere) if s.id not in ours]
    found = [asdict(leak) for leak in leaks.check(judged, others)]
    told = [{**leak, "likeness": None if leak["kind"] == "group" else leak["likeness"]} for leak in found]
    own = {sample.id for sample in samples}
    further = [sample for sample in elsewhere if sample.id not in own]
    return {"found_leaks": told, "like_named": leaks.like_named(judged, further)}


def _judge_all(plan: Plan, judged: Sequence[Sample], out: Path, step: Step) -> Outcome:
    done: dict[str, int] = {}
    failed: dict[str, int] = {}
    broken: dict[str, str] = {}
    pool: Pool | None = None
    for method in plan.methods:
        folder = out / "methods" / method.label
        folder.mkdir(parents=True, exist_ok=True)
        lines = store.lines_of(folder / "images.jsonl")
        open_ = [s for s in judged if "rows" not in lines.get(s.id, {})]
        for _ in range(len(judged) - len(open_)):
            step()
        if open_:
            pool = pool_of(judged) if pool is None else pool
            reason = _judge(plan, method, open_, pool, folder, step)
            if reason:
                broken[method.label] = reason
        lines = store.lines_of(folder / "images.jsonl")
        done[method.label] = sum("rows" in lines.get(s.id, {}) for s in judged)
        failed[method.label] = sum("error" in lines.get(s.id, {}) for s in judged)
    return Outcome(done, failed, broken)


def _same(method: Method, folder: Path) -> None:
    """UsageError where the answers in ``folder`` are of another method, of other options or of a checkpoint
    that has changed."""
    judged = any("rows" in line for line in store.lines_of(folder / "images.jsonl").values())
    if not judged or not (folder / "method.json").is_file():
        return
    before, now = store.read_json(folder / "method.json"), told_apart(method)
    keys = ["options", "sha256" if now["sha256"] else "asked"]  # a checkpoint may have moved
    other = [key for key in keys if key in before and before[key] != now[key]]
    if other:
        raise UsageError(
            f"-o: '{method.label}' was another method or checkpoint in the run there ({', '.join(other)}); "
            "give this one its own label with LABEL=NAME, or a new folder"
        )


def pool_of(judged: Sequence[Sample]) -> Pool:
    """The words of every target of some images. An image that cannot be read has none: it fails when it is
    judged."""
    words: dict[str, list[Words]] = {}
    others: list[Other] = []
    for sample in judged:
        try:
            _, wanted = read_sample(sample)
        except MedsegrError:
            continue
        words[sample.id] = [(one.finding, one.source) for one in wanted]
        others += [
            Other(sample.id, sample.group, sample.set, one.finding) for one in wanted if one.mask.any()
        ]
    return Pool(words, others)


def _judge(
    plan: Plan, method: Method, samples: Sequence[Sample], pool: Pool, folder: Path, step: Step
) -> str | None:
    """Judge one method on what is still open; the reason where it could not even be built."""
    told: dict[str, Any] = {"label": method.label, "asked": method.name, "options": dict(method.options)}
    path = folder / "images.jsonl"
    store.mend(path)
    try:
        ready = built(method, plan.device, plan.threads)
    except Exception as error:
        reason = reason_of(error)
        store.write_json(folder / "method.json", {**told, "error": reason})
        for _ in samples:
            step()
        return reason
    told |= {"reads_text": ready.reads_text, **ready.facts, "operations": None}
    before = store.read_json(folder / "method.json") if (folder / "method.json").is_file() else {}
    told["operations"] = before.get("operations")
    store.write_json(folder / "method.json", told)
    for sample in samples:
        line: dict[str, Any] = {"image": sample.id, "set": sample.set, "group": sample.group}
        try:
            image, wanted = read_sample(sample, pool.words)
            if told["operations"] is None and ready.facts["parameters"] is not None:
                told["operations"] = _operations(ready, image, wanted[0].finding)
                store.write_json(folder / "method.json", told)
            line |= judged_image(ready, sample, (image, wanted), pool.others, (plan.seed, plan.tolerance))
        except Exception as error:
            LOG.warning("%s: an image failed: %s", method.label, type(error).__name__)
            line["error"] = reason_of(error)
        store.append(path, line)
        step()
    return None


def _operations(ready: Ready, image: Image, finding: Finding) -> int:
    """What one call costs; 0 where it cannot be counted, which is no reason not to judge."""
    try:
        return operations(ready, image, Prompt((finding.name,), (finding,), text=finding.phrase)) or 0
    except Exception as error:
        LOG.warning("%s: operations could not be counted: %s", ready.method.label, type(error).__name__)
        return 0


def judged_image(
    ready: Ready,
    sample: Sample,
    seen: tuple[Image, Sequence[Wanted]],
    everyone: Sequence[Other],
    rules: tuple[int, float],
) -> dict[str, Any]:
    """All rows of one image: ``{"modality", "seconds", "rows"}``. ``seconds`` is the first call, for one
    finding, in which nothing of the image was kept yet.

    ``rules``: the run's seed and the surface tolerance.
    """
    image, wanted = seen
    seed, tolerance = rules
    plane = planes.plane_of(image)
    rows: list[dict[str, Any]] = []
    seconds: float | None = None
    for index, one in enumerate(wanted):
        if not (one.mask.any() or one.marks.absent):
            continue  # nobody knows whether it is there
        rng = controls.generator(seed, sample.id, index)
        own = Other(sample.id, sample.group, sample.set, one.finding)
        asked = controls.controlled(one, controls.strangers(own, everyone), rng)
        kept = {name: f for name, f in asked.items() if name in controls.PLAIN or ready.reads_text}
        begin = time.perf_counter()
        first = list(answers(ready, image, [kept[controls.PLAIN[0]]]))  # now, for the clock
        seconds = time.perf_counter() - begin if seconds is None else seconds
        rest = answers(ready, image, list(kept.values())[1:])
        for name, said in zip(kept, chain(first, rest), strict=True):
            answer = replace(said, unknown=one.marks.unknown)
            row = score(answer, one.mask, image, name, tolerance)
            row |= {"target": index, "label": one.label, "words": one.source if name != "free" else "name"}
            if name in PICTURED:
                row["view"] = kept_view(answer.mask, plane, view_index(one.mask, answer.mask, plane))
            rows.append(row)
    strange = controls.foreign(
        image.modality, [w.name.name for w in wanted], controls.generator(seed, sample.id, "other")
    )
    nothing = np.zeros(image.grid, bool)
    for finding, answer in zip(strange, answers(ready, image, strange), strict=True):
        row = score(answer, nothing, image, "other", 0.0)
        rows.append({**row, "target": None, "label": finding.name, "words": "name"})
    return {"modality": image.modality, "seconds": round(seconds or 0.0, 5), "rows": rows}


def answers(ready: Ready, image: Image, findings: Sequence[Finding]) -> Iterator[Answer]:
    """One answer a finding, in order, ``ready.batch`` of them a call, fewer of a large volume."""
    turn = min(ready.batch, at_once(image))
    for at in range(0, len(findings), turn):
        part = [replace(finding, polarity="present") for finding in findings[at : at + turn]]
        if ready.reads_text and ready.batch == 1:
            part = [controls.worded(finding) for finding in part]
        prompt = Prompt(
            tuple(f.name or f.phrase for f in part),
            tuple(part),
            text=part[0].phrase if len(part) == 1 else "",
        )
        said = ready.segmenter.segment(image, prompt)
        for k in range(len(part)):
            yield answer_of(said, k, len(part), image, ready.threshold)


def reason_of(error: Exception) -> str:
    """Why something failed, in one line: for the results, which stay with whoever judges, and not for the
    log."""
    if isinstance(error, MedsegrError):
        return one_line(error)
    told = " ".join(str(error).split())[:LONGEST_REASON]
    return f"{type(error).__name__}: {told}" if told else one_line(error)
