"""Cards: what methods exist, as data. Listing imports nothing; building one imports only that one."""

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Literal

from medsegr.errors import MedsegrError, MissingExtra, UsageError

Door = Literal["segmenter", "network", "objective", "wrapper", "explainer", "sampler", "aggregator"]
FAMILIES = (
    "core",
    "baselines",
    "nets",
    "text_nets",
    "hosts",
)  # packages below medsegr.methods that hold a CARDS tuple


@dataclass(frozen=True, slots=True)
class Card:
    """A method described as data.

    ``build`` is ``"module:function"``. ``tiny`` are options with which it builds and segments on one core in
    under two seconds (conformance runs that). ``checked`` says how far the copy is trusted: ``weights``,
    ``formula`` or ``shape``. ``skips`` maps a conformance check to the reason why it does not apply.
    ``network``, of what can be trained, is the ``"module:function"`` that makes the torch module from a
    vocabulary. ``options`` are what both are called with where nothing else is said.
    """

    name: str
    build: str
    summary: str
    family: str
    door: Door = "segmenter"
    dims: tuple[int, ...] = (2,)
    reads: tuple[str, ...] = ("image",)
    needs: tuple[str, ...] = ()  # importable modules of an extra
    extra: str = ""
    tiny: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ""
    licence: str = "Apache-2.0"
    tier: Literal["core", "supported", "reference"] = "reference"
    checked: Literal["weights", "formula", "shape"] = "shape"
    skips: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def cards() -> dict[str, Card]:
    """All cards by name: the house's own families, then packages of the entry-point group
    ``medsegr.methods``. What has a name keeps it.

    Raises MedsegrError for a package whose cards cannot be read.
    """
    found: dict[str, Card] = {}
    for family in FAMILIES:
        for card in importlib.import_module(f"medsegr.methods.{family}").CARDS:
            found[card.name] = card
    for point in entry_points(group="medsegr.methods"):
        for card in _from_outside(point):
            found.setdefault(card.name, card)
    return found


def _from_outside(point: EntryPoint) -> tuple[Card, ...]:
    try:
        told = point.load()
        several = (told,) if isinstance(told, Card) else tuple(told)
        strange = [told] if isinstance(told, Card) else [x for x in several if not isinstance(x, Card)]
        wrong = f"a {type(strange[0]).__name__} came where a tuple of cards was expected" if strange else ""
    except Exception as error:
        several, wrong = (), f"{type(error).__name__}: {error}"
    if wrong:
        raise MedsegrError(
            f"the methods of another package cannot be read (entry point {point.name} = {point.value}): "
            f"{' '.join(wrong.split())[:200]}; repair that package or uninstall it"
        )
    return several


def create(name: str, **options: Any) -> Any:
    """Build a method by name. Unknown name: the nearest one is told; missing extra: the install line is
    told."""
    card = _ready(name)
    return _found(card.build)(**{**card.options, **options})


def network(name: str, **options: Any) -> Callable[[Any], Any]:
    """What makes the torch module of a trainable method from a vocabulary, its ``options`` filled in.

    Raises UsageError for a method that is not trained, else as :func:`create`.
    """
    card = _ready(name)
    if not card.network:
        able = ", ".join(one.name for one in cards().values() if one.network)
        raise UsageError(f"'{name}' is not a network that can be trained; these are: {able}")
    return partial(_found(card.network), **{**card.options, **options})


def _ready(name: str) -> Card:
    """The card of a method whose extra is installed."""
    known = cards()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"no method is called '{name}'{hint} ('medsegr models list' shows all {len(known)})")
    card = known[name]
    missing = [module for module in card.needs if find_spec(module) is None]
    if missing:
        raise MissingExtra(f"'{name}' needs {', '.join(missing)}: pip install 'medsegr[{card.extra}]'")
    return card


def _found(address: str) -> Any:
    """The function at ``"module:function"``."""
    module, _, function = address.partition(":")
    return getattr(importlib.import_module(module), function)
