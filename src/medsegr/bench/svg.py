"""Plots as SVG text: a few shapes are all that the page needs, and a plotting library would be larger than
the rest of the bench (decision 0015). Every plot has a title that screen readers read, and no colour alone
carries a meaning.
"""

import html
from collections.abc import Mapping, Sequence

from medsegr.metrics.intervals import span

Dot = tuple[str, float | None, float | None, float | None]  # label, mean, low, high
ROW, LABELS, PLOT, VALUES = 22, 250, 380, 130


def _frame(width: int, height: int, title: str, body: str) -> str:
    told = html.escape(title)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{told}">'
        f"<title>{told}</title>{body}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def dots(title: str, rows: Sequence[Dot]) -> str:
    """A mean with its interval a row, on an axis from 0 to 1; rows without a mean say so."""
    height = ROW * (len(rows) + 2)

    def at(value: float) -> float:
        return LABELS + PLOT * min(max(value, 0.0), 1.0)

    parts = []
    for step in range(5):
        value = step / 4
        parts.append(
            f'<line class="grid" x1="{at(value):.1f}" x2="{at(value):.1f}" y1="{ROW}" y2="{height - ROW}"/>'
        )
        parts.append(_text(at(value), height - 6, f"{value:.2g}", "middle"))
    for number, (label, mean, bottom, top) in enumerate(rows, 1):
        y = ROW * (number + 0.5)
        parts.append(_text(LABELS - 8, y + 4, label[:38], "end"))
        if mean is None:
            parts.append(_text(LABELS + 6, y + 4, "no value"))
            continue
        if bottom is not None and top is not None:
            parts.append(f'<line class="bar" x1="{at(bottom):.1f}" x2="{at(top):.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="dot" cx="{at(mean):.1f}" cy="{y}" r="4"/>')
        parts.append(_text(LABELS + PLOT + 10, y + 4, f"{mean:.3f} {span(bottom, top)}"))
    return _frame(LABELS + PLOT + VALUES + 20, height, title, "".join(parts))


def lines(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Measured points (x, y) joined by lines, a size of point a series; both axes begin at zero. ``across``
    and ``up`` name the axes with their units. A series without points is left out."""
    width, height, left, bottom, top = 420, 220, 60, 46, 20
    shown = {name: sorted(points) for name, points in series.items() if points}
    far = max((x for points in shown.values() for x, _ in points), default=1.0) or 1.0
    high = max((y for points in shown.values() for _, y in points), default=1.0) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + width * x / far, top + height * (1 - y / high)

    parts = [f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}"/>']
    for step in range(5):
        x, y = at(far * step / 4, high * step / 4)
        parts.append(_text(x, top + height + 16, f"{far * step / 4:.3g}", "middle"))
        parts.append(_text(left - 6, y + 4, f"{high * step / 4:.2g}", "end"))
    parts += [_text(left + width / 2, top + height + 34, across, "middle"), _text(left, top - 6, up)]
    for number, (name, points) in enumerate(shown.items()):
        line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
        parts.append(f'<polyline class="bar" fill="none" stroke="currentColor" points="{line}"/>')
        for x, y in (at(*point) for point in points):
            size = 3 + 2 * number  # shapes differ by size, and names stand at the ends: no colour is needed
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill-opacity="0.5"/>')
        x, y = at(*points[-1])
        parts.append(_text(x + 8, y + 4, name))
    return _frame(left + width + 190, top + height + bottom, title, "".join(parts))


def reliability(
    title: str, confidence: Sequence[float | None], accuracy: Sequence[float | None], count: Sequence[int]
) -> str:
    """Share of positives over mean probability, a point a bin, beside the line on which both agree. Bins
    without values have no point; a point's size grows with the number of its values."""
    side, margin = 240, 36
    most = max([*count, 1])

    def at(value: float) -> float:
        return margin + value * side

    def up(value: float) -> float:
        return margin / 2 + (1 - value) * side

    parts = [
        f'<rect class="box" x="{margin}" y="{margin / 2}" width="{side}" height="{side}"/>',
        f'<line class="grid" x1="{at(0)}" y1="{up(0)}" x2="{at(1)}" y2="{up(1)}"/>',
        _text(at(0.5), up(0) + 28, "probability said", "middle"),
        _text(at(0), up(0) + 14, "0", "middle"),
        _text(at(1), up(0) + 14, "1", "middle"),
        _text(margin - 6, up(1) + 8, "1", "end"),
        _text(margin + 6, up(1) + 14, "share that is true"),
    ]
    points = [
        (c, a, n)
        for c, a, n in zip(confidence, accuracy, count, strict=True)
        if c is not None and a is not None
    ]
    line = " ".join(f"{at(c):.1f},{up(a):.1f}" for c, a, _ in points)
    parts.append(f'<polyline class="bar" fill="none" points="{line}"/>')
    parts += [
        f'<circle class="dot" cx="{at(c):.1f}" cy="{up(a):.1f}" r="{2 + 4 * (n / most) ** 0.25:.1f}"/>'
        for c, a, n in points
    ]
    return _frame(side + 2 * margin, side + 2 * margin, title, "".join(parts))
