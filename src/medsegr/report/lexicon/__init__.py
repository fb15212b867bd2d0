"""The lexicon: concepts, places, describing words and cues, kept as TOML beside this file and read once
when first asked.

Every value handed out is immutable. Words are compared in a normal form (`normal`): lower case, American
spelling, singular.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from types import MappingProxyType
from typing import Any, Literal

from medsegr.errors import ReportError
from medsegr.findings import Code

Kind = Literal["finding", "anatomy", "device", "statement"]
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][a-z]+)?\d*|[^\w\s-]")
_CHOICE = re.compile(r"\{([^{}]*)\}")
KINDS: tuple[Kind, ...] = ("finding", "anatomy", "device", "statement")
SPELLING: tuple[tuple[str, str], ...] = (
    ("haem", "hem"),
    ("oedema", "edema"),
    ("tumour", "tumor"),
    ("centre", "center"),
    ("grey", "gray"),
    ("colour", "color"),
    ("oesoph", "esoph"),
    ("caec", "cec"),
    ("fibre", "fiber"),
    ("foetal", "fetal"),
    ("anaem", "anem"),
    ("ischaem", "ischem"),
    ("disk", "disc"),
    ("gynaec", "gynec"),
    ("calibre", "caliber"),
    ("foetus", "fetus"),
)
IRREGULAR = MappingProxyType(
    {
        "nuclei": "nucleus",
        "metastases": "metastasis",
        "bullae": "bulla",
        "diverticula": "diverticulum",
        "foci": "focus",
        "vertebrae": "vertebra",
        "hila": "hilum",
        "apices": "apex",
        "atria": "atrium",
        "calculi": "calculus",
        "thrombi": "thrombus",
        "emboli": "embolus",
        "bronchi": "bronchus",
        "papillae": "papilla",
        "septa": "septum",
        "stenoses": "stenosis",
        "atelectases": "atelectasis",
        "ribs": "rib",
        "lens": "lens",
        "pleurae": "pleura",
        "hippocampi": "hippocampus",
        "fibroses": "fibrosis",
        "necroses": "necrosis",
        "hydroceles": "hydrocele",
        "halves": "half",
        "striae": "stria",
        "ganglia": "ganglion",
        "gyri": "gyrus",
        "sulci": "sulcus",
        "fundi": "fundus",
        "uteri": "uterus",
        "ostia": "ostium",
        "adenomata": "adenoma",
        "femora": "femur",
        "scapulae": "scapula",
        "naevi": "nevus",
        "nevi": "nevus",
        "naevus": "nevus",
        "less": "less",
        "is": "is",
        "was": "was",
        "has": "has",
        "as": "as",
        "this": "this",
        "its": "its",
        "does": "does",
        "us": "us",
        "series": "series",
        "plus": "plus",
        "thus": "thus",
        "diabetes": "diabetes",
        "previous": "previous",
    }
)


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing a report can name.

    ``words`` are all phrases that mean it (the name first). ``parents`` are wider concepts, nearest first.
    ``modalities``
    are DICOM codes; empty means any. ``sided`` False: a side said beside it is not its own ("cardiomegaly").
    ``lasting`` True: "old" or "prior" before it does not mean that it is gone ("old rib fracture").
    """

    name: str
    kind: Kind
    words: tuple[str, ...]
    parents: tuple[str, ...] = ()
    code: Code | None = None
    drawable: bool = True
    modalities: tuple[str, ...] = ()
    sided: bool = True
    lasting: bool = False
    field: str = ""  # the file that tells of it: "neuro", "heart", "chest", ...


