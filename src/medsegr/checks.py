"""What a mask can be asked without the truth: its side (told, or usual), its place, its border, its presence,
its word-free twin.

Every check returns one :class:`~medsegr.types.Check` or None where the question does not arise. Only the side
can ``fail``: it contradicts words that the report gave; the others ``warn``.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from medsegr.errors import GeometryError
from medsegr.grid.planes import PAIR, axis_letters, plane_of, shows_rows, shows_sides, to_slices
from medsegr.meaning.among import parts_of
from medsegr.meaning.hearing import rows_in_picture
from medsegr.metrics.overlap import dice
from medsegr.modality.mirrored import NARROW_BODY, SECTIONS, usual_side
from medsegr.report.lexicon import paired
from medsegr.types import COLS, ROWS, Check, Finding, FindingResult, Image

Outcome = Literal["pass", "warn", "fail"]
SIDE_PASS, SIDE_FAIL = 0.6, 0.4  # share of the mask in the half that the report names
BOTH_SIDES = 0.1  # "bilateral": each half holds at least this share
PLACE_PASS = 0.5  # share of the mask in the named third, which is widened by half a third at each end
AGREE = 0.5  # share of the guided mask inside the report-free one
AGREE_IN_PARTS = 0.7  # ... of what is drawn as several: what the words moved of one may lie in another
SUBSET = 0.95  # of a mask: so much of it inside another that is larger is a part of it
PRESENCE_MARGIN = 0.1
NARROW = 60.0  # mm: a volume so narrow may be cut round one of two organs
ONE_REGION = 0.9  # Dice of two findings' masks from which on they are one region


def side_axis(image: Image, frame: str) -> tuple[int, bool] | None:
    """The grid axis on which ``left`` is a half of the image, and whether its index grows to the left.

    None: the image does not show two sides of the ``frame`` (the patient's: in the viewer's frame, in a
    lateral or sagittal picture, of one breast), or its geometry contradicts itself.
    """
    try:
        if frame == "patient":
            return _left_axis(image)
        if len(image.grid) != 2:
            return None
        plane = plane_of(image)
    except GeometryError:
        return None
    return plane.order[-1], plane.flips[-1]


def _left_axis(image: Image) -> tuple[int, bool] | None:
    if not shows_sides(image):
        return None
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else ("?",))
    letters = letters[: len(image.grid)]
    if any(letter not in PAIR for letter in letters):
        return (1, True) if len(image.grid) == 2 else None  # a picture: the radiological convention
    for axis, letter in enumerate(letters):
        if PAIR[letter] == 0:
            return axis, letter == "L"
    return None


def left_share(mask: np.ndarray, axis: int, grows_left: bool) -> float:
    """Share of the mask (bool ``*grid``, not empty) in the left half, the middle voxel counting half, in [0,
    1].
    """
    other = tuple(i for i in range(mask.ndim) if i != axis)
    profile = mask.sum(axis=other, dtype=np.int64).astype(float)
    half = len(profile) // 2
    low = float(profile[:half].sum()) + (profile[half] / 2 if len(profile) % 2 else 0.0)
    total = float(profile.sum())
    return (total - low if grows_left else low) / total


def side_check(image: Image, finding: Finding, mask: np.ndarray) -> Check | None:
    """The report's side against the share of the mask in that half; None without a side or without a mask,
    and for the side of the one limb that is shown.

    Fails below 0.4 of the area in the named half, warns to 0.6. "bilateral" wants a tenth in each half.
    """
    side, frame = _told_side(finding, mask.ndim)
    if side is None or frame == "limb" or not mask.any():
        return None
    found = side_axis(image, frame)
    if found is None:
        whose = "the patient's" if frame == "patient" else "the picture's"
        return Check("side", "warn", f"not checked: this image does not show {whose} left and right")
    if mask.ndim == 3 and _cut_round_one(image, finding, found[0]):
        text = "not checked: so narrow a volume may show one of two organs only"
        return Check("side", "warn", text)
    left = left_share(mask, *found)
    if side == "bilateral":
        both = BOTH_SIDES <= left <= 1 - BOTH_SIDES
        return Check(
            "side",
            "pass" if both else "warn",
            f"report: bilateral; mask: {left:.0%} left, {1 - left:.0%} right",
        )
    if side == "midline":
        return _midline(mask, found[0])
    share = left if side == "left" else 1 - left
    outcome: Outcome = "pass" if share >= SIDE_PASS else "fail" if share < SIDE_FAIL else "warn"
    return Check("side", outcome, f"report: {side} ({frame}); {share:.0%} of the mask lies there")


def _cut_round_one(image: Image, finding: Finding, axis: int) -> bool:
    """Whether a volume may be cut round one of two organs: its middle is not the patient's then."""
    if image.spacing is None or image.grid[axis] * image.spacing[axis] >= NARROW:
        return False
    organs = (place.removeprefix("left ").removeprefix("right ") for place in finding.location.anatomy)
    return bool({finding.name, *finding.parents, *organs} & paired())


