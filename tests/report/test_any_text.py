"""Any string at all is read: no exception, every span inside the text, work that grows with the length."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.report import document, match, sentence
from medsegr.report.parse import parse, parse_phrase
from medsegr.types import Finding, Report, Span

WORDS = st.sampled_from(
    [
        *(
            "no ",
            "nodule",
            "left",
            "right ",
            "lung",
            "without ",
            " effusion",
            "possible ",
            "and ",
            ", ",
            ". ",
        ),
        *("FINDINGS:", "IMPRESSION:", "\n", "\r\n", "\r", "\t", "\x00", "\x1b[31m", "\x0b", "\x0c", "\x85"),
        *("<b>", "</b>", "(", ")", "[", "]", "8 mm", "2 x 3 cm", "3 o'clock", "1. ", "- ", "?", ":", "-ve"),
        *(
            "\u0130",
            "\u00df",
            "\ufb01",
            "\ufb03",
            "\u1e9e",
            "\u01c5",
            "\u0345",
            "e\u0301",
            "\u202e",
            "\u2066",
        ),
        *("\ud800", "\udc00", "\U0001f600", "\u200d", "\u05d0\u05d1", "\u0661", "\u00b2", "\u2028", "\ufeff"),
        *(
            "L4",
            "RLL",
            "T2",
            "x-ray",
            "'s",
            "\u2019",
            "\u2013",
            "\u2212",
            "(-)",
            "XXXX",
            "/",
            "\\",
            "{}",
            "%s",
        ),
    ]
)
CHARACTERS = st.characters(exclude_categories=())  # lone halves of a pair included
ANY = st.text(CHARACTERS, max_size=80) | st.lists(WORDS | st.text(CHARACTERS, max_size=3), max_size=40).map(
    "".join
)


def spans(finding: Finding) -> Iterator[Span]:
    yield finding.span
    yield from finding.mentions
    yield from finding.location.spans
    yield from finding.texture.spans
    yield from finding.shape.spans
    yield from (span for span in (finding.sentence, finding.polarity_span) if span is not None)


def check(text: str, report: Report) -> None:
    assert report.text == text
    for section in report.sections:
        assert 0 <= section.span[0] <= section.span[1] <= len(text)
    for finding in report.findings:
        assert finding.phrase == text[slice(*finding.span)]
        for start, stop in spans(finding):
            assert 0 <= start < stop <= len(text) or not text.strip(), finding


@settings(deadline=None, max_examples=150)
@given(ANY, st.sampled_from([None, "CR", "MR", "ES"]))
def test_any_text_is_read(text: str, modality: str | None) -> None:
    check(text, parse(text, modality=modality))


@settings(deadline=None, max_examples=100)
@given(ANY, st.sampled_from([None, "patient", "viewer"]))
def test_any_phrase_is_read(text: str, frame: Any) -> None:
    report = parse_phrase(text, frame=frame)
    assert report.findings
    check(text, report)


STRANGE = {
    "nothing": "",
    "blanks": " \n\t\r\n \u00a0\u2003",
    "zeros": "\x00" * 1000,
    "a zero inside": "Small nod\x00ule in the left lung. Nodule.",
    "lone halves": "\ud800 nodule \udfff",
    "right to left": "\u202enodule in the left lung\u202c \u05d2\u05d5\u05e9",
    "combining": "no\u0301dule " + "e" + "\u0301" * 5000 + " nodule",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 nodule \U0001f1e9\U0001f1ea left lung",
    "brackets": "(" * 3000 + "nodule" + ")" * 3000,
    "mixed brackets": "([{<" * 2000 + "nodule" + ">}])" * 2000,
    "open tags": "<a " * 5000 + "nodule",
    "quotes": "\"'`" * 5000,
    "long words": ("hyper" * 4000) + " nodule " + "\u00df" * 20000,
    "digits": "1" * 30000 + " mm nodule",
    "digits of other kinds": "\u00b2 nodules, \u0665 nodules, \u2460 nodules at \u00b2 o'clock, \u00b2th rib",
    "sizes": "1 x " * 8000 + "mm nodule",
    "points": "1." * 10000,
    "marks": "?!" * 10000,
    "dashes": "- " * 10000,
    "headings": "FINDINGS: " * 3000,
    "lines": "\n" * 30000 + "Nodule.",
    "carriage returns": "\r" * 30000 + "Nodule.",
    "colons": "a:" * 10000,
    "blanks behind a word": "Small nodule in the left lung.\nab" + " " * 30000,
    "blanks in every line": ("ab" + " " * 2000 + "x\n") * 15 + "Nodule.",
    "stops before a letter": "Nodule" + "." * 30000 + "x",
    "blanks behind a number": ("1" + " " * 1400 + "nodule. ") * 20,
    "slashes": "and/or/" * 4000,
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_strange_text_is_read(text: str) -> None:
    check(text, parse(text))
    check(text, parse_phrase(text))


@pytest.mark.parametrize(
    "text",
    [
        "\u0130\u0130 \u0130nfiltrate. Nodule in the left lung.",  # lower case of it is two characters
        "Stra\u00dfe \ufb01brosis \ufb03 \u1e9e. Nodule in the left lung.",
        "\u01c5 \u0390 \u1f88. Nodule in the left lung.",
        "A\r\nB\r\n\r\nNodule in the left lung.\r\n",
        "\ufeffNodule in the left lung.",
        "e\u0301\u0301\u0301. Nodule in the left lung.",
        "\U0001f600\U0001f600. Nodule in the left lung.",
        "<b>\x1b[31m</b> Nodule in the left lung.",
    ],
)
def test_offsets_survive_characters_of_another_length(text: str) -> None:
    finding = parse(text, modality="CR").findings[-1]
    assert finding.phrase == text[slice(*finding.span)] == "Nodule in the left lung"
    assert [text[slice(*span)] for span in finding.location.spans] == ["left", "lung"]


MEGABYTE = {
    "one letter": "a" * 1_000_000,
    "no": "no " * 333_333,
    "commas": "," * 100_000,
    "no line end": "nodule, " * 12_500,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", MEGABYTE.values(), ids=MEGABYTE.keys())
def test_a_megabyte_is_read(text: str) -> None:
    check(text, parse(text))


LONG = {
    "letter": "a",
    "no": "no ",
    "comma": ",",
    "list": "nodule, mass and ",
    "words": "the quick brown fox ",
    "sentences": "Small nodule in the left lung. ",
    "sides": "left right ",
    "brackets": "(",
    "sizes": "8 mm ",
    "lines": "Nodule\n",
    "boxes": "[ ] yes [x] no; ",
    "blanks and boxes": "[ ]" + " " * 20,
    "cells": "nodule | mass\n",
    "tables": "a | right | left\nMass | none | 4 mm\n",
    "spoken": "nodule period no mass comma ",
    "denials": "no nodule or mass without ",
}


def work(text: str) -> Counter[str]:
    """Calls while a text is read, by file: work without a clock."""
    done: Counter[str] = Counter()

    def count(frame: Any, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            done[frame.f_code.co_filename.rpartition("medsegr")[2]] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parse(text)
    finally:
        sys.setprofile(before)
    return done


@pytest.mark.parametrize("unit", LONG.values(), ids=LONG.keys())
def test_work_grows_with_the_length_and_not_faster(unit: str) -> None:
    parse(unit * 10)  # tables are read once
    size = 1_500 // len(unit)
    once, twice = (sum(work(unit * n).values()) for n in (size, 2 * size))
    assert twice <= 2.3 * once + 1000


def test_the_counter_sees_work_that_grows_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(text: str) -> str:
        for _ in range(len(text) ** 2 // 500):
            text.isspace()
        return text

    monkeypatch.setattr(document, "plain", slow)
    once, twice = (sum(work("a" * n).values()) for n in (3_000, 6_000))
    assert twice > 3 * once


@pytest.mark.parametrize("unit", LONG.values(), ids=LONG.keys())
def test_no_sentence_is_longer_than_its_bound(unit: str) -> None:
    text = document.plain(unit * (20_000 // len(unit)))
    for section in document.sections(text):
        for start, stop in document.sentences(text, section.span):
            assert stop - start <= document.LONGEST


PART = """FINDINGS:
Small nodule in the left upper lobe, 8 mm. No effusion or pneumothorax!
A polyp at 3 o'clock and another at the lower right... Mass? None seen.

