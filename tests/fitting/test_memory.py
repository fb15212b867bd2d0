"""What a run with too little memory says."""

from dataclasses import replace

import pytest
import torch

from medsegr.errors import MedsegrError
from medsegr.fitting.config import FitConfig
from medsegr.fitting.memory import advice

SMALL = FitConfig(sizes=((1.0, 64),), batch=4, phantoms={"cells": 1.0})


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
    ],
)
def test_too_little_memory_gives_advice(error: Exception) -> None:
    told = r"batches of 4 at 64 px: halve batch and double accumulate"
    with pytest.raises(MedsegrError, match=told), advice(SMALL, 0.0):
        raise error
    with (
        pytest.raises(MedsegrError, match=r"batches of 2 at 64 px: set precision"),
        advice(replace(SMALL, batch=2), 0.0),
    ):
        raise error  # a batch cannot be smaller


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), advice(SMALL, 0.0):
        raise RuntimeError("shapes differ")
