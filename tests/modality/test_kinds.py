"""What is not in such a picture is doubted, and only where the picture is known for another kind."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from medsegr.meaning.hearing import wider
from medsegr.modality.kinds import (
    called,
    doubt,
    firm,
    kinds_in,
    likeliest,
    likely_modalities,
    limit,
    loosely,
    made_only,
    measured,
    sure_kind,
    taught,
    ways,
)
from medsegr.report.lexicon import concepts
from medsegr.types import Finding

TABLE = Path(__file__).parents[2] / "configs" / "kinds" / "medsegr-tiny.toml"

KINDS = {"breast": ("tumour", "cyst"), "neck": ("artery",), "belly": ("cyst", "liver")}
CARD = {
    "kinds": KINDS,
    "concepts": {
        "tumour": {"modalities": ["US"]},
        "cyst": {"modalities": ["US", "CT"]},
        "artery": {"modalities": ["US"]},
        "liver": {"modalities": ["CT"]},
    },
}
US = kinds_in(CARD, "US")


def test_the_kinds_of_a_modality() -> None:
    assert US == {"breast": ("tumour", "cyst"), "neck": ("artery",), "belly": ("cyst",)}
    assert set(kinds_in(CARD, None)) == set(KINDS)
    assert kinds_in(CARD, "OP") == {}
    assert kinds_in({"concepts": {}}, "US") == {}


ALSO = {
    "also": {"finding": ("mass",), "tumour": ("mass", "lump")},
    "concepts": {
        "finding": {"modalities": ["CR"], "trained_on": ["real"], "cases": 3},
        "tumour": {"modalities": ["US"], "trained_on": ["real"], "cases": 80},
        "mass": {"modalities": ["US"], "trained_on": ["phantom"]},
        "lump": {"modalities": ["MG"], "trained_on": ["real"]},
    },
}


@pytest.mark.parametrize(
    ("name", "modality", "own"),
    [
        ("mass", "US", "tumour"),  # learned itself, but from made pictures
        ("mass", None, "tumour"),  # more of it was learned
        ("mass", "CR", "finding"),
        ("mass", "MG", "mass"),  # no tumour was learned there
        ("lump", "US", "tumour"),
        ("lump", "MG", "lump"),  # it was learned itself
        ("lump", None, "lump"),
        ("tumour", "US", "tumour"),
        ("cyst", "US", "cyst"),
    ],
)
def test_what_others_call_a_concept_is_heard_by_the_name_that_was_learned(
    name: str, modality: str | None, own: str
) -> None:
    assert called(ALSO, name, modality) == own
    assert called({"concepts": {}}, name, modality) == name


@pytest.mark.parametrize(
    ("name", "chances", "most"),
    [
        ("artery", {"tumour": 0.9, "artery": 0.02}, 0.1),  # a picture of a breast
        ("artery", {"tumour": 0.9, "artery": 0.2}, 1.0),  # it may be a neck, too
        ("artery", {"tumour": 0.4, "artery": 0.02}, 1.0),  # nobody knows what it is
        ("cyst", {"tumour": 0.9, "cyst": 0.0}, 1.0),  # found in such pictures, though not in this one
        ("artery", {"cyst": 0.9, "artery": 0.0}, 0.0),
        ("spleen", {"tumour": 0.9}, 1.0),  # not taught
        ("artery", {}, 1.0),  # a network without the head
    ],
)
def test_presence_is_lowered_only_where_the_picture_is_of_another_kind(
    name: str, chances: dict[str, float], most: float
) -> None:
    assert limit(name, chances, US, 0.1) == pytest.approx(most)


def test_what_is_doubted_stays_below_a_half() -> None:
    for p in (0.0, 0.05, 0.0999):
        assert limit("artery", {"tumour": 1.0, "artery": p}, US, 0.1) < 0.5


def test_presence_of_what_cannot_be_there_is_lowered_in_place() -> None:
    presence = np.array([0.95, 0.9, 0.8, 0.9, 0.04], np.float32)
    names = ["tumour", "artery", "spleen", "artery", "artery"]
    breast, neck = (lambda: {"tumour": 0.9}), (lambda: {"artery": 0.9})
    seen = [breast, breast, breast, neck, lambda: pytest.fail("it is hardly seen: nothing to doubt")]
    doubt(presence, names, seen, {**CARD, "kinds_below": 0.1}, "US")
    np.testing.assert_allclose(presence, [0.95, 0.0, 0.8, 0.9, 0.04])


RIVALS = {
    "concepts": {
        "plaque": {"modalities": ["MR"], "trained_on": ["real"]},
        "glioma": {"trained_on": ["real"]},
    },
    "rivals": {"plaque": ("glioma",)},
    "kinds_below": 0.1,
}


@pytest.mark.parametrize(
    ("name", "chances", "most"),
    [
        ("plaque", {"glioma": 0.99, "plaque": 0.02}, 0.1),
        ("plaque", {"glioma": 0.99, "plaque": 0.3}, 0.9),  # both may be there
        ("plaque", {"glioma": 0.4, "plaque": 0.0}, 0.9),  # nobody knows what it is
        ("glioma", {"plaque": 0.99}, 0.9),  # is no rival's
    ],
)
def test_what_surely_is_its_rival_is_not_there(name: str, chances: dict[str, float], most: float) -> None:
    presence = np.array([0.9], np.float32)
    doubt(presence, [name], [lambda: chances], RIVALS, "MR")
    assert presence[0] == pytest.approx(most)


def test_a_rival_that_made_pictures_alone_taught_excludes_nothing() -> None:
    card = {**RIVALS, "concepts": {**RIVALS["concepts"], "glioma": {"trained_on": ["phantom"]}}}
    presence = np.array([0.9], np.float32)
    doubt(presence, ["plaque"], [lambda: {"glioma": 0.99}], card, "MR")
    assert presence[0] == pytest.approx(0.9)


@pytest.mark.parametrize(("names", "modality"), [(["liver"], "CT"), (["spleen"], "US"), ([], None)])
def test_where_there_is_nothing_to_tell_apart_the_head_is_not_asked(names: list[str], modality: str) -> None:
    card = {**CARD, "kinds": {"breast": ("tumour",), "belly": ("liver",), "neck": ("artery",)}}
    presence = np.ones(len(names))
    doubt(presence, names, [lambda: pytest.fail("asked")] * len(names), card, modality)
    assert presence.tolist() == [1.0] * len(names)


def test_what_a_checkpoint_was_taught_in_a_modality() -> None:
    assert taught(CARD, "liver", "CT")
    assert taught(CARD, "liver", None)
    assert not taught(CARD, "liver", "US")
    assert not taught(CARD, "spleen", None)


SEEN = {
    "kinds": {"breast": ("tumour", "cyst"), "neck": ("artery",), "colon": ("polyp", "ulcer")},
    "kinds_below": 0.1,
    "loose": {"polyp": ("lesion", "mass"), "tumour": ("lesion", "lump")},
    "concepts": {
        "tumour": {"modalities": ["US"], "trained_on": ["real"]},
        "cyst": {"modalities": ["US"], "trained_on": ["phantom"]},
        "artery": {"modalities": ["US"], "trained_on": ["real"]},
        "polyp": {"modalities": ["ES"], "trained_on": ["real", "phantom"]},
        "ulcer": {"modalities": ["ES"], "trained_on": ["phantom"]},
    },
}


@pytest.mark.parametrize(
    ("chances", "kind", "modalities"),
    [
        ({"polyp": 0.99}, "colon", {"ES"}),
        ({"polyp": 0.99, "artery": 0.2}, None, set()),  # it may be a neck, too
        ({"polyp": 0.9}, None, set()),  # not sure enough where nobody said so
        ({"ulcer": 0.99}, None, set()),  # learned from made pictures: it is seen in many real ones
        ({"polyp": 0.99, "cyst": 0.9}, "colon", {"ES"}),  # ... and speaks against none
        ({}, None, set()),
    ],
)
def test_of_which_kind_a_picture_surely_is(
    chances: dict[str, float], kind: str | None, modalities: set[str]
) -> None:
    assert sure_kind(SEEN, chances) == kind
    assert likely_modalities(SEEN, chances) == modalities


def test_what_several_kinds_hold_tells_none() -> None:
    shared = {**SEEN, "kinds": {**SEEN["kinds"], "neck": ("artery", "tumour")}}
    assert sure_kind(shared, {"tumour": 0.99}) is None
    assert likely_modalities({"concepts": {}}, {"tumour": 0.99}) == frozenset()


@pytest.mark.parametrize(
    ("name", "modality", "chances", "meant"),
    [
        ("lesion", "US", {"tumour": 0.99}, "tumour"),
        ("lesion", None, {"tumour": 0.99}, "tumour"),
        ("lesion", None, {"polyp": 0.99}, "polyp"),
        ("lesion", "US", {"polyp": 0.99}, "lesion"),  # it was said that this is ultrasound
        ("lesion", "US", {"artery": 0.99}, "lesion"),  # a neck: no tumour is shown
        ("lesion", "US", {"tumour": 0.8}, "lesion"),
        ("lesion", "ES", {"polyp": 0.99, "tumour": 0.9}, "polyp"),  # no endoscopy shows a breast
        ("lesion", None, {"polyp": 0.99, "tumour": 0.9}, "lesion"),  # nobody knows which
        ("lesion", "ES", {"polyp": 0.96, "tumour": 0.99}, "lesion"),  # is this an endoscopy?
        ("lesion", "US", {"tumour": 0.99, "artery": 0.2}, "lesion"),  # a neck is ultrasound, too
        ("mass", "US", {"tumour": 0.99}, "mass"),  # not called so here
        ("cyst", "US", {"tumour": 0.99}, "cyst"),
    ],
)
def test_a_word_for_many_things_means_what_the_picture_surely_shows(
    name: str, modality: str | None, chances: dict[str, float], meant: str
) -> None:
    assert loosely(SEEN, name, modality, lambda: chances) == meant


def test_a_word_for_many_things_is_not_the_less_likely_of_two() -> None:
    card = {
        **SEEN,
        "kinds": {"brain": ("glioma", "plaque"), "colon": ("polyp",)},
        "loose": {"glioma": ("mass",)},
        "concepts": {name: {"trained_on": ["real"]} for name in ("glioma", "plaque", "polyp")},
    }
    assert loosely(card, "mass", None, lambda: {"glioma": 0.97, "plaque": 0.6}) == "glioma"
    assert loosely(card, "mass", None, lambda: {"glioma": 0.97, "plaque": 0.99}) == "mass"


def test_the_head_is_asked_for_loose_words_only() -> None:
    assert loosely(SEEN, "cyst", "US", lambda: pytest.fail("asked")) == "cyst"
    assert loosely(SEEN, "lesion", "CT", lambda: pytest.fail("asked")) == "lesion"


def test_what_was_learned_from_made_pictures_only_is_not_firm() -> None:
    assert firm(SEEN, "polyp", "ES")
    assert firm(SEEN, "polyp", None)
    assert not firm(SEEN, "polyp", "US")
    assert not firm(SEEN, "ulcer", "ES")
    assert not firm(SEEN, "liver", None)


def test_what_was_taught_without_a_modality_is_known_in_any() -> None:
    assert taught({"concepts": {"scar": {"modalities": []}, "burn": {}}}, "scar", "US")
    assert taught({"concepts": {"scar": {"modalities": []}, "burn": {}}}, "burn", "US")


def test_the_bounds_of_doubt() -> None:
    assert limit("artery", {"tumour": 0.5, "artery": 0.0}, US, 0.1) == 0, "a half is sure"
    assert limit("artery", {"tumour": 1.0, "artery": 0.1}, US, 0.1) == 1, "so much is likely enough"


LEARNED = {
    "parts": {"infection": ("haze", "ulcer")},
    "concepts": {
        "polyp": {"modalities": ["ES"], "trained_on": ["phantom", "real"]},
        "ulcer": {"modalities": ["ES"], "trained_on": ["phantom"]},
        "haze": {"modalities": ["CR"], "trained_on": ["real"]},
        "lung": {"modalities": ["CR", "CT"], "trained_on": ["phantom", "real"], "real_in": ["CR"]},
        "bone": {"modalities": ["CT"], "trained_on": ["phantom", "real"], "real_in": []},
    },
}


@pytest.mark.parametrize(
    ("name", "only"),
    [("polyp", False), ("ulcer", True), ("infection", True), ("haze", False), ("moon", False)],
)
def test_what_was_learned_from_made_pictures_only(name: str, only: bool) -> None:
    assert made_only(LEARNED, name) is only


@pytest.mark.parametrize(
    ("name", "modality", "only"),
    [
        ("lung", "CR", False),
        ("lung", "CT", True),  # real films taught it, and made slices
        ("lung", None, False),
        ("lung", "MR", False),  # not taught at all: nothing to say about made ones
        ("bone", "CT", False),  # nobody said of which modality the real ones were
        ("ulcer", "ES", True),
        ("infection", "CR", True),
        ("polyp", "ES", False),
    ],
)
def test_made_pictures_of_one_modality_are_not_real_ones_of_another(
    name: str, modality: str | None, only: bool
) -> None:
    assert made_only(LEARNED, name, modality) is only
    if name in ("lung", "bone"):
        assert firm(LEARNED, name, modality) is (not only and taught(LEARNED, name, modality))


def test_what_is_proposed_first() -> None:
    chances = {"ulcer": 0.9, "polyp": 0.5, "haze": 0.8, "moon": 1.0}
    assert likeliest(LEARNED, chances, "ES", made=True) == ["ulcer", "polyp"]
    assert likeliest(LEARNED, chances, "ES", made=False) == ["polyp"]
    assert likeliest(LEARNED, chances, None, made=False) == ["haze", "polyp"]
    assert likeliest(LEARNED, {**chances, "polyp": 0.29}, "ES", made=False) == []
    assert likeliest(LEARNED, {"lung": 0.9}, "CR", made=False) == ["lung"]
    assert likeliest(LEARNED, {"lung": 0.9}, "CT", made=False) == [], "made slices taught it there"
    assert likeliest(LEARNED, {"lung": 0.9}, "CT", made=True) == ["lung"]
    many = {"concepts": {name: {"trained_on": ["real"]} for name in "edcba"}}
    assert likeliest(many, dict.fromkeys("edcba", 0.9), None, made=False) == ["a", "b", "c"]


WAYS = {
    "also": {"polyp": ("tumour of the gut",), "ulcer": ("polyp",)},
    "loose": {"polyp": ("lesion",), "haze": ("lesion",)},
    "parts": {"infection": ("haze", "ulcer"), "haze": ("ulcer",)},
    "concepts": {**LEARNED["concepts"], "lesion": {"trained_on": ["phantom"]}},
}


@pytest.mark.parametrize(
    ("name", "parents", "drawn"),
    [
        ("polyp", (), ("polyp",)),
        ("haze", (), ("haze",)),
        ("ulcer", ("polyp",), ("ulcer",)),
        ("tumour of the gut", ("polyp",), ("polyp",)),
        ("lesion", (), ("polyp", "haze", "lesion")),
        ("infection", (), ("haze", "ulcer")),
        ("adenoma", ("polyp", "haze"), ("polyp",)),
        ("deep ulcer", ("ulcer", "polyp"), ()),
        ("moon", (), ()),
    ],
)
def test_as_what_a_name_is_drawn(name: str, parents: tuple[str, ...], drawn: tuple[str, ...]) -> None:
    asked = Finding("f1", "", (0, 0), name, parents=parents)
    assert (ways(WAYS, name) or ways(WAYS, wider(asked, WAYS).name)) == drawn


def test_what_was_measured_of_a_concept() -> None:
    """Over all sets and both sides, each target alike; "left lung tumour" is no lung."""
    lungs = {"left lung": [0.9, 1], "right lung": [0.6, 2], "left lung tumour": [0.0, 5]}
    card = {
        "validation": {"sets": {"a": {"by target": lungs}, "b": {"by target": {"lung": [0.9, 3]}}, "c": {}}}
    }
    assert measured(card, "lung") == (pytest.approx((0.9 + 2 * 0.6 + 3 * 0.9) / 6), 6)
    assert measured(card, "liver") is None
    assert measured({}, "lung") is None


def test_every_name_in_the_table_of_the_checkpoint_is_one_that_reports_give():
    told = tomllib.loads(TABLE.read_text("utf-8"))
    names = {
        name for key in ("also", "loose") for one, all_of in told[key].items() for name in (one, *all_of)
    }
    assert names - concepts().keys() == set()


@pytest.mark.parametrize(
    ("asked", "modality", "drawn", "meant"),
    [
        ("brain tumour", "MR", "glioma", []),
        ("mass", "MR", "mass", ["glioma"]),
        ("lesion", "MR", "lesion", []),
        ("enhancing lesion", "MR", "enhancing lesion", []),
        ("plaque", "MR", "plaque", ["multiple sclerosis lesion"]),
        ("pulmonary metastasis", "CT", "lung tumour", []),
        ("nodule", "CT", "lung tumour", []),
        ("mass", "CT", "mass", ["lung tumour"]),
        ("nodule", "CR", "nodule", []),
        ("mediastinal mass", "CT", "mediastinal mass", []),
    ],
)
def test_what_brains_and_lungs_are_asked_for(asked, modality, drawn, meant):
    told = tomllib.loads(TABLE.read_text("utf-8"))
    learned = {"glioma": ["MR"], "multiple sclerosis lesion": ["MR"], "lung tumour": ["CT"]}
    rows = {name: {"modalities": codes, "trained_on": ["real"]} for name, codes in learned.items()}
    card = {"concepts": rows, "also": told["also"], "loose": told["loose"]}
    assert called(card, asked, modality) == drawn
    may = [one for one, words in told["loose"].items() if asked in words and taught(card, one, modality)]
    assert may == meant
