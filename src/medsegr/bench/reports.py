"""Reading of reports against human codes: the Indiana/Open-i chest reports with their MeSH entries.

How it counts:

- Each MeSH entry ("Opacity/lung/upper lobe/right") is mapped by ``report_concepts.toml`` to concepts; entries
  that map to none are left out. A finding counts by its name or that of a wider concept, if it is present, or
  uncertain and coded; an uncertain one that is not coded is left out. Denied, resolved and earlier findings
  do not count.
- Presence is report x concept over the 30 most frequent concepts: micro and macro F1.
- Side and zone (upper, middle, lower) must be equal where codes and reader both tell one.
- A report coded "normal" is clean when none of the concepts is read in it for sure.

No text of a report is kept or printed. Intervals are 95 % bootstrap intervals over reports.
"""

import csv
import re
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from medsegr.errors import InputError, MissingExtra

COLUMNS: Final = ("uid", "MeSH", "findings", "impression")
MOST: Final = 30  # concepts that presence is counted over
DRAWS: Final = 1000
ZONES: Final = {
    "upper lobe": "upper",
    "apex": "upper",
    "middle lobe": "middle",
    "lingula": "middle",
    "lower lobe": "lower",
    "base": "lower",
}
SIDES: Final = {"left": ("left",), "right": ("right",), "bilateral": ("left", "right")}
MEASURES: Final = ("f1", "side", "zone", "clean")


@dataclass(frozen=True, slots=True)
class Said:
    """One finding as a reader reads it; ``gone``: resolved, of an earlier study or of somebody else."""

    names: tuple[str, ...]
    polarity: str
    gone: bool = False
    side: str | None = None
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coded:
    """What codes or a reader say of one concept in one report; ``sure`` is False if it is only uncertain."""

    sides: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One coded report: its words, its concepts, and whether the coders call it normal."""

    uid: str
    text: str
    gold: Mapping[str, Coded]
    normal: bool


Reader = Callable[[str], Sequence[Said]]


@cache
def concepts() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Concept -> (MeSH codes, names a reader may use), in normal spelling."""
    table = tomllib.loads((files(__package__) / "report_concepts.toml").read_text("utf-8"))["concept"]
    return {
        name: (frozenset(entry["codes"]), frozenset(map(_norm, entry["names"])))
        for name, entry in table.items()
    }


