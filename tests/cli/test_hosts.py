"""Hosts from the command line: trained on, found again by their hash, refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from made_sets import pictures
from medsegr import hub

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("lightning_fabric")

TOLD = ["--target", "breast tumour", "--modality", "US"]
TINY = ["--steps", "1", "--size", "64", "--batch", "1", "--device", "cpu", "--threads", "1"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read once, at its import
    return tmp_path / "home"


def saved(folder: Path, seed: int = 0) -> Path:
    """A small random host's weights, as transformers writes them."""
    from medsegr.sam.hosts.vit import tiny

    torch.manual_seed(seed)
    model = tiny(64)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(folder)
    return folder


def test_a_host_is_trained_on_and_found_again_by_its_hash(run: Any, tmp_path: Path) -> None:
    data, host, out = pictures(tmp_path / "mine"), saved(tmp_path / "small-sam"), tmp_path / "run"
    plain = ["train", "--data", data, *TOLD, "--host", host, *TINY, "--out", out]
    command = [*plain, "--lora", "2"]
    ran = run(*command)
    assert ran.code == 0, ran.err
    card = json.loads((out / "checkpoint" / "run.json").read_text())
    sha256 = hub.digest(host / hub.WEIGHTS)
    assert card["network"] == "host+words"
    assert card["options"] == {"host": "small-sam", "sha256": sha256, "lora": 2, "freeze": "encoder"}
    assert card["tune"] == "built"
    assert card["base"] == 64
    assert str(tmp_path) not in json.dumps(card)
    with safe_open(out / "checkpoint" / "run.safetensors", "pt") as handle:
        names, notes = set(handle.keys()), handle.metadata()
    assert json.loads(notes["host"]) == {"name": "small-sam", "sha256": sha256}
    encoder = {name for name in names if "vision_encoder" in name}
    assert encoder
    assert all(".lora_" in name for name in encoder)
    assert not any("prompt_encoder" in name for name in names)

    asked = ["segment", "-i", data / "images" / "0.png", "-p", "breast tumour", "--modality", "US", "--quiet"]
    checkpoint = ["--model", out / "checkpoint"]
    first = run(*asked, *checkpoint, "-o", tmp_path / "result")
    assert first.code == 0, first.err
    found = json.loads((tmp_path / "result" / "findings.json").read_text())
    assert found["model"]["sha256"] == card["sha256"]
    assert found["findings"][0]["reason"] != "unknown_concept"

    assert run(*command).code == 0  # nothing is left to do
    run(*plain, "--freeze", "all", "--lora", "0").fails(2, "network")

    host.rename(tmp_path / "moved")
    run(*asked, *checkpoint, "-o", tmp_path / "r2").fails(1, "small-sam")
    assert run("models", "add", tmp_path / "moved").code == 0
    again = run(*asked, *checkpoint, "-o", tmp_path / "r3")
    assert again.code == 0, again.err
    masks = [tmp_path / name / "masks" for name in ("result", "r3")]
    assert [p.read_bytes() for p in sorted(masks[0].glob("*"))] == [
        p.read_bytes() for p in sorted(masks[1].glob("*"))
    ]
    saved(tmp_path / "moved", seed=5)
    run(*asked, *checkpoint, "-o", tmp_path / "r4").fails(1, "recorded is")


def test_a_wrong_host_is_refused_by_name(tmp_path: Path) -> None:
    from medsegr.errors import WeightsError
    from medsegr.fitting.cases import vocabulary_of
    from medsegr.fitting.saved import same_host
    from medsegr.networks import hosted

    one, two = saved(tmp_path / "one"), saved(tmp_path / "two", seed=1)
    model = hosted(vocabulary_of([]), str(one), prior=32)
    told = {"name": "two", "sha256": hub.digest(two / hub.WEIGHTS)}
    with pytest.raises(WeightsError, match=r"trained on the host 'two' .* this network stands on 'one'"):
        same_host(tmp_path / "c.safetensors", told, model)
    with pytest.raises(WeightsError, match="trained on the host our own"):
        same_host(tmp_path / "c.safetensors", {}, model)
    with pytest.raises(WeightsError, match=r"'one' has weights with SHA-256 .* was trained on"):
        hosted(vocabulary_of([]), str(one), told["sha256"], prior=32)


def test_flags_of_hosts_that_do_not_go_together(run: Any, tmp_path: Path) -> None:
    data = pictures(tmp_path / "mine", 2)
    command = ["train", "--data", data, *TOLD, *TINY, "--out", tmp_path / "run"]
    run(*command, "--lora", "4").fails(2, "give --host")
    run(*command, "--freeze", "encoder").fails(2, "give --host")
    run(*command, "--host", "tiny:sam", "--tune", "half").fails(2, "all, words or lora")
    run(*command, "--host", "tiny:sam", "--tune", "all", "--freeze", "all").fails(2, "say the same")
    run(*command, "--host", "sam-vit-b").fails(1, "medsegr models pull sam-vit-b")
    run(*command, "--host", "nobody").fails(1, "neither a folder nor a host")
    assert not (tmp_path / "run").exists()


def test_models_lists_hosts_and_brings_them(run: Any, tmp_path: Path, home: Path) -> None:
    lines = run("models", "list").out.splitlines()
    assert any(line.startswith("sam3 ") and "asks for a login" in line for line in lines)
    assert any(line.startswith("sam-vit-b+words") for line in lines)
    told = run("models", "list", "--json").json
    rows = {row["name"]: row for row in told["hosts"]}
    assert rows["medsam2"]["licence"] == "CC-BY-SA-4.0"
    assert not rows["sam-vit-b"]["here"]
    run("models", "path", "sam-vit-b").fails(1, "medsegr models pull sam-vit-b")
    run("models", "verify", "sam-vit-b").fails(1, "medsegr models pull sam-vit-b")
    run("models", "pull").fails(2, "needs the name of a host")
    run("models", "pull", "nobody").fails(2, "no host is called")
    run("models", "pull", "sam-vit-b").fails(1, "could not be fetched")
    assert list((home / "hosts").iterdir()) == []
    run("models", "add", tmp_path / "nowhere").fails(3, "there is no folder")
    run("models", "list", "--as", "sam").fails(2, "belong to models convert")

    host = saved(tmp_path / "own")
    assert run("models", "add", host).code == 0
    assert run("models", "path", "own").out.strip() == str(host)
    assert hub.digest(host / hub.WEIGHTS) in run("models", "verify", "own").out


def test_models_convert_writes_a_folder_or_nothing(run: Any, tmp_path: Path) -> None:
    file, out = tmp_path / "their.pth", tmp_path / "out"
    torch.save({"a": torch.zeros(2)}, file)
    run("models", "convert", file).fails(2, "needs --as HOST and -o FOLDER")
    run("models", "convert", file, "--as", "sam-vit-b", "-o", out).fails(3, "not in the layout of sam")
    run("models", "convert", tmp_path / "no.pth", "--as", "sam-vit-b", "-o", out).fails(3, "there is no file")
    run("models", "convert", file, "--as", "vim", "-o", out).fails(2, "no host is called 'vim'")
    run("models", "convert", file, "--as", "sam-vit-b", "-o", tmp_path).fails(3, "is there already")
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["their.pth"]
