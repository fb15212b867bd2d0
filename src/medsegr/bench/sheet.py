"""Pieces of a page of results that stands alone: no scripts, nothing from outside, everything that comes from
tables and methods escaped.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medsegr.metrics.intervals import span

NONE = "–"  # no value
STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:92rem;padding:0 1rem}
body{color:#1b1b1b;background:#fff}
h2{margin-top:2.2rem;border-bottom:1px solid #bbb}h3{margin-top:1.6rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th{background:#f2f2f2}th:first-child,td:first-child,td.words,th.words{text-align:left}
caption{text-align:left;color:#444;padding:.3rem 0}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1b1b1b}
.grid{stroke:#ccc}.bar{stroke:#0072b2;stroke-width:2.5}.dot{fill:#0072b2}.box{fill:none;stroke:#888}
figure{margin:1rem 0}figure img{max-width:100%}figcaption{color:#333}
.note{background:#fff6e0;border-left:4px solid #d55e00;padding:.5rem .8rem}
.blue{color:#0072b2}.orange{color:#b45f06}
code{background:#f2f2f2;padding:0 .2rem}footer{margin:2rem 0;color:#444}
"""


def whole(title: str, body: str) -> str:
    """The page around its parts, which are HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>\n{body}"
        "\n<footer>Not a medical device. For research.</footer></body></html>\n"
    )


def cell(value: Any) -> str:
    """A value as text: intervals as ``mean [low, high]``, numbers with three places, units apart."""
    if isinstance(value, Mapping):
        if "mean" not in value:
            return ", ".join(f"{cell(one)} {unit}" for unit, one in value.items()) or NONE
        if value.get("mean") is None:
            return NONE
        return f"{value['mean']:.3f} {span(value['low'], value['high'])}"
    if value is None:
        return NONE
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def table_of(head: Sequence[str], body: Iterable[Sequence[Any]], caption: str = "") -> str:
    """An HTML table of values as of :func:`cell`; columns of words stand to the left."""
    rows = [list(row) for row in body]
    words = [
        all(isinstance(row[i], str) and not row[i][:1].isdigit() for row in rows) for i in range(len(head))
    ]
    kinds = [' class="words"' if one and rows else "" for one in words]
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}>{html.escape(cell(value))}</td>" for kind, value in zip(kinds, row, strict=True)
        )
        + "</tr>\n"
        for row in rows
    )
    told = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    titles = "".join(
        f'<th scope="col"{kind}>{html.escape(title)}</th>' for kind, title in zip(kinds, head, strict=True)
    )
    top = f"{told}<thead><tr>{titles}</tr></thead>"
    return f'<div class="scroll"><table>{top}<tbody>\n{lines}</tbody></table></div>'


def p_value(value: float | None) -> str:
    """A p-value with four places."""
    return NONE if value is None else f"{value:.4f}"
