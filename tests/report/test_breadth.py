"""How much the lexicon holds and how it is read: counts, roots, overlapping names, typing errors."""

import random
import string
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts as published

from medsegr.report import lexicon
from medsegr.report.lexicon import Concept, known_words
from medsegr.report.match import find_concepts, words_of
from medsegr.report.tokens import tokens
from medsegr.types import MODALITIES

FINDINGS = [c for c in lexicon.concepts().values() if c.kind in ("finding", "device")]
PAGE = Path(__file__).parents[2] / "docs" / "explain" / "report-reading.md"

# The widest concepts: in the field's sense nothing stands above them.
ROOTS = """
debris,
lesion, tumour, cyst, stone, ascites, abscess, bowel obstruction, diverticulosis, bowel wall thickening,
hernia, hydrocele, laceration, thrombus, plaque, stenosis, fat stranding, joint effusion, breast finding,
skin thickening, skin fissure, rolled edge, cerebriform pattern,
axillary lymph node, posterior shadowing, posterior enhancement,
tubular atrophy, localisation wire, opacity, tuberculosis, nodule,
mass, cavity, pleural effusion, pneumothorax, pneumomediastinum, atelectasis, volume loss, calcified
granuloma, calcification, scar, fibrosis, interstitial lung disease, interstitial markings, interstitial
change, thickening, pulmonary edema, vascular congestion, heart failure, emphysema, bulla, soft tissue
swelling, subcutaneous emphysema, copd, low lung volume, hyperinflation, pleural thickening, broken device,
fracture, rib deformity, dislocation, scoliosis, kyphosis, atherosclerosis, degenerative change, arthritis,
osteopenia, hiatal hernia, pneumoperitoneum, pericardial effusion, lymphadenopathy, hilar enlargement,
mediastinal shift, bronchiectasis, pulmonary embolism, pulmonary hypertension, lucency, bone lesion, nipple
shadow, foreign body, sarcoidosis, cystic fibrosis, pneumonectomy, pectus excavatum, fat pad, azygos lobe,
lung abscess, lung contusion, pulmonary infarct, bronchiolitis, asthma, tube, catheter, monitoring probe,
pacemaker, surgical clip, surgical suture, sternotomy wire, stent, prosthetic valve, spinal hardware,
implant, polyp, ulcer, erythema, varices, lymphoid hyperplasia, fistula, residual stool, air bubble,
specular reflection, instrument, variceal band, video capsule, endoscopic tattoo, haemorrhage, exudate,
glaucoma, cataract, vitreous opacity, posterior vitreous detachment, corneal opacity, pterygium, hypopyon,
silicone oil, bowel perforation, lymphocele, bone marrow oedema, meniscal tear, ligament tear, mastoid
effusion, pneumocephalus, anastomosis, adipose tissue, mucin, keratin pearl, lymphoid follicle, undescended
testis, aneurysm, tendinopathy, tendon tear, labral tear, cartilage defect, loose body, cholesteatoma,
intrauterine device, pessary, guide wire, kirschner wire, external fixator, nucleus, cell, cell cluster,
gland, necrosis, stroma, lymphovascular invasion, inflammation, dysplasia, metaplasia, glomerulus, membrane,
cytoplasm, mitochondria, inclusion body, smooth muscle, nerve bundle, epithelium, hair follicle, renal
tubule, amyloid, fibrin, mallory body, ductular reaction, bacterial colony, fungal hyphae, tissue fold,
vacuole, axon, synapse, golgi apparatus, endoplasmic reticulum, infarct, brain oedema, vascular
malformation, subdural hygroma, epidural lipomatosis, nerve root compression, intracranial pressure monitor,
skin lesion, pigment network, globules, blue-white veil, hair, rash, negative network, radial streaming,
regression structure, milia-like cyst, comedo-like opening, structureless area, leaf-like area, blue-grey
ovoid nest, shiny white structure, skin crust, vitiligo, alopecia, skin marking, extra-axial collection,
facial cleft, hyperplasia, testicular torsion,
absent nasal bone, anencephaly, clinodactyly, fetal growth restriction, fluid collection, micrognathia,
miscarriage, nerve thickening, oligohydramnios, patellar abnormality, polydactyly, polyhydramnios,
restricted diffusion, rosette, salivary duct dilatation, short cervix, skeletal dysplasia, surgical defect,
talipes, hypoperfusion,
filling defect, heterogeneous parenchyma, luminal obstruction, tear, torsion,
fluid level, tissue atrophy, crystal, septation, internal echoes, hypoechoic halo, echolucency, lung sliding,
salivary gland enlargement, abnormal umbilical artery doppler, brain sparing, large for gestational age
"""
# Seen in images of any kind.
ANYWHERE = """
lesion, tumour, metastasis, cyst, abscess, bowel obstruction, diverticulosis, diverticulitis, haemangioma,
haematoma, thrombus, plaque, stenosis, disc herniation, spinal stenosis, joint effusion, skin thickening,
calcification, scar, thickening, soft tissue swelling, broken device, fracture, compression fracture,
vertebral deformity, scoliosis, kyphosis, degenerative change, arthritis, osteopenia, lymphadenopathy, bone
lesion, foreign body, ventriculoperitoneal shunt, spinal hardware, implant, ulcer, erythema, bleeding,
fistula, haemorrhage, hamartoma, bowel perforation, lymphocele, lipoma, spondylolisthesis, anastomosis,
necrosis, inflammation,
fluid collection, ileus, infection, seroma, tumour recurrence
"""
NO_VARIANT = {"nipple shadow", "cystic fibrosis", "asthma", "infectious infiltrate", "granulomatous nodule"}


