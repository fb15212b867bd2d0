"""Kinds of pictures that one modality gives, and by which names a checkpoint learned what is in them: a
carotid artery is in no picture of a breast.

The presence that a network tells of a thing rests on how the thing looks, and a vessel's round cut looks like
a cyst. What the image-only head says of the whole picture tells such kinds apart. It is heard only where it
is sure: the picture must look like another kind, and hardly like the one in which the thing is found.

The same tells what nobody said: what kind of picture it is, and what a word for many things means in it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Kinds = Mapping[str, Sequence[str]]  # name of a kind: the concepts that are found in it
# Tables of a card: what else is asked for as what was learned, and what is seen in the place of what.
NAMES = ("also", "loose", "parts", "rivals")
SURE = 0.5  # chance from which a picture is taken to be of another kind
FAINT = 0.05  # presence up to which nothing is doubted any more
PROPOSED, MOST = 0.3, 3  # chance from which a thing is proposed where no word asks; how many at most
SURER = 0.95  # ... to be of a kind that nobody told


def taught(card: Mapping[str, Any], name: str, modality: str | None) -> bool:
    """Whether a checkpoint was trained for a concept in a modality (None: in any)."""
    seen = card["concepts"].get(name, {}).get("modalities", ())
    return name in card["concepts"] and (modality is None or not seen or modality in seen)


def firm(card: Mapping[str, Any], name: str, modality: str | None) -> bool:
    """Whether a checkpoint was trained for a concept on real pictures of a modality (None: of any)."""
    return taught(card, name, modality) and _real(card["concepts"][name], modality)


def _real(learned: Mapping[str, Any], modality: str | None) -> bool:
    """Whether real pictures taught a concept, of this modality where the card says of which they were: made
    bodies may have taught it in others."""
    real = "real" in learned.get("trained_on", ())
    told = learned.get("real_in", ())  # none where nobody said of which modality the real ones were
    return real and (modality is None or not told or modality in told)


def called(card: Mapping[str, Any], name: str, modality: str | None) -> str:
    """The name under which a checkpoint learned from real pictures what is asked as ``name``.

    A set of breast ultrasound calls "tumour" what reports call a mass or a lesion. ``card["also"]`` tells
    such names by concept; where several fit, that with the most cases is taken. A name that was learned from
    real pictures of the modality itself stays what it is.
    """
    if firm(card, name, modality):
        return name
    also: Mapping[str, Sequence[str]] = card.get("also", {})
    fitting = [one for one, names in also.items() if name in names and taught(card, one, modality)]
    return max(fitting, key=lambda one: int(card["concepts"][one].get("cases", 0)), default=name)


def parts_of(card: Mapping[str, Any], name: str) -> Sequence[str]:
    """The concepts as which a whole is drawn: its own name where a checkpoint learned that from real
    pictures, or knows no parts of it (``card["parts"]``)."""
    told: Sequence[str] = () if firm(card, name, None) else card.get("parts", {}).get(name, ())
    return tuple(told) or (name,)


def made_only(card: Mapping[str, Any], name: str, modality: str | None = None) -> bool:
    """Whether a checkpoint learned a concept, or one of its parts, in a modality (None: in all) from made
    pictures only."""
    learned = [card["concepts"].get(part, {}) for part in parts_of(card, name)]
    return any(
        one.get("trained_on") == ["phantom"]
        or (modality in one.get("modalities", ()) and not _real(one, modality))
        for one in learned
    )


def measured(card: Mapping[str, Any], name: str) -> tuple[float, int] | None:
    """Mean Dice by its name alone, and of how many targets, that a concept reached on the validation images
    in the card (of all sets, sides together); None where nobody measured it."""
    rows = [
        (float(dice), int(count))
        for one in card.get("validation", {}).get("sets", {}).values()
        for target, (dice, count) in one.get("by target", {}).items()
        if target in (name, f"left {name}", f"right {name}")
    ]
    count = sum(n for _, n in rows)
    return (sum(dice * n for dice, n in rows) / count, count) if count else None


def ways(card: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The learned concepts as which a checkpoint may draw what is asked as ``name``: another name for one,
    its parts, what a word for many things may mean, itself."""
    if firm(card, name, None):
        return (name,)
    if (parts := parts_of(card, name)) != (name,):
        return tuple(parts)
    other = [one for key in ("also", "loose") for one, names in card.get(key, {}).items() if name in names]
    return tuple(dict.fromkeys((*other, *([name] if name in card["concepts"] else ()))))


def from_made(card: Mapping[str, Any], name: str) -> bool:
    """Whether made pictures, among others, taught a checkpoint what ``name`` means."""
    return "phantom" in card["concepts"].get(name, {}).get("trained_on", ())


def likeliest(
    card: Mapping[str, Any], chances: Mapping[str, float], modality: str | None, made: bool
) -> list[str]:
    """What to propose in a picture that no word is said of, likeliest first; in real pictures (not ``made``)
    nothing that was learned from made ones only."""
    seen = (name for name in offered(card, chances, modality, made) if chances[name] >= PROPOSED)
    return sorted(seen, key=lambda name: (-chances[name], name))[:MOST]


def offered(card: Mapping[str, Any], names: Iterable[str], modality: str | None, made: bool) -> list[str]:
    """Which of these concepts may be proposed in a picture of a modality (None: of any), ``made`` or real."""
    able = (name for name in names if taught(card, name, modality))
    return [name for name in able if made or not made_only(card, name, modality)]


