"""What is trained and what stays as it is; adapters and their way back into plain weights."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medsegr import data, fit
from medsegr.errors import MissingExtra, WeightsError
from medsegr.fitting import saved, tuning
from medsegr.fitting.cases import vocabulary_of
from medsegr.fitting.config import FitConfig
from medsegr.model import build_model

TINY = FitConfig(
    phantoms={"cells": 1.0}, batch=2, sizes=((1.0, 64),), threads=1, steps=2, device="cpu", warmup=0.0, rank=2
)


@pytest.fixture(scope="module")
def cases() -> list[data.Case]:
    return [data.phantom_case(m) for m in data.make_phantoms("cells", 1, 3, 96)]


def quiet(_line: str) -> None:
    pass


def test_words_alone_leave_the_host_as_it_is(tmp_path: Path, cases: list[data.Case]) -> None:
    torch.manual_seed(0)
    before = build_model(vocabulary_of(cases)).state_dict()
    after = fit.fit(replace(TINY, tune="words"), cases, tmp_path, quiet).state_dict()
    host = [name for name in after if name.startswith("host.")]
    assert any("running_mean" in name for name in host)
    assert all(torch.equal(before[name], after[name]) for name in host)
    assert not torch.equal(before["tokens.table.weight"], after["tokens.table.weight"])


def test_all_but_the_image_encoder(tmp_path: Path, cases: list[data.Case]) -> None:
    torch.manual_seed(0)
    before = build_model(vocabulary_of(cases)).state_dict()
    after = fit.fit(replace(TINY, tune="decoder"), cases, tmp_path, quiet).state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("host.image_encoder.") for name in changed)
    for start in ("host.mask_decoder.", "host.prompt_encoder.", "tokens.", "fusion.", "modulators."):
        assert any(name.startswith(start) for name in changed), start


def test_the_presence_score_alone_leaves_every_mask_as_it_is(tmp_path: Path, cases: list[data.Case]) -> None:
    torch.manual_seed(0)
    before = build_model(vocabulary_of(cases)).state_dict()
    after = fit.fit(replace(TINY, tune="presence"), cases, tmp_path, quiet).state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("host.mask_decoder.presence.") for name in changed)


def test_adapters_train_and_merge_into_the_plain_network(tmp_path: Path, cases: list[data.Case]) -> None:
    words = vocabulary_of(cases)
    adapted = fit.fit(replace(TINY, tune="lora"), cases, tmp_path, quiet)
    stored = saved.read(tmp_path / "last.pt")
    assert any(".lora_B." in name and value.any() for name, value in stored["average"].items())
    plain = build_model(words).eval()
    plain.load_state_dict(saved.merged(stored))
    pixels = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        one, two = (model.host(pixels).logits for model in (adapted, plain))
        torch.manual_seed(0)
        untouched = build_model(words).eval().host(pixels).logits
    assert torch.allclose(one, two, atol=1e-5)
    assert not torch.allclose(one, untouched, atol=1e-5)
    with pytest.raises(WeightsError, match="another tune or rank"):
        fit.fit(replace(TINY, tune="all"), cases, tmp_path, quiet)


def test_adapters_begin_as_nothing_and_stand_in_the_attention_only() -> None:
    model = build_model(vocabulary_of([])).eval()
    names = set(tuning.adapted(model.host))
    assert any("qkv" in name for name in names)
    assert any("to_image" in name for name in names)
    assert not any("local" in name or "mlp" in name for name in names)
    other = copy.deepcopy(model)
    assert tuning.prepare(other, "lora", 4) == 4
    pixels = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model.host(pixels).logits, other.host(pixels).logits)
    trained = {name for name, p in other.named_parameters() if p.requires_grad}
    assert any(name.startswith("tokens.") for name in trained)
    assert all("lora_" in name for name in trained if name.startswith("host."))


def test_without_peft_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"medsegr\[train\]"):
        tuning.adapt(build_model(vocabulary_of([])), 2)
