"""Which settings suit my images? A search with Optuna (``pip install optuna``): short runs, judged on the
held-out images, the poor ones stopped early.

``python examples/search.py FOLDER --target "breast tumour" --modality US --trials 20 --steps 200`` writes the
best settings to ``best.toml``, for one longer run, and prints its command. The study is kept in ``search.db``
in the folder of the runs, so the same command again goes on with it; other steps or sizes, another target
or kind of image begin a study of their own, as their trials cannot be compared.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from fine_tune import make

from medsegr.fit import Beginning, fit
from medsegr.fitting.cases import load_cases
from medsegr.fitting.config import FitConfig
from medsegr.fitting.logbook import CHECKS, read_rows
from medsegr.fitting.saved import start_of
from medsegr.samples.asking import Recipe
from medsegr.samples.layouts import Hints


def settings(trial: optuna.Trial, base: FitConfig) -> FitConfig:
    """What is searched: the learning rate, what is tuned, how slowly weights are averaged, what is told."""
    recipe = Recipe(
        absent=trial.suggest_float("absent", 0.05, 0.3),
        place=trial.suggest_float("place", 0.2, 0.7),
        looks=trial.suggest_float("looks", 0.1, 0.6),
    )
    return replace(
        base,
        lr=trial.suggest_float("lr", 1e-4, 3e-3, log=True),
        tune=trial.suggest_categorical("tune", ["all", "words", "lora"]),
        ema=trial.suggest_categorical("ema", [0.98, 0.99, 0.997]),
        recipe=recipe,
    )


def study_of(folder: Path, hints: Hints, base: FitConfig) -> str:
    """Name of the study: the folder and all that its trials must share to be compared."""
    shared = f"{base.steps} {base.batch} {base.sizes} {hints.target} {hints.modality}"
    return f"{folder.resolve().name}-{base.steps}-{hashlib.sha256(shared.encode()).hexdigest()[:8]}"


def objective(folder: Path, hints: Hints, base: FitConfig, out: Path) -> Callable[[optuna.Trial], float]:
    """Dice on the held-out images after a short run; told to Optuna at every validation on the way."""
    cases = load_cases(base, {folder.resolve().name: folder}, out / "cache", lambda _line: None, hints)

    def run(trial: optuna.Trial) -> float:
        here = out / study_of(folder, hints, base) / f"trial-{trial.number}"

        def look(part: float, _left: str) -> None:
            done = read_rows(here / CHECKS) if (here / CHECKS).is_file() else []
            if done:
                trial.report(float(done[-1]["dice"]), len(done))
                if part < 1 and trial.should_prune():
                    raise optuna.TrialPruned

        config = settings(trial, base)
        fit(config, cases, here, lambda _line: None, Beginning(start_of("medsegr-tiny")), look)
        return max(float(row["dice"]) for row in read_rows(here / CHECKS))

    return run


def search(folder: Path, hints: Hints, base: FitConfig, out: Path, trials: int) -> optuna.Study:
    """A study of so many further trials below ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=study_of(folder, hints, base),
        storage=f"sqlite:///{out / 'search.db'}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        load_if_exists=True,
    )
    study.optimize(objective(folder, hints, base, out), n_trials=trials)
    return study


def toml(config: FitConfig) -> str:
    """What was found, and what all trials shared, as a configuration of ``medsegr train``."""
    recipe = (f"{name} = {getattr(config.recipe, name)}" for name in ("absent", "place", "looks"))
    return "\n".join(
        [
            *(f"{name} = {json.dumps(getattr(config, name))}" for name in ("lr", "tune", "ema", "cooling")),
            f"batch = {config.batch}",
            f"sizes = {json.dumps(config.sizes)}",
            "[recipe]",
            *recipe,
            "",
        ]
    )


def main() -> None:
    """Command line; without a folder two tiny trials on pictures that are made here."""
    parser = argparse.ArgumentParser(description="Search for training settings.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--target", default="breast tumour")
    parser.add_argument("--modality", default="US")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--steps", type=int, help="of each trial")
    parser.add_argument("--size", type=int, help="side of the pictures")
    parser.add_argument("--out", type=Path, default=Path("search"))
    given = parser.parse_args()
    trials, steps, size, batch = (20, 200, 160, 8) if given.folder else (2, 1, 64, 2)
    folder, steps = given.folder or Path("rings"), given.steps or steps
    if given.folder is None:
        make(folder, np.random.default_rng(0))
    base = FitConfig(
        sets={folder.resolve().name: 1.0},
        steps=steps,
        batch=batch,
        sizes=((1.0, given.size or size),),
        cooling=0.0,
        validate_every=max(1, steps // 4),
    )
    study = search(folder, Hints(given.target, given.modality), base, given.out, given.trials or trials)
    best = study.best_trial
    print(f"best Dice on the held-out images: {best.value:.3f} (trial {best.number} of {len(study.trials)})")
    path = given.out / "best.toml"
    found = settings(optuna.trial.FixedTrial(best.params), base)
    path.write_text(toml(found), encoding="utf-8")
    asked = f'--data {folder} --target "{given.target}" --modality {given.modality}'
    print(f"now for longer: medsegr train --config {path} {asked} --from medsegr-tiny --out best")


if __name__ == "__main__":
    main()
