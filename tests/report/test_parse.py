import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.errors import UsageError
from medsegr.report.parse import parse, parse_phrase, skip_reason


def only(text, **options):
    (finding,) = parse(text, **options).findings
    return finding


REPORT = """INDICATION: Left effusion?
FINDINGS: There is a hazy opacity in the right lower lobe. No pneumothorax.
Heart size is normal.
IMPRESSION: 1. Right lower lobe opacity, possibly pneumonia."""


def test_a_report():
    report = parse(REPORT, modality="CR")
    assert [s.name for s in report.sections] == ["indication", "findings", "impression"]
    opacity, pneumothorax, heart, pneumonia = report.findings
    assert [f.id for f in report.findings] == ["f1", "f2", "f3", "f4"]
    assert (opacity.name, opacity.polarity, opacity.section) == ("opacity", "present", "findings")
    assert opacity.phrase == "hazy opacity in the right lower lobe" == REPORT[slice(*opacity.span)]
    assert opacity.location.side == "right"
    assert opacity.location.rows == ("lower",)
    assert opacity.location.anatomy == ("right lower lobe of lung",)
    assert opacity.texture.density == "ground-glass"
    assert [REPORT[slice(*m)] for m in opacity.mentions] == ["Right lower lobe opacity"]
    assert (pneumothorax.polarity, pneumothorax.code.value) == ("absent", "36118008")
    assert (heart.name, heart.drawable) == ("normal heart", False)
    assert (pneumonia.polarity, pneumonia.location.side) == ("uncertain", "right")


def test_sections_can_be_chosen():
    assert [f.name for f in parse(REPORT, sections=("indication",)).findings] == ["pleural effusion"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"text": b"Nodule."}, "bytes came"),
        ({"text": None}, "NoneType came"),
        ({"text": REPORT, "frame": "mine"}, "frame 'mine' is not known"),
        ({"text": REPORT, "sections": ("finding",)}, "section 'finding' is not known"),
        ({"text": REPORT, "sections": "findings"}, "expected a tuple of findings"),
    ],
)
def test_what_does_not_exist_is_refused(words, told):
    with pytest.raises(UsageError, match=told):
        parse(**words)


def test_every_value_has_its_words():
    text = "Two small round hypoechoic masses with smooth margins in the left breast."
    finding = only(text, modality="US")
    words = [text[slice(*s)] for s in (*finding.location.spans, *finding.texture.spans, *finding.shape.spans)]
    assert words == ["left", "breast", "hypoechoic", "Two", "small", "round", "smooth margins"]
    assert (finding.shape.count, finding.shape.size_class, finding.shape.form, finding.shape.margin) == (
        2,
        "small",
        "round",
        "smooth",
    )
    assert finding.texture.uniformity is None


PHRASES = [
    ("polyp", "polyp"),
    ("left lung", "lung"),
    ("nuclei", "nucleus"),
    ("retinal blood vessels", "retinal vessels"),
    ("finding in the breast", "breast finding"),
    ("FLAIR abnormality of a lower-grade glioma", "glioma"),
    ("multiple sclerosis lesions", "multiple sclerosis lesion"),
    ("malignant breast tumour", "breast tumour"),
    ("common carotid artery", "carotid artery"),
    ("ground glass opacities", "ground-glass opacity"),
    ("left adrenal gland", "adrenal gland"),
    ("lower lobe of the left lung", "lung"),
    ("liver in a CT slice", "liver"),
    ("tumor in lung CT", "lung tumour"),
    ("nuclei in H&E pathology", "nucleus"),
    ("spinal cord at the C2 vertebra", "spinal cord"),
    ("left atrium of the heart in a CT slice", "left atrium"),
    ("L1 vertebra", "vertebra"),
    ("tubings", "tube"),
]


@pytest.mark.parametrize(("phrase", "name"), PHRASES)
def test_phrases(phrase, name):
    (finding,) = parse_phrase(phrase).findings
    assert finding.name == name
    assert finding.drawable
    assert name in [f.name for f in parse(phrase).findings if f.drawable]
    assert name in [f.name for f in parse(phrase + ".").findings if f.drawable]


def test_an_unknown_phrase_is_a_finding_without_name():
    (finding,) = parse_phrase("  the gizmo thing ").findings
    assert (finding.name, finding.phrase, finding.span) == ("", "the gizmo thing", (2, 17))
    assert parse("the gizmo thing").findings == ()


def test_chamber_names_keep_their_side_word():
    assert only("left atrium").location.side is None
    assert only("left lung").location.side == "left"


def test_organs_are_places_in_a_report():
    report = parse("The liver, spleen and left kidney are normal. Nodule in the left kidney.", modality="CT")
    assert [f.name for f in report.findings if f.drawable] == ["nodule"]
    assert report.findings[-1].location.side == "left"