def names(block: str) -> set[str]:
    return {name.strip() for name in block.replace("\n", " ").split(",")}


def written(kind: str) -> int:
    """Cues as they are written: an entry counts once for every choice of its longest list of alternatives."""
    table = tomllib.loads((files(lexicon) / f"{kind}.toml").read_text("utf-8"))
    return sum(alternatives(pattern) for entry in table["cue"] for pattern in entry["words"])


def alternatives(pattern: str) -> int:
    return max([1, *(group.split("}")[0].count("|") + 1 for group in pattern.split("{")[1:])])


def test_the_lexicon_is_broad():
    devices = [c for c in FINDINGS if c.kind == "device"]
    assert len(FINDINGS) >= 450
    assert len(devices) >= 50
    assert len({place.name for place in lexicon.places().values()}) >= 300
    assert written("cues") >= 300


def test_every_field_has_its_findings():
    least = {"CR": 100, "CT": 250, "MR": 200, "US": 100, "MG": 30, "ES": 60, "DMS": 40, "OP": 60, "SM": 50}
    for modality, count in least.items():
        assert sum(modality in c.modalities for c in FINDINGS) >= count, modality


def test_the_page_tells_the_counts():
    devices = sum(c.kind == "device" for c in FINDINGS)
    coded = sum(c.code is not None for c in FINDINGS)
    text = " ".join(PAGE.read_text("utf-8").split())
    told = {
        f"{len(FINDINGS) // 50 * 50} findings": "findings and devices",
        f"{devices // 10 * 10} of them devices": "devices",
        f"{len({p.name for p in lexicon.places().values()}) // 50 * 50} places": "places",
        f"{coded // 10 * 10} findings have a code": "codes",
        f"more than {(len(FINDINGS) - coded) // 50 * 50} have none": "findings without a code",
    }
    missing = [f"{what}: '{words}'" for words, what in told.items() if words not in text]
    assert not missing, f"docs/explain/report-reading.md must say {missing}"


def test_roots_are_known_and_the_rest_have_a_wider_concept():
    assert {c.name for c in FINDINGS if not c.parents} <= names(ROOTS)


def test_parents_lead_up_without_a_circle():
    known = lexicon.concepts()

    def above(name: str, seen: tuple[str, ...] = ()) -> None:
        assert name not in seen, seen
        for parent in known[name].parents:
            above(parent, (*seen, name))

    for item in FINDINGS:
        above(item.name)


def test_every_finding_says_in_which_images_it_is_seen():
    assert {c.name for c in FINDINGS if not c.modalities} <= names(ANYWHERE)
    assert {m for c in FINDINGS for m in c.modalities} <= set(MODALITIES)


def test_every_finding_has_a_variant():
    assert {c.name for c in FINDINGS if len(c.words) < 2} <= NO_VARIANT


