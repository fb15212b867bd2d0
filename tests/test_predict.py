"""Grids come back as they went in, sides are the patient's, prompts are in pixels of the
image."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from medsegr import predict
from medsegr.backends.backend import Backend, filled
from medsegr.errors import GeometryError, UsageError
from medsegr.grid import pixels
from medsegr.grid.planes import as_picture
from medsegr.meaning.hearing import heard
from medsegr.modality.synthetic import marked
from medsegr.predict import Predictor, build
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import mirror
from medsegr.types import Finding, Image, Location, Prompt, Shape, Texture


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return predict.build(untrained=True, seed=0)


def picture(h: int = 50, w: int = 70, channels: int = 1, **more: object) -> Image:
    rng = np.random.default_rng(0)
    return Image(rng.uniform(0, 255, (channels, h, w)).astype(np.float32), **more)


def asked(*names: str) -> Prompt:
    return Prompt(names, tuple(Finding(f"f{i}", n, (0, len(n)), n) for i, n in enumerate(names)))


@pytest.mark.parametrize("grid", [(50, 70), (8, 300), (33, 9), (256, 256)])
@pytest.mark.parametrize("channels", [1, 3])
def test_masks_come_back_on_the_images_grid(
    predictor: Predictor, grid: tuple[int, int], channels: int
) -> None:
    out = predictor.segment(picture(*grid, channels=channels), asked("polyp", "nucleus"))
    assert out.prob.shape == (2, *grid)
    assert out.prob.dtype == np.float32
    assert out.extras["attention"].shape == (2, *grid)
    assert out.extras["presence"].shape == out.extras["quality"].shape == (2,)
    for values in (out.prob, *out.extras.values()):
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1


@pytest.mark.parametrize("shape", [(12, 40, 30), (40, 30, 12), (30, 12, 40)])
def test_a_volume_comes_back_in_its_own_axis_order(predictor: Predictor, shape: tuple[int, int, int]) -> None:
    spacing = tuple(5.0 if n == 12 else 1.0 for n in shape)
    affine = np.diag([-spacing[0], spacing[1], -spacing[2], 1.0])
    data = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    out = predictor.segment(Image(data, affine=affine, spacing=spacing, modality="CT"), asked("liver"))
    assert out.prob.shape == (1, *shape)
    assert np.array_equal(out.affine, affine)


def test_a_colour_is_asked_away_in_real_pictures_alone(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a made one it means what made ones taught by it."""
    grey = np.random.default_rng(0).integers(0, 256, (3, 80, 80), dtype=np.uint8)
    made = np.moveaxis(marked(np.moveaxis(grey, 0, -1)), -1, 0)
    looked: list[Prompt] = []

    def beside(prompt: Prompt) -> tuple[Prompt, tuple[int, ...]]:
        looked.append(prompt)
        return prompt, ()

    monkeypatch.setattr(predict, "with_plain", beside)
    red = Finding("f1", "", (0, 0), "polyp", texture=Texture(colour="red"))
    for data in (grey, made):
        predictor.segment(Image(data.astype(np.float32), modality="ES"), Prompt(("polyp",), (red,)))
    assert len(looked) == 1


def test_small_lesions_are_looked_at_again_in_real_pictures_without_clicks(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[int, ...]] = []
    monkeypatch.setattr(predict, "look_closer", lambda said, *_: looked.append(said.prob.shape))
    predictor.segment(picture(), asked("polyp"))
    assert not looked  # the card says nothing of it
    close = copy(predictor)
    close.closer = True
    close.segment(picture(), asked("polyp", "cyst"))
    assert looked == [(2, 50, 70)]
    grey = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    made = np.moveaxis(marked(grey), -1, 0).astype(np.float32)
    close.segment(Image(made, modality="ES"), asked("polyp"))
    close.segment(Image(np.zeros((1, 4, 40, 40), np.float32), modality="CT"), asked("liver"))
    close.segment(picture(), replace(asked("polyp"), points=np.array([[[30.0, 20.0, 1.0]]])))
    assert len(looked) == 1


