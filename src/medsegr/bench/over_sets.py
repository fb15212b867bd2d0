"""Programs beside the command line that ask a checkpoint about the validation pictures of sets, and print a
table: their front, and what their tables share."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from medsegr import weights
from medsegr.metrics.intervals import bootstrap_mean, span
from medsegr.predict import Predictor, load
from medsegr.types import Result

Row = TypeVar("Row")


def run(
    name: str,
    about: str,
    rows: Callable[[Path, Predictor, int | None], Iterable[Row]],
    table: Callable[[Sequence[Row]], list[str]],
    arguments: Sequence[str] | None,
) -> str:
    """What ``python -m medsegr.bench.<name> --data SET SET`` prints: the ``table`` of the ``rows`` of all its
    sets, empty where there is none."""
    parser = argparse.ArgumentParser(prog=f"python -m medsegr.bench.{name}", description=about)
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="sets, laid out as for train")
    parser.add_argument("--model", default=weights.DEFAULT)
    parser.add_argument("--limit", type=int, help="at most so many pictures a set")
    given = parser.parse_args(arguments)
    predictor = load(given.model, device="cpu")
    return "\n".join(table([row for folder in given.data for row in rows(folder, predictor, given.limit)]))


def mean_of(values: Sequence[float], groups: Sequence[str]) -> str:
    """The mean as text, with 95 % over groups."""
    seen = bootstrap_mean(np.array(values, float), np.random.default_rng(0), groups)
    return f"{seen.mean:.3f} {span(*(seen.bounds or (None, None)))}".rstrip()


def drawn_in(result: Result) -> np.ndarray:
    """All that a result draws: bool, on the image's grid."""
    masks = [one.mask for one in result.findings if one.mask is not None]
    return np.any(masks, axis=0) if masks else np.zeros(result.image.grid, bool)
