import re
import sys
from importlib.metadata import EntryPoint

import pytest

from medsegr import registry
from medsegr.errors import MedsegrError, MissingExtra, UsageError
from medsegr.registry import Card, cards, create
from medsegr.types import Segmenter


def test_cards_are_found_by_name() -> None:
    found = cards()
    assert {"medsegr-tiny", "otsu", "place", "constant"} <= set(found)
    assert all(name == card.name for name, card in found.items())
    assert all(card.family in registry.FAMILIES for card in found.values())
    assert all(card.summary and card.build.count(":") == 1 for card in found.values())


def test_create_builds_with_options() -> None:
    method = create("constant", width=0.25)
    assert isinstance(method, Segmenter)
    assert method.width == 0.25


def test_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no method is called 'ostu'; did you mean 'otsu'\?"):
        create("ostu")


def test_unknown_name_far_from_all_tells_how_to_list() -> None:
    with pytest.raises(UsageError, match="medsegr models list") as caught:
        create("qqqqqq")
    assert "did you mean" not in str(caught.value)


def test_missing_extra_tells_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("far", "nowhere:build", "", family="core", needs=("no_such_module_here",), extra="sam")
    monkeypatch.setattr(registry, "cards", lambda: {"far": card})
    with pytest.raises(MissingExtra, match=r"'far' needs no_such_module_here: pip install 'medsegr\[sam\]'"):
        create("far")


def test_packages_from_outside_can_add_but_not_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def load(self) -> tuple[Card, ...]:
            return (
                Card("otsu", "elsewhere:build", "", family="outside"),
                Card("extra", "elsewhere:build", "", family="outside"),
            )

    monkeypatch.setattr(
        registry, "entry_points", lambda group: [Point()] if group == "medsegr.methods" else []
    )
    found = cards()
    assert found["extra"].family == "outside"
    assert found["otsu"].family == "baselines"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("medsegr.methods.baselines:NONE", "AttributeError: "),
        ("no_such_module_here:CARDS", "ModuleNotFoundError: "),
        ("medsegr.methods.baselines:CARDS.__len__", "TypeError: "),
        ("medsegr.registry:FAMILIES", "a str came where a tuple of cards was expected"),
        ("test_registry:ALONE", "a Card came where a tuple of cards was expected"),
    ],
)
def test_a_package_whose_cards_cannot_be_read_is_named(
    value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("mine", value, "medsegr.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    monkeypatch.setitem(sys.modules, "test_registry", sys.modules[__name__])
    with pytest.raises(MedsegrError, match=f"{re.escape(told)}.*; repair that package") as caught:
        cards()
    assert f"(entry point mine = {value})" in str(caught.value)


ALONE = Card("alone", "elsewhere:build", "", family="outside")
