"""How often one key or address may ask: a bucket of tokens for each, and a bound on the buckets."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000  # buckets that are remembered; the one that asked longest ago is forgotten first
ROUNDING = 1e-6  # of a token: whoever waited as long as was said is let in


class Rates:
    """``per_minute`` requests a minute of each caller, as many at once after a minute's rest; 0: no limit.

    Belongs to one event loop: it has no lock.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, when

    def wait(self, who: str) -> int:
        """Take one token of ``who``: 0, or in how many whole seconds there will be one again."""
        if not self.per_minute:
            return 0
        now = self._clock()
        left, then = self._buckets.pop(who, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - then) * self.per_minute / 60)
        short = max(0.0, 1 - left - ROUNDING)
        self._buckets[who] = (left if short else left - 1, now)
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return max(1, math.ceil(short * 60 / self.per_minute)) if short else 0


def place_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "local"
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
