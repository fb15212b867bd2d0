"""What is asked of a picture that somebody drew in: which targets are meant, by which words.

Of a real picture its name; of a made body any of its true words, so that one of several is meant by all that
is said of it, or by words of one kind alone (:attr:`Recipe.deciding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from medsegr.data import Case
from medsegr.errors import UsageError
from medsegr.reasoning.codes import KIND_OF, LOCATION, SHAPE, TEXTURE, Code

NAMING = ("concept", "modality")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Shares of what is asked. Each number has a line in the training log's table."""

    no_words: float = 0.06  # nothing at all is said
    absent: float = 0.22  # something is asked that is not there
    place: float = 0.45  # the place is told (real pictures)
    wrong_place: float = 0.25  # ... and is wrong, the mask stays (real pictures)
    looks: float = 0.4  # size, form, margin, texture or number is told (real pictures)
    all_looks: float = 0.5  # ... most of these together, as a full report does
    wrong_looks: float = 0.15
    part: float = 0.35  # of many things alike those in one third are meant, and the place says so
    drop_place: float = 0.15  # each word about the place of a phantom lesion is left out
    drop_looks: float = 0.45  # each other attribute of it is
    name_only: float = 0.12  # a phantom lesion's name alone: all lesions of that name
    deciding: float = 0.0  # one of several of a name is meant, and words of one kind alone tell which
    shape_first: float = 0.5  # ... and of the kinds that can, shape is taken
    modality: float = 0.6  # the modality is told
    joined: float = 0.15  # a second real lesion is blended in (composite.py)
    joined_place: float = 0.7  # ... and the place says which of the two is meant
    panels: float = 0.0  # two or four real pictures are shown as one (panels.py)
    near: float = 0.5  # a part of a real picture is shown: in half of them what is asked for is not in it
    covered: float = 0.2  # other texture lies over it, or as often somewhere else (windows.py)
    clicks: float = 0.15  # points, a box, or a rough mask with points, beside the words
    soft: float = 0.15  # the picture is out of focus
    grain: float = 0.15  # noise is added

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for one in fields(self):
            if not 0 <= getattr(self, one.name) <= 1:
                raise UsageError(
                    f"recipe.{one.name}: {getattr(self, one.name)} came where 0 to 1 was expected"
                )


def lesions(case: Case) -> tuple[int, ...]:
    """Which targets are no organs."""
    return tuple(i for i, t in enumerate(case.targets) if not t.organ)


def real_words(case: Case, rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[Code, ...]]:
    """A target of a real picture by its name, and all that fit it."""
    target = case.targets[int(rng.integers(len(case.targets)))]
    kept = target.codes
    if rng.random() < 0.1:  # "lung" without its side means both
        kept = tuple(c for c in kept if c.group != "side")
    return _fitting(case, kept, target.organ), kept


def phantom_words(
    case: Case, recipe: Recipe, rng: np.random.Generator
) -> tuple[tuple[int, ...], tuple[Code, ...]]:
    """A lesion (or an organ) of a made body by some of its true words, and all that fit these."""
    if recipe.deciding and rng.random() < recipe.deciding and (told := deciding(case, recipe, rng)):
        return told
    organs = [i for i, t in enumerate(case.targets) if t.organ]
    seen = lesions(case)
    use_organ = bool(organs) and (not seen or rng.random() < 0.2)
    target = case.targets[int(rng.choice(organs if use_organ else seen))]
    if use_organ:
        kept = target.codes
    elif rng.random() < recipe.name_only:
        kept = tuple(c for c in target.codes if c.group in NAMING)
    else:
        gone = set()
        for group in sorted({c.group for c in target.codes} - set(NAMING)):
            share = recipe.drop_place if KIND_OF[group] == LOCATION else recipe.drop_looks
            gone |= {group} if rng.random() < share else set()
        kept = tuple(c for c in target.codes if c.group not in gone)
    return _fitting(case, kept, use_organ), kept


def deciding(
    case: Case, recipe: Recipe, rng: np.random.Generator
) -> tuple[tuple[int, ...], tuple[Code, ...]] | None:
    """One of several lesions of a name, and the words of one kind that fit it alone; None where no kind tells
    one from the others."""
    found: dict[int, list[tuple[int, tuple[Code, ...]]]] = {}
    for i in lesions(case):
        codes = case.targets[i].codes
        name = tuple(c for c in codes if c.group in NAMING)
        if len(_fitting(case, name, organ=False)) < 2:
            continue
        for kind in (LOCATION, TEXTURE, SHAPE):
            kept = tuple(c for c in codes if c.group in NAMING or KIND_OF[c.group] == kind)
            if _fitting(case, kept, organ=False) == (i,):
                found.setdefault(kind, []).append((i, kept))
    if not found:
        return None
    shape = SHAPE in found and rng.random() < recipe.shape_first
    ways = found[SHAPE if shape else sorted(found)[int(rng.integers(len(found)))]]
    which, kept = ways[int(rng.integers(len(ways)))]
    return (which,), kept


def _fitting(case: Case, codes: Sequence[Code], organ: bool) -> tuple[int, ...]:
    """Targets that fit all words: with fewer words more things may be meant, and all of them are."""
    said = {code.text for code in codes if not code.scalar}
    return tuple(i for i, t in enumerate(case.targets) if t.organ == organ and said <= t.names)


def foreign(case: Case, other: Case) -> bool:
    """Whether what is drawn in ``other`` cannot be in ``case``: another kind of image, or another organ under
    ultrasound. Of an image of unknown kind nobody can tell."""
    if not (case.modality and other.modality):
        return False
    if case.modality != other.modality:
        grey = {case.modality, other.modality} <= {"CT", "MR"}  # share organs
        cells = {case.modality, other.modality} <= {"SM", "GM"}
        return not (grey or cells)
    return case.modality == "US" and case.set != other.set and not (case.concepts & other.concepts)
