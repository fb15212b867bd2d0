"""Every case of a run: its sets, wherever they lie, its made bodies, and pictures in which nobody drew
anything; and the words that they need."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from medsegr import data, phantom
from medsegr.data import Case, Target
from medsegr.errors import InputError
from medsegr.fitting.config import FitConfig
from medsegr.reasoning.codes import NAMED, Code, Vocabulary, vocabulary
from medsegr.samples.layouts import PLAIN, Hints, left_out


def folders_below(config: FitConfig, root: Path | None) -> dict[str, Path]:
    """Where the configured sets lie below one parent folder. InputError names the first that is not there."""
    named = (*config.sets, *config.unlabelled)
    for name in named:
        if root is None or not (root / name).is_dir():
            raise InputError(
                f"set {name} was not found; give its parent folder with --data, or remove it from the config"
            )
    return {} if root is None else {name: root / name for name in named}


def load_cases(
    config: FitConfig,
    folders: Mapping[str, Path],
    cache: Path,
    log: Callable[[str], None],
    hints: Hints = PLAIN,
) -> list[Case]:
    """Every case of the configured sets (``folders``: where each lies) and phantoms, which are kept under
    ``cache``, for the same maker.

    A set without a case, or whose cases are all held out for validation, is an InputError.
    """
    cases: list[Case] = []
    for name in config.sets:
        with about(folders[name]):
            found = data.read_set(folders[name], hints=hints, tilts=config.tilts)
        held = sum(c.validation for c in found)
        untold = sum(c.modality is None for c in found)
        log(f"{name}: {len(found)} cases, {held} for validation")
        if bare := left_out(folders[name]):
            log(f"{name}: {bare} images have no mask of their name and are left out")
        if untold:
            log(f"{name}: no known modality in {untold} cases; say it in the table, or with --modality")
        half = sum(any(t.unknown is not None for t in c.targets) for c in found)
        if half:
            log(f"{name}: pixels that nobody judged in {half} cases; they are not learned from")
        with about(folders[name]):
            _check_some(name, len(found), held)
        cases += found
    cases += _undrawn(config, folders, cases, (log, hints))
    cache.mkdir(parents=True, exist_ok=True)
    maker = phantom.fingerprint()
    for kind in config.phantoms:
        path = cache / f"phantom-{kind}-{config.phantom_seed}-{config.phantom_count}-{maker}.npz"
        if not path.exists():
            data.pack(data.make_phantoms(kind, config.phantom_seed, config.phantom_count), path)
        cases += map(data.phantom_case, data.unpack(path))
        log(f"phantom {kind}: {config.phantom_count} cases")
    return cases


def _check_some(name: str, count: int, held: int) -> None:
    if not count:
        raise InputError(f"set {name} holds no case to train on: no image with a mask that is not held")
    if held == count:
        raise InputError(
            f"set {name} has one group only, and one is held out for validation: nothing is left to "
            "train on; add images of a second patient (column group), or more images"
        )


@contextmanager
def about(folder: Path) -> Iterator[None]:
    """Note on a refusal which of the sets it is about; the message itself holds no path."""
    try:
        yield
    except InputError as error:
        error.add_note(str(folder))
        raise


def _undrawn(
    config: FitConfig,
    folders: Mapping[str, Path],
    drawn: Sequence[Case],
    how: tuple[Callable[[str], None], Hints],
) -> list[Case]:
    """Pictures of the unlabelled folders, asked by its name for what was drawn in pictures of their kind:
    where it lay and how it looked there is not true here. One that is held out for validation elsewhere is
    left out: its answer would leak."""
    log, hints = how
    held = {case.pixels.tobytes() for case in drawn if case.validation}
    questions: dict[str | None, dict[tuple[Code, ...], None]] = {}
    for case in drawn:
        names = (tuple(code for code in t.codes if code.group in NAMED) for t in case.targets)
        questions.setdefault(case.modality, {}).update(dict.fromkeys(names))
    found: list[Case] = []
    for name in config.unlabelled:
        with about(folders[name]):
            seen = data.read_pictures(folders[name], hints)
        fresh = [case for case in seen if case.pixels.tobytes() not in held]
        left = len(seen) - len(fresh)
        log(f"{name}: {len(fresh)} pictures without masks" + (f", {left} held out elsewhere" if left else ""))
        for case in fresh:
            empty = np.packbits(np.zeros(case.grid, bool))
            asked = tuple(Target(empty, codes) for codes in questions.get(case.modality, ()))
            found.append(replace(case, targets=asked))
    strange = next((case for case in found if not case.targets), None)
    if strange is not None:
        raise InputError(
            f"{strange.id}: nothing can be asked of this picture, for no set has masks in images of its kind "
            f"({strange.modality or 'not stated: give --modality'})"
        )
    return found


def vocabulary_of(cases: Sequence[Case]) -> Vocabulary:
    """The codes that the training cases give."""
    texts = {text for case in cases for target in case.targets for text in target.names}
    pick = {
        group: [t.partition(":")[2] for t in texts if t.startswith(f"{group}:")]
        for group in ("concept", "anatomy", "modality")
    }
    return vocabulary(pick["concept"], pick["anatomy"], pick["modality"])
