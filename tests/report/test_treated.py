"""What was operated on or has been gone through is past, what came of it is there."""

import pytest

from medsegr.report.parse import parse, skip_reason


def states(text: str, modality: str) -> dict[str, str | None]:
    found = parse(text, modality=modality).findings
    return {f.name: skip_reason(f) for f in found if skip_reason(f) != "no_place"}


@pytest.mark.parametrize(
    ("text", "modality", "name"),
    [
        ("R temporal GBM, post-op", "MR", "glioma"),
        ("GBM R parietal - postop day 2", "MR", "glioma"),
        ("MRI brain: left frontal meningioma, post op", "MR", "meningioma"),
        ("Postoperative left frontal glioblastoma", "MR", "glioma"),
        ("Left temporal glioblastoma, post resection", "MR", "glioma"),
        ("Left temporal glioblastoma, after resection and radiotherapy", "MR", "glioma"),
        ("Left temporal GBM post gross total resection", "MR", "glioma"),
        ("post lobectomy for left lower lobe tumour", "CT", "lung tumour"),
        ("s/p nephrectomy for right renal tumour", "CT", "kidney tumour"),
        ("Status post mastectomy right for carcinoma", "MG", "breast tumour"),
        ("Right renal mass, post nephrectomy", "CT", "kidney tumour"),
        ("Post-op for left frontal glioma", "MR", "glioma"),
    ],
)
def test_what_a_title_says_was_operated_on_is_past(text: str, modality: str, name: str) -> None:
    assert states(text, modality)[name] == "prior"


@pytest.mark.parametrize(
    ("text", "modality", "name"),
    [
        ("Residual glioma of the left temporal lobe, post-op", "MR", "glioma"),
        ("Recurrent glioblastoma, post-op", "MR", "glioma"),
        ("Left temporal GBM after subtotal resection", "MR", "glioma"),
        ("Left temporal GBM, status post biopsy", "MR", "glioma"),
        ("There is a left frontal glioma, post-op day 3.", "MR", "glioma"),
        ("Postoperative study. The left temporal glioma is unchanged.", "MR", "glioma"),
        ("Left frontal meningioma, postoperative planning MRI", "MR", "meningioma"),
        ("Left effusion, post-op", "CR", "pleural effusion"),
        ("Post-op left pneumothorax", "CR", "pneumothorax"),
        ("Liver metastases after chemotherapy", "CT", "liver lesion"),
        ("Sigmoid polyp, status post polypectomy", "ES", "polyp"),  # its picture was taken before
    ],
)
def test_what_remains_recurs_or_came_of_it_is_there(text: str, modality: str, name: str) -> None:
    assert states(text, modality)[name] is None


@pytest.mark.parametrize(
    ("text", "past", "there"),
    [
        ("Condition after pneumonia with left effusion", "pneumonia", "pleural effusion"),
        ("State after pneumonia, now left effusion.", "pneumonia", "pleural effusion"),
        ("s/p pneumonia, small left effusion", "pneumonia", "pleural effusion"),
        ("State after rib fracture with left effusion", "rib fracture", "pleural effusion"),
        ("State after pulmonary embolism with cardiomegaly.", "pulmonary embolism", "cardiomegaly"),
        ("Condition after lobectomy with left effusion.", "", "pleural effusion"),
        ("S/P CABG with left effusion", "", "pleural effusion"),
        ("Status post fall with rib fracture on the left", "", "rib fracture"),
        ("Status post sternotomy with left chest tube", "", "chest tube"),
        ("Status post right IJ catheter placement.", "", "central venous catheter"),
    ],
)
def test_what_is_told_with_what_was_gone_through_is_there(text: str, past: str, there: str) -> None:
    wanted = {there: None} | ({past: "prior"} if past else {})
    found = states(text, "CR")
    assert {name: found[name] for name in wanted} == wanted
    assert all(reason in (None, "prior") for reason in found.values())


@pytest.mark.parametrize("text", ["Status post pneumonia", "Condition after pneumonia and stroke"])
def test_all_of_what_was_gone_through_is_past(text: str) -> None:
    assert {*states(text, "CR").values()} == {"prior"}
