"""How many processors there are for this process."""

import os


def usable() -> int:
    """Processors that this process may use, which a container or a batch system may have made fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