def test_a_colour_with_a_click_is_asked_once(predictor: Predictor) -> None:
    red = Finding("f1", "", (0, 0), "polyp", texture=Texture(colour="red"))
    prompt = Prompt(("polyp",), (red,), points=np.array([[[10.0, 12.0, 1.0]]]))
    assert predictor.segment(picture(channels=3, modality="ES"), prompt).prob.shape == (1, 50, 70)


@pytest.mark.parametrize("grid", [(50, 70), (3, 50, 70)])
def test_a_colour_is_heard_where_there_are_colours(predictor: Predictor, grid: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).uniform(0, 255, (3, *grid)).astype(np.float32)
    grey = np.broadcast_to(values[:1], values.shape)
    red = Finding("f1", "", (0, 0), "nucleus", texture=Texture(colour="red"))
    told = Prompt(("a", "b"), (red, *asked("nucleus").findings), beside=(None, None))
    for data, alike in ((values, False), (grey, True), (values[:1], True)):
        made = predict._heard(told.findings, Image(data, modality="SM"))
        assert (made[0] == made[1]) is alike


def test_in_a_made_picture_a_whole_is_what_made_ones_taught(predictor: Predictor) -> None:
    """Its parts, learned from real ones, are asked for in real pictures."""
    learned = {
        "opacity": {"trained_on": ["phantom"], "modalities": ["CR"]},
        "consolidation": {"trained_on": ["real"], "modalities": ["CR"]},
        "ground-glass opacity": {"trained_on": ["real"], "modalities": ["CR"]},
    }
    parts = {"opacity": ["consolidation", "ground-glass opacity"]}
    card = {**predictor.card, "concepts": learned, "parts": parts}
    whole, plain = (Predictor(predictor.model, predictor.words, {**card, "parts": p}) for p in (parts, {}))
    grey = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    for data, alike in ((marked(grey), True), (grey, False)):
        image = Image(data[None].astype(np.float32), modality="CR")
        both = [one.segment(image, asked("opacity")).prob for one in (whole, plain)]
        assert np.array_equal(*both) is alike


def test_targets_do_not_depend_on_company_or_order(predictor: Predictor) -> None:
    image = picture()
    both = predictor.segment(image, asked("polyp", "nucleus")).prob
    other = predictor.segment(image, asked("nucleus", "polyp")).prob
    alone = predictor.segment(image, asked("nucleus")).prob
    assert np.allclose(both[1], other[0], atol=1e-5)
    assert np.allclose(both[1], alone[0], atol=1e-5)


def test_more_findings_than_a_chunk(predictor: Predictor) -> None:
    many = predictor.segment(picture(), asked(*["polyp"] * 19)).prob
    assert many.shape[0] == 19
    assert np.allclose(many, many[:1], atol=1e-5)


def test_nothing_asked_gives_nothing(predictor: Predictor) -> None:
    assert predictor.segment(picture(), Prompt(())).prob.shape == (0, 50, 70)


def sided(side: str) -> Prompt:
    return Prompt(("lung",), (Finding("f1", "lung", (0, 4), "lung", location=Location(side=side)),))


@pytest.mark.parametrize("axes", [("I", "L"), ("I", "R"), ("S", "L"), ("S", "R"), ("L", "I"), ("R", "S")])
def test_a_picture_stored_any_way_gives_the_same_answer_in_the_patient(
    predictor: Predictor, axes: tuple[str, str]
) -> None:
    """Turned or mirrored on disk, with axes that say so: masks, clicks and boxes stay where they are in the
    patient."""
    usual = picture(50, 70, modality="CR", axes=("I", "L"))
    data = usual.data[0]
    if axes[0] in "LR":
        data = data.T
    flips = [i for i, letter in enumerate(axes) if letter in "SR"]
    stored = Image(np.flip(data, flips).copy()[None], modality="CR", axes=axes)

    def to_stored(x: float, y: float, edge: float) -> tuple[float, float]:
        at = [x, y] if axes[0] in "LR" else [y, x]
        for i in flips:
            at[i] = stored.grid[i] - edge - at[i]
        return at[1], at[0]

    (px, py), (ax, ay), (bx, by) = to_stored(20, 10, 1), to_stored(5, 6, 0), to_stored(30, 25, 0)
    box = [min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)]
    ask = sided("left")
    here = Prompt(
        ask.targets,
        ask.findings,
        points=np.array([[[20.0, 10.0, 1.0]]]),
        boxes=np.array([[5.0, 6.0, 30.0, 25.0]]),
    )
    there = Prompt(
        ask.targets, ask.findings, points=np.array([[[px, py, 1.0]]], float), boxes=np.array([box], float)
    )
    one, other = predictor.segment(usual, here).prob[0], predictor.segment(stored, there).prob[0]
    back = np.flip(other, flips)
    assert np.allclose(one, back.T if axes[0] in "LR" else back, atol=1e-5)


