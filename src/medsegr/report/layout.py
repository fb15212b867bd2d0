"""Text -> the same text of the same length in which layout reads as words: boxes to tick, the spoken marks of
a dictation, arrows, cells with a colon of their own. Every offset stays that of the text as given."""

import re
from collections.abc import Iterator

from medsegr.report import columns
from medsegr.report.blocks import KEYS, names_finding

_ON = r"\[[xX\u2713\u2714]\]|(?<!\w)\([xX]\)(?!\w)|[\u2611\u2612\u2713\u2714\u25a0]"
_OFF = r"\[ ?\]|\[_\]|(?<!\w)\( \)|[\u2610\u25a1]"
_BOX = re.compile(f"(?P<on>{_ON})|(?P<off>{_OFF})")
_OPTION = re.compile(  # up to the next label
    r"[ \t]*+(?:(?![ \t][A-Za-z][A-Za-z /-]{0,25}:|[ \t]{2}\S)[^\n;|])*+"
)
_GROUP = re.compile(  # "Bleeding [ ] Y [x] N   Polyp [x] Y [ ] N"
    rf"[ \t]{{2}}(?=[ \t]*+[A-Za-z][A-Za-z /-]{{0,40}}(?:{_ON}|{_OFF})[ \t]?(?:y|n|yes|no)\b)", re.IGNORECASE
)
_YES = re.compile(r"\s*(?:yes|y|no|n|unknown|present|absent)\b", re.IGNORECASE)
_LABEL_END = (":", "-", "\u2013", "")
_ARROW = re.compile(r"(?:[-=]>|\u2192)(?=\s*(?![\s\d]|n/?[as]\b|not\b)\S)")
_SPOKEN = re.compile(
    r"(?<![ \t])[ \t]++(?:(?P<dot>period|full ?stop)|(?P<comma>comma)|(?P<semi>semicolon)"
    r"|(?P<ask>question mark)|(?P<part>(?:(?:new|next) )?paragraph)|(?P<line>(?:new|next) line)"
    r"|(?P<colon>colon))(?=\s|$)",
    re.IGNORECASE,
)
_WRITTEN = {"dot": ".", "comma": ",", "semi": ";", "ask": "?", "colon": ":", "line": "\n", "part": "\n\n"}
_NO_STOP = re.compile(  # "over a period of", "the menstrual period"
    r"\b(?:a|the|this|that|same|menstrual|last|latent|long|short|incubation|time|of|refractory)\Z",
    re.IGNORECASE,
)
_OF_GUT = re.compile(  # "the transverse colon" is no mark
    r"\b(?:left|right|ascending|transverse|descending|sigmoid|the|whole|entire|proximal|distal|remaining|of"
    r"|mid|redundant|in|and)\Z",
    re.IGNORECASE,
)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NUMBERED = re.compile(rf"(?<=[:.\n])([ \t]*)number ({'|'.join(_NUMBERS)})\b", re.IGNORECASE)
_PAIR = re.compile(  # "Mass    yes"
    r"[ \t]*(?P<key>(?!(?:the|a|an|there|no)\b)[A-Za-z][A-Za-z /-]{1,40}?)(?P<gap>[ ]*\t[ \t]*|[ ]{2,})"
    r"(?P<told>\S.*)",
    re.IGNORECASE,
)
_KEY = re.compile(KEYS, re.IGNORECASE)
_COMPARED = re.compile(  # "(1.9 cc vs 2.8 cc on the right)": the other one's measure
    r"(?<=[\d.,mcl])[ \t]+(?:vs?\.?|versus|compared (?:to|with)|against)[ \t]+\d[^()\n]{0,40}(?=\))",
    re.IGNORECASE,
)
_SIDE = re.compile(r"(?<![\w(])(?P<side>[RL])\)(?=[ \t]*\w)")  # "the R) kidney", as some write
_PAIRS = 2  # lines with a key and what is told of it that make a table
_BEFORE = 20  # characters in which the word before a spoken mark is looked for
_FEW = 2  # spoken full stops that make a dictation


