"""Where a history, question, comparison or technique ends behind which no heading of findings stands."""

import pytest

from medsegr.report import document
from medsegr.report.parse import parse, skip_reason


def there(text):
    return [(f.name, f.location.side) for f in parse(text, modality="CT").findings if not skip_reason(f)]


@pytest.mark.parametrize(
    "text",
    [
        "CT\nIndication: cough for 3 weeks, ?effusion\nLeft pleural effusion.",
        "CXR\nHx: cough x3/52\nLeft pleural effusion",
        "Referral: breathless, ANA neg. ?ILD\nThere is a left pleural effusion. No nodule.",
        "Clinical: fall\nSmall left pleural effusion\nNo pneumothorax",
        "Clinical profile: 58/M, K/C/O DM.\nLeft pleural effusion.",
        "Reason: pain\nLEFT: pleural effusion.",
        "Clinical details:\nfall, pain\nLeft pleural effusion.",
        "Hx: cough, smoker\nAsymptomatic now\nLeft pleural effusion.",
        "Indication: cough\nno fever\nLeft pleural effusion.",
        "Technique: axial slices were acquired\nafter 80 ml of contrast\nLeft pleural effusion.",
        "Technique: CT chest with contrast\nComparison: none\nLeft pleural effusion.",
        "Comparison: 12.03.2020\n12 mm left pleural effusion.",
        "Indication: cough and fever\nLeft pleural effusion. No pneumothorax.\nIMPRESSION: None acute.",
        "Indication: cough and fever\nTobacco\n\nLeft pleural effusion.\n\nIMPRESSION: None acute.",
        "Indication: cough. There is a left pleural effusion.",
        "INDICATION: SOB FINDINGS: Left pleural effusion.",
        "Clinical: cough Findings: left pleural effusion Impression: None acute.",
        "Exam: CT chest. Left pleural effusion.",
        "Follow up: lymphoma\nLeft pleural effusion.",
        "Clin Hx: lung cancer\nLeft pleural effusion.",
        "Indication: cough. A left pleural effusion is seen.\nImpression: None acute.",
    ],
)
def test_a_history_ends_with_its_line(text):
    assert there(text) == [("pleural effusion", "left")]


WRAPPED = (
    "Indication: This man of 65 years has had a long history of cough and was thought to\n"
    "have something on the film of last week, which was seen together with what may be a\n"
    "Pneumonia of the left lung.\n"
    "There is no pneumothorax and the mediastinum lies in the middle of the chest as it\n"
    "should be."
)


@pytest.mark.parametrize(
    "text",
    [
        "Indication: cough and\nleft pleural effusion on a film.\nNo pneumothorax.",
        "Indication: cough, fever,\nPleural effusion\nNo pneumothorax.",
        "Indication: cough, history of\nLymphoma of the neck\nNo pneumothorax.",
        "History: cough, fever\nKnown lung cancer\nNo pneumothorax.",
        "History: cough.\nKnown lung cancer.\nNo pneumothorax.",
        "History: cough\nStatus post drainage of an effusion\nNo pneumothorax.",
        "Indication: cough\nPleural effusion?\nNo pneumothorax.",
        "Indication: pain\n2 weeks after a rib fracture\nNo pneumothorax.",
        "Indication: cough\nLung cancer\n\nNo pneumothorax.",
        "Indication: cough\nLung cancer\nImpression: No pneumothorax.",
        "PMH: COPD\nLung cancer 2010\nHypertension\n\nNo pneumothorax.",
        "Indication: fall. Pleural effusion is seen on CXR.\nImpression: No pneumothorax.",
        "Indication: fall. There is a history of lung cancer.\nImpression: No pneumothorax.",
        "Hx: known lung cancer.",
        "Clinical impression: lung cancer?",
        WRAPPED,
    ],
)
def test_a_history_of_several_lines_is_not_there(text):
    assert there(text) == []


def test_a_list_of_advice_is_kept_whole():
    assert there("Impression: No effusion.\nPlan: CT in 3 months\nBiopsy of the lung nodule") == []


def test_the_width_of_the_lines_is_asked_once_however_many_headings_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a heading, a hostile text of a megabyte would take hours."""
    asked: list[int] = []
    monkeypatch.setattr(document, "wrapped", lambda text: asked.append(len(text)) or 0)
    text = "Hx: cough\nSmall effusion.\n" * 40
    assert len(document.sections(text)) == 80
    assert asked == [len(text)]