def _told_side(finding: Finding, axes: int) -> tuple[str | None, str]:
    """Side and whose it is. A picture's own sides are told as columns ("at the right of the image")."""
    where = finding.location
    if where.side is None and axes == 2 and where.cols in (("left",), ("right",)):
        return where.cols[0], "viewer"
    return where.side, where.side_frame


def _midline(mask: np.ndarray, axis: int) -> Check:
    centre = float(np.nonzero(mask)[axis].mean()) + 0.5
    third = mask.shape[axis] / 3
    inside = third <= centre <= 2 * third
    return Check(
        "side",
        "pass" if inside else "warn",
        f"report: midline; mask centre at {centre / mask.shape[axis]:.0%} of the width",
    )


def anatomy_check(image: Image, finding: Finding, mask: np.ndarray) -> Check | None:
    """A whole organ against the side on which it lies in nearly everybody; None for other findings, where the
    report names a side, and for images that may be cut round the organ.

    Warns where less than 0.4 of it lies there: the image is mirrored, the mask wrong, or the body rare.
    """
    side = None if finding.location.side else usual_side(finding.name)
    if side is None or not mask.any() or image.modality not in SECTIONS:
        return None
    found = side_axis(image, "patient")
    if found is None or (image.spacing and image.grid[found[0]] * image.spacing[found[0]] < NARROW_BODY):
        return None
    left = left_share(mask, *found)
    share = left if side == "left" else 1 - left
    outcome: Outcome = "pass" if share >= SIDE_FAIL else "warn"
    detail = f"the {finding.name} lies on the {side} in nearly everybody; {share:.0%} of the mask does"
    return Check("anatomy", outcome, detail)


def place_check(image: Image, finding: Finding, mask: np.ndarray) -> Check | None:
    """Told rows and columns against the mask, in thirds of the image widened by half a third.

    The report may mean thirds of an organ, so this only warns. Rows of a volume run from head to foot.
    """
    where, flat = finding.location, len(image.grid) == 2
    rows = rows_in_picture(where, image.modality) if flat else where.rows
    rows, cols = rows if shows_rows(image) else (), where.cols
    if not mask.any() or not (rows or cols):
        return None
    profiles = _row_col_profiles(image, mask)
    shares = []
    for told, names, profile in ((rows, ROWS, profiles[0]), (cols, COLS, profiles[1])):
        if told and profile is not None:
            shares.append(_share_in_thirds(profile, [names.index(name) for name in told if name in names]))
    if not shares:
        return None
    told_words = ", ".join((*rows, *cols))
    outcome: Outcome = "pass" if min(shares) >= PLACE_PASS else "warn"
    return Check(
        "place",
        outcome,
        f"report: {told_words}; {min(shares):.0%} of the mask lies in those thirds of the image",
    )


def _row_col_profiles(image: Image, mask: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    view = to_slices(mask, plane_of(image))
    if mask.ndim == 2:
        return view.sum(axis=1), view.sum(axis=0)
    cols = view.sum(axis=(0, 1))
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else ())
    for axis, letter in enumerate(letters):
        if PAIR.get(letter) == 2:
            profile = mask.sum(axis=tuple(i for i in range(3) if i != axis))
            return (profile[::-1] if letter == "S" else profile), cols
    return None, cols


def _share_in_thirds(profile: np.ndarray, thirds: list[int]) -> float:
    place = (np.arange(len(profile)) + 0.5) / len(profile) * 3
    inside = np.zeros(len(profile), bool)
    for third in thirds:
        inside |= (place >= third - 0.5) & (place <= third + 1.5)
    return float(profile[inside].sum() / profile.sum())


