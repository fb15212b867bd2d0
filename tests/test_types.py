import dataclasses

import numpy as np
import pytest

from medsegr.types import MODALITIES, Image, Prompt, Segmentation, modality_code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("CR", "CR"),
        ("cr", "CR"),
        ("DX", "CR"),
        ("chest X-ray", "CR"),
        ("Chest  X-ray", "CR"),
        ("chest_xray", "CR"),
        ("CT", "CT"),
        ("abdominal CT", "CT"),
        ("brain MRI", "MR"),
        ("MR T2*", "MR"),
        ("breast ultrasound", "US"),
        ("colonoscopy", "ES"),
        ("stained histology", "SM"),
        ("fluorescence microscopy", "GM"),
        ("fundus photograph", "OP"),
        ("dermoscopy", "DMS"),
        ("XC", "DMS"),  # a photograph by a camera outside of the body
        ("mammography", "MG"),
        ("", None),
        (None, None),
        ("a sketch", None),
        ("doctor", None),  # "ct" inside a word is no CT
    ],
)
def test_modality_code(words: str | None, code: str | None) -> None:
    assert modality_code(words) == code


def test_every_code_and_every_name_is_its_own_code() -> None:
    for code, (frame, names) in MODALITIES.items():
        assert modality_code(code) == code
        assert frame in ("patient", "viewer")
        assert [modality_code(name) for name in names] == [code] * len(names)


def test_modalities_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MODALITIES["XX"] = ("patient", ())  # type: ignore[index]


def test_grid_leaves_the_channels_out() -> None:
    assert Image(np.zeros((3, 4, 5), np.float32)).grid == (4, 5)
    assert Image(np.zeros((1, 2, 4, 5), np.float32)).grid == (2, 4, 5)


def test_values_are_frozen() -> None:
    image = Image(np.zeros((1, 4, 5), np.float32))
    with pytest.raises(dataclasses.FrozenInstanceError):
        image.modality = "CT"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Prompt(("a",)).text = "b"  # type: ignore[misc]
    assert Segmentation(np.zeros((1, 4, 5), np.float32), ("a",)).extras == {}
