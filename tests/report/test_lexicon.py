import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import ReportError
from medsegr.report import lexicon
from medsegr.types import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    MODALITIES,
    ROWS,
    SIDES,
    SIZES,
    TIMES,
    UNIFORMITIES,
)

CANONICAL = """
lung, heart, cardiomediastinum, airways, trachea, rib, clavicle, diaphragm, opacity, consolidation,
ground-glass opacity, nodule, mass,
pleural effusion, pneumothorax, atelectasis, tube, nasogastric tube, endotracheal tube, central venous
catheter, monitoring probe,
polyp, ulcer, breast tumour, breast mass, cyst, nucleus, cell cluster, skin lesion, retinal vessels, optic
disc, optic cup, macula,
haemorrhage, exudate, microaneurysm, drusen, carotid artery, fetal head, breast finding, liver, spleen,
kidney, pancreas, gallbladder,
stomach, duodenum, colon, aorta, inferior vena cava, portal vein, adrenal gland, urinary bladder, prostate,
lesion, liver lesion,
kidney cyst, kidney tumour, tumour, lung tumour, vessel, vertebra, hip bone, back muscle, iliopsoas muscle,
costal cartilage,
left atrium, right atrium, left ventricle, right ventricle, myocardium, hippocampus, anterior hippocampus,
posterior hippocampus,
glioma, brain tumour, multiple sclerosis lesion, spinal cord, grey matter, infarct, cardiomegaly, calcified
granuloma, calcification,
scar, airspace disease, infiltrate, pneumonia, scoliosis, kyphosis, atherosclerosis, tortuous aorta,
degenerative change,
low lung volume, hyperinflation, elevated diaphragm, flattened diaphragm, blunted costophrenic angle,
fracture, vascular congestion,
pulmonary edema, pleural thickening, emphysema, copd, hiatal hernia, osteopenia, fibrosis, interstitial
markings, catheter, surgical clip
"""
RELATIVE = ("ipsilateral", "contralateral")  # resolved within the sentence
VOCABULARY = {
    "density": DENSITIES,
    "uniformity": UNIFORMITIES,
    "colour": COLOURS,
    "form": FORMS,
    "margin": MARGINS,
    "size_class": SIZES,
    "rows": ROWS,
    "cols": COLS,
    "side": SIDES,
}


@pytest.mark.parametrize("name", [" ".join(n.split()) for n in CANONICAL.replace("\n", " ").split(",")])
def test_canonical_name_is_a_concept(name):
    assert lexicon.concept(name).name == name


def test_size_of_the_lexicon():
    assert len(lexicon.concepts()) >= 350
    assert len(lexicon.places()) >= 300
    assert len(lexicon.cues()) >= 300


def test_parents_and_modalities_are_known():
    for item in lexicon.concepts().values():
        assert set(item.parents) <= set(lexicon.concepts()), item.name
        assert set(item.modalities) <= set(MODALITIES), item.name
        assert item.name not in item.parents


def test_places_and_descriptors_use_the_vocabularies():
    for place in lexicon.places().values():
        assert place.side is None or place.side in SIDES
        assert set(place.rows) <= set(ROWS)
        assert (
            place.of == ""
            or place.of in lexicon.concepts()
            or place.of in {p.name for p in lexicon.places().values()}
        )
    for item in lexicon.descriptors().values():
        if item.value and item.field != "count" and item.value not in RELATIVE:
            assert item.value in VOCABULARY[item.field]


def test_cues_are_well_formed():
    for found in lexicon.cues().values():
        for cue in found:
            assert cue.kind in ("negation", "pseudo", "uncertain", "time", "other", "advice", "stop")
            assert cue.direction in ("pre", "post", "both")
            assert (
                cue.value in (*TIMES, "removed", "operated")
                if cue.kind == "time"
                else cue.value in ("", "own")
            )


def test_builds_and_refinements_name_concepts():
    for build in lexicon.builds():
        assert build.name in lexicon.concepts()
        assert build.unless <= set(lexicon.concepts())
    for rule in lexicon.refines():
        assert {rule.name, rule.base} <= set(lexicon.concepts())


def test_synonyms_and_unknown_names():
    assert lexicon.concept("tumor").name == "tumour"
    assert lexicon.concept("Nuclei").name == "nucleus"
    assert lexicon.concept("ground glass opacities").name == "ground-glass opacity"
    with pytest.raises(ReportError, match="no concept 'gizmo'"):
        lexicon.concept("gizmo")


def test_values_are_immutable():
    with pytest.raises(TypeError):
        lexicon.concepts()["new"] = lexicon.concept("lung")


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("Opacities", "opacity"),
        ("masses", "mass"),
        ("nuclei", "nucleus"),
        ("haemorrhages", "hemorrhage"),
        ("tumours", "tumor"),
        ("patient's", "patient"),
        ("pelvis", "pelvis"),
        ("mucous", "mucous"),
        ("discs", "disc"),
        ("apices", "apex"),
    ],
)
def test_normal_form(word, form):
    assert lexicon.normal(word) == form


@given(st.text(max_size=30))
def test_normal_form_never_fails(word):
    assert isinstance(lexicon.normal(word), str)


def test_expand():
    assert list(lexicon.expand("no {sign|evidence} of")) == ["no sign of", "no evidence of"]
    assert list(lexicon.expand("a {b |}c")) == ["a b c", "a c"]