def test_organs_that_are_asked_for():
    found = parse("Segment the liver and the left kidney.", modality="CT").findings
    assert [(f.name, f.location.side) for f in found] == [("liver", None), ("kidney", "left")]


@pytest.mark.parametrize(
    ("text", "modality", "frame", "side", "rows", "cols"),
    [
        ("Opacity in the left lung.", "CR", None, "left", (), ()),
        ("Opacity in the upper left of the image.", "CR", None, None, ("upper",), ("left",)),
        ("Polyp in the bottom left of the image.", "ES", None, None, ("lower",), ("left",)),
        ("Polyp in the upper left.", "ES", None, None, ("upper",), ("left",)),
        ("Polyp in the center of the frame.", "ES", None, None, ("middle",), ("centre",)),
        ("Polyp at the top right.", None, None, None, ("upper",), ("right",)),
        ("Tumor at the top right in the breast ultrasound image.", "US", None, None, ("upper",), ("right",)),
        ("Mass in the left breast.", "US", None, "left", (), ()),
        ("RLL consolidation.", "CR", None, "right", ("lower",), ()),
        ("LUL mass.", "CT", None, "left", ("upper",), ()),
        ("Bibasilar atelectasis.", "CR", None, "bilateral", ("lower",), ()),
        ("Right greater than left effusions.", "CR", None, "bilateral", (), ()),
        ("Right and left effusions.", "CR", None, "bilateral", (), ()),
        ("Effusion on the left.", "CR", None, "left", (), ()),
        ("Lingular opacity.", "CR", None, "left", ("middle",), ()),
        ("Compression fracture of L4.", "CR", None, None, (), ()),
        ("Opacity on the left lateral film.", "CR", None, None, (), ()),
        ("Lesion in the liver.", "CT", None, "right", (), ()),
        ("Dextroscoliosis and right cardiomegaly.", "CR", None, None, (), ()),
    ],
)
def test_side_and_place(text, modality, frame, side, rows, cols):
    place = parse(text, modality=modality, frame=frame).findings[0].location
    assert (place.side, place.rows, place.cols) == (side, rows, cols)


def test_one_finding_a_place():
    found = parse("Opacity in the left lower lobe and right apex.", modality="CR").findings
    assert [(f.location.side, f.location.rows) for f in found] == [
        ("left", ("lower",)),
        ("right", ("upper",)),
    ]
    assert all(
        f.phrase == f"{'Opacity in the left lower lobe and right apex.'[slice(*f.span)]}" for f in found
    )


def test_picture_sides_by_flag():
    text = "bilateral pulmonary infection, two infected areas, midldle right lung and lwoer left lung."
    found = parse(text, modality="CR", frame="viewer").findings
    assert [(f.location.side, f.location.side_frame, f.location.rows) for f in found] == [
        ("right", "viewer", ("middle",)),
        ("left", "viewer", ("lower",)),
    ]
    assert {f.name for f in found} == {"pulmonary infection"}
    assert {f.shape.count for f in found} == {2}


def test_joined_findings_share_their_place():
    left, right = parse("Left basilar atelectasis or scarring.", modality="CR").findings
    assert left.location.side == right.location.side == "left"
    first, second = parse("Scarring or atelectasis in the right base.", modality="CR").findings
    assert first.location.side == second.location.side == "right"


