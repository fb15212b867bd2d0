"""The property that the writer stands on: what is described is read, with its values, and nothing else is."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.errors import ReportError
from medsegr.report import lexicon
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse, parse_phrase, skip_reason
from medsegr.report.wording import differences
from medsegr.sets import patterns
from medsegr.sets.narrate import Style, asks_for, holds, narrate
from medsegr.sets.telling import Setting, as_read, plural, tell, thinned
from medsegr.types import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    MODALITIES,
    ROWS,
    SIDES,
    SIZES,
    UNIFORMITIES,
)

NOUNS = {
    "CR": ("nodule", "consolidation", "ground-glass opacity", "nasogastric tube"),
    "CT": ("lesion", "lung tumour", "liver cyst"),
    "MR": ("glioma", "multiple sclerosis lesion"),
    "US": ("breast tumour",),
    "ES": ("polyp",),
    "SM": ("nucleus",),
    "GM": ("nucleus",),
    "OP": ("drusen",),
    "DMS": ("skin lesion",),
    "MG": ("breast finding",),
}


def maybe(vocabulary):
    return st.none() | st.sampled_from(vocabulary)


def some(vocabulary):
    return st.sets(st.sampled_from(vocabulary)).map(lambda chosen: [v for v in vocabulary if v in chosen])


@st.composite
def images(draw):
    """A kind of image, the values of its findings, and which of them are described."""
    modality = draw(st.sampled_from(sorted(NOUNS)))
    setting = Setting(modality, MODALITIES[modality][0])
    sides = maybe(SIDES) if setting.frame == "patient" else st.none()
    place = st.fixed_dictionaries(
        {"side": sides, "side_frame": st.just(setting.frame), "rows": some(ROWS), "cols": some(COLS)}
    )
    finding = st.fixed_dictionaries(
        {
            "name": st.sampled_from(NOUNS[modality]),
            "location": place,
            "texture": st.fixed_dictionaries(
                {
                    "density": maybe(DENSITIES),
                    "uniformity": maybe(UNIFORMITIES),
                    "colour": maybe(COLOURS),
                }
            ),
            "shape": st.fixed_dictionaries(
                {
                    "form": maybe(FORMS),
                    "margin": maybe(MARGINS),
                    "size_class": maybe(SIZES),
                    "size_mm": st.none()
                    | st.lists(st.integers(10, 4000).map(lambda n: n / 10), min_size=1, max_size=3),
                    "count": st.none() | st.integers(2, 40),
                }
            ),
        }
    )
    findings = draw(st.lists(finding, min_size=1, max_size=4))
    order = draw(st.permutations(range(len(findings))))
    return setting, findings, order[: draw(st.integers(1, len(findings)))]


@settings(max_examples=15, deadline=None)
@given(images(), st.integers(0, 2**32 - 1))
def test_what_is_described_is_read_and_nothing_else(image, seed):
    setting, values, described = image
    findings = [finding_from(v) for v in values]
    try:
        story = narrate(findings, described, setting, np.random.default_rng(seed))
    except ReportError:
        return  # two of them cannot stand in one report; said, not written wrongly
    found = parse(story.text, modality=setting.modality, frame=setting.frame).findings
    drawn = [f for f in found if skip_reason(f) is None]
    assert len(drawn) == len(described)
    for index, told in zip(described, story.told, strict=True):
        assert holds(told.finding, findings[index])  # nothing is told that is not so
        wanted = as_read(told.finding, setting)
        assert any(not differences(wanted, [f]) for f in drawn), story.text
        assert told.phrase in story.text
        alone = parse_phrase(told.phrase, modality=setting.modality, frame=setting.frame).findings
        assert not differences(wanted, alone[:1]), told.phrase
    denied = [f.name for f in found if f.polarity != "present"]
    assert not set(denied) & {f.name for f in findings}


@settings(max_examples=6, deadline=None)
@given(images(), st.integers(0, 2**32 - 1))
def test_one_finding_alone_can_always_be_told(image, seed):
    setting, (values, *_), _ = image
    findings = [finding_from(values)]
    story = narrate(findings, [0], setting, np.random.default_rng(seed))
    assert story.clear == (True,)
    again = narrate(findings, [0], setting, np.random.default_rng(seed))
    assert again == story


def test_whole_and_without_talk():
    setting = Setting("CT", "patient")
    full = finding_from(
        {
            "name": "lesion",
            "location": {"side": "left", "rows": ["upper"]},
            "texture": {"density": "hypo"},
            "shape": {"form": "round", "margin": "smooth", "size_class": "small", "size_mm": [8, 6]},
        }
    )
    for seed in range(8):
        story = narrate([full], [0], setting, np.random.default_rng(seed), Style(whole=True, talk=False))
        assert story.told[0].finding == full
        assert story.text == story.told[0].text
        assert asks_for(story.text, [as_read(full, setting)], setting)


def test_what_is_not_there_is_denied():
    setting = Setting("CR", "patient")
    nodule, effusion = (finding_from({"name": name}) for name in ("nodule", "pleural effusion"))
    for seed in range(8):
        story = narrate([nodule], [0], setting, np.random.default_rng(seed), denied=[effusion])
        read = {f.name: f.polarity for f in parse(story.text, modality="CR").findings}
        assert read["nodule"] == "present"
        assert read["pleural effusion"] == "absent"


def test_nothing_is_both_denied_and_doubted():
    setting = Setting("ES", "viewer")
    polyp = finding_from({"name": "polyp", "location": {"side_frame": "viewer", "rows": ["upper"]}})
    both = 0
    for seed in range(60):
        text = narrate([polyp], [0], setting, np.random.default_rng(seed)).text
        told: dict[str, set[str | None]] = {}
        for one in parse(text, modality="ES", frame="viewer").findings:
            told.setdefault(one.name, set()).add(skip_reason(one))
        assert not any({"absent", "uncertain"} <= reasons for reasons in told.values()), text
        both += {"absent", "uncertain"} <= set().union(*told.values())
    assert both > 5  # reports in which one thing is denied and another doubted


def test_who_tells_what_was_before_has_compared():
    setting = Setting("CR", "patient")
    nodule = finding_from({"name": "nodule"})
    heads = []
    for seed in range(120):
        text = narrate([nodule], [0], setting, np.random.default_rng(seed)).text
        heads.append("COMPARISON: None." in text)
        assert not (heads[-1] and re.search("previously|prior|resolved|again|unchanged|New ", text)), text
    assert any(heads)
    again, setting = [], Setting("MR", "patient")
    for seed in range(95, 120):
        text = narrate([finding_from({"name": "nodule"})], [0], setting, np.random.default_rng(seed)).text
        again.append("redemonstration" in text)
        assert not (again[-1] and "COMPARISON: None." in text), text
    assert any(again)


def test_a_lesion_that_lies_there_is_not_denied():
    setting = Setting("CR", "patient")
    pair = [finding_from({"name": "nodule"}), finding_from({"name": "pleural effusion"})]
    for seed in range(12):
        text = narrate(pair, [0], setting, np.random.default_rng(seed)).text
        assert "effusion" not in text, text


def test_words_that_fit_two_are_not_clear():
    setting = Setting("ES", "viewer")
    left, right = (
        finding_from({"name": "polyp", "location": {"side_frame": "viewer", "cols": [col]}})
        for col in ("left", "right")
    )
    apart = narrate([left, right], [0], setting, np.random.default_rng(0))
    assert apart.clear == (True,)
    assert apart.told[0].finding.location.cols == ("left",)
    assert narrate([left, left], [0], setting, np.random.default_rng(0)).clear == (False,)


def test_organs_are_asked_for_by_their_label():
    setting = Setting("CR", "patient")
    lungs = [finding_from({"name": "lung", "location": {"side": side}}) for side in ("left", "right")]
    story = narrate(lungs, [1], setting, np.random.default_rng(3))
    assert story.told[0].phrase == "right lung"
    assert story.clear == (True,)


def test_many_lesions_have_no_outline_in_common():
    many = finding_from({"name": "nucleus", "shape": {"count": 12, "form": "round", "margin": "smooth"}})
    for seed in range(8):
        thin = thinned(many, np.random.default_rng(seed))
        assert (thin.shape.count, thin.shape.form, thin.shape.margin) == (12, None, None)
        told = tell(thin, Setting("GM", "viewer"), np.random.default_rng(seed))
        assert "12" in told.text
        assert "nuclei" in told.text


def test_plurals():
    assert [plural(n) for n in ("cell nucleus", "polyp", "opacity", "mass", "drusen", "metastasis")] == [
        "cell nuclei",
        "polyps",
        "opacities",
        "masses",
        "drusen",
        "metastases",
    ]


def test_nothing_to_tell():
    nodule = finding_from({"name": "nodule"})
    with pytest.raises(ReportError, match="no finding"):
        narrate([nodule], [], Setting("CR", "patient"), np.random.default_rng(0))
    with pytest.raises(ReportError, match="unheard"):
        narrate([replace(nodule, name="unheard")], [0], Setting("CR", "patient"), np.random.default_rng(0))


def test_lesions_of_every_corner_of_the_lexicon_can_be_told():
    unsaid = []
    for name, concept in list(lexicon.concepts().items())[::40]:
        if concept.kind not in ("finding", "device") or not concept.drawable:
            continue
        finding = finding_from({"name": name})
        try:
            as_read(finding, Setting(None, "patient"))
        except ReportError:
            continue  # the lexicon's own matter
        try:
            narrate([finding], [0], Setting(None, "patient"), np.random.default_rng(0), Style(talk=False))
        except ReportError:
            unsaid.append(name)
    assert not unsaid
    assert patterns.lines("present", None)
