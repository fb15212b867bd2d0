"""The lexicon in one file of JSON, ready to be used, since the TOML files take long to read and to expand.

``make lexicon`` writes it. It carries a stamp of the files that it was made from, the TOML and the code of
this folder, and is used only where the stamp is right; otherwise the TOML files are read. So a file that was
forgotten costs time and never a wrong word.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medsegr.findings import Code
from medsegr.report.lexicon.entries import (
    Build,
    Concept,
    Cue,
    Descriptor,
    Lexicon,
    Place,
    Refine,
    Terms,
)

FOLDER = Path(__file__).parent
FILE = FOLDER / "compiled.json"


def stamp() -> str:
    """SHA-256 of the files that the compiled form depends on, whatever the line ends of this checkout."""
    names = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".toml", ".py"))
    return sha256(
        b"".join(n.encode() + b"\0" + (FOLDER / n).read_bytes().replace(b"\r\n", b"\n") for n in names)
    ).hexdigest()


def load(path: Path = FILE) -> Lexicon | None:
    """The compiled lexicon; None where there is none that can be used: missing, damaged or of other files."""
    try:
        plain = json.loads(path.read_bytes())
        return _lexicon(plain) if plain["stamp"] == stamp() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def dumps(lexicon: Lexicon) -> str:
    """The file's text: one line an entry or a first word, in a fixed order, so that changes can be read."""
    plain = _plain(lexicon)
    parts = []
    for name, value in plain.items():
        if isinstance(value, dict):
            lines = ",\n".join(f"{_json(key)}:{_json(below)}" for key, below in value.items())
            parts.append(f"{_json(name)}:{{\n{lines}}}")
        else:
            lines = ",\n".join(map(_json, value)) if isinstance(value, list) else ""
            parts.append(f"{_json(name)}:" + (f"[\n{lines}]" if lines else _json(value)))
    return "{" + ",\n".join(parts) + "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(lexicon: Lexicon) -> dict[str, Any]:
    return {
        "stamp": stamp(),
        "concepts": [
            [
                *(c.name, c.kind, c.words, c.parents),
                None if c.code is None else (c.code.scheme, c.code.value, c.code.meaning),
                *(c.drawable, c.modalities, c.sided, c.lasting, c.field, c.apart),
            ]
            for c in lexicon.concepts.values()
        ],
        "concept_names": list(lexicon.concept_terms.entries),
        "concept_tree": lexicon.concept_terms.tree,
        "sizes": [
            len(lexicon.concept_terms),
            len(lexicon.places),
            len(lexicon.descriptors),
            len(lexicon.cues),
        ],
        "places": [(p.name, p.side, p.rows, p.cols, p.of, p.implied) for p in lexicon.places.entries],
        "place_tree": lexicon.places.tree,
        "descriptors": [(d.field, d.value) for d in lexicon.descriptors.entries],
        "descriptor_tree": lexicon.descriptors.tree,
        "cues": [
            [(c.kind, c.direction, c.value, c.reach) for c in several] for several in lexicon.cues.entries
        ],
        "cue_tree": lexicon.cues.tree,
        "builds": [
            (b.name, [sorted(map(" ".join, part)) for part in b.parts], b.window, sorted(b.unless))
            for b in lexicon.builds
        ],
        "refines": [
            (r.name, r.base, sorted(r.places), r.modalities, sorted(r.unless), sorted(r.about), r.bare)
            for r in lexicon.refines
        ],
        "paired": sorted(lexicon.paired),
        "lists": {name: " ".join(sorted(words)) for name, words in lexicon.lists.items()},
        "typos": dict(lexicon.typos),
        "everyday": dict(lexicon.everyday),
        "plain": " ".join(sorted(lexicon.plain)),
        "known": " ".join(sorted(lexicon.known)),
        "meant": " ".join(lexicon.meant),
        "whole": " ".join(sorted(lexicon.whole)),
    }


def _lexicon(plain: Mapping[str, Any]) -> Lexicon:
    names, places, descriptors, cues = plain["sizes"]
    return Lexicon(
        concepts=MappingProxyType({row[0]: _concept(row) for row in plain["concepts"]}),
        concept_terms=Terms(plain["concept_tree"], tuple(map(tuple, plain["concept_names"])), names),
        places=Terms(
            plain["place_tree"],
            tuple(Place(n, s, tuple(r), tuple(c), of, i) for n, s, r, c, of, i in plain["places"]),
            places,
        ),
        descriptors=Terms(
            plain["descriptor_tree"], tuple(Descriptor(*row) for row in plain["descriptors"]), descriptors
        ),
        cues=Terms(
            plain["cue_tree"], tuple(tuple(Cue(*row) for row in rows) for rows in plain["cues"]), cues
        ),
        builds=tuple(
            Build(name, tuple(map(_phrases, parts)), window, frozenset(unless))
            for name, parts, window, unless in plain["builds"]
        ),
        refines=tuple(
            Refine(name, base, frozenset(at), tuple(kinds), frozenset(unless), frozenset(about), bare)
            for name, base, at, kinds, unless, about, bare in plain["refines"]
        ),
        paired=frozenset(plain["paired"]),
        plain=frozenset(plain["plain"].split()),
        lists=MappingProxyType({name: frozenset(said.split()) for name, said in plain["lists"].items()}),
        typos=MappingProxyType(plain["typos"]),
        everyday=MappingProxyType(plain["everyday"]),
        known=frozenset(plain["known"].split()),
        meant=tuple(plain["meant"].split()),
        whole=frozenset(plain["whole"].split()),
    )


def _concept(row: list[Any]) -> Concept:
    name, kind, words, parents, code, drawable, modalities, *rest = row
    coded = None if code is None else Code(*code)
    return Concept(name, kind, tuple(words), tuple(parents), coded, drawable, tuple(modalities), *rest)


def _phrases(said: list[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split(" ")) for phrase in said)
