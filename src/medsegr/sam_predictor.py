"""A predictor with the calls of segment-anything's ``SamPredictor``, for scripts that are to run with another
model by changing their import::

    from medsegr import SamPredictor, load
    predictor = SamPredictor(load())

Coordinates are pixels of the image as given (x, y), as there. Beyond it every call takes ``text=``.

What differs: the decoder has one mask, so the three masks of ``multimask_output=True`` are three answers to
differently told prompts (:func:`medsegr.prompts.ask.candidates`), best first; every mask keeps to the points;
low-resolution logits cover the image itself, stretched to 256 x 256, not a padded square; without a box or a
point inside and without words there is nothing to draw, and a UsageError says so; ``predict_torch`` and
``transform`` are not there: call :meth:`SamPredictor.predict` for each box, the image stays encoded.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from skimage.transform import resize

from medsegr.errors import InputError, UsageError
from medsegr.io.read import image_from_array
from medsegr.prompts.ask import Asked, Candidate, answer, candidates
from medsegr.prompts.door import checked
from medsegr.reviews import Hints
from medsegr.session import Model
from medsegr.types import Finding, Frame, Image, Segmenter
from medsegr.words import report_of_phrases

LOW = 256  # side of the low-resolution logits
SUREST = 1e-4  # probabilities are cut to this and one minus this before they become logits


class SamPredictor:
    """One image at a time: :meth:`set_image`, then :meth:`predict` as often as wanted. Encoded once."""

    mask_threshold = 0.0  # of logits, as in segment-anything
    image_format = "RGB"

    def __init__(
        self, model: Model | Segmenter, modality: str | None = None, frame: Frame | None = None
    ) -> None:
        """``model`` as :func:`medsegr.load` gives it, or any segmenter. ``modality`` (DICOM code) and
        ``frame`` are those of the images, where they are known: they decide whose left the words mean."""
        self.model = model
        self._segmenter: Segmenter = model.segmenter if isinstance(model, Model) else model
        self._kind = (modality, frame)
        self._image: Image | None = None

    @property
    def device(self) -> str:
        """Where the model runs: cpu, cuda, ..."""
        return str(getattr(self._segmenter, "device", "cpu"))

    @property
    def is_image_set(self) -> bool:
        """Whether there is an image to predict on."""
        return self._image is not None

    @property
    def original_size(self) -> tuple[int, int]:
        """Height and width of the image. UsageError without one."""
        h, w = self._set().grid
        return h, w

    def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
        """``image``: ``h w 3`` (or ``h w``) uint8 in [0, 255]; ``image_format``: "RGB" or "BGR", the order of
        the channels. Refused images leave the one before in place."""
        if image_format not in ("RGB", "BGR"):
            raise UsageError(f"image_format: '{str(image_format)[:20]}' came, RGB or BGR was expected")
        values = np.asarray(image)
        if (
            values.dtype != np.uint8
            or values.ndim not in (2, 3)
            or (values.ndim == 3 and values.shape[2] != 3)
        ):
            raise InputError(
                f"an image of {values.dtype} {values.shape} came: uint8 of height x width x 3 was expected"
            )
        if image_format == "BGR" and values.ndim == 3:
            values = values[..., ::-1]
        picture = image_from_array(np.ascontiguousarray(values), modality=self._kind[0], frame=self._kind[1])
        self._image = picture
        encode = getattr(self._segmenter, "encode", None)
        if encode is not None:
            encode(picture)  # kept by the model, so that every predict finds it

    def reset_image(self) -> None:
        """Forget the image."""
        self._image = None

    def get_image_embedding(self) -> Any:
        """The image's features before any word or prompt: an array ``1 c h w`` at stride 4 of the network's
        input (a tensor, where torch runs the network). UsageError without an image, or where the model does
        not encode images ahead."""
        image, encode = self._set(), getattr(self._segmenter, "encode", None)
        if encode is None:
            raise UsageError("this model has no image embedding: one of our own networks was expected")
        return encode(image)[-1][:1]

    def predict(
        self,
        point_coords: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask_output: bool = True,
        **more: Any,
    ) -> tuple[np.ndarray, Float[np.ndarray, " c"], Float[np.ndarray, "c 256 256"]]:
        """Masks for one object of the image.

        Args:
            point_coords: ``n 2``, x and y in pixels.
            point_labels: ``n``, 1 inside and 0 outside.
            box: x0 y0 x1 y1 in pixels.
            mask_input: ``1 256 256``, logits of an earlier call.
            multimask_output: three masks, best first; else one.
            more: ``return_logits`` (bool: logits instead of masks) and ``text`` (what is meant, in words).

        Returns:
            masks ``c h w`` (bool, or float32 logits), quality ``c`` in [0, 1] (the model's guess of the
            overlap), logits ``c 256 256``.

        Raises:
            UsageError: no image, a prompt that is refused, or no prompt at all.
        """
        unknown = sorted(set(more) - {"return_logits", "text"})
        if unknown:
            raise UsageError(f"predict takes no {', '.join(unknown)}: return_logits and text were expected")
        asked = self._asked((point_coords, point_labels, box, mask_input), str(more.get("text") or ""))
        found = candidates(self._segmenter, asked) if multimask_output else (answer(self._segmenter, asked),)
        logits = np.stack([_logits(one) for one in found])
        low = np.stack([_resized(one, (LOW, LOW)) for one in logits])
        scores = np.array([one.score or 0.0 for one in found], np.float32)
        masks = logits if more.get("return_logits") else np.stack([one.mask for one in found])
        return masks, scores, low

    def _set(self) -> Image:
        if self._image is None:
            raise UsageError("no image is set: call set_image first")
        return self._image

    def _asked(self, given: tuple[Any, Any, Any, Any], text: str) -> Asked:
        image = self._set()
        coords, labels, box, mask_input = given
        points = _rows(coords, labels)
        grid = self.original_size
        before = None
        if mask_input is not None:
            low = np.asarray(mask_input, np.float32)
            if low.shape != (1, LOW, LOW) or not np.isfinite(low).all():
                raise UsageError(
                    f"mask_input has the shape {low.shape}: finite logits 1 {LOW} {LOW} expected"
                )
            before = _resized(low[0], grid) >= self.mask_threshold
        corners = None if box is None else np.asarray(box, float).reshape(-1)
        if points is None and corners is None and before is None and not text.strip():
            raise UsageError("no prompt came: give points, a box, mask_input or text")
        hints = Hints()
        if points is not None or corners is not None:
            hints, _ = checked(grid, points, corners)
        return Asked(image, _named(text, image), hints, before)


def _rows(coords: Any, labels: Any) -> Sequence[Sequence[float]] | None:
    if coords is None and labels is None:
        return None
    if coords is None or labels is None:
        raise UsageError("point_coords and point_labels belong together: one of them is missing")
    xy, kinds = np.asarray(coords, float), np.asarray(labels, float).reshape(-1)
    if xy.ndim != 2 or xy.shape[1] != 2 or len(xy) != len(kinds):
        raise UsageError(
            f"point_coords have the shape {xy.shape}, point_labels {kinds.shape}: n x 2 and n were expected"
        )
    return [[x, y, kind] for (x, y), kind in zip(xy.tolist(), kinds.tolist(), strict=True)]


def _named(text: str, image: Image) -> Finding:
    if not text.strip():
        return Finding("f1", "", (0, 0), "")
    found = report_of_phrases((text,), image.modality, None).findings
    if len(found) != 1:
        raise UsageError(f"the text names {len(found)} findings: one was expected")
    return replace(found[0], polarity="present")


def _logits(found: Candidate) -> Float[np.ndarray, "h w"]:
    """Logits that say the same as the mask."""
    prob = np.clip(found.prob.astype(np.float32), SUREST, 1 - SUREST)
    logits = np.log(prob / (1 - prob))
    agreed: np.ndarray = np.where(
        found.mask, np.maximum(logits, np.float32(SUREST)), np.minimum(logits, np.float32(-SUREST))
    )
    return agreed.astype(np.float32)


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape == size:
        return values
    out: np.ndarray = resize(values, size, order=1, mode="edge", anti_aliasing=True).astype(np.float32)
    return out
