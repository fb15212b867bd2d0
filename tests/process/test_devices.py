"""Devices: what is asked for is there, or a line says what is."""

import pytest

from medsegr.errors import UsageError
from medsegr.process.devices import pick_device


def test_devices() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="available"):
        pick_device("abacus")
