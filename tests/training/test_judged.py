"""Held-out images of a finished checkpoint: what is compared with what."""

import csv
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image as Pil

from bench_sets import disc, picture
from medsegr import data
from medsegr.bench import backends, peer_scores, temperature, validate
from medsegr.io.read import image_from_array
from medsegr.predict import Predictor
from medsegr.report.parse import parse_phrase
from medsegr.samples.drawn import Marks
from medsegr.training import image_head
from medsegr.training.judged import judge
from medsegr.types import Image, Prompt, Segmentation

RIM = disc((30, 40), 14) & ~disc((30, 40), 9)


class Fixed:
    """Answers the same mask to everything."""

    card = {"presence_threshold": 0.5}  # noqa: RUF012 - read only

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """With the probabilities .95 and .05, or as bytes where these are not kept."""
        prob = np.stack([np.where(self.mask, 0.95, 0.05).astype(np.float32)] * len(prompt.targets))
        if prompt.keep == ():
            prob = (prob * 255).round().astype(np.uint8)
        there = np.full(len(prompt.targets), 0.9)
        return Segmentation(prob, prompt.targets, image.affine, {"presence": there})


def half_judged(folder: Path, ignore: str = "9") -> Path:
    """Pictures with a disc each, and a rim around it that nobody judged; one where all may be in the rim."""
    rows = []
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(20):
        mask = np.where(RIM, 9, 0).astype(np.uint8)
        mask[disc((30, 40), 9)] = 0 if i == 7 else 1
        Pil.fromarray(picture(i)).save(folder / f"images/{i}.png")
        Pil.fromarray(mask).save(folder / f"masks/{i}.png")
        told = {"id": str(i), "image": f"images/{i}.png", "mask": f"masks/{i}.png", "target": "polyp"}
        rows.append(told | {"modality": "colonoscopy", "group": str(i), "label": "1", "ignore": ignore})
    with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def numbers(folder: Path, mask: np.ndarray) -> list[object]:
    """Everything that is made of the validation part of a set, for one answer."""
    made = cast(Predictor, Fixed(mask))
    ask = validate.asker(made)
    told = backends.compare(backends.validation_images(folder, 9), {"torch": made})
    return [
        [row.dice for row in judge(made, {"s": folder})],
        [row.dice for row in peer_scores.real_rows(folder, made)],
        {k: v for k, v in validate.score_set(folder, ask, 0.5)["lists"].items() if k != "foreign drawn"},
        temperature.counted(made, folder, True, 9).tolist(),
        told["torch"].truth,
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_answers_that_differ_where_nobody_judged_are_equally_good(tmp_path: Path, seed: int) -> None:
    folder = half_judged(tmp_path / "s")
    mask = disc((33, 42), 10)
    noise = np.random.default_rng(seed).random(mask.shape) < 0.5
    other = np.where(RIM, noise, mask)
    assert (mask != other).any()
    one, two = numbers(folder, mask), numbers(folder, other)
    assert one == two
    plain = half_judged(tmp_path / "plain", ignore="")
    assert numbers(plain, mask) != numbers(plain, other)  # where the rim is background it counts
    exact = numbers(folder, disc((30, 40), 9) | RIM)
    assert set(cast(list[float], exact[0])) == {1.0}
    assert set(cast(list[float], exact[1])) == {1.0}
    counts = np.array(exact[3])
    assert counts.sum() == len(cast(list[float], exact[0])) * (~RIM).sum()


def test_of_a_half_judged_mask_no_place_is_told(tmp_path: Path) -> None:
    for _, _, drawn in validate.case_rows(half_judged(tmp_path / "s")):
        for finding, marks in drawn:
            assert validate.placed(finding, marks) == finding


def test_the_head_is_not_taught_that_what_nobody_judged_is_gone(tmp_path: Path) -> None:
    half_judged(tmp_path / "s")
    half_judged(tmp_path / "plain", ignore="")
    gone = {
        name: [g for held in (False, True) for _, _, g in image_head.pictures(name, tmp_path, held, 99) if g]
        for name in ("s", "plain")
    }
    assert gone == {"s": [], "plain": [{"polyp"}]}


def test_a_made_body_without_lesions_shows_none(tmp_path: Path) -> None:
    told = [
        (shown, gone)
        for held_out in (False, True)
        for _, shown, gone in image_head.pictures("phantom thorax", tmp_path, held_out, 16)
    ]
    normal = [shown for shown, gone in told if gone]
    assert 0 < len(normal) < len(told)
    assert all(
        {"lung tumour", "nodule"} <= gone <= {"lung tumour", "nodule", "tumour", "mass"}
        for _, gone in told
        if gone
    )
    assert not any({"lung tumour", "nodule", "tumour"} & shown for shown in normal)
    assert all({"lung tumour", "nodule"} & shown for shown, gone in told if not gone)


def test_pictures_in_which_nothing_is_do_not_use_up_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is asked is counted: a set may begin with many pictures of healthy people."""
    shape = disc((30, 40), 9)
    image = image_from_array(picture(0), modality="ES")
    polyp = parse_phrase("polyp").findings[0]
    told = [(str(i), image, [(polyp, Marks(shape & (i > 1)))]) for i in range(4)]
    monkeypatch.setattr(data, "read_drawn", lambda *_, **__: iter(told))
    made = cast(Predictor, Fixed(shape))
    assert [row.group for row in judge(made, {"s": tmp_path}, most=1)] == ["2"]
    assert temperature.counted(made, tmp_path, True, 1).sum() == shape.size