def laid_out(text: str) -> str:
    """The text, as long as it came, with its layout put into words and marks.

    A box that is not ticked denies the finding that it stands beside. Beside an answer, a degree or a place
    ("[ ] yes [x] no", "[ ] rectum [x] sigmoid") it and its words are blanked, for they say nothing; where
    none of the answers to a finding is ticked it is asked. What a measure in brackets is compared with is
    blanked. Spoken marks ("period", "comma", "next line") become marks where the text has at least two spoken
    full stops and no more of its own.
    """
    stops = sum(1 for m in _SPOKEN.finditer(text) if m["dot"] and not _before(_NO_STOP, text, m))
    if stops >= _FEW and stops >= len(re.findall(r"\.\s", text)):
        text = _NUMBERED.sub(_item, _SPOKEN.sub(lambda m: _mark(text, m), text))
    text = _COMPARED.sub(lambda m: " " * len(m.group()), text)
    text = _SIDE.sub(lambda m: m.group() if _in_brackets(text, m.start()) else f"{m['side']} ", text)
    text = _ARROW.sub(lambda m: "-".ljust(len(m.group())), text)
    if "|" in text:
        text = _in_cells(text)
    text = _keyed(text)
    return "\n".join(map(_ticked, text.split("\n"))) if _BOX.search(text) else text


