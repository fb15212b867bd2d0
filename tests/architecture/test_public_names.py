"""What `import medsegr` offers is one sorted list, and all of it exists."""

import medsegr

EXPECTED = [
    "Finding",
    "Image",
    "Options",
    "Prompt",
    "Report",
    "Result",
    "SamPredictor",
    "Segmentation",
    "__version__",
    "load",
    "parse",
]


def test_the_list_is_the_list() -> None:
    assert sorted(medsegr.__all__) == EXPECTED
    assert set(EXPECTED) <= set(dir(medsegr))


def test_every_name_is_there() -> None:
    for name in medsegr.__all__:
        assert getattr(medsegr, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(medsegr, "segmnt")
