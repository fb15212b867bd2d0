"""What to change where a run has too little memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from medsegr.errors import MedsegrError
from medsegr.fitting.config import FitConfig, size_at
from medsegr.fitting.watch import TOGETHER
from medsegr.samples.feed import FEWEST


@contextmanager
def advice(config: FitConfig, part: float | None = None) -> Iterator[None]:
    """Turns "out of memory" of whatever device, in a step at ``part`` of the run or in a validation (None),
    into one line that says what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not short and not any(w in str(error) for w in ("out of memory", "can't allocate memory")):
            raise
        if part is None:
            raise MedsegrError(
                f"out of memory in a validation, {TOGETHER} pictures of {config.sizes[-1][1]} px: begin "
                "another run with a smaller size, from this one's folder; what was saved is kept"
            ) from error
        largest = max(side for _, side in config.sizes) if config.mixed else size_at(part, config.sizes)
        parts = "halve batch and double accumulate (the same step in two parts, and the same run), "
        raise MedsegrError(
            f"out of memory with batches of {config.batch} at {largest} px: "
            f"{parts if config.batch >= 2 * FEWEST else ''}set precision to bf16-mixed on a device that "
            "gains from it, or begin another run with a smaller size; what was saved is kept"
        ) from error
