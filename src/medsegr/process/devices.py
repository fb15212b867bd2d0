"""Which device a network runs on."""

import torch

from medsegr.errors import UsageError


def pick_device(asked: str) -> str:
    """``auto`` takes CUDA, then MPS, then the CPU; anything else is checked to be there."""
    asked = {"gpu": "cuda"}.get(asked, asked)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(asked.partition(":")[0], False):
        raise UsageError(
            f"device '{asked}' is not available; available: {', '.join(n for n, ok in there.items() if ok)}"
        )
    return asked
