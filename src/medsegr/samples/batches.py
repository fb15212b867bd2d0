"""From cases to batches: what is asked of a picture, and how picture and words are turned together.

The dice are split from the deed: :func:`draw` throws them (numpy generator), :func:`render` is a plain
function of a case and a plan. Words about the place of real pictures are made from the turned mask (oracle
text), so flips and rotations cannot contradict them; words of phantoms are mirrored with the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from medsegr.data import Case
from medsegr.grid.pixels import working_size
from medsegr.meaning.among import like_one, scattered
from medsegr.reasoning.codes import LOCATION, Code, mirror
from medsegr.samples.asking import Recipe, foreign, lesions, phantom_words, real_words
from medsegr.samples.drawn import Marks
from medsegr.samples.oracle import describe
from medsegr.samples.pointing import clicks, rough
from medsegr.samples.windows import View, view_of
from medsegr.types import COLS, FORMS, MARGINS, ROWS, SIZES, UNIFORMITIES

CELLS = ("SM", "GM")  # many things alike
FREE_VIEW = ("ES", "SM", "GM", "DMS")  # no up or down: any rotation
WINDOWED = ("SM", "GM", "OP")
COLOURED = ("ES", "SM", "GM", "DMS", "OP")
# side of the usual input when predicting; microscopy and fundus are shown larger (pixels.working_size)
JUDGED_AT = 256
LOOKS = ("size", "form", "margin", "density", "uniformity", "extent", "count")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that chance decided for one sample."""

    targets: tuple[int, ...]  # union of these; empty = not there
    codes: tuple[Code, ...]
    told: frozenset[str]  # groups to be told from the turned mask: row, col, side and LOOKS
    noise: tuple[Code, ...]  # wrong values that replace true ones of their group
    seed: int
    flip: tuple[bool, bool] = (False, False)  # left-right, upside down
    angle: float = 0.0  # degrees
    zoom: tuple[float, float] = (1.0, 1.0)  # window height and width over the picture's
    whole: bool = True  # the whole picture, also where the usual scale would show a window of it
    shift: tuple[float, float] = (0.0, 0.0)  # -1 to 1 of the room that there is
    view: View | None = None  # the part of the picture that is shown, instead of zoom and shift
    colour: tuple[float, float, float] = (1.0, 0.0, 1.0)  # gain, bias, gamma
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    soft: float = 0.0  # standard deviation of a Gaussian blur in pixels
    grain: float = 0.0  # standard deviation of noise, of the range of the picture
    clicks: str = ""  # "", "points", "box", "mask"
    part: frozenset[str] | None = None  # of scattered things, those in one third of these: row, col


Sets = Mapping[str, Sequence[Case]]


def by_set(cases: Sequence[Case]) -> Sets:
    """Cases by the name of their set, of which foreign questions are taken."""
    sets: dict[str, list[Case]] = {}
    for case in cases:
        sets.setdefault(case.set, []).append(case)
    return sets


def draw(case: Case, others: Sets, recipe: Recipe, rng: np.random.Generator) -> Plan:
    """Throw the dice for one sample of a case; ``others`` are cases from which foreign questions are
    taken."""
    told: set[str] = set()
    noise: list[Code] = []
    part: frozenset[str] | None = None
    chance = rng.random
    if not case.drawn:
        return _turned(case, _question(case, recipe, rng), recipe, rng)
    asked = _absent(case, others, rng) if chance() < recipe.absent or not case.targets else None
    if asked is not None:
        targets: tuple[int, ...] = ()
        codes = asked
        if not case.made and chance() < recipe.place:
            noise += _random_place(rng)
        if not case.made and chance() < recipe.looks:  # rich words must not give away what is there
            noise += [code for group in _some_looks(recipe, rng) for code in _random_look(group, rng)]
    elif chance() < recipe.no_words:
        targets, codes = lesions(case), ()
    elif case.made:
        targets, codes = phantom_words(case, recipe, rng)
    else:
        targets, codes = real_words(case, rng)
        if case.apart and chance() < recipe.joined_place:
            targets, told = (targets[int(rng.integers(len(targets)))],), {"row", "col"}
        extra, noise = _described(case, recipe, rng)
        told |= extra
        part = _third(case, recipe, rng)
    if case.marks(targets).absent:  # drawn empty on purpose; a place must not give it away
        noise += _random_place(rng) if targets and case.apart and "row" in told else []
        targets = ()
    if chance() > recipe.modality:
        codes = tuple(code for code in codes if code.group != "modality")
    asked_for = Plan(targets, codes, frozenset(told), tuple(noise), seed=int(rng.integers(2**31)), part=part)
    return _turned(case, _viewed(case, asked_for, recipe, rng), recipe, rng)


