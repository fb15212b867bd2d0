"""What is denied, doubted or past in reports of endoscopy, fundus, vessels, womb, heart and devices."""

import pytest

from medsegr.report.parse import parse, skip_reason


def read(modality: str, text: str) -> list[tuple[str, str, str | None, str | None]]:
    """Words, name, reason why it is not drawn (None: it is) and side of every finding."""
    findings = parse(text, modality=modality).findings
    return [(f.phrase.lower(), f.name, skip_reason(f), f.location.side) for f in findings]


def named(modality: str, text: str, name: str) -> list[tuple[str | None, str | None]]:
    return [(reason, side) for _, found, reason, side in read(modality, text) if found == name]


@pytest.mark.parametrize(
    ("modality", "text", "name"),
    [
        ("CR", "Small right effusion; no fluid on the left.", "pleural effusion"),
        ("CT", "PLEURA: No fluid.", "pleural effusion"),
        ("CT", "PERICARDIUM: No fluid.", "pericardial effusion"),
        ("MR", "No fluid in the knee joint.", "joint effusion"),
        ("CT", "Without fluid or air.", "fluid collection"),
        ("ES", "NO POLYP / ULCER / GROWTH.", "endoscopic growth"),
        ("US", "Lips intact, no cleft.", "facial cleft"),
        ("ES", "IMP : ? CA RECTUM.", "colorectal cancer"),
        ("OP", "LE ? MACULOPATHY.", "maculopathy"),
        ("CR", "Opacity right base ? pneumonia.", "pneumonia"),
        ("ES", "PT C/O BLEEDING P/R.", "bleeding"),
        ("CT", "S/O haemoperitoneum.", "haemoperitoneum"),
        ("OP", "Six months after a branch retinal vein occlusion.", "retinal vein occlusion"),
        ("CR", "Left chest tube has been taken out.", "chest tube"),
        ("MR", "Left atrium: 44 mm, no longer dilated.", "left atrial enlargement"),
    ],
)
def test_what_is_not_there_is_read_and_not_drawn(modality: str, text: str, name: str) -> None:
    reasons = {reason for reason, _ in named(modality, text, name)}
    assert reasons & {"absent", "uncertain", "prior", "no_place"}


def test_a_question_mark_at_a_word_asks_of_that_and_not_of_what_stands_before() -> None:
    assert named("CR", "Opacity right base ?pneumonia.", "opacity") == [(None, "right")]
    assert named("CR", "Fracture ?left 5th rib.", "rib fracture") == [("uncertain", "left")]


def test_what_was_not_imaged_is_a_place_that_is_told_apart_and_else_the_finding_itself() -> None:
    assert named("CT", "Cyst in the left kidney, right not imaged.", "kidney cyst") == [(None, "left")]
    assert named("CT", "A nodule in the right base not imaged.", "nodule") == [("absent", "right")]


def test_a_core_is_named_where_the_text_begins_and_a_picture_s_side_elsewhere() -> None:
    (core,) = parse("Left apex: carcinoma.", modality="US").findings
    assert (core.location.side, core.location.cols) == ("left", ())
    (seen,) = parse("There is a nodule in the left apex: 4 mm.", modality="US").findings
    assert (seen.location.side, seen.location.cols) == (None, ("left",))


@pytest.mark.parametrize(
    ("modality", "text"),
    [
        ("CT", "No fluid level. No fluid-filled loops."),
        ("ES", "No interval growth of the polyp."),
        ("CT", "No growth of the nodule."),
        ("CT", "There is no fluid around the left hip prosthesis."),
        ("MR", "No cleft of the meniscus."),
    ],
)
def test_a_general_word_denies_nothing_where_it_means_something_else(modality: str, text: str) -> None:
    told = {name for _, name, _, _ in read(modality, text)}
    assert not told & {"fluid collection", "pleural effusion", "endoscopic growth", "facial cleft"}


