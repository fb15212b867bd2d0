"""What a person did to a finding's mask, as values: prompts so far, how often it was drawn again, whether it
is accepted. Stdlib only.

Points are ``x y``, boxes ``x0 y0 x1 y1`` with their upper edge exclusive, in pixels of the picture as stored
(x along its last axis); on a volume in pixels of one slice, whose number counts along the axis that
:func:`medsegr.grid.planes.plane_of` cuts across.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float, int]  # x, y, 1 = inside / 0 = outside
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Hints:
    """Prompts beside the words, in the order in which they were given. ``slice`` is None on a picture;
    ``mask`` tells whether a drawn mask was given to start from, ``painted`` whether a person painted the
    plane with a brush: what stands beside it came after that."""

    points: tuple[Point, ...] = ()
    boxes: tuple[Box, ...] = ()
    slice: int | None = None
    mask: bool = False
    painted: bool = False


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that was done by hand to one finding. ``hints``: one entry a picture, or one a slice that
    was worked on. ``revision`` counts how often it was drawn again; ``accepted`` locks it."""

    hints: tuple[Hints, ...] = ()
    revision: int = 0
    accepted: bool = False

    @property
    def edited(self) -> bool:
        """Whether the mask holds what a person painted, pixel by pixel."""
        return any(one.painted for one in self.hints)


def review_json(review: Review) -> dict[str, Any]:
    """As ``findings.json`` has it; :func:`review_from` reads it again."""
    return {
        "revision": review.revision,
        "accepted": review.accepted,
        "edited": review.edited,
        "prompts": [
            {
                "slice": one.slice,
                "points": [list(point) for point in one.points],
                "boxes": [list(box) for box in one.boxes],
                "mask": one.mask,
                "painted": one.painted,
            }
            for one in review.hints
        ],
    }


def review_from(told: Mapping[str, Any]) -> Review:
    """Inverse of :func:`review_json`. KeyError, TypeError or ValueError where it is damaged."""
    hints = tuple(
        Hints(
            points=tuple((float(x), float(y), int(kind)) for x, y, kind in one["points"]),
            boxes=tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in one["boxes"]),
            slice=None if one["slice"] is None else int(one["slice"]),
            mask=bool(one["mask"]),
            painted=bool(one.get("painted", False)),  # files of older versions do not say
        )
        for one in told["prompts"]
    )
    return Review(hints, int(told["revision"]), bool(told["accepted"]))
