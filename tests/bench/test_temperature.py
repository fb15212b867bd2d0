"""One temperature for a checkpoint: chosen where it claims too much, on training images only."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from medsegr import data, phantom, weights
from medsegr.bench import temperature
from medsegr.metrics.calibration import ece_of, reliability
from medsegr.predict import load
from medsegr.samples.layouts import Hints
from medsegr.session import as_image
from medsegr.types import Prompt


def claims(sharpness: float, seed: int = 0) -> np.ndarray:
    """Counts of pixels whose logits are ``sharpness`` times what they should be."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, 200_000)
    truth = rng.random(len(logits)) < 1 / (1 + np.exp(-logits))
    at = np.clip((temperature.FINE / (1 + np.exp(-sharpness * logits))).astype(int), 0, temperature.FINE - 1)
    return np.stack([np.bincount(at[part], minlength=temperature.FINE) for part in (~truth, truth)])


@pytest.mark.parametrize("sharpness", [1.0, 1.5, 2.0])
def test_what_claims_too_much_is_found(sharpness: float) -> None:
    assert temperature.best([claims(sharpness)]) == pytest.approx(sharpness, abs=0.15)
    assert temperature.errors([claims(sharpness, 1)], sharpness)[1] < 0.01


def test_a_set_in_which_nothing_is_drawn_counts_for_all_pixels_only() -> None:
    some, empty = claims(1.5), claims(1.5)
    empty[:, temperature.FINE // 2 :] = 0
    assert temperature.errors([some, empty], 1.5)[1] == temperature.errors([some], 1.5)[1]
    assert temperature.errors([some, empty], 1.5)[0] > 0
    assert np.isnan(temperature.errors([empty], 1.5)[1])
    assert temperature.best([some, empty]) == pytest.approx(1.5, abs=0.15)


def test_bins_are_those_of_all_pixels() -> None:
    counts = claims(1.5)
    prob = np.repeat((np.arange(temperature.FINE) + 0.5) / temperature.FINE, counts.sum(0))
    truth = np.concatenate([np.repeat([False, True], pair) for pair in counts.T])
    plain = reliability(prob, truth, temperature.BINS)
    made = temperature.bins_of(counts, 1.0)
    for above in (0.0, 0.5):
        assert ece_of(made, above) == pytest.approx(ece_of(plain, above), abs=1e-9)


@pytest.mark.weights
def test_the_card_takes_it_and_masks_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in weights.find(weights.DEFAULT):
        shutil.copy(path, tmp_path / path.name)
    card = tmp_path / f"{weights.DEFAULT}.json"
    asked: list[bool] = []

    def counted(_predictor: object, _folder: Path, held_out: bool, _most: int) -> np.ndarray:
        asked.append(held_out)
        return claims(1.0 if held_out else 2.0)  # were it chosen on validation images, it would be 1

    monkeypatch.setattr(temperature, "counted", counted)
    config = tmp_path / "c.toml"
    config.write_text("[sets]\nmine = 1.0\n", encoding="utf-8")
    told = ["--data", str(tmp_path), "--config", str(config), "--model", str(tmp_path), "--card"]
    before = load(tmp_path, device="cpu")
    before.temperature = 1.0
    temperature.main(told)
    assert sorted(asked) == [False, True]
    assert json.loads(card.read_text(encoding="utf-8"))["temperature"] == pytest.approx(2.0, abs=0.15)
    after = load(tmp_path, device="cpu")
    image = as_image(np.asarray(phantom.make("mucosa", np.random.default_rng(3), 96).image), modality="ES")
    for keep in ((), ("prob",)):
        plain, soft = (
            p.segment(image, Prompt(("polyp",), keep=keep)).prob.astype(float) for p in (before, after)
        )
        half = 0.5 if keep else 128
        np.testing.assert_array_equal(plain >= half, soft >= half)
        assert np.abs(soft - half).max() <= np.abs(plain - half).max()
        assert (plain != soft).any()


def test_parts_are_apart(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        for name in ("images", "masks"):
            Pil.fromarray((rng.random((8, 8)) > 0.5).astype(np.uint8) * 255).save(
                tmp_path / name / f"{number}.png"
            )
    hints = Hints("polyp", "ES")
    held, rest = ([row[0] for row in data.read_drawn(tmp_path, hints, part)] for part in (True, False))
    assert len(held) + len(rest) == 12
    assert not set(held) & set(rest)
    assert held
