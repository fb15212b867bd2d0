"""What reports by another hand taught: likely meanings, doubts at the end, lists of ribs, names and sides."""

import pytest

from medsegr.report.parse import parse, skip_reason


def read(text, modality="CT"):
    return [(f.name, skip_reason(f) or "present") for f in parse(text, modality=modality).findings]


@pytest.mark.parametrize(
    ("text", "thing", "meaning"),
    [
        ("The nodule is likely a small granuloma.", "nodule", "calcified granuloma"),
        ("A 28 mm collection is likely a resolving seroma.", "fluid collection", "seroma"),
        ("The lesion is likely a benign cyst.", "lesion", "cyst"),
        ("The mass is probably an old haematoma.", "mass", "haematoma"),
        ("The opacities are likely atelectasis.", "opacity", "atelectasis"),
        ("The opacity is likely to represent pneumonia.", "opacity", "pneumonia"),
    ],
)
def test_what_is_likely_something_is_there_and_its_meaning_is_doubted(text, thing, meaning):
    assert read(text) == [(thing, "present"), (meaning, "uncertain")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A pulmonary embolus is likely.", "pulmonary embolism"),
        ("Abscesses would be an alternative.", "abscess"),
        ("An abscess is the main differential.", "abscess"),
        ("Pulmonary contusion favored.", "lung contusion"),
    ],
)
def test_what_is_doubted_behind_its_name(text, name):
    assert read(text) == [(name, "uncertain")]


@pytest.mark.parametrize(
    "text",
    ["Pneumonia is likely, and there is an effusion.", "Opacity in the left base, pneumonia favored."],
)
def test_a_doubt_stays_with_its_own(text):
    assert sorted(state for _, state in read(text)) == ["present", "uncertain"]


def test_what_is_favored_at_the_end_leaves_the_sign_there():
    assert read("Opacity in the left lung, pulmonary contusion favored.")[0] == ("opacity", "present")


def test_the_sign_gives_place_and_size_to_what_it_is_likely():
    *_, last = parse("A 28 mm collection in the left liver is likely a seroma.", modality="CT").findings
    assert (last.name, last.shape.size_mm) == ("seroma", (28.0,))


@pytest.mark.parametrize(
    ("text", "ribs"),
    [
        ("Fractures of the left 6th, 7th and 8th ribs.", {6, 7, 8}),
        ("Fractures of the left 6th and 7th ribs.", {6, 7}),
        ("Fractures of left ribs 6, 7 and 8.", {6, 7, 8}),
        ("Fractures of the left sixth, seventh and eighth ribs.", {6, 7, 8}),
        ("Fracture of left rib 6, 8 mm apart.", {6}),
    ],
)
def test_every_rib_of_a_list(text, ribs):
    place = parse(text, modality="CT").findings[0].location
    assert {int(name.split()[-1]) for name in place.anatomy if name[-1].isdigit()} == ribs


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Microbleeds in B/L basal ganglia.", "bilateral"),
        ("Microbleeds in b/l basal ganglia.", "bilateral"),
        ("Microbleeds in the L basal ganglia.", "left"),
        ("No carotid plaque either side.", "bilateral"),
    ],
)
def test_both_sides_in_short(text, side):
    assert parse(text, modality="MR").findings[0].location.side == side


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Spleen enlarged at 16.5 cm.", (165.0,)),
        ("The left hilar node has also shrunk, 9 mm from 17 mm.", (9.0,)),
        ("A tumour at 32 cm.", None),
        ("A 5 mm nodule 20 mm from the hilum.", (5.0,)),
    ],
)
def test_sizes(text, size):
    assert parse(text, modality="CT").findings[0].shape.size_mm == size


@pytest.mark.parametrize(
    ("text", "modality", "name"),
    [
        ("Fullness of the right hilum.", "CR", "hilar enlargement"),
        ("No mosaicism.", "CT", "mosaic attenuation"),
        ("Oesophagus not dilated.", "CT", "oesophageal dilatation"),
        ("No destructive rib lesion.", "CR", "bone lesion"),
        ("A locule of extraluminal gas.", "CT", "pneumoperitoneum"),
        ("The appendix is dilated.", "CT", "dilated appendix"),
        ("Hypoplastic right vertebral artery.", "MR", "arterial hypoplasia"),
        ("Abrupt cut-off of the left M1 segment.", "MR", "arterial occlusion"),
        ("The superior sagittal sinus is invaded.", "MR", "venous sinus invasion"),
        ("The pachymeninges do not enhance.", "MR", "meningeal enhancement"),
        ("Dilatation of the left temporal horn.", "MR", "ventricular horn dilatation"),
        ("Thinning of the ipsilateral fornix.", "MR", "fornix atrophy"),
        ("Inducible defect in the inferolateral wall.", "MR", "perfusion defect"),
        ("Four veins with a common left ostium.", "MR", "common pulmonary vein ostium"),
        ("Placenta posterior, low, 11 mm from the os.", "US", "placenta praevia"),
        ("Echogenic focus in the LV.", "US", "echogenic intracardiac focus"),
        ("Dichorionic diamniotic twins.", "US", "twin pregnancy"),
        ("Segment VI ablation zone.", "CT", "ablation zone"),
        ("The LLL primary has decreased.", "CT", "lung tumour"),
    ],
)
def test_names_of_another_hand(text, modality, name):
    found = parse(text, modality=modality).findings
    assert any(name in (f.name, *f.parents) for f in found)


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("The primary care physician was told of the left lung.", "CT"),
        ("The placenta is posterior with low signal.", "MR"),
        ("Ejection fraction indexed 128 ml/m2.", "MR"),
    ],
)
def test_near_neighbours_are_no_names(text, modality):
    assert not [name for name, state in read(text, modality) if state == "present"]


def test_a_twin_of_the_scan_is_no_relative():
    assert ("fetal hydrops", "uncertain") in read("Oedema around twin B, ?early hydrops.", "US")
    assert ("lung tumour", "not_this_patient") in read("A twin with lung cancer.")


def test_the_central_sulcus_is_no_costophrenic_angle():
    (finding,) = parse("Superficial siderosis over the right central sulcus.", modality="MR").findings
    assert finding.location.anatomy == ("cerebral sulcus",)


def test_mediastinal_is_a_place():
    (finding,) = parse("Mediastinal and hilar lymphadenopathy.", modality="CT").findings
    assert finding.location.anatomy == ("mediastinum", "hilum")
