"""From a run to a checkpoint: the same weights give the same file, and it loads."""

import json
from pathlib import Path

import pytest
import torch

from medsegr.errors import WeightsError
from medsegr.fitting import saved
from medsegr.model import build_model
from medsegr.predict import load
from medsegr.reasoning.codes import vocabulary
from medsegr.training import checkpoint

ABOUT = {"licence": "CC0", "base": 64, "presence_threshold": 0.5}


def test_equal_weights_give_equal_files_that_load(tmp_path: Path) -> None:
    words = vocabulary(["polyp"], (), ["ES"])
    model = build_model(words)
    optimiser = torch.optim.AdamW(model.parameters())
    state = saved.State(step=3, seconds=2.0, images=9)
    saved.save(saved.Kept(model, optimiser, saved.Average(model, 0.9), state, words), tmp_path / "last.pt")
    made = [checkpoint.export(tmp_path, [], "mine", tmp_path / str(n), ABOUT) for n in range(6)]
    assert len({path.read_bytes() for path in made}) == 1
    card = json.loads(made[0].with_suffix(".json").read_text())
    assert card["training"] == {"step": 3, "seconds": 2.0, "images": 9}
    loaded = load(made[0].parent, device="cpu")
    assert loaded.words == words
    bias = "host.mask_decoder.bias"
    assert torch.equal(loaded.model.state_dict()[bias], model.state_dict()[bias])


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no last.pt: train first \(medsegr train\)"):
        checkpoint.export(tmp_path, [], "mine", tmp_path, ABOUT)
