"""What denies, doubts and dates a finding, and how far."""

import pytest

from medsegr.report.parse import parse, skip_reason


def drawn(text: str, modality: str) -> list[tuple[str, str | None]]:
    found = parse(text, modality=modality).findings
    return [(f.name, f.location.side) for f in found if skip_reason(f) is None]


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("It is not observed pleural effusion.", "CR"),
        ("Is not seen pneumothorax.", "CR"),
        ("It does not exist pneumothorax.", "CR"),
        ("It is discarded retinal detachment.", "OP"),
        ("In the right breast is not seen any mass.", "US"),
        ("Duct ectasia is not to be seen.", "US"),
        ("The lungs do not present consolidations.", "CR"),
        ("A polyp was not objectivated.", "ES"),
        ("Polyps: not. Ulcers: not.", "ES"),
        ("An ulceration lacks.", "ES"),
        ("Apoptosis 0. Debris 0.", "GM"),
        ("LV mass: normal. LV mass index 60 g/m2.", "MR"),
        ("Density: B. Scattered density.", "MG"),
        ("Infiltrate: neither right nor left.", "CR"),
        ("NGT: not placed.", "CR"),
        ("ETT out. No pneumothorax.", "CR"),
        ("Post chemoradiotherapy for rectal cancer.", "ES"),
        ("State after pneumonia right, now clear lungs.", "CR"),
        ("The polyp at 20 cm was resected then.", "ES"),
        ("Old film: right pneumonia.", "CR"),
        ("PREVIOUS REPORT: Left consolidation.\nFINDINGS: No consolidation.", "CR"),
        ("The mass known on the left is no more visible.", "MG"),
        ("S/p resection right frontal GBM. No residual tumour.", "MR"),
        ("Glioma of the right frontal lobe, operated 2019.", "MR"),
        ("Favoured diagnosis: low grade glioma", "MR"),
        ("Working diagnosis: melanoma", "DMS"),
        ("Melanoma is to exclude.", "DMS"),
    ],
)
def test_what_other_writers_deny_doubt_or_date_is_not_drawn(text: str, modality: str) -> None:
    assert drawn(text, modality) == []


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("In the left breast is seen a mass.", "US", [("breast mass", "left")]),
        ("Right hilum is not seen, effusion is present.", "CR", [("pleural effusion", "right")]),
        ("State after stent implantation, stent in place.", "CR", [("stent", None)]),
        ("A lesion stands out.", "MR", [("lesion", None)]),
        ("A nodule that did not exist on the prior film lies in the left lung.", "CR", [("nodule", "left")]),
        ("Rectum: haemorrhoids, otherwise free.", "ES", [("haemorrhoid", None)]),
        ("The left plaque which enhanced in 2023 no longer does so.", "MR", [("plaque", "left")]),
        ("Haemorrhages: OD yes, OS no.", "OP", [("haemorrhage", "right")]),
        ("Effusion: R yes, L no.", "CR", [("pleural effusion", "right")]),
        ("Left hippocampus atrophic, the right one normal.", "MR", [("hippocampal sclerosis", "left")]),
        ("Consolidation in the right lower lobe, formerly left.", "CR", [("consolidation", "right")]),
        ("Previously left effusion, now right effusion.", "CR", [("pleural effusion", "right")]),
        ("S/p resection, new nodule in the left lung.", "CT", [("nodule", "left")]),
        ("Apart from a 5 mm polyp in the sigmoid the colon was normal.", "ES", [("polyp", None)]),
        ("With the exception of a polyp in the rectum no lesion was found.", "ES", [("polyp", None)]),
        ("Other than diverticulosis, no polyp was found.", "ES", [("diverticulosis", None)]),
    ],
)
def test_what_is_there_beside_a_denial_is_drawn(
    text: str, modality: str, expected: list[tuple[str, str | None]]
) -> None:
    assert drawn(text, modality) == expected


@pytest.mark.parametrize(
    ("text", "modality", "name"),
    [
        ("Excluding the polyp at 20 cm, the colon is normal.", "ES", "polyp"),
        ("Excluding the polyp at 20 cm the colon is normal.", "ES", "polyp"),
        ("Excluding a diverticulum, the sigmoid was unremarkable.", "ES", "diverticulosis"),
        ("Excluding the known renal cysts, no abnormality is seen.", "CT", "kidney cyst"),
        ("Excluding the nodule, no other lesion is seen.", "CR", "nodule"),
        ("The colon is normal, excluding a polyp in the sigmoid.", "ES", "polyp"),
        ("The lungs are clear excluding a nodule in the left lung.", "CR", "nodule"),
        ("No lesion excluding a 5 mm nodule in the right lower lobe.", "CT", "nodule"),
        ("Not counting the old rib fracture, the chest is normal.", "CR", "rib fracture"),
        ("Leaving aside a small left effusion, the lungs are clear.", "CR", "pleural effusion"),
    ],
)
def test_what_is_left_out_of_a_healthy_whole_is_there(text: str, modality: str, name: str) -> None:
    assert [f.polarity for f in parse(text, modality=modality).findings if f.name == name] == ["present"]


@pytest.mark.parametrize(
    "text",
    [
        "X-ray excluding pneumothorax.",
        "Normal film, excluding pneumothorax.",
        "Thus excluding a pneumothorax.",
        "The film was taken with a view to excluding a pneumothorax.",
        "Excluding pneumothorax is the purpose.",
        "Normal chest film, excluding a pneumothorax.",
        "Segment the lung excluding the pneumothorax.",
    ],
)
def test_what_an_examination_excludes_is_not_there(text: str) -> None:
    found = [f.polarity for f in parse(text, modality="CR").findings if f.name == "pneumothorax"]
    assert found == ["absent"]
