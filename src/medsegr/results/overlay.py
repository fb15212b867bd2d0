"""The picture a person looks at: the image, each contour with its phrase, and a legend that also lists what
was not drawn.

numpy and Pillow only. Report text is untrusted: control and bidirectional characters are dropped, lines are
cut to fit.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from medsegr.grid.pixels import span_of
from medsegr.grid.planes import Plane, shows_sides, to_slices, usual_plane
from medsegr.types import FindingResult, Image, Result

NOTICE = "Not a medical device. For research."
# Okabe and Ito's colours, told apart with any colour vision; first those that stand out on red and grey.
COLOURS = (
    (86, 180, 233),
    (240, 228, 66),
    (204, 121, 167),
    (0, 158, 115),
    (230, 159, 0),
    (213, 94, 0),
    (0, 114, 178),
)
GREY, WHITE, PAPER, AMBER = (150, 150, 150), (240, 240, 240), (24, 24, 24), (242, 180, 92)
# Warnings that doubt the image itself: all findings hang on it. The page has the same (web/src/words.ts).
OF_THE_IMAGE = (
    "looks_mirrored",
    "looks_negative",
    "looks_turned",
    "narrow_window",
    "modality_pixels",
    "modality_report",
)
WITHOUT_ANY = ("nothing_read", "nothing_proposed")  # why there is no finding at all
VIEW_SIDE, TILE_SIDE = 768, 480  # px of the longer side of a single view, and of one among several
WHY = {
    "absent": "the report denies it",
    "uncertain": "the report is not sure",
    "prior": "only in an earlier study",
    "not_this_patient": "not this patient",
    "no_place": "nothing to draw",
    "not_in_image": "not in this kind of image",
    "presence_low": "the image does not show it",
    "empty": "the mask came out empty",
    "unknown_concept": "the model was not trained for it",
    "part_unknown": "the model draws the whole organ only",
    "kind_unknown": "the model draws all kinds of it only",
    "made_only": "the model learned it from made images only",
    "geometry": "the image's geometry does not allow it",
    "too_small": "too small for this image",
    "error": "an error, see findings.json",
}
Box = tuple[float, float, float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class View:
    """One picture of the image: ``pixels`` uint8 ``h w 3``, masks, letters for its left and right edge."""

    pixels: np.ndarray
    masks: tuple[tuple[int, np.ndarray], ...]  # (index of the finding, bool "h w")
    letters: tuple[str, str] | None
    title: str = ""


def draw(result: Result) -> Picture.Image:
    """The whole overlay as an RGB picture.

    One view of a picture or some slices of a volume, then the legend.
    """
    views = _views(result)
    side = VIEW_SIDE if len(views) == 1 else TILE_SIDE
    tiles = [_draw_view(view, result.findings, side) for view in views]
    body = _mosaic(tiles)
    legend = _legend(result, max(body.width, 480))
    page = Picture.new("RGB", (max(body.width, legend.width), body.height + legend.height), PAPER)
    page.paste(body, ((page.width - body.width) // 2, 0))
    page.paste(legend, (0, body.height))
    return page


def clean(text: str, limit: int = 200) -> str:
    """Report text made safe for one line of a picture or terminal: no control or direction marks, cut to
    ``limit``.
    """
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * limit])
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "\u2026"


def window(image: Image) -> np.ndarray:
    """Intensities as uint8 ``*grid 3`` for the eye.

    HU -160..240 for CT (lung or bone would need another window), else 0.5 to 99.5 %.
    """
    data = np.nan_to_num(np.asarray(image.data, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if data.shape[0] == 3 and data.min(initial=0) >= 0 and data.max(initial=0) <= 255:
        top = 255.0 if data.max(initial=0) > 1.5 else 1.0
        return np.moveaxis((data / top * 255).round().astype(np.uint8), 0, -1)
    data = data[:1] if data.shape[0] != 3 else data
    low, high = _levels(data, image.modality)
    grey = np.clip((data - low) / span_of(data, low, high), 0, 1)
    shown = np.moveaxis((grey * 255).round().astype(np.uint8), 0, -1)
    return np.repeat(shown, 3, axis=-1) if shown.shape[-1] == 1 else shown


def levels(image: Image) -> tuple[float, float]:
    """Intensities that become black and white in :func:`window`, for an image of one channel."""
    data = np.nan_to_num(np.asarray(image.data[:1], np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return _levels(data, image.modality)


def _levels(data: np.ndarray, modality: str | None) -> tuple[float, float]:
    if modality == "CT" and data.min(initial=0) < -200:
        return -160.0, 240.0
    low, high = np.percentile(data[..., :: max(1, data.shape[-1] // 512)], (0.5, 99.5))
    return float(low), float(high)


def _views(result: Result) -> list[View]:
    image, pixels = result.image, window(result.image)
    drawn = [
        (i, item.mask) for i, item in enumerate(result.findings) if item.mask is not None and item.mask.any()
    ]
    plane = usual_plane(image)
    slabs = np.moveaxis(to_slices(np.moveaxis(pixels, -1, 0), plane), 0, -1)
    stacks = [(i, to_slices(mask, plane)) for i, mask in drawn]
    if len(image.grid) == 2:
        turned = tuple((i, _square_pixels(mask, image, plane)) for i, mask in stacks)
        return [View(_square_pixels(slabs, image, plane), turned, _letters(image, plane))]
    best = [int(stack.sum(axis=(1, 2)).argmax()) for _, stack in stacks]
    chosen = sorted(set(best))[:9] or [len(slabs) // 2]
    return [
        View(
            _square_pixels(slabs[z], image, plane),
            tuple((i, _square_pixels(stack[z], image, plane)) for i, stack in stacks if stack[z].any()),
            _letters(image, plane),
            f"slice {z + 1} of {len(slabs)}",
        )
        for z in chosen
    ]


def _square_pixels(array: np.ndarray, image: Image, plane: Plane) -> np.ndarray:
    """Repeats rows or columns of a slice ``h w ...``, so that a millimetre is as long down as across."""
    if image.spacing is None:
        return array
    tall, wide = (float(image.spacing[axis]) for axis in plane.order[-2:])
    step = min(tall, wide)
    for axis, spacing in ((0, tall), (1, wide)):
        length = max(1, round(array.shape[axis] * min(spacing / step, 8.0)))
        array = np.take(array, (np.arange(length) * array.shape[axis] / length).astype(int), axis)
    return array


def _letters(image: Image, plane: Plane) -> tuple[str, str] | None:
    """Letters for the view's left and right edge; None where these are no sides or where nobody knows.

    A picture that does not name its axes is taken in the radiological convention.
    """
    nameless = image.axes is None and image.affine is None
    if not shows_sides(image) or (nameless and len(image.grid) == 3):
        return None
    if plane.normal == "?":
        return ("R", "L") if len(image.grid) == 2 else None
    return ("A", "P") if plane.normal == "R" else ("R", "L")


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _draw_view(view: View, findings: tuple[FindingResult, ...], side: int) -> Picture.Image:
    height, width = view.pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Picture.fromarray(view.pixels).resize(size, Picture.Resampling.BICUBIC)
    taken: list[Box] = []
    pen = ImageDraw.Draw(picture)
    font = _font(22)
    if view.letters:
        for letter, x in zip(view.letters, (8.0, size[0] - 24.0), strict=True):
            _text(pen, (x, size[1] / 2 - 12), letter, WHITE, font)
            taken.append((x - 4, size[1] / 2 - 14, x + 22, size[1] / 2 + 16))
    if view.title:
        _text(pen, (8.0, size[1] - 24.0), view.title, WHITE, _font(15))
        taken.append((0.0, size[1] - 28.0, 160.0, float(size[1])))
    boxes = []
    for index, mask in view.masks:
        large = np.asarray(Picture.fromarray(mask).resize(size, Picture.Resampling.BILINEAR))
        picture.paste(Picture.new("RGB", size, (0, 0, 0)), mask=Picture.fromarray(_edge(large, 4)))
        picture.paste(Picture.new("RGB", size, _colour(index)), mask=Picture.fromarray(_edge(large, 3)))
        ys, xs = np.nonzero(large) if large.any() else np.nonzero(np.ones((1, 1)))
        boxes.append((index, (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))))
    pen = ImageDraw.Draw(picture)
    for index, box in boxes:
        _caption(pen, index, box, findings[index].finding.phrase or findings[index].finding.name, taken)
    return picture


def _edge(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels of the mask within ``width`` steps of its outside, bool.

    The image's border counts as outside.
    """
    inner = mask.copy()
    for _ in range(width):
        padded = np.pad(inner, 1)
        inner = (
            padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        )
    return np.asarray(mask & ~inner)


