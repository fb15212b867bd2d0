"""A word that asks for some of what was drawn, and that nothing came of, is told; one that describes not."""

import numpy as np
import pytest

from medsegr.results.unfollowed import unfollowed
from medsegr.types import FindingResult, Image, Segmentation
from medsegr.words import report_of_phrases, report_of_text


class Model:
    def __init__(self) -> None:
        self.card = {"concepts": {name: {} for name in ("retinal vessels", "nucleus", "glioma", "polyp")}}

    def segment(self, image: Image, prompt: object) -> Segmentation:
        raise AssertionError("nothing is asked")


def warned(words: str, modality: str, alike: float = 1.0, phrase: bool = True) -> dict[str, str]:
    image = Image(np.zeros((1, 20, 20), np.float32), modality=modality)
    read = report_of_phrases([words], modality, None) if phrase else report_of_text(words, modality, None)
    assert read.findings, words
    alone = np.zeros((20, 20), bool)
    alone[:10] = True
    mask = alone.copy()
    mask[: round(10 * (1 - alike))] = False
    items = [FindingResult(f, "segmented", mask=mask, free_mask=alone) for f in read.findings]
    return dict(unfollowed(image, read, items, Model()))


@pytest.mark.parametrize(
    ("words", "modality", "word"),
    [
        ("small vessels", "OP", "'small'"),
        ("thick retinal vessels", "OP", "'thick'"),
        ("large nuclei", "GM", "'large'"),
        ("enhancing glioma", "MR", "'enhancing'"),
        ("non-enhancing glioma", "MR", "'non-enhancing'"),
    ],
)
def test_what_chose_nothing_is_told(words: str, modality: str, word: str) -> None:
    assert warned(words, modality)["look_not_followed"].startswith(f"f1: {word} chose nothing")
    assert not warned(words, modality, alike=0.5), "the words changed the mask"


@pytest.mark.parametrize(
    ("words", "modality"),
    [("vessels", "OP"), ("small polyp", "ES"), ("nuclei", "GM"), ("glioma on the left", "MR")],
)
def test_what_chooses_nothing_is_not(words: str, modality: str) -> None:
    assert not warned(words, modality)


def test_a_sentence_describes() -> None:
    told = "There is an enhancing glioma in the left frontal lobe."
    assert not warned(told, "MR", phrase=False)