@dataclass(frozen=True, slots=True)
class Place:
    """A named place. ``side`` and ``rows`` are implied by the word itself; ``of`` is the concept it is a
    part of."""

    name: str
    side: str | None = None
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()
    of: str = ""
    implied: bool = (
        False  # the side follows from the body (liver: right), not from a word: only for findings inside it
    )


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A describing word: ``value`` of ``field`` (density, uniformity, colour, form, margin, size_class,
    count, rows, cols, side)."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that changes what a statement claims.

    ``kind``: negation, pseudo, uncertain, time, other, advice or stop. ``direction``: pre (acts on what
    follows), post (on what precedes) or both. ``value`` is the time for kind time; "own" lets a cue act even
    as one of the words that name the finding ("borderline heart size"). ``reach``: words it acts on at most.
    """

    kind: str
    direction: str
    value: str = ""
    reach: int = 60


@dataclass(frozen=True, slots=True)
class Build:
    """A concept said in two places of a clause: each of ``parts`` is a set of phrases, at most ``window``
    words apart."""

    name: str
    parts: tuple[frozenset[tuple[str, ...]], ...]
    window: int
    unless: frozenset[str] = frozenset()  # concepts that say the same better when the sentence names them


@dataclass(frozen=True, slots=True)
class Refine:
    """A concept that becomes a narrower one at a place (none: anywhere): ``tumour`` in the ``lung`` is a
    ``lung tumour``."""

    name: str
    base: str
    places: frozenset[str]
    modalities: tuple[str, ...] = ()
    unless: frozenset[str] = frozenset()  # places that keep the wide name ("the spine and both shoulders")
    about: frozenset[str] = frozenset()  # fields that sentence or report speak of; empty: any
    bare: bool = False  # only for a name of one word: "oedema", not "pulmonary oedema"


@lru_cache(maxsize=16384)
def normal(word: str) -> str:
    """Normal form of one word: lower case, American spelling, singular. Idempotent for the words of the
    lexicon."""
    low = word.lower().removesuffix("'s").removesuffix("’s")
    for british, american in SPELLING:
        if british in low:
            low = low.replace(british, american)
    if low in IRREGULAR:
        return IRREGULAR[low]
    return _singular(low)


def _singular(low: str) -> str:
    if len(low) <= 3 or not low.endswith("s") or low.endswith(("ss", "us", "is", "ous")):
        return low
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith(("sses", "xes", "ches", "shes")):
        return low[:-2]
    return low[:-1]


def split_words(phrase: str) -> tuple[str, ...]:
    """Normal forms of the words of a phrase of the lexicon; hyphens and underscores divide words."""
    return tuple(map(normal, _WORD.findall(phrase)))


def expand(pattern: str) -> Iterator[str]:
    """All phrases of a pattern with alternatives: ``"no {sign|evidence} of"``; an empty alternative may be
    left out."""
    parts = _CHOICE.split(pattern)
    found = _CHOICE.search(pattern)
    if found and any("{" in part for part in parts):  # a choice within a choice: the inner one first
        for choice in found[1].split("|"):
            yield from expand(pattern[: found.start()] + choice + pattern[found.end() :])
        return
    for chosen in product(*(part.split("|") if i % 2 else (part,) for i, part in enumerate(parts))):
        yield " ".join("".join(chosen).split())


def _phrases(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for pattern in patterns for phrase in expand(pattern)))


@cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    folder = files(__package__)
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return MappingProxyType({name[:-5]: tomllib.loads((folder / name).read_text("utf-8")) for name in names})


@cache
def concepts() -> Mapping[str, Concept]:
    """All concepts by canonical name, in the order of the files."""
    found: dict[str, Concept] = {}
    for field, table in _tables().items():
        shared = tuple(table.get("defaults", {}).get("modalities", ()))
        for kind in KINDS:
            for name, entry in table.get(kind, {}).items():
                whole = {"words": entry} if isinstance(entry, list) else entry
                found[name] = replace(_concept(name, kind, whole, shared), field=field)
    return MappingProxyType(found)


def _concept(name: str, kind: Kind, entry: Mapping[str, Any], shared: tuple[str, ...]) -> Concept:
    return Concept(
        name=name,
        kind=kind,
        words=_phrases((name, *entry.get("words", ()))),
        parents=tuple(entry.get("parents", ())),
        code=Code(*_tables()["codes"]["codes"][name]) if name in _tables()["codes"]["codes"] else None,
        drawable=bool(entry.get("drawable", kind != "statement")),
        modalities=tuple(entry.get("modalities", shared)),
        sided=bool(entry.get("sided", kind != "statement")),
        lasting=bool(entry.get("lasting", kind == "device")),
    )


def concept(name: str) -> Concept:
    """The concept of a canonical name or of one of its words.

    Raises:
        ReportError: nothing in the lexicon is called so.
    """
    known = concepts()
    if name in known:
        return known[name]
    hits = concept_terms().get(split_words(name))
    if hits is None:
        raise ReportError(f"the lexicon has no concept '{name}' ({len(known)} are known; see report/lexicon)")
    return known[hits[0]]


@cache
def concept_terms() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Words in normal form -> names of the concepts that they may mean, a canonical name first, then in the
    order of the files."""
    terms: dict[tuple[str, ...], tuple[str, ...]] = {split_words(name): (name,) for name in concepts()}
    for name, item in concepts().items():
        for key in map(split_words, item.words):
            known = terms.get(key, ())
            terms[key] = known if name in known else (*known, name)
    return MappingProxyType(terms)


