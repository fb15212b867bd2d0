"""What is known in parts only is asked for by its parts and drawn as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medsegr.meaning.wholes import joined, taken_apart
from medsegr.predict import Predictor, build
from medsegr.report.lexicon import concepts
from medsegr.types import Finding, Image, Prompt, Segmentation

PARTS = {"hippocampus": ("anterior hippocampus", "posterior hippocampus")}


def finding(name: str) -> Finding:
    return Finding("f1", name, (0, len(name)), name, parents=concepts()[name].parents)


def parts_of(one: Finding) -> Sequence[Finding]:
    return [replace(one, name=name) for name in PARTS.get(one.name, (one.name,))]


def prompt(*names: str) -> Prompt:
    return Prompt(names, tuple(map(finding, names)))


def test_further_parts_stand_behind_all_targets() -> None:
    whole = replace(
        prompt("lung", "hippocampus", "liver"),
        points=np.arange(9.0).reshape(3, 1, 3),
        beside=(None, (0,), (1,)),
    )
    apart, joins = taken_apart(whole, parts_of)
    assert [one.name for one in apart.findings] == [
        "lung",
        *PARTS["hippocampus"][:1],
        "liver",
        PARTS["hippocampus"][1],
    ]
    assert apart.targets == ("lung", "hippocampus", "liver", "hippocampus")
    assert joins == [1]
    assert apart.beside == (None, (0,), (1, 3), (0,)), "who is compared with a whole is with all its parts"
    assert apart.points is not None
    assert np.array_equal(apart.points[3], apart.points[1])
    assert (apart.boxes, apart.mask) == (None, None)


def test_a_prompt_without_wholes_stays() -> None:
    plain = prompt("lung", "liver")
    assert taken_apart(plain, parts_of) == (plain, [])


def test_the_likeliest_part_counts_everywhere() -> None:
    prob = np.array([[[0.1, 0.9]], [[0.2, 0.3]], [[0.8, 0.1]]], np.float32)
    extras = {"presence": np.array([0.2, 0.5, 0.7], np.float32), "attention": prob / 2}
    said = joined(Segmentation(prob, ("hippocampus", "lung", "hippocampus"), None, extras), [0])
    assert said.targets == ("hippocampus", "lung")
    np.testing.assert_array_equal(said.prob, np.array([[[0.8, 0.9]], [[0.2, 0.3]]], np.float32))
    np.testing.assert_allclose(said.extras["presence"], [0.7, 0.5])
    np.testing.assert_array_equal(said.extras["attention"][0], np.array([[0.4, 0.45]], np.float32))


def network(**told: object) -> Predictor:
    model = build(untrained=True)
    known = {name: model.card["concepts"][name] for name in (*PARTS["hippocampus"], "lung")}
    return Predictor(model.model, model.words, {**model.card, "concepts": known, **told})


def test_a_network_draws_a_whole_as_the_union_of_its_parts() -> None:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 40, 48)).astype(np.float32), modality="MR")
    model = network(parts=PARTS)
    assert model.knows(finding("hippocampus"), "MR")
    both = model.segment(image, prompt("hippocampus", "lung", *PARTS["hippocampus"]))
    np.testing.assert_array_equal(both.prob[0], np.maximum(both.prob[2], both.prob[3]))
    assert both.extras["presence"][0] == both.extras["presence"][2:].max()
    alone = model.segment(image, prompt("lung"))
    np.testing.assert_allclose(both.prob[1], alone.prob[0], atol=1e-5)


def test_a_network_that_was_not_told_of_parts_does_not_know_the_whole() -> None:
    assert not network().knows(finding("hippocampus"), "MR")
    assert not network(parts={"hippocampus": ("anterior hippocampus", "thalamus")}).knows(
        finding("hippocampus")
    )


def test_what_a_person_gave_for_the_whole_goes_to_each_of_its_parts() -> None:
    given = replace(
        prompt("lung", "hippocampus"),
        boxes=np.arange(8.0).reshape(2, 4),
        mask=np.arange(8, dtype=np.float32).reshape(2, 2, 2),
    )
    apart, _ = taken_apart(given, parts_of)
    assert apart.boxes is not None
    assert apart.mask is not None
    np.testing.assert_array_equal(apart.boxes, given.boxes[[0, 1, 1]])
    np.testing.assert_array_equal(apart.mask, given.mask[[0, 1, 1]])
