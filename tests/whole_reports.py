"""Whole reports with what a radiologist reads in them, and how a reading is scored against that.

    python tests/whole_reports.py tests/report/reports_heldout.toml [--list]

A finding is right when its name (or that of a wider concept), its state, its side, its key place or size and
its look are those wanted; wrong when it is there with another state, side, place, size or look; missed when
nothing has its name. Invented is what would be drawn and stands in no line. Repeating a finding invents
nothing. Of wrong and invented ones the two dangerous kinds are told again: drawn though denied, doubted, past
or said nowhere, and there with a wrong side. Of the missed ones that are there those are told again of whose
name a word stands in a passage that is told as unread.
"""

import argparse
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from medsegr.findings import Finding
from medsegr.report.lexicon import concept_terms, concepts, descriptors, places, split_words
from medsegr.report.parse import parse, skip_reason
from medsegr.results.verdicts import KINDS
from medsegr.types import modality_code

_SIZE = re.compile(r"(\d+(?:\.\d+)?(?:x\d+(?:\.\d+)?)*) mm")
OPTIONAL = "="


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of what must be read: ``keys`` are words of place or a size, ``looks`` values of texture and
    shape."""

    state: str
    names: frozenset[str]
    side: str
    keys: tuple[str, ...]
    line: str
    looks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one report: the lines read rightly, wrongly and not, and what nobody said."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]
    invented: tuple[str, ...]
    drawn: tuple[str, ...] = ()  # of wrong and invented: would be drawn and is not there
    sided: tuple[str, ...] = ()  # of wrong and invented: would be drawn on a wrong side
    gaps: tuple[str, ...] = ()  # missed lines of what is there
    owned: tuple[str, ...] = ()  # of these: stands in a passage that is told as unread
    unread: tuple[str, ...] = ()  # those passages

    @property
    def clean(self) -> bool:
        """True when the report was read without any error."""
        return not (self.wrong or self.missed or self.invented)


def wanted(lines: str) -> tuple[Wanted, ...]:
    out = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, side, *told = [*(part.strip() for part in line[1:].split(";")), "", "", ""][:4]
        keys, looks = (tuple(filter(None, (key.strip() for key in part.split(",")))) for part in told)
        out.append(Wanted(line[0], _names(name.split("|")), side, keys, line, frozenset(map(_look, looks))))
    return tuple(out)


def _names(told: list[str]) -> frozenset[str]:
    """The names as told and what the lexicon calls these, so that an answer may be written without it."""
    known = concept_terms()
    return frozenset(told).union(*(known.get(split_words(name)) or () for name in told))


def _look(told: str) -> str:
    """The value of a look, which may be told in the words of a report, too: "hypoechoic"."""
    known = descriptors().get(split_words(told))
    return known.value if known is not None and known.value else told


def state(finding: Finding) -> str:
    reason = skip_reason(finding)
    return {None: "+", "absent": "-", "uncertain": "?", "prior": "~"}.get(reason, "")


def in_image(finding: Finding, modality: str) -> bool:
    """False for what only quite another kind of image shows, as the pipeline decides it: a gland in CT."""
    concept = concepts().get(finding.name)
    kinds = {KINDS.get(code, "") for code in concept.modalities} if concept else set()
    return not kinds or KINDS.get(modality_code(modality) or "", "") in kinds


def same_name(one: Wanted, finding: Finding) -> bool:
    return bool(one.names & {finding.name, *finding.parents})


def _holds(key: str, finding: Finding) -> bool:
    size = _SIZE.fullmatch(key)
    if size is not None:
        axes = tuple(float(axis) for axis in size[1].split("x"))
        return finding.shape.size_mm is not None and sorted(axes) == sorted(finding.shape.size_mm)
    place = finding.location
    read = " ".join((*place.rows, *place.cols, *place.anatomy)).lower()
    known = places().get(split_words(key))
    return key.lower() in read or (known is not None and known.name in read)


def _looks(finding: Finding) -> frozenset[str]:
    look, shape = finding.texture, finding.shape
    told = (look.density, look.uniformity, look.colour, shape.form, shape.margin, shape.size_class)
    return frozenset(value for value in (*told, str(shape.count or "")) if value)


def fits(one: Wanted, finding: Finding) -> bool:
    """True when all that the line tells is read."""
    here = one.state in (OPTIONAL, state(finding)) or (one.state == "+" and not state(finding))
    place = finding.location.side == one.side if one.side else True
    alike = one.looks <= _looks(finding)
    return here and place and alike and same_name(one, finding) and all(_holds(k, finding) for k in one.keys)


def _repeats(one: Wanted, finding: Finding) -> bool:
    side = finding.location.side
    agree = not side or not one.side or side == one.side
    return one.state in ("+", OPTIONAL) and agree and same_name(one, finding)


def score(lines: tuple[Wanted, ...], findings: tuple[Finding, ...]) -> Score:
    left = list(findings)
    right, open_lines = [], []
    strict = sorted(lines, key=lambda w: (w.state == OPTIONAL, -len(w.keys) - bool(w.side) - len(w.looks)))
    for line in strict:
        found = [f for f in left if fits(line, f)]
        found.sort(key=lambda f: f.name not in line.names)
        if found:
            left.remove(found[0])
        if line.state != OPTIONAL:
            (right if found else open_lines).append(line)
    wrong, missed, drawn, sided = [], [], [], []
    for line in open_lines:
        found = [f for f in left if same_name(line, f)]
        found.sort(key=lambda f: (state(f) != line.state, f.name not in line.names))
        if found:
            left.remove(found[0])
            wrong.append(f"{line.line}  <-  {told(found[0])}")
            here = state(found[0]) == "+"
            drawn += wrong[-1:] if here and line.state != "+" else []
            sided += wrong[-1:] if here and line.state == "+" and _sides_differ(line, found[0]) else []
        else:
            missed.append(line.line)
    extra = [f for f in left if state(f) == "+" and not any(_repeats(w, f) for w in lines)]
    for f in extra:  # of another side than that which is there, or not there at all
        (sided if any(w.state == "+" and same_name(w, f) for w in lines) else drawn).append(told(f))
    counts = (tuple(part) for part in (wrong, missed, map(told, extra), drawn, sided))
    return Score(tuple(w.line for w in right), *counts)


def _sides_differ(one: Wanted, finding: Finding) -> bool:
    return bool(one.side and finding.location.side) and one.side != finding.location.side


def told(finding: Finding) -> str:
    place = finding.location
    where = " ".join((*place.rows, *place.cols, *place.anatomy))
    size, looks = finding.shape.size_mm or "", ", ".join(sorted(_looks(finding)))
    return (
        f"{state(finding)} {finding.name}; {place.side or ''}; {where} {size}; {looks} [{finding.phrase!r}]"
    )


def _stems(text: str) -> set[str]:
    return {word[:6] for word in re.findall(r"[a-z0-9]{3,}", text.lower())}


def owning(one: Score, passages: tuple[str, ...]) -> Score:
    """The score with what the reader says of its own gaps: ``passages`` in which nothing known is named."""
    gaps = tuple(line for line in one.missed if line.startswith("+"))
    told = _stems(" ".join(passages))
    owned = tuple(line for line in gaps if _stems(line[1:].split(";")[0]) & told)
    return replace(one, gaps=gaps, owned=owned, unread=passages)


def score_file(path: Path) -> dict[str, Score]:
    """Name of each report of a file -> its score."""
    out = {}
    for report in tomllib.loads(path.read_text("utf-8"))["report"]:
        read = parse(report["text"], modality=report["modality"])
        seen = tuple(f for f in read.findings if state(f) != "+" or in_image(f, report["modality"]))
        passages = tuple(report["text"][slice(*span)] for span in read.unread)
        out[report["name"]] = owning(score(wanted(report["reads"]), seen), passages)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--list", action="store_true", help="print every error")
    args = parser.parse_args()
    scores = score_file(args.file)
    for name, one in scores.items() if args.list else ():
        print(f"{name}: {len(one.right)} right")
        for kind in ("wrong", "missed", "invented", "drawn", "sided", "owned", "unread"):
            for line in getattr(one, kind):
                print(f"  {kind:9}{line}")
    counts = {kind: sum(len(getattr(s, kind)) for s in scores.values()) for kind in Score.__slots__}
    print(f"{len(scores)} reports, {sum(s.clean for s in scores.values())} entirely right; {counts}")


if __name__ == "__main__":
    main()