def test_a_concept_is_told_once():
    seen: dict[str, str] = {}
    for file in sorted(Path(str(files(lexicon))).glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        for name in (name for kind in lexicon.KINDS for name in table.get(kind, {})):
            assert name not in seen, f"'{name}' stands in {seen.get(name)} and in {file.name}"
            seen[name] = file.name


def test_codes_are_those_that_dicom_publishes():
    meanings: dict[tuple[str, str], set[str]] = {}
    for scheme in ("SCT", "DCM"):
        for codes in published[scheme].values():
            for value, (meaning, _) in codes.items():
                meanings.setdefault((scheme, value), set()).add(meaning.lower())
    coded = [c for c in lexicon.concepts().values() if c.code]
    for item in coded:
        known = meanings.get((item.code.scheme, item.code.value), set())
        assert any(m.startswith(item.code.meaning.lower()) for m in known), (item.name, item.code)
    without = len(lexicon.concepts()) - len(coded)
    assert len(coded) >= 180, f"{without} concepts have no code"


OVERLAPS = [
    ("lung nodule", "nodule", "CT"),
    ("thyroid nodule", "thyroid nodule", "US"),
    ("breast mass", "breast mass", "US"),
    ("mass", "mass", "US"),
    ("aortic aneurysm", "aortic aneurysm", "CT"),
    ("abdominal aortic aneurysm", "abdominal aortic aneurysm", "CT"),
    ("cerebral aneurysm", "cerebral aneurysm", "MR"),
    ("aneurysm", "aneurysm", "MR"),
    ("aneurysm", "aortic aneurysm", "CR"),
    ("ground glass nodule", "ground-glass nodule", "CT"),
    ("optic disc haemorrhage", "disc haemorrhage", "OP"),
    ("haemorrhage", "haemorrhage", "OP"),
    ("disc drusen", "optic disc drusen", "OP"),
    ("fundic gland polyp", "fundic gland polyp", "ES"),
    ("gallbladder polyp", "gallbladder polyp", "US"),
    ("parathyroid adenoma", "parathyroid adenoma", "US"),
    ("adenoma", "polyp", "ES"),
    ("carcinoma in situ", "carcinoma in situ", "SM"),
    ("ductal carcinoma in situ", "breast tumour", "MG"),
    ("fibrous dysplasia", "fibrous dysplasia", "CR"),
    ("cortical dysplasia", "cortical dysplasia", "MR"),
    ("dysplasia", "dysplasia", "SM"),
    ("squamous cell carcinoma", "invasive carcinoma", "SM"),
    ("squamous cell carcinoma", "cutaneous squamous cell carcinoma", "DMS"),
    ("vessels", "retinal vessels", "OP"),
    ("segment the blood vessels", "retinal vessels", "OP"),
    ("vessels", "vessel", "CT"),
    ("disc", "optic disc", "OP"),
    ("disc", "intervertebral disc", "MR"),
    ("nerve fibre layer defect", "nerve fibre layer defect", "OP"),
    ("pericardial effusion", "pericardial effusion", "CT"),
    ("calcified gallbladder wall", "porcelain gallbladder", "CT"),
    ("coronary stent", "coronary stent", "CR"),
]


def read(text: str, modality: str | None = None) -> list[str]:
    return [h.value.name for h in find_concepts(words_of(tokens(text, (0, len(text))), text), modality)]


@pytest.mark.parametrize(("text", "name", "modality"), OVERLAPS)
def test_the_longest_name_wins_and_the_image_decides_between_equals(text, name, modality):
    assert read(text, modality) == [name]
    assert read(f"there is {text} today", modality) == [name]


def slip(word: str, rng: random.Random) -> str:
    """The word with one letter swapped, dropped, added or changed, the first one excepted."""
    at = rng.randrange(1, len(word))
    kind = rng.choice(("swap", "drop", "add", "change"))
    letter = rng.choice(string.ascii_lowercase)
    if kind == "swap" and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    return word[:at] + letter + word[at + (kind == "change") :]


def long_words(item: Concept, least: int) -> list[str]:
    """Words of the name that a slip can be told in: long enough, and no ordinary English word."""
    words = item.name.replace("-", " ").split()
    plain = lexicon.plain_words()
    return [w for w in words if len(w) >= least and w.isalpha() and lexicon.normal(w) not in plain]


def share_read(slips: int, least: int) -> float:
    """Share of misspelt names that are read as meant. Slips that are words themselves are left out."""
    rng = random.Random(20)
    right = tried = 0
    for item in lexicon.concepts().values():
        words = long_words(item, least)
        if item.kind == "statement" or not words:
            continue
        word = wrong = rng.choice(words)
        for _ in range(slips):
            wrong = slip(wrong, rng)
        if wrong == word or len(wrong) < 5 or lexicon.normal(wrong) in known_words():
            continue
        tried += 1
        right += read(item.name.replace(word, wrong, 1)) == read(item.name)
    return right / tried


def test_one_typing_error_is_read_over():
    assert share_read(1, 5) >= 0.95


def test_two_typing_errors_are_read_over_in_long_words():
    assert share_read(2, 10) >= 0.85


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("oedmea of the macula", "pulmonary edema"),
        ("oespohagitis", "oesophagitis"),
        ("arthrits", "arthritis"),
        ("menigioma", "meningioma"),
        ("polip", "polyp"),
    ],
)
def test_slips_in_british_words_and_before_a_last_s(text, name):
    assert name in read(text)


@pytest.mark.parametrize(
    "text",
    [
        "iliac crest",
        "left nephrectomy",
        "leukaemia",
        "deltoid muscle",
        "bacteraemia",
        "rhinitis",
        "grand rounds",
    ],
)
def test_ordinary_words_are_no_slips(text):
    assert not [name for name in read(text) if lexicon.concepts()[name].kind == "finding"]
