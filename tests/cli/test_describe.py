"""``medsegr measure --describe``: a mask in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows, cols = np.mgrid[:100, :100]
    mask = np.zeros((100, 100), np.uint8)
    mask[(rows - 20) ** 2 + (cols - 20) ** 2 <= 100] = 7
    mask[80:84, 70:74] = 9
    grey = np.where(mask > 0, 180, 80).astype(np.uint8)
    grey[:3], grey[-3:] = 0, 255
    paths = tmp_path / "mask.png", tmp_path / "image.png"
    for path, array in zip(paths, (mask, grey), strict=True):
        Picture.fromarray(array).save(path)
    return paths


def test_a_sentence_a_label(run: Any, files: tuple[Path, Path]) -> None:
    words = ("measure", "-m", files[0], "-i", files[1], "--modality", "CR", "--describe", "nodule")
    told = run(*words, "--json").json["labels"]
    assert [(item["sentence"], item["sentence_from"]) for item in told] == [
        (
            "A small round homogeneous hyperdense nodule with smooth margins on the right side, "
            "in the upper third.",
            "mask",
        ),
        ("A tiny hyperdense nodule on the left side, in the lower third.", "mask"),
    ]
    assert "in the upper third. (written from the mask)" in run(*words).out


def test_without_an_image_no_texture_is_told(run: Any, files: tuple[Path, Path]) -> None:
    told = run("measure", "-m", files[0], "--modality", "CR", "--describe", "Nodules", "--json").json[
        "labels"
    ]
    assert told[0]["sentence"] == "A small round nodule on the right side, in the upper third."


def test_without_the_flag_nothing_is_told(run: Any, files: tuple[Path, Path]) -> None:
    assert "sentence" not in run("measure", "-m", files[0], "--json").json["labels"][0]


def test_an_unknown_concept_is_a_wrong_argument(run: Any, files: tuple[Path, Path]) -> None:
    run("measure", "-m", files[0], "--describe", "gizmo").fails(2, "gizmo")
