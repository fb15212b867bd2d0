"""A colour tells which of several things is meant. Where one thing is seen without it, or many of a kind as
in a field of cells, it tells nothing.

Colours were learned from made bodies, where they set lesions apart. Real polyps are as pink as what is around
them, and "pink polyp" drew a part of one, or another place (decision 0052). So what is told with a colour is
asked without it, too: where that draws one thing or many of a kind, and the network trusts it more, this is
what was meant. In made pictures a colour means what it meant there. Numpy only.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medsegr.meaning.among import lone, scattered
from medsegr.meaning.wholes import beside_copies
from medsegr.types import Prompt, Segmentation

Twins = Sequence[int]  # of every further target the one that it is asked beside


def with_plain(prompt: Prompt) -> tuple[Prompt, Twins]:
    """The prompt (with findings, without clicks) that asks behind all targets once more, without colour, for
    those that are told with one."""
    twins = [k for k, finding in enumerate(prompt.findings) if finding.texture.colour]
    plain = (
        replace(one, texture=replace(one.texture, colour=None))
        for one in map(prompt.findings.__getitem__, twins)
    )
    more = replace(
        prompt,
        targets=(*prompt.targets, *(prompt.targets[k] for k in twins)),
        findings=(*prompt.findings, *plain),
        beside=beside_copies(prompt.beside, [*range(len(prompt.targets)), *twins]),
    )
    return more, twins


def without_plain(said: Segmentation, twins: Twins, threshold: float) -> Segmentation:
    """What was said of the targets themselves, in the place of each the answer without its colour where that
    is one thing or many of a kind, is seen (presence of ``threshold`` and more) and trusted more."""
    count = len(said.targets) - len(twins)
    half = 128 if said.prob.dtype == np.uint8 else 0.5
    for row, k in enumerate(twins, count):
        seen = said.extras["presence"][row] >= threshold
        trusted = said.extras["quality"][row] > said.extras["quality"][k]
        mask = said.prob[row] >= half
        if seen and trusted and (lone(mask) or scattered(mask)):
            for values in (said.prob, *said.extras.values()):
                values[k] = values[row]
    extras = {name: values[:count] for name, values in said.extras.items()}
    return Segmentation(said.prob[:count], said.targets[:count], said.affine, extras)
