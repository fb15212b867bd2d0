"""A mask as outlines and outlines as a mask, on one picture: contours run along the borders of pixels.

A pixel belongs to outlines where its centre lies inside by the even-odd rule, or on a line. So the outlines
that :func:`outlines` draws give the same mask again, bit by bit: no centre is nearer to a line than half a
pixel. Points are (row, column) in pixels, the centre of the first pixel is (0, 0).
"""

from collections.abc import Sequence

import numpy as np

ON_LINE = 1e-3  # pixels: how far a centre may lie from a line that goes through it; files round
PIECE = 2_000_000  # steps of lines that are held at a time
EAST = 0  # ways are counted clockwise: east, south, west, north


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed contours ``n 2`` of a mask ``h w``, the mask to their right hand, the last point not repeated.

    One contour for all pixels that share an edge. Pixels that touch at a corner alone are two pieces. A hole
    is reached by a channel without width along the borders of pixels ("keyhole"), so that each contour
    alone, in whatever way several are put together, tells what is inside.
    """
    if not mask.any():
        return []
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    corner = np.array([rows[0], columns[0]])
    chain = _Chain(np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1))
    return [points + corner - 1.5 for points in chain.contours()]  # of the frame around, and half a pixel


class _Chain:
    """The borders of a padded mask as steps from corner to corner of pixels, each with the one after it."""

    def __init__(self, mask: np.ndarray) -> None:
        """Step n begins at corner ``at[n]`` (counted along the rows) and goes to that of ``after[n]``."""
        self.mask, self.wide = mask, mask.shape[1] + 1
        corners = (mask.shape[0] + 1) * self.wide
        begins, ways = _steps(mask)
        order = np.argsort(begins, kind="stable")
        begins, ways = begins[order], ways[order]
        number = np.full((4, corners), -1)
        number[ways, begins] = np.arange(len(begins))
        ends = begins + np.array([1, self.wide, -1, -self.wide])[ways]
        after = np.full(len(begins), -1)
        for turn in (1, 0, 3):  # right first: where pixels touch at a corner it stays with its own
            found = number[(ways + turn) % 4, ends]
            after = np.where(after < 0, found, after)
        before = np.empty_like(after)
        before[after] = np.arange(len(after))
        self.number, self.ways = number, ways
        self.at, self.after, self.before = begins.tolist(), after.tolist(), before.tolist()
        self.kept = (ways != ways[before]).tolist()  # corners of the outline; the others lie on a line

    def contours(self) -> list[np.ndarray]:
        """Corners ``n 2`` of every piece, its holes joined to it."""
        seen = bytearray(len(self.at))
        outer: list[int] = []
        holes: list[int] = []
        for first, way in enumerate(self.ways.tolist()):
            if seen[first]:
                continue
            (outer if way == EAST else holes).append(first)  # the upper left corner of its loop
            step = first
            while not seen[step]:
                seen[step] = True
                step = self.after[step]
        for hole in holes:
            self._join(hole)
        return [self._loop(step) for step in outer]

    def _join(self, hole: int) -> None:
        """Open a channel from the upper left corner of a hole straight up to the next border."""
        row, column = divmod(self.at[hole], self.wide)
        inside = self.mask[:row, column - 1] & self.mask[:row, column]
        top = int(np.flatnonzero(~inside)[-1]) + 1
        start = int(self.number[:, top * self.wide + column].max())  # the one step that begins there
        back, end = len(self.at), len(self.at) + 1
        self.at += [self.at[hole], self.at[start]]
        self.kept += [True, True]
        self.kept[hole] = self.kept[start] = True
        self.before += [self.before[hole], back]
        self.after += [end, self.after[start]]
        self.after[self.before[hole]] = back
        self.before[self.after[start]] = end
        self.after[start], self.before[hole] = hole, start

    def _loop(self, first: int) -> np.ndarray:
        found, step = [], first
        while True:
            if self.kept[step]:
                found.append(self.at[step])
            step = self.after[step]
            if step == first:
                return np.stack(np.divmod(found, self.wide), axis=1)


def _steps(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corner at which each border of a pixel begins, and its way, with the mask to the right."""
    wide = mask.shape[1] + 1
    above, below, left, right = mask[:-1], mask[1:], mask[:, :-1], mask[:, 1:]
    found = (
        (below & ~above, wide),  # east: along the upper border of a pixel
        (left & ~right, 1),  # south
        (above & ~below, wide + 1),  # west
        (right & ~left, wide + 1),  # north
    )
    begins, ways = [], []
    for way, (borders, shift) in enumerate(found):
        rows, columns = np.nonzero(borders)
        begins.append(rows * wide + columns + shift)
        ways.append(np.full(len(rows), way))
    return np.concatenate(begins), np.concatenate(ways)


