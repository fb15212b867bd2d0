"""From folders of images and masks to a checkpoint that ``medsegr segment`` takes, with its numbers and a
page about the run. What ``medsegr train`` calls.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from medsegr import hub, registry, weights
from medsegr.checks import left_share
from medsegr.data import Case
from medsegr.errors import InputError, UsageError, WeightsError
from medsegr.fit import Beginning, fit, processes
from medsegr.fitting.cases import load_cases
from medsegr.fitting.config import FitConfig
from medsegr.fitting.logbook import STEPS
from medsegr.fitting.saved import BEST, LAST, start_of
from medsegr.io.write import atomic_write, write_json
from medsegr.modality.mirrored import SECTIONS, usual_side
from medsegr.predict import load
from medsegr.process.devices import pick_device
from medsegr.samples.feed import batch_of
from medsegr.samples.layouts import PLAIN, Hints
from medsegr.training import checkpoint
from medsegr.training.judged import judge, numbers
from medsegr.training.report import write_report

Say = Callable[[str], None]
RUN, CHECKPOINT, REPORT, CACHE, DATA = "run.json", "checkpoint", "report.html", "cache", "cases.txt"
# What may differ when a run goes on; all else would make it another run.
FREE = frozenset(
    [
        "minutes",
        "steps",
        "workers",
        "threads",
        "device",
        "precision",
        "save_minutes",
        "log_every",
        "validate_every",
        "validate_cases",
        "patience",
    ]
)
FEWEST_TO_TELL = 3  # pictures of an organ, before its side is believed to say something of a set
UNSAID = "not stated: ask whoever trained it"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked for. ``folders``: where each set of the configuration lies. ``start``: what to
    begin with, as ``--from`` takes it, or nothing. ``licence``: of the new weights, in words. ``network``:
    the name of its card with the options it is built with."""

    config: FitConfig
    folders: Mapping[str, Path]
    out: Path
    start: str = ""
    hints: Hints = PLAIN
    licence: str = ""
    network: tuple[str, Mapping[str, Any]] = (weights.DEFAULT, MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a run: the checkpoint's folder, the page, its card."""

    checkpoint: Path
    report: Path
    card: Mapping[str, Any]


def train(
    asked: Asked, say: Say, progress: Callable[[float, str], None] = lambda _part, _left: None
) -> Made | None:
    """Train (or go on), export to ``out/checkpoint``, judge the held-out images, write ``out/report.html``.

    None in every process but the first of several. InputError for data that cannot be trained on, UsageError
    where ``out`` holds another run or something else.
    """
    first = os.environ.get("RANK", "0") == "0"
    pick_device(asked.config.device)  # refused before anything is read
    start = beginning_of(asked.start) if asked.start else None
    prepare(asked, first)
    cases = load_cases(asked.config, asked.folders, asked.out / CACHE, say, asked.hints)
    heard = [*weak_points(cases), *mirrored_sets(cases), *seen_small(asked)]
    for line in (*heard, *other_data(asked.out, cases, first)):
        say(line)
    name, options = asked.network
    fit(asked.config, cases, asked.out, say, Beginning(start, registry.network(name, **options)), progress)
    return _finish(asked, cases, say) if first else None


def beginning_of(given: str) -> Path:
    """The weights that ``--from`` names; UsageError for a name that means none."""
    if not Path(given).exists() and given not in weights.names():
        raise UsageError(
            f"--from: '{given[:60]}' is neither a file nor a folder nor one of {', '.join(weights.names())}"
        )
    return start_of(given)


def prepare(asked: Asked, write: bool = True) -> None:
    """Make the folder of the run, or make sure that it holds the same run; note what it is made of."""
    out = asked.out
    name, options = asked.network
    told: dict[str, Any] = {"config": asdict(asked.config), "sets": sorted(asked.folders)}
    told |= {"from": asked.start, "network": [name, dict(options)]}
    told |= {"target": asked.hints.target, "modality": asked.hints.modality}
    noted = out / RUN
    if noted.is_file():
        # one that was refused before its first step left nothing that could be mixed up
        begun = any((out / file).exists() for file in (LAST, BEST, STEPS))
        other = _others(noted, json.loads(json.dumps(told))) if begun else []
        if other:
            raise UsageError(
                f"the output folder holds a run with other settings ({', '.join(other)}); give the same to "
                "go on with it, or another --out"
            )
    elif out.is_dir() and any(path.name != CACHE for path in out.iterdir()):  # another process may be ahead
        raise InputError(
            "the output folder holds files that are no training run; give --out a new or empty folder"
        )
    if write:
        out.mkdir(parents=True, exist_ok=True)
        write_json(told, noted)


def _others(noted: Path, now: Mapping[str, Any]) -> list[str]:
    """What is set otherwise than in the run that is noted there. What an older note lacks was as usual."""
    usual = json.loads(json.dumps(asdict(FitConfig(phantoms={"cells": 1.0}))))
    try:
        before = json.loads(noted.read_text(encoding="utf-8"))
        config = usual | before["config"]
        config |= {key: usual[key] | config[key] for key in ("recipe", "weights")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{noted.name} in the output folder cannot be read ({type(error).__name__}); give another --out"
        ) from error
    before = {"network": [weights.DEFAULT, {}], "from": "", **now, **before, "config": config}
    own = now["config"]
    free = FREE
    samples = [batch_of(one["batch"], processes()) * one["accumulate"] for one in (own, config)]
    if samples[0] == samples[1]:
        free |= {"batch", "accumulate"}  # the same step in other parts, for too little memory
    other = [key for key in own if own[key] != config[key] and key not in free]
    return other + [key for key in ("from", "network", "target", "modality") if now[key] != before[key]]


def weak_points(cases: Sequence[Case]) -> list[str]:
    """What the person should hear before the run: concepts with too few cases to be called known.

    InputError where no concept has enough.
    """
    known = checkpoint.concepts_of(cases)
    own: dict[str, int] = {}
    for case in cases:
        for target in case.targets if case.drawn and not case.validation else ():
            name = next((c.text.partition(":")[2] for c in target.codes if c.group == "concept"), "")
            own[name] = own.get(name, 0) + bool(target.packed.any())
    few = [f"{name} ({count})" for name, count in sorted(own.items()) if name not in known]
    need = f"at least {checkpoint.FEWEST} training images in which it is drawn are needed"
    if not known:
        raise InputError(f"too few images of every target ({', '.join(few) or 'none at all'}): {need}")
    if not few:
        return []
    return [f"too few images to be called known, and refused when asked for: {', '.join(few)}; {need}"]


def mirrored_sets(cases: Sequence[Case]) -> list[str]:
    """What the person should hear of sets in most of whose pictures an organ lies where it does in hardly
    anybody: told a side, the network would learn the wrong one."""
    across: dict[tuple[str, str], list[bool]] = {}
    for case in cases:
        if case.made or case.viewer or case.sagittal or case.modality not in SECTIONS:
            continue
        for index, target in enumerate(case.targets):
            name = next((c.text.partition(":")[2] for c in target.codes if c.group == "concept"), "")
            side, mask = usual_side(name), case.mask(index)
            if side is not None and mask.any():
                # Pictures are held in the radiological view: the patient's left is at their right.
                left = left_share(mask, 1, True) > 0.5
                across.setdefault((case.set, name), []).append(left != (side == "left"))
    other = {"left": "right", "right": "left"}
    remedy = "turn them, or give them the frame viewer in a table; else words of sides teach the wrong ones"
    return [
        f"{name} lies on the {other[str(usual_side(name))]} in {sum(found)} of {len(found)} pictures of "
        f"{source}, where it does in hardly anybody: if they are mirrored, {remedy}"
        for (source, name), found in across.items()
        if len(found) >= FEWEST_TO_TELL and 2 * sum(found) > len(found)
    ]


def seen_small(asked: Asked) -> list[str]:
    """What the person should hear where pictures are shown at half or less of the side that the first weights
    have learned them at: what these know of them is lost then."""
    try:
        base = int(weights.read_card(asked.start).get("base", 0)) if asked.start else 0
    except WeightsError:  # a run or a file without a card
        return []
    largest = max(side for _, side in asked.config.sizes)
    if 2 * largest > base:
        return []
    return [
        f"pictures are shown at {largest} px, and {asked.start} has learned at {base}: much of it is lost"
    ]


def other_data(out: Path, cases: Sequence[Case], write: bool = True) -> list[str]:
    """What the person should hear where a run goes on with other cases than it began with, which are noted:
    which of them are held out hangs on all of them."""
    noted = out / DATA
    told = "".join(f"{case.id} {'held out' if case.validation else 'trained on'}\n" for case in cases)
    if not ((out / LAST).exists() and noted.is_file()):
        if write:
            with atomic_write(noted) as part:
                part.write_text(told, encoding="utf-8")
        return []
    if noted.read_bytes() == told.encode():
        return []
    return [
        f"the data are not those that this run began with ({DATA}): what is held out now may have been "
        "trained on, and the numbers be too kind; a new --out begins anew"
    ]


def _finish(asked: Asked, cases: Sequence[Case], say: Say) -> Made:
    config, out = asked.config, asked.out
    best = out / BEST
    source = best if config.validate_every and best.is_file() else out / LAST
    name = out.resolve().name
    licence = licence_of(asked)
    about = {
        "warm_start": (asked.start and Path(asked.start).name) or "nothing",
        "hardware": hardware(config.device),
        "licence": licence,
        "base": config.sizes[-1][1],
        "mirror": False,
        "presence_threshold": 0.5,
        "tune": config.tune if config.tune != "lora" else f"lora, rank {config.rank}",
        **network_of(asked),
    }
    folder = out / CHECKPOINT
    for old in folder.glob("*.safetensors"):  # of a folder that was renamed between two calls
        if old.stem != name:
            old.unlink()
    checkpoint.export(source, cases, name, folder, about)
    predictor = load(folder, device=pick_device(config.device))
    judged = {name: folder for name, folder in asked.folders.items() if name not in config.unlabelled}
    rows = judge(predictor, judged, asked.hints, say=say)
    card = weights.note(folder, {"validation": numbers(rows)})
    told = {"card": card, "config": asdict(config), "data": facts(config, cases)}
    write_report(out / REPORT, out, told, rows)
    return Made(folder, out / REPORT, card)


def network_of(asked: Asked) -> dict[str, Any]:
    """What the card must say so that the network can be built again; nothing for our own default."""
    name, options = asked.network
    return {} if name == weights.DEFAULT and not options else {"network": name, "options": dict(options)}


def licence_of(asked: Asked) -> str:
    """The licence of the new weights: as given, with that of the weights that they began with, and that of
    the host that they stand on."""
    before = ""
    if asked.start:
        card = start_of(asked.start).with_suffix(".json")
        before = json.loads(card.read_text(encoding="utf-8")).get("licence", "") if card.is_file() else ""
    given = asked.licence or UNSAID
    told = f"{given}; begun from weights under {before}" if before and before != given else given
    row = hub.table().get(asked.network[0].removesuffix("+words"))
    return f"{told}; on the host {row.name} under {row.licence}" if row else told


def hardware(device: str) -> str:
    """What a run used, in words for the card."""
    kind = pick_device(device)
    return (
        torch.cuda.get_device_name(kind)
        if kind.startswith("cuda")
        else {"cpu": "a processor"}.get(kind, kind)
    )


def facts(config: FitConfig, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row for each set: weight in the mix, cases, how many are held out, what is drawn."""
    made = {f"phantom-{kind}": w for kind, w in config.phantoms.items()}
    weight = {**config.sets, **made, **config.unlabelled}
    rows = []
    for name, share in weight.items():
        own = [case for case in cases if case.set == name]
        targets = {c.text.partition(":")[2] for case in own for t in case.targets for c in t.codes[:1]}
        rows.append(
            {
                "set": name,
                "weight": share,
                "cases": len(own),
                "held out": sum(case.validation for case in own),
                "groups": len({case.group for case in own}),
                "targets": ", ".join(sorted(targets)),
            }
        )
    return rows


def located(given: Sequence[str], config: FitConfig | None) -> tuple[dict[str, float], dict[str, Path]]:
    """Weights and places of the sets that ``--data`` names, joined with those of a configuration.

    ``FOLDER`` or ``FOLDER:WEIGHT`` is a set, or a folder that holds sets of the configuration.
    """
    wanted = dict(config.sets) if config else {}
    sets: dict[str, float] = {}
    folders: dict[str, Path] = {}
    for text in given:
        folder, weight = _weighted(text, "--data")
        name = folder.resolve().name
        inside = [one for one in wanted if (folder / one).is_dir()]
        if name not in wanted and inside:
            folders |= {one: folder / one for one in inside}
            continue
        if name in folders and folders[name] != folder:
            raise UsageError(f"--data: two folders are called {name}; rename one, since sets go by this name")
        folders[name] = folder
        sets[name] = weight if weight is not None else wanted.get(name, 1.0)
    missing = [name for name in wanted if name not in folders]
    if missing:
        raise InputError(
            f"set {missing[0]} was not found; give its folder, or its parent folder, with --data"
        )
    return {**wanted, **sets}, folders


def undrawn(given: Sequence[str], sets: Mapping[str, float]) -> tuple[dict[str, float], dict[str, Path]]:
    """Weights and places of the folders that ``--unlabelled`` names; ``sets`` are those with masks.

    Together they weigh half as much as these, where no weight is given.
    """
    weights: dict[str, float] = {}
    folders: dict[str, Path] = {}
    for text in given:
        folder, weight = _weighted(text, "--unlabelled")
        name = folder.resolve().name
        if name in folders or name in sets:
            raise UsageError(f"--unlabelled: two folders are called {name}; rename one")
        folders[name] = folder
        weights[name] = 0.5 * (sum(sets.values()) or 1.0) / len(given) if weight is None else weight
    return weights, folders


def _weighted(text: str, flag: str) -> tuple[Path, float | None]:
    """``FOLDER`` or ``FOLDER:WEIGHT`` as a flag gives it, the folder there."""
    folder, weight = Path(text), None
    head, _, tail = text.rpartition(":")
    if head and not folder.exists() and (number := _number(tail)) is not None:
        folder, weight = Path(head), number
        if not 0 < weight < float("inf"):
            raise UsageError(f"{flag}: the weight {tail} came where a number above 0 was expected")
    if not folder.is_dir():
        raise InputError(f"{flag}: there is no folder {folder.name}; check the path")
    return folder, weight


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def changed(config: FitConfig, values: Mapping[str, Any]) -> FitConfig:
    """The configuration with the values that are not None put in."""
    told = {f.name: getattr(config, f.name) for f in fields(config)}
    return FitConfig(**told | {key: value for key, value in values.items() if value is not None})
