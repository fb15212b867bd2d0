"""A dermoscopy photograph: skin of every tone, side spots, hairs, ink, and pigmented or pink lesions.

Skin is drawn as light that melanin, blood and grey matter swallow, so a lesion adds to what is there and
shares the mottling, lines, light and blur of the skin around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from medsegr.phantom import camera
from medsegr.phantom.bodies import dermoscope
from medsegr.phantom.bodies.dermoscope import mottle, noise
from medsegr.phantom.concepts import SKIN
from medsegr.phantom.draw import Blob, Plane, Stroke, blur, lay, outline, place, step, widened
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Place, Scene, Spot

DERMIS = np.array((0.96, 0.83, 0.76), np.float32)
MELANIN = np.array((0.52, 1.0, 1.5), np.float32)  # what each swallows of red, green, blue
BLOOD = np.array((0.13, 1.0, 0.82), np.float32)
GREY = np.array((1.0, 0.95, 0.85), np.float32)
VEIL = np.array((1.0, 0.75, 0.45), np.float32)  # pigment that lies deep looks blue

COUNTS = (0.72, 0.18, 0.10)  # shares of pictures with 1, 2, 3 lesions
ALONE = (1.0,)
LARGE = SKIN[0].areas["large"][0]
CENTRED = 0.75  # share of the pictures with one lesion that have it in the centre cell
PALE = {"pink": 0.22, "tan": 0.3, "red": 0.4, "brown": 0.7}  # most melanin of skin on which the word is true
AMOUNT = {  # melanin, blood, grey that a colour adds, lower and upper
    "brown": ((0.55, 1.25), (0.0, 0.15), (0.0, 0.12)),
    "black": ((0.7, 1.3), (0.0, 0.1), (0.45, 1.3)),
    "tan": ((0.17, 0.45), (0.0, 0.08), (0.0, 0.03)),
    "red": ((0.05, 0.25), (0.5, 1.1), (0.0, 0.05)),
    "pink": ((0.0, 0.06), (0.17, 0.42), (0.0, 0.0)),
}


@dataclass(frozen=True, slots=True)
class _Layers:
    """What swallows light, and what lies white or yellow on the skin; planes ``h w``, painted in place."""

    melanin: Plane
    blood: Plane
    grey: Plane
    veil: Plane
    white: Plane
    crust: Plane
    height: Plane

    def colour(self) -> Plane:
        """The skin's colour, ``h w 3``."""
        lost = (
            self.melanin[..., None] * MELANIN
            + self.blood[..., None] * BLOOD
            + self.grey[..., None] * GREY
            + self.veil[..., None] * VEIL
        )
        frame: Plane = DERMIS * np.exp(-np.maximum(lost, 0))
        frame = lay(frame, np.clip(self.crust, 0, 1)[..., None], np.array((0.78, 0.58, 0.26), np.float32))
        return lay(frame, np.clip(self.white, 0, 1)[..., None], np.array((0.95, 0.93, 0.89), np.float32))


@dataclass(frozen=True, slots=True)
class _Ground:
    """The window around one lesion: ``depth`` px inside its outline (below 0 outside), its scale, angles."""

    window: tuple[slice, slice]
    depth: Plane
    radius: float
    theta: Plane


def _ground(blob: Blob, size: int) -> _Ground:
    radius = float(np.sqrt(max(blob.area, 1) / np.pi))
    window = widened(blob.window, int(0.5 * radius) + 6, size)
    inside = blob.mask[window]
    depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    ys, xs = np.nonzero(inside)
    theta = np.arctan2(
        np.arange(inside.shape[0])[:, None] - ys.mean(), np.arange(inside.shape[1])[None, :] - xs.mean()
    )
    return _Ground(window, depth.astype(np.float32), radius, theta.astype(np.float32))