def _viewed(case: Case, plan: Plan, recipe: Recipe, rng: np.random.Generator) -> Plan:
    """A part of the picture that shows what is asked for, or as often one that does not; then it is told how
    it looks in the whole picture, so that what is told does not say which. Of a side a part says nothing: it
    may be that of the other one."""
    if case.made or case.apart or plan.part is not None or not (plan.targets and plan.codes):
        return plan
    if any(code.group == "side" for code in plan.codes) or not (recipe.near and rng.random() < recipe.near):
        return plan
    marks, shown = case.marks(plan.targets), bool(rng.random() < 0.5)
    view = view_of(case.pixels, marks.mask, shown, rng) if marks.unknown is None else None
    if view is None or shown:
        return replace(plan, view=view)
    replaced = {code.group for code in plan.noise}
    told = [code for code in _seen(case, marks.mask) if code.group in plan.told - replaced]
    return replace(plan, targets=(), view=view, told=frozenset(), noise=(*told, *plan.noise))


def _seen(case: Case, mask: np.ndarray) -> tuple[Code, ...]:
    """Oracle words of a mask in the whole picture; no place of what lies everywhere."""
    coloured = case.modality in COLOURED
    channels = case.pixels if coloured else case.pixels[len(case.pixels) // 2][None]
    told = describe(mask, channels.mean(0, dtype=np.float32) / 255, coloured) if mask.any() else ()
    return tuple(code for code in told if code.kind != LOCATION or not scattered(mask))


def _third(case: Case, recipe: Recipe, rng: np.random.Generator) -> frozenset[str] | None:
    """By what those of many things are told that lie in one third; None: all are meant."""
    if case.modality not in CELLS or case.apart or rng.random() >= recipe.part:
        return None
    return (frozenset({"row", "col"}), frozenset({"row"}), frozenset({"col"}))[int(rng.integers(3))]


def _question(case: Case, recipe: Recipe, rng: np.random.Generator) -> Plan:
    """What is asked of a picture in which nobody drew: one of its targets by name, for the teacher to
    answer."""
    which = int(rng.integers(len(case.targets)))
    codes = case.targets[which].codes
    if rng.random() > recipe.modality:
        codes = tuple(code for code in codes if code.group != "modality")
    return Plan((which,), codes, frozenset(), (), seed=int(rng.integers(2**31)))


def _described(case: Case, recipe: Recipe, rng: np.random.Generator) -> tuple[set[str], list[Code]]:
    """Groups that are told of a real lesion, and wrong values among them. Where two lie apart the place is
    never wrong: it is what decides."""
    told: set[str] = set()
    noise: list[Code] = []
    chance = rng.random
    if chance() < recipe.place and not case.apart:
        across = "side" if not case.viewer and chance() < 0.5 else "col"
        told |= {"row", across} if chance() < 0.8 else {("row", across)[int(chance() < 0.5)]}
        if chance() < recipe.wrong_place and case.viewer:
            noise += _random_place(rng)
    if chance() < recipe.looks:
        said = _some_looks(recipe, rng)
        told |= set(said)
        if said and chance() < recipe.wrong_looks:
            noise += _random_look(sorted(said)[int(rng.integers(len(said)))], rng)
    return told, noise


def _some_looks(recipe: Recipe, rng: np.random.Generator) -> tuple[str, ...]:
    """In one order, whatever the process: dice are thrown for each, and a set of words has none."""
    if rng.random() < recipe.all_looks:
        return tuple(group for group in LOOKS if rng.random() < 0.75)
    return (LOOKS[int(rng.integers(len(LOOKS)))],)


def _turned(case: Case, plan: Plan, recipe: Recipe, rng: np.random.Generator) -> Plan:
    free = case.modality in FREE_VIEW and not case.made
    zoom = float(np.exp(rng.uniform(np.log(0.74), np.log(1.3))))
    stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
    angle = rng.uniform(-180, 180) if free else rng.normal(0, 4 if case.made else 7)
    # A phantom's zone words are true of its own frame: keep most of it in view.
    if case.made:
        zoom = float(np.exp(rng.uniform(-0.12, 0.12)))
    if plan.view is not None:  # as it was looked for
        angle = 180.0 * int(rng.integers(2)) if free else 0.0
    if case.apart:  # all of it stays in view: a lesion cut away would leave words that mean the other
        zoom, angle = max(1.05, zoom), 180.0 * int(rng.integers(2)) + rng.normal(0, 6)
    kind = rng.random()
    colour = rng.normal(0, 1, 5)
    tint = (
        tuple(np.exp(0.08 * rng.normal(0, 1, 3)).tolist()) if case.modality in COLOURED else (1.0, 1.0, 1.0)
    )
    clicked = kind < recipe.clicks and bool(plan.targets)
    return replace(
        plan,
        flip=(bool(rng.random() < 0.5), bool(rng.random() < 0.5 and free)),
        angle=float(angle),
        whole=bool(rng.random() < 0.35) or case.apart,
        zoom=(zoom * stretch, zoom / stretch),
        shift=(float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))),
        colour=(float(np.exp(0.15 * colour[0])), float(0.08 * colour[1]), float(np.exp(0.2 * colour[2]))),
        tint=tint,
        soft=float(rng.uniform(0.4, 1.5)) if rng.random() < recipe.soft else 0.0,
        grain=float(rng.uniform(0.01, 0.06)) if rng.random() < recipe.grain else 0.0,
        clicks=("points", "box", "mask")[int(3 * kind / recipe.clicks)] if clicked else "",
    )