def test_a_side_is_not_handed_to_what_has_none():
    effusion, heart = parse("Left effusion and cardiomegaly.", modality="CR").findings
    assert (effusion.location.side, heart.location.side) == ("left", None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("A 2.3 x 1.4 cm mass.", (23.0, 14.0)),
        ("A 3-mm nodule.", (3.0,)),
        ("Nodules up to 5 mm.", (5.0,)),
        ("Nodule of 8 mm.", (8.0,)),
        ("Nodule measures 1,5 cm.", (15.0,)),
        ("2 x 3 x 4 cm mass.", (20.0, 30.0, 40.0)),
        ("A 3-5 mm nodule.", (5.0,)),
        ("12 mm nodule, previously 8 mm.", (12.0,)),
        ("Subcentimeter nodule.", (10.0,)),
        ("Mass measuring 2.3 cm x 1.4 cm.", (23.0, 14.0)),
        ("Tube tip 4 cm above the carina.", None),
        ("A small nodule.", None),
        ("In the mid rectum at 8 cm there was an ulcerated tumour of 40 mm.", (40.0,)),
        ("At 8cm a mass is seen.", None),
        ("The spleen is enlarged at 14 cm.", (140.0,)),
        ("The mass is stable at 3 cm.", (30.0,)),
        ("The collection, now at 5 cm (was 7 cm).", (50.0,)),
    ],
)
def test_sizes(text, size):
    assert only(text, modality="CT").shape.size_mm == size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Two nodules.", 2),
        ("3 small nodules.", 3),
        ("Several nodules.", None),
        ("Nodule.", None),
        ("One polyp.", 1),
        ("Segment 7 lesion.", None),
    ],
)
def test_counts(text, count):
    assert only(text).shape.count == count


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("hazy opacity", "density", "ground-glass"),
        ("hypodense lesion", "density", "hypo"),
        ("anechoic cyst", "density", "fluid"),
        ("echogenic lesion", "density", "hyper"),
        ("calcified nodule", "density", "calcified"),
        ("part-solid nodule", "density", "mixed"),
        ("heterogeneous mass", "uniformity", "heterogeneous"),
        ("whitish polyp", "colour", "white"),
        ("spiculated mass", "margin", "spiculated"),
        ("ill-defined opacity", "margin", "ill-defined"),
        ("mass with indistinct margins", "margin", "ill-defined"),
        ("well-circumscribed mass", "margin", "smooth"),
        ("lobulated mass", "form", "lobulated"),
        ("streaky opacity", "form", "linear"),
        ("square-shaped tumor", "form", "rectangular"),
        ("tiny nodule", "size_class", "tiny"),
        ("moderate effusion", "size_class", "medium"),
        ("noncalcified nodule", "density", None),
        ("nodule, not calcified", "density", None),
    ],
)
def test_descriptors(text, field, value):
    finding = only(text)
    part = finding.texture if hasattr(finding.texture, field) else finding.shape
    assert getattr(part, field) == value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pnuemothorax", "pneumothorax"),
        ("plueral effusion", "pleural effusion"),
        ("consolidaton", "consolidation"),
        ("atelectesis", "atelectasis"),
    ],
)
def test_typing_errors(text, name):
    assert only(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "The throat is sore.",
        "Critical value.",
        "Perfusion was good.",
        "Portable film.",
        "atypical",
        "unknown",
    ],
)
def test_ordinary_words_are_no_typing_errors(text):
    assert parse(text).findings == ()


def test_frame_is_told_when_guessed():
    assert [code for code, _ in parse("Left effusion.").warnings] == ["frame_assumed"]
    assert parse("Left effusion.", modality="CR").warnings == ()
    assert parse("Left effusion.", frame="patient").warnings == ()
    assert parse("Effusion.").warnings == ()


def test_unknown_modality_is_told():
    assert [code for code, _ in parse("Effusion.", modality="telepathy").warnings] == ["modality_unknown"]


def test_two_nodules_stay_two():
    text = "5 mm nodule in the right upper lobe. 8 mm nodule in the left lower lobe."
    assert [f.shape.size_mm for f in parse(text, modality="CT").findings] == [(5.0,), (8.0,)]


def test_a_later_mention_adds_what_was_missing():
    report = parse("FINDINGS: Pleural effusion.\nIMPRESSION: Small left pleural effusion.", modality="CR")
    (finding,) = report.findings
    assert (finding.location.side, finding.shape.size_class) == ("left", "small")
    assert len(finding.mentions) == 1


def test_capitals():
    found = parse("NO PNEUMOTHORAX. SMALL LEFT PLEURAL EFFUSION IS SEEN", modality="CR").findings
    assert [(f.name, f.polarity) for f in found] == [
        ("pneumothorax", "absent"),
        ("pleural effusion", "present"),
    ]


TERMS = """no not left right upper lobe lung opacity nodule effusion and or , . but without evidence of small
3 mm x cm possible heart enlarged is are seen polyp image : FINDINGS: 1. XXXX bilateral
bases prior study mother"""
MEDICAL = st.sampled_from([*TERMS.split(), "\n"])


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.text(max_size=200), st.lists(MEDICAL, max_size=40).map(" ".join)))
def test_any_text_parses_and_every_span_is_inside(text):
    for report in (parse(text), parse(text, modality="ES"), parse_phrase(text, modality="CR")):
        for f in report.findings:
            assert text[slice(*f.span)] == f.phrase
            spans = [
                f.span,
                f.polarity_span,
                f.sentence,
                *f.mentions,
                *f.location.spans,
                *f.texture.spans,
                *f.shape.spans,
            ]
            assert all(0 <= a <= b <= len(text) for a, b in filter(None, spans))


def test_control_characters_and_other_scripts():
    for text in ("\x00\x01 nodule \u202e", "结节 nodule 🫁", "نodule", "١٢ mm nodule"):
        assert parse(text).text == text


def test_a_text_without_any_sign_is_read_in_pieces():
    text = "small left nodule and " * 400
    report = parse(text, modality="CR")
    assert all(b - a <= 1500 for a, b in (f.sentence for f in report.findings))
    assert len(report.findings) >= 5


