"""What a network must offer so that words can stand in it: our tiny one (``sam.py``) and foreign ones
(``hosts/``) alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from medsegr.sam.mask_decoder import Decoded

Modulate = Callable[[int, Tensor], Tensor]
Shared = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A place where a modulator may stand: a map [b channels h/stride w/stride] of a picture of h, w."""

    name: str
    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class Clicks:
    """Prompts of a batch. ``points`` [b n 2] in [0, 1] (x, y), ``kinds`` [b n] as in the prompt encoder,
    ``mask`` [b 1 h w] logits of a previous mask, ``has_mask`` [b] bool for which rows it counts (None: for
    all)."""

    points: Tensor | None = None
    kinds: Tensor | None = None
    mask: Tensor | None = None
    has_mask: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """An encoded picture: ``maps`` [b . . .] as the host's decoder wants them, ``grid`` (h, w) of its dense
    prompt, ``summary`` [b s] of the whole picture."""

    maps: tuple[Tensor, ...]
    grid: tuple[int, int]
    summary: Tensor


@runtime_checkable
class Host(Protocol):
    """A torch module. ``width`` is that of the decoder's tokens and of its dense prompt; ``summary`` the
    length of :class:`Features`' summary; ``places`` the channels of :meth:`position`."""

    sites: tuple[Site, ...]
    width: int
    summary: int
    places: int

    def shared(self, pixels: Tensor) -> Shared:
        """What no word can change: maps [b . . .] of ``pixels`` [b 3 h w], normalised as in training; h and w
        multiples of 32."""
        ...

    def position(self, h: int, w: int) -> Tensor:
        """Encoding of the cell centres of an ``h w`` grid [places h w]."""
        ...

    def encode(self, shared: Shared, modulate: Modulate | None = None) -> Features:
        """The rest of the image encoder, with ``modulate(site, map)`` at every site that is in use."""
        ...

    def decode(
        self, features: Features, clicks: Clicks, prior: Tensor | None = None, dense: Tensor | None = None
    ) -> Decoded:
        """``prior`` [b width] is added to the decoder's own tokens, ``dense`` [b width h w] to its dense
        prompt."""
        ...

    def parameters(self) -> Any:
        """As a torch module's."""
        ...