def _absent(case: Case, others: Sets, rng: np.random.Generator) -> tuple[Code, ...] | None:
    """A question whose true answer is "not there", or None if none was found in a few tries.

    Every set is as likely to be asked from, whatever its size: what is rare must be learned to be absent,
    too. Of a phantom half of the questions are about its own kind: what is there, in another place.
    """
    gone = [case.marks([i]).absent for i in range(len(case.targets))]
    seen_names = [t.names for t, absent in zip(case.targets, gone, strict=True) if not absent]
    for target, absent in zip(case.targets, gone, strict=True):
        if absent and not any(target.names <= names for names in seen_names):  # another row's may be there
            return target.codes
    names = list(others)
    for _ in range(8):
        near = case.made and case.set in others and rng.random() < 0.5
        pool = others[case.set if near else names[int(rng.integers(len(names)))]]
        other = pool[int(rng.integers(len(pool)))]
        if not other.targets:
            continue
        target = other.targets[int(rng.integers(len(other.targets)))]
        name = next((c.text.partition(":")[2] for c in target.codes if c.group == "concept"), "")
        same_kind = other.set == case.set
        if case.made and same_kind and not target.organ:
            place = {c.text for c in target.codes if c.kind == LOCATION}
            concept = {f"concept:{name}"}
            here = [case.targets[i].names for i in lesions(case)]
            if place and not any(place <= names and concept & names for names in here):
                return target.codes
        elif foreign(case, other) and name not in case.concepts:
            own = tuple(c for c in target.codes if c.group != "modality")
            seen = (Code(f"modality:{case.modality}"),) if case.modality else ()
            return own + seen
    return None


