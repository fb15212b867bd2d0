"""Intensities as the network sees them: one rule, used alike when training and when predicting. Numpy
only."""

from dataclasses import replace

import numpy as np

from medsegr.types import Image

CT_WINDOW = (-160.0, 300.0)  # HU; soft tissue, for CT that still holds Hounsfield units
HAZY = 110.0  # of 255: no colour picture that was trained on spans so little, and none is seen well that does
COLOUR_SAMPLE = 200_000  # values of a colour picture that are looked at: its latency counts
ENLARGED = 4.0  # slices of 35 x 50 pixels are best seen at 160 to 192 px (decision 0040)
TINT = 0.1  # of the brightest value: difference of channels that is a colour
TINTED = 0.05  # of the pixels: a coloured label on a film has up to 0.03, pictures in colour 0.18 and more
# Gains and offsets that make red, green and blue of a stretched grey value, in kinds of pictures that are
# learned in colour only: least squares over 80 endoscopies and 30 fundus photographs (decision 0046).
COLOURS = {
    "ES": ((1.06, 0.93, 0.78), (39.0, -16.0, -24.0)),
    "OP": ((1.02, 0.62, 0.16), (22.0, -19.0, -4.0)),
}
OF_THEIR_OWN = ("CT", *COLOURS)  # modalities whose values are treated otherwise


def to_bytes(image: Image) -> np.ndarray:
    """``c *grid`` uint8 with c = 1 or 3. Grey is stretched between its 0.5 and 99.5 percentiles. Colour stays
    as it is, unless these percentiles of all channels together lie within :data:`HAZY`: such a picture is
    stretched by them, its colours in their proportion.

    CT in Hounsfield units (values below -200) is cut to the soft-tissue window instead, so that equal tissue
    stays equally grey. A grey picture of a kind that is always learned in colour (:data:`COLOURS`) is given
    the usual colours of its kind.
    """
    if image.modality in COLOURS and len(image.grid) == 2 and not coloured(image.data):
        return _in_colour(image)
    data = image.data
    low, high = float(data.min()), float(data.max())
    colour = data.shape[0] == 3 and low >= 0 and high <= 255
    if image.modality == "CT" and low < -200 and not colour:
        low, high = CT_WINDOW
    else:
        step = max(1, data.size // (COLOUR_SAMPLE if colour else 1_000_000))
        low, high = (float(v) for v in np.percentile(data.reshape(-1)[::step], (0.5, 99.5)))
    if colour and not 0 < high - low < HAZY:
        return np.ascontiguousarray(data.round().astype(np.uint8))
    return np.clip((data - low) * (255.0 / span_of(data, low, high)), 0, 255).astype(np.uint8)


def span_of(data: np.ndarray, low: float, high: float) -> float:
    """``high - low``, by which grey values are divided, and above 0 where these are equal. It goes with the
    values: those of a map of diffusion in m2/s lie 1e-9 apart."""
    return max(high - low, 1e-6 * (float(data.max()) - float(data.min())), 1e-30)


def coloured(data: np.ndarray) -> bool:
    """Whether more than a twentieth of the pixels of ``c *grid`` have a clear colour: c is 3 then."""
    if len(data) != 3:
        return False
    tint = data.max(axis=0) - data.min(axis=0)
    top = float(data.max())
    return top > 0 and float((tint > TINT * top).mean()) > TINTED


def _in_colour(image: Image) -> np.ndarray:
    gains, offsets = (np.array(v, np.float32)[:, None, None] for v in COLOURS[image.modality or ""])
    grey = to_bytes(replace(image, data=image.data.mean(axis=0, keepdims=True), modality=None))
    return np.asarray(np.clip(gains * grey + offsets, 0, 255).round().astype(np.uint8))


def working_size(grid: tuple[int, int], modality: str | None, base: int) -> tuple[int, int]:
    """Height and width (multiples of 32) at which a picture is best shown to the network.

    ``base`` is the side of a square of the usual area. Microscopy keeps its own resolution up to twice that
    side, because cells have a size in pixels and not in parts of the picture; fundus photographs take twice
    the side for thin vessels. Very small ones are enlarged ``ENLARGED`` times at most: more makes things
    larger than the network has learned them. Very long pictures are squeezed to 2:1 at most.
    """
    h, w = grid
    side = min(float(base), ENLARGED * float(np.sqrt(h * w)))
    if modality in ("SM", "GM"):
        side = float(np.clip(np.sqrt(h * w), base, 2 * base))
    elif modality == "OP":
        side = 2.0 * base
    ratio = float(np.clip(w / h, 0.5, 2.0)) ** 0.5
    rounded = [max(64, round(v / 32) * 32) for v in (side / ratio, side * ratio)]
    return rounded[0], rounded[1]
