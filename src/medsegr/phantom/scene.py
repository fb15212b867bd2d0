"""The values between planning, drawing and writing a phantom: looks, places, spots, scenes, cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsegr.findings import Frame
from medsegr.phantom.draw import Blob, Mask
from medsegr.phantom.looks import Concept, Look

Picture = NDArray[np.uint8]
COUNTS = (0.17, 0.34, 0.26, 0.15, 0.08)  # shares of 1, 2, 3, 4, 5 lesions


@dataclass(frozen=True, slots=True)
class Place:
    """A region that words can name. The lesion's centroid lies in ``core``, the lesion inside ``body``."""

    key: str
    core: Mask
    body: Mask
    location: Mapping[str, Any]
    after: tuple[str, ...]  # "in the right lower lobe"
    before: tuple[str, ...] = ()  # "right lower lobe", to stand before the noun
    concepts: tuple[str, ...] = ()  # concepts that occur here; empty = all of the kind
    wide: tuple[str, ...] = ()  # wider words, true when nothing else lies in the wider region
    wide_key: str = ""
    wide_location: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spot:
    """One planned lesion on the grid."""

    name: str
    look: Look
    place: Place
    blob: Blob


@dataclass(frozen=True, slots=True)
class Scene:
    """A body ready to receive lesions. ``render`` draws it with them, uint8 ``h w`` or ``h w 3``."""

    size: int
    mm: float  # millimetres a pixel
    places: tuple[Place, ...]
    render: Callable[[np.random.Generator, Sequence[Spot]], Picture]
    organs: Mapping[str, Mask] = field(default_factory=dict)
    modality: str = ""
    concepts: tuple[Concept, ...] = ()  # where the scene has others than its kind
    counts: tuple[float, ...] = COUNTS
    normal: float = 0.0  # share of the bodies of its kind without any lesion


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion of a case.

    ``mask`` is bool ``h w``. ``attributes`` holds what is true of it (name, location, texture, shape);
    ``stated`` has the same form and holds only what ``phrase`` says. ``phrase`` and ``stated`` are None where
    the report leaves the lesion out.
    """

    mask: Mask
    attributes: Mapping[str, Any]
    phrase: str | None = None
    stated: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PhantomCase:
    """A made image with its report and the exact truth.

    ``image`` is uint8 ``h w`` or ``h w 3``; organ masks are bool ``h w``.
    ``frame`` says whose left the words mean. ``absent`` are lesions, by name, that are surely not there:
    told of a body without any.
    """

    kind: str
    image: Picture
    lesions: tuple[Lesion, ...]
    report: str
    modality: str
    frame: Frame
    organs: Mapping[str, Mask] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
