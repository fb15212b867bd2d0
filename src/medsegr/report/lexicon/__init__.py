"""The lexicon: concepts, places, describing words and cues, kept as TOML beside this file and read once
when first asked, from the compiled form where that is up to date.

Every value handed out is immutable. Words are compared in a normal form (`normal`): lower case, American
spelling, singular.
"""

from collections.abc import Mapping
from functools import cache

from medsegr.errors import ReportError
from medsegr.report.lexicon.compiled import load
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
)
from medsegr.report.lexicon.forms import IRREGULAR, SPELLING, expand, normal, split_words

__all__ = [
    "IRREGULAR",
    "KINDS",
    "SPELLING",
    "Build",
    "Concept",
    "Cue",
    "Descriptor",
    "Kind",
    "Lexicon",
    "Place",
    "Refine",
    "Terms",
    "builds",
    "concept",
    "concept_terms",
    "concepts",
    "cues",
    "descriptors",
    "everyday",
    "expand",
    "known_words",
    "meant_words",
    "normal",
    "paired",
    "places",
    "plain_words",
    "refines",
    "split_words",
    "typos",
    "whole_words",
    "word_list",
]


@cache
def _all() -> Lexicon:
    known = load()
    if known is None:
        from medsegr.report.lexicon.tables import read  # brings the TOML reader

        known = read()
    return known


def concepts() -> Mapping[str, Concept]:
    """All concepts by canonical name, in the order of the files."""
    return _all().concepts


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


def concept_terms() -> Terms[tuple[str, ...]]:
    """Words in normal form -> names of the concepts that they may mean, a canonical name first, then in the
    order of the files."""
    return _all().concept_terms


def places() -> Terms[Place]:
    """Words in normal form -> place: the places of ``anatomy.toml`` and every concept of kind anatomy."""
    return _all().places


def paired() -> frozenset[str]:
    """Names of the organs and places that the body has on both sides."""
    return _all().paired


def descriptors() -> Terms[Descriptor]:
    """Words in normal form -> describing value (vocabularies of ``medsegr.types``)."""
    return _all().descriptors


def cues() -> Terms[tuple[Cue, ...]]:
    """Words in normal form -> what they do; one word may be several cues ("versus" acts both ways)."""
    return _all().cues


def builds() -> tuple[Build, ...]:
    """Concepts made of separate words ("heart ... enlarged")."""
    return _all().builds


def refines() -> tuple[Refine, ...]:
    """Narrower concepts by place."""
    return _all().refines


def plain_words() -> frozenset[str]:
    """Ordinary words that are never taken for a typing error, in normal form."""
    return _all().plain


def word_list(name: str) -> frozenset[str]:
    """A set of words that the rules use ("verbs", "prepositions", ...), in normal form."""
    return _all().lists[name]


def typos() -> Mapping[str, str]:
    """Known slips too short for the general rule."""
    return _all().typos


def everyday() -> Mapping[str, str]:
    """Words of everyday speech -> the word of reports that a direct phrase means by them ("lump")."""
    return _all().everyday


def known_words() -> frozenset[str]:
    """Every word of the lexicon in normal form, ordinary words included: none of these is a typing error."""
    return _all().known


def meant_words() -> tuple[str, ...]:
    """Words that a slip may have meant, in normal form and as the lexicon spells them ("oedema")."""
    return _all().meant


def whole_words() -> frozenset[str]:
    """Words of which two may have been glued into one."""
    return _all().whole
