"""HTML -> plain text: what a reader of the page would see, line by line. Scripts, styles and comments are
dropped, nothing is executed or fetched.

Written out here and not built on ``html.parser``, whose time on crafted input was quadratic in several
releases: here every sign is looked at a bounded number of times.
"""

import html
import re

_TAG = re.compile(r"</?(?P<name>[A-Za-z][\w:-]{0,40})(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>|<[!?][^<>]*>")
_BLOCKS = frozenset(
    [
        *("address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3"),
        *("h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tbody"),
        *("tfoot", "thead", "tr", "ul"),
    ]
)
_CELLS = frozenset(["td", "th"])
_HIDDEN = frozenset(
    [
        *("audio", "canvas", "embed", "head", "iframe", "math", "noscript", "object", "script", "style"),
        *("svg", "template", "title", "video"),
    ]
)
_LAID_OUT = frozenset(["br", "p", "li", "tr", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6"])
_BLANKS = re.compile(r"[ \t\r\n\f]+")


def html_text(source: str) -> str:
    """The words of a piece of HTML or XHTML, a line a block, entities resolved.

    White space means what it means in HTML, except in a piece without any tag that ends a line: there the
    line ends of the source are kept, since somebody has put plain text into a ``div``.
    """
    source = _without_comments(source)
    tags = list(_TAG.finditer(source))
    names = [(tag["name"] or "").lower().rpartition(":")[2] for tag in tags]
    laid_out = bool(_LAID_OUT & set(names))
    parts: list[str] = []
    at, hidden, verbatim = 0, "", False
    for tag, name in zip(tags, names, strict=True):
        closing = tag.group().startswith("</")
        if not hidden:
            words = source[at : tag.start()]
            parts += [words if verbatim or not laid_out else _BLANKS.sub(" ", words), _between(name, closing)]
            if name in _HIDDEN and not closing and not tag.group().endswith("/>"):
                hidden = name
            elif name == "pre":
                verbatim = not closing
        elif closing and name == hidden:
            hidden = ""
        at = tag.end()
    if not hidden:
        words = source[at:]
        parts.append(_BLANKS.sub(" ", words) if laid_out else words)
    lines = (line.strip() for line in html.unescape("".join(parts)).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _between(name: str, closing: bool) -> str:
    return "\n" if name in _BLOCKS else " " if name in _CELLS and closing else ""


def _without_comments(source: str) -> str:
    """Without ``<!-- ... -->``; one that is never closed stays, so that no words are lost to it."""
    parts, at = [], 0
    while (start := source.find("<!--", at)) >= 0 and (stop := source.find("-->", start + 4)) >= 0:
        parts.append(source[at:start])
        at = stop + 3
    return "".join([*parts, source[at:]])
