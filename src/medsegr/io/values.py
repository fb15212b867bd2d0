"""What every reader shares: checks of values and affines, LPS to RAS, one error for damaged files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np

from medsegr.errors import GeometryError, InputError, MedsegrError
from medsegr.process.quiet import silent

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
Warnings = tuple[tuple[str, str], ...]


@contextmanager
def guarded(what: str, advice: str = "open it in another program and save it again") -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into one InputError; our own errors pass.

    The library's text is dropped on purpose: it may quote names, ids or paths. ``--debug`` shows it as the
    cause. Warnings and log lines of the libraries are silenced for the same reason.
    """
    try:
        with silent():
            yield
    except (MedsegrError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except MemoryError as error:
        raise InputError(
            f"{what}: not enough memory to read it; use a smaller image or a machine with more memory"
        ) from error
    except (
        BaseException
    ) as error:  # decoders raise anything on hostile bytes; a panic in Rust is no Exception
        raise InputError(
            f"{what}: it cannot be decoded ({type(error).__name__}); it is truncated or damaged; {advice}"
        ) from error


def checked(data: np.ndarray, what: str) -> tuple[np.ndarray, Warnings]:
    """``c *grid`` numbers -> float32 ``c *grid`` (three equal channels become one) and warnings about the
    values.

    Raises InputError for NaN or infinite values, for complex or non-numeric ones and for another number of
    channels.
    """
    if data.dtype.kind not in "biuf":
        raise InputError(
            f"{what}: values of type {data.dtype} came where real numbers were expected; convert it to "
            "numbers first"
        )
    if data.shape[0] not in (1, 3):
        raise InputError(
            f"{what}: {data.shape[0]} channels came where 1 (grey) or 3 (colour) were expected; keep one or "
            "three"
        )
    if data.size == 0:
        raise InputError(f"{what}: it holds no pixel; an image with at least one was expected")
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(data, dtype=np.float32)
    low, high = float(data.min()), float(data.max())  # NaN and infinity show in these: no second array
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(data)))
        raise InputError(
            f"{what}: {bad:,} of {data.size:,} values are NaN or infinite where finite numbers were "
            "expected; "
            "replace them, for example with the value of air, and save the image again"
        )
    found: Warnings = ()
    if low == high:
        found = (
            ("constant_image", f"every pixel has the value {low:g}: there is nothing to see in this image"),
        )
    if data.shape[0] == 3 and np.array_equal(data[0], data[1]) and np.array_equal(data[0], data[2]):
        data = data[:1].copy()
    return data, found


def checked_affine(affine: np.ndarray, what: str) -> np.ndarray:
    """The affine as float64 ``4 4``; GeometryError where it is not finite or its axes lie in one plane."""
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise GeometryError(f"{what}: the affine is not a finite 4 x 4 matrix; repair the header")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() < 1e-9 or abs(np.linalg.det(matrix[:3, :3] / np.maximum(lengths, 1e-300))) < 1e-4:
        raise GeometryError(
            f"{what}: the affine is singular (axis lengths {_mm(lengths)} mm); repair the header"
        )
    return matrix


def spacing_of(affine: np.ndarray, axes: int) -> tuple[float, ...]:
    """Millimetres a step along each of the first ``axes`` grid axes."""
    return tuple(float(step) for step in np.linalg.norm(affine[:3, :axes], axis=0))


def corners_apart(one: np.ndarray, other: np.ndarray, grid: Sequence[int]) -> float:
    """Largest distance in mm between the places that two affines give to a corner of a grid."""
    full = (*grid, 1, 1)[:3]
    corners = np.array([[*corner, 1.0] for corner in product(*((0.0, n - 1.0) for n in full))])
    return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())


def _mm(values: np.ndarray) -> str:
    return ", ".join(f"{float(value):.4g}" for value in values)
