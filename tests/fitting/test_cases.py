"""What is said of the cases of a run while they are read."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from bench_sets import add, disc, picture, write_rows
from medsegr import data, phantom
from medsegr.errors import InputError
from medsegr.fitting.cases import load_cases
from medsegr.fitting.config import FitConfig
from medsegr.samples.layouts import Hints

CONFIG = FitConfig(sets={"s": 1.0})


def half_judged(folder: Path, masks: list[np.ndarray]) -> Path:
    """Pictures of a polyp each (1); what is 9 nobody judged."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["id,image,mask,target,modality,ignore"]
    for i, mask in enumerate(masks):
        Pil.fromarray(np.full(mask.shape, 10 * i, np.uint8)).save(folder / f"images/{i}.png")
        Pil.fromarray(mask.astype(np.uint8)).save(folder / f"masks/{i}.png")
        lines.append(f"{i},images/{i}.png,masks/{i}.png,polyp,ES,9")
    (folder / "samples.csv").write_text("\n".join(lines))
    return folder


def test_it_is_said_how_many_cases_hold_pixels_that_nobody_judged(tmp_path: Path) -> None:
    mask = np.zeros((30, 30), int)
    mask[5:15, 5:15] = 1
    rim = mask.copy()
    rim[15:20] = 9
    folder = half_judged(tmp_path / "s", [mask, rim, rim, np.full((30, 30), 9)])
    lines: list[str] = []
    cases = load_cases(CONFIG, {"s": folder}, tmp_path / "cache", lines.append)
    assert len(cases) == 3
    assert "s: pixels that nobody judged in 2 cases; they are not learned from" in lines
    plain = half_judged(tmp_path / "plain", [mask, mask])
    lines.clear()
    load_cases(CONFIG, {"s": plain}, tmp_path / "cache", lines.append)
    assert not any("judged" in line for line in lines)


def test_a_set_of_which_nobody_judged_a_pixel_is_one_line(tmp_path: Path) -> None:
    folder = half_judged(tmp_path / "s", [np.full((30, 30), 9)] * 2)
    with pytest.raises(InputError, match="set s holds no case to train on"):
        load_cases(CONFIG, {"s": folder}, tmp_path / "cache", lambda _line: None)


def test_pictures_in_which_nobody_drew_are_asked_by_the_name_alone(tmp_path: Path) -> None:
    """Where a polyp lies in another picture, and how it looks there, is not true of this one."""
    rows, folder = [], tmp_path / "s"
    for i, place in enumerate(("upper", "middle", "lower")):
        told = json.dumps({"name": "polyp", "location": {"rows": [place]}, "shape": {"form": "round"}})
        rows.append(add(folder, f"p{i}", picture(i), disc((15, 20), 6), attributes=told))
    write_rows(folder, rows)
    add(tmp_path / "more", "q", picture(9), disc((15, 20), 6))
    config = FitConfig(sets={"s": 1.0}, unlabelled={"more": 1.0})
    folders = {"s": folder, "more": tmp_path / "more"}
    cases = load_cases(config, folders, tmp_path / "cache", lambda _line: None, Hints(None, "ES"))
    (bare,) = [case for case in cases if not case.drawn]
    assert [sorted(target.names) for target in bare.targets] == [["concept:polyp", "modality:ES"]]


def test_made_bodies_that_were_kept_are_those_of_this_maker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies of an older version lie under the same seed and count: they must not be learned from."""
    config = FitConfig(phantoms={"cells": 1.0}, phantom_count=2)
    made: list[str] = []
    real = data.make_phantoms

    def counted(kind: str, seed: int, count: int) -> Iterator[data.Made]:
        made.append(kind)
        return real(kind, seed, count)

    monkeypatch.setattr(data, "make_phantoms", counted)
    for maker, times in (("before", 1), ("before", 1), ("after", 2), ("after", 2)):
        monkeypatch.setattr(phantom, "fingerprint", lambda maker=maker: maker)
        load_cases(config, {}, tmp_path, lambda _line: None)
        assert len(made) == times