def steps_of(contour: np.ndarray, shape: tuple[int, int]) -> int:
    """Rows and columns that the lines of a contour cross on a picture ``h w``: what filling it costs."""
    ends = np.clip(contour, -1, np.array(shape, float))
    return int(np.abs(ends - np.roll(ends, -1, axis=0)).sum()) + len(contour)


def fill(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """What closed contours ``n 2`` enclose together on a picture ``h w``: bool on a box of it, and the row
    and column at which the box begins. Where two overlap nothing is (XOR), so a contour in another is a hole;
    what lies outside of the picture is cut off. Lines belong to what they enclose, also those of a hole.
    """
    points = np.concatenate(contours)
    low = np.clip(np.floor(points.min(axis=0)), 0, np.array(shape)).astype(int)
    high = np.clip(np.floor(points.max(axis=0) + ON_LINE) + 1, low, np.array(shape)).astype(int)
    box = high - low
    crossed = np.zeros((box[0], box[1] + 1), bool)
    on_line = np.zeros(tuple(box), bool)
    if not box.all():
        return on_line, (int(low[0]), int(low[1]))
    begins = points - low
    ends = np.concatenate([np.roll(contour, -1, axis=0) for contour in contours]) - low
    size = np.abs(np.clip(begins, -1, box) - np.clip(ends, -1, box)).sum(axis=1) + 1
    for part in np.split(np.arange(len(begins)), np.flatnonzero(np.diff(np.cumsum(size) // PIECE)) + 1):
        _cross(begins[part], ends[part], crossed)
        _mark(begins[part], ends[part], on_line)
    return np.logical_xor.accumulate(crossed, axis=1)[:, :-1] | on_line, (int(low[0]), int(low[1]))


def _cross(begins: np.ndarray, ends: np.ndarray, crossed: np.ndarray) -> None:
    """Turn over the first pixel to the right of each line in every row that it crosses."""
    upper = np.where((begins[:, 0] <= ends[:, 0])[:, None], begins, ends)
    lower = np.where((begins[:, 0] <= ends[:, 0])[:, None], ends, begins)
    first = np.ceil(np.clip(upper[:, 0], 0, len(crossed))).astype(int)
    last = np.ceil(np.clip(lower[:, 0], 0, len(crossed))).astype(int)  # its lower end is not its own
    line, row = _runs(first, last)
    share = (row - upper[line, 0]) / (lower[line, 0] - upper[line, 0])
    column = upper[line, 1] + share * (lower[line, 1] - upper[line, 1])
    place = np.floor(np.clip(column, -1, crossed.shape[1] - 1)).astype(int) + 1
    place = np.minimum(place, crossed.shape[1] - 1)
    flat = np.bincount(row * crossed.shape[1] + place, minlength=crossed.size)
    crossed ^= (flat % 2).astype(bool).reshape(crossed.shape)


def _mark(begins: np.ndarray, ends: np.ndarray, on_line: np.ndarray) -> None:
    """Set the pixels whose centre lies on a line."""
    steep = np.abs(ends - begins)[:, 0] >= np.abs(ends - begins)[:, 1]
    for chosen, axis in ((steep, 0), (~steep, 1)):
        one, other = begins[chosen][:, [axis, 1 - axis]], ends[chosen][:, [axis, 1 - axis]]
        long, short = on_line.shape[axis], on_line.shape[1 - axis]
        low, high = np.minimum(one[:, 0], other[:, 0]), np.maximum(one[:, 0], other[:, 0])
        first = np.ceil(np.clip(low - ON_LINE, 0, long)).astype(int)
        last = np.floor(np.clip(high + ON_LINE, -1, long - 1)).astype(int) + 1
        line, along = _runs(first, last)
        run = other[line, 0] - one[line, 0]
        share = np.clip((along - one[line, 0]) / np.where(run == 0, 1, run), 0, 1)
        across = one[line, 1] + share * (other[line, 1] - one[line, 1])
        whole = np.rint(across)
        met = (np.abs(across - whole) <= ON_LINE) & (whole >= 0) & (whole < short)
        where = along[met], whole[met].astype(int)
        on_line[where if axis == 0 else where[::-1]] = True


def _runs(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ranges ``first`` to ``last`` (not with it): number of the range and value, one after the other."""
    counts = np.maximum(last - first, 0)
    line = np.repeat(np.arange(len(first)), counts)
    return line, np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts) + first[line]
