"""Sentence patterns of the made reports. ``{a}`` is a phrase with its article, ``{A}`` with a capital."""

PRESENT = (
    "There is {a}.",
    "{A} is seen.",
    "{A} is present.",
    "{A} is identified.",
    "{A} is noted.",
    "Note is made of {a}.",
    "There is evidence of {a}.",
    "{A} is visualised.",
    "{A} is demonstrated.",
    "The study shows {a}.",
    "{A} is visible.",
    "Imaging demonstrates {a}.",
    "There is also {a}.",
    "In addition, there is {a}.",
    "{A} is again noted.",
    "{A} can be seen.",
    "Findings include {a}.",
    "{A} is observed.",
    "There appears {a}.",
    "We see {a}.",
    "Also noted is {a}.",
    "{A}.",
)
TWO = (
    "There is {a} and {b}.",
    "{A} and {b} are seen.",
    "{A} is seen, and there is {b}.",
    "There is {a}. There is also {b}.",
)

CHEST_ABSENT = (
    ("pneumothorax", "No pneumothorax."),
    ("pneumothorax", "There is no pneumothorax."),
    ("pleural effusion", "No pleural effusion."),
    ("pleural effusion", "No pleural effusion or pneumothorax."),
    ("pleural effusion", "The costophrenic angles are clear."),
    ("pneumothorax", "No evidence of pneumothorax."),
    ("fracture", "No acute rib fracture."),
    ("fracture", "No acute bony abnormality."),
    ("pleural effusion", "There is no evidence of pleural effusion."),
    ("cardiomegaly", "No cardiomegaly."),
    ("pulmonary edema", "No pulmonary oedema."),
    ("atelectasis", "No atelectasis is seen."),
    ("pneumothorax", "Negative for pneumothorax."),
    ("pleural effusion", "Without pleural effusion."),
    ("pneumothorax", "Pneumothorax is not seen."),
    ("mediastinal shift", "No mediastinal shift."),
)
CHEST_NORMAL = (
    "The heart size is normal.",
    "Cardiomediastinal silhouette is within normal limits.",
    "The hemidiaphragms are normal.",
    "The mediastinal contours are unremarkable.",
    "Bony structures are intact.",
    "Heart and mediastinum are normal.",
    "The pulmonary vasculature is normal.",
    "The visualised upper abdomen is unremarkable.",
    "The hila are normal.",
)
CHEST_UNCERTAIN = (
    "A small pleural effusion cannot be excluded.",
    "Possible mild atelectasis.",
    "Pneumothorax cannot be ruled out.",
    "Findings may represent pneumonia.",
    "Questionable rib fracture.",
    "Suspected small pleural effusion.",
)
# Negations of concepts that the phantom does draw, used where no such lesion lies in the named place.
CHEST_PLACED = (
    "There is no evidence of a {c} in the {p}.",
    "No {c} in the {p}.",
    "No focal {c} is seen in the {p}.",
    "The {p} is free of {c}.",
    "There is no {c} in the {p}.",
)

ABDOMEN_ABSENT = (
    ("ascites", "No ascites."),
    ("ascites", "There is no free fluid."),
    ("free air", "No free air."),
    ("hydronephrosis", "There is no hydronephrosis."),
    ("lymphadenopathy", "No lymphadenopathy."),
    ("gallstone", "No gallstones are seen."),
    ("bowel obstruction", "No evidence of bowel obstruction."),
    ("pancreatic mass", "No pancreatic mass."),
    ("aortic aneurysm", "No abdominal aortic aneurysm."),
    ("ascites", "Ascites is not seen."),
)
ABDOMEN_NORMAL = (
    "The pancreas is unremarkable.",
    "The gallbladder is normal.",
    "The aorta is of normal calibre.",
    "Bowel loops are normal.",
    "The adrenal glands are normal.",
    "No acute osseous abnormality.",
    "The portal vein is patent.",
)
ABDOMEN_UNCERTAIN = (
    "Trace ascites cannot be excluded.",
    "Possible gallstone.",
    "Questionable mild hydronephrosis.",
    "A small hiatal hernia is suspected.",
)
ABDOMEN_PLACED = (
    "No focal lesion in the {p}.",
    "There is no {c} in the {p}.",
    "No {c} in the {p}.",
    "The {p} shows no focal lesion.",
)

