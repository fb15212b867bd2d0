"""What a run says while it goes: rows in CSV files, the same numbers for TensorBoard, lines for people."""

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.fitting.config import FitConfig
from medsegr.fitting.saved import State

Say = Callable[[str], None]
STEPS, CHECKS = "log.csv", "validation.csv"


class Logbook:
    """``log.csv`` (a row every ``config.log_every`` steps: means since the last) and ``validation.csv`` in
    ``out``; TensorBoard files in ``out/tensorboard`` where that is installed.

    ``active`` False (every process but the first) writes and says nothing. Rows after the state's step, which
    a killed run left behind, are dropped.
    """

    def __init__(self, out: Path, config: FitConfig, state: State, say: Say, active: bool = True) -> None:
        self.out = out
        self.config = config
        self.state = state
        self.say: Say = say if active else lambda _line: None
        self.active = active
        self.board: Any = self._board() if active else None
        if active:
            for name in (STEPS, CHECKS):
                cut(out / name, state.step)

    def _board(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.say("no curves for TensorBoard: it is not installed (pip install 'medsegr[train]')")
            return None
        return SummaryWriter(str(self.out / "tensorboard"), purge_step=self.state.step + 1)

    def step(self, terms: dict[str, float]) -> None:
        """Count the loss terms of one step; write a row when it is time."""
        recent = self.state.recent
        recent.append(terms)
        if self.state.step % self.config.log_every == 0:
            means = {k: round(float(np.mean([r[k] for r in recent])), 6) for k in terms}
            recent.clear()
            if self.active:
                self._row(STEPS, means, {"left": self.left()})

    def left(self) -> str:
        """Time left, as a clock shows it."""
        return clock(seconds_left(self.config, self.state))

    def check(self, scores: dict[str, float]) -> None:
        """One validation."""
        if self.active:
            self._row(CHECKS, scores, {"best": round(self.state.best, 4)})

    def _row(self, name: str, numbers: Mapping[str, float], told: Mapping[str, Any]) -> None:
        state = self.state
        row = {"step": state.step, "minutes": round(state.seconds / 60, 2), "images": state.images, **numbers}
        append(self.out / name, row)
        label = "validation" if name == CHECKS else "train"
        for key, value in numbers.items() if self.board is not None else ():
            self.board.add_scalar(f"{label}/{key}", value, state.step)
        self.say(f"{label} " + " ".join(f"{k}={v}" for k, v in {**row, **told}.items()))

    def close(self) -> None:
        """Flush what TensorBoard has."""
        if self.board is not None:
            self.board.close()


def seconds_left(config: FitConfig, state: State) -> float:
    """Seconds of training to the end of the run, as far as its pace tells."""
    if config.steps:
        return state.seconds / max(1, state.step) * (config.steps - state.step)
    return max(0.0, 60 * config.minutes - state.seconds)


def clock(seconds: float) -> str:
    """``75`` to ``1:15``, ``3700`` to ``1:01:40``."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def read_rows(path: Path) -> list[dict[str, float]]:
    """Rows of a log, numbers as floats; nothing where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return [{k: float(v) for k, v in row.items() if k and v} for row in csv.DictReader(handle)]


def append(path: Path, row: Mapping[str, float]) -> None:
    """One row more; a new file gets its header."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def cut(path: Path, step: int) -> None:
    """Drop the rows after ``step``, and a last one that was not written to its end; a file without a whole
    row is removed."""
    if not path.is_file():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    steps = [line.partition(b",")[0] for line in whole[1:]]
    kept = [line for line, at in zip(whole[1:], steps, strict=True) if at.isdigit() and int(at) <= step]
    if not kept:
        path.unlink()
    elif 1 + len(kept) < len(lines):
        temporary = path.with_suffix(".part")
        temporary.write_bytes(b"".join([whole[0], *kept]))
        os.replace(temporary, path)