def test_markup_and_control_characters_are_blanks_and_spans_stay_true():
    text = "Opacity in the <i>left</i> lung.<script>x</script>\x1b[31mNodule\x07 in the right upper lobe."
    found = parse(text, modality="CR").findings
    assert [(f.name, f.location.side, f.location.rows) for f in found] == [
        ("opacity", "left", ()),
        ("nodule", "right", ("upper",)),
    ]
    for finding in found:
        assert text[finding.span[0] : finding.span[1]] == finding.phrase


def test_a_smaller_than_sign_is_no_markup():
    (found,) = parse("Nodule <5 mm in the right lung, previously > 8 mm.", modality="CR").findings
    assert found.location.side == "right"


def test_a_side_that_has_more_tells_no_time():
    assert only("Pleural effusions, left larger than right.", modality="CR").time == "current"
    assert only("The effusion is larger than before.", modality="CR").time == "worse"


def test_a_distance_needs_its_to():
    assert only("A 7 mm proximal ureteral stone.", modality="CT").shape.size_mm == (7.0,)
    assert only("A stone 7 mm proximal to the bladder.", modality="CT").shape.size_mm is None


def test_views_are_no_number_of_findings():
    assert only("Two view chest: nodules.", modality="CR").shape.count is None
    assert only("Two nodules.", modality="CR").shape.count == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The spleen is unremarkable.", "no_place"),
        ("No acute abnormality.", "absent"),
        ("The spleen is not normal.", "absent"),
    ],
)
def test_a_normal_statement_is_not_its_own_denial(text, reason):
    assert skip_reason(only(text, modality="CT")) == reason


def test_a_sign_and_its_name_are_one_finding_over_both():
    text = "Striated nephrogram on the left, consistent with pyelonephritis."
    found = only(text, modality="CT")
    assert (found.phrase, found.polarity) == (text[:-1], "present")
    doubted = parse("Striated nephrogram, possibly consistent with pyelonephritis.", modality="CT").findings
    assert [f.polarity for f in doubted] == ["present", "uncertain"]


@pytest.mark.parametrize("text", ["\u00b9", "rib \u00b3", "Polyp at \u00b2 o'clock.", "\u2461 nodule"])
def test_digits_that_count_nothing_are_read(text):
    assert all(f.phrase == text[slice(*f.span)] for f in parse(text, modality="ES").findings)
    assert parse_phrase(text).findings


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Right upper lobe mass has decreased in size from 5.1 cm to 3.4 cm.", (34.0,)),
        ("Mass, formerly 50 mm, grew from 12 to 15 mm.", (15.0,)),
        ("Right upper lobe mass has decreased from 5.1 x 4.0 cm to 3.4 x 2.2 cm.", (34.0, 22.0)),
        ("Nodules ranging from 5 to 9 mm in the left lung.", (9.0,)),
    ],
)
def test_of_two_sizes_the_later_one_is_taken(text: str, size: tuple[float, ...]) -> None:
    (found,) = parse(text, modality="CT").findings
    assert found.shape.size_mm == size


@pytest.mark.parametrize("text", ["Two polyps at 2 and", "Polyps, series 3,", "Polyps at 2 &"])
def test_a_number_that_a_list_breaks_off_behind(text: str) -> None:
    assert [f.name for f in parse(text, modality="ES").findings] == ["polyp"]


def test_new_since_the_prior_study_is_nothing_of_that_study() -> None:
    text = "Left lower lobe opacity, new since prior, concerning for pneumonia."
    times = {f.name: f.time for f in parse(text, modality="CR").findings}
    assert times == {"opacity": "new", "pneumonia": "current"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fetal biometry: measure the fetal head.", "fetal head"),
        ("CT abdomen - segment the liver", "liver"),
        ("Task: outline the spleen", "spleen"),
        ("Target: liver", "liver"),
    ],
)
def test_a_request_may_stand_behind_a_heading_of_its_own(text: str, name: str) -> None:
    assert [f.name for f in parse(text).findings] == [name]


def test_an_organ_behind_a_heading_is_not_asked_for_where_something_is_said_of_it() -> None:
    assert not parse("Abdomen - the liver measures 15 cm.").findings


@pytest.mark.parametrize(
    ("impression", "sides"),
    [
        ("Bilateral infiltrates.", ["right", "left"]),
        ("Bilateral consolidation.", ["right", "left", "bilateral"]),
    ],
)
def test_both_sides_repeat_the_one_and_the_other(impression: str, sides: list[str]) -> None:
    text = "Findings: An infiltrate in the right lung. Another infiltrate in the left lung.\n"
    text += f"Impression: {impression}"
    found = parse(text, modality="CR").findings
    assert [f.location.side for f in found] == sides
    assert all(bool(f.mentions) == (len(sides) == 2) for f in found)
    alone = parse(f"Findings: An infiltrate in the right lung.\nImpression: {impression}", modality="CR")
    assert [f.location.side for f in alone.findings] == ["right", "bilateral"]
