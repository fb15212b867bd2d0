"""Reports of endoscopies, breasts, eyes, skin and tissue, by classes of language."""

import pytest

from medsegr.report.parse import parse, skip_reason
from medsegr.types import Finding

TATTOO = ("endoscopic tattoo", None)


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
        (
            "No polyp seen at the scar, tattoo identified.",
            "ES",
            [("polyp", "absent"), ("scar", None), TATTOO],
        ),
        ("No ulcer, erosion seen.", "ES", [("ulcer", "absent"), ("erosion", "absent")]),
        ("R: R0 M0. L: 2 MAs nasal to the disc.", "OP", [("microaneurysm", None)]),
        ("120 kV, 200 mAs.", "CT", []),
        ("No RD.", "OP", [("retinal detachment", "absent")]),
        ("IF: IgG negative.", "SM", [("igg deposit", "absent")]),
        ("Nuclei enlarged vs control.", "GM", [("nucleus", None)]),
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


def places(text: str, modality: str) -> dict[str, str]:
    """Name of each finding -> side, thirds and places."""
    return {
        f.name: " ".join(
            (f.location.side or "", *f.location.rows, *f.location.cols, *f.location.anatomy)
        ).strip()
        for f in read(text, modality)
    }


@pytest.mark.parametrize(
    ("text", "modality", "name", "where"),
    [
        # lines with a dash
        ("BODY - gastropathy, mild\nANTRUM - normal", "ES", "gastropathy", "gastric body"),
        ("L cheek - plaque. Clinically BCC.", "DMS", "basal cell carcinoma", "left left face"),
        ("R temple - plaque. Back - cherry angiomas.", "DMS", "cherry angioma", "back"),
        ("O/E: left cheek - 12 mm plaque, rolled edge.", "DMS", "rolled edge", "left left face"),
        ("Asc colon - 6 mm polyp. Rectum - ulcer.", "ES", "ulcer", "rectum"),
        # a view tells no place
        ("Stomach full of fresh blood, views of fundus limited.", "ES", "bleeding", "stomach"),
        # the clip lies where the polyp was
        ("Polyp in the sigmoid. Hot snare, one clip placed.", "ES", "hemoclip", "sigmoid colon"),
        ("Polyps in the cecum and rectum. Clip placed.", "ES", "hemoclip", ""),
        # the site of a photograph
        (
            "Site: L upper back. Dermoscopy: blue-white veil.",
            "DMS",
            "blue-white veil",
            "left upper upper back",
        ),
        ("Left cheek: plaque with central crust.", "DMS", "skin crust", "left middle centre left face"),
        # the one breast of the title
        (
            "ULTRASOUND LEFT BREAST\nAbscess. Hyperaemia of the wall.",
            "US",
            "hypervascularity",
            "left left breast",
        ),
        ("ULTRASOUND LEFT BREAST\nMass with mobile debris.", "US", "debris", "left left breast"),
        ("ULTRASOUND LEFT BREAST\nA collection. No ascites.", "US", "ascites", ""),
        ("TWO VIEW MAMMOGRAM LEFT\nA mass with nipple retraction.", "MG", "nipple retraction", "left nipple"),
        ("Right breast only. UIQ: a mass.", "US", "breast mass", "right upper right upper inner quadrant"),
        (
            "Ultrasound of the left breast at the site of concern. A cyst.",
            "US",
            "breast cyst",
            "left left breast",
        ),
        # of a paired organ, and of the colon's half: the body's side
        ("Active left sided colitis.", "ES", "colitis", "left"),
        ("A polyp on the left.", "ES", "polyp", "left"),
        # the site of an operation
        (
            "Distortion in the left upper inner quadrant. Calcification at the scar.",
            "MG",
            "calcification",
            "left upper left upper inner quadrant",
        ),
        ("Mass in the left breast. Calcification near the site.", "MG", "calcification", ""),
        # no sides: radiotherapy, what a slide was cut from
        ("Lt breast cancer, WLE, SLNB and RT.", "MG", "breast tumour", "left left breast"),
        ("Lt breast cancer, WLE and RT. Asymptomatic.", "MG", "breast tumour", "left left breast"),
        ("Post mastectomy, Rt breast mass.", "MG", "breast mass", "right right breast"),
        ("Core biopsy R breast: necrosis.", "SM", "necrosis", ""),
        ("Necrosis in the right half.", "SM", "necrosis", "right"),
        # both sides in a heading, of its sentence
        (
            "Both eyes: tilted discs, peripapillary atrophy.",
            "OP",
            "peripapillary atrophy",
            "bilateral peripapillary region",
        ),
        ("Both breasts: cysts. A mass.", "MG", "breast mass", ""),
        ("Cyst in the left breast with a thick septum.", "US", "breast cyst", "left left breast"),
        # "either side" and letters for both
        ("No lesion either side.", "US", "lesion", "bilateral"),
        ("Axillary nodes b/l.", "US", "axillary lymph node", "bilateral axilla"),
    ],
)
def test_where_other_writers_place_it(text: str, modality: str, name: str, where: str) -> None:
    assert places(text, modality)[name] == where


@pytest.mark.parametrize(
    ("text", "modality", "wanted"),
    [
        ("8 mm polyp in the cecum. Cold snare, retrieved.", "ES", ["polyp"]),
        ("A cold snare is seen around the polyp.", "ES", ["instrument", "polyp"]),
        ("Bright puncta in most cells.", "GM", ["puncta"]),
        ("Cells with bright puncta.", "GM", ["cell", "puncta"]),
        ("Muscularis propria is not represented.", "SM", []),
        ("Biopsies x4 for dysplasia.", "SM", []),
        ("SCC excision 2020.", "DMS", []),
        ("Mammogram, left\nH/o breast Ca.", "MG", []),
        ("Residual collection, drain removed.", "US", ["fluid collection"]),
        ("Chest tube, line and drain removed.", "CR", []),
    ],
)
def test_what_is_there_to_be_drawn(text: str, modality: str, wanted: list[str]) -> None:
    found = read(text, modality)
    assert [f.name for f in found if skip_reason(f) is None] == wanted


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Two axillary nodes, cortex 6 mm.", None),
        ("Axillary node of 12 mm, cortex <3 mm.", (12.0,)),
        ("Axillary node, excision with 2 mm margin.", None),
        ("Axillary node 9 mm\nMargin: smooth", (9.0,)),
    ],
)
def test_the_size_of_a_part_is_not_that_of_the_whole(text: str, size: tuple[float, ...] | None) -> None:
    assert read(text, "US")[0].shape.size_mm == size


def test_a_sum_of_polyps_counts_none_of_them() -> None:
    lines = "A polyp in the cecum. A polyp in the rectum. A polyp in the sigmoid."
    text = f"FINDINGS: {lines}\nIMPRESSION: Four polyps."
    assert [f.shape.count for f in read(text, "ES")] == [None, None, None]
