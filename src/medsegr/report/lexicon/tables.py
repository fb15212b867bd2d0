"""The lexicon read from its TOML files: patterns expanded, words in normal form."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from medsegr.findings import Code
from medsegr.report.lexicon.compiled import FILE, dumps
from medsegr.report.lexicon.entries import (
    KINDS,
    Build,
    Concept,
    Cue,
    Descriptor,
    Kind,
    Lexicon,
    Place,
    Refine,
    Terms,
    terms,
)
from medsegr.report.lexicon.forms import normal, phrases, split_words

Tables = Mapping[str, Mapping[str, Any]]


def read() -> Lexicon:
    """All the files beside this one as values; takes about half a second."""
    folder = files(__package__)
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    tables = {name[:-5]: tomllib.loads((folder / name).read_text("utf-8")) for name in names}
    known = MappingProxyType(dict(_concepts(tables)))
    words = tables["words"]
    plain = frozenset(normal(word) for word in (words["plain"] + words["lists"]["asks"]).split())
    made = Lexicon(
        concepts=known,
        concept_terms=_concept_terms(known),
        places=terms(_places(tables["anatomy"], known)),
        descriptors=_descriptors(tables["descriptors"]),
        cues=_cues(tables["cues"]),
        builds=_builds(tables["builds"]),
        refines=_refines(tables["builds"]),
        paired=frozenset(tables["anatomy"]["paired"]),
        plain=plain,
        lists=MappingProxyType({name: frozenset(said.split()) for name, said in words["lists"].items()}),
        typos=MappingProxyType(dict(words["typos"])),
        everyday=MappingProxyType(dict(words["everyday"])),
    )
    return _with_words(made, frozenset(map(normal, tables["ordinary"]["ordinary"].split())))


def _concepts(tables: Tables) -> Iterator[tuple[str, Concept]]:
    codes = tables["codes"]["codes"]
    for field, table in tables.items():
        shared = tuple(table.get("defaults", {}).get("modalities", ()))
        for kind in KINDS:
            for name, entry in table.get(kind, {}).items():
                whole = {"words": entry} if isinstance(entry, list) else entry
                made = _concept(name, kind, whole, shared)
                code = Code(*codes[name]) if name in codes else None
                yield name, replace(made, field=field, code=code)


def _concept(name: str, kind: Kind, entry: Mapping[str, Any], shared: tuple[str, ...]) -> Concept:
    return Concept(
        name=name,
        kind=kind,
        words=phrases((name, *entry.get("words", ()))),
        parents=tuple(entry.get("parents", ())),
        drawable=bool(entry.get("drawable", kind != "statement")),
        modalities=tuple(entry.get("modalities", shared)),
        sided=bool(entry.get("sided", kind != "statement")),
        lasting=bool(entry.get("lasting", kind == "device")),
        apart=bool(entry.get("apart", False)),
    )


def _concept_terms(known: Mapping[str, Concept]) -> Terms[tuple[str, ...]]:
    found: dict[tuple[str, ...], tuple[str, ...]] = {split_words(name): (name,) for name in known}
    for name, item in known.items():
        for key in map(split_words, item.words):
            told = found.get(key, ())
            found[key] = told if name in told else (*told, name)
    return terms(found.items())


def _places(
    anatomy: Mapping[str, Any], known: Mapping[str, Concept]
) -> Iterator[tuple[tuple[str, ...], Place]]:
    for name, entry in anatomy.get("place", {}).items():
        place = Place(
            name=entry.get("name", name),
            side=entry.get("side"),
            rows=tuple(entry.get("rows", ())),
            cols=tuple(entry.get("cols", ())),
            of=entry.get("of", ""),
            implied=bool(entry.get("implied", False)),
        )
        for phrase in phrases((name, *entry.get("words", ()))):
            yield split_words(phrase), place
    for name, item in known.items():
        if item.kind == "anatomy":
            for phrase in item.words:
                yield split_words(phrase), Place(name, of=name)


def _descriptors(table: Mapping[str, Mapping[str, Any]]) -> Terms[Descriptor]:
    found = {
        split_words(phrase): Descriptor(field, value)
        for field, values in table.items()
        for value, patterns in values.items()
        for phrase in phrases(patterns)
    }
    return terms(found.items())


def _cues(table: Mapping[str, Any]) -> Terms[tuple[Cue, ...]]:
    found: dict[tuple[str, ...], tuple[Cue, ...]] = {}
    for entry in table["cue"]:
        made = Cue(
            entry["kind"], entry.get("direction", "pre"), entry.get("value", ""), entry.get("reach", 60)
        )
        for key in dict.fromkeys(map(split_words, phrases(entry["words"]))):
            told = found.get(key, ())
            if made not in told:
                found[key] = (*told, made)
    return terms(found.items())


def _builds(table: Mapping[str, Any]) -> tuple[Build, ...]:
    sets = {key: phrases(value) for key, value in table.get("set", {}).items()}
    made = []
    for entry in table["build"]:
        parts = []
        for part in entry["parts"]:
            said = [sets[word[1:]] if word.startswith("$") else phrases([word]) for word in part]
            parts.append(frozenset(split_words(phrase) for several in said for phrase in several))
        made.append(
            Build(entry["name"], tuple(parts), entry.get("window", 6), frozenset(entry.get("unless", ())))
        )
    return tuple(made)


def _refines(table: Mapping[str, Any]) -> tuple[Refine, ...]:
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
        for entry in table.get("refine", ())
    )


def _with_words(made: Lexicon, ordinary: frozenset[str]) -> Lexicon:
    """The same with its lists of words for typing errors, of which ``ordinary`` words are none."""
    naming = {
        word for table in (made.concept_terms, made.places, made.descriptors) for key in table for word in key
    }
    built = {word for build in made.builds for part in build.parts for key in part for word in key}
    known = naming | built | made.plain | ordinary | {word for key in made.cues for word in key}
    spelled = {  # as the lexicon spells them, too ("oedema")
        word
        for item in made.concepts.values()
        for phrase in item.words
        for word in re.findall(r"[a-z]+", phrase.lower())
    }
    meant = {w for w in naming | spelled if len(w) >= 5 and w.isalpha() and normal(w) not in made.plain}
    whole = {word for word in naming if len(word) >= 4 and word.isalpha()}
    return replace(
        made,
        known=frozenset(known),
        meant=(*sorted(meant), "upper", "lower", "middle", "right", "small", "large", "heart"),
        whole=frozenset(whole | {"one", "two", "three", "four", "five", "six", "all", "and"}),
    )


def main() -> None:
    """Write the compiled form anew, whole or not at all."""
    part = FILE.with_suffix(".part")
    part.write_text(dumps(read()), encoding="utf-8", newline="\n")
    part.replace(FILE)


if __name__ == "__main__":
    main()
