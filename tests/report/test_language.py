"""Sentences of another language are not read: their denials would be taken for findings."""

import pytest

from medsegr.report.language import foreign
from medsegr.report.parse import parse, parse_phrase

REPORTS = (
    "Befund: Rundherd im linken Oberlappen. Kein Pneumothorax. Keine Fraktur. Atelektase basal links.",
    "Nodule du lobe supérieur gauche. Pas de pneumothorax. Le foie est normal, sans lésion. Aucune fracture.",
    "Se observa nódulo en lóbulo superior izquierdo. No hay neumotórax. Sin fractura.",
    "Não há pneumotórax. Nódulo pulmonar à esquerda. Sem derrame pleural.",
    "Geen pneumothorax. Nodule in de linker bovenkwab. Geen atelectase.",
    "Ingen pneumothorax. Inga nodule. Ej atelektas.",
    "Пневмоторакс не выявлен. Edema нет, узел слева.",
    "BEFUND: Verdichtung rechts basal. BEURTEILUNG: Pneumonie.",
    "Befund: Pneumothorax links.",
    "HALLAZGOS: Consolidacion basal derecha. IMPRESION: Neumonia.",
    "RÉSULTAT : Epanchement pleural gauche.\nCONCLUSION : Pneumonie.",
)
ENGLISH = (
    "Nodule LUL. No effusion.",
    "Pneumonia. Edema. Cardiomegaly.",
    "Status post Whipple. Dictated by Dr. van der Berg, Hospital de la Santa Creu.",
    "Situs inversus. Os acromiale. Dens in dente. Con.",
    "Small mass at 3 o'clock; DES 12, Na 140. 4 mm.",
    "Impresion: Pneumonia. Cardiomegaly.",
    "Befund: There is a nodule in the right upper lobe.",
    "DVT of both LE. Post op. AV fistula. EM and PAS stains, et al.",
)


@pytest.mark.parametrize("text", REPORTS)
def test_what_another_language_denies_is_no_finding(text: str) -> None:
    report = parse(text, modality="CR")
    assert report.findings == ()
    assert "report_language" in [code for code, _ in report.warnings]


@pytest.mark.parametrize("text", ENGLISH)
def test_terse_english_with_foreign_names_is_read_whole(text: str) -> None:
    assert "report_language" not in [code for code, _ in parse(text).warnings]


def test_english_sentences_beside_foreign_ones_are_read_and_the_warning_counts() -> None:
    report = parse(
        "FINDINGS: There is a nodule in the left lung. There is no effusion. Kein Pneumothorax. "
        "The heart is enlarged on the frontal view."
    )
    assert [f.name for f in report.findings][:1] == ["nodule"]
    assert "pneumothorax" not in [f.name for f in report.findings]
    assert dict(report.warnings)["report_language"].startswith("1 of 4 sentences")


def test_a_phrase_of_another_language_names_nothing() -> None:
    assert parse_phrase("kein Pneumothorax").findings[0].name == ""
    assert parse_phrase("no pneumothorax").findings[0].polarity == "absent"


def test_terse_sentences_follow_the_text_around_them() -> None:
    text = "Kein Erguss. Herz normal."
    assert foreign(text, [(0, 12), (13, 25)]) == {0, 1}
    assert foreign(text, [(13, 25)]) == frozenset()
    assert foreign("", []) == frozenset()
