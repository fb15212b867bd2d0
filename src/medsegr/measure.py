"""Numbers of a mask with unit and status: extent, axes, centre, box, pieces, intensity, nearest structure.

Statuses, the first that applies: ``empty`` (no voxel: value None); ``no_spacing`` (no millimetres known:
value None); ``too_small`` (fewer than 4 voxels: the grid decides the size, not the finding);
``cut_by_border`` (the mask reaches the image's edge: the value is of the part that can be seen);
``no_value`` (not a finite number); ``touching`` (a distance of 0, since the two masks share a voxel);
``ok``. Lengths run from voxel edge to voxel edge, so that one voxel has the length of its own
diagonal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medsegr.checks import touches_border
from medsegr.grid.planes import plane_of
from medsegr.io.segments import box_of
from medsegr.modality.likeness import in_hounsfield
from medsegr.types import FindingResult, Image, Measurement

INDEX_NAMES = {
    2: ("y", "x"),
    3: ("i", "j", "k"),
}  # names of the grid axes: rows are y; a volume keeps the file's own axes
WORLD_NAMES = ("right", "anterior", "superior")  # RAS+ mm: the directions in which the three values grow
FEWEST = 4  # voxels from which a size says more about the finding than about the grid
SPARSE = 64  # of so many points of a rim one is looked at first


def measure(
    image: Image, mask: np.ndarray, structures: Mapping[str, np.ndarray] | None = None
) -> Mapping[str, Measurement]:
    """All numbers of one mask (bool ``*grid``, on the image's grid).

    Keys: ``pixels``, ``components`` (pieces that share no corner), ``area`` (mm2) or ``volume`` (mm3),
    ``max_diameter`` (mm, any direction), ``long_axis`` and ``short_axis`` (mm: the longest extent within one
    slice, and the longest across it at right angles, as RECIST asks), ``centroid_<axis>`` (px, pixel
    centres), ``centroid_mm_<r|a|s>`` (RAS+ mm), ``box_<axis>0`` and ``box_<axis>1`` (px, upper edge
    exclusive), ``mean_intensity`` and ``sd_intensity`` (HU for CT, but not where it came as a picture file;
    SD of the voxels, n - 1).

    ``structures``: name -> mask of named structures on the same grid; then ``nearest_structure`` is the
    distance in mm to the nearest of them (between the centres of the nearest voxels), ``of`` its name.
    """
    mask = np.asarray(mask, bool)
    if mask.shape != image.grid:
        raise ValueError(f"the mask has grid {mask.shape}, expected the image's {image.grid}")
    count = int(np.count_nonzero(mask))
    part = "ok" if not count or not touches_border(mask) else "cut_by_border"
    size = "empty" if not count else "too_small" if count < FEWEST else part
    found: dict[str, Measurement] = {
        "pixels": Measurement(float(count), "px", part if count else "empty"),
        "components": Measurement(float(_pieces(mask)) if count else None, "1", part if count else "empty"),
    }
    extent, unit = ("area", "mm2") if mask.ndim == 2 else ("volume", "mm3")
    known = count > 0 and image.spacing is not None
    lacking = "empty" if not count else "no_spacing"
    found[extent] = (
        Measurement(count * voxel_size(image), unit, size) if known else Measurement(None, unit, lacking)
    )
    axes = axes_of(image, mask) if known else None
    long, short = (axes.long, axes.short) if axes else (None, None)
    widest = max_diameter(image, mask) if known else None
    for name, value in (("max_diameter", widest), ("long_axis", long), ("short_axis", short)):
        found[name] = Measurement(value, "mm", size if known else lacking)
    found.update(_places(image, mask, count, part))
    found.update(_intensity(image, mask, count))
    if structures and known:
        found.update(_nearest(image, mask, structures))
    return found


def voxel_size(image: Image) -> float:
    """Area (mm2) or volume (mm3) of one voxel, sheared grids included; the image must have a spacing."""
    if image.affine is None or image.spacing is None:
        return math.prod(image.spacing or ())
    steps = _steps(image)
    if steps.shape[1] == 2:
        return float(np.linalg.norm(np.cross(steps[:, 0], steps[:, 1])))
    return float(abs(np.linalg.det(steps)))


def max_diameter(image: Image, mask: np.ndarray) -> float:
    """Largest extent of a non-empty mask in mm, voxel edges and sheared grids included (the widest of all
    directions, error below 0.2 %); the image must have a spacing.
    """
    basis = _in_plane(image, (0, 1)) if mask.ndim == 2 else _steps(image).T
    points = _outermost(_boundary(mask) @ basis)
    directions = _circle(720) if mask.ndim == 2 else _hemisphere(2000)
    widest = 0.0
    for chunk in np.array_split(directions, max(1, len(directions) * len(points) // 4_000_000 + 1)):
        along = points @ chunk.T
        width = along.max(axis=0) - along.min(axis=0) + np.abs(chunk @ basis.T).sum(axis=1)
        widest = max(widest, float(width.max(initial=0.0)))
    return widest


@dataclass(frozen=True, slots=True)
class Axes:
    """The longest extent within one slice and the longest across it, mm.

    ``ends``, where they begin and end: float ``4 d`` in grid indices (pixel centres whole numbers), two of
    the long and two of the short.
    """

    long: float
    short: float
    ends: np.ndarray


def axes_of(image: Image, mask: np.ndarray) -> Axes:
    """Axes of a non-empty mask on an image with a spacing, as RECIST asks for them.

    Slices are those of the usual view (:func:`~medsegr.grid.planes.plane_of`): axial, or across the widest
    spacing. The slice with the longest extent decides both. Exact for the convex hull of the slice's voxels.
    """
    order = plane_of(image).order
    stack = mask.transpose(order) if mask.ndim == 3 else mask.transpose(order)[None]
    basis = _in_plane(image, order)
    half = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    found = []
    for number in np.flatnonzero(stack.any(axis=(1, 2))):
        corners = (_boundary(stack[number])[:, None] + half).reshape(-1, 2) @ basis
        found.append((float(np.linalg.norm(np.ptp(corners, axis=0))), int(number), corners))
    best: tuple[float, float, np.ndarray, int] = (0.0, 0.0, np.zeros((4, 2)), 0)
    for reach, at, corners in sorted(found, key=lambda item: (-item[0], item[1])):
        if reach <= best[0]:
            break  # no slice from here on can be longer than the box around it
        long, short, ends = _hull_axes(corners)
        if long > best[0]:
            best = (long, short, ends, at)
    flat = best[2] @ np.linalg.inv(basis)
    turned = flat if mask.ndim == 2 else np.column_stack([np.full(4, float(best[3])), flat])
    return Axes(best[0], best[1], turned[:, np.argsort(order)])


def _steps(image: Image) -> np.ndarray:
    """``m d``: a step along each of the d grid axes in mm, of an image with a spacing."""
    return np.diag(image.spacing or ()) if image.affine is None else image.affine[:3, : len(image.grid)]


def _in_plane(image: Image, order: tuple[int, ...]) -> np.ndarray:
    """``2 2``: (row, column) index times this is mm in the plane of a slice, lengths and angles kept."""
    steps = _steps(image)
    first, second = steps[:, order[-2]], steps[:, order[-1]]
    length = float(np.linalg.norm(first))
    along = float(second @ first) / length
    return np.array([[length, 0.0], [along, math.sqrt(max(float(second @ second) - along**2, 0.0))]])


def _hull_axes(points: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Diameter of a convex hull (points ``n 2`` not on one line), its longest chord at right angles, and the
    ends of both, ``4 2``.
    """
    from scipy.spatial import ConvexHull

    corners = points[ConvexHull(points).vertices]
    apart = corners[:, None] - corners[None]
    lengths = np.linalg.norm(apart, axis=-1)
    start, end = np.unravel_index(int(lengths.argmax()), lengths.shape)
    long = float(lengths[start, end])
    along = apart[start, end] / long
    turn = np.array([[along[0], -along[1]], [along[1], along[0]]])  # the long axis comes to lie along x
    left = corners @ turn
    right = np.roll(left, -1, axis=0)
    width = np.where(right[:, 0] == left[:, 0], 1.0, right[:, 0] - left[:, 0])
    # Share of every edge at the x of every corner: the longest chord goes through a corner.
    share = (left[:, :1] - left[:, 0]) / width
    inside = (share >= -1e-9) & (share <= 1 + 1e-9)
    height = np.where(inside, left[:, 1] + share * (right[:, 1] - left[:, 1]), np.nan)
    low, high = np.nanmin(height, axis=1), np.nanmax(height, axis=1)
    at = int((high - low).argmax())
    chord = np.array([[left[at, 0], low[at]], [left[at, 0], high[at]]]) @ turn.T
    return long, float(high[at] - low[at]), np.concatenate([corners[[start, end]], chord])


def _boundary(mask: np.ndarray) -> np.ndarray:
    """Indices ``n d`` of the voxels that are first or last of the mask along the last axis: they span its
    hull.
    """
    rows = mask.reshape(-1, mask.shape[-1])
    full = np.flatnonzero(rows.any(axis=1))
    first = rows[full].argmax(axis=1)
    last = mask.shape[-1] - 1 - rows[full][:, ::-1].argmax(axis=1)
    lead = np.stack(np.unravel_index(full, mask.shape[:-1]), axis=1)
    return np.concatenate([np.column_stack([lead, first]), np.column_stack([lead, last])]).astype(float)


def _outermost(points: np.ndarray) -> np.ndarray:
    """Corners of the hull of points ``n d``, which alone can be widest; all, where they lie in one plane."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except (QhullError, ValueError):
        return points


def _circle(count: int) -> np.ndarray:
    angle = np.arange(count) * np.pi / count
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _hemisphere(count: int) -> np.ndarray:
    z = (np.arange(count) + 0.5) / count  # Fibonacci points: even over the half sphere
    angle = np.arange(count) * np.pi * (3 - math.sqrt(5))
    ring = np.sqrt(1 - z**2)
    return np.column_stack([ring * np.cos(angle), ring * np.sin(angle), z])


def _pieces(mask: np.ndarray) -> int:
    from scipy import ndimage

    return int(ndimage.label(mask[box_of(mask)], np.ones((3,) * mask.ndim))[1])


def _places(image: Image, mask: np.ndarray, count: int, part: str) -> dict[str, Measurement]:
    names = INDEX_NAMES[mask.ndim]
    world = [f"centroid_mm_{name[0]}" for name in WORLD_NAMES]
    if not count:
        keys = [f"centroid_{n}" for n in names] + [f"box_{n}{end}" for n in names for end in "01"]
        empty = {key: Measurement(None, "px", "empty") for key in keys}
        return empty | {key: Measurement(None, "mm", "empty") for key in world}
    found: dict[str, Measurement] = {}
    centre = np.zeros(3)
    box = box_of(mask)
    inside = mask[box]
    for axis, name in enumerate(names):
        profile = np.count_nonzero(inside, axis=tuple(i for i in range(mask.ndim) if i != axis))
        centre[axis] = float((profile * np.arange(box[axis].start, box[axis].stop)).sum() / count)
        found[f"centroid_{name}"] = Measurement(float(centre[axis]), "px", part)
        found[f"box_{name}0"] = Measurement(float(box[axis].start), "px", part)
        found[f"box_{name}1"] = Measurement(float(box[axis].stop), "px", part)
    if image.affine is None or image.spacing is None:
        return found | {key: Measurement(None, "mm", "no_spacing") for key in world}
    millimetres = image.affine @ np.append(centre, 1.0)
    return found | {key: Measurement(float(millimetres[i]), "mm", part) for i, key in enumerate(world)}


def _intensity(image: Image, mask: np.ndarray, count: int) -> dict[str, Measurement]:
    unit = "HU" if in_hounsfield(image) else "1"
    if not count:
        return {name: Measurement(None, unit, "empty") for name in ("mean_intensity", "sd_intensity")}
    box = box_of(mask)
    inside = mask[box]
    channels = [channel[box][inside] for channel in image.data]
    values = channels[0] if len(channels) == 1 else np.mean(channels, axis=0, dtype=np.float64)
    mean = float(values.mean(dtype=np.float64))
    spread = float(values.std(ddof=1, dtype=np.float64)) if count > 1 else math.nan
    none = Measurement(None, unit, "no_value")
    few = "too_small" if count < FEWEST else "ok"
    return {
        "mean_intensity": Measurement(mean, unit) if math.isfinite(mean) else none,
        "sd_intensity": Measurement(spread, unit, few)
        if math.isfinite(spread)
        else replace(none, status="too_small" if count == 1 else "no_value"),
    }


def _nearest(image: Image, mask: np.ndarray, structures: Mapping[str, np.ndarray]) -> dict[str, Measurement]:
    from scipy.spatial import KDTree

    there = {name: structure for name, structure in structures.items() if structure.any()}
    for name, structure in there.items():
        if bool((structure & mask).any()):
            return {"nearest_structure": Measurement(0.0, "mm", "touching", name)}
    if not there:
        return {}
    tree = KDTree(_rim(image, mask))
    least, nearest = math.inf, ""
    for name, structure in there.items():
        points = _rim(image, structure)
        # A few points first: what lies farther off than the nearest of them need not be looked for.
        bound = min(least, float(tree.query(points[::SPARSE])[0].min()))
        apart = min(bound, float(tree.query(points, distance_upper_bound=bound)[0].min()))
        if apart < least:
            least, nearest = apart, name
    return {"nearest_structure": Measurement(least, "mm", "ok", nearest)}


def _rim(image: Image, mask: np.ndarray) -> np.ndarray:
    """Millimetres ``n m`` of the centres of a mask's outermost voxels, from the first voxel of the grid."""
    from scipy import ndimage

    box = box_of(mask)
    inside = np.pad(mask[box], 1)
    index = np.argwhere(inside & ~ndimage.binary_erosion(inside)) - 1 + [part.start for part in box]
    return np.asarray(index @ _steps(image).T)


def with_structures(image: Image, results: Sequence[FindingResult]) -> list[FindingResult]:
    """The same results; each measured mask also gets its distance to the nearest named structure.

    A structure is a finding that the lexicon calls anatomy and that has a mask. Where none is there, or no
    millimetres are known, nothing is added.
    """
    from medsegr.report.lexicon import concepts

    known = concepts()
    organs = [
        item
        for item in results
        if item.mask is not None and item.finding.name in known and known[item.finding.name].kind == "anatomy"
    ]
    if not organs or image.spacing is None:
        return list(results)
    told = []
    for item in results:
        others = {_called(o): o.mask for o in organs if o is not item and o.mask is not None}
        if item.mask is None or item.measurements is None or not others or not item.mask.any():
            told.append(item)
            continue
        numbers = {**item.measurements, **_nearest(image, np.asarray(item.mask, bool), others)}
        told.append(replace(item, measurements=numbers))
    return told


def _called(item: FindingResult) -> str:
    """Name of a structure with its side, for people."""
    side = item.finding.location.side
    return f"{side} {item.finding.name}" if side in ("right", "left") else item.finding.name