def _norm(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").split())


def read_rows(path: Path) -> tuple[Row, ...]:
    """Coded reports of a CSV file with the columns uid, MeSH, findings and impression.

    Rows without findings and impression, and rows that were not indexed, are left out.

    Raises:
        InputError: it is no such CSV, or no coded report is in it.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"the CSV lacks {', '.join(missing)}; the columns {', '.join(COLUMNS)} were expected"
                )
            rows = [_row(line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("the reports are no CSV in UTF-8; export them as such") from error
    found = tuple(row for row in rows if row is not None)
    if not found:
        raise InputError("the CSV holds no report with codes and words; rows of both were expected")
    return found


def _row(line: Mapping[str, str | None]) -> Row | None:
    told = (line.get("MeSH") or "").strip()
    parts = [(key, line.get(key) or "") for key in ("findings", "impression")]
    text = "\n\n".join(f"{key.upper()}: {words}" for key, words in parts if words.strip())
    if not text or told.lower() == "no indexing":
        return None
    return Row(line.get("uid") or "", text, gold_of(told), told.lower() == "normal")


def gold_of(codes: str) -> dict[str, Coded]:
    """Concepts of one report's MeSH entries, joined by ";"."""
    out: dict[str, Coded] = {}
    for entry in codes.split(";"):
        heading, *rest = (part.strip().lower() for part in entry.split("/"))
        keys = {heading, *(f"{heading}/{part}" for part in rest)}
        sides = frozenset(side for part in rest for side in SIDES.get(part, ()))
        zones = frozenset(ZONES[part] for part in rest if part in ZONES)
        for name, (wanted, _) in concepts().items():
            if keys & wanted:
                known = out.get(name, Coded())
                out[name] = Coded(known.sides | sides, known.zones | zones, True)
    return out


def predicted_of(said: Iterable[Said]) -> dict[str, Coded]:
    """Concepts that a reader reads as present or uncertain."""
    out: dict[str, Coded] = {}
    for one in said:
        if one.polarity not in ("present", "uncertain") or one.gone:
            continue
        names = set(map(_norm, one.names))
        sides = frozenset(SIDES.get(one.side or "", ()))
        for name, (_, accepted) in concepts().items():
            if names & accepted:
                known = out.get(name, Coded())
                sure = known.sure or one.polarity == "present"
                out[name] = Coded(known.sides | sides, known.zones | frozenset(one.rows), sure)
    return out


def score(rows: Sequence[Row], said: Sequence[Sequence[Said]], seed: int = 0) -> dict[str, Any]:
    """Scores of one reader. ``said`` holds its findings for each row, in the same order."""
    frequency = Counter(name for row in rows for name in row.gold)
    top = [name for name, _ in frequency.most_common(MOST)]
    read = [predicted_of(one) for one in said]
    table = {name: _counts(name, rows, read) for name in top}
    each = np.array([_tally(row, one, top) for row, one in zip(rows, read, strict=True)], dtype=np.float64)
    weights = np.random.default_rng(seed).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), DRAWS)
    drawn = [_ratios(sums) for sums in weights @ each]
    total = each.sum(axis=0)
    sure = Counter(one.polarity for per in said for one in per)
    result: dict[str, Any] = {"reports": len(rows), **_ratios(total)}
    result["macro_f1"] = float(np.mean([one["f1"] for one in table.values()])) if table else float("nan")
    result |= {"side_n": int(total[4]), "zone_n": int(total[6]), "clean_n": int(total[8])}
    result["uncertain_share"] = _ratio(sure["uncertain"], sure["uncertain"] + sure["present"])
    result["interval"] = {
        key: _interval([one[key] for one in drawn]) if len(rows) > 1 else None for key in MEASURES
    }
    result["concepts"] = dict(sorted(table.items(), key=lambda item: -item[1]["gold"]))
    return result


def _counts(name: str, rows: Sequence[Row], read: Sequence[Mapping[str, Coded]]) -> dict[str, float]:
    tp = sum(name in row.gold and name in one for row, one in zip(rows, read, strict=True))
    fp = sum(
        name not in row.gold and name in one and one[name].sure for row, one in zip(rows, read, strict=True)
    )
    fn = sum(name in row.gold and name not in one for row, one in zip(rows, read, strict=True))
    told = {"precision": _ratio(tp, tp + fp), "recall": _ratio(tp, tp + fn)}
    return {"gold": tp + fn, **told, "f1": _ratio(2 * tp, 2 * tp + fp + fn)}


def _tally(row: Row, read: Mapping[str, Coded], top: Sequence[str]) -> tuple[int, ...]:
    """true, false, missed; right sides, sides; right zones, zones; clean, normal: of one report."""
    true = sum(name in row.gold and name in read for name in top)
    false = sum(name not in row.gold and name in read and read[name].sure for name in top)
    missed = sum(name in row.gold and name not in read for name in top)
    both = [(row.gold[name], read[name]) for name in row.gold if name in read]
    sides = [a.sides == b.sides for a, b in both if a.sides and b.sides]
    zones = [a.zones == b.zones for a, b in both if a.zones and b.zones]
    clean = row.normal and not false
    return true, false, missed, sum(sides), len(sides), sum(zones), len(zones), int(clean), int(row.normal)