def _cloud(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> Plane:
    """Noise with a grain of ``grain`` pixels and finer noise upon it."""
    out = np.float32(0.85) * mottle(rng, shape, grain)
    for octave in (2.3, 5.0):
        out += np.float32(0.95 / octave) * mottle(rng, shape, grain / octave)
    return out


def _grained(rng: np.random.Generator, g: _Ground, share: float) -> Plane:
    """Clouds with a grain of a share of the lesion's radius."""
    return _cloud(rng, g.depth.shape, share * g.radius)


def _cover(rng: np.random.Generator, g: _Ground, spot: Spot) -> tuple[Plane, Plane]:
    """How far pigment covers (0..1), and a faint halo that fills the outline.

    Experts outline generously: most pigment ends a little inside the outline, and more jagged.
    """
    soft_edge = spot.look.margin == "ill-defined"
    jagged = rng.uniform(0.02, 0.13 if soft_edge or spot.look.form == "irregular" else 0.06) * g.radius
    line = g.depth + np.float32(jagged) * _grained(rng, g, 0.4)
    line = line + np.float32(jagged * rng.uniform(0.1, 0.6)) * _grained(rng, g, 0.12)
    if rng.random() < 0.15:  # streaks that radiate at the edge
        rays = np.cos(int(rng.integers(9, 26)) * g.theta + np.float32(1.5) * _grained(rng, g, 0.5))
        line = line + np.float32(0.07 * g.radius) * rays
    given = rng.uniform(0.1, 0.28) if rng.random() < 0.2 else min(rng.exponential(0.06), 0.2) - 0.01
    given += 0.6 * jagged / g.radius  # what juts out still lies inside, mostly
    if spot.look.uniformity == "heterogeneous" and soft_edge and rng.random() < 0.2:
        given = rng.uniform(0.3, 0.5)  # a dark core in a faint patch
    soft = rng.uniform(0.4, 0.85) * g.radius if soft_edge else rng.uniform(0.05, 0.25) * g.radius + 0.8
    t = step(line - np.float32(given * g.radius), soft)
    halo = step(g.depth + np.float32(0.04 * g.radius) * _grained(rng, g, 0.4), 0.3 * g.radius + 1)
    return t * t * (3 - 2 * t), halo


def _pattern(rng: np.random.Generator, g: _Ground, mixed: bool, size: int) -> Plane:
    """Relative amount of pigment (about 1): patches, a network of lines, dots, paler or darker centre."""
    grain = max(1.6, size * rng.uniform(0.009, 0.028))
    out: Plane = 1 + np.float32(0.36 if mixed else 0.1) * _grained(rng, g, rng.uniform(0.25, 0.6))
    style = rng.random()
    fine = mottle(rng, g.depth.shape, grain)
    strength = np.float32(rng.uniform(0.3, 0.8) * (1 if mixed else 0.7))
    if style < 0.4:
        out = out * (1 - strength / 2 + strength * np.exp(-np.square(fine / np.float32(0.4))))
    elif style < 0.65:
        out = out * (1 + strength * np.clip(fine - np.float32(0.8), 0, 1.5) * 2)
    elif style < 0.8:
        out = out * (1 + strength * np.float32(0.5) * fine)
    deep = np.clip(g.depth / np.float32(g.radius), 0, 1)
    lean = np.float32(rng.uniform(-0.25, 0.6) * (1 if mixed else 0.5))
    whole: Plane = np.clip(out * (1 + lean * (deep - np.float32(0.35))), 0.12, 2.5)
    return whole


def _dark_part(rng: np.random.Generator, g: _Ground, reach: float) -> Plane:
    """A soft patch (0..1) inside the lesion, off its centre."""
    angle, out = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.55) * g.radius
    ys, xs = np.nonzero(g.depth > 0)
    cy, cx = ys.mean() + out * np.sin(angle), xs.mean() + out * np.cos(angle)
    d = np.hypot(
        np.arange(g.depth.shape[0], dtype=np.float32)[:, None] - np.float32(cy),
        np.arange(g.depth.shape[1], dtype=np.float32)[None, :] - np.float32(cx),
    )
    line = np.float32(reach * g.radius) * (1 + np.float32(0.25) * _grained(rng, g, 0.3)) - d
    return step(line, rng.uniform(0.1, 0.6) * reach * g.radius + 1)


