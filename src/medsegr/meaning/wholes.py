"""A thing that a checkpoint knows in parts only is asked for by its parts, and drawn as all of them: sets of
the hippocampus draw its two halves, people ask for the whole. Numpy only."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from medsegr.types import Finding, Prompt, Segmentation

Joins = Sequence[int]  # of every further target the one that it is a part of


def taken_apart(prompt: Prompt, parts_of: Callable[[Finding], Sequence[Finding]]) -> tuple[Prompt, Joins]:
    """The prompt (with findings) that asks for the first part in the place of each whole, and behind all
    targets for the other parts. ``parts_of`` gives the finding alone where it is no whole."""
    parts = [tuple(parts_of(finding)) for finding in prompt.findings]
    joins = [k for k, one in enumerate(parts) for _ in one[1:]]
    rows = [*range(len(parts)), *joins]
    more = [part for one in parts for part in one[1:]]

    def longer(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[rows]

    apart = replace(
        prompt,
        targets=tuple(prompt.targets[k] for k in rows),
        findings=(*(one[0] for one in parts), *more),
        points=longer(prompt.points),
        boxes=longer(prompt.boxes),
        mask=longer(prompt.mask),
        beside=beside_copies(prompt.beside, rows),
    )
    return apart, joins


def beside_copies(
    beside: Sequence[tuple[int, ...] | None], rows: Sequence[int]
) -> tuple[tuple[int, ...] | None, ...]:
    """``Prompt.beside`` where target ``rows[k]`` is asked as target ``k``, some several times: what is
    compared with one of these is compared with its copies, too, any of which may be seen."""
    if not beside:
        return ()
    told = [beside[row] for row in rows]
    return tuple(
        None if whom is None else tuple(k for k, row in enumerate(rows) if row in whom) for whom in told
    )


def joined(said: Segmentation, joins: Joins) -> Segmentation:
    """What was said of the parts, as of the wholes: everywhere and in presence the likeliest part counts."""
    count = len(said.targets) - len(joins)
    for row, whole in enumerate(joins, count):
        for values in (said.prob, *said.extras.values()):
            values[whole] = np.maximum(values[whole], values[row])
    extras = {name: values[:count] for name, values in said.extras.items()}
    return Segmentation(said.prob[:count], said.targets[:count], said.affine, extras)
