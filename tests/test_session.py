"""The Python front says what it was given and what it expected; nothing of what it was given is lost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.errors import UsageError
from medsegr.options import Options
from medsegr.session import load

GREY = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)


@pytest.mark.parametrize("image", [None, b"png", GREY.tolist(), Picture.fromarray(GREY)])
def test_what_is_no_image_is_named(image: Any) -> None:
    with pytest.raises(UsageError, match=rf"image: {type(image).__name__} came where a path"):
        load("place").segment(image, phrases=["left lung"])


def test_one_phrase_is_one_phrase() -> None:
    model = load("place")
    alone, listed = (model.segment(GREY, phrases=words) for words in ("left lung", ["left lung"]))
    assert [item.finding for item in alone.findings] == [item.finding for item in listed.findings]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"report": "Nodule.", "text": "Mass."}, "report came together with a text"),
        ({"report": Path("report.txt")}, r"Path came where its text .*read_report reads a file"),
        ({"text": b"Nodule."}, "bytes came where its text"),
        ({"phrases": ["lung"], "options": {"explain": True}}, r"dict came where medsegr\.Options"),
    ],
)
def test_words_and_options_of_another_kind_are_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load("place").segment(GREY, **given)


@pytest.mark.parametrize("name", ["polarity", "sections", "formats"])
def test_a_text_where_several_words_are_taken_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name}: a text came where a tuple was expected"):
        Options(**{name: "present"})


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_that_is_none_is_refused(threads: int) -> None:
    with pytest.raises(UsageError, match="came where a whole number from 1 was expected"):
        load(threads=threads)


def test_a_report_is_parsed_as_it_is_segmented() -> None:
    text, model = "There is a lump in the breast.", load("place")
    drawn = [item.finding for item in model.segment(GREY, report=text).findings]
    assert [finding.name for finding in drawn] == ["breast mass"]
    assert list(model.parse(text)) == drawn