LUNGS: Possible consolidation at the right base; the left persists.
"""


def test_a_long_report_says_what_its_parts_say() -> None:
    times = 40
    one, many = parse(PART, modality="CR"), parse(PART * times, modality="CR")
    assert many.sections == tuple(
        replace(s, span=(s.span[0] + n * len(PART), s.span[1] + n * len(PART)))
        for n in range(times)
        for s in one.sections
    )
    told = [(f.name, f.polarity, f.location.side, f.shape.size_mm, f.phrase) for f in many.findings]
    assert (
        told
        == [(f.name, f.polarity, f.location.side, f.shape.size_mm, f.phrase) for f in one.findings] * times
    )


def test_every_mention_of_a_repeated_finding_is_kept_in_order() -> None:
    said = "The nodule is round. "
    text = "FINDINGS: A nodule.\nIMPRESSION: " + said * 500
    (finding,) = parse(text, modality="CR").findings
    assert [text[slice(*span)] for span in finding.mentions] == ["nodule is round"] * 500
    assert list(finding.mentions) == sorted(set(finding.mentions))
    assert [text[slice(*span)] for span in finding.shape.spans] == ["round"] * 500


def test_caches_of_words_are_bounded() -> None:
    for table in (match.correct, sentence.lexicon.normal):
        assert table.cache_info().maxsize is not None