def _colour(index: int) -> tuple[int, int, int]:
    return COLOURS[index % len(COLOURS)]


def _text(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: tuple[int, int, int], font: Font
) -> None:
    pen.text(at, text, fill=colour, font=font, stroke_width=2, stroke_fill=(0, 0, 0))


def _caption(pen: ImageDraw.ImageDraw, index: int, box: Box, phrase: str, taken: list[Box]) -> None:
    """A chip with number and phrase beside the contour, where no other chip is; only the number where there
    is no room.
    """
    font = _font(16)
    width, height = pen.im.size
    for limit in (40, 24, 0):
        label = f"{index + 1} {clean(phrase, limit)}".strip() if limit else str(index + 1)
        wide, tall = pen.textlength(label, font=font) + 10, 22
        x0, y0, x1, y1 = box
        middle = (x0 + x1 - wide) / 2
        places = [
            (middle, y0 - tall - 4),
            (middle, y1 + 4),
            (x1 + 4, (y0 + y1) / 2),
            (x0 - wide - 4, (y0 + y1) / 2),
        ]
        places += [(middle, float(y)) for y in range(4, height - tall, tall + 4)]
        for x, y in places:
            left, top = min(max(x, 2.0), width - wide - 2), min(max(y, 2.0), height - tall - 2.0)
            chip = (left, top, left + wide, top + tall)
            if left >= 0 and not any(_overlap(chip, other) for other in taken):
                taken.append(chip)
                pen.rounded_rectangle(chip, 5, fill=(0, 0, 0), outline=_colour(index), width=2)
                pen.text((left + 5, top + 1), label, fill=WHITE, font=font)
                return


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _mosaic(tiles: list[Picture.Image]) -> Picture.Image:
    """One view as it is; several in rows of up to three."""
    if len(tiles) == 1:
        return tiles[0]
    columns = 2 if len(tiles) <= 4 else 3
    wide, tall = max(t.width for t in tiles), max(t.height for t in tiles)
    rows = -(-len(tiles) // columns)
    page = Picture.new("RGB", (wide * columns + 4 * (columns - 1), tall * rows + 4 * (rows - 1)), PAPER)
    for n, tile in enumerate(tiles):
        page.paste(tile, ((n % columns) * (wide + 4), (n // columns) * (tall + 4)))
    return page


def _legend(result: Result, width: int) -> Picture.Image:
    font, small = _font(16), _font(13)
    doubts = (text for code, text in result.warnings if code in OF_THE_IMAGE)
    lines: list[tuple[str, str, tuple[int, int, int]]] = [("!", clean(text, 300), AMBER) for text in doubts]
    ordered = sorted(enumerate(result.findings), key=lambda pair: pair[1].mask is None)
    for index, item in ordered:
        name = clean(item.finding.phrase or item.finding.name or "finding")
        if item.mask is not None:
            lines.append((str(index + 1), f"{name}{_facts(item)}", _colour(index)))
        else:
            lines.append(("-", f"{name}: {_reason(item)}", GREY))
    if not ordered:
        whys = [clean(text, 400) for code, text in result.warnings if code in WITHOUT_ANY]
        lines.append(("-", ": ".join(["no findings", *whys]), GREY))
    lines += [("-", clean(text, 300), GREY) for code, text in result.warnings if code == "passage_unread"]
    wrapped: list[tuple[str, str, tuple[int, int, int]]] = []
    for mark, text, colour in lines[:60]:
        for n, part in enumerate(_wrap(text, font, width - 52)):
            wrapped.append((mark if n == 0 else "", part, colour))
    if len(lines) > 60:
        wrapped.append(("", f"and {len(lines) - 60} more, see findings.json", GREY))
    strip = Picture.new("RGB", (width, 22 * len(wrapped) + 40), PAPER)
    pen = ImageDraw.Draw(strip)
    for n, (mark, text, colour) in enumerate(wrapped):
        pen.text((12, 8 + 22 * n), mark, fill=colour, font=font)
        pen.text((40, 8 + 22 * n), text, fill=GREY if colour == GREY else WHITE, font=font)
    model = clean(f"{result.model.get('name', 'model')} | {NOTICE}", 120)
    pen.text((12, strip.height - 22), model, fill=GREY, font=small)
    return strip


def _facts(item: FindingResult) -> str:
    notes = [] if item.score is None else [f"score {item.score:.2f}"]
    if item.finding.polarity == "uncertain":
        notes.append("uncertain")
    notes += [f"{check.name}: {clean(check.detail, 90)}" for check in item.checks if check.outcome == "fail"]
    return f"  ({', '.join(notes)})" if notes else ""


def _reason(item: FindingResult) -> str:
    words = WHY.get(item.reason or "", item.reason or "no mask")
    return words if item.presence is None else f"{words} (presence {item.presence:.2f})"


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """Lines that fit ``width`` px; a word that is too long is cut."""
    lines, line = [], ""
    for whole in text.split(" "):
        word = whole
        while font.getlength(word) > width:
            keep = max(1, int(len(word) * width / font.getlength(word)) - 1)
            lines += [line] if line else []
            lines.append(word[:keep])
            line, word = "", word[keep:]
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line or not lines else lines
