"""In what turns the findings of an image are asked for: whoever follows a run sees the first mask before the
last is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medsegr.results.verdicts import Verdict
from medsegr.types import Finding


@dataclass(frozen=True, slots=True)
class Turn:
    """Findings that are asked for together: turn ``number``, from 0, ``of`` so many. ``first``: how many
    findings of all ``count`` come before these. ``flat``: of a picture."""

    findings: Sequence[Finding]
    verdicts: Sequence[Verdict | None]
    first: int
    count: int
    number: int
    of: int
    flat: bool

    def far(self, done: int, total: int) -> tuple[int, int]:
        """How far the whole is while ``done`` of ``total`` pieces of this turn are drawn: in findings of a
        picture, in pieces of a volume."""
        if self.flat:
            return self.first, self.count
        return self.number * total + done, self.of * total

    def judged(self, n: int, pieces: int) -> tuple[int, int]:
        """How far the whole is once ``n`` findings of this turn are judged, which had so many pieces."""
        return (self.first + n, self.count) if self.flat else self.far(pieces, pieces)


def turns_of(
    findings: Sequence[Finding], verdicts: Sequence[Verdict | None], flat: bool, followed: bool
) -> list[Turn]:
    """All at once, where nobody follows. A picture's findings go one by one. A volume's slices are encoded
    anew for each turn where they are too many to be kept, so it has two: up to the first finding that is
    drawn (``verdicts`` None), and all others."""
    count = len(findings)
    drawn = [n for n, verdict in enumerate(verdicts, 1) if verdict is None]
    if not followed:
        ends = [count]
    elif flat:
        ends = list(range(1, count + 1))
    else:
        ends = [drawn[0], count] if len(drawn) > 1 else [count]
    if not count:
        return []
    return [
        Turn(findings[start:end], verdicts[start:end], start, count, number, len(ends), flat)
        for number, (start, end) in enumerate(pairwise([0, *ends]))
    ]
