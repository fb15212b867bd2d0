"""Two statements in one sentence, in every order and with every joint: neither changes the other."""

from collections.abc import Iterator
from itertools import product

import pytest

from medsegr.report.parse import parse, skip_reason

JOINTS = (", ", " and ", ", and ", " but ", "; ", " while ", ", whereas ")
STATED = (
    "there is {a}",
    "{a} is seen",
    "a small {a} is noted",
    "{a} has developed",
    "{a} persists",
    "the {a} is unchanged",
)
DENIED = (
    "no {b}",
    "no {b} is seen",
    "{b} is not seen",
    "{b} has resolved",
    "{b} has been excluded",
    "no {b} or {c}",
    "neither {b} nor {c} is seen",
    "{b} and {c} are not seen",
    "{b}, {c} and {d} are absent",
    "{b} and {c} have resolved",
    "{b} or {c} is not seen",
    "there is no {b}, {c} or {d}",
)
DOUBTED = ("{b} cannot be excluded", "{b} is suspected", "there may be {b}", "{b} should be considered")
EARLIER = (
    "the previously seen {b} has resolved",
    "the {b} noted on 3/5/2020 has resolved",
    "{b} was present on the prior exam but is not seen today",
    "compared to the prior study {b} has cleared",
    "the film of 12 May showed {b}",
    "history of {b}",
)
NAMES = {
    "CR": {"a": "consolidation", "b": "pneumothorax", "c": "pleural effusion", "d": "mass"},
    "CT": {"a": "hydronephrosis", "b": "kidney stone", "c": "ascites", "d": "mass"},
    "MR": {"a": "meningioma", "b": "infarct", "c": "microbleed", "d": "glioma"},
}
LEFT = (
    "there is a left {a}",
    "{a} is seen on the left side",
    "left {a}",
    "the left {a} is unchanged",
    "{a} of 12 mm on the left side",
    "on the left there is {a}",
)
RIGHT = {
    "right {b} is present": True,
    "on the right there is {b}": True,
    "a right {b} is noted": True,
    "on the right no {b}": False,
    "no right {b}": False,
    "no {b} on the right": False,
    "the right {b} has resolved": False,
    "the right side is normal": False,
    "the right side shows no {b}": False,
}


def texts(firsts: tuple[str, ...], seconds: tuple[str, ...], names: dict[str, str]) -> Iterator[str]:
    for one, joint, two in product(firsts, JOINTS, seconds):
        said = (one + joint + two).format(**names)
        yield f"{said[0].upper()}{said[1:]}."


def drawn(text: str, modality: str) -> set[str]:
    return {f.name for f in parse(text, modality=modality).findings if skip_reason(f) is None}


@pytest.mark.parametrize("modality", NAMES)
@pytest.mark.parametrize("others", [DENIED, DOUBTED, EARLIER], ids=["denied", "doubted", "earlier"])
def test_what_is_stated_first_is_drawn_and_nothing_else(modality: str, others: tuple[str, ...]) -> None:
    names = NAMES[modality]
    wrong = [t for t in texts(STATED, others, names) if drawn(t, modality) != {names["a"]}]
    assert wrong == []


@pytest.mark.parametrize("modality", NAMES)
@pytest.mark.parametrize("others", [DENIED, DOUBTED], ids=["denied", "doubted"])
def test_what_is_denied_first_is_never_drawn(modality: str, others: tuple[str, ...]) -> None:
    names = NAMES[modality]
    wrong = [t for t in texts(others, STATED, names) if drawn(t, modality) - {names["a"]}]
    assert wrong == []


def ambiguous(left: str, joint: str, right: str) -> bool:
    """True for "a on the left and right b" and for "left a and the right b has resolved"."""
    both = joint == " and " and left.endswith("side") and right.startswith("right")
    return both or (not {"is", "there"} & {*left.split()} and "has" in right.split())


@pytest.mark.parametrize("modality", NAMES)
def test_each_of_two_statements_keeps_its_side(modality: str) -> None:
    names = NAMES[modality]
    wrong = []
    for left, joint, (right, there) in product(LEFT, JOINTS, RIGHT.items()):
        if ambiguous(left, joint, right):
            continue
        text = f"{left}{joint}{right}.".format(**names)
        found = [f for f in parse(text, modality=modality).findings if skip_reason(f) is None]
        told = {(f.name, f.location.side) for f in found}
        wanted = {(names["a"], "left")} | ({(names["b"], "right")} if there else set())
        wrong += [] if told == wanted else [text]
    assert wrong == []


FORMS = (
    "Right {organ}: {one}.\nLeft {organ}: {two}.",
    "Right {organ}: {one}. Left {organ}: {two}.",
    "Right {organ} - {one}. Left {organ} - {two}.",
    "Rt {organ}: {one}; Lt {organ}: {two}.",
    "{organ}s: right {one}, left {two}.",
    "{organ}s: Right: {one}. Left: {two}.",
)
OF_ORGANS = ("normal", "no {a}", "a 12 mm {a}", "{a}, no {b}", "no {b}, small {a}", "no {a} or {b}")


@pytest.mark.parametrize(
    ("organ", "modality", "a", "b"),
    [
        ("kidney", "CT", "hydronephrosis", "cyst"),
        ("eye", "OP", "drusen", "haemorrhage"),
        ("breast", "US", "mass", "cyst"),
    ],
)
def test_no_organ_of_two_has_what_only_the_other_has(organ: str, modality: str, a: str, b: str) -> None:
    wrong = []
    for form, one, two in product(FORMS, OF_ORGANS, OF_ORGANS):
        said = {"one": one.format(a=a, b=b), "two": two.format(a=a, b=b), "organ": organ}
        text = form.format(**said)
        sides = {s for s, told in (("right", one), ("left", two)) if "no {a}" not in told and "{a}" in told}
        found = [f for f in parse(text, modality=modality).findings if skip_reason(f) is None]
        wrong += [text for f in found if f.location.side not in {*sides, None} or not sides]
    assert wrong == []


@pytest.mark.parametrize("modality", NAMES)
def test_a_denial_between_two_statements_changes_neither(modality: str) -> None:
    names = NAMES[modality]
    firsts = ("there is a left {a}", "left {a} is seen")
    between = (
        "no {b}",
        "{b} is not seen",
        "{b} and {c} are absent",
        "there is no {b}",
        "the {b} has resolved",
    )
    lasts = ("there is a right {d}", "a right {d} is seen", "right {d} persists")
    wrong = []
    for one, two, three in product(firsts, between, lasts):
        for joint, other in product(JOINTS, JOINTS):
            text = f"{one}{joint}{two}{other}{three}.".format(**names)
            wrong += [] if drawn(text, modality) == {names["a"], names["d"]} else [text]
    assert wrong == []
