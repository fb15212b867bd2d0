"""Networks trained alike and judged alike: the same pictures, augmentation, loss and seed, for equal
minutes or equal steps.

``python -m medsegr.bench.peers --config C.toml --data DATA --out OUT --minutes 4`` trains each method in a
process of its own and prints the table. What is done is not done again: the same command goes on. A method
that fails is named with its reason, and the others go on.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsegr import registry, weights
from medsegr.bench import controls, peer_table, store
from medsegr.errors import InputError, UsageError
from medsegr.fitting.cases import folders_below, load_cases
from medsegr.fitting.config import FitConfig, read_config
from medsegr.process.devices import pick_device
from medsegr.samples.layouts import rows_of

if TYPE_CHECKING:
    from medsegr.bench.peer_scores import Row
    from medsegr.predict import Predictor

HERE = Path(__file__).parent
LISTS = {"peers": HERE / "peers.toml", "ablations": HERE / "ablations.toml"}
DONE, FAILED = "scores.json", "failed.txt"


@dataclass(frozen=True, slots=True)
class Method:
    """A network by its card's ``name`` with ``options``, under a ``label`` of its own; or a ``checkpoint`` (a
    name or a folder), which is judged as it is and not trained."""

    label: str
    name: str
    options: Mapping[str, Any]
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """One comparison. ``methods``: a list that ships (``peers``, ``ablations``) or a TOML file. Either
    ``minutes`` or ``steps`` is given, neither where all methods are checkpoints. ``made``: phantoms a kind to
    judge on; ``limit``: pictures a set (None: all). ``start``: weights that every method begins with as far
    as it has the same, those whose names begin with ``part``: ``"host."`` is the image network of ours.
    ``referring``: folders of sets whose words mean one of several things, of pictures that are not trained
    on; these and made bodies are asked with the words of ``controls``, a list of
    :func:`medsegr.bench.controls.named`."""

    config: Path
    out: Path
    data: Path | None = None
    methods: str = "peers"
    minutes: float = 0.0
    steps: int = 0
    jobs: int = 1
    made: int = 60
    limit: int | None = None
    start: Path | None = None
    part: str = ""
    referring: tuple[Path, ...] = ()
    controls: str = "all"

    def __post_init__(self) -> None:
        """Refuses a comparison with two budgets, counts that are none and controls that nobody knows."""
        if self.minutes > 0 and self.steps > 0:
            self.refuse()
        controls.named(self.controls)
        names = [folder.resolve().name for folder in self.referring]
        if len(set(names)) < len(names):
            raise UsageError(f"referring {', '.join(names)}: sets of different names were expected")
        for name, least in (("jobs", 1), ("made", 0), ("limit", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} {value}: at least {least} was expected")

    def refuse(self) -> None:
        """Raises UsageError: there is no budget, or there are two."""
        raise UsageError(
            f"minutes {self.minutes:g} and steps {self.steps}: exactly one budget above 0 was expected"
        )


def read_methods(which: str) -> tuple[Method, ...]:
    """The methods of a list that ships or of a TOML file, ours (what others are compared with) first.

    A table ``[[method]]`` has ``name``, perhaps ``label``, and options of that network; or ``label`` and
    ``checkpoint``. Raises InputError for a file that cannot be read, UsageError for an unknown method or a
    label that comes twice.
    """
    path = LISTS.get(which, Path(which))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8")).get("method", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"cannot read the list of methods {path.name}: {error}; these ship: {', '.join(LISTS)}"
        ) from error
    if (
        not isinstance(raw, list)
        or not raw
        or not all(isinstance(one, dict) and (one.get("name") or one.get("checkpoint")) for one in raw)
    ):
        raise InputError(f"{path.name}: tables [[method]] with a name each, or a checkpoint, were expected")
    found = [_method(one) for one in raw]
    labels = [method.label for method in found]
    twice = [label for label in labels if labels.count(label) > 1 or "/" in label or label.startswith(".")]
    if twice:
        raise UsageError(f"{path.name}: the label '{twice[0][:40]}' comes twice or is no name of a folder")
    known = registry.cards()
    for method in found:
        if method.checkpoint:
            weights.read_card(method.checkpoint)  # says what is wrong
        elif method.name not in known or not known[method.name].network:
            registry.network(method.name)  # so does this
    return tuple(found)


def _method(one: Mapping[str, Any]) -> Method:
    """A table of the list. UsageError where it asks for a checkpoint and for a network to train."""
    options = {key: value for key, value in one.items() if key not in ("name", "label", "checkpoint")}
    checkpoint = str(one.get("checkpoint", ""))
    if checkpoint and (options or "name" in one):
        raise UsageError("a method has a checkpoint and a name or options: a checkpoint is judged as it is")
    name = str(one.get("name", Path(checkpoint).name))
    return Method(str(one.get("label", name)), "" if checkpoint else name, options, checkpoint)


def configured(bench: Bench) -> FitConfig:
    """The configuration with the comparison's budget, one thread a method.

    On a processor minutes are those that the training thread used, so that neither other work on the machine
    nor the making of samples, which is the same for all, favours anybody.
    """
    config = read_config(bench.config)
    changes: dict[str, Any] = {"threads": 1, "minutes": bench.minutes or config.minutes, "steps": bench.steps}
    if pick_device(config.device) == "cpu":
        changes["clock"] = "processor"
    return replace(config, **changes)


def settings(bench: Bench, method: Method) -> dict[str, Any]:
    """What must be equal for a result to be taken over, as plain data."""
    told: dict[str, Any] = {"config": asdict(configured(bench)), "method": asdict(method), "made": bench.made}
    start = None if bench.start is None else hashlib.sha256(bench.start.read_bytes()).hexdigest()
    told |= {"limit": bench.limit, "start": start, "part": bench.part}
    told["controls"] = controls.named(bench.controls)
    if method.checkpoint:
        told["sha256"] = weights.read_card(method.checkpoint).get("sha256")
    told["referring"] = {
        folder.resolve().name: hashlib.sha256(json.dumps(rows_of(folder)).encode()).hexdigest()
        for folder in bench.referring
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def train(bench: Bench, method: Method, log: Callable[[str], None] = print) -> None:
    """Train and judge one method in this process; writes ``OUT/LABEL/scores.json``. A killed one goes on from
    its last state, and judging goes on after the last set that was judged."""
    from medsegr.predict import load

    folder = bench.out / method.label
    folder.mkdir(parents=True, exist_ok=True)
    name: str | Path = method.checkpoint or folder / "checkpoint"
    parameters = None if method.checkpoint else _trained(bench, method, folder, log)
    predictor = load(name, device="cpu")
    rows = [row for name, make in _parts(bench, predictor) for row in _kept(bench, method, (name, make), log)]
    trained = predictor.card.get("training", {})
    facts = {
        "parameters": parameters or predictor.card["parameters"],
        "steps": trained.get("step", 0),
        "samples": trained.get("images", 0),
        "minutes": trained.get("seconds", 0) / 60,
        "checkpoint": bool(method.checkpoint),
    }
    store.write_json(folder / DONE, {"settings": settings(bench, method), "facts": facts, "rows": rows})
    (folder / FAILED).unlink(missing_ok=True)


def _trained(bench: Bench, method: Method, folder: Path, log: Callable[[str], None]) -> int:
    """Train one method and export its checkpoint; how many parameters it has."""
    from medsegr import fit
    from medsegr.training import checkpoint

    config = configured(bench)
    build = registry.network(method.name, **method.options)
    cases = load_cases(config, folders_below(config, bench.data), bench.out / "cache", log)
    begin = fit.Beginning(bench.start, build, bench.part)
    model = fit.fit(config, cases, folder, log, begin)
    about = {
        "network": method.name,
        "options": dict(method.options),
        "base": config.sizes[-1][1],
        "presence_threshold": 0.5,
        "licence": "as of the data that it was trained on",
        "warm_start": f"what it shares with {bench.start.name} ({bench.part}...)"
        if bench.start
        else "nothing",
    }
    checkpoint.export(folder, cases, method.label, folder / "checkpoint", about)
    return sum(p.numel() for p in model.parameters())


def _parts(bench: Bench, predictor: "Predictor") -> Iterator[tuple[str, Callable[[], Iterable["Row"]]]]:
    """What one method is judged on: a name for each set or kind of body, and what makes its rows."""
    from medsegr.bench import peer_scores

    config, asked = configured(bench), controls.named(bench.controls)
    for name in config.sets if bench.data else ():
        yield (
            f"name-{name}",
            partial(peer_scores.real_rows, Path(bench.data or "") / name, predictor, bench.limit),
        )
    for folder in bench.referring:
        yield (
            f"referring-{folder.resolve().name}",
            partial(peer_scores.referring_rows, folder, predictor, asked),
        )
    for kind in config.phantoms:
        yield f"phantom-{kind}", partial(peer_scores.made_rows, kind, predictor, bench.made, asked)


def _kept(
    bench: Bench,
    method: Method,
    part: tuple[str, Callable[[], Iterable["Row"]]],
    log: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The rows of one part, made now or by a run that was stopped later: these of the same weights and
    settings are taken over."""
    name, make = part
    folder = bench.out / method.label
    card = weights.read_card(method.checkpoint or folder / "checkpoint")
    settled = {"settings": settings(bench, method), "sha256": card["sha256"]}
    path = folder / "judged" / f"{name}.json"
    if path.is_file() and (told := store.read_json(path))["settled"] == settled:
        rows: list[dict[str, Any]] = told["rows"]
        return rows
    began = time.monotonic()
    rows = [asdict(row) for row in make()]
    log(f"{name}: {len(rows)} masks judged in {time.monotonic() - began:.0f} s")
    path.parent.mkdir(exist_ok=True)
    store.write_json(path, {"settled": settled, "rows": rows})
    return rows


