"""How many clicks a good mask takes: a simulated annotator corrects what a model draws, as in the papers on
interactive segmentation (Dice after so many clicks; NoC@q, the number of clicks until Dice reaches q).

The annotator is deterministic: the next click goes into the deepest point of the largest connected piece of
what is wrong, "inside" where the mask misses it and "outside" where it is too much. Each target is begun in
four ways: with all its words, with no words (the first click begins), with a box around it and no words, with
words and box. What is judged is what a user gets from :class:`medsegr.prompts.session.Session`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from medsegr.bench import store
from medsegr.bench.samples import Sample, Wanted, chosen, read_sample, samples_of, thinned
from medsegr.errors import InputError, MedsegrError, UsageError
from medsegr.metrics import dice
from medsegr.phantom import KINDS, write_set
from medsegr.prompts.ask import Asked, answer, silent
from medsegr.prompts.door import added
from medsegr.results.verdicts import one_line, threshold
from medsegr.reviews import Box, Hints, Point
from medsegr.samples.layouts import PLAIN
from medsegr.samples.layouts import Hints as SetHints
from medsegr.types import Image, Prompt, Segmenter

MODES = ("words", "clicks", "box", "words and box")
MOST = 20  # clicks after which a target counts as failed, unless it is asked otherwise
LONGEST = 10  # clicks that every target gets
GOOD = 0.9  # Dice from which more than LONGEST clicks tell nothing
SIZE = 256  # px of the made images
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is judged: ``sets`` are folders in a known layout, ``about`` what they do not say themselves;
    ``phantoms`` made images of each kind come beside them; ``targets`` at most of one image; ``limit`` images
    of a set; ``most`` clicks a target."""

    sets: tuple[Path, ...] = ()
    phantoms: int = 0
    split: str = "validation"
    limit: int | None = None
    targets: int = 2
    seed: int = 0
    most: int = MOST
    about: SetHints = PLAIN


def next_click(mask: np.ndarray, truth: np.ndarray) -> Point | None:
    """The click of the simulated annotator on a mask ``h w``; None where nothing is wrong.

    Pieces are 4-connected. Of pieces of one size the missed one comes first, of points of one depth the one
    with the smallest row, then column.
    """
    pieces = []
    for wrong, inside in ((truth & ~mask, 1), (mask & ~truth, 0)):
        labels, count = ndimage.label(wrong)
        if count:
            sizes = np.bincount(labels.ravel())[1:]
            pieces.append((int(sizes.max()), inside, labels == int(sizes.argmax()) + 1))
    if not pieces:
        return None
    _, inside, piece = max(pieces, key=lambda one: one[:2])
    depth = ndimage.distance_transform_edt(np.pad(piece, 1))[1:-1, 1:-1]
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(col), float(row), inside


def box_of(truth: np.ndarray) -> Box:
    """The tight box around a mask: x0 y0 x1 y1, upper edge exclusive."""
    rows, cols = np.nonzero(truth)
    return float(cols.min()), float(rows.min()), float(cols.max() + 1), float(rows.max() + 1)


def clicked(segmenter: Segmenter, image: Image, wanted: Wanted, mode: str, most: int = MOST) -> list[float]:
    """Dice after 0, 1, 2, ... clicks, over the pixels that somebody judged. Ends where nothing is wrong any
    more, and after ``LONGEST`` clicks once Dice has reached ``GOOD``; what was not tried is the last
    value."""
    finding = replace(wanted.finding, polarity="present")
    finding = silent(finding) if mode in ("clicks", "box") else finding
    hints = Hints(boxes=(box_of(wanted.mask),) if "box" in mode else ())
    mask = np.zeros(wanted.mask.shape, bool)
    if mode == "words":
        mask = _by_words(segmenter, image, replace(wanted, finding=finding))
    elif mode != "clicks":
        mask = answer(segmenter, Asked(image, finding, hints)).mask
    judged, truth = wanted.marks.judged, wanted.mask
    found = [dice(judged(mask), truth)]
    for count in range(1, most + 1):
        click = next_click(judged(mask), truth)
        if click is None or (count > LONGEST and max(found) >= GOOD):
            break
        hints = added(hints, Hints(points=(click,)))
        asked = Asked(image, finding, hints, mask if mask.any() else None)
        mask = answer(segmenter, asked).mask
        found.append(dice(judged(mask), truth))
    return found


