"""How the programs beside the command line (``python -m medsegr.bench.changes`` and the like) end."""

import sys
from collections.abc import Callable

from medsegr.errors import MedsegrError


def one_line(main: Callable[[], None]) -> int:
    """Run a program; its exit code. An error of ours is one line on stderr, as in ``medsegr``; any other is
    raised."""
    try:
        main()
    except MedsegrError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return error.exit_code
    return 0