def test_left_and_right_are_different_questions(predictor: Predictor) -> None:
    image = picture(modality="CR", axes=("I", "L"))
    left, right = (predictor.segment(image, sided(side)).prob for side in ("left", "right"))
    assert np.abs(left - right).max() > 1e-5


def test_a_lateral_film_has_no_left_and_right(predictor: Predictor) -> None:
    image = picture(modality="CR", axes=("I", "P"))
    left, right = (predictor.segment(image, sided(side)).prob for side in ("left", "right"))
    assert np.allclose(left, right, atol=1e-6)


@pytest.mark.parametrize(("axes", "alike"), [(("L", "P"), True), (("I", "P"), False), (None, False)])
def test_a_mammogram_from_above_has_no_up_and_no_mammogram_a_left(
    predictor: Predictor, axes: tuple[str, ...] | None, alike: bool
) -> None:
    image = picture(modality="MG", axes=axes)
    left, right = (predictor.segment(image, sided(side)).prob for side in ("left", "right"))
    assert np.allclose(left, right, atol=1e-6)
    where = [Location(rows=(row,)) for row in ("upper", "lower")]
    told = [Finding("f1", "mass", (0, 4), "breast mass", location=one) for one in where]
    upper, lower = (predictor.segment(image, Prompt(("mass",), (one,))).prob for one in told)
    assert np.allclose(upper, lower, atol=1e-6) == alike


