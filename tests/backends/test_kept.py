"""Kept maps: bounded by bytes, oldest use first to go, nothing made twice while it is there."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from medsegr.backends.backend import Maps
from medsegr.backends.kept import Kept


def maps(size: int) -> Maps:
    return (torch.zeros(size, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8))


def test_the_oldest_use_goes_first() -> None:
    kept = Kept(most=40)
    made: list[str] = []

    def get(key: str) -> Maps:
        return kept.get(key, lambda: (made.append(key), maps(10))[1])

    for key in "abaca":
        get(key)
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
    assert len(kept) == 2


def test_what_is_larger_than_all_room_is_made_and_not_kept() -> None:
    kept = Kept(most=40)
    kept.get("small", lambda: maps(10))
    assert len(kept.get("large", lambda: maps(100))[0]) == 100
    assert len(kept) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=30))
def test_never_more_than_allowed(asked: list[tuple[int, int]]) -> None:
    kept = Kept(most=50)
    for key, size in asked:
        kept.get((key, size), lambda size=size: maps(size))
        assert kept.bytes <= 50
