"""Phrases fit their lesion alone; reports hold them verbatim and deny nothing that is there."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr import phantom
from medsegr.phantom import sentences
from medsegr.report.describe import attributes_of
from medsegr.report.parse import parse

COUNT = 60
ONE = {"skin", "brain", "thorax", "mammogram"}  # kinds that mostly have one lesion


@cache
def cases(kind: str) -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make(kind, np.random.default_rng([11, i]), 96) for i in range(COUNT))


def fits(stated: dict, lesion: phantom.Lesion) -> bool:
    """Whether what a phrase says of place and looks is true of a lesion."""
    true = lesion.attributes
    for part in ("location", "texture", "shape"):
        for key, value in stated[part].items():
            if key not in ("size_mm", "count", "side_frame") and value and value != true[part][key]:
                return False
    return True


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_phrase_stands_verbatim_in_the_report(kind: str) -> None:
    for case in cases(kind):
        told = [x for x in case.lesions if x.phrase is not None]
        assert bool(told) == bool(case.lesions)
        assert all(x.phrase in case.report for x in told)
        assert all((x.phrase is None) == (x.stated is None) for x in case.lesions)


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_phrase_fits_its_lesion_alone(kind: str) -> None:
    for case in cases(kind):
        for lesion in case.lesions:
            if lesion.stated is not None:
                assert [x is lesion for x in case.lesions if fits(lesion.stated, x)] == [True]


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_some_images_have_twins_in_one_place_and_some_lesions_go_untold(kind: str) -> None:
    several = [c for c in cases(kind) if len(c.lesions) >= 2]
    places = [[str(x.attributes["location"]) for x in c.lesions] for c in several]
    share = sum(len(set(p)) < len(p) for p in places) / len(several)
    assert (0.04 if kind in ONE else 0.1) < share < 0.45
    untold = [x.phrase is None for c in several for x in c.lesions]  # one alone is always told
    assert 0.08 < np.mean(untold) < 0.4


def contradicts(told: Mapping[str, Any]) -> bool:
    """Whether a finding (form of ``Lesion.stated``) has a size word or a noun beside millimetres that do not
    agree with it."""
    size = told["shape"]["size_mm"]
    return bool(size) and bool(told["shape"]["size_class"] or (told["name"] == "nodule" and max(size) > 30))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(("chest", "abdomen", "ultrasound")), seed=st.integers(0, 2**32 - 1))
def test_no_size_word_stands_beside_millimetres(kind: str, seed: int) -> None:
    """No radiologist writes "a tiny nodule measuring 25 mm". What is written is looked at, and what a reader
    makes of it."""
    case = phantom.make(kind, np.random.default_rng(seed), 96)
    assert not any(contradicts(x.stated) for x in case.lesions if x.stated is not None)
    read = [attributes_of(finding) for finding in parse(case.report).findings]
    assert not any(contradicts(one) for one in read)


def test_what_measures_more_than_three_centimetres_is_not_called_a_nodule() -> None:
    made = (phantom.make("chest", np.random.default_rng([12, i]), 96) for i in range(400))
    told = [
        x for case in made for x in case.lesions if x.stated is not None and x.attributes["name"] == "nodule"
    ]
    measured = [max(x.stated["shape"]["size_mm"]) for x in told if x.stated["shape"]["size_mm"]]
    assert len(measured) >= 5
    assert max(measured) <= 30
    assert max(max(x.attributes["shape"]["size_mm"]) for x in told) > 30  # by its name alone


def test_millimetres_and_size_words_are_still_told_and_what_is_told_is_true() -> None:
    for kind in ("chest", "abdomen", "ultrasound"):
        told = [x for case in cases(kind) for x in case.lesions if x.stated is not None]
        measured = [x for x in told if x.stated["shape"]["size_mm"]]
        assert len(measured) >= 3
        assert sum(bool(x.stated["shape"]["size_class"]) for x in told) >= 10
        for x in measured:
            assert (
                x.stated["shape"]["size_mm"]
                == x.attributes["shape"]["size_mm"][: len(x.stated["shape"]["size_mm"])]
            )
            assert re.search(r"measuring [\d.]+ (x [\d.]+ )?[cm]m", x.phrase)
        assert all(("measuring" in x.phrase) == bool(x.stated["shape"]["size_mm"]) for x in told)


def test_chest_denials_with_a_place_are_true() -> None:
    solid, hazy = (
        {"nodule", "mass", "calcified granuloma"},
        {"opacity", "consolidation", "ground-glass opacity"},
    )
    denied = {
        "nodule": solid,
        "mass": solid,
        "nodule or mass": solid,
        "consolidation": hazy,
        "opacity": solid | hazy,
    }
    seen = 0
    for case in cases("chest"):
        there = {
            s: {x.attributes["name"] for x in case.lesions if x.attributes["location"]["side"] == s}
            for s in ("right", "left")
        }
        for sentence in re.split(r"(?<=\.)\s+", case.report):
            place = re.search(r"(right|left) lung(?! base| zone)", sentence)
            if place is None or not re.search(r"\b[Nn]o\b|free of|is clear", sentence):
                continue
            seen += 1
            words = re.search(r"nodule or mass|nodule|mass|consolidation|opacity", sentence)
            assert not there[place[1]] & (denied[words[0]] if words else solid | hazy), sentence
    assert seen >= 5


def test_abdomen_denials_with_a_place_name_organs_without_lesions() -> None:
    seen = 0
    for case in cases("abdomen"):
        sick = {x.attributes["location"]["anatomy"][0] for x in case.lesions}
        sick = {o for o in sick if o != "kidney"} | {
            f"{x.attributes['location']['side']} kidney"
            for x in case.lesions
            if "kidney" in x.attributes["location"]["anatomy"]
        }
        for sentence in re.split(r"(?<=\.)\s+", case.report):
            organ = re.search(r"liver|spleen|(right|left) kidney", sentence)
            if organ and re.search(r"\b[Nn]o\b", sentence):
                seen += 1
                assert organ[0] not in sick, sentence
    assert seen >= 5


def test_sections_and_variety() -> None:
    for kind in ("chest", "abdomen"):
        assert all("FINDINGS:" in c.report for c in cases(kind))
        assert any("IMPRESSION:" in c.report for c in cases(kind))
    whole = {s for name in dir(sentences) if name.isupper() for s in _flat(getattr(sentences, name))}
    assert len(whole) >= 60


def _flat(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for v in value.values() for s in _flat(v)]
    return [s for v in value for s in _flat(v)] if isinstance(value, tuple) else []
