"""What a run keeps, and weights of another run to begin with."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from medsegr.errors import InputError, WeightsError
from medsegr.fitting import saved
from medsegr.model import build_model
from medsegr.reasoning.codes import Vocabulary, vocabulary
from medsegr.variants import Variant


def test_an_exported_checkpoint_is_a_start_and_new_codes_stay_fresh(tmp_path: Path) -> None:
    here, there = vocabulary(["polyp"], (), ["ES"]), vocabulary(["nucleus", "polyp"], (), ["ES"])
    trained, model = build_model(here), build_model(there)
    path = tmp_path / "mine.safetensors"
    trained.half().float()  # an export holds half precision
    stored = {k: v.half() if v.is_floating_point() else v for k, v in trained.state_dict().items()}
    save_file(stored, path, metadata={"codes": json.dumps(here.codes)})
    table = next(
        k for k, v in model.state_dict().items() if v.shape[:1] == (len(there.codes),) and v.ndim == 2
    )
    fresh = model.state_dict()[table].clone()
    assert saved.warm_start(path, model, there) == 1
    rows, old = model.state_dict()[table], trained.state_dict()[table]
    for code in here.codes:
        assert torch.equal(rows[there.index()[code]], old[here.index()[code]])
    new = there.index()["concept:nucleus"]
    assert torch.equal(rows[new], fresh[new])
    assert torch.equal(model.state_dict()["host.mask_decoder.tokens"], trained.host.mask_decoder.tokens)


def test_a_part_of_the_weights_can_be_the_start(tmp_path: Path) -> None:
    words = vocabulary(["polyp"], (), ["ES"])
    trained, model = build_model(words), build_model(words)
    path = tmp_path / "mine.safetensors"
    save_file(trained.state_dict(), path, metadata={"codes": json.dumps(words.codes)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (smaller := build_model(words, variant=Variant(heads="LS"))).load_state_dict(before, strict=False)
    assert saved.warm_start(path, model, words, "host.") == len(words.codes)  # none of the table came
    for name, value in model.state_dict().items():
        taken = trained.state_dict()[name] if name.startswith("host.") else before[name]
        assert torch.equal(value, taken)
    with pytest.raises(WeightsError, match="is of another network"):
        saved.warm_start(path, smaller, words)
    fresh = {name: value.clone() for name, value in smaller.state_dict().items()}
    assert saved.warm_start(path, smaller, words, "") == 0
    for name, value in smaller.state_dict().items():
        assert torch.equal(value, trained.state_dict().get(name, fresh[name]))
    assert set(fresh) - set(before)
    with pytest.raises(WeightsError, match="shares no weights 'guest"):
        saved.warm_start(path, model, words, "guest.")


def test_what_has_the_same_name_but_another_shape_is_not_shared(tmp_path: Path) -> None:
    """Two networks may call different things alike; tables of codes may have other rows."""
    words, more = (vocabulary(names, (), ["ES"]) for names in (["polyp"], ["cyst", "polyp"]))
    trained = build_model(words)
    path = tmp_path / "mine.safetensors"
    save_file(trained.state_dict(), path, metadata={"codes": json.dumps(words.codes)})
    narrow = build_model(more, prior=128)
    before = {name: value.clone() for name, value in narrow.state_dict().items()}
    assert saved.warm_start(path, narrow, more, "") == len(more.codes)  # its vectors are of another width
    taken, given = narrow.state_dict(), trained.state_dict()
    assert torch.equal(taken["tokens.table.weight"], before["tokens.table.weight"])
    assert torch.equal(taken["host.mask_decoder.tokens"], given["host.mask_decoder.tokens"])
    wide = build_model(more)
    assert saved.warm_start(path, wide, more, "tokens.") == 1
    rows = [more.codes.index(code) for code in words.codes]
    assert torch.equal(wide.state_dict()["tokens.table.weight"][rows], given["tokens.table.weight"])
    with pytest.raises(WeightsError, match="shares no weights"):
        saved.warm_start(path, narrow, more, "tokens.table")


def test_a_side_as_long_as_the_list_of_codes_makes_no_table(tmp_path: Path) -> None:
    """The head's hidden layer has 256 rows; so many codes there or here mean nothing."""
    few = vocabulary(["polyp"], (), ["ES"])
    named = [f"thing {n}" for n in range(256 - len(few.codes))]
    many = Vocabulary((*reversed(few.codes), *(f"concept:{name}" for name in named)))
    assert len(many.codes) == 256
    trained, model = build_model(many), build_model(few)
    path = tmp_path / "mine.safetensors"
    save_file(trained.state_dict(), path, metadata={"codes": json.dumps(many.codes)})
    assert saved.warm_start(path, model, few) == 0
    taken, given = model.state_dict(), trained.state_dict()
    rows = [many.codes.index(code) for code in few.codes]
    tables = {"tokens.table.weight", "attributes.layers.1.weight", "attributes.layers.1.bias"}
    for name, value in taken.items():
        assert torch.equal(value, given[name][rows] if name in tables else given[name]), name
    again = build_model(many)
    assert saved.warm_start(path, again, Vocabulary(tuple(reversed(many.codes)))) == 0
    assert torch.equal(again.state_dict()["tokens.table.weight"], given["tokens.table.weight"].flip(0))
    assert torch.equal(again.state_dict()["attributes.layers.0.weight"], given["attributes.layers.0.weight"])