def _mixed(rng: np.random.Generator, layers: _Layers, g: _Ground, cover: Plane, colour: str) -> None:
    """Several tones in one lesion: dark or blue-grey parts, red parts, parts paler than the skin."""
    win = g.window
    dark = colour in {"brown", "black", "tan"}
    for _ in range(int(rng.integers(1, 4))):
        part = cover * _dark_part(rng, g, rng.uniform(0.15, 0.5))
        style = rng.random()
        if style < 0.45:
            layers.melanin[win] += part * np.float32(rng.uniform(0.3, 0.9) if dark else rng.uniform(0.1, 0.4))
            layers.grey[win] += part * np.float32(rng.uniform(0, 0.6) if dark else 0.05)
        elif style < 0.6:
            layers.veil[win] += part * np.float32(rng.uniform(0.2, 0.7))
        elif style < 0.8:
            layers.blood[win] += part * np.float32(rng.uniform(0.2, 0.6))
        else:
            layers.melanin[win] *= 1 - part * np.float32(rng.uniform(0.4, 0.85))
            layers.white[win] += part * np.float32(rng.uniform(0.0, 0.25))


def _surface(rng: np.random.Generator, layers: _Layers, g: _Ground, cover: Plane, pink: bool) -> None:
    """Milia, plugs, scales, crust, dotted vessels, and a raised body."""
    size = layers.height.shape[0]
    win, s = g.window, max(2.0, min(g.radius / rng.uniform(6, 16), size * rng.uniform(0.012, 0.03)))
    fine = mottle(rng, g.depth.shape, s)
    if rng.random() < (0.45 if pink else 0.14):
        part = np.clip(_grained(rng, g, 0.6), 0, 1) if rng.random() < 0.6 else np.float32(1)
        scale = np.clip(fine - np.float32(rng.uniform(0.7, 1.4)), 0, 0.6) * part * cover
        layers.white[win] += scale * np.float32(rng.uniform(0.8, 1.6))
    if rng.random() < (0.3 if pink else 0.06):
        layers.crust[win] += cover * np.clip(_grained(rng, g, 0.3) - np.float32(1.0), 0, 0.7)
    if rng.random() < (0.4 if pink else 0.05):
        layers.blood[win] += (
            np.clip(mottle(rng, g.depth.shape, s) - np.float32(1.0), 0, 1) * cover * np.float32(0.5)
        )
    if rng.random() < 0.12:
        layers.melanin[win] += np.clip(-fine - np.float32(1.1), 0, 1) * cover * np.float32(0.9)
    if rng.random() < 0.2:
        jag = np.float32(rng.uniform(0, 0.1) * g.radius) * mottle(rng, g.depth.shape, 0.6 * g.radius)
        dome = step(g.depth + jag - np.float32(0.2 * g.radius), rng.uniform(0.3, 0.7) * g.radius)
        layers.height[win] += dome * dome * (3 - 2 * dome) * np.float32(g.radius * rng.uniform(0.03, 0.2))


def _lesion(rng: np.random.Generator, layers: _Layers, spot: Spot) -> None:
    """Lay one lesion into the skin, in place."""
    g = _ground(spot.blob, layers.melanin.shape[0])
    colour, mixed = spot.look.colour or "brown", spot.look.uniformity == "heterogeneous"
    cover, halo = _cover(rng, g, spot)
    amounts = [rng.uniform(low, high) for low, high in AMOUNT[colour]]
    faint = rng.uniform(0.0, 0.18) + (rng.uniform(0, 0.4) if mixed and rng.random() < 0.4 else 0)
    whole = cover * _pattern(rng, g, mixed, layers.melanin.shape[0]) * np.float32(
        1 - faint
    ) + halo * np.float32(faint)
    parts = (whole, whole, whole * cover)  # black lesions are brown at their rim
    for plane, part, amount in zip((layers.melanin, layers.blood, layers.grey), parts, amounts, strict=True):
        plane[g.window] += part * np.float32(amount)
    if mixed:
        _mixed(rng, layers, g, cover, colour)
    _surface(rng, layers, g, cover, colour in {"pink", "red"})
    if rng.random() < 0.2:  # skin around it is redder
        layers.blood[g.window] += np.float32(rng.uniform(0.03, 0.12)) * step(
            g.depth + np.float32(0.2 * g.radius), 0.5 * g.radius
        )


