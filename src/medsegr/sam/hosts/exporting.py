"""Which foreign hosts can be written as graphs for other runtimes, and why others cannot."""

from typing import Any

from medsegr.sam.hosts.foreign import Foreign

BOXES = "with a box its decoder takes one token fewer than without, which one graph cannot say"
CAN = ("sam2",)  # compared with torch at several sizes (tests/backends/test_hosts.py)
CANNOT = {
    "sam": BOXES,
    "sam-hq": BOXES,
    "sam3": "its rotary positions are made for one size of picture and would stay those of that size",
    "edgetam": "its encoder is timm's, whose graphs were not compared with torch",
}


def refusal(host: Any) -> str | None:
    """Why a host has no graphs, in words that follow a colon; None where it has."""
    if not isinstance(host, Foreign) or host.family.name in CAN:
        return None
    return CANNOT.get(host.family.name, "it was not compared with torch")
