"""The image-only head is taught what pictures show, and nothing else of a checkpoint changes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medsegr import weights
from medsegr.errors import UsageError
from medsegr.io.read import image_from_array
from medsegr.nn.blocks import Mlp
from medsegr.phantom.write import case_of
from medsegr.predict import load
from medsegr.samples import panels
from medsegr.training import image_head
from medsegr.training.averaging import read
from medsegr.training.image_head import (
    Look,
    concepts_by_kind,
    fit,
    judged,
    read_kinds,
    reframed,
    teach,
    truth_of,
)
from medsegr.types import Image, Prompt

CODES = ("concept:tumour", "concept:cyst", "concept:artery", "side:left")
KINDS = {"breast": ["cyst", "tumour"], "neck": ["artery"]}


def look(kind: str, middle: float, shown: str, seed: int, whole: bool = False) -> Look:
    torch.manual_seed(seed)
    return Look((kind,), "US", frozenset({shown}), frozenset(), middle + torch.randn(2, 8), whole)


def many(first: int) -> list[Look]:
    breasts = [look("breast", 1.5, "tumour", first + i) for i in range(12)]
    return breasts + [look("neck", -1.5, "artery", first + 50 + i) for i in range(4)]


def test_what_nobody_knows_is_not_taught() -> None:
    real, made = look("breast", 0, "tumour", 0), look("breast", 0, "tumour", 0, whole=True)
    np.testing.assert_array_equal(truth_of(real, CODES, KINDS), [1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(truth_of(made, CODES, KINDS), [1, 0, 0, np.nan])
    assert concepts_by_kind([real, look("neck", 0, "artery", 1)], ["tumour", "artery"]) == {
        "breast": ["tumour"],
        "neck": ["artery"],
    }


def test_the_head_tells_kinds_apart() -> None:
    torch.manual_seed(0)
    head = Mlp(8, 16, 4)
    fit(head, many(0), CODES, KINDS)
    known = {name: {"modalities": ["US"]} for name in ("tumour", "cyst", "artery")}
    told = judged(head, many(1000), CODES, {"concepts": known, "kinds": KINDS})
    assert told == {"shown": 16, "refused": 0, "foreign": 12 + 8, "let through": 0}


def test_margins_are_cut_away_and_put_around_by_chance() -> None:
    """What is inside stays, pixel by pixel; a black picture stays as it is."""
    rng = np.random.default_rng(0)
    inside = rng.uniform(50, 255, (3, 40, 60)).astype(np.float32)
    image = Image(np.pad(inside, ((0, 0), (10, 0), (30, 5))))
    grids = set()
    for _ in range(20):
        seen = reframed(image, rng).data
        rows, cols = (np.flatnonzero(seen[0].any(axis)) for axis in (1, 0))
        np.testing.assert_array_equal(seen[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], inside)
        assert all(a <= b <= 1.7 * a for a, b in zip((40, 60), seen.shape[1:], strict=True))
        grids.add(seen.shape)
    assert len(grids) > 10
    black = Image(np.zeros((1, 20, 20), np.float32))
    np.testing.assert_array_equal(reframed(black, rng).data, black.data)
    volume = Image(np.pad(np.ones((1, 4, 20, 20), np.float32), ((0, 0), (0, 0), (9, 9), (9, 9))))
    assert all(reframed(volume, rng) is volume for _ in range(20))


def test_of_a_volume_slices_at_three_heights_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float | None] = []

    def summary(_: object, _image: Image, share: float | None = None) -> torch.Tensor:
        seen.append(share)
        return torch.zeros(1, 8)

    flat, deep = Image(np.ones((1, 20, 20), np.float32)), Image(np.ones((1, 4, 20, 20), np.float32))
    found = [(image, {"liver"}, set[str]()) for image in (flat, deep)]
    monkeypatch.setattr(image_head, "summary_of", summary)
    monkeypatch.setattr(image_head, "pictures", lambda *_: iter(found))
    told = image_head.looks(load(), {"belly": ["a"]}, Path(), held_out=True, most=9)
    assert seen == [None, 0.25, 0.5, 0.75]
    assert [len(look.summary) for look in told] == [1] * 4


def test_pictures_beside_each_other_show_what_each_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"a": 50, "b": 90, "c": 130, "d": 170, "e": 210}
    images = {}
    for source, value in values.items():
        pixels = np.full((40, 60), value, np.uint8)
        pixels[:2], pixels[-2:] = 0, 255  # the range stays as it is
        images[source] = image_from_array(pixels)
    seen: list[set[str]] = []

    def summary(_: object, image: Image, _share: float | None = None) -> torch.Tensor:
        seen.append(
            {source for source, value in values.items() if (abs(image.data - value) < 1).mean() > 0.05}
        )
        return torch.zeros(2, 8)

    def found(source: str, *_: object) -> Iterator[tuple[Image, set[str], set[str]]]:
        yield images[source], {f"thing {source}"}, set()

    monkeypatch.setattr(image_head, "summary_of", summary)
    monkeypatch.setattr(image_head, "pictures", found)
    monkeypatch.setattr(panels, "DARK_GROUND", 1.0)  # else a ground could be as grey as a picture
    told = image_head.panels(load(), {f"kind {source}": [source] for source in images}, Path(), True, 40)
    assert len(told) == 40
    assert {len(look.kinds) for look in told} == {2, 4}
    for look, shown in zip(told, seen, strict=True):
        assert {f"kind {source}" for source in shown} == set(look.kinds)
        assert look.shown == {kind.replace("kind", "thing") for kind in look.kinds}
        assert look.modality is None
    alone = {"kind a": ["a"]}
    assert image_head.panels(load(), alone, Path(), True, 40) == []


def test_of_two_kinds_beside_each_other_neither_is_elsewhere() -> None:
    both = Look(("breast", "neck"), None, frozenset({"tumour", "artery"}), frozenset(), torch.zeros(2, 8))
    np.testing.assert_array_equal(truth_of(both, CODES, KINDS), [1, np.nan, 1, np.nan])
    torch.manual_seed(0)
    head = Mlp(8, 16, 4)
    mixed = [
        Look(("breast", "neck"), None, both.shown, frozenset(), 4 + torch.randn(2, 8)) for _ in range(12)
    ]
    fit(head, many(0) + mixed, CODES, KINDS)
    known = {name: {"modalities": ["US"]} for name in ("tumour", "cyst", "artery")}
    told = judged(head, mixed, CODES, {"concepts": known, "kinds": KINDS})
    assert (told["shown"], told["refused"]) == (24, 0)


def test_a_file_without_kinds_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "kinds.toml"
    file.write_text("[kinds]\none = ['a']\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"kinds.toml: a table \[kinds\]"):
        read_kinds(file)


@pytest.mark.weights
def test_masks_stay_bit_for_bit(tmp_path: Path) -> None:
    file = tmp_path / "kinds.toml"
    file.write_text(
        '[kinds]\ndeep = ["phantom abdomen"]\nshallow = ["phantom ultrasound"]\n'
        '[also]\nliver = ["hepar"]\n[parts]\nx = ["y"]\n',
        encoding="utf-8",
    )
    told = teach(weights.DEFAULT, file, tmp_path, tmp_path / "out", most=4)
    assert set(told) == {"kinds_judged", "kinds_judged_in_margins", "kinds_judged_in_panels"}
    assert all(set(one) == {"shown", "refused", "foreign", "let through"} for one in told.values())
    before, after = (read(weights.find(name)[0])[0] for name in (weights.DEFAULT, tmp_path / "out"))
    changed = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert {key.partition(".")[0] for key in changed} == {"attributes"}
    assert {value.dtype for value in after.values()} == {value.dtype for value in before.values()}
    card = weights.verify(tmp_path / "out")
    assert (card["also"], card["parts"]) == ({"liver": ["hepar"]}, {"x": ["y"]})
    assert ["liver" in card["kinds"][kind] for kind in ("deep", "shallow")] == [True, False]
    image = image_from_array(case_of("abdomen", 3, 0, 128).image, modality="CT")
    one, two = (load(name).segment(image, Prompt(("liver",))) for name in (weights.DEFAULT, tmp_path / "out"))
    np.testing.assert_array_equal(one.prob, two.prob)