def _bare(rng: np.random.Generator, size: int, most: float, calm: float) -> _Layers:
    """Skin without spots: its tone (``most`` melanin), mottling (less if ``calm`` is below 1) and vessels."""
    tone = float(
        rng.choice(
            [rng.uniform(0, 0.12), rng.uniform(0.05, 0.35), rng.uniform(0.3, 1.2)], p=(0.5, 0.35, 0.15)
        )
    )
    tone = tone if tone < most else float(rng.uniform(0, most))
    whole = (size, size)
    melanin = np.float32(tone) + np.float32(rng.uniform(0.01, 0.05) * (1 + tone)) * _cloud(
        rng, whole, size / 7
    )
    melanin = melanin + np.float32(rng.uniform(0, 0.035)) * mottle(rng, whole, size / 24)
    blood = np.float32(min(rng.exponential(0.08), 0.3)) + np.float32(rng.exponential(0.025)) * noise(
        rng, size, 4
    )
    blood = blood + np.float32(calm * rng.exponential(0.022)) * _cloud(rng, whole, size / rng.uniform(10, 40))
    if rng.random() < 0.45:
        lines: list[Stroke] = []
        for _ in range(int(rng.integers(4, 40))):
            start = (rng.random(), rng.random())
            line = dermoscope.arc(rng, start, rng.uniform(-3, 3), rng.uniform(0.04, 0.25), rng.normal(0, 1))
            lines.append((line, rng.uniform(0.5, 1.6) * size / 256, rng.uniform(0.3, 1)))
        vessels = blur(dermoscope.fine(size, lines), rng.uniform(0.4, 1.5) * size / 256)
        blood = blood + vessels * np.float32(rng.uniform(0.05, 0.5))
    none = (np.zeros((size, size), np.float32) for _ in range(5))
    return _Layers(melanin, blood, *none)


def _side_spots(rng: np.random.Generator, layers: _Layers, smallest: int, strong: float) -> None:
    """Freckles, blotches and small spots that no report tells, smaller and fainter than every lesion."""
    size = layers.melanin.shape[0]
    for plane in (layers.melanin, layers.blood):
        if rng.random() < 0.45:
            blot = np.clip(
                _cloud(rng, plane.shape, size / rng.uniform(6, 30)) - np.float32(rng.uniform(0.6, 1.6)), 0, 1
            )
            np.add(plane, blot * np.float32(strong * rng.uniform(0.05, 0.3)), out=plane)
    if rng.random() > 0.55:
        return
    for _ in range(int(rng.exponential(5)) + 1):
        area = min(rng.uniform(0.0002, 0.0035) * size * size, 0.3 * smallest)
        line = outline(rng, str(rng.choice(["round", "oval", "irregular"])), "smooth", area)
        centre = (float(rng.uniform(0, size)), float(rng.uniform(0, size)))
        blob = place(rng, line, centre, size)
        if blob is None or not blob.area:
            continue
        g = _ground(blob, size)
        jag = np.float32(0.25 * g.radius) * _grained(rng, g, 0.3)
        cover = step(g.depth + jag, rng.uniform(0.4, 1.6) * g.radius + 0.8)
        plane = layers.blood if rng.random() < 0.2 else layers.melanin
        plane[g.window] += cover * np.float32(strong * rng.uniform(0.15, 0.75))


def _neighbour(rng: np.random.Generator, layers: _Layers, spots: Sequence[Spot]) -> None:
    """A lesion cut by the picture's border, which no report of this picture tells of."""
    size = layers.melanin.shape[0]
    concept = SKIN[0]
    colour = str(rng.choice(["brown", "tan", "red"]))
    form = str(rng.choice(["oval", "irregular", "round"]))
    line = outline(rng, form, "smooth", rng.uniform(0.01, 0.06) * size * size)
    away = rng.uniform(-np.pi, np.pi)
    reach = size * (0.5 / max(abs(np.cos(away)), abs(np.sin(away))) + rng.uniform(-0.02, 0.05))
    blob = place(rng, line, (size / 2 + reach * np.sin(away), size / 2 + reach * np.cos(away)), size)
    if blob is None or not blob.area or any((blob.mask & s.blob.mask).any() for s in spots):
        return
    style = replace(spots[0].look, colour=colour, form=form, uniformity="homogeneous")
    _lesion(rng, layers, Spot(concept.name, style, spots[0].place, blob))