def compare(bench: Bench, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train what is not done yet, ``jobs`` methods at a time, then write and return the table.

    Raises InputError before anything is written where a set is missing or a file cannot be read, UsageError
    for an unknown method or a folder that holds another comparison.
    """
    methods = read_methods(bench.methods)
    if not bench.minutes and not bench.steps and not all(method.checkpoint for method in methods):
        bench.refuse()
    missing = [n for n in configured(bench).sets if bench.data is None or not (bench.data / n).is_dir()]
    if missing:
        raise InputError(
            f"set {missing[0]} was not found; give its parent folder with --data, or remove it from the "
            "configuration"
        )
    for folder in bench.referring:
        rows_of(folder)  # says what is wrong with it before anybody is trained
    bench.out.mkdir(parents=True, exist_ok=True)
    waiting = [method for method in methods if _done(bench, method) is None]
    with ThreadPoolExecutor(bench.jobs) as pool:
        list(pool.map(lambda method: _child(bench, method, log), waiting))
    done = {method.label: told for method in methods if (told := _done(bench, method)) is not None}
    failed = {m.label: _reason(bench.out / m.label) for m in methods if m.label not in done}
    peer_table.write(bench.out, done, failed, methods[0].label)
    table: dict[str, Any] = json.loads((bench.out / "peers.json").read_text(encoding="utf-8"))
    return table


def _done(bench: Bench, method: Method) -> dict[str, Any] | None:
    path = bench.out / method.label / DONE
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if told["settings"] != settings(bench, method):
        raise UsageError(
            f"{bench.out.name}/{method.label} was made with other settings; give another folder with --out"
        )
    return told


def _child(bench: Bench, method: Method, log: Callable[[str], None]) -> None:
    """One method in a process of its own, with one thread; its output goes to ``OUT/LABEL/run.txt``."""
    folder = bench.out / method.label
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "medsegr.bench.peers", "--only", method.label, *_flags(bench)]
    log(f"{method.label}: begins")
    with (folder / "run.txt").open("a", encoding="utf-8") as handle:
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        code = subprocess.run(
            command, stdout=handle, stderr=subprocess.STDOUT, env=env, check=False
        ).returncode
    if code:
        said = (folder / "run.txt").read_text(encoding="utf-8").strip().splitlines()[-1:] or ["no word"]
        reason = f"{said[0].removeprefix('medsegr.errors.')} (exit {code})"
        if code < 0:  # its last word is no reason
            reason = f"signal {-code} stopped it" + (": most often a lack of memory" if code == -9 else "")
        (folder / FAILED).write_text(reason, encoding="utf-8")
    log(f"{method.label}: " + (f"failed, {_reason(folder)}" if code else "done"))


def _reason(folder: Path) -> str:
    path = folder / FAILED
    return path.read_text(encoding="utf-8")[:300] if path.is_file() else "it was stopped"


def _flags(bench: Bench) -> list[str]:
    """The comparison as flags of :func:`main`, without what is as usual; ``jobs`` is left out."""
    told = {f.name: getattr(bench, f.name) for f in fields(Bench) if f.name not in ("jobs", "referring")}
    usual = {f.name: f.default for f in fields(Bench)}
    pairs = [(name, value) for name, value in told.items() if value != usual[name]]
    pairs += [("referring", folder) for folder in bench.referring]
    return [text for name, value in pairs for text in (f"--{name}", str(value))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one method or of all; ``medsegr bench peers`` is the same for people."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.bench.peers", description="Train networks alike and judge them alike."
    )
    parser.add_argument(
        "--config", type=Path, required=True, help="TOML of a training run: data, sizes, recipe"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder that holds the sets of the configuration")
    parser.add_argument("--methods", default="peers", help="peers, ablations or a TOML file")
    parser.add_argument("--minutes", type=float, default=0.0, help="of training, each method")
    parser.add_argument("--steps", type=int, default=0, help="of training, each method, instead of minutes")
    parser.add_argument("--jobs", type=int, default=1, help="methods at a time")
    parser.add_argument("--made", type=int, default=60, help="made bodies a kind to judge on")
    parser.add_argument("--limit", type=int, help="pictures a set to judge on")
    parser.add_argument("--start", type=Path, help="weights that all begin with, as far as they share them")
    parser.add_argument("--part", default="", help="... of these, those whose names begin so: host.")
    parser.add_argument(
        "--referring", type=Path, action="append", default=[], help="a set whose words mean one of several"
    )
    parser.add_argument("--controls", default="all", help="which words made bodies and --referring get")
    parser.add_argument("--only", help="one method, in this process")
    given = vars(parser.parse_args(arguments))
    only = given.pop("only")
    bench = Bench(**given | {"referring": tuple(given["referring"])})
    if only:
        import torch

        torch.set_flush_denormal(True)  # of the whole process, so not in fit()
        train(bench, next(m for m in read_methods(bench.methods) if m.label == only))
        return 0
    told = compare(bench)
    print("\n".join(peer_table.lines(told)))
    return 4 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
