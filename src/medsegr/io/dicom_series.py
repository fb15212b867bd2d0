"""Which pictures of a folder belong together, and which of these stacks is read.

A **stack** holds pictures of one study, series, size, pixel spacing, image type and orientation; localizers
therefore stand apart. Where its slices do not lie evenly, it is split by the first of :data:`TELLING` that
makes every part even (two echoes, three time points, two acquisitions). A picture without a place in the
patient is a stack of its own.

The **rule**, where nobody chose with ``--series``:

1. Pictures of several patients are refused; of several studies the newest (by date and time) is taken.
2. Localizers and secondary captures are taken only where there is nothing else.
3. The volume of the most slices is taken; of equals the one of the lowest series number, then of the lowest
   SeriesInstanceUID.
4. Without any volume a single picture is taken; several are refused with the list.

File names, the order of files and instance numbers are never looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from medsegr.errors import SeriesError, UsageError
from medsegr.io.dicom_geometry import Place, gaps_of, same_way

TELLING = (  # what may tell acquisitions of one series apart, most telling first
    "StackID",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "EchoNumbers",
    "EchoTime",
    "EffectiveEchoTime",
    "InversionTime",
    "DiffusionBValue",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "ComplexImageComponent",
    "AcquisitionTime",
)
DEPTH = 3  # of these that may act together
MOST_LISTED = 20
MOST_WAYS = 50  # orientations that a slice is compared with: more are no series, and would take hours
SLICE_ORDER = 0.001  # mm: closer slices lie at one position


@dataclass(frozen=True, slots=True)
class Slice:
    """One picture: ``member`` and ``frame`` say where it is stored, the rest where it belongs."""

    member: int
    frame: int
    place: Place | None
    traits: tuple[object, ...]  # study, series, class, size, colours, image type: all alike in a stack
    telling: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """What a list says of a series, and what the rule asks of it. Ids and dates stay in here."""

    patient: str
    study: str
    uid: str
    when: str  # study date and time; "" where nobody told it
    number: int | None
    modality: str
    description: str
    aside: str  # "localizer", "secondary capture" or ""
    frames: int = 1  # of a film


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices that may be one image, in the order of their members; ``token`` is what ``--series`` takes."""

    slices: tuple[Slice, ...]
    series: Series
    token: str = ""

    @property
    def volume(self) -> bool:
        """Whether these are several slices with a place in the patient."""
        return len(self.slices) > 1

    def line(self) -> str:
        """The stack in numbers only, for messages: descriptions and ids may name somebody."""
        shape = self.slices[0].traits[-2:]
        told = f"{self.token}) {self.series.modality or 'other'}, "
        if self.volume:
            told += f"{len(self.slices)} slices of {shape[0]} x {shape[1]}"
            steps = gaps_of([s.place for s in self.slices if s.place is not None])
            told += f", {float(np.median(steps)):.4g} mm apart" if len(steps) else ""
        elif self.series.frames > 1:
            told += f"a film of {self.series.frames} frames of {shape[0]} x {shape[1]}"
        else:
            told += f"one picture of {shape[0]} x {shape[1]}"
        return told + (f", {self.series.aside}" if self.series.aside else "")


def stacks_of(slices: Iterable[Slice], series: Sequence[Series]) -> tuple[Stack, ...]:
    """All stacks, with their tokens, in the order of the list. ``series``: one a member."""
    alike: dict[tuple[object, ...], list[list[Slice]]] = {}
    for item in sorted(slices, key=_storage_free):
        groups = alike.setdefault(item.traits, [])
        place = item.place
        near = next(
            (g for g in groups[-MOST_WAYS:] if place and g[0].place and same_way(g[0].place, place)), None
        )
        if near is None:
            groups.append([item])
        else:
            near.append(item)
    parts = [part for groups in alike.values() for group in groups for part in _split(group, TELLING)]
    found = [Stack(tuple(part), series[part[0].member]) for part in parts]
    return _named(sorted(found, key=_listing_order))


def _storage_free(item: Slice) -> tuple[object, ...]:
    """An order of slices that does not hang on the names of files or on the order in which they came."""
    if item.place is None:
        return (0,)
    place = item.place
    numbers = (*place.position, *place.along, *place.down)
    return 1, *(float(v) for v in numbers), tuple(sorted(item.telling.items()))