MUCOSA_OTHER = (
    "No active bleeding.",
    "There is no evidence of bleeding.",
    "No diverticula are seen.",
    "The mucosa is otherwise normal.",
    "The bowel preparation was good.",
    "No stricture.",
    "Possible mild inflammation.",
    "The vascular pattern is preserved.",
)
ULTRASOUND_OTHER = (
    "No calcification.",
    "There is no axillary lymphadenopathy.",
    "No skin thickening.",
    "The remaining tissue is unremarkable.",
    "No architectural distortion.",
    "Duct ectasia cannot be excluded.",
    "No ductal dilatation.",
    "The skin is normal.",
)
CELLS_OTHER = (
    "No necrosis.",
    "There is no evidence of mitosis.",
    "No haemorrhage is seen.",
    "The background is unremarkable.",
    "No inflammation.",
    "Possible mild atypia.",
    "Staining is adequate.",
)
SKIN_OTHER = (
    "No ulceration.",
    "There is no evidence of bleeding.",
    "The remaining skin is unremarkable.",
    "No abscess.",
    "No satellite nodule is seen.",
    "Possible mild inflammation.",
    "The image is of good quality.",
    "Follow-up is recommended.",
)
BRAIN_OTHER = (
    "No subdural haematoma.",
    "There is no hydrocephalus.",
    "No acute infarct.",
    "No intracranial haemorrhage is seen.",
    "The orbits are unremarkable.",
    "The basal cisterns are preserved.",
    "The paranasal sinuses are clear.",
)
# Fluid behind a lung, thick skin and grains of calcium are drawn now and then: nothing below denies them.
THORAX_OTHER = (
    "No pneumomediastinum.",
    "There is no pneumothorax.",
    "No mediastinal lymphadenopathy.",
    "No pericardial effusion.",
    "The central airways are patent.",
    "The thoracic aorta is of normal calibre.",
    "No acute osseous abnormality.",
    "There is no consolidation.",
    "No hilar lymphadenopathy.",
    "The heart size is normal.",
    "The visualised upper abdomen is unremarkable.",
)
MAMMOGRAM_OTHER = (
    "No foreign body is seen.",
    "There is no breast implant.",
    "No nipple retraction.",
    "No axillary lymphadenopathy is seen.",
    "Comparison with earlier images is recommended.",
    "No architectural distortion.",
)
OTHERS = {
    "mucosa": MUCOSA_OTHER,
    "ultrasound": ULTRASOUND_OTHER,
    "cells": CELLS_OTHER,
    "skin": SKIN_OTHER,
    "brain": BRAIN_OTHER,
    "thorax": THORAX_OTHER,
    "mammogram": MAMMOGRAM_OTHER,
}
# What is said of a body without any lesion.
NORMAL = {
    "skin": ("No skin lesion is seen.", "There is no pigmented lesion.", "No evidence of a skin lesion."),
    "brain": (
        "No glioma.",
        "There is no evidence of a glioma or of multiple sclerosis lesions.",
        "No demyelinating plaques are seen.",
    ),
    "thorax": ("No lung tumour.", "There is no evidence of a lung tumour.", "No lung tumour is seen."),
    "mammogram": ("No suspicious breast finding.", "There is no breast mass.", "No breast finding is seen."),
}

HEADERS = {
    "chest": (
        "EXAM: Chest radiograph.",
        "EXAMINATION: CHEST X-RAY",
        "INDICATION: Cough.",
        "INDICATION: Shortness of breath.",
        "COMPARISON: None.",
        "TECHNIQUE: Single frontal view of the chest.",
    ),
    "abdomen": (
        "EXAM: CT abdomen.",
        "EXAMINATION: CT OF THE ABDOMEN",
        "INDICATION: Abdominal pain.",
        "INDICATION: Follow-up.",
        "COMPARISON: None.",
        "TECHNIQUE: Axial CT of the abdomen.",
    ),
}
CLOSING = {
    "chest": (
        "No acute cardiopulmonary abnormality otherwise.",
        "Clinical correlation is recommended.",
        "Follow-up is recommended.",
        "No pneumothorax.",
    ),
    "abdomen": (
        "No acute abnormality otherwise.",
        "Clinical correlation is recommended.",
        "Follow-up imaging is recommended.",
        "No ascites.",
    ),
}
