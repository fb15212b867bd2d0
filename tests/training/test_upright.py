"""Weights that tell turned pictures, found by turning pictures."""

import json
from pathlib import Path

import numpy as np
import pytest

from medsegr.grid.pixels import to_bytes
from medsegr.io.read import image_from_array
from medsegr.modality.upright import SIDE, judged
from medsegr.training import upright

NOWHERE = Path("nowhere")  # made pictures need no folder


def shown(kind: str, held_out: bool, most: int = 8) -> list[upright.Shown]:
    return list(upright.shown_in(f"phantom {kind}", NOWHERE, held_out, most))


def test_a_picture_is_read_small_and_changed_unless_it_is_held_out() -> None:
    taught, kept = shown("chest", False, 4), shown("chest", True, 8)
    assert taught
    assert kept
    assert all(max(one.grey.shape) <= 192 for one in taught + kept)
    assert all(one.views.shape[:2] == (upright.VIEWS, 2) for one in taught)
    assert not any(len(one.views) for one in kept)
    assert len({one.views.tobytes() for one in taught}) == len(taught)


def test_a_changed_picture_stays_upright() -> None:
    """Its bright lower half stays below, however it is cropped, nodded, mirrored or lit."""
    grey = np.zeros((90, 120), np.float32)
    grey[45:] = 0.8
    for seed in range(20):
        view = upright.changed(grey, np.random.default_rng(seed))
        assert view.shape == (SIDE, SIDE)
        assert view[36:46, 24:40].mean() > view[10:24, 24:40].mean() + 0.2


def test_other_than_usual_is_still_upright() -> None:
    grey = to_bytes(image_from_array(np.tile(np.arange(60, dtype=np.uint8), (80, 1)).T * 4, modality="CR"))[0]
    for one in upright.others_than_usual(grey.astype(np.float32) / 255):
        rows = np.asarray(one).mean(1)
        assert np.ptp(one) > 0.5
        assert rows[len(rows) // 2] > rows[len(rows) // 8]


def test_what_was_found_tells_turned_pictures_that_it_never_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upright, "STEPS", 150)
    others = {"ultrasound": shown("ultrasound", False)}
    weights = upright.fit(shown("chest", False), others)
    kept = shown("chest", True, 12)
    for one in kept:
        best = [judged(np.rot90(one.grey, -turns), weights)[0] for turns in range(4)]
        assert best == [0, 1, 2, 3]
        assert judged(1 - one.grey, weights)[0] == 4
    counts = upright.counted(kept, weights)
    assert (counts["upright"], counts["other"], counts["changed"]) == (3, 21, 30)
    assert counts["told"] == 0


def test_the_command_writes_weights_and_how_they_were_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upright, "STEPS", 20)
    monkeypatch.setattr(upright, "FOLDS", 1)
    kinds, out = tmp_path / "kinds.toml", tmp_path / "upright.json"
    kinds.write_text(
        '[kinds]\n"chest radiograph" = ["phantom chest"]\n"ultrasound" = ["phantom ultrasound"]\n'
    )
    out.write_text('{"XA": {}}')
    told = ["--data", str(tmp_path), "--kinds", str(kinds), "--out", str(out), "--most", "4"]
    upright.main(told)
    card = json.loads(out.read_text())
    assert set(card) == {"CR", "XA"}
    assert card["CR"]["judged"]["validation, made"]["upright"] == 1
    assert len(card["CR"]["upright"]) == len(card["CR"]["other"]) == 768
