"""What a training run is made of, read from TOML. A frozen dataclass that refuses nonsense by name."""

import itertools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from medsegr import phantom
from medsegr.errors import InputError, UsageError
from medsegr.objectives import Weights
from medsegr.samples.asking import Recipe

PRECISIONS = ("auto", "32-true", "bf16-mixed")
TUNES = ("all", "decoder", "words", "lora", "presence", "built")
CLOCKS = ("wall", "processor")
KNOWN: dict[str, tuple[object, ...]] = {
    "precision": PRECISIONS,
    "tune": TUNES,
    "clock": CLOCKS,
    "mixed": (False, True),
}
BETWEEN = {  # (least, most)
    "confidence": (0.5, 1.0),
    "weight_decay": (0.0, math.inf),
    "warmup": (0.0, 1.0),
    "cooling": (0.0, 1.0),
    "ema": (0.0, 1.0),
    "save_minutes": (0.0, math.inf),
    "minutes": (0.0, math.inf),
    "validate_every": (0.0, math.inf),
}
LEAST = {
    "steps": 0,
    "batch": 1,
    "accumulate": 1,
    "workers": 0,
    "threads": 1,
    "rank": 1,
    "log_every": 1,
    "validate_cases": 1,
    "patience": 0,
    "seed": 0,
    "phantom_seed": 0,
    "phantom_count": 1,
}


@dataclass(frozen=True, slots=True)
class FitConfig:
    """All numbers of a run. Its length is ``minutes`` of training time without loading or, where ``steps`` is
    not 0, so many steps: then all that happens hangs on the number of the step alone, and a run that was
    killed goes on to the same bits. ``sizes`` are (share of the run, pixels); at the last of them the network
    is judged and used."""

    sets: dict[str, float] = field(default_factory=dict)  # folder name -> weight
    phantoms: dict[str, float] = field(default_factory=dict)  # kind -> weight
    unlabelled: dict[str, float] = field(default_factory=dict)  # folder of images alone -> weight
    confidence: float = 0.9  # of the averaged weights, from which on their answer is learned from
    tilts: tuple[float, ...] = ()  # degrees by which volumes of thin slices are also learned nodded
    phantom_count: int = 900
    phantom_seed: int = 1000
    minutes: float = 90.0
    steps: int = 0  # instead of minutes
    clock: str = "wall"  # of the minutes; processor: time of the training thread, for one thread a run
    batch: int = 8  # of all processes together
    accumulate: int = 1  # batches a step: a larger batch than the memory holds
    sizes: tuple[tuple[float, int], ...] = ((0.35, 128), (0.30, 160), (0.35, 224))
    mixed: bool = False  # the sizes come in turns, by chance, over the whole run; else one after the other
    lr: float = 1.5e-3
    words_lr: float = 1.0  # share of it for what turns words into prior tokens
    weight_decay: float = 0.02
    warmup: float = 0.04
    cooling: float = 0.1  # share of the time in which the texture kernels' temperature falls to 1; 0: it is 1
    clip: float = 5.0
    ema: float = 0.997
    seed: int = 0
    threads: int = 2
    workers: int = 0  # processes that make samples; 0: a thread beside the network
    device: str = "auto"  # as in devices.pick_device
    precision: str = "auto"  # 32-true; bf16-mixed where the device gains from it
    tune: str = "all"  # what is trained, as in fitting/tuning.py; built: as a host says
    rank: int = 8  # of the adapters of lora
    save_minutes: float = 4.0
    log_every: int = 50  # steps a row of log.csv
    validate_every: float = 0.0  # minutes, or steps where the run's length is steps; 0: never
    validate_cases: int = 96  # at most so many pictures, spread over the sets
    patience: int = 0  # validations without a better one after which the run ends; 0: it never ends early
    recipe: Recipe = field(default_factory=Recipe)
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        """Refuse nonsense by name."""
        _check_sizes(self.sizes)
        if not self.sets and not self.phantoms:
            raise UsageError("neither sets nor phantoms were given: nothing to train on")
        for name, known in KNOWN.items():
            if getattr(self, name) not in known:
                told = ", ".join(str(one).lower() for one in known)
                raise UsageError(f"{name}: {getattr(self, name)!r} is not known; known are {told}")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name}: {getattr(self, name)} came where at least {least} was expected")
        _check_ranges(self)
        for name in ("sets", "phantoms", "unlabelled"):
            _check_weights(name, getattr(self, name))
        if any(not 0 < abs(degrees) <= 45 for degrees in self.tilts):
            raise UsageError(f"tilts: -45 to 45 degrees, but not 0, were expected, got {list(self.tilts)}")
        unknown = set(self.phantoms) - set(phantom.KINDS)
        if unknown:
            raise UsageError(
                f"phantoms: unknown kind {sorted(unknown)}; known are {', '.join(phantom.KINDS)}"
            )


