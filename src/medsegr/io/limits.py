"""All limits on what is read: a header that promises too much is refused before anything is allocated."""

from dataclasses import dataclass, fields, replace

from medsegr.errors import InputError, UsageError

RATIO_FREE_BYTES = (
    64 * 2**20
)  # below this an extreme compression ratio harms nobody (blank slices are common)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input may cost. Raise one with ``Limits(pixels=200_000_000)`` or the text ``pixels=2e8``."""

    pixels: int = 100_000_000  # rows x columns of one picture or slice
    voxels: int = 500_000_000  # of one volume, all slices together
    frames: int = 20_000  # slices of a series, frames of a file
    file_bytes: int = 4 * 2**30  # one file as it lies on disk
    inflated_bytes: int = 4 * 2**30  # what a compressed file or an archive may grow to
    ratio: int = 200  # grown size / stored size, looked at above 64 MiB
    folder_files: int = 50_000
    zip_members: int = 20_000
    elements: int = 200_000  # of one DICOM header, nested ones and their lengths included
    contours: int = 50_000  # of one structure set
    points: int = 20_000_000  # of all its contours, and rows and columns of pixels that their lines cross
    decode_seconds: int = 60  # of one compressed frame, in the child process that decodes it
    decode_bytes: int = 2 * 2**30  # memory of that process beyond what it starts with


DEFAULT_LIMITS = Limits()


def limits_from_text(text: str) -> Limits:
    """``"pixels=2e8,voxels=1e9"`` -> limits; names as in :class:`Limits`. UsageError for others."""
    known = [field.name for field in fields(Limits)]
    changes: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = (side.strip() for side in part.partition("="))
        try:
            number = int(float(value.replace("_", "")))
        except (ValueError, OverflowError):
            number = 0
        if name not in known or number < 1:
            raise UsageError(
                f"limits: '{part}' is not NAME=NUMBER with a NAME of {', '.join(known)} and a NUMBER of 1 "
                "or more"
            )
        changes[name] = number
    return replace(DEFAULT_LIMITS, **changes)


def check(name: str, value: int, limits: Limits, what: str) -> None:
    """Refuse ``what`` where ``value`` is beyond the limit called ``name``; with how to raise it."""
    limit = getattr(limits, name)
    if value > limit:
        raise InputError(
            f"{what}: {value:,} {name.replace('_', ' ')} where at most {limit:,} are allowed; "
            f"if this input is meant, raise the limit with Limits({name}={value}) or --limits {name}={value}"
        )


def check_grid(shape: tuple[int, ...], limits: Limits, what: str) -> None:
    """Refuse an empty or negative grid, and one beyond the limits. ``shape``: (h, w), or three axes in any
    order.
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        told = " x ".join(map(str, shape)) or "no axes"
        raise InputError(
            f"{what}: the header tells a grid of {told} where two or three axes of 1 or more were expected; "
            "the file is damaged or holds no image"
        )
    total = 1
    for count in shape:
        total *= int(count)
    check(
        "pixels", total if len(shape) == 2 else total // min(shape), limits, what
    )  # the largest plane of a volume
    check("voxels", total, limits, what)


def check_ratio(grown: int, stored: int, limits: Limits, what: str) -> None:
    """Refuse data that grow beyond ``inflated_bytes``, or that are large and compressed beyond belief (a
    bomb).
    """
    check("inflated_bytes", grown, limits, what)
    if grown > RATIO_FREE_BYTES:
        check("ratio", grown // max(stored, 1), limits, f"{what} grows from {stored:,} to {grown:,} bytes")
