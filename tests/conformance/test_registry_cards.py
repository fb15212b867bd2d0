"""Registering is being tested: every card of the registry sits the shipped exam."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from medsegr import conformance
from medsegr.registry import Card, cards

CASES = [
    pytest.param(card, check, id=f"{name}-{check.__name__}")
    for name, card in cards().items()
    for check in conformance.checks(card)
]


@cache
def built(name: str) -> Any:
    return conformance.built(cards()[name])


@pytest.mark.parametrize(("card", "check"), CASES)
def test_card(card: Card, check: conformance.Check) -> None:
    if check.__name__ in card.skips:
        pytest.skip(card.skips[check.__name__])
    missing = [module for module in card.needs if find_spec(module) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    # A network learns in its checks, so it is built anew for each; a segmenter must not mind being used
    # again.
    method = built(card.name) if card.door == "segmenter" else conformance.built(card)
    check(method, card)


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_skips_name_checks_that_exist_and_say_why(card: Card) -> None:
    names = {check.__name__ for check in conformance.checks(card)}
    assert set(card.skips) <= names
    assert all(len(reason) > 10 for reason in card.skips.values())
