"""Checkpoints: found by name or folder, refused when changed, foreign or incomplete, equal after a round
trip."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medsegr import predict, weights
from medsegr.errors import WeightsError
from medsegr.types import Finding, Image, Prompt


def ship(folder: Path, tensors: dict[str, torch.Tensor], meta: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.safetensors"
    save_file(tensors, path, metadata=meta)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {"name": "mine", "sha256": digest, "licence": "Apache-2.0", "concepts": {}, "base": 64}
    path.with_suffix(".json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = predict.build(untrained=True, seed=1)
    meta = {"format": predict.FORMAT, "codes": json.dumps(built.words.codes)}
    return ship(tmp_path / "m", built.model.state_dict(), meta)


def test_save_and_load_give_the_same_masks(folder: Path) -> None:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 40, 40)).astype(np.float32))
    prompt = Prompt(("polyp",), (Finding("f1", "", (0, 0), "polyp"),))
    before = predict.build(untrained=True, seed=1).segment(image, prompt).prob
    assert np.allclose(before, predict.load(folder, device="cpu").segment(image, prompt).prob, atol=1e-6)


def test_a_changed_file_is_refused(folder: Path) -> None:
    path = folder / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="SHA-256"):
        predict.load(folder)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected 'medsegr/1'"):
        predict.load(ship(tmp_path / "m", {"a": torch.zeros(1)}, {"format": "pt"}))


def test_missing_keys_are_counted(tmp_path: Path) -> None:
    meta = {"format": predict.FORMAT, "codes": json.dumps(["concept:polyp"])}
    with pytest.raises(WeightsError, match="keys are missing, 1 are unknown"):
        predict.load(ship(tmp_path / "m", {"a": torch.zeros(1)}, meta))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(WeightsError, match="embedded: "):
        weights.find("medsegr-huge")


def test_a_broken_card_is_refused(folder: Path) -> None:
    (folder / "mine.json").write_text("{")
    with pytest.raises(WeightsError, match="not JSON"):
        weights.read_card(folder)


def test_the_embedded_checkpoint_is_whole_small_and_described() -> None:
    card = weights.verify()
    path, _ = weights.find(weights.DEFAULT)
    assert path.stat().st_size <= 25e6
    assert card["licence"]
    assert {"polyp", "nucleus", "lung"} <= set(card["concepts"])
    assert card["validation"]["sets"]["polyp_kvasir_seg"]["targets"] > 50
    assert (path.with_suffix(".md")).is_file()


def test_what_is_noted_stands_in_the_card_beside_the_rest(tmp_path: Path) -> None:
    (tmp_path / "tiny.safetensors").write_bytes(b"tensors")
    weights.write_card({"name": "tiny", "licence": "any"}, tmp_path / "tiny.json")
    assert weights.note(tmp_path, {"temperature": 1.5}) == weights.read_card(tmp_path)
    assert weights.read_card(tmp_path) == {"name": "tiny", "licence": "any", "temperature": 1.5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json", "tiny.safetensors"]
