"""Every case of a run: its sets, wherever they lie, and its made bodies; and the words that they need."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medsegr import data
from medsegr.config import FitConfig
from medsegr.data import Case
from medsegr.errors import InputError
from medsegr.layouts import PLAIN, Hints
from medsegr.reasoning.codes import Vocabulary, vocabulary


def folders_below(config: FitConfig, root: Path | None) -> dict[str, Path]:
    """Where the configured sets lie below one parent folder. InputError names the first that is not there."""
    for name in config.sets:
        if root is None or not (root / name).is_dir():
            raise InputError(
                f"set {name} was not found; give its parent folder with --data, or remove it from the config"
            )
    return {} if root is None else {name: root / name for name in config.sets}


def load_cases(
    config: FitConfig,
    folders: Mapping[str, Path],
    cache: Path,
    log: Callable[[str], None],
    hints: Hints = PLAIN,
) -> list[Case]:
    """Every case of the configured sets (``folders``: where each lies) and phantoms, which are kept under
    ``cache``.

    A set without a case, or whose cases are all held out for validation, is an InputError.
    """
    cases: list[Case] = []
    for name in config.sets:
        found = data.read_set(folders[name], hints=hints)
        held = sum(c.validation for c in found)
        log(f"{name}: {len(found)} cases, {held} for validation")
        if not found:
            raise InputError(f"set {name} holds no case to train on: no image with a mask that is not held")
        if held == len(found):
            raise InputError(
                f"set {name} has one group only, and one is held out for validation: nothing is left to "
                "train on; add images of a second patient (column group), or more images"
            )
        cases += found
    cache.mkdir(parents=True, exist_ok=True)
    for kind in config.phantoms:
        path = cache / f"phantom-{kind}-{config.phantom_seed}-{config.phantom_count}.npz"
        if not path.exists():
            data.pack(data.make_phantoms(kind, config.phantom_seed, config.phantom_count), path)
        cases += map(data.phantom_case, data.unpack(path))
        log(f"phantom {kind}: {config.phantom_count} cases")
    return cases


def vocabulary_of(cases: Sequence[Case]) -> Vocabulary:
    """The codes that the training cases give."""
    texts = {text for case in cases for target in case.targets for text in target.names}
    pick = {
        group: [t.partition(":")[2] for t in texts if t.startswith(f"{group}:")]
        for group in ("concept", "anatomy", "modality")
    }
    return vocabulary(pick["concept"], pick["anatomy"], pick["modality"])