def test_a_volume_flipped_on_disk_gives_the_same_answer_in_the_patient(predictor: Predictor) -> None:
    data = np.random.default_rng(1).normal(size=(1, 32, 40, 6)).astype(np.float32)
    affine = np.diag([2.0, 2.0, 8.0, 1.0])
    flipped = affine @ np.array([[-1, 0, 0, 31], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    spacing = (2.0, 2.0, 8.0)
    one = predictor.segment(Image(data, affine, spacing, "CT"), sided("left")).prob
    other = predictor.segment(Image(data[:, ::-1].copy(), flipped, spacing, "CT"), sided("left")).prob
    assert np.allclose(one, other[:, ::-1], atol=1e-5)


def test_clicks_and_boxes_and_masks_are_heard(predictor: Predictor) -> None:
    image = picture()
    plain = predictor.segment(image, asked("polyp")).prob
    base = asked("polyp")
    prompts = (
        Prompt(base.targets, base.findings, points=np.array([[[20.0, 10.0, 1.0]]])),
        Prompt(base.targets, base.findings, boxes=np.array([[5.0, 5.0, 30.0, 25.0]])),
        Prompt(base.targets, base.findings, mask=np.ones((1, 50, 70), np.float32)),
    )
    for prompt in prompts:
        assert np.abs(predictor.segment(image, prompt).prob - plain).max() > 1e-5


def test_padding_points_count_as_padding_whatever_their_place(predictor: Predictor) -> None:
    base = asked("polyp")
    here = Prompt(base.targets, base.findings, points=np.array([[[20.0, 10.0, 1.0], [0.0, 0.0, -1.0]]]))
    there = Prompt(base.targets, base.findings, points=np.array([[[20.0, 10.0, 1.0], [60.0, 40.0, -1.0]]]))
    one, other = (predictor.segment(picture(), p).prob for p in (here, there))
    assert np.allclose(one, other, atol=1e-6)


def test_clicks_on_a_volume_are_refused(predictor: Predictor) -> None:
    volume = Image(np.zeros((1, 9, 9, 9), np.float32))
    base = asked("liver")
    with pytest.raises(UsageError, match="volume"):
        predictor.segment(volume, Prompt(base.targets, base.findings, points=np.zeros((1, 1, 3))))


def test_a_picture_of_a_few_pixels_is_refused(predictor: Predictor) -> None:
    with pytest.raises(GeometryError, match="at least 8 x 8"):
        predictor.segment(picture(4, 70), asked("polyp"))


def test_a_told_size_needs_a_spacing(predictor: Predictor) -> None:
    finding = Finding("f1", "", (0, 0), "polyp", shape=Shape(size_mm=(20.0,)))
    with_size, without = Prompt(("polyp",), (finding,)), asked("polyp")
    blind, seeing = picture(), picture(spacing=(0.5, 0.5))
    assert np.allclose(
        predictor.segment(blind, with_size).prob, predictor.segment(blind, without).prob, atol=1e-6
    )
    assert not np.allclose(
        predictor.segment(seeing, with_size).prob, predictor.segment(seeing, without).prob, atol=1e-6
    )


def test_targets_without_findings_are_read_as_phrases(predictor: Predictor) -> None:
    image = picture(modality="CR")
    assert np.allclose(
        predictor.segment(image, Prompt(("left lung",))).prob,
        predictor.segment(image, sided("left")).prob,
        atol=1e-6,
    )


class Counted:
    """A predictor's backend that counts its calls and the rows that went through."""

    def __init__(self, backend: Backend) -> None:
        self.encoded: list[int] = []
        self.decoded: list[int] = []
        self.backend = replace(backend, shared=self._shared(backend), decode=self._decode(backend))

    def _shared(self, backend: Backend) -> Any:
        def shared(seen: Any) -> Any:
            self.encoded.append(len(seen))
            return backend.shared(seen)

        return shared

    def _decode(self, backend: Backend) -> Any:
        def decode(maps: Any, heard: Any, clicks: Any) -> Any:
            self.decoded.append(len(maps[0]))
            return backend.decode(maps, heard, clicks)

        return decode


def counted(predictor: Predictor, **card: object) -> tuple[Predictor, Counted]:
    counter = Counted(predictor.backend)
    return Predictor(counter.backend, predictor.words, {**predictor.card, **card}), counter


def test_an_image_is_encoded_once_for_all_that_is_asked_of_it(predictor: Predictor) -> None:
    once, counter = counted(predictor, mirror=True)
    image = picture()
    once.segment(image, asked("polyp", "nucleus"))
    once.segment(image, asked("heart"))
    once.propose(image)
    clicked = Prompt(("polyp",), asked("polyp").findings, points=np.array([[[20.0, 10.0, 1.0]]]))
    once.segment(image, clicked)
    once.segment(replace(image, data=image.data.copy()), asked("liver"))
    assert counter.encoded == [2]  # the picture and its mirror image, together
    assert counter.decoded == [2, 2, 1, 1, 1, 1, 1, 1]  # plain, mirrored; unasked: as it is


def test_equal_pixels_that_lie_otherwise_in_the_patient_are_another_image(predictor: Predictor) -> None:
    once, counter = counted(predictor)
    for axes in (("I", "L"), ("I", "R")):
        once.segment(picture(modality="CR", axes=axes), asked("heart"))
    assert len(counter.encoded) == 2


def test_slices_are_encoded_once_for_all_findings_and_the_next_question(predictor: Predictor) -> None:
    once, counter = counted(predictor)
    volume = Image(np.random.default_rng(0).normal(size=(1, 20, 24, 24)).astype(np.float32), modality="CT")
    once.segment(volume, asked("liver", "spleen", "kidney"))
    assert counter.encoded == [8, 8, 4]
    assert counter.decoded == [8, 8, 8] * 2 + [8, 4]  # three findings in each slice, eight rows a pass
    once.segment(volume, asked("liver"))
    assert counter.encoded == [8, 8, 4]


def test_what_is_asked_twice_is_answered_once(predictor: Predictor) -> None:
    once, counter = counted(predictor)
    out = once.segment(picture(), asked("polyp", "nucleus", "polyp"))
    assert counter.decoded == [2]
    assert np.array_equal(out.prob[0], out.prob[2])
    assert np.array_equal(out.extras["attention"][0], out.extras["attention"][2])
    assert out.extras["presence"][0] == out.extras["presence"][2]
    assert np.abs(out.prob[0] - out.prob[1]).max() > 1e-5


def test_bytes_have_the_masks_of_the_probabilities(predictor: Predictor) -> None:
    for image in (picture(), Image(np.random.default_rng(3).normal(size=(1, 9, 20, 30)).astype(np.float32))):
        exact = predictor.segment(image, asked("polyp", "nucleus"))
        small = predictor.segment(image, replace(asked("polyp", "nucleus"), keep=()))
        assert small.prob.dtype == np.uint8
        assert np.array_equal(small.prob >= 128, exact.prob >= 0.5)
        assert np.abs(small.prob / 255 - exact.prob).max() <= 0.5 / 255 + 1e-6
        assert "attention" not in small.extras
        assert np.array_equal(small.extras["presence"], exact.extras["presence"])


@pytest.mark.parametrize(
    "value", [0.0, 0.5, np.nextafter(np.float32(0.5), np.float32(0)), 0.4981, 0.502, 1.0]
)
def test_half_is_on_the_same_side_in_bytes(value: float) -> None:
    out = np.zeros((2, 2), np.uint8)
    filled(out, [np.full((2, 2), value, np.float32)], False)
    assert ((out >= 128) == (np.float32(value) >= np.float32(0.5))).all()


def plainly(predictor: Predictor, image: Image, finding: Finding) -> np.ndarray:
    """One finding of a picture, one way after the other, straight through the network as it was trained."""
    stack = pixels.to_bytes(image)
    size = pixels.working_size(image.grid, image.modality, predictor.base)
    codes = heard(finding, image.modality, "right")
    answers = []
    for flip, told in ((False, codes), (True, mirror(codes))):
        x = F.interpolate(
            torch.from_numpy(stack)[None].float() / 255, size=size, mode="bilinear", antialias=True
        )
        x = (x.flip(-1) if flip else x).expand(-1, 3, -1, -1)
        with torch.inference_mode():
            out = predictor.model(
                predictor.model.shared((x - 0.5) / 0.25), encode_words([told], predictor.words)
            )
        fine = F.interpolate(out.decoded.logits[None], size=image.grid, mode="bilinear")[0, 0].sigmoid()
        answers.append(fine.flip(-1) if flip else fine)
    return (sum(answers) / 2).numpy()


def test_the_answer_is_that_of_the_plain_way(predictor: Predictor) -> None:
    both = Predictor(predictor.model, predictor.words, {**predictor.card, "mirror": True})
    image = picture(modality="CR", axes=("I", "L"))
    prompt = Prompt(("heart", "lung"), (*asked("heart").findings, *sided("left").findings))
    got = both.segment(image, prompt).prob
    for k, finding in enumerate(prompt.findings):
        assert np.allclose(got[k], plainly(both, image, finding), atol=1e-5)


def test_unknown_concepts_are_not_known(predictor: Predictor) -> None:
    learned = {
        "polyp": {"trained_on": ["real"], "modalities": ["ES"]},
        "carotid artery": {"trained_on": ["real"], "modalities": ["US"]},
        "nodule": {"trained_on": ["phantom"], "modalities": ["CR"]},
    }
    narrow = Predictor(predictor.model, predictor.words, {**predictor.card, "concepts": learned})

    def ask(name: str, *parents: str) -> Finding:
        return Finding("f1", "", (0, 0), name, parents=parents)

    assert narrow.knows(ask("polyp"))
    assert narrow.knows(ask("polyp"), "ES")
    assert not narrow.knows(ask("polyp"), "CT")
    assert not narrow.knows(ask("femur"))
    assert not narrow.knows(ask(""))
    assert narrow.knows(ask("hyperplastic growth", "polyp"), "ES")
    assert not narrow.knows(ask("carotid plaque", "carotid artery"))  # a finding is not the organ it sits in
    assert not narrow.knows(ask("odd growth", "cyst", "polyp"))  # the nearest wider one alone
    assert not narrow.knows(ask("granuloma", "nodule"))  # phantoms vouch for themselves only


def test_what_is_drawn_as_a_wider_thing_is_heard_as_that(predictor: Predictor) -> None:
    learned = {"skin lesion": {"trained_on": ["real"], "modalities": ["DMS"]}}
    narrow = Predictor(predictor.model, predictor.words, {**predictor.card, "concepts": learned})
    melanoma = Finding("f1", "", (0, 0), "melanoma", parents=("skin lesion", "tumour"))
    both = Prompt(("melanoma", "skin lesion"), (melanoma, *asked("skin lesion").findings))
    said = narrow.segment(picture(modality="DMS"), both)
    np.testing.assert_array_equal(said.prob[0], said.prob[1])


def test_proposals_are_known_concepts(predictor: Predictor) -> None:
    found = predictor.propose(picture(modality="ES"))
    assert found
    for finding in found:
        assert predictor.knows(finding)
        assert finding.phrase == ""


def test_a_mirroring_checkpoint_answers_alike_for_the_mirrored_picture() -> None:
    both = predict.build(untrained=True, seed=0)
    both.mirror = True
    image = picture(64, 64)
    flipped = Image(np.ascontiguousarray(image.data[..., ::-1]))
    for one, other in (("left", "right"), ("right", "left")):
        here, there = both.segment(image, sided(one)), both.segment(flipped, sided(other))
        assert np.allclose(here.prob, there.prob[..., ::-1], atol=1e-4)
        assert np.allclose(here.extras["presence"], there.extras["presence"], atol=1e-4)
    plain = predict.build(untrained=True, seed=0)
    assert not np.allclose(plain.segment(image, sided("left")).prob, both.segment(image, sided("left")).prob)


def test_a_click_is_answered_without_the_mirror() -> None:
    both, plain = predict.build(untrained=True, seed=0), predict.build(untrained=True, seed=0)
    both.mirror = True
    prompt = Prompt(("polyp",), points=np.array([[[10.0, 12.0, 1.0]]]))
    assert np.allclose(both.segment(picture(), prompt).prob, plain.segment(picture(), prompt).prob, atol=1e-5)


def test_any_slice_of_a_volume_is_shown_to_the_image_only_head(predictor: Predictor) -> None:
    volume = Image(np.random.default_rng(0).uniform(0, 255, (1, 5, 40, 48)).astype(np.float32), modality="MR")
    for share, at in ((0.0, 0), (None, 2), (0.5, 2), (1.0, 4)):
        alone = Image(volume.data[:, at : at + 1], modality="MR")
        assert predictor.shown(volume, share) == pytest.approx(predictor.shown(alone), abs=0.02), share
    assert predictor.shown(volume, 0.0) != predictor.shown(volume, 1.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_one_slice_is_asked_as_that_picture(axis: int) -> None:
    data = np.random.default_rng(0).uniform(0, 255, (1, 40, 48)).astype(np.float32)
    predictor = build(untrained=True)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    volume = Image(np.expand_dims(data, axis + 1), affine, (1.0, 1.0, 1.0), "US", axes=("L", "P", "S"))
    flat, left_out = as_picture(volume)
    assert (left_out, flat.grid, len(flat.axes or ())) == (axis, (40, 48), 2)
    prompt = Prompt(("large lesion", "lesion on the left"), keep=("attention",))
    one, other = predictor.segment(volume, prompt), predictor.segment(flat, prompt)
    assert one.prob.shape == (2, *volume.grid)
    np.testing.assert_array_equal(one.prob.squeeze(axis + 1), other.prob)
    np.testing.assert_array_equal(one.extras["presence"], other.extras["presence"])
    assert one.extras["attention"].shape == one.prob.shape
