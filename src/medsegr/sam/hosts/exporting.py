"""Foreign hosts as graphs for other runtimes: which can be written, and what is put otherwise for it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from medsegr.sam.hosts.foreign import Foreign

# Families whose graphs were compared with torch at several sizes (tests), and why others have none.
CAN = ("sam", "sam-hq", "sam2")
CANNOT = {
    "sam3": "its rotary positions are made for one size of picture and would stay those of that size",
    "edgetam": "its encoder is timm's, whose graphs were not compared with torch",
}


def refusal(host: Any) -> str | None:
    """Why a host has no graphs, in words that follow a colon; None where it has."""
    if not isinstance(host, Foreign) or host.family.name in CAN:
        return None
    return CANNOT.get(host.family.name, "it was not compared with torch")


def prepare(host: Any) -> None:
    """Change a copy of a host in place so that its graphs hold at every size; equal up to rounding."""
    for layer in host.modules() if isinstance(host, Foreign) else ():
        if hasattr(layer, "get_rel_pos"):
            layer.get_rel_pos = relative


def relative(queries: int, keys: int, table: Tensor) -> Tensor:
    """SAM's relative positions [q k c] of ``queries`` = ``keys`` cells in a row, out of its ``table`` [rows
    c]. The library's own turns a size into a number, and a graph would keep that of the picture it was traced
    with."""
    rows = F.interpolate(table.t()[None], size=2 * queries - 1, mode="linear")[0].t()
    at = torch.arange(queries, device=table.device)[:, None] - torch.arange(keys, device=table.device)[None]
    return rows[at + keys - 1]
