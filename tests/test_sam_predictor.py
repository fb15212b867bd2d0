"""A script that was written for segment-anything runs with our predictor by its import alone."""

import numpy as np
import pytest

from made_discs import Disc
from medsegr.errors import InputError, UsageError
from medsegr.sam_predictor import SamPredictor
from medsegr.session import Model

SCRIPT = """
import numpy as np

predictor = SamPredictor(sam)
predictor.set_image(image)
assert predictor.is_image_set and predictor.original_size == image.shape[:2]

input_point = np.array([[30, 20]])
input_label = np.array([1])
masks, scores, logits = predictor.predict(
    point_coords=input_point, point_labels=input_label, multimask_output=True
)
assert masks.shape == (3, *image.shape[:2]) and masks.dtype == bool
assert scores.shape == (3,) and logits.shape == (3, 256, 256)

input_point = np.array([[30, 20], [40, 28]])
input_label = np.array([1, 0])
mask_input = logits[np.argmax(scores), :, :]
masks, _, _ = predictor.predict(
    point_coords=input_point,
    point_labels=input_label,
    mask_input=mask_input[None, :, :],
    multimask_output=False,
)
assert masks.shape == (1, *image.shape[:2])
assert masks[0][20, 30] and not masks[0][28, 40]

found = []
for input_box in np.array([[4, 4, 20, 20], [40, 30, 60, 44]]):
    masks, scores, _ = predictor.predict(
        point_coords=None, point_labels=None, box=input_box[None, :], multimask_output=False
    )
    found.append(masks[0])
assert found[0][12, 12] and found[1][37, 50] and not (found[0] & found[1]).any()

masks, _, _ = predictor.predict(
    point_coords=np.array([[10, 10]]),
    point_labels=np.array([0]),
    box=np.array([4, 4, 20, 20]),
    multimask_output=False,
)
assert not masks[0][10, 10] and masks[0][17, 15]
"""


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def ready(hears: bool = False) -> SamPredictor:
    predictor = SamPredictor(Model(Disc(hears)))
    predictor.set_image(image())
    return predictor


@pytest.mark.parametrize("hears", [False, True])
def test_a_script_runs_unchanged(hears: bool) -> None:
    exec(
        compile(SCRIPT, "script", "exec"),
        {"SamPredictor": SamPredictor, "sam": Disc(hears), "image": image()},
    )


def test_words_beside_the_prompts() -> None:
    predictor = ready()
    masks, scores, _ = predictor.predict(text="nodule", multimask_output=False)
    assert masks[0][24, 32]
    assert scores[0] == pytest.approx(0.9)
    three, _, _ = predictor.predict(np.array([[5.0, 5.0]]), np.array([1]), text="nodule")
    assert all(mask[5, 5] for mask in three)


def test_logits_say_what_the_masks_say() -> None:
    predictor = ready()
    given = (np.array([[5.0, 5.0], [32.0, 24.0]]), np.array([1, 0]))
    masks, _, _ = predictor.predict(*given)
    logits, _, low = predictor.predict(*given, return_logits=True)
    assert ((logits > predictor.mask_threshold) == masks).all()
    assert np.isfinite(low).all()


def test_bgr_is_turned() -> None:
    one, other = ready(), SamPredictor(Disc())
    other.set_image(image()[..., ::-1], "BGR")
    assert (one._image.data == other._image.data).all()  # type: ignore[union-attr]


def test_what_is_refused() -> None:
    predictor = SamPredictor(Disc())
    with pytest.raises(UsageError, match="set_image first"):
        predictor.predict(np.array([[1.0, 1.0]]), np.array([1]))
    with pytest.raises(InputError, match="uint8"):
        predictor.set_image(np.zeros((4, 4, 3)))
    with pytest.raises(UsageError, match="RGB or BGR"):
        predictor.set_image(image(), "HSV")
    predictor = ready()
    with pytest.raises(UsageError, match="no prompt"):
        predictor.predict()
    with pytest.raises(UsageError, match="belong together"):
        predictor.predict(np.array([[1.0, 1.0]]))
    with pytest.raises(UsageError, match="outside the picture"):
        predictor.predict(np.array([[64.0, 1.0]]), np.array([1]))
    with pytest.raises(UsageError, match="mask_input"):
        predictor.predict(mask_input=np.zeros((1, 8, 8)))
    with pytest.raises(UsageError, match="takes no texts"):
        predictor.predict(texts="nodule")
    with pytest.raises(UsageError, match="no image embedding"):
        predictor.get_image_embedding()
    predictor.reset_image()
    assert not predictor.is_image_set


def test_our_own_network_gives_its_embedding() -> None:
    from medsegr.predict import build

    predictor = SamPredictor(build(untrained=True))
    predictor.set_image(image())
    assert tuple(predictor.get_image_embedding().shape[:1]) == (1,)
    masks, _, _ = predictor.predict(box=np.array([4, 4, 40, 30]))
    assert masks.shape == (3, 48, 64)
    assert masks.any(axis=(1, 2)).all()
