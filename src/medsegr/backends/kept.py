"""Encoded maps that are kept for the next question, newest last, bounded by what they hold."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from medsegr.backends.backend import Maps

MOST = 256 * 2**20  # bytes


class Kept:
    """At most ``most`` bytes of maps; what was not used for longest goes first. Maps larger than all room are
    made and not kept."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._maps: OrderedDict[Hashable, Maps] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Maps]) -> Maps:
        """The maps under ``key``, made where they are not there."""
        if key in self._maps:
            self._maps.move_to_end(key)
            return self._maps[key]
        made = make()
        if _size(made) <= self.most:
            self._maps[key] = made
            while self.bytes > self.most:
                self._maps.popitem(last=False)
        return made

    @property
    def bytes(self) -> int:
        """What is held now."""
        return sum(map(_size, self._maps.values()))

    def __len__(self) -> int:
        return len(self._maps)


def _size(maps: Maps) -> int:
    return sum(one.nbytes for one in maps)
