"""Direct phrases in many styles: exactly what they ask for may be drawn."""

import tomllib
from pathlib import Path

import pytest

from medsegr.report.parse import parse, parse_phrase, skip_reason
from told_lines import told, wanted

HERE = Path(__file__).parent
HELDOUT_RIGHT = 0.96  # of the held-out phrases, at least


def lines_of(name: str) -> list[tuple[str, str, str]]:
    """Modality, phrase and expected reading of every line of a table."""
    groups = tomllib.loads((HERE / f"prompts_{name}.toml").read_text("utf-8"))["group"]
    return [
        (group["modality"], *(part.strip() for part in line.rsplit("=>", 1)))
        for group in groups
        for line in group["lines"].splitlines()
        if line.strip()
    ]


def drawn(modality: str, phrase: str) -> list[tuple[str, ...]]:
    findings = parse_phrase(phrase.replace("\\n", "\n"), modality=modality or None).findings
    return sorted(told(f) for f in findings if f.name and skip_reason(f) is None)


@pytest.mark.parametrize(("modality", "phrase", "expected"), lines_of("development"))
def test_exactly_what_is_asked_for_may_be_drawn(modality: str, phrase: str, expected: str) -> None:
    assert drawn(modality, phrase) == wanted(expected)


def test_held_out_phrases() -> None:
    lines = lines_of("heldout")
    right = [drawn(modality, phrase) == wanted(expected) for modality, phrase, expected in lines]
    assert len(lines) >= 280
    assert sum(right) >= HELDOUT_RIGHT * len(lines)


@pytest.mark.parametrize(
    ("phrase", "modality"),
    [
        ("node in the mediastinum", "CR"),
        ("lymph nodes near the heart", "CR"),
        ("gizmo in the liver", "CT"),
        ("all pathology", "SM"),  # of a slide: a word of its own
    ],
)
def test_an_organ_is_not_drawn_for_an_unknown_thing_in_it(phrase: str, modality: str) -> None:
    assert {finding.name for finding in parse_phrase(phrase, modality=modality).findings} == {""}


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("liver: no lesion", {"liver lesion"}),
        ("no nodule in the lung", {"nodule"}),
        ("vessels, no haemorrhage", {"vessel", "haemorrhage"}),
        ("florps in wugs of the liver", {"liver"}),  # nobody knows what of it: its place is shown
        ("polyp in an instrument image", {"polyp", "instrument"}),  # an instrument is no kind of picture
    ],
)
def test_what_a_phrase_speaks_of(phrase: str, names: set[str]) -> None:
    assert {finding.name for finding in parse_phrase(phrase, modality="CT").findings} == names


@pytest.mark.parametrize(
    "phrase", ["is there a polyp?", "polyp?", "if there is a polyp, mark it", "look for a polyp"]
)
def test_who_asks_doubts_nothing(phrase: str) -> None:
    (finding,) = parse_phrase(phrase, modality="ES").findings
    assert (finding.name, finding.polarity, skip_reason(finding)) == ("polyp", "present", None)


@pytest.mark.parametrize(
    "phrase", ["everything but the heart", "ignore the heart", "do not segment the heart"]
)
def test_what_is_left_out_is_absent(phrase: str) -> None:
    (finding,) = parse_phrase(phrase, modality="CR").findings
    assert (finding.name, finding.polarity) == ("heart", "absent")


def test_an_organ_is_asked_for_beside_one_that_only_holds_something() -> None:
    assert [f.name for f in parse_phrase("liver and fluid in the spleen").findings if f.name] == ["liver"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("fluid in the liver", ""),
        ("dark area in the liver", ""),
        ("hyperechoic area in the left kidney", "echogenic focus"),
        ("blood in the left lung", ""),
        ("fluid around the heart", "pericardial effusion"),
        ("water in the lungs", "pulmonary edema"),
        ("fluid around the left lung", "pleural effusion"),
        ("liver area in the CT image", "liver"),
        ("the area of the liver", "liver"),
        ("the region in the image that shows the liver", "liver"),
    ],
)
def test_a_substance_or_a_look_in_an_organ_is_not_the_organ(words: str, name: str) -> None:
    assert [finding.name for finding in parse_phrase(words).findings] == [name]
    said = {finding.name for finding in parse(f"Findings: {words}.").findings if finding.name}
    assert said <= {name}
