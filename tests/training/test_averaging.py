"""The mean of checkpoints: what is in it, what its card says, and what cannot be averaged."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from medsegr import weights
from medsegr.errors import UsageError, WeightsError
from medsegr.fitting.saved import code_tables
from medsegr.model import build_model
from medsegr.reasoning.codes import Vocabulary
from medsegr.training.averaging import average, main, mean, read


def checkpoint(folder: Path, value: float, **notes: str) -> Path:
    folder.mkdir()
    path = folder / "tiny.safetensors"
    tensors = {
        "a.weight": torch.full((2, 3), value).half(),
        "a.bias": torch.full((3,), value),
        "a.num_batches_tracked": torch.tensor(int(value)),
    }
    save_file(tensors, path, metadata={"codes": "[]", "format": "medsegr/1", **notes})
    card = {"name": "tiny", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "licence": "any"}
    card |= {"validation": {"dice": value}, "temperature": 1.5, "warm_start": "nothing"}
    card["sets"] = ["shared", f"of {value:g}"]
    path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_a_mean_and_its_card(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one", 1.0), checkpoint(tmp_path / "two", 5.0)
    out = tmp_path / "out"
    main(["--of", f"{one}=0.25", "--of", f"{two}=0.75", "--folder", str(out), "--warm-start", "two stages"])
    tensors, notes = read(out / "tiny.safetensors")
    assert (tensors["a.weight"] == 4).all()
    assert (tensors["a.bias"] == 4).all()
    assert tensors["a.weight"].dtype == torch.float16
    assert int(tensors["a.num_batches_tracked"]) == 5
    assert notes == {"codes": "[]", "format": "medsegr/1"}
    card = weights.verify(out)
    assert [part["share"] for part in card["averaged"]] == [0.25, 0.75]
    assert card["averaged"][0]["sha256"] == weights.read_card(one)["sha256"]
    assert (card["warm_start"], card["licence"]) == ("two stages", "any")
    assert card["sets"] == ["of 1", "of 5", "shared"]
    assert not {"validation", "temperature"} & set(card)  # numbers of a part are not the mean's
    assert not list(out.glob("*.part"))


def test_what_is_kept_stays_that_of_the_last(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one", 1.0), checkpoint(tmp_path / "two", 5.0)
    out = tmp_path / "out"
    parts = ["--of", f"{one}=0.5", "--of", f"{two}=0.5", "--folder", str(out)]
    main([*parts, "--keep", "a.bias"])
    tensors, _ = read(out / "tiny.safetensors")
    assert (tensors["a.bias"] == 5).all()
    assert (tensors["a.weight"] == 3).all()
    with pytest.raises(UsageError, match="--keep b: no tensor is called so; names begin with a"):
        main([*parts, "--keep", "b"])


def test_equal_parts_are_their_mean(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one", 3.0), checkpoint(tmp_path / "two", 3.0)
    made = average({str(one): 0.3, str(two): 0.7}, tmp_path / "out")
    for key, value in read(one / "tiny.safetensors")[0].items():
        torch.testing.assert_close(read(made)[0][key], value)


def test_the_mean_knows_the_codes_of_the_last(tmp_path: Path) -> None:
    """Networks are our own here: which of their tensors hold a row a code, and in which order the rows stand,
    is theirs to say."""
    paths, tensors = [], []
    for name, codes, value in (("one", ("b", "gone", "a"), 1.0), ("two", ("a", "n", "b"), 3.0)):
        state = build_model(Vocabulary(codes)).state_dict()
        tables = code_tables(build_model(Vocabulary(codes)))
        for key in tables:
            state[key] = (
                torch.arange(float(len(codes))).reshape(-1, *[1] * (state[key].ndim - 1)) * 10 + value
            )
            state[key] = state[key].expand(
                len(codes), *build_model(Vocabulary(codes)).state_dict()[key].shape[1:]
            )
        folder = tmp_path / name
        folder.mkdir()
        path = folder / "tiny.safetensors"
        kept = {key: item.contiguous() for key, item in state.items()}
        save_file(kept, path, metadata={"codes": json.dumps(codes), "format": "medsegr/1"})
        card = {"name": "tiny", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
        paths.append(folder)
        tensors.append(kept)
    made = read(average({str(paths[0]): 0.5, str(paths[1]): 0.5}, tmp_path / "out"))[0]
    assert tables
    for key in tables:
        first = made[key].reshape(3, -1)[:, 0]
        # a: 21 and 3, n: the last's own 13, b: 1 and 23
        assert first.tolist() == [12.0, 13.0, 12.0]
    other = next(key for key in made if key not in tables and made[key].is_floating_point())
    torch.testing.assert_close(made[other], (tensors[0][other] + tensors[1][other]) / 2)


@pytest.mark.parametrize("shares", [(0.5, 0.6), (1.5, -0.5), (1.0,)])
def test_shares_add_up(tmp_path: Path, shares: tuple[float, ...]) -> None:
    named = {str(checkpoint(tmp_path / str(i), 1.0)): share for i, share in enumerate(shares)}
    with pytest.raises(UsageError, match="add up to 1"):
        average(named, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_shapes_and_other_hosts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="name or shape"):
        mean([{"a": torch.zeros(2)}, {"a": torch.zeros(3)}], [0.5, 0.5])
    one, two = checkpoint(tmp_path / "one", 1.0), checkpoint(tmp_path / "two", 1.0, host="{}")
    with pytest.raises(WeightsError, match="host"):
        average({str(one): 0.5, str(two): 0.5}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_share_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FOLDER=SHARE"):
        main(["--of", "somewhere=much", "--folder", str(tmp_path)])


def test_a_table_of_codes_of_another_network_is_refused(tmp_path: Path) -> None:
    name = next(iter(code_tables(build_model(Vocabulary(("a",))))))
    parts = ("one", '["a"]', {name: torch.zeros(1, 3)}), ("two", '["a", "b"]', {name: torch.zeros(2, 4)})
    bare = ("bare", '["a", "b"]', {"other": torch.zeros(1)})
    long = ("long", '["a"]', {name: torch.zeros(2, 4)})  # more rows than codes: not what it says
    for folder, codes, tensors in (*parts, bare, long):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "tiny.safetensors"
        save_file(tensors, path, metadata={"codes": codes, "format": "medsegr/1"})
        card = {"name": "tiny", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    for pair in (("one", "two"), ("one", "bare"), ("long", "two")):
        with pytest.raises(WeightsError, match="name or shape"):
            average({str(tmp_path / folder): 0.5 for folder in pair}, tmp_path / "out")
