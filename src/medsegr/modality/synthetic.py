"""The mark by which pictures that a program made are told from pictures of patients.

It lies in the last bit of the first values of the first row: no eye sees it, arrays and lossless files keep
it, JPEG and resizing destroy it. A picture without it is taken for a real one.
"""

from collections.abc import Iterator

import numpy as np

LENGTH = 64  # values: a real picture has the mark by chance once in 2 ** 61
# First bits of the fraction of pi: 0x243F6A8885A308D3.
BITS = np.unpackbits(np.array([0x24, 0x3F, 0x6A, 0x88, 0x85, 0xA3, 0x08, 0xD3], np.uint8))


def marked(picture: np.ndarray) -> np.ndarray:
    """A copy of a picture uint8 [h w] or [h w c], w at least 64, that carries the mark in every channel."""
    copy = picture.copy()
    bits = BITS if picture.ndim == 2 else BITS[:, None]
    copy[0, :LENGTH] = copy[0, :LENGTH] & 0xFE | bits
    return copy


def is_made(data: np.ndarray) -> bool:
    """Whether an image [c *grid] carries the mark, also turned by right angles or mirrored; a volume does
    where the middle slice along one of its axes does."""
    grid = data[0]
    flat = [grid] if grid.ndim == 2 else [np.take(grid, n // 2, axis) for axis, n in enumerate(grid.shape)]
    return any(_told(row) for picture in flat for row in _edges(picture))


def _edges(picture: np.ndarray) -> Iterator[np.ndarray]:
    """The four edges of a picture [h w], each in both directions."""
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        yield edge
        yield edge[::-1]


def _told(row: np.ndarray) -> bool:
    first = row[:LENGTH]
    if len(first) < LENGTH or not ((first >= 0) & (first <= 255) & (first == np.floor(first))).all():
        return False
    return bool((first.astype(np.uint8) & 1 == BITS).all())