def _random_place(rng: np.random.Generator) -> list[Code]:
    return [Code(f"row:{ROWS[int(rng.integers(3))]}"), Code(f"col:{COLS[int(rng.integers(3))]}")]


def _random_look(group: str, rng: np.random.Generator) -> list[Code]:
    if group == "extent":
        return [Code("extent:", float(rng.uniform(0.02, 0.8)))]
    if group == "count":
        return [Code("count:", float(rng.integers(2, 9)))]
    values = {
        "size": SIZES,
        "form": FORMS[:4],
        "margin": MARGINS,
        "density": ("hypo", "iso", "hyper"),
        "uniformity": UNIFORMITIES,
    }
    return [Code(f"{group}:{values[group][int(rng.integers(len(values[group])))]}")]


@dataclass(frozen=True, slots=True)
class Sample:
    """``pixels`` [3 s s] normalised, ``mask`` [s s] 0/1, ``codes`` what is told, ``known`` all codes of the
    picture's target."""

    pixels: Tensor
    mask: Tensor
    codes: tuple[Code, ...]
    known: tuple[Code, ...]
    points: Tensor  # [3 2] in [0, 1]
    kinds: Tensor  # [3]
    presence: float  # 1 there, 0 not there, -1 unknown (cut away by the crop, or in what nobody judged)
    hint: Tensor | None = None  # [s s] logits of a rough previous mask
    calm: Tensor | None = None  # pixels before colours, blur and noise, where nobody drew the mask
    weight: Tensor | None = None  # [s s] 0 where nobody judged the pixel, else 1; None: all were


