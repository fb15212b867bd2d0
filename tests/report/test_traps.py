"""Sentences that deny, doubt, remember, advise or speak of somebody else: none may give a finding to draw."""

import pytest

from medsegr.report.parse import parse, skip_reason

RADIOLOGY = """
No focal consolidation, effusion or pneumothorax.
No focal consolidation, pleural effusion, or pneumothorax is seen.
There is no evidence of pneumothorax.
There are no XXXX of a pleural effusion.
No pneumothorax or pleural effusion identified.
The lungs are free of focal airspace disease.
Lungs are clear without focal consolidation, pneumothorax, or pleural effusion.
Lungs are clear.
Negative for pneumothorax, pleural effusion or focal airspace consolidation.
Without evidence of mass or nodule.
The pneumothorax has resolved.
Interval resolution of the left pleural effusion.
Interval removal of the right chest tube.
The endotracheal tube has been removed.
Previously seen nodule is no longer visualized.
Pneumothorax is not seen.
Pleural effusion and pneumothorax are absent.
Heart size is normal. The heart is not enlarged.
Cardiac silhouette is not enlarged.
Normal cardiac silhouette and pulmonary vascularity are within normal limits.
No acute cardiopulmonary abnormality.
Absence of pleural effusion.
No definite pulmonary nodules.
Neither pneumothorax nor effusion is present.
History of pneumonia.
History of left pneumothorax.
Mother had breast cancer.
Family history of lung cancer.
The father died of a glioma.
Recommend CT to exclude underlying mass.
CT is recommended to rule out pulmonary embolism.
Please evaluate for pneumonia.
Possible pneumonia.
Cannot exclude a small effusion.
A small left pleural effusion cannot be excluded.
Pneumonia cannot be excluded.
Questionable nodule in the right upper lobe.
Findings may represent atelectasis or scarring.
Suspicious for pneumothorax.
Pneumonia is unlikely.
This could represent early consolidation.
NO PNEUMOTHORAX OR EFFUSION IS SEEN
no pneumothorax, no effusion, lungs clear
No evidence of pneumothorax after thoracentesis.
Rule out pneumonia.
On the prior study there was a left pleural effusion.
The previous radiograph showed a right lower lobe consolidation.
No rib fracture is identified.
Clear of infiltrate or consolidation.
The costophrenic angles are sharp. No blunting.
No new consolidation.
No suspicious nodule or mass. No adenopathy.
There is no visible free intraperitoneal air under the diaphragm.
Nondisplaced rib fractures may not be demonstrated.
Negative chest x-ray.
Donor lung with emphysema.
If there is concern for pneumothorax, repeat the film.
"""
ENDOSCOPY = """
No polyps were found.
The entire colon was examined and no polyp was seen.
Normal mucosa without ulceration or polyps.
No bleeding after polypectomy.
The mucosa was normal.
The polyp was removed last year.
History of colonic polyps.
Surveillance for polyps.
No active bleeding, no ulcer.
Previous polyp has been completely resected.
Brother with colorectal cancer.
The examination was negative for polyps or masses.
"""
PATHOLOGY = """
No evidence of malignancy.
Negative for dysplasia or carcinoma.
No necrosis is identified.
No lymphovascular invasion.
Margins are free of tumour.
Lymphovascular invasion is not identified.
"""
FUNDUS = """
No haemorrhages or exudates.
Retina flat, no microaneurysms seen.
Optic disc and macula are normal. No drusen.
No signs of diabetic retinopathy, exudates absent.
Without cotton wool spots or neovascularisation.
The haemorrhage has cleared.
Possible microaneurysm.
"""
ULTRASOUND = """
No cystic or solid mass is seen in either breast.
No tumor in the breast ultrasound image.
No gallstones. No biliary dilatation.
The gallbladder is normal without stones or wall thickening.
Kidneys are normal, no hydronephrosis.
No carotid plaque or stenosis.
No free fluid.
Thyroid nodule is not present.
"""
MR = """
No enhancing lesion.
No acute infarct or haemorrhage.
There is no restricted diffusion to suggest acute infarction.
No mass effect or midline shift.
No evidence of demyelinating lesions.
Ventricles are normal. No hydrocephalus.
Prior infarct was seen on the previous MRI.
Without abnormal enhancement.
No late gadolinium enhancement.
Glioma could not be ruled out.
"""
CASES = [
    (modality, line)
    for modality, block in (
        ("CR", RADIOLOGY),
        ("ES", ENDOSCOPY),
        ("SM", PATHOLOGY),
        ("OP", FUNDUS),
        ("US", ULTRASOUND),
        ("MR", MR),
    )
    for line in block.strip().splitlines()
]


