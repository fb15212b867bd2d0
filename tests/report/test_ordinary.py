"""Ordinary words are no typing errors; typing errors still are."""

import tomllib
from importlib.resources import files

import pytest

from medsegr.report import lexicon
from medsegr.report.match import correct
from medsegr.report.parse import parse

HARMLESS = (
    "In conclusion, the lungs are clear.",
    "Dictation: Dr Brian Martin.",
    "Structured report. The heart is normal.",
    "Scanning was performed in the prone position for the duration of the study.",
    "Dimensions of the film: 35 x 43 cm.",
    "In connection with the earlier film, no change.",
    "Correction to the report: the heart is normal.",
    "The patient is a student in military service and swallowing well.",
    "Blood was drawn. Time spent: ten minutes. The prognosis is good.",
    "No change from baseline. Depending on the initial findings, guidelines apply.",
    "A barium enema was performed with a sterile container.",
    "Virus serology is recorded elsewhere.",
    "Dysphagia and dyspepsia for a year, convulsions as a child.",
    "During lactation. On heparin, with alkalosis, neurosis and hyperopia.",
    "Barrette and stapler were taken off, defibrillation pads too; exfoliation of the skin, typhus in youth.",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_words_name_no_finding(text: str) -> None:
    found = [f for f in parse(text, modality="CR").findings if f.drawable and f.polarity != "absent"]
    assert [f.name for f in found] == []


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("pnuemothorax", "pneumothorax"),
        ("consoldiation", "consolidation"),
        ("effuson", "effusion"),
        ("polpy", "polyp"),
        ("cardiomegally", "cardiomegaly"),
        ("enlarges", "enlarged"),
        ("fatal", "fetal"),  # as dictation writes it
        ("plague", "plaque"),
        ("legion", "lesion"),
        ("infraction", "infarction"),
        ("rapture", "rupture"),
        ("consolation", "consolidation"),
    ],
)
def test_a_slip_is_still_understood(slip: str, meant: str) -> None:
    assert correct(slip) == (meant,)


@pytest.mark.parametrize(
    "term",
    ["scleritis", "neuropathy", "enteropathy", "myxomatous", "arteriopathy", "neuroblastoma"],
)
def test_a_term_of_the_art_is_no_slip_of_another(term: str) -> None:
    assert correct(term) == (term,)


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("arthropaty", "arthropathy"), ("nephroblastona", "nephroblastoma"), ("arthrosos", "arthrosis")],
)
def test_a_slip_in_a_term_of_the_art_is_still_understood(slip: str, meant: str) -> None:
    assert correct(slip) == (meant,)


def test_the_list_is_sorted_and_holds_no_name_of_a_finding() -> None:
    words = tomllib.loads((files("medsegr.report.lexicon") / "ordinary.toml").read_text("utf-8"))
    listed = words["ordinary"].split()
    assert listed == sorted(set(listed))
    assert all(lexicon.normal(word) in lexicon.known_words() for word in listed)
    assert not {"lesion", "polyp", "lung", "consolidation"} & {*listed}