def _by_words(segmenter: Segmenter, image: Image, wanted: Wanted) -> np.ndarray:
    """What a user gets from the words alone: nothing where presence is low."""
    finding = wanted.finding
    said = segmenter.segment(image, Prompt((finding.name or finding.phrase,), (finding,)))
    presence = said.extras.get("presence")
    there = presence is None or float(np.asarray(presence).reshape(-1)[0]) >= threshold(segmenter)
    return np.asarray(said.prob[0] >= 0.5) & there


def run(plan: Plan, segmenter: Segmenter, out: Path, step: Step = lambda: None) -> list[dict[str, Any]]:
    """Judge, or go on judging, into the folder ``out``: one line an image in ``images.jsonl``. Returns the
    rows, one a target and mode. An image that fails is a line with its reason and does not stop the rest.

    Raises:
        InputError: nothing to judge, or a table that cannot be read. UsageError: ``out`` holds another run.
    """
    asked = {
        "schema": "medsegr.bench.clicks/1",
        "sets": [folder.name for folder in plan.sets],
        **{key: getattr(plan, key) for key in ("phantoms", "split", "limit", "targets", "seed", "most")},
        **{key: value for key, value in asdict(plan.about).items() if value},
        "model": str(getattr(segmenter, "card", {}).get("sha256", "")) or type(segmenter).__name__,
    }
    _open(out, asked)
    lines = out / "images.jsonl"
    store.mend(lines)
    done = {key for key, line in store.lines_of(lines).items() if "error" not in line}
    with tempfile.TemporaryDirectory() as made:
        for sample in planned(plan, Path(made)):
            if sample.id not in done:
                store.append(lines, {"image": sample.id, **_judged(segmenter, sample, plan)})
            step()
    return [row for line in store.lines_of(lines).values() for row in line.get("rows", ())]


def count(plan: Plan) -> int:
    """How many images there are to be judged."""
    return len(_of_sets(plan)) + plan.phantoms * len(KINDS)


def planned(plan: Plan, made: Path) -> list[Sample]:
    """The images to be judged; phantoms are written below ``made`` first."""
    samples = _of_sets(plan)
    for kind in KINDS if plan.phantoms else ():
        folder = made / f"phantom-{kind}"
        write_set(kind, plan.seed, plan.phantoms, SIZE, folder)
        samples += samples_of(folder)
    if not samples:
        raise InputError("there is nothing to judge: give a set with --data, or --phantoms with a number")
    return samples


def _of_sets(plan: Plan) -> list[Sample]:
    found = [s for folder in plan.sets for s in chosen(samples_of(folder, plan.about), plan.split)]
    return thinned(found, plan.limit)


def _open(out: Path, asked: Mapping[str, Any]) -> None:
    record = out / store.RECORD
    store.sweep(out)
    if record.is_file():
        if store.read_json(record) != asked:
            raise UsageError("-o: the run there was asked otherwise; give a new folder or its flags")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("-o: the folder is not empty and holds no run; give a new or empty one")
    else:
        out.mkdir(parents=True, exist_ok=True)
        store.write_json(record, asked)


def _judged(segmenter: Segmenter, sample: Sample, plan: Plan) -> dict[str, Any]:
    try:
        return {"rows": list(_rows(segmenter, sample, plan))}
    except MedsegrError as error:
        return {"error": one_line(error)}


def _rows(segmenter: Segmenter, sample: Sample, plan: Plan) -> Iterator[dict[str, Any]]:
    image, wanted = read_sample(sample)
    if len(image.grid) != 2:
        raise InputError("the image is a volume: clicks are judged on pictures")
    there: Sequence[Wanted] = [one for one in wanted if one.mask.any()][: plan.targets]
    for number, one in enumerate(there):
        for mode in MODES:
            found = clicked(segmenter, image, one, mode, plan.most)
            yield {
                "set": "phantoms" if sample.set.startswith("phantom-") else sample.set,
                "image": sample.id,
                "group": f"{sample.set}/{sample.group}",
                "target": number,
                "label": one.label,
                "words": one.source,
                "mode": mode,
                "dice": [round(value, 5) for value in found],
            }