def test_codes_that_share_nothing_and_shapes_that_do_not_fit(tmp_path: Path) -> None:
    words = vocabulary(["polyp"], (), ["ES"])
    other = Vocabulary(tuple(f"concept:thing {n}" for n in range(len(words.codes))))
    trained, model = build_model(words), build_model(other)
    path = tmp_path / "mine.safetensors"
    save_file(trained.state_dict(), path, metadata={"codes": json.dumps(words.codes)})
    fresh = model.state_dict()["tokens.table.weight"].clone()
    assert saved.warm_start(path, model, other) == len(other.codes)
    assert torch.equal(model.state_dict()["tokens.table.weight"], fresh)
    assert torch.equal(
        model.state_dict()["host.mask_decoder.tokens"], trained.state_dict()["host.mask_decoder.tokens"]
    )
    with pytest.raises(WeightsError, match=r"is of another network: .* there, .* here"):
        saved.warm_start(path, build_model(words, prior=128), words)


def test_what_to_begin_with_is_a_name_a_folder_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "last.pt").touch()
    assert saved.start_of(str(tmp_path)) == tmp_path / "last.pt"
    (tmp_path / "best.pt").touch()
    assert saved.start_of(str(tmp_path)) == tmp_path / "best.pt"
    assert saved.start_of(str(tmp_path / "last.pt")) == tmp_path / "last.pt"
    (tmp_path / "notes.txt").touch()
    with pytest.raises(WeightsError, match="no weights file"):
        saved.start_of(str(tmp_path / "notes.txt"))
    with pytest.raises(WeightsError, match="no checkpoint 'nobody'"):
        saved.start_of("nobody")


def test_a_damaged_state_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(WeightsError, match=r"last.pt cannot be read .* remove it to begin anew"):
        saved.read(tmp_path / "last.pt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "last.pt")
    with pytest.raises(WeightsError, match="holds no training run"):
        saved.read(tmp_path / "last.pt")


def test_the_average_follows_slowly_and_copies_counts() -> None:
    model = torch.nn.BatchNorm1d(1)
    average = saved.Average(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.num_batches_tracked.fill_(7)
    average.update(model, 1000)
    assert float(average.state["weight"]) == pytest.approx(1.1)
    assert int(average.state["num_batches_tracked"]) == 7


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(b"before")

    def write() -> None:
        with saved.whole(path) as part:
            part.write_bytes(b"half of")
            raise error

    with pytest.raises(InputError, match=r"last\.pt cannot be written \(.*MiB are free"):
        write()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