def _check_ranges(config: FitConfig) -> None:
    for name, (low, high) in BETWEEN.items():
        if not low <= getattr(config, name) <= high:
            told = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            raise UsageError(f"{name}: {getattr(config, name)} came where {told} was expected")
    for name in ("lr", "words_lr", "clip"):
        if not 0 < getattr(config, name) < math.inf:
            raise UsageError(f"{name}: {getattr(config, name)} came where a number above 0 was expected")


def _check_weights(name: str, weights: Mapping[str, float]) -> None:
    for key, weight in weights.items():
        if not _is_number(weight) or not 0 <= weight < math.inf:
            raise UsageError(f"{name}.{key}: the weight {weight!r} came where 0 or more was expected")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_sizes(sizes: Sequence[tuple[float, int]]) -> None:
    shares = [share for share, _ in sizes]
    if not abs(sum(shares) - 1) <= 1e-6 or min(shares) < 0:
        raise UsageError(f"sizes: shares of time, 0 or more, must add up to 1, got {shares}")
    if any(side < 32 or side % 32 for _, side in sizes):
        raise UsageError(f"sizes: multiples of 32 pixels were expected, got {[side for _, side in sizes]}")


def schedule(part: float, warmup: float) -> float:
    """Learning-rate factor at ``part`` of the time in [0, 1]: linear warm-up, then cosine to 1 %."""
    if part < warmup:
        return max(0.02, part / warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (part - warmup) / (1 - warmup))))


def size_at(part: float, sizes: Sequence[tuple[float, int]]) -> int:
    """Pixels of the square input at ``part`` of the time, or of a throw of the dice in [0, 1)."""
    ends = list(itertools.accumulate(share for share, _ in sizes))
    return next((s for end, (_, s) in zip(ends, sizes, strict=True) if part < end), sizes[-1][1])


def part_of(config: FitConfig, step: int, seconds: float) -> float:
    """Share of the run in [0, 1] that is over after ``step`` steps and ``seconds`` of training."""
    done = step / config.steps if config.steps else seconds / max(60 * config.minutes, 1e-9)
    return min(1.0, done)


def read_config(path: Path, sets: Mapping[str, float] | None = None) -> FitConfig:
    """A TOML file whose keys are the fields of :class:`FitConfig`; an unknown key is an error. ``sets``:
    where the file names none of its own."""
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the configuration {path.name}: {error}") from error
    if sets:
        raw.setdefault("sets", dict(sets))
    nested = {"recipe": Recipe, "weights": Weights}
    for name, kind in nested.items():
        if name in raw:
            raw[name] = _filled(kind, raw[name], f"{name}.")
    try:
        if "sizes" in raw:
            raw["sizes"] = tuple((float(a), int(b)) for a, b in raw["sizes"])
        if "tilts" in raw:
            raw["tilts"] = tuple(float(one) for one in raw["tilts"])
    except (TypeError, ValueError) as error:
        raise UsageError(
            "sizes are pairs of a share and pixels ([[0.5, 128], [0.5, 224]]), tilts a list of degrees"
        ) from error
    config: FitConfig = _filled(FitConfig, raw, "")
    return config


def _filled(kind: type[Any], raw: Any, prefix: str) -> Any:
    if not isinstance(raw, dict):
        raise UsageError(f"{prefix[:-1]}: {raw!r} came where a table of keys was expected")
    unknown = set(raw) - {f.name for f in fields(kind)}
    if unknown:
        raise UsageError(
            f"unknown key {prefix}{sorted(unknown)[0]}; known are {', '.join(f.name for f in fields(kind))}"
        )
    for one in fields(kind):
        if one.name in raw and one.name not in KNOWN:
            usual = one.default if one.default_factory is MISSING else one.default_factory()
            _check_kind(f"{prefix}{one.name}", raw[one.name], usual)
    return kind(**raw)


def _check_kind(name: str, value: object, usual: object) -> None:
    """UsageError where TOML gave a value of another kind than the usual one."""
    fits = _is_number(value) if isinstance(usual, float) else isinstance(value, type(usual))
    if not fits or isinstance(value, bool):
        kinds = {float: "a number", int: "a whole number", str: "words", dict: "a table of names and weights"}
        told = kinds.get(type(usual), "another kind of value")
        raise UsageError(f"{name}: {value!r} came where {told} was expected")
