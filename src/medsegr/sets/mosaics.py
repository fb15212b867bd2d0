"""Two or four real pictures as one, of which the words name one: by its concept, its place or both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr.errors import ReportError
from medsegr.grid.pixels import to_bytes
from medsegr.samples.drawn import finding_of
from medsegr.sets.narrate import Style, narrate
from medsegr.sets.table import Ask, Page, Source
from medsegr.sets.telling import Setting, is_organ
from medsegr.types import COLS, ROWS, Finding, Frame, Location

TILE = 256  # pixels: side of one picture in the mosaic
LEAST = 64  # pixels of a target in its tile
ONE = Style(whole=True)


@dataclass(frozen=True, slots=True)
class _Tile:
    source: Source
    pixels: np.ndarray  # uint8 "h w 3"
    mask: np.ndarray  # bool "h w"
    finding: Finding
    modality: str
    frame: Frame


def mosaics(found: Sequence[Source], rng: np.random.Generator) -> Iterator[Page]:
    """Mosaics of the pictures of which one thing is drawn. Each picture is used once; in turn of one set (the
    place decides) and of several (the concept may)."""
    pools: dict[str, list[Source]] = {}
    for i in rng.permutation(len(found)):
        source = found[int(i)]
        if len({row["target"] for row in source.rows}) == 1:
            pools.setdefault(source.folder.name, []).append(source)
    number = 0
    while True:
        many = 4 if number % 3 == 2 else 2
        drawn = _draw(pools, many, bool(number % 2), rng)
        if not drawn:
            return
        tiles = [tile for source in drawn if (tile := _tile(source)) is not None]
        if len(tiles) == many:
            yield _page(tiles, number, rng)
        number += 1


def _draw(
    pools: dict[str, list[Source]], many: int, mixed: bool, rng: np.random.Generator
) -> list[Source] | None:
    """So many pictures, taken out of their pools: of one set, or of as many sets as there are."""
    if sum(map(len, pools.values())) < many:
        return None
    if not mixed:
        full = sorted(name for name, pool in pools.items() if len(pool) >= many)
        if full:
            pool = pools[full[int(rng.integers(len(full)))]]
            return [pool.pop() for _ in range(many)]
    chosen: list[Source] = []
    while len(chosen) < many:
        left = sorted(name for name, pool in pools.items() if pool)
        unused = [name for name in left if name not in {s.folder.name for s in chosen}] or left
        chosen.append(pools[unused[int(rng.integers(len(unused)))]].pop())
    return chosen


def _tile(source: Source) -> _Tile | None:
    """The picture, fitted into a square with black beside it; None where nothing is left to see of its
    target."""
    image = source.image()
    if len(image.grid) != 2:
        return None
    mask = np.any(source.masks(image), axis=0)
    data = to_bytes(image)
    colour = np.moveaxis(np.broadcast_to(data, (3, *image.grid)), 0, -1)
    scale = TILE / max(image.grid)
    h, w = (max(1, round(n * scale)) for n in image.grid)
    top, left = (TILE - h) // 2, (TILE - w) // 2
    pixels = np.zeros((TILE, TILE, 3), np.uint8)
    small = np.zeros((TILE, TILE), bool)
    place = (slice(top, top + h), slice(left, left + w))
    pixels[place] = np.asarray(Pil.fromarray(np.ascontiguousarray(colour)).resize((w, h), Pil.Resampling.BOX))
    grey = Pil.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize((w, h), Pil.Resampling.BOX)
    small[place] = np.asarray(grey) > 127
    if small.sum() < LEAST:
        return None
    finding = finding_of(dict(source.rows[0]))
    parts = int(ndimage.label(small, np.ones((3, 3)))[1])
    if 1 < parts < 100 and not is_organ(finding):
        finding = replace(finding, shape=replace(finding.shape, count=parts))
    return _Tile(source, pixels, small, finding, source.rows[0].get("modality") or "", image.frame)


def _page(tiles: Sequence[_Tile], number: int, rng: np.random.Generator) -> Page:
    down, across = (1, 2) if len(tiles) == 2 else (2, 2)
    if len(tiles) == 2 and rng.random() < 0.5:
        down, across = 2, 1
    picture = np.zeros((down * TILE, across * TILE, 3), np.uint8)
    masks, findings = [], []
    same = len({tile.modality for tile in tiles}) == 1
    modality = tiles[0].modality if same else ""
    frame: Frame = tiles[0].frame if same else "viewer"
    for k, tile in enumerate(tiles):
        row, col = divmod(k, across)
        at = (slice(row * TILE, (row + 1) * TILE), slice(col * TILE, (col + 1) * TILE))
        picture[at] = tile.pixels
        mask = np.zeros(picture.shape[:2], bool)
        mask[at] = tile.mask
        masks.append(mask)
        place = Location(
            side_frame=frame,
            rows=(ROWS[2 * row],) if down == 2 else (),
            cols=(COLS[2 * col],) if across == 2 else (),
        )
        findings.append(replace(tile.finding, location=place))
    return Page(
        f"mosaic_{number:05d}",
        picture,
        tuple(masks),
        tuple(findings),
        _asks(findings, masks, Setting(tiles[0].source.modality if same else None, frame), rng),
        modality,
        frame,
        frozenset(tile.source.group for tile in tiles),
    )


def _asks(
    findings: Sequence[Finding], masks: Sequence[np.ndarray], setting: Setting, rng: np.random.Generator
) -> tuple[Ask, ...]:
    """A sentence for each thing: its name alone where no other is called so (half of the time), else its
    place, too, where it lies in that third."""
    asks = []
    for i, finding in enumerate(findings):
        alone = not any(_alike(f, finding) for j, f in enumerate(findings) if j != i)
        by_name = alone and bool(rng.random() < 0.5)
        if not by_name and not _lies(masks[i], finding.location):
            continue
        told = list(findings)
        if by_name:
            told[i] = replace(finding, location=Location(side_frame=setting.frame))
        try:
            story = narrate(told, [i], setting, rng, ONE)
        except ReportError:
            continue
        note = "the name decides" if by_name else "the place may decide" if alone else "the place decides"
        asks.append(Ask(i, story.told[0], story.text, not by_name, f"made: mosaic; {note}"))
    return tuple(asks)


def _alike(one: Finding, two: Finding) -> bool:
    """Whether one could be meant by the other's name."""
    return bool({one.name, *one.parents} & {two.name, *two.parents})


def _lies(mask: np.ndarray, place: Location) -> bool:
    """Whether the centre of the mask lies in the thirds that the words name."""
    centre = (np.argwhere(mask).mean(0) + 0.5) / mask.shape
    named = ((place.rows, ROWS), (place.cols, COLS))
    return all(
        not told or told[0] == names[int(3 * at)] for at, (told, names) in zip(centre, named, strict=True)
    )
