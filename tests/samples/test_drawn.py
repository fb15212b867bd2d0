"""What a row marks on its image: the target, and the pixels that nobody judged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from medsegr.errors import InputError
from medsegr.grid import planes
from medsegr.io.masks import MaskInfo, Masks
from medsegr.io.read import image_from_array
from medsegr.io.write import write_mask
from medsegr.samples import drawn
from medsegr.samples.drawn import Marks, ignored_in, marked, read_marks


@pytest.mark.parametrize(
    ("row", "mask", "unknown"),
    [
        ({"ignore": "3"}, [0, 1, 1, 0], [0, 0, 0, 1]),
        ({"label": "1", "ignore": "3"}, [0, 1, 0, 0], [0, 0, 0, 1]),
        ({"label": "1", "ignore": " 2, 3 "}, [0, 1, 0, 0], [0, 0, 1, 1]),
        (
            {"label": "1", "ignore": "0"},
            [0, 1, 0, 0],
            [1, 0, 0, 0],
        ),  # scribbles: the rest is open
        ({"label": "1", "ignore": "-1"}, [0, 1, 0, 0], None),
        ({"label": "1", "ignore": ""}, [0, 1, 0, 0], None),
        ({}, [0, 1, 1, 1], None),
    ],
)
def test_values_of_a_mask_file_are_target_unknown_or_background(
    row: dict[str, str], mask: list[int], unknown: list[int] | None
) -> None:
    found = marked(np.arange(4.0), row)
    assert found.mask.tolist() == [bool(v) for v in mask]
    assert (None if found.unknown is None else found.unknown.astype(int).tolist()) == unknown


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"ignore": "rest"}, "row a: ignore 'rest' came where a number, .* leave it empty where every pixel"),
        ({"ignore": "1.5"}, "row a: ignore '1.5' came"),
        ({"ignore": "3,"}, "row a: ignore '3,' came"),
        ({"ignore": "[3]"}, r"row a: ignore '\[3\]' came"),
        ({"ignore": "9" * 5000}, "row a: ignore '9{40}' came"),
        ({"label": "1,3", "ignore": "3"}, "row a: the value 3 came in label and in ignore, .* remove it"),
    ],
)
def test_what_cannot_be_ignored_is_refused_in_one_line(row: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        marked(np.arange(4.0), {"id": "a", **row})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_number_that_no_mask_holds_ignores_nothing() -> None:
    assert ignored_in({"ignore": "1" + "0" * 40}) == [10**40]
    assert marked(np.arange(4.0), {"ignore": "1" + "0" * 40}).unknown is None


def tilt(mask: np.ndarray) -> np.ndarray:
    return planes.tilted(mask, 17.0, 1.3) >= 0.5


def shrink(mask: np.ndarray) -> np.ndarray:
    flat = Pil.fromarray(mask[0].astype(np.uint8) * 255).resize((5, 4), Pil.Resampling.BOX)
    return np.asarray(flat) > 127


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([tilt, shrink]), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_pixel_stays_known_only_where_the_unknown_ones_cannot_change_it(
    how: Callable[[np.ndarray], np.ndarray], seed: int, filled: float
) -> None:
    rng = np.random.default_rng(seed)
    mask, widest = rng.random((6, 9, 8)) < 0.4, rng.random((6, 9, 8)) < 0.4
    after = Marks.of(mask, widest).taken(how)
    truth = how(mask | (widest & (rng.random(mask.shape) < filled)))
    known = np.ones(truth.shape, bool) if after.unknown is None else ~after.unknown
    assert np.array_equal(after.mask[known], truth[known])
    assert not (after.mask & ~known).any()


def test_marks_say_what_is_absent_blank_and_judged() -> None:
    nothing, some = np.zeros((2, 2), bool), np.array([[True, False], [False, False]])
    assert Marks(nothing).absent
    assert not Marks(some).absent
    assert not Marks.of(nothing, some).absent  # nobody knows
    assert Marks.of(nothing, nothing).unknown is None
    assert [Marks(nothing).blank, Marks(nothing, some).blank, Marks(nothing, ~nothing).blank] == [0, 0, 1]
    assert Marks(nothing, some).judged(~nothing).tolist() == [[False, True], [True, True]]
    answer = ~nothing
    assert Marks(some).judged(answer) is answer


def test_a_mask_file_is_read_once_for_all_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.arange(20, dtype=np.uint8).reshape(4, 5) % 4
    Pil.fromarray(values).save(tmp_path / "a.png")
    Pil.fromarray(values.T.copy().reshape(4, 5)).save(tmp_path / "b.png")
    asked = [("a.png", "3"), ("b.png", "1"), ("a.png", "1,2"), ("b.png", "2"), ("a.png", "")]
    rows = [
        {"id": str(at), "mask": name, "label": label, "ignore": "" if label else "3"}
        for at, (name, label) in enumerate(asked)
    ]
    image = image_from_array(np.zeros((4, 5), np.float32))
    alone = [read_marks(tmp_path, [row], image)[0] for row in rows]
    read: list[str] = []
    plain = drawn.read_column

    def noted(folder: Path, row: Any, column: str) -> Any:
        read.append(row[column])
        return plain(folder, row, column)

    monkeypatch.setattr(drawn, "read_column", noted)
    together = read_marks(tmp_path, rows, image)
    assert read == ["a.png", "b.png"]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.mask, other.mask)
        assert (one.unknown is None) == (other.unknown is None)
    assert np.array_equal(together[0].mask, values == 3)
    assert np.array_equal(together[4].unknown, values == 3)


DISC = np.hypot(*(np.mgrid[:60, :80] - np.array([30, 35])[:, None, None])) < 15
PAGE = image_from_array(np.zeros((60, 80), np.float32))


def saved(tmp_path: Path, values: np.ndarray, name: str = "m.png", **how: Any) -> Marks:
    Pil.fromarray(values.astype(np.uint8)).save(tmp_path / name, **how)
    return read_marks(tmp_path, [{"id": "a", "mask": name}], PAGE)[0]


def test_what_a_jpeg_blurs_and_soft_edges_do_not_make_a_target_larger(tmp_path: Path) -> None:
    for quality in (95, 75, 50):
        sent = saved(tmp_path, DISC * 255, "m.jpg", quality=quality).mask
        assert (sent != DISC).sum() < 0.01 * DISC.sum()  # all above 0 would be 13 % more and up
    large = Pil.fromarray((DISC * 255).astype(np.uint8)).resize((320, 240), Pil.Resampling.BICUBIC)
    soft = np.asarray(large.resize((80, 60), Pil.Resampling.BOX))
    assert len(np.unique(soft)) > 2
    assert (saved(tmp_path, soft).mask == (soft > 127.5)).all()


def test_numbers_of_things_in_a_mask_are_no_edges(tmp_path: Path) -> None:
    cells = np.zeros((60, 80))
    for number in range(1, 41):
        cells[(number // 8) * 9 : (number // 8) * 9 + 6, (number % 8) * 9 : (number % 8) * 9 + 6] = number
    assert (saved(tmp_path, cells).mask == (cells > 0)).all()
    cells[::2] *= cells[::2] < 3
    assert (saved(tmp_path, np.minimum(cells, 3)).mask == (cells > 0)).all()


def test_what_has_no_values_of_a_mask_is_refused_with_its_row(tmp_path: Path) -> None:
    green = np.zeros((60, 80, 3))
    green[..., 1] = DISC * 255  # its red, which was read, is empty: "not there"
    with pytest.raises(InputError, match=r"row a: m\.png: colours came where a mask has values"):
        saved(tmp_path, green)
    black = np.zeros((60, 80, 4))
    black[..., 3] = DISC * 255
    with pytest.raises(InputError, match="black on a transparent ground came"):
        saved(tmp_path, black)
    with pytest.raises(InputError, match="values came that change from pixel to pixel"):
        saved(tmp_path, np.random.default_rng(0).integers(0, 255, (60, 80)))
    with pytest.raises(InputError, match="JPEG blurs labels"):
        saved(tmp_path, np.kron([[0, 1], [2, 1]], np.full((30, 40), 100)), "m.jpg")
    grey = np.repeat((DISC * 255)[..., None], 3, axis=2)
    assert (saved(tmp_path, grey).mask == DISC).all()
    assert (saved(tmp_path, np.dstack([grey, DISC * 255])).mask == DISC).all()


def test_a_mask_of_as_many_pixels_is_not_yet_one_of_the_same_grid(tmp_path: Path) -> None:
    Pil.fromarray(np.ones((4, 6), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"row a: the mask is \(4, 6\), the image \(6, 4\)"):
        read_marks(tmp_path, [{"id": "a", "mask": "m.png"}], image_from_array(np.zeros((6, 4))))


def test_a_mask_that_lies_elsewhere_in_the_patient_is_refused(tmp_path: Path) -> None:
    mask = np.ones((4, 5, 6), bool)
    image = image_from_array(np.zeros(mask.shape), affine=np.eye(4))
    moved = image_from_array(np.zeros(mask.shape), affine=np.eye(4) + 9 * np.eye(4, k=3))
    write_mask(mask, image, tmp_path / "m", "nifti", "x")
    row = {"id": "a", "mask": "m.nii.gz"}
    assert read_marks(tmp_path, [row], image)[0].mask.all()
    with pytest.raises(InputError, match=r"row a: mask and image lie up to .* mm apart"):
        read_marks(tmp_path, [row], moved)


def test_a_mask_in_another_order_of_axes_is_the_same_mask(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((4, 4, 4)) > 0.5
    image = image_from_array(np.zeros(mask.shape), affine=np.diag([2.0, 1, 1, 1]))
    turned = np.array([[0, 0, -2.0, 6], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    saved = np.ascontiguousarray(mask.transpose(1, 2, 0)[..., ::-1]).astype(np.uint8)
    nib.save(nib.Nifti1Image(saved, turned), tmp_path / "m.nii")
    row = {"id": "a", "mask": "m.nii"}
    assert np.array_equal(read_marks(tmp_path, [row], image)[0].mask, mask)


def test_a_picture_s_mask_whose_order_nobody_tells_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.eye(6, dtype=np.uint8), np.eye(4)), tmp_path / "m.nii")
    with pytest.raises(InputError, match=r"row a: .*save the mask as PNG"):
        read_marks(tmp_path, [{"id": "a", "mask": "m.nii"}], image_from_array(np.zeros((6, 6))))


def test_the_segments_of_a_row_are_those_of_its_label() -> None:
    image = image_from_array(np.zeros((2, 3)))
    layer = np.array([[0, 1, 2], [3, 0, 2]], np.uint16)
    masks = Masks(image, tuple(MaskInfo(n, str(n)) for n in (1, 2, 3)), (layer,))
    assert (drawn._segment(masks, {"id": "a", "label": "1, 3"}).mask == np.isin(layer, (1, 3))).all()
    assert (drawn._segment(masks, {"id": "a"}).mask == (layer > 0)).all()