def border_check(mask: np.ndarray) -> Check | None:
    """Warns (``cut by border``) where the mask reaches the image's edge: its numbers are then a part only."""
    if not mask.any():
        return None
    if touches_border(mask):
        return Check(
            "border",
            "warn",
            "cut by border: the mask reaches the edge of the image, so its size is a part only",
        )
    return Check("border", "pass", "the mask lies inside the image")


def touches_border(mask: np.ndarray) -> bool:
    """Whether any voxel of the outermost layer belongs to the mask (axes of length 1 do not count)."""
    for axis, length in enumerate(mask.shape):
        if length > 1 and (np.take(mask, 0, axis).any() or np.take(mask, -1, axis).any()):
            return True
    return False


def presence_check(presence: float | None, threshold: float, polarity: str = "present") -> Check | None:
    """The model's presence score in [0, 1] against its threshold, and against a report that denies the
    finding.
    """
    if presence is None:
        return None
    seen = presence >= threshold
    if polarity == "absent":
        words = (
            "the report denies it, the model sees it" if seen else "report and model agree that it is absent"
        )
        return Check(
            "presence",
            "warn" if seen else "pass",
            f"{words} (presence {presence:.2f}, threshold {threshold:.2f})",
        )
    sure = presence >= threshold + PRESENCE_MARGIN
    return Check(
        "presence", "pass" if sure else "warn", f"presence {presence:.2f}, threshold {threshold:.2f}"
    )


def agreement_check(mask: np.ndarray, free: np.ndarray | None, least: float = AGREE) -> Check | None:
    """The guided mask against the report-free one: a large difference means that the words moved it.
    ``least``: share of the mask, or Dice, from which they agree."""
    if free is None or not mask.any():
        return None
    both = int(np.count_nonzero(mask & free))
    area, free_area = int(np.count_nonzero(mask)), int(np.count_nonzero(free))
    if not free_area:
        return Check("agreement", "warn", "without the report's words the model draws nothing")
    share, dice = both / area, 2 * both / (area + free_area)
    outcome: Outcome = "pass" if max(share, dice) >= least else "warn"
    detail = f"{share:.0%} of the mask lies in the report-free one (Dice {dice:.2f})"
    some = parts_of(mask, free) if share > SUBSET > dice else None
    if some is not None:
        detail += f": the words mean {some[0]} of its {some[1]} parts"
    return Check("agreement", outcome, detail)


def one_region(results: Sequence[FindingResult]) -> list[tuple[str, str]]:
    """A warning for each group of findings whose masks are nearly one: what a report tells apart, the model
    did not."""
    groups: list[list[FindingResult]] = []
    for item in results:
        if item.mask is None or not item.mask.any():
            continue
        same = next((group for group in groups if _alike(group[0], item)), None)
        if same is None:
            groups.append([item])
        else:
            same.append(item)
    text = "drawn as one region: if they are different things, say where each lies"
    ids = [", ".join(item.finding.id for item in group) for group in groups if len(group) > 1]
    return [("one_region", f"{them}: {text}") for them in ids]


def _alike(one: FindingResult, other: FindingResult) -> bool:
    """Whether two masks are nearly one; sizes come first, since volumes are large."""
    if one.mask is None or other.mask is None:
        return False
    small, large = sorted((int(np.count_nonzero(one.mask)), int(np.count_nonzero(other.mask))))
    return 2 * small >= ONE_REGION * (small + large) and dice(one.mask, other.mask) >= ONE_REGION


def all_checks(
    image: Image,
    finding: Finding,
    mask: np.ndarray,
    free: np.ndarray | None,
    presence: tuple[float | None, float],
    in_parts: bool = False,
) -> tuple[Check, ...]:
    """Every check that applies to one mask; ``presence`` is (score or None, the model's threshold).
    ``in_parts``: the mask is several concepts' together (an "opacity" is ground glass and consolidation)."""
    found = (
        side_check(image, finding, mask),
        anatomy_check(image, finding, mask),
        place_check(image, finding, mask),
        presence_check(*presence),
        border_check(mask),
        agreement_check(mask, free, AGREE_IN_PARTS if in_parts else AGREE),
    )
    return tuple(check for check in found if check is not None)
