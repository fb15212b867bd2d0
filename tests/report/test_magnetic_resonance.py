"""What reports of magnetic resonance by another hand needed, and what must stay as it was."""

import pytest

from medsegr.report.parse import parse


def read(text: str) -> dict[str, tuple[str, str | None]]:
    return {f.name: (f.polarity, f.location.side) for f in parse(text, modality="MR").findings}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Findings suspicious of lymphoma.", "lymphoma"),
        ("Highly suspicious of a high grade sarcoma.", "sarcoma"),
        ("Appearances are suspicious of metastasis.", "metastasis"),
        ("Diagnosis to be preferred: glioblastoma.", "glioma"),
        ("Preferred diagnosis: meningioma.", "meningioma"),
    ],
)
def test_what_is_suspected_is_unsure(text: str, name: str) -> None:
    assert read(text)[name][0] == "uncertain"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Suspicious mass in the left breast.", "breast mass"),
        ("3 suspicious mesorectal lymph nodes.", "mesorectal lymphadenopathy"),
        ("Diagnosis: glioblastoma.", "glioma"),
    ],
)
def test_a_suspicious_thing_is_there(text: str, name: str) -> None:
    assert read(text)[name][0] == "present"


def test_an_abbreviation_in_capitals_is_no_slip_of_a_word() -> None:
    assert read("Right vertebral artery ends in PICA.") == {"arterial variant": ("present", "right")}
    assert "plica" not in read("The PICA is patent, aneurysm of the AICA.")
    assert "plica" not in read("There is PLCA in the report.")
    assert "plica" in read("There is a medial plica.")
    assert "polyp" in {f.name for f in parse("A small plyp.", modality="ES").findings}


def test_the_height_of_a_disc_is_none_of_a_vertebra() -> None:
    assert list(read("Disc desiccation and height loss.")) == ["disc degeneration"]
    assert "vertebral deformity" in read("Vertebral body height loss at L2.")


def test_the_lesion_points_back_to_its_mass() -> None:
    text = "A mass in the right temporal lobe. Susceptibility artefact within the lesion."
    assert "lesion" not in read(text)
    assert "lesion" in read("A mass in the right temporal lobe. Another lesion in the pons.")
    assert "lesion" in read("There is a lesion in the left frontal lobe.")


def test_the_sides_of_a_joint_are_none_of_the_body() -> None:
    assert read("Erosions on both sides of the right sacroiliac joint.")["erosion"][1] == "right"
    assert read("Oedema on both sides of the left SI joint.")["bone marrow oedema"][1] == "left"
    assert read("Effusions on both sides of the chest.")["pleural effusion"][1] == "bilateral"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ectopic posterior pituitary bright spot.", "ectopic posterior pituitary"),  # no ectopic pregnancy
        ("Detachment of the anteroinferior labrum.", "labral tear"),  # no retinal detachment
        ("Perifascial oedema at the calcaneus.", "soft tissue swelling"),  # none of the marrow
        ("Central perforation of the TFCC.", "triangular fibrocartilage tear"),
        ("Fetal origin of the left PCA.", "arterial variant"),
        ("Involved circumferential resection margin.", "resection margin involvement"),
        ("TMJ disc displacement.", "temporomandibular disc displacement"),  # no herniation
        ("Syringohydromyelia from C5 to T2.", "syrinx"),
    ],
)
def test_names_in_which_a_shorter_one_misleads(text: str, name: str) -> None:
    assert list(read(text)) == [name]
