"""What the page draws is what the result says, from a folder and from memory."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.io.read import image_from_array, read_image
from medsegr.measure import measure
from medsegr.options import Options
from medsegr.report.parse import parse
from medsegr.results.overlay import COLOURS
from medsegr.results.record import save
from medsegr.results.reopen import reopen
from medsegr.serve.view import (
    focus_of,
    layer_of,
    layer_of_result,
    letters_of,
    presets_of,
    view_of,
    view_of_result,
)
from medsegr.types import FindingResult, Image, Result

TEXT = "FINDINGS:\nSmall nodule in the left upper lung. No pneumothorax. Possible effusion.\n"
BASE = "/v1/jobs/j1"


def values_of(data: bytes) -> np.ndarray:
    return np.asanyarray(nib.Nifti1Image.from_bytes(gzip.decompress(data)).dataobj)


def made(tmp_path: Path, volume: bool = False) -> tuple[Image, Result]:
    """An image file read again, and a result on it with a mask, a report-free one and a map."""
    shape = (6, 7, 8) if volume else (9, 11)
    values = np.random.default_rng(4).integers(0, 200, shape).astype(np.uint8)
    if volume:
        path = tmp_path / "image.nii.gz"
        nib.save(nib.Nifti1Image(values, np.diag([-1.0, -1.0, 2.5, 1.0])), path)
    else:
        from PIL import Image as Picture

        path = tmp_path / "image.png"
        Picture.fromarray(values).save(path)
    image = read_image(path, modality="CT" if volume else "CR")
    report = parse(TEXT, modality=image.modality)
    mask = np.zeros(image.grid, bool)
    mask[2:5, 3:6] = True
    first = FindingResult(
        report.findings[0],
        "segmented",
        mask=mask,
        free_mask=np.roll(mask, 1, 0),
        attention=np.linspace(0, 1, mask.size, dtype=np.float32).reshape(mask.shape),
        score=0.5,
        measurements=measure(image, mask),
    )
    rest = [FindingResult(f, "skipped", f.polarity) for f in report.findings[1:]]
    return image, Result(image, report, (first, *rest), {"name": "m", "sha256": "ab", "licence": "x"})


@pytest.mark.parametrize("volume", [False, True])
def test_a_folder_and_memory_give_the_same_page(tmp_path: Path, volume: bool) -> None:
    image, result = made(tmp_path, volume)
    save(result, tmp_path / "out", Options(explain=True))
    kept, live = view_of(tmp_path / "out", image, TEXT, BASE), view_of_result(result, BASE)
    assert kept["manifest"]["schema"].startswith("medsegr.manifest/")
    assert kept["report"] == live["report"]
    assert kept["image"] == live["image"]
    for a, b in zip(kept["findings"], live["findings"], strict=True):
        for name in ("id", "span", "mentions", "colour", "focus", "cues", "free_layer", "map_layer"):
            assert a[name] == b[name], name
        assert (a["layer"] is None) == (b["layer"] is None)
    first = live["findings"][0]["id"]
    for name in ("image", first, f"{first}.free", f"{first}.map"):
        told, shown = layer_of(tmp_path / "out", image, name), layer_of_result(result, name)
        assert np.array_equal(values_of(told), values_of(shown)), name
    mask = result.findings[0].mask
    assert mask is not None
    drawn = values_of(layer_of_result(result, first))
    assert np.array_equal(drawn if volume else drawn[:, :, 0].T, mask)


@pytest.mark.parametrize(("modality", "told_by"), [("ES", "modality"), (None, "assumed")])
def test_sides_are_those_in_which_the_words_were_read(
    tmp_path: Path, modality: str | None, told_by: str
) -> None:
    """The file says nothing of its kind, the report did: the page's left is the result's left."""
    _image, result = made(tmp_path)
    bare = read_image(tmp_path / "image.png")
    assert letters_of(bare)["left"] == "R"
    source = replace(bare.source, frame_from=told_by)
    seen = replace(bare, modality=modality, frame="viewer", source=source)
    save(replace(result, image=seen), tmp_path / "out", Options())
    shown = view_of(tmp_path / "out", bare, None, BASE)["image"]
    assert shown["letters"] == letters_of(seen) != letters_of(bare)
    assert (shown["modality"], shown["frame"], shown["frame_from"]) == (modality, "viewer", told_by)
    again = reopen(tmp_path / "out", tmp_path / "image.png").result.image
    assert (again.modality, again.frame, again.source.frame_from) == (modality, "viewer", told_by)


def test_a_volume_that_the_words_call_ct_has_the_windows_of_ct(tmp_path: Path) -> None:
    values = np.linspace(-1000, 1000, 6 * 7 * 8, dtype=np.float32).reshape(6, 7, 8)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "ct.nii.gz")
    bare = read_image(tmp_path / "ct.nii.gz")
    result = Result(replace(bare, modality="CT"), None, (), {"name": "m"})
    save(result, tmp_path / "out", Options())
    shown = view_of(tmp_path / "out", bare, None, BASE)["image"]
    assert "Lung" in [one["name"] for one in shown["presets"]]
    assert shown["window"] == [-160.0, 240.0]


def test_the_page_is_json_and_says_whose_it_is(tmp_path: Path) -> None:
    _, result = made(tmp_path)
    view = view_of_result(result, BASE, id="j1", read_only=True)
    assert json.loads(json.dumps(view)) == view
    assert (view["id"], view["read_only"]) == ("j1", True)
    assert not [key for item in view["findings"] for key in item if key.startswith("_")]


def test_cues_are_the_words_that_made_a_finding(tmp_path: Path) -> None:
    _, result = made(tmp_path)
    nodule, pneumothorax, effusion = view_of_result(result, BASE)["findings"]

    def words(item: dict[str, object], kind: str) -> list[str]:
        return [TEXT[slice(*cue["span"])] for cue in item["cues"] if cue["kind"] == kind]  # type: ignore[attr-defined]

    assert "left" in " ".join(words(nodule, "location"))
    assert words(nodule, "shape") == ["Small"]
    assert words(pneumothorax, "negation") == ["No"]
    assert words(effusion, "uncertainty") == ["Possible"]


def test_sections_and_mentions_come_from_the_text(tmp_path: Path) -> None:
    text = "FINDINGS: Nodule in the left upper lung.\nIMPRESSION: Left upper lung nodule. "
    text += "The hilum is wrongled.\n"
    image, result = made(tmp_path)
    report = parse(text, modality="CR")
    shown = replace(result.findings[0], finding=report.findings[0])
    save(replace(result, report=report, findings=(shown,)), tmp_path / "out")
    view = view_of(tmp_path / "out", image, text, BASE)
    assert [part["name"] for part in view["report"]["sections"]] == ["findings", "impression"]
    (first, last), *others = view["report"]["unread"]
    assert (text[first:last], others) == ("The hilum is wrongled", [])
    assert json.loads((tmp_path / "out" / "findings.json").read_text())["report"]["unread"] == [[first, last]]
    assert "wrongled" not in (tmp_path / "out" / "findings.json").read_text()  # names may stand in such words
    assert [list(span) for span in report.findings[0].mentions] == view["findings"][0]["mentions"]


def test_without_the_image_masks_lie_on_a_blank_picture(tmp_path: Path) -> None:
    _, result = made(tmp_path)
    save(result, tmp_path / "out")
    view = view_of(tmp_path / "out", None, None, BASE)
    assert view["image"]["blank"]
    assert view["report"]["text"] is None
    assert not values_of(layer_of(tmp_path / "out", None, "image")).any()
    drawn = values_of(layer_of(tmp_path / "out", None, view["findings"][0]["id"]))[:, :, 0].T
    assert np.array_equal(drawn, result.findings[0].mask)


def test_a_kept_text_is_found_and_another_one_refused(tmp_path: Path) -> None:
    image, result = made(tmp_path)
    save(result, tmp_path / "out", Options(keep_text=True))
    assert view_of(tmp_path / "out", image, None, BASE)["report"]["text"] == TEXT
    with pytest.raises(InputError, match="another one than that of the folder"):
        view_of(tmp_path / "out", image, TEXT + " ", BASE)


def test_another_image_is_refused(tmp_path: Path) -> None:
    _, result = made(tmp_path)
    save(result, tmp_path / "out")
    with pytest.raises(InputError, match="the image is another one"):
        view_of(tmp_path / "out", image_from_array(np.zeros((9, 11), np.float32)), TEXT, BASE)


@pytest.mark.parametrize("name", ["f99", "f2", "f1.other", "../findings", "f1.free.map", "", "f2.map"])
def test_layers_that_are_not_there_are_refused(tmp_path: Path, name: str) -> None:
    image, result = made(tmp_path)
    save(result, tmp_path / "out")
    for layer in (lambda: layer_of(tmp_path / "out", image, name), lambda: layer_of_result(result, name)):
        with pytest.raises(InputError, match="no layer of that name"):
            layer()


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_focus_lies_in_the_mask(seed: int, volume: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((4, 5, 6) if volume else (4, 5)) < rng.random()
    image = image_from_array(
        mask.astype(np.float32), affine=np.diag([1.0, 1, 1, 1]) if volume else None, spacing=None
    )
    focus = focus_of(mask, image)
    if not mask.any():
        assert focus is None
    else:
        assert focus is not None
        assert mask[tuple(focus)] if volume else mask[focus[1], focus[0]]


def flat(**about: object) -> Image:
    return Image(np.zeros((1, 4, 4), np.float32), **about)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "letters"),
    [
        (flat(modality="CR"), {"left": "R", "right": "L", "top": "S", "bottom": "I"}),
        (flat(modality="CT"), {"left": "R", "right": "L", "top": None, "bottom": None}),
        (flat(modality="ES", frame="viewer"), {"left": "L", "right": "R", "top": None, "bottom": None}),
        (flat(axes=("P", "L")), {"left": "R", "right": "L", "top": "A", "bottom": "P"}),
        (flat(axes=("I", "P")), {"left": "A", "right": "P", "top": "S", "bottom": "I"}),
        (flat(axes=("R", "S")), {"left": "R", "right": "L", "top": "S", "bottom": "I"}),
        (flat(modality="MG"), dict.fromkeys(("left", "right", "top", "bottom"))),
        (flat(modality="MG", axes=("L", "P")), dict.fromkeys(("left", "right", "top", "bottom"))),
        (flat(axes=("?", "?")), dict.fromkeys(("left", "right", "top", "bottom"))),
    ],
)
def test_letters_say_what_is_known_and_no_more(image: Image, letters: dict[str, str | None]) -> None:
    assert letters_of(image) == letters


def test_windows_of_ct_are_those_of_radiology() -> None:
    data = np.array([[[-1000.0, 40.0, 1500.0]]], np.float32)
    ct = presets_of(Image(data, modality="CT"))
    assert [preset["name"] for preset in ct][:2] == ["Soft tissue", "Lung"]
    assert ct[-1] == {"name": "Full range", "window": [-1000.0, 1500.0]}
    assert [preset["name"] for preset in presets_of(Image(data, modality="MR"))] == [
        "Usual",
        "Dark parts",
        "Bright parts",
        "Full range",
    ]


def test_colours_are_those_of_the_overlay_and_layers_change_with_their_mask(tmp_path: Path) -> None:
    _, result = made(tmp_path)
    first = view_of_result(result, BASE)["findings"][0]
    assert first["colour"] == "#{:02x}{:02x}{:02x}".format(*COLOURS[0])
    other = replace(result.findings[0], mask=~np.asarray(result.findings[0].mask))
    again = view_of_result(replace(result, findings=(other,)), BASE)["findings"][0]
    assert again["layer"] != first["layer"]
    assert again["layer"].split("?")[0] == first["layer"].split("?")[0]