@cache
def places() -> Mapping[tuple[str, ...], Place]:
    """Words in normal form -> place: the places of ``anatomy.toml`` and every concept of kind anatomy."""
    terms: dict[tuple[str, ...], Place] = {}
    for name, entry in _tables()["anatomy"].get("place", {}).items():
        place = Place(
            name=entry.get("name", name),
            side=entry.get("side"),
            rows=tuple(entry.get("rows", ())),
            cols=tuple(entry.get("cols", ())),
            of=entry.get("of", ""),
            implied=bool(entry.get("implied", False)),
        )
        for phrase in _phrases((name, *entry.get("words", ()))):
            terms.setdefault(split_words(phrase), place)
    for name, item in concepts().items():
        if item.kind == "anatomy":
            for phrase in item.words:
                terms.setdefault(split_words(phrase), Place(name, of=name))
    return MappingProxyType(terms)


@cache
def paired() -> frozenset[str]:
    """Names of the organs and places that the body has on both sides."""
    return frozenset(_tables()["anatomy"]["paired"])


@cache
def descriptors() -> Mapping[tuple[str, ...], Descriptor]:
    """Words in normal form -> describing value (vocabularies of ``medsegr.types``)."""
    terms: dict[tuple[str, ...], Descriptor] = {}
    for field, values in _tables()["descriptors"].items():
        for value, patterns in values.items():
            for phrase in _phrases(patterns):
                terms[split_words(phrase)] = Descriptor(field, value)
    return MappingProxyType(terms)


@cache
def cues() -> Mapping[tuple[str, ...], tuple[Cue, ...]]:
    """Words in normal form -> what they do; one word may be several cues ("versus" acts both ways)."""
    terms: dict[tuple[str, ...], tuple[Cue, ...]] = {}
    for entry in _tables()["cues"]["cue"]:
        made = Cue(
            entry["kind"], entry.get("direction", "pre"), entry.get("value", ""), entry.get("reach", 60)
        )
        for key in map(split_words, _phrases(entry["words"])):
            if made not in terms.get(key, ()):
                terms[key] = (*terms.get(key, ()), made)
    return MappingProxyType(terms)


@cache
def builds() -> tuple[Build, ...]:
    """Concepts made of separate words ("heart ... enlarged")."""
    sets = {key: _phrases(value) for key, value in _tables()["builds"].get("set", {}).items()}
    made = []
    for entry in _tables()["builds"]["build"]:
        parts = []
        for part in entry["parts"]:
            phrases = [
                phrase
                for word in part
                for phrase in (sets[word[1:]] if word.startswith("$") else _phrases([word]))
            ]
            parts.append(frozenset(split_words(phrase) for phrase in phrases))
        made.append(
            Build(entry["name"], tuple(parts), entry.get("window", 6), frozenset(entry.get("unless", ())))
        )
    return tuple(made)


@cache
def refines() -> tuple[Refine, ...]:
    """Narrower concepts by place."""
    return tuple(
        Refine(
            entry["name"],
            entry["base"],
            frozenset(entry.get("places", ())),
            tuple(entry.get("modalities", ())),
            frozenset(entry.get("unless", ())),
            frozenset(entry.get("about", ())),
            bool(entry.get("bare", False)),
        )
        for entry in _tables()["builds"].get("refine", ())
    )


@cache
def plain_words() -> frozenset[str]:
    """Ordinary words that are never taken for a typing error, in normal form."""
    return frozenset(normal(word) for word in _tables()["words"]["plain"].split())


@cache
def word_list(name: str) -> frozenset[str]:
    """A set of words that the rules use ("verbs", "prepositions", ...), in normal form."""
    return frozenset(_tables()["words"]["lists"][name].split())


@cache
def typos() -> Mapping[str, str]:
    """Known slips too short for the general rule."""
    return MappingProxyType(dict(_tables()["words"]["typos"]))
