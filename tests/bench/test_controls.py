"""Each control changes what it says and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.bench import controls
from medsegr.bench.compare import DRAWN
from medsegr.bench.controls import (
    CONTROLS,
    Other,
    controlled,
    few_wrong,
    foreign,
    generator,
    some_wrong,
    strangers,
)
from medsegr.bench.samples import Wanted, told
from medsegr.report.describe import finding_from
from medsegr.samples.drawn import Marks
from medsegr.types import COLS, DENSITIES, FORMS, MARGINS, ROWS, SIZES, Finding, Shape, Texture

ALL = {
    "name": "polyp",
    "location": {"side_frame": "viewer", "rows": ["upper"], "cols": ["left"]},
    "texture": {"density": "hyper", "uniformity": "homogeneous", "colour": "red"},
    "shape": {"form": "round", "margin": "smooth", "size_class": "small", "size_mm": [8.0], "count": 2},
}
PLAIN = {"name": "polyp", "location": {"side_frame": "viewer"}}


def wanted(
    attributes: dict[str, object], there: bool = True, name: dict[str, object] | None = None
) -> Wanted:
    mask = np.zeros((9, 9), bool)
    mask[0, 0] = there
    return Wanted("polyp", finding_from(name or PLAIN), finding_from(attributes), Marks(mask), "oracle")


def asked(attributes: dict[str, object] = ALL, others: tuple[Other, ...] = ()) -> dict[str, Finding]:
    return controlled(wanted(attributes), others, generator(0))


def stranger(**location: object) -> Other:
    finding = finding_from({"name": "polyp", "location": {"side_frame": "viewer", **location}})
    return Other("s/b", "b", "s", finding)


def test_every_control_is_made_where_everything_is_told() -> None:
    found = asked(others=(stranger(rows=["lower"]),))
    assert list(found) == [name for name in CONTROLS if name != "other"]


def test_what_each_one_says() -> None:
    found = asked(others=(stranger(rows=["lower"], cols=["right"]),))
    right = finding_from(ALL)
    assert told(found["right"]) == told(right)
    assert told(found["free"]) == told(finding_from(PLAIN))
    assert (found["place"].location.rows, found["place"].texture) == (("upper",), Texture())
    assert (found["opposite"].location.rows, found["opposite"].location.cols) == (("lower",), ("right",))
    assert found["opposite"].texture == Texture()
    assert (found["none"].name, found["none"].phrase, told(found["none"])) == (
        "",
        "",
        told(Finding("", "", (0, 0), "")),
    )
    assert found["shuffled"].location.rows == ("lower",)
    assert (found["flipped"].location.cols, found["flipped"].texture) == (("right",), right.texture)
    assert (found["drop-location"].location.rows, found["drop-location"].shape) == ((), right.shape)
    assert (found["drop-texture"].texture, found["drop-texture"].location) == (Texture(), right.location)
    assert (found["drop-shape"].shape, found["drop-shape"].texture) == (Shape(), right.texture)
    assert (found["drop-concept"].name, found["drop-concept"].texture) == ("", right.texture)


def test_contradictory_words_contradict_every_value() -> None:
    right, other = finding_from(ALL), asked()["contradictory"]
    assert other.name == "polyp"
    for part in ("location", "texture", "shape"):
        for key in getattr(right, part).__slots__:
            before, after = getattr(getattr(right, part), key), getattr(getattr(other, part), key)
            if before and key not in ("side_frame", "spans"):
                assert after, key
                assert after != before, key


def test_every_value_has_a_contrary_that_is_another_value() -> None:
    for values in (DENSITIES, FORMS, MARGINS, SIZES, ("left", "right", "bilateral", "midline")):
        for value in values:
            assert controls.CONTRARY[value] in values
            assert controls.CONTRARY[value] != value


def test_what_does_not_apply_is_not_made() -> None:
    found = asked(PLAIN)
    assert set(found) == {"right", "free", "none"}
    middle = asked({**PLAIN, "location": {"side_frame": "viewer", "rows": ["middle"], "cols": ["centre"]}})
    assert "flipped" not in middle
    assert (middle["opposite"].location.rows, middle["opposite"].location.cols) == (("upper",), ("left",))


def test_an_absent_target_is_asked_for_plainly() -> None:
    assert set(controlled(wanted(ALL, there=False), (), generator(0))) == {"right", "free"}


def test_an_organ_keeps_its_side_when_only_the_place_is_wrong() -> None:
    lung = {"name": "lung", "location": {"side": "left"}}
    place = {"name": "lung", "location": {"side": "left", "rows": ["upper"]}}
    found = controlled(wanted(place, name=lung), (), generator(0))
    assert (found["opposite"].location.side, found["opposite"].location.rows) == ("left", ("lower",))
    assert found["flipped"].location.side == "right"
    assert found["drop-location"].location.side == "left"


def test_phrases_say_what_is_asked() -> None:
    found = {name: controls.worded(finding) for name, finding in asked().items()}
    assert "polyp" in found["free"].phrase.lower()
    assert "upper" in found["place"].phrase
    assert "lower" in found["opposite"].phrase
    assert found["right"].span == (0, len(found["right"].phrase))
    assert found["none"].phrase == found["drop-concept"].phrase == ""


finding_values = st.fixed_dictionaries(
    {
        "name": st.just("polyp"),
        "location": st.fixed_dictionaries(
            {
                "side_frame": st.just("viewer"),
                "side": st.sampled_from([None, "left", "right"]),
                "rows": st.lists(st.sampled_from(ROWS), unique=True),
                "cols": st.lists(st.sampled_from(COLS), unique=True),
            }
        ),
        "texture": st.fixed_dictionaries({"density": st.sampled_from([None, *DENSITIES])}),
        "shape": st.fixed_dictionaries(
            {"form": st.sampled_from([None, *FORMS]), "size_class": st.sampled_from([None, *SIZES])}
        ),
    }
)


@given(finding_values, st.integers(0, 99))
def test_a_quarter_of_the_values_and_at_least_one_is_wrong(attributes: dict[str, object], seed: int) -> None:
    right = finding_from(attributes)
    other = some_wrong(right, np.random.default_rng(seed))
    values = list(zip(controls._values(right), controls._values(other), strict=True))
    said = [pair for pair in values if pair[0]]
    changed = sum(a != b for a, b in said)
    count = max(1, round(0.25 * len(said))) if said else 0
    full = sum(len(v) == 3 for v in (right.location.rows, right.location.cols))  # any third is told already
    assert count - full <= changed <= count
    assert [b for a, b in values if not a] == [a for a, _ in values if not a]
    assert other.name == right.name


def test_one_value_in_twenty_is_wrong() -> None:
    right = finding_from(ALL)
    told_values = sum(bool(value) for value in controls._values(right))
    changed = []
    for seed in range(400):
        other = few_wrong(right, np.random.default_rng(seed))
        pairs = zip(controls._values(right), controls._values(other), strict=True)
        changed.append(sum(a != b for a, b in pairs))
        assert other.name == right.name
    assert 0.035 < sum(changed) / (400 * told_values) < 0.065  # 5 %, three deviations of 400 findings
    assert max(changed) > 1  # each by its own chance


def test_most_findings_are_asked_as_they_were_under_few_wrong_values() -> None:
    same = [
        told(controlled(wanted(ALL), (), generator(i))["few-wrong"]) == told(finding_from(ALL))
        for i in range(60)
    ]
    assert 0.3 < np.mean(same) < 0.8  # 0.95 to the power of some twelve values


def test_few_wrong_values_need_values() -> None:
    bare = Finding("f1", "polyp", (0, 5), "polyp")
    assert few_wrong(bare, np.random.default_rng(0)) == bare
    assert "few-wrong" not in controlled(wanted({"name": "polyp"}), (), generator(1))


@given(finding_values)
def test_a_control_that_is_made_says_something_else(attributes: dict[str, object]) -> None:
    found = controlled(wanted(attributes), (), generator(1))
    for name in set(found) - {"right", "free", "place", "none", "opposite", "few-wrong"}:
        assert (found[name].name, *told(found[name])) != (found["right"].name, *told(found["right"])), name
    if "opposite" in found:
        assert told(found["opposite"]) != told(found["place"])


def test_strangers_are_of_another_group_and_say_something_else() -> None:
    own = Other("s/a", "a", "s", finding_from(ALL))
    twin = replace(own, sample="s/c", group="c")
    sibling = Other("s/d", "a", "s", finding_from(PLAIN))
    near, far = stranger(rows=["lower"]), replace(stranger(rows=["middle"]), set="t", group="t/x")
    assert strangers(own, [own, twin, sibling, near, far]) == [near]
    assert strangers(own, [own, twin, sibling, far]) == [far]
    assert "shuffled" not in controlled(wanted(ALL), strangers(own, [own, twin]), generator(0))


@pytest.mark.parametrize("modality", ["ES", "US", "CR", "CT", "MR", "SM", "OP", "DMS", "MG"])
def test_foreign_concepts_cannot_be_in_such_an_image(modality: str) -> None:
    for seed in range(5):
        found = foreign(modality, ["polyp"], generator(seed))
        assert len(found) == controls.FOREIGN_AN_IMAGE
        for finding in found:
            assert finding.name != "polyp"
            words = next(
                w
                for w in controls.FOREIGN
                if w.endswith(finding.name) or finding.name in w or w in finding.name
            )
            assert modality not in controls.FOREIGN[words]


def test_nothing_is_sure_to_be_foreign_to_an_unknown_modality() -> None:
    assert foreign(None, [], generator(0)) == []


def test_draws_hang_on_their_words_alone() -> None:
    assert generator(1, "a", 2).random() == generator(1, "a", 2).random()
    assert generator(1, "a", 2).random() != generator(1, "a", 3).random()
    assert generator("a", "bc").random() != generator("ab", "c").random()


def test_controls_whose_words_hang_on_the_seed_are_known_to_the_comparison() -> None:
    others = [
        Other(f"{name}/0", name, "s", finding_from({**ALL, "name": name}))
        for name in ("cyst", "ulcer", "mass")
    ]
    made = [controlled(wanted(ALL), others, generator(i)) for i in range(40)]
    vary = {name for name in made[0] if len({controls.says(one[name]) for one in made}) > 1}
    assert vary == set(DRAWN)