def _in_brackets(text: str, at: int) -> bool:
    """True where a bracket is open in the line: "(larger on the R) ..."."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line.count("(") > line.count(")")


def _in_cells(text: str) -> str:
    """Lines of cells as words: cells with a colon of their own ("HC: 228 mm | BPD: 63 mm") are parted, and
    the first cell of each row of a table is what the others are told of. Tables with a column for each side
    stay as they are (:mod:`medsegr.report.columns`)."""
    sided = {start for start, _ in columns.lines(text, (0, len(text)))}
    out, at = text.split("\n"), 0
    rows = [len(line.strip(" \t\r|").split("|")) for line in out]
    for i, line in enumerate(out):
        said = line.strip(" \t\r|")
        table = rows[i] in rows[max(0, i - 1) : i] + rows[i + 1 : i + 2]
        if table and _is_head(said) and names_finding("".join(out[i + 1 : i + 2]).strip(" |").split("|")[0]):
            out[i] = " " * len(line)
            said = ""
        if said and rows[i] > 1 and at not in sided and all(":" in cell for cell in said.split("|")):
            out[i] = line.replace("|", ";")
        elif said and rows[i] > 1 and at not in sided and table:
            lead = line.index(said)
            name, *told = said.split("|")
            marks = [":", *(";" if names_finding(cell) else "," for cell in told[1:])]
            parts = name + "".join(mark + cell for mark, cell in zip(marks, told, strict=True))
            out[i] = " " * lead + parts + " " * (len(line) - lead - len(parts))
        at += len(line) + 1
    return "\n".join(out)


def _is_head(line: str) -> bool:
    """True for the first row of a table, which tells what stands below: "Lesion | Side | Size"."""
    names = [cell.strip() for cell in line.split("|")[1:]]
    return len(names) > 1 and all(_KEY.fullmatch(name) for name in names)


def _keyed(text: str) -> str:
    """A colon behind the keys of a table without pipes: "Mass    yes" above "Side    left". Every line of it,
    two at least, begins with the name of a finding or with what is told of one ("Side", "Size")."""
    out = text.split("\n")
    run: list[tuple[int, re.Match[str]]] = []
    for i, line in enumerate([*out, ""]):
        pair = _PAIR.fullmatch(line.rstrip())
        if pair and ":" not in line and (_KEY.fullmatch(pair["key"]) or names_finding(pair["key"])):
            run.append((i, pair))
            continue
        for at, told in run if len(run) >= _PAIRS else ():
            gap = told.start("gap")
            out[at] = out[at][:gap] + ":" + out[at][gap + 1 :]
        run = []
    return "\n".join(out)


def _before(pattern: "re.Pattern[str]", text: str, found: "re.Match[str]") -> bool:
    return pattern.search(text[max(0, found.start() - _BEFORE) : found.start()]) is not None


def _mark(text: str, found: "re.Match[str]") -> str:
    """What a spoken mark is written as, with blanks in front of an end of line and behind other marks."""
    kind, size = str(found.lastgroup), len(found.group())
    no_stop = kind == "dot" and _before(_NO_STOP, text, found)
    if no_stop or (kind == "colon" and _before(_OF_GUT, text, found)):
        return found.group()
    written = _WRITTEN[kind]
    return written.rjust(size) if written[0] == "\n" else written.ljust(size)


def _item(found: "re.Match[str]") -> str:
    number = f"{_NUMBERS.index(found[2].lower()) + 1}."
    return (found[1] + number).ljust(len(found.group()))


def _ticked(line: str) -> str:
    """A line with its boxes resolved, those between two semicolons together."""
    line = _GROUP.sub("; ", line)
    return ";".join(map(_answered, line.split(";"))) if _BOX.search(line) else line


def _answered(part: str) -> str:
    boxes = list(_BOX.finditer(part))
    if not boxes:
        return part
    label = part[: boxes[0].start()].rstrip(" \t*-")
    told = bool(label) and label[-1] not in _LABEL_END  # words without a colon stand before the first box
    behind = told and len(boxes) > 1 and not part[boxes[-1].end() :].strip(" \t.")  # "R [ ]  L [x]"
    options = list(_options(part, boxes, behind))
    out = list(part)
    for box, (start, stop) in zip(boxes, options, strict=True):
        if names_finding(part[start:stop]):
            _put(out, box.span(), _state(box, behind))
            continue
        answer = told and not behind and _YES.match(part, start, stop)
        _put(out, box.span(), ":" if box["on"] and answer else "")
        if box["off"]:
            _put(out, (start, stop), "")
    bare = [span for span in options if not names_finding(part[slice(*span)])]
    if len(bare) == len(boxes) and not any(box["on"] for box in boxes):
        if not all(_YES.match(part, *span) for span in bare):
            _put(out, boxes[0].span(), "no" if len(boxes[0].group()) > 1 else "0")
        elif label:  # "Ulcer: [ ] yes [ ] no" is as open as "Ulcer?"
            at = len(label) - (label[-1] in _LABEL_END)
            _put(out, (at, at + 1), "?")
    return "".join(out)


def _state(box: "re.Match[str]", behind: bool) -> str:
    """What a box beside the name of a finding is written as."""
    if behind:
        return "+," if box["on"] else "-,"
    small = len(box.group()) < len("[x]")
    return ("\u2611" if small else "[x]") if box["on"] else ("\u2610" if small else "[ ]")


def _options(part: str, boxes: "list[re.Match[str]]", behind: bool) -> Iterator[tuple[int, int]]:
    """First and last index of the words of each box: those behind it or, ``behind``, before it."""
    for i, box in enumerate(boxes):
        if behind:
            start = boxes[i - 1].end() if i else part.rfind(":", 0, box.start()) + 1
            yield start, box.start()
        else:
            last = boxes[i + 1].start() if i + 1 < len(boxes) else len(part)
            found = _OPTION.match(part, box.end(), last)
            yield box.end(), found.end() if found else last


def _put(out: list[str], span: tuple[int, int], words: str) -> None:
    """Write words over a span; a mark that is longer may take the blank behind it."""
    start, stop = span
    if len(words) > stop - start and out[stop : stop + 1] != [" "]:
        words = words[: stop - start]
    stop = max(stop, start + len(words))
    out[start:stop] = list(words.ljust(stop - start))
