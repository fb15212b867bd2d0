"""Made bodies in the validation of a checkpoint: of which a lesion is asked, and which words are foreign."""

import itertools
from collections.abc import Sequence

import numpy as np

from medsegr import phantom
from medsegr.bench.card import phantoms_table
from medsegr.bench.validate import score_phantoms
from medsegr.types import Finding, Image

COUNT = 30


def everywhere(image: Image, findings: Sequence[Finding]) -> tuple[np.ndarray, np.ndarray]:
    """Draws the whole picture for each finding but the last."""
    there = np.ones(len(findings))
    there[-1] = 0.4
    return np.ones((len(findings), *image.grid), bool), there


def test_a_body_without_lesions_lends_no_foreign_words() -> None:
    made = [phantom.make("brain", np.random.default_rng([900_000, i]), 256) for i in range(COUNT)]
    pairs = list(itertools.pairwise([*made, made[0]]))
    assert any(len(one.lesions) > 1 and not after.lesions for one, after in pairs)
    told = [x for case in made if len(case.lesions) > 1 for x in case.lesions if x.phrase]
    found = score_phantoms("brain", everywhere, COUNT)
    assert found["lesions"] == len(told)
    whole = [2 * x.mask.sum() / (x.mask.sum() + x.mask.size) for x in told]
    assert found["named"] == round(float(np.mean(whole)), 3)
    assert found["foreign phrase"] == 0.0  # its presence is below one half


def test_without_several_lesions_there_is_no_number_and_the_table_says_so() -> None:
    found = score_phantoms("brain", everywhere, 1)
    assert found == {"named": None, "others": None, "foreign phrase": None, "lesions": 0}
    assert phantoms_table({"validation": {"phantoms": {"brain": found}}}).endswith("| brain | 0 |  |  |  |")
