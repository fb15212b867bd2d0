"""A marker in the patient comes out at its place in a real browser, however its file stores it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from medsegr.grid.planes import plane_of, to_slices
from medsegr.io.read import image_from_array
from medsegr.serve.view import layer_of_result, view_of_result
from medsegr.types import Finding, FindingResult, Image, Result

from .browsing import STATIC, need_browser, run, shots

GRID = (13, 17, 11)  # along R, A, S
AT = (3, 12, 8)  # the marker: towards the patient's left, front and head
SPACING = np.array([2.5, 1.0, 1.6])
ORDERS: Mapping[str, tuple[tuple[int, int, int], tuple[bool, bool, bool]]] = {
    "ras": ((0, 1, 2), (False, False, False)),
    "lps": ((0, 1, 2), (True, True, False)),
    "sla": ((2, 0, 1), (False, True, False)),
    "pir": ((1, 2, 0), (True, True, False)),
    "ail": ((1, 2, 0), (False, True, True)),
    "irp": ((2, 0, 1), (True, False, True)),
}


def result_on(image: Image, mask: np.ndarray) -> Result:
    finding = Finding("f1", "marker", (0, 6), "marker")
    return Result(image, None, (FindingResult(finding, "segmented", mask=mask),), {"name": "m"})


def volume(name: str, tilt: float) -> Result:
    """The body with its marker, stored in an order; ``tilt`` turns it about the patient's long axis."""
    order, flips = ORDERS[name]
    body, mask = np.full(GRID, 20.0, np.float32), np.zeros(GRID, bool)
    mask[tuple(slice(n - 1, n + 2) for n in AT)] = True
    body[mask] = 250
    base, matrix = np.eye(4), np.zeros((4, 4))
    base[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    base[:3, :3] = base[:3, :3] * SPACING
    base[:3, 3] = (11, -7, 5)
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = -1 if flips[new] else 1
        matrix[old, 3] += GRID[old] - 1 if flips[new] else 0
    back = [n for n, flip in enumerate(flips) if flip]
    stored, kept = (np.ascontiguousarray(np.flip(np.transpose(a, order), back)) for a in (body, mask))
    return result_on(image_from_array(stored, affine=base @ matrix, modality="MR"), kept)


def picture(scale: int = 1, **about: Any) -> Result:
    """A picture with a marker towards its right and top."""
    mask = np.zeros((14, 20), bool)
    mask[2:5, 13:16] = True
    mask = np.kron(mask, np.ones((scale, scale), bool))
    data = np.where(mask, 240, 30)[None].astype(np.float32)
    return result_on(Image(data, **about), mask)


CASES: dict[str, Result] = {
    **{f"v-{name}": volume(name, 0.0) for name in ORDERS},
    "v-oblique": volume("lps", 0.35),
    "v-viewer": result_on(
        Image(np.where(np.arange(1001).reshape(7, 11, 13) % 97 == 0, 250, 20)[None].astype(np.float32)),
        np.arange(1001).reshape(7, 11, 13) % 97 == 0,
    ),
    "p-patient": picture(modality="CR"),
    "p-viewer": picture(modality="ES", frame="viewer"),
    "p-long": picture(modality="CR", spacing=(2.0, 0.5)),
    "p-film": picture(modality="CR", axes=("I", "R"), spacing=(1.0, 1.0)),
    "p-side": picture(modality="CR", axes=("P", "I"), spacing=(1.0, 1.0)),
    "p-large": picture(scale=150, modality="CR"),  # larger than many a graphics card's 3-D texture
    "p-colour": result_on(
        Image(np.repeat(picture().image.data, 3, 0), modality="DMS", frame="viewer"),
        picture().findings[0].mask,  # type: ignore[arg-type]
    ),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser showed of every case."""
    need_browser()
    root = tmp_path_factory.mktemp("places")
    for name, result in CASES.items():
        folder = root / name / "layers"
        folder.mkdir(parents=True)
        view = view_of_result(result, f"/v1/jobs/{name}", id=name, read_only=True)
        (root / name / "view.json").write_text(json.dumps(view), encoding="utf-8")
        for layer in ("image", "f1"):
            (folder / f"{layer}.nii.gz").write_bytes(layer_of_result(result, layer))
    about = {"site": str(STATIC), "cases": str(root), "names": list(CASES), "shots": shots()}
    return {line["name"]: line for line in run("places.mjs", about)}


@pytest.mark.parametrize("name", CASES)
def test_the_image_is_where_our_drawing_thinks_it_is(seen: dict[str, Any], name: str) -> None:
    line = seen[name]
    assert line["faults"] == []
    for tile, outlined in zip(line["tiles"], line["outlined"], strict=True):
        assert tile["here"] > 150, tile
        assert outlined
        if name != "v-viewer":  # its marks are many
            assert max(tile["mirrored"]) < 90, tile


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("v-") and name != "v-viewer"])
def test_planes_of_a_volume_are_radiological(seen: dict[str, Any], name: str) -> None:
    tiles = {tile["kind"]: tile for tile in seen[name]["tiles"]}
    assert set(tiles) == {0, 1, 2}
    # The page goes to the marker's largest plane, which may be one beside its middle.
    right, front, head = (at / (n - 1) for at, n in zip(AT, GRID, strict=True))
    assert (tiles[0]["across"], tiles[0]["down"]) == pytest.approx((1 - right, 1 - front), abs=0.11)
    assert (tiles[1]["across"], tiles[1]["down"]) == pytest.approx((1 - right, 1 - head), abs=0.11)
    assert (tiles[2]["across"], tiles[2]["down"]) == pytest.approx((1 - front, 1 - head), abs=0.11)
    wide = SPACING / SPACING.min()
    assert tiles[0]["ratio"] == pytest.approx(wide[0] / wide[1], rel=0.03)
    assert tiles[2]["ratio"] == pytest.approx(wide[1] / wide[2], rel=0.03)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("v-")])
def test_niivue_draws_a_volume_where_the_plain_canvas_drew_it(seen: dict[str, Any], name: str) -> None:
    told = seen[name]["apart"]
    assert told["deep"]
    # A marker that lay elsewhere would make 10 of 255 grey levels and more.
    assert max(told["before"]) < 0.5, told
    assert max(told["after"]) < 0.5, told


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("p-")])
def test_pictures_need_no_webgl(seen: dict[str, Any], name: str) -> None:
    assert not seen[name]["apart"]["deep"]


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("p-")])
def test_pictures_lie_as_the_overlay_draws_them(seen: dict[str, Any], name: str) -> None:
    image, mask = CASES[name].image, CASES[name].findings[0].mask
    assert mask is not None
    (tile,) = seen[name]["tiles"]
    shown = to_slices(mask, plane_of(image))
    y, x = (axis.mean() / (n - 1) for axis, n in zip(np.nonzero(shown), shown.shape, strict=True))
    assert (tile["across"], tile["down"]) == pytest.approx((x, y), abs=0.03)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("p-patient", {"left": "R", "right": "L", "top": "S", "bottom": "I"}),
        ("p-viewer", {"left": "L", "right": "R"}),
        ("p-film", {"left": "R", "right": "L", "top": "S", "bottom": "I"}),
        ("p-side", {"left": "A", "right": "P", "top": "S", "bottom": "I"}),
        ("v-viewer", {}),
    ],
)
def test_letters_are_at_their_edges(seen: dict[str, Any], name: str, letters: dict[str, str]) -> None:
    assert seen[name]["letters"] == letters


def test_a_slice_of_an_unplaced_volume_is_a_plane_of_the_file(seen: dict[str, Any]) -> None:
    focus = view_of_result(CASES["v-viewer"], "")["findings"][0]["focus"]
    tile = next(tile for tile in seen["v-viewer"]["tiles"] if tile["kind"] == 0)
    assert (tile["across"], tile["down"]) == pytest.approx((focus[2] / 12, focus[1] / 10), abs=0.02)