def window(case: Case, plan: Plan, size: int) -> Tensor:
    """Sampling grid [1 s s 2] for ``grid_sample`` (align_corners False): rotation in pixels, then the squeeze
    to a square."""
    h, w = case.grid
    # What is judged at more than the usual size is trained on windows, so that cells and vessels keep their
    # scale.
    windowed = case.modality in WINDOWED and not case.made and not plan.whole
    part = min(1.0, size / max(working_size(case.grid, case.modality, JUDGED_AT))) if windowed else 1.0
    share_h, share_w = (min(1.0, part * zoom) if part < 1 else zoom for zoom in plan.zoom)
    least = 0.05 if case.made else 0.08
    shift_y, shift_x = (
        s * max(least, 0.5 * (1 - share)) for s, share in zip(plan.shift, (share_h, share_w), strict=True)
    )
    if (view := plan.view) is not None:
        share_h, share_w, shift_y, shift_x = view.height, view.width, view.y - 0.5, view.x - 0.5
    half_h, half_w = 0.5 * h * share_h, 0.5 * w * share_w
    steps = (torch.arange(size, dtype=torch.float32) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    y, x = v * half_h * (-1 if plan.flip[1] else 1), u * half_w * (-1 if plan.flip[0] else 1)
    angle = np.deg2rad(plan.angle)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    yy, xx = cos * y - sin * x + shift_y * h, sin * y + cos * x + shift_x * w
    return torch.stack([xx / (w / 2), yy / (h / 2)], -1)[None]


def render(case: Case, plan: Plan, size: int) -> Sample:
    """The picture, the mask and the words of a plan, at ``size`` x ``size`` pixels.

    With unknown pixels in view no word is made from the mask, no part of many things is meant and no box is
    drawn: each could be another if these pixels were known.
    """
    grid = window(case, plan, size)
    raw = torch.from_numpy(case.pixels).float()[None] / 255
    seen_pixels = (grid[0, 0, -1] - grid[0, 0, 0]) * torch.tensor([case.grid[1] / 2, case.grid[0] / 2])
    shrink = float(seen_pixels.norm()) / size

    def turned(full: Tensor) -> Tensor:
        if shrink > 1.7:  # average pairs first, else thin things alias
            full = F.avg_pool2d(full, 2, ceil_mode=True)
        return F.grid_sample(full, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]

    pixels = turned(raw)
    marks = case.marks(plan.targets).taken(
        lambda mask: (turned(torch.from_numpy(mask).float()[None, None])[0] > 0.5).numpy()
    )
    truth = torch.from_numpy(marks.mask).float()
    calm = None if case.drawn else (pixels.clamp(0, 1).expand(3, -1, -1) - 0.5) / 0.25
    rng = np.random.default_rng(plan.seed)
    pixels = _coloured(pixels, plan, rng)
    if plan.part is not None:
        if marks.unknown is None and scattered(marks.mask):
            truth = torch.from_numpy(like_one(marks.mask, plan.part, rng)).float()
            plan = replace(plan, told=plan.told - {"row", "col", "side"} | plan.part, noise=())
        else:
            plan = replace(plan, part=None)
    grey = pixels.mean(0) if case.modality in COLOURED else pixels[1]  # of a slice and its neighbours, itself
    sure = truth.numpy() > 0 if marks.unknown is None else np.zeros_like(marks.mask)
    codes, known = _words(case, plan, sure, (grey * 0.25 + 0.5).numpy())
    presence = 1.0 if truth.sum() > 3 else (0.0 if not plan.targets else -1.0)
    hint = rough(truth, rng) if plan.clicks == "mask" else None
    rough_mask = None if hint is None else hint.numpy() > 0
    points, kinds = clicks(Marks(truth.numpy() > 0, marks.unknown), plan.clicks, rough_mask, rng)
    weight = None if marks.unknown is None else torch.from_numpy(~marks.unknown).float()
    return Sample(pixels, truth, codes, known, points, kinds, presence, hint, calm, weight)


def _coloured(pixels: Tensor, plan: Plan, rng: np.random.Generator) -> Tensor:
    """A turned picture [c s s] with the plan's colours, blur and noise, normalised: [3 s s]."""
    gain, bias, gamma = plan.colour
    pixels = ((pixels.clamp(0, 1) ** gamma - 0.5) * gain + 0.5 + bias) * torch.tensor(plan.tint)[
        : len(pixels), None, None
    ]
    if plan.soft:
        pixels = torch.from_numpy(ndimage.gaussian_filter(pixels.numpy(), (0, plan.soft, plan.soft)))
    if plan.grain:
        pixels = pixels + plan.grain * torch.from_numpy(rng.standard_normal(pixels.shape, np.float32))
    return (pixels.clamp(0, 1).expand(3, -1, -1) - 0.5) / 0.25


def _words(
    case: Case, plan: Plan, mask: np.ndarray, grey: np.ndarray
) -> tuple[tuple[Code, ...], tuple[Code, ...]]:
    base = mirror(plan.codes) if plan.flip[0] else plan.codes
    if case.made and plan.flip[1]:
        raise ValueError("a phantom is never turned upside down: its words would be wrong")
    told = describe(mask, grey, case.modality in COLOURED) if mask.any() and not case.made else ()
    place: set[str] = set()
    if plan.targets and not case.made:  # a place that the set tells is that in its own frame: told anew
        place = {code.group for code in base} & {"row", "col"}
        base = tuple(code for code in base if code.group not in place)
    # the middle of things that lie everywhere is no place, but that of one of several panels
    if plan.part is None and scattered(mask) and not case.apart:
        told = tuple(code for code in told if code.kind != LOCATION or code.group in place)
    known = (*base, *told) if plan.codes else tuple(told)
    replaced = {code.group for code in plan.noise}
    kept = [code for code in told if code.group in plan.told | place and code.group not in replaced]
    return (*base, *kept, *plan.noise), known
