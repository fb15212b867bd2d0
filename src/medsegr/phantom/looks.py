"""How a lesion may look: concepts with weights of their looks, size classes, which looks words tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from medsegr.findings import SIZES

Choice = dict[str | None, float]  # value -> weight

# Share of the image that a size class covers, lower and upper; the gaps keep the words unmistakable.
AREAS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "tiny": (0.0018, 0.0034),
        "small": (0.0045, 0.010),
        "medium": (0.014, 0.027),
        "large": (0.036, 0.074),
    }
)

UNIFORMITY: Choice = {"homogeneous": 0.6, "heterogeneous": 0.4}


@dataclass(frozen=True, slots=True)
class Look:
    """How one lesion looks, in words of ``medsegr.types``; None where the kind has no such attribute."""

    density: str | None
    uniformity: str | None
    colour: str | None
    form: str
    margin: str
    size_class: str


@dataclass(frozen=True, slots=True)
class Concept:
    """A lexicon concept, the nouns that people write for it, and the weights of its attribute values.

    ``areas`` are the shares of the image that each size class covers.
    """

    name: str
    nouns: tuple[str, ...]
    weight: float
    density: Choice
    form: Choice
    margin: Choice
    size: Choice
    colour: Choice
    uniformity: Choice
    areas: Mapping[str, tuple[float, float]] = field(default_factory=lambda: AREAS)


NO: Choice = {None: 1.0}
ANY_FORM: Choice = {"round": 3, "oval": 3, "lobulated": 2, "irregular": 3, "linear": 0.6, "triangular": 0.4}
ANY_MARGIN: Choice = {"smooth": 3, "ill-defined": 2, "spiculated": 0.7}
ANY_SIZE: Choice = {"tiny": 1, "small": 3, "medium": 3, "large": 2}

_FAR_DENSITY = {
    frozenset(pair)
    for pair in (
        ("hypo", "hyper"),
        ("hypo", "calcified"),
        ("ground-glass", "consolidation"),
        ("ground-glass", "calcified"),
        ("fluid", "hyper"),
        ("fluid", "calcified"),
        ("hypo", "iso"),
        ("fluid", "iso"),
    )
}
_NEAR_COLOUR = {
    frozenset(pair)
    for pair in (
        ("red", "pink"),
        ("white", "yellow"),
        ("purple", "blue"),
        ("red", "purple"),
        ("red", "brown"),
        ("pink", "white"),
        ("pink", "purple"),
        ("pink", "brown"),
        ("yellow", "tan"),
        ("brown", "tan"),
        ("brown", "purple"),
    )
}
_FORM_GROUP = {
    "round": 0,
    "oval": 0,
    "lobulated": 1,
    "irregular": 2,
    "patchy": 2,
    "linear": 3,
    "triangular": 4,
    "rectangular": 5,
}


def clear_differences(a: Look, b: Look) -> tuple[str, ...]:
    """Names of the attributes in which two looks differ so clearly that a word tells them apart."""
    out = []
    if frozenset((a.density, b.density)) in _FAR_DENSITY:
        out.append("density")
    sizes = SIZES.index(a.size_class), SIZES.index(b.size_class)
    if a.uniformity != b.uniformity and min(sizes) >= 1:
        out.append("uniformity")
    if a.colour != b.colour and frozenset((a.colour, b.colour)) not in _NEAR_COLOUR:
        out.append("colour")
    forms = {_FORM_GROUP[a.form], _FORM_GROUP[b.form]}
    if len(forms) == 2 and forms not in ({1, 2}, {0, 1}):
        out.append("form")
    if a.margin != b.margin and min(sizes) >= 1:
        out.append("margin")
    if abs(sizes[0] - sizes[1]) >= 2:
        out.append("size_class")
    return tuple(out)