def _relief(rng: np.random.Generator, layers: _Layers) -> Plane:
    """Light and shade of the skin's lines and of raised lesions, ``h w`` about 1."""
    size = layers.height.shape[0]
    grain = np.float32(rng.uniform(0.0, 0.035)) * noise(rng, size, int(rng.integers(55, 110)))
    if rng.random() < 0.5:
        cells = int(rng.integers(25, 60))
        lines = np.exp(
            -np.square(noise(rng, size, cells, int(cells * rng.uniform(0.5, 1.8))) / np.float32(0.35))
        )
        grain = grain + np.float32(rng.uniform(-0.09, 0.07)) * lines
    angle = rng.uniform(-np.pi, np.pi)
    gy, gx = (np.asarray(v, np.float32) for v in np.gradient(blur(layers.height, 1.5 * size / 256)))
    slope = gy * np.float32(np.sin(angle)) + gx * np.float32(np.cos(angle))
    out: Plane = np.clip(1 + grain + np.float32(0.8) * slope, 0.4, 1.5)
    return out


def _over(rng: np.random.Generator, frame: Plane) -> Plane:
    """What lies on the skin, each now and then."""
    for share, lay_on in (
        (0.35, dermoscope.ink),
        (0.45, dermoscope.gel),
        (1.0, dermoscope.hairs),
        (0.4, dermoscope.ruler),
        (0.06, dermoscope.sticker),
        (0.3, dermoscope.glare),
        (0.04, dermoscope.caption),
    ):
        if rng.random() < share:
            frame = lay_on(rng, frame)
    return frame


def _camera(rng: np.random.Generator, frame: Plane, edge: Plane) -> Plane:
    """Blur, colour balance, contrast, noise and gamma of one camera."""
    size = frame.shape[0]
    frame = blur(frame, float(rng.choice([0.0, 0.4, 0.7, 1.2])) * size / 256)
    grey = frame.mean(axis=2, keepdims=True)
    frame = grey + (frame - grey) * np.float32(rng.uniform(0.6, 1.2))
    frame = frame * np.float32(rng.uniform(0.85, 1.2)) * np.array(rng.normal(1, 0.05, 3), np.float32)
    frame = dermoscope.outside(rng, frame, edge)
    fine = rng.standard_normal((size, size, 1), dtype=np.float32)
    if rng.random() < 0.5:
        fine = blur(fine, 0.8) * np.float32(2.2)
    frame = frame + np.float32(rng.uniform(0.002, 0.018)) * fine
    out: Plane = np.clip(frame, 0, 1) ** np.float32(rng.uniform(0.7, 1.15))
    return out


def _rooms(rng: np.random.Generator, size: int, edge: Plane) -> tuple[tuple[Place, ...], tuple[float, ...]]:
    """The places of one picture and the shares of its counts: a single lesion lies mostly in the centre."""
    places = nine(size, edge > 0.01)
    if rng.random() >= COUNTS[0]:
        return places, (0.0, *(np.array(COUNTS[1:]) / sum(COUNTS[1:])).tolist())
    middle = tuple(p for p in places if p.key == "middle centre")
    return (middle if middle and rng.random() < CENTRED else places), ALONE


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random photograph, and the function that draws it with its lesions."""
    edge = dermoscope.field(rng, size)
    places, counts = _rooms(rng, size, edge)
    # A lesion of half the picture is rarer than one of a tenth, so the span is drawn first.
    room = (0.2, 0.5) if len(places) == 1 else (0.09, 0.25) if counts == ALONE else (0.08, 0.1)
    most = float(np.exp(rng.uniform(*np.log(room))))
    concept = replace(SKIN[0], areas={**SKIN[0].areas, "large": (max(LARGE, 0.35 * most), most)})

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        colours = [s.look.colour or "brown" for s in spots]
        pale = bool({"tan", "pink"} & set(colours))
        layers = _bare(rng, size, min((PALE.get(c, 2.0) for c in colours), default=2.0), 0.5 if pale else 1.0)
        strong = 0.4 if pale else 0.8
        _side_spots(rng, layers, min((s.blob.area for s in spots), default=size * size // 50), strong)
        for spot in spots:
            _lesion(rng, layers, spot)
        if spots and len(places) == 1 and rng.random() < 0.12:
            _neighbour(rng, layers, spots)
        frame = layers.colour() * (_relief(rng, layers)[..., None] * dermoscope.light(rng, size))
        return camera.to_uint8(_camera(rng, _over(rng, frame), edge))

    return Scene(size, 20.0 / size, places, render, concepts=(concept,), counts=counts, normal=0.06)