@pytest.mark.parametrize(
    ("modality", "text", "name", "side"),
    [
        ("OP", "RIGHT EYE - DISC NORMAL. NO EXUDATES.", "exudate", "right"),
        ("OP", "OS: C/D 0.4. Vessels: no tortuosity, no sheathing.", "vascular sheathing", "left"),
        ("OP", "OD: Macula flat. Periphery: no holes or tears.", "retinal tear", "right"),
        ("OP", "Photograph, left eye, today. No exudates. Right eye not photographed.", "exudate", "left"),
        ("OP", "Photograph, left eye, today. No exudates. The right eye has drusen.", "exudate", "left"),
        ("OP", "DRUSEN RE, LE ? MACULOPATHY.", "drusen", "right"),
        ("OP", "DRUSEN RE, LE ? MACULOPATHY.", "maculopathy", "left"),
        ("OP", "Birth weight 980 g. Right eye: no exudates.", "exudate", "right"),
        ("US", "Left common carotid artery. No plaque is seen on this side.", "carotid plaque", "left"),
        ("US", "No plaque in the left bulb.", "carotid plaque", "left"),
        ("CT", "No pneumothorax on either side.", "pneumothorax", "bilateral"),
        ("CT", "Nodules on either side of the fissure.", "nodule", None),
        ("SM", "Right base: no carcinoma.", "tumour", "right"),
        ("CR", "Opacity right base ? pneumonia.", "opacity", "right"),
        ("CR", "Opacity right base ?pneumonia.", "opacity", "right"),
        ("CR", "Opacity right base ?pneumonia.", "pneumonia", None),
        ("CR", "Effusion, left ? pneumonia.", "pneumonia", "left"),
        ("CR", "Fracture ?left 5th rib.", "rib fracture", "left"),
        ("MR", "Right frontal lesion has a rim with surrounding oedema.", "brain oedema", "right"),
        ("MR", "Right frontal lesion, no mass effect and surrounding oedema.", "brain oedema", None),
        ("US", "Left apex: carcinoma.", "tumour", "left"),
    ],
)
def test_the_side_is_that_of_what_it_stands_under(
    modality: str, text: str, name: str, side: str | None
) -> None:
    assert [found for _, found in named(modality, text, name)] == [side]


def test_a_core_of_tissue_tells_no_part_of_the_picture() -> None:
    (finding,) = parse("Left mid: adenocarcinoma.", modality="SM").findings
    assert (finding.location.side, finding.location.rows, finding.location.cols) == ("left", (), ())
    (other,) = parse("Nuclei in the left middle part of the field.", modality="SM").findings
    assert "left" in other.location.cols


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("The left kidney shows a cyst, right kidney not seen.", "left"),
        ("A cyst in the left kidney, right not imaged.", "left"),
        ("A cyst in the left kidney (right kidney not assessed).", "left"),
    ],
)
def test_an_organ_that_was_not_looked_at_denies_nothing(text: str, side: str) -> None:
    assert named("CT", text, "kidney cyst") == [(None, side)]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("The tip of the NG tube is not seen.", True),
        ("NG tube, tip not visualised.", True),
        ("The NG tube is not seen.", False),
        ("The tip of the line is central and the NG tube is not seen.", False),
    ],
)
def test_a_tip_that_is_not_seen_denies_no_tube(text: str, drawn: bool) -> None:
    assert [reason is None for reason, _ in named("CR", text, "nasogastric tube")] == [drawn]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("SPLEEN: 14 cm, mildly enlarged.", (140.0,)),
        ("Spleen measures 14 cm and is enlarged.", (140.0,)),
    ],
)
def test_a_state_behind_a_size_is_the_organs(text: str, size: tuple[float, ...]) -> None:
    (finding,) = parse(text, modality="CT").findings
    assert (finding.name, skip_reason(finding), finding.shape.size_mm) == ("splenomegaly", None, size)


@pytest.mark.parametrize("text", ["Spleen: no lesion, mildly enlarged.", "Liver normal, spleen is enlarged."])
def test_a_state_behind_a_denial_is_not_denied(text: str) -> None:
    assert named("CT", text, "splenomegaly") in ([], [(None, "left")])