def _listing_order(stack: Stack) -> tuple[object, ...]:
    about, first = stack.series, stack.slices[0]
    place = first.place
    where = () if place is None else tuple(round(float(v), 3) for v in (*place.normal, *place.position))
    told = tuple(first.telling.get(name, "") for name in TELLING)
    number = np.inf if about.number is None else about.number
    return about.when, about.study, number, about.uid, -len(stack.slices), told, where, first.traits[2:]


def _named(stacks: Sequence[Stack]) -> tuple[Stack, ...]:
    """Tokens: the series number where that is enough, else with a part; "none" where there is no number."""
    numbers = ["none" if s.series.number is None else str(s.series.number) for s in stacks]
    seen: dict[str, int] = {}
    named = []
    for stack, number in zip(stacks, numbers, strict=True):
        seen[number] = seen.get(number, 0) + 1
        alone = numbers.count(number) == 1
        named.append(replace(stack, token=number if alone else f"{number}.{seen[number]}"))
    return tuple(named)


def _even(group: Sequence[Slice]) -> bool:
    places = [item.place for item in group if item.place is not None]
    if len(places) < len(group) or len(group) < 2:
        return len(group) == 1
    steps = gaps_of(places)
    middle = float(np.median(steps))
    return bool(steps.min() >= SLICE_ORDER and np.abs(steps - middle).max() <= 0.01 * middle)


def _split(group: list[Slice], names: tuple[str, ...], depth: int = DEPTH) -> list[list[Slice]]:
    """The group, or its parts where what tells acquisitions apart makes all of them even."""
    if _even(group) or not depth or group[0].place is None:
        return [group]
    for at, name in enumerate(names):
        parts: dict[str, list[Slice]] = {}
        for item in group:
            parts.setdefault(item.telling.get(name, ""), []).append(item)
        if len(parts) < 2 or min(map(len, parts.values())) < 2:
            continue
        deeper = [piece for part in parts.values() for piece in _split(part, names[at + 1 :], depth - 1)]
        if all(_even(piece) for piece in deeper):
            return deeper
    return [group]


def choose(stacks: Sequence[Stack], wanted: str = "") -> tuple[Stack, str]:
    """The stack to read, and why it was taken: "only", "asked" or "rule". See the module's rule.

    Raises SeriesError with the list where the rule does not decide, UsageError where ``wanted`` is none of
    it.
    """
    if not wanted:
        return _by_rule(stacks)
    found = [s for s in stacks if wanted in (s.token, s.series.uid) or s.token.startswith(f"{wanted}.")]
    if not found:
        told = wanted[:20] if len(wanted) < 10 else "the one that was given"  # a UID goes into no message
        raise UsageError(
            f"--series: no series {told} among {len(stacks)}: {listed(stacks)}; give one of these numbers"
        )
    return _by_rule(found)[0], "asked"


def _by_rule(stacks: Sequence[Stack]) -> tuple[Stack, str]:
    if len(stacks) == 1:
        return stacks[0], "only"
    left = _newest(stacks)
    plain = [s for s in left if not s.series.aside] or left
    volumes = [s for s in plain if s.volume]
    if not volumes and len(plain) > 1:
        raise SeriesError(
            f"DICOM: {len(plain)} pictures came where one picture or one volume was expected: "
            f"{listed(plain)}; choose one with --series NUMBER"
        )
    taken = min(volumes, key=lambda s: -len(s.slices)) if volumes else plain[0]  # min keeps the listed order
    return taken, "rule"


def _newest(stacks: Sequence[Stack]) -> list[Stack]:
    patients = {s.series.patient for s in stacks if s.series.patient}
    if len(patients) > 1:
        raise SeriesError(
            f"DICOM: pictures of {len(patients)} patients came where one was expected: {listed(stacks)}; "
            "choose one series with --series NUMBER"
        )
    studies = {s.series.study: s.series.when for s in stacks}
    if len(studies) > 1 and (not all(studies.values()) or len(set(studies.values())) < len(studies)):
        raise SeriesError(
            f"DICOM: {len(studies)} studies came and their dates do not tell the newest: {listed(stacks)}; "
            "choose one series with --series NUMBER"
        )
    newest = max(studies, key=lambda study: studies[study])
    return [s for s in stacks if s.series.study == newest]


def listed(stacks: Sequence[Stack]) -> str:
    """The stacks in one line, the first twenty of them."""
    more = f"; and {len(stacks) - MOST_LISTED} more" if len(stacks) > MOST_LISTED else ""
    return "; ".join(stack.line() for stack in stacks[:MOST_LISTED]) + more