def kinds_in(card: Mapping[str, Any], modality: str | None) -> Kinds:
    """The kinds that a checkpoint was taught to tell apart in a modality (None: in any); fewer than two tell
    nothing."""
    told: Kinds = card.get("kinds", {})
    found = {kind: tuple(n for n in names if taught(card, n, modality)) for kind, names in told.items()}
    return {kind: names for kind, names in found.items() if names}


def sure_kind(
    card: Mapping[str, Any], chances: Mapping[str, float], modality: str | None = None
) -> str | None:
    """The kind of which a picture surely is, and of no other; None where that is not sure. ``chances``: of
    every concept, by the image alone.

    Where the modality was told, kinds that it never gives need only be less likely: a polyp looks like a
    mole, too, and nobody asks whether an endoscopy shows one.
    """
    best = {kind: max(chances.get(n, 0.0) for n in names) for kind, names in _telling(card).items()}
    ranked = sorted(best, key=lambda kind: -best[kind])
    if len(ranked) < 2 or best[ranked[0]] < SURER:
        return None
    given = kinds_in(card, modality)
    if modality is not None and ranked[0] not in given:
        return None
    doubtful = (kind for kind in ranked[1:] if kind in given)
    return None if any(best[kind] >= float(card["kinds_below"]) for kind in doubtful) else ranked[0]


def likely_modalities(card: Mapping[str, Any], chances: Mapping[str, float]) -> frozenset[str]:
    """The modalities that give pictures of the kind of which a picture surely is."""
    names = _telling(card).get(sure_kind(card, chances) or "", ())
    seen = [frozenset(card["concepts"][name].get("modalities", ())) for name in names]
    return frozenset.intersection(*seen) if seen else frozenset()


def _telling(card: Mapping[str, Any]) -> Kinds:
    """The kinds with what is found in them alone and was learned from real pictures: names of made bodies
    are seen in many real ones."""
    told = {
        kind: tuple(name for name in names if firm(card, name, None))
        for kind, names in kinds_in(card, None).items()
    }
    often = Counter(name for names in told.values() for name in names)
    own = {kind: tuple(n for n in names if often[n] == 1) for kind, names in told.items()}
    return {kind: names for kind, names in own.items() if names}


def loosely(
    card: Mapping[str, Any],
    name: str,
    modality: str | None,
    chances: Callable[[], Mapping[str, float]],
) -> str:
    """The concept that is meant by a word for many things ("lesion") in a picture that surely shows it, more
    likely than anything else of its kind: a "mass" is no glioma where plaques are seen. Else ``name``.
    ``card["loose"]`` tells such words by concept; ``chances`` is called only for these."""
    loose: Mapping[str, Sequence[str]] = card.get("loose", {})
    fitting = [one for one, words in loose.items() if name in words and taught(card, one, modality)]
    if not fitting:
        return name
    seen = chances()
    own = _telling(card).get(sure_kind(card, seen, modality) or "", ())
    best = max(own, key=lambda one: seen.get(one, 0.0), default="")
    return best if best in fitting and seen.get(best, 0.0) >= SURE else name


def limit(name: str, chances: Mapping[str, float], kinds: Kinds, below: float) -> float:
    """The highest presence in [0, 1] that a concept may have in a picture.

    ``chances``: of every concept, by the image alone. 1 but where a concept of another kind has at least
    ``SURE`` and none of its own kind has ``below``; then less than 0.5.
    """
    own = {one for names in kinds.values() if name in names for one in names}
    if not own:
        return 1.0
    mine = max((chances.get(one, 0.0) for one in own), default=0.0)
    other = max(
        (chances.get(one, 0.0) for names in kinds.values() for one in names if one not in own), default=0.0
    )
    return _most(mine, other, below)


def _most(mine: float, other: float, below: float) -> float:
    """The highest presence of what has the chance ``mine`` where ``other`` is the chance of what excludes
    it."""
    return 1.0 if mine >= below or other < SURE else 0.5 * mine / below


def doubt(
    presence: np.ndarray,
    names: Sequence[str],
    chances: Sequence[Callable[[], Mapping[str, float]]],
    card: Mapping[str, Any],
    modality: str | None,
) -> None:
    """Lower ``presence`` [k] of the concepts ``names`` to what a picture of its kind allows, in place, and
    to what its rivals allow (``card["rivals"]``: a bright lesion that surely is a glioma is no plaque).
    ``chances`` [k]: of every concept, by the picture alone or by the slice of a volume that shows the thing
    best. Called only where there is something to tell apart."""
    told = kinds_in(card, modality)
    rivals: Mapping[str, Sequence[str]] = card.get("rivals", {})
    for k, name in enumerate(names):
        among = len(told) > 1 and any(name in own for own in told.values())
        others = [one for one in rivals.get(name, ()) if firm(card, one, modality)]
        if presence[k] <= FAINT or not (among or others):
            continue
        seen, below = chances[k](), float(card["kinds_below"])
        most = limit(name, seen, told, below) if among else 1.0
        rival = max((seen.get(one, 0.0) for one in others), default=0.0)
        presence[k] = min(presence[k], most, _most(seen.get(name, 0.0), rival, below))
