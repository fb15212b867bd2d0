"""The table of backends: what is compared with what, and what is said where there is no truth."""

import numpy as np
import pytest

from medsegr.bench import backends
from medsegr.bench.backends import Told
from medsegr.samples.drawn import Marks
from medsegr.types import Finding, Image
from small_networks import small_predictor


def test_the_first_backend_is_what_others_are_compared_with() -> None:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 64, 64)).astype(np.float32))
    truth = np.zeros((64, 64), bool)
    truth[:32] = True
    drawn = [(Finding("f1", "", (0, 0), "liver"), Marks(truth)), (Finding("f2", "", (0, 0), "heart"), None)]
    same, other = small_predictor(), small_predictor(mirror=False)
    told = backends.compare(iter([(image, drawn)]), {"torch fp32": same, "onnx fp32": same, "other": other})
    assert told["torch fp32"].torch == told["onnx fp32"].torch == [1.0, 1.0]
    assert told["torch fp32"].truth == told["onnx fp32"].truth
    assert len(told["other"].truth) == 1
    assert len(told["other"].torch) == 2


def test_a_row_has_points_and_the_lowest_agreement() -> None:
    told = {"torch": Told([0.8, 0.6], [1.0, 1.0], [0.1]), "int8": Told([0.79, 0.6], [0.99, 0.97], [0.3, 0.1])}
    made = backends.row("a set", told)
    assert made["targets"] == 2
    assert made["backends"]["torch"]["change"] == 0
    assert made["backends"]["int8"]["dice"] == pytest.approx(69.5)
    assert made["backends"]["int8"]["change"] == pytest.approx(-0.5)
    assert made["backends"]["int8"]["lowest"] == 0.97
    assert made["backends"]["int8"]["seconds"] == pytest.approx(0.2)
    assert "-0.50" in backends.line(made)


def test_made_images_have_no_truth_to_be_compared_with() -> None:
    made = backends.row("made images", {"torch": Told([], [1.0], [0.1])})
    assert made["backends"]["torch"]["dice"] is None
    assert backends.line(made).split()[:3] == ["made", "images", "1"]
