"""The page about a run: curves, numbers, best and worst held-out cases as pictures, the configuration. One
HTML file that needs nothing else.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr.fitting.logbook import CHECKS, STEPS, clock, read_rows
from medsegr.io.write import atomic_write
from medsegr.training.judged import Judged

WIDTH, HEIGHT, LEFT, BOTTOM = 560, 220, 52, 30
TRUE_COLOUR, DRAWN_COLOUR = (64, 200, 120), (255, 140, 40)
PICTURES = 4
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:left}
th{background:#f3f3f3}figure{display:inline-block;margin:.5rem;vertical-align:top}figcaption{max-width:320px}
svg{background:#fafafa;border:1px solid #ddd}pre{background:#f6f6f6;padding:.8rem;overflow:auto}
.true{color:#1f8f50}.drawn{color:#c05a00}"""


def write_report(path: Path, run: Path, told: Mapping[str, Any], rows: Sequence[Judged]) -> None:
    """Write the page to ``path``. ``run`` is the folder with the logs; ``told`` holds ``card`` (the
    checkpoint's), ``config`` and ``data`` (a row of facts a set)."""
    card, steps, checks = told["card"], read_rows(run / STEPS), read_rows(run / CHECKS)
    state = card["training"]
    last = int(steps[-1]["step"]) if steps else 0
    on = f" (the best validation; the run went on to {last:,})" if last > state["step"] else ""
    facts = {
        "steps": f"{state['step']:,}{on}",
        "samples": f"{state['images']:,}",
        "time": clock(state["seconds"]),
        "device": card.get("hardware", ""),
        "begun from": card.get("warm_start", "nothing"),
        "trained": card.get("tune", "all"),
        "licence of the weights": card["licence"],
        "SHA-256": card["sha256"],
    }
    parts = [
        f"<h1>Training of {escape(card['name'])}</h1>",
        "<p><b>Not a medical device. For research.</b></p>",
        table([{"": key, " ": value} for key, value in facts.items()]),
        "<h2>Data</h2>",
        table(told["data"]),
        "<h2>Curves</h2>",
        curves(steps, ("loss", "segmentation"), "loss of the training batches"),
        curves(checks, ("dice",), "Dice of the validation inside the run (name alone, mean of the sets)"),
        "<h2>Held-out images</h2>",
        held_out(card["validation"]["sets"]),
        panels(rows),
        "<h2>Configuration</h2>",
        f"<pre>{escape(json.dumps(told['config'], indent=1, sort_keys=True))}</pre>",
    ]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(card["name"])}</title>'
    page = f"{head}<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """An HTML table; the keys of the first row are its head."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(str(key))}</th>" for key in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def held_out(sets: Mapping[str, Any]) -> str:
    """The numbers by set, and what they are."""
    if not sets:
        return "<p>No image was held out.</p>"
    rows = [
        {
            "set": name,
            "Dice, name alone": f"{row['name']:.3f}",
            "95 % interval": f"{row['interval'][0]:.3f} to {row['interval'][1]:.3f}"
            if row["groups"] > 1
            else "none: one group",
            "targets": row["targets"],
            "groups": row["groups"],
            "found": f"{row['presence']:.0%}",
        }
        for name, row in sets.items()
    ]
    return (
        "<p>Mean Dice an image of the averaged weights on images that were not trained on; they chose the "
        "best validation, so the numbers are a little kind. Intervals: bootstrap over groups. Few groups say "
        "little. Found: how often the target would have been drawn.</p>" + table(rows)
    )


def curves(rows: Sequence[Mapping[str, float]], keys: Sequence[str], title: str) -> str:
    """Lines over the steps as an inline SVG picture."""
    points = {key: [(row["step"], row[key]) for row in rows if key in row] for key in keys}
    flat = [point for line in points.values() for point in line if np.isfinite(point[1])]
    if not flat:
        return f"<p>{escape(title)}: not measured.</p>"
    (x0, y0), (x1, y1) = np.min(flat, 0).tolist(), np.max(flat, 0).tolist()
    across, up = max(x1 - x0, 1e-9), max(y1 - y0, 1e-9)

    def place(x: float, y: float) -> str:
        left = LEFT + (x - x0) / across * (WIDTH - LEFT - 12)
        return f"{left:.1f},{HEIGHT - BOTTOM - (y - y0) / up * (HEIGHT - BOTTOM - 12):.1f}"

    colours = ("#1f6fb4", "#c05a00", "#1f8f50")
    lines = []
    for (key, line), colour in zip(points.items(), colours, strict=False):
        path = " ".join(place(x, y) for x, y in line if np.isfinite(y))
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8">'
            f"<title>{escape(key)}</title></polyline>"
        )
    lines += [
        f'<text x="{WIDTH - 12}" y="{18 + 16 * i}" text-anchor="end" fill="{colour}">{escape(key)}</text>'
        for i, (key, colour) in enumerate(zip(points, colours, strict=False))
    ]
    marks = [
        f'<text x="{LEFT - 4}" y="16" text-anchor="end">{y1:.3g}</text>',
        f'<text x="{LEFT - 4}" y="{HEIGHT - BOTTOM}" text-anchor="end">{y0:.3g}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">step {x0:.0f}</text>',
        f'<text x="{WIDTH - 12}" y="{HEIGHT - 10}" text-anchor="end">{x1:.0f}</text>',
    ]
    size = f'width="{WIDTH}" height="{HEIGHT}" font-size="12" font-family="sans-serif"'
    return (
        f"<figure><svg {size}>{''.join(lines + marks)}</svg><figcaption>{escape(title)}</figcaption></figure>"
    )


def panels(rows: Sequence[Judged]) -> str:
    """The best and the worst targets as pictures with both contours."""
    ranked = sorted(rows, key=lambda row: row.dice)
    worst = ranked[:PICTURES]
    best = [row for row in ranked[::-1][:PICTURES] if not any(row is other for other in worst)]
    parts = []
    for title, chosen in (("Worst", worst), ("Best", best)):
        if chosen:
            parts.append(f"<h3>{title}</h3>" + "".join(map(_figure, chosen)))
    if not parts:
        return ""
    return (
        '<p>Contours: <b class="true">drawn by a person</b>, <b class="drawn">drawn by the network</b>.</p>'
        + "".join(parts)
    )


def _figure(row: Judged) -> str:
    picture = row.picture.copy()
    picture[_rim(row.truth)] = TRUE_COLOUR
    picture[_rim(row.drawn)] = DRAWN_COLOUR
    buffer = io.BytesIO()
    Pil.fromarray(picture).save(buffer, "PNG")
    source = base64.b64encode(buffer.getvalue()).decode()
    words = f"{row.group}: {row.name}, Dice {row.dice:.3f}{'' if row.found else ', not found'}"
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="{escape(words)}">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _rim(mask: np.ndarray) -> np.ndarray:
    """The outermost two pixels of a mask."""
    inner = ndimage.binary_erosion(mask, iterations=2, border_value=0)
    return np.asarray(mask & ~inner)
