"""Reports of endoscopies, breasts, eyes, skin and tissue, by classes of language."""

import pytest

from medsegr.report.parse import parse, skip_reason
from medsegr.types import Finding


def read(text: str, modality: str) -> list[Finding]:
    return list(parse(text, modality=modality).findings)


def told(finding: Finding) -> tuple[str, str | None]:
    """The name, and the reason why its own words keep it from being drawn."""
    return finding.name, skip_reason(finding)


@pytest.mark.parametrize(
    ("text", "modality", "wanted"),
    [
        ("IgG, C1q: negative.", "GM", [("igg deposit", "absent"), ("c1q deposit", "absent")]),
        ("C3: 2+ same distribution.", "GM", [("c3 deposit", None)]),
        ("IgA: 3+ granular mesangial deposits.", "GM", [("iga deposit", None), ("immune deposit", None)]),
        ("Tubular basement membrane deposits absent.", "GM", [("immune deposit", "absent")]),
        ("No linear staining of the GBM.", "GM", [("linear staining", "absent")]),
        ("Possible trace IgM.", "SM", [("igm deposit", "uncertain")]),
        ("No micronuclei.", "GM", [("micronucleus", "absent")]),
        ("No bacterial contamination.", "GM", [("bacterial colony", "absent")]),
        ("Bleed-through of GFP into the red channel.", "GM", [("image artefact", "no_place")]),
        (
            "Villous atrophy with crypt hyperplasia.",
            "SM",
            [("villous atrophy", None), ("crypt hyperplasia", None)],
        ),
        ("No giardia.", "SM", [("giardia", "absent")]),
        ("Mosaic pattern in the body.", "ES", [("gastropathy", None)]),
        ("Mosaic pattern in both lungs.", "CT", [("mosaic attenuation", None)]),
        ("EVL done, 5 bands applied.", "ES", [("variceal band", None)]),
        ("No cervical LAD.", "CT", [("cervical lymphadenopathy", "absent")]),
        ("Solar lentigines, both hands.", "DMS", [("solar lentigo", None)]),
        ("Near complete collapse of the cavity.", "US", [("drained collection", "no_place")]),
        ("Complete collapse of the right lung.", "CR", [("atelectasis", None)]),
        ("Clips in the tumour bed.", "MG", [("surgical clip", None), ("tumour bed", "no_place")]),
        ("ACR type c.", "MG", [("breast density", "no_place")]),
        ("Red, hot breast. Mastitis.", "US", [("mastitis", None)]),
        ("CMV not seen.", "ES", [("cytomegalovirus infection", "absent")]),
    ],
)
def test_what_a_report_of_its_field_names(
    text: str, modality: str, wanted: list[tuple[str, str | None]]
) -> None:
    assert [told(f) for f in read(text, modality)] == wanted


@pytest.mark.parametrize(
    ("text", "modality", "place"),
    [
        ("Disc protrusion at C3/4.", "MR", "C3 vertebra"),
        ("A scar on the left forearm.", "DMS", "forearm"),
        ("Actinic keratosis of the scalp.", "DMS", "scalp"),
        ("Nodule on the right nasal ala.", "DMS", "nose"),
        ("Dot haemorrhage temporal to the fovea.", "OP", "temporal to the fovea"),
        ("Altered blood in the fundus.", "ES", "gastric fundus"),
        ("Fundus of the stomach: no varices.", "ES", "gastric fundus"),
        ("Bright puncta, perinuclear.", "GM", "perinuclear region"),
    ],
)
def test_where_a_report_of_its_field_places_it(text: str, modality: str, place: str) -> None:
    assert any(place in " ".join(f.location.anatomy) for f in read(text, modality))