def _ratios(sums: Sequence[float] | np.ndarray) -> dict[str, float]:
    tp, fp, fn, side, sides, zone, zones, clean, normal = (float(value) for value in sums)
    return {
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "side": _ratio(side, sides),
        "zone": _ratio(zone, zones),
        "clean": _ratio(clean, normal),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.nanpercentile(values, (2.5, 97.5)) if not np.isnan(values).all() else (np.nan, np.nan)
    return float(low), float(high)


def ours(text: str) -> tuple[Said, ...]:
    """The rules of ``medsegr.report``."""
    from medsegr.report.parse import parse, skip_reason

    return tuple(
        Said(
            (f.name, *f.parents),
            f.polarity,
            f.time in ("prior", "resolved") or skip_reason(f) in ("prior", "not_this_patient"),
            f.location.side,
            f.location.rows,
        )
        for f in parse(text, modality="DX").findings
    )


DENIED: Final = re.compile(r"\b(?:no|not|without|negative|free|clear of|resolved)\b", re.IGNORECASE)
WORDS: Final = {
    "upper": re.compile(r"\b(?:upper|apex|apical|apices|biapical)\b", re.IGNORECASE),
    "middle": re.compile(r"\b(?:middle|midlung|mid lung|lingula|lingular)\b", re.IGNORECASE),
    "lower": re.compile(r"\b(?:lower|base|bases|basilar|bibasilar)\b", re.IGNORECASE),
}


def _place(sentence: str) -> tuple[str | None, tuple[str, ...]]:
    """Side and zones by the words of the sentence, which is all that a matcher of keywords knows."""
    low = sentence.lower()
    left, right = ("left" in low), ("right" in low)
    both = "bilateral" in low or "bibasilar" in low or "biapical" in low or (left and right)
    side = "bilateral" if both else "left" if left else "right" if right else None
    return side, tuple(row for row, words in WORDS.items() if words.search(sentence))


@cache
def _phrases() -> Mapping[str, tuple[str, ...]]:
    """Phrase in lower case, singular and plural -> names: the lexicon's words of the concepts counted."""
    from medsegr.report import lexicon

    accepted = frozenset[str]().union(*(names for _, names in concepts().values()))
    out: dict[str, tuple[str, ...]] = {}
    for item in lexicon.concepts().values():
        names = (item.name, *item.parents)
        if accepted & set(map(_norm, names)):
            for phrase in item.words:
                out.setdefault(phrase.lower(), names)
                out.setdefault(f"{phrase.lower()}s", names)
    return out


@cache
def _pattern() -> re.Pattern[str]:
    longest = sorted(_phrases(), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b", re.IGNORECASE)


def keywords(text: str) -> tuple[Said, ...]:
    """A plain matcher: words of the lexicon; a "no" before one in its sentence denies it."""
    out = []
    for sentence in re.split(r"(?<=[.;])\s|\n", text):
        side, rows = _place(sentence)
        for found in _pattern().finditer(sentence):
            denied = DENIED.search(sentence, 0, found.start())
            names = _phrases()[found.group().lower()]
            out.append(Said(names, "absent" if denied else "present", side=side, rows=rows))
    return tuple(out)


def negspacy() -> Reader:
    """spaCy's entity ruler over the lexicon's words, denied by negspacy.

    Raises:
        MissingExtra: spaCy or negspacy is not installed.
    """
    try:
        import spacy
        from negspacy.negation import Negex  # noqa: F401  (registers the component)
    except ImportError as error:
        raise MissingExtra("the peer negspacy needs the 'dev' extra: pip install 'medsegr[dev]'") from error
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler: Any = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    ruler.add_patterns([{"label": "FINDING", "pattern": phrase} for phrase in _phrases()])
    nlp.add_pipe("negex", config={"ent_types": ["FINDING"]})

    def read(text: str) -> tuple[Said, ...]:
        out = []
        for entity in nlp(text).ents:
            side, rows = _place(entity.sent.text)
            polarity = "absent" if entity._.negex else "present"
            names = _phrases().get(entity.text.lower(), ())
            out.append(Said(names, polarity, side=side, rows=rows))
        return tuple(out)

    return read


def measured(rows: Sequence[Row], reader: Reader) -> dict[str, Any]:
    """Scores of a reader with its seconds: of all, and the median and 99th percentile of one report in ms."""
    reader(rows[0].text)  # tables are made at the first report
    said, spent = [], []
    for row in rows:
        start = time.perf_counter()
        said.append(reader(row.text))
        spent.append(time.perf_counter() - start)
    median, late = np.percentile(spent, (50, 99)) * 1000
    speed = {"seconds": float(sum(spent)), "median_ms": float(median), "p99_ms": float(late)}
    return score(rows, said) | speed
