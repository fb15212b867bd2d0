"""A form about one thing: "Nodule 2" or "Mass: yes", "Location: left", "Size: 9 mm" are one sentence, as are
the parts of "Mass: shape oval; margin smooth; size 9 mm"."""

import re
from collections.abc import Sequence

from medsegr.findings import Span

_NUMBERED = re.compile(r"[A-Za-z][A-Za-z /-]{2,40}#?\s?\d{1,2}\s*[:.)-]*")
_TELLING = re.compile(
    r"(?:(?:anatomic(?:al)? |approximate |maximum |max )?"
    r"(?:location|site|side|laterality|position|lobe|segment|level|quadrant|size|dimensions?|diameter)"
    r"|measurements?|composition|echogenicity|density|signal|shape|margins?|contour|borders?"
    r"|echogenic foci|calcifications?)\s*:",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?:location|position|depth|size|diameter|density|shape|margins?|borders?|colou?rs?|distribution)\s+\w",
    re.IGNORECASE,
)
_THERE = re.compile(r"[A-Za-z][A-Za-z /-]{2,40}: ?(?:yes|present|positive|seen|single|1)\.?", re.IGNORECASE)
_LONGEST = 600  # characters of such a form


def joined(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans of sentences, those of a numbered name and of the lines that tell of it as one."""
    out: list[Span] = []
    going = False
    for start, stop in spans:
        next_line = bool(out) and text[out[-1][1] : start].count("\n") == 1
        if going and next_line and stop - out[-1][0] <= _LONGEST and _TELLING.match(text, start, stop):
            out[-1] = out[-1][0], stop
            continue
        here = bool(out) and "\n" not in text[out[-1][1] : start] and text[out[-1][1] - 1] == ";"
        if here and stop - out[-1][0] <= _LONGEST and _PART.match(text, start, stop):
            out[-1] = out[-1][0], stop
            continue
        going = any(form.fullmatch(text, start, stop) for form in (_NUMBERED, _THERE))
        out.append((start, stop))
    return tuple(out)