def test_enough_traps():
    assert len(CASES) >= 80


@pytest.mark.parametrize(("modality", "text"), CASES)
def test_nothing_to_draw(modality, text):
    for given in (modality, None):
        drawn = [f for f in parse(text, modality=given).findings if skip_reason(f) is None]
        assert drawn == []


@pytest.mark.parametrize(
    ("modality", "text"), [c for c in CASES if "lear" not in c[1] and "ormal" not in c[1]]
)
def test_what_is_denied_is_still_reported(modality, text):
    assert parse(text, modality=modality).findings


DRAWN = [
    ("No interval change in the small left effusion.", "pleural effusion"),
    ("Not only effusion but also pneumothorax.", "pleural effusion"),
    ("No pneumothorax, but there is a small left effusion.", "pleural effusion"),
    ("No pneumothorax, small left effusion.", "pleural effusion"),
    ("No pneumothorax or consolidation, and the heart is enlarged.", "cardiomegaly"),
    ("Lungs are clear except for a nodule in the right apex.", "nodule"),
    ("A nodule that is not calcified.", "nodule"),
    ("A 5 mm noncalcified nodule.", "nodule"),
    ("Unchanged right pleural effusion compared to the prior study.", "pleural effusion"),
    ("The effusion has not resolved.", "pleural effusion"),
    ("Old rib fractures.", "rib fracture"),
    ("Sequela of prior granulomatous disease.", "calcified granuloma"),
    ("No change in the nodule since the previous CT.", "nodule"),
    ("Stable cardiomegaly without effusion.", "cardiomegaly"),
    ("No effusion. Consolidation in the left base.", "consolidation"),
    ("Previously seen nodule is unchanged.", "nodule"),
    ("no pneumothorax small left effusion heart normal", "pleural effusion"),
    ("Non-displaced rib fracture.", "rib fracture"),
    ("Except for a small effusion, no abnormality.", "pleural effusion"),
]


@pytest.mark.parametrize(("text", "name"), DRAWN)
def test_what_is_there_is_drawn_all_the_same(text, name):
    drawn = [f.name for f in parse(text, modality="CR").findings if skip_reason(f) is None]
    assert name in drawn
    assert len(set(drawn)) <= 2


@pytest.mark.parametrize(
    ("text", "polarity", "cue"),
    [
        ("No pneumothorax.", "absent", "No"),
        ("There is no evidence of pneumothorax.", "absent", "no evidence of"),
        ("Pneumothorax is not seen.", "absent", "is not seen"),
        ("Pneumothorax cannot be excluded.", "uncertain", "cannot be excluded"),
        ("Possible pneumothorax.", "uncertain", "Possible"),
        ("The pneumothorax has resolved.", "absent", "has resolved"),
    ],
)
def test_each_decision_names_its_cue(text, polarity, cue):
    (finding,) = parse(text, modality="CR").findings
    assert finding.polarity == polarity
    assert text[slice(*finding.polarity_span)] == cue


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Stable cardiomegaly.", "stable"),
        ("New left effusion.", "new"),
        ("The effusion has increased.", "worse"),
        ("Improving edema.", "improved"),
        ("Resolved pneumothorax.", "resolved"),
        ("History of pneumonia.", "prior"),
        ("Left effusion.", "current"),
    ],
)
def test_time(text, time):
    assert parse(text, modality="CR").findings[0].time == time


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("No mass.", "absent"),
        ("Possible mass.", "uncertain"),
        ("History of pneumonia.", "prior"),
        ("Mother had lung cancer.", "not_this_patient"),
        ("COPD.", "no_place"),
        ("Mass.", None),
    ],
)
def test_reason_codes(text, reason):
    assert skip_reason(parse(text, modality="CR").findings[0]) == reason


def test_asked_for_uncertain():
    (finding,) = parse("Possible mass.").findings
    assert skip_reason(finding, ("present", "uncertain")) is None
