"""What a person would point at, for training: points, a box, a rough mask that wants refining."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from medsegr.samples.drawn import Marks


def rough(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """A previous mask that wants refining, [s s] as logits of +-4: shifted, often cut along a line,
    grown, shrunk, or with something beside it. ``mask`` [s s] is 0 or 1."""
    size = mask.shape[-1]
    moved = (
        torch.roll(mask, [int(v) for v in rng.integers(-size // 14, size // 14 + 1, 2)], (0, 1)).numpy() > 0
    )
    kind = rng.random()
    if kind < 0.35:
        moved[int(rng.integers(size)) :] = False
    elif kind < 0.6:
        steps = int(rng.integers(1, max(2, size // 24)))
        moved = (ndimage.binary_dilation if kind < 0.5 else ndimage.binary_erosion)(moved, iterations=steps)
    elif kind < 0.8:
        yy, xx = np.ogrid[:size, :size]
        y, x = rng.integers(size, size=2)
        moved = moved | (np.hypot(yy - y, xx - x) < rng.uniform(0.03, 0.12) * size)
    return (2 * torch.from_numpy(moved).float() - 1) * 4


def clicks(
    marks: Marks, how: str, hint: np.ndarray | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Up to three points ("points", "mask"), or a box ("box"), of a mask [h w]: places [3 2] in [0, 1] (x, y)
    and kinds [3] as in the prompt encoder. Where a rough mask is given as ``hint``, most points lie where it
    is wrong, as a person's would. Nobody points at pixels that are unknown, nor draws a box beside them."""
    points, kinds = torch.zeros(3, 2), torch.full((3,), 4.0)
    mask, (h, w) = marks.mask, marks.mask.shape
    if how == "box" and marks.unknown is not None:
        return points, kinds
    if how and mask.any():
        ys, xs = np.nonzero(mask)
        if how == "box":
            jitter = rng.normal(0, 0.03, 4) * max(np.ptp(ys) + 1, np.ptp(xs) + 1)
            corners = [
                (xs.min() + jitter[0], ys.min() + jitter[1]),
                (xs.max() + 1 + jitter[2], ys.max() + 1 + jitter[3]),
            ]
            for i, (x, y) in enumerate(corners):
                points[i], kinds[i] = torch.tensor([x / w, y / h]), 2.0 + i
        else:
            wrong = None if hint is None else np.argwhere(marks.judged(hint != mask))
            for i in range(int(rng.integers(1, 4))):
                if wrong is not None and len(wrong) and rng.random() < 0.75:
                    at = wrong
                else:
                    at = np.argwhere(marks.judged(mask == (i == 0 or rng.random() < 0.5)))
                if not len(at) and marks.unknown is not None:
                    continue
                y, x = at[int(rng.integers(len(at)))] if len(at) else (0, 0)
                points[i], kinds[i] = torch.tensor([(x + 0.5) / w, (y + 0.5) / h]), float(mask[y, x])
    return points.float(), kinds
