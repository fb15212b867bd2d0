import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import ReportError
from medsegr.report import lexicon
from medsegr.report.describe import attributes_of, finding_from, flip, flip_all
from medsegr.report.parse import parse
from medsegr.types import COLOURS, COLS, DENSITIES, FORMS, MARGINS, ROWS, SIDES, SIZES, UNIFORMITIES


def subset(vocabulary):
    return st.sets(st.sampled_from(vocabulary)).map(lambda chosen: [v for v in vocabulary if v in chosen])


def maybe(vocabulary):
    return st.none() | st.sampled_from(vocabulary)


ATTRIBUTES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(sorted(lexicon.concepts())),
        "location": st.fixed_dictionaries(
            {
                "side": maybe(SIDES),
                "side_frame": st.sampled_from(["patient", "viewer", "limb"]),
                "rows": subset(ROWS),
                "cols": subset(COLS),
                "anatomy": st.lists(
                    st.sampled_from(["left upper lobe of lung", "liver", "right kidney"]), max_size=2
                ),
                "spans": st.just([]),
            }
        ),
        "texture": st.fixed_dictionaries(
            {
                "density": maybe(DENSITIES),
                "uniformity": maybe(UNIFORMITIES),
                "colour": maybe(COLOURS),
                "spans": st.just([]),
            }
        ),
        "shape": st.fixed_dictionaries(
            {
                "form": maybe(FORMS),
                "margin": maybe(MARGINS),
                "size_class": maybe(SIZES),
                "size_mm": st.none() | st.lists(st.floats(1, 200), min_size=1, max_size=3),
                "count": st.none() | st.integers(1, 20),
                "spans": st.just([]),
            }
        ),
    }
)


@given(ATTRIBUTES)
def test_round_trip(attributes):
    assert attributes_of(finding_from(json.loads(json.dumps(attributes)))) == attributes


@given(ATTRIBUTES, st.sampled_from(["horizontal", "vertical"]))
def test_flip_twice_is_the_same(attributes, axis):
    finding = finding_from(attributes)
    assert flip(flip(finding, axis), axis) == finding


def test_flip_swaps_words():
    finding = parse("Opacity in the left upper lobe.", modality="CR").findings[0]
    across = flip(finding, "horizontal").location
    assert (across.side, across.rows, across.anatomy) == ("right", ("upper",), ("right upper lobe of lung",))
    down = flip(finding, "vertical").location
    assert (down.side, down.rows) == ("left", ("lower",))
    assert flip(
        finding_from({"name": "polyp", "location": {"cols": ["left"]}}), "horizontal"
    ).location.cols == ("right",)
    assert (
        flip(finding_from({"name": "mass", "location": {"side": "bilateral"}}), "horizontal").location.side
        == "bilateral"
    )


def test_parsed_findings_survive():
    finding = parse(
        "Two small round hyperechoic nodules, 5 mm, in the right upper lobe.", modality="CT"
    ).findings[0]
    back = finding_from(attributes_of(finding), finding.phrase)
    assert (back.location, back.texture, back.shape, back.name) == (
        finding.location,
        finding.texture,
        finding.shape,
        finding.name,
    )


def test_missing_keys_mean_not_said():
    finding = finding_from({"name": "polyp"}, "polyp")
    assert (finding.phrase, finding.span, finding.location.side, finding.shape.count) == (
        "polyp",
        (0, 5),
        None,
        None,
    )
    assert finding_from({}).name == ""


@pytest.mark.parametrize(
    "wrong",
    [{"location": {"side": "leftish"}}, {"texture": {"density": "thick"}}, {"location": {"rows": ["top"]}}],
)
def test_values_outside_the_vocabulary_are_refused(wrong):
    with pytest.raises(ReportError, match="expected"):
        finding_from(wrong)


def test_flip_refuses_another_axis():
    with pytest.raises(ReportError, match="expected horizontal or vertical"):
        flip(finding_from({}), "depth")


def test_flip_takes_all_findings_of_a_report():
    found = parse("Nodule in the left lung. Right effusion. Opacity.", modality="CR").findings
    assert [f.location.side for f in flip_all(found, "horizontal")] == ["right", "left", None]
    assert flip_all((), "vertical") == ()
