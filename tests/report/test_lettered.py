"""Words that name a place in one kind of image only."""

import pytest

from medsegr.report.match import find_places, words_of
from medsegr.report.tokens import tokens


@pytest.mark.parametrize(
    ("text", "modality", "names"),
    [
        ("PLAQUE AT THE BIFURCATION", "US", ["carotid bulb"]),
        ("PLAQUE AT THE AORTIC BIFURCATION", "US", []),
        ("PLAQUE AT THE BIFURCATION", "CT", []),
        ("BE: DRUSEN", "OP", ["both eyes"]),
        ("DRUSEN IT MAY BE", "OP", []),
        ("BE: CLEAR", "CR", []),
        ("DRUSEN RE", "OP", ["right eye"]),
        ("DRUSEN RE", "CR", []),
    ],
)
def test_a_short_word_is_a_place_where_it_is_one(text: str, modality: str, names: list[str]) -> None:
    found = find_places(words_of(tokens(text, (0, len(text))), text), modality)
    assert [hit.value.name for hit in found if hit.value.name != "aorta"] == names
